/* Events: what a program is given, and what is begun with its answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dialect/act.h"
#include "dialect/act_impl.h"
#include "dialect/hub7.h"
#include "session/seek.h"
#include "wire/id.h"
#include "wire/log_place.h"

#define LONG_NS 1000000ULL /* a program that takes longer is its client's work, so many times */
#define LONG_COST 10

/* The publish whose ack is the event's: the last one, where nothing else answers. */
static unsigned ack_with(const struct actions *actions)
{
	unsigned at = actions->n;

	for (unsigned i = 0; i < actions->n; i++) {
		if (actions->at[i].kind == ACTION_REPLY || actions->at[i].kind == ACTION_ERROR)
			return actions->n;
		if (actions->at[i].kind == ACTION_PUBLISH)
			at = i;
	}
	return at;
}

/* Its sessions, latest joined first, or the session `in` and its rooms: their names need no
 * escapes. */
static int put_sessions(struct buf *b, const struct conn *c, struct span in)
{
	const struct seat *above = c->door->dialect->rooms ? seat_find(c, in) : NULL;
	int r = buf_puts(b, "[");

	for (const struct seat *seat = c->seats; r == 0 && seat; seat = seat->next) {
		if (seat->leaving ||
		    (c->door->dialect->rooms && seat != above && (!above || seat->above != above)))
			continue;
		r = buf_puts(b, b->len > 1 ? ",\"" : "\"");
		if (r == 0)
			r = buf_put(b, seat->m.session->id, seat->m.session->id_len);
		if (r == 0)
			r = buf_puts(b, "\"");
	}
	return r == 0 ? buf_puts(b, "]") : r;
}

/* client_id: who it is, or is about to be. */
static struct actions *run(struct conn *c, const struct act_event *e, struct span session,
			   uint64_t client_id)
{
	const struct identity *id = conn_identity(c);
	struct worker *w = c->worker;
	char client[ID_LEN + 1], why[RULES_WHY_MAX];
	struct rules_event in = {.event = e->event,
				 .args = e->args,
				 .own_fields = e->own_fields,
				 .user = identity_user(id),
				 .claims = identity_claims(id),
				 .client = {client, ID_LEN},
				 .session = session,
				 .door = conn_door_name(c)};
	uint64_t began = clock_mono_ns(), ns;
	struct actions *actions = NULL;
	struct buf *b = worker_scratch(w);

	id_text(client_id, client);
	memcpy(why, "out of memory", sizeof("out of memory"));
	if (put_sessions(b, c, session) == 0) {
		in.sessions = (struct span){b->data, b->len};
		actions = rules_run(w->hub7->rules, e->file, w->index, &in, why, sizeof(why));
	}
	worker_scratch_done(w, b);
	ns = clock_mono_ns() - began;
	counter_add(&w->counters, rules_run, 1);
	if (ns > LONG_NS && !c->door->trusted && !c->closing)
		meter_work(c, ns * LONG_COST, "its rules take more time than they may");
	if (!actions) {
		counter_add(&w->counters, rules_failed, 1);
		conn_log(c, ERR_WARN, JOURNAL_rule, "%s: %s", rules_file_name(e->file), why);
	}
	return actions;
}

static enum hub_code act(struct conn *c, const struct act_event *e, bool ending)
{
	struct act a = {.conn = c,
			.event = e->event,
			.msg_id = e->msg_id,
			.acked = e->acked,
			.msg = e->msg,
			.ending = ending};
	char session[ENVELOPE_SESSION_MAX]; /* it may go by what is done */

	if (e->session.len)
		a.session =
		    (struct span){memcpy(session, e->session.p, e->session.len), e->session.len};
	a.actions = run(c, e, a.session, c->id);
	if (!a.actions) {
		if (!ending)
			conn_error(c, HUB_RULE_FAILED, "the rule for this event failed", e->msg_id);
		return HUB_RULE_FAILED;
	}
	a.ack_with = a.acked ? ack_with(a.actions) : a.actions->n;
	return act_go_on(&a, NULL);
}

enum hub_code act_on(struct conn *c, const struct act_event *e)
{
	return act(c, e, false);
}

/* --- comings and goings */

static const struct span connects = {RULES_CONNECT, sizeof(RULES_CONNECT) - 1};
static const struct span disconnects = {RULES_DISCONNECT, sizeof(RULES_DISCONNECT) - 1};

static const struct rules_file *find(const struct conn *c, struct span event)
{
	const struct rules *rules = c->worker->hub7->rules;

	return rules ? rules_find_moment(rules, event) : NULL;
}

void act_opened(struct conn *c)
{
	struct act_event e = {.file = find(c, connects), .event = connects, .args = {"[]", 2}};

	/* Idle connections have nothing that no rule asks for. */
	if (!e.file && !find(c, disconnects))
		return;
	if (!conn_self(c)) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	c->self->met = true;
	if (e.file)
		act(c, &e, false);
}

/* The end of what was called session, which may be empty. */
static void end(struct conn *c, struct span session, unsigned code, const char *reason)
{
	struct act_event e = {
	    .file = find(c, disconnects), .event = disconnects, .session = session};
	struct buf *b;
	int r;

	if (!e.file)
		return;
	b = worker_scratch(c->worker);
	r = buf_printf(b, "[{\"code\":%u,\"reason\":", code);
	if (r == 0)
		r = buf_put_json(b, reason, strlen(reason));
	if (r == 0 && buf_puts(b, "}]") == 0) {
		e.args = (struct span){b->data, b->len};
		act(c, &e, true);
	}
	worker_scratch_done(c->worker, b);
}

static struct span session_of(const struct seat *seat)
{
	return session_name(seat->m.session);
}

void act_ending(struct conn *c)
{
	static const struct span none;

	if (!c->self || !c->self->met)
		return;
	c->self->met = false;
	end(c, c->seats ? session_of(c->seats) : none, c->code, c->reason ? c->reason : "");
}

void act_left(struct conn *c, struct seat *seat, unsigned code, const char *reason)
{
	if (!seat->met)
		return;
	seat->met = false;
	end(c, session_of(seat), code, reason);
}

/* --- joins that rules are asked about */

/* Takes the scratch. */
static void send_refusal(struct act *a, const struct action *x)
{
	struct conn *c = a->conn;
	const char *text = a->actions->text.data;
	struct buf *b = worker_scratch(c->worker);

	conn_send_scratch(c, b,
			  c->door->dialect->refusal(b, x->name_len ? text + x->name : NULL,
						    text + x->text, a->msg_id));
	act_refused(c);
	if (x->kind == ACTION_CLOSE)
		conn_close_saying(c, (enum close_code)x->code, text + x->text);
}

/* Whether the rule lets the client join: an error or an end refuses, and a join of the same session
 * grants it, and may say that it is not to come back. */
static bool may_enter(struct act *a, struct join_request *join)
{
	for (unsigned i = 0; i < a->actions->n; i++) {
		const struct action *x = &a->actions->at[i];

		if (x->kind == ACTION_ERROR || x->kind == ACTION_CLOSE) {
			send_refusal(a, x);
			return false;
		}
		if (x->kind != ACTION_JOIN || x->session_len != join->session.len ||
		    memcmp(a->actions->text.data + x->session, join->session.p, x->session_len) !=
			0)
			continue;
		join->granted = true;
		if (x->forgets && a->conn->door->dialect->forget) {
			join->from = (struct session_from){0};
			a->conn->door->dialect->forget(a->conn);
		}
	}
	return true;
}

/* What connect.jq says to it, if it is there; NULL: it has failed. */
static const struct actions *run_connect(struct conn *c, const struct join_request *join,
					 struct span said)
{
	static const struct actions none;
	struct act_event e = {.file = find(c, connects), .event = connects};
	const struct actions *actions = NULL;
	struct buf *b;

	if (!e.file)
		return &none;
	b = worker_scratch(c->worker);
	if (buf_puts(b, "[") == 0 &&
	    buf_put(b, said.len ? said.p : "{}", said.len ? said.len : 2) == 0 &&
	    buf_puts(b, "]") == 0) {
		e.args = (struct span){b->data, b->len};
		actions =
		    run(c, &e, join->session, join->resumes && !c->seats ? join->client : c->id);
	}
	worker_scratch_done(c->worker, b);
	return actions;
}

/* Appends the join of a room that it was in. Returns 0 or -ENOMEM. */
static int add_room(struct actions *to, const struct absent_log *room)
{
	struct action *x = &to->at[to->n++];
	char place[PLACE_MAX];
	size_t len = place_text(&room->place, place);

	*x = (struct action){.kind = ACTION_JOIN,
			     .from = SINCE_PLACE,
			     .quiet = !room->echo,
			     .restores = true,
			     .session = to->text.len,
			     .session_len = room->id_len,
			     .text = to->text.len + room->id_len,
			     .text_len = len};
	return buf_put(&to->text, room->id, room->id_len) < 0 ? -ENOMEM
							      : buf_put(&to->text, place, len);
}

/* What there is to do where it comes back to rooms: these first. Where there are more than can be
 * done it comes back to none. Returns 0 or -ENOMEM. */
static int put_rooms(struct actions *to, const struct absent *rooms, const struct actions *rule)
{
	int r = rule->text.len ? buf_put(&to->text, rule->text.data, rule->text.len) : 0;

	if (rule->n + rooms->logs <= RULES_ACTIONS_MAX)
		for (unsigned i = 1; r == 0 && i < rooms->logs; i++)
			r = add_room(to, &rooms->log[i]);
	to->at[to->n++] = (struct action){.kind = ACTION_RESTORED};
	for (unsigned i = 0; i < rule->n; i++)
		to->at[to->n++] = rule->at[i];
	return r;
}

bool act_connect(struct conn *c, const struct join_request *join, struct span said,
		 const struct absent *rooms)
{
	struct actions all = {0};
	struct join_request request = *join;
	struct act a = {
	    .conn = c, .event = connects, .session = join->session, .msg_id = join->msg_id};

	if (!find(c, connects) && !find(c, disconnects) && !rooms) {
		member_join(c, join);
		return true;
	}
	a.actions = run_connect(c, join, said);
	if (!a.actions) {
		c->door->dialect->refused(c, HUB_RULE_FAILED, "the rule for this event failed",
					  join->msg_id, 0);
		return false;
	}
	if (!may_enter(&a, &request))
		return false;
	if (!conn_self(c) || (rooms && put_rooms(&all, rooms, a.actions) < 0)) {
		buf_free(&all.text);
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return false;
	}
	if (rooms)
		a.actions = &all;
	a.ack_with = a.actions->n;
	act_go_on(&a, &request);
	buf_free(&all.text);
	return true;
}

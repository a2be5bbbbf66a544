/* Doing what rules said. Invariant: an act is on the stack of who began it until one of its actions
 * has to wait; then it is a copy in conn_self.acting, and goes on from there when it is told. */
#include <stdlib.h>
#include <string.h>

#include "dialect/act_impl.h"
#include "dialect/hub7.h"
#include "dialect/message.h"
#include "session/publish.h"
#include "session/seek.h"
#include "wire/id.h"
#include "wire/log_place.h"

#define WHY_MAX 256
#define MSG_ID_ROOM (6 * ENVELOPE_MSG_ID_MAX + 2) /* all of it escaped, and its quotes */

/* One that waits, with all that it needs. */
struct kept {
	struct act act; /* first */
	struct actions actions;
	char event[RULES_NAME_MAX], session[ENVELOPE_SESSION_MAX], msg_id[MSG_ID_ROOM];
	char text[];
};

static struct span text_at(const struct act *a, size_t at, size_t len)
{
	return (struct span){a->actions->text.data + at, len};
}

static struct span session_of(const struct act *a, const struct action *x)
{
	return x->session_len ? text_at(a, x->session, x->session_len) : a->session;
}

/* What an error is to name. */
static struct span unanswered(const struct act *a)
{
	static const struct span none;

	return a->answered ? none : a->msg_id;
}

static enum hub_code failed(struct act *a, const char *why)
{
	struct conn *c = a->conn;

	counter_add(&c->worker->counters, rules_failed, 1);
	conn_log(c, ERR_WARN, JOURNAL_rule, "%.*s.jq: action %u: %s", (int)a->event.len, a->event.p,
		 a->i + 1, why);
	a->why = "the rule for this event failed";
	return HUB_RULE_FAILED;
}

/* --- join and leave */

static void go_on_kept(struct act *a);

static struct act *told(struct conn *c, enum hub_code code, const char *why)
{
	struct act *a = c->self ? c->self->acting : NULL;

	if (!a)
		return NULL;
	a->waiting = false;
	a->code = code;
	a->why = why;
	return a;
}

static void joined(struct conn *c, struct seat *seat, enum hub_code code, const char *why,
		   uint32_t retry_s)
{
	struct act *a = told(c, code, why);

	(void)seat;
	(void)retry_s;
	if (a && a->actions->at[a->i].restores)
		a->code = HUB_OK;
	if (a && !a->inside) {
		a->i++;
		go_on_kept(a);
	}
}

/* What it has asked for itself. */
static void entered(struct conn *c, struct seat *seat, enum hub_code code, const char *why,
		    uint32_t retry_s)
{
	struct act *a = told(c, code, why);

	if (seat)
		seat->met = true;
	else if (a)
		c->door->dialect->refused(c, code, why, a->msg_id, retry_s);
	if (a && !a->inside)
		go_on_kept(a);
}

static enum hub_code enter(struct act *a, const struct join_request *join)
{
	struct join_request request = *join;

	a->waiting = a->entering = true;
	request.done = entered;
	member_join(a->conn, &request);
	return a->waiting ? HUB_OK : a->code;
}

/* A place is what its client says it is, perhaps with that of another session behind it: one that
 * is none is of no log. */
static struct session_from since(const struct act *a, const struct action *x)
{
	struct session_from from = {.has_since = x->from != SINCE_NOW, .since = x->since};
	struct span text = text_at(a, x->text, x->text_len);
	const char *slash = memchr(text.p, '/', text.len);
	struct log_place place;

	if (x->from != SINCE_PLACE)
		return from;
	from.has_epoch = true;
	if (!place_parse(text.p, slash ? (size_t)(slash - text.p) : text.len, &place))
		return from;
	from.since = place.seq;
	from.epoch = place.epoch;
	from.has_run = place.has_run;
	from.run = place.run;
	return from;
}

static enum hub_code join(struct act *a, const struct action *x)
{
	struct conn *c = a->conn;
	struct join_request request = {.session = session_of(a, x),
				       .from = since(a, x),
				       .echo = !x->quiet,
				       .granted = true,
				       .settles = c->door->dialect->rooms,
				       .done = joined};
	struct seat *seat = seat_find(c, request.session), *above;

	if (a->ending)
		return failed(a, "a connection that ends cannot join");
	/* It has not come back to the one above, or is in there by itself. */
	above = x->restores ? seat_find(c, a->session) : NULL;
	if (x->restores && (seat || !above || !above->returned))
		return HUB_OK;
	if (seat && x->from == SINCE_NOW)
		return HUB_OK;
	if (seat)
		request.above = seat->above;
	else if (c->door->dialect->rooms && !(request.above = seat_find(c, a->session)))
		return failed(a, "it is not in the session any more that the event came in");
	a->waiting = true;
	member_join(c, &request);
	return a->waiting ? HUB_OK : a->code;
}

static enum hub_code leave(struct act *a, const struct action *x)
{
	struct span session = session_of(a, x);
	struct seat *seat = session.len ? seat_find(a->conn, session) : NULL;

	if (seat && !a->ending)
		deliver_leave(seat);
	return HUB_OK;
}

/* --- publish and emit */

static enum hub_code parse(struct act *a, const struct action *x, struct envelope *e)
{
	char why[WHY_MAX];
	struct span text = text_at(a, x->text, x->text_len);

	if (envelope_parse(e, text.p, text.len, why, sizeof(why)) != HUB_OK)
		return failed(a, why);
	return HUB_OK;
}

static void opened(struct conn *c, struct session *s, enum hub_code code, const char *why)
{
	struct act *a = told(c, code, why);

	if (!a) {
		if (s)
			member_release(c, s);
		return;
	}
	a->opened = s;
	if (!a->inside)
		go_on_kept(a);
}

/* A session that the client is not in. */
static enum hub_code open_session(struct act *a, struct span session)
{
	struct conn *c = a->conn;
	const struct opening opening = {.session = session, .create = true, .done = opened};

	if (a->ending && c->worker->members->registry->env->archive)
		return failed(a, "a connection that ends publishes to its own sessions only");
	a->waiting = true;
	member_open(c, &opening);
	return a->waiting ? HUB_OK : a->code;
}

/* Without an ack of its own. */
static enum hub_code submit(struct act *a, struct session *s, struct seat *seat,
			    struct publication *p)
{
	struct published out;
	enum hub_code code;

	p->trusted = a->conn->door->trusted;
	p->member = seat != NULL;
	code = submit_record(s, a->conn->worker, p, &out, &a->why);
	if (code == HUB_OK && seat && !out.repeated) {
		seat->m.last_sent = out.seq ? out.seq : UINT64_MAX;
		seat->others |= p->tags.own == OWN_NEVER;
	}
	return code;
}

static enum hub_code publish_in(struct act *a, const struct action *x, const struct envelope *e,
				struct session *s, struct seat *seat)
{
	static const uint8_t own[] = {
	    [TO_AS_ASKED] = OWN_AS_ASKED, [TO_OTHERS] = OWN_NEVER, [TO_ALL] = OWN_ALWAYS};
	struct conn *c = a->conn;
	struct worker *w = c->worker;
	const struct identity *id = conn_identity(c);
	struct publication p = {.tags = {.sender = c->id,
					 .acked = a->acked,
					 .own = own[x->to] & 3U,
					 .msg = a->msg + a->i * 0x9e3779b97f4a7c15U}};
	char from[ID_LEN + 1], room[ENVELOPE_KEY_MAX];
	struct buf *b = worker_scratch(w);
	enum hub_code code = HUB_INTERNAL;

	id_text(c->id, from);
	a->why = "out of memory";
	if (envelope_record(e, b, session_name(s), worker_wall_ms(w), (struct span){from, ID_LEN},
			    identity_user(id)) == 0) {
		p.body = (struct span){b->data, b->len};
		code = message_record(w, e, room, &p, &a->why);
		if (code != HUB_OK)
			code = failed(a, a->why);
		else if (seat && a->i == a->ack_with)
			code = submit_seat(seat, &p, a->msg_id, &a->why);
		else
			code = submit(a, s, seat, &p);
	}
	worker_scratch_done(w, b);
	a->current = p.current;
	if (code == HUB_OK && seat && a->i == a->ack_with)
		a->answered = true;
	return code;
}

static enum hub_code publish(struct act *a, const struct action *x)
{
	struct conn *c = a->conn;
	struct span session = session_of(a, x);
	struct seat *seat = session.len ? seat_find(c, session) : NULL;
	struct envelope e;
	enum hub_code code = parse(a, x, &e);

	if (code != HUB_OK)
		return code;
	if (!session.len)
		return failed(a, "publish names no session, and the event came in none");
	if (seat)
		return publish_in(a, x, &e, seat->m.session, seat);
	if (!a->opened && ((code = open_session(a, session)) != HUB_OK || a->waiting))
		return code;
	code = publish_in(a, x, &e, a->opened, NULL);
	member_release(c, a->opened);
	a->opened = NULL;
	return code;
}

/* Under whose name the client is told of a session. */
static struct span told_as(const struct act *a, struct span session)
{
	const struct seat *seat;
	const struct session *s;

	if (!a->conn->door->dialect->rooms)
		return session;
	seat = session.len ? seat_find(a->conn, session) : NULL;
	if (!seat)
		return a->session;
	s = seat->above ? seat->above->m.session : seat->m.session;
	return session_name(s);
}

static enum hub_code emit(struct act *a, const struct action *x)
{
	struct conn *c = a->conn;
	struct span session = told_as(a, session_of(a, x));
	const struct seat *seat = session.len ? seat_find(c, session) : NULL;
	struct envelope e;
	enum hub_code code = parse(a, x, &e);
	struct buf *b;
	int r;

	if (code != HUB_OK || a->ending)
		return code;
	b = worker_scratch(c->worker);
	r = buf_put(b, e.text, e.len - 1);
	if (r == 0 && session.len)
		r = buf_printf(b, ",\"session_id\":\"%.*s\"", (int)session.len, session.p);
	if (r == 0 && seat && c->door->dialect->place)
		r = c->door->dialect->place(b, seat);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "}") : r);
	return HUB_OK;
}

/* --- answers and ends */

static enum hub_code reply(struct act *a, const struct action *x)
{
	struct conn *c = a->conn;
	struct buf *b;

	if (!a->acked || !c->door->dialect->reply)
		return HUB_OK;
	a->answered = true;
	counter_add(&c->worker->counters, acks, 1);
	b = worker_scratch(c->worker);
	conn_send_scratch(c, b,
			  c->door->dialect->reply(b, a->session, text_at(a, x->text, x->text_len),
						  x->several, a->msg_id));
	return HUB_OK;
}

/* What the operator has the client told is a refusal like others. */
void act_refused(struct conn *c)
{
	counter_add_at(&c->worker->counters, errors, HUB_FORBIDDEN, 1);
	if (!c->door->trusted && !c->closing && meter_error(c, false, NULL))
		meter_slow(c, WORKER_DELAY_MS, "more refusals than it may cause");
}

static enum hub_code say_error(struct act *a, const struct action *x)
{
	struct conn *c = a->conn;
	struct buf *b;

	if (!c->door->dialect->error_named || a->ending)
		return HUB_OK;
	a->answered = true;
	b = worker_scratch(c->worker);
	conn_send_scratch(c, b,
			  c->door->dialect->error_named(b, a->actions->text.data + x->name,
							a->actions->text.data + x->text,
							a->msg_id));
	act_refused(c);
	return HUB_OK;
}

static enum hub_code close_it(struct act *a, const struct action *x)
{
	if (!a->ending)
		conn_close_saying(a->conn, (enum close_code)x->code,
				  a->actions->text.data + x->text);
	return HUB_OK;
}

/* --- all actions */

static enum hub_code perform(struct act *a, const struct action *x)
{
	switch (x->kind) {
	case ACTION_JOIN:
		return join(a, x);
	case ACTION_LEAVE:
		return leave(a, x);
	case ACTION_PUBLISH:
		return publish(a, x);
	case ACTION_EMIT:
		return emit(a, x);
	case ACTION_REPLY:
		return reply(a, x);
	case ACTION_ERROR:
		return say_error(a, x);
	case ACTION_CLOSE:
		return close_it(a, x);
	case ACTION_RESTORED:
		a->conn->door->dialect->restored(a->conn, seat_find(a->conn, a->session));
		return HUB_OK;
	}
	return HUB_OK;
}

static bool may_wait(const struct action *x)
{
	return x->kind == ACTION_JOIN || x->kind == ACTION_PUBLISH;
}

/* A copy that can wait. NULL: no memory. */
static struct act *keep(const struct act *a)
{
	struct kept *k = malloc(sizeof(*k) + a->actions->text.len);

	if (!k)
		return NULL;
	k->act = *a;
	k->actions = *a->actions;
	k->act.kept = true;
	k->act.actions = &k->actions;
	if (a->actions->text.len)
		memcpy(k->text, a->actions->text.data, a->actions->text.len);
	k->actions.text.data = k->text;
	k->act.event.p = memcpy(k->event, a->event.p, a->event.len);
	k->act.session.p = k->session;
	k->act.msg_id.p = k->msg_id;
	if (a->session.len)
		memcpy(k->session, a->session.p, a->session.len);
	if (a->msg_id.len)
		memcpy(k->msg_id, a->msg_id.p, a->msg_id.len);
	return &k->act;
}

/* Does one action, or what comes before them, which finds its act by the connection where it may
 * have to wait. */
static enum hub_code step(struct act *a, const struct join_request *first)
{
	const struct action *x = &a->actions->at[a->i];
	struct conn *c = a->conn;
	struct conn_self *self;
	void *before;
	enum hub_code code;

	a->waiting = false;
	a->inside = true;
	if (!first && (a->kept || !may_wait(x))) {
		code = perform(a, x);
		a->waiting &= !c->closing;
		a->inside = false;
		return code;
	}
	self = conn_self(c);
	a->why = "out of memory";
	if (!self)
		return HUB_INTERNAL;
	before = self->acting;
	self->acting = a;
	code = first ? enter(a, first) : perform(a, x);
	a->waiting &= !c->closing;
	a->inside = false;
	self->acting = before;
	if (a->waiting && !(self->acting = keep(a)))
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	return code;
}

/* The end of an event that went well. */
static void finish(struct act *a)
{
	struct conn *c = a->conn;
	char session[ENVELOPE_SESSION_MAX + 1];
	struct buf *b;

	if (!a->acked || a->answered || c->closing)
		return;
	if (a->session.len)
		memcpy(session, a->session.p, a->session.len);
	session[a->session.len] = '\0';
	counter_add(&c->worker->counters, acks, 1);
	b = worker_scratch(c->worker);
	conn_send_scratch(c, b,
			  c->door->dialect->ack(b, a->session.len ? session : NULL, 0, a->msg_id));
}

enum hub_code act_go_on(struct act *a, const struct join_request *first)
{
	struct conn *c = a->conn;
	enum hub_code code = first ? step(a, first) : HUB_OK;

	if (a->waiting || code != HUB_OK)
		return code;
	a->entering = false;
	while (code == HUB_OK && a->i < a->actions->n && (a->ending || !c->closing)) {
		code = step(a, NULL);
		if (a->waiting)
			return HUB_OK;
		a->i++;
	}
	if (code == HUB_OK)
		finish(a);
	else if (!a->ending)
		message_refused(c, code, a->why, a->current, unanswered(a));
	return code;
}

static void go_on_kept(struct act *a)
{
	struct conn *c = a->conn;

	if (a->code == HUB_OK)
		act_go_on(a, NULL);
	else if (!a->entering)
		conn_error(c, a->code, a->why, unanswered(a));
	if (a->waiting)
		return;
	c->self->acting = NULL;
	free(a);
}

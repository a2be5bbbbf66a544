/* The walk of an order over all workers, one after the other: it closes whoever is meant, or lists
 * them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "member/steer_order.h"

static bool in_session(const struct conn *c, const struct order *o)
{
	const struct whom *w = &o->st.whom;
	const struct seat *seat;

	/* There may be another one of its name by now. */
	if (o->removal.session) {
		for (seat = c->seats; seat; seat = seat->next)
			if (seat->m.session == o->removal.session)
				return true;
		return false;
	}
	return !w->session_len ||
	       seat_find_any(c, (struct span){w->session, w->session_len}) != NULL;
}

static bool is_meant(struct conn *c, const struct order *o)
{
	const struct whom *w = &o->st.whom;
	struct address a;

	if (c->closing || !whom_is(w, c->id, conn_identity(c)) || !in_session(c, o))
		return false;
	if (!w->has_network)
		return true;
	conn_peer(c, &a);
	return network_has(&w->network, &a);
}

/* Nobody is to come back as the same client, now or after the hub. */
static void end_client(struct order *o, struct conn *c)
{
	const struct members *m = c->worker->members;
	uint64_t named;

	if (order_client(o, &named) && named == c->id)
		return; /* it was, by its name */
	ended_client(m->ended, c->id, o->ended_ms, c->worker->conns->resume_ms);
	if (m->registry->env->archive && !order_user(o).len &&
	    buf_put(&o->clients, &c->id, sizeof(c->id)) < 0)
		o->forgets = true;
}

/* Of a session that is no more who asks is no member, nor who has it for a room: they are not sent
 * away for it. False: it is another one. */
static bool leave_deleted(struct conn *c, const struct order *o)
{
	struct seat *seat = o->removal.session ? c->seats : NULL;

	while (seat && seat->m.session != o->removal.session)
		seat = seat->next;
	if (!seat || (c != o->conn && !seat->above))
		return false;
	deliver_leave(seat);
	return true;
}

static void close_one(struct conn *c, void *arg)
{
	struct order *o = arg;

	if (leave_deleted(c, o) || c == o->conn || !is_meant(c, o))
		return;
	if (o->counted == STEER_KICKED || o->counted == STEER_BANNED)
		end_client(o, c);
	counter_add_at(&c->worker->counters, steered, o->counted, 1);
	conn_close_saying(c, o->st.code, o->st.reason);
	o->result.n++;
}

/* The first of those that a list has room for, in their order. */
struct pick {
	const struct order *order;
	uint64_t from;
	size_t n, max;
	struct conn **at;
};

static void pick_one(struct conn *c, void *arg)
{
	struct pick *p = arg;
	size_t i = p->n;

	if (c->born < p->from || (i == p->max && p->at[i - 1]->born < c->born) ||
	    !is_meant(c, p->order))
		return;
	if (i == p->max)
		i--;
	else
		p->n++;
	for (; i > 0 && p->at[i - 1]->born > c->born; i--)
		p->at[i] = p->at[i - 1];
	p->at[i] = c;
}

/* Lists those of a worker, and sees whether there is one more. */
static void list_all(struct order *o, struct worker *w)
{
	struct steer_result *r = &o->result;
	struct pick p = {.order = o,
			 .from = w->index == o->st.from_worker ? o->st.from : 0,
			 .max = o->st.max - r->n + 1};
	int status = 0;

	p.at = malloc(p.max * sizeof(struct conn *));
	if (!p.at) {
		order_fail(o, HUB_INTERNAL, "out of memory");
		return;
	}
	conns_each(w, pick_one, &p);
	for (size_t i = 0; i < p.n && status == 0 && !r->more; i++) {
		if (r->n == o->st.max || r->list.len >= STEER_LIST_BYTES) {
			r->more = true;
			r->next_worker = w->index;
			r->next = p.at[i]->born;
			break;
		}
		if (r->n++)
			status = buf_puts(&r->list, ",");
		if (status == 0)
			status = o->st.put_connection(&r->list, p.at[i]);
	}
	if (status < 0)
		order_fail(o, HUB_INTERNAL, "out of memory");
	free(p.at);
}

void order_word(struct order *o)
{
	struct steering *st = &o->st;
	enum ban kind = st->verb == STEER_BAN ? bans_kind(&st->whom) : BAN_NONE;
	bool token = kind == BAN_TOKEN || kind == BAN_ISSUED;

	o->counted = st->verb == STEER_DELETE ? STEER_DELETED
		     : token		      ? STEER_REVOKED
		     : st->verb == STEER_BAN  ? STEER_BANNED
					      : STEER_KICKED;
	if (!st->code)
		st->code = st->verb == STEER_DELETE ? CLOSE_DELETED
			   : token		    ? CLOSE_UNAUTHENTICATED
						    : CLOSE_SENT_AWAY;
	if (!st->reason[0])
		strcpy(st->reason, st->verb == STEER_DELETE ? "the session was deleted"
				   : token		    ? "the token was revoked"
				   : st->verb == STEER_BAN  ? "banned"
							    : "sent away by an operator");
}

static void on_home(struct worker *w, struct mail *mail)
{
	(void)w;
	order_home((struct order *)mail);
}

static void on_visit(struct worker *w, struct mail *mail)
{
	struct order *o = (struct order *)mail;

	if (o->st.verb == STEER_CONNECTIONS)
		list_all(o, w);
	else
		conns_each(w, close_one, o);
	if (w->index + 1 < w->all->n && !o->result.more &&
	    (o->st.verb != STEER_CONNECTIONS || o->result.code == HUB_OK)) {
		worker_post(w->all->at[w->index + 1], mail);
		return;
	}
	if (!o->conn) {
		order_end_elsewhere(o, w);
		return;
	}
	mail->run = on_home;
	worker_post(o->conn->worker, mail);
}

void order_walk(struct order *o, unsigned from)
{
	o->due++;
	o->mail.run = on_visit;
	worker_post(o->conn->worker->all->at[from], &o->mail);
}

static void begin_elsewhere(struct workers *all, const struct steering *st, uint64_t hub,
			    uint64_t question)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		return;
	o->st = *st;
	o->hub = hub;
	o->question = question;
	o->ended_ms = clock_wall_ms();
	order_word(o);
	o->mail.run = on_visit;
	worker_post(all->at[st->from_worker], &o->mail);
}

void steer_elsewhere(struct workers *all, const struct steering *st)
{
	begin_elsewhere(all, st, 0, 0);
}

void steer_asked(struct workers *all, const struct steering *st, uint64_t hub, uint64_t number)
{
	/* Where there never was such a place nobody answers. */
	if (st->from_worker < all->n)
		begin_elsewhere(all, st, hub, number);
}

/* Invariant: an order is in one place at a time, at a worker on its way or at home, where it ends
 * when all that it has started has come back. */
#include "member/steer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "member/member.h"

struct order {
	struct mail mail;	/* first: on its way */
	struct archive_job job; /* of a deletion, */
	struct registry_removal removal;
	bool there;		/* its session was in memory */
	bool asked;		/* the archive was */
	struct buf name, value; /* what it is to keep */
	struct steering st;
	struct steer_result result;
	struct conn *conn; /* who asks */
	unsigned due;	   /* what has to come home */
	enum count_steer counted;
};

static struct order *order_of_job(struct mail *mail)
{
	return (struct order *)(void *)((char *)mail - offsetof(struct order, job.done));
}

/* --- the end */

/* What else is to be known of it later. Returns out. */
static const char *log_more(const struct order *o, char *out, size_t cap)
{
	struct session_limits limits = o->st.limits;
	size_t n = 0;

	out[0] = '\0';
	if (o->st.verb == STEER_BAN && o->st.seconds > 0)
		snprintf(out, cap, " for %.15g s", o->st.seconds);
	for (int i = 0; o->st.verb == STEER_LIMIT && i < STEER_LIMITS && n < cap; i++) {
		int64_t limit = *steer_limit_of(&limits, (enum steer_limit)i);

		if (!(o->st.limits_given & 1u << i))
			continue;
		n += limit == SESSION_USUAL
			 ? (size_t)snprintf(out + n, cap - n, " %s=usual",
					    steer_limit_name((enum steer_limit)i))
			 : (size_t)snprintf(out + n, cap - n, " %s=%jd",
					    steer_limit_name((enum steer_limit)i), (intmax_t)limit);
	}
	return out;
}

static void log_order(const struct order *o)
{
	static const char *const verbs[STEER_VERBS] = {
	    [STEER_CONNECTIONS] = "lists connections:",
	    [STEER_CLOSE] = "sends away",
	    [STEER_BANS] = "lists bans",
	    [STEER_BAN] = "bans",
	    [STEER_UNBAN] = "lifts the ban of",
	    [STEER_DELETE] = "deletes",
	    [STEER_LIMIT] = "limits",
	};
	enum steer_verb verb = o->st.verb;
	bool looks = verb == STEER_CONNECTIONS || verb == STEER_BANS;
	bool closes = verb == STEER_CLOSE || verb == STEER_BAN || verb == STEER_DELETE;
	char whom[WHOM_TEXT], more[200];

	looks |= verb == STEER_LIMIT && !o->st.limits_given;
	if (o->result.code != HUB_OK)
		conn_log(o->conn, looks ? ERR_DEBUG : ERR_INFO, JOURNAL_steer, "%s %s%s: %s",
			 verbs[verb], whom_text(&o->st.whom, whom), log_more(o, more, sizeof(more)),
			 o->result.why);
	else if (closes)
		conn_log(o->conn, ERR_INFO, JOURNAL_steer, "%s %s%s: %u connections, %u %s",
			 verbs[verb], whom_text(&o->st.whom, whom), log_more(o, more, sizeof(more)),
			 o->result.n, (unsigned)o->st.code, o->st.reason);
	else
		conn_log(o->conn, looks ? ERR_DEBUG : ERR_INFO, JOURNAL_steer, "%s%s%s%s",
			 verbs[verb], verb == STEER_BANS ? "" : " ",
			 verb == STEER_BANS ? "" : whom_text(&o->st.whom, whom),
			 log_more(o, more, sizeof(more)));
}

/* Tells who asked. */
static void finish(struct order *o)
{
	log_order(o);
	if (!o->conn->closing)
		o->st.done(o->conn, &o->st, &o->result);
	buf_free(&o->result.list);
}

static void fail(struct order *o, enum hub_code code, const char *why)
{
	if (o->result.code != HUB_OK)
		return;
	o->result.code = code;
	o->result.why = why;
}

#define NOT_KEPT "it holds until the hub ends: the store cannot keep it"

static void end_deletion(struct order *o)
{
	if (o->asked && o->job.status < 0)
		fail(o, HUB_INTERNAL, "the session cannot be deleted from the store");
	if (!o->there && !(o->asked && o->job.found))
		fail(o, HUB_NOT_FOUND, "there is no such session");
	registry_removed(o->conn->worker->members->registry, &o->removal);
}

/* A part of it has come home. */
static void come_home(struct order *o)
{
	struct conn *c = o->conn;

	if (--o->due)
		return;
	if (o->st.verb == STEER_DELETE)
		end_deletion(o);
	else if (o->asked && o->job.status < 0)
		fail(o, HUB_INTERNAL, NOT_KEPT);
	buf_free(&o->name);
	buf_free(&o->value);
	conn_release(c);
	finish(o);
	free(o);
	conn_idle(c);
}

/* --- the walk */

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

/* Nobody is to come back as the same client. */
static void end_client(struct conn *c)
{
	const struct members *m = c->worker->members;

	ended_client(m->ended, c->id, clock_wall_ms(), c->worker->conns->resume_ms);
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
		end_client(c);
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
		fail(o, HUB_INTERNAL, "out of memory");
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
		fail(o, HUB_INTERNAL, "out of memory");
	free(p.at);
}

static void on_home(struct worker *w, struct mail *mail)
{
	(void)w;
	come_home((struct order *)mail);
}

static void on_visit(struct worker *w, struct mail *mail)
{
	struct order *o = (struct order *)mail;
	struct worker *home = o->conn->worker;

	if (o->st.verb == STEER_CONNECTIONS)
		list_all(o, w);
	else
		conns_each(w, close_one, o);
	if (w->index + 1 < w->all->n && !o->result.more &&
	    (o->st.verb != STEER_CONNECTIONS || o->result.code == HUB_OK)) {
		worker_post(w->all->at[w->index + 1], mail);
		return;
	}
	mail->run = on_home;
	worker_post(home, mail);
}

static void walk(struct order *o, unsigned from)
{
	o->due++;
	o->mail.run = on_visit;
	worker_post(o->conn->worker->all->at[from], &o->mail);
}

/* --- what is done before */

static void on_archived(struct worker *w, struct mail *mail)
{
	struct order *o = order_of_job(mail);

	(void)w;
	come_home(o);
}

static bool delete_session(struct order *o)
{
	const struct whom *w = &o->st.whom;
	struct registry *registry = o->conn->worker->members->registry;

	o->job = (struct archive_job){.done = {.run = on_archived}, .worker = o->conn->worker};
	if (registry_remove(registry, (struct span){w->session, w->session_len}, &o->removal,
			    &o->job, &o->there) < 0) {
		fail(o, HUB_INTERNAL, "out of memory");
		return false;
	}
	o->asked = registry->env->archive != NULL;
	o->due += o->asked;
	return true;
}

/* What was done is to outlive the hub: it is answered when it does. */
static void keep(struct order *o, uint64_t until_ms)
{
	struct archive *a = o->conn->worker->members->registry->env->archive;

	if (!a || !o->st.put_kept)
		return;
	if (a->failing(a) || o->st.put_kept(&o->name, &o->value, &o->st, &o->result.limits) < 0) {
		fail(o, HUB_INTERNAL, NOT_KEPT);
		return;
	}
	o->job = (struct archive_job){.done = {.run = on_archived},
				      .worker = o->conn->worker,
				      .what = ARCHIVE_KEEP,
				      .name = {o->name.data, o->name.len},
				      .value = {o->value.data, o->value.len},
				      .until_ms = until_ms};
	o->asked = true;
	o->due++;
	a->ask(a, &o->job);
}

/* Tokens of a user are good for nothing, also where he is not connected just now. */
static void end_named(struct conn *c, const struct whom *w)
{
	const struct members *m = c->worker->members;
	bool alone = !w->session_len && !w->has_network && !w->jti.len;

	if (w->has_client && alone && !w->user.len)
		ended_client(m->ended, w->client, clock_wall_ms(), c->worker->conns->resume_ms);
	if (w->user.len && alone && !w->has_client)
		ended_user(m->ended, (struct span){w->user.text, w->user.len}, clock_wall_ms(),
			   c->worker->conns->resume_ms);
}

static bool ban(struct order *o)
{
	struct bans *bans = o->conn->worker->members->bans;
	uint64_t now_ms = worker_now_ms(o->conn->worker);
	uint64_t until_ms = o->st.seconds > 0 ? now_ms + (uint64_t)(o->st.seconds * 1000) + 1 : 0;
	int r = bans_add(bans, &o->st.whom, now_ms, until_ms);

	if (r == -ENOSPC)
		fail(o, HUB_BANS_FULL, "there are as many bans as the hub keeps");
	else if (r < 0)
		fail(o, HUB_INTERNAL, "out of memory");
	else if (o->counted == STEER_BANNED)
		end_named(o->conn, &o->st.whom);
	if (r == 0)
		keep(o, until_ms ? until_ms - now_ms + clock_wall_ms() : 0);
	return r == 0;
}

static void unban(struct order *o)
{
	if (!bans_remove(o->conn->worker->members->bans, &o->st.whom,
			 worker_now_ms(o->conn->worker)))
		fail(o, HUB_NOT_FOUND, "there is no such ban");
	else
		keep(o, 0);
}

static void list_bans(struct order *o)
{
	struct steer_result *r = &o->result;
	struct ban_listed *all = malloc(o->st.max * sizeof(*all));
	size_t n = all ? bans_list(o->conn->worker->members->bans, o->st.from,
				   worker_now_ms(o->conn->worker), all, o->st.max, &r->more)
		       : 0;
	int status = all ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && status == 0; i++) {
		r->next = all[i].number;
		r->more |= r->list.len >= STEER_LIST_BYTES;
		if (r->list.len >= STEER_LIST_BYTES)
			break;
		if (r->n++)
			status = buf_puts(&r->list, ",");
		if (status == 0)
			status = o->st.put_ban(&r->list, &all[i]);
		r->next++;
	}
	free(all);
	if (status < 0)
		fail(o, HUB_INTERNAL, "out of memory");
}

/* A look makes no session. */
static void limit(struct order *o)
{
	struct registry *registry = o->conn->worker->members->registry;
	struct span name = {o->st.whom.session, o->st.whom.session_len};
	enum hub_code code = HUB_NOT_FOUND;
	struct session *s = o->st.limits_given ? registry_use(registry, name, &code)
					       : registry_find(registry, name);
	int r = 0;

	if (!s) {
		fail(o, code,
		     code == HUB_NOT_FOUND  ? "there is no such session in memory"
		     : code == HUB_HUB_FULL ? "the hub has as many sessions as it allows"
					    : "out of memory");
		return;
	}
	session_get_limits(s, &o->result.limits);
	for (int i = 0; i < STEER_LIMITS; i++)
		if (o->st.limits_given & 1u << i)
			*steer_limit_of(&o->result.limits, (enum steer_limit)i) =
			    *steer_limit_of(&o->st.limits, (enum steer_limit)i);
	if (o->st.limits_given)
		r = registry_limit(registry, s, &o->result.limits);
	if (r < 0)
		fail(o, r == -ENOENT ? HUB_NOT_FOUND : HUB_INTERNAL,
		     r == -ENOENT ? "the session was deleted" : "out of memory");
	else if (o->st.limits_given)
		keep(o, 0);
	member_release(o->conn, s);
}

/* What the peers are told, where nothing else is said. */
static void word(struct order *o)
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

/* Whether a walk is to follow. */
static bool begin(struct order *o)
{
	switch (o->st.verb) {
	case STEER_CONNECTIONS:
		return o->st.from_worker < o->conn->worker->all->n;
	case STEER_CLOSE:
		end_named(o->conn, &o->st.whom);
		return true;
	case STEER_BAN:
		return ban(o);
	case STEER_DELETE:
		return delete_session(o);
	case STEER_BANS:
		list_bans(o);
		break;
	case STEER_UNBAN:
		unban(o);
		break;
	case STEER_LIMIT:
		limit(o);
		break;
	case STEER_VERBS:
		break;
	}
	return false;
}

void steer(struct conn *c, const struct steering *st)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o) {
		st->done(c, st,
			 &(struct steer_result){.code = HUB_INTERNAL, .why = "out of memory"});
		return;
	}
	o->st = *st;
	o->conn = c;
	word(o);
	conn_busy(c);
	conn_hold(c);
	if (begin(o)) {
		walk(o, o->st.verb == STEER_CONNECTIONS ? o->st.from_worker : 0);
		return;
	}
	o->due++;
	come_home(o);
}

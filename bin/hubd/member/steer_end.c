/* How an order ends: what is kept of it, where an archive can, and what is said of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "member/steer_order.h"
#include "session/limits.h"

static struct order *order_of_job(struct mail *mail)
{
	return (struct order *)(void *)((char *)mail - offsetof(struct order, job.done));
}

/* --- the answer */

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

void order_fail(struct order *o, enum hub_code code, const char *why)
{
	if (o->result.code != HUB_OK)
		return;
	o->result.code = code;
	o->result.why = why;
}

#define NOT_TOLD "the other hubs were not told"
#define NOT_KEPT "it holds until the hub ends: the store cannot keep it"

static void end_deletion(struct order *o)
{
	if (o->asked && o->job.status < 0)
		order_fail(o, HUB_INTERNAL, "the session cannot be deleted from the store");
	if (!o->there && !(o->asked && o->job.found))
		order_fail(o, HUB_NOT_FOUND, "there is no such session");
	registry_removed(o->conn->worker->members->registry, &o->removal);
}

/* --- what is kept */

static bool is_alone(const struct whom *w)
{
	return !w->session_len && !w->has_network && !w->jti.len;
}

struct span order_user(const struct order *o)
{
	const struct whom *w = &o->st.whom;

	return is_alone(w) && !w->has_client && o->counted != STEER_REVOKED
		   ? (struct span){w->user.text, w->user.len}
		   : (struct span){0};
}

bool order_client(const struct order *o, uint64_t *client)
{
	const struct whom *w = &o->st.whom;

	*client = w->client;
	return w->has_client && is_alone(w) && !w->user.len;
}

void order_archived(struct worker *w, struct mail *mail)
{
	(void)w;
	order_home(order_of_job(mail));
}

static void ask(struct order *o, struct archive *a, uint64_t until_ms)
{
	o->job = (struct archive_job){.done = {.run = order_archived},
				      .worker = o->conn->worker,
				      .passes = o->st.verb == STEER_CLOSE && !o->kept_ended,
				      .what = ARCHIVE_KEEP,
				      .name = {o->name.data, o->name.len},
				      .value = {o->value.data, o->value.len},
				      .until_ms = until_ms};
	o->asked = true;
	o->due++;
	a->ask(a, &o->job);
}

void order_keep(struct order *o, uint64_t until_ms)
{
	struct archive *a = o->conn->worker->members->registry->env->archive;

	if (!a || !o->st.put_kept)
		return;
	if (a->failing(a) || o->st.put_kept(&o->name, &o->value, &o->st, &o->result.limits) < 0)
		order_fail(o, HUB_INTERNAL, NOT_KEPT);
	else
		ask(o, a, until_ms);
}

void order_tell(struct order *o)
{
	struct archive *a = o->conn->worker->members->registry->env->archive;
	uint64_t client;

	if (!a || !a->offer || !o->st.put_kept || order_user(o).len || order_client(o, &client))
		return;
	if (a->failing(a) || o->st.put_kept(&o->name, &o->value, &o->st, &o->result.limits) < 0)
		order_fail(o, HUB_INTERNAL, NOT_TOLD);
	else
		ask(o, a, 0);
}

/* --- a list of other hubs */

#define NOT_ASKED "the other hubs cannot be asked"

void order_ask(struct order *o)
{
	struct archive *a = o->conn->worker->members->registry->env->archive;

	if (!a || !a->offer)
		return;
	if (a->failing(a) || o->st.put_kept(&o->name, &o->value, &o->st, NULL) < 0) {
		order_fail(o, HUB_UNAVAILABLE, NOT_ASKED);
		return;
	}
	o->job = (struct archive_job){.done = {.run = order_archived},
				      .worker = o->conn->worker,
				      .what = ARCHIVE_ASK,
				      .value = {o->value.data, o->value.len},
				      .from = o->st.hub};
	o->asked = true;
	o->due++;
	a->ask(a, &o->job);
}

/* An answer is one line of numbers, which are where the list goes on, then the list. */
static int put_answer(struct buf *b, const struct steer_result *r)
{
	int status =
	    buf_printf(b, "%u %u %ju %u\n", r->more, r->next_worker, (uintmax_t)r->next, r->n);

	return status == 0 ? buf_put(b, r->list.data, r->list.len) : status;
}

static bool take_number(struct buf *b, size_t *at, uint64_t *n)
{
	size_t from = *at;

	for (*n = 0; *at < b->len && b->data[*at] >= '0' && b->data[*at] <= '9'; (*at)++)
		*n = *n * 10 + (uint64_t)(b->data[*at] - '0');
	return *at > from && (*at)++ < b->len;
}

static bool take_answer(struct buf *b, struct steer_result *r)
{
	uint64_t more, worker, n;
	size_t at = 0;

	if (!take_number(b, &at, &more) || !take_number(b, &at, &worker) ||
	    !take_number(b, &at, &r->next) || !take_number(b, &at, &n))
		return false;
	r->n = (unsigned)n;
	if (more) {
		r->next_hub = r->hub;
		r->next_worker = (unsigned)worker;
	} else {
		r->next = 0;
	}
	buf_consume(b, at);
	r->list = *b;
	*b = (struct buf){0};
	return true;
}

/* What one other hub says, or does not; then comes the next one. */
static void end_asked(struct order *o)
{
	struct steer_result *r = &o->result;
	struct archive_job *job = &o->job;

	if (job->status == -EIO) {
		order_fail(o, HUB_UNAVAILABLE, NOT_ASKED);
		return;
	}
	r->hub = job->tail;
	r->more = r->next_elsewhere = job->found;
	r->next_hub = job->tail + 1;
	r->silent = job->found && (job->status < 0 || !take_answer(&job->text, r));
	buf_free(&job->text);
}

/* Behind all that are here come those of others. */
static void end_list(struct order *o)
{
	const struct archive *a = o->conn->worker->members->registry->env->archive;
	struct steer_result *r = &o->result;

	if (o->asked)
		end_asked(o);
	else if (!o->st.elsewhere && !r->more && a && a->offer)
		r->more = r->next_elsewhere = true;
}

/* --- the same of another hub's */

static void free_elsewhere(struct order *o)
{
	buf_free(&o->result.list);
	buf_free(&o->name);
	buf_free(&o->value);
	buf_free(&o->clients);
	free(o);
}

static void on_kept_elsewhere(struct worker *w, struct mail *mail)
{
	(void)w;
	free_elsewhere(order_of_job(mail));
}

static void answer(struct order *o, struct worker *w, struct archive *a)
{
	if (o->result.code != HUB_OK || put_answer(&o->value, &o->result) < 0) {
		free_elsewhere(o);
		return;
	}
	o->job = (struct archive_job){.done = {.run = on_kept_elsewhere},
				      .worker = w,
				      .what = ARCHIVE_ANSWER,
				      .value = {o->value.data, o->value.len},
				      .from = o->hub,
				      .to = o->question};
	a->ask(a, &o->job);
}

/* Those that were sent away here are not to come back as who they were anywhere. */
void order_end_elsewhere(struct order *o, struct worker *w)
{
	struct archive *a = w->members->registry->env->archive;
	uint64_t ttl_ms = w->conns->resume_ms;

	if (o->question) {
		answer(o, w, a);
		return;
	}
	if (!a || !o->st.put_ended || !o->clients.len || o->forgets ||
	    o->st.put_ended(&o->name, &o->value, (struct span){0},
			    (const uint64_t *)(void *)o->clients.data,
			    o->clients.len / sizeof(uint64_t), o->ended_ms) < 0) {
		free_elsewhere(o);
		return;
	}
	o->job = (struct archive_job){.done = {.run = on_kept_elsewhere},
				      .worker = w,
				      .what = ARCHIVE_KEEP,
				      .name = {o->name.data, o->name.len},
				      .value = {o->value.data, o->value.len},
				      .until_ms = ttl_ms ? o->ended_ms + ttl_ms : 0};
	a->ask(a, &o->job);
}

/* Whose tokens have died, as long as these would have lived; once. A user's name stands for all of
 * his clients. False where there is nothing to keep. */
static bool keep_ended(struct order *o)
{
	struct archive *a = o->conn->worker->members->registry->env->archive;
	bool ends = o->counted == STEER_KICKED || o->counted == STEER_BANNED;
	uint64_t ttl_ms = o->conn->worker->conns->resume_ms;
	struct span user = order_user(o);
	struct buf clients = o->clients;
	int r = -EIO;

	if (!a || !o->st.put_ended || !ends || o->kept_ended || o->result.code != HUB_OK ||
	    (o->st.verb != STEER_CLOSE && o->st.verb != STEER_BAN) ||
	    (!user.len && !clients.len && !o->forgets))
		return false;
	o->kept_ended = true;
	o->name.len = o->value.len = 0;
	if (!a->failing(a) && !o->forgets)
		r = o->st.put_ended(&o->name, &o->value, user,
				    (const uint64_t *)(void *)clients.data,
				    user.len ? 0 : clients.len / sizeof(uint64_t), o->ended_ms);
	if (r < 0) {
		order_fail(o, HUB_INTERNAL, NOT_KEPT);
		return false;
	}
	ask(o, a, ttl_ms ? o->ended_ms + ttl_ms : 0);
	return true;
}

/* --- the end */

void order_home(struct order *o)
{
	struct conn *c = o->conn;

	if (--o->due)
		return;
	if (o->st.verb == STEER_DELETE)
		end_deletion(o);
	else if (o->st.verb == STEER_CONNECTIONS)
		end_list(o);
	else if (o->asked && o->job.status < 0)
		order_fail(o, HUB_INTERNAL, o->job.passes ? NOT_TOLD : NOT_KEPT);
	o->asked = false;
	if (keep_ended(o))
		return;
	buf_free(&o->name);
	buf_free(&o->value);
	buf_free(&o->clients);
	conn_release(c);
	finish(o);
	free(o);
	conn_idle(c);
}

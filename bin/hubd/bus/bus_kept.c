/* What operators have set, in words that this room need not understand: a field of a hash each,
 * whose value begins with the time until which it holds; and news of it, or of what passes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_impl.h"

static const struct span kept_key = {BUS_KEPT, sizeof(BUS_KEPT) - 1};

static void on_kept(struct link *l, struct call *call, const redisReply *reply)
{
	bool done = reply && reply->type == REDIS_REPLY_INTEGER;

	(void)l;
	call->job->n = done ? (uint64_t)reply->integer : 0;
	job_end(call->job, done ? 0 : -EIO);
}

/* `NODE UNTIL LENGTH NAME VALUE`. Returns 0 or -ENOMEM. */
static int put_news(struct link *l, const struct archive_job *job, struct buf *out)
{
	struct buf *b = &l->scratch;
	int r;

	b->len = 0;
	r = buf_printf(b, "%016jx %ju %zu ", (uintmax_t)l->bus->node, (uintmax_t)job->until_ms,
		       job->name.len);
	if (r == 0)
		r = buf_put(b, job->name.p, job->name.len);
	if (r == 0)
		r = buf_put(b, job->value.p, job->value.len);
	if (r == 0) {
		const struct span words[] = {{"PUBLISH", 7}, kept_key, {b->data, b->len}};

		r = redis_put(out, words, 3);
	}
	return r;
}

static void tell(struct link *l, const struct archive_job *job)
{
	struct call *call = call_new(NULL, call_ignored);

	if (call && put_news(l, job, &call->command) == 0)
		link_call(l, call);
	else
		call_free(call);
}

void kept_job(struct link *l, struct archive_job *job)
{
	struct call *call = l->up ? call_new(NULL, on_kept) : NULL;
	struct buf *b = &l->scratch;
	int r = call ? 0 : -EIO;

	b->len = 0;
	if (r == 0 && job->passes)
		r = put_news(l, job, &call->command);
	else if (r == 0)
		r = buf_printf(b, "%ju ", (uintmax_t)job->until_ms);
	if (r == 0 && !job->passes)
		r = buf_put(b, job->value.p, job->value.len);
	if (r == 0 && !job->passes) {
		const struct span words[] = {
		    {job->value.len ? "HSET" : "HDEL", 4}, kept_key, job->name, {b->data, b->len}};

		r = redis_put(&call->command, words, job->value.len ? 4 : 3);
	}
	if (r < 0) {
		call_free(call);
		job_end(job, r);
		return;
	}
	call->job = job;
	if (!job->passes)
		tell(l, job); /* first: the job may be gone when the call has been made */
	link_call(l, call);
}

void kept_subscribe(struct link *l)
{
	const struct span words[] = {{"SUBSCRIBE", 9}, kept_key};

	if (!l->index)
		redis_put(&l->sub.out, words, 2);
}

void kept_message(struct link *l, struct span text)
{
	const struct bus_settings *set = l->bus->set;
	uint64_t node, until_ms, len;

	if (!batch_number(&text, 16, &node) || !batch_number(&text, 10, &until_ms) ||
	    !batch_number(&text, 10, &len) || len > text.len || node == l->bus->node)
		return;
	set->kept(set->arg, (struct span){text.p, len}, (struct span){text.p + len, text.len - len},
		  until_ms, true);
}

static void on_all(struct link *l, struct call *call, const redisReply *reply)
{
	const struct bus_settings *set = l->bus->set;
	uint64_t wall_ms = clock_wall_ms(), until_ms;

	(void)call;
	l->kept_asked = false;
	if (!reply || reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i], *said = reply->element[i + 1];
		struct span value = {said->str, (size_t)said->len};
		const struct span drop[] = {{"HDEL", 4}, kept_key, {name->str, (size_t)name->len}};

		if (!batch_number(&value, 10, &until_ms))
			continue;
		if (until_ms && until_ms <= wall_ms)
			call_words(l, call_ignored, drop, 3);
		else
			set->kept(set->arg, drop[2], value, until_ms, false);
	}
}

void kept_ask(struct link *l)
{
	const struct span words[] = {{"HGETALL", 7}, kept_key};

	if (l->index || l->kept_asked)
		return;
	l->kept_asked = true;
	call_words(l, on_all, words, 2);
}

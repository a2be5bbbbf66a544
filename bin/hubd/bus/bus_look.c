/* Batches that come in, and looks for what was missed. Invariant: a session takes a batch only
 * behind the one that was before it in Redis; a hole is filled from there before anything behind it
 * is taken. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"
#include "session/stored.h"

#define LOOK_ENTRIES "64" /* of the log at a time: 16 MiB at most */

/* --- batches */

enum taken { TAKEN, OLD, HOLE, OTHER, BROKEN };

/* The records of a batch, into l->in. */
static bool decode(struct link *l, const struct batch_head *head)
{
	struct span records = head->records;
	uint64_t now_ms = clock_mono_ms(), ttl_ms;

	for (uint64_t i = 0; i < head->n; i++) {
		if (!batch_next(&records, &l->in[i], &ttl_ms))
			return false;
		if (ttl_ms)
			l->in[i].due_ms = now_ms + ttl_ms;
	}
	return records.len == 0;
}

static bool is_span(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static enum taken take(struct link *l, struct far *f, const struct batch_head *head)
{
	if (head->epoch != f->session->epoch)
		return OTHER;
	if (head->first + head->n - 1 <= f->head)
		return OLD;
	if (head->first > f->head + 1)
		return HOLE;
	if (head->first <= f->head || !is_span(head->before, f->last))
		return OTHER;
	if (!decode(l, head) || session_take(f->session, l->in, head->n) < 0)
		return BROKEN;
	f->head += head->n;
	f->check_ms = 0;
	memcpy(f->last, head->id.p, head->id.len);
	f->last[head->id.len] = '\0';
	if (f->flying && is_span(head->id, f->flight.id))
		f->flight.heard = head->first;
	return TAKEN;
}

/* Redis has another past than the one that was here: an end is made to it for all. */
static void renew(struct link *l, struct far *f)
{
	struct call *call = call_new(NULL, call_ignored);
	char before[20], after[20], channel[BUS_NAME];
	uint64_t epoch;

	err_log(ERR_WARN, "bus: session %s has lost records in Redis; it begins anew",
		f->session->id);
	randombytes_buf(&epoch, sizeof(epoch));
	snprintf(before, sizeof(before), "%016jx", (uintmax_t)f->session->epoch);
	snprintf(after, sizeof(after), "%016jx", (uintmax_t)epoch);
	snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", f->session->id);
	if (call && call_script(l, call, SCRIPT_RENEW, f->session, 3) == 0 &&
	    redis_put_arg(&call->command, before, 16) == 0 &&
	    redis_put_arg(&call->command, after, 16) == 0 &&
	    redis_put_arg(&call->command, channel, strlen(channel)) == 0) {
		link_call(l, call);
	} else {
		call_free(call);
	}
	far_lose(l, f, false);
}

/* --- looks */

static void append_jobs(struct archive_job **list, struct archive_job *jobs)
{
	while (*list)
		list = &(*list)->next;
	*list = jobs;
}

/* It is where Redis was when it was asked. */
static void caught_up(struct link *l, struct far *f)
{
	/* What was not done will not be: that connection is no more. */
	if (f->flying && f->flight.doubtful) {
		if (!f->flight.known)
			publish_numbered(l, f, f->flight.heard);
		publish_again(f);
	}
	jobs_end(&f->asked, 0, f->tail);
	publish_due(l, f);
	if (f->missed || f->asks)
		far_look(l, f);
}

static const char *element(const redisReply *reply, size_t i)
{
	return reply->element[i]->type == REDIS_REPLY_STRING ? reply->element[i]->str : "";
}

static void take_looked(struct link *l, struct far *f, const redisReply *reply, uint64_t from)
{
	uint64_t head = strtoull(element(reply, 1), NULL, 10), before = f->head;
	struct batch_head batch;

	if (head == from && f->check_ms < BUS_CHECK_MAX_MS)
		f->check_ms = f->check_ms ? 2 * f->check_ms : 2 * BUS_CHECK_MS;

	if (strtoull(element(reply, 0), NULL, 16) != f->session->epoch || !element(reply, 0)[0]) {
		err_log(ERR_WARN, "bus: session %s is another one in Redis; it begins anew",
			f->session->id);
		far_lose(l, f, false);
		return;
	}
	if (head < from || (head == f->head && strcmp(element(reply, 2), f->last) != 0)) {
		renew(l, f);
		return;
	}
	f->tail = strtoull(element(reply, 3), NULL, 10);
	for (size_t i = 4; i < reply->elements; i++) {
		const redisReply *e = reply->element[i];
		enum taken taken = BROKEN;

		if (e->type == REDIS_REPLY_STRING &&
		    batch_read((struct span){e->str, (size_t)e->len}, &batch))
			taken = take(l, f, &batch);
		if (taken == OTHER) {
			renew(l, f);
			return;
		}
		if (taken == HOLE || taken == BROKEN) {
			err_log(ERR_WARN, "bus: session %s: records are gone; members come anew",
				f->session->id);
			far_lose(l, f, false);
			return;
		}
	}
	if (f->head >= head) {
		caught_up(l, f);
	} else if (f->head > before) {
		append_jobs(&f->asked, f->asks);
		f->asks = f->asked;
		f->asked = NULL;
		far_look(l, f);
	} else {
		far_lose(l, f, false);
	}
}

static void on_look(struct link *l, struct call *call, const redisReply *reply)
{
	struct far *f = call->far;

	f->looking = false;
	if (f->step == FAR_LOST)
		return;
	if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 4) {
		take_looked(l, f, reply, call->head);
		return;
	}
	if (reply && reply->type == REDIS_REPLY_ERROR)
		err_log(ERR_WARN, "bus: session %s: %s", f->session->id, reply->str);
	f->missed = true;
	append_jobs(&f->asked, f->asks);
	f->asks = f->asked;
	f->asked = NULL;
}

void far_look(struct link *l, struct far *f)
{
	struct call *call;
	char from[24], ttl[24];

	f->missed = true;
	if (f->looking || f->step != FAR_OPEN || !l->up)
		return;
	call = call_new(f, on_look);
	if (!call)
		return;
	snprintf(from, sizeof(from), "%ju", (uintmax_t)f->head + 1);
	snprintf(ttl, sizeof(ttl), "%ju", (uintmax_t)l->bus->set->ttl_ms);
	if (call_script(l, call, SCRIPT_LOOK, f->session, 3) < 0 ||
	    redis_put_arg(&call->command, from, strlen(from)) < 0 ||
	    redis_put_arg(&call->command, LOOK_ENTRIES, strlen(LOOK_ENTRIES)) < 0 ||
	    redis_put_arg(&call->command, ttl, strlen(ttl)) < 0) {
		call_free(call);
		return;
	}
	f->looking = true;
	f->missed = false;
	f->looked_ms = clock_mono_ms();
	append_jobs(&f->asked, f->asks);
	f->asks = NULL;
	link_call(l, call);
}

void far_checks(struct link *l, uint64_t now_ms)
{
	size_t n = l->n < BUS_CHECKS ? l->n : BUS_CHECKS;

	for (size_t i = 0; i <= n; i++) {
		struct far *f = l->check_at ? l->check_at : l->all;

		if (!f)
			return;
		l->check_at = f->next;
		if (far_is_unused(f)) {
			far_free(l, f);
			continue;
		}
		here_mend(l, f);
		if (f->missed ||
		    bus_lasts(now_ms, f->looked_ms, f->check_ms ? f->check_ms : BUS_CHECK_MS))
			far_look(l, f);
	}
}

void look_take(struct link *l, struct far *f, const struct batch_head *head)
{
	enum taken taken = take(l, f, head);

	if (taken == HOLE || taken == OTHER)
		far_look(l, f);
	else if (taken == BROKEN)
		far_lose(l, f, false);
}

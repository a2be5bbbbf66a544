/* What comes in, and what was missed. Invariant: a session takes a batch only behind the one that
 * was before it in Redis; a hole is filled from there before anything behind it is taken. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"

#define TABLE_MIN 64
#define LOOK_ENTRIES "64" /* of the log at a time: 16 MiB at most */

/* --- sessions by name */

static uint64_t hash_of(const char *p, size_t n)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	while (n--)
		hash = (hash ^ (unsigned char)*p++) * UINT64_C(1099511628211);
	return hash;
}

static struct far **bucket_of(struct link *l, const char *name, size_t n)
{
	return &l->table[hash_of(name, n) & (l->size - 1)];
}

struct far *far_find(struct link *l, struct span name)
{
	struct far *f = l->size ? *bucket_of(l, name.p, name.len) : NULL;

	while (f &&
	       (f->session->id_len != name.len || memcmp(f->session->id, name.p, name.len) != 0))
		f = f->hash_next;
	return f;
}

static bool grow(struct link *l)
{
	size_t size = l->size ? 2 * l->size : TABLE_MIN;
	struct far **table = calloc(size, sizeof(struct far *)), **old = l->table, *f;
	size_t before = l->size;

	if (!table)
		return l->size > 0;
	l->table = table;
	l->size = size;
	for (size_t i = 0; i < before; i++) {
		while ((f = old[i]) != NULL) {
			struct far **bucket = bucket_of(l, f->session->id, f->session->id_len);

			old[i] = f->hash_next;
			f->hash_next = *bucket;
			*bucket = f;
		}
	}
	free(old);
	return true;
}

static void table_remove(struct link *l, struct far *f)
{
	struct far **at = bucket_of(l, f->session->id, f->session->id_len);

	while (*at && *at != f)
		at = &(*at)->hash_next;
	if (*at) {
		*at = f->hash_next;
		l->n--;
	}
}

struct far *far_new(struct link *l, struct session *s)
{
	struct far *f = l->n < l->size || grow(l) ? calloc(1, sizeof(*f)) : NULL, **bucket, *other;

	if (!f)
		return NULL;
	/* One of its name that was deleted. */
	other = far_find(l, (struct span){s->id, s->id_len});
	if (other)
		far_lose(l, other, true);
	f->session = session_ref(s);
	strcpy(f->last, "-");
	bucket = bucket_of(l, s->id, s->id_len);
	f->hash_next = *bucket;
	*bucket = f;
	l->n++;
	f->next = l->all;
	if (f->next)
		f->next->prev = f;
	l->all = f;
	s->far = f;
	return f;
}

static void subscription(struct link *l, const struct far *f, const char *word)
{
	char channel[BUS_NAME];
	int n = snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", f->session->id);
	const struct span words[] = {{word, strlen(word)}, {channel, (size_t)n}};

	if (l->sub.step == REDIS_OPEN)
		redis_put(&l->sub.out, words, 2);
}

void far_subscribe(struct link *l, struct far *f)
{
	if (f->step != FAR_LOST)
		subscription(l, f, "SUBSCRIBE");
}

void far_unsubscribed_all(struct link *l)
{
	for (struct far *f = l->all; f; f = f->next)
		f->subscribed = false;
}

void far_lose(struct link *l, struct far *f, bool deleted)
{
	if (f->step == FAR_LOST)
		return;
	table_remove(l, f);
	subscription(l, f, "UNSUBSCRIBE");
	f->step = FAR_LOST;
	registry_part(l->bus->registry, f->session, deleted);
	publish_give_up(l, f, deleted ? "the session was deleted" : "the session begins anew");
	open_finish(l, &f->asks, -EAGAIN, 0);
	open_finish(l, &f->asked, -EAGAIN, 0);
	f->flying = false;
}

static bool is_unused(const struct far *f)
{
	return !f->calls && !f->due && !f->first && !f->asks && !f->asked &&
	       (f->step == FAR_LOST ||
		(!f->flying && atomic_load_explicit(&f->session->refs, memory_order_acquire) == 1));
}

static void far_free(struct link *l, struct far *f)
{
	if (f->step != FAR_LOST) {
		table_remove(l, f);
		subscription(l, f, "UNSUBSCRIBE");
	}
	if (l->check_at == f)
		l->check_at = f->next;
	*(f->prev ? &f->prev->next : &l->all) = f->next;
	if (f->next)
		f->next->prev = f->prev;
	f->session->far = NULL;
	session_unref(f->session);
	free(f);
}

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
	memcpy(f->last, head->id.p, head->id.len);
	f->last[head->id.len] = '\0';
	if (f->flying && f->flight.doubtful && is_span(head->id, f->flight.id))
		publish_landed(l, f, head->first);
	return TAKEN;
}

static void on_renewed(struct link *l, struct call *call, const redisReply *reply)
{
	(void)l;
	(void)call;
	(void)reply;
}

/* Redis has another past than the one that was here: an end is made to it for all. */
static void renew(struct link *l, struct far *f)
{
	struct call *call = call_new(NULL, on_renewed);
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
	} else if (call) {
		buf_free(&call->command);
		free(call);
	}
	far_lose(l, f, false);
}

static void after_take(struct link *l, struct far *f, enum taken taken)
{
	if (taken == HOLE || taken == OTHER)
		far_look(l, f);
	else if (taken == BROKEN)
		far_lose(l, f, false);
}

/* --- what is heard */

static void on_subscribed(struct link *l, struct far *f)
{
	f->subscribed = true;
	if (f->step == FAR_SUBSCRIBING) {
		f->step = FAR_OPENING;
		open_far(l, f);
	} else {
		far_look(l, f);
	}
}

static void on_message(struct link *l, struct far *f, struct span text)
{
	struct batch_head head;
	char epoch[20];

	if (f->step != FAR_OPEN) {
		f->missed = true;
		return;
	}
	if (batch_read(text, &head)) {
		after_take(l, f, take(l, f, &head));
		return;
	}
	snprintf(epoch, sizeof(epoch), "%016jx", (uintmax_t)f->session->epoch);
	if (text.len < 18 || (*text.p != 'e' && *text.p != 'd'))
		return;
	if ((*text.p == 'd') == (memcmp(text.p + 2, epoch, 16) == 0))
		far_lose(l, f, *text.p == 'd');
}

void hear(struct link *l, const redisReply *reply)
{
	static const size_t prefix = sizeof(BUS_PREFIX);
	const redisReply *what, *channel;
	struct far *f;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
		return; /* of AUTH, or PING */
	what = reply->element[0];
	channel = reply->element[1];
	if (what->type != REDIS_REPLY_STRING || channel->type != REDIS_REPLY_STRING ||
	    (size_t)channel->len < prefix + 2)
		return;
	f = far_find(l, (struct span){channel->str + prefix, (size_t)channel->len - prefix - 1});
	if (!f)
		return;
	if (strcmp(what->str, "subscribe") == 0)
		on_subscribed(l, f);
	else if (strcmp(what->str, "message") == 0 && reply->element[2]->type == REDIS_REPLY_STRING)
		on_message(l, f,
			   (struct span){reply->element[2]->str, (size_t)reply->element[2]->len});
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
	/* It was not done, and will not be: that connection is no more. */
	if (f->flying && f->flight.doubtful)
		publish_again(f);
	open_finish(l, &f->asked, 0, f->tail);
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
	f->tail = open_tail(reply->element[3], f->session->epoch, head);
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
	if (call_script(l, call, SCRIPT_LOOK, f->session, 4) < 0 ||
	    redis_put_arg(&call->command, from, strlen(from)) < 0 ||
	    redis_put_arg(&call->command, LOOK_ENTRIES, strlen(LOOK_ENTRIES)) < 0 ||
	    redis_put_arg(&call->command, ttl, strlen(ttl)) < 0 ||
	    redis_put_arg(&call->command, "tail", f->asks ? 4 : 0) < 0) {
		f->calls--;
		buf_free(&call->command);
		free(call);
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
		if (is_unused(f))
			far_free(l, f);
		else if (f->missed || now_ms - f->looked_ms >= BUS_CHECK_MS)
			far_look(l, f);
	}
}

void far_resume_all(struct link *l)
{
	struct far *f, *next;

	for (f = l->all; f; f = next) {
		next = f->next;
		if (f->step == FAR_OPENING)
			open_far(l, f);
		else if (f->step == FAR_OPEN)
			far_look(l, f);
		publish_due(l, f);
	}
}

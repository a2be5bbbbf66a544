/* What is asked: sessions that are opened, records of before, sessions that are deleted. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"
#include "session/stored.h"
#include "wire/wsframe.h"

static const char *text_of(const redisReply *reply, size_t i)
{
	return reply->element[i]->type == REDIS_REPLY_STRING ? reply->element[i]->str : "";
}

/* What open.lua answers behind the first words: places of elements. */
#define OPEN_ACKED 4
#define OPEN_COUNT 6
#define OPEN_STATE 7

static struct span bytes_of(const redisReply *reply, size_t i)
{
	const redisReply *e = reply->element[i];

	return e->type == REDIS_REPLY_STRING ? (struct span){e->str, (size_t)e->len}
					     : (struct span){"", 0};
}

static bool is_array(const redisReply *reply, size_t n)
{
	return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= n;
}

/* --- opening */

/* A text with its length in front, of the state's values. */
static bool take_part(struct span *s, struct span *part)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n;

	if (s->len < 4)
		return false;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (n > s->len - 4)
		return false;
	*part = (struct span){s->p + 4, n};
	s->p += 4 + n;
	s->len -= 4 + n;
	return true;
}

static uint64_t number_of(struct span s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	return n;
}

struct kept_state {
	uint64_t seq;
	struct incoming in;
};

static int by_seq(const void *a, const void *b)
{
	const struct kept_state *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* All entries of a value, as publish.lua packs them, behind the n that are there. Returns how many,
 * or -errno. */
static ssize_t take_value(struct span value, struct kept_state **all, size_t n)
{
	uint64_t now_ms = clock_mono_ms(), wall_ms = clock_wall_ms(), ttl_ms;
	struct span part[5];

	while (value.len) {
		struct kept_state *more;

		for (int i = 0; i < 5; i++)
			if (!take_part(&value, &part[i]))
				return -EINVAL;
		if ((n & (n - 1)) == 0) {
			more = realloc(*all, (n ? 2 * n : 1) * sizeof(**all));
			if (!more)
				return -ENOMEM;
			*all = more;
		}
		(*all)[n].seq = number_of(part[1]);
		if (!batch_next(&part[4], &(*all)[n].in, &ttl_ms) || !(*all)[n].seq)
			return -EINVAL;
		if (ttl_ms) {
			uint64_t due = number_of(part[3]);

			(*all)[n].in.due_ms = now_ms + (due > wall_ms ? due - wall_ms : 0);
		}
		n++;
	}
	return (ssize_t)n;
}

struct ack_load {
	struct session_image *image;
	const struct session_env *env;
};

static int take_ack(void *arg, const struct batch_acked *a)
{
	struct ack_load *l = arg;

	return session_image_ack(l->image, l->env, a->sender, a->msg, a->seq);
}

/* The older ones first, as open.lua answers. */
static int take_acks(struct session_image *image, const struct session_env *env,
		     const redisReply *reply)
{
	struct ack_load load = {image, env};
	int r = 0;

	for (size_t i = OPEN_ACKED; i < OPEN_ACKED + 2 && r == 0; i++)
		r = batch_each_acked(bytes_of(reply, i), take_ack, &load);
	return r;
}

/* In pairs, up to end. */
static int take_state(struct session_image *image, const redisReply *reply, size_t end)
{
	struct kept_state *all = NULL;
	ssize_t n = 0;
	int r = 0;

	for (size_t i = OPEN_STATE + 1; i < end && n >= 0; i += 2)
		n = take_value(bytes_of(reply, i), &all, (size_t)n);
	if (n > 0)
		qsort(all, (size_t)n, sizeof(*all), by_seq);
	for (ssize_t i = 0; i < n && r == 0; i++)
		r = session_image_state(image, &all[i].in, all[i].seq);
	free(all);
	return n < 0 ? (int)n : r;
}

/* *end: behind the state. */
static int load(struct far *f, const redisReply *reply, uint64_t *tail, size_t *end)
{
	struct session *s = f->session;
	struct session_image image;
	int r;

	*end = OPEN_STATE;
	if (reply->element[OPEN_COUNT]->type == REDIS_REPLY_INTEGER)
		*end += (size_t)reply->element[OPEN_COUNT]->integer;
	if (*end > reply->elements)
		return -EINVAL;
	session_image_init(&image, s->env);
	image.epoch = strtoull(text_of(reply, 0), NULL, 16);
	image.head = strtoull(text_of(reply, 1), NULL, 10);
	r = take_state(&image, reply, *end);
	if (r == 0)
		r = take_acks(&image, s->env, reply);
	image.found = r == 0;
	*tail = strtoull(text_of(reply, 3), NULL, 10);
	f->head = image.head;
	snprintf(f->last, sizeof(f->last), "%s", text_of(reply, 2));
	if (r == 0) {
		session_image_place(&image, s->env);
		session_load(s, &image);
	}
	session_image_free(&image, s->env);
	return r;
}

static void on_opened(struct link *l, struct call *call, const redisReply *reply)
{
	struct far *f = call->far;
	uint64_t tail = 0;
	size_t here = 0;
	int r;

	if (!reply || f->step != FAR_OPENING)
		return; /* again, when there is a connection */
	if (!is_array(reply, OPEN_STATE)) {
		err_log(ERR_WARN, "bus: session %s: %s", f->session->id,
			reply->type == REDIS_REPLY_ERROR ? reply->str : "no answer of ours");
		jobs_end(&f->asks, -EAGAIN, 0);
		return; /* who asks next tries again */
	}
	r = load(f, reply, &tail, &here);
	if (r < 0) {
		err_log(ERR_ERROR, "bus: session %s: %s", f->session->id,
			r == -ENOMEM ? "out of memory" : "what Redis has of it cannot be read");
		jobs_end(&f->asks, -EIO, 0);
		return;
	}
	f->step = FAR_OPEN;
	here_read(l, f, reply, here);
	f->looked_ms = clock_mono_ms();
	jobs_end(&f->asks, 0, tail);
	publish_due(l, f);
	here_mend(l, f);
	if (f->missed)
		far_look(l, f);
}

void open_far(struct link *l, struct far *f)
{
	struct call *call;
	char epoch[20], ttl[24];
	uint64_t n;

	if (!l->up)
		return;
	call = call_new(f, on_opened);
	randombytes_buf(&n, sizeof(n));
	snprintf(epoch, sizeof(epoch), "%016jx", (uintmax_t)n);
	snprintf(ttl, sizeof(ttl), "%ju", (uintmax_t)l->bus->set->ttl_ms);
	if (call && call_script(l, call, SCRIPT_OPEN, f->session, 3) == 0 &&
	    redis_put_arg(&call->command, epoch, 16) == 0 &&
	    redis_put_arg(&call->command, ttl, strlen(ttl)) == 0 &&
	    redis_put_arg(&call->command, BUS_SESSIONS, sizeof(BUS_SESSIONS) - 1) == 0)
		link_call(l, call);
	else
		call_free(call);
}

/* One that is asked about while it is open: where is it now? */
static void ask_far(struct link *l, struct far *f, struct archive_job *job)
{
	struct archive_job **last = &f->asks;

	while (*last)
		last = &(*last)->next;
	*last = job;
	if (f->step == FAR_OPEN)
		far_look(l, f);
	else if (f->step == FAR_OPENING && !f->calls)
		open_far(l, f);
}

static void on_exists(struct link *l, struct call *call, const redisReply *reply)
{
	(void)l;
	call->job->tail = UINT64_MAX;
	call->job->found = reply && reply->type == REDIS_REPLY_INTEGER && reply->integer;
	job_end(call->job, reply && reply->type == REDIS_REPLY_INTEGER ? 0 : -EAGAIN);
}

static void ask_exists(struct link *l, struct archive_job *job)
{
	struct call *call = call_new(NULL, on_exists);
	char key[BUS_NAME];
	int n = snprintf(key, sizeof(key), BUS_PREFIX "{%s}", job->session->id);
	const struct span words[] = {{"EXISTS", 6}, {key, (size_t)n}};

	if (!call || redis_put(&call->command, words, 2) < 0) {
		call_free(call);
		job_end(job, -ENOMEM);
		return;
	}
	call->job = job;
	link_call(l, call);
}

/* --- records of before */

static int put_frame(struct log *out, struct buf *frame, const struct incoming *in, uint64_t seq)
{
	char tail[32];
	size_t n = (size_t)snprintf(tail, sizeof(tail), ",\"seq\":%ju}", (uintmax_t)seq);

	frame->len = 0;
	if (buf_reserve(frame, WSFRAME_HEADER_MAX + in->body.len + n) < 0)
		return -ENOMEM;
	frame->len = wsframe_text((unsigned char *)frame->data, in->body.len + n);
	buf_put(frame, in->body.p, in->body.len);
	buf_put(frame, tail, n);
	return log_put(out, &in->tags, frame->data, frame->len) < 0 ? -ENOMEM : 0;
}

/* The records of an entry from the one that is wanted next on. -ESTALE where that is not the next.
 */
static int read_entry(const struct archive_job *job, const redisReply *entry, struct log *out,
		      size_t *left)
{
	struct buf frame = {0};
	struct batch_head head;
	struct incoming in;
	uint64_t ttl_ms;
	int r = 0;

	if (entry->type != REDIS_REPLY_STRING ||
	    !batch_read((struct span){entry->str, (size_t)entry->len}, &head) ||
	    head.epoch != job->session->epoch || head.first > job->from + out->head)
		return -ESTALE;
	for (uint64_t i = 0; i < head.n && r == 0 && *left; i++) {
		uint64_t seq = head.first + i;

		if (!batch_next(&head.records, &in, &ttl_ms))
			r = -ESTALE;
		else if (seq > job->to)
			break;
		else if (seq >= job->from + out->head)
			r = put_frame(out, &frame, &in, seq);
		*left -= in.body.len < *left ? in.body.len : *left;
	}
	buf_free(&frame);
	return r;
}

static void on_read(struct link *l, struct call *call, const redisReply *reply)
{
	struct archive_job *job = call->job;
	size_t left = job->max;
	struct log out;
	int r = 0;

	if (!is_array(reply, 0)) {
		job_end(job, -EAGAIN);
		return;
	}
	log_init(&out, l->bus->env->memory);
	out.pins = true;
	for (size_t i = 0; i < reply->elements && r == 0 && left; i++) {
		const redisReply *e = reply->element[i];

		r = is_array(e, 2) && is_array(e->element[1], 2)
			? read_entry(job, e->element[1]->element[1], &out, &left)
			: -ESTALE;
	}
	if (out.head) {
		job->chunk = out.oldest;
		job->n = out.head;
		job_end(job, 0);
		return;
	}
	log_free(&out);
	job_end(job, r == -ENOMEM ? r : -ESTALE);
}

static void ask_read(struct link *l, struct archive_job *job)
{
	struct call *call = call_new(NULL, on_read);
	char key[BUS_NAME + 4], from[24];
	int n = snprintf(key, sizeof(key), BUS_PREFIX "{%s}:log", job->session->id);
	int len = snprintf(from, sizeof(from), "0-%ju", (uintmax_t)job->from);
	const struct span words[] = {{"XRANGE", 6}, {key, (size_t)n}, {from, (size_t)len},
				     {"+", 1},	    {"COUNT", 5},     {"8", 1}};

	if (!call || redis_put(&call->command, words, 6) < 0) {
		call_free(call);
		job_end(job, -ENOMEM);
		return;
	}
	call->job = job;
	link_call(l, call);
}

/* --- the end of one */

static void on_deleted(struct link *l, struct call *call, const redisReply *reply)
{
	(void)l;
	call->job->found = reply && reply->type == REDIS_REPLY_INTEGER && reply->integer;
	job_end(call->job, reply && reply->type == REDIS_REPLY_INTEGER ? 0 : -EIO);
}

static void ask_delete(struct link *l, struct archive_job *job)
{
	struct far *f = far_find(l, session_name(job->session));
	struct call *call = call_new(NULL, on_deleted);
	char channel[BUS_NAME];

	if (f && f->session == job->session)
		far_lose(l, f, true);
	snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", job->session->id);
	if (!call || call_script(l, call, SCRIPT_DELETE, job->session, 1) < 0 ||
	    redis_put_arg(&call->command, channel, strlen(channel)) < 0) {
		call_free(call);
		job_end(job, -ENOMEM);
		return;
	}
	call->job = job;
	link_call(l, call);
}

void open_job(struct link *l, struct archive_job *job)
{
	struct far *f = job->session ? job->session->far : NULL;

	switch (job->what) {
	case ARCHIVE_OPEN:
		if (!f && !session_wants_image(job->session)) {
			ask_exists(l, job);
			return;
		}
		if (!f) {
			f = far_new(l, job->session);
			if (f)
				far_subscribe(l, f);
		}
		if (!f || f->step == FAR_LOST)
			job_end(job, f ? -EAGAIN : -ENOMEM);
		else
			ask_far(l, f, job);
		return;
	case ARCHIVE_READ:
		ask_read(l, job);
		return;
	case ARCHIVE_DELETE:
		ask_delete(l, job);
		return;
	case ARCHIVE_KEEP:
		kept_job(l, job);
		return;
	case ARCHIVE_ASK:
		ask_job(l, job);
		return;
	case ARCHIVE_ANSWER:
		answer_job(l, job);
		return;
	case ARCHIVE_LIST:
		list_job(l, job);
		return;
	}
}

/* --- who waits too long */

static void late(struct archive_job **list, uint64_t now_ms)
{
	struct archive_job *job;

	while ((job = *list) != NULL) {
		if (!bus_lasts(now_ms, job->since_ms, BUS_PATIENCE_MS)) {
			list = &job->next;
			continue;
		}
		*list = job->next;
		job_end(job, -EAGAIN);
	}
}

void open_timeouts(struct link *l, uint64_t now_ms)
{
	for (struct far *f = l->all; f; f = f->next) {
		late(&f->asks, now_ms);
		late(&f->asked, now_ms);
	}
}

/* What is published here, to the servers: a queue that is bounded, of which the thread takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bridge_impl.h"

#define OUT_MAX (1 << 20) /* bytes in a connection at which no more is encoded */

static struct told *told_new(struct span session, struct span body, uint64_t seq)
{
	char end[32];
	size_t n = (size_t)snprintf(end, sizeof(end), ",\"seq\":%ju}", (uintmax_t)seq);
	struct told *t = malloc(sizeof(*t) + session.len + body.len + n);

	if (!t)
		return NULL;
	*t = (struct told){.session_len = session.len, .len = body.len + n};
	memcpy(t->text, session.p, session.len);
	memcpy(t->text + session.len, body.p, body.len);
	memcpy(t->text + session.len + body.len, end, n);
	return t;
}

void bridge_tell(struct bridge *b, struct span session, struct span body, uint64_t seq)
{
	struct adapter_place place;
	struct told *t;
	bool full, first;

	if (!adapter_place(session, &place))
		return;
	t = told_new(session, body, seq);
	pthread_mutex_lock(&b->lock);
	full = !t || b->stop || b->queued + t->len > BRIDGE_QUEUE_MAX;
	first = !b->first;
	if (!full) {
		b->queued += t->len;
		*b->last = t;
		b->last = &t->next;
	}
	pthread_mutex_unlock(&b->lock);
	if (full) {
		free(t);
		bridge_drop(b, "Redis does not keep up");
	} else if (first) {
		bridge_wake(b);
	}
}

static int put_told(struct bridge *b, const struct told *t)
{
	struct span name, args, uid = {b->uid, ADAPTER_UID};
	struct adapter_place place;
	int r;

	adapter_place((struct span){t->text, t->session_len}, &place);
	b->set->event(t->text + t->session_len, t->len, &name, &args);
	b->event.len = b->message.len = b->channel.len = 0;
	r = buf_printf(&b->event, "[%.*s%s", (int)name.len, name.p, args.len ? "," : "");
	if (r == 0)
		r = buf_put(&b->event, args.p, args.len);
	if (r == 0)
		r = buf_puts(&b->event, "]");
	if (r == 0)
		r = adapter_channel(&b->channel, b->set->prefix, &place);
	if (r == 0)
		r = adapter_put(&b->message, uid, &place,
				(struct span){b->event.data, b->event.len});
	if (r == 0) {
		const struct span words[] = {{"PUBLISH", 7},
					     {b->channel.data, b->channel.len},
					     {b->message.data, b->message.len}};

		/* A part of a command would not do. */
		size_t before = b->pub.out.len;

		r = redis_put(&b->pub.out, words, 3);
		if (r < 0)
			b->pub.out.len = before;
	}
	return r;
}

static struct told *next_told(struct bridge *b)
{
	struct told *t;

	pthread_mutex_lock(&b->lock);
	t = b->first;
	if (t) {
		b->first = t->next;
		b->queued -= t->len;
	}
	if (!b->first)
		b->last = &b->first;
	pthread_mutex_unlock(&b->lock);
	return t;
}

void bridge_tell_all(struct bridge *b)
{
	struct told *t;

	while (b->up && b->pub.step == REDIS_OPEN && b->pub.out.len - b->pub.out_at < OUT_MAX &&
	       (t = next_told(b)) != NULL) {
		if (put_told(b, t) < 0)
			bridge_drop(b, "out of memory");
		else
			atomic_fetch_add_explicit(&b->told, 1, memory_order_relaxed);
		free(t);
	}
}

/* What the servers broadcast, to whom it is for. Invariant: what was heard and nobody has taken yet
 * is bounded: then no more is read. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bridge_impl.h"

/* Hands it on, to all sessions that it is for. */
static void hand_on(struct bridge *b, struct adapter_heard *heard)
{
	char session[ENVELOPE_SESSION_MAX];
	struct buf *names = &b->channel;
	size_t left = heard->nrooms ? heard->nrooms : 1, n;
	int r = 0;

	names->len = 0;
	for (; left && r == 0 && names->len < b->set->max_message; left--) {
		n = adapter_session(heard, session);
		if (n)
			r = buf_put(names, session, n);
		if (n && r == 0)
			r = buf_put(names, "", 1);
	}
	if (left || r < 0)
		bridge_drop(b, "an event for too many rooms");
	if (!names->len)
		return;
	atomic_fetch_add_explicit(&b->heard, b->message.len, memory_order_seq_cst);
	b->set->heard(b->set->arg, (struct span){names->data, names->len},
		      (struct span){b->message.data, b->message.len});
}

/* Whether a message of that namespace may come by the channel, as servers have it. */
static bool belongs(const struct bridge *b, struct span channel, struct span nsp)
{
	static const char request[] = "-request";
	size_t n = strlen(b->set->prefix);

	if (channel.len < n)
		return false;
	channel = (struct span){channel.p + n, channel.len - n};
	if (channel.len > sizeof(request) - 1 &&
	    memcmp(channel.p, request, sizeof(request) - 1) == 0) {
		channel.p += sizeof(request) - 1;
		channel.len -= sizeof(request) - 1;
	}
	return channel.len >= nsp.len + 2 && channel.p[0] == '#' &&
	       memcmp(channel.p + 1, nsp.p, nsp.len) == 0 && channel.p[1 + nsp.len] == '#';
}

void bridge_hear(struct bridge *b, struct span channel, struct span bytes)
{
	struct adapter_heard heard;
	int r;

	/* Another one may hear by now: what came before that this one could not take in time. */
	if (b->set->shared && clock_mono_ms() >= b->lease_ms)
		return;
	b->message.len = 0;
	r = adapter_read(bytes, (struct span){b->uid, ADAPTER_UID}, &heard, &b->message,
			 b->set->max_message);
	if (r == -EINVAL)
		bridge_drop(b, "a message that is malformed");
	else if (r == -EMSGSIZE)
		bridge_drop(b, "an event that is longer than max-message");
	else if (r < 0)
		bridge_drop(b, "out of memory");
	else if (r > 0 && belongs(b, channel, heard.nsp))
		hand_on(b, &heard);
}

bool bridge_may_hear(struct bridge *b)
{
	if (atomic_load_explicit(&b->heard, memory_order_seq_cst) <= BRIDGE_HEARD_MAX)
		return true;
	atomic_store_explicit(&b->paused, true, memory_order_seq_cst);
	return atomic_load_explicit(&b->heard, memory_order_seq_cst) <= BRIDGE_HEARD_MAX / 2;
}

void bridge_taken(struct bridge *b, size_t len, const char *why)
{
	size_t left = atomic_fetch_sub_explicit(&b->heard, len, memory_order_seq_cst) - len;

	if (why)
		bridge_drop(b, why);
	if (left <= BRIDGE_HEARD_MAX / 2 &&
	    atomic_exchange_explicit(&b->paused, false, memory_order_seq_cst))
		bridge_wake(b);
}

/* Invariant: what was deflated is in the bucket of what is made for one alone until a second one
 * has got it, or time has passed. */
#include "conn/deflation.h"

#include <errno.h>

#include "conn/conn.h"
#include "loop/bucket.h"
#include "wire/deflate.h"

#define SECOND_NS 1000000000u
#define BURST_NS (SECOND_NS / 4)

static uint64_t now_ns(const struct deflation *d)
{
	return worker_now_ms(d->worker) * 1000000;
}

struct deflation *deflation_for(struct deflation *d, struct worker *w, struct deflation_share *made)
{
	if (!w->conns->deflate)
		return NULL;
	d->worker = w;
	d->made = made;
	made->shared = made->again;
	made->again = false;
	made->cost = 0;
	return d;
}

void deflation_shared(struct deflation *d, struct deflation_share *made)
{
	made->again = true;
	if (d->alone > made->cost)
		d->alone -= made->cost;
	made->cost = 0;
}

/* Whether so many bytes may be deflated for one member, or are shared. */
static bool may(struct deflation *d, size_t len)
{
	uint64_t cost = len * SECOND_NS / DEFLATION_ALONE;

	if (d->made->shared)
		return true;
	if (bucket_over(d->alone, now_ns(d), BURST_NS))
		return false;
	bucket_add(&d->alone, now_ns(d), cost, BURST_NS);
	d->made->cost += cost;
	return true;
}

static int make(struct deflation *d)
{
	if (!d->deflater)
		d->deflater = deflater_new();
	return d->deflater ? 0 : -ENOMEM;
}

int deflation_put(struct deflation *d, unsigned bits, const char *text, size_t len, struct buf *out)
{
	int r;

	if (len < d->worker->conns->deflate_min || !may(d, len))
		return 1;
	r = make(d);
	if (r == 0)
		r = deflate_frame(d->deflater, bits, text, len, out);
	counter_add(&d->worker->counters, deflated, r == 0);
	return r;
}

int deflation_undo(struct deflation *d, const void *data, size_t len, size_t limit, struct buf *out)
{
	int r = make(d);

	return r == 0 ? inflate_message(d->deflater, data, len, limit, out) : r;
}

void deflation_free(struct deflation *d)
{
	deflater_free(d->deflater);
	d->deflater = NULL;
}

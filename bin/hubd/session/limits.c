/* What an operator wants of one session while the hub runs. Invariant: `steered` says whether a
 * look at the rest is worth it, so that all others pay one test for it. */
#include <errno.h>
#include <stdlib.h>

#include "loop/bucket.h"
#include "session/session_impl.h"

#define BURST_NS (2 * UINT64_C(1000000000))

static const struct session_limits usual = {.max_members = SESSION_USUAL,
					    .messages = SESSION_USUAL,
					    .bytes = SESSION_USUAL,
					    .history = SESSION_USUAL,
					    .history_bytes = SESSION_USUAL};

bool session_is_limited(const struct session_limits *l)
{
	return l->max_members != SESSION_USUAL || l->messages != SESSION_USUAL ||
	       l->bytes != SESSION_USUAL || l->history != SESSION_USUAL ||
	       l->history_bytes != SESSION_USUAL;
}

int session_set_limits(struct session *s, const struct session_limits *limits)
{
	bool any = session_is_limited(limits);
	struct session_limits *now = any ? malloc(sizeof(*now)) : NULL, *before;

	if (any && !now)
		return -ENOMEM;
	if (now) {
		*now = *limits;
		now->message_bucket = now->byte_bucket = 0;
	}
	pthread_mutex_lock(&s->lock);
	before = s->limits;
	s->limits = now;
	s->steered = s->deleted || now;
	pthread_mutex_unlock(&s->lock);
	free(before);
	return 0;
}

void session_get_limits(struct session *s, struct session_limits *limits)
{
	pthread_mutex_lock(&s->lock);
	*limits = s->limits ? *s->limits : usual;
	pthread_mutex_unlock(&s->lock);
}

uint32_t session_max_members(const struct session *s)
{
	int64_t max = (int64_t)s->env->max_members;

	if (s->limits && s->limits->max_members < max)
		max = s->limits->max_members;
	return max > UINT32_MAX ? UINT32_MAX : (uint32_t)max;
}

struct log_limits session_log_limits(const struct session *s)
{
	struct log_limits limits = s->env->limits;

	if (s->limits && s->limits->history != SESSION_USUAL)
		limits.records = (size_t)s->limits->history;
	if (s->limits && s->limits->history_bytes != SESSION_USUAL)
		limits.bytes = (size_t)s->limits->history_bytes;
	return limits;
}

/* Whether that much more may come; a rate of 0 lets nothing in. */
static bool is_over(uint64_t b, int64_t rate, uint64_t now_ns)
{
	return rate != SESSION_USUAL && (rate == 0 || bucket_over(b, now_ns, BURST_NS));
}

static void fill(uint64_t *b, int64_t rate, uint64_t now_ns, size_t n)
{
	if (rate != SESSION_USUAL)
		bucket_add(b, now_ns, (uint64_t)((double)n * 1e9 / (double)rate), BURST_NS);
}

enum hub_code session_admits(struct session *s, size_t len, uint64_t now_ms)
{
	struct session_limits *l = s->limits;
	uint64_t now_ns = now_ms * 1000000;

	if (s->deleted)
		return HUB_NOT_FOUND;
	if (!l)
		return HUB_OK;
	if (is_over(l->message_bucket, l->messages, now_ns) ||
	    is_over(l->byte_bucket, l->bytes, now_ns))
		return HUB_RATE_LIMITED;
	fill(&l->message_bucket, l->messages, now_ns, 1);
	fill(&l->byte_bucket, l->bytes, now_ns, len);
	return HUB_OK;
}

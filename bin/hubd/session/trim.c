/* What a log gives up: whole chunks from its tail, as far as neither a member, nor the limits, nor
 * the archive want them. */
#include "session/session_impl.h"

void session_count_dedup(const struct session_env *env, size_t before, size_t after)
{
	log_memory_count(env->memory, &env->memory->dedup, after - before);
}

/* The first record that a member may still need. */
static uint64_t session_low(struct session *s)
{
	uint64_t low = UINT64_MAX;
	unsigned i;

	for (i = 0; i < s->env->workers->n; i++) {
		struct shard *shard = session_shard(s, i);
		uint64_t at =
		    shard ? atomic_load_explicit(&shard->low, memory_order_relaxed) : UINT64_MAX;

		low = at < low ? at : low;
	}
	return low;
}

void session_trim(struct session *s, uint64_t now_ms)
{
	const struct session_env *env = s->env;
	struct log_limits limits = session_log_limits(s);
	uint64_t low = session_low(s);

	state_trim(&s->state);
	retained_drop(&s->retained, env->memory, low);
	while (log_may_drop(&s->log, &limits, low, now_ms)) {
		if (env->archive && log_second(&s->log) > s->stored + 1)
			return; /* it is not kept there yet */
		if (s->retained.first && log_memory_over(env->memory)) {
			/* Who stalls pays before who is in step. */
			retained_lose(&s->retained, env->memory);
			continue;
		}
		if (env->retains)
			retained_take(&s->retained, &s->log, low);
		log_drop_oldest(&s->log);
	}
}

/* What is done about once a second: sessions without users go, logs are trimmed where memory is
 * out, state goes whose time has come. In small steps, each of a few milliseconds at most. */
#include "base/clock.h"
#include "session/registry_impl.h"

#define SWEEP_SPELL_MS 4 /* of one sweep's two halves */

/* The next idle session whose time is over, taken out, or NULL. */
static struct session *take_expired(struct registry *r, uint64_t now_ms)
{
	struct session *s;

	pthread_mutex_lock(&r->lock);
	if (log_memory_over(r->env->memory))
		s = registry_take_idle(r, UINT64_MAX / 2, 0);
	else
		s = registry_take_idle(r, now_ms, r->ttl_ms);
	pthread_mutex_unlock(&r->lock);
	return s;
}

/* References on the sessions that are next in turn, REGISTRY_STEP at most; 0 at the end. */
static size_t take_next(struct registry *r, struct session *out[REGISTRY_STEP])
{
	size_t n = 0;

	pthread_mutex_lock(&r->lock);
	for (; n < REGISTRY_STEP && r->trim_at; r->trim_at = r->trim_at->all_next)
		out[n++] = session_ref(r->trim_at);
	pthread_mutex_unlock(&r->lock);
	return n;
}

static void trim_next(struct registry *r, uint64_t now_ms)
{
	uint64_t start = clock_mono_ms();
	struct session *some[REGISTRY_STEP];
	size_t n, i;

	pthread_mutex_lock(&r->lock);
	if (!r->trim_at)
		r->trim_at = r->first;
	pthread_mutex_unlock(&r->lock);
	while (log_memory_over(r->env->memory) && (n = take_next(r, some)) > 0) {
		for (i = 0; i < n; i++) {
			pthread_mutex_lock(&some[i]->lock);
			session_trim(some[i], now_ms);
			pthread_mutex_unlock(&some[i]->lock);
			session_unref(some[i]);
		}
		if (clock_mono_ms() - start >= SWEEP_SPELL_MS)
			return;
	}
}

/* --- state that goes in time */

void registry_time(struct registry *r, struct session *s)
{
	pthread_mutex_lock(&r->lock);
	if (!s->listed && !s->removed) {
		s->listed = true;
		s->timed_prev = NULL;
		s->timed_next = r->timed;
		if (s->timed_next)
			s->timed_next->timed_prev = s;
		r->timed = s;
	}
	pthread_mutex_unlock(&r->lock);
}

/* Whether there is more to wait for. */
static bool is_timed(struct session *s)
{
	bool timed;

	pthread_mutex_lock(&s->lock);
	timed = s->timed = s->orphans || state_next_ms(&s->state) != TIES_NEVER;
	pthread_mutex_unlock(&s->lock);
	return timed;
}

/* Sessions that have something that is due, REGISTRY_STEP at most, each as its user. */
static size_t take_due(struct registry *r, uint64_t now_ms, struct session *out[REGISTRY_STEP])
{
	struct session *s, *next;
	size_t n = 0;

	pthread_mutex_lock(&r->lock);
	for (s = r->timed; s && n < REGISTRY_STEP; s = next) {
		next = s->timed_next;
		if (atomic_load_explicit(&s->due_ms, memory_order_relaxed) == TIES_NEVER &&
		    !is_timed(s))
			registry_timed_unlink(r, s);
		if (atomic_load_explicit(&s->due_ms, memory_order_relaxed) > now_ms)
			continue;
		if (s->idle)
			registry_idle_unlink(r, s);
		s->users++;
		out[n++] = s;
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

void registry_expire(struct registry *r, struct worker *w)
{
	uint64_t start = clock_mono_ms(), now_ms = worker_now_ms(w);
	struct session *some[REGISTRY_STEP];
	size_t n, i;

	do {
		n = take_due(r, now_ms, some);
		for (i = 0; i < n; i++) {
			session_expire(some[i], w);
			registry_release(r, some[i], now_ms);
		}
	} while (n == REGISTRY_STEP && clock_mono_ms() - start < SWEEP_SPELL_MS);
}

/* --- sweeping */

void registry_sweep(struct registry *r, uint64_t now_ms)
{
	uint64_t start = clock_mono_ms();
	struct session *s;
	size_t n;

	for (n = 1; (s = take_expired(r, now_ms)) != NULL; n++) {
		session_unref(s);
		if (n % REGISTRY_STEP == 0 && clock_mono_ms() - start >= SWEEP_SPELL_MS)
			break;
	}
	if (log_memory_over(r->env->memory))
		trim_next(r, now_ms);
}

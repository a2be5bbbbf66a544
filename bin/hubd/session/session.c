/* Invariant: a shard that was made stays until the session is freed, so that its mail and its place
 * in a turn's list can live in it. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "session/session_impl.h"

#define TABLE_MIN 4u

static void on_timing(struct worker *w, struct mail *mail)
{
	struct session *s =
	    (struct session *)(void *)((char *)mail - offsetof(struct session, timing));

	s->env->events->timed(w, s);
	session_unref(s);
}

struct session *session_new(const struct session_env *env, struct span id)
{
	struct session *s = calloc(1, sizeof(*s) + env->workers->n * sizeof(s->shard[0]));

	if (!s)
		return NULL;
	s->table = calloc(TABLE_MIN, sizeof(struct member *));
	if (!s->table) {
		free(s);
		return NULL;
	}
	s->table_size = TABLE_MIN;
	atomic_init(&s->refs, 1);
	s->env = env;
	s->loaded = !env->archive;
	pthread_mutex_init(&s->lock, NULL);
	atomic_init(&s->due_ms, TIES_NEVER);
	s->timing.run = on_timing;
	log_init(&s->log, env->memory);
	state_init(&s->state, env->memory);
	randombytes_buf(&s->epoch, sizeof(s->epoch));
	memcpy(s->id, id.p, id.len);
	s->id_len = (uint8_t)id.len;
	return s;
}

struct session *session_ref(struct session *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

/* Nobody will tell them. */
static void free_waits(struct waits *w)
{
	for (; w->n; w->n--)
		free(w->at[w->first++ & (w->cap - 1)]);
	free(w->at);
}

void session_unref(struct session *s)
{
	unsigned i;

	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	free_waits(&s->waits);
	aways_free(s);
	retained_drop(&s->retained, s->env->memory, UINT64_MAX);
	session_count_dedup(s->env, dedup_bytes(&s->dedup), 0);
	dedup_free(&s->dedup);
	state_free(&s->state);
	log_free(&s->log);
	pthread_mutex_destroy(&s->lock);
	for (i = 0; i < s->env->workers->n; i++)
		free(session_shard(s, i));
	free(s->limits);
	free(s->crashes);
	free(s->contests);
	free(s->table);
	free(s);
}

/* The two mails of a shard: they carry a reference on the session, which goes to the event. */

static struct shard *shard_of(struct mail *mail, size_t offset)
{
	return (struct shard *)(void *)((char *)mail - offset);
}

static void on_wake(struct worker *w, struct mail *mail)
{
	struct shard *shard = shard_of(mail, offsetof(struct shard, wake));
	struct session *s = shard->session;

	if (!shard->since_ns || shard->wake_ns < shard->since_ns)
		shard->since_ns = shard->wake_ns;
	/* Free for the next one from here on. */
	atomic_store(&shard->woken, false);
	s->env->events->wake(w, s);
	session_unref(s);
}

static void on_status(struct worker *w, struct mail *mail)
{
	struct session *s = shard_of(mail, offsetof(struct shard, status))->session;

	s->env->events->status(w, s);
}

struct shard *session_shard_make(struct session *s, unsigned index)
{
	struct shard *shard = session_shard(s, index);

	if (shard)
		return shard;
	shard = calloc(1, sizeof(*shard));
	if (!shard)
		return NULL;
	shard->session = s;
	shard->wake.run = on_wake;
	shard->status.run = on_status;
	atomic_init(&shard->low, UINT64_MAX);
	atomic_store_explicit(&s->shard[index], shard, memory_order_release);
	return shard;
}

struct log_place session_place(const struct session *s, uint64_t seq)
{
	return (struct log_place){
	    .epoch = s->epoch, .seq = seq, .run = s->env->run, .has_run = s->env->archive != NULL};
}

void session_view(struct session *s, uint64_t from, struct log_view *view)
{
	pthread_mutex_lock(&s->lock);
	log_view(&s->log, from, view);
	pthread_mutex_unlock(&s->lock);
}

/* Wakes every worker that has members of s, but for `self`, and the archive. */
static void wake_others(struct session *s, unsigned self, uint64_t since_ns)
{
	unsigned i;

	for (i = 0; i < s->env->workers->n; i++) {
		struct shard *shard = i == self ? NULL : session_shard(s, i);

		if (!shard || !atomic_load_explicit(&shard->n, memory_order_relaxed) ||
		    atomic_exchange(&shard->woken, true))
			continue;
		shard->wake_ns = since_ns;
		session_ref(s);
		worker_post(s->env->workers->at[i], &shard->wake);
	}
	if (s->env->archive)
		s->env->archive->wake(s->env->archive, s);
}

void session_wake(struct session *s, uint64_t since_ns)
{
	wake_others(s, WORKERS_MAX, since_ns);
}

void session_changed(struct session *s, struct worker *w)
{
	struct shard *shard = session_shard(s, w->index);

	if (!shard) {
		pthread_mutex_lock(&s->lock);
		shard = session_shard_make(s, w->index);
		pthread_mutex_unlock(&s->lock);
	}
	if (!shard)
		wake_others(s, WORKERS_MAX, worker_turn_ns(w));
	else if (worker_later(w, TURN_SESSIONS, &shard->dirty)) {
		session_ref(s);
		if (!shard->since_ns)
			shard->since_ns = worker_turn_ns(w);
	}
}

uint64_t session_since(struct shard *shard)
{
	uint64_t since_ns = shard->since_ns;

	shard->since_ns = 0;
	return since_ns;
}

struct session *session_turn(struct worker *w, struct turn_entry *e)
{
	struct shard *shard = (struct shard *)(void *)((char *)e - offsetof(struct shard, dirty));

	wake_others(shard->session, w->index, shard->since_ns);
	return shard->session;
}

/* What an archive has of a session. Invariant: `stored` never goes back, and who waits for a record
 * up to it has been told. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "session/session.h"

void session_image_init(struct session_image *image, const struct session_env *env)
{
	*image = (struct session_image){0};
	state_init(&image->state, env->memory);
}

void session_image_free(struct session_image *image, const struct session_env *env)
{
	session_count_dedup(env, dedup_bytes(&image->dedup), 0);
	dedup_free(&image->dedup);
	state_free(&image->state);
	free(image->crashes);
	image->crashes = NULL;
}

int session_image_ack(struct session_image *image, const struct session_env *env, uint64_t hash,
		      uint64_t seq)
{
	size_t before = dedup_bytes(&image->dedup);
	int r = dedup_reserve(&image->dedup);

	session_count_dedup(env, before, dedup_bytes(&image->dedup));
	if (r == 0)
		dedup_add(&image->dedup, hash, seq);
	return r;
}

bool session_wants_image(struct session *s)
{
	bool loaded;

	pthread_mutex_lock(&s->lock);
	loaded = s->loaded;
	pthread_mutex_unlock(&s->lock);
	return !loaded;
}

void session_load(struct session *s, struct session_image *image)
{
	pthread_mutex_lock(&s->lock);
	if (!s->loaded && image->found) {
		s->epoch = image->epoch;
		s->stored = image->head;
		log_resume(&s->log, image->head);
		/* Both are empty: nobody can have published before. */
		s->state = image->state;
		s->dedup = image->dedup;
		s->crashes = image->crashes;
		*image = (struct session_image){0};
		state_init(&image->state, s->env->memory);
	}
	s->loaded = true;
	pthread_mutex_unlock(&s->lock);
}

void session_stored(struct session *s, uint64_t seq)
{
	struct mail *first[WORKERS_MAX] = {0}, *last[WORKERS_MAX];
	struct stored_wait *wait;
	unsigned i;

	pthread_mutex_lock(&s->lock);
	s->stored = seq;
	session_trim(s, clock_mono_ms()); /* it had to wait for this */
	while ((wait = s->wait_first) != NULL && wait->seq <= seq) {
		i = wait->worker->index;
		s->wait_first = wait->next;
		if (!s->wait_first)
			s->wait_last = NULL;
		wait->session = session_ref(s);
		if (first[i])
			last[i]->next = &wait->done;
		else
			first[i] = &wait->done;
		last[i] = &wait->done;
	}
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < s->env->workers->n; i++)
		if (first[i])
			worker_post_chain(s->env->workers->at[i], first[i], last[i]);
}

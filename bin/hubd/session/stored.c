/* What an archive has of a session. Invariant: neither `stored` nor `durable`, which is never less,
 * goes back, and who waits for a record up to `durable` has been told. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "json/keys.h"
#include "session/session_impl.h"

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

static uint32_t cell_of(const void *arg, struct span type, const char *text, size_t len)
{
	return keys_cell(arg, type, text, len);
}

void session_image_place(struct session_image *image, const struct session_env *env)
{
	if (env->keys && keys_have_areas(env->keys))
		state_place_all(&image->state, cell_of, env->keys);
}

int session_image_ack(struct session_image *image, const struct session_env *env, uint64_t sender,
		      uint64_t hash, uint64_t seq)
{
	size_t before = dedup_bytes(&image->dedup);
	int r = dedup_reserve(&image->dedup);

	session_count_dedup(env, before, dedup_bytes(&image->dedup));
	if (r == 0)
		dedup_add(&image->dedup, sender, hash, seq);
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

/* Nobody is here yet with whom state could stay, but for members on other hubs. Returns whether
 * there is something to keep. */
static bool end_state(struct session *s)
{
	uint64_t now_ms = clock_mono_ms();
	bool elsewhere = s->env->archive->offer != NULL;
	size_t n = elsewhere ? 0 : session_end_owned(s, 0, now_ms);

	n += session_end_due(s, now_ms);

	session_due(s, state_next_ms(&s->state));
	return n > 0;
}

void session_load(struct session *s, struct session_image *image)
{
	bool more = false;

	pthread_mutex_lock(&s->lock);
	if (!s->loaded && image->found) {
		s->epoch = image->epoch;
		s->stored = s->durable = image->head;
		log_resume(&s->log, image->head);
		/* Both are empty: nobody can have published before. */
		s->state = image->state;
		s->dedup = image->dedup;
		s->crashes = image->crashes;
		*image = (struct session_image){0};
		state_init(&image->state, s->env->memory);
		more = !s->deleted && s->state.ties && end_state(s);
	}
	s->loaded = true;
	pthread_mutex_unlock(&s->lock);
	if (more)
		s->env->archive->wake(s->env->archive, s);
}

void session_set_full(struct session *s, bool full)
{
	pthread_mutex_lock(&s->lock);
	s->full = full;
	pthread_mutex_unlock(&s->lock);
}

/* --- who waits */

static struct stored_wait **wait_at(struct waits *w, uint32_t i)
{
	return &w->at[(w->first + i) & (w->cap - 1)];
}

int session_wait_reserve(struct session *s)
{
	struct waits *w = &s->waits;
	struct waits more = {.cap = w->cap ? 2 * w->cap : 16, .n = w->n};
	uint32_t i;

	if (w->n < w->cap)
		return 0;
	more.at = malloc(more.cap * sizeof(*more.at));
	if (!more.at)
		return -ENOMEM;
	for (i = 0; i < w->n; i++)
		more.at[i] = *wait_at(w, i);
	free(w->at);
	*w = more;
	return 0;
}

/* The place of seq: the first one that is not before it. Nearly always that is the end. */
static uint32_t waits_find(struct waits *w, uint64_t seq)
{
	uint32_t low = 0, high = w->n;

	if (w->n && (*wait_at(w, w->n - 1))->seq < seq)
		return w->n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((*wait_at(w, mid))->seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool session_wait(struct session *s, struct stored_wait *wait, uint64_t seq)
{
	struct waits *w = &s->waits;
	uint32_t place = waits_find(w, seq), i;

	wait->seq = seq;
	for (; place < w->n && (*wait_at(w, place))->seq == seq; place++) {
		struct stored_wait **there = wait_at(w, place);

		if (!wait->version || !(*there)->version)
			continue;
		/* Of two connections of a client the older one is on its way out. */
		if ((int32_t)(wait->version - (*there)->version) <= 0)
			return false;
		free(*there);
		*there = wait;
		return true;
	}
	for (i = w->n++; i > place; i--)
		*wait_at(w, i) = *wait_at(w, i - 1);
	*wait_at(w, place) = wait;
	return true;
}

int session_await(struct session *s, struct stored_wait *wait, uint64_t seq)
{
	int r = 0;

	wait->version = 0;
	pthread_mutex_lock(&s->lock);
	if (s->env->archive && seq > s->durable) {
		r = session_wait_reserve(s);
		if (r == 0)
			r = session_wait(s, wait, seq);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* Takes out the first where it is for a seq up to that one, or returns NULL. */
static struct stored_wait *waits_take(struct waits *w, uint64_t seq)
{
	struct stored_wait *wait = w->n ? *wait_at(w, 0) : NULL;

	if (!wait || wait->seq > seq)
		return NULL;
	w->first++;
	if (--w->n == 0) {
		free(w->at);
		*w = (struct waits){0};
	}
	return wait;
}

/* Bytes of the records after seq. */
static size_t bytes_after(const struct log *log, uint64_t seq)
{
	uint64_t first = seq < log->tail ? log->tail : seq + 1;
	const struct chunk *c;
	size_t bytes;

	if (first > log->head)
		return 0;
	c = chunk_find(log->oldest, first);
	bytes = c->len - chunk_slot(c, first - c->first)->offset;
	while ((c = atomic_load_explicit(&c->next, memory_order_relaxed)) != NULL)
		bytes += c->len;
	return bytes;
}

/* Under the lock: everybody who waits for a record up to seq is on the way to be told, by worker in
 * first and last. */
static void end_waits(struct session *s, uint64_t seq, struct mail *first[], struct mail *last[])
{
	struct stored_wait *wait;

	s->durable = seq > s->durable ? seq : s->durable;
	while ((wait = waits_take(&s->waits, s->durable)) != NULL) {
		unsigned i = wait->worker->index;

		wait->session = session_ref(s);
		if (first[i])
			last[i]->next = &wait->done;
		else
			first[i] = &wait->done;
		last[i] = &wait->done;
	}
}

static void tell_waits(const struct session *s, struct mail *first[], struct mail *last[])
{
	for (unsigned i = 0; i < s->env->workers->n; i++)
		if (first[i])
			worker_post_chain(s->env->workers->at[i], first[i], last[i]);
}

void session_durable(struct session *s, uint64_t seq)
{
	struct mail *first[WORKERS_MAX] = {0}, *last[WORKERS_MAX];

	pthread_mutex_lock(&s->lock);
	end_waits(s, seq, first, last);
	pthread_mutex_unlock(&s->lock);
	tell_waits(s, first, last);
}

void session_stored(struct session *s, uint64_t seq)
{
	struct mail *first[WORKERS_MAX] = {0}, *last[WORKERS_MAX];

	pthread_mutex_lock(&s->lock);
	if (s->deleted && seq < s->stored)
		seq = s->stored; /* the archive was at it when that happened */
	s->stored = seq;
	if (!s->env->archive || !s->env->archive->offer)
		s->unstored = bytes_after(&s->log, seq);
	session_trim(s, clock_mono_ms()); /* it had to wait for this */
	end_waits(s, seq, first, last);
	pthread_mutex_unlock(&s->lock);
	tell_waits(s, first, last);
}

void session_delete(struct session *s)
{
	uint64_t head;

	pthread_mutex_lock(&s->lock);
	s->deleted = s->steered = true;
	head = s->log.head;
	pthread_mutex_unlock(&s->lock);
	session_stored(s, head);
}

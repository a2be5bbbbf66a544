/* Invariant: a session is in the table and in the list of all, and in the list of idle ones exactly
 * when it has no users. No session is freed, and none but one is locked, under the registry's lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/registry_impl.h"

static struct session **registry_link(struct registry *r, struct span id)
{
	struct session **link = &r->table[session_hash(r->env, id) & (r->table_size - 1)];

	while (*link && ((*link)->id_len != id.len || memcmp((*link)->id, id.p, id.len) != 0))
		link = &(*link)->hash_next;
	return link;
}

int registry_init(struct registry *r, const struct session_env *env, size_t max, uint64_t ttl_ms)
{
	*r = (struct registry){.env = env, .max = max, .ttl_ms = ttl_ms, .table_size = 1024};
	registry_list_init(r);
	r->table = calloc(r->table_size, sizeof(struct session *));
	if (!r->table)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	return 0;
}

void registry_free(struct registry *r)
{
	size_t i;

	for (i = 0; i < r->table_size; i++) {
		while (r->table[i]) {
			struct session *s = r->table[i];

			r->table[i] = s->hash_next;
			session_unref(s);
		}
	}
	free(r->table);
	pthread_mutex_destroy(&r->lock);
}

static void registry_grow(struct registry *r)
{
	struct session **old = r->table,
		       **table = calloc(2 * r->table_size, sizeof(struct session *));
	size_t old_size = r->table_size, i;

	if (!table)
		return;
	r->table = table;
	r->table_size *= 2;
	for (i = 0; i < old_size; i++) {
		while (old[i]) {
			struct session *s = old[i], **link;

			old[i] = s->hash_next;
			s->hash_next = NULL;
			link = registry_link(r, session_name(s));
			*link = s;
		}
	}
	free(old);
}

void registry_idle_unlink(struct registry *r, struct session *s)
{
	*(s->idle_prev ? &s->idle_prev->idle_next : &r->idle_first) = s->idle_next;
	*(s->idle_next ? &s->idle_next->idle_prev : &r->idle_last) = s->idle_prev;
	s->idle_prev = s->idle_next = NULL;
	s->idle = false;
}

static void idle_append(struct registry *r, struct session *s, uint64_t now_ms)
{
	s->idle = true;
	s->idle_since_ms = now_ms;
	s->idle_prev = r->idle_last;
	*(r->idle_last ? &r->idle_last->idle_next : &r->idle_first) = s;
	r->idle_last = s;
}

void registry_timed_unlink(struct registry *r, struct session *s)
{
	if (!s->listed)
		return;
	*(s->timed_prev ? &s->timed_prev->timed_next : &r->timed) = s->timed_next;
	if (s->timed_next)
		s->timed_next->timed_prev = s->timed_prev;
	s->listed = false;
}

static void unlink_session(struct registry *r, struct session *s)
{
	struct session **link = registry_link(r, session_name(s));

	registry_list_remove(r, s);
	registry_timed_unlink(r, s);
	s->removed = true;
	*link = s->hash_next;
	r->n--;
}

/* Takes an idle session out: the reference is the caller's to give up without the lock. False where
 * that must wait for the archive. */
static bool registry_take(struct registry *r, struct session *s)
{
	bool unstored;

	pthread_mutex_lock(&s->lock);
	unstored = r->env->archive && (s->stored < s->log.head || s->unstored);
	pthread_mutex_unlock(&s->lock);
	if (unstored)
		return false;
	registry_idle_unlink(r, s);
	unlink_session(r, s);
	return true;
}

/* Whether the archive may still have another one of that name. */
static bool is_being_removed(const struct registry *r, const struct session *s)
{
	const struct registry_removal *rm = r->removals;

	while (rm &&
	       (rm->session->id_len != s->id_len || memcmp(rm->session->id, s->id, s->id_len) != 0))
		rm = rm->next;
	return rm != NULL;
}

/* A new session in its place, or NULL with *code set. */
static struct session *registry_add(struct registry *r, struct span id, enum hub_code *code)
{
	struct session *s;

	if (r->n >= r->max) {
		*code = HUB_HUB_FULL;
		return NULL;
	}
	s = session_new(r->env, id);
	if (!s) {
		*code = HUB_INTERNAL;
		return NULL;
	}
	/* What is asked of a bus is done in order. */
	s->loaded |= is_being_removed(r, s) && !(r->env->archive && r->env->archive->offer);
	*registry_link(r, id) = s;
	registry_list_append(r, s);
	if (++r->n > r->table_size)
		registry_grow(r);
	return s;
}

struct session *registry_take_idle(struct registry *r, uint64_t now_ms, uint64_t ttl_ms)
{
	struct session *s = r->idle_first;
	unsigned i;

	/* Signed: the clock of the worker that wrote it may be ahead of ours. */
	for (i = 0;
	     s && i < REGISTRY_STEP && (int64_t)(now_ms - s->idle_since_ms) >= (int64_t)ttl_ms;
	     i++) {
		struct session *next = s->idle_next;

		if (registry_take(r, s))
			return s;
		s = next;
	}
	return NULL;
}

bool registry_has(struct registry *r, struct span id)
{
	bool has;

	pthread_mutex_lock(&r->lock);
	has = *registry_link(r, id) != NULL;
	pthread_mutex_unlock(&r->lock);
	return has;
}

void registry_elsewhere(struct registry *r, struct span id)
{
	pthread_mutex_lock(&r->lock);
	if (!*registry_link(r, id))
		registry_list_news(r, id);
	pthread_mutex_unlock(&r->lock);
}

struct session *registry_find(struct registry *r, struct span id)
{
	struct session *s;

	pthread_mutex_lock(&r->lock);
	s = *registry_link(r, id);
	if (s && s->idle)
		registry_idle_unlink(r, s);
	if (s)
		s->users++;
	pthread_mutex_unlock(&r->lock);
	return s;
}

struct session *registry_use(struct registry *r, struct span id, enum hub_code *code)
{
	struct session *s, *dropped = NULL;

	pthread_mutex_lock(&r->lock);
	s = *registry_link(r, id);
	if (s && s->idle)
		registry_idle_unlink(r, s);
	if (!s && r->n >= r->max)
		dropped = registry_take_idle(r, UINT64_MAX / 2, 0);
	if (!s)
		s = registry_add(r, id, code);
	if (s)
		s->users++;
	pthread_mutex_unlock(&r->lock);
	session_unref(dropped);
	return s;
}

void registry_release(struct registry *r, struct session *s, uint64_t now_ms)
{
	struct session *last = NULL;

	pthread_mutex_lock(&r->lock);
	if (--s->users == 0 && s->removed)
		last = s;
	else if (s->users == 0)
		idle_append(r, s, now_ms);
	pthread_mutex_unlock(&r->lock);
	session_unref(last);
}

int registry_limit(struct registry *r, struct session *s, const struct session_limits *limits)
{
	int status;

	pthread_mutex_lock(&r->lock);
	status = s->removed ? -ENOENT : session_set_limits(s, limits);
	if (status == 0) {
		s->users -= s->limited;
		s->limited = session_is_limited(limits);
		s->users += s->limited;
	}
	pthread_mutex_unlock(&r->lock);
	return status;
}

/* --- deleting */

/* Takes one out that is there. Returns the registry's reference where nobody uses it; else the last
 * user gives that up. */
static struct session *take_out(struct registry *r, struct session *s)
{
	if (s->idle)
		registry_idle_unlink(r, s);
	unlink_session(r, s);
	s->users -= s->limited;
	s->limited = false;
	session_delete(s);
	return s->users ? NULL : s;
}

int registry_remove(struct registry *r, struct span id, struct registry_removal *removal,
		    struct archive_job *job, bool *there)
{
	struct session *s, *unused = NULL, *other = session_new(r->env, id);
	struct archive *a = r->env->archive;

	if (!other)
		return -ENOMEM;
	pthread_mutex_lock(&r->lock);
	s = *registry_link(r, id);
	*there = s != NULL;
	removal->session = s ? session_ref(s) : session_ref(other);
	if (s)
		unused = take_out(r, s);
	if (a) {
		removal->next = r->removals;
		removal->link = &r->removals;
		if (removal->next)
			removal->next->link = &removal->next;
		r->removals = removal;
		job->session = removal->session;
		job->what = ARCHIVE_DELETE;
		/* Nobody can make the next one before it is asked. */
		a->ask(a, job);
	}
	pthread_mutex_unlock(&r->lock);
	session_unref(unused);
	session_unref(other);
	return 0;
}

void registry_part(struct registry *r, struct session *s, bool deleted)
{
	struct session *unused = NULL;
	bool here;

	pthread_mutex_lock(&r->lock);
	here = !s->removed;
	if (here)
		unused = take_out(r, s);
	pthread_mutex_unlock(&r->lock);
	if (here)
		session_part(s, deleted);
	session_unref(unused);
}

void registry_removed(struct registry *r, struct registry_removal *removal)
{
	pthread_mutex_lock(&r->lock);
	if (removal->link) {
		*removal->link = removal->next;
		if (removal->next)
			removal->next->link = removal->link;
		removal->link = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	session_unref(removal->session);
	removal->session = NULL;
}

size_t registry_count(struct registry *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

#include "registry.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "session.h"
#include "worker.h"

static struct session **registry_link(struct registry *r, struct span id)
{
	uint64_t hash;
	struct session **link;

	/* Keyed, for names come from outside. */
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)id.p, id.len, r->key);
	link = &r->table[hash & (r->table_size - 1)];
	while (*link && ((*link)->id_len != id.len || memcmp((*link)->id, id.p, id.len) != 0))
		link = &(*link)->hash_next;
	return link;
}

int registry_init(struct registry *r)
{
	*r = (struct registry){.table_size = 1024};
	r->table = calloc(r->table_size, sizeof(struct session *));
	if (!r->table)
		return -ENOMEM;
	crypto_shorthash_keygen(r->key);
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
			link = registry_link(r, (struct span){s->id, s->id_len});
			*link = s;
		}
	}
	free(old);
}

static void idle_unlink(struct registry *r, struct session *s)
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

/* --- all of them, and who is told of them */

static void all_append(struct registry *r, struct session *s)
{
	struct registry_watch *w;

	s->all_prev = r->last;
	*(r->last ? &r->last->all_next : &r->first) = s;
	r->last = s;
	for (w = r->watches; w; w = w->next) {
		if (w->at)
			continue;
		w->at = s;
		worker_sessions(w->worker);
	}
}

static void all_unlink(struct registry *r, struct session *s)
{
	struct registry_watch *w;

	for (w = r->watches; w; w = w->next)
		if (w->at == s)
			w->at = s->all_next;
	*(s->all_prev ? &s->all_prev->all_next : &r->first) = s->all_next;
	*(s->all_next ? &s->all_next->all_prev : &r->last) = s->all_prev;
}

bool registry_watch(struct registry *r, struct registry_watch *w, struct worker *worker)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = w->link || r->nwatches < REGISTRY_WATCHES_MAX;
	if (room && !w->link) {
		r->nwatches++;
		w->worker = worker;
		w->next = r->watches;
		w->link = &r->watches;
		if (w->next)
			w->next->link = &w->next;
		r->watches = w;
	}
	w->at = r->first;
	pthread_mutex_unlock(&r->lock);
	return room;
}

void registry_unwatch(struct registry *r, struct registry_watch *w)
{
	pthread_mutex_lock(&r->lock);
	if (w->link) {
		r->nwatches--;
		*w->link = w->next;
		if (w->next)
			w->next->link = w->link;
		w->link = NULL;
	}
	pthread_mutex_unlock(&r->lock);
}

int registry_list(struct registry *r, struct registry_watch *w, struct buf *out, size_t max,
		  bool *more)
{
	size_t start = out->len;
	int status = 0;

	pthread_mutex_lock(&r->lock);
	while (w->at && out->len - start < max && status == 0) {
		status = buf_printf(out, "%s\"%s\"", out->len > start ? "," : "", w->at->id);
		w->at = w->at->all_next;
	}
	*more = w->at != NULL;
	pthread_mutex_unlock(&r->lock);
	return status;
}

bool registry_behind(struct registry *r, const struct registry_watch *w)
{
	bool behind;

	pthread_mutex_lock(&r->lock);
	behind = w->at != NULL;
	pthread_mutex_unlock(&r->lock);
	return behind;
}

/* Forgets an idle session; false where that must wait for the store. */
static bool registry_drop(struct registry *r, struct session *s)
{
	bool unstored;

	pthread_mutex_lock(&s->lock);
	unstored = s->hub->store && s->stored < s->log.head;
	pthread_mutex_unlock(&s->lock);
	if (unstored)
		return false;
	struct session **link = registry_link(r, (struct span){s->id, s->id_len});

	idle_unlink(r, s);
	all_unlink(r, s);
	*link = s->hash_next;
	r->n--;
	session_unref(s);
	return true;
}

struct session *registry_use(struct hub *hub, struct span id, enum hub_code *code)
{
	struct registry *r = &hub->registry;
	struct session **link, *s;

	pthread_mutex_lock(&r->lock);
	link = registry_link(r, id);
	s = *link;
	if (!s && r->n >= (size_t)hub->opt.max_sessions && r->idle_first) {
		registry_drop(r, r->idle_first);
		link = registry_link(r, id);
	}
	if (s) {
		if (s->idle)
			idle_unlink(r, s);
	} else if (r->n >= (size_t)hub->opt.max_sessions) {
		*code = HUB_HUB_FULL;
	} else if (!(s = session_new(hub, id))) {
		*code = HUB_INTERNAL;
	} else {
		*link = s;
		all_append(r, s);
		if (++r->n > r->table_size)
			registry_grow(r);
	}
	if (s)
		s->users++;
	pthread_mutex_unlock(&r->lock);
	return s;
}

void registry_release(struct session *s, uint64_t now_ms)
{
	struct registry *r = &s->hub->registry;

	pthread_mutex_lock(&r->lock);
	if (--s->users == 0)
		idle_append(r, s, now_ms);
	pthread_mutex_unlock(&r->lock);
}

void registry_sweep(struct hub *hub, uint64_t now_ms)
{
	struct registry *r = &hub->registry;
	int64_t ttl_ms = (int64_t)(hub->opt.session_ttl * 1000);
	struct session *s;
	size_t i;

	pthread_mutex_lock(&r->lock);
	while ((s = r->idle_first) != NULL) {
		/* Signed: the clock of the worker that wrote it may be ahead of ours. */
		if ((int64_t)(now_ms - s->idle_since_ms) < ttl_ms && !log_memory_over(&hub->memory))
			break;
		if (!registry_drop(r, s))
			break;
	}
	for (i = 0; i < r->table_size && log_memory_over(&hub->memory); i++) {
		for (s = r->table[i]; s; s = s->hash_next) {
			pthread_mutex_lock(&s->lock);
			session_trim(s, now_ms);
			pthread_mutex_unlock(&s->lock);
		}
	}
	pthread_mutex_unlock(&r->lock);
}

size_t registry_count(struct registry *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* The sessions of a link. Invariant: those that are not lost are in the table, one of a name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus_impl.h"

#define TABLE_MIN 64

static struct far **bucket_of(struct link *l, struct span name)
{
	return &l->table[session_hash(l->bus->env, name) & (l->size - 1)];
}

struct far *far_find(struct link *l, struct span name)
{
	struct far *f = l->size ? *bucket_of(l, name) : NULL;

	while (f &&
	       (f->session->id_len != name.len || memcmp(f->session->id, name.p, name.len) != 0))
		f = f->hash_next;
	return f;
}

static bool grow(struct link *l)
{
	size_t size = l->size ? 2 * l->size : TABLE_MIN;
	struct far **table = calloc(size, sizeof(struct far *)), **old = l->table, *f;
	size_t before = l->size;

	if (!table)
		return l->size > 0;
	l->table = table;
	l->size = size;
	for (size_t i = 0; i < before; i++) {
		while ((f = old[i]) != NULL) {
			struct far **bucket = bucket_of(l, session_name(f->session));

			old[i] = f->hash_next;
			f->hash_next = *bucket;
			*bucket = f;
		}
	}
	free(old);
	return true;
}

static void table_remove(struct link *l, struct far *f)
{
	struct far **at = bucket_of(l, session_name(f->session));

	while (*at && *at != f)
		at = &(*at)->hash_next;
	if (*at) {
		*at = f->hash_next;
		l->n--;
	}
}

struct far *far_new(struct link *l, struct session *s)
{
	struct far *f = l->n < l->size || grow(l) ? calloc(1, sizeof(*f)) : NULL, **bucket, *other;

	if (!f)
		return NULL;
	/* One of its name that was deleted. */
	other = far_find(l, session_name(s));
	if (other)
		far_lose(l, other, true);
	f->session = session_ref(s);
	strcpy(f->last, "-");
	bucket = bucket_of(l, session_name(s));
	f->hash_next = *bucket;
	*bucket = f;
	l->n++;
	f->next = l->all;
	if (f->next)
		f->next->prev = f;
	l->all = f;
	s->far = f;
	return f;
}

static void subscription(struct link *l, const struct far *f, const char *word)
{
	char channel[BUS_NAME];
	int n = snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", f->session->id);
	const struct span words[] = {{word, strlen(word)}, {channel, (size_t)n}};

	if (l->sub.step == REDIS_OPEN)
		redis_put(&l->sub.out, words, 2);
}

void far_subscribe(struct link *l, struct far *f)
{
	if (f->step != FAR_LOST)
		subscription(l, f, "SUBSCRIBE");
}

void far_unsubscribed_all(struct link *l)
{
	for (struct far *f = l->all; f; f = f->next)
		f->subscribed = false;
}

void far_lose(struct link *l, struct far *f, bool deleted)
{
	if (f->step == FAR_LOST)
		return;
	table_remove(l, f);
	subscription(l, f, "UNSUBSCRIBE");
	f->step = FAR_LOST;
	registry_part(l->bus->registry, f->session, deleted);
	publish_give_up(l, f, deleted ? "the session was deleted" : "the session begins anew");
	jobs_end(&f->asks, -EAGAIN, 0);
	jobs_end(&f->asked, -EAGAIN, 0);
	f->flying = false;
}

bool far_is_unused(const struct far *f)
{
	return !f->calls && !f->due && !f->wait_next && !f->first && !f->asks && !f->asked &&
	       (f->step == FAR_LOST ||
		(!f->flying && atomic_load_explicit(&f->session->refs, memory_order_acquire) == 1));
}

void far_free(struct link *l, struct far *f)
{
	if (f->step != FAR_LOST) {
		table_remove(l, f);
		subscription(l, f, "UNSUBSCRIBE");
	}
	if (l->check_at == f)
		l->check_at = f->next;
	*(f->prev ? &f->prev->next : &l->all) = f->next;
	if (f->next)
		f->next->prev = f->prev;
	f->session->far = NULL;
	session_unref(f->session);
	free(f);
}

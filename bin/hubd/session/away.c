/* Members at other hubs, and what these are told. Invariant: `both` counts those that are here as
 * well, which are about to leave here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "session/session_impl.h"

#define TABLE_MIN 16

/* --- the tables */

static void link_in(struct aways *all, struct away *a)
{
	struct away **bucket = &all->table[a->client & (all->size - 1)];

	a->next = *bucket;
	*bucket = a;
	if (!a->user_len)
		return;
	bucket = &all->users[a->user_hash & (all->size - 1)];
	a->user_next = *bucket;
	*bucket = a;
}

static int grow(struct aways *all)
{
	struct aways more = *all;

	more.size = all->size ? 2 * all->size : TABLE_MIN;

	more.table = calloc(more.size, sizeof(struct away *));
	more.users = calloc(more.size, sizeof(struct away *));
	if (!more.table || !more.users) {
		free(more.table);
		free(more.users);
		return all->size ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; i < all->size; i++) {
		for (struct away *a = all->table[i], *next; a; a = next) {
			next = a->next;
			link_in(&more, a);
		}
	}
	free(all->table);
	free(all->users);
	*all = more;
	return 0;
}

struct away *away_find(const struct session *s, uint64_t client)
{
	const struct aways *all = &s->aways;
	struct away *a = all->n ? all->table[client & (all->size - 1)] : NULL;

	while (a && a->client != client)
		a = a->next;
	return a;
}

static void away_free(struct away *a)
{
	blob_unref(a->info);
	free(a);
}

bool away_remove(struct session *s, uint64_t client, bool here)
{
	struct aways *all = &s->aways;
	struct away **at, *a = away_find(s, client);

	if (!a)
		return false;
	for (at = &all->table[client & (all->size - 1)]; *at != a;)
		at = &(*at)->next;
	*at = a->next;
	if (a->user_len) {
		for (at = &all->users[a->user_hash & (all->size - 1)]; *at != a;)
			at = &(*at)->user_next;
		*at = a->user_next;
	}
	away_free(a);
	all->both -= here;
	if (--all->n == 0) {
		free(all->table);
		free(all->users);
		*all = (struct aways){0};
	}
	return true;
}

void aways_free(struct session *s)
{
	while (s->aways.n)
		for (uint32_t i = 0; i < s->aways.size; i++)
			while (s->aways.n && s->aways.table[i])
				away_remove(s, s->aways.table[i]->client, false);
}

/* --- what other hubs say */

bool away_add(struct session *s, uint64_t node, uint64_t client, struct span info, struct span user,
	      bool here)
{
	struct aways *all = &s->aways;
	struct away *a =
	    all->n < all->size || grow(all) == 0 ? malloc(sizeof(*a) + user.len) : NULL;

	if (!a)
		return false;
	*a = (struct away){.client = client,
			   .node = node,
			   .round = all->round,
			   .user_hash = (uint32_t)session_hash(s->env, user),
			   .user_len = (uint16_t)user.len};
	memcpy(a->user, user.p, user.len);
	if (info.len) {
		a->info = blob_new(info.p, info.len);
		if (!a->info) {
			free(a);
			return false;
		}
	}
	link_in(all, a);
	all->n++;
	all->both += here;
	return true;
}

void session_heard(struct session *s, uint32_t version)
{
	pthread_mutex_lock(&s->lock);
	if ((int32_t)(version - s->heard) > 0)
		s->heard = version;
	pthread_mutex_unlock(&s->lock);
}

void session_unheard(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->heard = s->version - INT32_MAX;
	pthread_mutex_unlock(&s->lock);
}

bool session_has_told(const struct member *m)
{
	return (int32_t)(m->version - m->session->heard) <= 0;
}

size_t session_each_away(struct session *s, uint64_t node,
			 void (*each)(const struct away *a, void *arg), void *arg)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->aways.size; i++) {
		for (const struct away *a = s->aways.table[i]; a; a = a->next) {
			if (node && a->node != node)
				continue;
			each(a, arg);
			n++;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

bool session_is_away(struct session *s, uint64_t client, struct span user)
{
	const struct away *a;
	uint32_t hash = (uint32_t)session_hash(s->env, user);

	pthread_mutex_lock(&s->lock);
	if (!user.len) {
		a = away_find(s, client);
	} else {
		a = s->aways.n ? s->aways.users[hash & (s->aways.size - 1)] : NULL;
		while (a && !(a->user_hash == hash && a->user_len == user.len &&
			      memcmp(a->user, user.p, user.len) == 0))
			a = a->user_next;
	}
	pthread_mutex_unlock(&s->lock);
	return a != NULL;
}

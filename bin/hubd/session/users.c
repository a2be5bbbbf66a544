/* Members by their user. Only members that have one are here, so that the others cost nothing.
 * Invariant: a user is in the table while he has members that are in the session, and each of these
 * knows him. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/session_impl.h"

#define TABLE_MIN 8

static void link_into(struct member_user **table, uint32_t size, struct member_user *u)
{
	struct member_user **bucket = &table[u->hash & (size - 1)];

	u->next = *bucket;
	*bucket = u;
}

/* Doubles the table; where memory is out the chains just grow longer. Returns 0, or -ENOMEM where
 * there is none at all. */
static int grow(struct users *all)
{
	uint32_t size = all->size ? 2 * all->size : TABLE_MIN;
	struct member_user **table = calloc(size, sizeof(struct member_user *));

	if (!table)
		return all->size ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < all->size; i++) {
		while (all->table[i]) {
			struct member_user *u = all->table[i];

			all->table[i] = u->next;
			link_into(table, size, u);
		}
	}
	free(all->table);
	all->table = table;
	all->size = size;
	return 0;
}

/* The link that leads to the user, or to where he would be. There is a table. */
static struct member_user **find_link(struct users *all, uint32_t hash, struct span user)
{
	struct member_user **link = &all->table[hash & (all->size - 1)], *u;

	while ((u = *link) != NULL &&
	       !(u->hash == hash && u->len == user.len && memcmp(u->text, user.p, user.len) == 0))
		link = &u->next;
	return link;
}

/* The user, who is made where he is not there yet. NULL: no memory. */
static struct member_user *find_or_make(struct session *s, struct span user)
{
	struct users *all = &s->owned;
	uint32_t hash = (uint32_t)session_hash(s->env, user);
	struct member_user *u = all->size ? *find_link(all, hash, user) : NULL;

	if (u || user.len > UINT16_MAX || (all->n >= all->size && grow(all) < 0))
		return u;
	u = malloc(sizeof(*u) + user.len);
	if (!u)
		return NULL;
	*u = (struct member_user){.hash = hash, .len = (uint16_t)user.len};
	memcpy(u->text, user.p, user.len);
	link_into(all->table, all->size, u);
	all->n++;
	return u;
}

/* The user has no members any more. */
static void drop(struct users *all, struct member_user *u)
{
	*find_link(all, u->hash, (struct span){u->text, u->len}) = u->next;
	free(u);
	if (--all->n)
		return;
	free(all->table);
	*all = (struct users){0};
}

static struct member **members_of(struct member_user *u)
{
	return u->n > 1 ? u->many : &u->one;
}

/* Room for one more: where there is more than one, for a power of two of them. */
static bool make_room(struct member_user *u)
{
	struct member **many;

	if (u->n & (u->n - 1) || !u->n)
		return true;
	many = realloc(u->n > 1 ? u->many : NULL, 2 * u->n * sizeof(struct member *));
	if (!many)
		return false;
	if (u->n == 1)
		many[0] = u->one;
	u->many = many;
	return true;
}

int session_user_add(struct session *s, struct member *m, struct span user)
{
	struct member_user *u;

	if (!user.len || m->hidden)
		return 0;
	u = find_or_make(s, user);
	if (!u)
		return -ENOMEM;
	if (!make_room(u)) {
		if (!u->n)
			drop(&s->owned, u);
		return -ENOMEM;
	}
	u->n++;
	members_of(u)[u->n - 1] = m;
	m->user = u;
	return 0;
}

void session_user_remove(struct session *s, struct member *m)
{
	struct member_user *u = m->user;
	struct member **all, *last;
	uint32_t i = 0;

	if (!u)
		return;
	m->user = NULL;
	all = members_of(u);
	while (all[i] != m)
		i++;
	last = all[u->n - 1];
	all[i] = last;
	if (--u->n == 1) {
		last = all[0];
		free(all);
		u->one = last;
	}
	if (!u->n)
		drop(&s->owned, u);
}

static struct member_user *find(struct session *s, struct span user)
{
	if (!s->owned.size)
		return NULL;
	return *find_link(&s->owned, (uint32_t)session_hash(s->env, user), user);
}

uint64_t session_locate_user(struct session *s, struct span user)
{
	struct member_user *u;
	uint64_t workers = 0;

	pthread_mutex_lock(&s->lock);
	u = find(s, user);
	for (uint32_t i = 0; u && i < u->n; i++)
		workers |= UINT64_C(1) << members_of(u)[i]->worker;
	pthread_mutex_unlock(&s->lock);
	return workers;
}

void session_each_of_user(struct session *s, struct span user, unsigned self,
			  void (*each)(struct member *m, void *arg), void *arg)
{
	struct member_user *u;

	pthread_mutex_lock(&s->lock);
	u = find(s, user);
	for (uint32_t i = 0; u && i < u->n; i++)
		if (members_of(u)[i]->worker == self)
			each(members_of(u)[i], arg);
	pthread_mutex_unlock(&s->lock);
}

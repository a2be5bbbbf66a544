/* The table of a session's members, by client. Under the lock. Invariant: there is room for each
 * member in a chain of its own, about, as long as there is memory. */
#include <stdlib.h>

#include "session/session_impl.h"

static struct member **bucket_of(struct session *s, uint64_t client)
{
	return &s->table[client & (s->table_size - 1)];
}

struct member *session_client(struct session *s, uint64_t client)
{
	struct member *m = *bucket_of(s, client);

	while (m && m->client != client)
		m = m->hash_next;
	return m;
}

/* Doubles the table; where memory is out the chains just grow longer. */
static void table_grow(struct session *s)
{
	uint32_t old_size = s->table_size, i;
	struct member **old = s->table,
		      **table = calloc(2 * (size_t)old_size, sizeof(struct member *));

	if (!table)
		return;
	s->table = table;
	s->table_size = 2 * old_size;
	for (i = 0; i < old_size; i++) {
		struct member *m = old[i];

		while (m) {
			struct member *next = m->hash_next, **bucket = bucket_of(s, m->client);

			m->hash_next = *bucket;
			*bucket = m;
			m = next;
		}
	}
	free(old);
}

void session_table_add(struct session *s, struct member *m)
{
	struct member **bucket;

	if (s->nmembers + s->nviewers >= s->table_size)
		table_grow(s);
	bucket = bucket_of(s, m->client);
	m->hash_next = *bucket;
	*bucket = m;
	++*(m->hidden ? &s->nviewers : &s->nmembers);
}

void session_table_remove(struct session *s, struct member *m)
{
	struct member **link = bucket_of(s, m->client);

	while (*link != m)
		link = &(*link)->hash_next;
	*link = m->hash_next;
	--*(m->hidden ? &s->nviewers : &s->nmembers);
}

/* What the records of a session leave behind. Invariant: slot finds each record by its name; it is
 * made anew where a record goes, which is rare. */
#include "edit/session_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static void *need(void *p)
{
	if (!p)
		err_die(EX_OSERR, "out of memory");
	return p;
}

static uint32_t hash_of(struct span key, struct span type)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.p[i]) * 16777619u;
	for (size_t i = 0; i < type.len; i++)
		hash = (hash ^ (unsigned char)type.p[i]) * 16777619u;
	return hash;
}

static bool is(const struct state_record *r, struct span key, struct span type)
{
	return r->key_len == key.len && r->type_len == type.len &&
	       memcmp(r->name, key.p, key.len) == 0 &&
	       memcmp(r->name + key.len, type.p, type.len) == 0;
}

/* The slot of that name, or the free one for it. */
static uint32_t *find(const struct session_state *s, uint32_t hash, struct span key,
		      struct span type)
{
	size_t i;

	for (i = hash & (s->slots - 1); s->slot[i]; i = (i + 1) & (s->slots - 1)) {
		const struct state_record *r = &s->record[s->slot[i] - 1];

		if (r->hash == hash && is(r, key, type))
			break;
	}
	return &s->slot[i];
}

static void index_all(struct session_state *s)
{
	while (s->slots < 2 * (s->n + 1))
		s->slots = s->slots ? 2 * s->slots : 16;
	free(s->slot);
	s->slot = need(calloc(s->slots, sizeof(*s->slot)));
	for (size_t i = 0; i < s->n; i++) {
		const struct state_record *r = &s->record[i];
		struct span key = {r->name, r->key_len}, type = {r->name + r->key_len, r->type_len};

		*find(s, r->hash, key, type) = (uint32_t)i + 1;
	}
}

static void set_text(struct state_record *r, const struct recording_line *line)
{
	if (r->len != line->body + 1)
		r->text = need(realloc(r->text, line->body + 1));
	memcpy(r->text, line->text, line->body);
	r->text[line->body] = '}';
	r->len = line->body + 1;
	r->seq = line->seq;
}

static void set(struct session_state *s, struct span key, const struct recording_line *line)
{
	uint32_t hash = hash_of(key, line->type), *slot;
	struct state_record *r;

	if (2 * (s->n + 1) > s->slots)
		index_all(s);
	slot = find(s, hash, key, line->type);
	if (*slot) {
		set_text(&s->record[*slot - 1], line);
		return;
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->record = need(realloc(s->record, s->cap * sizeof(*s->record)));
	}
	r = &s->record[s->n++];
	*r = (struct state_record){.hash = hash,
				   .key_len = (uint16_t)key.len,
				   .type_len = (uint16_t)line->type.len,
				   .name = need(malloc(key.len + line->type.len + 1))};
	memcpy(r->name, key.p, key.len);
	memcpy(r->name + key.len, line->type.p, line->type.len);
	set_text(r, line);
	*slot = (uint32_t)s->n;
}

static void drop(struct state_record *r)
{
	free(r->name);
	free(r->text);
}

/* Drops all of a key, whatever their types. */
static void delete (struct session_state *s, struct span key)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct state_record *r = &s->record[i];

		if (r->key_len == key.len && memcmp(r->name, key.p, key.len) == 0)
			drop(r);
		else
			s->record[kept++] = *r;
	}
	if (kept == s->n)
		return;
	s->n = kept;
	index_all(s);
}

void session_state_take(struct session_state *s, const struct keys *keys,
			const struct recording_line *line)
{
	char room[ENVELOPE_KEY_MAX], why[100];
	struct envelope e;
	struct span key, written;

	/* As the hub reads it: what it would not take is no state. */
	if (envelope_parse(&e, line->text, line->len, why, sizeof(why)) != HUB_OK)
		return;
	switch (keys_find(keys, &e, room, &key, &written, NULL)) {
	case KEY_SET:
	case KEY_OWN:
		set(s, key, line);
		break;
	case KEY_DELETE:
		delete (s, key);
		break;
	default:
		break;
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct state_record *left = a, *right = b;

	return left->seq < right->seq ? -1 : left->seq > right->seq;
}

size_t session_state_sort(struct session_state *s)
{
	if (s->n)
		qsort(s->record, s->n, sizeof(*s->record), by_seq);
	return s->n;
}

void session_state_clear(struct session_state *s)
{
	for (size_t i = 0; i < s->n; i++)
		drop(&s->record[i]);
	free(s->record);
	free(s->slot);
	*s = (struct session_state){0};
}

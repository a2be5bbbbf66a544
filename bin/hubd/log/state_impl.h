/* What the files of the state share; private to them: state.c the records, state_bonds.c what some
 * of them are bound to, state_cells.c where some of them are. */
#ifndef HUBD_STATE_IMPL_H
#define HUBD_STATE_IMPL_H

#include <string.h>

#include "log/state.h"

struct state_entry {
	struct state_entry *hash_next;
	struct state_entry *older, *newer;
	struct state_entry *alike, **alike_link; /* others of senders alike; link NULL: no frame */
	uint64_t hash;				 /* of the key */
	uint64_t seq;				 /* 0: has no frame yet */
	uint64_t sender;
	struct tie *tie;	 /* or NULL: it is bound to nothing */
	struct state_spot *spot; /* or NULL: it has no place */
	uint32_t len, cap;	 /* of the frame */
	uint16_t key_len, type_len;
	unsigned char data[]; /* key, type, frame */
};

/* That it has a place: one of those in its cell, or in others with the same hash. */
struct state_spot {
	struct state_spot *next, **link;
	struct state_entry *entry;
	uint32_t cell;
};

static inline void state_count(struct state *s, size_t add, size_t sub)
{
	s->bytes += add - sub;
	log_memory_count(s->memory, &s->memory->state, add - sub);
}

static inline bool state_has_key(const struct state_entry *e, uint64_t hash, struct span key)
{
	return e->hash == hash && e->key_len == key.len && memcmp(e->data, key.p, key.len) == 0;
}

static inline bool state_has_type(const struct state_entry *e, struct span type)
{
	return e->type_len == type.len && memcmp(e->data + e->key_len, type.p, type.len) == 0;
}

/* Of an entry that has a tie: it is bound to nothing. And all of it, of a state without records. */
void state_untie(struct state *s, struct state_entry *e);
void state_bonds_free(struct state *s);

/* The same for its place. */
void state_unplace(struct state *s, struct state_entry *e);
void state_cells_free(struct state *s);

#endif

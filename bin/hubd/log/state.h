/* A session's state: the last record of each (key, type), oldest first. It is the log compacted. */
#ifndef HUBD_STATE_H
#define HUBD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"
#include "log/log.h"

struct state_entry;

/* Under the session's lock, all of it. */
struct state {
	struct state_entry **table; /* by key, chained; NULL while there is no state */
	size_t size;		    /* a power of two */
	size_t n;
	struct state_entry *oldest, *latest;
	struct log_memory *memory; /* borrowed; the entries count there */
	unsigned char hash_key[16];
	struct chunk
	    *snapshot; /* a reference to what state_snapshot() last made, while it is true */
};

/* Borrows memory. */
void state_init(struct state *s, struct log_memory *memory);
void state_free(struct state *s);

/* The hash of a key, for state_reserve(), state_delete() and the tags of its records. Keyed, for
 * keys come from outside. */
uint64_t state_hash(const struct state *s, struct span key);

/* An entry for (key, type) with room for a frame of len bytes, new or the one there is, not changed
 * yet. state_set() or state_abandon() must follow. At most max entries; none that takes more memory
 * where full. Returns NULL with errno ENOSPC (max), EDQUOT (full) or ENOMEM. */
struct state_entry *state_reserve(struct state *s, uint64_t hash, struct span key, struct span type,
				  size_t len, size_t max, bool full);

/* Makes the frame of record seq the entry's, and the entry the latest. Borrows frame. */
void state_set(struct state *s, struct state_entry *e, uint64_t seq, uint64_t sender,
	       const void *frame, size_t len);

/* Undoes state_reserve(). */
void state_abandon(struct state *s, struct state_entry *e);

/* Drops every record of key. */
void state_delete(struct state *s, uint64_t hash, struct span key);

/* The records as a chain of chunks, oldest first, numbered 1 to s->n (not by their seq). Returns a
 * new reference; NULL where the state is empty (*out_of_memory false) or memory is out. */
struct chunk *state_snapshot(struct state *s, bool *out_of_memory);

/* How many of them are records before seq. */
size_t state_before(const struct state *s, uint64_t seq);

/* Calls each(seq, tags, frame, len, arg) for every record, oldest first. The tags are sender, key
 * and class. */
void state_each(const struct state *s,
		void (*each)(uint64_t seq, const struct slot *tags, const void *frame, size_t len,
			     void *arg),
		void *arg);

#endif

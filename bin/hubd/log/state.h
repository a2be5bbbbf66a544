/* A session's state: the last record of each (key, type), oldest first. It is the log compacted. */
#ifndef HUBD_STATE_H
#define HUBD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/area.h"
#include "json/envelope.h"
#include "log/log.h"
#include "log/ties.h"

struct state_cells;
struct state_entry;

/* Under the session's lock, all of it. */
struct state {
	struct state_entry **table;   /* by key, chained; NULL while there is no state */
	struct state_entry **senders; /* those with a frame by sender, the same */
	size_t size;		      /* a power of two */
	size_t n, bytes;	      /* of all entries */
	struct state_entry *oldest, *latest;
	struct log_memory *memory; /* borrowed; the entries count there */
	unsigned char hash_key[16];
	struct chunk
	    *snapshot; /* a reference to what state_snapshot() last made, while it is true */
	size_t snapshot_n, snapshot_bytes;
	uint64_t snapshot_ms;	   /* monotonic: when it was made */
	uint64_t next;		   /* seq of the record that is about to change the state */
	struct state_pasts *pasts; /* or NULL */
	struct ties *ties;	   /* of the records that go with somebody, or in time; or NULL */
	struct state_cells *cells; /* of the records that have a place; or NULL */
};

/* How a record is bound: to its sender, and to a time. */
struct state_bond {
	bool owned;
	uint64_t due_ms; /* monotonic; TIES_NEVER: it has no time */
};

/* A snapshot that is not true any more, but that somebody is still reading, or that was dear to
 * make. */
struct state_past {
	struct chunk *chunk; /* a reference */
	uint64_t n, seq;     /* so many records: the state as of seq */
	size_t bytes;
	uint64_t ms;
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

/* Whether it would be one more for a sender that has max of the records already. Looks at those of
 * the sender, where there are so many. */
bool state_is_share(const struct state *s, uint64_t sender, uint64_t hash, struct span key,
		    struct span type, size_t max);

/* The same for bytes of memory, with a frame of len bytes for (key, type): whether those of a
 * sender, or, with 0, of all, would be more than max. Looks at the sender's where there are so
 * many. */
bool state_is_large(const struct state *s, uint64_t sender, uint64_t hash, struct span key,
		    struct span type, size_t len, size_t max);

/* Makes the frame of record seq the entry's, and the entry the latest; it is bound to nothing.
 * Borrows frame. */
void state_set(struct state *s, struct state_entry *e, uint64_t seq, uint64_t sender,
	       const void *frame, size_t len);

/* A tie for an entry that is to be bound; NULL: no memory. That it is not; and that it is: takes
 * the tie. */
struct tie *state_tie_new(struct state *s);
void state_tie_drop(struct state *s, struct tie *tie);
void state_bind(struct state *s, struct state_entry *e, struct tie *tie,
		const struct state_bond *bond);

/* A record that is bound is so to nothing any more. */
void state_unbind(struct state *s, const struct state_entry *e);

/* A record that goes with that client (0: with anybody), or with one that is so (looks at all), or
 * whose time has come; NULL: there is none. When the first one's comes, or TIES_NEVER. */
const struct state_entry *state_owned(const struct state *s, uint64_t client);
const struct state_entry *state_owned_where(const struct state *s,
					    bool (*is)(uint64_t client, void *arg), void *arg);
const struct state_entry *state_due(const struct state *s, uint64_t now_ms);
uint64_t state_next_ms(const struct state *s);

/* What an entry is. */
struct state_look {
	struct span key, type;
	uint64_t hash, seq, sender;
	uint32_t cell;
	const void *frame;
	size_t len;
};
struct state_look state_look_at(const struct state_entry *e);

/* The latest record of a key, of one type or, where that is NULL, of any; false: there is none. */
bool state_latest_of(const struct state *s, uint64_t hash, struct span key, const struct span *type,
		     struct state_look *out);

/* Where the record of an entry is; AREA_NOWHERE: it has none yet. And the one cell that all records
 * of a key are in; AREA_ANYWHERE: there is no such. */
uint32_t state_cell(const struct state_entry *e);
uint32_t state_key_cell(const struct state *s, uint64_t hash, struct span key);

/* It is in that cell now. Without memory it is AREA_ANYWHERE. */
void state_place(struct state *s, struct state_entry *e, uint32_t cell);

/* The same for all of a state that was read, whose records come without it. */
void state_place_all(struct state *s,
		     uint32_t (*cell_of)(const void *arg, struct span type, const char *text,
					 size_t len),
		     const void *arg);

/* Calls each() for the records that are in cells of `in` (NULL: that have a place), and not of
 * `but`, in no order. Takes as long as the cells of `in` are many, or the records with a place,
 * where those are fewer. */
void state_each_in(const struct state *s, const struct area *in, const struct area *but,
		   void (*each)(const struct state_entry *e, void *arg), void *arg);

/* Undoes state_reserve(). */
void state_abandon(struct state *s, struct state_entry *e);

/* Drops every record of key. */
void state_delete(struct state *s, uint64_t hash, struct span key);

/* The records as a chain of chunks, oldest first, numbered 1 to s->n (not by their seq). Returns a
 * new reference; NULL where the state is empty (*out_of_memory false) or memory is out. */
struct chunk *state_snapshot(struct state *s, bool *out_of_memory);

/* A snapshot of before that may serve one who joins now, with the records after its seq, which the
 * log has from tail on; else NULL. It is shared for a time that goes by its size, so that making
 * snapshots takes a small part of all time; and, where there are many or memory is `tight`, however
 * old it is, so that members that join and do not read pin no copy each. Borrowed. */
const struct state_past *state_share(struct state *s, uint64_t tail, bool tight);

/* Gives up those that nobody reads. */
void state_trim(struct state *s);

/* How many of them are records before seq. */
size_t state_before(const struct state *s, uint64_t seq);

/* Calls each(seq, tags, frame, len, arg) for every record, oldest first. The tags are sender, key,
 * class and area. */
void state_each(const struct state *s,
		void (*each)(uint64_t seq, const struct slot *tags, const void *frame, size_t len,
			     void *arg),
		void *arg);

/* The same for the records of one key, in no order. */
void state_each_of(const struct state *s, struct span key,
		   void (*each)(uint64_t seq, const struct slot *tags, const void *frame,
				size_t len, void *arg),
		   void *arg);

#endif

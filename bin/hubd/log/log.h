/* A session's log: records numbered 1, 2, 3, ... as ready-made WebSocket frames, back to back in
 * chunks.
 *
 * A chunk only ever grows, and only behind what readers were told of: log_view() under the
 * session's lock gives a reference and the head, and the reader then walks from that chunk to the
 * head without the lock. A chunk holds a reference on the next one, so a reader's one reference
 * keeps all of them. */
#ifndef HUBD_LOG_H
#define HUBD_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_FRAME_MAX 48 /* bytes that log_append() adds to a body, at most */

/* What a record is to the session's state. */
enum record_class {
	RECORD_PLAIN,  /* nothing */
	RECORD_SET,    /* replaces the record of the same key and type */
	RECORD_DELETE, /* drops all records of the key */
};

/* Whether its sender gets it. */
enum record_own { OWN_AS_ASKED, OWN_NEVER, OWN_ALWAYS };

/* A record: where it stands in its chunk, a whole frame of len bytes, and its tags, so that nobody
 * has to parse it again. Offsets of tags count from the record's first byte, behind the frame's
 * header; key and type are JSON values as written. */
struct slot {
	uint64_t sender; /* the sender's client id */
	uint64_t key;	 /* the session's hash of the key, where there is one */
	uint64_t msg;	 /* where acked: what the dedup window knows the message by */
	uint32_t offset;
	uint32_t len : 31;
	uint32_t acked : 1; /* the sender wanted an ack: never to be withheld */
	uint32_t key_at;
	uint32_t type_at : 30;
	uint32_t owned : 1; /* it goes with its sender */
	uint32_t timed : 1; /* it has a time to live */
	uint32_t area;	 /* the cell of the record's place, json/area.h; of a deletion, of what it
			  * drops */
	uint32_t before; /* the same of the record that it replaces; AREA_NOWHERE: of none */
	uint16_t key_len;
	uint16_t type_len : 12; /* 0: not noted */
	uint16_t own : 2;	/* enum record_own */
	uint16_t class : 2;	/* enum record_class */
};

/* Frames fill data from the front, slots from the back; the chunk is full when they meet. */
struct chunk {
	atomic_uint refs;
	uint32_t cap;	     /* bytes of data */
	uint64_t first;	     /* seq of its first record */
	uint64_t serial;     /* no other chunk of the process has it */
	uint64_t sealed_ms;  /* monotonic time of its last record, once there is a next chunk */
	_Atomic uint32_t n;  /* records */
	uint32_t len;	     /* bytes of frames; the appender's alone */
	bool pins;	     /* it is a copy for members to read */
	atomic_bool revoked; /* of a snapshot, its first: who still reads it is too slow */
	_Atomic(struct chunk *) next;
	struct chunk *before;	   /* the log's, as long as that has both of them */
	struct log_memory *memory; /* it counts there; NULL: no more */
	unsigned char data[];
};

/* The bytes that all logs take together. Shared by threads. */
struct log_memory {
	atomic_size_t used;
	/* Of that: states, dedup windows, records kept for members that were overtaken; the rest is
	 * logs, and what was read or put together for members. */
	atomic_size_t state, dedup, retained;
	atomic_size_t pinned; /* copies that members are to read */
	size_t max;
	atomic_uint_fast64_t chunks; /* made so far */
};

/* Adds to what is used, and to a part of it; -n takes away. */
static inline void log_memory_count(struct log_memory *m, atomic_size_t *part, size_t n)
{
	atomic_fetch_add_explicit(&m->used, n, memory_order_relaxed);
	atomic_fetch_add_explicit(part, n, memory_order_relaxed);
}

static inline bool log_memory_over(const struct log_memory *m)
{
	return atomic_load_explicit(&m->used, memory_order_relaxed) > m->max;
}

/* Whether what sessions themselves have is over it: for copies that others pin nobody is refused.
 */
static inline bool log_memory_full(const struct log_memory *m)
{
	return atomic_load_explicit(&m->used, memory_order_relaxed) >
	       m->max + atomic_load_explicit(&m->pinned, memory_order_relaxed);
}

/* Not over it yet, but what can be done without is to be done without. */
static inline bool log_memory_tight(const struct log_memory *m)
{
	return atomic_load_explicit(&m->used, memory_order_relaxed) > m->max / 4 * 3;
}

struct log_limits {
	size_t records;	  /* kept at least */
	size_t bytes;	  /* kept at most, where that is more */
	int64_t grace_ms; /* for how long records are kept beyond that for a member that lags */
};

struct log {
	struct chunk *oldest; /* owns a reference; NULL while empty */
	struct chunk *last;
	uint64_t tail; /* seq of the oldest record kept; head + 1 where none is */
	uint64_t head; /* seq of the latest record; 0 before the first */
	size_t bytes;  /* capacity of its chunks */
	bool pins;     /* they are copies for members to read */
	struct log_memory *memory;
};

struct log_view {
	struct chunk *chunk;	  /* a reference; NULL where from is beyond head */
	const struct chunk *hint; /* borrowed: where the last reader of this view was, or NULL */
	uint64_t tail;
	uint64_t head;
};

/* Borrows memory, which must outlive every chunk. */
void log_init(struct log *log, struct log_memory *memory);
void log_free(struct log *log);

/* Appends one record: body, then `,"seq":N}`, with the tags of *tags; its place is the log's to
 * fill in. Borrows body. now_ms is monotonic. Returns the record's seq, or -ENOMEM. */
int64_t log_append(struct log *log, const struct slot *tags, const char *body, size_t len,
		   uint64_t now_ms);

/* Makes an empty log go on behind seq head. */
void log_resume(struct log *log, uint64_t head);

/* Appends a record that is a frame already, as it is. A log of such records need not be numbered
 * like its frames. Borrows frame. Returns its number, or -ENOMEM. */
int64_t log_put(struct log *log, const struct slot *tags, const void *frame, size_t len);

/* True where limits do not ask for the oldest chunk. Records from low on are kept for
 * limits->grace_ms, unless the log is over limits->bytes and all logs together are over their
 * limit. The last chunk always stays. */
bool log_may_drop(const struct log *log, const struct log_limits *limits, uint64_t low,
		  uint64_t now_ms);

/* Drops the oldest chunk, which must not be the last. */
void log_drop_oldest(struct log *log);

/* The seq that tail would be without the oldest chunk. */
uint64_t log_second(const struct log *log);

/* What a reader at from may read. The caller unrefs view->chunk. */
void log_view(const struct log *log, uint64_t from, struct log_view *view);

struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c); /* takes the reference; NULL is fine */

/* The chunk that holds seq, from c on. Borrows and returns a borrowed one. seq must be within the
 * view that c came from. */
const struct chunk *chunk_find(const struct chunk *c, uint64_t seq);

/* The i-th record of c; i counts from 0. */
static inline const struct slot *chunk_slot(const struct chunk *c, uint64_t i)
{
	return (const struct slot *)(const void *)(c->data + c->cap) - 1 - i;
}

#endif

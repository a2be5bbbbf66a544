/* What a member wants of a session's records, and how: a selection on its cursor. Members of a
 * worker that want the same share one selection, and the bytes that are made by it.
 *
 * The files: select.c what is wanted, sift.c what of the log that is, selected.c the bytes,
 * select_text.c their texts, ticks.c when they leave, interest.c areas that move. */
#ifndef HUBD_SELECT_H
#define HUBD_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/globs.h"
#include "base/buf.h"
#include "conn/conn.h"
#include "conn/deflation.h"
#include "json/area.h"
#include "json/envelope.h"
#include "log/log.h"
#include "member/span_key.h"

struct seat;
struct selection;

#define SELECT_TICK_MAX 60000 /* ms */

struct select_types {
	struct globs list; /* n 0: any, or none */
	struct buf memory;
};

/* As it is asked for. */
struct select_wish {
	uint32_t tick_ms; /* records are held to the session's next multiple of it; 0: at once */
	bool batch;	  /* as JSON arrays */
	bool compact;	  /* ... without what the record before says, too */
	bool conflate;	  /* of the state's, only the last of each key and type */
	bool delta;	  /* records may come as what has changed */
	struct select_types in, out;
	struct select_types first; /* these do not wait for the tick */
	bool in_area;		   /* of what has a place, only what is in: */
	struct area area;	   /* else zeroes */
};

#define SELECT_BUCKETS 256

/* What was made of records [from, to), where `from` stands in the chunk of the key. */
struct select_cache {
	struct span_key key;
	uint64_t from, to;
	uint64_t n;	/* records among them */
	uint64_t ahead; /* select_text.h */
	bool alone, patches;
	uint32_t round; /* as of span_cache */
	struct buf bytes;
};

/* Adds a glob of types, or with a `!` before it, of types that are not wanted. Returns 0, -EINVAL
 * for an empty or too long one, -E2BIG for one too many, or -ENOMEM. */
int select_type(struct select_wish *wish, struct span glob);
/* Adds a glob of types that do not wait. The same. */
int select_first(struct select_wish *wish, struct span glob);
void select_wish_free(struct select_wish *wish);

/* The worker's selection of that, with a new reference; takes what the wish holds. NULL with *ok
 * where nothing is wanted but what all get; without where there is no memory. */
struct selection *select_get(struct worker *w, struct select_wish *wish, bool *ok);
void select_unref(struct selection *sel); /* NULL is fine */

/* --- interest.c */

/* The seat is to have another area; NULL: none. What it has to get for that comes when it has had
 * all until then; what it leaves is said, and then dialect->area_entered(). Where nothing changes
 * that is said to who gave a msg_id. Returns HUB_OK or HUB_INTERNAL (memory). */
enum hub_code interest_say(struct seat *seat, const struct area *area, struct span msg_id);

#endif

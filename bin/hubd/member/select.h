/* What a member wants of a session's records, and how: a selection on its cursor. Members of a
 * worker that want the same share one selection, and the bytes that are made by it.
 *
 * The files: select.c what is wanted, selected.c the bytes, ticks.c when they leave. */
#ifndef HUBD_SELECT_H
#define HUBD_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/globs.h"
#include "base/buf.h"
#include "conn/conn.h"
#include "conn/deflation.h"
#include "json/envelope.h"
#include "log/log.h"
#include "member/span_key.h"
#include "session/session.h"

#define SELECT_TICK_MAX 60000 /* ms */
#define SELECT_VERDICTS 64

struct members;

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
	struct select_types in, out;
	struct select_types
	    first; /* these do not wait for the tick, nor does what is before them */
};

#define SELECT_CACHES 4
#define SELECT_KEEP 65536 /* bytes of a text that are kept for the next one */

/* What was made of records [from, to), where `from` stands in the chunk of the key. */
struct select_cache {
	struct span_key key;
	uint64_t from, to;
	uint64_t n; /* records among them */
	struct buf bytes;
};

struct selection {
	struct selection *next, **link; /* the worker's */
	uint32_t refs;
	struct select_wish wish;
	struct select_cache cache[SELECT_CACHES];
	unsigned last; /* of them: made last */
	struct deflation_share share;
	/* Types as written that were looked at lately, and whether they are wanted. */
	struct select_verdict {
		uint8_t len; /* 0: none */
		bool wanted, first;
		char text[ENVELOPE_TYPE_MAX + 2];
	} verdict[SELECT_VERDICTS], other;
	uint64_t counted;   /* the serial of the snapshot that was counted last, and its records */
	uint64_t counted_n; /* of which so many were looked at */
	uint64_t count;
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
struct selection *select_ref(struct selection *sel); /* NULL is fine, here and below */
void select_unref(struct selection *sel);

/* Gives up a large text: whoever chooses what nobody else wants would have it made for himself. */
void select_shrink(struct select_cache *cache);

/* Each second: large texts that were made are given up. */
void selections_trim(struct worker *w);

/* Whether it wants a record. text is the record's. */
bool select_wants(struct selection *sel, const struct slot *slot, const char *text, size_t len);

/* Whether it wants that one, and at once. */
bool select_hurries(struct selection *sel, const struct slot *slot, const char *text, size_t len);

/* How many of the n records of a chain, numbered from 1, it wants. */
uint64_t select_count(struct selection *sel, struct chunk *chunk, uint64_t n);

/* As span_write(), by the seat's selection, across chunks. live: they are of the log, at its
 * numbers. */
struct seat;
bool select_write(const struct seat *seat, struct log_view *view, uint64_t *cursor, uint64_t skip,
		  bool echo, bool live, size_t *bytes);

/* --- ticks.c */

struct pace;

/* That of a session's members on w with that selection, which has a tick, for one whose next record
 * is `from`: a new reference. NULL: no memory. */
struct pace *pace_get(struct worker *w, struct session *s, struct selection *sel, uint64_t from);
void pace_unref(struct pace *p); /* NULL is fine */

/* There is something for its members at their next tick. */
void pace_due(struct worker *w, struct pace *p);

/* Whether a member of it that has got all before `cursor` is not to wait, for what is in the view,
 * or was in an earlier one (NULL: only that). */
bool pace_hurries(struct pace *p, const struct log_view *view, uint64_t cursor);

/* Its tick: what there is up to head waits no more, in however many steps it goes. */
void pace_comes(struct pace *p, uint64_t head);

/* Calls tick() for those whose time has come; for the worker's alarm. */
void paces_run(struct worker *w, void (*tick)(struct worker *w, struct session *s, struct pace *p));

/* Gives up those that are left of members that have gone. */
void paces_free(struct worker *w);

#endif

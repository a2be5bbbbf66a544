/* What the files of selections share; private to the room. */
#ifndef HUBD_SELECT_IMPL_H
#define HUBD_SELECT_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "conn/deflation.h"
#include "json/area.h"
#include "log/log.h"
#include "loop/worker.h"
#include "member/delta.h"
#include "member/select.h"
#include "member/sift.h"

struct session;

/* --- select.c */

#define SELECT_VERDICTS 64
#define SELECT_CACHES 4
#define SELECT_CACHES_AREA 2 /* of them are used where there is an area */
#define SELECT_KEEP 65536    /* bytes of a text that are kept for the next one */

struct selection {
	struct selection *next, **link; /* the worker's, of a bucket */
	uint32_t refs;
	struct select_wish wish;
	struct selection *base; /* the same without the area: a reference; of such a one itself.
				 * Types are its */
	struct worker *worker;
	struct select_cache cache[SELECT_CACHES];
	unsigned last; /* of them: made last */
	struct deflation_share share;
	/* Of a base: types as written that were looked at lately, and whether they are wanted. */
	struct select_verdicts *verdicts;
	uint64_t counted;   /* the serial of the snapshot that was counted last, and its records */
	uint64_t counted_n; /* of which so many were looked at */
	uint64_t count;
};

/* The same as sel (NULL: of all) with another area, or NULL: none. */
struct selection *select_in(struct worker *w, struct selection *sel, const struct area *area,
			    bool *ok);
struct selection *select_ref(struct selection *sel); /* NULL is fine */

/* The cells that it is for; NULL: all. */
const struct area *select_area(const struct selection *sel);

/* Whether who had what the one wants has had all that the other wants; NULL is all. */
bool select_knows(const struct selection *had, const struct selection *sel);

/* Gives up a large text: whoever chooses what nobody else wants would have it made for himself. */
void select_shrink(struct select_cache *cache);

/* Each second: large texts that were made are given up. */
void selections_trim(struct worker *w);

/* Whether it wants a record. text is the record's. Where it is of an area it asks for those that
 * it had there, too: that they have left. */
enum select_want { SELECT_NOT, SELECT_WANTED, SELECT_LEFT };
enum select_want select_wants(struct selection *sel, const struct slot *slot, const char *text,
			      size_t len);

/* The same of an area alone; and of all else, and whether it is to come at once. */
enum select_want select_is_in(const struct area *area, const struct slot *slot);
bool select_judges(struct selection *sel, const struct slot *slot, const char *text, size_t len,
		   bool *first);

/* How many of the n records of a chain, numbered from 1, it wants. */
uint64_t select_count(struct selection *sel, struct chunk *chunk, uint64_t n);

/* --- selected.c */

/* As span_write(), by the seat's selection, across chunks. live: they are of the log, at its
 * numbers. */
bool select_write(const struct seat *seat, struct log_view *view, uint64_t *cursor, uint64_t skip,
		  bool echo, bool live, size_t *bytes);

/* Writes those of its tick's sift that do not wait, and that it has not had, to a seat that has had
 * all before that; they go before what does. */
void select_ahead(struct seat *seat);

/* --- interest.c */

/* Of one that waits for its tick: that has come. */
void interest_begin(struct seat *seat);

/* Behind which record it has the other area; INTEREST_NOT_YET: there is none, or it waits for the
 * tick. */
#define INTEREST_NOT_YET UINT64_MAX
uint64_t interest_at(const struct seat *seat);

/* It has had all until then: from here on it has the other area. False: the connection closes. */
bool interest_turn(struct seat *seat);

/* The same, but its state is to come otherwise. And: it goes. */
void interest_skip(struct seat *seat);
void interest_drop(struct seat *seat);

/* Appends to a list of what has left, JSON: type and key are as written. Begins with an empty
 * text; the same list ends with interest_left_end(). 0 or -ENOMEM. */
struct interest_left {
	struct buf text;
	size_t type_at, type_len; /* of the last one, in text */
	uint64_t n;
};
int interest_left_add(struct interest_left *left, struct span type, struct span key);
int interest_left_end(struct interest_left *left);

/* --- ticks.c */

/* The members of a worker in a session with that tick, who want the same but for their areas. */
struct pace {
	struct pace *next, **link; /* of its bucket */
	struct pace *next_due;
	struct session *session; /* borrowed: its seats are members */
	struct selection *sel;	 /* the same: a base */
	struct sift sift;
	struct delta delta; /* of that */
	uint64_t low;	    /* none of them still needs a record before it */
	uint64_t hurry;	    /* up to there nobody waits */
	uint64_t ahead;	    /* up to there who does not wait has been told */
	uint64_t walked;    /* where the log was when it was looked who is far behind */
	uint32_t tick_ms;
	uint32_t refs;
	bool due;
	uint64_t at_ms; /* where due */
};

/* The first one of a session, and the next one; NULL: that was the last. */
struct pace *pace_first(struct worker *w, const struct session *s);
struct pace *pace_next(struct pace *p);

/* There is something for its members at their next tick. */
void pace_due(struct worker *w, struct pace *p);

/* Calls tick() for those whose time has come; for the worker's alarm. */
void paces_run(struct worker *w, void (*tick)(struct worker *w, struct session *s, struct pace *p));

/* Gives up those that are left of members that have gone. */
void paces_free(struct worker *w);

#endif

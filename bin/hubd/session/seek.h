/* Where a member begins, and goes on after the log has overtaken it or it wants other cells: its
 * cursor, and what it gets before its next record. */
#ifndef HUBD_SEEK_H
#define HUBD_SEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "log/log.h"
#include "log/state.h"

struct area;
struct member;
struct session;

/* Records on their way to a member, before the log goes on at its cursor. */
struct catchup {
	struct chunk *chunk; /* a reference; a chain of n records, numbered from 1 */
	uint64_t at;	     /* the number of the next one */
	uint64_t n;
	uint64_t skip; /* no records of this sender; 0: all */
	uint64_t
	    first; /* seq of its first one, where they stand before the cursor; 0: they do not */
};

/* Where a member wants to begin. */
struct session_from {
	bool has_since, has_epoch;
	bool rest; /* where that past is not all there, what is left of it */
	bool bare; /* no state, whatever it gets */
	uint64_t since;
	uint64_t epoch;
	bool has_run;
	uint32_t run;	 /* the hub's run in which it got its resume token */
	bool opened;	 /* an ARCHIVE_OPEN of just now said: */
	uint64_t stored; /* the first seq kept there */
	/* It wants what is in these cells, and anywhere; borrowed. NULL: all. What is in an archive
	 * only it does not get: nobody knows where that is. */
	const struct area *area;
	struct span user; /* and whose it is; empty: nobody's in particular */
};

/* Where it begins, and what comes first. */
struct session_joined {
	bool ask; /* nothing was done: an archive's ARCHIVE_OPEN has to come first */
	uint64_t epoch;
	uint64_t seq;	   /* head at the join */
	uint64_t gap_to;   /* the records since + 1 to gap_to are not kept; 0: no such gap */
	uint64_t since;	   /* of a gap, or of what is left */
	uint64_t snapshot; /* state records that follow */
	uint32_t user_count;
	uint32_t retry_s; /* of HUB_IN_USE: it may ask again then */
	bool recovered;
	bool rest;	    /* what is left of a past that is not recovered follows */
	const char *reason; /* why a wanted past is not recovered, or NULL */
};

/* Moves a member to where it wants to begin, on its worker's thread; a catch-up that it has is
 * dropped. Returns HUB_OK (but see out->ask) or HUB_INTERNAL
 * (memory). */
enum hub_code session_seek(struct member *m, const struct session_from *from,
			   struct session_joined *out);

/* What a member has to get that is to see other cells from now on. */
struct session_entered {
	uint64_t head;	     /* behind that record */
	struct chunk *state; /* a reference: n records, oldest first; NULL where n is 0 */
	uint64_t n;
};

/* The state of the cells of `to` that are not of `from`, and each(arg) for every record that is in
 * those of `from` and not of `to`: under the lock. NULL: all cells. Takes as long as the cells are
 * many. Returns 0 or -ENOMEM. */
int session_enter(struct session *s, const struct area *from, const struct area *to,
		  void (*each)(struct state_look look, void *arg), void *arg,
		  struct session_entered *out);

/* Tags the n records of a chain that an archive has read with where they are, and their key and
 * type; where those were that they replace nobody knows any more: AREA_ANYWHERE. The chain is
 * nobody's else. */
void session_find_places(const struct session *s, struct chunk *chunk, uint64_t n);

/* Gives a member records to get before its next one. Takes chunk. Returns 0 or -ENOMEM. */
int member_catch_up(struct member *m, struct chunk *chunk, uint64_t n, uint64_t skip);
void member_drop_catchup(struct member *m);

/* Moves a member that the log has overtaken to its head, by way of the state (as far as it is in
 * the area; NULL: all) and of the records with an ack that it has not had, in order. *gap_to: the
 * last seq withheld. Returns 0, -ENOMEM, or -ESTALE where such records are lost. */
int session_resync(struct member *m, const struct area *area, uint64_t *gap_to);

#endif

/* Where a member stands in a session's log, so that it can go on from there on another connection
 * (hub(7)). Pure: it is told what comes from the hub, and says what to ask for and what is new.
 * Invariant: all up to seq was given to the caller or is none of its business, so it may be asked
 * for what follows; while state records are still to come, seq stays where it was before them. */
#ifndef HUB_CURSOR_H
#define HUB_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_EPOCH_MAX 64
#define CURSOR_JOIN_MAX 208 /* bytes that cursor_ask() writes */

enum cursor_from {
	CURSOR_NOW,   /* records from the join on */
	CURSOR_STATE, /* the state, then records from the join on */
	CURSOR_SINCE, /* records after one of the past */
};

struct cursor {
	enum cursor_from from;
	bool known; /* where it stands; else it begins as `from` says */
	bool lost;  /* it stood somewhere, and has forgotten where */
	bool rest;  /* wants what is left of a past that is not all there, not the state instead */
	uint64_t seq;
	uint64_t ahead;			  /* what does not wait has come up to there */
	char epoch[CURSOR_EPOCH_MAX + 1]; /* of seq; empty: any */

	/* After a join: state records that come first, and where it will stand behind them. */
	uint64_t state_left, head;
	char head_epoch[CURSOR_EPOCH_MAX + 1];
	bool hide; /* nobody asked for them */

	uint64_t gap_to;	   /* in what follows a gap, up to here */
	uint64_t own_from, own_to; /* own records that will not come */
};

/* since: for CURSOR_SINCE; 0 asks for all that is kept. */
void cursor_init(struct cursor *c, enum cursor_from from, uint64_t since);

/* Says which log that `since` is of. Returns false for what is no epoch. */
bool cursor_epoch(struct cursor *c, const char *epoch);

/* Forgets where it stands, unless it wants the rest. */
void cursor_forget(struct cursor *c);

/* Writes the fields that a join asks with, each with a comma before it, or nothing. */
void cursor_ask(const struct cursor *c, char out[CURSOR_JOIN_MAX]);

/* What a hub answers to a join. */
struct cursor_joined {
	const char *epoch, *reason; /* never NULL */
	uint64_t seq, snapshot;
	bool recovered;
	bool rest; /* what is left of the past follows `since` */
	uint64_t since;
};

/* Takes the answer. */
void cursor_joined(struct cursor *c, const struct cursor_joined *j);

enum cursor_record {
	CURSOR_REPEAT, /* had before, or state that nobody asked for */
	CURSOR_LIVE,
	CURSOR_OLD, /* a state record: its place in the log is before what was given already, or
		       between records that were left out */
};

enum cursor_record cursor_record(struct cursor *c, uint64_t seq);

/* The same of one that comes before others with a lower seq. */
enum cursor_record cursor_ahead(struct cursor *c, uint64_t seq);

/* The hub leaves out the records up to this one. */
void cursor_gap(struct cursor *c, uint64_t to_seq);

/* A record of its own, of a member that does not get those. */
void cursor_own(struct cursor *c, uint64_t seq);

#endif

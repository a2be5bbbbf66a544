/* The texts of records that were picked for a selection. */
#ifndef HUBD_SELECT_TEXT_H
#define HUBD_SELECT_TEXT_H

#include "member/member.h"
#include "member/sift.h"
#include "member/span.h"

/* What is to be written. */
struct select_range {
	uint64_t from, to; /* [from, to) */
	uint64_t skip;	   /* without those of that sender; 0: of nobody */
	uint64_t ahead;	   /* without those up to there that do not wait: they have come */
	bool echo;	   /* but for those that no sender gets */
	bool live;	   /* they are of the log */
	bool alone;	   /* only those that do not wait */
	bool patches;	   /* those that have a patch may be that */
};

struct pick {
	struct picked *at;
	size_t n, left; /* left: so many of them */
	uint64_t skipped;
};

/* Append messages to b, one or several, by way of `text`; 0 or -ENOMEM. One for each record; */
int select_each(const struct seat *seat, const struct span_about *about, const struct pick *p,
		struct buf *text, struct buf *b);

/* all in one array; */
int select_batch(const struct seat *seat, struct span_about *about, const struct pick *p,
		 const struct select_range *range, struct buf *text, struct buf *b);

/* those that go before others, in one; */
int select_before(const struct seat *seat, const struct pick *p, struct buf *text, struct buf *b);

/* how many did not come. */
int select_skipped(const struct seat *seat, const struct pick *p, struct buf *text, struct buf *b);

#endif

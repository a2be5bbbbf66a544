/* The records that a selection wants since its last tick, looked at once for all its members, and
 * by the cells that they are in, so that each area finds its own. */
#ifndef HUBD_SIFT_H
#define HUBD_SIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "log/log.h"

struct selection;

/* A record that is wanted. */
struct picked {
	const struct slot *slot;
	const char *text;
	uint64_t seq;
	uint64_t bytes; /* of a sift: of all in it before this one */
	uint32_t len;
	bool first;	   /* it does not wait for the tick */
	bool late;	   /* another one says it anew */
	bool left;	   /* it is not wanted, but has left the area */
	struct span patch; /* the beginning of what it is as a patch, `[SEQ,{...`; empty: none */
	uint32_t base;	   /* in which cell the record is that it is of */
};

struct sift_node {
	uint32_t cell, at, next; /* at, next: their number + 1 */
};

/* Zeroed at the start, but for from and to. */
struct sift {
	uint64_t from, to;	  /* of these records, [from, to) */
	struct chunk *chunk;	  /* a reference to where from is; NULL where there is none */
	const struct chunk *last; /* where the last one is */
	struct picked *at;
	size_t n, cap;
	uint64_t bytes;
	uint64_t first; /* the last one that does not wait; 0: none */
	/* By cell, as far as it was made. */
	size_t indexed;
	struct sift_node *node; /* size of table */
	uint32_t *table;
	size_t nnodes, nodes_cap, size;
	uint32_t *everyone; /* numbers of those that concern all */
	size_t neveryone, everyone_cap;
	uint32_t *chosen; /* of the last pick: numbers, times two, and one more of what has left */
	size_t nchosen, chosen_cap;
};

void sift_free(struct sift *s);

/* Looks at the records of the view behind those it has, as many as it may have; base is the
 * selection without area. */
void sift_extend(struct sift *s, struct selection *base, const struct log_view *view);

/* Forgets what it has: it goes on behind. */
void sift_begin(struct sift *s);

/* Whether that record is among those it has. */
static inline bool sift_covers(const struct sift *s, uint64_t seq)
{
	return seq >= s->from && seq < s->to;
}

/* Where so many bytes from `from` on end, [from, end), but not behind head. */
uint64_t sift_end(const struct sift *s, uint64_t from, uint64_t head, uint64_t bytes);

/* Appends to out (struct picked) those of [from, to) that the selection wants, in order. Returns 0
 * or -ENOMEM. Takes as long as they are many, and the cells. */
int sift_pick(struct sift *s, const struct selection *sel, uint64_t from, uint64_t to,
	      struct buf *out);

#endif

/* The holes of a stream: ranges of numbers that have not come, in order, apart from each other; a
 * range is missing or withheld as a whole. */
#include "load/audit.h"

#include <stdlib.h>
#include <string.h>

#include "plan/need.h"

struct hole {
	uint64_t from, to; /* [from, to) */
	bool withheld;
};

struct holes {
	uint64_t repeat_to; /* up to here what was had before may come again, behind a gap */
	uint64_t lost;	    /* of holes that were given up */
	uint64_t restart;   /* next, from before it was away; STREAM_ANY: it was not */
	size_t n, cap;
	struct hole hole[];
};

/* Room for n more. */
static struct holes *stream_holes(struct stream *s, size_t n)
{
	struct holes *h = s->holes;
	size_t cap = h ? h->cap : 0;

	if (h && h->n + n <= cap)
		return h;
	cap = cap ? 2 * cap : 4;
	h = need(realloc(h, sizeof(*h) + cap * sizeof(h->hole[0])));
	if (!s->holes)
		*h = (struct holes){.restart = STREAM_ANY};
	h->cap = cap;
	s->holes = h;
	return h;
}

static void hole_insert(struct holes *h, size_t at, struct hole hole)
{
	memmove(&h->hole[at + 1], &h->hole[at], (h->n - at) * sizeof(hole));
	h->hole[at] = hole;
	h->n++;
}

static void hole_remove(struct holes *h, size_t at)
{
	h->n--;
	memmove(&h->hole[at], &h->hole[at + 1], (h->n - at) * sizeof(h->hole[0]));
}

static void stream_add_hole(struct stream *s, uint64_t from, uint64_t to, bool withheld)
{
	struct holes *h = stream_holes(s, 1);

	if (h->n >= STREAM_HOLES_MAX) {
		if (!h->hole[0].withheld)
			h->lost += h->hole[0].to - h->hole[0].from;
		hole_remove(h, 0);
	}
	h->hole[h->n++] = (struct hole){from, to, withheld};
}

/* The first hole that ends behind the number. */
static size_t find_hole(const struct holes *h, uint64_t number)
{
	size_t low = 0, high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->hole[middle].to <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Takes one number out of a hole. */
static void fill_hole(struct stream *s, size_t at, uint64_t number)
{
	struct holes *h = stream_holes(s, 1);
	struct hole *hole = &h->hole[at];
	struct hole rest = {number + 1, hole->to, hole->withheld};

	hole->to = number;
	if (rest.from < rest.to)
		hole_insert(h, at + 1, rest);
	if (h->hole[at].from == h->hole[at].to)
		hole_remove(h, at);
}

enum stream_got stream_take_odd(struct stream *s, uint64_t number, struct audit_counts *counts)
{
	struct holes *h = s->holes;
	bool withheld;
	size_t at;

	if (s->next == STREAM_ANY && h && h->restart != STREAM_ANY) {
		s->next = h->restart;
		h->restart = STREAM_ANY;
		if (number > s->next)
			stream_withhold(s, number - 1);
		h = s->holes;
	} else if (s->next == STREAM_ANY) {
		s->next = number;
	}
	if (number >= s->next) {
		if (number > s->next)
			stream_add_hole(s, s->next, number, false);
		s->next = number + 1;
		counts->delivered++;
		return STREAM_NEW;
	}
	at = h ? find_hole(h, number) : 0;
	if (h && at < h->n && h->hole[at].from <= number) {
		withheld = h->hole[at].withheld;
		fill_hole(s, at, number);
		counts->delivered++;
		/* What the server sends of a gap after all stands in its place. */
		if (withheld)
			return STREAM_NEW;
		counts->reordered++;
		return STREAM_LATE;
	}
	if (h && h->repeat_to >= s->next - 1)
		return STREAM_REPEAT;
	counts->duplicated++;
	return STREAM_AGAIN;
}

void stream_withhold(struct stream *s, uint64_t to)
{
	struct holes *h;

	if (s->next == STREAM_ANY)
		return;
	if (to >= s->next) {
		stream_add_hole(s, s->next, to + 1, true);
		s->next = to + 1;
	}
	h = stream_holes(s, 0);
	if (to > h->repeat_to)
		h->repeat_to = to;
}

void stream_restart(struct stream *s)
{
	if (s->next == STREAM_ANY)
		return;
	stream_holes(s, 0)->restart = s->next;
	s->next = STREAM_ANY;
}

bool stream_complete(const struct stream *s, uint64_t end)
{
	const struct holes *h = s->holes;

	if (s->next == STREAM_ANY)
		return !h || h->restart >= end;
	return s->next >= end && stream_missing(s) == 0;
}

uint64_t stream_missing(const struct stream *s)
{
	const struct holes *h = s->holes;
	uint64_t n = h ? h->lost : 0;

	for (size_t i = 0; h && i < h->n; i++)
		if (!h->hole[i].withheld)
			n += h->hole[i].to - h->hole[i].from;
	return n;
}

void stream_end(struct stream *s, uint64_t end, struct audit_counts *counts)
{
	struct holes *h = s->holes;

	if (s->next == STREAM_ANY && h && h->restart < end)
		counts->withheld += end - h->restart;
	counts->lost += stream_missing(s);
	for (size_t i = 0; h && i < h->n; i++)
		if (h->hole[i].withheld)
			counts->withheld += h->hole[i].to - h->hole[i].from;
	if (s->next != STREAM_ANY && end > s->next)
		counts->lost += end - s->next;
	free(s->holes);
	s->holes = NULL;
}

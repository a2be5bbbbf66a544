/* Places and areas: a record has a place where a rule of the keys table says so (keys.h), and the
 * cell that it lies in is all that is noted of it. Cells are squares; of each size there is one
 * grid. Pure. */
#ifndef HUB_AREA_H
#define HUB_AREA_H

#include <stdbool.h>
#include <stdint.h>

#define AREA_GRIDS 4 /* sizes of cells that a process knows */
#define AREA_REACH                                                                    \
	16383 /* cells from the middle of a grid; what lies beyond is in the last one \
	       */

/* A cell: the grid, and its two coordinates. And: */
#define AREA_ANYWHERE 0U /* has no place: concerns everybody */
#define AREA_NOWHERE 1U	 /* was not there at all */

/* The sizes, in the order in which they came up. Zeroed at the start; once it is fixed, none is
 * added. */
struct area_grids {
	double size[AREA_GRIDS];
	unsigned n;
	bool fixed;
};

/* The grid with cells of that size, positive and finite: its number, or -1 where it is another
 * one, and there are AREA_GRIDS already or they are fixed. */
int area_grid(struct area_grids *grids, double size);

/* The cell of a place. NaN is in the middle. */
uint32_t area_cell(const struct area_grids *grids, unsigned grid, double x, double y);

/* Cells of one grid, both ends included, 1 to 2 * AREA_REACH + 1; none where x1 is 0. */
struct area_rect {
	uint16_t x0, x1, y0, y1;
};

/* What a member wants: a rectangle of each grid. */
struct area {
	struct area_rect rect[AREA_GRIDS];
};

/* All cells that are no further from that of (x, y) than those which r reaches: r / size, rounded
 * up, in each direction. Members whose centres are in the same cell want the same. */
void area_around(const struct area_grids *grids, double x, double y, double r, struct area *out);

static inline bool area_has(const struct area *a, uint32_t cell)
{
	const struct area_rect *r = &a->rect[cell >> 30];
	uint32_t x = cell >> 15 & 0x7fff, y = cell & 0x7fff;

	return x >= r->x0 && x <= r->x1 && y >= r->y0 && y <= r->y1;
}

bool area_same(const struct area *a, const struct area *b);

/* How many cells they are, of all grids. */
uint64_t area_count(const struct area *a);

/* Goes over the cells: *at is 0 before the first one. AREA_ANYWHERE: that was the last. */
uint32_t area_next(const struct area *a, uint64_t *at);

#endif

/* Cells are numbered from 1 in both directions, so that no cell is AREA_ANYWHERE or AREA_NOWHERE.
 */
#include "json/area.h"

#include <math.h>
#include <string.h>

#define MIDDLE (AREA_REACH + 1)

int area_grid(struct area_grids *grids, double size)
{
	unsigned n = grids->n, i = 0;

	while (i < n && !(grids->size[i] >= size && grids->size[i] <= size))
		i++;
	if (i < n)
		return (int)i;
	if (n == AREA_GRIDS || grids->fixed)
		return -1;
	grids->size[n] = size;
	grids->n++;
	return (int)n;
}

/* The number of the cell along one axis, not bounded yet. */
static double along(double at, double size)
{
	double cell = floor(at / size);

	return isnan(cell) ? 0 : cell;
}

static uint16_t bounded(double cell)
{
	if (cell > AREA_REACH)
		return MIDDLE + AREA_REACH;
	if (cell < -AREA_REACH)
		return MIDDLE - AREA_REACH;
	return (uint16_t)((int)cell + MIDDLE);
}

uint32_t area_cell(const struct area_grids *grids, unsigned grid, double x, double y)
{
	double size = grids->size[grid];

	return grid << 30 | (uint32_t)bounded(along(x, size)) << 15 | bounded(along(y, size));
}

void area_around(const struct area_grids *grids, double x, double y, double r, struct area *out)
{
	*out = (struct area){0};
	for (unsigned i = 0; i < grids->n; i++) {
		double size = grids->size[i], reach = ceil(r / size);
		double cx = along(x, size), cy = along(y, size);

		out->rect[i] = (struct area_rect){bounded(cx - reach), bounded(cx + reach),
						  bounded(cy - reach), bounded(cy + reach)};
	}
}

bool area_same(const struct area *a, const struct area *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint64_t cells_of(const struct area_rect *r)
{
	return r->x1 ? (uint64_t)(r->x1 - r->x0 + 1) * (uint64_t)(r->y1 - r->y0 + 1) : 0;
}

uint64_t area_count(const struct area *a)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < AREA_GRIDS; i++)
		n += cells_of(&a->rect[i]);
	return n;
}

uint32_t area_next(const struct area *a, uint64_t *at)
{
	uint64_t k = (*at)++;

	for (uint32_t i = 0; i < AREA_GRIDS; i++) {
		const struct area_rect *r = &a->rect[i];
		uint64_t n = cells_of(r);
		uint32_t width = (uint32_t)(r->x1 - r->x0 + 1);

		if (k < n)
			return i << 30 | (uint32_t)(r->x0 + k % width) << 15 |
			       (uint32_t)(r->y0 + k / width);
		k -= n;
	}
	return AREA_ANYWHERE;
}

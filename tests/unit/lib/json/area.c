/* Places and the cells that they are in, and areas of them. */
#include "json/area.h"

#include <math.h>

#include "unit.h"

static void grids_are_one_for_each_size(void **state)
{
	struct area_grids g = {0};

	(void)state;
	assert_int_equal(area_grid(&g, 10), 0);
	assert_int_equal(area_grid(&g, 2.5), 1);
	assert_int_equal(area_grid(&g, 10), 0);
	assert_int_equal(area_grid(&g, 3), 2);
	g.fixed = true;
	assert_int_equal(area_grid(&g, 3), 2);
	assert_int_equal(area_grid(&g, 4), -1);
	g.fixed = false;
	assert_int_equal(area_grid(&g, 4), 3);
	assert_int_equal(area_grid(&g, 5), -1);
	assert_int_equal(g.n, AREA_GRIDS);
}

static void places_have_cells(void **state)
{
	struct area_grids g = {0};
	static const double far[] = {1e300, INFINITY, 16383 * 10.0, 16384 * 10.0};

	(void)state;
	area_grid(&g, 10);
	area_grid(&g, 1);
	assert_int_equal(area_cell(&g, 0, 0, 0), area_cell(&g, 0, 9.99, 9.99));
	assert_int_not_equal(area_cell(&g, 0, 0, 0), area_cell(&g, 0, 10, 0));
	assert_int_not_equal(area_cell(&g, 0, 0, 0), area_cell(&g, 0, 0, 10));
	assert_int_not_equal(area_cell(&g, 0, 0, 0), area_cell(&g, 0, -0.01, 0));
	assert_int_not_equal(area_cell(&g, 0, 0, 0), area_cell(&g, 1, 0, 0));
	assert_int_equal(area_cell(&g, 0, NAN, 5), area_cell(&g, 0, 5, NAN));
	assert_int_equal(area_cell(&g, 0, NAN, NAN), area_cell(&g, 0, 0, 0));
	/* What lies beyond is in the last one, and no cell is that of what has no place. */
	for (unsigned i = 0; i < UNIT_COUNT(far); i++) {
		assert_int_equal(area_cell(&g, 0, far[i], 0), area_cell(&g, 0, 163839, 0));
		assert_int_equal(area_cell(&g, 0, -far[i] - 1, 0), area_cell(&g, 0, -1e9, 0));
		assert_true(area_cell(&g, 0, -far[i], -far[i]) > AREA_NOWHERE);
	}
}

static void areas_are_squares_of_cells(void **state)
{
	struct area_grids g = {0};
	struct area a, b;

	(void)state;
	area_grid(&g, 10);
	area_around(&g, 25, 35, 10, &a);
	assert_int_equal(area_count(&a), 9);
	for (int x = -100; x < 200; x += 5)
		for (int y = -100; y < 200; y += 5)
			assert_int_equal(area_has(&a, area_cell(&g, 0, x, y)),
					 x >= 10 && x < 40 && y >= 20 && y < 50);
	/* From anywhere in the cell. */
	area_around(&g, 20, 39, 10, &b);
	assert_true(area_same(&a, &b));
	area_around(&g, 19.9, 39, 10, &b);
	assert_false(area_same(&a, &b));
	area_around(&g, 25, 35, 10.1, &b);
	assert_int_equal(area_count(&b), 25);
	area_around(&g, 25, 35, 0, &b);
	assert_int_equal(area_count(&b), 1);
	/* No place is in none. */
	assert_false(area_has(&a, AREA_ANYWHERE));
	assert_false(area_has(&a, AREA_NOWHERE));
	/* All there is, and its edge. */
	area_around(&g, 0, 0, 1e12, &b);
	assert_int_equal(area_count(&b), 32767ULL * 32767);
	assert_true(area_has(&b, area_cell(&g, 0, 1e12, -1e12)));
	area_around(&g, 1e12, 1e12, 10, &b);
	assert_int_equal(area_count(&b), 1);
	assert_true(area_has(&b, area_cell(&g, 0, 1e9, 1e9)));
}

/* Each once, of all grids. */
static void cells_are_gone_over(void **state)
{
	struct area_grids g = {0};
	struct area a;
	uint64_t at = 0, n = 0;
	uint32_t cell, before = 0;

	(void)state;
	area_grid(&g, 10);
	area_grid(&g, 4);
	area_around(&g, -3, 700, 15, &a);
	assert_int_equal(area_count(&a), 5 * 5 + 9 * 9);
	while ((cell = area_next(&a, &at)) != AREA_ANYWHERE) {
		assert_true(area_has(&a, cell));
		assert_int_not_equal(cell, before);
		before = cell;
		n++;
	}
	assert_int_equal(n, area_count(&a));
	a = (struct area){0};
	at = 0;
	assert_int_equal(area_next(&a, &at), AREA_ANYWHERE);
	assert_int_equal(area_count(&a), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grids_are_one_for_each_size),
	    cmocka_unit_test(places_have_cells),
	    cmocka_unit_test(areas_are_squares_of_cells),
	    cmocka_unit_test(cells_are_gone_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("area", tests, NULL, NULL);
}

#include "dialect/wish.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/json_walk.h"

/* A glob of types as written. */
static int add_type(struct select_wish *wish, bool first, const struct json_item *item)
{
	char room[ENVELOPE_TYPE_MAX + 2];
	int n = item->type == JSON_STRING ? json_item_text(item, room, sizeof(room)) : -EINVAL;

	if (n < 0)
		return -EINVAL;
	return first ? select_first(wish, (struct span){room, (size_t)n})
		     : select_type(wish, (struct span){room, (size_t)n});
}

static bool read_types(const char *text, const struct json_member *f, bool first,
		       struct select_wish *wish)
{
	struct json_walk walk;
	struct json_item item;

	if (f->type == JSON_NONE)
		return true;
	if (f->type == JSON_ARRAY) {
		json_walk_begin(&walk, text + f->start, f->end - f->start);
		while (json_walk_next(&walk, &item))
			if (add_type(wish, first, &item) < 0)
				return false;
		return first ? wish->first.list.n > 0 : wish->in.list.n || wish->out.list.n;
	}
	item = (struct json_item){.value = text + f->start,
				  .len = f->end - f->start,
				  .type = (enum json_type)f->type,
				  .escaped = f->escaped};
	return add_type(wish, first, &item) == 0;
}

static bool read_tick(const char *text, const struct json_member *f, uint32_t *out)
{
	if (f->type == JSON_NONE)
		return true;
	if (f->type != JSON_NUMBER || f->end - f->start > 5)
		return false;
	for (uint32_t i = f->start; i < f->end; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = 10 * *out + (uint32_t)(text[i] - '0');
	}
	return *out <= SELECT_TICK_MAX;
}

static bool read_flag(const struct json_member *f, bool *out)
{
	*out = f->type == JSON_TRUE;
	return *out || f->type == JSON_FALSE || f->type == JSON_NONE;
}

static bool read_fields(const char *text, const struct json_member *f, struct select_wish *wish)
{
	static const char compact[] = "\"compact\"";

	wish->compact = f->end - f->start == sizeof(compact) - 1 &&
			memcmp(text + f->start, compact, sizeof(compact) - 1) == 0;
	return f->type == JSON_NONE || (wish->compact && wish->batch);
}

#define AREA_FORM "area must be {x, y, r} or {x, z, r}: numbers, and r not below 0"

const char *wish_area(struct span value, const struct area_grids *grids, struct area *out)
{
	double x = 0, y = 0, r = -1;
	unsigned seen = 0;
	struct json_walk walk;
	struct json_item item;

	if (json_type_of(*value.p) != JSON_OBJECT)
		return AREA_FORM;
	json_walk_begin(&walk, value.p, value.len);
	while (json_walk_next(&walk, &item)) {
		unsigned which = json_item_is(&item, "x")   ? 1
				 : json_item_is(&item, "y") ? 2
				 : json_item_is(&item, "z") ? 2
				 : json_item_is(&item, "r") ? 4
							    : 8;

		/* Behind the number stands what ends it. */
		if (which < 8 && ((seen & which) || item.type != JSON_NUMBER))
			return AREA_FORM;
		seen |= which;
		if (which < 8)
			*(which == 1 ? &x : which == 2 ? &y : &r) = strtod(item.value, NULL);
	}
	if ((seen & 7) != 7 || !(r >= 0) || !isfinite(x) || !isfinite(y) || !isfinite(r))
		return AREA_FORM;
	area_around(grids, x, y, r, out);
	return NULL;
}

static const char *read_area(const char *text, const struct json_member *f,
			     const struct area_grids *grids, struct select_wish *wish)
{
	if (f->type == JSON_NONE)
		return NULL;
	wish->in_area = grids->n > 0;
	return wish_area((struct span){text + f->start, f->end - f->start}, grids, &wish->area);
}

const char *wish_read(const char *text, const struct json_member f[WISH_N],
		      const struct area_grids *grids, struct select_wish *wish)
{
	if (!read_tick(text, &f[WISH_TICK], &wish->tick_ms))
		return "tick must be a whole number of milliseconds, 0 to 60000";
	if (!read_flag(&f[WISH_BATCH], &wish->batch))
		return "batch must be true or false";
	if (!read_flag(&f[WISH_CONFLATE], &wish->conflate))
		return "conflate must be true or false";
	if (!read_types(text, &f[WISH_TYPES], false, wish))
		return "types must be a pattern of types, with ! before it of those that are not "
		       "wanted, or an array of 1 to 64 of each";
	if (!read_types(text, &f[WISH_PRIORITY], true, wish))
		return "priority must be a pattern of types, or an array of 1 to 64 of them";
	if (!read_fields(text, &f[WISH_FIELDS], wish))
		return "fields must be \"compact\", and goes with batch";
	if (!read_flag(&f[WISH_DELTA], &wish->delta) || (wish->delta && !wish->batch))
		return "delta must be true or false, and goes with batch";
	return read_area(text, &f[WISH_AREA], grids, wish);
}

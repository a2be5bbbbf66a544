#include "dialect/wish.h"

#include <errno.h>
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

const char *wish_read(const char *text, const struct json_member f[WISH_N],
		      struct select_wish *wish)
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
	return NULL;
}

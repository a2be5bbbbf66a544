/* What a client says of the records that it wants, hub(7), in any dialect that is JSON. */
#ifndef HUBD_WISH_H
#define HUBD_WISH_H

#include "json/json.h"
#include "member/select.h"

/* The members of an object that say it, in this order. */
#define WISH_NAMES "types", "tick", "batch", "conflate", "fields", "priority", "area", "delta"
enum wish_field {
	WISH_TYPES,
	WISH_TICK,
	WISH_BATCH,
	WISH_CONFLATE,
	WISH_FIELDS,
	WISH_PRIORITY,
	WISH_AREA,
	WISH_DELTA,
	WISH_N
};

/* Reads them out of text. Returns NULL, or what is wrong; select_wish_free() in any case. Where
 * grids has no cells nothing has a place, and an area is all. */
const char *wish_read(const char *text, const struct json_member f[WISH_N],
		      const struct area_grids *grids, struct select_wish *wish);

/* The cells of an area, {x, y, r} or {x, z, r}. Returns NULL, or what is wrong. */
const char *wish_area(struct span value, const struct area_grids *grids, struct area *out);

#endif

/* Going over the members of an object, or the elements of an array, of a text that json_scan()
 * accepted: for texts whose names are not known before, off the hot path. Pure, no allocation. */
#ifndef HUB_JSON_WALK_H
#define HUB_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "json/json.h"

/* One member or element; all of it borrows the text. */
struct json_item {
	const char *name; /* behind its opening quote, as written; NULL in an array */
	size_t name_len;
	bool name_escaped;
	const char *value; /* quotes and brackets included */
	size_t len;
	enum json_type type;
	bool escaped; /* a string with a backslash in it */
};

struct json_walk {
	const char *p, *end;
	bool object;
};

/* Begins with a value that is an object or an array, text pointing at its bracket. */
void json_walk_begin(struct json_walk *w, const char *text, size_t len);

/* The next one; false at the end. */
bool json_walk_next(struct json_walk *w, struct json_item *item);

/* True where the member's name, unescaped, is this one. */
bool json_item_is(const struct json_item *item, const char *name);

/* The value, a string, unescaped: as json_unescape(). */
int json_item_text(const struct json_item *item, char *out, size_t cap);

#define JSON_UNIQUE_MAX 256 /* members of one object */

/* Whether no object in a text that json_scan() accepted, len bytes without white space around it,
 * has two members of one name (as they read after unescaping), or more than JSON_UNIQUE_MAX
 * members, or a name that is no Unicode text. Work is bounded by len and JSON_UNIQUE_MAX. */
bool json_unique(const char *text, size_t len);

#endif

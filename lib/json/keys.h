/* Which messages are a session's state: a table of types and of where in a message its key stands.
 */
#ifndef HUB_KEYS_H
#define HUB_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "json/area.h"
#include "json/envelope.h"

#define KEYS_MAX JSON_PATHS_MAX /* rules of a table */
#define KEYS_AREAS_MAX 16	/* that say where the place of a record stands */

struct keys;

enum key_rule {
	KEY_NONE,   /* not state */
	KEY_SET,    /* replaces the record of the same key and type */
	KEY_OWN,    /* the same, and goes with its sender */
	KEY_DELETE, /* drops all records of the key */
	KEY_BAD,    /* should have a key, but not that one: too long, or half a surrogate pair */
};

/* The built-in table: the families of messages that virtual worlds use (hub(7)). NULL: no memory.
 */
struct keys *keys_default(void);

/* A table from a file of `type-glob path [delete|own]` lines: a glob as of fnmatch(3), with |
 * between several; a path of names with dots, or - where the type alone is the key; # begins a
 * comment. And of `area type-glob path path size` lines: where the two coordinates of a record's
 * place are, and the size of the cells that it is in. Returns NULL with what is wrong in why
 * (FILE:LINE: ...). */
struct keys *keys_load(const char *file, char *why, size_t cap);

/* Adds what `type-glob=path,path,size` says of places. Returns NULL, or what is wrong with it. */
const char *keys_add_area(struct keys *keys, const char *text);

/* Whether records have places by it. */
bool keys_have_areas(const struct keys *keys);

/* Of a table that is complete: which grids its sizes are of. Returns 0, or -E2BIG: they are too
 * many, or others than those that are fixed. Borrows grids. */
int keys_set_grids(struct keys *keys, struct area_grids *grids);

void keys_free(struct keys *keys); /* NULL is fine */

/* The type that deletes its `key`, whatever the table says: the hub's own, when state ends. */
#define KEYS_DELETED "state_deleted"

/* What e is to the state. The first rule whose glob matches counts; the sender's own `key` goes
 * before the one at the path. Sets *key (of at most ENVELOPE_KEY_MAX bytes; it may lie in room) for
 * all but KEY_NONE and KEY_BAD, and *written to the JSON value in e->text that it was read from (a
 * string with its quotes, a number, true or false; empty where the type alone is the key), and
 * *cell, where it is not NULL, to where the record is: area.h. Borrows e. */
enum key_rule keys_find(const struct keys *keys, const struct envelope *e,
			char room[ENVELOPE_KEY_MAX], struct span *key, struct span *written,
			uint32_t *cell);

/* The cell of a record that was checked before; its type is unescaped. */
uint32_t keys_cell(const struct keys *keys, struct span type, const char *text, size_t len);

/* The key in such a value, in place or in room. False where it is none. */
bool keys_value(struct span written, char room[ENVELOPE_KEY_MAX], struct span *key);

#endif

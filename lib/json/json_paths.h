/* The compiled form of json_paths, a trie of names: for the scanner's own files alone. */
#ifndef HUB_JSON_PATHS_H
#define HUB_JSON_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/json.h"

#define JSON_SLOTS 32

/* A name at its place. Node 0 is the top and stands for the whole text. */
struct json_node {
	uint64_t head;	/* the first eight bytes of the name, the first one lowest, zeroes behind */
	uint64_t below; /* the paths that lead through this node to others */
	const char *name; /* in the set's own memory; never empty but at the top */
	size_t len;
	uint32_t next;	/* the next node with the same parent and slot; 0 ends the list */
	uint32_t up;	/* the parent; the top is its own */
	uint32_t level; /* how many containers are around the members of this node's value */
	int32_t path;	/* the path that ends here; -1 for none */
	uint32_t slot[JSON_SLOTS]; /* the first child of each slot; 0 for none */
};

struct json_paths {
	size_t n;
	bool aliases;		      /* some paths are given twice */
	uint8_t same[JSON_PATHS_MAX]; /* the first path that is equal to this one, often itself */
	char *names;
	uint32_t nnodes;
	struct json_node nodes[];
};

/* The slot of names that start with this byte: letters of one case never collide. */
static inline unsigned json_slot(unsigned char c)
{
	return c % JSON_SLOTS;
}

/* The child of in with that name, which has escapes in it, len bytes without its quotes; or NULL.
 */
const struct json_node *json_paths_find_escaped(const struct json_paths *paths,
						const struct json_node *in,
						const unsigned char *name, size_t len);

/* Gives each repeated path what its first one found. */
void json_paths_copy_aliases(const struct json_paths *paths, struct json_member *members);

#endif

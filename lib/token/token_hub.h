/* The claim `hub`: what its owner may in a hub, as hubd(8) says. Pure. */
#ifndef HUB_TOKEN_HUB_H
#define HUB_TOKEN_HUB_H

#include <stdbool.h>

#include "json/json_walk.h"

#define TOKEN_HUB_GLOBS 64     /* in one list */
#define TOKEN_HUB_GLOB_MAX 160 /* bytes of one, unescaped */
#define TOKEN_HUB_RATE_MAX 1e6

enum token_hub_list { TOKEN_HUB_JOIN, TOKEN_HUB_PUBLISH, TOKEN_HUB_READ, TOKEN_HUB_TYPES };

#define TOKEN_HUB_LISTS 4

struct token_hub {
	bool given; /* else there is no such claim */
	bool presence, admin;
	double rate;				/* messages a second; 0: it does not say */
	struct json_item list[TOKEN_HUB_LISTS]; /* arrays of strings; value NULL: it has none */
};

/* Reads it; borrows the text. Returns NULL, or which part of it is not of its form: "hub.join". */
const char *token_hub_read(struct token_hub *hub, const struct json_item *claim);

#endif

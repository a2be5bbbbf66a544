/* Members that are not known are for later hubs. */
#include "token/token_hub.h"

#include <stdlib.h>
#include <string.h>

static const char *const list_names[TOKEN_HUB_LISTS] = {"hub.join", "hub.publish", "hub.read",
							"hub.types"};

#define PREFIX 4 /* "hub." */

static bool read_list(struct json_item *out, const struct json_item *list)
{
	char glob[TOKEN_HUB_GLOB_MAX];
	struct json_walk w;
	struct json_item item;
	unsigned n = 0;

	*out = *list;
	if (list->type != JSON_ARRAY)
		return false;
	json_walk_begin(&w, list->value, list->len);
	while (json_walk_next(&w, &item))
		if (++n > TOKEN_HUB_GLOBS || item.type != JSON_STRING ||
		    json_item_text(&item, glob, sizeof(glob)) < 0)
			return false;
	return true;
}

static bool read_bool(bool *out, const struct json_item *item)
{
	*out = item->type == JSON_TRUE;
	return *out || item->type == JSON_FALSE;
}

static bool read_rate(double *out, const struct json_item *item)
{
	char text[32];

	if (item->type != JSON_NUMBER || item->len >= sizeof(text))
		return false;
	memcpy(text, item->value, item->len);
	text[item->len] = '\0';
	*out = strtod(text, NULL);
	return *out > 0 && *out <= TOKEN_HUB_RATE_MAX;
}

static const char *read_member(struct token_hub *hub, const struct json_item *item)
{
	if (json_item_is(item, "presence"))
		return read_bool(&hub->presence, item) ? NULL : "hub.presence";
	if (json_item_is(item, "admin"))
		return read_bool(&hub->admin, item) ? NULL : "hub.admin";
	if (json_item_is(item, "rate"))
		return read_rate(&hub->rate, item) ? NULL : "hub.rate";
	for (int i = 0; i < TOKEN_HUB_LISTS; i++)
		if (json_item_is(item, list_names[i] + PREFIX))
			return read_list(&hub->list[i], item) ? NULL : list_names[i];
	return NULL;
}

const char *token_hub_read(struct token_hub *hub, const struct json_item *claim)
{
	const char *wrong = NULL;
	struct json_walk w;
	struct json_item item;

	*hub = (struct token_hub){.given = true};
	if (claim->type != JSON_OBJECT)
		return "hub";
	json_walk_begin(&w, claim->value, claim->len);
	while (!wrong && json_walk_next(&w, &item))
		wrong = read_member(hub, &item);
	return wrong;
}

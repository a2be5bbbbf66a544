/* What all handlers of messages need: the fields, the seat, the answer that says no. */
#include <stdio.h>

#include "dialect/hub7_impl.h"
#include "json/json.h"

#define WHY_MAX 256 /* bytes of an error's message */

static const char *const field_names[HUB7_FIELDS] = {
    "echo",	"since",   "epoch",   "resume",	   "rest",	 "run",	   "ahead",
    WISH_NAMES, "ordered", "ping_id", "timestamp", "js_version", "record", "token"};

struct json_paths *hub7_fields(void)
{
	return json_paths_new(field_names, HUB7_FIELDS);
}

void hub7_read_fields(struct conn *c, const struct envelope *e, struct json_member f[HUB7_FIELDS])
{
	struct json_scan scan;

	json_scan(c->worker->hub7->fields, e->text, e->len, f, &scan);
}

enum hub_code hub7_fail(struct conn *c, const struct envelope *e, enum hub_code code,
			const char *message)
{
	conn_error(c, code, message, e->msg_id);
	return code;
}

struct seat *hub7_seat(struct conn *c, const struct envelope *e, enum hub_code *code)
{
	struct seat *seat = seat_find(c, e->session_id);
	char why[WHY_MAX];

	if (seat)
		return seat;
	if (!e->session_id.p) {
		*code = hub7_fail(c, e, HUB_NO_SESSION,
				  "no session_id, and this connection has joined no session");
		return NULL;
	}
	snprintf(why, sizeof(why), "this connection has not joined session %.*s",
		 (int)e->session_id.len, e->session_id.p);
	*code = hub7_fail(c, e, HUB_NOT_MEMBER, why);
	return NULL;
}

/* What operators ask by messages. */
#include <string.h>

#include "dialect/hub7_impl.h"
#include "dialect/kept.h"
#include "dialect/steering.h"
#include "json/json_walk.h"

static void answer(struct conn *c, const struct steering *st, const struct steer_result *result)
{
	const struct session_env *env = c->worker->members->registry->env;
	struct buf *b;

	if (result->code != HUB_OK) {
		conn_error(c, result->code, result->why,
			   (struct span){st->msg_id_len ? st->msg_id : NULL, st->msg_id_len});
		return;
	}
	b = worker_scratch(c->worker);
	conn_send_scratch(c, b, steering_answer(b, env, st, result));
}

static enum steer_verb verb_of(struct span type)
{
	static const char *const types[STEER_VERBS] = {
	    [STEER_CONNECTIONS] = "connection_list",
	    [STEER_CLOSE] = "connection_close",
	    [STEER_BANS] = "ban_list",
	    [STEER_BAN] = "ban_add",
	    [STEER_UNBAN] = "ban_remove",
	    [STEER_DELETE] = "session_delete",
	    [STEER_LIMIT] = "session_limit",
	};
	unsigned verb = 0;

	while (strlen(types[verb]) != type.len || memcmp(types[verb], type.p, type.len) != 0)
		verb++;
	return (enum steer_verb)verb;
}

/* Those of any message. */
static bool is_envelopes(struct span name)
{
	static const char *const names[] = {"type", "msg_id", "timestamp", "from",
					    "seq",  "key",    "to",	   "record"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == name.len && memcmp(names[i], name.p, name.len) == 0)
			return true;
	return false;
}

static const char *read_item(struct steering_reading *r, const struct json_item *item)
{
	struct span name = {item->name, item->name_len};
	bool number = item->type == JSON_NUMBER;
	char text[STEERING_VALUE_MAX];
	int n;

	if (is_envelopes(name))
		return NULL;
	if (number)
		return steering_field(r, name, (struct span){item->value, item->len}, true, false);
	n = item->type == JSON_STRING ? json_item_text(item, text, sizeof(text)) : 0;
	if (item->type != JSON_STRING || n < 0) /* neither, or too long for any */
		return steering_field(r, name, (struct span){text, 0}, false, n < 0);
	return steering_field(r, name, (struct span){text, (size_t)n}, false, true);
}

enum hub_code hub7_on_steer(struct conn *c, const struct envelope *e)
{
	struct steering_reading r;
	const char *why = NULL;
	struct json_walk w;
	struct json_item item;
	enum hub_code code = member_may(c, RIGHT_ADMIN, (struct span){0}, (struct span){0}, &why);

	if (code != HUB_OK)
		return hub7_fail(c, e, code,
				 conn_identity(c) ? why
						  : "the right admin is for clients on the hub's "
						    "Unix socket, or of a token that gives it");
	steering_begin(&r, verb_of(e->type));
	json_walk_begin(&w, e->text, e->len);
	why = NULL;
	while (!why && json_walk_next(&w, &item))
		why = read_item(&r, &item);
	if (!why)
		why = steering_end(&r);
	if (why)
		return hub7_fail(c, e, HUB_BAD_FIELD, why);
	if (e->msg_id.p && e->msg_id.len <= sizeof(r.st.msg_id)) {
		r.st.msg_id_len = (uint16_t)e->msg_id.len;
		memcpy(r.st.msg_id, e->msg_id.p, e->msg_id.len);
	}
	r.st.done = answer;
	r.st.put_kept = kept_put;
	r.st.put_ended = kept_put_ended;
	steer(c, &r.st);
	return HUB_OK;
}

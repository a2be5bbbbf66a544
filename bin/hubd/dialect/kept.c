/* Invariant: what kept_put() has written steering_field() reads. */
#include "dialect/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/json_walk.h"
#include "session/limits.h"
#include "wire/id.h"

#define ENDED "{\"ended_ms\":" /* so it begins, and nothing else does */

static int put_limits(struct buf *b, const struct whom *w, const struct session_limits *limits)
{
	struct session_limits l = *limits;
	int r = buf_printf(b, "{\"session_id\":\"%.*s\"", (int)w->session_len, w->session);

	for (int i = 0; r == 0 && i < STEER_LIMITS; i++) {
		int64_t n = *steer_limit_of(&l, (enum steer_limit)i);

		if (n != SESSION_USUAL)
			r = buf_printf(b, ",\"%s\":%jd", steer_limit_name((enum steer_limit)i),
				       (intmax_t)n);
	}
	return r == 0 ? buf_puts(b, "}") : r;
}

#define CLOSE "{\"code\":" /* so it begins, and nothing else does */

static int put_string(struct buf *b, const char *name, const char *text, size_t len)
{
	int r = len ? buf_printf(b, ",\"%s\":", name) : 0;

	return r == 0 && len ? buf_put_json(b, text, len) : r;
}

/* What is meant, and the end of it. */
static int put_whom(struct buf *b, const struct whom *w)
{
	char network[NETWORK_TEXT] = "", id[ID_LEN + 1] = "";
	int r;

	if (w->has_client)
		id_text(w->client, id);
	if (w->has_network)
		network_text(&w->network, network);
	r = put_string(b, "client_id", id, strlen(id));
	if (r == 0)
		r = put_string(b, "user", w->user.text, w->user.len);
	if (r == 0)
		r = put_string(b, "jti", w->jti.text, w->jti.len);
	if (r == 0)
		r = put_string(b, "address", network, strlen(network));
	if (r == 0)
		r = put_string(b, "session_id", w->session, w->session_len);
	return r == 0 ? buf_puts(b, "}") : r;
}

/* As it was asked for. */
static int put_close(struct buf *b, const struct steering *st)
{
	int r = buf_printf(b, CLOSE "%d", (int)st->code);

	if (r == 0)
		r = put_string(b, "reason", st->reason, strlen(st->reason));
	return r == 0 ? put_whom(b, &st->whom) : r;
}

static int put_list(struct buf *b, const struct steering *st)
{
	int r = buf_printf(b, "{\"limit\":%u,\"after\":\"%u-%ju\"", st->max, st->from_worker,
			   (uintmax_t)st->from);

	return r == 0 ? put_whom(b, &st->whom) : r;
}

int kept_put(struct buf *name, struct buf *value, const struct steering *st,
	     const struct session_limits *limits)
{
	static const char *const kinds[] = {[BAN_ADDRESS] = "ban address ",
					    [BAN_USER] = "ban user ",
					    [BAN_TOKEN] = "ban token ",
					    [BAN_ISSUED] = "ban issued "};
	const struct whom *w = &st->whom;
	struct ban_listed ban = {.whom = *w};
	const struct token_text *text = w->jti.len ? &w->jti : &w->user;
	char network[NETWORK_TEXT];
	int r;

	if (st->verb == STEER_CONNECTIONS)
		return put_list(value, st);
	if (st->verb == STEER_CLOSE) {
		r = buf_puts(name, "close");
		return r == 0 ? put_close(value, st) : r;
	}
	if (st->verb == STEER_LIMIT) {
		r = buf_printf(name, "limits %.*s", (int)w->session_len, w->session);
		return r == 0 && session_is_limited(limits) ? put_limits(value, w, limits) : r;
	}
	r = buf_puts(name, kinds[bans_kind(w)]);
	if (r == 0 && w->has_network)
		r = buf_puts(name, network_text(&w->network, network));
	else if (r == 0)
		r = buf_put_json(name, text->text, text->len);
	return r == 0 && st->verb == STEER_BAN ? st->put_ban(value, &ban) : r;
}

int kept_put_ended(struct buf *name, struct buf *value, struct span user, const uint64_t *clients,
		   size_t n, uint64_t at_ms)
{
	char id[ID_LEN + 1];
	int r;

	/* A user's last one is all that counts. Of clients each order has its own: none is sent
	 * away twice. */
	if (user.len) {
		r = buf_puts(name, "ended user ");
		if (r == 0)
			r = buf_put_json(name, user.p, user.len);
	} else {
		id_text(n ? clients[0] : 0, id);
		r = buf_printf(name, "ended %ju %s", (uintmax_t)at_ms, id);
	}
	if (r == 0)
		r = buf_printf(value, ENDED "%ju", (uintmax_t)at_ms);
	if (r == 0 && user.len) {
		r = buf_puts(value, ",\"user\":");
		return r == 0 && (r = buf_put_json(value, user.p, user.len)) == 0
			   ? buf_puts(value, "}")
			   : r;
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		id_text(clients[i], id);
		r = buf_printf(value, "%s\"%s\"", i ? "," : ",\"clients\":[", id);
	}
	return r == 0 ? buf_puts(value, n ? "]}" : "}") : r;
}

static int read_clients(struct ended *ended, const struct json_item *list, uint64_t at_ms,
			uint64_t ttl_ms)
{
	struct json_walk w;
	struct json_item item;
	uint64_t client;

	if (list->type != JSON_ARRAY)
		return -EINVAL;
	json_walk_begin(&w, list->value, list->len);
	while (json_walk_next(&w, &item)) {
		if (item.type != JSON_STRING || item.len < 2 ||
		    !id_parse(item.value + 1, item.len - 2, &client))
			return -EINVAL;
		ended_client(ended, client, at_ms, ttl_ms);
	}
	return 1;
}

int kept_read_ended(struct ended *ended, struct span value, uint64_t ttl_ms)
{
	char user[TOKEN_SUB_MAX];
	struct json_scan scan;
	struct json_walk w;
	struct json_item item;
	uint64_t at_ms;
	int n;

	if (value.len < sizeof(ENDED) || memcmp(value.p, ENDED, sizeof(ENDED) - 1) != 0)
		return 0;
	if (json_scan(NULL, value.p, value.len, NULL, &scan) != JSON_OK)
		return -EINVAL;
	json_walk_begin(&w, value.p, scan.end);
	json_walk_next(&w, &item);
	at_ms = strtoull(item.value, NULL, 10);
	if (!json_walk_next(&w, &item))
		return -EINVAL;
	if (json_item_is(&item, "clients"))
		return read_clients(ended, &item, at_ms, ttl_ms);
	n = item.type == JSON_STRING ? json_item_text(&item, user, sizeof(user)) : -1;
	if (!json_item_is(&item, "user") || n <= 0)
		return -EINVAL;
	ended_user(ended, (struct span){user, (size_t)n}, at_ms, ttl_ms);
	return 1;
}

/* All fields of a value, of one verb; of STEER_BAN that may turn out to be STEER_LIMIT. */
static bool read_order(struct steering *st, enum steer_verb verb, struct span value)
{
	struct steering_reading r;
	struct json_scan scan;
	struct json_walk w;
	struct json_item item;
	const char *why = NULL;
	char text[STEERING_VALUE_MAX];

	if (json_scan(NULL, value.p, value.len, NULL, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return false;
	json_walk_begin(&w, value.p + scan.start, scan.end - scan.start);
	steering_begin(&r, verb);
	while (!why && json_walk_next(&w, &item)) {
		bool number = item.type == JSON_NUMBER;
		int n = number ? 0 : json_item_text(&item, text, sizeof(text));

		if (verb == STEER_BAN && !r.seen && json_item_is(&item, "session_id"))
			r.st.verb = STEER_LIMIT;
		if (n < 0 || (!number && item.type != JSON_STRING))
			return false;
		why = steering_field(&r, (struct span){item.name, item.name_len},
				     number ? (struct span){item.value, item.len}
					    : (struct span){text, (size_t)n},
				     number, !number);
	}
	if (!why)
		why = steering_end(&r);
	*st = r.st;
	return !why;
}

bool kept_read(struct steering *st, struct span value)
{
	return read_order(st, STEER_BAN, value);
}

bool kept_read_close(struct steering *st, struct span value)
{
	return value.len > sizeof(CLOSE) && memcmp(value.p, CLOSE, sizeof(CLOSE) - 1) == 0 &&
	       read_order(st, STEER_CLOSE, value);
}

bool kept_read_list(struct steering *st, struct span value)
{
	return read_order(st, STEER_CONNECTIONS, value);
}

/* One field, as steering has it. */
static bool read_field(struct steering_reading *r, const char *name, struct span value)
{
	return !steering_field(r, (struct span){name, strlen(name)}, value, false, true);
}

bool kept_read_name(struct steering *st, struct span name)
{
	static const struct {
		const char *kind, *field;
	} kinds[] = {{"ban address ", "address"},
		     {"ban user ", "user"},
		     {"ban token ", "jti"},
		     {"ban issued ", NULL}};
	struct steering_reading r;
	char text[STEERING_VALUE_MAX];
	size_t i = 0, n = 0;
	int len;

	for (; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n = strlen(kinds[i].kind);
		if (name.len > n && memcmp(name.p, kinds[i].kind, n) == 0)
			break;
	}
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return false;
	name = (struct span){name.p + n, name.len - n};
	steering_begin(&r, STEER_UNBAN);
	if (*name.p == '"') {
		len = json_unescape(name.p + 1, name.len - 2, text, sizeof(text));
		if (len < 0)
			return false;
		name = (struct span){text, (size_t)len};
	}
	if (!kinds[i].field) {
		r.st.whom.has_issued = true; /* which moment does not matter */
		if (name.len && !read_field(&r, "user", name))
			return false;
	} else if (!read_field(&r, kinds[i].field, name)) {
		return false;
	}
	*st = r.st;
	return !steering_end(&r);
}

bool kept_read_gone(struct steering *st, struct span value, size_t i)
{
	struct steering_reading r;
	struct json_scan scan;
	struct json_walk w, list;
	struct json_item item, one;
	char text[STEERING_VALUE_MAX];
	int n;

	if (value.len < sizeof(ENDED) || memcmp(value.p, ENDED, sizeof(ENDED) - 1) != 0 ||
	    json_scan(NULL, value.p, value.len, NULL, &scan) != JSON_OK)
		return false;
	json_walk_begin(&w, value.p, scan.end);
	if (!json_walk_next(&w, &item) || !json_walk_next(&w, &item))
		return false;
	steering_begin(&r, STEER_CLOSE);
	if (json_item_is(&item, "user")) {
		n = i || item.type != JSON_STRING ? -1 : json_item_text(&item, text, sizeof(text));
		if (n <= 0 || !read_field(&r, "user", (struct span){text, (size_t)n}))
			return false;
	} else {
		if (item.type != JSON_ARRAY)
			return false;
		json_walk_begin(&list, item.value, item.len);
		do
			if (!json_walk_next(&list, &one))
				return false;
		while (i--);
		if (one.type != JSON_STRING || one.len < 2 ||
		    !read_field(&r, "client_id", (struct span){one.value + 1, one.len - 2}))
			return false;
	}
	*st = r.st;
	return true;
}

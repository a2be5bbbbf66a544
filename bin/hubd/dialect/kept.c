/* Invariant: what kept_put() has written steering_field() reads. */
#include "dialect/kept.h"

#include "json/json_walk.h"

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

bool kept_read(struct steering *st, struct span value)
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
	steering_begin(&r, STEER_BAN);
	while (!why && json_walk_next(&w, &item)) {
		bool number = item.type == JSON_NUMBER;
		int n = number ? 0 : json_item_text(&item, text, sizeof(text));

		if (!r.seen && json_item_is(&item, "session_id"))
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

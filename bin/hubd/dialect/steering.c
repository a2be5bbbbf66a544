#include "dialect/steering.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "member/member.h"
#include "session/limits.h"
#include "token/token_claims.h"
#include "wire/id.h"

#define SECONDS_MAX 1e9
#define LIMIT_MAX 1e15
#define CODE_MIN 4000 /* RFC 6455 section 7.4.2: for private use */
#define CODE_MAX 4999

/* --- reading */

/* A whole number up to max. */
static bool read_whole(struct span value, double max, int64_t *out)
{
	double n = 0;

	if (!value.len || value.len > 16)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		n = 10 * n + (value.p[i] - '0');
	}
	*out = (int64_t)n;
	return n <= max;
}

/* Digits, with a fraction or without. */
static bool read_real(struct span value, double max, double *out)
{
	char text[32];

	if (!value.len || value.len >= sizeof(text))
		return false;
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	if (strspn(text, "0123456789.") != value.len || text[0] == '.')
		return false;
	*out = strtod(text, NULL);
	return *out <= max;
}

/* As a token may have it. */
static bool read_text(struct span value, struct token_text *out)
{
	const unsigned char *p = (const unsigned char *)value.p, *end = p + value.len;

	if (!value.len || value.len > sizeof(out->text) || memchr(p, '\0', value.len))
		return false;
	for (size_t n; p < end; p += n)
		if ((n = *p < 0x80 ? 1 : utf8_sequence(p, end)) == 0)
			return false;
	out->len = (uint16_t)value.len;
	memcpy(out->text, value.p, value.len);
	return true;
}

/* It becomes a part of lines and of close frames. */
static bool read_reason(struct span value, char out[STEER_REASON_MAX + 1])
{
	const unsigned char *p = (const unsigned char *)value.p, *end = p + value.len;

	if (!value.len || value.len > STEER_REASON_MAX)
		return false;
	while (p < end) {
		size_t n = *p < 0x80 ? 1 : utf8_sequence(p, end);

		if (!n || *p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\')
			return false;
		p += n;
	}
	memcpy(out, value.p, value.len);
	out[value.len] = '\0';
	return true;
}

#define HUB_DIGITS 16

static bool read_hub(struct steering *st, struct span value)
{
	char text[HUB_DIGITS + 1] = "";

	memcpy(text, value.p, HUB_DIGITS);
	st->elsewhere = strspn(text, "0123456789abcdef") == HUB_DIGITS;
	st->hub = strtoull(text, NULL, 16);
	return st->elsewhere;
}

/* Where a list goes on: of connections WORKER-NUMBER, with HUB- in front where they are another
 * one's, of bans NUMBER. */
static bool read_place(struct steering *st, struct span value)
{
	const char *dash;
	int64_t worker = 0, number;

	if (st->verb == STEER_CONNECTIONS && value.len > HUB_DIGITS && value.p[HUB_DIGITS] == '-') {
		if (!read_hub(st, value))
			return false;
		value.p += HUB_DIGITS + 1;
		value.len -= HUB_DIGITS + 1;
	}
	dash = memchr(value.p, '-', value.len);
	if (st->verb == STEER_CONNECTIONS) {
		if (!dash || !read_whole((struct span){value.p, (size_t)(dash - value.p)},
					 WORKERS_MAX, &worker))
			return false;
		value.len -= (size_t)(dash + 1 - value.p);
		value.p = dash + 1;
	}
	if (!read_whole(value, 9e15, &number))
		return false;
	st->from_worker = (unsigned)worker;
	st->from = (uint64_t)number;
	return true;
}

static const char *read_client(struct steering *st, struct span v)
{
	st->whom.has_client = true;
	return id_parse(v.p, v.len, &st->whom.client) ? NULL : "must be a client's id";
}

static const char *read_user(struct steering *st, struct span v)
{
	return read_text(v, &st->whom.user) ? NULL
					    : "must have 1 to 255 bytes of UTF-8, without NUL";
}

static const char *read_jti(struct steering *st, struct span v)
{
	return read_text(v, &st->whom.jti) ? NULL
					   : "must have 1 to 255 bytes of UTF-8, without NUL";
}

static const char *read_address(struct steering *st, struct span v)
{
	return whom_read_network(&st->whom, v.p, v.len);
}

static const char *read_session(struct steering *st, struct span v)
{
	if (!envelope_session_id_ok(v.p, v.len))
		return "must have 1 to 128 characters A-Z a-z 0-9 _ . : ~ @ -";
	st->whom.session_len = (uint8_t)v.len;
	memcpy(st->whom.session, v.p, v.len);
	return NULL;
}

static const char *read_issued(struct steering *st, struct span v)
{
	st->whom.has_issued = true;
	return read_real(v, TOKEN_TIME_MAX, &st->whom.issued_before)
		   ? NULL
		   : "must be a number of seconds since 1970";
}

static const char *read_code(struct steering *st, struct span v)
{
	int64_t n;

	if (!read_whole(v, CODE_MAX, &n) || n < CODE_MIN)
		return "must be a whole number from 4000 to 4999";
	st->code = (enum close_code)n;
	return NULL;
}

static const char *read_why(struct steering *st, struct span v)
{
	return read_reason(v, st->reason) ? NULL
					  : "must have 1 to 100 bytes without control "
					    "characters, quotes and backslashes";
}

static const char *read_seconds(struct steering *st, struct span v)
{
	return read_real(v, SECONDS_MAX, &st->seconds) && st->seconds > 0
		   ? NULL
		   : "must be a number above 0, of at most 1000000000";
}

static const char *read_after(struct steering *st, struct span v)
{
	return read_place(st, v) ? NULL : "must be what next of an answer said";
}

static const char *read_max(struct steering *st, struct span v)
{
	int64_t n;

	if (!read_whole(v, LIMIT_MAX, &n) || n == 0)
		return "must be a whole number from 1 on";
	st->max = n > STEER_LIST_MAX ? STEER_LIST_MAX : (unsigned)n;
	return NULL;
}

static const char *read_limit(struct steering *st, enum steer_limit which, struct span v)
{
	int64_t *limit = steer_limit_of(&st->limits, which);

	st->limits_given |= 1u << which;
	*limit = SESSION_USUAL;
	if (v.len == 5 && memcmp(v.p, "usual", 5) == 0)
		return NULL;
	if (!read_whole(v, LIMIT_MAX, limit))
		return "must be a whole number, or the word usual";
	/* As for the option. */
	return which == LIMIT_HISTORY && *limit == 0 ? "must be 1 at least" : NULL;
}

#define LIMIT_READER(name, which)                                   \
	static const char *name(struct steering *st, struct span v) \
	{                                                           \
		return read_limit(st, which, v);                    \
	}
LIMIT_READER(read_members, LIMIT_MEMBERS)
LIMIT_READER(read_messages, LIMIT_MESSAGES)
LIMIT_READER(read_bytes, LIMIT_BYTES)
LIMIT_READER(read_history, LIMIT_HISTORY)
LIMIT_READER(read_history_bytes, LIMIT_HISTORY_BYTES)
#undef LIMIT_READER

#define BIT(verb) (1u << (verb))
#define LISTS (BIT(STEER_CONNECTIONS) | BIT(STEER_BANS))
#define MEANS (BIT(STEER_CONNECTIONS) | BIT(STEER_CLOSE))
#define BANS (BIT(STEER_BAN) | BIT(STEER_UNBAN))
#define SESSIONS (BIT(STEER_DELETE) | BIT(STEER_LIMIT))

static const struct field {
	const char *name;
	unsigned verbs;
	bool number; /* in JSON; else a string */
	const char *(*read)(struct steering *st, struct span value);
} fields[] = {
    {"client_id", MEANS, false, read_client},
    {"user", MEANS | BANS, false, read_user},
    {"address", MEANS | BANS, false, read_address},
    {"jti", MEANS | BANS, false, read_jti},
    {"issued_before", BANS, true, read_issued},
    {"session_id", MEANS | SESSIONS, false, read_session},
    {"code", BIT(STEER_CLOSE), true, read_code},
    {"reason", BIT(STEER_CLOSE) | BIT(STEER_BAN), false, read_why},
    {"seconds", BIT(STEER_BAN), true, read_seconds},
    {"after", LISTS, false, read_after},
    {"limit", LISTS, true, read_max},
    {"max_members", BIT(STEER_LIMIT), true, read_members},
    {"rate_messages", BIT(STEER_LIMIT), true, read_messages},
    {"rate_bytes", BIT(STEER_LIMIT), true, read_bytes},
    {"history", BIT(STEER_LIMIT), true, read_history},
    {"history_bytes", BIT(STEER_LIMIT), true, read_history_bytes},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static int put_connection(struct buf *b, struct conn *c);
static int put_ban(struct buf *b, const struct ban_listed *ban);

void steering_begin(struct steering_reading *r, enum steer_verb verb)
{
	*r = (struct steering_reading){.st = {.verb = verb,
					      .max = STEER_LIST,
					      .put_connection = put_connection,
					      .put_ban = put_ban}};
}

/* Says it, with the field's name, where that is one that might be known. */
static const char *wrong(struct steering_reading *r, struct span name, const char *what)
{
	bool plain = name.len > 0 && name.len <= 32;

	for (size_t i = 0; plain && i < name.len; i++)
		plain = (name.p[i] >= 'a' && name.p[i] <= 'z') || name.p[i] == '_';
	snprintf(r->why, sizeof(r->why), "%.*s%s%s", plain ? (int)name.len : 9,
		 plain ? name.p : "one field", *what == 'm' ? " " : ": ", what);
	return r->why;
}

const char *steering_field(struct steering_reading *r, struct span name, struct span value,
			   bool number, bool text)
{
	const char *why;
	size_t i = 0;

	while (i < FIELDS &&
	       (!(fields[i].verbs & BIT(r->st.verb)) || strlen(fields[i].name) != name.len ||
		memcmp(fields[i].name, name.p, name.len) != 0))
		i++;
	if (i == FIELDS)
		return wrong(r, name, "there is no such field here");
	if (r->seen & 1u << i)
		return wrong(r, name, "may occur once");
	r->seen |= 1u << i;
	/* "usual" stands for a number. */
	if (fields[i].number ? !number && !(text && r->st.verb == STEER_LIMIT) : !text)
		return wrong(r, name, fields[i].number ? "must be a number" : "must be a string");
	why = fields[i].read(&r->st, value);
	return why ? wrong(r, name, why) : NULL;
}

const char *steering_end(struct steering_reading *r)
{
	const struct whom *w = &r->st.whom;

	switch (r->st.verb) {
	case STEER_CLOSE:
		return whom_any(w) ? NULL : "say whom: client_id, user, session_id, address or jti";
	case STEER_BAN:
	case STEER_UNBAN:
		return bans_kind(w) ? NULL
				    : "say one of user, address, jti, and issued_before, which may "
				      "have user beside it";
	case STEER_DELETE:
	case STEER_LIMIT:
		return w->session_len ? NULL : "session_id says which session";
	case STEER_CONNECTIONS:
	case STEER_BANS:
	case STEER_VERBS:
		break;
	}
	return NULL;
}

/* --- answers */

static int put_text(struct buf *b, const char *comma, const char *name, const char *text,
		    size_t len)
{
	int r = len ? buf_printf(b, "%s\"%s\":", comma, name) : 0;

	return r == 0 && len ? buf_put_json(b, text, len) : r;
}

static int put_connection(struct buf *b, struct conn *c)
{
	uint64_t now_ms = worker_now_ms(c->worker);
	char id[ID_LEN + 1], peer[ADDRESS_TEXT + 32];
	struct span user = identity_user(conn_identity(c)), jti = identity_jti(conn_identity(c));
	const struct seat *seat;
	int r;

	id_text(c->id, id);
	conn_peer_text(c, peer, sizeof(peer));
	r = buf_printf(
	    b, "{\"client_id\":\"%s\",\"number\":%u,\"door\":\"%s\",\"since\":%ju", id, c->born,
	    conn_door_name(c),
	    (uintmax_t)(worker_wall_ms(c->worker) - now_ms + (uint64_t)c->since_s * 1000));
	if (r == 0)
		r = put_text(b, ",", "peer", peer, strlen(peer));
	if (r == 0 && user.len && (r = buf_puts(b, ",\"user\":")) == 0)
		r = buf_put(b, user.p, user.len);
	if (r == 0)
		r = put_text(b, ",", "jti", jti.p, jti.len);
	if (r == 0)
		r = buf_puts(b, ",\"sessions\":[");
	for (seat = c->seats; r == 0 && seat; seat = seat->next)
		r = buf_printf(b, "\"%s\"%s", seat->m.session->id, seat->next ? "," : "");
	return r == 0 ? buf_puts(b, "]}") : r;
}

static int put_ban(struct buf *b, const struct ban_listed *ban)
{
	const struct whom *w = &ban->whom;
	char network[NETWORK_TEXT];
	int r = buf_puts(b, "{");

	if (r == 0 && w->has_network)
		r = buf_printf(b, "\"address\":\"%s\"", network_text(&w->network, network));
	if (r == 0)
		r = put_text(b, "", "user", w->user.text, w->user.len);
	if (r == 0)
		r = put_text(b, "", "jti", w->jti.text, w->jti.len);
	if (r == 0 && w->has_issued)
		r = buf_printf(b, "%s\"issued_before\":%.15g", w->user.len ? "," : "",
			       w->issued_before);
	if (r == 0 && ban->left_ms)
		r = buf_printf(b, ",\"seconds\":%.0f", ceil((double)ban->left_ms / 1000));
	return r == 0 ? buf_puts(b, "}") : r;
}

static int put_limit(struct buf *b, const char *name, int64_t limit, int64_t usual)
{
	int64_t n = limit == SESSION_USUAL ? usual : limit;

	if (n == SESSION_USUAL)
		return buf_printf(b, ",\"%s\":null", name);
	return buf_printf(b, ",\"%s\":%jd", name, (intmax_t)n);
}

static int put_limits(struct buf *b, const struct session_env *env, const struct session_limits *l)
{
	int64_t all = (int64_t)env->max_members;
	int r = put_limit(b, "max_members", l->max_members < all ? l->max_members : all, all);

	if (r == 0)
		r = put_limit(b, "rate_messages", l->messages, SESSION_USUAL);
	if (r == 0)
		r = put_limit(b, "rate_bytes", l->bytes, SESSION_USUAL);
	if (r == 0)
		r = put_limit(b, "history", l->history, (int64_t)env->limits.records);
	if (r == 0)
		r = put_limit(b, "history_bytes", l->history_bytes, (int64_t)env->limits.bytes);
	return r;
}

static int put_list(struct buf *b, const char *name, const struct steer_result *result)
{
	int r = buf_printf(b, ",\"%s\":[", name);

	if (r == 0 && result->list.len)
		r = buf_put(b, result->list.data, result->list.len);
	return r == 0 ? buf_puts(b, "]") : r;
}

int steering_answer(struct buf *b, const struct session_env *env, const struct steering *st,
		    const struct steer_result *result)
{
	static const char *const types[STEER_VERBS] = {
	    [STEER_CONNECTIONS] = "connection_list",
	    [STEER_CLOSE] = "connection_closed",
	    [STEER_BANS] = "ban_list",
	    [STEER_BAN] = "ban_added",
	    [STEER_UNBAN] = "ban_removed",
	    [STEER_DELETE] = "session_deleted",
	    [STEER_LIMIT] = "session_limits",
	};
	bool of_session = st->verb == STEER_DELETE || st->verb == STEER_LIMIT;
	bool closes = st->verb == STEER_CLOSE || st->verb == STEER_BAN || st->verb == STEER_DELETE;
	int r = buf_printf(b, "{\"type\":\"%s\"", types[st->verb]);

	if (r == 0 && of_session)
		r = put_text(b, ",", "session_id", st->whom.session, st->whom.session_len);
	if (r == 0 && closes)
		r = buf_printf(b, ",\"closed\":%u", result->n);
	if (r == 0 && st->verb == STEER_CONNECTIONS)
		r = put_list(b, "connections", result);
	if (r == 0 && result->hub)
		r = buf_printf(b, ",\"hub\":\"%016jx\"", (uintmax_t)result->hub);
	if (r == 0 && result->silent)
		r = buf_puts(b, ",\"silent\":true");
	if (r == 0 && st->verb == STEER_BANS)
		r = put_list(b, "bans", result);
	if (r == 0 && result->more && st->verb == STEER_CONNECTIONS) {
		r = buf_puts(b, ",\"next\":\"");
		if (r == 0 && result->next_elsewhere)
			r = buf_printf(b, "%016jx-", (uintmax_t)result->next_hub);
		if (r == 0)
			r = buf_printf(b, "%u-%ju\"", result->next_worker, (uintmax_t)result->next);
	}
	if (r == 0 && result->more && st->verb != STEER_CONNECTIONS)
		r = buf_printf(b, ",\"next\":\"%ju\"", (uintmax_t)result->next);
	if (r == 0 && st->verb == STEER_LIMIT)
		r = put_limits(b, env, &result->limits);
	if (r == 0 && st->msg_id_len && (r = buf_puts(b, ",\"msg_id\":")) == 0)
		r = buf_put(b, st->msg_id, st->msg_id_len);
	return r == 0 ? buf_puts(b, "}") : r;
}

/* Messages become records by copying bytes: nothing is serialised again, so what the hub does not
 * know passes through as it came. Everything that is cut or appended leaves a valid JSON object,
 * since the whole message was found valid before. */
#include "json/envelope.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

#define RECEIVER_MAX 256 /* bytes of a receiver in `to`: a client id, or "@" and a user */

enum field {
	TYPE,
	SESSION_ID,
	TIMESTAMP,
	MSG_ID,
	KEY,
	TO,
	FROM,
	SEQ,
	USER,
	/* Of state only: terms.h reads them. */
	OWN,
	TTL,
	IF_SEQ,
	NEWER
};

static const char *const field_names[ENVELOPE_FIELDS] = {
    "type", "session_id", "timestamp", "msg_id", "key",	   "to",    "from",
    "seq",  "user",	  "own",       "ttl",	 "if_seq", "newer",
};

/* Compiled once, never changed, never freed. */
static struct json_paths *field_paths;
static pthread_once_t field_paths_once = PTHREAD_ONCE_INIT;

static void compile_field_paths(void)
{
	field_paths = json_paths_new(field_names, ENVELOPE_FIELDS);
}

const char *hub_code_name(enum hub_code code)
{
	static const char *const names[] = {
	    [HUB_OK] = "ok",
	    [HUB_BAD_JSON] = "bad_json",
	    [HUB_BAD_TEXT] = "bad_json",
	    [HUB_BAD_TYPE] = "bad_type",
	    [HUB_BAD_FIELD] = "bad_field",
	    [HUB_BAD_SESSION_ID] = "bad_session_id",
	    [HUB_TOO_LARGE] = "too_large",
	    [HUB_NO_SESSION] = "no_session",
	    [HUB_NOT_MEMBER] = "not_member",
	    [HUB_NOT_FOUND] = "not_found",
	    [HUB_RATE_LIMITED] = "rate_limited",
	    [HUB_UNAUTHORIZED] = "unauthorized",
	    [HUB_UNAUTHENTICATED] = "unauthenticated",
	    [HUB_FORBIDDEN] = "forbidden",
	    [HUB_BANNED] = "banned",
	    [HUB_SESSION_FULL] = "session_full",
	    [HUB_HUB_FULL] = "hub_full",
	    [HUB_STORE_FULL] = "store_full",
	    [HUB_IN_USE] = "in_use",
	    [HUB_BANS_FULL] = "bans_full",
	    [HUB_SHUTTING_DOWN] = "shutting_down",
	    [HUB_INTERNAL] = "internal",
	    [HUB_HELD] = "held",
	    [HUB_CONFLICT] = "conflict",
	    [HUB_BAD_REQUEST] = "bad_request",
	    [HUB_TIMEOUT] = "timeout",
	    [HUB_RULE_FAILED] = "rule_failed",
	    [HUB_UNAVAILABLE] = "unavailable",
	};

	return (size_t)code < sizeof(names) / sizeof(names[0]) ? names[code] : "internal";
}

bool hub_code_passes(enum hub_code code)
{
	return code == HUB_INTERNAL || code == HUB_RATE_LIMITED || code == HUB_HUB_FULL ||
	       code == HUB_SHUTTING_DOWN || code == HUB_HELD || code == HUB_IN_USE ||
	       code == HUB_UNAVAILABLE;
}

bool envelope_session_id_ok(const char *id, size_t len)
{
	if (len < 1 || len > ENVELOPE_SESSION_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = id[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr("_.:~@-", c))))
			return false;
	}
	return true;
}

enum control envelope_control(struct span type)
{
#define ENVELOPE_CONTROL(type, about) [CONTROL_##type] = {#type, sizeof(#type) - 1},
	static const struct span types[CONTROLS] = {ENVELOPE_CONTROLS(ENVELOPE_CONTROL)};
#undef ENVELOPE_CONTROL

	for (size_t i = CONTROL_NONE + 1; i < CONTROLS; i++)
		if (types[i].len == type.len && memcmp(types[i].p, type.p, type.len) == 0)
			return (enum control)i;
	return CONTROL_NONE;
}

/* The scanner let no control character through but DEL, and what an escape may hide. */
static bool has_control(struct span s, bool escaped)
{
	if (!escaped)
		return memchr(s.p, 0x7f, s.len) != NULL;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static enum hub_code refuse(char *why, size_t whycap, enum hub_code code, const char *text)
{
	snprintf(why, whycap, "%s", text);
	return code;
}

/* The characters of a string member: in place, or unescaped into room. False where it is not a
 * string of 1 to max bytes of Unicode. */
static bool string_value(const char *text, const struct json_member *m, char *room, size_t max,
			 struct span *out)
{
	const char *p = text + m->start + 1;
	size_t len = m->end - m->start - 2;
	int n;

	if (m->type != JSON_STRING)
		return false;
	if (m->escaped) {
		n = json_unescape(p, len, room, max);
		if (n < 0)
			return false;
		p = room;
		len = (size_t)n;
	}
	*out = (struct span){p, len};
	return len >= 1 && len <= max;
}

static struct span as_written(const char *text, const struct json_member *m)
{
	if (m->type == JSON_NONE)
		return (struct span){NULL, 0};
	return (struct span){text + m->start, m->end - m->start};
}

static enum hub_code check_fields(struct envelope *e, const char *text, const struct json_member *m,
				  char *why, size_t whycap)
{
	bool bad_key;

	if (!string_value(text, &m[TYPE], e->type_text, ENVELOPE_TYPE_MAX, &e->type) ||
	    has_control(e->type, m[TYPE].escaped))
		return refuse(
		    why, whycap, HUB_BAD_TYPE,
		    m[TYPE].type == JSON_NONE
			? "type is missing"
			: "type must be a string of 1 to 64 bytes, no control characters");
	e->type_written = as_written(text, &m[TYPE]);
	e->key_written = as_written(text, &m[KEY]);
	e->timestamp = as_written(text, &m[TIMESTAMP]);
	e->to = as_written(text, &m[TO]);
	bad_key = m[KEY].type != JSON_NONE &&
		  (!string_value(text, &m[KEY], e->key_text, ENVELOPE_KEY_MAX, &e->key) ||
		   has_control(e->key, m[KEY].escaped));
	if (bad_key)
		e->key.p = NULL;
	if (m[SESSION_ID].type != JSON_NONE &&
	    (!string_value(text, &m[SESSION_ID], e->session_text, ENVELOPE_SESSION_MAX,
			   &e->session_id) ||
	     !envelope_session_id_ok(e->session_id.p, e->session_id.len)))
		return refuse(
		    why, whycap, HUB_BAD_SESSION_ID,
		    "session_id must be a string of 1 to 128 characters A-Z a-z 0-9 _ . : ~ @ -");
	if (m[TIMESTAMP].type != JSON_NONE && m[TIMESTAMP].type != JSON_NUMBER)
		return refuse(why, whycap, HUB_BAD_FIELD, "timestamp must be a number");
	if (m[MSG_ID].type != JSON_NONE && !e->msg_id.p)
		return refuse(why, whycap, HUB_BAD_FIELD,
			      "msg_id must be a string of 1 to 64 bytes");
	if (bad_key)
		return refuse(why, whycap, HUB_BAD_FIELD,
			      "key must be a string of 1 to 256 bytes, no control characters");
	if (m[TO].type != JSON_NONE && m[TO].type != JSON_STRING && m[TO].type != JSON_ARRAY)
		return refuse(why, whycap, HUB_BAD_FIELD,
			      "to must be a client id or an array of them");
	return HUB_OK;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Notes a member of e->text to leave out, together with one comma: the one behind it, or the one
 * before it where it is the last. Called in order of position; cuts that touch become one. */
static void add_cut(struct envelope *e, uint32_t start, uint32_t end)
{
	while (is_space(e->text[end]))
		end++;
	if (e->text[end] == ',') {
		e->cut[e->ncut].start = start;
		e->cut[e->ncut++].end = end + 1;
		return;
	}
	for (;;) {
		if (e->ncut && e->cut[e->ncut - 1].end == start)
			start = e->cut[--e->ncut].start;
		else if (is_space(e->text[start - 1]))
			start--;
		else
			break;
	}
	if (e->text[start - 1] == ',')
		start--;
	e->cut[e->ncut].start = start;
	e->cut[e->ncut++].end = end;
}

/* Leaves out the fields from `first` to `last`; offset is where e->text begins in the text of m. */
static void cut_fields(struct envelope *e, const struct json_member *m, enum field first,
		       enum field last, uint32_t offset)
{
	uint32_t behind = 0; /* what was cut already */

	for (;;) {
		const struct json_member *next = NULL;

		for (int i = (int)first; i <= (int)last; i++)
			if (m[i].type != JSON_NONE && m[i].name >= behind &&
			    (!next || m[i].name < next->name))
				next = &m[i];
		if (!next)
			return;
		behind = next->end;
		add_cut(e, next->name - offset, next->end - offset);
	}
}

enum hub_code envelope_parse(struct envelope *e, const char *text, size_t len, char *why,
			     size_t whycap)
{
	static const struct span none;
	struct json_member m[ENVELOPE_FIELDS];
	struct json_scan scan;
	struct span msg_id;
	char room[ENVELOPE_MSG_ID_MAX];
	enum hub_code code;

	e->type = e->session_id = e->key = e->msg_id = e->timestamp = e->to = none;
	e->type_written = e->key_written = none;
	e->ncut = 0;
	if (pthread_once(&field_paths_once, compile_field_paths) != 0 || !field_paths)
		return refuse(why, whycap, HUB_INTERNAL, "out of memory");
	json_scan(field_paths, text, len, m, &scan);
	/* First, since the answer to any other error names it. */
	if (m[MSG_ID].type != JSON_NONE && !m[MSG_ID].repeated &&
	    string_value(text, &m[MSG_ID], room, sizeof(room), &msg_id))
		e->msg_id = as_written(text, &m[MSG_ID]);
	if (scan.status != JSON_OK) {
		snprintf(why, whycap, "%s at offset %u", json_strerror(scan.status), scan.at);
		return scan.status == JSON_BAD_UTF8 ? HUB_BAD_TEXT : HUB_BAD_JSON;
	}
	if (scan.type != JSON_OBJECT)
		return refuse(why, whycap, HUB_BAD_JSON, "a message must be a JSON object");
	for (int i = 0; i < USER; i++) {
		if (m[i].repeated) {
			snprintf(why, whycap, "%s occurs more than once", field_names[i]);
			return HUB_BAD_FIELD;
		}
	}
	e->text = text + scan.start;
	e->len = scan.end - scan.start;
	e->newline = scan.newline;
	code = check_fields(e, text, m, why, whycap);
	if (code == HUB_OK)
		cut_fields(e, m, FROM, SEQ, scan.start);
	e->has_user = m[USER].type != JSON_NONE;
	e->has_terms = (m[OWN].type | m[TTL].type | m[IF_SEQ].type | m[NEWER].type) != JSON_NONE;
	return code;
}

static char *put(char *p, const void *data, size_t n)
{
	memcpy(p, data, n);
	return p + n;
}

/* The message up to its closing brace, without what is cut. */
static char *put_kept(char *p, const struct envelope *e)
{
	char *start = p;
	size_t at = 0;

	for (unsigned i = 0; i < e->ncut; i++) {
		p = put(p, e->text + at, e->cut[i].start - at);
		at = e->cut[i].end;
	}
	p = put(p, e->text + at, e->len - 1 - at);
	if (e->newline)
		for (char *q = start; q < p; q++)
			if (*q == '\n' || *q == '\r')
				*q = ' ';
	return p;
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

enum hub_code envelope_own_user(struct envelope *e, char *why, size_t whycap)
{
	struct json_member m[ENVELOPE_FIELDS];
	struct json_scan scan;

	if (!e->has_user)
		return HUB_OK;
	json_scan(field_paths, e->text, e->len, m, &scan);
	if (m[USER].repeated)
		return refuse(why, whycap, HUB_BAD_FIELD, "user occurs more than once");
	e->ncut = 0;
	cut_fields(e, m, FROM, USER, 0);
	return HUB_OK;
}

int envelope_record(const struct envelope *e, struct buf *out, struct span session_id,
		    uint64_t wall_ms, struct span from, struct span user)
{
	/* 80: the names and the number. */
	size_t room = e->len + session_id.len + from.len + user.len + 80;
	char *p;

	if (buf_reserve(out, room) < 0)
		return -ENOMEM;
	p = put_kept(out->data + out->len, e);
	if (!e->session_id.p) {
		p = PUT(p, ",\"session_id\":\"");
		p = put(p, session_id.p, session_id.len);
		p = PUT(p, "\"");
	}
	if (!e->timestamp.p)
		p = decimal_put(PUT(p, ",\"timestamp\":"), wall_ms);
	p = PUT(p, ",\"from\":\"");
	p = put(p, from.p, from.len);
	p = PUT(p, "\"");
	if (user.len)
		p = put(PUT(p, ",\"user\":"), user.p, user.len);
	out->len = (size_t)(p - out->data);
	return 0;
}

size_t envelope_record_at(const struct envelope *e, const char *p)
{
	size_t at = (size_t)(p - e->text), cut = 0;

	for (unsigned i = 0; i < e->ncut && e->cut[i].end <= at; i++)
		cut += e->cut[i].end - e->cut[i].start;
	return at - cut;
}

int envelope_strip(const struct envelope *e, struct buf *out)
{
	struct envelope bare = {.text = e->text, .len = e->len, .newline = e->newline};
	struct json_member m[ENVELOPE_FIELDS];
	struct json_scan scan;
	char *p;

	if (buf_reserve(out, e->len) < 0)
		return -ENOMEM;
	json_scan(field_paths, e->text, e->len, m, &scan);
	cut_fields(&bare, m, TYPE, SEQ, 0);
	p = PUT(put_kept(out->data + out->len, &bare), "}");
	out->len = (size_t)(p - out->data);
	return 0;
}

/* The receivers of one message; long or escaped ids lie in room. */
struct receivers {
	struct span id[ENVELOPE_TO_MAX];
	size_t n, given;
	char room[ENVELOPE_TO_MAX][RECEIVER_MAX];
};

/* p is at the opening quote; returns what is behind the closing one, or NULL where it is no id. */
static const char *add_receiver(struct receivers *r, const char *p)
{
	struct json_member m = {.type = JSON_STRING};
	const char *start = p++;
	struct span id;

	for (; *p != '"'; p++) {
		if (*p == '\\') {
			m.escaped = true;
			p++;
		}
	}
	p++;
	m.end = (uint32_t)(p - start);
	if (++r->given > ENVELOPE_TO_MAX ||
	    !string_value(start, &m, r->room[r->n], RECEIVER_MAX, &id))
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		if (r->id[i].len == id.len && memcmp(r->id[i].p, id.p, id.len) == 0)
			return p;
	r->id[r->n++] = id;
	return p;
}

/* text is a valid JSON string or array. */
static bool read_receivers(struct receivers *r, struct span text)
{
	const char *p = text.p, *end = p + text.len - 1;

	r->n = r->given = 0;
	if (*p == '"')
		return add_receiver(r, p) != NULL;
	if (*p != '[')
		return false;
	for (p++; p < end; p++) {
		if (is_space(*p) || *p == ',')
			continue;
		p = *p == '"' ? add_receiver(r, p) : NULL;
		if (!p)
			return false;
		p--;
	}
	return r->n > 0;
}

enum hub_code envelope_to(const struct envelope *e, void (*each)(struct span id, void *arg),
			  void *arg, char *why, size_t whycap)
{
	struct receivers r;

	if (!e->to.p || !read_receivers(&r, e->to))
		return refuse(why, whycap, HUB_BAD_FIELD,
			      "to must be a client id or @user, or an array of 1 to 64 of them");
	for (size_t i = 0; i < r.n; i++)
		each(r.id[i], arg);
	return HUB_OK;
}

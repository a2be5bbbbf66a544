/* One table says which members an action may have; what is in none of them is an error, so that a
 * slip of the pen does not pass for a wish. */
#include "rules/actions.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rules/value.h"

#define ACTIONS_KEEP (64 * 1024) /* bytes of room that stay */

enum part {
	DO,
	SESSION,
	ECHO,
	SINCE,
	RECOVERY,
	TYPE,
	KEY,
	DATA,
	ARGS,
	FIELDS,
	TO,
	VALUE,
	CODE,
	MESSAGE,
	REASON,
	PARTS
};

static const char *const part_names[PARTS] = {"do",   "session", "echo", "since",   "recovery",
					      "type", "key",	 "data", "args",    "fields",
					      "to",   "value",	 "code", "message", "reason"};

#define BIT(part) (1U << (part))

static const struct {
	const char *name;
	unsigned may; /* parts beside `do` */
} kinds[] = {
    [ACTION_JOIN] = {"join", BIT(SESSION) | BIT(ECHO) | BIT(SINCE) | BIT(RECOVERY)},
    [ACTION_LEAVE] = {"leave", BIT(SESSION)},
    [ACTION_PUBLISH] = {"publish", BIT(SESSION) | BIT(TYPE) | BIT(KEY) | BIT(DATA) | BIT(ARGS) |
				       BIT(FIELDS) | BIT(TO)},
    [ACTION_EMIT] = {"emit", BIT(SESSION) | BIT(TYPE) | BIT(DATA) | BIT(ARGS) | BIT(FIELDS)},
    [ACTION_REPLY] = {"reply", BIT(VALUE) | BIT(ARGS)},
    [ACTION_ERROR] = {"error", BIT(CODE) | BIT(MESSAGE)},
    [ACTION_CLOSE] = {"close", BIT(CODE) | BIT(REASON)},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* One output while it is read: its parts borrow from it. */
struct reading {
	struct actions *all;
	struct action *action;
	struct span event;
	jv part[PARTS]; /* invalid: it has no such part */
	char *why;
	size_t cap;
};

static int wrong(struct reading *r, const char *what)
{
	snprintf(r->why, r->cap, "action %u: %s", r->all->n + 1, what);
	return -EINVAL;
}

static int not_written(struct reading *r, int error)
{
	if (error == -E2BIG)
		return wrong(r, "more JSON than the actions of one event may have");
	return wrong(r, error == -EDOM ? "nested too deep" : "out of memory");
}

static bool has(const struct reading *r, enum part part)
{
	return jv_get_kind(r->part[part]) != JV_KIND_INVALID;
}

static struct span text_of(jv s)
{
	return (struct span){jv_string_value(s), (size_t)jv_string_length_bytes(jv_copy(s))};
}

/* Keeps a text with a NUL behind it. */
static int keep(struct reading *r, struct span text, size_t *at, size_t *len)
{
	struct buf *b = &r->all->text;

	*at = b->len;
	*len = text.len;
	if (b->len + text.len > RULES_BYTES_MAX)
		return not_written(r, -E2BIG);
	if (buf_put(b, text.p, text.len) < 0 || buf_put(b, "", 1) < 0)
		return not_written(r, -ENOMEM);
	return 0;
}

/* A part that is a string, where it is there. */
static int read_text(struct reading *r, enum part part, size_t *at, size_t *len)
{
	char what[48];

	if (!has(r, part))
		return 0;
	if (jv_get_kind(r->part[part]) != JV_KIND_STRING) {
		snprintf(what, sizeof(what), "%s must be a string", part_names[part]);
		return wrong(r, what);
	}
	return keep(r, text_of(r->part[part]), at, len);
}

static int read_session(struct reading *r, bool needed)
{
	struct action *a = r->action;
	int error = read_text(r, SESSION, &a->session, &a->session_len);

	if (error || (!needed && !has(r, SESSION)))
		return error;
	if (!envelope_session_id_ok(r->all->text.data + a->session, a->session_len))
		return wrong(r, "session must be 1 to 128 characters A-Z a-z 0-9 _ . : ~ @ -");
	return 0;
}

/* --- messages */

static bool is_hubs(struct span name)
{
	static const char *const names[] = {"type", "session_id", "timestamp", "msg_id", "key",
					    "to",   "from",	  "seq",       "user",	 "data"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == name.len && memcmp(names[i], name.p, name.len) == 0)
			return true;
	return false;
}

static int put_fields(struct reading *r)
{
	struct buf *b = &r->all->text;
	jv fields = r->part[FIELDS];
	int error = 0;

	if (jv_get_kind(fields) != JV_KIND_OBJECT)
		return wrong(r, "fields must be an object");
	for (int at = jv_object_iter(fields); !error && jv_object_iter_valid(fields, at);
	     at = jv_object_iter_next(fields, at)) {
		jv name = jv_object_iter_key(fields, at), v = jv_object_iter_value(fields, at);
		struct span text = text_of(name);

		if (is_hubs(text))
			error = wrong(r, "fields may not have a member that is the hub's, or data");
		else if (has(r, ARGS) && strcmp(text.p, part_names[ARGS]) == 0)
			error = wrong(r, "args may be there once");
		else if ((error = buf_puts(b, ",")) < 0 ||
			 (error = buf_put_json(b, text.p, text.len)) < 0 ||
			 (error = buf_puts(b, ":")) < 0 ||
			 (error = value_put(b, v, RULES_BYTES_MAX)) < 0)
			error = not_written(r, error);
		jv_free(name);
		jv_free(v);
	}
	return error;
}

static int put_part(struct reading *r, enum part part)
{
	struct buf *b = &r->all->text;
	int error = 0;

	if (!has(r, part))
		return 0;
	error = buf_puts(b, ",\"");
	if (!error)
		error = buf_puts(b, part_names[part]);
	if (!error)
		error = buf_puts(b, "\":");
	if (!error)
		error = value_put(b, r->part[part], RULES_BYTES_MAX);
	return error ? not_written(r, error) : 0;
}

static int read_message(struct reading *r)
{
	struct buf *b = &r->all->text;
	struct action *a = r->action;
	struct span type = r->event;
	int error = read_session(r, false);

	if (has(r, TYPE) && jv_get_kind(r->part[TYPE]) != JV_KIND_STRING)
		return wrong(r, "type must be a string");
	if (has(r, ARGS) && jv_get_kind(r->part[ARGS]) != JV_KIND_ARRAY)
		return wrong(r, "args must be an array");
	if (has(r, TYPE))
		type = text_of(r->part[TYPE]);
	if (envelope_control_type(type))
		return wrong(r, "messages of this type are the hub's own");
	if (has(r, KEY) && jv_get_kind(r->part[KEY]) != JV_KIND_STRING)
		return wrong(r, "key must be a string");
	if (error)
		return error;
	a->text = b->len;
	if (buf_puts(b, "{\"type\":") < 0 || buf_put_json(b, type.p, type.len) < 0)
		return not_written(r, -ENOMEM);
	error = put_part(r, KEY);
	if (!error)
		error = put_part(r, DATA);
	if (!error)
		error = put_part(r, ARGS);
	if (!error && has(r, FIELDS))
		error = put_fields(r);
	if (error)
		return error;
	if (buf_put(b, "}", 2) < 0)
		return not_written(r, -ENOMEM);
	a->text_len = b->len - 1 - a->text;
	return 0;
}

static int read_to(struct reading *r)
{
	jv to = r->part[TO];

	if (!has(r, TO))
		return 0;
	if (jv_get_kind(to) == JV_KIND_STRING && strcmp(jv_string_value(to), "others") == 0)
		r->action->to = TO_OTHERS;
	else if (jv_get_kind(to) == JV_KIND_STRING && strcmp(jv_string_value(to), "all") == 0)
		r->action->to = TO_ALL;
	else
		return wrong(r, "to must be \"others\" or \"all\"");
	return 0;
}

/* --- the others */

static bool is_called(struct span event, const char *name)
{
	return event.len == strlen(name) && memcmp(event.p, name, event.len) == 0;
}

/* A place may be anything that a client says. */
static int read_since(struct reading *r)
{
	struct action *a = r->action;
	jv since = r->part[SINCE];
	double seq;

	if (!has(r, SINCE) || jv_get_kind(since) == JV_KIND_NULL)
		return 0;
	if (jv_get_kind(since) == JV_KIND_STRING) {
		a->from = SINCE_PLACE;
		return keep(r, text_of(since), &a->text, &a->text_len);
	}
	seq = jv_get_kind(since) == JV_KIND_NUMBER ? jv_number_value(since) : -1;
	if (!(seq >= 0 && seq <= 0x1p53 && seq == floor(seq)))
		return wrong(r, "since must be a seq, a whole number, or a place, a string");
	a->from = SINCE_SEQ;
	a->since = (uint64_t)seq;
	return 0;
}

static int read_join(struct reading *r)
{
	jv_kind echo = jv_get_kind(r->part[ECHO]), recovery = jv_get_kind(r->part[RECOVERY]);
	int error = read_since(r);

	if (error)
		return error;

	if (has(r, RECOVERY) && !is_called(r->event, RULES_CONNECT))
		return wrong(r, "recovery is of joins in connect.jq");
	if (has(r, RECOVERY) && recovery != JV_KIND_TRUE && recovery != JV_KIND_FALSE)
		return wrong(r, "recovery must be true or false");
	r->action->forgets = recovery == JV_KIND_FALSE;
	if (has(r, ECHO) && echo != JV_KIND_TRUE && echo != JV_KIND_FALSE)
		return wrong(r, "echo must be true or false");
	r->action->quiet = echo == JV_KIND_FALSE;
	return read_session(r, true);
}

static int read_reply(struct reading *r)
{
	struct buf *b = &r->all->text;
	jv value = jv_null();
	int error;

	if (has(r, ARGS) && (has(r, VALUE) || jv_get_kind(r->part[ARGS]) != JV_KIND_ARRAY))
		return wrong(r, "a reply has a value or args, which is an array");
	if (has(r, ARGS) || has(r, VALUE))
		value = r->part[has(r, ARGS) ? ARGS : VALUE];
	r->action->several = has(r, ARGS);
	r->action->text = b->len;
	error = value_put(b, value, RULES_BYTES_MAX);
	if (!error)
		error = buf_put(b, "", 1);
	r->action->text_len = b->len - 1 - r->action->text;
	return error ? not_written(r, error) : 0;
}

static int read_error(struct reading *r)
{
	struct action *a = r->action;
	struct span code = {"refused", 7};
	int error;

	if (has(r, CODE) && jv_get_kind(r->part[CODE]) != JV_KIND_STRING)
		return wrong(r, "code must be a string");
	if (has(r, CODE))
		code = text_of(r->part[CODE]);
	if (!code.len || code.len > ACTION_CODE_MAX ||
	    strspn(code.p, "abcdefghijklmnopqrstuvwxyz0123456789_") != code.len)
		return wrong(r, "code must be 1 to 32 characters a-z 0-9 _");
	error = keep(r, code, &a->name, &a->name_len);
	if (!has(r, CODE))
		a->name_len = 0;
	if (!error && !has(r, MESSAGE))
		return keep(r, (struct span){"", 0}, &a->text, &a->text_len);
	return error ? error : read_text(r, MESSAGE, &a->text, &a->text_len);
}

static int read_close(struct reading *r)
{
	struct action *a = r->action;
	double code = 1008;

	if (has(r, CODE) && jv_get_kind(r->part[CODE]) != JV_KIND_NUMBER)
		return wrong(r, "code must be a number");
	if (has(r, CODE))
		code = jv_number_value(r->part[CODE]);
	if (code != 1000 && code != 1008 && !(code >= 4000 && code <= 4999 && code == floor(code)))
		return wrong(r, "code must be 1000, 1008, or 4000 to 4999");
	a->code = (unsigned)code;
	if (!has(r, REASON))
		return keep(r, (struct span){"", 0}, &a->text, &a->text_len);
	if (read_text(r, REASON, &a->text, &a->text_len) < 0)
		return -EINVAL;
	if (a->text_len > ACTION_REASON_MAX)
		return wrong(r, "reason may have 120 bytes");
	for (size_t i = 0; i < a->text_len; i++)
		if ((unsigned char)r->all->text.data[a->text + i] < ' ')
			return wrong(r, "reason may have no control characters");
	return 0;
}

/* A message has one answer, whatever msg_id it came with. */
static bool is_second_answer(const struct reading *r)
{
	enum action_kind kind = r->action->kind;

	if (kind != ACTION_REPLY && kind != ACTION_ERROR)
		return false;
	for (unsigned i = 0; i < r->all->n; i++)
		if (r->all->at[i].kind == ACTION_REPLY || r->all->at[i].kind == ACTION_ERROR)
			return true;
	return false;
}

static int read_kind(struct reading *r)
{
	int error;

	if (is_second_answer(r))
		return wrong(r, "a second answer: of reply and error there may be one");
	switch (r->action->kind) {
	case ACTION_JOIN:
		return read_join(r);
	case ACTION_LEAVE:
		return read_session(r, false);
	case ACTION_PUBLISH:
		error = read_to(r);
		return error ? error : read_message(r);
	case ACTION_EMIT:
		return read_message(r);
	case ACTION_REPLY:
		return read_reply(r);
	case ACTION_ERROR:
		return read_error(r);
	case ACTION_CLOSE:
		return read_close(r);
	case ACTION_RESTORED:
		break;
	}
	return -EINVAL;
}

/* --- all of it */

/* Sets the parts that the output has; -EINVAL where it has others. */
static int take_parts(struct reading *r, jv output)
{
	int error = 0;

	for (int at = jv_object_iter(output); !error && jv_object_iter_valid(output, at);
	     at = jv_object_iter_next(output, at)) {
		jv name = jv_object_iter_key(output, at);
		const char *text = jv_string_value(name);
		unsigned part = 0;

		while (part < PARTS && strcmp(text, part_names[part]) != 0)
			part++;
		if (part < PARTS) {
			r->part[part] = jv_object_iter_value(output, at);
		} else {
			char what[96];

			snprintf(what, sizeof(what), "no action has a member %.60s", text);
			error = wrong(r, what);
		}
		jv_free(name);
	}
	return error;
}

static int take_kind(struct reading *r)
{
	const char *name =
	    jv_get_kind(r->part[DO]) == JV_KIND_STRING ? jv_string_value(r->part[DO]) : "";
	unsigned kind = 0;
	char what[96];

	while (kind < KINDS && strcmp(name, kinds[kind].name) != 0)
		kind++;
	if (kind == KINDS)
		return wrong(r, "do must be join, leave, publish, emit, reply, error or close");
	r->action->kind = (enum action_kind)kind;
	for (unsigned part = DO + 1; part < PARTS; part++) {
		if (!has(r, (enum part)part) || (kinds[kind].may & BIT(part)))
			continue;
		snprintf(what, sizeof(what), "%s has no %s", name, part_names[part]);
		return wrong(r, what);
	}
	return 0;
}

void actions_clear(struct actions *a)
{
	a->n = 0;
	a->text.len = 0;
	if (a->text.cap > ACTIONS_KEEP)
		buf_free(&a->text);
}

int actions_add(struct actions *a, jv output, struct span event, char *why, size_t cap)
{
	struct reading r = {.all = a, .event = event, .why = why, .cap = cap};
	int error;

	for (unsigned i = 0; i < PARTS; i++)
		r.part[i] = jv_invalid();
	if (a->n == RULES_ACTIONS_MAX) {
		error = wrong(&r, "more actions than one event may have");
	} else if (jv_get_kind(output) != JV_KIND_OBJECT) {
		error = wrong(&r, "an output must be an object with a member do");
	} else {
		r.action = &a->at[a->n];
		*r.action = (struct action){0};
		error = take_parts(&r, output);
		if (!error)
			error = take_kind(&r);
		if (!error)
			error = read_kind(&r);
	}
	if (!error)
		a->n++;
	for (unsigned i = 0; i < PARTS; i++)
		jv_free(r.part[i]);
	jv_free(output);
	return error;
}

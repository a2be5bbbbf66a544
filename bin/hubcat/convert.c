/* A line becomes messages: as it is, wrapped by -t, or by the program of -m. Invariant: what a line
 * makes is in out as a whole, or nothing of it. */
#include "convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/watchdog.h"
#include "json/envelope.h"
#include "json/json.h"

bool convert_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
			return false;
	return true;
}

/* --- one message */

/* Whether the hub would do other with it than log it here, or leave some of it out. */
static bool convert_clashes(const struct convert *c, const struct envelope *e)
{
	return e->ncut || e->to.p || envelope_control_type(e->type) ||
	       (e->session_id.p && (strlen(c->session) != e->session_id.len ||
				    memcmp(c->session, e->session_id.p, e->session_id.len) != 0));
}

static int put_field(struct buf *out, const char *name, struct span value)
{
	if (!value.p)
		return 0;
	return buf_printf(out, ",\"%s\":", name) < 0 ? -ENOMEM : buf_put(out, value.p, value.len);
}

/* The message that carries the whole of another, with those of its fields that mean the same to the
 * hub. */
static int convert_carry(const struct envelope *e, struct buf *out)
{
	static const struct span none;
	bool number = e->timestamp.p && (*e->timestamp.p == '-' ||
					 (*e->timestamp.p >= '0' && *e->timestamp.p <= '9'));
	int r = buf_puts(out, "{\"type\":");

	if (r == 0)
		r = buf_put(out, e->type_written.p, e->type_written.len);
	if (r == 0)
		r = put_field(out, "msg_id", e->msg_id);
	if (r == 0)
		r = put_field(out, "key", e->key.p ? e->key_written : none);
	if (r == 0)
		r = put_field(out, "timestamp", number ? e->timestamp : none);
	if (r == 0)
		r = put_field(out, "record", (struct span){e->text, e->len});
	return r == 0 ? buf_puts(out, "}\n") : r;
}

static enum convert_got convert_message(const struct convert *c, const char *text, size_t len,
					struct buf *out, char *why, size_t cap)
{
	struct envelope e;
	enum hub_code code;
	char reason[200];

	code = envelope_parse(&e, text, len, reason, sizeof(reason));
	if (code == HUB_OK && !(c->session && convert_clashes(c, &e)))
		return CONVERT_AS_IS;
	/* Where the type is good, other fields may be what they like. */
	if (c->session && e.type_written.p) {
		if (convert_carry(&e, out) == 0)
			return CONVERT_MADE;
		snprintf(why, cap, "%s", strerror(ENOMEM));
		return CONVERT_BAD;
	}
	snprintf(why, cap, "%s: %s", hub_code_name(code), reason);
	return CONVERT_BAD;
}

/* --- lines of text */

/* Names the first byte that is no UTF-8. */
static bool convert_text(const char *text, size_t len, char *why, size_t cap)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;
	size_t n;

	for (; p < end; p += n) {
		n = *p < 0x80 ? 1 : utf8_sequence(p, end);
		if (n)
			continue;
		snprintf(why, cap, "bad_json: byte 0x%02x at offset %zu is not UTF-8", *p,
			 (size_t)(p - (const unsigned char *)text));
		return false;
	}
	return true;
}

static bool convert_wrap(const struct convert *c, const char *text, size_t len, struct buf *out)
{
	size_t type_len = strlen(c->type);
	bool carry = c->session && envelope_control_type((struct span){c->type, type_len});

	if (carry && (buf_puts(out, "{\"type\":") < 0 || buf_put_json(out, c->type, type_len) < 0 ||
		      buf_puts(out, ",\"record\":") < 0))
		return false;
	return buf_puts(out, "{\"type\":") == 0 && buf_put_json(out, c->type, type_len) == 0 &&
	       buf_puts(out, ",\"data\":{\"text\":") == 0 && buf_put_json(out, text, len) == 0 &&
	       buf_puts(out, carry ? "}}}\n" : "}}\n") == 0;
}

/* --- -m */

/* Collects what -m gives for one line. */
struct convert_run {
	const struct convert *c;
	struct buf *out;
	char *why;
	size_t cap;
};

static int convert_output(const char *json, size_t len, void *arg)
{
	struct convert_run *run = arg;
	enum convert_got got = convert_message(run->c, json, len, run->out, run->why, run->cap);

	if (got == CONVERT_BAD)
		return 1;
	if (run->out->len + len > ENVELOPE_MESSAGE_MAX) {
		snprintf(run->why, run->cap, "more than %d bytes come out of -m",
			 ENVELOPE_MESSAGE_MAX);
		return 1;
	}
	if (got == CONVERT_AS_IS &&
	    (buf_put(run->out, json, len) < 0 || buf_put(run->out, "\n", 1) < 0)) {
		snprintf(run->why, run->cap, "%s", strerror(ENOMEM));
		return 1;
	}
	return 0;
}

static enum convert_got convert_map(const struct convert *c, const char *text, size_t len,
				    struct buf *out, char *why, size_t cap)
{
	struct convert_run run = {c, out, why, cap};
	struct json_scan scan;
	size_t before = out->len;
	const char *said;
	int status, r;

	/* libjq would take what is not quite JSON. */
	if (!c->raw && json_scan(NULL, text, len, NULL, &scan) != JSON_OK) {
		snprintf(why, cap, "bad_json: %s at offset %u", json_strerror(scan.status),
			 scan.at);
		return CONVERT_BAD;
	}
	watchdog_enter("-m");
	r = filter_run(c->map, c->raw ? FILTER_TEXT : FILTER_JSON, text, len, convert_output, &run,
		       why, cap);
	watchdog_leave();
	if (r == 0)
		return filter_halted(c->map, &status, &said) ? CONVERT_HALT : CONVERT_MADE;
	/* All that a line makes, or nothing. */
	out->len = before;
	return CONVERT_BAD;
}

enum convert_got convert_line(const struct convert *c, const char *text, size_t len,
			      struct buf *out, char *why, size_t cap)
{
	if (!c->map && !c->type)
		return convert_message(c, text, len, out, why, cap);
	if (c->raw || c->type) {
		if (len && text[len - 1] == '\r')
			len--;
		if (!convert_text(text, len, why, cap))
			return CONVERT_BAD;
	}
	if (c->map)
		return convert_map(c, text, len, out, why, cap);
	if (convert_wrap(c, text, len, out))
		return CONVERT_MADE;
	snprintf(why, cap, "%s", strerror(ENOMEM));
	return CONVERT_BAD;
}

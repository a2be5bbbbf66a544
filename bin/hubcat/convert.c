/* A line becomes messages: as it is, wrapped by -t, or by the program of -m. */
#include "convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json/envelope.h"
#include "json/json.h"

bool convert_needed(const struct convert *c)
{
	return c->type || c->map;
}

bool convert_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
			return false;
	return true;
}

bool convert_check(const char *text, size_t len, char *why, size_t cap)
{
	struct envelope e;
	enum hub_code code;
	char reason[200];

	code = envelope_parse(&e, text, len, reason, sizeof(reason));
	if (code == HUB_OK)
		return true;
	snprintf(why, cap, "%s: %s", hub_code_name(code), reason);
	return false;
}

static bool convert_wrap(const char *type, const char *text, size_t len, struct buf *out)
{
	return buf_puts(out, "{\"type\":") == 0 && buf_put_json(out, type, strlen(type)) == 0 &&
	       buf_puts(out, ",\"data\":{\"text\":") == 0 && buf_put_json(out, text, len) == 0 &&
	       buf_puts(out, "}}\n") == 0;
}

/* Collects what -m gives for one line. */
struct convert_run {
	struct buf *out;
	char *why;
	size_t cap;
};

static int convert_output(const char *json, size_t len, void *arg)
{
	struct convert_run *run = arg;

	if (!convert_check(json, len, run->why, run->cap))
		return 1;
	if (run->out->len + len > CONVERT_LINE_MAX) {
		snprintf(run->why, run->cap, "more than %d bytes come out of -m", CONVERT_LINE_MAX);
		return 1;
	}
	if (buf_put(run->out, json, len) < 0 || buf_put(run->out, "\n", 1) < 0) {
		snprintf(run->why, run->cap, "%s", strerror(ENOMEM));
		return 1;
	}
	return 0;
}

static bool convert_map(const struct convert *c, const char *text, size_t len, struct buf *out,
			char *why, size_t cap)
{
	struct convert_run run = {out, why, cap};
	struct json_scan scan;
	size_t before = out->len;

	/* libjq would take what is not quite JSON. */
	if (!c->raw && json_scan(NULL, text, len, NULL, &scan) != JSON_OK) {
		snprintf(why, cap, "bad_json: %s at byte %u", json_strerror(scan.status),
			 scan.at + 1);
		return false;
	}
	if (filter_run(c->map, c->raw ? FILTER_TEXT : FILTER_JSON, text, len, convert_output, &run,
		       why, cap) == 0)
		return true;
	/* All that a line makes, or nothing. */
	out->len = before;
	return false;
}

bool convert_line(const struct convert *c, const char *text, size_t len, struct buf *out, char *why,
		  size_t cap)
{
	if (c->map)
		return convert_map(c, text, len, out, why, cap);
	if (convert_wrap(c->type, text, len, out))
		return true;
	snprintf(why, cap, "%s", strerror(ENOMEM));
	return false;
}

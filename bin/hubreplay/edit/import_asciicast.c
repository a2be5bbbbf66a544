/* asciicast: a header, then an array a line. https://docs.asciinema.org/manual/asciicast/v2/ and
 * /v3/ Invariant: what is written as data is copied, so that it can be written back byte for byte.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "edit/import.h"
#include "json/envelope.h"
#include "json/json_walk.h"

#define SECONDS_MAX 1e9 /* of an event */
#define WALL_MAX 1e11	/* of the header */

enum { VERSION, WIDTH, TERM, TIMESTAMP, FIELDS };

/* The header of a cast; false for any other text. */
static bool read_header(const char *text, size_t len, struct json_member m[FIELDS])
{
	static const char *const names[FIELDS] = {"version", "width", "term", "timestamp"};
	struct json_paths *paths = json_paths_new(names, FIELDS);
	struct json_scan scan;
	bool ok = paths && json_scan(paths, text, len, m, &scan) == JSON_OK &&
		  scan.type == JSON_OBJECT && m[VERSION].type == JSON_NUMBER;

	json_paths_free(paths);
	return ok && (m[WIDTH].type == JSON_NUMBER || m[TERM].type == JSON_OBJECT);
}

/* The first line from *p on, which moves behind it. */
static struct span next_line(const char **p, const char *end)
{
	const char *begin = *p, *feed = memchr(begin, '\n', (size_t)(end - begin));
	size_t len = (size_t)((feed ? feed : end) - begin);

	*p = feed ? feed + 1 : end;
	while (len && (begin[len - 1] == '\r' || begin[len - 1] == ' '))
		len--;
	return (struct span){begin, len};
}

static bool is_cast(const char *text, size_t len)
{
	struct json_member m[FIELDS];
	const char *p = text;
	struct span line = next_line(&p, text + len);

	return read_header(line.p, line.len, m);
}

/* A number that the scanner has accepted, in [0, max]. */
static bool seconds_of(struct span s, double max, double *seconds)
{
	char copy[64];

	if (s.len >= sizeof(copy))
		return false;
	memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	*seconds = strtod(copy, NULL);
	return *seconds >= 0 && *seconds <= max;
}

static const char *type_of(struct span code)
{
	static const char *const types[] = {"o",      "output", "i",	  "input", "m",
					    "marker", "r",	"resize", "x",	   "exit"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i += 2)
		if (code.len == 3 && code.p[1] == types[i][0])
			return types[i + 1];
	return NULL;
}

/* The message of an event; false for what is none. */
/* A carriage return in it is white space, which a message may not have. */
static int put_value(struct buf *out, struct span value)
{
	size_t start = out->len;
	int r = buf_put(out, value.p, value.len);

	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == '\r')
			out->data[i] = ' ';
	return r;
}

static int put_event(struct buf *out, struct span code, struct span data)
{
	const char *type = type_of(code);
	int r = buf_printf(out, "{\"type\":\"%s\"", type ? type : "asciicast_event");

	if (r == 0 && !type)
		r = buf_puts(out, ",\"code\":");
	if (r == 0 && !type)
		r = buf_put(out, code.p, code.len);
	if (r == 0)
		r = buf_puts(out, ",\"data\":");
	if (r == 0)
		r = put_value(out, data);
	return r == 0 ? buf_puts(out, "}") : r;
}

/* A line of a cast, [time, code, data]. Returns NULL, or what is wrong with it. */
static const char *read_event(struct span line, double *seconds, struct span *code,
			      struct span *data)
{
	struct json_item part[3];
	struct json_scan scan;
	struct json_walk walk;

	if (json_scan(NULL, line.p, line.len, NULL, &scan) != JSON_OK)
		return json_strerror(scan.status);
	if (scan.type != JSON_ARRAY || scan.start)
		return "not an array";
	json_walk_begin(&walk, line.p, line.len);
	for (int i = 0; i < 3; i++)
		if (!json_walk_next(&walk, &part[i]))
			return "not [time, code, data]";
	if (part[0].type != JSON_NUMBER ||
	    !seconds_of((struct span){part[0].value, part[0].len}, SECONDS_MAX, seconds))
		return "its time is no number of 0 to 1e9";
	if (part[1].type != JSON_STRING)
		return "its code is no string";
	*code = (struct span){part[1].value, part[1].len};
	*data = (struct span){part[2].value, part[2].len};
	return NULL;
}

static uint64_t us_of(double seconds)
{
	return (uint64_t)(seconds * 1e6 + 0.5);
}

static int put_head(struct buf *out, struct span header)
{
	int r = buf_puts(out, "{\"type\":\"asciicast\",\"key\":\"asciicast\",\"header\":");

	if (r == 0)
		r = put_value(out, header);
	return r == 0 ? buf_puts(out, "}") : r;
}

/* What follows the header. */
static int read_events(const char *p, const char *end, bool intervals,
		       const struct import_events *events, void *arg, char *why, size_t cap)
{
	struct buf out = {0};
	double at = 0;
	int r = 0;

	for (uint64_t number = 2; r == 0 && p < end; number++) {
		struct span line = next_line(&p, end), code = {0}, data = {0};
		const char *wrong;
		double seconds = 0;

		if (!line.len || *line.p == '#')
			continue;
		wrong = read_event(line, &seconds, &code, &data);
		if (wrong) {
			snprintf(why, cap, "line %llu: %s", (unsigned long long)number, wrong);
			r = -EBADMSG;
			break;
		}
		at = intervals ? at + seconds : seconds;
		if (at > SECONDS_MAX)
			at = SECONDS_MAX;
		out.len = 0;
		r = put_event(&out, code, data);
		if (r == 0)
			r = events->message(arg, out.data, out.len, us_of(at));
	}
	buf_free(&out);
	return r;
}

int import_asciicast(const char *text, size_t len, const struct import_events *events, void *arg,
		     char *why, size_t cap)
{
	const char *p = text, *end = text + len;
	struct span header = next_line(&p, end);
	struct json_member m[FIELDS];
	struct buf out = {0};
	double start = 0;
	char version;
	int r;

	if (!read_header(header.p, header.len, m)) {
		snprintf(why, cap, "line 1: no header of an asciicast");
		return -EBADMSG;
	}
	version = m[VERSION].end - m[VERSION].start == 1 ? header.p[m[VERSION].start] : '?';
	if (version != '2' && version != '3') {
		snprintf(why, cap, "line 1: an asciicast of another version than 2 and 3");
		return -EBADMSG;
	}
	if (m[TIMESTAMP].type == JSON_NUMBER &&
	    !seconds_of(
		(struct span){header.p + m[TIMESTAMP].start, m[TIMESTAMP].end - m[TIMESTAMP].start},
		WALL_MAX, &start))
		start = 0;
	r = events->begin(arg, (uint64_t)(start * 1000));
	if (r == 0)
		r = put_head(&out, header);
	if (r == 0)
		r = events->message(arg, out.data, out.len, 0);
	buf_free(&out);
	return r == 0 ? read_events(p, end, version == '3', events, arg, why, cap) : r;
}

import_reader *import_find(const char *text, size_t len, const char **name)
{
	bool cast = is_cast(text, len);
	size_t i = 0;

	while (i < len && strchr(" \t\r\n", text[i]) && text[i])
		i++;
	*name = cast ? "asciicast" : "HAR";
	return cast ? import_asciicast : i < len && text[i] == '{' ? import_har : NULL;
}

/* Recordings as messages to publish. A hub's fields go, and come back from the hub; the mark is put
 * first. */
#include "plan/trace.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "json/envelope.h"
#include "json/json.h"
#include "plan/need.h"
#include "recording/recording.h"

#define TIMESTAMP_MAX 1e15 /* ms */

static void check(int r)
{
	if (r < 0)
		err_die(EX_OSERR, "out of memory");
}

static void add(struct trace *t, char *text, uint64_t ns)
{
	/* Grows by doubling, at powers of two. */
	if ((t->n & (t->n - 1)) == 0) {
		size_t cap = t->n ? 2 * t->n : 1;

		t->text = need(realloc(t->text, cap * sizeof(*t->text)));
		t->ns = need(realloc(t->ns, cap * sizeof(*t->ns)));
	}
	/* Of two that stand in the wrong order the second waits for nothing. */
	if (t->n && ns < t->ns[t->n - 1])
		ns = t->ns[t->n - 1];
	t->text[t->n] = text;
	t->ns[t->n++] = ns;
}

/* Text as a part of a template. */
static void put_escaped(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			check(buf_put(out, "\\", 1));
		check(buf_put(out, &text[i], 1));
	}
}

/* {"m":"{mark}","type":...}: the message without what the hub gives again, or NULL where it is none
 * that members send. */
static char *template_of(const char *text, size_t len, bool acks)
{
	struct envelope e;
	struct buf bare = {0}, type = {0}, out = {0};
	char why[200];

	if (envelope_parse(&e, text, len, why, sizeof(why)) != HUB_OK || e.to.p)
		return NULL;
	check(envelope_strip(&e, &bare));
	check(buf_puts(&out, acks ? "{\"m\":\"{mark}\",\"msg_id\":\"{n}\",\"type\":"
				  : "{\"m\":\"{mark}\",\"type\":"));
	check(buf_put_json(&type, e.type.p, e.type.len));
	if (e.key.p) {
		check(buf_puts(&type, ",\"key\":"));
		check(buf_put_json(&type, e.key.p, e.key.len));
	}
	put_escaped(&out, type.data, type.len);
	/* All of it but its opening brace. */
	if (bare.len > 2)
		check(buf_puts(&out, ","));
	put_escaped(&out, bare.data + 1, bare.len - 1);
	check(buf_put(&out, "", 1));
	buf_free(&bare);
	buf_free(&type);
	return out.data;
}

/* --- recordings */

static bool read_recording(struct trace *t, const char *file, bool acks, char *why, size_t cap)
{
	struct recording_line line;
	enum recording_status got;
	int status;
	struct recording *r = recording_open(file, NULL, why, cap, &status);

	if (!r)
		return false;
	while ((got = recording_next(r, &line)) == RECORDING_OK) {
		char *text =
		    line.kind == RECORDING_RECORD ? template_of(line.text, line.len, acks) : NULL;

		if (text)
			add(t, text, line.t_us * 1000);
	}
	if (got == RECORDING_BAD || got == RECORDING_FAILED)
		err_die(EX_DATAERR, "--play: %s: %s", file, recording_why(r));
	recording_close(r);
	return true;
}

/* --- messages with nothing but a timestamp */

static uint64_t timestamp_ns(const struct json_paths *paths, const char *text, size_t len)
{
	struct json_member m;
	struct json_scan scan;
	double ms;

	if (json_scan(paths, text, len, &m, &scan) != JSON_OK || m.type != JSON_NUMBER)
		return UINT64_MAX;
	ms = strtod(text + m.start, NULL);
	return ms >= 0 && ms <= TIMESTAMP_MAX ? (uint64_t)(ms * 1e6) : UINT64_MAX;
}

static void read_lines(struct trace *t, const char *file, bool acks)
{
	static const char *const names[] = {"timestamp"};
	struct json_paths *paths = json_paths_new(names, 1);
	FILE *f = fopen(file, "re");
	char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t len;

	if (!f)
		err_die(EX_IOERR, "--play: %s: %s", file, strerror(errno));
	if (!paths)
		err_die(EX_OSERR, "out of memory");
	while ((len = getline(&line, &cap, f)) > 0) {
		uint64_t ns = timestamp_ns(paths, line, (size_t)len);
		char *text = ns == UINT64_MAX ? NULL : template_of(line, (size_t)len, acks);

		number++;
		if (!text)
			err_die(EX_DATAERR,
				"--play: %s: line %zu is no message with a `timestamp` in ms", file,
				number);
		add(t, text, ns);
	}
	if (ferror(f))
		err_die(EX_IOERR, "--play: %s: %s", file, strerror(errno));
	free(line);
	fclose(f);
	json_paths_free(paths);
}

/* --- both */

/* The first is at 0, and another turn begins as long after the last as messages are apart. */
static void set_times(struct trace *t, double rate, double speed)
{
	uint64_t first = t->ns[0], last = t->ns[t->n - 1] - first, gap;
	double scale = 1 / speed;

	gap = t->n > 1 && last ? last / (t->n - 1) : 1000000000;
	if (rate > 0)
		scale = (double)t->n * 1e9 / rate / (double)(last + gap);
	for (size_t i = 0; i < t->n; i++)
		t->ns[i] = (uint64_t)((double)(t->ns[i] - first) * scale);
	t->turn_ns = (uint64_t)((double)(last + gap) * scale);
	if (!t->turn_ns)
		t->turn_ns = 1;
}

struct trace *trace_read(const char *file, double rate, double speed, bool acks)
{
	struct trace *t = need(calloc(1, sizeof(*t)));
	char why[300];

	if (!read_recording(t, file, acks, why, sizeof(why)))
		read_lines(t, file, acks);
	if (!t->n)
		err_die(EX_DATAERR, "--play: %s: there is no message in it", file);
	set_times(t, rate, speed);
	return t;
}

void trace_free(struct trace *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		free(t->text[i]);
	if (t) {
		free(t->text);
		free(t->ns);
	}
	free(t);
}

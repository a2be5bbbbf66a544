/* Rows, as COPY has them: a count of fields, and each with its length before it, highest byte first
 * (PostgreSQL's documentation of COPY, "Binary Format"). */
#include "table/table_row.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "json/envelope.h"
#include "json/json.h"
#include "table/table_jsonb.h"

#define FIELDS 12
#define NO_VALUE UINT32_MAX
#define JSONB_VERSION 1
#define EPOCH_2000_US (UINT64_C(946684800) * 1000000)
/* Of all fields but the two of text. */
#define ROW_MAX (1024 + ENVELOPE_SESSION_MAX + 6 * ENVELOPE_TYPE_MAX)
#define NUL_TEXT                                                                        \
	"\\u0000" /* no text of PostgreSQL has a NUL: it stands there as it was escaped \
		   */

enum { KEY, USER, WANTED };

static struct json_paths *wanted_paths;
static pthread_once_t wanted_once = PTHREAD_ONCE_INIT;

static void compile(void)
{
	static const char *const names[WANTED] = {"key", "user"};

	wanted_paths = json_paths_new(names, WANTED);
}

/* --- fields; there is room */

static void put_number(struct buf *out, uint64_t n, int bytes)
{
	while (bytes--)
		out->data[out->len++] = (char)(n >> 8 * bytes);
}

static void put_int8(struct buf *out, uint64_t n)
{
	put_number(out, 8, 4);
	put_number(out, n, 8);
}

static void put_null(struct buf *out)
{
	put_number(out, NO_VALUE, 4);
}

static void put_bytes(struct buf *out, const char *text, size_t len)
{
	memcpy(out->data + out->len, text, len);
	out->len += len;
}

static void put_text(struct buf *out, const char *text, size_t len)
{
	size_t begin = out->len;

	put_number(out, len, 4);
	if (!memchr(text, '\0', len)) {
		put_bytes(out, text, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		if (text[i])
			out->data[out->len++] = text[i];
		else
			put_bytes(out, NUL_TEXT, sizeof(NUL_TEXT) - 1);
	len = out->len - begin - 4;
	out->len = begin;
	put_number(out, len, 4);
	out->len += len;
}

/* A string of the message, where it is one; what is no text is none. */
static int put_string(struct buf *out, const char *text, const struct json_member *m)
{
	size_t len = m->end - m->start;
	int n, r = buf_reserve(out, ROW_MAX + 8 * len);

	if (r < 0)
		return r;
	if (m->type != JSON_STRING) {
		put_null(out);
		return 0;
	}
	if (!m->escaped) {
		put_text(out, text + m->start + 1, len - 2);
		return 0;
	}
	/* Unescaped behind where it will stand, at most 6 times as long. */
	n = json_unescape(text + m->start + 1, len - 2, out->data + out->len + 4 + 6 * len, len);
	if (n < 0) {
		put_null(out);
		return 0;
	}
	put_text(out, out->data + out->len + 4 + 6 * len, (size_t)n);
	return 0;
}

/* --- rows */

static const char *kind_of(const struct recording_line *line)
{
	switch (line->kind) {
	case RECORDING_RECORD:
		return "record";
	case RECORDING_STATE:
		return "state";
	case RECORDING_GAP:
		return "gap";
	case RECORDING_SNAPSHOT:
		return "snapshot";
	default:
		return line->run.p ? "joined" : "other";
	}
}

static void put_front(struct buf *out, const struct table_row *row,
		      const struct recording_line *line)
{
	bool numbered = line->kind == RECORDING_RECORD || line->kind == RECORDING_STATE ||
			line->kind == RECORDING_SNAPSHOT || line->kind == RECORDING_GAP;
	const char *kind = kind_of(line);

	put_number(out, FIELDS, 2);
	put_text(out, row->session, strlen(row->session));
	put_int8(out, row->line);
	put_text(out, kind, strlen(kind));
	put_number(out, 4, 4);
	put_number(out, row->log, 4);
	if (*row->epoch)
		put_text(out, row->epoch, strlen(row->epoch));
	else
		put_null(out);
	if (numbered)
		put_int8(out, line->seq);
	else
		put_null(out);
	put_int8(out, row->time_us - EPOCH_2000_US);
	put_text(out, line->type.p, line->type.len);
}

/* The message, without its t. */
static void put_message(struct buf *out, const struct recording_line *line, bool jsonb)
{
	put_number(out, line->body + 1 + jsonb, 4);
	if (jsonb)
		out->data[out->len++] = JSONB_VERSION;
	put_bytes(out, line->text, line->body);
	out->data[out->len++] = '}';
}

int table_row_begin(struct buf *out)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

	return buf_put(out, head, sizeof(head));
}

int table_row_end(struct buf *out)
{
	return buf_put(out, "\377\377", 2);
}

int table_row_put(struct buf *out, const struct table_row *row, const struct recording_line *line)
{
	struct json_member wanted[WANTED];
	struct json_scan scan;
	int r = pthread_once(&wanted_once, compile) == 0 && wanted_paths ? 0 : -ENOMEM;

	if (r == 0)
		r = buf_reserve(out, ROW_MAX);
	if (r < 0)
		return r;
	put_front(out, row, line);
	json_scan(wanted_paths, line->text, line->len, wanted, &scan);
	r = put_string(out, line->text, &wanted[KEY]);
	if (r == 0)
		r = put_string(out, line->text, &wanted[USER]);
	if (r == 0)
		r = buf_reserve(out, 2 * line->len + 16);
	if (r < 0)
		return r;
	if (table_jsonb_takes(line->text, line->body))
		put_message(out, line, true);
	else
		put_null(out);
	put_message(out, line, false);
	return 0;
}

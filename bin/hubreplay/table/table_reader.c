/* Reads rows as lines, some at a time: no transaction stays open while they are played, and a
 * connection that was lost meanwhile is made again. Invariant: `next` is the line that comes next,
 * but for the header. */
#include "table/table_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "table/table_link.h"

/* Read at a time: a row at least. */
#define ROWS "2000"
#define BYTES "1048576"
#define NUMBER_TEXT 24

struct reader {
	struct table_url url;
	struct table_link link;
	char *header; /* with its line feed */
	bool headed;  /* it was given */
	char start_ms[NUMBER_TEXT];
	uint64_t lines; /* at the beginning */
	uint64_t next;
};

static uint64_t number(const PGresult *result, int row, int column)
{
	return strtoull(PQgetvalue(result, row, column), NULL, 10);
}

/* A connection that was lost is made again once. */
static enum table_outcome ask(struct reader *r, const char *sql, int n, const char *const *params,
			      PGresult **result)
{
	enum table_outcome got = TABLE_AGAIN;

	*result = NULL;
	for (int i = 0; i < 2 && got == TABLE_AGAIN; i++) {
		got = r->link.conn ? TABLE_DONE : table_link_open(&r->link, r->url.conninfo, false);
		if (got == TABLE_DONE)
			got = table_link_do(&r->link, sql, n, params, result);
	}
	return got;
}

static int failed(const struct reader *r, char *why, size_t cap)
{
	snprintf(why, cap, "%s", r->link.why);
	return -EIO;
}

/* --- what the library asks for */

static int read_rows(void *arg, struct buf *out, char *why, size_t cap)
{
	static const char sql[] =
	    "select line, (extract(epoch from \"time\") * 1000000)::bigint - $2::bigint * 1000, "
	    "text"
	    " from (select line, \"time\", text, sum(octet_length(text)) over (order by line) bytes"
	    "  from hub_records where session = $1 and line >= $3 order by line limit " ROWS
	    ") page"
	    " where bytes - octet_length(text) < " BYTES " order by line";
	struct reader *r = arg;
	char next[NUMBER_TEXT];
	const char *params[] = {r->url.session, r->start_ms, next};
	PGresult *rows;
	int error = 0;

	if (!r->headed) {
		r->headed = true;
		return buf_puts(out, r->header);
	}
	snprintf(next, sizeof(next), "%llu", (unsigned long long)r->next);
	if (ask(r, sql, 3, params, &rows) != TABLE_DONE)
		return failed(r, why, cap);
	for (int i = 0; i < PQntuples(rows) && error == 0; i++) {
		error = recording_put_line(out, PQgetvalue(rows, i, 2),
					   (size_t)PQgetlength(rows, i, 2), number(rows, i, 1));
		r->next = number(rows, i, 0) + 1;
	}
	PQclear(rows);
	if (error < 0)
		snprintf(why, cap, "line %llu: %s", (unsigned long long)r->next - 1,
			 error == -EINVAL ? "not as it was recorded" : strerror(-error));
	return error;
}

/* Whether the first line from that one on has a t below t_us. Returns 0 or -errno. */
static int is_before(struct reader *r, uint64_t line, uint64_t t_us, bool *before, uint64_t *at)
{
	static const char sql[] =
	    "select line, (extract(epoch from \"time\") * 1000000)::bigint - $2::bigint * 1000"
	    " from hub_records where session = $1 and line >= $3 order by line limit 1";
	char text[NUMBER_TEXT];
	const char *params[] = {r->url.session, r->start_ms, text};
	PGresult *row;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)line);
	if (ask(r, sql, 3, params, &row) != TABLE_DONE)
		return -EIO;
	*before = PQntuples(row) && number(row, 0, 1) < t_us;
	*at = *before ? number(row, 0, 0) : line;
	PQclear(row);
	return 0;
}

static int go(void *arg, uint64_t t_us, char *why, size_t cap)
{
	struct reader *r = arg;
	uint64_t low = 1, high = r->lines + 1, at;
	bool before;

	/* Times never decrease, and some lines may have been deleted. */
	while (t_us && low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (is_before(r, middle, t_us, &before, &at) < 0)
			return failed(r, why, cap);
		if (before)
			low = at + 1;
		else
			high = middle;
	}
	r->headed = t_us > 0;
	r->next = low;
	return 0;
}

static void reader_free(void *arg)
{
	struct reader *r = arg;

	table_link_close(&r->link);
	table_url_free(&r->url);
	free(r->header);
	free(r);
}

/* --- opening */

/* The header, where there is one. */
static enum table_outcome look(struct reader *r)
{
	static const char sql[] =
	    "select header || E'\\n', (extract(epoch from started) * 1000)::bigint, lines"
	    " from hub_sessions where session = $1 and header is not null";
	const char *params[] = {r->url.session};
	PGresult *row;
	enum table_outcome got;

	if (!*r->url.session)
		return table_link_never(&r->link, EX_USAGE,
					"of which session? ?session=NAME at the end says it");
	got = ask(r, sql, 1, params, &row);
	if (got != TABLE_DONE)
		return got;
	if (!PQntuples(row)) {
		PQclear(row);
		return table_link_never(&r->link, EX_NOINPUT, "it has no recording of %s",
					r->url.session);
	}
	r->header = strdup(PQgetvalue(row, 0, 0));
	snprintf(r->start_ms, sizeof(r->start_ms), "%s", PQgetvalue(row, 0, 1));
	r->lines = number(row, 0, 2);
	r->next = 1;
	PQclear(row);
	return r->header ? TABLE_DONE
			 : table_link_never(&r->link, EX_OSERR, "%s", strerror(ENOMEM));
}

struct recording *table_reader_open(struct table_url *url, const struct seal_keys *keys, char *why,
				    size_t cap, int *status)
{
	static const struct recording_from from = {read_rows, go, reader_free};
	struct reader *r = calloc(1, sizeof(*r));

	if (!r) {
		table_url_free(url);
		snprintf(why, cap, "%s", strerror(ENOMEM));
		*status = EX_OSERR;
		return NULL;
	}
	r->url = *url;
	atomic_store(&r->link.fd, -1);
	if (look(r) != TABLE_DONE) {
		snprintf(why, cap, "%s", r->link.why);
		*status = r->link.status;
		reader_free(r);
		return NULL;
	}
	return recording_open_from(&from, r, keys, why, cap, status);
}

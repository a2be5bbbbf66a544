/* Invariant: rows and the place where their session stands change together, and only where it stood
 * as `now` says. So a batch that may be there already is found out about, and never comes twice. */
#include "table/table_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "table/table_row.h"

#define PIECE (64 << 10) /* bytes handed to libpq at a time */
#define NUMBER_TEXT 24

int table_batch_init(struct table_batch *b)
{
	uint64_t id;

	*b = (struct table_batch){.feed = recording_feed_new()};
	if (!b->feed)
		return -ENOMEM;
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return -EIO;
	snprintf(b->writer, sizeof(b->writer), "%016llx", (unsigned long long)id);
	return 0;
}

void table_batch_free(struct table_batch *b)
{
	recording_close(b->feed);
	buf_free(&b->rows);
}

/* --- rows */

/* The place behind a line. */
static void follow(struct table_stand *a, const struct recording *feed,
		   const struct recording_line *line)
{
	bool mark = line->kind == RECORDING_GAP || line->kind == RECORDING_SNAPSHOT;

	if (line->kind == RECORDING_HEADER)
		a->start_ms = recording_head(feed)->start_ms;
	else
		a->last_us = line->t_us;
	if (mark && place_is_new(&a->place, line))
		a->log++;
	place_follow(&a->place, line);
	if (line->run.p) {
		memcpy(a->run, line->run.p, line->run.len);
		a->run[line->run.len] = '\0';
	}
}

static const char *add_line(struct table_batch *b, struct table_session *s, const char *text,
			    size_t len)
{
	struct recording_line line;
	const char *wrong = recording_feed(b->feed, text, len, &line);
	struct table_row row = {.session = s->name};

	if (wrong)
		return wrong;
	follow(&s->after, b->feed, &line);
	if (line.kind == RECORDING_HEADER) {
		s->header = calloc(1, len + 1);
		if (!s->header)
			return strerror(ENOMEM);
		memcpy(s->header, text, len);
		return NULL;
	}
	row.epoch = s->after.place.epoch;
	row.log = s->after.log;
	row.line = ++s->after.lines;
	row.time_us = s->after.start_ms * 1000 + line.t_us;
	return table_row_put(&b->rows, &row, &line) < 0 ? strerror(ENOMEM) : NULL;
}

const char *table_batch_add(struct table_batch *b, struct table_session *s, const char *text,
			    size_t len)
{
	const char *end = text + len, *wrong = NULL;

	if (!b->sessions && table_row_begin(&b->rows) < 0)
		return strerror(ENOMEM);
	if (!s->in_batch) {
		s->in_batch = true;
		s->after = s->now;
		s->other = b->sessions;
		b->sessions = s;
	}
	while (text < end && !wrong) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));

		wrong = add_line(b, s, text, (size_t)(feed - text));
		text = feed + 1;
	}
	return wrong;
}

const char *table_batch_end(struct table_batch *b)
{
	return table_row_end(&b->rows) < 0 ? strerror(ENOMEM) : NULL;
}

void table_batch_done(struct table_batch *b)
{
	for (struct table_session *s = b->sessions; s; s = s->other) {
		s->in_batch = false;
		s->now = s->after;
		free(s->header);
		s->header = NULL;
	}
	b->sessions = NULL;
	b->rows.len = 0;
	b->uncertain = false;
}

/* --- where a session stands */

/* The session has not the lines that it should have. TABLE_DONE: those of the batch are there. */
static enum table_outcome other_lines(const struct table_batch *b, struct table_link *l,
				      const struct table_session *s)
{
	const char *params[] = {s->name};
	PGresult *result;
	enum table_outcome r = table_link_do(
	    l, "select lines, writer from hub_sessions where session = $1", 1, params, &result);
	uint64_t lines = 0;
	bool ours = false;

	if (r != TABLE_DONE)
		return r;
	if (PQntuples(result)) {
		lines = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
		ours = strcmp(PQgetvalue(result, 0, 1), b->writer) == 0;
	}
	PQclear(result);
	if (b->uncertain && ours && lines == s->after.lines)
		return TABLE_DONE;
	return lines < s->now.lines
		   ? table_link_never(l, EX_IOERR, "%s: it has lost what it had taken", s->name)
		   : table_link_never(l, EX_UNAVAILABLE, "%s: another hubreplay writes it",
				      s->name);
}

/* Has the session stand where it does behind the batch. *there: all of the batch is there. */
static enum table_outcome put_stand(const struct table_batch *b, struct table_link *l,
				    const struct table_session *s, bool *there)
{
	static const char sql[] =
	    "update hub_sessions set lines = $3, log = $4, seq = $5, writer = $6,"
	    " epoch = nullif($7, ''), run = nullif($8, ''), header = coalesce($9, header),"
	    " started = 'epoch'::timestamptz + $10::bigint * interval '1 millisecond',"
	    " last = 'epoch'::timestamptz + $11::bigint * interval '1 microsecond'"
	    " where session = $1 and lines = $2";
	const struct table_stand *a = &s->after;
	const uint64_t numbers[] = {s->now.lines, a->lines,    a->log,
				    a->place.seq, a->start_ms, a->start_ms * 1000 + a->last_us};
	char text[6][NUMBER_TEXT];
	const char *params[] = {s->name,	text[0], text[1],   text[2], text[3], b->writer,
				a->place.epoch, a->run,	 s->header, text[4], text[5]};
	PGresult *result;
	enum table_outcome r;

	for (size_t i = 0; i < 6; i++)
		snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)numbers[i]);
	r = table_link_do(l, sql, 11, params, &result);
	if (r == TABLE_DONE && strcmp(PQcmdTuples(result), "1") != 0) {
		r = other_lines(b, l, s);
		*there = r == TABLE_DONE;
	}
	PQclear(result);
	return r;
}

static uint64_t number(const PGresult *result, int column)
{
	return strtoull(PQgetvalue(result, 0, column), NULL, 10);
}

enum table_outcome table_batch_ask(struct table_link *l, struct table_session *s, bool *there)
{
	static const char sql[] =
	    "select lines, log, seq, (extract(epoch from started) * 1000)::bigint,"
	    " (extract(epoch from last - started) * 1000000)::bigint, epoch, run,"
	    " header is not null from hub_sessions where session = $1 for update";
	const char *params[] = {s->name};
	struct table_stand *now = &s->now;
	PGresult *result = NULL;
	enum table_outcome r = table_link_do(
	    l, "insert into hub_sessions (session) values ($1) on conflict do nothing", 1, params,
	    NULL);

	if (r == TABLE_DONE)
		r = table_link_do(l, sql, 1, params, &result);
	if (r == TABLE_DONE && PQntuples(result)) {
		now->lines = number(result, 0);
		now->log = (uint32_t)number(result, 1);
		now->place.seq = number(result, 2);
		now->start_ms = number(result, 3);
		now->last_us = number(result, 4);
		snprintf(now->place.epoch, sizeof(now->place.epoch), "%s",
			 PQgetvalue(result, 0, 5));
		snprintf(now->run, sizeof(now->run), "%s", PQgetvalue(result, 0, 6));
		now->place.known = now->lines > 0;
		*there = *PQgetvalue(result, 0, 7) == 't';
	}
	PQclear(result);
	return r;
}

/* --- the transaction */

static enum table_outcome copy(const struct table_batch *b, struct table_link *l)
{
	enum table_outcome r = table_link_took(l, PQexec(l->conn, TABLE_ROW_COPY), NULL);
	bool sent = true;
	PGresult *more;

	if (r != TABLE_DONE)
		return r;
	for (size_t at = 0; sent && at < b->rows.len; at += PIECE) {
		size_t n = b->rows.len - at < PIECE ? b->rows.len - at : PIECE;

		sent = PQputCopyData(l->conn, b->rows.data + at, (int)n) == 1;
	}
	if (!sent || PQputCopyEnd(l->conn, NULL) != 1)
		return table_link_lost(l);
	/* Only its result says what came of it. */
	r = table_link_took(l, PQgetResult(l->conn), NULL);
	while (l->conn && (more = PQgetResult(l->conn)))
		PQclear(more);
	return r;
}

static enum table_outcome commit(struct table_batch *b, struct table_link *l)
{
	PGresult *result;
	enum table_outcome r;

	/* An error says nothing: a server that is ended may have done it before. */
	b->uncertain = true;
	r = table_link_do(l, "commit", 0, NULL, &result);
	if (r == TABLE_DONE && strcmp(PQcmdStatus(result), "COMMIT") != 0)
		r = table_link_never(l, EX_IOERR, "a transaction was rolled back");
	PQclear(result);
	return r;
}

static void roll_back(struct table_link *l)
{
	struct table_link said = {.status = l->status};

	if (!l->conn)
		return;
	memcpy(said.why, l->why, sizeof(said.why));
	table_link_do(l, "rollback", 0, NULL, NULL);
	memcpy(l->why, said.why, sizeof(said.why));
	l->status = said.status;
}

enum table_outcome table_batch_write(struct table_batch *b, struct table_link *l)
{
	enum table_outcome r = table_link_do(l, "begin", 0, NULL, NULL);
	bool there = false;

	for (struct table_session *s = b->sessions; r == TABLE_DONE && s && !there; s = s->other)
		r = put_stand(b, l, s, &there);
	if (r == TABLE_DONE && !there) {
		b->uncertain = false; /* it is not there, since the lines were as before it */
		r = copy(b, l);
		if (r == TABLE_DONE)
			return commit(b, l);
	}
	roll_back(l);
	return r;
}

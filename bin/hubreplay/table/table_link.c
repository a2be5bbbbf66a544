/* Connections. Invariant: one that is open is UTF-8 on both sides, waits for the disk when it
 * commits, and is to tables of this version. */
#include "table/table_link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What brings the tables from a version to the next; from 0, where there are none. */
static const char *const steps[TABLE_VERSION] = {
    "create table hub_archive (version integer not null);"
    "insert into hub_archive values (0);"
    "create table hub_sessions ("
    " session text primary key,"
    " started timestamptz," /* t 0; null: nothing was recorded yet */
    " header text,"
    " lines bigint not null default 0,"
    " log integer not null default 0,"
    " epoch text,"
    " seq bigint,"
    " run text,"
    " last timestamptz,"
    " writer text) with (fillfactor = 50);"
    "create table hub_records ("
    " session text not null,"
    " line bigint not null,"
    " kind text not null,"
    " log integer not null,"
    " epoch text,"
    " seq bigint,"
    " \"time\" timestamptz not null,"
    " type text not null,"
    " key text,"
    " \"user\" text,"
    " body jsonb,"
    " text text not null,"
    " primary key (session, line));"
    "create unique index hub_records_once on hub_records (session, log, seq)"
    " where kind = 'record';"
    "create index hub_records_time on hub_records using brin (\"time\");",
};

/* --- what comes of it */

enum table_outcome table_link_never(struct table_link *l, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	l->status = status;
	return TABLE_NEVER;
}

/* What libpq says, in one line. */
static void keep_why(struct table_link *l, const char *text)
{
	size_t n = 0;

	for (; *text && n < sizeof(l->why) - 1; text++) {
		bool space = *text == '\n' || *text == '\t' || *text == ' ';

		if (!space)
			l->why[n++] = *text;
		else if (n && l->why[n - 1] != ' ')
			l->why[n++] = ' ';
	}
	while (n && l->why[n - 1] == ' ')
		n--;
	l->why[n] = '\0';
	if (!n)
		snprintf(l->why, sizeof(l->why), "no connection");
}

/* What another time may do: a server that ends, starts, has no room or is no primary yet, somebody
 * else who holds a lock. */
static bool passes(const char *state)
{
	static const char *const classes[] = {"08", "40", "53", "57", "55P03", "25006"};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(state, classes[i], strlen(classes[i])) == 0)
			return true;
	return false;
}

enum table_outcome table_link_took(struct table_link *l, PGresult *got, PGresult **result)
{
	ExecStatusType status = PQresultStatus(got);
	const char *state = PQresultErrorField(got, PG_DIAG_SQLSTATE);
	bool lost = PQstatus(l->conn) == CONNECTION_BAD;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN) {
		if (result)
			*result = got;
		else
			PQclear(got);
		return TABLE_DONE;
	}
	keep_why(l, got ? PQresultErrorMessage(got) : PQerrorMessage(l->conn));
	l->status = lost || !state || passes(state)				  ? EX_UNAVAILABLE
		    : strncmp(state, "28", 2) == 0 || strcmp(state, "42501") == 0 ? EX_NOPERM
										  : EX_IOERR;
	PQclear(got);
	if (lost)
		table_link_close(l);
	return l->status == EX_UNAVAILABLE ? TABLE_AGAIN : TABLE_NEVER;
}

enum table_outcome table_link_lost(struct table_link *l)
{
	keep_why(l, PQerrorMessage(l->conn));
	l->status = EX_UNAVAILABLE;
	table_link_close(l);
	return TABLE_AGAIN;
}

enum table_outcome table_link_do(struct table_link *l, const char *sql, int n,
				 const char *const *params, PGresult **result)
{
	if (result)
		*result = NULL;
	return table_link_took(l, PQexecParams(l->conn, sql, n, NULL, params, NULL, NULL, 0),
			       result);
}

/* The number that a statement gives; -1 where it gives none. */
static enum table_outcome ask_number(struct table_link *l, const char *sql, int *number)
{
	PGresult *result;
	enum table_outcome r = table_link_do(l, sql, 0, NULL, &result);

	*number = -1;
	if (r == TABLE_DONE && PQntuples(result) && !PQgetisnull(result, 0, 0))
		*number = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	return r;
}

/* --- the tables */

/* *version is 0 where there are none. */
static enum table_outcome ask_version(struct table_link *l, int *version)
{
	enum table_outcome r = ask_number(l, "select count(to_regclass('hub_archive'))", version);

	if (r == TABLE_DONE && *version > 0)
		r = ask_number(l, "select max(version) from hub_archive", version);
	if (r != TABLE_DONE)
		return r;
	if (*version < 0 || *version > TABLE_VERSION)
		return table_link_never(l, EX_DATAERR,
					"its tables are of version %d, of a later hubreplay: this "
					"one knows up to %d",
					*version, TABLE_VERSION);
	return TABLE_DONE;
}

/* Several statements at once. */
static enum table_outcome script(struct table_link *l, const char *sql)
{
	return table_link_took(l, PQexec(l->conn, sql), NULL);
}

/* In one transaction up to TABLE_VERSION, while nobody else does so: it begins behind the lock,
 * since only a new one is sure to see what another has made. */
static enum table_outcome migrate(struct table_link *l)
{
	char text[80];
	int version = 0;
	enum table_outcome r = script(l, "select pg_advisory_lock(hashtext('hub_archive'))");

	if (r == TABLE_DONE)
		r = script(l, "begin");
	if (r == TABLE_DONE)
		r = ask_version(l, &version);
	for (; r == TABLE_DONE && version < TABLE_VERSION; version++)
		r = script(l, steps[version]);
	snprintf(text, sizeof(text), "update hub_archive set version = %d; commit", TABLE_VERSION);
	if (r == TABLE_DONE)
		r = script(l, text);
	return r == TABLE_DONE ? script(l, "select pg_advisory_unlock_all()") : r;
}

static enum table_outcome look(struct table_link *l, bool make)
{
	const char *encoding = PQparameterStatus(l->conn, "server_encoding");
	enum table_outcome r;
	int version = 0;

	if (!encoding || strcmp(encoding, "UTF8") != 0)
		return table_link_never(l, EX_DATAERR, "its encoding is %s, not UTF8",
					encoding ? encoding : "not known");
	/* What is read by its key is read by it, in that order, also before the server has counted
	 * its rows. */
	r = script(l,
		   "set synchronous_commit = on; set lock_timeout = '10s';"
		   "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off;"
		   "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10;"
		   "set tcp_keepalives_count = 3");
	if (r == TABLE_DONE)
		r = ask_version(l, &version);
	if (r == TABLE_DONE && version < TABLE_VERSION) {
		if (make)
			return migrate(l);
		return version ? table_link_never(l, EX_DATAERR,
						  "its tables are of version %d: `hubreplay "
						  "record` makes version %d of them",
						  version, TABLE_VERSION)
			       : table_link_never(l, EX_NOINPUT, "it has no recordings");
	}
	return r;
}

/* --- its life */

static void say_nothing(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice;
}

enum table_outcome table_link_open(struct table_link *l, const char *conninfo, bool make)
{
	/* What stands before dbname gives way to the URL. */
	static const char *const names[] = {"connect_timeout",		 "tcp_user_timeout",
					    "fallback_application_name", "dbname",
					    "client_encoding",		 NULL};
	const char *values[] = {"10", "30000", "hubreplay", conninfo, "UTF8", NULL};
	enum table_outcome r;
	bool refused;

	l->conn = PQconnectdbParams(names, values, 1);
	if (PQstatus(l->conn) != CONNECTION_OK) {
		refused = PQconnectionNeedsPassword(l->conn) || PQconnectionUsedPassword(l->conn);
		keep_why(l, PQerrorMessage(l->conn));
		l->status = refused ? EX_NOPERM : EX_UNAVAILABLE;
		table_link_close(l);
		return TABLE_AGAIN;
	}
	PQsetNoticeReceiver(l->conn, say_nothing, NULL);
	atomic_store(&l->fd, PQsocket(l->conn));
	r = look(l, make);
	if (r != TABLE_DONE)
		table_link_close(l);
	return r;
}

void table_link_close(struct table_link *l)
{
	atomic_store(&l->fd, -1);
	PQfinish(l->conn);
	l->conn = NULL;
}

/* Recordings in PostgreSQL: what is known of libpq is known here alone. This room owns:
 *
 *	table         the URL that names a database, and in it one session
 *	table_link    a connection, and the version of the tables
 *	table_row     a line of a recording as a row
 *	table_jsonb   which messages jsonb takes
 *	table_batch   chunks of some sessions, as one transaction
 *	table_writer  sessions that are recorded: a thread of its own has their lines in the
 *database table_reader  a session that is read, as the text of a recording
 *
 * A recording in a file is text, in chunks; here a chunk is rows of one transaction. The library's
 * recorder and recording stand before both, so who writes or reads lines cannot tell.
 *
 * Tables, of TABLE_VERSION, in the first schema of the search path:
 *
 *	hub_archive   the version of the tables
 *	hub_sessions  for each session its header, and where it stands: changed in each transaction
 *that adds rows, by who finds there what it has left there. So no row comes twice, whoever is
 *killed, and of two writers of one session one ends. hub_records   a row for each line: `line`
 *counts those of a session from 1, `log` its logs
 *
 * Called by files/ and record/; it calls the library only, and returns what is wrong. */
#ifndef HUBREPLAY_TABLE_H
#define HUBREPLAY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "json/envelope.h"

struct table_url {
	char *conninfo;				/* for libpq */
	char session[ENVELOPE_SESSION_MAX + 1]; /* of ?session=; or empty */
};

/* Whether that names a database, and no file. */
bool table_url_is(const char *path);

/* Reads such a URL. One with a password in it is refused: all can see a command line. Returns 0 or
 * an exit status with the reason in why, which tells nothing of the URL, so that the caller must
 * not either. */
int table_url_read(struct table_url *u, const char *url, char *why, size_t cap);

void table_url_free(struct table_url *u);

#endif

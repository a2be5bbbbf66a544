/* A connection to the database; for this room alone, since it shows libpq. It is open, or it is
 * lost: then what was asked last may have been done or not. */
#ifndef HUBREPLAY_TABLE_LINK_H
#define HUBREPLAY_TABLE_LINK_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>

#define TABLE_VERSION 1 /* of the tables */

/* What came of something. */
enum table_outcome {
	TABLE_DONE,
	TABLE_AGAIN, /* the database is away, or busy: the same may be done later */
	TABLE_NEVER,
};

struct table_link {
	PGconn *conn;  /* NULL: lost, or not connected yet */
	atomic_int fd; /* of conn; -1 where it is NULL */
	int status;    /* of what was not done: an exit status, */
	char why[400]; /* and the reason, in one line */
};

/* Connects, and looks at the tables: those of a later version are refused. With make they are made,
 * or brought up to this version, as a whole or not at all; without, there must be some. */
enum table_outcome table_link_open(struct table_link *l, const char *conninfo, bool make);

/* Does a statement with n parameters, as text. *result (NULL: not wanted) is NULL unless it is
 * done; the caller clears it. A connection that is lost is closed. */
enum table_outcome table_link_do(struct table_link *l, const char *sql, int n,
				 const char *const *params, PGresult **result);

/* The same of what libpq has given for it, which it takes; NULL: nothing. */
enum table_outcome table_link_took(struct table_link *l, PGresult *got, PGresult **result);

/* It is no good any more: closes it. */
enum table_outcome table_link_lost(struct table_link *l);

/* Says that it never will be, with the exit status and the reason. */
enum table_outcome table_link_never(struct table_link *l, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void table_link_close(struct table_link *l);

#endif

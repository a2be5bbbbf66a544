/* Sessions that are recorded in a database. A thread of its own has in it what the recorders hand
 * over, as many chunks at a time as there are; where the database is away it tries again, and
 * nothing is lost or comes twice, whichever side was killed. What a recorder has handed over is
 * safe when nothing waits any more. All of this is for one thread, which is another. */
#ifndef HUBREPLAY_TABLE_WRITER_H
#define HUBREPLAY_TABLE_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "recording/recording.h"
#include "table/table.h"

/* Open; failed: it takes nothing more; closed. */
struct table_writer;

/* Connects, and has the tables made where there are none. Borrows url. Returns NULL with the reason
 * in why and *status an exit status. */
struct table_writer *table_writer_open(const struct table_url *url, char *why, size_t cap,
				       int *status);

/* The recorder of a session, which goes on where the database has come to: *past, as for
 * recorder_open(). Waits some seconds for a database that has gone away. The recorder lives no
 * longer than the writer. */
struct recorder *table_writer_session(struct table_writer *w, const char *session,
				      struct recorder_past *past, char *why, size_t cap,
				      int *status);

/* Bytes that wait: whoever hands over more and more should stop for a while. */
size_t table_writer_waiting(const struct table_writer *w);

/* Whether it has failed, with the reason in why and *status. */
bool table_writer_failed(struct table_writer *w, char *why, size_t cap, int *status);

/* What people should know since the last call: that the database is away, for what reason, or back.
 * False: nothing. */
bool table_writer_news(struct table_writer *w, char *text, size_t cap);

/* Waits until all is in the database, as long as that makes progress, and frees. Returns 0 or an
 * exit status with the reason in why. NULL is fine. */
int table_writer_close(struct table_writer *w, char *why, size_t cap);

#endif

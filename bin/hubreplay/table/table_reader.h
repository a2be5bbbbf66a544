/* A session in a database as a recording. */
#ifndef HUBREPLAY_TABLE_READER_H
#define HUBREPLAY_TABLE_READER_H

#include "recording/recording.h"
#include "table/table.h"

/* Opens the session that the URL names, which it takes in any case; it ends where the database has
 * nothing more of it at that moment. As recording_open() else, with *status EX_UNAVAILABLE for a
 * database that is away. */
struct recording *table_reader_open(struct table_url *url, const struct seal_keys *keys, char *why,
				    size_t cap, int *status);

#endif

/* A line of a recording as a row of hub_records, in the binary format of COPY. */
#ifndef HUBREPLAY_TABLE_ROW_H
#define HUBREPLAY_TABLE_ROW_H

#include <stdint.h>

#include "base/buf.h"
#include "recording/recording.h"

/* What COPY is told of the rows. */
#define TABLE_ROW_COPY                                                                           \
	"copy hub_records (session, line, kind, log, epoch, seq, \"time\", type, key, \"user\"," \
	" body, text) from stdin (format binary)"

/* What of a row is not in its line. */
struct table_row {
	const char *session, *epoch; /* of its log; empty: not known */
	uint64_t line;		     /* of its session, from 1 */
	uint32_t log;		     /* which of the session's logs, from 1 */
	uint64_t time_us;	     /* since 1970 */
};

/* The beginning of the rows, and their end. Return 0 or -ENOMEM. */
int table_row_begin(struct buf *out);
int table_row_end(struct buf *out);

/* Appends a row. Returns 0 or -ENOMEM. */
int table_row_put(struct buf *out, const struct table_row *row, const struct recording_line *line);

#endif

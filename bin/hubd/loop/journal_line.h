/* The text of a line of the journal. Pure. */
#ifndef HUBD_JOURNAL_LINE_H
#define HUBD_JOURNAL_LINE_H

#include <stddef.h>

#include "loop/journal.h"

#define JOURNAL_LINE 1024 /* bytes of a line, its line feed included; longer ones are cut */

/* Writes one line: JSON, or `TIME LEVEL EVENT door=D conn=N peer=P user=U: MESSAGE`; for systemd
 * with <N>, its number of the level, in the place of time and level. Control characters and what is
 * not ASCII are escaped, so that nobody outside can make lines, nor fields. Returns its length. */
size_t journal_line(char out[JOURNAL_LINE], bool json, bool systemd, uint64_t wall_ms,
		    enum err_level level, enum journal_event event, const struct journal_who *who,
		    const char *message);

#endif

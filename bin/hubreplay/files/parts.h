/* The names of the files of a recording, of which a split one has several: match.ndjson.zst has the
 * parts match.0001.ndjson.zst and so on, so that names sort like their times. */
#ifndef HUBREPLAY_PARTS_H
#define HUBREPLAY_PARTS_H

#include <stdbool.h>

/* The name of a part of base, from 1; of part 0: base itself. The caller frees it. NULL: no memory.
 */
char *parts_path(const char *base, unsigned part);

/* The last part that is there, counted from 1 without a hole; 1 where there is none. */
unsigned parts_last(const char *base);

/* Whether a file of that name is compressed: it ends in .zst. */
bool parts_compressed(const char *path);

#endif

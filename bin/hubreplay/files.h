/* Recordings on the command line: keys, opening, times, and what is said of how they end. For
 * main-level code: what cannot go on dies with its status. */
#ifndef HUBREPLAY_FILES_H
#define HUBREPLAY_FILES_H

#include <stdint.h>

#include "base/buf.h"
#include "recording/recording.h"
#include "recording/seal.h"

/* The keys of key files, any of which may be NULL; to is for what is written. NULL where there are
 * none. The caller frees them. */
struct seal_keys *files_keys(const char *seal, const char *verify);
struct seal_keys *files_keys_to(const char *seal, const char *sign);

/* Opens a recording. Returns NULL after saying why, with *status. */
struct recording *files_open(const char *path, const struct seal_keys *keys, int *status);

/* The same; dies where it fails. */
struct recording *files_need(const char *path, const struct seal_keys *keys);

/* Says how a recording has ended, where that was not its end. Returns the exit status: 0, EX_NO
 * where it is unfinished, EX_DATAERR or EX_IOERR. */
int files_ended(const char *path, const struct recording *r, enum recording_status status);

/* A recording that is written. */
struct sink {
	const char *path;
	struct recorder *w;
	struct buf text;
};

/* Creates it, compressed where its name ends in .zst; "-": standard output. */
void sink_open(struct sink *s, const char *path, const struct seal_keys *keys);

/* Puts a line with another time. */
void sink_put(struct sink *s, const struct recording_line *line, uint64_t t_us);

/* Dies where error is one. */
void sink_check(const struct sink *s, int error);

/* Writes the end, and closes. */
void sink_close(struct sink *s);

/* A time in a recording as people write it, in us: seconds (90, 12.5), with a unit (500ms, 3m, 1h),
 * or 1:02:03.5. */
uint64_t files_time(const char *option, const char *text);

#endif

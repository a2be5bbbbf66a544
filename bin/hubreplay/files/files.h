/* What is known of recording files on the disk. This room owns:
 *
 *	files      the keys and the files that a command line names, and how a recording ends
 *	sink       a recording that is written by a command
 *	parts      the names of a recording that is split
 *	places     where the sessions of a file stand, so that it can be gone on with
 *	place      where the log of one session stands: not known, until a record, a gap or a
 *snapshot tally      a table of names time_text  times as people write them
 *
 * Called by record/, play/ and edit/; it calls the library only. files and sink are for main-level
 * code: they say on stderr what is wrong, and where it cannot go on they end the program with its
 * exit status. The others return it. For one thread. */
#ifndef HUBREPLAY_FILES_H
#define HUBREPLAY_FILES_H

#include <stdint.h>

#include "recording/recording.h"
#include "recording/seal.h"

#define FILES_ZSTD_LEVEL 3 /* of what is compressed */

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

/* The time that an option has, in us (time_text.h); dies where it is none. */
uint64_t files_time(const char *option, const char *text);

#endif

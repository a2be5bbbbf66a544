/* What is known of recordings by their names. This room owns:
 *
 *	files      the keys and the recordings that a command line names, and how one ends
 *	sink       a recording that is written by a command
 *	parts      the names of a recording that is split
 *	places     where the sessions of a file stand, so that it can be gone on with
 *	range      the part of a recording that --from and --to name
 *	tally      a table of names
 *
 * Called by record/, play/ and edit/; it calls table/ and the library. files, sink and range are
 *for main-level code: they say on stderr what is wrong, and where it cannot go on they end the
 *program with its exit status. The others return it. For one thread. */
#ifndef HUBREPLAY_FILES_H
#define HUBREPLAY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recording/recording.h"
#include "recording/seal.h"
#include "table/table.h"

#define FILES_ZSTD_LEVEL 3 /* of what is compressed */

/* The keys of key files, any of which may be NULL; to is for what is written. NULL where there are
 * none. The caller frees them. */
struct seal_keys *files_keys(const char *seal, const char *verify);
struct seal_keys *files_keys_to(const char *seal, const char *sign);

/* As files_keys(), but *status is 0 or the exit status that fits, with the reason in why. */
struct seal_keys *files_keys_try(const char *seal, const char *verify, char *why, size_t cap,
				 int *status);

/* Opens what a command line names: a file, "-", or a session in a database (table/). With plain a
 * file need not be a recording. As recording_open() and recording_open_lines() else; dies where it
 * is a URL that may not stand there. */
struct recording *files_try(const char *path, const struct seal_keys *keys, bool plain, char *why,
			    size_t cap, int *status);

/* Reads the URL of a database, or dies: such a one is never in what is said. */
void files_url(struct table_url *u, const char *url);

/* As files_try(). Returns NULL after saying why, with *status. */
struct recording *files_open(const char *path, const struct seal_keys *keys, int *status);

/* The same; dies where it fails. */
struct recording *files_need(const char *path, const struct seal_keys *keys);

/* Says how a recording has ended, where that was not its end. Returns the exit status: 0, EX_NO
 * where it is unfinished, EX_DATAERR or EX_IOERR. */
int files_ended(const char *path, const struct recording *r, enum recording_status status);

#endif

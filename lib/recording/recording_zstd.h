/* Compressed recordings: one zstd frame (RFC 8878) for each chunk. libzstd stays in
 * recording_zstd.c. */
#ifndef HUB_RECORDING_ZSTD_H
#define HUB_RECORDING_ZSTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct pack;
struct unpack;

/* True where these bytes begin a compressed recording. */
bool pack_magic(const char *p, size_t len);

/* Compresses at a level of 1 to 19. NULL: no memory. */
struct pack *pack_new(int level);
void pack_free(struct pack *p); /* NULL is fine */

/* Appends text as one frame, with its length and a checksum. Returns 0 or -ENOMEM. */
int pack_frame(struct pack *p, const char *text, size_t len, struct buf *out);

struct unpack *unpack_new(void); /* NULL: no memory */
void unpack_free(struct unpack *u);

enum unpack_status {
	UNPACK_FRAME, /* a frame has ended; what follows was not touched */
	UNPACK_MORE,  /* all is used, or room was made use of: go on */
	UNPACK_BAD,   /* no zstd, damaged, or compressed with a window of more than 32 MiB */
	UNPACK_NOMEM,
};

/* Takes bytes from [*p, end), moves *p behind them and appends what they make to out, up to some
 * 128 KiB a call. */
enum unpack_status unpack_some(struct unpack *u, const char **p, const char *end, struct buf *out);

/* True between two frames. */
bool unpack_idle(const struct unpack *u);

/* Forgets a frame that was begun. */
void unpack_reset(struct unpack *u);

/* The length of the whole frame at offset of a file, found without decompressing it; 0 where there
 * is none, or not all of it. */
uint64_t pack_frame_length(int fd, uint64_t offset);

#endif

/* The text of a recording out of its file, however it is stored: plain, compressed, sealed, or
 * sealed and compressed. For recording*.c alone.
 *
 * A sealed file is SOURCE_MAGIC and the id of its key, then elements that begin with a word of 4
 * bytes, lowest first: SOURCE_STREAM, and the header of a new stream; or the length of a sealed
 * chunk, and the chunk. Each chunk is authenticated with the last 16 bytes of the one before it, so
 * that streams cannot be taken apart. An empty chunk that is marked as the last one ends the file.
 */
#ifndef HUB_RECORDING_SOURCE_H
#define HUB_RECORDING_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "recording/recording.h"
#include "recording/seal.h"

#define SOURCE_MAGIC "hubseal1"
#define SOURCE_MAGIC_LEN 8
#define SOURCE_HEAD_LEN (SOURCE_MAGIC_LEN + SEAL_KEY_ID)
#define SOURCE_STREAM UINT32_MAX
#define SOURCE_TAG 16
#define SOURCE_CHUNK (1 << 20)				  /* a writer syncs what is larger */
#define SOURCE_CHUNK_MAX (RECORDING_LINE_MAX + (2 << 20)) /* bytes of a sealed chunk */

struct unpack;

enum source_status {
	SOURCE_TEXT,
	SOURCE_END,    /* as it should be */
	SOURCE_CUT,    /* within a chunk, or before the end of what is sealed */
	SOURCE_BAD,    /* why says it */
	SOURCE_FAILED, /* likewise */
};

/* Behind a whole chunk: where a writer may go on. */
struct source_place {
	uint64_t offset;
	unsigned char tag[SOURCE_TAG]; /* of a sealed chunk */
};

struct source {
	int fd; /* of a file; else -1, and from */
	const struct recording_from *from;
	void *arg;
	const struct seal_keys *keys;
	bool sealed, compressed;
	struct source_place whole; /* behind the last whole chunk that was given; plain: behind all
				    * that was given */
	char why[160];

	/* Below: for recording_source.c only. */
	struct buf in; /* as read; used up to in_at, which is at offset of the file */
	size_t in_at;
	uint64_t offset;
	struct buf plain; /* of a sealed chunk; used up to plain_at */
	size_t plain_at;
	struct seal_stream *stream;
	bool fresh; /* no chunk of the stream was read yet */
	bool ended, eof;
	struct unpack *unpack;
};

/* Finds out how fd is stored. Takes fd in any case, which must stand at its beginning. Returns 0,
 * or an exit status with the reason in why. */
int source_open(struct source *s, int fd, const struct seal_keys *keys);

/* The same of what is not in a file; takes arg. */
int source_open_from(struct source *s, const struct recording_from *from, void *arg,
		     const struct seal_keys *keys);

/* Appends some text to out: at least a byte; of what is compressed or sealed one chunk, but for a
 * frame of more than SOURCE_CHUNK_MAX. Anything but SOURCE_TEXT is the end. */
enum source_status source_read(struct source *s, struct buf *out);

/* Goes to an offset of the file: the beginning, or of a plain file any, of a compressed one that of
 * a frame; of what is not in a file, to a time in us. Returns 0 or -errno. */
int source_go(struct source *s, uint64_t offset);

void source_close(struct source *s);

#endif

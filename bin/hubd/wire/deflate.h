/* permessage-deflate (RFC 7692) without context takeover: each message is compressed alone, so that
 * what was made for one client is good for all that promised as much. zlib's types stay in here. */
#ifndef HUB_DEFLATE_H
#define HUB_DEFLATE_H

#include <stddef.h>

#include "base/buf.h"

/* Window bits that can be promised: zlib makes no raw stream of 8. */
#define DEFLATE_BITS_MIN 9
#define DEFLATE_BITS_MAX 15

/* For one thread. Streams are made when they are first used: one of 15 bits takes 268 KB, each
 * smaller one half as much, one to inflate 40 KB. */
struct deflater;

struct deflater *deflater_new(void);	/* NULL: no memory */
void deflater_free(struct deflater *d); /* NULL is fine */

/* Appends a text as a whole compressed frame (section 6.1) that goes by a window of so many bits,
 * or fewer. No block of it is final: some clients hear nothing more behind one. Returns 0; 1 where
 * a frame as it is would not be longer, then nothing was appended; or -ENOMEM. len is above 0. */
int deflate_frame(struct deflater *d, unsigned bits, const char *text, size_t len, struct buf *out);

/* Appends what the payload of a compressed message (section 6.2), put together from its fragments,
 * stands for. Takes any deflate stream, with final blocks or not. Returns 0; -EMSGSIZE where it is
 * more than limit bytes, of which no more than one beyond that are ever made; -EBADMSG: it is no
 * such stream, or ends inside a block; or -ENOMEM. */
int inflate_message(struct deflater *d, const void *data, size_t len, size_t limit,
		    struct buf *out);

#endif

/* msgpack (github.com/msgpack/msgpack/blob/master/spec.md) as servers of Socket.IO write it, from
 * JSON and to JSON. By hand, since libmsgpack allocates what a message claims to have in it. Pure;
 * work and memory are bounded by what is read. */
#ifndef HUBD_MSGPACK_H
#define HUBD_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

/* --- out; all append, and return 0 or -ENOMEM */

/* The first byte of a value, then n in so many bytes (up to 8), the highest first. */
int msgpack_put(struct buf *b, unsigned char first, uint64_t n, size_t bytes);
int msgpack_put_int(struct buf *b, int64_t n);
int msgpack_put_str(struct buf *b, const char *text, size_t len);
int msgpack_put_word(struct buf *b, const char *word);

/* A value of a text that json_scan() accepted. {"$base64":"..."}, so written, becomes binary as
 * long as there are *binaries left, which are counted down. Half a surrogate pair becomes U+FFFD,
 * numbers what JavaScript takes them for. */
int msgpack_put_json(struct buf *b, const char *p, size_t len, unsigned *binaries);

/* --- in */

enum msgpack_kind {
	MSGPACK_NIL,
	MSGPACK_FALSE,
	MSGPACK_TRUE,
	MSGPACK_INTEGER, /* n has its two's complement */
	MSGPACK_NATURAL,
	MSGPACK_FLOAT,
	MSGPACK_STRING,
	MSGPACK_BINARY,
	MSGPACK_EXTENSION,
	MSGPACK_ARRAY,
	MSGPACK_MAP,
};

struct msgpack {
	enum msgpack_kind kind;
	uint64_t n; /* of a list: how many elements, or pairs; no more than bytes are left */
	double d;
	struct span bytes; /* borrowed: of a string, binary or extension */
	int8_t ext;	   /* its type */
};

/* Takes a value from the front, of a list its head alone. False where there is none. */
bool msgpack_take(struct span *s, struct msgpack *v);

/* Takes a value with all that is in it; *all is where it stands. */
bool msgpack_take_whole(struct span *s, struct span *all);

/* Takes so many bytes as a number, the highest first. */
bool msgpack_take_number(struct span *s, size_t bytes, uint64_t *n);

/* Takes a value and appends what JSON.stringify() in JavaScript would make of it, but for binary:
 * that is {"$base64":"..."}. depth: of lists around it. Returns 0, -EINVAL for what is malformed or
 * too deep, -EMSGSIZE where b is longer than max on the way, or -ENOMEM. */
int msgpack_json(struct buf *b, struct span *s, unsigned depth, size_t max);

/* The same for a name: a string, or a number, which becomes one. */
int msgpack_json_name(struct buf *b, struct span *s, size_t max);

#endif

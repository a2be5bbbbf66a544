/* What stream.c and stream_io.c share. */
#ifndef HUBD_STREAM_IMPL_H
#define HUBD_STREAM_IMPL_H

#include "door/stream.h"

/* As what it is counted. */
enum count_door stream_counted(const struct stream *s);

/* `by` more bytes of it wait; negative: fewer. */
void stream_count_unsent(struct stream *s, size_t by);

/* What an idle stream does not have, made if need be; NULL: no memory. */
struct stream_more *stream_more_of(struct stream *s);

/* As much of what the socket is to have as it takes: bytes, or -errno where it is broken. */
ssize_t stream_push(struct stream *s, const char *data, size_t len);

/* What it has among the worker's sends leaves. */
void stream_settle(struct stream *s);

/* TLS's own end of what is sent, if there is room for it. */
void stream_say_end(struct stream *s);

/* Reads to the worker's input, behind what is there already. Returns how many bytes there are in
 * all. */
size_t stream_fill(struct stream *s, size_t have);

#endif

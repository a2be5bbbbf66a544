/* Who is at the other end of a stream: its socket's peer, or whom a trusted proxy names. It is
 * kept, since a socket knows no peer any more once that has reset it. */
#ifndef HUBD_PEER_H
#define HUBD_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/address.h"

struct http1_head;
struct stream;
struct trust;

struct sockaddr;

/* Of what accept(2) says. */
void peer_of_sockaddr(const struct sockaddr *sa, struct address *a);

/* Of a stream: the client's, as far as it is known. */
void peer_of(const struct stream *s, struct address *a);

/* Reads the PROXY header that [p, end) has come of. Returns its length, then *a is whom it names,
 * who may be nobody; 0 where more of it is to come, or -EPROTO after logging what is wrong. */
int peer_read_header(const struct stream *s, const unsigned char *p, const unsigned char *end,
		     struct address *a);

/* From now on the stream's client is who sent this request: by what its fields say, where who
 * passed it on is trusted. socket: who is at the other end of that; first: whom the PROXY header
 * named, or nobody. False where forwarded_client() refuses the fields. */
bool peer_learn(struct stream *s, const struct trust *trust, const struct address *socket,
		const struct address *first, const struct http1_head *head);

#endif

/* Whose request it is that came through proxies: X-Forwarded-For, and Forwarded (RFC 7239).
 *
 * Anybody may send these fields, and a proxy adds to what was sent to it. So only what trusted
 * proxies said is believed: from the last hop back, as long as the hops are trusted proxies
 * themselves. The first that is none is the client; what stands before it is its own invention. A
 * hop that names no address ("unknown", "_hidden", or nothing to be read as one) ends this as well:
 * then the client is the last proxy that is known.
 *
 * Only one of the two fields is looked at, for a proxy writes one and passes the other on as it
 * came from the client. */
#ifndef HUBD_FORWARDED_H
#define HUBD_FORWARDED_H

#include "wire/address.h"
#include "wire/http1.h"

#define TRUST_MAX 256

enum forwarded_field { FORWARDED_X_FOR, FORWARDED_RFC };

/* Who is believed, and in which field. */
struct trust {
	struct network at[TRUST_MAX];
	size_t n;
	enum forwarded_field field;
};

/* Adds the networks of a list, with commas between. Returns NULL, or what is wrong in words, of
 * unlimited life; then *at is the element. */
const char *trust_add(struct trust *t, const char *list, struct http1_span *at);

bool trust_has(const struct trust *t, const struct address *a);

/* *client is who sent the request, and becomes whose it is. Returns 0, or 400 where a trusted proxy
 * passed on a Forwarded that does not follow its grammar: a client can hide what the proxy adds to
 * it behind a quote that does not end. */
int forwarded_client(const struct trust *t, const struct http1_head *head, struct address *client);

#endif

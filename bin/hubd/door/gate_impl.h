/* Who is let in, and where he counts: for the doors; private to the room. */
#ifndef HUBD_GATE_IMPL_H
#define HUBD_GATE_IMPL_H

#include "conn/shares.h"
#include "door/gate.h"

struct address;
struct arrival;
struct http;
struct stream;
struct worker;

#define GATE_TOLD 10 /* a second, of those whom a handshake of TLS would be needed to refuse */

/* Counts a TCP connection that was just accepted for its address. False where it is refused for
 * that, which is counted and said; else it may be refused by its first request's answer. For the
 * thread that accepts. */
bool gate_accept(struct worker *w, struct arrival *a);

/* One that its worker has counted has ended before a stream took it. */
void gate_left(struct worker *w, const struct arrival *a);

/* Whose address a stream counts for; false: for nobody's. Those of the machine itself do not count,
 * nor those of trusted proxies, but for whom these speak. */
bool gate_counts(const struct stream *s, struct address *a);

/* Counts a client that polls for its address, beside that one's connections, until
 * shares_drop(). Else it is answered, and h may be no more. */
bool gate_polls(struct http *h, const struct address *a, share *at);

/* Whether the request that h->head has may be served; else it is answered, and h may be no more.
 * Without hosts, what came to an address of the loopback must call that by a name that nobody else
 * can have: or a page could reach the hub under the page's own name (DNS rebinding), and be let in
 * by the browser as if both were one's. What names no host at all is from no browser. */
bool gate_open(struct http *h);

#endif

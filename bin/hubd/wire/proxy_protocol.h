/* The header that a proxy puts in front of a connection to say whose it is: the PROXY protocol of
 * haproxy (doc/proxy-protocol.txt there), version 2, and version 1, which nginx speaks. */
#ifndef HUBD_PROXY_PROTOCOL_H
#define HUBD_PROXY_PROTOCOL_H

#include <stddef.h>

#include "wire/address.h"

/* Bytes that a header may have: what extensions (section 2.2.7) may take of it has no bound there
 * but 64 KiB, and is not looked at. */
#define PROXY_PROTOCOL_MAX 4096

enum proxy_got {
	PROXY_MORE,    /* all that came is fine so far */
	PROXY_DONE,    /* length is set, and client */
	PROXY_REFUSED, /* what came is no such header: why says so */
};

struct proxy_header {
	size_t length;
	/* Not known where the proxy speaks for itself (LOCAL, as its health checks do), where it
	 * does not know (UNSPEC, UNKNOWN), and where its client has no IP address: then whose the
	 * connection is says its socket (section 2.2). */
	struct address client;
	const char *why; /* a constant phrase for the log */
};

/* Reads the header at data, of which len bytes have come so far. Says PROXY_MORE only where fewer
 * than PROXY_PROTOCOL_MAX bytes have come. */
enum proxy_got proxy_protocol_read(struct proxy_header *h, const void *data, size_t len);

#endif

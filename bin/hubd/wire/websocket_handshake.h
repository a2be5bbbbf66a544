/* The opening handshake of WebSocket (RFC 6455 section 4.2), server side. */
#ifndef HUB_WEBSOCKET_HANDSHAKE_H
#define HUB_WEBSOCKET_HANDSHAKE_H

#include "wire/http1.h"

#define WEBSOCKET_KEY_LEN 24	/* characters of a key */
#define WEBSOCKET_ACCEPT_LEN 28 /* characters of what it is answered with */

/* SHA-1 of n bytes to digest, of 20 bytes: the prototype of OpenSSL's SHA1(). What it returns is
 * not looked at. */
typedef unsigned char *websocket_sha1(const unsigned char *data, size_t n, unsigned char *digest);

/* Judges a request that is for a path where a WebSocket is served. Returns 0 with *key in the
 * head's buffer, or the status to answer with, and *why a constant phrase for the log:
 *
 * 405  not GET (answer Allow: GET)
 * 426  no Upgrade to websocket is asked for, or not of version 13 (answer Upgrade: websocket and
 *      Sec-WebSocket-Version: 13; section 4.4)
 * 400  what is left: no "upgrade" in Connection; no host; a key that is not 16 bytes in base64, or
 *      comes twice; a version that comes twice; protocols that are not a list of tokens; extensions
 *      that are none; content, behind which nobody agrees where the frames start */
int websocket_check(const struct http1_head *head, struct http1_span *key, const char **why);

/* The value of Sec-WebSocket-Accept (section 4.2.2) for a key that websocket_check() gave, with its
 * NUL. */
void websocket_accept(char accept[WEBSOCKET_ACCEPT_LEN + 1], struct http1_span key,
		      websocket_sha1 *sha1);

#endif

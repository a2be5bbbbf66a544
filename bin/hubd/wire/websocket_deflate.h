/* What is agreed on permessage-deflate in the opening handshake (RFC 7692 section 7.1), server
 * side: neither end takes its context over from one message to the next. */
#ifndef HUB_WEBSOCKET_DEFLATE_H
#define HUB_WEBSOCKET_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/http1.h"

struct websocket_deflate {
	unsigned
	    bits;   /* of the window that the server keeps to, 9 to 15; 0: nothing was agreed on */
	bool named; /* the client asked for that */
};

/* Whether what is in Sec-WebSocket-Extensions, where there is any, is a list of extensions with
 * their parameters (RFC 6455 section 9.1): else the handshake is none. */
bool websocket_extensions_valid(const struct http1_head *head);

/* Takes the first of the client's offers (section 5.1) that is one and can be kept. Not taken are
 * offers with parameters that are unknown, twice, or of values that they cannot have, those with a
 * server window of 8 bits, and whatever else is in the fields: then it goes on without. */
struct websocket_deflate websocket_deflate_agree(const struct http1_head *head);

#define WEBSOCKET_DEFLATE_ANSWER_MAX 120 /* with its NUL */

/* The value of Sec-WebSocket-Extensions that answers it. */
void websocket_deflate_answer(const struct websocket_deflate *d,
			      char out[WEBSOCKET_DEFLATE_ANSWER_MAX]);

#endif

/* Engine.IO 4 (github.com/socketio/engine.io-protocol, revision 4): packets as text, payloads of
 * them, and what requests and their answers say. Pure functions, in place.
 *
 * A packet is a digit and what is behind it; binary data is "b" and base64 where it goes as text. A
 * payload, the body of a request or an answer, is packets with a separator between. */
#ifndef HUBD_ENGINEIO_PACKET_H
#define HUBD_ENGINEIO_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/http1_chars.h"

#define ENGINEIO_SEPARATOR '\x1e'
#define ENGINEIO_SID_LEN 23 /* characters: a worker, and 128 bits */
#define ENGINEIO_SID_BYTES 16

enum engineio_type {
	ENGINEIO_OPEN,
	ENGINEIO_CLOSE,
	ENGINEIO_PING,
	ENGINEIO_PONG,
	ENGINEIO_MESSAGE,
	ENGINEIO_UPGRADE,
	ENGINEIO_NOOP,
	ENGINEIO_BINARY, /* a message: data is base64, which is valid */
	ENGINEIO_BAD,	 /* no packet */
};

/* The type of a packet; *data is what is behind it. */
enum engineio_type engineio_packet(struct http1_span text, struct http1_span *data);

/* Takes the next packet off a payload, which begins as the whole. An empty payload has one, that is
 * bad. False at the end: then the payload's p is NULL. */
bool engineio_next(struct http1_span *payload, struct http1_span *packet);

/* --- sessions */

/* Of the session: which worker has it, below 64, and what nobody can guess. */
struct engineio_sid {
	unsigned worker;
	unsigned char secret[ENGINEIO_SID_BYTES];
};

/* Writes it, with a NUL; and its inverse, false where text is not of that form. */
void engineio_sid_text(const struct engineio_sid *sid, char out[ENGINEIO_SID_LEN + 1]);
bool engineio_sid_parse(struct http1_span text, struct engineio_sid *sid);

/* What an open packet says. Times in milliseconds. */
struct engineio_open {
	const char *sid;
	bool upgrades; /* to a WebSocket */
	uint32_t ping_ms, pong_ms;
	size_t max_payload; /* bytes of a request's body */
};

/* Appends the packet. Returns 0 or -ENOMEM. */
int engineio_put_open(struct buf *out, const struct engineio_open *open);

/* --- requests */

enum engineio_transport { ENGINEIO_POLLING, ENGINEIO_WEBSOCKET, ENGINEIO_NO_TRANSPORT };

struct engineio_query {
	enum engineio_transport transport;
	bool version_4; /* EIO=4 */
	bool jsonp;	/* j= */
	bool base64;	/* b64=1: binary goes as text */
	bool has_sid;
	bool sid_formed; /* then it is in sid */
	struct engineio_sid sid;
};

/* Reads a query (p NULL: there is none). Of what comes twice the last counts; what is not known
 * here is passed over. */
void engineio_read_query(struct engineio_query *q, struct http1_span query);

/* The errors of Engine.IO servers, by their codes. */
enum engineio_error {
	ENGINEIO_UNKNOWN_TRANSPORT,
	ENGINEIO_UNKNOWN_SID,
	ENGINEIO_BAD_METHOD,
	ENGINEIO_BAD_REQUEST,
	ENGINEIO_FORBIDDEN,
	ENGINEIO_UNSUPPORTED,
};

/* What the reference server says of it. */
const char *engineio_error_message(enum engineio_error error);

#endif

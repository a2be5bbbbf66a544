/* The encodings: of hub7 WebSocket frames and lines, of the HTTP doors lines and server-sent
 * events, of Socket.IO packets.
 */
#ifndef HUBD_ENCODING_H
#define HUBD_ENCODING_H

#include "conn/door.h"
#include "wire/deflate.h"

extern const struct encoding encoding_websocket; /* a text frame each, RFC 6455 section 5.6 */

/* The same where the client takes deflated ones (RFC 7692), by the window bits that it was
 * promised, from DEFLATE_BITS_MIN on: records and arrays of them are, where record_log says by
 * what, and that does it. */
#define ENCODINGS_DEFLATED (DEFLATE_BITS_MAX - DEFLATE_BITS_MIN + 1)
extern const struct encoding encoding_deflated[ENCODINGS_DEFLATED];

extern const struct encoding encoding_lines; /* a line each */

/* An event each, with the type for its name; of a record its place is the id. */
extern const struct encoding encoding_events;

/* How Socket.IO's packets go. */
enum packet_carrier {
	PACKETS_FRAMES, /* a WebSocket frame each, binary as binary */
	PACKETS_TEXT,	/* the same with binary as text */
	PACKETS_POLLED, /* each with a separator behind it, for the body of an answer */
	PACKET_CARRIERS,
};

/* Of Engine.IO and Socket.IO: encoding_packets[carrier][offsets]. A message is a packet of
 * Socket.IO, "b" and base64 for a binary one, or a JSON object that is a message to one client: an
 * event. Records are events, with offsets each with its place behind its arguments, by which a
 * client comes back. Not with a record_log's place NULL. */
extern const struct encoding encoding_packets[PACKET_CARRIERS][2];

/* The event of a record, as JSON: its name, and its arguments with commas between. Borrows. */
void encoding_event(const char *text, size_t len, struct span *name, struct span *args);

#endif

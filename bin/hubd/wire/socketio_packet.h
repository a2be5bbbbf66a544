/* Socket.IO 5 (github.com/socketio/socket.io-protocol, revision 5), the encoding of its default
 * parser: packets, events, binary attachments. Pure functions, in place; JSON that they are given
 * is valid, which who calls has made sure of.
 *
 * A packet is a digit, then, each where it is wanted: the number of attachments and "-", a
 * namespace and ",", an ack's id, JSON. Attachments follow as binary messages of their own.
 *
 * A namespace is "/" and a session, or the main namespace "/", which is the session SOCKETIO_MAIN.
 */
#ifndef HUBD_SOCKETIO_PACKET_H
#define HUBD_SOCKETIO_PACKET_H

#include <stdbool.h>

#include "base/buf.h"
#include "wire/http1_chars.h"

#define SOCKETIO_MAIN "main"
#define SOCKETIO_ATTACHMENTS_MAX 10 /* of a packet, as the reference parser has it */
#define SOCKETIO_ID_MAX 15	    /* digits of an ack's id */

enum socketio_type {
	SOCKETIO_CONNECT,
	SOCKETIO_DISCONNECT,
	SOCKETIO_EVENT,
	SOCKETIO_ACK,
	SOCKETIO_CONNECT_ERROR,
	SOCKETIO_BINARY_EVENT,
	SOCKETIO_BINARY_ACK,
};

struct socketio_packet {
	enum socketio_type type;
	unsigned attachments;	   /* 0, or 1 to SOCKETIO_ATTACHMENTS_MAX */
	struct http1_span nsp;	   /* with its slash; "/" where it is not named */
	struct http1_span place;   /* namespace and comma as they came; empty of the main one */
	struct http1_span address; /* the same with the ack's id: what an ack begins with */
	struct http1_span id;	   /* digits; p is NULL where there is none */
	struct http1_span payload; /* any bytes; empty where there is none */
	struct http1_span text;	   /* all of it */
};

/* Reads a packet's text. Returns NULL, or what is wrong: static text. */
const char *socketio_parse(struct http1_span text, struct socketio_packet *p);

/* The session of a namespace; false where it is none: the main session's own name is not. */
bool socketio_session(struct http1_span nsp, struct http1_span *session);

/* Appends the namespace of a session with its comma; nothing of the main one. Returns 0 or -ENOMEM.
 */
int socketio_put_place(struct buf *out, const char *session, size_t len);

/* --- events */

struct socketio_event {
	struct http1_span name; /* as written: a string with its quotes, or a number */
	struct http1_span args; /* what is behind it, commas between; may be empty */
	bool object;		/* it is one object */
};

/* Takes a payload apart, which is valid JSON. Returns NULL, or what is wrong: static text. */
const char *socketio_event(struct http1_span payload, struct socketio_event *e);

/* Names that clients keep for themselves. */
bool socketio_reserved(const char *name, size_t len);

/* The end of the value that begins at p, of valid JSON that ends at end. */
const char *socketio_skip(const char *p, const char *end);

/* --- binary: in a record an attachment is {"$base64":"..."}, in a packet a placeholder */

/* Appends JSON with attachment number N, which is base64, in the place of each placeholder of that
 * number; the result has max bytes at most. Returns 0, -ENOMEM, -EMSGSIZE, or -EINVAL where a
 * placeholder has no attachment. */
int socketio_fill(struct buf *out, struct http1_span json, const struct http1_span *attachments,
		  unsigned n, size_t max);

/* Appends JSON with placeholders in the place of the first attachments of it, and gives these, as
 * base64. Returns how many, or -ENOMEM. */
int socketio_strip(struct buf *out, struct http1_span json,
		   struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX]);

/* Whether it has any that may go as attachments: not where JSON has a placeholder of its own, which
 * whoever gets it beside attachments would put one in the place of, or find none and end his
 * connection. */
bool socketio_has_binary(struct http1_span json);

#endif

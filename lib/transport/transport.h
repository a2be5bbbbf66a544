/* How the messages of a connection to a hub travel: over a Unix socket (transport_unix.c) or a
 * WebSocket (transport_ws.c). A transport makes one connection at a time, again and again, on the
 * owner's loop. It reports to the table it was handed, and knows nothing of who handed it.
 *
 * States: idle; open, from open() until lost() is told or drop() called. Events come only while it
 * is open, and never from inside send(); they may call any function of the kind but open() and
 * end(). */
#ifndef HUB_TRANSPORT_H
#define HUB_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/url.h"

/* Bytes of one message from the hub: the largest that it can be told to take, and what it adds. */
#define TRANSPORT_MESSAGE_MAX ((64 << 20) + 4096)

struct uv_loop_s;
struct transport;

/* Why there is no connection, as far as is known without a code of the hub's. */
enum transport_loss {
	LOSS_RETRY,   /* another attempt may do better */
	LOSS_REFUSED, /* not permitted */
	LOSS_FATAL,   /* wrong for ever */
};

/* What a transport reports, all with the owner's arg. None may be NULL. */
struct transport_events {
	/* The connection is there. May come from inside open(). */
	void (*connected)(void *arg);
	/* One message, without the line feed behind it; borrowed. */
	void (*received)(void *arg, const char *text, size_t len);
	/* Some bytes came (in), or were taken, of a message that is still on its way. */
	void (*moving)(void *arg, bool in);
	/* After send() returned 0: it takes bytes again, inside this event if nowhere else. At
	 * other times, too. */
	void (*writable)(void *arg);
	/* The connection is gone, or was never made; may come from inside open() and finish(). The
	 * last event until the next open(). close_code as in RFC 6455 section 7.4, 0 where none was
	 * given. reason is for people; borrowed. */
	void (*lost)(void *arg, enum transport_loss loss, int close_code, const char *reason);
};

/* What a transport does. */
struct transport_kind {
	/* Begins to connect. Only while idle. connected() or lost() follows, or did already. */
	void (*open)(struct transport *t);
	/* Takes bytes of whole lines, each with its line feed, all or the front of them, while
	 * connected. Where it took a part of a line, the next call must begin with the rest.
	 * Returns how many, or 0 where it can take none now: then writable() or lost() follows. */
	size_t (*send)(struct transport *t, const char *lines, size_t len);
	/* Stops or goes on reading, by t->paused; what was read already may still come. Harmless
	 * while idle. */
	void (*flow)(struct transport *t);
	/* Bytes sent that the other machine has not taken yet. NULL: not known. */
	size_t (*untaken)(struct transport *t);
	/* Says goodbye (1000); lost() follows, or did already. Only while connected. */
	void (*finish)(struct transport *t);
	/* Drops the connection, if there is one, without another word from it. */
	void (*drop)(struct transport *t);
	/* Lets go of everything, at most one step a call, once per turn of the loop. Returns true
	 * when done. Handles may close in turns after that, but *t is no longer used. */
	bool (*end)(struct transport *t);
};

/* How a WebSocket is made, beyond its URL. Strings live as long as the transport; NULL: none. */
struct transport_options {
	const char *const *headers; /* "Name: value" each, added to the handshake */
	size_t header_count;
	const char *cert, *key; /* files (PEM): the client's own certificate */
	const char *proxy;	/* [user:password@]host:port of an HTTP proxy */
	const char *token_file; /* shown to the hub: read at each open(), and when it says that the
				 * token ends; NULL: none */
	bool insecure;		/* whatever certificate the hub shows is good */
};

/* Made by its owner, in whose memory it lies: from the first open() until end() returned true. */
struct transport {
	const struct transport_kind *kind;
	const struct transport_events *events;
	void *arg;
	struct uv_loop_s *loop;
	const struct url *url;
	const struct transport_options *options; /* NULL: none */
	uint32_t connect_ms; /* after which the owner drops what is not connected yet */
	bool paused;	     /* see flow() */
	void *link;	     /* the kind's own; NULL at first */
};

extern const struct transport_kind transport_unix; /* URL_UNIX: one line a message, both ways */
extern const struct transport_kind transport_ws;   /* URL_WS, URL_WSS: RFC 6455, text messages */

#endif

/* What client.c and its transports share; private to them. */
#ifndef HUB_CLIENT_IMPL_H
#define HUB_CLIENT_IMPL_H

#include <uv.h>

#include "base/buf.h"
#include "base/line.h"
#include "client/backoff.h"
#include "client/client.h"
#include "client/cursor.h"
#include "client/sendq.h"
#include "json/json.h"

/* How the bytes travel. A transport holds at most one connection at a time, and tells what happens
 * to it with the client_on_ functions below. */
struct client_transport {
	/* Begins to connect; client_on_open() or client_on_lost() follows, or did already. */
	void (*open)(struct client *c);
	/* Takes bytes of whole lines, all or the front of them. Returns how many, or 0 where it
	 * cannot take any now: then it calls client_on_writable() later. */
	size_t (*send)(struct client *c, const char *lines, size_t len);
	/* Stops or goes on reading, by c->paused. */
	void (*flow)(struct client *c);
	/* Says goodbye (1000); client_on_lost() follows. */
	void (*finish)(struct client *c);
	/* Drops the connection, if there is one, without another word from it. */
	void (*drop)(struct client *c);
	/* Lets go of everything, at most one step a call, once per turn of the loop. Returns true
	 * when done. */
	bool (*end)(struct client *c);
};

extern const struct client_transport client_unix, client_ws;

struct client_session {
	char *id;
	bool echo;
	enum { SESSION_NEW, SESSION_ASKED, SESSION_JOINED } state;
	struct cursor cursor;
	bool joined_once;
	char run[CURSOR_EPOCH_MAX + 1]; /* of the hub at the last join, for the rest */
	char log[CURSOR_EPOCH_MAX + 1]; /* the epoch at the last join */
};

struct client {
	struct client_events events;
	struct client_options options;
	void *arg;
	uv_loop_t *loop;
	struct url url;
	const struct client_transport *transport;
	void *link; /* the transport's own */

	struct client_status status;
	char reason[256];
	struct client_session *sessions;
	size_t nsessions;
	char resume[129];  /* the hub's token for who we are; empty: none */
	char sent_as[65];  /* the client id at the last join */
	bool same_log;	   /* what was sent as that one may be in a log still */
	bool joins_itself; /* the caller sent a session_associate of its own */
	struct backoff backoff;
	struct { /* what the hub gave as its reason before closing */
		int code;
		char reason[200];
	} farewell;

	struct sendq queue;
	struct buf control; /* lines that go before the queue: joins, pings, leaves */
	size_t control_sent;
	enum client_source {
		MID_NONE,
		MID_CONTROL,
		MID_QUEUE
	} mid;	      /* the source of a line sent in part */
	size_t again; /* entries of the queue that were sent before */
	uint64_t acked;
	bool paused;
	bool want_writable, want_drained;
	bool received; /* messages since the last batch event */
	bool freed;

	struct json_paths *paths; /* of what comes */
	struct json_paths *lines; /* of what goes */
	uint64_t alive_ms;	  /* the last sign of life, in the loop's time */
	uint64_t asked_ms;
	bool asked; /* a ping is under way because of silence */

	uv_timer_t timer; /* the attempt's end, the delay, the end of leaving */
	uv_timer_t pinger;
	uv_prepare_t prepare; /* flushes once per turn */
	uv_check_t check;     /* the batch event */
	uv_idle_t ending;     /* turns the loop while the transport ends */
	unsigned handles;
};

/* client.c: a change of state, told to the caller; and its reason, told with it. */
void client_enter(struct client *c, enum client_state state);
void client_because(struct client *c, const char *reason);
bool client_connected(const struct client *c);

/* Goodbye to the transport, once all sessions are left; the timer ends it otherwise. */
void client_say_goodbye(struct client *c);

/* client_out.c: adds a control line; sends all that can be sent; a sign of life from the hub;
 * pings. */
void client_control(struct client *c, const char *line);
void client_flush(struct client *c);
void client_alive(struct client *c);
void client_ping_start(struct client *c);
struct json_paths *client_line_paths(void);

/* client_hub.c */
void client_ask_join(struct client *c, struct client_session *s);
void client_all_joined(struct client *c);
void client_forget_resume(struct client *c);

/* What transports call. The connection is there. */
void client_on_open(struct client *c);

/* One message or line. */
void client_on_message(struct client *c, const char *text, size_t len);

/* The transport can take bytes again. */
void client_on_writable(struct client *c);

enum client_loss {
	LOSS_RETRY,   /* another attempt may do better */
	LOSS_REFUSED, /* not permitted */
	LOSS_FATAL,   /* wrong for ever */
};

/* The connection is gone, or was never made. reason is for people; borrowed. */
void client_on_lost(struct client *c, enum client_loss loss, int close_code, const char *reason);

/* What a close code means for further attempts (RFC 6455 section 7.4.1). */
enum client_loss client_loss_of(int close_code);

/* What the hub itself said, as far as client.c acts on it. */
enum client_said {
	SAID_NOTHING, /* not a message */
	SAID_MEMBER,
	SAID_JOINED,
	SAID_LEFT,
	SAID_PONG,
	SAID_ERROR,
	SAID_ACK,
	SAID_GAP,
	SAID_CLOSE, /* the last line on a Unix socket */
	SAID_OTHER,
};

struct client_answer {
	char session[129];  /* of a member's, too, where it was asked for */
	const char *msg_id; /* as written, without quotes; borrowed from the text; NULL: none */
	size_t msg_id_len;
	char ping_id[65];
	char client_id[65];
	char epoch[CURSOR_EPOCH_MAX + 1];
	char reason[32];
	char resume[129];
	char run[CURSOR_EPOCH_MAX + 1];
	bool recovered;
	bool rest; /* since was there */
	uint64_t seq, user_count, snapshot, from_seq, to_seq, since;
	int close_code;
	char about[2048];
};

/* The set of paths that client_read_message() needs. */
struct json_paths *client_message_paths(void);

/* Reads one message; client_message.c. m borrows from text and a; a is filled but for a member's,
 * of an ack only session, msg_id and seq. */
enum client_said client_read_message(const struct json_paths *paths, const char *text, size_t len,
				     struct client_message *m, struct client_answer *a);

/* The session of a member's message; empty where it names none. */
void client_read_session(const struct json_paths *paths, const char *text, size_t len,
			 char session[129]);

#endif

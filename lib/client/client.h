/* A connection to a hub that stays up: connects (unix:, ws:, wss:), joins, sends, receives, and
 * goes on where it was when it is lost. It lives on the caller's loop and in its thread; all
 * callbacks come from there, never from inside a call of the caller's but client_stop(). Types of
 * libuv and libwebsockets stay out.
 *
 * What goes out is kept until the hub has acknowledged it, and sent again after a reconnect, under
 * the same msg_id and as the same client: so it is in the log once. What comes in is asked for
 * again from the last record on: so each record is given once, unless the hub has let go of some;
 * then the joined event says so, and the state comes in their place.
 *
 * libwebsockets' messages are silenced, for the whole
 * process. */
#ifndef HUB_CLIENT_H
#define HUB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/url.h"

#define CLIENT_SESSIONS_MAX 64 /* as in hub(7) */

struct keys;
struct uv_loop_s;
struct transport_options;
struct client;

enum client_state {
	CLIENT_IDLE,	   /* not started */
	CLIENT_CONNECTING, /* waits for the connection */
	CLIENT_OPEN,	   /* connected; joining */
	CLIENT_JOINED,	   /* in all its sessions; messages flow */
	CLIENT_WAITING,	   /* lost or refused for now; connects again after status.delay_ms */
	CLIENT_LEAVING,	   /* leaves its sessions and closes */
	CLIENT_CLOSED,	   /* for good; status.end says why */
};

/* Why a client is CLOSED. */
enum client_end {
	CLIENT_LEFT,	    /* asked for by client_stop() */
	CLIENT_UNREACHABLE, /* no connection, or it was lost, and no reconnecting */
	CLIENT_REFUSED,	 /* not permitted: by the hub (status.code), the server or the socket's mode
			  */
	CLIENT_REJECTED, /* the hub will never take what was asked: the session's name, a message's
			    size */
	CLIENT_FAILED,	 /* out of memory */
};

/* What is known at a change of state. Strings are good during the callback. */
struct client_status {
	enum client_state state;
	enum client_end end; /* CLOSED */
	const char *reason;  /* WAITING, CLOSED, LEAVING: for people; never NULL */
	char code[32];	/* of the hub's `error`, such as "session_full"; empty where it was none */
	int close_code; /* of the connection (RFC 6455 section 7.4); 0: none. Over ws and wss the
			 * library turns 1012 and 1013 into 1002, so go by reason */
	unsigned attempt;  /* WAITING: the coming attempt, from 1 */
	unsigned attempts; /* WAITING: how many there are before a clean start */
	uint32_t delay_ms; /* WAITING */
	bool clean_start;  /* WAITING: all attempts were used; the old state is given up, counting
			      anew */
	size_t again; /* JOINED: messages that go out a second time and may be in the log twice,
			 since the hub no longer knows who sent them */
	char client_id[65];  /* JOINED: ours */
	uint64_t seq;	     /* JOINED: the head of the last session at the join */
	uint64_t user_count; /* JOINED: its members */
};

enum client_kind {
	CLIENT_RECORD, /* of a member, in the session's log: has seq */
	CLIENT_DIRECT, /* of a member, to us alone */
	CLIENT_HUB, /* the hub's own: answers, errors, presence, gaps. Pongs of our pings are kept
		       back */
};

/* Something received. Borrowed: good during the callback. */
struct client_message {
	enum client_kind kind;
	const char *text; /* one JSON object, as it came */
	size_t len;
	uint64_t seq;	  /* CLIENT_RECORD; CLIENT_HUB of type "gap": its from_seq */
	uint64_t to_seq;  /* CLIENT_HUB of type "gap" */
	int join;	  /* CLIENT_RECORD, gap: which client_join() it is of, from 0; -1: none */
	bool state;	  /* CLIENT_RECORD: of the state, out of the order of seq */
	const char *from; /* RECORD, DIRECT: the sender's client id as written, without quotes */
	size_t from_len;
	char type[65];	   /* CLIENT_HUB */
	char code[32];	   /* CLIENT_HUB of type "error" */
	const char *about; /* CLIENT_HUB of type "error": its message, unescaped; else "" */
};

/* A message of ours that is not in the log. Borrowed: good during the callback. */
struct client_refusal {
	uint64_t tag;	    /* as client_send_as() was given it */
	const char *text;   /* as it was sent, without the msg_id where that is ours */
	size_t len;	    /* without its closing brace where `ours` */
	bool ours;	    /* the msg_id is, and is not in text */
	const char *msg_id; /* as written, without quotes; NULL: it was not named */
	size_t msg_id_len;
	const char *code, *about; /* the hub's, or ours in its words */
	bool passes;		  /* it and all behind it are sent again in delay_ms */
	uint32_t delay_ms;
};

/* The answer to a join: the first one, or after a reconnect. Strings are good during the callback.
 */
struct client_joined {
	const char *session;
	int join;	    /* of which client_join(), from 0 */
	const char *epoch;  /* of the log now */
	const char *run;    /* of a hub with a store, where `rest` is asked for; else "" */
	bool asked;	    /* to go on after `since`; false: it begins here */
	bool again;	    /* not the first join of this session */
	bool recovered;	    /* asked: all records after `since` follow, none is missing */
	const char *reason; /* not recovered: "trimmed", "epoch_changed", or "clean_start" where all
			       attempts were used up; else "" */
	bool new_log;	    /* the session's earlier log is gone, with all that was in it */
	bool rest; /* asked and not recovered: the records after `left` follow that are kept;
		      what the caller has up to there is of this log, too */
	uint64_t left;
	uint64_t since;
	uint64_t snapshot; /* so many state records come first */
	uint64_t seq;	   /* the head of the log */
	uint64_t user_count;
};

/* Every one may be NULL. Any function of this header may be called from them. */
struct client_events {
	void (*state)(struct client *c, const struct client_status *status, void *arg);
	void (*joined)(struct client *c, const struct client_joined *joined, void *arg);
	/* One of more than TRANSPORT_MESSAGE_MAX ends the client instead. */
	void (*message)(struct client *c, const struct client_message *m, void *arg);
	/* Takes what would be a message of type error for a message of ours, and what the hub would
	 * not take for its size. One that passes is told once for each time of sending again. */
	void (*refused)(struct client *c, const struct client_refusal *r, void *arg);
	/* The hub has a message of ours, as that record; 0: it is none, such as a direct message.
	 * Once for each, by its tag. */
	void (*acked)(struct client *c, uint64_t tag, uint64_t seq, void *arg);
	/* After messages, once per turn of the loop. */
	void (*batch)(struct client *c, void *arg);
	/* After client_send() said -EAGAIN: there is room again. */
	void (*writable)(struct client *c, void *arg);
	/* After client_drain(): everything sent so far was acknowledged, or refused. */
	void (*drained)(struct client *c, void *arg);
};

/* Zeros are the defaults, but for url. */
struct client_options {
	const struct url *url; /* copied */
	bool no_reconnect;     /* the first failure is the end */
	uint32_t base_ms;      /* of the delays: default 1000 */
	uint32_t cap_ms;       /* default 30000 */
	unsigned attempts;     /* default 99 */
	uint32_t connect_ms;   /* for one attempt, the join included: default 10000 */
	int64_t ping_ms; /* quiet time before a ping: default 25000 over ws and wss, none over unix;
			  * negative: none */
	uint32_t pong_ms; /* for its answer, else the connection counts as lost: default 10000 */
	const struct keys *keys; /* what is state by the hub's table, for patches (client_place):
				  * borrowed; NULL: the built-in one */
	size_t queue;		 /* bytes kept until acknowledged: default 1 MiB */
	const struct transport_options *transport; /* borrowed; NULL: none */
	bool acks;				   /* give acks, too: each message's once */
	bool resend; /* what is refused for now is sent again, in order; needs the refused event */
	uint64_t give_up_ms; /* the longest time without a connection, or of being refused for now;
				0: for ever */
	uint64_t first_ms;   /* the same before the first join; 0: give_up_ms */
};

/* Makes a client on loop, not started. Copies both structures. Returns NULL with errno (ENOMEM). */
struct client *client_new(struct uv_loop_s *loop, const struct client_options *options,
			  const struct client_events *events, void *arg);

#define CLIENT_WANTS_MAX 4096

/* Where the first join begins; zeros are the defaults. */
struct client_place {
	enum {
		CLIENT_NOW,   /* records from the join on; the state is not given */
		CLIENT_STATE, /* the state first */
		CLIENT_SINCE, /* the records after `since`; 0: all that are kept */
	} from;
	uint64_t since;	   /* up to 2^53 */
	const char *epoch; /* SINCE: the log that it is of; NULL: whichever there is */
	const char *run;   /* of the hub, when `since` was the last record; NULL: not known */
	bool rest;	   /* whenever the past is not all there: what is left of it, with a gap and
			      the state before that; not the state alone */
	bool no_echo;	   /* not the own messages */
	/* More fields of the join, JSON with a comma before each, CLIENT_WANTS_MAX bytes at most,
	 * or NULL. Batches are given record by record, and each whole: what `fields` and `delta`
	 * leave out is put back. For `delta` the last record of each key and type is kept, in 64
	 * MiB; patches are asked for where all that they could be of is here, so not behind the
	 * first `since`, with no_echo or with rest. */
	const char *wants;
};

/* Adds a session to join, on every connection, in the order of the calls; the last is the one that
 * messages without session_id go to. Copies place; NULL: the defaults. Returns 0, -EINVAL for a bad
 * name, epoch or run, or too long wants, -ENOSPC over CLIENT_SESSIONS_MAX, -ENOMEM. While connected
 * it is joined at once.
 */
int client_join(struct client *c, const char *session, const struct client_place *place);

/* Connects; all that follows is told by events. Without a session it counts as JOINED at once. */
void client_start(struct client *c);

/* Sends one message, a JSON object in one line; a line feed behind it is optional. Copies it, and
 * gives it a msg_id where it has none. It leaves at the end of the loop's turn, once JOINED; 2048
 * are under way at most. Returns 0; -EINVAL for what is no such object; -EAGAIN where the queue is
 * full (the writable event follows); -EMSGSIZE for more than the hub takes, as far as it has said;
 * -ENOMEM; -EPIPE after client_stop(). */
int client_send(struct client *c, const char *text, size_t len);

/* The same with a tag, by which the message is named when it is refused. */
int client_send_as(struct client *c, const char *text, size_t len, uint64_t tag);

/* The tag of the first message that has no answer; UINT64_MAX: all have. */
uint64_t client_oldest(const struct client *c);

/* The largest message that the hub takes, in bytes, with its msg_id; 0: it has not said. */
size_t client_largest(const struct client *c);

/* Asks for one drained event, when everything sent so far is answered. */
void client_drain(struct client *c);

/* Messages sent without an answer yet. Counts them: not for every message. */
size_t client_unconfirmed(const struct client *c);

/* How many bytes of messages were answered so far, and how many messages acknowledged. */
uint64_t client_confirmed(const struct client *c);
uint64_t client_acked(const struct client *c);

/* For a caller that waits for the loop's descriptor itself (uv_backend_fd()): what is done before
 * the loop waits, once uv_run() has returned. Events may come from inside it. */
void client_settle(struct client *c);

/* Stops reading from the hub, so that it feels our back-pressure, and goes on. What was read
 * already (one buffer) may still be given. While paused nothing is acknowledged either. */
void client_pause(struct client *c);
void client_resume(struct client *c);

/* Leaves the sessions, closes the connection with 1000 and ends CLOSED, at the latest after some
 * seconds; at once where there is no connection. Messages not sent yet are given up: see
 * client_drain(). */
void client_stop(struct client *c);

/* Drops the connection as it is and gives everything back; no more events. The loop must run until
 * its handles are closed, as always with libuv. Also good inside an event. */
void client_free(struct client *c);

const char *client_state_name(enum client_state state);

#endif

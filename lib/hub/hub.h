/* libhub: a member of sessions of a hub (hub(7)), for programs in C and C++ that want no pipe.
 * libhub(3) has this in prose, with an example.
 *
 * A struct hub connects (unix:, ws:, wss:), joins, publishes and receives, and comes back by itself
 * when the connection is lost: what it publishes is in the log once, and each record is given once,
 * in the order of the log. It does nothing by itself: it works inside hub_turn() and hub_run(), and
 * from there come all its callbacks, never from another call of this header.
 *
 * Threads: all calls for one struct hub come from one thread at a time; hub_wake() may come from
 * any thread. Several of them may live in several threads. None survives fork(2).
 *
 * Ownership: what a call is handed it copies; what a callback is handed is borrowed, and good until
 * the callback returns. Text is UTF-8, and ends with a NUL where no length is beside it.
 *
 * Errors: 0 or more is good; else -errno, as each call says. Nothing is printed, nothing exits.
 * No SIGPIPE is raised; connections by ws and wss ignore that signal for the whole process, and
 * silence the log of libwebsockets.
 *
 * ABI: structures that a caller makes begin with their size, so that they can grow: fill them by
 * HUB_INIT(). Those that a callback gets may grow at their end. Enums get new values at their end:
 * have a default. */
#ifndef LIBHUB_HUB_H
#define LIBHUB_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HUB_EXPORT __attribute__((visibility("default")))
#else
#define HUB_EXPORT
#endif

/* Makes *x a structure of defaults, whatever it was: struct hub_options o; HUB_INIT(&o). */
#define HUB_INIT(x) hub_init((x), sizeof(*(x)))

#define HUB_ERROR_MAX 320    /* bytes of a reason, its NUL included */
#define HUB_SESSIONS_MAX 64  /* of one struct hub */
#define HUB_WAITING_MAX 2048 /* messages on their way to the hub at one time; others wait */

struct hub;

enum hub_state {
	HUB_STATE_IDLE,	      /* hub_start() was not called */
	HUB_STATE_CONNECTING, /* waits for the connection */
	HUB_STATE_OPEN,	      /* connected; joining */
	HUB_STATE_JOINED,     /* in all its sessions; messages flow */
	HUB_STATE_WAITING,    /* lost or refused for now; connects again after delay_ms */
	HUB_STATE_LEAVING,    /* after hub_stop(): leaves its sessions and closes */
	HUB_STATE_CLOSED,     /* for good; end says why */
};

/* Why it is CLOSED. */
enum hub_end {
	HUB_END_NONE,	     /* it is not */
	HUB_END_LEFT,	     /* by hub_stop() */
	HUB_END_UNREACHABLE, /* no connection, and no more attempts */
	HUB_END_REFUSED,     /* not permitted: by the hub (code), the server or the socket's mode */
	HUB_END_REJECTED,    /* the hub will never take it: a session's name, a certificate */
	HUB_END_FAILED,	     /* out of memory */
};

/* What is known at a change of state. */
struct hub_status {
	enum hub_state state;
	enum hub_end end;
	const char *reason; /* WAITING, LEAVING, CLOSED: for people; never NULL */
	const char *code;   /* of the hub's `error`, such as "session_full"; "" where it was none */
	int close_code;	    /* of the connection (RFC 6455 section 7.4); 0: none */
	unsigned attempt;   /* WAITING: the coming attempt, from 1 */
	unsigned attempts;  /* WAITING: how many there are before a clean start */
	uint32_t delay_ms;  /* WAITING */
	bool clean_start;   /* WAITING: all attempts were used; where it stood is given up */
	size_t again; /* JOINED: messages that go out again and may be in the log twice, since the
		       * hub no longer knows who sent them */
	const char *client_id; /* JOINED: ours; "" before */
};

/* The answer to a join: the first one, or one after a reconnect. */
struct hub_joined {
	const char *session;
	const char *epoch;   /* of its log now: keep it beside seq to go on later (hub_place) */
	bool again;	     /* not the first join of this session by this struct hub */
	bool asked;	     /* to go on after `since`; false: it begins here */
	bool recovered;	     /* asked: all records after `since` follow, none is missing */
	bool new_log;	     /* the session's earlier log is gone, with all that was in it */
	const char *reason;  /* not recovered: "trimmed", "epoch_changed" or "clean_start" */
	uint64_t since;	     /* asked: what was asked for */
	uint64_t snapshot;   /* so many state records come first */
	uint64_t seq;	     /* the head of the log */
	uint64_t user_count; /* members, with us */
	const char *run;     /* with `rest`, of a hub with a store: its life; "" else */
	bool rest; /* not recovered: all that is left behind `left` follows, and what we have
		    * up to there is of this log, too */
	uint64_t left;
};

enum hub_kind {
	HUB_KIND_RECORD, /* of a member, in the session's log */
	HUB_KIND_DIRECT, /* of a member, to us alone */
	HUB_KIND_HUB,	 /* the hub's own: presence, gaps, answers, errors that are of no message of
			  * ours */
};

/* Something received. */
struct hub_message {
	enum hub_kind kind;
	const char *text; /* one JSON object, as it came; no NUL behind it */
	size_t len;
	const char *session; /* RECORD, and HUB of type "gap": whose; else NULL */
	uint64_t seq;	     /* RECORD; gap: its from_seq */
	uint64_t to_seq;     /* gap: these were left out */
	bool state;	     /* RECORD: of the state, out of the order of seq */
	const char *from;    /* RECORD, DIRECT: the sender's client id, no NUL; else NULL */
	size_t from_len;
	const char *type;  /* HUB; else "": see hub_member() */
	const char *code;  /* HUB of type "error", such as "rate_limited"; else "" */
	const char *about; /* the same: for people */
};

/* A message of ours that is not in the log. */
struct hub_refusal {
	uint64_t tag;	  /* as hub_publish() was given it */
	const char *text; /* as it was published; without its closing brace where `cut` */
	size_t len;
	bool cut;
	const char *code;  /* of hub(7), such as "forbidden" */
	const char *about; /* for people */
	bool passes;	   /* for now: it and all behind it are sent again in delay_ms */
	uint32_t delay_ms;
};

/* Every one may be NULL. All calls of this header but hub_turn() and hub_run() may come from inside
 * of them. One that takes long is waited for: nothing is sent or read meanwhile, and the hub feels
 * it as back-pressure. */
struct hub_events {
	size_t size;
	void (*state)(struct hub *h, const struct hub_status *status, void *arg);
	void (*joined)(struct hub *h, const struct hub_joined *joined, void *arg);
	void (*message)(struct hub *h, const struct hub_message *m, void *arg);
	/* The hub has it: in the log as seq, and stored where the hub has a store. seq 0: it was no
	 * record, such as a direct message. */
	void (*acked)(struct hub *h, uint64_t tag, uint64_t seq, void *arg);
	/* One that passes is told each time that it is refused. */
	void (*refused)(struct hub *h, const struct hub_refusal *r, void *arg);
	/* After messages, once per turn. */
	void (*batch)(struct hub *h, void *arg);
	/* After hub_publish() said -EAGAIN: there is room again. */
	void (*writable)(struct hub *h, void *arg);
	/* After hub_drain(): all that was published is acknowledged or refused. */
	void (*drained)(struct hub *h, void *arg);
	/* After hub_wake(), once for several. */
	void (*woken)(struct hub *h, void *arg);
};

/* Zeros are the defaults. */
struct hub_options {
	size_t size;
	const char *url; /* unix:/path, ws://host[:port][/path], wss://...; NULL: $HUB_URL, or
			  * hubd's default socket */
	const char *token_file; /* shows the token in it, which is read again for each connection,
				 * and when the hub says that the token ends; mode 0600 */
	const char *const *headers; /* "Name: value" each, sent with the handshake */
	size_t header_count;
	const char *cert, *key; /* files (PEM): our own certificate */
	const char *proxy;	/* [user:password@]host:port of an HTTP proxy */
	bool insecure;		/* takes any certificate of the hub's */

	bool no_reconnect;   /* the first failure is the end */
	uint32_t first_ms;   /* the largest first delay; it doubles each time: 1000 */
	uint32_t longest_ms; /* no delay is longer: 30000 */
	unsigned attempts;   /* before a clean start: 99 */
	uint32_t connect_ms; /* for one attempt, the join included: 10000 */
	int64_t ping_ms;     /* of silence before it asks the hub: 25000 over ws and wss, never over
			      * unix; negative: never */
	uint32_t pong_ms;    /* for the hub's answer: 10000 */
	uint64_t give_up_ms; /* the longest time without a connection: for ever */
	size_t queue;	     /* bytes kept until they are acknowledged: 1 MiB */
	bool once;	     /* what is refused for now is given back as refused, not sent again */
};

enum hub_from {
	HUB_FROM_NOW,	/* records from the join on */
	HUB_FROM_STATE, /* the state first, then records from the join on */
	HUB_FROM_SINCE, /* the records after `since`; 0: all that are kept */
};

/* Where a session is joined. Zeros are the defaults. */
struct hub_place {
	size_t size;
	enum hub_from from;
	uint64_t since;	   /* the last seq that is known, up to 2^53 */
	const char *epoch; /* SINCE: the log that it is of; NULL: whichever there is. Where the hub
			    * cannot go on there, the joined event says so, and the state comes */
	bool rest;	   /* where the past is not all there, all that is left of it is to come,
			    * with a gap and the state before that; not the state alone */
	const char *run;   /* SINCE, with rest: of joined, when `since` came; NULL: not known */
	bool no_echo;	   /* without the records that we publish */
	const char
	    *fields; /* more fields of session_associate (hub(7)), JSON with a comma before
		      * each, 4096 bytes at most, such as ,"tick":50; NULL: none. Of arrays
		      * each record is given by itself, and whole: what fields and delta leave
		      * out is put back. For delta the last record of each key and type is kept,
		      * 64 MiB at most, where the hub's table of keys is the built-in one */
};

/* The library's version, such as "0.1.0". May be called at any time. */
HUB_EXPORT const char *hub_version(void);

/* HUB_INIT() calls it: all bytes 0, but for the size at the front. */
HUB_EXPORT void hub_init(void *structure, size_t size);

/* Makes one, IDLE. options and events may be NULL. Returns 0 with *out, for hub_free(); or with a
 * reason for people in why: -EINVAL for a bad URL, header or proxy, a cert without its key or the
 * other way round, or a structure of no known size; -E2BIG for a structure of a newer library that
 * asks for what this one does not know; -ENOMEM, or -errno of epoll_create(2). */
HUB_EXPORT int hub_new(struct hub **out, const struct hub_options *options,
		       const struct hub_events *events, void *arg, char why[HUB_ERROR_MAX]);

/* Adds a session to join, now or as soon as there is a connection, and on each one that follows.
 * The last one is where messages without session_id go, also such as wait then: with several, let
 * messages name theirs. place NULL: from now on. Returns 0; -EINVAL
 * for a bad name, epoch or fields; -ENOSPC over HUB_SESSIONS_MAX; -EEXIST for one that it is in;
 * -EPIPE after hub_stop(); -E2BIG as hub_new(); -ENOMEM. */
HUB_EXPORT int hub_join(struct hub *h, const char *session, const struct hub_place *place);

/* Begins to connect, in the turns that follow. Returns 0, or -EALREADY. */
HUB_EXPORT int hub_start(struct hub *h);

/* Publishes one message (hub(7)): a JSON object of len bytes in one line. It gets a msg_id where it
 * has none, and is kept until the hub has answered; it leaves in the next turn that is JOINED. tag
 * names it in acked and refused. Returns 0; -EINVAL for what is no such object; -EAGAIN where the
 * queue is full (writable follows); -EMSGSIZE for more than the hub takes, as far as it has said;
 * -EPIPE after hub_stop(), and when CLOSED; -ENOMEM. */
HUB_EXPORT int hub_publish(struct hub *h, const char *text, size_t len, uint64_t tag);

/* How many messages are published and neither acknowledged nor refused. Takes time for each. */
HUB_EXPORT size_t hub_unacked(const struct hub *h);

/* Asks for one drained event. */
HUB_EXPORT void hub_drain(struct hub *h);

/* Reads no more from the hub, so that it feels our back-pressure; and goes on. Some messages that
 * were read before may still come. While paused nothing is acknowledged either. */
HUB_EXPORT void hub_pause(struct hub *h);
HUB_EXPORT void hub_resume(struct hub *h);

/* Leaves the sessions, closes the connection and ends CLOSED, some seconds later at most. What is
 * not sent yet is given up: hub_drain() first. */
HUB_EXPORT void hub_stop(struct hub *h);

/* --- where it works: in a loop of the caller's, or in its own
 *
 * In a loop of the caller's: wait until hub_fd() is readable, hub_timeout() milliseconds at most,
 * and call hub_turn(h, 0). The timeout changes with every turn and every other call. */

/* A descriptor for poll(2), select(2) or epoll(7), to be read from by nobody; the same until
 * hub_free(). */
HUB_EXPORT int hub_fd(const struct hub *h);

/* How long a loop may wait now, in milliseconds; 0: not at all; -1: as long as it likes. */
HUB_EXPORT int hub_timeout(struct hub *h);

/* Waits for something to do, timeout_ms at most (0: not at all; -1: however long), and does it.
 * Returns 1; 0 once it is CLOSED; -EINTR where a signal came first; -EBUSY from inside a callback.
 */
HUB_EXPORT int hub_turn(struct hub *h, int timeout_ms);

/* Turns until it is CLOSED, and says why (enum hub_end). Signals do not end it; hub_stop() does, by
 * a callback. -EBUSY from inside a callback; -EINVAL before hub_start(). */
HUB_EXPORT int hub_run(struct hub *h);

/* Has hub_turn() return soon, and the woken event come before. From any thread, and from signal
 * handlers; not while or after hub_free() runs. */
HUB_EXPORT void hub_wake(struct hub *h);

/* Drops the connection as it is and gives all back; NULL is none. No more events come. From inside
 * a callback it is done when hub_turn() or hub_run() is about to return; then they return 0 (or
 * HUB_END_NONE), and h is gone. A lookup of a name that is under way is waited for. */
HUB_EXPORT void hub_free(struct hub *h);

HUB_EXPORT enum hub_state hub_state(const struct hub *h);

/* Names, such as "joined" and "unreachable"; "unknown" for what is none. */
HUB_EXPORT const char *hub_state_name(enum hub_state state);
HUB_EXPORT const char *hub_end_name(enum hub_end end);

/* --- reading and writing JSON, as far as it takes no library: no memory, no struct hub */

/* The value of a member of an object, quotes and brackets included, with its length in *value_len;
 * borrows text. NULL where text is no object or has no such member. For members of members it is
 * called again on what it gave. text is what a hub sent or hub_member() gave: JSON, known to be
 * good or refused. Takes time by len. */
HUB_EXPORT const char *hub_member(const char *text, size_t len, const char *name,
				  size_t *value_len);

/* Unescapes a JSON string with its quotes into out, with a NUL. Returns its length; -EINVAL for
 * what is no string; -ENOSPC where cap bytes do not hold it; -EILSEQ where it is no Unicode text.
 */
HUB_EXPORT int hub_text(const char *value, size_t value_len, char *out, size_t cap);

/* Writes text, len bytes of UTF-8, as a JSON string with its quotes and a NUL. Returns its length;
 * -ENOSPC where cap bytes do not hold it (6 * len + 3 always do). Bytes that are not UTF-8 become
 * U+FFFD. */
HUB_EXPORT int hub_quote(const char *text, size_t len, char *out, size_t cap);

#ifdef __cplusplus
}
#endif
#endif

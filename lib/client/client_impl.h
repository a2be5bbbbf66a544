/* The client in its parts; private to them. Each calls only those below it:
 *
 *	client.c	what programs call: beginning, sending, end
 *	client_hub.c	what the hub says, as the transport reports it, and what follows from that
 *	client_state.c	the states, the timers, what leaves in each, and what is refused
 *	joins.h outbox.h keepalive.h backoff.h client_message.h, and lib/transport
 *
 * Any event may free the client; then `freed` is set, and memory stays until the loop has closed
 * its handles. */
#ifndef HUB_CLIENT_IMPL_H
#define HUB_CLIENT_IMPL_H

#include <uv.h>

#include "client/backoff.h"
#include "client/client.h"
#include "client/client_message.h"
#include "client/joins.h"
#include "client/keepalive.h"
#include "client/outbox.h"
#include "transport/transport.h"

struct client {
	struct client_events events;
	struct client_options options;
	void *arg;
	uv_loop_t *loop;
	struct url url;
	struct transport transport;

	struct client_status status;
	char reason[256];
	struct joins joins;
	struct backoff backoff;	 /* of connections */
	struct backoff refusals; /* of sending again */
	uint64_t trouble_ms;	 /* since when there is no connection, or all is refused for now */
	uint32_t asked_s;	 /* the hub asked for as much patience before the next attempt */
	bool joined_once;
	bool held; /* nothing of the queue is sent: something was refused for now */
	bool due;  /* held: it is time to send it again, when all is answered */
	struct {   /* what the hub gave as its reason before closing */
		int code;
		char reason[200];
	} farewell;

	struct outbox out;
	size_t again; /* messages of the queue that were sent before */
	uint64_t acked;
	bool want_writable, want_drained;
	bool received; /* messages since the last batch event */
	bool freed;

	struct json_paths *paths; /* of what comes */
	struct keepalive keepalive;
	bool looked;	/* for an answer to a ping, once more after its time */
	size_t untaken; /* bytes sent and not taken, when it was looked at last */

	uv_timer_t timer; /* the attempt's end, the delay, the end of leaving */
	uv_timer_t pinger;
	uv_prepare_t prepare; /* flushes once per turn */
	uv_check_t check;     /* the batch event */
	uv_idle_t ending;     /* turns the loop while the transport ends */
	unsigned handles;
};

/* As client_new(), over a transport of that kind. */
struct client *client_new_over(const struct transport_kind *kind, struct uv_loop_s *loop,
			       const struct client_options *options,
			       const struct client_events *events, void *arg);

/* --- client_hub.c */

/* What the transport reports to; arg is the client. */
extern const struct transport_events client_hub_events;

/* Asks for join number n, on a connection. */
void client_ask_join(struct client *c, size_t n);

/* --- client_state.c: messages that the hub did not take */

/* The hub's error for a message of ours. Returns false where it is none, or nobody is to be told
 * but by the message event. */
bool client_refused(struct client *c, const struct client_message *m,
		    const struct client_answer *a);

/* What is larger than the hub takes is refused before it is sent. */
void client_refuse_over(struct client *c);

/* The hub closed the connection because of a message that was too large. Returns false where it
 * is not known which. */
bool client_refuse_longest(struct client *c, const char *why);

/* It is time to send again what was refused for now, or to give up; an answer has come. */
void client_resend_due(struct client *c);
void client_resend(struct client *c);

/* --- client_state.c: events of the caller come from inside all but the first three */

/* Whether there is a connection. */
bool client_connected(const struct client *c);

/* The reason that the next state is told with; copied. */
void client_because(struct client *c, const char *reason);

/* In ms milliseconds the time of the present state is over: WAITING ends in the next attempt,
 * CONNECTING and OPEN in a lost connection, LEAVING in CLOSED. */
void client_timer(struct client *c, uint64_t ms);

/* Changes the state, and tells the caller. */
void client_enter(struct client *c, enum client_state state);

/* Ends CLOSED; the connection is gone or dropped. */
void client_close(struct client *c, enum client_end end);

/* The connection is gone, or was never made. loss counts where there is no close_code. */
void client_lost(struct client *c, enum transport_loss loss, int close_code, const char *reason);

/* Drops the connection, and goes on as one that lost it. */
void client_lose(struct client *c, enum transport_loss loss, const char *reason);

/* Adds a control line; loses the connection where there is no memory. */
void client_say(struct client *c, const char *line);

/* Sends all that can be sent in the present state. */
void client_flush(struct client *c);

/* A sign of life from the hub; begins to look for them on a new connection. */
void client_alive(struct client *c);
void client_alive_start(struct client *c);

/* Goodbye to the transport, once all sessions are left; the timer ends it otherwise. */
void client_say_goodbye(struct client *c);

#endif

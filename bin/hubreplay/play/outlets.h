/* The connections that a recording is played over. Each has up to CLIENT_SESSIONS_MAX sessions; a
 * session's messages all go over one, so they stay in order. */
#ifndef HUBREPLAY_OUTLETS_H
#define HUBREPLAY_OUTLETS_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/progress.h"
#include "base/url.h"
#include "play/losses.h"

/* What is run from the loop; none may be NULL. arg is that of the outlets. */
struct outlets_events {
	/* One is connected and in its sessions: first, or again. */
	void (*joined)(void *arg);
	/* With lockstep: all that was sent over one is acknowledged. May come more than once. */
	void (*answered)(void *arg);
	/* After -EAGAIN of outlets_send(): there is room again. */
	void (*writable)(void *arg);
	/* After outlets_drain(): all that was sent is acknowledged, or refused. Once. */
	void (*drained)(void *arg);
	/* One has ended for good, with an exit status after saying why that is not 0. May come from
	 * inside outlets_stop(). */
	void (*closed)(void *arg, int status);
};

struct outlet;
struct target; /* a session that is played into */

/* Zeroed at the start but for the first group, which is borrowed. */
struct outlets {
	uv_loop_t *loop;
	const struct url *url;
	const struct transport_options *transport;
	const char *where; /* the same, for people */
	bool lockstep;	   /* acks are wanted */
	struct progress *progress;
	struct losses *losses;
	const struct outlets_events *events;
	void *arg;

	struct outlet *first; /* the last one made: may have room */
	struct target *targets;
	unsigned n, drained;
};

/* The session of that name, of len bytes, which is joined where it is new. Good until
 * outlets_free(). A name that cannot be joined, or no memory, ends the program. */
struct target *outlets_target(struct outlets *o, const char *session, size_t len);

/* Sends a message into a session: as client_send(). */
int outlets_send(struct target *t, const char *text, size_t len);

/* Asks for the drained event; false where there is no connection, and so nothing to wait for. */
bool outlets_drain(struct outlets *o);

/* Messages sent without an answer yet. Counts them. */
size_t outlets_unconfirmed(const struct outlets *o);

/* Ends all connections, whatever is under way. */
void outlets_stop(struct outlets *o);

/* Whether all have ended, or there is none. */
bool outlets_closed(const struct outlets *o);

void outlets_free(struct outlets *o);

#endif

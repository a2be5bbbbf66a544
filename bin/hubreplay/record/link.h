/* A connection to the hub, with the sessions that are recorded over it. It tells of what comes by a
 * table of functions, from the loop, and decides nothing but how it takes the rest at its end. */
#ifndef HUBREPLAY_LINK_H
#define HUBREPLAY_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/progress.h"
#include "base/url.h"
#include "client/client.h"

struct heads;
struct track_session;

/* What a link runs; none may be NULL. arg is that of the setup. What is borrowed is good during the
 * call. */
struct link_events {
	/* After each connect but over the Unix socket, where it is ours: the hub's clock minus
	 * ours, in ms; 0 where it cannot be told from none. */
	void (*clock)(void *arg, int64_t offset_ms);
	/* A part of the answer to a link that lists: see hub_answer.h. */
	void (*listed)(void *arg, const char *text, size_t len);
	/* Of a session: it is joined (again), records are missing, a record has come. */
	void (*joined)(void *arg, struct track_session *s, const struct client_joined *j);
	void (*gap)(void *arg, struct track_session *s, uint64_t from_seq, uint64_t to_seq);
	void (*record)(void *arg, struct track_session *s, const struct client_message *m);
	/* At the end: the hub has said something beside what is recorded. */
	void (*alive)(void *arg);
	/* At the end: the files lack some of what the hub has, or may lack it, for that reason.
	 * May come from inside link_finish(). */
	void (*lacking)(void *arg, const char *why);
	/* The connection has ended for good, with an exit status, for that reason. May come from
	 * inside link_finish() and link_leave(). */
	void (*closed)(void *arg, int status, const char *reason);
};

/* What all links have in common. Owned by who makes them; outlives them. */
struct link_setup {
	uv_loop_t *loop;
	const struct url *url;
	const struct transport_options *transport;
	const char *where; /* the same, for people */
	struct progress *progress;
	const struct link_events *events;
	void *arg;
	bool ending; /* set by the owner: what is lost now is not tried again */
};

/* Made: connects, and connects again where it is lost. Finishing, with heads: takes what there is
 * up to now, then leaves. Left: leaves; a gap is of no matter any more. Closed: for good. */
struct link {
	const struct link_setup *setup;
	struct link *next; /* for the owner */
	struct client *client;
	struct track_session *sessions[CLIENT_SESSIONS_MAX];
	int n;
	bool lists;	     /* asks which sessions there are */
	struct heads *heads; /* what is to be taken at the end; NULL: not asked */
	bool joined, left, closed;
	bool lost;	   /* said so */
	uint64_t asked_ms; /* when it asked for the hub's clock; 0: not, or it was told */
};

/* Makes a link that connects. NULL: no memory. */
struct link *link_new(const struct link_setup *setup, bool lists);

/* Has room for another session. */
bool link_has_room(const struct link *l);

/* Joins a session, at the place where its file ends; one without a file yet at its state, or, with
 * whole, from its beginning. Borrows s. Only where there is room. Returns 0 or -errno. */
int link_join(struct link *l, struct track_session *s, bool whole);

/* Reads no more for a while, or goes on. */
void link_pause(struct link *l, bool pause);

/* The end: takes what its sessions have at this moment, then leaves them. Without a connection it
 * leaves at once. The first call counts. */
void link_finish(struct link *l);

/* Leaves at once. */
void link_leave(struct link *l);

void link_free(struct link *l);

#endif

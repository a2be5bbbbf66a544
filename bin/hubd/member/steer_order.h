/* An order under way; for the files of steer.h alone. Each calls only those below it:
 *
 *	steer.c		what each verb does
 *	steer_walk.c	the walk over all workers
 *	steer_end.c	what is kept of it, its end, and the answer */
#ifndef HUBD_STEER_ORDER_H
#define HUBD_STEER_ORDER_H

#include "base/buf.h"
#include "loop/worker.h"
#include "member/member.h"
#include "member/steer.h"

struct order {
	struct mail mail;	/* first: on its way */
	struct archive_job job; /* of a deletion, */
	struct registry_removal removal;
	bool there;		/* its session was in memory */
	bool asked;		/* the archive was */
	struct buf name, value; /* what it is to keep */
	struct buf clients; /* 64 bits each: those that are not to come back, and are to be kept */
	bool forgets;	    /* there was no room for one */
	bool kept_ended;    /* that was done */
	uint64_t ended_ms;  /* when, by the wall clock */
	struct steering st;
	struct steer_result result;
	struct conn *conn;	/* who asks, or NULL: */
	uint64_t hub, question; /* another hub */
	unsigned due;		/* what has to come home */
	enum count_steer counted;
};

/* --- steer_walk.c */

/* What the peers are told, where nothing else is said. */
void order_word(struct order *o);

/* Visits the workers from `from` on. */
void order_walk(struct order *o, unsigned from);

/* --- steer_end.c */

/* It fails, where it has not yet. why is static text. */
void order_fail(struct order *o, enum hub_code code, const char *why);

/* A part of it, of o->due, has come home. After the last one it is answered and gone. */
void order_home(struct order *o);

/* The same, of the job. */
void order_archived(struct worker *w, struct mail *mail);

/* What was done is to outlive the hub, until then (wall clock, in ms; 0: for ever): it is answered
 * when it does. */
void order_keep(struct order *o, uint64_t until_ms);

/* The next other hub lists those that are meant. */
void order_ask(struct order *o);

/* Hubs beside this one are to do the same now, where they do not hear of it by what is kept. */
void order_tell(struct order *o);

/* It was another hub's, and has come to its end at w. */
void order_end_elsewhere(struct order *o, struct worker *w);

/* The user whose tokens it ends by his name, or nobody (empty); the client, of the same kind. */
struct span order_user(const struct order *o);
bool order_client(const struct order *o, uint64_t *client);

#endif

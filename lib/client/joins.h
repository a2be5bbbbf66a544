/* The sessions that a client joins on every connection, where it stands in each, and who it is to
 * the hub. Pure: it is told what the hub says, and says what that means. Each join has its number,
 * in the order of adding, from 0. */
#ifndef HUB_JOINS_H
#define HUB_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "client/client_message.h"
#include "client/cursor.h"
#include "client/restore.h"

#define JOINS_LINE_MAX                                                             \
	(784 + CLIENT_WANTS_MAX) /* bytes that joins_ask() and joins_leave() write \
				  */

struct join {
	char *session;
	char *wants; /* more fields of the join, but for delta */
	bool echo;
	bool delta;   /* what has changed will do, where the hub can know what we have */
	bool patches; /* so it was asked for */
	bool partial; /* there are records before those that were given */
	struct restore restore;
	enum {
		JOIN_NEW,   /* nothing was said of it on this connection, or it was left */
		JOIN_ASKED, /* no answer yet */
		JOIN_MEMBER,
	} state;
	struct cursor cursor;
	bool joined_once;
	char run[CURSOR_EPOCH_MAX + 1]; /* of the hub at the last join, for the rest */
	char log[CURSOR_EPOCH_MAX + 1]; /* the epoch at the last join */
};

/* Zeroed at the start. Callers read count and packed, and set keys, by_caller, ahead and ordered;
 * the rest is for joins.c only. */
struct joins {
	struct join *list;
	size_t count;
	const struct keys
	    *keys;	       /* what is state, for patches; borrowed. NULL: the built-in table, */
	struct keys *own_keys; /* made when it is needed */
	bool packed;	       /* arrays of some are not as they are to be given */
	bool ordered;	       /* joins with `ordered` (hub(7)) */
	bool ahead;	       /* records that come now are before others */
	bool by_caller;	       /* the caller of the client joins something by itself, too */
	char resume[129];      /* the hub's token for who we are; empty: none */
	char sent_as[65];      /* the client id at the last join */
	bool same_log;	       /* what was sent as that one may be in a log still */
};

/* Adds a session; place as in client_join(). Returns 0, -EINVAL, -ENOSPC or -ENOMEM as that does.
 */
int joins_add(struct joins *j, const char *session, const struct client_place *place);

/* Writes the line that asks for join number n, with its line feed; counts as asked from now. */
void joins_ask(struct joins *j, size_t n, char out[JOINS_LINE_MAX]);

/* Writes the line that joins it again, where it is a member, so that the hub takes its messages
 * again. */
void joins_release(const struct joins *j, size_t n, char out[JOINS_LINE_MAX]);

/* Writes the line that leaves it. */
void joins_leave(const struct joins *j, size_t n, char out[JOINS_LINE_MAX]);

/* The hub's token for who we are is another one now. */
void joins_resume(struct joins *j, const char *token);

/* Takes the answer to a join, and fills *out, which borrows from j and a, for the caller. Returns
 * false where nothing had asked for it. */
bool joins_answered(struct joins *j, const struct client_answer *a, struct client_joined *out);

/* Whether the client is a member of all its sessions. */
bool joins_all(const struct joins *j);

/* It is, with that client id. Returns true where what was sent before, under another id, may be in
 * a log still: the hub does not tell it from what is new. */
bool joins_as(struct joins *j, const char *client_id);

/* Takes the answer to leaving a session. Returns true where the client has left all. */
bool joins_left(struct joins *j, const char *session);

/* Whether all records are of join 0, so that nobody need read which session they name. */
bool joins_only_one(const struct joins *j);

/* Takes a record of that session; NULL where there is only one. Completes m with its join and
 * whether it is of the state. Returns false for what was given before, or is not wanted. */
bool joins_record(struct joins *j, const char *session, struct client_message *m);

/* The number of the join that an array of that session is of, where not all in it is as it is to be
 * given, and begins that array; else -1. */
int joins_packed(struct joins *j, const char *session);

/* The next element of that array as it is to be given, in *out, as restore_next(). After -ENOENT
 * the connection is of no use, and from the next join on all of this session comes whole. */
int joins_unpack(struct joins *j, int n, const struct json_item *item, struct span *out);

/* Takes a gap, which m is, and completes m. */
void joins_gap(struct joins *j, const struct client_answer *a, struct client_message *m);

/* Takes the seq that a message of ours got; 0: none. */
void joins_own(struct joins *j, const char *session, uint64_t seq);

/* The connection is gone. */
void joins_lost(struct joins *j);

/* A clean start: as if for the first time, but that what is missed then is told. */
void joins_forget(struct joins *j);

void joins_free(struct joins *j);

#endif

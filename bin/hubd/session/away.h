/* Who is at other hubs, as these say it, and what they are told of who is here: for an archive that
 * numbers records, by which hubs hear of each other. */
#ifndef HUBD_AWAY_H
#define HUBD_AWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "wire/blob.h"

struct member;
struct session;

#define AWAY_USER_MAX 1024 /* bytes of a user of whom others are told */

/* A member at another hub. */
struct away {
	struct away *next, *user_next; /* of those alike */
	struct blob *info;	       /* a reference, or NULL */
	uint64_t client, node;
	uint32_t round; /* in which he was told of last */
	uint32_t user_hash;
	uint16_t user_len;
	char user[];
};

/* All of a session's, by client and by user. Zeroed at the start. */
struct aways {
	struct away **table, **users;
	uint32_t size, n; /* size is a power of two, or 0 */
	uint32_t both;	  /* of them: here as well, but about to leave */
	uint32_t round;
};

/* What another hub says: a client joined or left there; tells the members. info and user are
 * copied. All who are told of between begin and end are there, and no others. And: this hub's own
 * member of that version is known to the others now. */
void session_away_joined(struct session *s, uint64_t node, uint64_t client, struct span info,
			 struct span user);
void session_away_left(struct session *s, uint64_t node, uint64_t client);
void session_away_begin(struct session *s);
void session_away_end(struct session *s);
void session_heard(struct session *s, uint32_t version);

/* What the other hubs were told of the members here may be forgotten: it is said anew, and those
 * here have come later than what is heard then. */
void session_unheard(struct session *s);

/* Whether the other hubs were told of m. Under the lock. */
bool session_has_told(const struct member *m);

/* Calls each() for those that are at that hub, or, 0, at any, under the lock; returns how many. */
size_t session_each_away(struct session *s, uint64_t node,
			 void (*each)(const struct away *a, void *arg), void *arg);

/* Whether that client, or where user is not empty one of that user's, is at another hub. */
bool session_is_away(struct session *s, uint64_t client, struct span user);

/* Something for one client, or for those of a user, that is at another hub. HUB_OK, or what
 * offer() says. */
enum hub_code session_tell_away(struct session *s, uint64_t client, struct span user,
				struct span text);

/* Whether the client is here. */
bool session_has(struct session *s, uint64_t client);

/* Calls each() for all who are here and not hidden, under the lock. */
void session_each_here(struct session *s, void (*each)(const struct member *m, void *arg),
		       void *arg);

#endif

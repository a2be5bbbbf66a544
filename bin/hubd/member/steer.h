/* What an operator does to a hub that runs. Whoever asks here may: doors and dialects see to that.
 *
 * What is about connections visits all workers, one after the other: one walk that closes whoever
 * is meant serves kicks, bans and deletions, and one that tells of them lists. Newcomers are met at
 * the door by what was set down before the walk began, so that nobody slips through in between.
 * Until it is answered the connection that asks is held. */
#ifndef HUBD_STEER_H
#define HUBD_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/bans.h"
#include "auth/whom.h"
#include "conn/conn.h"
#include "session/limits.h"

#define STEER_REASON_MAX 100 /* bytes of a reason: what fits into a close frame (RFC 6455 5.5) */
#define STEER_LIST 100	     /* entries of a page, */
#define STEER_LIST_MAX 1000  /* at most; */
#define STEER_LIST_BYTES (256 * 1024) /* and about so many bytes */

enum steer_verb {
	STEER_CONNECTIONS, /* lists those that are meant, hub by hub: this one first */
	STEER_CLOSE,	   /* sends them away */
	STEER_BANS,	   /* lists bans */
	STEER_BAN,	   /* and sends away whom it is about */
	STEER_UNBAN,
	STEER_DELETE, /* the session that whom names */
	STEER_LIMIT,  /* the same: holds it to `limits`, and tells what it is held to */
	STEER_VERBS
};

struct members;
struct steering;

struct steer_result {
	enum hub_code code; /* HUB_OK, or HUB_NOT_FOUND, HUB_BANS_FULL, HUB_HUB_FULL,
			     * HUB_UNAVAILABLE, HUB_INTERNAL with why */
	const char *why;    /* static text */
	unsigned n;	    /* listed, or closed */
	struct buf list;    /* JSON with commas between; its maker's */
	bool more;	    /* there are others: from next_worker and next on, */
	unsigned next_worker;
	uint64_t next;
	bool next_elsewhere; /* at another hub, as steering.hub */
	uint64_t next_hub;
	uint64_t hub; /* whose they are; 0: this one's */
	bool silent;  /* it does not answer */
	struct session_limits limits;
};

struct steering {
	enum steer_verb verb;
	struct whom whom;
	enum close_code code;
	char reason[STEER_REASON_MAX + 1];
	double seconds;	       /* of a ban; 0: for ever */
	bool elsewhere;	       /* of connections: those of another hub, of the one of the */
	uint64_t hub;	       /* least id from here on */
	unsigned from_worker;  /* of lists: where they go on, */
	uint64_t from;	       /* and at which number */
	unsigned max;	       /* entries */
	unsigned limits_given; /* bits of enum steer_limit */
	struct session_limits limits;
	uint16_t msg_id_len; /* what the asker called it, for the answer: raw JSON */
	char msg_id[6 * ENVELOPE_MSG_ID_MAX + 2];

	/* Append one as JSON; 0 or -ENOMEM. */
	int (*put_connection)(struct buf *out, struct conn *c);
	int (*put_ban)(struct buf *out, const struct ban_listed *ban);
	/* The name and the words by which an archive keeps it, or another hub is asked; see
	 * dialect/kept.h. */
	int (*put_kept)(struct buf *name, struct buf *value, const struct steering *st,
			const struct session_limits *limits);
	/* The same for those that were sent away and are not to come back as who they were: a user,
	 * or n clients, at that time (wall clock, in ms). */
	int (*put_ended)(struct buf *name, struct buf *value, struct span user,
			 const uint64_t *clients, size_t n, uint64_t at_ms);
	/* Once, at once or later, unless c closes meanwhile. */
	void (*done)(struct conn *c, const struct steering *st, const struct steer_result *result);
};

enum steer_limit {
	LIMIT_MEMBERS,
	LIMIT_MESSAGES,
	LIMIT_BYTES,
	LIMIT_HISTORY,
	LIMIT_HISTORY_BYTES,
	STEER_LIMITS
};

/* As fields are called, and the place of one of them. */
const char *steer_limit_name(enum steer_limit which);
int64_t *steer_limit_of(struct session_limits *limits, enum steer_limit which);

/* Does it, and takes a copy. */
void steer(struct conn *c, const struct steering *st);

/* Sends away those whom it is about; another hub was asked to. For any thread. */
void steer_elsewhere(struct workers *all, const struct steering *st);

/* Answers the question of that hub and number, which lists. The same. */
void steer_asked(struct workers *all, const struct steering *st, uint64_t hub, uint64_t number);

/* Before anybody is there: a ban, until that time of worker_now_ms() (0: for ever), or a session's
 * limits, that an archive has kept. Returns 0 or -errno. */
int steer_again(struct members *m, const struct steering *st, uint64_t now_ms, uint64_t until_ms);

#endif

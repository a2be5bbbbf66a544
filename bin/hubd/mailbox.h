/* A worker's mailbox: what other threads (and the worker itself) want it to do, first come first
 * served. Posting is the only way to reach into another worker. */
#ifndef HUBD_MAILBOX_H
#define HUBD_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

struct blob;
struct session;
struct worker;

enum mail_kind {
	MAIL_ADOPT,    /* a connection was accepted: fd, as number `version` */
	MAIL_WAKE,     /* session has new records */
	MAIL_DIRECT,   /* blob is for the member `client` of session */
	MAIL_ACK,      /* the same, and it is an ack that was due to it */
	MAIL_PRESENCE, /* blob is for the members of session that had joined before `version` */
	MAIL_STATUS,   /* the member count of session changed; say so within a second */
	MAIL_KICK, /* the member `client` of session that joined at `version` is replaced by a new
		      connection */
	MAIL_SESSIONS, /* there are new sessions */
	MAIL_DRAIN,    /* close all connections, then stop */
};

struct mail {
	struct mail *next;
	enum mail_kind kind;
	bool embedded; /* part of something else: not to be freed */
	bool local;    /* MAIL_ADOPT: came over the Unix socket */
	int fd;
	uint32_t version;
	uint64_t client;
	struct session *session; /* a reference, or NULL */
	struct blob *blob;	 /* a reference, or NULL */
};

/* Takes mail and the references in it. Never blocks for long, never fails. */
void worker_post(struct worker *w, struct mail *mail);

/* A copy of *proto on the heap for worker_post(); NULL where memory is out. */
struct mail *mail_new(const struct mail *proto);

/* Gives up a mail and the references in it. */
void mail_free(struct mail *mail);

#endif

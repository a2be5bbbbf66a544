/* What keeps sessions beyond memory, as seen from them. Everything that may take time is a job that
 * is carried out elsewhere and comes back as mail, so that an archive over a network fits as well
 * as one on a disk. No function here waits for a disk or a network; each may be called by any
 * thread, but none under a session's lock. */
#ifndef HUBD_ARCHIVE_H
#define HUBD_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "json/terms.h"
#include "log/log.h"
#include "loop/histogram.h"
#include "loop/worker.h"

struct session;
struct stored_wait;

enum archive_what {
	/* Reads what is kept of the session, where that was not done yet, so that it is loaded, and
	 * tells the first seq kept. */
	ARCHIVE_OPEN,
	/* Reads records. */
	ARCHIVE_READ,
	/* Forgets the session, before anything else of that name is kept. */
	ARCHIVE_DELETE,
	/* Keeps a text under a name, in the place of what was there; an empty one: nothing. It has
	 * no session. */
	ARCHIVE_KEEP,
	/* Of an archive that numbers: asks the other hub of the least id from `from` on what
	 * `value` says; and answers such a question, the one of number `to` of the hub `from`. Both
	 * have no session. */
	ARCHIVE_ASK,
	ARCHIVE_ANSWER,
	/* The same: names of sessions that are not here, in quotes with commas between: some of
	 * part `to` from the place `from` on, both 0 at first. tail is the next place, 0: the part
	 * ends; then `found` says whether there is another part. */
	ARCHIVE_LIST,
};

/* A request, embedded by who asks, and its answer. */
struct archive_job {
	struct mail
	    done; /* first; posted to worker when the job was carried out, or could not be */
	struct archive_job *next; /* the archive's */
	struct worker *worker;
	uint64_t since_ms;	 /* the archive's */
	struct session *session; /* a reference of who asks */
	enum archive_what what;
	uint64_t from, to;	 /* ARCHIVE_READ: the records wanted, */
	size_t max;		 /* at most so many bytes of them, but at least one record */
	struct span name, value; /* ARCHIVE_KEEP, ARCHIVE_ASK, ..; borrowed until it is done, */
	uint64_t until_ms;	 /* and for how long, in ms since 1970; 0: for ever */
	bool passes; /* the same: only other hubs are told, those that are there now; for an
		      * archive that numbers */

	int status;    /* 0, -EIO, -EAGAIN (it may be there later) or -ENOMEM; ARCHIVE_READ: -ESTALE
			  where `from` is not kept */
	bool found;    /* ARCHIVE_OPEN: the session is kept; ARCHIVE_DELETE: it was */
	uint64_t tail; /* ARCHIVE_OPEN: the first seq kept; UINT64_MAX: none */
	/* ARCHIVE_ASK: `found` says whether there is such a hub, `tail` is its id, and this is its
	 * answer; status is -EAGAIN where it gives none. ARCHIVE_LIST: the names. The asker's to
	 * free. */
	struct buf text;
	/* ARCHIVE_READ: n records from `from` on, in a chain of chunks numbered from 1: a reference
	 * that is the asker's to give up. Where it passes: n hubs that hear it, this one included.
	 */
	struct chunk *chunk;
	uint64_t n;
};

/* A record on its way to where it is numbered; by malloc(). */
struct offer {
	struct offer *next;
	struct session *session;  /* a reference */
	struct stored_wait *wait; /* who is to be told, or NULL */
	uint64_t since_ms;	  /* monotonic */
	uint64_t seq;		  /* the record that it is by what its archive knows; 0: none yet */
	struct terms terms;
	struct slot tags; /* all but its place, `key` and `seq` */
	bool stays;	  /* it waits for as long as it takes */
	bool of_type;	  /* its condition is about the key's last record of its type, not of any */
	bool heard;	  /* publication.heard */
	/* Not 0: it is no record, but news for the other hubs: 'j': tags.sender has joined, as
	 * `version`; the body is what it says of itself, the key whose it is; 'l': it has left;
	 * 't': the body is for that client, 'u': for those of the user that is the key. */
	char news;
	uint32_t version;
	uint32_t len, key_len, type_len;
	char text[]; /* the body up to its seq, a brace that makes it a whole record, key, type */
};

static inline struct span offer_key(const struct offer *o)
{
	return (struct span){o->text + o->len + 1, o->key_len};
}

static inline struct span offer_type(const struct offer *o)
{
	return (struct span){o->text + o->len + 1 + o->key_len, o->type_len};
}

struct archive {
	/* Takes the job until it comes back, which it always does. */
	void (*ask)(struct archive *a, struct archive_job *job);
	/* The session has records that are not kept yet; session_durable() and session_stored()
	 * tell when they are. */
	void (*wake)(struct archive *a, struct session *s);
	/* Why nothing can be kept at the moment, or NULL. Static text. */
	const char *(*failing)(struct archive *a);
	/* Where records of other hubs come in between: takes one that is to be numbered there, and
	 * ends it by session_offered(). It comes back by session_take(). NULL: records are numbered
	 * here, and then kept. May be called under a session's lock. Returns HUB_OK, or why it does
	 * not take it (which it does where it stays), with static text in *why. */
	enum hub_code (*offer)(struct archive *a, struct offer *o, const char **why);
	/* So is a repeat: that its record is here does not say that it is kept. */
	bool repeats;
	/* It has no room for more: the archive's to set. */
	atomic_bool full;

	/* What it counts: how long commits took that made records durable, and how many failed. */
	struct histogram commits;
	atomic_uint_fast64_t failed;
};

#endif

/* What keeps sessions beyond memory, as seen from them. Everything that may take time is a job that
 * is carried out elsewhere and comes back as mail, so that an archive over a network fits as well
 * as one on a disk. No function here waits for a disk or a network; each may be called by any
 * thread, but none under a session's lock. */
#ifndef HUBD_ARCHIVE_H
#define HUBD_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"
#include "log/log.h"
#include "loop/histogram.h"
#include "loop/worker.h"

struct session;

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
};

/* A request, embedded by who asks, and its answer. */
struct archive_job {
	struct mail
	    done; /* first; posted to worker when the job was carried out, or could not be */
	struct archive_job *next; /* the archive's */
	struct worker *worker;
	struct session *session; /* a reference of who asks */
	enum archive_what what;
	uint64_t from, to;	 /* ARCHIVE_READ: the records wanted, */
	size_t max;		 /* at most so many bytes of them, but at least one record */
	struct span name, value; /* ARCHIVE_KEEP; borrowed until it is done, */
	uint64_t until_ms;	 /* and for how long, in ms since 1970; 0: for ever */

	int status;    /* 0, -EIO or -ENOMEM; ARCHIVE_READ: -ESTALE where `from` is not kept */
	bool found;    /* ARCHIVE_OPEN: the session is kept; ARCHIVE_DELETE: it was */
	uint64_t tail; /* ARCHIVE_OPEN: the first seq kept; UINT64_MAX: none */
	/* ARCHIVE_READ: n records from `from` on, in a chain of chunks numbered from 1: a reference
	 * that is the asker's to give up. */
	struct chunk *chunk;
	uint64_t n;
};

struct archive {
	/* Takes the job until it comes back, which it always does. */
	void (*ask)(struct archive *a, struct archive_job *job);
	/* The session has records that are not kept yet; session_stored() tells when they are. */
	void (*wake)(struct archive *a, struct session *s);
	/* Why nothing can be kept at the moment, or NULL. Static text. */
	const char *(*failing)(struct archive *a);
	/* It has no room for more: the archive's to set. */
	atomic_bool full;

	/* What it counts: how long commits took that succeeded, and how many did not. */
	struct histogram commits;
	atomic_uint_fast64_t failed;
};

#endif

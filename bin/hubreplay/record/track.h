/* The files of `hubreplay record`, and what is written of each session to them. A mark stands
 * before what it is about: a gap, then the snapshot with its state records, then the records that
 * follow. A record is in a file at most once, and in the order of seq: what comes twice is the
 * state only, behind a mark that says so.
 *
 * What takes something returns 0 or -errno of the file; after that its owner hands nothing more to
 * any track, so that no record is left out before one that is in the file, and closes them. */
#ifndef HUBREPLAY_TRACK_H
#define HUBREPLAY_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "client/client.h"
#include "files/tally.h"
#include "recording/recording.h"
#include "recording/seal.h"
#include "table/table_writer.h"

/* One file, or the row of files that it is split into, or a session in a database. */
struct track {
	struct tracks *all;
	struct track *next;
	char *base;			  /* the path as it would be without --split */
	char *path;			  /* of the file that is written */
	const struct track_session *only; /* its session; NULL: several */
	struct track_session *sessions;	  /* those that were added, in that order */
	struct track_session **end;	  /* of that list */
	struct recorder *w;		  /* NULL: closed */
	unsigned part;			  /* with --split, from 1 */
	bool begun;			  /* has its header */
	bool fresh;	     /* a session of it has just begun: it is to be on the disk at once */
	uint64_t start_ms;   /* t 0: the hub's wall clock, */
	uint64_t start_ns;   /* and the monotonic one */
	uint64_t last_us;    /* the last t */
	uint64_t state_left; /* state records that should still come, of all its sessions */
	uint64_t closed;     /* bytes of the parts before this one */
};

/* A session that is recorded. New: zeroed but for its name, and with an epoch where its file goes
 * on; joined: run, seq and mark say what is to be written before the next record. */
struct track_session {
	const char *name; /* borrowed */
	struct track *track;
	struct track_session *next;	     /* of the track */
	uint64_t seq;			     /* of the last record in the file */
	char epoch[RECORDING_EPOCH_MAX + 1]; /* of seq; empty: not known */
	char run[RECORDING_EPOCH_MAX + 1];   /* of the hub, as the file has it */
	char now[RECORDING_EPOCH_MAX + 1];   /* the same, as joined last */
	uint64_t past_to;		     /* records up to it were there before the join */
	uint64_t state_us;		     /* the t of the state records that come */
	uint64_t state_left;		     /* how many should still come */
	struct {			     /* to be written before the next record */
		bool due;
		uint64_t left, snapshot;
		char reason[32];
	} mark;
};

/* All of them, and how they are written: set by the owner before the first is opened. */
struct tracks {
	const char *file, *dir; /* one for all sessions, or one for each in dir; the other NULL */
	struct table_writer *table;	/* file is a database, with one for each; or NULL */
	bool zstd, several;		/* several: sessions in one file */
	uint64_t split_bytes, split_ns; /* a new part after so much; 0: never */
	const struct seal_keys *keys;
	struct progress *progress;
	int64_t offset_ms; /* the hub's clock minus ours */

	struct track *first;
	struct tally places; /* a struct past of each session in a file of several that is gone on
			      * with */
};

/* Opens a session's file, or finds the one that is for all; where it goes on, fills in the
 * session's seq, epoch and run. Returns 0, or an exit status with the reason, path first, in why.
 */
int track_open(struct tracks *all, struct track_session *s, char *why, size_t cap);

/* From here on the session is told of at the beginning of each part. Once. */
void track_add(struct track_session *s);

/* Take what comes of a session that was added, or is joined for the first time. */
int track_joined(struct track_session *s, const struct client_joined *j);
int track_gap(struct track_session *s, uint64_t from_seq, uint64_t to_seq);
int track_record(struct track_session *s, const struct client_message *m);

/* Has all on the disk that was taken; a state only as a whole. */
int track_sync(struct track *t);

/* Whether it is time for the next part, and everything is written that has to stand before it. */
bool track_split_due(const struct track *t);

/* Begins the next part. Returns 0, or an exit status with the reason, path first, in why. */
int track_split(struct track *t, char *why, size_t cap);

uint64_t track_size(const struct track *t); /* bytes on the disk, of all parts */

/* What a -errno of the track says. */
const char *track_why(const struct track *t, int error, char *why, size_t cap, int *status);

/* Writes the end. Returns 0 or -errno. */
int track_close(struct track *t);

/* Frees all tracks, which were closed, and what is known of places. */
void track_free_all(struct tracks *all);

#endif

/* hubreplay record: sessions to files, as it happens. record.c owns the whole and decides when it
 * ends; link.c has the connections and finds the session that a message is of; track.c the files,
 * and places.c where their sessions stand. A record is in a file at most once, and in the order of
 * seq: what comes twice is the state only, behind a mark that says so. */
#ifndef HUBREPLAY_RECORD_H
#define HUBREPLAY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/url.h"
#include "client/client.h"
#include "files/place.h"
#include "files/tally.h"
#include "recording/recording.h"
#include "recording/seal.h"

struct record;
struct link;

/* One file, or the row of files that it is split into. */
struct track {
	struct record *r;
	struct track *next;
	char *base;		 /* the path as it would be without --split */
	char *path;		 /* of the file that is written */
	const struct seat *only; /* its session; NULL: several */
	struct recorder *w;
	unsigned part;	     /* with --split, from 1 */
	bool begun;	     /* has its header */
	bool fresh;	     /* a session of it has just begun: it is to be on the disk at once */
	uint64_t start_ms;   /* t 0: the hub's wall clock, */
	uint64_t start_ns;   /* and the monotonic one */
	uint64_t last_us;    /* the last t */
	uint64_t state_left; /* state records that should still come, of all its sessions */
	uint64_t closed;     /* bytes of the parts before this one */
};

/* Where the log of a session has come to in a file of several. */
struct past {
	struct place place;
	bool joined; /* a seat has it now */
	char run[RECORDING_EPOCH_MAX + 1];
};

/* A session that is recorded. */
struct seat {
	struct seat *hash_next;
	struct track *track;
	struct link *link;
	char *session;
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

/* A connection to the hub, with up to CLIENT_SESSIONS_MAX sessions; or the one that lists them. */
struct link {
	struct record *r;
	struct link *next;
	struct client *client;
	struct seat *seats[CLIENT_SESSIONS_MAX];
	int n;
	bool joined, left, closed;
	bool finishing; /* takes what there is up to now, then leaves */
	bool came;	/* records, since the last pong */
	bool lost;	/* said so */
};

struct record_options {
	const char *url, *file, *dir, *split, *seal, *sign;
	double sync;
	bool zstd, verbose;
};

struct record {
	struct record_options o;
	uv_loop_t loop;
	struct url url;
	char where[URL_TEXT_MAX];
	struct seal_keys *keys;
	uint64_t split_bytes, split_ns;

	struct link *links; /* the last one may have room */
	struct link *lister;
	bool several; /* sessions in one file */
	bool all;
	bool listed;	     /* all that there were */
	struct tally places; /* a struct past of each session in a file of several that is gone on
			      * with */
	char **sessions;     /* to begin with, once the hub's clock is known */
	int nsessions;
	struct seat **table;
	size_t nseats, table_size;
	struct track *tracks;

	int64_t offset_ms; /* the hub's clock minus ours */
	uint64_t asked_ms; /* when we asked for it */
	uint64_t records;
	uv_signal_t signals[3];
	uv_timer_t sync, redraw, end;
	bool ending, interactive, drawn;
	uint64_t drawn_records, drawn_ns;
	int status;
};

/* record.c: ends it, as a signal does. */
void record_stop(struct record *r);

/* record.c: the end; the first status but 0 counts. Says why on stderr. */
void record_fail(struct record *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void record_say(struct record *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void record_link_closed(struct record *r);

/* link.c: records a session, unless it is recorded already. Returns an exit status, after saying
 * why it is not 0. later: it came into being while we record. */
int link_add(struct record *r, const char *session, bool later);
/* Begins with those that were asked for. */
void link_begin(struct record *r);
/* The end: takes what the sessions have up to now, then leaves them, or leaves at once. */
void link_finish(struct link *l, bool at_once);
void link_free_all(struct record *r);

/* places.c: reads the places of all sessions in the file; fills in a seat's. */
void places_read(struct record *r, const char *path);
void places_find(struct record *r, struct seat *s);

/* track.c: opens a session's file, or finds the one that is for all. NULL after record_fail().
 * Where the file goes on, fills in the seat's place. */
struct track *track_open(struct record *r, struct seat *s);
void track_joined(struct seat *s, const struct client_joined *j);
void track_gap(struct seat *s, uint64_t from_seq, uint64_t to_seq);
void track_record(struct seat *s, const struct client_message *m);
void track_sync(struct track *t);
uint64_t track_size(const struct track *t);
void track_close(struct track *t); /* and frees it */

#endif

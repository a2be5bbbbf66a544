/* Chunks of some sessions that become rows in one transaction. For this room alone. */
#ifndef HUBREPLAY_TABLE_BATCH_H
#define HUBREPLAY_TABLE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "recording/place.h"
#include "recording/recording.h"
#include "table/table_link.h"

/* Where a session stands. */
struct table_stand {
	struct place place;
	uint64_t lines, start_ms, last_us; /* last_us: since start_ms */
	uint32_t log;
	char run[RECORDING_EPOCH_MAX + 1];
};

/* A session that is written; zeroed at the start but for its name and `now`. */
struct table_session {
	char name[ENVELOPE_SESSION_MAX + 1];
	struct table_stand now;	     /* without the batch, */
	struct table_stand after;    /* and with it, where it is in one */
	struct table_session *other; /* in the batch */
	bool in_batch;
	char *header; /* as it is to be written; NULL: it is there */
};

/* Made with its writer's id; in it are the sessions of chunks that were added. */
struct table_batch {
	char writer[2 * 8 + 1];
	struct recording *feed;
	struct buf rows;
	struct table_session *sessions;
	bool uncertain; /* it may be there: what came of its commit is not known */
};

/* Returns 0 or -errno. */
int table_batch_init(struct table_batch *b);
void table_batch_free(struct table_batch *b);

/* Add a chunk, whole lines; end it, once, behind the last one. Return NULL, or what is wrong. */
const char *table_batch_add(struct table_batch *b, struct table_session *s, const char *text,
			    size_t len);
const char *table_batch_end(struct table_batch *b);

/* Has it in the database, as a whole or not at all; again and again, as long as it may be done
 * later. */
enum table_outcome table_batch_write(struct table_batch *b, struct table_link *l);

/* It is there: its sessions stand behind it, and it is empty. */
void table_batch_done(struct table_batch *b);

/* Where a session stands in the database, into s->now. *there: it has been begun. A transaction of
 * somebody who was killed is waited for. */
enum table_outcome table_batch_ask(struct table_link *l, struct table_session *s, bool *there);

#endif

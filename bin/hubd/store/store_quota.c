/* How much the store may hold. Nobody's records are deleted for it: who would make it larger is
 * refused. A session may have as much as is left for all, so that one that fills the store is
 * refused while the others go on. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "session/stored.h"
#include "store/store_impl.h"

#define LOOK_MS 200 /* between two looks at sessions that are full */

/* A session that has its share. */
struct store_full {
	struct store_full *next;
	struct session *session; /* a reference */
	int64_t id;
};

/* The bytes that are left. */
static int64_t left(struct store *st)
{
	sqlite3_stmt *q = st->stmt[STORE_SIZE];
	int64_t used = 0;

	if (sqlite3_step(q) == SQLITE_ROW)
		used = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return st->set->max_bytes - used;
}

void store_quota_begin(struct store *st)
{
	bool full, before;

	if (!st->set->max_bytes)
		return;
	st->quota_left = left(st);
	full = st->quota_left <= 0;
	before = atomic_exchange(&st->archive.full, full);
	if (full != before)
		err_log(
		    full ? ERR_ERROR : ERR_INFO,
		    full ? "store %s: it is as large as --store-max allows; publishers are refused"
			 : "store %s: there is room again",
		    st->set->file);
}

void store_quota_session(struct store *st, struct session *s, int64_t id, int64_t bytes)
{
	struct store_full *f = st->full;

	if (!st->set->max_bytes || bytes < st->quota_left)
		return;
	while (f && f->id != id)
		f = f->next;
	if (f || !(f = malloc(sizeof(*f))))
		return;
	*f = (struct store_full){st->full, session_ref(s), id};
	st->full = f;
	session_set_full(s, true);
	err_log(ERR_WARN, "store %s: session %s has its share of it; its publishers are refused",
		st->set->file, s->id);
}

/* Whether the session has less than is left by now. */
static bool has_room(struct store *st, int64_t id)
{
	sqlite3_stmt *q = st->stmt[SESSION_BYTES];
	bool room = true; /* where it is no more */

	sqlite3_bind_int64(q, 1, id);
	if (sqlite3_step(q) == SQLITE_ROW)
		room = sqlite3_column_int64(q, 0) < st->quota_left;
	sqlite3_reset(q);
	return room;
}

static void drop_full(struct store_full **link)
{
	struct store_full *f = *link;

	*link = f->next;
	session_set_full(f->session, false);
	session_unref(f->session);
	free(f);
}

void store_quota_look(struct store *st)
{
	struct store_full **link = &st->full;

	if ((!st->full && !atomic_load(&st->archive.full)) || clock_mono_ms() < st->quota_ms)
		return;
	st->quota_ms = clock_mono_ms() + LOOK_MS;
	store_quota_begin(st);
	while (*link) {
		if (has_room(st, (*link)->id))
			drop_full(link);
		else
			link = &(*link)->next;
	}
}

void store_quota_end(struct store *st)
{
	while (st->full)
		drop_full(&st->full);
}

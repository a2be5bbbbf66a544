/* Sessions that an operator deletes. The row loses its name in one commit, whatever the session
 * holds, and with that it is gone; what it held goes in small steps, also after a restart.
 * Invariant: nothing of a name is written while a deletion of it waits. */
#include "base/clock.h"
#include "store/store_impl.h"

#define SPELL_MS 10 /* that may be spent between two commits */

/* A name that no session has, in the order of the index: '!' is before all that may be in one. */
int store_hide(struct store *st, struct span name, bool *found)
{
	sqlite3_stmt *q = st->stmt[HIDE_SESSION];
	int r;

	store_bind_text(q, 1, name.p, name.len);
	r = store_run(q);
	*found = r == 0 && sqlite3_changes(st->db) > 0;
	st->clears |= *found;
	if (r < 0)
		return r;
	q = st->stmt[DROP_LIMITS]; /* they go with it */
	store_bind_text(q, 1, name.p, name.len);
	return store_run(q);
}

static int order(struct store *st, struct archive_job *job)
{
	const struct session *s = job->session;

	return job->what == ARCHIVE_KEEP
		   ? store_keep(st, job->name, job->value, (int64_t)job->until_ms)
		   : store_hide(st, (struct span){s->id, s->id_len}, &job->found);
}

int store_order(struct store *st, struct archive_job *jobs, const char **why)
{
	struct archive_job *job;
	int r = store_run(st->stmt[BEGIN]);

	for (job = jobs; job && r == 0; job = job->next)
		r = order(st, job);
	if (r == 0)
		r = store_run(st->stmt[COMMIT]);
	if (r < 0)
		*why = store_db_error(st->db);
	if (r < 0 && !sqlite3_get_autocommit(st->db))
		store_run(st->stmt[ROLLBACK]);
	return r;
}

/* The next one that was deleted; 0: none. */
static int64_t next_hidden(struct store *st)
{
	sqlite3_stmt *q = st->stmt[NEXT_HIDDEN];
	int64_t id = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;

	sqlite3_reset(q);
	return id;
}

/* Some rows of it, of the first table that has any. False where all is done, or nothing can be. */
static bool clear_step(struct store *st)
{
	int64_t id = next_hidden(st);

	for (int k = CLEAR_BATCH; id && k <= CLEAR_SESSION; k++) {
		sqlite3_bind_int64(st->stmt[k], 1, id);
		if (store_run(st->stmt[k]) < 0)
			return false;
		if (sqlite3_changes(st->db) > 0)
			return true;
	}
	return false;
}

void store_clear(struct store *st)
{
	uint64_t start = clock_mono_ms();

	if (!st->clears || store_run(st->stmt[BEGIN]) < 0)
		return;
	while (st->clears && clock_mono_ms() < start + SPELL_MS)
		st->clears = clear_step(st);
	if (store_run(st->stmt[COMMIT]) < 0 && !sqlite3_get_autocommit(st->db)) {
		store_run(st->stmt[ROLLBACK]);
		st->clears = true;
	}
}

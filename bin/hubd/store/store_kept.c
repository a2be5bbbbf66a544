/* What operators have set: bans, and limits of sessions. A row each, in the words of who asked, so
 * that this room need not know what they mean. */
#include <errno.h>

#include "base/clock.h"
#include "store/store_impl.h"

int store_keep(struct store *st, struct span name, struct span value, int64_t until_ms)
{
	sqlite3_stmt *q = st->stmt[value.len ? PUT_KEPT : DROP_KEPT];

	store_bind_text(q, 1, name.p, name.len);
	if (until_ms && until_ms < st->kept_ms)
		st->kept_ms = until_ms;
	if (value.len) {
		store_bind_text(q, 2, value.p, value.len);
		sqlite3_bind_int64(q, 3, until_ms);
	}
	return store_run(q);
}

/* When the first of them ends. */
static int64_t next_over(struct store *st)
{
	sqlite3_stmt *q = st->stmt[NEXT_OVER];
	int64_t next = INT64_MAX;

	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) == SQLITE_INTEGER)
		next = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return next;
}

void store_kept_look(struct store *st)
{
	sqlite3_stmt *q = st->stmt[DROP_OVER];
	int64_t now = (int64_t)clock_wall_ms();

	if (st->kept_ms > now)
		return;
	sqlite3_bind_int64(q, 1, now);
	/* Where it fails, perhaps at the next one. */
	store_run(q);
	st->kept_ms = next_over(st);
}

int store_each_kept(struct store *st, uint64_t now_ms,
		    void (*each)(void *arg, struct span value, uint64_t until_ms), void *arg)
{
	sqlite3_stmt *q;
	int r = SQLITE_ERROR;

	if (sqlite3_prepare_v2(st->db, "DELETE FROM kept WHERE until BETWEEN 1 AND ?1", -1, &q,
			       NULL) == SQLITE_OK) {
		sqlite3_bind_int64(q, 1, (int64_t)now_ms);
		r = store_run(q) == 0 ? SQLITE_OK : SQLITE_ERROR;
		sqlite3_finalize(q);
	}
	if (r != SQLITE_OK ||
	    sqlite3_prepare_v2(st->db, "SELECT value, until FROM kept", -1, &q, NULL) != SQLITE_OK)
		return -EIO;
	while ((r = sqlite3_step(q)) == SQLITE_ROW)
		each(arg,
		     (struct span){(const char *)sqlite3_column_text(q, 0),
				   (size_t)sqlite3_column_bytes(q, 0)},
		     (uint64_t)sqlite3_column_int64(q, 1));
	sqlite3_finalize(q);
	return r == SQLITE_DONE ? 0 : -EIO;
}

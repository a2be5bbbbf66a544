/* Drops what is older than the options say, in steps so small that they delay no commit for long.
 * Invariant: no clock that is set forward while hubd runs makes a record older than the time that
 * has really passed. */
#include "base/clock.h"
#include "store/store_impl.h"

#define PRUNE_MS 200   /* between two rounds */
#define PRUNE_STEP 64  /* batches of one session looked at in one step */
#define PRUNE_SPELL 10 /* ms that may be spent on steps between two commits */

/* What a session may lose: all up to last, or what was stored before `before`. */
struct old {
	int64_t last, before, now;
};

/* The wall clock, but not further from where it was at the start than time has passed since. */
static int64_t sure_now(const struct store *st)
{
	int64_t wall = (int64_t)clock_wall_ms();
	int64_t sure = st->wall_ms + (int64_t)(clock_mono_ms() - st->mono_ms);

	return wall < sure ? wall : sure;
}

/* When the front of a session that is dated in the future was stored at the latest: before what is
 * behind it. */
static int64_t past_time(struct store *st, int64_t session, int64_t now)
{
	sqlite3_stmt *q = st->stmt[PAST_BATCH];
	int64_t time = INT64_MAX;

	sqlite3_bind_int64(q, 1, session);
	sqlite3_bind_int64(q, 2, now);
	if (sqlite3_step(q) == SQLITE_ROW)
		time = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return time;
}

/* The old batches of one session, some of them: always from the front, so that what is left has no
 * hole even where the clock was set back. True where there may be more. */
static bool prune_session(struct store *st, int64_t session, const struct old *old)
{
	sqlite3_stmt *first = st->stmt[FIRST_BATCH], *drop = st->stmt[DROP_BATCH];
	sqlite3_stmt *take = st->stmt[TAKE_BYTES];
	int64_t past = 0; /* past_time() of those in front, once it was asked for */
	int64_t bytes = 0;
	bool more = true;

	for (int i = 0; more && i < PRUNE_STEP; i++) {
		int64_t size = 0;

		sqlite3_bind_int64(first, 1, session);
		if (sqlite3_step(first) == SQLITE_ROW) {
			int64_t time = sqlite3_column_int64(first, 2);

			if (time <= old->now)
				past = 0;
			else if (old->before > INT64_MIN)
				time = past = past ? past : past_time(st, session, old->now);
			if (sqlite3_column_int64(first, 1) <= old->last || time < old->before)
				size = sqlite3_column_int64(first, 3);
			sqlite3_bind_int64(drop, 1, sqlite3_column_int64(first, 0));
		}
		sqlite3_reset(first);
		more = size > 0 && store_run(drop) == 0;
		bytes += more ? size : 0;
	}
	if (bytes) {
		sqlite3_bind_int64(take, 1, session);
		sqlite3_bind_int64(take, 2, bytes);
		store_run(take);
	}
	return more;
}

/* One step. True where there is more to do at once. */
static bool prune_step(struct store *st)
{
	sqlite3_stmt *next = st->stmt[NEXT_SESSION];
	const struct store_settings *set = st->set;
	struct old old = {0, INT64_MIN, sure_now(st)};
	int64_t id;

	sqlite3_bind_int64(next, 1, st->prune_again ? st->prune_at - 1 : st->prune_at);
	if (sqlite3_step(next) != SQLITE_ROW) {
		sqlite3_reset(next);
		st->prune_at = 0;
		return false;
	}
	st->prune_at = id = sqlite3_column_int64(next, 0);
	if (set->keep_records)
		old.last = sqlite3_column_int64(next, 1) - set->keep_records;
	if (set->keep_days)
		old.before = old.now - set->keep_days * 86400000;
	sqlite3_reset(next);
	st->prune_again = prune_session(st, id, &old);
	return true;
}

void store_prune(struct store *st)
{
	const struct store_settings *set = st->set;
	uint64_t start = clock_mono_ms();

	if ((!set->keep_records && !set->keep_days) || start < st->prune_ms)
		return;
	if (store_run(st->stmt[BEGIN]) < 0)
		return; /* somebody else's turn */
	while (clock_mono_ms() < start + PRUNE_SPELL) {
		if (!prune_step(st)) {
			/* That was all of them: a pause. */
			st->prune_ms = clock_mono_ms() + PRUNE_MS;
			break;
		}
	}
	if (store_run(st->stmt[COMMIT]) < 0 && !sqlite3_get_autocommit(st->db))
		store_run(st->stmt[ROLLBACK]);
}

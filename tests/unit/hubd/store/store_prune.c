/* Pruning by age where the clock is wrong: what was just stored stays when the clock is set
 * forward, and what is dated in the future keeps nothing behind it. The clock is the test's. */
#include <sodium.h>
#include <sys/syscall.h>
#include <time.h>

#include "hubd/store_stub.h"
#include "store/store.h"
#include "unit.h"

#define DAY_S 86400

static _Atomic int64_t ahead_s; /* what the wall clock is ahead by */

/* In the place of libc's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	long r = syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_REALTIME)
		ts->tv_sec += atomic_load(&ahead_s);
	return (int)r;
}

static void publish(struct session *s, int n)
{
	for (int i = 0; i < n; i++) {
		assert_int_equal(store_stub_publish(s, 1, RECORD_PLAIN, NULL, 0, "x"), HUB_OK);
		store_stub_wait(s, s->log.head);
	}
}

static uint64_t tail_of(struct store_stub *st, struct session *s)
{
	struct archive_job job =
	    store_stub_ask(st, (struct request){.job = {.session = s, .what = ARCHIVE_OPEN}});

	assert_int_equal(job.status, 0);
	return job.tail;
}

/* Lets pruning have looked at all sessions since now: an old session's batch goes. */
static void let_prune(struct store_stub *st, const char *name)
{
	uint64_t start = clock_mono_ms();
	struct session *s = store_stub_session(st, name, NULL);
	char sql[160];

	publish(s, 1);
	snprintf(sql, sizeof(sql),
		 "UPDATE batch SET time = 1 WHERE session ="
		 " (SELECT id FROM session WHERE name = '%s')",
		 name);
	store_stub_sql(st, sql);
	while (tail_of(st, s) != UINT64_MAX) {
		usleep(1000);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
}

static void a_clock_set_forward_deletes_nothing_new(void **state)
{
	struct store_stub st = {.set.keep_days = 1};
	struct session *s;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 10);
	atomic_store(&ahead_s, 30 * DAY_S);
	publish(s, 3);
	let_prune(&st, "b");
	let_prune(&st, "c");
	assert_int_equal(tail_of(&st, s), 1);
	/* Nor where it is set right again. */
	atomic_store(&ahead_s, 0);
	publish(s, 3);
	let_prune(&st, "d");
	let_prune(&st, "e");
	assert_int_equal(tail_of(&st, s), 1);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

static void what_is_dated_in_the_future_keeps_nothing_behind_it(void **state)
{
	struct store_stub st = {.set.keep_days = 1};
	struct session *s;

	(void)state;
	atomic_store(&ahead_s, 0);
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 30);
	assert_int_equal(store_stub_end(&st), 0);
	memset(&st.s, 0, sizeof(st.s));
	store_stub_sql(
	    &st, "UPDATE batch SET time = time + 3650 * 86400000 WHERE seq <= 5;"
		 "UPDATE batch SET time = time - 2 * 86400000 WHERE seq BETWEEN 6 AND 10;"
		 "UPDATE batch SET time = time + 3650 * 86400000 WHERE seq BETWEEN 20 AND 30");
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	let_prune(&st, "b");
	let_prune(&st, "c");
	assert_int_equal(tail_of(&st, s), 11);
	/* Where nothing behind it tells how old it is, it stays. */
	store_stub_sql(&st, "UPDATE batch SET time = 1 WHERE seq BETWEEN 11 AND 19");
	let_prune(&st, "d");
	let_prune(&st, "e");
	assert_int_equal(tail_of(&st, s), 20);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_clock_set_forward_deletes_nothing_new),
	    cmocka_unit_test(what_is_dated_in_the_future_keeps_nothing_behind_it),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store_prune", tests, NULL, NULL);
}

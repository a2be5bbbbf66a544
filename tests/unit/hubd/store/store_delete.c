/* Deleting: a session is gone at once and for ever, the others stay, and what comes under its name
 * is not mixed with it. */
#include <sodium.h>
#include <unistd.h>

#include "hubd/store_stub.h"
#include "store/store.h"
#include "unit.h"

static struct archive_job delete_session(struct store_stub *st, const char *name, bool *there)
{
	struct registry_removal rm = {0};
	struct request r = {0};
	uint64_t start = clock_mono_ms();

	r.job.done.run = request_done;
	r.job.worker = st->s.workers.at[0];
	assert_int_equal(registry_remove(&st->s.registry, span_of(name), &rm, &r.job, there), 0);
	while (!r.done) {
		uv_run(worker_loop(st->s.workers.at[0]), UV_RUN_ONCE);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "no answer");
	}
	registry_removed(&st->s.registry, &rm);
	return r.job;
}

/* The next life. */
static void again(struct store_stub *st)
{
	assert_int_equal(store_stub_end(st), 0);
	memset(&st->s, 0, sizeof(st->s));
	store_stub_start(st);
}

static void publish(struct session *s, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(store_stub_publish(s, 7, i % 2 ? RECORD_PLAIN : RECORD_SET,
						    i % 2 ? NULL : "k", (uint64_t)i + 1, "text"),
				 HUB_OK);
	store_stub_wait(s, s->log.head);
}

#define ROWS                                                                                      \
	"SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM batch) + (SELECT count(*)" \
	" FROM state) + (SELECT count(*) FROM ack) + (SELECT count(*) FROM crash)"

static void it_is_gone_for_ever(void **state)
{
	struct store_stub st = {0};
	struct archive_job job;
	struct session *a, *b, *next;
	uint64_t epoch, tail;
	bool there;
	int rows;

	(void)state;
	store_stub_start(&st);
	b = store_stub_session(&st, "b", NULL);
	publish(b, 10);
	rows = store_stub_count(&st, ROWS);
	a = store_stub_session(&st, "a", NULL);
	epoch = a->epoch;
	publish(a, 3000);
	for (int i = 0; i < 100; i++)
		publish(a, 3);
	job = delete_session(&st, "a", &there);
	assert_int_equal(job.status, 0);
	assert_true(job.found && there);
	/* What comes now is another one. */
	next = store_stub_session(&st, "a", &tail);
	assert_true(next->epoch != epoch && next->log.head == 0 && tail == UINT64_MAX);
	publish(next, 5);
	stub_release(&st.s, a);
	stub_release(&st.s, next);
	job = delete_session(&st, "a", &there);
	assert_true(job.found && there);
	/* All of it goes, and nothing else. */
	for (uint64_t start = clock_mono_ms(); store_stub_count(&st, ROWS) != rows;) {
		usleep(1000);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "rows are left");
	}
	assert_int_equal(store_stub_count(&st, "SELECT count(*) FROM session WHERE name = 'b'"), 1);
	stub_release(&st.s, b);
	/* Also after a restart. */
	again(&st);
	next = store_stub_session(&st, "a", &tail);
	assert_true(next->log.head == 0 && tail == UINT64_MAX);
	stub_release(&st.s, next);
	b = store_stub_session(&st, "b", &tail);
	assert_int_equal(b->log.head, 10);
	stub_release(&st.s, b);
	job = delete_session(&st, "nobody", &there);
	assert_false(job.found || there);
	/* One that is in the store alone. */
	again(&st);
	job = delete_session(&st, "b", &there);
	assert_true(job.found && !there);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* What an earlier life has left of a deletion goes in this one. */
static void what_is_left_goes_later(void **state)
{
	struct store_stub st = {0};
	struct session *s;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 500);
	stub_release(&st.s, s);
	store_stub_sql(&st, "UPDATE session SET name = '!' || id");
	again(&st);
	for (uint64_t start = clock_mono_ms(); store_stub_count(&st, ROWS) != 0;) {
		usleep(1000);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "rows are left");
	}
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* While the database cannot be written a deletion waits, and with it what has come under its name.
 */
static void a_deletion_waits_for_the_disk(void **state)
{
	struct store_stub st = {0};
	struct registry_removal rm = {0};
	struct request r = {0};
	struct session *s, *next;
	uint64_t start, epoch;
	bool there;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 10);
	store_stub_sql(&st, "CREATE TRIGGER t BEFORE UPDATE OF name ON session BEGIN SELECT "
			    "RAISE(ABORT, 'no'); END");
	r.job.done.run = request_done;
	r.job.worker = st.s.workers.at[0];
	assert_int_equal(registry_remove(&st.s.registry, span_of("a"), &rm, &r.job, &there), 0);
	stub_release(&st.s, s);
	start = clock_mono_ms();
	while (!store_archive(st.store)->failing(store_archive(st.store))) {
		usleep(500);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "it does not fail");
	}
	stub_settle(&st.s.workers);
	assert_false(r.done);
	next = stub_use(&st.s, "a");
	epoch = next->epoch;
	store_stub_sql(&st, "DROP TRIGGER t");
	while (!r.done) {
		uv_run(worker_loop(st.s.workers.at[0]), UV_RUN_ONCE);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "no answer");
	}
	assert_int_equal(r.job.status, 0);
	assert_true(r.job.found);
	registry_removed(&st.s.registry, &rm);
	publish(next, 3);
	stub_release(&st.s, next);
	again(&st);
	next = store_stub_session(&st, "a", NULL);
	assert_true(next->epoch == epoch && next->log.head == 3);
	stub_release(&st.s, next);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_gone_for_ever),
	    cmocka_unit_test(what_is_left_goes_later),
	    cmocka_unit_test(a_deletion_waits_for_the_disk),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store_delete", tests, NULL, NULL);
}

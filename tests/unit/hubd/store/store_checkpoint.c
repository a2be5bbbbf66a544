/* The write-ahead log: under load that never stops it begins anew, and at rest it is emptied. With
 * small pages, of which it takes as many as with large ones. */
#include <sodium.h>

#include "hubd/store_stub.h"
#include "store/store.h"
#include "unit.h"

#define PAGE 512
#define FRAME (PAGE + 24)  /* of a page in the log */
#define LARGE_PAGES 16000L /* many times what the log has when it is moved */
#define MOVE_PAGES 500L	   /* less than that */
#define TEXT_LEN 3000

static void wait_until_empty(const struct store_stub *st)
{
	uint64_t start = clock_mono_ms();

	while (store_stub_size(st, "-wal") > 0) {
		usleep(5000);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
}

static void the_log_begins_anew_and_is_emptied(void **state)
{
	struct store_stub st = {.set.sync = STORE_SYNC_OFF,
				.s.env.limits = {.records = 1, .bytes = 1}};
	char *text = malloc(TEXT_LEN + 1);
	uint64_t seq, n = 6 * LARGE_PAGES * PAGE / TEXT_LEN;
	long largest = 0;
	struct session *s;
	uint64_t tail;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', TEXT_LEN);
	text[TEXT_LEN] = '\0';
	store_stub_dir(&st);
	/* Ours, and empty. */
	store_stub_sql(&st, "PRAGMA page_size = 512; PRAGMA application_id = 1752523364");
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	for (seq = 1; seq <= n; seq++) {
		long size = store_stub_size(&st, "-wal");

		assert_int_equal(store_stub_publish(s, 1, RECORD_PLAIN, NULL, 0, text), HUB_OK);
		/* There is always something to write, but never more than can be moved. */
		if (seq > 10)
			store_stub_wait(s, seq - 10);
		if (seq % 10 == 0)
			usleep(1000);
		largest = size > largest ? size : largest;
	}
	/* Else it would be six times as large. */
	assert_true(largest > MOVE_PAGES * FRAME);
	assert_true(largest < 5 * LARGE_PAGES * FRAME);
	store_stub_wait(s, n);
	wait_until_empty(&st);
	assert_true(store_stub_size(&st, "") > (long)n * TEXT_LEN);
	/* Whatever comes then, and however much it is like what came before. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_stub_publish(s, 1, RECORD_PLAIN, NULL, 0, text), HUB_OK);
		store_stub_wait(s, ++n);
		wait_until_empty(&st);
	}
	assert_int_equal(store_stub_end(&st), 0);
	memset(&st.s, 0, sizeof(st.s));
	store_stub_start(&st);
	s = store_stub_session(&st, "a", &tail);
	assert_int_equal(s->log.head, n);
	assert_int_equal(tail, 1);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
	free(text);
}

/* While somebody looks at the database for long, the log cannot begin anew; when he has gone it
 * does not stay so large, though commits never stop. */
static void the_log_does_not_keep_its_peak(void **state)
{
	struct store_stub st = {.set.sync = STORE_SYNC_OFF,
				.s.env.limits = {.records = 1, .bytes = 1}};
	uint64_t start = clock_mono_ms();
	char *text = malloc(TEXT_LEN + 1);
	struct session *s;
	sqlite3 *db;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', TEXT_LEN);
	text[TEXT_LEN] = '\0';
	store_stub_dir(&st);
	store_stub_sql(&st, "PRAGMA page_size = 512; PRAGMA application_id = 1752523364");
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	stub_need(sqlite3_open(st.file, &db) == SQLITE_OK, "cannot open the database");
	stub_need(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM batch", NULL, NULL, NULL) ==
		      SQLITE_OK,
		  "cannot read");
	while (store_stub_size(&st, "-wal") < 3 * LARGE_PAGES * FRAME) {
		assert_int_equal(store_stub_publish(s, 1, RECORD_PLAIN, NULL, 0, text), HUB_OK);
		if (s->log.head > 50)
			store_stub_wait(s, s->log.head - 50);
	}
	sqlite3_close(db);
	while (store_stub_size(&st, "-wal") > 5 * LARGE_PAGES * FRAME / 4) {
		assert_int_equal(store_stub_publish(s, 1, RECORD_PLAIN, NULL, 0, text), HUB_OK);
		store_stub_wait(s, s->log.head > 10 ? s->log.head - 10 : 1);
		usleep(200);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_log_begins_anew_and_is_emptied),
	    cmocka_unit_test(the_log_does_not_keep_its_peak),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store_checkpoint", tests, NULL, NULL);
}

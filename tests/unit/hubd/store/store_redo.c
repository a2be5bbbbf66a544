/* The redo log: what it has outlives a hub that does not end in order, whatever the database has of
 * it, in the order in which it came, and once. */
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>

#include "hubd/store_stub.h"
#include "store/store_impl.h"
#include "unit.h"

#define SENDER 7

/* The files as a crash leaves them, at about this moment, for another life: while somebody reads,
 * the database and its log fit each other, and the redo log, copied last, has what they lack. */
static void freeze(const struct store_stub *from, struct store_stub *to)
{
	static const char *const suffix[] = {"", "-wal", "-redo1", "-redo2"};
	char command[400];
	sqlite3 *db;

	assert_int_equal(sqlite3_open(from->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM meta", NULL, NULL, NULL),
			 SQLITE_OK);
	*to = (struct store_stub){.set = from->set};
	store_stub_dir(to);
	for (size_t i = 0; i < UNIT_COUNT(suffix); i++) {
		snprintf(command, sizeof(command), "cp '%s%s' '%s%s'", from->file, suffix[i],
			 to->file, suffix[i]);
		assert_int_equal(system(command), 0);
	}
	sqlite3_close(db);
}

static uint64_t durable(struct session *s)
{
	uint64_t seq;

	pthread_mutex_lock(&s->lock);
	seq = s->durable;
	pthread_mutex_unlock(&s->lock);
	return seq;
}

static void wait_durable(struct session *s, uint64_t seq)
{
	uint64_t start = clock_mono_ms();

	while (durable(s) < seq) {
		usleep(500);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
}

/* Somebody else has the database, so that it is the redo log alone that gets something. */
static sqlite3 *hold(const struct store_stub *st)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(st->file, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

/* Records up to `to`, of state and not, with an ack or not. */
static void publish(struct session *s, uint64_t to)
{
	while (s->log.head < to) {
		uint64_t seq = s->log.head + 1;
		char text[32], key[16];

		snprintf(text, sizeof(text), "number %ju", (uintmax_t)seq);
		snprintf(key, sizeof(key), "k%ju", (uintmax_t)(seq % 5));
		assert_int_equal(store_stub_publish(s, SENDER, seq % 3 ? RECORD_PLAIN : RECORD_SET,
						    seq % 3 ? NULL : key, seq % 2 ? 1000 + seq : 0,
						    text),
				 HUB_OK);
	}
}

/* A session has what publish() made, once, in order; its state, and the messages it knows. */
static void expect_all(struct store_stub *st, const char *name, uint64_t head)
{
	uint64_t tail;
	struct session *s = store_stub_session(st, name, &tail);
	char sql[200];

	assert_int_equal(s->log.head, head);
	assert_int_equal(tail, 1);
	assert_int_equal(s->state.n, head / 3 < 5 ? head / 3 : 5);
	for (uint64_t seq = 1; seq <= head; seq += 2)
		assert_true(session_knows(s, 1000 + seq));
	assert_false(session_knows(s, 1000 + head + 1));
	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM record WHERE session = (SELECT id FROM session WHERE name ="
		 " '%s') AND body LIKE '%%\"number ' || seq || '\"%%'",
		 name);
	assert_int_equal(store_stub_count(st, sql), head);
	snprintf(sql, sizeof(sql),
		 "SELECT sum(n) FROM batch WHERE session = (SELECT id FROM session"
		 " WHERE name = '%s')",
		 name);
	assert_int_equal(store_stub_count(st, sql), head);
}

static void what_the_database_lacks_is_written_by_the_next_hub(void **state)
{
	struct store_stub st = {0}, next;
	struct session *a, *b;
	sqlite3 *db;

	(void)state;
	store_stub_start(&st);
	a = store_stub_session(&st, "a", NULL);
	b = store_stub_session(&st, "b", NULL);
	publish(a, 10);
	store_stub_wait(a, 10);
	db = hold(&st);
	publish(a, 25);
	wait_durable(a, 25);
	publish(b, 7);
	publish(a, 40);
	wait_durable(a, 40);
	wait_durable(b, 7);
	assert_int_equal(store_stub_stored(b), 0);
	freeze(&st, &next);
	sqlite3_close(db);
	assert_int_equal(store_stub_end(&st), 0);
	assert_int_equal(store_stub_size(&st, "-redo1"), -1);
	assert_int_equal(store_stub_size(&st, "-redo2"), -1);
	store_stub_remove(&st);

	/* Twice is as good as once: the next one dies, too, before it has done anything. */
	assert_non_null(store_stub_open(&next));
	assert_int_equal(next.run, 2);
	freeze(&next, &st);
	store_free(next.store);
	store_stub_remove(&next);
	store_stub_start(&st);
	assert_int_equal(st.run, 3);
	expect_all(&st, "a", 40);
	expect_all(&st, "b", 7);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* Frozen again and again while it is written. */
static void at_any_moment(void **state)
{
	struct store_stub st = {.set.sync = STORE_SYNC_NORMAL}, next;
	struct session *s;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	for (int i = 1; i <= 40; i++) {
		uint64_t least;

		publish(s, s->log.head + 150);
		wait_durable(s, s->log.head - 50);
		least = durable(s);
		freeze(&st, &next);
		store_stub_start(&next);
		assert_in_range(store_stub_session(&next, "a", NULL)->log.head, least, s->log.head);
		assert_int_equal(store_stub_end(&next), 0);
		assert_int_equal(
		    store_stub_count(&next, "SELECT sum(n) = max(seq + n) - 1 FROM batch"), 1);
		store_stub_remove(&next);
	}
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* Both files are used, and none grows while the database keeps up. */
static void the_files_take_turns(void **state)
{
	enum { FILE_BYTES = 16 << 20, TEXT_LEN = 60000 };
	struct store_stub st = {.set.sync = STORE_SYNC_NORMAL,
				.s.env.limits = {.records = 1, .bytes = 1}},
			  next;
	char *text = malloc(TEXT_LEN + 1);
	struct session *s;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', TEXT_LEN);
	text[TEXT_LEN] = '\0';
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	for (uint64_t seq = 1; seq <= 5 * FILE_BYTES / TEXT_LEN; seq++) {
		assert_int_equal(store_stub_publish(s, SENDER, RECORD_PLAIN, NULL, 0, text),
				 HUB_OK);
		store_stub_wait(s, seq > 10 ? seq - 10 : 1);
	}
	assert_in_range(store_stub_size(&st, "-redo1"), FILE_BYTES, FILE_BYTES + 20 * TEXT_LEN);
	assert_in_range(store_stub_size(&st, "-redo2"), FILE_BYTES, FILE_BYTES + 20 * TEXT_LEN);
	freeze(&st, &next);
	store_stub_start(&next);
	assert_true(store_stub_session(&next, "a", NULL)->log.head >= durable(s));
	assert_int_equal(store_stub_end(&next), 0);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&next);
	store_stub_remove(&st);
	free(text);
}

/* What was cut off, or is of another run, is none of it. */
static void what_was_never_whole_is_nothing(void **state)
{
	struct store_stub st = {0}, next;
	struct session *s;
	char path[200];
	sqlite3 *db;
	long size;
	int fd;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	db = hold(&st);
	publish(s, 9);
	wait_durable(s, 9);
	size = store_stub_size(&st, "-redo1");
	publish(s, 20);
	wait_durable(s, 20);
	for (int how = 0; how < 4; how++) {
		freeze(&st, &next);
		snprintf(path, sizeof(path), "%s-redo1", next.file);
		fd = open(path, O_WRONLY);
		if (how == 0)
			assert_int_equal(ftruncate(fd, store_stub_size(&next, "-redo1") - 1), 0);
		else if (how == 1)
			assert_int_equal(pwrite(fd, "?", 1, size + 200), 1);
		else if (how == 2)
			assert_int_equal(ftruncate(fd, size + 10), 0);
		close(fd);
		if (how == 3)
			store_stub_sql(&next, "UPDATE meta SET value = '77' WHERE name = 'run'");
		store_stub_start(&next);
		assert_in_range(store_stub_session(&next, "a", NULL)->log.head, how == 3 ? 0 : 9,
				how == 3 ? 0 : 19);
		assert_int_equal(store_stub_end(&next), 0);
		store_stub_remove(&next);
	}
	sqlite3_close(db);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

static unsigned done;

static void count_done(struct worker *w, struct mail *mail)
{
	(void)w;
	done += ((struct archive_job *)mail)->status == 0;
}

/* A deletion, what came under the same name behind it, and what operators have set. */
static void orders_are_done_again(void **state)
{
	struct store_stub st = {0}, next;
	struct archive *a;
	struct session *s;
	struct archive_job keep = {.what = ARCHIVE_KEEP,
				   .name = span_of("ban x"),
				   .value = span_of("{\"who\":\"x\"}")},
			   drop = {.what = ARCHIVE_KEEP, .name = span_of("ban y")},
			   gone, *const jobs[] = {&keep, &drop, &gone};
	size_t all;
	uint64_t start = clock_mono_ms();
	sqlite3 *db;
	long size;

	(void)state;
	store_stub_start(&st);
	a = store_archive(st.store);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 10);
	store_stub_wait(s, 10);
	store_stub_sql(&st, "INSERT INTO kept VALUES ('ban y', 'y', 0), ('limits a', 'l', 0)");
	db = hold(&st);
	publish(s, 12);
	wait_durable(s, 12);
	gone = (struct archive_job){.what = ARCHIVE_DELETE, .session = s};
	size = store_stub_size(&st, "-redo1");
	for (size_t i = 0; i < UNIT_COUNT(jobs); i++) {
		jobs[i]->done.run = count_done;
		jobs[i]->worker = st.s.workers.at[0];
		a->ask(a, jobs[i]);
	}
	/* Less than that is not all of them, in however many entries. */
	all = sizeof(struct redo_header) + 3 * sizeof(struct redo_part) + keep.name.len +
	      keep.value.len + drop.name.len + 1;
	while (store_stub_size(&st, "-redo1") < size + (long)all) {
		usleep(500);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
	freeze(&st, &next);
	assert_int_equal(done, 0);
	sqlite3_close(db);
	while (done < 3) {
		uv_run(worker_loop(st.s.workers.at[0]), UV_RUN_ONCE);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
	store_stub_start(&next);
	assert_int_equal(store_stub_count(&next, "SELECT count(*) FROM kept"), 1);
	assert_int_equal(store_stub_count(&next, "SELECT count(*) FROM kept WHERE name = 'ban x'"),
			 1);
	assert_int_equal(store_stub_session(&next, "a", NULL)->log.head, 0);
	assert_int_equal(store_stub_end(&next), 0);
	store_stub_remove(&next);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_database_lacks_is_written_by_the_next_hub),
	    cmocka_unit_test(at_any_moment),
	    cmocka_unit_test(the_files_take_turns),
	    cmocka_unit_test(what_was_never_whole_is_nothing),
	    cmocka_unit_test(orders_are_done_again),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store_redo", tests, NULL, NULL);
}

/* What is taken for a store, and what is refused and left as it was. */
#include <fcntl.h>
#include <sodium.h>
#include <sysexits.h>

#include "hubd/store_stub.h"
#include "store/store.h"
#include "unit.h"

static void write_file(const struct store_stub *st, const void *data, size_t len)
{
	int fd = open(st->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void read_file(const struct store_stub *st, struct buf *out)
{
	char part[4096];
	int fd = open(st->file, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, part, sizeof(part))) > 0)
		assert_int_equal(buf_put(out, part, (size_t)n), 0);
	close(fd);
}

/* It is refused with that status, and is the same as before. */
static void refused(struct store_stub *st, int status)
{
	struct buf before = {0}, after = {0};

	read_file(st, &before);
	assert_null(store_stub_open(st));
	assert_int_equal(st->status, status);
	read_file(st, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	buf_free(&before);
	buf_free(&after);
}

/* Opens and closes, so that there is an empty store. */
static void make_store(struct store_stub *st)
{
	assert_non_null(store_stub_open(st));
	assert_int_equal(st->status, 0);
	store_free(st->store);
	st->store = NULL;
}

static void a_new_file_becomes_a_store(void **state)
{
	struct store_stub st = {0};

	(void)state;
	store_stub_dir(&st);
	make_store(&st);
	assert_int_equal(st.run, 1);
	assert_true(store_stub_size(&st, "") > 0);
	make_store(&st);
	assert_int_equal(st.run, 2);
	/* An empty file is as good as none. */
	store_stub_remove(&st);
	store_stub_dir(&st);
	write_file(&st, "", 0);
	make_store(&st);
	assert_int_equal(st.run, 1);
	store_stub_remove(&st);
}

static void the_secret_stays(void **state)
{
	struct store_stub st = {0};
	unsigned char first[32];

	(void)state;
	store_stub_dir(&st);
	randombytes_buf(st.secret, sizeof(st.secret));
	memcpy(first, st.secret, sizeof(first));
	make_store(&st);
	assert_memory_equal(st.secret, first, sizeof(first));
	randombytes_buf(st.secret, sizeof(st.secret));
	make_store(&st);
	assert_memory_equal(st.secret, first, sizeof(first));
	store_stub_remove(&st);
}

static void what_is_no_store_is_left_alone(void **state)
{
	static const char text[] = "a letter to a friend";
	struct store_stub st = {0};
	char large[5000];

	(void)state;
	store_stub_dir(&st);
	write_file(&st, text, sizeof(text) - 1);
	refused(&st, EX_CONFIG);
	memset(large, 'x', sizeof(large));
	write_file(&st, large, sizeof(large));
	refused(&st, EX_CONFIG);
	unlink(st.file);
	/* Another program's database. */
	store_stub_sql(&st, "CREATE TABLE t (a)");
	refused(&st, EX_CONFIG);
	store_stub_sql(&st, "PRAGMA application_id = 1234");
	refused(&st, EX_CONFIG);
	store_stub_remove(&st);
}

static void what_is_damaged_or_newer_is_left_alone(void **state)
{
	static const char *const spoil[] = {"DROP TABLE session", "DROP TABLE meta",
					    "ALTER TABLE state RENAME COLUMN body TO text",
					    "PRAGMA user_version = 6"};
	struct buf all = {0};
	struct store_stub st = {0};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(spoil); i++) {
		store_stub_dir(&st);
		make_store(&st);
		store_stub_sql(&st, spoil[i]);
		refused(&st, EX_CONFIG);
		store_stub_remove(&st);
	}
	/* Cut off, */
	store_stub_dir(&st);
	make_store(&st);
	read_file(&st, &all);
	write_file(&st, all.data, all.len - 8192);
	refused(&st, EX_CONFIG);
	/* or with other bytes within. */
	memset(all.data + 8192, 0x55, 8192);
	write_file(&st, all.data, all.len);
	refused(&st, EX_CONFIG);
	buf_free(&all);
	store_stub_remove(&st);
}

static void one_hub_has_it_at_a_time(void **state)
{
	struct store_stub st = {0}, other;

	(void)state;
	store_stub_dir(&st);
	assert_non_null(store_stub_open(&st));
	other = st;
	assert_null(store_stub_open(&other));
	assert_int_equal(other.status, EX_CANTCREAT);
	store_free(st.store);
	make_store(&st);
	assert_int_equal(st.run, 2);
	store_stub_remove(&st);
}

static void where_it_cannot_be_made_it_is_not(void **state)
{
	struct store_stub st = {0};

	(void)state;
	store_stub_dir(&st);
	snprintf(st.file, sizeof(st.file), "%s/no/such/store", st.dir);
	assert_null(store_stub_open(&st));
	assert_int_equal(st.status, EX_CANTCREAT);
	snprintf(st.file, sizeof(st.file), "%s", st.dir); /* a directory */
	assert_null(store_stub_open(&st));
	assert_int_equal(st.status, EX_CANTCREAT);
	rmdir(st.dir);
}

/* Version 1 had a row for each record. */
static void an_older_store_is_made_a_new_one(void **state)
{
	struct store_stub st = {0};
	struct archive_job job;
	struct session *s;
	uint64_t tail;

	(void)state;
	store_stub_dir(&st);
	make_store(&st);
	store_stub_sql(
	    &st, "DROP VIEW record; DROP TABLE batch; DROP TABLE kept; ALTER TABLE session DROP "
		 "COLUMN bytes;"
		 "ALTER TABLE state DROP COLUMN own; ALTER TABLE state DROP COLUMN expires;"
		 "CREATE TABLE record (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, body TEXT "
		 "NOT NULL);"
		 "CREATE TABLE extent (session INTEGER NOT NULL, seq INTEGER NOT NULL,"
		 " n INTEGER NOT NULL, id INTEGER NOT NULL);"
		 "INSERT INTO session (id, name, epoch, head, written) VALUES (1, 'a', 42, 200, 5);"
		 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
		 " INSERT INTO record SELECT i + 10, i, '{\"seq\":' || i || '}' FROM n;"
		 "INSERT INTO extent VALUES (1, 1, 150, 11), (1, 151, 50, 161);"
		 "PRAGMA user_version = 1");
	store_stub_start(&st);
	s = store_stub_session(&st, "a", &tail);
	assert_int_equal(s->log.head, 200);
	assert_int_equal(s->epoch, 42);
	assert_int_equal(tail, 1);
	job = store_stub_read(&st, s, 1, 200, SIZE_MAX);
	assert_int_equal(job.status, 0);
	assert_int_equal(job.n, 200);
	for (uint64_t i = 1; i <= 200; i++) {
		const struct chunk *c = chunk_find(job.chunk, i);
		const struct slot *slot = chunk_slot(c, i - c->first);
		char want[32];
		int len = snprintf(want, sizeof(want), "{\"seq\":%ju}", (uintmax_t)i);

		assert_int_equal(slot->len, len + 2);
		assert_memory_equal(c->data + slot->offset + 2, want, (size_t)len);
		assert_int_equal(slot->sender, 0); /* it does not end as ours do */
	}
	chunk_unref(job.chunk);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_file_becomes_a_store),
	    cmocka_unit_test(the_secret_stays),
	    cmocka_unit_test(what_is_no_store_is_left_alone),
	    cmocka_unit_test(what_is_damaged_or_newer_is_left_alone),
	    cmocka_unit_test(one_hub_has_it_at_a_time),
	    cmocka_unit_test(where_it_cannot_be_made_it_is_not),
	    cmocka_unit_test(an_older_store_is_made_a_new_one),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}

/* The store behind the archive's interface, with a real database: what goes in comes out, also in
 * the hub's next life, with the state and the messages that asked for an ack; what is old goes; and
 * what fails is said. */
#include "store/store.h"

#include <errno.h>
#include <sodium.h>

#include "hubd/store_stub.h"
#include "session/publish.h"
#include "store/store_impl.h"
#include "unit.h"
#include "wire/wsframe.h"

#define SENDER 0x123456789abcdef0

/* The text of the i-th record of a chain, i from 1. */
static struct span text_of(const struct chunk *chunk, uint64_t i, const struct slot **slot)
{
	const struct chunk *c = chunk_find(chunk, i);
	size_t header;

	*slot = chunk_slot(c, i - c->first);
	header = wsframe_header_len(c->data + (*slot)->offset);
	return (struct span){(const char *)c->data + (*slot)->offset + header,
			     (*slot)->len - header};
}

/* n records of the archive are those of the session from `from` on. */
static void expect_records(const struct archive_job *job, uint64_t from, uint64_t n)
{
	assert_int_equal(job->status, 0);
	assert_int_equal(job->n, n);
	for (uint64_t i = 1; i <= n; i++) {
		const struct slot *slot;
		struct span text = text_of(job->chunk, i, &slot);
		char want[128], id[ID_LEN + 1];
		int len;

		id_text(SENDER + (from + i - 1) % 3, id);
		len = snprintf(want, sizeof(want),
			       "{\"type\":\"move\",\"text\":\"number %ju\",\"from\":\"%s\",\"seq\":"
			       "%ju}",
			       (uintmax_t)(from + i - 1), id, (uintmax_t)(from + i - 1));
		assert_int_equal(text.len, len);
		assert_memory_equal(text.p, want, text.len);
		assert_true(slot->sender == SENDER + (from + i - 1) % 3);
	}
	chunk_unref(job->chunk);
}

static void publish(struct session *s, int n)
{
	for (int i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "number %ju", (uintmax_t)s->log.head + 1);
		assert_int_equal(store_stub_publish(s, SENDER + (s->log.head + 1) % 3, RECORD_PLAIN,
						    NULL, 0, text),
				 HUB_OK);
	}
}

static void records_come_back(void **state)
{
	struct store_stub st = {0};
	struct archive_job job;
	struct session *s;
	uint64_t tail;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", &tail);
	assert_true(tail == UINT64_MAX);
	/* In commits of one, of some, and of more than a row holds. */
	publish(s, 1);
	store_stub_wait(s, 1);
	publish(s, 2000);
	store_stub_wait(s, 2001);
	publish(s, 10);
	store_stub_wait(s, 2011);
	job = store_stub_read(&st, s, 1, 2011, SIZE_MAX);
	expect_records(&job, 1, 2011);
	for (uint64_t from = 1; from < 2011; from += 401) {
		job = store_stub_read(&st, s, from, from + 5, SIZE_MAX);
		expect_records(&job, from, 6);
		/* At least one, whatever the limit. */
		job = store_stub_read(&st, s, from, 2011, 1);
		expect_records(&job, from, 1);
		job = store_stub_read(&st, s, from, 2011, 500);
		assert_in_range(job.n, 2, 10);
		expect_records(&job, from, job.n);
	}
	job = store_stub_read(&st, s, 2012, 2020, SIZE_MAX);
	assert_int_equal(job.status, -ESTALE);
	assert_null(job.chunk);
	stub_release(&st.s, s);
	/* Another session's are another's. */
	s = store_stub_session(&st, "b", &tail);
	assert_true(tail == UINT64_MAX);
	job = store_stub_read(&st, s, 1, 5, SIZE_MAX);
	assert_int_equal(job.status, -ESTALE);
	stub_release(&st.s, s);
	s = store_stub_session(&st, "a", &tail);
	assert_int_equal(tail, 1);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* The state as its snapshot has it: n records, each of which ends as wanted. */
static void expect_state(struct session *s, const char *const *want, size_t n)
{
	bool out_of_memory;
	struct chunk *chunk = state_snapshot(&s->state, &out_of_memory);

	assert_int_equal(s->state.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct slot *slot;
		struct span text = text_of(chunk, i + 1, &slot);

		assert_int_equal(slot->sender, SENDER);
		assert_non_null(memmem(text.p, text.len, want[i], strlen(want[i])));
	}
	chunk_unref(chunk);
}

static void a_session_goes_on_in_the_next_life(void **state)
{
	static const char *const keys[] = {"\"key\":\"one\",\"text\":\"again\"",
					   "\"key\":\"\\u0066our\",\"text\":\"escaped\""};
	struct store_stub st = {0}, next;
	unsigned char secret[32];
	struct archive_job job;
	struct session *s;
	uint64_t epoch, tail;

	(void)state;
	memset(st.secret, 7, sizeof(st.secret));
	store_stub_start(&st);
	assert_int_equal(st.run, 1);
	s = store_stub_session(&st, "a", NULL);
	epoch = s->epoch;
	store_stub_publish(s, SENDER, RECORD_SET, "one", 0, "first");
	store_stub_publish(s, SENDER, RECORD_SET, "two", 77, "acked");
	store_stub_publish(s, SENDER, RECORD_SET, "three", 0, "gone");
	store_stub_publish(s, SENDER, RECORD_SET, "one", 0, "again");
	store_stub_publish(s, SENDER, RECORD_PLAIN, NULL, 78, "plain");
	store_stub_wait(s, 5);
	store_stub_publish(s, SENDER, RECORD_DELETE, "two", 0, "deleted");
	store_stub_publish(s, SENDER, RECORD_DELETE, "three", 0, "deleted");
	{ /* a key is what its value reads as, however it was written */
		struct publication p = {
		    .body =
			span_of("{\"type\":\"move\",\"key\":\"\\u0066our\",\"text\":\"escaped\""),
		    .type = span_of("move"),
		    .key = span_of("four"),
		    .tags = {.sender = SENDER,
			     .type_at = 8,
			     .type_len = 6,
			     .key_at = 21,
			     .key_len = 11}};
		struct published out;

		p.tags.class = RECORD_SET;
		assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
		s->env->archive->wake(s->env->archive, s);
	}
	store_stub_wait(s, 8);
	expect_state(s, keys, 2);
	/* What was not written when it is stopped is written then. */
	store_stub_publish(s, SENDER, RECORD_PLAIN, NULL, 79, "last");
	assert_int_equal(store_stub_end(&st), 0);

	next = (struct store_stub){0};
	memcpy(next.dir, st.dir, sizeof(st.dir));
	memcpy(next.file, st.file, sizeof(st.file));
	memset(secret, 7, sizeof(secret));
	store_stub_start(&next);
	/* The secret stays, so that tokens are good; the run is another. */
	assert_memory_equal(next.secret, secret, sizeof(secret));
	assert_int_equal(next.run, 2);
	s = store_stub_session(&next, "a", &tail);
	assert_true(s->epoch == epoch);
	assert_int_equal(s->log.head, 9);
	assert_int_equal(s->stored, 9);
	assert_int_equal(tail, 1);
	assert_null(s->crashes);
	expect_state(s, keys, 2);
	for (uint64_t msg = 77; msg <= 79; msg++)
		assert_true(session_knows(s, msg));
	assert_false(session_knows(s, 80));
	job = store_stub_read(&next, s, 5, 5, SIZE_MAX);
	assert_int_equal(job.status, 0);
	assert_int_equal(job.n, 1);
	chunk_unref(job.chunk);
	/* What is loaded can be replaced and deleted by keys that are written otherwise. */
	assert_int_equal(store_stub_publish(s, SENDER, RECORD_DELETE, "four", 0, "x"), HUB_OK);
	assert_int_equal(s->state.n, 1);
	store_stub_publish(s, SENDER, RECORD_DELETE, "one", 0, "x");
	assert_int_equal(s->state.n, 0);
	assert_int_equal(store_stub_end(&next), 0);
	st = next;
	memset(&next.s, 0, sizeof(next.s));
	store_stub_start(&next);
	s = store_stub_session(&next, "a", NULL);
	assert_int_equal(s->log.head, 11);
	assert_int_equal(s->state.n, 0);
	assert_int_equal(store_stub_end(&next), 0);
	store_stub_remove(&next);
}

static void the_dedup_window_comes_back(void **state)
{
	enum { N = 3 * DEDUP_SENDER + 100 };
	struct store_stub st = {0};
	struct session *s;
	struct published out;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	/* Of somebody who says little before, and of somebody who says much. */
	for (uint64_t i = 1; i <= 7; i++)
		store_stub_publish(s, SENDER + 1, RECORD_PLAIN, NULL, i, "x");
	for (uint64_t i = 1; i <= N; i++) {
		store_stub_publish(s, SENDER, RECORD_PLAIN, NULL, 1000000 + i, "x");
		if (i % 500 == 0)
			store_stub_wait(s, i);
	}
	assert_int_equal(store_stub_end(&st), 0);
	memset(&st.s, 0, sizeof(st.s));
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	assert_int_equal(s->dedup.n, DEDUP_SENDER + 7);
	for (uint64_t i = 1; i <= 7; i++)
		assert_true(session_knows(s, i));
	for (uint64_t i = 1; i <= N; i += 7) {
		struct publication p = {.body = {"{", 1}, .tags = {.acked = 1}};

		p.tags.msg = 1000000 + i;
		assert_int_equal(session_knows(s, p.tags.msg), i > N - DEDUP_SENDER);
		if (i <= N - DEDUP_SENDER)
			continue;
		assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
		assert_true(out.repeated);
		assert_int_equal(out.seq, 7 + i);
	}
	/* The oldest goes first, as before. */
	store_stub_publish(s, SENDER, RECORD_PLAIN, NULL, 99, "x");
	assert_false(session_knows(s, 1000000 + N - DEDUP_SENDER + 1));
	assert_true(session_knows(s, 1000000 + N - DEDUP_SENDER + 2));
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* What the window is chosen from stays in the store, and little else of it, in the next life, too.
 */
static void what_the_window_does_not_need_goes(void **state)
{
	enum { N = 42000, PER_COMMIT = 50 };
	struct store_stub st = {0};

	(void)state;
	for (int life = 0; life < 2; life++) {
		struct session *s;
		uint64_t head;
		int n;

		memset(&st.s, 0, sizeof(st.s));
		store_stub_start(&st);
		s = store_stub_session(&st, "a", NULL);
		head = s->log.head;
		for (int i = 0; i < N; i++) {
			uint64_t msg = head + 1 + (uint64_t)i;

			store_stub_publish(s, SENDER + msg % 11, RECORD_PLAIN, NULL, msg, "x");
			if (i % PER_COMMIT == 0)
				store_stub_wait(s, msg);
		}
		store_stub_wait(s, head + N);
		n = store_stub_count(&st, "SELECT sum(n) FROM ack");
		assert_in_range(n, STORE_ACKS, STORE_ACKS + STORE_ACKS_MORE + 2 * PER_COMMIT);
		assert_int_equal(store_stub_count(&st, "SELECT max(seq) FROM ack"), head + N);
		assert_int_equal(store_stub_end(&st), 0);
	}
	store_stub_remove(&st);
}

/* A copy of the files of a store that runs is what a crash leaves. */
static void copy_file(const struct store_stub *from, const struct store_stub *to,
		      const char *suffix)
{
	char command[400];

	snprintf(command, sizeof(command), "cp '%s%s' '%s%s'", from->file, suffix, to->file,
		 suffix);
	assert_int_equal(system(command), 0);
}

static void crashes_are_remembered(void **state)
{
	struct store_stub st = {0}, crashed = {0};
	struct session *s;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 10);
	store_stub_wait(s, 10);
	store_stub_dir(&crashed);
	copy_file(&st, &crashed, "");
	copy_file(&st, &crashed, "-wal");
	publish(s, 5);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);

	store_stub_start(&crashed);
	assert_int_equal(crashed.run, 2);
	s = store_stub_session(&crashed, "a", NULL);
	assert_int_equal(s->log.head, 10);
	assert_non_null(s->crashes);
	assert_int_equal(s->crashes->n, 1);
	assert_int_equal(s->crashes->at[0].run, 1);
	assert_int_equal(s->crashes->at[0].head, 10);
	publish(s, 5);
	assert_int_equal(store_stub_end(&crashed), 0);
	/* It is not forgotten, and an end in order is no crash. */
	memset(&crashed.s, 0, sizeof(crashed.s));
	store_stub_start(&crashed);
	s = store_stub_session(&crashed, "a", NULL);
	assert_int_equal(s->log.head, 15);
	assert_int_equal(s->crashes->n, 1);
	assert_int_equal(store_stub_end(&crashed), 0);
	store_stub_remove(&crashed);
}

/* Asks until the first seq that is kept is `least` at least. */
static uint64_t wait_for_tail(struct store_stub *st, struct session *s, uint64_t least)
{
	uint64_t start = clock_mono_ms();

	for (;;) {
		struct archive_job job = store_stub_ask(
		    st, (struct request){.job = {.session = s, .what = ARCHIVE_OPEN}});

		assert_int_equal(job.status, 0);
		if (job.tail >= least)
			return job.tail;
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
		usleep(5000);
	}
}

static void what_is_old_goes(void **state)
{
	struct store_stub st = {.set.keep_records = 100};
	struct archive_job job;
	struct session *s, *few;
	uint64_t tail;

	(void)state;
	store_stub_start(&st);
	few = store_stub_session(&st, "few", NULL);
	publish(few, 50);
	s = store_stub_session(&st, "a", NULL);
	for (int i = 0; i < 100; i++) {
		publish(s, 10);
		store_stub_wait(s, s->log.head);
	}
	store_stub_wait(few, 50);
	tail = wait_for_tail(&st, s, 890);
	assert_in_range(tail, 890, 901); /* never fewer than asked for */
	job = store_stub_read(&st, s, tail, 1000, SIZE_MAX);
	expect_records(&job, tail, 1001 - tail);
	job = store_stub_read(&st, s, tail - 1, 1000, SIZE_MAX);
	assert_int_equal(job.status, -ESTALE);
	assert_int_equal(wait_for_tail(&st, few, 1), 1);
	assert_int_equal(store_stub_end(&st), 0);
	/* By age: what is older than that many days, by its own time. */
	memset(&st.s, 0, sizeof(st.s));
	st.set = (struct store_settings){.keep_days = 3};
	store_stub_sql(&st, "UPDATE batch SET time = time - 4 * 86400000 WHERE seq <= 950");
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	tail = wait_for_tail(&st, s, 951);
	assert_in_range(tail, 951, 960);
	few = store_stub_session(&st, "few", NULL);
	assert_true(wait_for_tail(&st, few, UINT64_MAX) == UINT64_MAX);
	/* It goes on where it was, all the same. */
	assert_int_equal(few->log.head, 50);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

/* --- when it fails --- */

static void a_store_that_fails_says_so_and_comes_back(void **state)
{
	struct store_stub st = {0};
	struct archive_job job;
	struct archive *a;
	struct session *s;
	uint64_t start = clock_mono_ms();

	(void)state;
	store_stub_start(&st);
	a = store_archive(st.store);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 1);
	store_stub_wait(s, 1);
	assert_null(a->failing(a));
	store_stub_sql(&st, "ALTER TABLE batch RENAME TO hidden");
	publish(s, 1);
	while (!a->failing(a)) {
		usleep(500);
		assert_true(clock_mono_ms() - start < STORE_STUB_WAIT_MS);
	}
	assert_int_equal(store_stub_publish(s, SENDER, RECORD_PLAIN, NULL, 0, "x"), HUB_INTERNAL);
	assert_int_equal(store_stub_stored(s), 1);
	job = store_stub_read(&st, s, 1, 2, SIZE_MAX);
	assert_int_equal(job.status, -EIO);
	/* What waited is not lost. */
	store_stub_sql(&st, "ALTER TABLE hidden RENAME TO batch");
	store_stub_wait(s, 2);
	assert_null(a->failing(a));
	publish(s, 1);
	store_stub_wait(s, 3);
	job = store_stub_read(&st, s, 1, 3, SIZE_MAX);
	expect_records(&job, 1, 3);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

static void a_store_that_fails_to_the_end_says_that_too(void **state)
{
	struct store_stub st = {0};
	struct session *s;

	(void)state;
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 1);
	store_stub_wait(s, 1);
	store_stub_sql(&st, "ALTER TABLE batch RENAME TO hidden");
	publish(s, 1);
	assert_int_equal(store_stub_end(&st), -EIO);
	/* The next life writes what was durable, and knows that more may be lost. */
	store_stub_sql(&st, "ALTER TABLE hidden RENAME TO batch");
	memset(&st.s, 0, sizeof(st.s));
	store_stub_start(&st);
	s = store_stub_session(&st, "a", NULL);
	assert_int_equal(s->log.head, 2);
	assert_int_equal(s->crashes->n, 1);
	assert_int_equal(s->crashes->at[0].head, 2);
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

static unsigned came_back, with_error;

static void count_back(struct worker *w, struct mail *mail)
{
	struct archive_job *job = (struct archive_job *)mail;

	(void)w;
	came_back++;
	with_error += job->status == -EIO;
	chunk_unref(job->chunk);
	job->chunk = NULL;
}

static void requests_always_come_back(void **state)
{
	enum { N = 200 };
	static struct archive_job jobs[N + 1];
	struct store_stub st = {0};
	struct archive *a;
	struct session *s;

	(void)state;
	store_stub_start(&st);
	a = store_archive(st.store);
	s = store_stub_session(&st, "a", NULL);
	publish(s, 500);
	store_stub_wait(s, 500);
	/* Whether they are carried out, or the store is stopped before, */
	for (int i = 0; i < N; i++) {
		jobs[i] = (struct archive_job){.done = {.run = count_back},
					       .worker = st.s.workers.at[0],
					       .session = s,
					       .what = ARCHIVE_READ,
					       .from = 1,
					       .to = 500,
					       .max = SIZE_MAX};
		a->ask(a, &jobs[i]);
	}
	assert_int_equal(store_stop(st.store), 0);
	stub_turns(st.s.workers.at[0]);
	assert_int_equal(came_back, N);
	/* or was stopped long ago. */
	with_error = 0;
	jobs[N] = jobs[0];
	jobs[N].done.run = count_back;
	a->ask(a, &jobs[N]);
	stub_turns(st.s.workers.at[0]);
	assert_int_equal(came_back, N + 1);
	assert_int_equal(with_error, 1);
	/* Twice is fine. */
	assert_int_equal(store_stub_end(&st), 0);
	store_stub_remove(&st);
}

static void none_is_fine(void **state)
{
	(void)state;
	assert_int_equal(store_stop(NULL), 0);
	store_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_come_back),
	    cmocka_unit_test(a_session_goes_on_in_the_next_life),
	    cmocka_unit_test(the_dedup_window_comes_back),
	    cmocka_unit_test(what_the_window_does_not_need_goes),
	    cmocka_unit_test(crashes_are_remembered),
	    cmocka_unit_test(what_is_old_goes),
	    cmocka_unit_test(a_store_that_fails_says_so_and_comes_back),
	    cmocka_unit_test(a_store_that_fails_to_the_end_says_that_too),
	    cmocka_unit_test(requests_always_come_back),
	    cmocka_unit_test(none_is_fine),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

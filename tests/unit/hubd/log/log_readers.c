/* Readers of a session's log that walk without the lock while it is written and trimmed. */
#include <pthread.h>
#include <sched.h>

#include "hubd/log_sample.h"
#include "unit.h"

#define THREADS 3
#define SHARED_RECORDS 20000

struct shared {
	pthread_mutex_t lock;
	struct log log;
	struct log_memory memory;
	_Atomic uint64_t cursor[THREADS];
	atomic_int wrong;
};

struct reader {
	struct shared *s;
	unsigned index;
};

/* As members do: a view under the lock, the walk without. */
static void *reader_run(void *arg)
{
	struct reader *r = arg;
	struct shared *s = r->s;
	uint64_t cursor = 1;

	while (cursor <= SHARED_RECORDS) {
		struct log_view view;

		pthread_mutex_lock(&s->lock);
		log_view(&s->log, cursor, &view);
		pthread_mutex_unlock(&s->lock);
		if (!view.chunk) {
			sched_yield();
			continue;
		}
		if (!walk_ok(&view, cursor, body_len))
			atomic_fetch_add(&s->wrong, 1);
		/* Only the last thread lags so far that it may be overtaken. */
		if (view.tail > cursor && r->index != THREADS - 1)
			atomic_fetch_add(&s->wrong, 1);
		cursor = view.head + 1;
		chunk_unref(view.chunk);
		if (r->index != THREADS - 1)
			atomic_store(&s->cursor[r->index], cursor);
		else
			sched_yield();
	}
	return NULL;
}

static void readers_walk_without_the_lock(void **state)
{
	static struct shared s = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct log_limits limits = {.records = 10, .bytes = 100000, .grace_ms = 1000000};
	struct reader reader[THREADS];
	pthread_t thread[THREADS];

	(void)state;
	s.memory.max = SIZE_MAX;
	log_init(&s.log, &s.memory);
	for (unsigned i = 0; i < THREADS; i++) {
		atomic_store(&s.cursor[i], i == THREADS - 1 ? EVERYBODY : 1);
		reader[i] = (struct reader){&s, i};
		assert_int_equal(pthread_create(&thread[i], NULL, reader_run, &reader[i]), 0);
	}
	for (uint64_t seq = 1; seq <= SHARED_RECORDS; seq++) {
		uint64_t low = EVERYBODY;

		pthread_mutex_lock(&s.lock);
		append_sized(&s.log, body_len(seq), seq);
		for (unsigned i = 0; i < THREADS; i++) {
			uint64_t at = atomic_load(&s.cursor[i]);

			low = at < low ? at : low;
		}
		log_trim(&s.log, &limits, low, seq);
		pthread_mutex_unlock(&s.lock);
		/* However late the readers' threads begin, they are in step now and then. */
		for (unsigned i = 0; i < THREADS - 1 && seq % 1000 == 0; i++)
			while (atomic_load(&s.cursor[i]) <= seq)
				sched_yield();
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load(&s.wrong), 0);
	assert_true(s.log.tail > 1);
	log_free(&s.log);
	assert_int_equal(atomic_load(&s.memory.used), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_walk_without_the_lock),
	};

	letters_make();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log_readers", tests, NULL, NULL);
}

/* All sessions: which of them go, and when; and who is told of those that come. */
#include "session/registry.h"

#include <sodium.h>
#include <stdio.h>

#include "hubd/session_stub.h"
#include "session/seek.h"
#include "session/stored.h"
#include "unit.h"

static void idle_sessions_end_after_their_time(void **state)
{
	struct session_stub st = {.ttl_ms = 10000};
	struct session_joined first, joined;
	struct member *m, *stays;
	uint64_t t;

	(void)state;
	session_stub_start(&st, 1, false);
	stays = stub_join(&st, "stays", 1, 0, NULL);
	m = stub_join(&st, "a", 1, 0, &first);
	registry_sweep(&st.registry, stub_now(&st) + 1000000);
	assert_int_equal(registry_count(&st.registry), 2);
	stub_leave(&st, m);
	t = stub_now(&st);
	registry_sweep(&st.registry, t);
	registry_sweep(&st.registry, t + 9999);
	/* The clock of the worker that sweeps may be behind. */
	registry_sweep(&st.registry, t - 1);
	registry_sweep(&st.registry, t - 5000);
	assert_int_equal(registry_count(&st.registry), 2);
	m = stub_join(&st, "a", 1, 0, &joined);
	assert_true(joined.epoch == first.epoch);
	registry_sweep(&st.registry, t + 1000000);
	assert_int_equal(registry_count(&st.registry), 2);
	stub_leave(&st, m);
	registry_sweep(&st.registry, t + 1000000);
	assert_int_equal(registry_count(&st.registry), 1);
	m = stub_join(&st, "a", 1, 0, &joined);
	assert_true(joined.epoch != first.epoch);
	stub_leave(&st, m);
	stub_leave(&st, stays);
	session_stub_end(&st);
}

static void idle_sessions_give_their_memory_first(void **state)
{
	struct session_stub st = {.ttl_ms = 1000000};
	char body[1000];
	struct member *m[8];

	(void)state;
	memset(body, 'x', sizeof(body));
	session_stub_start(&st, 1, false);
	for (int i = 0; i < 8; i++) {
		char id[2] = {(char)('a' + i), '\0'};

		m[i] = stub_join(&st, id, 1, 0, NULL);
		for (int k = 0; k < 60; k++)
			stub_publish(m[i]->session, 1, body, sizeof(body), stub_now(&st));
	}
	for (int i = 0; i < 7; i++)
		stub_leave(&st, m[i]);
	stub_turns(st.workers.at[0]); /* the news of it hold the sessions */
	st.memory.max = atomic_load(&st.memory.used) / 2;
	registry_sweep(&st.registry, stub_now(&st));
	assert_false(log_memory_over(&st.memory));
	/* No more than needed, and none that has members. */
	assert_int_equal(registry_count(&st.registry), 4);
	assert_int_equal(m[7]->session->log.head, 60);
	stub_leave(&st, m[7]);
	session_stub_end(&st);
}

static void the_longest_idle_makes_room(void **state)
{
	struct session_stub st = {.max_sessions = 3, .ttl_ms = 1000000};
	struct session *s[3];
	uint64_t epoch[3];

	(void)state;
	session_stub_start(&st, 1, false);
	for (int i = 0; i < 3; i++) {
		s[i] = stub_use(&st, (const char *[]){"a", "b", "c"}[i]);
		epoch[i] = s[i]->epoch;
	}
	stub_release(&st, s[1]);
	stub_release(&st, s[0]);
	/* Used again in between: then it is not the one. */
	assert_ptr_equal(stub_use(&st, "b"), s[1]);
	stub_release(&st, s[1]);
	s[0] = stub_use(&st, "d");
	assert_non_null(s[0]);
	assert_int_equal(registry_count(&st.registry), 3);
	assert_true(stub_use(&st, "b")->epoch == epoch[1]);
	assert_null(stub_use(&st, "a"));
	session_stub_end(&st);
}

static void what_is_not_stored_yet_stays(void **state)
{
	struct session_stub st = {.max_sessions = 1};
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "a");
	archive_stub_load(s, 1, 0);
	stub_publish(s, 1, "{\"type\":\"x\"", 11, 0);
	stub_release(&st, s);
	registry_sweep(&st.registry, stub_now(&st) + 1000);
	assert_int_equal(registry_count(&st.registry), 1);
	assert_null(stub_use(&st, "b"));
	session_stored(s, 1);
	registry_sweep(&st.registry, stub_now(&st) + 1000);
	assert_int_equal(registry_count(&st.registry), 0);
	session_stub_end(&st);
}

static void many_sessions_are_found(void **state)
{
	enum { N = 5000 }; /* the table has to grow */
	struct session_stub st = {.max_sessions = N};
	static struct session *s[N];
	char id[16];

	(void)state;
	session_stub_start(&st, 1, false);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			struct session *found;

			snprintf(id, sizeof(id), "s%d", i);
			found = stub_use(&st, id);
			assert_non_null(found);
			if (round)
				assert_ptr_equal(found, s[i]);
			assert_string_equal(found->id, id);
			s[i] = found;
		}
	}
	assert_int_equal(registry_count(&st.registry), N);
	for (int i = 0; i < 2 * N; i++)
		stub_release(&st, s[i % N]);
	for (int i = 0; registry_count(&st.registry) && i < 1000; i++)
		registry_sweep(&st.registry, stub_now(&st) + 1);
	assert_int_equal(registry_count(&st.registry), 0);
	session_stub_end(&st);
}

/* Sessions with users, all over the memory limit: each sweep has a few ms for them, and the next
 * one goes on, so that none is forgotten. */
static void a_sweep_stops_and_goes_on(void **state)
{
	enum { N = 10000 };
	struct session_stub st = {.max_sessions = N,
				  .env.limits = {.records = 100000, .bytes = SIZE_MAX}};
	static struct session *s[N];
	char id[16], body[400];
	unsigned sweeps = 0, trimmed = 0, before = 0;

	(void)state;
	memset(body, 'x', sizeof(body));
	session_stub_start(&st, 1, false);
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		s[i] = stub_use(&st, id);
		for (int k = 0; k < 5; k++)
			stub_publish(s[i], 1, body, sizeof(body), 0);
		assert_true(s[i]->log.oldest != s[i]->log.last);
	}
	st.memory.max = 1; /* never met */
	while (trimmed < N && sweeps < N) {
		registry_sweep(&st.registry, 100000);
		sweeps++;
		for (trimmed = before;
		     trimmed < N && s[trimmed]->log.oldest == s[trimmed]->log.last;)
			trimmed++;
		assert_true(trimmed > before || trimmed == N);
		before = trimmed;
		/* The one where it stopped may go. */
		if (sweeps == 1 && trimmed < N) {
			stub_release(&st, s[trimmed]);
			registry_sweep(&st.registry, 100000);
			before = trimmed = trimmed + 1;
		}
	}
	assert_int_equal(trimmed, N);
	session_stub_end(&st);
}

/* --- nobody is freed under the lock --- */

static struct registry *watched;
static unsigned freed, freed_under_lock;

/* In place of the system's: the last that a session does is to destroy its mutex. */
int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	if (!watched || mutex == &watched->lock)
		return 0;
	freed++;
	if (pthread_mutex_trylock(&watched->lock) == 0)
		pthread_mutex_unlock(&watched->lock);
	else
		freed_under_lock++;
	return 0;
}

static void no_session_is_freed_under_the_lock(void **state)
{
	struct session_stub st = {.max_sessions = 100, .ttl_ms = 1000};
	char id[16];

	(void)state;
	session_stub_start(&st, 1, false);
	watched = &st.registry;
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		stub_release(&st, stub_use(&st, id));
	}
	assert_int_equal(freed, 0);
	/* To make room, */
	for (int i = 100; i < 110; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		stub_publish(stub_use(&st, id), 1, "{\"type\":\"x\"", 11, 0);
	}
	assert_int_equal(freed, 10);
	/* at the end of their time, by as many sweeps as that takes here, */
	for (int i = 0; freed < 100 && i < 100; i++)
		registry_sweep(&st.registry, stub_now(&st) + 2000);
	assert_int_equal(freed, 100);
	/* and for memory, where somebody else had the last but one reference. */
	for (int i = 100; i < 110; i++) {
		struct session *s;

		snprintf(id, sizeof(id), "s%d", i);
		s = stub_use(&st, id);
		stub_release(&st, s);
		stub_release(&st, s);
	}
	st.memory.max = 1;
	registry_sweep(&st.registry, stub_now(&st));
	assert_int_equal(freed, 110);
	assert_int_equal(freed_under_lock, 0);
	watched = NULL;
	session_stub_end(&st);
}

/* --- watches --- */

static void list(struct session_stub *st, struct registry_watch *w, const char *want)
{
	struct buf b = {0};
	bool more, lost;

	assert_int_equal(registry_list(&st->registry, w, &b, 1000, &more, &lost), 0);
	assert_false(more);
	assert_false(lost);
	assert_int_equal(buf_put(&b, "", 1), 0);
	assert_string_equal(b.data, want);
	buf_free(&b);
}

static void a_watch_is_told_of_sessions(void **state)
{
	struct session_stub st = {0};
	struct registry_watch one = {0}, two = {0};
	struct session *s;

	(void)state;
	session_stub_start(&st, 2, false);
	assert_true(registry_watch(&st.registry, &one, st.workers.at[0]));
	assert_false(registry_behind(&st.registry, &one));
	list(&st, &one, "");
	stub_use(&st, "a");
	stub_use(&st, "b");
	assert_true(registry_behind(&st.registry, &one));
	stub_settle(&st.workers);
	/* Once for whatever was new, until it has looked. */
	assert_int_equal(st.told[0].count[TOLD_SESSIONS], 1);
	assert_int_equal(st.told[1].n, 0);
	assert_true(registry_watch(&st.registry, &two, st.workers.at[1]));
	list(&st, &one, "\"a\",\"b\"");
	assert_false(registry_behind(&st.registry, &one));
	list(&st, &one, "");
	s = stub_use(&st, "c");
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].count[TOLD_SESSIONS], 2);
	assert_int_equal(st.told[1].n, 0); /* it was not at the end */
	/* One that goes before it was told of is left out. */
	stub_release(&st, s);
	registry_sweep(&st.registry, stub_now(&st) + 1);
	list(&st, &one, "");
	list(&st, &two, "\"a\",\"b\"");
	stub_use(&st, "d");
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].count[TOLD_SESSIONS], 3);
	assert_int_equal(st.told[1].count[TOLD_SESSIONS], 1);
	/* Set again, it begins at the first. */
	assert_true(registry_watch(&st.registry, &one, st.workers.at[0]));
	list(&st, &one, "\"a\",\"b\",\"d\"");
	registry_unwatch(&st.registry, &one);
	registry_unwatch(&st.registry, &one);
	stub_use(&st, "e");
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].count[TOLD_SESSIONS], 3);
	registry_unwatch(&st.registry, &two);
	session_stub_end(&st);
}

static void news_of_other_hubs(void **state)
{
	static const struct span here = {"here", 4}, far = {"far", 3}, away = {"away", 4};
	struct session_stub st = {0};
	struct registry_watch w = {0};
	struct buf b = {0};
	bool more, lost;

	(void)state;
	session_stub_start(&st, 1, false);
	registry_elsewhere(&st.registry, far); /* nobody watches */
	assert_true(registry_watch(&st.registry, &w, st.workers.at[0]));
	list(&st, &w, "");
	stub_use(&st, "here");
	registry_elsewhere(&st.registry, far);
	registry_elsewhere(&st.registry, here); /* it is told of already */
	registry_elsewhere(&st.registry, away);
	assert_true(registry_behind(&st.registry, &w));
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].count[TOLD_SESSIONS], 1);
	list(&st, &w, "\"here\",\"far\",\"away\"");
	assert_false(registry_behind(&st.registry, &w));
	assert_true(registry_has(&st.registry, here));
	assert_false(registry_has(&st.registry, far));
	/* There is an end to what is kept for one who reads slowly, and it is said. */
	for (int i = 0; i < 4000; i++)
		registry_elsewhere(&st.registry, far);
	assert_int_equal(registry_list(&st.registry, &w, &b, 1000, &more, &lost), 0);
	assert_true(lost);
	assert_in_range(b.len, 16384, 16384 + 8);
	buf_free(&b);
	list(&st, &w, "");
	registry_unwatch(&st.registry, &w);
	session_stub_end(&st);
}

static void a_list_comes_in_pages(void **state)
{
	struct session_stub st = {0};
	struct registry_watch w = {0};
	struct buf all = {0};
	bool more = true, lost;
	char id[16], want[16];
	int pages = 0;

	(void)state;
	session_stub_start(&st, 1, false);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "s%02d", i);
		stub_use(&st, id);
	}
	assert_true(registry_watch(&st.registry, &w, st.workers.at[0]));
	while (more) {
		size_t before;

		assert_int_equal(buf_puts(&all, pages++ ? "," : ""), 0);
		before = all.len;
		assert_int_equal(registry_list(&st.registry, &w, &all, 30, &more, &lost), 0);
		assert_in_range(all.len - before, 5, 35);
	}
	assert_in_range(pages, 100 / 6, 100 / 4);
	assert_int_equal(all.len, 100 * 6 - 1);
	for (int i = 0; i < 100; i++) {
		snprintf(want, sizeof(want), "\"s%02d\"", i);
		assert_memory_equal(all.data + 6 * i, want, 5);
	}
	buf_free(&all);
	registry_unwatch(&st.registry, &w);
	session_stub_end(&st);
}

static void watches_have_a_limit(void **state)
{
	struct session_stub st = {0};
	static struct registry_watch w[REGISTRY_WATCHES_MAX + 1];

	(void)state;
	session_stub_start(&st, 1, false);
	for (int i = 0; i < REGISTRY_WATCHES_MAX; i++)
		assert_true(registry_watch(&st.registry, &w[i], st.workers.at[0]));
	assert_false(registry_watch(&st.registry, &w[REGISTRY_WATCHES_MAX], st.workers.at[0]));
	/* One that is there already may begin anew. */
	assert_true(registry_watch(&st.registry, &w[3], st.workers.at[0]));
	registry_unwatch(&st.registry, &w[REGISTRY_WATCHES_MAX]);
	registry_unwatch(&st.registry, &w[5]);
	assert_true(registry_watch(&st.registry, &w[REGISTRY_WATCHES_MAX], st.workers.at[0]));
	for (int i = 0; i <= REGISTRY_WATCHES_MAX; i++)
		registry_unwatch(&st.registry, &w[i]);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(idle_sessions_end_after_their_time),
	    cmocka_unit_test(idle_sessions_give_their_memory_first),
	    cmocka_unit_test(the_longest_idle_makes_room),
	    cmocka_unit_test(what_is_not_stored_yet_stays),
	    cmocka_unit_test(many_sessions_are_found),
	    cmocka_unit_test(a_sweep_stops_and_goes_on),
	    cmocka_unit_test(no_session_is_freed_under_the_lock),
	    cmocka_unit_test(a_watch_is_told_of_sessions),
	    cmocka_unit_test(news_of_other_hubs),
	    cmocka_unit_test(a_list_comes_in_pages),
	    cmocka_unit_test(watches_have_a_limit),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}

/* A session's life: references, shards that are made when they are needed, and who is woken by new
 * records. And all of it with a thread for each worker. */
#include "session/session.h"

#include <pthread.h>
#include <sodium.h>

#include "base/clock.h"
#include "hubd/session_stub.h"
#include "session/members.h"
#include "session/seek.h"
#include "session/stored.h"
#include "unit.h"

static void shards_are_made_when_they_are_needed(void **state)
{
	struct session_stub st = {0};
	struct member *m[2];
	struct session *s;

	(void)state;
	session_stub_start(&st, 4, false);
	s = stub_use(&st, "a");
	for (unsigned i = 0; i < 4; i++)
		assert_null(session_shard(s, i));
	m[0] = stub_join(&st, "a", 1, 2, NULL);
	assert_ptr_equal(m[0]->session, s);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(session_shard(s, i) != NULL, i == 2);
	assert_ptr_equal(session_shard(s, 2)->members, m[0]);
	m[1] = stub_join(&st, "a", 2, 2, NULL);
	assert_int_equal(atomic_load(&session_shard(s, 2)->n), 2);
	/* Who publishes and has no member there gets one too, for its turn. */
	stub_publish(s, 9, "{\"type\":\"x\"", 11, 0);
	session_changed(s, st.workers.at[1]);
	assert_non_null(session_shard(s, 1));
	assert_null(session_shard(s, 1)->members);
	assert_null(session_shard(s, 0));
	stub_settle(&st.workers);
	assert_int_equal(st.told[2].count[TOLD_WAKE], 1);
	assert_null(session_shard(s, 0));
	assert_null(session_shard(s, 3));
	stub_leave(&st, m[0]);
	stub_leave(&st, m[1]);
	assert_non_null(session_shard(s, 2));
	assert_int_equal(atomic_load(&session_shard(s, 2)->low), UINT64_MAX);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void new_records_wake_who_has_members(void **state)
{
	struct session_stub st = {0};
	struct member *m[3];
	struct session *s;

	(void)state;
	session_stub_start(&st, 3, true);
	s = stub_use(&st, "a");
	archive_stub_load(s, 5, 0);
	for (unsigned i = 0; i < 2; i++)
		m[i] = stub_join(&st, "a", i, i, NULL);
	/* A worker whose members have left is left alone. */
	m[2] = stub_join(&st, "a", 3, 2, NULL);
	stub_leave(&st, m[2]);
	stub_settle(&st.workers);
	stub_forget(&st);
	/* However many records of a turn, each worker is woken once, and the archive. */
	for (int i = 0; i < 5; i++) {
		stub_publish(s, 1, "{\"type\":\"x\"", 11, 0);
		session_changed(s, st.workers.at[0]);
	}
	assert_int_equal(st.told[0].n, 0);
	stub_round(st.workers.at[0]);
	assert_int_equal(st.told[0].count[TOLD_WAKE], 1);
	assert_int_equal(atomic_load(&st.archive.wakes), 1);
	stub_publish(s, 1, "{\"type\":\"x\"", 11, 0);
	session_changed(s, st.workers.at[0]);
	stub_round(st.workers.at[0]);
	assert_int_equal(st.told[0].count[TOLD_WAKE], 2);
	stub_settle(&st.workers);
	assert_int_equal(st.told[1].count[TOLD_WAKE], 1);
	assert_int_equal(st.told[2].n, 0);
	for (unsigned i = 0; i < 2; i++)
		stub_leave(&st, m[i]);
	session_stored(s, 6);
	stub_release(&st, s);
	session_stub_end(&st);
}

/* Since when records wait is known where they are to be delivered, once. */
static void it_is_known_since_when_records_wait(void **state)
{
	struct session_stub st = {0};
	struct member *m[2];
	struct session *s;
	uint64_t before;

	(void)state;
	session_stub_start(&st, 3, false);
	s = stub_use(&st, "a");
	for (unsigned i = 0; i < 2; i++)
		m[i] = stub_join(&st, "a", i, i, NULL);
	stub_settle(&st.workers);
	for (unsigned from = 0; from < 3; from += 2) {
		before = clock_mono_ns();
		stub_publish(s, 1, "{\"type\":\"x\"", 11, 0);
		session_changed(s, st.workers.at[from]);
		stub_settle(&st.workers);
		for (unsigned i = 0; i < 2; i++) {
			uint64_t since = session_since(session_shard(s, i));

			assert_true(since >= before && since <= clock_mono_ns());
			assert_int_equal(session_since(session_shard(s, i)), 0);
		}
	}
	/* The first of those that wait counts. */
	session_shard(s, 1)->since_ns = 1;
	session_changed(s, st.workers.at[0]);
	stub_settle(&st.workers);
	assert_int_equal(session_since(session_shard(s, 1)), 1);
	for (unsigned i = 0; i < 2; i++)
		stub_leave(&st, m[i]);
	stub_release(&st, s);
	session_stub_end(&st);
}

/* A session is there until the last who speaks of it is done: mail on its way counts. */
static void a_session_outlives_its_registry_entry(void **state)
{
	struct session_stub st = {0};
	struct member *m, *other;
	struct session *s;

	(void)state;
	session_stub_start(&st, 2, false);
	m = stub_join(&st, "a", 1, 0, NULL);
	other = stub_join(&st, "a", 2, 1, NULL);
	s = m->session;
	stub_publish(s, 1, "{\"type\":\"x\"", 11, 0);
	session_changed(s, st.workers.at[0]);
	stub_round(st.workers.at[0]);
	stub_leave(&st, m);
	stub_leave(&st, other);
	registry_sweep(&st.registry, stub_now(&st) + 1);
	assert_int_equal(registry_count(&st.registry), 0);
	assert_true(atomic_load(&st.memory.used) > 0);
	stub_settle(&st.workers);
	assert_int_equal(atomic_load(&st.memory.used), 0);
	assert_int_equal(st.told[1].count[TOLD_WAKE], 1);
	session_stub_end(&st);
}

/* --- threads --- */

#define WORKERS 4
#define CLIENTS 6
#define SESSIONS 5
#define ROUNDS 3000

struct crowd {
	struct session_stub *st;
	unsigned index;
	uint64_t seed;
	struct member *m[CLIENTS][SESSIONS];
	unsigned records;
	const char *wrong;
};

static uint32_t crowd_pick(struct crowd *c, uint32_t n)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return (uint32_t)(c->seed >> 33) % n;
}

static void count_member(const struct member *m, void *arg)
{
	unsigned *n = arg;

	/* What a member says of itself may be looked at here, and only here. */
	*n += m->info ? (unsigned)m->info->len : 1;
}

/* One thing that a member does, at the room's own interfaces. */
static void crowd_step(struct crowd *c)
{
	static const char *const ids[SESSIONS] = {"a", "b", "c", "d", "e"};
	struct worker *w = c->st->workers.at[c->index];
	uint32_t i = crowd_pick(c, CLIENTS), k = crowd_pick(c, SESSIONS);
	uint64_t client = c->index * CLIENTS + i + 1;
	struct member **m = &c->m[i][k];
	struct session_joined joined;
	struct blob *blob;
	bool full;
	unsigned n = 0;

	if (!*m) {
		*m = stub_join(c->st, ids[k], client, c->index, &joined);
		if (!*m)
			c->wrong = "cannot join";
		else if (joined.user_count < 1 || joined.user_count > WORKERS * CLIENTS)
			c->wrong = "so many members cannot be";
		return;
	}
	switch (crowd_pick(c, 8)) {
	case 0:
		stub_leave(c->st, *m);
		*m = NULL;
		break;
	case 1:
		if (session_each_member((*m)->session, 10, count_member, &n) < 1 || n < 1 ||
		    session_user_count((*m)->session) < 1)
			c->wrong = "nobody is there";
		break;
	case 2:
		blob = blob_new("{}", 2);
		session_set_info(*m, blob);
		blob_unref(blob);
		if (session_locate((*m)->session, client, 0, 1, &full) != w)
			c->wrong = "a member cannot be reached";
		break;
	case 3:
		if (session_find((*m)->session, client, 0, c->index) != *m)
			c->wrong = "a member is not found";
		break;
	default:
		if (stub_publish((*m)->session, client, "{\"type\":\"x\"", 11, worker_now_ms(w)) <
		    1)
			c->wrong = "cannot publish";
		session_changed((*m)->session, w);
		c->records++;
	}
}

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	struct worker *w = c->st->workers.at[c->index];

	for (int round = 0; round < ROUNDS; round++) {
		crowd_step(c);
		if (crowd_pick(c, 4) == 0)
			stub_round(w);
		if (c->index == 0 && crowd_pick(c, 20) == 0)
			registry_sweep(&c->st->registry, worker_now_ms(w));
	}
	for (int i = 0; i < CLIENTS; i++)
		for (int k = 0; k < SESSIONS; k++)
			if (c->m[i][k])
				stub_leave(c->st, c->m[i][k]);
	stub_turns(w);
	return NULL;
}

static void workers_meet_in_sessions(void **state)
{
	static struct session_stub st = {.env.presence_limit = 10, .env.limits.grace_ms = 100000};
	static struct crowd crowd[WORKERS];
	pthread_t thread[WORKERS];

	(void)state;
	session_stub_start(&st, WORKERS, false);
	for (unsigned i = 0; i < WORKERS; i++) {
		crowd[i] = (struct crowd){.st = &st, .index = i, .seed = 0x9e3779b97f4a7c15 + i};
		assert_int_equal(pthread_create(&thread[i], NULL, crowd_run, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	stub_settle(&st.workers);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_null(crowd[i].wrong);
		assert_true(crowd[i].records > ROUNDS / 4);
		assert_true(st.told[i].count[TOLD_WAKE] > 0);
		assert_true(st.told[i].count[TOLD_PRESENCE] + st.told[i].count[TOLD_STATUS] > 0);
	}
	/* All are idle now, so all can go. */
	registry_sweep(&st.registry, stub_now(&st) + 10000000);
	assert_int_equal(registry_count(&st.registry), 0);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shards_are_made_when_they_are_needed),
	    cmocka_unit_test(new_records_wake_who_has_members),
	    cmocka_unit_test(it_is_known_since_when_records_wait),
	    cmocka_unit_test(a_session_outlives_its_registry_entry),
	    cmocka_unit_test(workers_meet_in_sessions),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}

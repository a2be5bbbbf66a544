/* Who is a member, who finds whom, and what workers are told of it. */
#include "session/members.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "hubd/session_stub.h"
#include "session/seek.h"
#include "session/session.h"
#include "unit.h"

static void members_come_and_go(void **state)
{
	struct session_stub st = {0};
	struct session_joined joined, again;
	struct member *m[3];

	(void)state;
	session_stub_start(&st, 2, false);
	assert_int_equal(registry_count(&st.registry), 0);
	m[0] = stub_join(&st, "a", 1, 0, &joined);
	assert_int_equal(joined.seq, 0);
	assert_int_equal(joined.user_count, 1);
	assert_false(joined.ask);
	assert_int_equal(registry_count(&st.registry), 1);
	assert_int_equal(stub_publish(m[0]->session, 1, "{\"type\":\"x\"", 11, 0), 1);
	m[1] = stub_join(&st, "a", 2, 1, &again);
	assert_true(again.epoch == joined.epoch);
	assert_int_equal(again.seq, 1);
	assert_int_equal(again.user_count, 2);
	assert_int_equal(m[1]->cursor, 2);
	assert_ptr_equal(m[0]->session, m[1]->session);
	m[2] = stub_join(&st, "b", 3, 0, &again);
	assert_true(again.epoch != joined.epoch);
	assert_int_equal(again.seq, 0);
	assert_int_equal(registry_count(&st.registry), 2);
	assert_int_equal(session_user_count(m[0]->session), 2);
	assert_int_equal(stub_leave(&st, m[0]), 1);
	assert_int_equal(stub_leave(&st, m[1]), 0);
	assert_int_equal(stub_leave(&st, m[2]), 0);
	/* Without members it stays as it was. */
	assert_int_equal(registry_count(&st.registry), 2);
	m[0] = stub_join(&st, "a", 1, 0, &again);
	assert_true(again.epoch == joined.epoch);
	assert_int_equal(again.seq, 1);
	stub_leave(&st, m[0]);
	session_stub_end(&st);
}

static void members_are_found_where_they_are(void **state)
{
	enum { N = 50 }; /* over what the first table holds */
	struct session_stub st = {0};
	struct member *m[N];
	bool full;

	(void)state;
	session_stub_start(&st, 2, false);
	for (unsigned i = 0; i < N; i++)
		m[i] = stub_join(&st, "a", 1000 + i, i % 2, NULL);
	for (int gone = 0; gone <= N; gone++) {
		struct session *s = gone < N ? m[gone]->session : NULL;

		for (int i = gone; i < N; i++) {
			unsigned w = (unsigned)i % 2;

			assert_ptr_equal(session_find(s, m[i]->client, 0, w), m[i]);
			assert_ptr_equal(session_find(s, m[i]->client, m[i]->version, w), m[i]);
			assert_null(session_find(s, m[i]->client, m[i]->version + 1, w));
			assert_null(session_find(s, m[i]->client, 0, 1 - w));
			assert_ptr_equal(session_locate(s, m[i]->client, 0, 1, &full),
					 st.workers.at[w]);
		}
		if (gone > 0 && s) {
			uint64_t left = 1000 + (uint64_t)gone - 1;

			assert_null(session_find(s, left, 0, (unsigned)(gone - 1) % 2));
			assert_null(session_locate(s, left, 0, 1, &full));
		}
		if (s)
			assert_int_equal(stub_leave(&st, m[gone]), N - 1 - gone);
	}
	session_stub_end(&st);
}

static void limits_are_kept(void **state)
{
	struct session_stub st = {.env.max_members = 2, .max_sessions = 2};
	struct session_from now_on = {0};
	struct session_joined joined;
	struct member *m[3], *failed = stub_member(3, 0);
	enum hub_code code = HUB_OK;

	(void)state;
	session_stub_start(&st, 1, false);
	m[0] = stub_join(&st, "a", 1, 0, NULL);
	m[1] = stub_join(&st, "a", 2, 0, NULL);
	assert_int_equal(session_join(m[0]->session, failed, &now_on, &joined), HUB_SESSION_FULL);
	assert_null(failed->session);
	assert_int_equal(session_user_count(m[0]->session), 2);
	stub_leave(&st, m[1]);
	m[1] = stub_join(&st, "a", 3, 0, NULL);
	assert_non_null(m[1]);
	m[2] = stub_join(&st, "b", 2, 0, NULL);
	assert_non_null(m[2]);
	assert_null(registry_use(&st.registry, span_of("c"), &code));
	assert_int_equal(code, HUB_HUB_FULL);
	assert_int_equal(registry_count(&st.registry), 2);
	/* A session that nobody is in makes room, one with members does not. */
	stub_leave(&st, m[2]);
	m[2] = stub_join(&st, "c", 2, 0, NULL);
	assert_non_null(m[2]);
	assert_int_equal(registry_count(&st.registry), 2);
	for (int i = 0; i < 3; i++)
		stub_leave(&st, m[i]);
	free(failed);
	session_stub_end(&st);
}

static void expect_change(const struct told_event *e, const struct session *s, bool joined,
			  uint64_t client, uint32_t user_count)
{
	assert_int_equal(e->what, TOLD_PRESENCE);
	assert_ptr_equal(e->session, s);
	assert_int_equal(e->change.joined, joined);
	assert_int_equal(e->change.client, client);
	assert_int_equal(e->change.user_count, user_count);
}

static void workers_hear_of_it(void **state)
{
	struct session_stub st = {.env.presence_limit = 2, .keeps_status = true};
	struct member *m[3];
	struct session *s;

	(void)state;
	session_stub_start(&st, 3, false);
	m[0] = stub_join(&st, "a", 1, 0, NULL);
	m[1] = stub_join(&st, "a", 2, 1, NULL);
	s = m[0]->session;
	stub_settle(&st.workers);
	/* Each worker that has members, with what tells who joined before the change. */
	assert_int_equal(st.told[0].n, 2);
	expect_change(&st.told[0].at[0], s, true, 1, 1);
	assert_int_equal(st.told[0].at[0].change.version, m[0]->version);
	expect_change(&st.told[0].at[1], s, true, 2, 2);
	assert_int_equal(st.told[0].at[1].change.version, m[1]->version);
	assert_int_equal(st.told[1].n, 1);
	assert_true(m[1]->version > m[0]->version);
	assert_int_equal(st.told[2].n, 0);
	/* A third is over the limit: a count, and no more until that was told. */
	stub_forget(&st);
	m[2] = stub_join(&st, "a", 3, 0, NULL);
	stub_leave(&st, m[2]);
	m[2] = stub_join(&st, "a", 3, 0, NULL);
	stub_settle(&st.workers);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(st.told[i].count[TOLD_STATUS], 1);
		/* But that it left was told, for then they were two again. */
		assert_int_equal(st.told[i].count[TOLD_PRESENCE], 1);
		session_status_told(session_shard(s, (unsigned)i));
		session_unref(s);
	}
	stub_forget(&st);
	stub_leave(&st, m[2]);
	m[2] = stub_join(&st, "a", 3, 1, NULL);
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].count[TOLD_STATUS], 1);
	assert_int_equal(st.told[1].count[TOLD_STATUS], 1);
	for (unsigned i = 0; i < 2; i++) {
		session_status_told(session_shard(s, i));
		session_unref(s);
	}
	/* The last of a worker's members is gone: it hears no more. */
	stub_forget(&st);
	stub_leave(&st, m[0]);
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].n, 0);
	assert_int_equal(st.told[1].n, 1);
	expect_change(&st.told[1].at[0], s, false, 1, 2);
	stub_leave(&st, m[1]);
	stub_leave(&st, m[2]);
	session_stub_end(&st);
}

/* A member of a client on connection number `born`. */
static enum hub_code join_born(struct session *s, struct member *m, uint32_t born)
{
	struct session_from now_on = {0};
	struct session_joined joined;

	m->born = born;
	return session_join(s, m, &now_on, &joined);
}

static void a_client_comes_back_on_another_connection(void **state)
{
	struct session_stub st = {.env.max_members = 2};
	struct member *old = stub_member(7, 0), *young = stub_member(7, 1), *other;
	struct member *older = stub_member(7, 0), *wrapped = stub_member(7, 0);
	struct session *s;

	(void)state;
	session_stub_start(&st, 2, false);
	other = stub_join(&st, "a", 1, 1, NULL);
	s = other->session;
	assert_int_equal(join_born(s, old, 5), HUB_OK);
	stub_settle(&st.workers);
	stub_forget(&st);
	/* Over the limit, but it is one of them already. The old one is told to go, and nobody
	 * else hears of it. */
	assert_int_equal(join_born(s, young, 6), HUB_OK);
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].n, 1);
	assert_int_equal(st.told[0].at[0].what, TOLD_REPLACED);
	assert_ptr_equal(st.told[0].at[0].session, s);
	assert_int_equal(st.told[0].at[0].client, 7);
	assert_int_equal(st.told[0].at[0].version, old->version);
	assert_int_equal(st.told[1].n, 0);
	assert_ptr_equal(session_find(s, 7, old->version, 0), old);
	assert_ptr_equal(session_find(s, 7, young->version, 1), young);
	/* A connection that came before, and got here last, has to go itself. */
	assert_int_equal(join_born(s, older, 4), HUB_FORBIDDEN);
	assert_null(older->session);
	session_leave(old);
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].n, 1);
	assert_int_equal(st.told[1].n, 0);
	/* Numbers of connections may come round. */
	young->born = UINT32_MAX - 1;
	assert_int_equal(join_born(s, wrapped, 3), HUB_OK);
	session_leave(young);
	stub_settle(&st.workers);
	stub_forget(&st);
	session_leave(wrapped);
	stub_settle(&st.workers);
	assert_int_equal(st.told[1].count[TOLD_PRESENCE], 1);
	expect_change(&st.told[1].at[0], s, false, 7, 1);
	free(old);
	free(young);
	free(older);
	free(wrapped);
	stub_leave(&st, other);
	session_stub_end(&st);
}

/* Two connections of a client that end each other again and again: the one that is there stays. */
static void a_contest_ends(void **state)
{
	enum { N = 8 };
	struct session_stub st = {0};
	struct member *other, *m[N];
	struct session_from now_on = {0};
	struct session_joined joined = {0};
	struct session *s;
	int n = 0;

	(void)state;
	session_stub_start(&st, 2, false);
	other = stub_join(&st, "a", 1, 0, NULL);
	s = other->session;
	do {
		m[n] = stub_member(7, (uint8_t)(n & 1));
		m[n]->born = (uint32_t)n;
	} while (session_join(s, m[n++], &now_on, &joined) == HUB_OK && n < N);
	assert_int_equal(n, 1 + 4 + 1); /* the first, those that took its place, and one too many */
	n--;
	assert_int_equal(joined.retry_s, 1);
	assert_null(m[n]->session);
	assert_int_equal(session_join(s, m[n], &now_on, &joined), HUB_IN_USE);
	assert_int_equal(joined.retry_s, 2);
	assert_int_equal(session_user_count(s), 2 + 4);
	stub_settle(&st.workers);
	assert_int_equal(st.told[0].count[TOLD_REPLACED] + st.told[1].count[TOLD_REPLACED],
			 1 + 2 + 3 + 4);
	/* When it has gone there is none, and others never had any. */
	for (int i = 0; i < n; i++)
		session_leave(m[i]);
	assert_int_equal(session_join(s, m[n], &now_on, &joined), HUB_OK);
	assert_int_equal(joined.retry_s, 0);
	session_leave(m[n]);
	for (int i = 0; i <= n; i++)
		free(m[i]);
	stub_settle(&st.workers);
	stub_leave(&st, other);
	session_stub_end(&st);
}

struct seen {
	size_t n;
	uint64_t clients; /* a bit each */
	const struct blob *info;
};

static void see(const struct member *m, void *arg)
{
	struct seen *seen = arg;

	seen->n++;
	assert_false(seen->clients & UINT64_C(1) << m->client);
	seen->clients |= UINT64_C(1) << m->client;
	if (m->client == 0)
		seen->info = m->info;
}

static void members_are_listed(void **state)
{
	enum { N = 20 };
	struct blob *info = blob_new("{\"name\":\"Ada\"}", 14);
	struct session_stub st = {0};
	struct member *m[N];
	struct seen seen = {0};

	(void)state;
	session_stub_start(&st, 1, false);
	m[0] = stub_join(&st, "a", 0, 0, NULL);
	assert_int_equal(session_each_member(m[0]->session, 1000, see, &seen), 1);
	assert_int_equal(seen.n, 1);
	assert_null(seen.info);
	session_set_info(m[0], info);
	assert_int_equal(atomic_load(&info->refs), 2);
	for (unsigned i = 1; i < N; i++)
		m[i] = stub_join(&st, "a", i, 0, NULL);
	for (size_t max = 0; max <= N + 1; max++) {
		seen = (struct seen){0};
		assert_int_equal(session_each_member(m[0]->session, max, see, &seen), N);
		assert_int_equal(seen.n, max < N ? max : N);
	}
	assert_int_equal(seen.clients, (1 << N) - 1);
	assert_ptr_equal(seen.info, info);
	session_set_info(m[1], info);
	session_set_info(m[1], info);
	assert_int_equal(atomic_load(&info->refs), 3);
	session_set_info(m[0], NULL);
	for (int i = 0; i < N; i++)
		stub_leave(&st, m[i]);
	assert_int_equal(atomic_load(&info->refs), 1);
	blob_unref(info);
	session_stub_end(&st);
}

static void count_one(struct member *m, void *arg)
{
	unsigned long *clients = arg;

	*clients += m->client;
}

/* Whoever is a user's, on each worker: so many members, whose ids make this sum. */
static void expect_user(struct session *s, const char *user, uint64_t workers, unsigned long sum)
{
	struct span name = {user, strlen(user)};
	unsigned long clients = 0;

	assert_true(session_locate_user(s, name) == workers);
	for (unsigned w = 0; w < 2; w++)
		session_each_of_user(s, name, w, count_one, &clients);
	assert_int_equal(clients, sum);
}

static void users_have_their_members(void **state)
{
	enum { N = 100 };
	struct session_stub st = {0};
	struct session_joined joined;
	struct member *m[N + 2];
	unsigned long sum = 0;
	struct session *s;

	(void)state;
	session_stub_start(&st, 2, false);
	for (unsigned i = 0; i < N + 2; i++) {
		/* A user with many, on one worker, N / 2 with one each, and who is hidden. */
		char one[16];
		int len = snprintf(one, sizeof(one), "u%u", i);
		struct session_from from = {.user = i % 2 || i >= N
							? (struct span){"ann", 3}
							: (struct span){one, (size_t)len}};

		m[i] = stub_member(1 + i, i % 2);
		m[i]->hidden = i == N;
		s = stub_use(&st, "a");
		assert_int_equal(session_join(s, m[i], &from, &joined), HUB_OK);
		sum += i % 2 || i > N ? 1 + i : 0;
	}
	s = m[0]->session;
	expect_user(s, "ann", 2, sum);
	expect_user(s, "u0", 1, 1);
	expect_user(s, "u98", 1, 99);
	expect_user(s, "nobody", 0, 0);
	expect_user(s, "u1", 0, 0);
	/* In another order than they came. */
	for (unsigned i = 0; i < N; i++) {
		unsigned k = (i * 37) % N;

		stub_leave(&st, m[k]);
		sum -= k % 2 ? 1 + k : 0;
		expect_user(s, "ann", 2, sum);
	}
	expect_user(s, "u98", 0, 0);
	assert_null(m[N]->user);
	stub_leave(&st, m[N + 1]);
	expect_user(s, "ann", 0, 0);
	assert_null(s->owned.table);
	stub_leave(&st, m[N]);
	session_stub_end(&st);
}

/* FNV-1a, which would do if nobody chose the names. */
static uint32_t plain_hash(const char *text)
{
	uint32_t h = 2166136261;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619;
	return h;
}

/* Users who look for names that have the same hash do not make each other's joins long. */
static void names_are_spread_whoever_chooses_them(void **state)
{
	enum { N = 512 };
	struct session_stub st = {0};
	struct session_joined joined;
	struct member *m[N];
	unsigned long tried = 0;
	uint32_t longest = 0;
	struct session *s = NULL;

	(void)state;
	session_stub_start(&st, 1, false);
	for (unsigned i = 0; i < N; i++) {
		struct session_from from = {0};
		char name[24];

		do
			snprintf(name, sizeof(name), "u%lu", tried++);
		while (plain_hash(name) % (2 * N) != 0);
		from.user = span_of(name);
		m[i] = stub_member(1 + i, 0);
		s = stub_use(&st, "a");
		assert_int_equal(session_join(s, m[i], &from, &joined), HUB_OK);
	}
	assert_in_range(s->owned.size, N, 2 * N);
	for (uint32_t i = 0; i < s->owned.size; i++) {
		uint32_t n = 0;

		for (const struct member_user *u = s->owned.table[i]; u; u = u->next)
			n++;
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 1, 32);
	for (unsigned i = 0; i < N; i++)
		stub_leave(&st, m[i]);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_come_and_go),
	    cmocka_unit_test(members_are_found_where_they_are),
	    cmocka_unit_test(limits_are_kept),
	    cmocka_unit_test(workers_hear_of_it),
	    cmocka_unit_test(a_client_comes_back_on_another_connection),
	    cmocka_unit_test(a_contest_ends),
	    cmocka_unit_test(members_are_listed),
	    cmocka_unit_test(users_have_their_members),
	    cmocka_unit_test(names_are_spread_whoever_chooses_them),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}

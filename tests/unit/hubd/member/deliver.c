/* What a seat gets of its session's log, in which order, and what becomes of one that is slow. */
#include <sodium.h>

#include "hubd/deliver_stub.h"
#include "unit.h"

/* Records of that size, all in one turn. */
static void burst(struct member_stub *st, struct peer *p, size_t size, int n)
{
	char *text = malloc(size + 7);

	assert_non_null(text);
	memcpy(text, "say a ", 6);
	memset(text + 6, 'x', size);
	text[size + 6] = '\0';
	for (int i = 0; i < n; i++)
		peer_say(p, text);
	free(text);
	stub_settle(&st->s.workers);
}

/* So many members, and records that they got, on all workers; each of which had some to write. */
static void expect_counted(struct member_stub *st, unsigned members, unsigned records)
{
	struct workers *all = &st->s.workers;

	assert_int_equal(workers_sum(all, offsetof(struct counters, members[COUNT_WSS]), 1),
			 members);
	assert_int_equal(workers_sum(all, offsetof(struct counters, joins), BY_DOOR_N), members);
	assert_int_equal(workers_sum(all, offsetof(struct counters, delivered[COUNT_WSS]), 1),
			 records);
	for (unsigned i = 0; i < all->n; i++) {
		struct histogram_sum sum = {0};
		uint64_t n = 0;

		histogram_sum(&sum, &all->at[i]->delivery);
		for (unsigned k = 0; k <= HISTOGRAM_BUCKETS; k++)
			n += sum.bucket[k];
		assert_in_range(n, 1, records);
	}
}

static void all_members_get_all_records(void **state)
{
	enum { N = 6 };
	struct member_stub st = {0};
	struct peer p[N];

	(void)state;
	member_stub_start(&st, 3, false);
	for (unsigned i = 0; i < N; i++) {
		stub_open(&st, &p[i], i % 3, i + 1);
		stub_say(&st, &p[i], i == 1 ? "join a quiet" : "join a");
		p[i].got.len = 0;
	}
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < N; i++)
			peer_say(&p[i], "say a text");
	stub_settle(&st.s.workers);
	for (int i = 0; i < N; i++) {
		if (i != 1)
			expect_records(&p[i], 1, 5 * N);
	}
	/* Who wants no echo gets all but its own. */
	for (uint64_t seq = 1; seq <= 5 * N; seq++) {
		char want[32];

		snprintf(want, sizeof(want), "text,\"seq\":%ju}\n", (uintmax_t)seq);
		assert_int_equal(peer_has(&p[1], want), (seq - 1) % N != 1);
	}
	expect_counted(&st, N, N * 5 * N - 5);
	member_stub_end(&st);
	for (int i = 0; i < N; i++)
		peer_free(&p[i]);
}

static void who_stalls_goes_on_where_it_was(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	start_two(&st, 2, &p, "join a", &q, "join a");
	q.stalled = true;
	say_many(&st, &p, 50);
	assert_true(q.conn->blocked);
	expect_records(&p, 1, 50);
	stub_say(&st, &q, "leave nothing");
	stub_resume(&q);
	/* Answers leave first, for they are what others wait for. */
	assert_true(peer_has(&q, "error not_member : nothing\n"));
	expect_records(&q, 1, 50);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void a_member_that_is_overtaken_is_slow(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;

	(void)state;
	start_two(&st, 1, &p, "join a", &q, "join a");
	q.stalled = true;
	say_many(&st, &p, 200);
	assert_int_equal(q.code, CLOSE_SLOW);
	assert_int_equal(atomic_load(&stub_worker(&st, 0)->counters.slow_disconnects[0]), 1);
	assert_int_equal(p.code, 0);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void or_it_gets_the_state(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG, .resyncs = true};
	struct peer p, q;

	(void)state;
	start_two(&st, 1, &p, "join a", &q, "join a");
	q.stalled = true;
	stub_say(&st, &p, "say a first");
	stub_say(&st, &p, "set a k old");
	stub_say(&st, &p, "ack a one acked");
	stub_say(&st, &p, "set a k new");
	say_many(&st, &p, 196);
	assert_int_equal(q.code, 0);
	assert_true(peer_got(&q, "first,\"seq\":1}\n"));
	stub_resume(&q);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&q, "gap a 2-200\nacked,\"seq\":3}\nnew,\"seq\":4}\n"));
	assert_int_equal(atomic_load(&stub_worker(&st, 0)->counters.slow_resyncs[0]), 1);
	stub_say(&st, &p, "say a more");
	assert_true(peer_got(&q, "more,\"seq\":201}\n"));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* A state of several MB: a MB a turn, and others get theirs in between. */
static void a_large_catch_up_lets_others_live(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;
	size_t largest = 0, before = 0, served = 0;
	char *text = malloc(50000), set[64];

	(void)state;
	assert_non_null(text);
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	for (int i = 0; i < 100; i++) {
		int n = snprintf(set, sizeof(set), "set a key%d ", i);

		memset(text, 'x', 49999);
		memcpy(text, set, (size_t)n);
		text[49999] = '\0';
		stub_say(&st, &p, text);
	}
	p.got.len = 0;
	peer_say(&q, "join a");
	while (q.conn && (q.got.len == 0 || q.conn->seats->m.catchup)) {
		peer_say(&p, "say a between");
		stub_round(stub_worker(&st, 0));
		largest = q.got.len - before > largest ? q.got.len - before : largest;
		before = q.got.len;
		assert_int_equal(p.got.len > 0, true);
		p.got.len = 0;
		served++;
	}
	/* A round is two turns. */
	assert_true(largest < 2 * (1024 * 1024 + 70000));
	assert_true(served >= 3);
	assert_true(q.got.len > 4900000);
	stub_settle(&st.s.workers);
	assert_int_equal(q.conn->seats->m.cursor, 101 + served);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	free(text);
}

static void bursts_are_sent_in_few_writes(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	start_two(&st, 1, &p, "join a", &q, "join a");
	q.got.len = q.writes = 0;
	burst(&st, &p, 100, 1000);
	expect_records(&q, 1, 1000);
	assert_true(q.writes < 20);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_members_get_all_records),
	    cmocka_unit_test(bursts_are_sent_in_few_writes),
	    cmocka_unit_test(who_stalls_goes_on_where_it_was),
	    cmocka_unit_test(a_member_that_is_overtaken_is_slow),
	    cmocka_unit_test(or_it_gets_the_state),
	    cmocka_unit_test(a_large_catch_up_lets_others_live),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}

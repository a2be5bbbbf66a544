/* What a seat gets, in which order, from where, and how it leaves: behind all that is due to it. */
#include <sodium.h>

#include "hubd/member_stub.h"
#include "unit.h"

/* Small logs, so that little is trimmed soon. */
#define SMALL_LOG                                         \
	{                                                 \
		.records = 20, .bytes = 1, .grace_ms = -1 \
	}

static void say_many(struct member_stub *st, struct peer *p, int n)
{
	for (int i = 0; i < n; i++)
		stub_say(st, p, "say a text");
}

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

/* Only what begins `seq` there: the seq of the records it was sent must go from `from` to `to`. */
static void expect_records(struct peer *p, uint64_t from, uint64_t to)
{
	const char *at = p->got.data;

	assert_int_equal(buf_put(&p->got, "", 1), 0);
	at = p->got.data;
	for (uint64_t seq = from; seq <= to; seq++) {
		at = strstr(at, ",\"seq\":");
		assert_non_null(at);
		at += 7;
		assert_int_equal(strtoull(at, NULL, 10), seq);
	}
	assert_null(strstr(at, ",\"seq\":"));
	p->got.len = 0;
}

/* --- records --- */

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
	member_stub_end(&st);
	for (int i = 0; i < N; i++)
		peer_free(&p[i]);
}

static void who_stalls_goes_on_where_it_was(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 2, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 1, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	p.got.len = q.got.len = 0;
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
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	q.stalled = true;
	say_many(&st, &p, 200);
	assert_int_equal(q.code, CLOSE_SLOW);
	assert_int_equal(atomic_load(&stub_worker(&st, 0)->counters.slow_disconnects), 1);
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
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	q.got.len = 0;
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
	assert_int_equal(atomic_load(&stub_worker(&st, 0)->counters.slow_resyncs), 1);
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

/* --- from the archive --- */

/* Two peers, of which the second is in session a at its 100th record; all is stored. */
static void start_with_past(struct member_stub *st, struct peer *p, struct peer *q)
{
	member_stub_start(st, 1, true);
	stub_open(st, p, 0, 1);
	stub_open(st, q, 0, 2);
	stub_say(st, p, "join a");
	stub_opened(st, UINT64_MAX);
	say_many(st, p, 100);
	session_stored(stub_session(st, "a"), 100);
	stub_say(st, q, "join a");
	assert_int_equal(q->conn->seats->m.cursor, 101);
	p->got.len = q->got.len = 0;
}

static uint64_t log_tail(struct member_stub *st)
{
	uint64_t tail = stub_session(st, "a")->log.tail;

	assert_in_range(tail, 30, 90);
	return tail;
}

/* q wants its past back from `since` on, and the archive has been asked for it. */
static void go_back(struct member_stub *st, struct peer *q, const char *join)
{
	stub_say(st, q, join);
	stub_opened(st, 1);
	assert_true(peer_has(q, "recovered\n"));
	q->got.len = 0;
	assert_true(q->conn->seats->reading);
}

static void the_past_is_read_in_pieces(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	/* New records come behind it, and nothing is asked for twice. */
	stub_say(&st, &p, "say a new");
	assert_int_equal(st.s.archive.asked, 3);
	stub_read(&st, 6, tail - 1, 10);
	expect_records(&q, 6, 15);
	stub_read(&st, 16, tail - 1, 1);
	expect_records(&q, 16, 16);
	stub_read(&st, 17, tail - 1, tail - 17);
	expect_records(&q, 17, 101);
	assert_null(archive_stub_next(&st.s.archive));
	session_stored(stub_session(&st, "a"), 101);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void its_own_past_is_left_out_where_it_wants_no_echo(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a quiet since=0");
	stub_read(&st, 1, tail - 1, 6); /* 2 and 5 are client 2's */
	assert_true(
	    peer_got(&q, "old,\"seq\":1}\nold,\"seq\":3}\nold,\"seq\":4}\nold,\"seq\":6}\n"));
	stub_fails(&st, -EIO);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void a_stalled_reader_is_not_read_for(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	q.stalled = true;
	stub_read(&st, 6, tail - 1, 10);
	assert_true(q.conn->blocked);
	assert_null(st.s.archive.first);
	stub_say(&st, &p, "say a new");
	assert_null(st.s.archive.first);
	/* Nor is it slow: the archive has what it lacks. */
	assert_int_equal(q.code, 0);
	stub_resume(&q);
	expect_records(&q, 6, 15);
	stub_read(&st, 16, tail - 1, tail - 16);
	expect_records(&q, 16, 101);
	session_stored(stub_session(&st, "a"), 101);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void what_the_archive_lost_makes_it_slow(void **state)
{
	(void)state;
	for (int resyncs = 0; resyncs < 2; resyncs++) {
		struct member_stub st = {.s.env.limits = SMALL_LOG, .resyncs = resyncs};
		struct peer p, q;

		start_with_past(&st, &p, &q);
		log_tail(&st);
		go_back(&st, &q, "join a since=5");
		stub_fails(&st, -ESTALE);
		if (resyncs)
			assert_true(peer_got(&q, "gap a 6-100\n"));
		else
			assert_int_equal(q.code, CLOSE_SLOW);
		member_stub_end(&st);
		peer_free(&p);
		peer_free(&q);
	}
}

static void a_seat_may_move_while_it_reads(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	struct archive_job *job;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	job = archive_stub_next(&st.s.archive);
	/* Elsewhere in the past: what was read is not what it wants now. */
	stub_say(&st, &q, "join a since=9");
	stub_opened(&st, 1);
	assert_true(peer_got(&q, "joined a seq=100 users=2 recovered\n"));
	job->chunk = stub_records(&st.s.memory, 6, 10);
	job->n = 10;
	archive_stub_answer(job, 0);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&q, ""));
	stub_read(&st, 10, tail - 1, tail - 10);
	expect_records(&q, 10, 100);
	/* To what the log has: nothing is needed any more. */
	go_back(&st, &q, "join a since=5");
	stub_say(&st, &q, "join a since=99");
	assert_true(peer_has(&q, "recovered\ntext,\"seq\":100}\n"));
	q.got.len = 0;
	stub_read(&st, 6, tail - 1, 10);
	assert_true(peer_got(&q, ""));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void a_connection_may_go_while_it_reads(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	peer_gone(&q);
	stub_settle(&st.s.workers);
	assert_int_equal(session_user_count(stub_session(&st, "a")), 1);
	stub_read(&st, 6, tail - 1, 10);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* --- leaving --- */

static void what_came_before_comes_before_the_answer(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 2, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 1, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	p.got.len = q.got.len = 0;
	peer_say(&p, "say a one"); /* q was not woken yet */
	peer_say(&q, "ack a M two");
	peer_say(&q, "leave a");
	peer_say(&q, "say a never");
	stub_settle(&st.s.workers);
	assert_true(peer_got(&q, "ack a M 2\none,\"seq\":1}\ntwo,\"seq\":2}\nleft a users=1\n"
				 "error not_member : a\n"));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void leaving_waits_for_acks(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, true);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	stub_opened(&st, UINT64_MAX);
	stub_say(&st, &p, "ack a M one");
	stub_say(&st, &p, "ack a N two");
	p.got.len = 0;
	stub_say(&st, &p, "leave a");
	assert_true(peer_got(&p, ""));
	assert_true(p.conn->seats->leaving);
	/* It is no member to itself any more, but may think better of it. */
	stub_say(&st, &p, "say a never");
	assert_true(peer_got(&p, "error not_member : a\n"));
	session_stored(stub_session(&st, "a"), 1);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p, "ack a M 1\n"));
	stub_say(&st, &p, "join a");
	assert_false(p.conn->seats->leaving);
	stub_say(&st, &p, "leave a");
	p.got.len = 0;
	session_stored(stub_session(&st, "a"), 2);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p, "ack a N 2\nleft a users=0\n"));
	assert_null(p.conn->seats);
	member_stub_end(&st);
	peer_free(&p);
}

/* Acks that come when the seat is gone are nobody's. */
static void acks_find_no_seat_that_is_gone(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, true);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	stub_opened(&st, UINT64_MAX);
	stub_say(&st, &p, "ack a M one");
	peer_gone(&p);
	stub_settle(&st.s.workers);
	peer_free(&p);
	stub_open(&st, &p, 0, 1); /* the same client, but another seat */
	stub_say(&st, &p, "join a");
	p.got.len = 0;
	session_stored(stub_session(&st, "a"), 1);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p, ""));
	assert_int_equal(p.conn->seats->acks_due, 0);
	member_stub_end(&st);
	peer_free(&p);
}

static void leaving_waits_for_the_past(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	stub_say(&st, &q, "leave a");
	assert_true(peer_got(&q, ""));
	stub_read(&st, 6, tail - 1, 10);
	expect_records(&q, 6, 15);
	stub_read(&st, 16, tail - 1, tail - 16);
	assert_true(peer_has(&q, "text,\"seq\":100}\nleft a users=1\n"));
	expect_records(&q, 16, 100);
	assert_null(q.conn->seats);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* Who does not read cannot have it all, and is told so. */
static void a_stalled_member_leaves_with_a_gap(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	q.got.len = 0;
	q.stalled = true;
	say_many(&st, &p, 5);
	stub_say(&st, &q, "leave a");
	assert_null(q.conn->seats);
	stub_resume(&q);
	assert_true(peer_got(&q, "text,\"seq\":1}\ngap a 2-5\nleft a users=1\n"));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* --- the end of input --- */

static void who_ends_first_gets_all_it_asked_for(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	peer_say(&p, "join a");
	p.stalled = true;
	stub_settle(&st.s.workers);
	peer_say(&p, "say a x");
	peer_say(&p, "leave last");
	deliver_finish(p.conn);
	stub_settle(&st.s.workers);
	assert_int_equal(p.code, 0);
	stub_resume(&p);
	assert_true(peer_has(&p, "error not_member : last\n"));
	assert_true(peer_has(&p, "x,\"seq\":1}\n"));
	stub_settle(&st.s.workers);
	assert_int_equal(p.code, CLOSE_NORMAL);
	member_stub_end(&st);
	peer_free(&p);
}

static void it_waits_for_the_archive_too(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	/* Acks, */
	peer_say(&p, "ack a M one");
	deliver_finish(p.conn);
	stub_settle(&st.s.workers);
	assert_int_equal(p.code, 0);
	session_stored(stub_session(&st, "a"), 101);
	stub_settle(&st.s.workers);
	assert_true(peer_has(&p, "ack a M 101\n"));
	assert_int_equal(p.code, CLOSE_NORMAL);
	/* a join, and the past. */
	stub_say(&st, &q, "join a since=5");
	deliver_finish(q.conn);
	stub_settle(&st.s.workers);
	assert_int_equal(q.code, 0);
	stub_opened(&st, 1);
	assert_int_equal(q.code, 0);
	q.got.len = 0;
	stub_read(&st, 6, tail - 1, tail - 6);
	expect_records(&q, 6, 101);
	assert_int_equal(q.code, CLOSE_NORMAL);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* It left while its past was being read: the answer finds no seat, but lets the connection end. */
static void it_ends_when_the_last_answer_is_nobodys(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	q.stalled = true;
	stub_say(&st, &q, "say nothing");
	stub_say(&st, &q, "leave a");
	assert_null(q.conn->seats);
	deliver_finish(q.conn);
	stub_resume(&q);
	stub_settle(&st.s.workers);
	assert_int_equal(q.code, 0);
	stub_read(&st, 6, tail - 1, 10);
	assert_int_equal(q.code, CLOSE_NORMAL);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void the_end_waits_for_a_large_catch_up(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;
	char *text = malloc(60000);

	(void)state;
	assert_non_null(text);
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	for (int i = 0; i < 60; i++) {
		int n = snprintf(text, 60000, "set a k%d ", i);

		memset(text + n, 'x', (size_t)(59999 - n));
		text[59999] = '\0';
		stub_say(&st, &p, text);
	}
	peer_say(&q, "join a");
	deliver_finish(q.conn);
	stub_settle(&st.s.workers);
	assert_int_equal(q.code, CLOSE_NORMAL);
	assert_true(q.got.len > 3500000);
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
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
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
	    cmocka_unit_test(the_past_is_read_in_pieces),
	    cmocka_unit_test(its_own_past_is_left_out_where_it_wants_no_echo),
	    cmocka_unit_test(a_stalled_reader_is_not_read_for),
	    cmocka_unit_test(what_the_archive_lost_makes_it_slow),
	    cmocka_unit_test(a_seat_may_move_while_it_reads),
	    cmocka_unit_test(a_connection_may_go_while_it_reads),
	    cmocka_unit_test(what_came_before_comes_before_the_answer),
	    cmocka_unit_test(leaving_waits_for_acks),
	    cmocka_unit_test(acks_find_no_seat_that_is_gone),
	    cmocka_unit_test(leaving_waits_for_the_past),
	    cmocka_unit_test(a_stalled_member_leaves_with_a_gap),
	    cmocka_unit_test(who_ends_first_gets_all_it_asked_for),
	    cmocka_unit_test(it_waits_for_the_archive_too),
	    cmocka_unit_test(it_ends_when_the_last_answer_is_nobodys),
	    cmocka_unit_test(the_end_waits_for_a_large_catch_up),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}

/* How a seat leaves, and how a connection ends: behind all that is due to it. */
#include <sodium.h>

#include "hubd/deliver_stub.h"
#include "session/stored.h"
#include "unit.h"

static void what_came_before_comes_before_the_answer(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	start_two(&st, 2, &p, "join a", &q, "join a");
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
	start_two(&st, 1, &p, "join a", &q, "join a");
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
	deliver_finish(p.conn, CLOSE_NORMAL, "end of input");
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
	deliver_finish(p.conn, CLOSE_NORMAL, "end of input");
	stub_settle(&st.s.workers);
	assert_int_equal(p.code, 0);
	session_stored(stub_session(&st, "a"), 101);
	stub_settle(&st.s.workers);
	assert_true(peer_has(&p, "ack a M 101\n"));
	assert_int_equal(p.code, CLOSE_NORMAL);
	/* a join, and the past. */
	stub_say(&st, &q, "join a since=5");
	deliver_finish(q.conn, CLOSE_NORMAL, "end of input");
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
	deliver_finish(q.conn, CLOSE_NORMAL, "end of input");
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
	deliver_finish(q.conn, CLOSE_NORMAL, "end of input");
	stub_settle(&st.s.workers);
	assert_int_equal(q.code, CLOSE_NORMAL);
	assert_true(q.got.len > 3500000);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
	return cmocka_run_group_tests_name("leaving", tests, NULL, NULL);
}

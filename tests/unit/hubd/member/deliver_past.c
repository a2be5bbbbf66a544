/* What a seat gets from the archive: in pieces, and whatever happens while it is read. */
#include <sodium.h>

#include "hubd/deliver_stub.h"
#include "session/members.h"
#include "session/stored.h"
#include "unit.h"

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

/* What was read and not written yet is still to come: where it is, is before that. */
static void who_joins_again_hears_where_it_is(void **state)
{
	struct member_stub st = {.s.env.limits = SMALL_LOG};
	struct peer p, q;
	uint64_t tail;

	(void)state;
	start_with_past(&st, &p, &q);
	tail = log_tail(&st);
	go_back(&st, &q, "join a since=5");
	q.stalled = true;
	stub_say(&st, &q, "leave b"); /* the answer is what it does not take */
	assert_true(q.conn->blocked);
	stub_read(&st, 6, tail - 1, 10);
	stub_say(&st, &q, "join a");
	stub_resume(&q);
	assert_true(peer_has(&q, "joined a seq=5 users=2\ntext,\"seq\":6}\n") ||
		    peer_has(&q, "joined a seq=5 users=2\nold,\"seq\":6}\n"));
	stub_fails(&st, -EIO);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_past_is_read_in_pieces),
	    cmocka_unit_test(its_own_past_is_left_out_where_it_wants_no_echo),
	    cmocka_unit_test(a_stalled_reader_is_not_read_for),
	    cmocka_unit_test(what_the_archive_lost_makes_it_slow),
	    cmocka_unit_test(a_seat_may_move_while_it_reads),
	    cmocka_unit_test(who_joins_again_hears_where_it_is),
	    cmocka_unit_test(a_connection_may_go_while_it_reads),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("deliver_past", tests, NULL, NULL);
}

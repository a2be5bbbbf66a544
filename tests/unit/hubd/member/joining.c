/* Joining and moving, at once and where an archive has to be asked first: what is said meanwhile
 * waits, in order, and nothing is left where the connection ends before the answer. */
#include <sodium.h>

#include "hubd/member_stub.h"
#include "session/members.h"
#include "session/stored.h"
#include "unit.h"

static void a_join_is_answered_at_once(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 2, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 1, 2);
	stub_say(&st, &p, "join a");
	assert_true(peer_got(&p, "joined a seq=0 users=1\n"));
	stub_say(&st, &p, "say a one");
	assert_true(peer_got(&p, "one,\"seq\":1}\n"));
	stub_say(&st, &p, "set a k two");
	p.got.len = 0;
	stub_say(&st, &q, "join a");
	assert_true(peer_got(&q, "joined a seq=2 users=2 snapshot=1\ntwo,\"seq\":2}\n"));
	stub_say(&st, &q, "say a three");
	assert_true(peer_got(&p, "three,\"seq\":3}\n"));
	assert_true(peer_got(&q, "three,\"seq\":3}\n"));
	/* Gone with its connection. */
	peer_gone(&q);
	stub_settle(&st.s.workers);
	assert_int_equal(session_user_count(stub_session(&st, "a")), 1);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void joining_again_moves_the_seat(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	stub_say(&st, &p, "join b");
	stub_say(&st, &p, "say a one");
	stub_say(&st, &p, "say a two");
	p.got.len = 0;
	stub_say(&st, &p, "join a since=1");
	assert_true(peer_got(&p, "joined a seq=2 users=1 recovered\ntwo,\"seq\":2}\n"));
	/* It is the default of its messages now, and no second member. */
	assert_string_equal(p.conn->seats->m.session->id, "a");
	assert_string_equal(p.conn->seats->next->m.session->id, "b");
	assert_null(p.conn->seats->next->next);
	/* Without a past only its wish for an echo may change. */
	stub_say(&st, &p, "join a quiet");
	assert_true(peer_got(&p, "joined a seq=2 users=1\n"));
	stub_say(&st, &p, "say a three");
	assert_true(peer_got(&p, ""));
	/* What it said before its past is wanted back is its own as well. */
	stub_say(&st, &p, "join a since=0 quiet");
	assert_true(peer_got(&p, "joined a seq=3 users=1 recovered\n"));
	stub_say(&st, &p, "join a since=2");
	assert_true(peer_got(&p, "joined a seq=3 users=1 recovered\nthree,\"seq\":3}\n"));
	member_stub_end(&st);
	peer_free(&p);
}

static void limits_are_told(void **state)
{
	struct member_stub st = {.s = {.env.max_members = 1, .max_sessions = SEATS_MAX + 1}};
	struct peer p, q;
	char text[32];

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	for (int i = 0; i < SEATS_MAX; i++) {
		snprintf(text, sizeof(text), "join s%d", i);
		stub_say(&st, &p, text);
	}
	p.got.len = 0;
	stub_say(&st, &p, "join more");
	assert_true(
	    peer_got(&p, "error session_full J: a connection may be in 64 sessions at most\n"));
	stub_say(&st, &p, "join s5"); /* but it is in that one */
	assert_true(peer_got(&p, "joined s5 seq=0 users=1\n"));
	stub_say(&st, &q, "join s5");
	assert_true(peer_has(&q, "error session_full J: the session has as many members"));
	q.got.len = 0;
	stub_say(&st, &q, "join t");
	stub_say(&st, &q, "join u");
	assert_true(peer_has(&q, "error hub_full J: the hub has as many sessions"));
	q.got.len = 0;
	atomic_store(&st.s.workers.draining, true);
	stub_say(&st, &q, "join v");
	assert_true(peer_got(&q, "error shutting_down J: the hub is shutting down\n"));
	stub_say(&st, &q, "join t");
	assert_true(peer_has(&q, "joined t "));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void a_client_comes_back(void **state)
{
	struct member_stub st = {0};
	struct peer p, q, r;

	(void)state;
	member_stub_start(&st, 2, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 1, 2);
	stub_open(&st, &r, 1, 3);
	stub_say(&st, &p, "join a as=77");
	assert_int_equal(p.conn->id, 77);
	/* The younger connection takes its place. */
	stub_say(&st, &r, "join a as=77");
	assert_int_equal(p.code, CLOSE_REPLACED);
	assert_true(peer_has(&r, "joined a seq=0 users=2\n"));
	assert_int_equal(session_user_count(stub_session(&st, "a")), 1);
	/* An older one that comes late has to go itself. */
	stub_say(&st, &q, "join b"); /* known by its own name already */
	stub_say(&st, &q, "join a as=77");
	assert_int_equal(q.conn->id, 2);
	assert_int_equal(q.code, 0);
	stub_say(&st, &q, "leave b");
	stub_say(&st, &q, "leave a");
	stub_say(&st, &q, "join a as=77");
	assert_int_equal(q.code, CLOSE_REPLACED);
	assert_int_equal(r.code, 0);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	peer_free(&r);
}

static void a_twin_is_told_to_wait(void **state)
{
	enum { N = 6 };
	struct member_stub st = {0};
	struct peer p[N];

	(void)state;
	member_stub_start(&st, 2, false);
	for (int i = 0; i < N; i++) {
		stub_open(&st, &p[i], i & 1, (uint32_t)i + 1);
		stub_say(&st, &p[i], "join a as=77");
	}
	for (int i = 0; i < N - 2; i++)
		assert_int_equal(p[i].code, CLOSE_REPLACED);
	assert_true(peer_got(&p[N - 1], "error in_use J: another connection of this client is in "
					"the session, and stays; in 1 s\n"));
	/* Both connections go on. */
	for (int i = N - 2; i < N; i++)
		assert_int_equal(p[i].code, 0);
	stub_say(&st, &p[N - 2], "say a one");
	assert_true(peer_has(&p[N - 2], "one,\"seq\":1}"));
	assert_int_equal(session_user_count(stub_session(&st, "a")), 1);
	peer_gone(&p[N - 2]);
	stub_settle(&st.s.workers);
	stub_say(&st, &p[N - 1], "join a as=77");
	assert_true(peer_has(&p[N - 1], "joined a "));
	member_stub_end(&st);
	for (int i = 0; i < N; i++)
		peer_free(&p[i]);
}

/* --- with an archive --- */

static void nothing_is_read_meanwhile(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, true);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	assert_true(p.conn->held && p.paused);
	assert_true(peer_got(&p, ""));
	stub_opened(&st, UINT64_MAX);
	assert_false(p.conn->held || p.paused);
	stub_say(&st, &p, "say a one");
	assert_true(peer_got(&p, "joined a seq=0 users=1\none,\"seq\":1}\n"));
	stub_say(&st, &p, "join b");
	assert_true(p.conn->held && p.paused);
	stub_opened(&st, UINT64_MAX);
	assert_false(p.conn->held || p.paused);
	stub_say(&st, &p, "say b two");
	stub_say(&st, &p, "say a three");
	assert_true(peer_has(&p, "joined b seq=0 users=1\n"));
	assert_true(peer_has(&p, "two,\"seq\":1}\n"));
	assert_true(peer_has(&p, "three,\"seq\":2}\n"));
	session_stored(stub_session(&st, "a"), 2);
	session_stored(stub_session(&st, "b"), 1);
	/* A session that is loaded is joined at once. */
	p.got.len = 0;
	stub_say(&st, &p, "leave a");
	stub_say(&st, &p, "join a");
	assert_true(peer_got(&p, "left a users=0\njoined a seq=2 users=1\n"));
	member_stub_end(&st);
	peer_free(&p);
}

static void an_archive_that_fails_is_told_of(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, true);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	stub_fails(&st, -EIO);
	stub_say(&st, &p, "say a one");
	assert_true(peer_got(&p, "error internal J: out of memory, or the session cannot be read "
				 "from the store\nerror not_member : a\n"));
	assert_false(p.conn->held);
	/* Nobody uses it now. */
	registry_sweep(&st.s.registry, stub_now(&st.s) + 1);
	assert_int_equal(registry_count(&st.s.registry), 0);
	stub_say(&st, &p, "join a");
	stub_opened(&st, UINT64_MAX);
	assert_true(peer_got(&p, "joined a seq=0 users=1\n"));
	member_stub_end(&st);
	peer_free(&p);
}

static void the_connection_may_be_gone_before_the_answer(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct member_stub st = {0};
		struct blob *info = blob_new("{}", 2);
		struct peer p;

		member_stub_start(&st, 1, true);
		stub_open(&st, &p, 0, 1);
		assert_int_equal(conn_set_info(p.conn, info, 0), 0);
		stub_say(&st, &p, "join a");
		if (how == 0)
			peer_gone(&p);
		else if (how == 1)
			conn_close(p.conn, CLOSE_NORMAL, "enough");
		else
			conn_abort(p.conn);
		stub_settle(&st.s.workers);
		assert_null(p.conn);
		/* It is there as long as the answer is to come to it. */
		assert_int_equal(atomic_load(&info->refs), 2);
		registry_sweep(&st.s.registry, stub_now(&st.s) + 1);
		assert_int_equal(registry_count(&st.s.registry), 1);
		if (how == 2)
			stub_fails(&st, -EIO);
		else
			stub_opened(&st, UINT64_MAX);
		assert_int_equal(atomic_load(&info->refs), 1);
		assert_true(peer_got(&p, ""));
		assert_true(peer_said(&p, "join a\n"));
		registry_sweep(&st.s.registry, stub_now(&st.s) + 1);
		assert_int_equal(registry_count(&st.s.registry), 0);
		blob_unref(info);
		member_stub_end(&st);
		peer_free(&p);
	}
}

static void a_move_may_have_to_wait_too(void **state)
{
	struct member_stub st = {.s.env.limits = {.records = 20, .bytes = 1, .grace_ms = -1}};
	struct session *s;
	struct peer p;
	uint64_t tail;
	char want[64];

	(void)state;
	member_stub_start(&st, 1, true);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	stub_opened(&st, UINT64_MAX);
	for (int i = 0; i < 100; i++)
		stub_say(&st, &p, "say a text");
	s = stub_session(&st, "a");
	session_stored(s, 100);
	tail = s->log.tail;
	assert_in_range(tail, 10, 90);
	p.got.len = 0;
	stub_say(&st, &p, "join a since=5");
	assert_true(p.conn->held);
	assert_true(peer_got(&p, ""));
	stub_opened(&st, 1);
	assert_true(peer_got(&p, "joined a seq=100 users=1 recovered\n"));
	/* Its records come before what is said then: from the archive, then from the log. */
	stub_say(&st, &p, "say a last");
	stub_read(&st, 6, tail - 1, tail - 6);
	assert_true(peer_has(&p, "old,\"seq\":6}\n"));
	snprintf(want, sizeof(want), "old,\"seq\":%ju}\ntext,\"seq\":%ju}\n", (uintmax_t)tail - 1,
		 (uintmax_t)tail);
	assert_true(peer_has(&p, want));
	assert_true(peer_has(&p, "text,\"seq\":100}\nlast,\"seq\":101}\n"));
	/* Where the archive cannot tell, it stays where it was. */
	p.got.len = 0;
	stub_say(&st, &p, "join a since=5");
	stub_fails(&st, -ENOMEM);
	assert_true(peer_has(&p, "error internal J:"));
	p.got.len = 0;
	stub_say(&st, &p, "say a more");
	assert_true(peer_got(&p, "more,\"seq\":102}\n"));
	session_stored(s, 102);
	member_stub_end(&st);
	peer_free(&p);
}

/* Asked for by two at a time, on two workers: one loads it, both are in. */
static void two_may_wait_for_one_session(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 2, true);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 1, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	assert_int_equal(st.s.archive.asked, 2);
	stub_opened(&st, UINT64_MAX);
	assert_true(peer_got(&p, "joined a seq=0 users=1\n"));
	assert_true(peer_got(&q, ""));
	stub_say(&st, &p, "set a k one");
	stub_opened(&st, UINT64_MAX);
	assert_true(peer_got(&q, "joined a seq=1 users=2 snapshot=1\none,\"seq\":1}\n"));
	session_stored(stub_session(&st, "a"), 1);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* A room for the sake of a seat that has gone meanwhile, or in whose place is another one. */
static void what_it_came_by_may_be_gone(void **state)
{
	struct join_request room = {.session = {"room", 4}, .echo = true, .msg_id = {"R", 1}};
	struct peer p;

	(void)state;
	for (int how = 0; how < 3; how++) {
		struct member_stub st = {0};

		member_stub_start(&st, 1, true);
		stub_open(&st, &p, 0, 1);
		stub_say(&st, &p, "join a");
		stub_opened(&st, UINT64_MAX);
		room.above = p.conn->seats;
		member_join(p.conn, &room); /* asks the archive */
		if (how == 0)
			deliver_leave(p.conn->seats);
		else if (how == 1)
			p.conn->seats->number++; /* as if it were the next one */
		stub_settle(&st.s.workers);
		p.got.len = 0;
		stub_opened(&st, UINT64_MAX);
		assert_true(how == 2 ? peer_got(&p, "joined room seq=0 users=1\n")
				     : peer_got(&p, "error not_member R: it is not in the session "
						    "any more that it came by\n"));
		assert_true(how == 2 ? p.conn->seats->above == p.conn->seats->next
				     : !p.conn->seats || !p.conn->seats->next);
		member_stub_end(&st);
		peer_free(&p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_it_came_by_may_be_gone),
	    cmocka_unit_test(a_join_is_answered_at_once),
	    cmocka_unit_test(joining_again_moves_the_seat),
	    cmocka_unit_test(limits_are_told),
	    cmocka_unit_test(a_client_comes_back),
	    cmocka_unit_test(a_twin_is_told_to_wait),
	    cmocka_unit_test(nothing_is_read_meanwhile),
	    cmocka_unit_test(an_archive_that_fails_is_told_of),
	    cmocka_unit_test(the_connection_may_be_gone_before_the_answer),
	    cmocka_unit_test(a_move_may_have_to_wait_too),
	    cmocka_unit_test(two_may_wait_for_one_session),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("joining", tests, NULL, NULL);
}

/* A connection: what waits to be sent and to be handled, within bounds, its timers, and the ways in
 * which it ends. */
#include "conn/conn.h"

#include <sodium.h>

#include "hubd/conn_stub.h"
#include "unit.h"
#include "wire/blob.h"
#include "wire/log_place.h"

struct place {
	struct workers all;
	struct worker *w;
	struct worker_hooks hooks;
	struct conn_settings set;
	struct peer p;
};

/* One worker and one connection; settings that the test has made are kept. */
static void start(struct place *t)
{
	t->hooks = conn_stub_hooks();
	loop_stub_workers(&t->all, 1, &t->hooks);
	t->w = t->all.at[0];
	t->set.max_message = t->set.max_message ? t->set.max_message : 65536;
	t->set.write_timeout = t->set.write_timeout > 0 ? t->set.write_timeout : 10;
	t->w->conns = &t->set;
	peer_open(&t->p, t->w, &peer_door);
}

static void end(struct place *t)
{
	loop_stub_free(&t->all);
	peer_free(&t->p);
}

static unsigned counted(const atomic_uint_fast64_t *counter)
{
	return (unsigned)atomic_load(counter);
}

static void send_text(struct conn *c, const char *text)
{
	conn_send(c, text, strlen(text));
}

/* --- sending --- */

static void answers_leave_at_the_end_of_the_turn(void **state)
{
	struct place t = {0};
	struct buf *b;

	(void)state;
	start(&t);
	send_text(t.p.conn, "one");
	b = worker_scratch(t.w);
	assert_int_equal(buf_puts(b, "two"), 0);
	conn_send_scratch(t.p.conn, b, 0);
	conn_error(t.p.conn, HUB_BAD_JSON, "it is not", (struct span){"\"id\"", 4});
	assert_true(peer_got(&t.p, ""));
	stub_round(t.w);
	assert_true(peer_got(&t.p, "one\ntwo\nerror bad_json \"id\": it is not\n"));
	assert_int_equal(t.p.writes, 1);
	assert_int_equal(counted(&t.w->counters.errors[HUB_BAD_JSON]), 1);
	assert_int_equal(counted(&t.w->counters.sent[COUNT_WSS]), 3);
	assert_int_equal(t.p.conn->out.cap, 0); /* an idle connection has no buffer */
	b = worker_scratch(t.w);
	conn_send_scratch(t.p.conn, b, -ENOMEM);
	stub_round(t.w);
	assert_int_equal(t.p.code, CLOSE_INTERNAL);
	end(&t);
}

static void nothing_is_written_while_it_is_blocked(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	t.p.stalled = true;
	send_text(t.p.conn, "one");
	stub_round(t.w);
	assert_true(t.p.conn->blocked);
	send_text(t.p.conn, "two");
	stub_round(t.w);
	assert_true(peer_got(&t.p, "one\n"));
	/* The door tells, and who looks after seats flushes. */
	t.p.stalled = t.p.waiting = false;
	t.p.conn->blocked = false;
	conn_flush(t.p.conn);
	assert_true(peer_got(&t.p, "two\n"));
	end(&t);
}

static void what_waits_for_a_peer_has_bounds(void **state)
{
	struct place t = {.set.max_message = 1000};
	int n = 0;

	(void)state;
	start(&t);
	t.p.stalled = true;
	send_text(t.p.conn, "{\"type\":\"pong\",\"server_time\":1234567890123}");
	stub_round(t.w);
	/* It is not listened to any more long before it counts as slow. */
	for (; !t.p.paused; n++)
		send_text(t.p.conn, "{\"type\":\"pong\",\"server_time\":1234567890123}");
	assert_in_range(n, 1000, 10000);
	for (n = 0; !t.p.conn->closing && n < 100000; n++)
		send_text(t.p.conn, "{\"type\":\"pong\",\"server_time\":1234567890123}");
	assert_in_range(n, 10000, 50000);
	assert_int_equal(t.p.conn->code, CLOSE_SLOW);
	assert_int_equal(counted(&t.w->counters.slow_disconnects[0]), 1);
	stub_round(t.w);
	assert_int_equal(t.p.code, CLOSE_SLOW);
	end(&t);
}

static void it_is_listened_to_again_when_that_has_left(void **state)
{
	struct place t = {0};
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	start(&t);
	t.p.stalled = true;
	send_text(t.p.conn, "one");
	stub_round(t.w);
	while (!t.p.paused)
		conn_send(t.p.conn, text, sizeof(text));
	t.p.stalled = t.p.waiting = false;
	t.p.conn->blocked = false;
	conn_flush(t.p.conn);
	assert_false(t.p.paused);
	end(&t);
}

static void a_write_that_fails_ends_it(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	t.p.dead = true;
	send_text(t.p.conn, "one");
	stub_round(t.w);
	assert_int_equal(t.p.code, -1);
	assert_null(t.p.conn);
	end(&t);
}

/* --- holding --- */

static void nothing_is_read_while_it_is_held(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	assert_int_equal(peer_say(&t.p, "one"), HUB_OK);
	conn_hold(t.p.conn);
	assert_true(t.p.paused);
	conn_release(t.p.conn);
	assert_false(t.p.paused);
	assert_null(t.p.conn->input); /* an idle connection has no room for input */
	peer_say(&t.p, "two");
	assert_true(peer_said(&t.p, "one\ntwo\n"));
	end(&t);
}

static void the_front_of_a_message_has_room_while_it_is_there(void **state)
{
	struct place t = {0};
	struct buf part;

	(void)state;
	start(&t);
	assert_int_equal(conn_part_put(t.p.conn, "the front ", 10), 0);
	assert_int_equal(conn_part_put(t.p.conn, "and back", 8), 0);
	part = conn_part_take(t.p.conn);
	assert_int_equal(part.len, 18);
	assert_memory_equal(part.data, "the front and back", 18);
	buf_free(&part);
	conn_part_drop(t.p.conn);
	assert_null(t.p.conn->input);
	conn_part_drop(t.p.conn);
	end(&t);
}

/* What is counted as memory is what is there, and goes with the connection. */
static void memory_is_counted(void **state)
{
	struct place t = {0};
	const atomic_uint_fast64_t *answers, *half;

	(void)state;
	start(&t);
	answers = &t.w->counters.memory[MEMORY_ANSWERS];
	half = &t.w->counters.memory[MEMORY_HALF];
	send_text(t.p.conn, "one");
	assert_int_equal(counted(answers), 4);
	stub_round(t.w);
	assert_int_equal(counted(answers), 0);
	peer_say(&t.p, "one");
	assert_int_equal(conn_part_put(t.p.conn, "front", 5), 0);
	assert_int_equal(counted(half), 5);
	conn_part_drop(t.p.conn);
	assert_int_equal(counted(half), 0);
	assert_int_equal(counted(&t.w->counters.received[COUNT_WSS]), 1);
	/* All of it at once. */
	assert_int_equal(conn_part_put(t.p.conn, "front", 5), 0);
	t.p.stalled = true;
	send_text(t.p.conn, "two");
	stub_round(t.w);
	send_text(t.p.conn, "three");
	assert_int_equal(counted(answers), 6);
	peer_gone(&t.p);
	stub_turns(t.w);
	assert_int_equal(counted(answers), 0);
	assert_int_equal(counted(half), 0);
	end(&t);
}

/* --- ending --- */

static void a_closing_connection_takes_and_gives_nothing_more(void **state)
{
	struct place t = {0};
	struct conn *c;

	(void)state;
	start(&t);
	c = t.p.conn;
	t.p.stays = true;
	send_text(c, "last");
	conn_close(c, CLOSE_REPLACED, "the first counts");
	conn_close(c, CLOSE_SLOW, "the second does not");
	send_text(c, "never");
	peer_say(&t.p, "never");
	stub_round(t.w);
	assert_true(peer_got(&t.p, "last\n"));
	assert_true(peer_said(&t.p, ""));
	assert_int_equal(t.p.code, CLOSE_REPLACED);
	assert_string_equal(t.p.reason, "the first counts");
	/* It is there until the door lets go, or the write timeout is over. */
	stub_turns(t.w);
	conn_due(&c->timer, c->blocked_s + 9);
	assert_int_equal(t.p.aborts, 0);
	conn_due(&c->timer, c->blocked_s + 10);
	assert_int_equal(t.p.aborts, 1);
	stub_turns(t.w);
	end(&t);
}

static void its_answer_to_the_close_is_heard(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	t.p.stays = true;
	conn_hold(t.p.conn);
	assert_true(t.p.paused);
	conn_close(t.p.conn, CLOSE_RESTART, "the hub goes");
	stub_round(t.w);
	assert_false(t.p.paused);
	end(&t);
	assert_int_equal(t.p.aborts, 1);
}

static void an_abort_is_at_once(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	t.p.stays = true;
	conn_close(t.p.conn, CLOSE_RESTART, "the hub goes");
	stub_round(t.w);
	assert_int_equal(t.p.code, CLOSE_RESTART);
	conn_abort(t.p.conn);
	assert_int_equal(t.p.code, -1);
	stub_turns(t.w);
	end(&t);
}

/* What is freed is seen by what it holds. */
static void it_is_freed_when_all_have_come_back(void **state)
{
	struct place t = {0};
	struct blob *info = blob_new("{}", 2);
	struct conn *c;

	(void)state;
	start(&t);
	c = t.p.conn;
	assert_int_equal(conn_set_info(c, info, 0), 0);
	conn_busy(c);
	conn_busy(c);
	peer_gone(&t.p);
	stub_turns(t.w);
	conn_idle(c);
	stub_turns(t.w);
	assert_int_equal(atomic_load(&info->refs), 2);
	conn_idle(c);
	assert_int_equal(atomic_load(&info->refs), 2); /* never within a callback */
	stub_turns(t.w);
	assert_int_equal(atomic_load(&info->refs), 1);
	blob_unref(info);
	end(&t);
}

/* Something is due to it in the next turn, and it is gone in this one. */
static void it_is_freed_behind_its_next_turn(void **state)
{
	struct place t = {0};
	struct blob *info = blob_new("{}", 2);
	struct conn *c;

	(void)state;
	start(&t);
	c = t.p.conn;
	assert_int_equal(conn_set_info(c, info, 0), 0);
	stub_round(t.w);
	worker_next_turn(t.w, TURN_CONNECTIONS, &c->flush);
	worker_later(t.w, TURN_REAP, &c->reap);
	peer_gone(&t.p);
	stub_turns(t.w);
	assert_int_equal(atomic_load(&info->refs), 1);
	blob_unref(info);
	end(&t);
}

/* --- timers --- */

static void a_blocked_connection_is_not_taken_for_dead(void **state)
{
	struct place t = {.set = {.ping = 54, .pong = 60, .write_timeout = 3600}};
	uint32_t s;

	(void)state;
	start(&t);
	s = t.p.conn->heard_s;
	t.p.stalled = true;
	send_text(t.p.conn, "one");
	stub_round(t.w);
	assert_true(t.p.conn->blocked);
	/* Its ping is due, but cannot be sent. */
	conn_due(&t.p.conn->timer, s + 54);
	assert_int_equal(t.p.pings, 0);
	t.p.conn->blocked = false;
	t.p.stalled = t.p.waiting = false;
	assert_false(t.p.conn->closing);
	/* Then it is asked before it is given up. */
	conn_due(&t.p.conn->timer, s + 55);
	assert_int_equal(t.p.pings, 1);
	conn_due(&t.p.conn->timer, s + 56);
	assert_int_equal(t.p.pings, 1);
	assert_false(t.p.conn->closing);
	conn_due(&t.p.conn->timer, s + 60);
	assert_true(t.p.conn->closing);
	assert_int_equal(counted(&t.w->counters.dead[0]), 1);
	stub_round(t.w);
	assert_int_equal(t.p.code, -1);
	end(&t);
}

static void who_says_anything_lives(void **state)
{
	struct place t = {.set = {.ping = 54, .pong = 60}};
	uint32_t s;

	(void)state;
	start(&t);
	s = t.p.conn->heard_s;
	assert_int_equal(conn_due(&t.p.conn->timer, s), 54);
	assert_int_equal(conn_due(&t.p.conn->timer, s + 54), 6);
	assert_int_equal(t.p.pings, 1);
	conn_heard(t.p.conn);
	t.p.conn->heard_s = s + 58;
	assert_int_equal(conn_due(&t.p.conn->timer, s + 60), 52);
	assert_false(t.p.conn->closing);
	conn_due(&t.p.conn->timer, s + 58 + 54);
	assert_int_equal(t.p.pings, 2);
	/* A ping that cannot be sent ends it. */
	peer_say(&t.p, "message");
	t.p.conn->heard_s = s;
	t.p.dead = true;
	conn_due(&t.p.conn->timer, s + 54);
	assert_true(t.p.conn->closing);
	end(&t);
}

static void a_ping_may_block(void **state)
{
	struct place t = {.set = {.ping = 54, .pong = 60, .write_timeout = 5}};
	uint32_t s;

	(void)state;
	start(&t);
	s = t.p.conn->heard_s;
	t.p.stalled = true;
	assert_int_equal(conn_due(&t.p.conn->timer, s + 54), 1);
	assert_true(t.p.conn->blocked);
	conn_due(&t.p.conn->timer, s + 58);
	assert_false(t.p.conn->closing);
	conn_due(&t.p.conn->timer, s + 59);
	assert_string_equal(t.p.conn->reason, "write timeout");
	end(&t);
}

static void a_stalled_write_has_its_time(void **state)
{
	struct place t = {.set.write_timeout = 5};
	uint32_t s;

	(void)state;
	start(&t);
	t.p.stalled = true;
	send_text(t.p.conn, "one");
	stub_round(t.w);
	s = t.p.conn->blocked_s;
	conn_due(&t.p.conn->timer, s + 4);
	assert_false(t.p.conn->closing);
	/* Where some of it leaves, that is not stalled. */
	t.p.conn->blocked_s = s - 4;
	conn_progress(t.p.conn);
	assert_true(t.p.conn->blocked_s >= s);
	conn_due(&t.p.conn->timer, s + 4);
	assert_false(t.p.conn->closing);
	conn_due(&t.p.conn->timer, t.p.conn->blocked_s + 5);
	assert_string_equal(t.p.conn->reason, "write timeout");
	assert_int_equal(counted(&t.w->counters.dead[0]), 1);
	end(&t);
}

/* A peer that never says anything: what is between is told that the connection is in use, as often
 * as the door wants it or the hub, and whether that is heard nobody knows. */
static void a_peer_that_only_listens_is_told_now_and_then(void **state)
{
	static struct door mute = PEER_DOOR(&encoding_lines, &peer_dialect);
	struct place t = {.set = {.ping = 54, .pong = 60, .write_timeout = 5}};
	struct peer p;
	uint32_t s;

	(void)state;
	mute.keep_s = 15;
	start(&t);
	peer_open(&p, t.w, &mute);
	s = p.conn->heard_s;
	assert_int_equal(conn_due(&p.conn->timer, s + 14), 1);
	assert_int_equal(p.pings, 0);
	for (uint32_t n = 1; n < 10; n++) {
		assert_int_equal(conn_due(&p.conn->timer, s + 15 * n), 15);
		assert_int_equal(p.pings, n);
	}
	assert_false(p.conn->closing);
	t.set.ping = 5;
	assert_int_equal(conn_due(&p.conn->timer, s + 140), 5);
	assert_int_equal(p.pings, 10);
	/* Who does not take what is there is not told more, but has its time. */
	p.stalled = true;
	assert_int_equal(conn_due(&p.conn->timer, s + 145), 1);
	assert_true(p.conn->blocked);
	conn_due(&p.conn->timer, s + 149);
	assert_false(p.conn->closing);
	conn_due(&p.conn->timer, s + 150);
	assert_string_equal(p.conn->reason, "write timeout");
	assert_int_equal(p.pings, 11);
	end(&t);
	peer_free(&p);
}

/* --- server-sent events --- */

static bool event_is(const char *text, const char *type, const char *want)
{
	struct log_place place = {.epoch = 1};
	struct record_log in = {.session = {"s", 1}, .place = &place};
	struct buf b = {0};
	bool same;

	assert_int_equal(encoding_events.record(&b, text, strlen(text),
						(struct span){type, type ? strlen(type) : 0}, &in),
			 0);
	same = buf_take(&b, want);
	buf_free(&b);
	return same;
}

/* The same whether the type is known or has to be found. */
static void a_record_is_an_event_of_its_type_at_its_place(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		assert_true(event_is("{\"type\":\"a b\",\"seq\":7}", known ? "\"a b\"" : NULL,
				     "id: 00000000001-7\nevent: a b\n"
				     "data: {\"type\":\"a b\",\"seq\":7}\n\n"));
		assert_true(event_is("{\"type\":\" \\u0041\",\"seq\":70}",
				     known ? "\" \\u0041\"" : NULL,
				     "id: 00000000001-70\nevent:  A\n"
				     "data: {\"type\":\" \\u0041\",\"seq\":70}\n\n"));
	}
	/* What has none is no record. */
	assert_true(event_is("{\"type\":\"gap\",\"to_seq\":7}", NULL,
			     "event: gap\ndata: {\"type\":\"gap\",\"to_seq\":7}\n\n"));
	assert_true(event_is("7}", NULL, "data: 7}\n\n"));
}

static void what_the_hub_says_is_an_event_without_a_place(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(encoding_events.message(&b, "{\"type\":\"gap\",\"seq\":7}", 22), 0);
	assert_true(buf_take(&b, "event: gap\ndata: {\"type\":\"gap\",\"seq\":7}\n\n"));
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_leave_at_the_end_of_the_turn),
	    cmocka_unit_test(nothing_is_written_while_it_is_blocked),
	    cmocka_unit_test(what_waits_for_a_peer_has_bounds),
	    cmocka_unit_test(it_is_listened_to_again_when_that_has_left),
	    cmocka_unit_test(a_write_that_fails_ends_it),
	    cmocka_unit_test(nothing_is_read_while_it_is_held),
	    cmocka_unit_test(the_front_of_a_message_has_room_while_it_is_there),
	    cmocka_unit_test(memory_is_counted),
	    cmocka_unit_test(a_closing_connection_takes_and_gives_nothing_more),
	    cmocka_unit_test(its_answer_to_the_close_is_heard),
	    cmocka_unit_test(an_abort_is_at_once),
	    cmocka_unit_test(it_is_freed_when_all_have_come_back),
	    cmocka_unit_test(it_is_freed_behind_its_next_turn),
	    cmocka_unit_test(a_blocked_connection_is_not_taken_for_dead),
	    cmocka_unit_test(who_says_anything_lives),
	    cmocka_unit_test(a_ping_may_block),
	    cmocka_unit_test(a_stalled_write_has_its_time),
	    cmocka_unit_test(a_peer_that_only_listens_is_told_now_and_then),
	    cmocka_unit_test(a_record_is_an_event_of_its_type_at_its_place),
	    cmocka_unit_test(what_the_hub_says_is_an_event_without_a_place),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}

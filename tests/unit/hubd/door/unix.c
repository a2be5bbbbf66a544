/* The Unix-socket door over a pair of sockets: lines in and out, its bounds, and every way in which
 * the peer may end, also while something has to wait. */
#include "door/unix.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "hubd/doors_stub.h"
#include "session/members.h"
#include "session/stored.h"
#include "unit.h"

#define WAIT_MS 30000 /* for what must come; nothing is measured */
#define PING "{\"type\":\"ping\"}\n"
#define JOIN "{\"type\":\"session_associate\",\"session_id\":\"a\"}\n"

struct place {
	struct hub_stub hub;
	struct doors doors;
	struct worker *w;
	int fd; /* the peer's end */
	struct buf got;
	bool eof;
};

static void start(struct place *t, bool archive)
{
	int fds[2];

	hub_stub_start(&t->hub, 1, archive);
	t->w = doors_stub_start(&t->hub, &t->doors);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	t->fd = fds[0];
	atomic_store(&t->w->connections, 1);
	unix_adopt(t->w, fds[1], 1);
}

static void end(struct place *t)
{
	hub_stub_end(&t->hub);
	if (t->fd >= 0)
		close(t->fd);
	buf_free(&t->got);
}

/* Once round the loop, and what has come. */
static void look(struct place *t)
{
	char part[65536];
	ssize_t n;

	stub_round(t->w);
	if (t->fd < 0)
		return;
	while ((n = recv(t->fd, part, sizeof(part), MSG_DONTWAIT)) > 0)
		assert_int_equal(buf_put(&t->got, part, (size_t)n), 0);
	t->eof = n == 0;
}

static bool has(const struct place *t, const char *text)
{
	return t->got.len && memmem(t->got.data, t->got.len, text, strlen(text)) != NULL;
}

static void wait_for(struct place *t, const char *text)
{
	uint64_t start_ms = clock_mono_ms();

	while (!has(t, text)) {
		look(t);
		assert_true(clock_mono_ms() - start_ms < WAIT_MS);
	}
}

static void wait_for_end(struct place *t)
{
	uint64_t start_ms = clock_mono_ms();

	while (!t->eof) {
		look(t);
		assert_true(clock_mono_ms() - start_ms < WAIT_MS);
	}
}

/* The hub has let go of it, down to its count. */
static void wait_until_gone(struct place *t)
{
	uint64_t start_ms = clock_mono_ms();

	/* It waits for the peer to end as well, once that has had all. */
	if (t->eof && t->fd >= 0) {
		close(t->fd);
		t->fd = -1;
	}
	while (atomic_load(&t->w->connections)) {
		stub_round(t->w);
		assert_true(clock_mono_ms() - start_ms < WAIT_MS);
	}
}

static void say(struct place *t, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(t->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static unsigned count(const struct place *t, const char *text)
{
	const char *at = t->got.data, *end_of = at + t->got.len;
	unsigned n = 0;

	while (at && (at = memmem(at, (size_t)(end_of - at), text, strlen(text))) != NULL) {
		n++;
		at++;
	}
	return n;
}

/* --- lines --- */

static void lines_come_in_any_pieces(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, false);
	say(&t, JOIN);
	wait_for(&t, "\"session_associated\"");
	for (const char *p = "{\"type\":\"one\"}\r\n"; *p; p++) {
		assert_int_equal(send(t.fd, p, 1, 0), 1);
		look(&t);
	}
	wait_for(&t, "\"one\"");
	say(&t, "\n\r\n{\"type\":\"two\"}\n\n{\"type\":\"three\"}\n{\"type\":");
	wait_for(&t, "\"seq\":3}\n");
	assert_false(has(&t, "\"error\""));
	say(&t, "\"four\"}\n");
	wait_for(&t, "\"seq\":4}\n");
	/* Not UTF-8 is one error among others here. */
	say(&t, "{\"type\":\"\xff\"}\n" PING);
	wait_for(&t, "\"pong\"");
	assert_int_equal(count(&t, "\"bad_json\""), 1);
	end(&t);
}

static void a_line_that_is_too_long_is_one_error(void **state)
{
	struct place t = {.hub.m.conns.max_message = 1000};
	char line[5000];

	(void)state;
	start(&t, false);
	memset(line, 'x', sizeof(line));
	assert_int_equal(send(t.fd, line, sizeof(line), 0), sizeof(line));
	look(&t);
	assert_int_equal(send(t.fd, line, sizeof(line), 0), sizeof(line));
	say(&t, "\n" PING);
	wait_for(&t, "\"pong\"");
	assert_int_equal(count(&t, "\"too_large\""), 1);
	assert_int_equal(count(&t, "\"error\""), 1);
	assert_true(has(&t, "a line may have 1000 bytes at most"));
	end(&t);
}

/* --- the end, in order --- */

static void who_ends_gets_all_answers(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, false);
	say(&t, JOIN PING "{\"type\":\"last\"}"); /* the last line needs no feed */
	shutdown(t.fd, SHUT_WR);
	wait_for_end(&t);
	assert_true(has(&t, "\"pong\""));
	assert_true(has(&t, "\"type\":\"last\""));
	assert_false(has(&t, "\"close\""));
	wait_until_gone(&t);
	end(&t);
}

static void the_end_waits_for_what_is_held(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, true);
	say(&t, JOIN "{\"type\":\"x\",\"msg_id\":\"M\"}\n" PING);
	shutdown(t.fd, SHUT_WR);
	while (!t.hub.m.s.archive.first)
		look(&t);
	for (int i = 0; i < 10; i++)
		look(&t);
	assert_false(t.eof);
	stub_opened(&t.hub.m, UINT64_MAX);
	wait_for(&t, "\"pong\"");
	for (int i = 0; i < 10; i++)
		look(&t);
	assert_false(t.eof);
	session_stored(stub_session(&t.hub.m, "a"), 1);
	wait_for_end(&t);
	assert_true(has(&t, "\"ack\""));
	wait_until_gone(&t);
	end(&t);
}

static void the_hub_says_why_it_closes(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, false);
	say(&t, PING);
	wait_for(&t, "\"pong\"");
	deliver_drain(t.w, 0, false);
	wait_for_end(&t);
	assert_true(has(&t, "{\"type\":\"close\",\"code\":1012,\"reason\":\"the hub is shutting "
			    "down\"}\n"));
	wait_until_gone(&t);
	end(&t);
}

/* --- a peer that does not read --- */

static void it_is_not_listened_to_before_it_reads(void **state)
{
	enum { N = 60000 };
	struct place t = {0};
	unsigned sent = 0, stalled = 0;
	uint64_t start_ms;

	(void)state;
	start(&t, false);
	/* Until nothing more can be sent: then the hub has stopped reading. */
	while (sent < N && stalled < 100) {
		if (send(t.fd, PING, sizeof(PING) - 1, MSG_DONTWAIT) == sizeof(PING) - 1) {
			sent++;
			stalled = 0;
		} else {
			stub_round(t.w);
			stalled++;
		}
	}
	assert_in_range(sent, 1000, N - 1);
	start_ms = clock_mono_ms();
	while (count(&t, "\"pong\"") < sent) {
		look(&t);
		assert_true(clock_mono_ms() - start_ms < WAIT_MS);
	}
	assert_int_equal(count(&t, "\n"), sent);
	say(&t, "{\"type\":\"ping\",\"ping_id\":\"again\"}\n");
	wait_for(&t, "\"again\"");
	end(&t);
}

static void what_is_unsent_at_the_close_is_sent(void **state)
{
	struct place t = {0};
	unsigned sent = 0, stalled = 0;

	(void)state;
	start(&t, false);
	while (stalled < 100) {
		if (send(t.fd, PING, sizeof(PING) - 1, MSG_DONTWAIT) == sizeof(PING) - 1) {
			sent++;
			stalled = 0;
		} else {
			stub_round(t.w);
			stalled++;
		}
	}
	deliver_drain(t.w, 0, true);
	stub_turns(t.w);
	assert_int_equal(atomic_load(&t.w->connections), 1);
	wait_for_end(&t);
	assert_in_range(count(&t, "\"pong\""), 100, sent);
	/* Whole lines, and the reason last. */
	assert_int_equal(t.got.data[t.got.len - 1], '\n');
	assert_int_equal(count(&t, "\n"), count(&t, "\"pong\"") + 1);
	assert_true(has(&t, "\"code\":1012"));
	wait_until_gone(&t);
	end(&t);
}

/* --- a peer that is gone --- */

static uint64_t head_of(struct place *t)
{
	return stub_session(&t->hub.m, "a")->log.head;
}

static void what_it_said_before_it_went_counts(void **state)
{
	struct place t = {0};
	struct buf text = {0};

	(void)state;
	start(&t, false);
	say(&t, JOIN);
	stub_turns(t.w); /* its answer is not read */
	for (int i = 0; i < 500; i++)
		assert_int_equal(
		    buf_puts(&text, "{\"type\":\"x\",\"msg_id\":\"M\"}\n{\"type\":\"y\"}\n"), 0);
	assert_int_equal(send(t.fd, text.data, text.len, 0), (ssize_t)text.len);
	buf_free(&text);
	close(t.fd);
	t.fd = -1;
	wait_until_gone(&t);
	assert_int_equal(head_of(&t), 501); /* one M, and 500 without a msg_id */
	assert_int_equal(session_user_count(stub_session(&t.hub.m, "a")), 0);
	end(&t);
}

static void it_may_go_while_it_is_held(void **state)
{
	(void)state;
	for (int fails = 0; fails < 2; fails++) {
		struct place t = {0};

		start(&t, true);
		say(&t, PING);
		stub_turns(t.w); /* an answer that is not read: its end is an error */
		say(&t, JOIN "{\"type\":\"x\"}\n{\"type\":\"y\"}\n");
		while (!t.hub.m.s.archive.first)
			stub_round(t.w);
		say(&t, "{\"type\":\"z\"}\n{\"type\":\"last\"}");
		close(t.fd);
		t.fd = -1;
		for (int i = 0; i < 10; i++)
			stub_round(t.w);
		assert_int_equal(atomic_load(&t.w->connections), 1);
		if (fails)
			stub_fails(&t.hub.m, -EIO);
		else
			stub_opened(&t.hub.m, UINT64_MAX);
		wait_until_gone(&t);
		if (!fails) {
			assert_int_equal(head_of(&t), 4);
			session_stored(stub_session(&t.hub.m, "a"), 4);
		}
		end(&t);
	}
}

static void it_may_go_at_once(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, false);
	close(t.fd);
	t.fd = -1;
	wait_until_gone(&t);
	end(&t);
}

/* Nobody is listening, but it still speaks. */
static void a_deaf_peer_is_heard(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, false);
	shutdown(t.fd, SHUT_RD);
	say(&t, JOIN "{\"type\":\"x\"}\n");
	for (int i = 0; i < 10; i++)
		stub_round(t.w);
	say(&t, "{\"type\":\"y\"}\n");
	for (int i = 0; i < 10; i++)
		stub_round(t.w);
	assert_int_equal(head_of(&t), 2);
	shutdown(t.fd, SHUT_WR);
	wait_until_gone(&t);
	end(&t);
}

static void a_worker_that_ends_lets_go(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t, true);
	say(&t, JOIN "{\"type\":\"x\"}\n");
	while (!t.hub.m.s.archive.first)
		look(&t);
	/* Its answer is on the way. */
	archive_stub_answer(archive_stub_next(&t.hub.m.s.archive), -EIO);
	hub_stub_end(&t.hub);
	close(t.fd);
	buf_free(&t.got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_come_in_any_pieces),
	    cmocka_unit_test(a_line_that_is_too_long_is_one_error),
	    cmocka_unit_test(who_ends_gets_all_answers),
	    cmocka_unit_test(the_end_waits_for_what_is_held),
	    cmocka_unit_test(the_hub_says_why_it_closes),
	    cmocka_unit_test(it_is_not_listened_to_before_it_reads),
	    cmocka_unit_test(what_is_unsent_at_the_close_is_sent),
	    cmocka_unit_test(what_it_said_before_it_went_counts),
	    cmocka_unit_test(it_may_go_while_it_is_held),
	    cmocka_unit_test(it_may_go_at_once),
	    cmocka_unit_test(a_deaf_peer_is_heard),
	    cmocka_unit_test(a_worker_that_ends_lets_go),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("unix", tests, NULL, NULL);
}

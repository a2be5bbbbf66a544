/* A connection step by step, against a peer on the other end of a real socket: each function
 * returns what has happened, and closes nothing. */
#include "net/bench_conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n"
			     "Sec-WebSocket-Accept: plKcVnvSdngjwvk27XQyf5CVmAU=\r\n\r\n";

struct pair {
	struct target target;
	struct bench_io io;
	struct bench_conn c;
	int peer;
};

/* A connection in that state, as if it had got there. */
static void pair_open(struct pair *p, enum bench_conn_state state, enum url_scheme scheme)
{
	int fds[2];

	memset(p, 0, sizeof(*p));
	p->target.url.scheme = scheme;
	assert_int_equal(bench_io_init(&p->io, 1), 0);
	bench_conn_init(&p->c);
	p->c.target = &p->target;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->c.fd = fds[0];
	p->c.state = (uint8_t)state;
	p->peer = fds[1];
}

static void pair_close(struct pair *p)
{
	bench_conn_close(&p->c);
	assert_int_equal(p->c.fd, -1);
	assert_int_equal(p->c.state, CONN_CLOSED);
	bench_io_free(&p->io);
	close(p->peer);
}

static void peer_sends(struct pair *p, const char *data, size_t len)
{
	assert_int_equal(write(p->peer, data, len), len);
}

/* What epoll has for it; 0: nothing. */
static uint32_t polled(struct pair *p)
{
	struct epoll_event event;

	if (epoll_wait(p->io.epoll, &event, 1, 0) != 1)
		return 0;
	assert_ptr_equal(event.data.ptr, &p->c);
	return event.events;
}

/* Reads all that is there and feeds it. */
static void feed(struct pair *p)
{
	ssize_t n = bench_conn_read(&p->io, &p->c);

	assert_true(n > 0);
	assert_int_equal(bench_conn_feed(&p->io, &p->c, (size_t)n), CONN_WAIT);
}

/* The request goes out; its answer and what comes with it are taken one by one. */
static void upgrades(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";
	char got[100] = "";
	struct wsio_message m;
	struct pair p;

	(void)state;
	pair_open(&p, CONN_CONNECTING, URL_WS);
	assert_string_equal(bench_conn_stage(&p.c), "connect");
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLOUT), CONN_CONNECTED);
	assert_int_equal(bench_conn_secure(&p.io, &p.c), CONN_SECURE);
	assert_int_equal(bench_conn_upgrade(&p.io, &p.c, request, sizeof(request) - 1), CONN_WAIT);
	assert_string_equal(bench_conn_stage(&p.c), "WebSocket");
	assert_int_equal(read(p.peer, got, sizeof(got)), sizeof(request) - 1);
	assert_string_equal(got, request);
	assert_int_equal(polled(&p), 0);
	assert_int_equal(bench_conn_read(&p.io, &p.c), 0);

	peer_sends(&p, answer, sizeof(answer) - 1);
	peer_sends(&p, "\x81\2hi\x81\5wor", 9);
	assert_int_equal(polled(&p), EPOLLIN);
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLIN), CONN_READABLE);
	feed(&p);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_STANDS);
	assert_null(bench_conn_stage(&p.c));
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_MESSAGE);
	assert_int_equal(m.len, 2);
	assert_memory_equal(m.p, "hi", 2);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_WAIT);
	peer_sends(&p, "ld", 2);
	feed(&p);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_MESSAGE);
	assert_memory_equal(m.p, "world", 5);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_WAIT);
	pair_close(&p);
}

/* A proxy is asked first, for the way to the server; its answer may come in pieces. */
static void goes_by_a_proxy(void **state)
{
	static char request[] = "CONNECT hub:80 HTTP/1.1\r\n\r\n";
	char got[100] = "";
	struct pair p;

	(void)state;
	pair_open(&p, CONN_CONNECTING, URL_WS);
	p.target.tunnel = request;
	assert_int_equal(bench_conn_secure(&p.io, &p.c), CONN_WAIT);
	assert_string_equal(bench_conn_stage(&p.c), "proxy");
	assert_int_equal(read(p.peer, got, sizeof(got)), sizeof(request) - 1);
	assert_string_equal(got, request);
	peer_sends(&p, "HTTP/1.1 200 Fi", 15);
	assert_int_equal(polled(&p), EPOLLIN);
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLIN), CONN_WAIT);
	peer_sends(&p, "ne\r\nVia: x\r\n", 12);
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLIN), CONN_WAIT);
	peer_sends(&p, "\r\n", 2);
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLIN), CONN_CONNECTED);
	/* From here on it is as without. */
	assert_int_equal(bench_conn_secure(&p.io, &p.c), CONN_SECURE);
	assert_int_equal(bench_conn_upgrade(&p.io, &p.c, "GET\r\n", 5), CONN_WAIT);
	assert_string_equal(bench_conn_stage(&p.c), "WebSocket");
	pair_close(&p);
}

static void a_proxy_may_refuse(void **state)
{
	static const char *const answers[] = {"HTTP/1.1 407 Proxy Authentication Required\r\n",
					      "HTTP/1.1 20\n", "SSH-2.0-x\r\n", "\r\n"};
	static char request[] = "CONNECT hub:80 HTTP/1.1\r\n\r\n";
	struct pair p;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(answers); i++) {
		pair_open(&p, CONN_CONNECTING, URL_WS);
		p.target.tunnel = request;
		assert_int_equal(bench_conn_secure(&p.io, &p.c), CONN_WAIT);
		peer_sends(&p, answers[i], strlen(answers[i]));
		assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLIN), CONN_LOST);
		assert_memory_equal(p.io.why, "the proxy: ", 11);
		pair_close(&p);
	}
}

/* Over a Unix socket it stands at once, and messages are lines both ways. */
static void lines(void **state)
{
	struct wsio_message m;
	char got[100] = "";
	struct pair p;

	(void)state;
	pair_open(&p, CONN_CONNECTING, URL_UNIX);
	assert_int_equal(bench_conn_upgrade(&p.io, &p.c, "", 0), CONN_STANDS);
	assert_int_equal(bench_conn_send(&p.io, &p.c, "{}", 2), CONN_WAIT);
	assert_int_equal(read(p.peer, got, sizeof(got)), 3);
	assert_string_equal(got, "{}\n");
	peer_sends(&p, "{\"a\":1}\n", 8);
	feed(&p);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_MESSAGE);
	assert_int_equal(m.len, 7);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_WAIT);
	pair_close(&p);
}

static void pings_are_answered(void **state)
{
	struct wsio_message m;
	unsigned char got[100];
	struct pair p;

	(void)state;
	pair_open(&p, CONN_OPEN, URL_WS);
	peer_sends(&p, "\x89\2ab\x81\1x", 7);
	feed(&p);
	assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_MESSAGE);
	assert_memory_equal(m.p, "x", 1);
	/* A masked pong. */
	assert_int_equal(read(p.peer, got, sizeof(got)), 8);
	assert_int_equal(got[0], 0x8a);
	assert_int_equal(got[1], 0x82);
	assert_int_equal(got[6] ^ got[2], 'a');
	pair_close(&p);
}

/* Why it is of no use, in words; it is still open for whoever wants to look. */
static void lost(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		enum bench_conn_state state;
		const char *why;
	} cases[] = {
	    {"\x88\5\3\xe8"
	     "bye",
	     7, CONN_OPEN, "closed by the server: 1000 bye"},
	    {"\x88\0", 2, CONN_OPEN, "closed by the server"},
	    {"\x81\x81xxxx", 6, CONN_OPEN, "what came is not WebSocket"},
	    {"HTTP/1.1 403 Forbidden\r\n", 24, CONN_UPGRADING,
	     "no WebSocket: HTTP/1.1 403 Forbidden"},
	};
	struct wsio_message m;
	struct pair p;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		pair_open(&p, cases[i].state, URL_WS);
		p.c.in.lines = cases[i].state == CONN_UPGRADING;
		peer_sends(&p, cases[i].data, cases[i].len);
		feed(&p);
		assert_int_equal(bench_conn_next(&p.io, &p.c, &m), CONN_LOST);
		assert_string_equal(p.io.why, cases[i].why);
		assert_true(p.c.fd >= 0);
		pair_close(&p);
	}
	pair_open(&p, CONN_OPEN, URL_WS);
	shutdown(p.peer, SHUT_RDWR);
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLIN | EPOLLHUP), CONN_READABLE);
	assert_int_equal(bench_conn_read(&p.io, &p.c), -1);
	assert_string_equal(p.io.why, "closed by the server");
	assert_int_equal(bench_conn_send(&p.io, &p.c, "x", 1), CONN_LOST);
	assert_string_equal(p.io.why, "write: Broken pipe");
	pair_close(&p);
}

/* Everything that can be read, and nothing else. */
static size_t peer_reads(struct pair *p)
{
	static char room[1 << 16];
	size_t n = 0;
	ssize_t got;

	while ((got = read(p->peer, room, sizeof(room))) > 0)
		n += (size_t)got;
	return n;
}

/* What the socket does not take is kept, epoll tells when it does, and all arrives. */
static void a_full_socket(void **state)
{
	static char text[100000];
	size_t sent = 0, n = 0;
	enum conn_step step;
	struct pair p;

	(void)state;
	memset(text, 'a', sizeof(text));
	pair_open(&p, CONN_OPEN, URL_WS);
	while (!p.c.out_len) {
		assert_int_equal(bench_conn_send(&p.io, &p.c, text, sizeof(text)), CONN_WAIT);
		sent += sizeof(text) + WSIO_HEADER_MAX;
	}
	assert_int_equal(polled(&p) & EPOLLOUT, 0);
	/* Two for one: both events at once are both told. */
	do {
		n += peer_reads(&p);
		assert_int_equal(polled(&p) & EPOLLOUT, EPOLLOUT);
		step = bench_conn_ready(&p.io, &p.c, EPOLLOUT | EPOLLIN);
		assert_true(step & CONN_READABLE);
	} while (!(step & CONN_FLUSHED));
	n += peer_reads(&p);
	assert_int_equal(n, sent);
	assert_int_equal(p.c.out_len, 0);
	assert_int_equal(polled(&p), 0);
	/* Nothing is held, but the next one found no room. */
	bench_conn_block(&p.io, &p.c);
	assert_int_equal(polled(&p), EPOLLOUT);
	assert_int_equal(bench_conn_ready(&p.io, &p.c, EPOLLOUT), CONN_FLUSHED);
	assert_int_equal(polled(&p), 0);
	pair_close(&p);
}

static void paused(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, CONN_OPEN, URL_WS);
	bench_conn_pause(&p.io, &p.c, false);
	peer_sends(&p, "\x81\0", 2);
	assert_int_equal(polled(&p), EPOLLIN);
	bench_conn_pause(&p.io, &p.c, true);
	assert_int_equal(polled(&p), 0);
	bench_conn_pause(&p.io, &p.c, false);
	assert_int_equal(polled(&p), EPOLLIN);
	pair_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(upgrades),		  cmocka_unit_test(goes_by_a_proxy),
	    cmocka_unit_test(a_proxy_may_refuse), cmocka_unit_test(lines),
	    cmocka_unit_test(pings_are_answered), cmocka_unit_test(lost),
	    cmocka_unit_test(a_full_socket),	  cmocka_unit_test(paused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("bench_conn", tests, NULL, NULL);
}

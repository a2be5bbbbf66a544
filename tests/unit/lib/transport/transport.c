/* One set of tests for every kind of transport: what transport.h promises, against a peer that is a
 * listening socket and a few lines. */
#include "transport/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "unit.h"

#define DEADLINE_S 20

struct rig {
	uv_loop_t loop;
	struct url url;
	struct transport t;
	int listener, peer; /* -1: none */
	bool ws, upgraded, final;
	char in[1 << 17]; /* what came from the transport and is no whole message yet */
	size_t len;
	char said[1 << 17]; /* its messages, with "|" behind each */

	char got[4096]; /* what the transport reported */
	unsigned lost, writable;
	enum transport_loss loss;
	int code;
	const char *out; /* to be sent */
	size_t out_len;
	bool drop_on_message, finish_on_message;
};

/* --- the owner */

static void note(struct rig *g, const char *what, size_t len)
{
	size_t n = strlen(g->got);

	snprintf(g->got + n, sizeof(g->got) - n, "%.*s ", (int)len, what);
}

static void on_connected(void *arg)
{
	note(arg, "connected", 9);
}

static void on_received(void *arg, const char *text, size_t len)
{
	struct rig *g = arg;

	note(g, text, len);
	if (g->drop_on_message)
		g->t.kind->drop(&g->t);
	if (g->finish_on_message)
		g->t.kind->finish(&g->t);
}

/* Sends what it takes. */
static void flush(struct rig *g)
{
	size_t n;

	while (g->out_len && (n = g->t.kind->send(&g->t, g->out, g->out_len))) {
		assert_true(n <= g->out_len);
		g->out += n;
		g->out_len -= n;
	}
}

static void on_moving(void *arg, bool in)
{
	(void)arg;
	(void)in;
}

static void on_writable(void *arg)
{
	struct rig *g = arg;

	g->writable++;
	flush(g);
}

static void on_lost(void *arg, enum transport_loss loss, int close_code, const char *reason)
{
	struct rig *g = arg;

	assert_true(reason && *reason);
	note(g, "lost", 4);
	g->lost++;
	g->loss = loss;
	g->code = close_code;
}

static const struct transport_events events = {
    .connected = on_connected,
    .received = on_received,
    .moving = on_moving,
    .writable = on_writable,
    .lost = on_lost,
};

/* --- the peer */

static void peer_listen(struct rig *g)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in net = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(net);

	g->listener = socket(g->ws ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(g->listener >= 0);
	if (g->ws) {
		assert_int_equal(bind(g->listener, (struct sockaddr *)&net, sizeof(net)), 0);
		assert_int_equal(getsockname(g->listener, (struct sockaddr *)&net, &len), 0);
		g->url = (struct url){.scheme = URL_WS, .port = ntohs(net.sin_port)};
		snprintf(g->url.host, sizeof(g->url.host), "127.0.0.1");
		snprintf(g->url.path, sizeof(g->url.path), "/ws");
	} else {
		g->url = (struct url){.scheme = URL_UNIX};
		snprintf(local.sun_path, sizeof(local.sun_path), "/tmp/hub-transport-%d",
			 (int)getpid());
		snprintf(g->url.path, sizeof(g->url.path), "%s", local.sun_path);
		assert_int_equal(bind(g->listener, (struct sockaddr *)&local, sizeof(local)), 0);
	}
	assert_int_equal(listen(g->listener, 4), 0);
}

static void peer_write(struct rig *g, const void *data, size_t len)
{
	assert_int_equal(send(g->peer, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Says one short message, over a WebSocket in two frames, with so many turns of the loop before its
 * second half. */
static void peer_say_in_pieces(struct rig *g, const char *text, int turns)
{
	size_t len = strlen(text), half = len / 2;
	char out[200];
	int n;

	if (g->ws)
		n = snprintf(out, sizeof(out), "%c%c%.*s%c%c%s", 0x01, (int)half, (int)half, text,
			     0x80, (int)(len - half), text + half);
	else
		n = snprintf(out, sizeof(out), "%s\n", text);
	peer_write(g, out, half);
	while (turns--)
		uv_run(&g->loop, UV_RUN_NOWAIT);
	peer_write(g, out + half, (size_t)n - half);
}

static void peer_say(struct rig *g, const char *text)
{
	peer_say_in_pieces(g, text, 3);
}

static void peer_gone(struct rig *g)
{
	close(g->peer);
	g->peer = -1;
}

/* The answer to a handshake (RFC 6455 section 4.2.2). */
static void peer_upgrade(struct rig *g)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	unsigned char digest[EVP_MAX_MD_SIZE], accept[64];
	const char *key = strstr(g->in, name);
	char text[200], answer[400];
	unsigned size;

	if (!strstr(g->in, "\r\n\r\n"))
		return;
	assert_non_null(key);
	key += sizeof(name) - 1;
	snprintf(text, sizeof(text), "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
		 (int)strcspn(key, "\r"), key);
	assert_int_equal(EVP_Digest(text, strlen(text), digest, &size, EVP_sha1(), NULL), 1);
	EVP_EncodeBlock(accept, digest, (int)size);
	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: hub\r\n\r\n",
		 accept);
	peer_write(g, answer, strlen(answer));
	g->upgraded = true;
	g->len = 0;
}

/* The length of the first message in g->in, with its place, and of all that carries it; 0: not all
 * there. */
static size_t peer_frame(struct rig *g, char **text, size_t *len)
{
	unsigned char *p = (unsigned char *)g->in;
	size_t head = 2;

	if (!g->ws) {
		char *feed = memchr(g->in, '\n', g->len);

		*text = g->in;
		*len = feed ? (size_t)(feed - g->in) : 0;
		return feed ? *len + 1 : 0;
	}
	if (g->len < 2)
		return 0;
	assert_true(p[1] & 0x80);
	*len = p[1] & 0x7f;
	if (*len >= 126) {
		size_t wide = *len == 126 ? 2 : 8;

		if (g->len < 2 + wide)
			return 0;
		for (*len = 0; head < 2 + wide; head++)
			*len = *len << 8 | p[head];
	}
	if (g->len < head + 4 + *len)
		return 0;
	for (size_t i = 0; i < *len; i++)
		p[head + 4 + i] ^= p[head + (i & 3)];
	*text = g->in + head + 4;
	/* A long message comes in fragments. */
	assert_true(p[0] == 0x81 || p[0] == 0x01 || p[0] == 0x00 || p[0] == 0x80);
	g->final = p[0] & 0x80;
	return head + 4 + *len;
}

static void peer_read(struct rig *g)
{
	ssize_t got = recv(g->peer, g->in + g->len, sizeof(g->in) - 1 - g->len, MSG_DONTWAIT);
	size_t n, len;
	char *text;

	if (got <= 0)
		return;
	g->len += (size_t)got;
	g->in[g->len] = '\0';
	if (g->ws && !g->upgraded) {
		peer_upgrade(g);
		return;
	}
	g->final = true; /* a line is one message */
	while ((n = peer_frame(g, &text, &len))) {
		size_t at = strlen(g->said);

		assert_true(at + len + 2 < sizeof(g->said));
		memcpy(g->said + at, text, len);
		memcpy(g->said + at + len, g->final ? "|" : "", g->final ? 2 : 1);
		g->len -= n;
		memmove(g->in, g->in + n, g->len);
	}
}

static void turn(struct rig *g)
{
	uv_run(&g->loop, UV_RUN_NOWAIT);
	if (g->peer < 0) {
		g->peer = accept(g->listener, NULL, NULL);
		g->len = 0;
		g->upgraded = false;
	}
	if (g->peer >= 0)
		peer_read(g);
}

static void wait_until(struct rig *g, bool (*is)(const struct rig *g))
{
	time_t end = time(NULL) + DEADLINE_S;

	while (!is(g)) {
		if (time(NULL) > end)
			fail_msg("too slow; reported: %s", g->got);
		turn(g);
	}
}

static bool is_connected(const struct rig *g)
{
	return strstr(g->got, "connected") != NULL && g->peer >= 0;
}

static bool is_lost(const struct rig *g)
{
	return g->lost > 0;
}

/* --- a test's beginning and end */

static struct rig *begin(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->ws = *state != NULL;
	g->peer = -1;
	uv_loop_init(&g->loop);
	peer_listen(g);
	g->t = (struct transport){.kind = g->ws ? &transport_ws : &transport_unix,
				  .events = &events,
				  .arg = g,
				  .loop = &g->loop,
				  .url = &g->url,
				  .connect_ms = 5000};
	return g;
}

static struct rig *begin_connected(void **state)
{
	struct rig *g = begin(state);

	g->t.kind->open(&g->t);
	wait_until(g, is_connected);
	return g;
}

static void end(struct rig *g)
{
	if (g->peer >= 0)
		close(g->peer);
	if (g->listener >= 0)
		close(g->listener);
	if (!g->ws)
		unlink(g->url.path);
	g->t.kind->drop(&g->t);
	while (!g->t.kind->end(&g->t))
		uv_run(&g->loop, UV_RUN_NOWAIT);
	/* All is given back, or the loop does not close. */
	uv_run(&g->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&g->loop), 0);
	free(g);
}

/* --- tests */

static bool has_two(const struct rig *g)
{
	return strstr(g->got, "{\"b\":2}") != NULL;
}

static void test_messages_come(void **state)
{
	struct rig *g = begin_connected(state);

	peer_say(g, "{\"a\":1}");
	peer_say(g, "{\"b\":2}");
	wait_until(g, has_two);
	assert_string_equal(g->got, "connected {\"a\":1} {\"b\":2} ");
	end(g);
}

static void send_text(struct rig *g, const char *lines)
{
	g->out = lines;
	g->out_len = strlen(lines);
	flush(g);
}

static bool has_said_c(const struct rig *g)
{
	return strstr(g->said, "{\"c\":3}|") != NULL;
}

static void test_lines_go(void **state)
{
	struct rig *g = begin_connected(state);
	char lines[1000] = "{\"a\":1}\n{\"b\":\"", *p = lines + strlen(lines);

	memset(p, 'x', 500);
	strcpy(p + 500, "\"}\n{\"c\":3}\n");
	send_text(g, lines);
	wait_until(g, has_said_c);
	for (p = lines; (p = strchr(p, '\n')); *p = '|')
		;
	assert_string_equal(g->said, lines);
	end(g);
}

/* More than sockets hold while nobody reads, in one message longer than a write, and small ones. */
static void test_what_is_not_taken_goes_later(void **state)
{
	struct rig *g = begin_connected(state);
	int fd = g->peer, small = 4096;
	char *lines = malloc(1 << 17), *p = lines;

	assert_non_null(lines);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	p += sprintf(p, "{\"long\":\"");
	memset(p, 'y', 70000);
	p += 70000;
	p += sprintf(p, "\"}\n");
	for (int i = 0; i < 2000; i++)
		p += sprintf(p, "{\"i\":%d}\n", i);
	strcpy(p, "{\"c\":3}\n");
	send_text(g, lines);
	wait_until(g, has_said_c);
	assert_int_equal(g->out_len, 0);
	for (p = lines; (p = strchr(p, '\n')); *p = '|')
		;
	assert_string_equal(g->said, lines);
	free(lines);
	end(g);
}

static void test_no_reading_while_paused(void **state)
{
	struct rig *g = begin_connected(state);

	g->t.paused = true;
	g->t.kind->flow(&g->t);
	peer_say(g, "{\"b\":2}");
	for (int i = 0; i < 20; i++)
		turn(g);
	assert_string_equal(g->got, "connected ");
	g->t.paused = false;
	g->t.kind->flow(&g->t);
	wait_until(g, has_two);
	end(g);
}

static void test_the_peer_goes(void **state)
{
	struct rig *g = begin_connected(state);

	peer_gone(g);
	close(g->listener);
	g->listener = -1;
	wait_until(g, is_lost);
	assert_string_equal(g->got, "connected lost ");
	assert_int_equal(g->loss, LOSS_RETRY);
	assert_int_equal(g->code, 0);
	end(g);
}

static void test_nobody_there(void **state)
{
	struct rig *g = begin(state);

	close(g->listener);
	g->listener = -1;
	if (!g->ws)
		unlink(g->url.path);
	g->t.kind->open(&g->t);
	wait_until(g, is_lost);
	assert_string_equal(g->got, "lost ");
	assert_int_equal(g->loss, LOSS_RETRY);
	end(g);
}

static void test_dropped_without_a_word(void **state)
{
	struct rig *g = begin_connected(state);

	peer_say(g, "{\"b\":2}");
	g->t.kind->drop(&g->t);
	for (int i = 0; i < 20; i++)
		uv_run(&g->loop, UV_RUN_NOWAIT);
	assert_int_equal(g->lost, 0);
	/* And another one is made. */
	peer_gone(g);
	g->got[0] = '\0';
	g->t.kind->open(&g->t);
	wait_until(g, is_connected);
	peer_say(g, "{\"b\":2}");
	wait_until(g, has_two);
	end(g);
}

static void test_dropped_within_an_event(void **state)
{
	struct rig *g = begin_connected(state);

	g->drop_on_message = true;
	peer_say_in_pieces(g, "{\"b\":2}", 0);
	peer_say_in_pieces(g, "{\"d\":4}", 0);
	wait_until(g, has_two);
	for (int i = 0; i < 20; i++)
		uv_run(&g->loop, UV_RUN_NOWAIT);
	assert_string_equal(g->got, "connected {\"b\":2} ");
	end(g);
}

/* It says goodbye, and the peer's going is told. */
static void test_finishing(void **state)
{
	struct rig *g = begin_connected(state);

	g->finish_on_message = true;
	peer_say(g, "{\"b\":2}");
	wait_until(g, has_two);
	for (int i = 0; i < 20; i++)
		uv_run(&g->loop, UV_RUN_NOWAIT);
	peer_gone(g);
	close(g->listener);
	g->listener = -1;
	wait_until(g, is_lost);
	assert_string_equal(g->got, "connected {\"b\":2} lost ");
	end(g);
}

#define EACH(test)                                            \
	{#test " (unix)", test, NULL, NULL, NULL},            \
	{                                                     \
#test " (ws)", test, NULL, NULL, (void *)"ws" \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(test_messages_come),
	    EACH(test_lines_go),
	    EACH(test_what_is_not_taken_goes_later),
	    EACH(test_no_reading_while_paused),
	    EACH(test_the_peer_goes),
	    EACH(test_nobody_there),
	    EACH(test_dropped_without_a_word),
	    EACH(test_dropped_within_an_event),
	    EACH(test_finishing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

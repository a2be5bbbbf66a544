/* The opening handshake, as RFC 6455 section 4.2 has it, over heads as they come. */
#include "wire/websocket_handshake.h"

#include <openssl/sha.h>

#include "unit.h"
#include "wire_trace.h"

#define GET "GET /ws HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ALL GET HOST UPGRADE CONNECTION KEY VERSION
#define WITH_KEY(key) GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: " key "\r\n"

static const struct {
	const char *section, *text;
	int want;
} cases[] = {
    {"1.2", ALL, 0},
    {"4.2.1", ALL "Origin: http://a\r\nCookie: b=c\r\nSec-WebSocket-Extensions: x; y\r\n", 0},
    {"4.2.1 1", "POST /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION, 405},
    {"4.2.1 1", "HEAD /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION, 405},
    {"4.2.1 1", "GET /ws HTTP/1.0\r\n" HOST UPGRADE CONNECTION KEY VERSION, 426},
    {"4.2.1 1", "GET http://b/ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION, 0},
    {"4.2.1 2", GET "Host:\r\n" UPGRADE CONNECTION KEY VERSION, 400},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION, 426},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade: h2c\r\n", 426},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade:\r\n", 426},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade: xwebsocket, websocketx\r\n", 426},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade: websocket/13\r\n", 426},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade: WebSocket\r\n", 0},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade: h2c,websocket\r\n", 0},
    {"4.2.1 3", GET HOST CONNECTION KEY VERSION "Upgrade: h2c\r\nUpgrade: websocket\r\n", 0},
    {"4.2.1 4", GET HOST UPGRADE KEY VERSION, 400},
    {"4.2.1 4", GET HOST UPGRADE KEY VERSION "Connection: keep-alive\r\n", 400},
    {"4.2.1 4", GET HOST UPGRADE KEY VERSION "Connection: keep-alive, upgrade\r\n", 0},
    {"4.2.1 4", GET HOST UPGRADE KEY VERSION "Connection: UPGRADE\r\n", 0},
    {"4.2.1 4", GET HOST UPGRADE KEY VERSION "Connection: a\r\nConnection: upgrade,b\r\n", 0},
    {"4.2.1 4", GET HOST UPGRADE KEY VERSION "Connection: upgraded\r\n", 400},
    {"4.2.1 5", GET HOST UPGRADE CONNECTION VERSION, 400},
    {"4.2.1 5", WITH_KEY(""), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZQ="), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZQ"), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZQ==="), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZQ== x"), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZR=="), 400}, /* not canonical */
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZf=="), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZA=="), 0},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZw=="), 0},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZg=="), 0},
    {"4.2.1 5", WITH_KEY("++++++////////////////=="), 400},
    {"4.2.1 5", WITH_KEY("++++++///////////////w=="), 0},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25j-A=="), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZQAA"), 400},
    {"4.2.1 5", WITH_KEY("dGhlIHNhbXBsZSBub25jZ==="), 400},
    {"4.2.1 5", WITH_KEY("AAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 400},
    {"11.3.1", ALL KEY, 400},
    {"4.2.1 6", GET HOST UPGRADE CONNECTION KEY, 426},
    {"4.4", GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n", 426},
    {"4.4", GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 013\r\n", 426},
    {"4.4", GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 13, 8\r\n", 426},
    {"4.4", GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 14\r\n", 426},
    {"4.4", GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version:\r\n", 426},
    {"11.3.5", ALL VERSION, 400},
    {"11.3.4", ALL "Sec-WebSocket-Protocol: a, b\r\n", 0},
    {"11.3.4", ALL "Sec-WebSocket-Protocol: a b\r\n", 400},
    {"11.3.4", ALL "Sec-WebSocket-Protocol: a b,\r\n", 400},
    {"11.3.4", ALL "Sec-WebSocket-Protocol:\r\n", 400},
    {"11.3.4", ALL "Sec-WebSocket-Protocol: ,\r\nSec-WebSocket-Protocol:\r\n", 400},
    {"9110 5.6.1.2", ALL "Sec-WebSocket-Protocol: a,\r\n", 0},
    {"9110 5.6.1.2", ALL "Sec-WebSocket-Protocol: ,a,,b\r\n", 0},
    {"9110 5.6.1.2", ALL "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol:\r\n", 0},
    {"11.3.4", ALL "Sec-WebSocket-Protocol: \"a\"\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo, bar; baz=2\r\n", 0},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo; a; b = \"c\" , bar\r\n", 0},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo,\r\nSec-WebSocket-Extensions:\r\n", 0},
    {"9.1", ALL "Sec-WebSocket-Extensions:\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo bar\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo;\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: ;a\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo; =1\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo; a=\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo; a=b c\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo; a=\"\"\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: foo; a=\"b\r\n", 400},
    {"9.1", ALL "Sec-WebSocket-Extensions: \"foo\"\r\n", 400},
    {"9110 7.8", ALL "Content-Length: 0\r\n", 0},
    {"9110 7.8", ALL "Content-Length: 1\r\n", 400},
    {"9110 7.8", ALL "Transfer-Encoding: chunked\r\n", 400},
};

static void read_head(struct http1_head *h, const char *text, struct buf *bytes)
{
	assert_int_equal(buf_printf(bytes, "%s\r\n", text), 0);
	*h = (struct http1_head){0};
	assert_int_equal(http1_head(h, bytes->data, bytes->len, HTTP1_HEAD_MAX), HTTP1_DONE);
}

static void handshakes_are_judged_by_the_book(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct buf bytes = {0};
		struct http1_head h;
		struct http1_span key;
		const char *why;
		int got;

		read_head(&h, cases[i].text, &bytes);
		got = websocket_check(&h, &key, &why);
		if (got != cases[i].want || !why != !got)
			fail_msg("RFC 6455 %s: %d (%s), not %d, of\n%s", cases[i].section, got,
				 why ? why : "", cases[i].want, cases[i].text);
		buf_free(&bytes);
	}
}

/* The example of RFC 6455 section 1.3. */
static void a_key_is_accepted(void **state)
{
	char accept[WEBSOCKET_ACCEPT_LEN + 1];
	struct buf bytes = {0};
	struct http1_head h;
	struct http1_span key;
	const char *why;

	(void)state;
	read_head(&h, ALL, &bytes);
	assert_int_equal(websocket_check(&h, &key, &why), 0);
	websocket_accept(accept, key, SHA1);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	buf_free(&bytes);
}

static void protocols_come_in_their_order(void **state)
{
	static const char *const want[] = {"a", "b.1", "A", "c"};
	struct buf bytes = {0};
	struct http1_head h;
	struct http1_span fields, list = {NULL, 0}, protocol;
	size_t n = 0;

	(void)state;
	read_head(&h,
		  ALL "sec-websocket-protocol: a, b.1 ,A\r\nX: y\r\nSEC-WEBSOCKET-PROTOCOL:c\r\n"
		      "Sec-WebSocket-Protocols: d\r\n",
		  &bytes);
	fields = h.fields;
	while (http1_next_element(&fields, &list, "sec-websocket-protocol", &protocol)) {
		assert_true(n < UNIT_COUNT(want));
		assert_int_equal(protocol.len, strlen(want[n]));
		assert_memory_equal(protocol.p, want[n], protocol.len);
		n++;
	}
	assert_int_equal(n, UNIT_COUNT(want));
	assert_false(http1_next_element(&fields, &list, "sec-websocket-protocol", &protocol));
	buf_free(&bytes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(handshakes_are_judged_by_the_book),
	    cmocka_unit_test(a_key_is_accepted),
	    cmocka_unit_test(protocols_come_in_their_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("websocket_handshake", tests, NULL, NULL);
}

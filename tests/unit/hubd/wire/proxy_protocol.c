/* Headers of the PROXY protocol, as its specification has them and as it forbids them. */
#include "wire/proxy_protocol.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define SIGN "\r\n\r\n\0\r\nQUIT\n"
#define FOUR "\xc6\x33\x64\x01\x0a\0\0\x01\x12\x67\x01\xbb"
#define ZEROS4 "\0\0\0\0"
#define SIX                                                                                      \
	"\x20\x01\x0d\xb8" ZEROS4 ZEROS4 "\0\0\0\x07\x20\x01\x0d\xb8" ZEROS4 ZEROS4 "\0\0\0\x01" \
	"\x12\x67\x01\xbb"

/* A literal with zeros in it. */
#define BYTES(text) text, sizeof(text) - 1

enum { MORE = -1, REFUSED = -2 };

static const struct {
	const char *name, *bytes;
	size_t len;
	int want; /* the header's length, MORE, or REFUSED */
	const char *client;
} cases[] = {
    {"nothing", BYTES(""), MORE, NULL},
    {"IPv4", BYTES(SIGN "\x21\x11\0\x0c" FOUR), 28, "198.51.100.1:4711"},
    {"and what follows", BYTES(SIGN "\x21\x11\0\x0c" FOUR "GET /"), 28, "198.51.100.1:4711"},
    {"IPv6", BYTES(SIGN "\x21\x21\0\x24" SIX), 52, "[2001:db8::7]:4711"},
    {"with extensions", BYTES(SIGN "\x21\x11\0\x13" FOUR "\x04\0\x04" ZEROS4 "x"), 35,
     "198.51.100.1:4711"},
    {"with bytes that are none", BYTES(SIGN "\x21\x11\0\x0e" FOUR "\xff\xff"), 30,
     "198.51.100.1:4711"},
    {"LOCAL", BYTES(SIGN "\x20\0\0\0"), 16, NULL},
    {"LOCAL with an address", BYTES(SIGN "\x20\x11\0\x0c" FOUR), 28, NULL},
    {"LOCAL of any family", BYTES(SIGN "\x20\xff\0\x01x"), 17, NULL},
    {"LOCAL, not whole", BYTES(SIGN "\x20\x11\0\x0c"), MORE, NULL},
    {"UNSPEC", BYTES(SIGN "\x21\0\0\0"), 16, NULL},
    {"UNSPEC with bytes", BYTES(SIGN "\x21\0\0\x03xyz"), 19, NULL},
    {"IPv4 of no transport", BYTES(SIGN "\x21\x10\0\x0c" FOUR), 28, NULL},
    {"IPv4 of no transport and no address", BYTES(SIGN "\x21\x10\0\0"), 16, NULL},
    {"UDP", BYTES(SIGN "\x21\x12\0\x0c" FOUR), 28, NULL},
    {"UDP6", BYTES(SIGN "\x21\x22\0\x24" SIX), 52, NULL},
    {"a Unix socket, not whole", BYTES(SIGN "\x21\x31\0\xd8/run/x"), MORE, NULL},
    {"a Unix socket, too short", BYTES(SIGN "\x21\x31\0\xd7/run/x"), REFUSED, NULL},
    {"IPv4, too short", BYTES(SIGN "\x21\x11\0\x0b" FOUR), REFUSED, NULL},
    {"IPv6, too short", BYTES(SIGN "\x21\x21\0\x23" SIX), REFUSED, NULL},
    {"a family that is none", BYTES(SIGN "\x21\x41\0\x0c" FOUR), REFUSED, NULL},
    {"a transport that is none", BYTES(SIGN "\x21\x13\0\x0c" FOUR), REFUSED, NULL},
    {"a command that is none", BYTES(SIGN "\x22\x11\0\x0c" FOUR), REFUSED, NULL},
    {"version 1 in binary", BYTES(SIGN "\x11\x11\0\x0c" FOUR), REFUSED, NULL},
    {"version 3", BYTES(SIGN "\x31\x11\0\x0c" FOUR), REFUSED, NULL},
    {"too long", BYTES(SIGN "\x21\x11\x0f\xf1" FOUR), REFUSED, NULL},
    {"as long as may be, not whole", BYTES(SIGN "\x21\x11\x0f\xf0" FOUR), MORE, NULL},
    {"a broken sign", BYTES("\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c" FOUR), REFUSED, NULL},
    {"the front of a sign", BYTES("\r\n\r\n"), MORE, NULL},

    {"TCP4", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 4711 443\r\nGET"), 43, "198.51.100.1:4711"},
    {"TCP6", BYTES("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"), 45, "[2001:db8::7]:4711"},
    {"port 0", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 0 0\r\n"), 38, "198.51.100.1"},
    {"UNKNOWN", BYTES("PROXY UNKNOWN\r\n"), 15, NULL},
    {"UNKNOWN with more", BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nx"),
     59, NULL},
    {"a line, not whole", BYTES("PROXY TCP4 198.51.100.1"), MORE, NULL},
    {"no line feed yet", BYTES("PROXY UNKNOWN\r"), MORE, NULL},
    {"the front of a word", BYTES("PRO"), MORE, NULL},
    {"no carriage return", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 4711 443\n"), REFUSED, NULL},
    {"TCP5", BYTES("PROXY TCP5 198.51.100.1 10.0.0.1 4711 443\r\n"), REFUSED, NULL},
    {"a small letter", BYTES("PROXY tcp4 198.51.100.1 10.0.0.1 4711 443\r\n"), REFUSED, NULL},
    {"nothing but the word", BYTES("PROXY \r\n"), REFUSED, NULL},
    {"a word that is like it", BYTES("PROXYS"), REFUSED, NULL},
    {"two spaces", BYTES("PROXY TCP4  198.51.100.1 10.0.0.1 4711 443\r\n"), REFUSED, NULL},
    {"a space at the end", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 4711 443 \r\n"), REFUSED, NULL},
    {"a word too many", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 4711 443 1\r\n"), REFUSED, NULL},
    {"a word too few", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 4711\r\n"), REFUSED, NULL},
    {"IPv6 as IPv4", BYTES("PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n"), REFUSED, NULL},
    {"IPv4 as IPv6", BYTES("PROXY TCP6 198.51.100.1 10.0.0.1 4711 443\r\n"), REFUSED, NULL},
    {"a name", BYTES("PROXY TCP4 localhost 10.0.0.1 4711 443\r\n"), REFUSED, NULL},
    {"a large port", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 65536 443\r\n"), REFUSED, NULL},
    {"a large port of ours", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 443 65536\r\n"), REFUSED,
     NULL},
    {"a zero before a port", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 04711 443\r\n"), REFUSED,
     NULL},
    {"a sign before a port", BYTES("PROXY TCP4 198.51.100.1 10.0.0.1 +4711 443\r\n"), REFUSED,
     NULL},
    {"107 bytes without an end",
     BYTES("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	   "aaaaaaaaaaaaaaaaaaaa"),
     REFUSED, NULL},
    {"an end behind 107 bytes",
     BYTES("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	   "aaaaaaaaaaaaaaaaaaa\r\n"),
     REFUSED, NULL},
    {"a request", BYTES("GET / HTTP/1.1\r\n"), REFUSED, NULL},
    {"TLS", BYTES("\x16\x03\x01\x02\0"), REFUSED, NULL},
    {"a byte", BYTES("\0"), REFUSED, NULL},
};

static int read_copy(struct proxy_header *h, const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1); /* of the exact size, for who looks behind it */
	enum proxy_got got;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	got = proxy_protocol_read(h, copy, len);
	free(copy);
	assert_true((got == PROXY_REFUSED) == (h->why != NULL));
	return got == PROXY_MORE ? MORE : got == PROXY_REFUSED ? REFUSED : (int)h->length;
}

static void headers_are_judged_by_the_book(void **state)
{
	char text[ADDRESS_TEXT];
	struct proxy_header h;
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(cases); i++) {
		if (read_copy(&h, cases[i].bytes, cases[i].len) != cases[i].want)
			fail_msg("%s: %s", cases[i].name, h.why ? h.why : "not refused");
		if (cases[i].want >= 0)
			assert_string_equal(address_text(&h.client, text),
					    cases[i].client ? cases[i].client : "no address");
	}
}

/* However it comes, nothing else is said before the end. */
static void a_header_in_pieces_waits_for_its_end(void **state)
{
	struct proxy_header h;
	size_t i, n;

	(void)state;
	for (i = 0; i < UNIT_COUNT(cases); i++)
		for (n = 0; cases[i].want > 0 && n < (size_t)cases[i].want; n++)
			if (read_copy(&h, cases[i].bytes, n) != MORE)
				fail_msg("%s: %zu bytes", cases[i].name, n);
}

static void a_unix_socket_has_no_address(void **state)
{
	char bytes[16 + 216] = SIGN "\x21\x31\0\xd8/run/app.sock";
	struct proxy_header h;

	(void)state;
	assert_int_equal(read_copy(&h, bytes, sizeof(bytes)), sizeof(bytes));
	assert_false(h.client.known);
}

static void the_longest_header(void **state)
{
	static char bytes[PROXY_PROTOCOL_MAX + 1] = SIGN "\x21\x11\x0f\xf0" FOUR;
	struct proxy_header h;

	(void)state;
	assert_int_equal(read_copy(&h, bytes, PROXY_PROTOCOL_MAX - 1), MORE);
	assert_int_equal(read_copy(&h, bytes, sizeof(bytes)), PROXY_PROTOCOL_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_are_judged_by_the_book),
	    cmocka_unit_test(a_header_in_pieces_waits_for_its_end),
	    cmocka_unit_test(a_unix_socket_has_no_address),
	    cmocka_unit_test(the_longest_header),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}

/* WebSocket frames, as RFC 6455 has them: fed whole, byte by byte and in random pieces, and what
 * comes out is the same. */
#include "wire/websocket.h"

#include "unit.h"
#include "wire/utf8_stream.h"
#include "wire_trace.h"

#define SPLITS 14
#define LIMIT 100000
#define A25 "aaaaaaaaaaaaaaaaaaaaaaaaa"
#define A125 A25 A25 A25 A25 A25
#define AUML4         \
	"abc\xc3\xa4" \
	"abc\xc3\xa4" \
	"abc\xc3\xa4" \
	"abc\xc3\xa4"

/* Frames in a notation of their own, masked each with another key:
 *
 *	81(Hello)     first byte 0x81, payload Hello, in the shortest form of its length
 *	81w(Hello)    the length in 16 bits          81q(Hello)     in 64 bits
 *	81u(Hello)    without a mask                 81*200(a)      a payload of 200 times "a"
 *	81l2147483648 a header alone, with that length in 64 bits
 *	x(81fe00)     bytes as they are, in hexadecimal
 */
static void put_length(struct buf *out, uint64_t len, char form, bool masked)
{
	unsigned char head[9];
	size_t n = form == 'q' || form == 'l' || (form != 'w' && len > 65535) ? 8
		   : form == 'w' || len > 125				      ? 2
									      : 0;

	head[0] = (unsigned char)((n == 8 ? 127 : n == 2 ? 126 : len) | (masked ? 0x80 : 0));
	for (size_t i = 0; i < n; i++)
		head[1 + i] = (unsigned char)(len >> (8 * (n - 1 - i)));
	assert_int_equal(buf_put(out, head, n + 1), 0);
}

static const char *put_frame(struct buf *out, const char *p)
{
	static uint32_t seed = 12345;
	unsigned char mask[4], first = (unsigned char)(http1_hex(p[0]) * 16 + http1_hex(p[1]));
	const char *close;
	char form = p[2];
	size_t repeat = 1, len;

	seed = seed * 1103515245 + 12345;
	memcpy(mask, &seed, 4);
	assert_int_equal(buf_put(out, &first, 1), 0);
	p += strchr("wqul", form) ? 3 : 2;
	if (form == 'l') {
		char *end;

		put_length(out, strtoull(p, &end, 10), form, true);
		assert_int_equal(buf_put(out, mask, 4), 0);
		return end;
	}
	if (*p == '*') {
		char *end;

		repeat = strtoul(p + 1, &end, 10);
		p = end;
	}
	assert_int_equal(*p, '(');
	close = strchr(++p, ')');
	assert_non_null(close);
	len = (size_t)(close - p);
	put_length(out, len * repeat, form, form != 'u');
	if (form != 'u')
		assert_int_equal(buf_put(out, mask, 4), 0);
	for (size_t i = 0; i < len * repeat; i++) {
		char c = (char)(p[i % len] ^ (form == 'u' ? 0 : mask[i & 3]));

		assert_int_equal(buf_put(out, &c, 1), 0);
	}
	return close + 1;
}

static void put_frames(struct buf *out, const char *p)
{
	while (*p) {
		if (*p == ' ') {
			p++;
		} else if (p[0] == 'x') {
			for (p += 2; *p != ')'; p += 2) {
				char c = (char)(http1_hex(p[0]) * 16 + http1_hex(p[1]));

				assert_int_equal(buf_put(out, &c, 1), 0);
			}
			p++;
		} else {
			p = put_frame(out, p);
		}
	}
}

/* want: as trace_frames() says it; "" where nothing whole came. */
static const struct {
	const char *section, *frames, *want;
} cases[] = {
    /* --- whole messages and the forms of a length --- */
    {"5.2", "", ""},
    {"5.6", "81(Hello)", "text(Hello)"},
    {"5.7", "x(818537fa213d7f9f4d5158)", "text(Hello)"},
    {"5.6", "82(Hello)", "binary(Hello)"},
    {"5.6", "82(\xff\xfe)", "binary(\xff\xfe)"},
    {"5.2", "81()", "text()"},
    {"5.2", "82()", "binary()"},
    {"5.2", "81(a) 81(b) 82(c)", "text(a) text(b) binary(c)"},
    {"5.2", "81*125(a)", "text(" A125 ")"},
    {"5.2", "81*252(a) 81(b)", "text[252] text(b)"},
    {"5.2", "82*65535(a) 81(b)", "binary[65535] text(b)"},
    {"5.2", "82*65536(a) 81(b)", "binary[65536] text(b)"},
    {"5.2", "81*100000(a) 81(b)", "text[100000] text(b)"},
    {"5.2", "81w(Hello)", "fail:1002"},
    {"5.2", "81w*125(a)", "fail:1002"},
    {"5.2", "81q(Hello)", "fail:1002"},
    {"5.2", "81q*65535(a)", "fail:1002"},
    {"5.2", "81w()", "fail:1002"},
    {"5.2", "x(81fe007d)", "fail:1002"}, /* no later than that */
    {"5.2", "x(81fe007e)", ""},
    {"5.2", "x(81ff000000000000ffff)", "fail:1002"},
    {"5.2", "81l9223372036854775808", "fail:1002"},
    {"5.2", "81l18446744073709551615", "fail:1002"},
    {"5.2", "88l9223372036854775808", "fail:1002"},
    {"5.2", "x(81)", ""},
    {"5.2", "x(8185)", ""},
    {"5.2", "x(818537fa213d)", ""},
    {"5.2", "x(818537fa213d7f9f4d51)", ""},

    /* --- masks --- */
    {"5.1", "81u(Hello)", "fail:1002"},
    {"5.1", "81u()", "fail:1002"},
    {"5.1", "89u()", "fail:1002"},
    {"5.1", "88u()", "fail:1002"},
    {"5.1", "81(a) 81u(b)", "text(a) fail:1002"},
    {"5.1", "01(a) 80u(b)", "fail:1002"},
    {"5.1", "x(8100)", "fail:1002"},
    {"5.3", "x(81850000000048656c6c6f)", "text(Hello)"},
    {"5.3", "81(a) 81(ab) 81(abc) 81(abcd) 81(abcde)",
     "text(a) text(ab) text(abc) text(abcd) text(abcde)"},

    /* --- reserved bits and opcodes --- */
    {"5.2", "c1(Hello)", "fail:1002"},
    {"5.2", "a1(Hello)", "fail:1002"},
    {"5.2", "91(Hello)", "fail:1002"},
    {"5.2", "f1(Hello)", "fail:1002"},
    {"5.2", "c9()", "fail:1002"},
    {"5.2", "01(a) c0(b)", "fail:1002"},
    {"5.2", "83()", "fail:1002"},
    {"5.2", "84()", "fail:1002"},
    {"5.2", "85()", "fail:1002"},
    {"5.2", "86()", "fail:1002"},
    {"5.2", "87()", "fail:1002"},
    {"5.2", "8b()", "fail:1002"},
    {"5.2", "8c()", "fail:1002"},
    {"5.2", "8d()", "fail:1002"},
    {"5.2", "8e()", "fail:1002"},
    {"5.2", "8f()", "fail:1002"},
    {"5.2", "03()", "fail:1002"},

    /* --- fragments --- */
    {"5.4", "01(Hel) 80(lo)", "text(Hello)"},
    {"5.4", "02(Hel) 80(lo)", "binary(Hello)"},
    {"5.4", "01(H) 00(e) 00(ll) 80(o)", "text(Hello)"},
    {"5.4", "01() 80(Hello)", "text(Hello)"},
    {"5.4", "01(Hello) 80()", "text(Hello)"},
    {"5.4", "01() 00() 80()", "text()"},
    {"5.4", "01() 00() 00(a) 00() 80()", "text(a)"},
    {"5.4", "02() 80()", "binary()"},
    {"5.4", "01*300(a) 80*300(b) 81(c)", "text[600] text(c)"},
    {"5.4", "01(a) 80(b) 01(c) 80(d)", "text(ab) text(cd)"},
    {"5.4", "01(a) 80(b) 82(c)", "text(ab) binary(c)"},
    {"5.4", "01(Hel)", ""},
    {"5.4", "80(lo)", "fail:1002"},
    {"5.4", "00(lo)", "fail:1002"},
    {"5.4", "81(a) 80(b)", "text(a) fail:1002"},
    {"5.4", "01(a) 80(b) 80(c)", "text(ab) fail:1002"},
    {"5.4", "01(a) 81(b)", "fail:1002"},
    {"5.4", "01(a) 01(b)", "fail:1002"},
    {"5.4", "01(a) 82(b)", "fail:1002"},
    {"5.4", "01() 82(b)", "fail:1002"},
    {"5.4", "02(a) 00(b) 02(c)", "fail:1002"},

    /* --- control frames --- */
    {"5.5.2", "89()", "ping()"},
    {"5.5.2", "89(Hello)", "ping(Hello)"},
    {"5.5.2", "89(\xff\xfe)", "ping(\xff\xfe)"},
    {"5.5.3", "8a()", "pong()"},
    {"5.5.3", "8a(Hello) 8a(a)", "pong(Hello) pong(a)"},
    {"5.5", "89*125(a)", "ping(" A125 ")"},
    {"5.5", "89*126(a)", "fail:1002"},
    {"5.5", "8a*126(a)", "fail:1002"},
    {"5.5", "88*126(a)", "fail:1002"},
    {"5.5", "89w(a)", "fail:1002"},
    {"5.5", "89q(a)", "fail:1002"},
    {"5.5", "x(89fe)", "fail:1002"},
    {"5.5", "09()", "fail:1002"},
    {"5.5", "0a()", "fail:1002"},
    {"5.5", "08()", "fail:1002"},
    {"5.4", "01(Hel) 89(x) 80(lo)", "ping(x) text(Hello)"},
    {"5.4", "01(Hel) 8a(x) 89() 00() 8a(y) 80(lo)", "pong(x) ping() pong(y) text(Hello)"},
    {"5.4", "01() 89(x) 80()", "ping(x) text()"},
    {"5.4", "89(x) 80(lo)", "ping(x) fail:1002"},
    {"5.4", "01(\xe2) 89(\xff) 80(\x82\xac)", "ping(\xff) text(\xe2\x82\xac)"},

    /* --- close --- */
    {"5.5.1", "88()", "close:1005 ()"},
    {"5.5.1", "88(\x03\xe8)", "close:1000 ()"},
    {"5.5.1",
     "88(\x03\xe8"
     "bye)",
     "close:1000 (bye)"},
    {"5.5.1", "88(\x03)", "fail:1002"},
    {"5.5.1", "x(8881)", "fail:1002"}, /* no later than that */
    {"5.5.1", "88(\x03\xe8\xff)", "fail:1007"},
    {"5.5.1", "88(\x03\xe8\xe2\x82)", "fail:1007"},
    {"5.5.1", "88(\x03\xe8\xe2\x82\xac)", "close:1000 (\xe2\x82\xac)"},
    {"5.5.1", "88(\x03\xe8\xed\xa0\x80)", "fail:1007"},
    {"5.5.1", "88() 81(a)", "close:1005 ()"},
    {"5.5.1", "88() 88()", "close:1005 ()"},
    {"5.5.1", "88() x(ffffffff)", "close:1005 ()"},
    {"5.5.1", "81(a) 88(\x03\xe9) 89()", "text(a) close:1001 ()"},
    {"5.5.1", "01(a) 88() 80(b)", "close:1005 ()"},
    {"7.1.7", "83() 81(a)", "fail:1002"},
    {"7.4.2", "x(8882000000000000)", "fail:1002"},
    {"7.4.2", "88(\x03\xe7)", "fail:1002"},
    {"7.4.1", "88(\x03\xeb)", "close:1003 ()"},
    {"7.4.1", "88(\x03\xec)", "fail:1002"}, /* 1004 */
    {"7.4.1", "88(\x03\xed)", "fail:1002"},
    {"7.4.1", "88(\x03\xee)", "fail:1002"},
    {"7.4.1", "88(\x03\xef)", "close:1007 ()"},
    {"7.4.1", "88(\x03\xf3)", "close:1011 ()"},
    {"11.7", "88(\x03\xf4)", "close:1012 ()"},
    {"11.7", "88(\x03\xf5)", "close:1013 ()"},
    {"11.7", "88(\x03\xf6)", "close:1014 ()"},
    {"7.4.1", "88(\x03\xf7)", "fail:1002"}, /* 1015 */
    {"7.4.1", "88(\x03\xf8)", "fail:1002"},
    {"7.4.2", "88(\x07\xd0)", "fail:1002"}, /* 2000 */
    {"7.4.2", "88(\x0b\xb7)", "fail:1002"}, /* 2999 */
    {"7.4.2", "88(\x0b\xb8)", "close:3000 ()"},
    {"7.4.2", "88(\x0f\xa0)", "close:4000 ()"},
    {"7.4.2", "88(\x13\x87)", "close:4999 ()"},
    {"7.4.2", "88(\x13\x88)", "fail:1002"},
    {"7.4.2", "88(\xff\xff)", "fail:1002"},

    /* --- text --- */
    {"8.1", "81(\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80)",
     "text(\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80)"},
    {"8.1", "01(\xf0) 00(\x9f) 00() 00(\x98) 80(\x80)", "text(\xf0\x9f\x98\x80)"},
    {"8.1", "81(\xff)", "fail:1007"},
    {"8.1", "81(a\x80)", "fail:1007"},
    {"8.1", "81(\xc3)", "fail:1007"},
    {"8.1", "81(\xe2\x82)", "fail:1007"},
    {"8.1", "81(\xf0\x9f\x98)", "fail:1007"},
    {"8.1", "01(\xe2\x82) 80()", "fail:1007"},
    {"8.1", "01(\xe2\x82) 80(a)", "fail:1007"},
    {"8.1", "01(\xe2\x82)", ""},
    {"8.1", "x(018500000000e228)", "fail:1007"}, /* at the byte, not at the end */
    {"8.1", "81(a) 81(\xed\xa0\x80) 81(b)", "text(a) fail:1007"},
    {"8.1", "01(\xff) 89()", "fail:1007"},
    {"8.1", "81(\xc3\xa4) 81(\xa4)", "text(\xc3\xa4) fail:1007"},
    {"8.1", "82(\xc3) 81(\xa4)", "binary(\xc3) fail:1007"},
    {"8.1", "81*33(abc\xc3\xa4) 81(b)",
     "text(" AUML4 AUML4 AUML4 AUML4 AUML4 AUML4 AUML4 AUML4 "abc\xc3\xa4) text(b)"},

    /* --- size --- */
    {"10.4", "81l100001", "fail:1009"},
    {"10.4", "x(81ff00000000000186a1)", "fail:1009"}, /* before the mask */
    {"10.4", "82l9223372036854775807", "fail:1009"},
    {"10.4", "81l4294967296", "fail:1009"},
    {"10.4", "01*60000(a) 80*40000(b)", "text[100000]"},
    {"10.4", "01*60000(a) 80*40001(b)", "fail:1009"},
    {"10.4", "01*60000(a) 00*40000(b) 80(c)", "fail:1009"},
    {"10.4", "01*60000(a) 00*40000(b) 80()", "text[100000]"},
    {"10.4", "01*60000(a) 00*40000(b) 89(x) 80()", "ping(x) text[100000]"},
    {"10.4", "81*60000(a) 81*60000(b)", "text[60000] text[60000]"},
    {"10.4", "01(a) 80l4294967295", "fail:1009"},
};

static void check(const char *section, const struct buf *bytes, uint32_t limit, const char *want,
		  const char *frames)
{
	for (uint32_t i = 0; i < (bytes->len > 10000 ? 4 : SPLITS); i++) {
		struct buf got = {0};

		trace_frames(&got, (unsigned char *)bytes->data, bytes->len, limit, trace_split(i));
		assert_int_equal(buf_put(&got, "", 1), 0);
		if (strcmp(got.data, want) != 0)
			fail_msg("RFC 6455 %s: %s, not %s, of %s", section, got.data, want, frames);
		buf_free(&got);
	}
}

static void frames_are_read_by_the_book(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct buf bytes = {0};

		put_frames(&bytes, cases[i].frames);
		check(cases[i].section, &bytes, LIMIT, cases[i].want, cases[i].frames);
		buf_free(&bytes);
	}
}

static void the_limit_is_for_the_caller(void **state)
{
	static const struct {
		const char *frames, *want;
		uint32_t limit;
	} limits[] = {
	    {"81(a)", "fail:1009", 0},
	    {"81() 89(abc) 01() 80()", "text() ping(abc) text()", 0},
	    {"81(abc) 81(abcd)", "text(abc) fail:1009", 3},
	    {"81l4294967296", "fail:1009", UINT32_MAX},
	    {"81l4294967295", "", UINT32_MAX},
	    {"01(a) 80l4294967295", "fail:1009", UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(limits); i++) {
		struct buf bytes = {0};

		put_frames(&bytes, limits[i].frames);
		check("10.4", &bytes, limits[i].limit, limits[i].want, limits[i].frames);
		buf_free(&bytes);
	}
	assert_true(sizeof(struct websocket_in) <= 32);
}

/* A frame in a message may come under a smaller limit than the one before. */
static void a_limit_may_sink_inside_a_message(void **state)
{
	struct websocket_in in = {0};
	struct websocket_piece e;
	struct buf bytes = {0};
	unsigned char *p, *end;

	(void)state;
	put_frames(&bytes, "01*100(a) 00() 80(b)");
	p = (unsigned char *)bytes.data;
	end = p + bytes.len;
	assert_int_equal(websocket_read(&in, &p, end, 100, &e), WEBSOCKET_DATA);
	assert_int_equal(e.len, 100);
	assert_int_equal(websocket_read(&in, &p, end, 50, &e), WEBSOCKET_FAILED);
	assert_int_equal(e.code, WEBSOCKET_TOO_LARGE);
	assert_int_equal(websocket_read(&in, &p, end, 50, &e), WEBSOCKET_MORE);
	assert_ptr_equal(p, end);
	buf_free(&bytes);
}

/* Unmasking is the same from each alignment, for each length. */
static void masks_go_on_at_any_place(void **state)
{
	unsigned char memory[16 + 6 + 100], payload[100];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (unsigned char)(i * 37);
	for (size_t align = 0; align < 16; align++) {
		for (size_t len = 0; len <= sizeof(payload); len++) {
			for (size_t cut = 0; cut <= len; cut += 1 + len / 10) {
				struct websocket_in in = {0};
				struct websocket_piece e;
				unsigned char *p = memory + align, *q;

				memcpy(p, "\x82\x80\x12\x34\x56\x78", 6);
				p[1] |= (unsigned char)len;
				for (size_t i = 0; i < len; i++)
					p[6 + i] = payload[i] ^ p[2 + i % 4];
				q = p;
				if (websocket_read(&in, &q, p + 6 + cut, LIMIT, &e) ==
				    WEBSOCKET_MORE)
					assert_int_equal(cut, 0);
				assert_int_equal(q - p, 6 + cut);
				if (cut < len)
					assert_int_equal(
					    websocket_read(&in, &q, p + 6 + len, LIMIT, &e),
					    WEBSOCKET_DATA);
				assert_true(e.last);
				assert_memory_equal(p + 6, payload, len);
			}
		}
	}
}

/* Each text of up to four bytes that starts outside ASCII, against RFC 3629's own grammar by way of
 * code points; what follows valid is ASCII. */
static bool reference(const unsigned char *p, size_t n)
{
	while (n) {
		static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
		size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : 4;
		uint32_t code = len == 1 ? p[0] : p[0] & (0x7fu >> len);

		if (p[0] >= 0x80 && (p[0] < 0xc0 || p[0] >= 0xf8))
			return false;
		if (len > n)
			return false;
		for (size_t i = 1; i < len; i++) {
			if (p[i] >> 6 != 2)
				return false;
			code = code << 6 | (p[i] & 0x3f);
		}
		if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		p += len;
		n -= len;
	}
	return true;
}

static void text_is_what_rfc_3629_says(void **state)
{
	static const unsigned char edge[] = {0x00, 0x28, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
					     0xa0, 0xbf, 0xc0, 0xe0, 0xed, 0xf4, 0xff};
	const size_t n = UNIT_COUNT(edge);

	(void)state;
	for (size_t i = 0; i < 256 * 256 * n * n; i++) {
		unsigned char text[4] = {(unsigned char)i, (unsigned char)(i >> 8),
					 edge[(i >> 16) % n], edge[(i >> 16) / n]};

		for (size_t len = 1; len <= 4; len++) {
			uint8_t whole = UTF8_STREAM_WHOLE, cut = UTF8_STREAM_WHOLE;
			const unsigned char *bad = utf8_stream(&whole, text, text + len),
					    *first = NULL;

			if (i >> 16 && len < 4)
				continue;
			for (size_t at = 0; at < len && !first; at++)
				first = utf8_stream(&cut, text + at, text + at + 1);
			if (bad != first || (!bad && whole != cut) ||
			    (!bad && whole == UTF8_STREAM_WHOLE) != reference(text, len))
				fail_msg("%02x %02x %02x %02x, %zu bytes", text[0], text[1],
					 text[2], text[3], len);
		}
	}
}

/* A bad byte is found at each place of a text longer than any block. */
static void a_bad_byte_is_found_anywhere(void **state)
{
	unsigned char text[100];

	(void)state;
	for (size_t at = 0; at < sizeof(text); at++) {
		uint8_t utf8 = UTF8_STREAM_WHOLE;

		memset(text, 'a', sizeof(text));
		text[at] = 0x80;
		assert_ptr_equal(utf8_stream(&utf8, text, text + sizeof(text)), text + at);
	}
}

static void our_own_control_frames(void **state)
{
	unsigned char out[2 + WEBSOCKET_CONTROL_MAX];
	char reason[200];

	(void)state;
	assert_int_equal(websocket_put_ping(out, "abc", 3), 5);
	assert_memory_equal(out,
			    "\x89\x03"
			    "abc",
			    5);
	assert_int_equal(websocket_put_pong(out, NULL, 0), 2);
	assert_memory_equal(out, "\x8a\x00", 2);
	assert_int_equal(websocket_put_close(out, 1001, "going"), 9);
	assert_memory_equal(out, "\x88\x07\x03\xe9going", 9);
	assert_int_equal(websocket_put_close(out, 1000, ""), 4);
	assert_memory_equal(out, "\x88\x02\x03\xe8", 4);
	assert_int_equal(websocket_put_close(out, WEBSOCKET_NO_CODE, "x"), 2);
	assert_memory_equal(out, "\x88\x00", 2);
	/* 123 bytes fit; a character that is cut goes whole. */
	memset(reason, 'a', sizeof(reason));
	reason[123] = '\0';
	assert_int_equal(websocket_put_close(out, 1000, reason), 127);
	reason[123] = 'a';
	reason[199] = '\0';
	assert_int_equal(websocket_put_close(out, 1000, reason), 127);
	memcpy(reason + 121, "\xe2\x82\xac", 3);
	assert_int_equal(websocket_put_close(out, 1000, reason), 125);
	assert_int_equal(out[1], 123);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_are_read_by_the_book),
	    cmocka_unit_test(the_limit_is_for_the_caller),
	    cmocka_unit_test(a_limit_may_sink_inside_a_message),
	    cmocka_unit_test(masks_go_on_at_any_place),
	    cmocka_unit_test(text_is_what_rfc_3629_says),
	    cmocka_unit_test(a_bad_byte_is_found_anywhere),
	    cmocka_unit_test(our_own_control_frames),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("websocket", tests, NULL, NULL);
}

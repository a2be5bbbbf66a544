/* Frames in and out: messages come whole wherever the stream is cut, whatever stands between their
 * pieces; what is no WebSocket is refused. */
#include "net/wsio.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define ROOM 64

struct stream {
	unsigned char bytes[200000];
	size_t len;
};

/* A frame as a server sends it. */
static void put_frame(struct stream *s, unsigned first, const char *text, size_t len)
{
	unsigned char *p = s->bytes + s->len;
	size_t head = 2;

	p[0] = (unsigned char)first;
	p[1] = (unsigned char)(len < 126 ? len : len < 65536 ? 126 : 127);
	for (size_t bytes = len < 126 ? 0 : len < 65536 ? 2 : 8; bytes--;)
		p[head++] = (unsigned char)((uint64_t)len >> (8 * bytes));
	memcpy(p + head, text, len);
	s->len += head + len;
}

/* What came out, as text: M(essage), P(ing), Q (pong), C(lose), each with its bytes; ! where the
 * stream was refused. */
static char *read_stream(const struct stream *s, size_t piece, size_t room, bool lines)
{
	struct wsio w = {.lines = lines};
	char *out = calloc(1, 2 * s->len + 16), *to = out;
	enum wsio_got got = WSIO_MORE;
	struct wsio_message m;

	assert_non_null(out);
	for (size_t at = 0; at < s->len && got != WSIO_BAD; at += piece) {
		size_t n = s->len - at < piece ? s->len - at : piece;
		char *copy = malloc(room + n);

		assert_non_null(copy);
		memcpy(copy + room, s->bytes + at, n);
		assert_true(wsio_feed(&w, copy + room, n, room));
		while ((got = wsio_next(&w, &m)) > WSIO_MORE) {
			*to++ = "?MPQC"[got];
			memcpy(to, m.p, m.len);
			to += m.len;
		}
		if (got != WSIO_BAD)
			assert_true(wsio_rest(&w));
		free(copy);
	}
	if (got == WSIO_BAD)
		*to++ = '!';
	/* Between messages nothing is held. */
	else if (to > out && !w.pieces)
		assert_null(w.held);
	wsio_reset(&w);
	return out;
}

static void expect_everywhere(const struct stream *s, const char *want, bool lines)
{
	static const size_t rooms[] = {0, 3, ROOM};

	for (size_t piece = 1; piece <= s->len; piece++) {
		for (size_t i = 0; i < UNIT_COUNT(rooms); i++) {
			char *got = read_stream(s, piece, rooms[i], lines);

			assert_string_equal(got, want);
			free(got);
		}
	}
}

static void cut_anywhere(void **state)
{
	static struct stream s;
	static char text[300], want[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	put_frame(&s, 0x81, "one", 3);
	put_frame(&s, 0x82, "two", 3);
	put_frame(&s, 0x81, "", 0);
	put_frame(&s, 0x81, text, sizeof(text));
	put_frame(&s, 0x89, "ping", 4);
	put_frame(&s, 0x81, "three", 5);
	put_frame(&s, 0x8a, "", 0);
	put_frame(&s, 0x88, "ab", 2);
	strcpy(want, "MoneMtwoMM");
	memcpy(want + 10, text, sizeof(text));
	strcpy(want + 10 + sizeof(text), "PpingMthreeQCab");
	expect_everywhere(&s, want, false);
}

static void in_pieces(void **state)
{
	static struct stream s;

	(void)state;
	s.len = 0;
	put_frame(&s, 0x01, "He", 2);
	put_frame(&s, 0x89, "!", 1);
	put_frame(&s, 0x00, "", 0);
	put_frame(&s, 0x00, "ll", 2);
	put_frame(&s, 0x80, "o", 1);
	put_frame(&s, 0x81, "next", 4);
	put_frame(&s, 0x02, "", 0);
	put_frame(&s, 0x80, "", 0);
	put_frame(&s, 0x81, "end", 3);
	expect_everywhere(&s, "P!MHelloMnextMMend", false);
}

static void long_ones(void **state)
{
	static struct stream s;
	static char text[70000], want[160000];
	char *got;

	(void)state;
	s.len = 0;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	put_frame(&s, 0x81, text, sizeof(text));
	put_frame(&s, 0x81, text, 65535);
	want[0] = 'M';
	memcpy(want + 1, text, sizeof(text));
	want[1 + sizeof(text)] = 'M';
	memcpy(want + 2 + sizeof(text), text, 65535);
	for (size_t piece = 997; piece <= s.len; piece = piece * 3 + 1) {
		got = read_stream(&s, piece, ROOM, false);
		assert_string_equal(got, want);
		free(got);
	}
}

static void lines_too(void **state)
{
	static struct stream s;

	(void)state;
	s.len = 0;
	memcpy(s.bytes, "one\n\ntwo and more\nthree\n", 24);
	s.len = 24;
	expect_everywhere(&s, "MoneMMtwo and moreMthree", true);
}

static void refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} wrong[] = {
	    {"\x81\x81mmmmx", 7},			      /* masked */
	    {"\xc1\x01x", 3},				      /* reserved bits */
	    {"\x83\x01x", 3},				      /* a reserved opcode */
	    {"\x80\x01x", 3},				      /* a continuation of nothing */
	    {"\x01\x01x\x81\x01y", 6},			      /* a message within another */
	    {"\x09\x01x", 3},				      /* a ping in pieces */
	    {"\x89\x7e\x00\x7e", 4},			      /* a ping of 126 bytes */
	    {"\x81\x7f\x00\x00\x00\xff\x00\x00\x00\x00", 10}, /* a terabyte */
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++) {
		static struct stream s;

		memcpy(s.bytes, wrong[i].bytes, wrong[i].len);
		s.len = wrong[i].len;
		expect_everywhere(&s, "!", false);
	}
}

static void frames_out(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 8, 125, 126, 65535, 65536, 70001};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
		size_t len = sizes[i], head, want = len < 126 ? 6 : len < 65536 ? 8 : 14;
		unsigned char *frame = malloc(WSIO_HEADER_MAX + len);
		unsigned char key[4];

		assert_non_null(frame);
		head = wsio_header(frame, 1, len, 0x12345678);
		assert_int_equal(head, want);
		assert_int_equal(frame[0], 0x81);
		assert_true(frame[1] & 0x80);
		memcpy(key, frame + head - 4, 4);
		memset(frame + head, 'a', len);
		wsio_mask(frame + head, len, 0x12345678);
		for (size_t at = 0; at < len; at++)
			assert_int_equal(frame[head + at] ^ key[at % 4], 'a');
		free(frame);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cut_anywhere), cmocka_unit_test(in_pieces),
	    cmocka_unit_test(long_ones),    cmocka_unit_test(lines_too),
	    cmocka_unit_test(refused),	    cmocka_unit_test(frames_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wsio", tests, NULL, NULL);
}

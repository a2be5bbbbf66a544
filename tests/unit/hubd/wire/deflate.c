/* permessage-deflate, as RFC 7692 has it: what is deflated comes out again by any window that was
 * promised, and no more than is allowed for comes out of anything. */
#include "wire/deflate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "unit.h"
#include "wire/websocket.h"
#include "wire/wsframe.h"

static struct deflater *d;

static int make(void **state)
{
	(void)state;
	d = deflater_new();
	return d ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	deflater_free(d);
	return 0;
}

/* Something like what members send: texts of so many bytes, which are shorter deflated. */
static char *text_of(size_t len)
{
	static const char sample[] = "{\"type\":\"move\",\"x\":%d.%d,\"who\":\"a%d\"},";
	char *text = malloc(len + 64);
	size_t at = 0;

	assert_non_null(text);
	for (int i = 0; at < len; i++)
		at += (size_t)snprintf(text + at, 64, sample, i * 7919 % 997, i * 31 % 10, i % 40);
	return text;
}

/* The payload of a frame, as another zlib with a window of so many bits has it. Returns its length,
 * or SIZE_MAX where that is not enough. */
static size_t others(unsigned bits, const unsigned char *data, size_t len, char *out, size_t cap)
{
	z_stream s = {0};
	static unsigned char tail[] = {0, 0, 0xff, 0xff};
	int r;

	assert_int_equal(inflateInit2(&s, -(int)bits), Z_OK);
	s.next_in = (unsigned char *)(uintptr_t)data;
	s.avail_in = (uInt)len;
	s.next_out = (unsigned char *)out;
	s.avail_out = (uInt)cap;
	r = inflate(&s, Z_SYNC_FLUSH);
	assert_int_not_equal(r, Z_STREAM_END); /* no final block */
	s.next_in = tail;
	s.avail_in = sizeof(tail);
	if (r == Z_OK || r == Z_BUF_ERROR)
		r = inflate(&s, Z_SYNC_FLUSH);
	len = s.total_out;
	inflateEnd(&s);
	return r == Z_OK || r == Z_BUF_ERROR ? len : SIZE_MAX;
}

static void every_window_is_kept(void **state)
{
	static const size_t sizes[] = {64, 200, 250, 251, 512, 4096, 40000, 70000, 300000};

	(void)state;
	for (unsigned bits = DEFLATE_BITS_MIN; bits <= DEFLATE_BITS_MAX; bits++)
		for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
			size_t len = sizes[i], header;
			char *text = text_of(len), *back = malloc(len + 1);
			struct buf out = {0};
			const unsigned char *frame;

			/* Twice: nothing is taken over. */
			for (int again = 0; again < 2; again++) {
				out.len = 0;
				if (deflate_frame(d, bits, text, len, &out) == 1)
					continue;
				frame = (const unsigned char *)out.data;
				header = wsframe_header_len(frame);
				assert_int_equal(frame[0], 0xc1);
				assert_true(out.len < len + header);
				assert_true(others(bits, frame + header, out.len - header, back,
						   len + 1) == len);
				assert_memory_equal(back, text, len);
			}
			assert_true(out.len > 0 || len == 64);
			buf_free(&out);
			free(text);
			free(back);
		}
}

static void what_is_not_shorter_goes_as_it_is(void **state)
{
	struct buf out = {0};
	char random[300];
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
	assert_int_equal(deflate_frame(d, 15, random, sizeof(random), &out), 1);
	assert_int_equal(deflate_frame(d, 15, "a", 1, &out), 1);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

/* --- what comes in */

/* Bytes in hexadecimal. */
static size_t bytes_of(const char *hex, unsigned char *out)
{
	size_t n = 0;

	for (; *hex; hex += 2, n++) {
		char pair[3] = {hex[0], hex[1], '\0'};

		out[n] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return n;
}

static const struct {
	const char *hex, *want; /* NULL: -EBADMSG */
} streams[] = {
    {"f248cdc9c90700", "Hello"},	     /* RFC 7692 section 7.2.3.1 */
    {"000500faff48656c6c6f00", "Hello"},     /* 7.2.3.3: a block that is stored */
    {"f348cdc9c9070000", "Hello"},	     /* 7.2.3.4: a final block, and the octet behind it */
    {"f348cdc9c90700", "Hello"},	     /* without that */
    {"f24805000000ffffcac9c90700", "Hello"}, /* 7.2.3.5: two blocks */
    {"f348cdc9c90700f348cdc9c9070000", "HelloHello"}, /* two streams */
    {"00", ""},					      /* 7.2.3.6: an empty message */
    {"", ""},					      /* the same, by who cuts more */
    {"0300", ""},				      /* a final block of nothing */
    {"f248cdc9c9", NULL},			      /* ends inside a block */
    {"f2", NULL},
    {"07", NULL},		      /* a block of no type */
    {"000500ffff48656c6c6f00", NULL}, /* a length that is not its complement's */
    {"0005", NULL},
    {"ffffffff", NULL},
    {"0202", NULL}, /* a distance beyond the start */
};

static void streams_are_what_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(streams); i++) {
		unsigned char in[64], *exact;
		struct buf out = {0};
		size_t n;
		int r;

		n = bytes_of(streams[i].hex, in);
		exact = malloc(n ? n : 1);
		memcpy(exact, in, n);
		r = inflate_message(d, exact, n, 100, &out);
		if (streams[i].want) {
			if (r != 0)
				fail_msg("%s: %d", streams[i].hex, r);
			assert_int_equal(out.len, strlen(streams[i].want));
			assert_memory_equal(out.data ? out.data : "", streams[i].want, out.len);
		} else if (r != -EBADMSG) {
			fail_msg("%s: %d", streams[i].hex, r);
		}
		free(exact);
		buf_free(&out);
	}
}

static void bombs_are_put_out(void **state)
{
	size_t len = 16 << 20;
	char *zeros = calloc(1, len);
	struct buf frame = {0}, out = {0};
	size_t header;

	(void)state;
	assert_int_equal(deflate_frame(d, 15, zeros, len, &frame), 0);
	header = wsframe_header_len((unsigned char *)frame.data);
	assert_true(frame.len < len / 200);
	for (size_t limit = 1; limit < len; limit = limit * 5 + 3) {
		assert_int_equal(
		    inflate_message(d, frame.data + header, frame.len - header, limit, &out),
		    -EMSGSIZE);
		assert_true(out.len <= limit + 1 && out.cap <= 2 * limit + 1024);
		buf_free(&out);
	}
	assert_int_equal(inflate_message(d, frame.data + header, frame.len - header, len - 1, &out),
			 -EMSGSIZE);
	buf_free(&out);
	assert_int_equal(inflate_message(d, frame.data + header, frame.len - header, len, &out), 0);
	assert_int_equal(out.len, len);
	buf_free(&out);
	/* Behind what is there already. */
	assert_int_equal(buf_puts(&out, "before"), 0);
	assert_int_equal(inflate_message(d, "\xf2\x48\xcd\xc9\xc9\x07", 7, 5, &out), 0);
	assert_memory_equal(out.data, "beforeHello", 11);
	out.len = 0;
	assert_int_equal(inflate_message(d, "\xf2\x48\xcd\xc9\xc9\x07", 7, 4, &out), -EMSGSIZE);
	buf_free(&out);
	buf_free(&frame);
	free(zeros);
}

static void final_blocks_are_bounded(void **state)
{
	struct buf in = {0}, out = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_put(&in, "\x03\x00", 2), 0);
	assert_int_equal(inflate_message(d, in.data, in.len, 100, &out), -EBADMSG);
	assert_int_equal(inflate_message(d, in.data, 20, 100, &out), 0);
	assert_int_equal(out.len, 0);
	buf_free(&in);
	buf_free(&out);
}

/* --- frames that say that they are deflated (section 6) */

/* In hexadecimal, unmasked payload of short frames; what comes of it: pieces, "+" where the message
 * ends, "d" before deflated ones, or the code of a failure. */
static const struct {
	const char *frames, *want, *plain; /* plain: without permessage-deflate */
} frames[] = {
    {"c1(abc)", "d(abc)+", "1002"},
    {"81(abc)", "(abc)+", "(abc)+"},
    {"c1() 81(x)", "d()+ (x)+", "1002"},
    {"81(x) c1(abc) 82(y)", "(x)+ d(abc)+ (y)+", "(x)+ 1002"},
    {"c1(\xff)", "d(\xff)+", "1002"},
    {"81(\xff)", "1007", "1007"},
    {"c2(abc)", "d(abc)+", "1002"},
    {"41(ab) 80(c)", "d(ab) d(c)+", "1002"},
    {"41(ab) c0(c)", "d(ab) 1002", "1002"},
    {"01(ab) c0(c)", "(ab) 1002", "(ab) 1002"},
    {"01(ab) 80(c) c1(x)", "(ab) (c)+ d(x)+", "(ab) (c)+ 1002"},
    {"41(ab) 89(p) 80(c)", "d(ab) ping d(c)+", "1002"},
    {"c9(p)", "1002", "1002"},
    {"c8()", "1002", "1002"},
    {"ca()", "1002", "1002"},
    {"e1(a)", "1002", "1002"},
    {"d1(a)", "1002", "1002"},
    {"a1(a)", "1002", "1002"},
    {"c3(a)", "1002", "1002"},
};

static size_t put_frames(const char *p, unsigned char *out)
{
	size_t n = 0;

	while (*p) {
		const char *open = strchr(p, '('), *close = strchr(p, ')');

		out[n++] = (unsigned char)strtoul(p, NULL, 16);
		out[n++] = (unsigned char)(0x80 | (close - open - 1));
		memset(out + n, 0, 4);
		n += 4;
		memcpy(out + n, open + 1, (size_t)(close - open - 1));
		n += (size_t)(close - open - 1);
		p = close[1] ? close + 2 : close + 1;
	}
	return n;
}

static void read_frames(const char *text, bool deflates, char *got, size_t cap)
{
	struct websocket_in in = {0};
	struct websocket_piece e;
	enum websocket_event event;
	unsigned char bytes[200], *p = bytes;
	size_t n = put_frames(text, bytes), at = 0;

	if (deflates)
		websocket_deflates(&in);
	got[0] = '\0';
	while ((event = websocket_read(&in, &p, bytes + n, 1000, &e)) != WEBSOCKET_MORE) {
		const char *space = at ? " " : "";

		if (event == WEBSOCKET_DATA)
			at += (size_t)snprintf(got + at, cap - at, "%s%s(%.*s)%s", space,
					       e.deflated ? "d" : "", (int)e.len, e.data,
					       e.last ? "+" : "");
		else if (event == WEBSOCKET_FAILED)
			at += (size_t)snprintf(got + at, cap - at, "%s%d", space, e.code);
		else
			at += (size_t)snprintf(got + at, cap - at, "%sping", space);
	}
}

static void frames_say_what_is_deflated(void **state)
{
	char got[200];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(frames); i++) {
		read_frames(frames[i].frames, true, got, sizeof(got));
		assert_string_equal(got, frames[i].want);
		read_frames(frames[i].frames, false, got, sizeof(got));
		assert_string_equal(got, frames[i].plain);
	}
}

/* A message of just the size that may be deflates to some more where it is random. */
static void there_is_room_for_what_does_not_shrink(void **state)
{
	struct websocket_in in = {0};
	struct websocket_piece e;
	unsigned char header[] = {0xc1, 0xfe, 0, 0, 0, 0, 0, 0}, *p = header;

	(void)state;
	for (unsigned len = 1189; len <= 1190; len++) {
		in = (struct websocket_in){0};
		websocket_deflates(&in);
		p = header;
		header[2] = (unsigned char)(len >> 8);
		header[3] = (unsigned char)len;
		assert_int_equal(websocket_read(&in, &p, header + 8, 1000, &e),
				 len == 1189 ? WEBSOCKET_MORE : WEBSOCKET_FAILED);
	}
	assert_int_equal(e.code, 1009);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_window_is_kept),
	    cmocka_unit_test(what_is_not_shorter_goes_as_it_is),
	    cmocka_unit_test(streams_are_what_they_are),
	    cmocka_unit_test(bombs_are_put_out),
	    cmocka_unit_test(final_blocks_are_bounded),
	    cmocka_unit_test(frames_say_what_is_deflated),
	    cmocka_unit_test(there_is_room_for_what_does_not_shrink),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make, drop);
}

/* The byte buffer; and that what it writes as JSON is JSON, whatever it was given. */
#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"
#include "unit.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static void bytes_are_appended(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_put(&b, "a\0b", 3), 0);
	assert_int_equal(buf_puts(&b, ""), 0);
	assert_int_equal(buf_puts(&b, "cd"), 0);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(buf_printf(&b, "-%d-%s", 7, "x"), 0);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "a\0bcd-7-x", 9);
	assert_true(b.len <= b.cap);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.len + b.cap, 0);
	buf_free(&b);
}

static void numbers_are_written(void **state)
{
	static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX};
	struct buf b = {0}, want = {0};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(numbers); i++) {
		assert_int_equal(buf_put_u64(&b, numbers[i]), 0);
		assert_int_equal(buf_printf(&want, "%ju", (uintmax_t)numbers[i]), 0);
		assert_int_equal(b.len, want.len);
		assert_memory_equal(b.data, want.data, b.len);
	}
	buf_free(&b);
	buf_free(&want);
}

static void it_grows_and_is_consumed_like_a_queue(void **state)
{
	struct buf b = {0};
	unsigned char in = 0, out = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		if (pick(2)) {
			unsigned char piece[300];
			size_t n = pick(sizeof(piece) + 1);

			for (size_t k = 0; k < n; k++)
				piece[k] = in++;
			assert_int_equal(buf_put(&b, piece, n), 0);
		} else {
			size_t n = pick((uint32_t)b.len + 1);

			for (size_t k = 0; k < n; k++)
				assert_int_equal((unsigned char)b.data[k], out++);
			buf_consume(&b, n);
		}
		assert_true(b.len <= b.cap);
	}
	buf_consume(&b, b.len);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void room_is_made_ahead(void **state)
{
	struct buf b = {0};
	const char *data;

	(void)state;
	assert_int_equal(buf_reserve(&b, 100000), 0);
	assert_true(b.cap >= 100000);
	assert_int_equal(b.len, 0);
	data = b.data;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_put(&b, "x", 1), 0);
	assert_ptr_equal(b.data, data);
	buf_free(&b);
}

static void what_cannot_be_had_changes_nothing(void **state)
{
	struct buf b = {0}, before;

	(void)state;
	assert_int_equal(buf_puts(&b, "abc"), 0);
	before = b;
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 3), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2 + 1), -ENOMEM);
	assert_memory_equal(&b, &before, sizeof(b));
	assert_memory_equal(b.data, "abc", 3);
	buf_free(&b);
}

/* As a JSON text of its own, accepted by the scanner; behind other bytes, which stay. */
static void put_json(struct buf *b, const char *text, size_t n)
{
	struct json_scan scan;

	b->len = 0;
	assert_int_equal(buf_puts(b, "before"), 0);
	assert_int_equal(buf_put_json(b, text, n), 0);
	assert_memory_equal(b->data, "before", 6);
	if (json_scan(NULL, b->data + 6, b->len - 6, NULL, &scan) != JSON_OK ||
	    scan.type != JSON_STRING)
		fail_msg("%s at %u: %.*s", json_strerror(scan.status), scan.at, (int)b->len,
			 b->data);
}

static void assert_json(const char *text, size_t n, const char *want)
{
	struct buf b = {0};

	put_json(&b, text, n);
	assert_int_equal(b.len - 6, strlen(want));
	assert_memory_equal(b.data + 6, want, strlen(want));
	buf_free(&b);
}

static void json_strings_are_escaped(void **state)
{
	(void)state;
	assert_json("", 0, "\"\"");
	assert_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
	assert_json("\0\n\x1f\x7f", 4, "\"\\u0000\\u000a\\u001f\x7f\"");
	assert_json("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

#define FFFD "\xef\xbf\xbd"

static void broken_utf8_is_replaced(void **state)
{
	(void)state;
	assert_json("\x80", 1, "\"" FFFD "\"");
	assert_json("a\xff"
		    "b",
		    3, "\"a" FFFD "b\"");
	assert_json("\xc3", 1, "\"" FFFD "\"");
	assert_json("\xc0\x80", 2, "\"" FFFD FFFD "\"");		   /* overlong */
	assert_json("\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\"");	   /* a surrogate */
	assert_json("\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\""); /* over U+10FFFF */
	assert_json("\xe2\x82", 2, "\"" FFFD FFFD "\"");		   /* cut off */
	assert_json("\xe2\x82\"", 3, "\"" FFFD FFFD "\\\"\"");
}

/* What comes back is what went in, wherever that was Unicode without a NUL in it. */
static void any_bytes_become_json(void **state)
{
	struct buf b = {0};
	char *text, back[64];

	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		/* Of the exact size, so that AddressSanitizer sees a read behind it. */
		text = malloc(2);
		text[0] = (char)(i >> 8);
		text[1] = (char)i;
		put_json(&b, text, 2);
		put_json(&b, text + 1, 1);
		if (i < 0x8000 && (i & 0xff) < 0x80) {
			put_json(&b, text, 2);
			assert_int_equal(json_unescape(b.data + 7, b.len - 8, back, sizeof(back)),
					 2);
			assert_memory_equal(back, text, 2);
		}
		free(text);
	}
	for (int i = 0; i < 100000; i++) {
		size_t n = pick(12);

		text = malloc(n ? n : 1);
		for (size_t k = 0; k < n; k++)
			text[k] = (char)(pick(2) ? 0x80 + pick(0x80) : pick(0x80));
		put_json(&b, text, n);
		free(text);
	}
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_are_appended),
	    cmocka_unit_test(numbers_are_written),
	    cmocka_unit_test(it_grows_and_is_consumed_like_a_queue),
	    cmocka_unit_test(room_is_made_ahead),
	    cmocka_unit_test(what_cannot_be_had_changes_nothing),
	    cmocka_unit_test(json_strings_are_escaped),
	    cmocka_unit_test(broken_utf8_is_replaced),
	    cmocka_unit_test(any_bytes_become_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

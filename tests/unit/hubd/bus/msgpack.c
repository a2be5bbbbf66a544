/* msgpack as JSON, and JSON as msgpack: the bytes on one side are those of notepack.io 3.0.1. */
#include "bus/msgpack.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

#define BYTES(text) ((struct span){text, sizeof(text) - 1})

static void json_is(struct span bytes, const char *want)
{
	struct buf b = {0};
	int r = msgpack_json(&b, &bytes, 0, 1 << 20);

	assert_int_equal(r, 0);
	assert_int_equal(bytes.len, 0);
	buf_put(&b, "", 1);
	assert_string_equal(b.data, want);
	buf_free(&b);
}

static int status_of(struct span bytes, size_t max)
{
	struct buf b = {0};
	int r = msgpack_json(&b, &bytes, 0, max);

	buf_free(&b);
	return r;
}

static void becomes_json(void **state)
{
	(void)state;
	/* clang-format off */
	json_is(BYTES("\xdc\x00\x1e\x00\x7f\xcc\x80\xcc\xff\xcd\x01\x00\xcd\xff\xff\xce\x00\x01\x00\x00\xce\xff\xff\xff\xff"
	    "\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xcf\x00\x20\x00\x00\x00\x00\x00\x00\xff\xe0\xd0\xdf\xd0\x80\xd1\xff\x7f"
	    "\xd1\x80\x00\xd2\xff\xff\x7f\xff\xd2\x80\x00\x00\x00\xd3\xff\xff\xff\xff\x7f\xff\xff\xff\xcb\x3f\xe0\x00\x00"
	    "\x00\x00\x00\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xc3\xc2\xc0\xc0"
	    "\xd6\xff\x00\x00\x00\x00\xd7\xff\x00\xf4\x24\x00\x69\x2b\x97\x8b\xc7\x0c\xff\x1d\xcd\x65\x00\xff\xff\xff\xff"
	    "\xff\xff\xff\xfe\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x0e\xea\x4f\x03\x00"),
	    "[0,127,128,255,256,65535,65536,4294967295,4294967296,9007199254740992,-1,-32,-33,-128,-129,-32768,-32769,"
	    "-2147483648,-2147483649,0.5,0,null,true,false,null,null,\"1970-01-01T00:00:00.000Z\","
	    "\"2025-11-30T01:02:03.004Z\",\"1969-12-31T23:59:58.500Z\",\"4000-01-01T00:00:00.000Z\"]");
	/* clang-format on */
	json_is(BYTES("\xca\x3f\x80\x00\x00"), "1");
	json_is(BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1");
	json_is(BYTES("\xd4\x00\x00"), "null"); /* undefined, as it once was */
	json_is(BYTES("\xc7\x02\x00\x01\x02"), "{\"$base64\":\"AQI=\"}");
	json_is(BYTES("\xd4\x05\x07"), "null");
	json_is(BYTES("\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "null"); /* no nanoseconds */
	json_is(BYTES("\xc5\x00\x03\x01\x02\x03"), "{\"$base64\":\"AQID\"}");
	json_is(BYTES("\xd9\x04\"\\\n\x01"), "\"\\\"\\\\\\u000a\\u0001\"");
	json_is(BYTES("\xa2\xff\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	json_is(BYTES("\x82\xa1k\x91\xc0\x05\x80"), "{\"k\":[null],\"5\":{}}");
}

static void refuses(void **state)
{
	static const struct span bad[] = {
	    {"", 0},
	    {"\xc1", 1},
	    {"\xa2x", 2},
	    {"\xd9", 1},
	    {"\xdb\xff\xff\xff\xff", 5},
	    {"\x91", 1},
	    {"\xdd\xff\xff\xff\xff\xc0", 6},
	    {"\xdf\x80\x00\x00\x00\xc0\xc0", 7},
	    {"\x81\xa1k", 3},
	    {"\x81\xc0\xc0", 3}, /* no name */
	    {"\x81\x90\xc0", 3},
	    {"\xcf\x00\x00", 3},
	    {"\xd4\x05", 2},
	};
	char deep[100];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		if (status_of(bad[i], 1000) != -EINVAL)
			fail_msg("number %zu is taken", i);
	memset(deep, '\x91', sizeof(deep));
	deep[99] = '\xc0';
	assert_int_equal(status_of((struct span){deep, sizeof(deep)}, 1000), -EINVAL);
	assert_int_equal(status_of((struct span){deep + 60, 40}, 1000), 0);
	assert_int_equal(status_of(BYTES("\xa5hello"), 4), -EMSGSIZE);
}

static void whole_values(void **state)
{
	struct span s = BYTES("\x92\xa1"
			      "a\x81\xa1k\xc4\x01\x00\x05"),
		    all;

	(void)state;
	assert_true(msgpack_take_whole(&s, &all));
	assert_int_equal(all.len, 9);
	assert_true(msgpack_take_whole(&s, &all));
	assert_int_equal(all.len, 1);
	assert_false(msgpack_take_whole(&s, &all));
}

static void json_becomes(const char *json, unsigned binaries, struct span want)
{
	struct buf b = {0};

	assert_int_equal(msgpack_put_json(&b, json, strlen(json), &binaries), 0);
	if (b.len != want.len || memcmp(b.data, want.p, want.len) != 0)
		fail_msg("%s is written otherwise", json);
	buf_free(&b);
}

static void comes_from_json(void **state)
{
	(void)state;
	json_becomes("null", 0, BYTES("\xc0"));
	json_becomes("true", 0, BYTES("\xc3"));
	json_becomes("127", 0, BYTES("\x7f"));
	json_becomes("128.0", 0, BYTES("\xd3\0\0\0\0\0\0\0\x80"));
	json_becomes("-1", 0, BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"));
	json_becomes("0.5", 0, BYTES("\xcb\x3f\xe0\0\0\0\0\0\0"));
	json_becomes("1e300", 0, BYTES("\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c"));
	json_becomes("1e999", 0, BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"));
	json_becomes("-0", 0, BYTES("\xcb\x80\0\0\0\0\0\0\0"));
	json_becomes("\"\"", 0, BYTES("\xa0"));
	json_becomes("\"\\u00e4\\n\"", 0, BYTES("\xa3\xc3\xa4\n"));
	json_becomes("\"a\\ud83d\\ude00\\ud800\\n\\udc00\\ud800\"", 0,
		     BYTES("\xaf"
			   "a\xf0\x9f\x98\x80\xef\xbf\xbd\n\xef\xbf\xbd\xef\xbf\xbd"));
	json_becomes("[ 1 , {\"k\":[]} ]", 0,
		     BYTES("\xdd\0\0\0\x02\x01\xdf\0\0\0\x01\xa1k\xdd\0\0\0\0"));
	json_becomes("[{\"$base64\":\"AQI=\"},{\"$base64\":\"\"}]", 1,
		     BYTES("\xdd\0\0\0\x02\xc6\0\0\0\x02\x01\x02\xdf\0\0\0\x01\xa7$base64\xa0"));
	json_becomes("{\"$base64\":\"A\"}", 1,
		     BYTES("\xdf\0\0\0\x01\xa7$base64\xa1"
			   "A"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(becomes_json),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(whole_values),
	    cmocka_unit_test(comes_from_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("msgpack", tests, NULL, NULL);
}

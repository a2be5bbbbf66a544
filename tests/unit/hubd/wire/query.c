/* Queries, places and events: what comes from outside, and what goes there. */
#include "wire/query.h"

#include <errno.h>

#include "base/buf.h"
#include "unit.h"
#include "wire/http1_target.h"
#include "wire/log_place.h"
#include "wire/sse.h"

static struct http1_span span(const char *text)
{
	return (struct http1_span){text, strlen(text)};
}

static void a_query_is_names_and_values(void **state)
{
	struct http1_span query = span("&a=1&&b=x=y&c&=d&"), name, value, none = {NULL, 0};
	static const char *const want[][2] = {{"a", "1"}, {"b", "x=y"}, {"c", ""}, {"", "d"}};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(want); i++) {
		assert_true(query_next(&query, &name, &value));
		assert_int_equal(name.len, strlen(want[i][0]));
		assert_memory_equal(name.p, want[i][0], name.len);
		assert_int_equal(value.len, strlen(want[i][1]));
		assert_memory_equal(value.p, want[i][1], value.len);
	}
	assert_false(query_next(&query, &name, &value));
	assert_false(query_next(&none, &name, &value));
}

static ssize_t decoded(const char *text, const char *want, size_t cap)
{
	char out[16];
	ssize_t n = http1_decode(span(text), true, out, cap);

	if (n >= 0) {
		assert_int_equal(n, strlen(want));
		assert_memory_equal(out, want, (size_t)n);
	}
	return n;
}

static void escapes_are_decoded_once(void **state)
{
	(void)state;
	assert_int_equal(decoded("", "", 0), 0);
	assert_int_equal(decoded("a+b%20%2B%2541", "a b +%41", 16), 8);
	assert_int_equal(decoded("%c3%A9", "\xc3\xa9", 2), 2);
	assert_int_equal(decoded("abc", "", 2), -ENOSPC);
	assert_int_equal(decoded("%", "", 16), -EINVAL);
	assert_int_equal(decoded("%4", "", 16), -EINVAL);
	assert_int_equal(decoded("%4g", "", 16), -EINVAL);
	assert_int_equal(decoded("%00", "", 16), -EINVAL);
}

static void a_place_is_read_as_it_is_written(void **state)
{
	static const struct log_place places[] = {
	    {.epoch = 1, .seq = 0},
	    {.epoch = UINT64_MAX, .seq = (uint64_t)1 << 53},
	    {.epoch = 77, .seq = 12, .run = 0xdeadbeef, .has_run = true},
	    {.epoch = 77, .seq = 12, .run = 0, .has_run = true},
	};
	char text[PLACE_MAX];

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(places); i++) {
		struct log_place got;
		size_t len = place_text(&places[i], text);

		assert_int_equal(len, strlen(text));
		assert_true(place_parse(text, len, &got));
		assert_true(got.epoch == places[i].epoch && got.seq == places[i].seq &&
			    got.run == places[i].run && got.has_run == places[i].has_run);
	}
}

static void what_is_no_place_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "7",
	    "00000000001",
	    "00000000001-",
	    "0000000001-7",
	    "00000000001_7",
	    "00000000001-x",
	    "00000000001-9007199254740993",
	    "00000000001-7-",
	    "00000000001-7-1234567",
	    "00000000001-7-xyz00000",
	    "00000000001-7-DEADBEEF",
	    "00000000001-7-deadbeef0",
	    "00000000001--deadbeef",
	    "zzzzzzzzzzz-7",
	    "00000000001-00000000000000007",
	};
	struct log_place got;

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(bad); i++)
		assert_false(place_parse(bad[i], strlen(bad[i]), &got));
}

static void a_records_seq_stands_last(void **state)
{
	static const struct {
		const char *text;
		uint64_t seq;
	} rows[] = {{"{\"seq\":7}", 7},	   {"{\"a\":1,\"seq\":120}", 120},
		    {"{\"to_seq\":7}", 0}, {"{\"seq\":}", 0},
		    {"{\"seq\":7} ", 0},   {"7}", 0},
		    {"\"seq\":7}", 0},	   {"", 0},
		    {"{\"seq\":\"7\"}", 0}};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++)
		assert_int_equal(place_of_record(rows[i].text, strlen(rows[i].text)), rows[i].seq);
}

static void an_event_has_what_it_is_given(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(sse_put(&b, span("i"), span(" t"), span("d")), 0);
	assert_int_equal(sse_put(&b, span("i"), span(""), span("")), 0);
	assert_int_equal(sse_put(&b, span(""), span(""), span("d")), 0);
	assert_int_equal(buf_put(&b, "", 1), 0);
	assert_string_equal(b.data, "id: i\nevent:  t\ndata: d\n\nid: i\n\ndata: d\n\n");
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_query_is_names_and_values),
	    cmocka_unit_test(escapes_are_decoded_once),
	    cmocka_unit_test(a_place_is_read_as_it_is_written),
	    cmocka_unit_test(what_is_no_place_is_refused),
	    cmocka_unit_test(a_records_seq_stands_last),
	    cmocka_unit_test(an_event_has_what_it_is_given),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}

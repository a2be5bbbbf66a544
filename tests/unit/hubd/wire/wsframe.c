/* Frame headers as RFC 6455 section 5.2 wants them: the shortest form of the length, in network
 * order, final, text, unmasked. */
#include "wire/wsframe.h"

#include <string.h>

#include "unit.h"

static void lengths_take_their_shortest_form(void **state)
{
	static const struct {
		size_t len, header_len;
		unsigned char header[WSFRAME_HEADER_MAX];
	} known[] = {
	    {0, 2, {0x81, 0}},
	    {1, 2, {0x81, 1}},
	    {125, 2, {0x81, 125}},
	    {126, 4, {0x81, 126, 0, 126}},
	    {127, 4, {0x81, 126, 0, 127}},
	    {256, 4, {0x81, 126, 1, 0}},
	    {65535, 4, {0x81, 126, 0xff, 0xff}},
	    {65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	    {0x12345678, 10, {0x81, 127, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78}},
	    {0x0102030405060708, 10, {0x81, 127, 1, 2, 3, 4, 5, 6, 7, 8}},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(known); i++) {
		unsigned char p[WSFRAME_HEADER_MAX + 1], end[WSFRAME_HEADER_MAX + 1];
		size_t n;

		memset(p, 0xee, sizeof(p));
		memset(end, 0xee, sizeof(end));
		n = wsframe_text(p, known[i].len);
		assert_int_equal(n, known[i].header_len);
		assert_memory_equal(p, known[i].header, n);
		assert_memory_equal(p + n, end, sizeof(p) - n);
		assert_int_equal(wsframe_header_len(p), n);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lengths_take_their_shortest_form),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wsframe", tests, NULL, NULL);
}

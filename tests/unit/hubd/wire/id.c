/* Ids as text: 11 digits of base 62, there and back, and nothing else is one. */
#include "wire/id.h"

#include <string.h>

#include "unit.h"

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void round_trip(uint64_t id)
{
	char text[ID_LEN + 1];
	uint64_t back = ~id;

	memset(text, '!', sizeof(text));
	id_text(id, text);
	assert_int_equal(strlen(text), ID_LEN);
	assert_int_equal(strspn(text, digits), ID_LEN);
	assert_true(id_parse(text, ID_LEN, &back));
	assert_true(back == id);
}

static void ids_come_back(void **state)
{
	uint64_t id = 0x9e3779b97f4a7c15;

	(void)state;
	for (uint64_t i = 0; i < 200; i++) {
		round_trip(i);
		round_trip(UINT64_MAX - i);
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		round_trip(UINT64_C(1) << bit);
		round_trip((UINT64_C(1) << bit) - 1);
	}
	for (int i = 0; i < 100000; i++) {
		id ^= id << 13;
		id ^= id >> 7;
		id ^= id << 17;
		round_trip(id);
	}
}

static void ids_have_one_text(void **state)
{
	static const struct {
		uint64_t id;
		const char *text;
	} known[] = {
	    {0, "00000000000"},	 {1, "00000000001"},	      {61, "0000000000z"},
	    {62, "00000000010"}, {UINT64_MAX, "LygHa16AHYF"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(known); i++) {
		char text[ID_LEN + 1];
		uint64_t id;

		id_text(known[i].id, text);
		assert_string_equal(text, known[i].text);
		assert_true(id_parse(known[i].text, ID_LEN, &id));
		assert_true(id == known[i].id);
	}
}

static void what_does_not_fit_is_no_id(void **state)
{
	/* One more than UINT64_MAX; what overflows in the addition alone; in the multiplication. */
	static const char *const bad[] = {"LygHa16AHYG", "LygHa16AHYz", "LygHa16AHZ0",
					  "M0000000000", "a0000000000", "zzzzzzzzzzz"};
	uint64_t id = 77;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		assert_false(id_parse(bad[i], ID_LEN, &id));
	assert_int_equal(id, 77);
}

static void other_texts_are_no_id(void **state)
{
	char text[ID_LEN + 2] = "000000000000";
	uint64_t id;

	(void)state;
	assert_false(id_parse(NULL, 0, &id));
	for (size_t len = 0; len < sizeof(text); len++)
		assert_int_equal(id_parse(text, len, &id), len == ID_LEN);
	for (size_t at = 0; at < ID_LEN; at++) {
		for (int c = 0; c < 256; c++) {
			memset(text, '0', ID_LEN);
			text[at] = (char)c;
			/* The first digit is L at most. */
			assert_int_equal(id_parse(text, ID_LEN, &id),
					 c && strchr(digits, c) && (at > 0 || c <= 'L'));
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_come_back),
	    cmocka_unit_test(ids_have_one_text),
	    cmocka_unit_test(what_does_not_fit_is_no_id),
	    cmocka_unit_test(other_texts_are_no_id),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}

/* Client ids as text: 11 digits of base 62, there and back, and nothing else is one. Resume tokens:
 * only what this hub made is one, to the bit. */
#include "identity.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool parse(const char *text, size_t len, uint64_t *id)
{
	return identity_parse((struct span){text, len}, id);
}

static void round_trip(uint64_t id)
{
	char text[IDENTITY_LEN + 1];
	uint64_t back = ~id;

	memset(text, '!', sizeof(text));
	identity_text(id, text);
	assert_int_equal(strlen(text), IDENTITY_LEN);
	assert_int_equal(strspn(text, digits), IDENTITY_LEN);
	assert_true(parse(text, IDENTITY_LEN, &back));
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
		char text[IDENTITY_LEN + 1];
		uint64_t id;

		identity_text(known[i].id, text);
		assert_string_equal(text, known[i].text);
		assert_true(parse(known[i].text, IDENTITY_LEN, &id));
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
		assert_false(parse(bad[i], IDENTITY_LEN, &id));
	assert_int_equal(id, 77);
}

static void other_texts_are_no_id(void **state)
{
	char text[IDENTITY_LEN + 2] = "000000000000";
	uint64_t id;

	(void)state;
	assert_false(parse(NULL, 0, &id));
	for (size_t len = 0; len < sizeof(text); len++)
		assert_int_equal(parse(text, len, &id), len == IDENTITY_LEN);
	for (size_t at = 0; at < IDENTITY_LEN; at++) {
		for (int c = 0; c < 256; c++) {
			memset(text, '0', IDENTITY_LEN);
			text[at] = (char)c;
			/* The first digit is L at most. */
			assert_int_equal(parse(text, IDENTITY_LEN, &id),
					 c && strchr(digits, c) && (at > 0 || c <= 'L'));
		}
	}
}

/* --- resume tokens --- */

static const unsigned char key[IDENTITY_KEY_LEN] = "the secret of a hub that is ours";

static uint32_t run; /* of the token verified last */

static bool verify(const unsigned char *with, const char *token, size_t len, uint64_t *id)
{
	/* Of the exact size, so that a read behind it is seen. */
	char *copy = malloc(len ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, token, len);
	ok = identity_verify(with, (struct span){copy, len}, id, &run);
	free(copy);
	return ok;
}

static void tokens_come_back(void **state)
{
	static const uint64_t ids[] = {0, 1, 61, UINT64_MAX, 0x123456789abcdef0, UINT64_C(1) << 63};
	static const uint32_t runs[] = {0, UINT32_MAX, 1, 0, 0x9abcdef0, UINT32_C(1) << 31};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(ids); i++) {
		char token[IDENTITY_TOKEN_LEN + 1], again[IDENTITY_TOKEN_LEN + 1];
		uint64_t id = ~ids[i];

		memset(token, '!', sizeof(token));
		identity_token(key, ids[i], runs[i], token);
		assert_int_equal(strlen(token), IDENTITY_TOKEN_LEN);
		assert_int_equal(strspn(token,
					"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
				 IDENTITY_TOKEN_LEN);
		assert_true(verify(key, token, IDENTITY_TOKEN_LEN, &id));
		assert_true(id == ids[i]);
		assert_int_equal(run, runs[i]);
		identity_token(key, ids[i], runs[i], again);
		assert_string_equal(token, again);
		identity_token(key, ids[i], ~runs[i], again);
		assert_string_not_equal(token, again);
	}
}

/* Any other ASCII character at any place; what is beyond that libsodium takes for the last digit.
 */
static void a_token_is_right_to_the_bit(void **state)
{
	char token[IDENTITY_TOKEN_LEN + 1];
	uint64_t id = 77;

	(void)state;
	identity_token(key, 0x123456789abcdef0, 5, token);
	for (size_t at = 0; at < IDENTITY_TOKEN_LEN; at++) {
		char was = token[at];

		for (int c = 0; c < 128; c++) {
			token[at] = (char)c;
			if (token[at] != was)
				assert_false(verify(key, token, IDENTITY_TOKEN_LEN, &id));
		}
		token[at] = was;
	}
	assert_int_equal(id, 77);
	assert_true(verify(key, token, IDENTITY_TOKEN_LEN, &id));
}

static void another_hubs_token_is_none(void **state)
{
	unsigned char other[IDENTITY_KEY_LEN];
	char token[IDENTITY_TOKEN_LEN + 1];
	uint64_t id = 77;

	(void)state;
	identity_token(key, 42, 5, token);
	for (size_t bit = 0; bit < 8 * sizeof(other); bit++) {
		memcpy(other, key, sizeof(other));
		other[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_false(verify(other, token, IDENTITY_TOKEN_LEN, &id));
	}
	assert_int_equal(id, 77);
}

static void a_token_has_its_length(void **state)
{
	char token[2 * IDENTITY_TOKEN_LEN + 1];
	uint64_t id = 77;

	(void)state;
	identity_token(key, 42, 5, token);
	identity_token(key, 42, 5, token + IDENTITY_TOKEN_LEN);
	for (size_t len = 0; len <= 2 * IDENTITY_TOKEN_LEN; len++)
		if (len != IDENTITY_TOKEN_LEN)
			assert_false(verify(key, token, len, &id));
	/* Nor with what base64 elsewhere ends with. */
	memcpy(token + IDENTITY_TOKEN_LEN, "====", 4);
	for (size_t len = 1; len <= 4; len++)
		assert_false(verify(key, token, IDENTITY_TOKEN_LEN + len, &id));
	assert_int_equal(id, 77);
	assert_true(verify(key, token, IDENTITY_TOKEN_LEN, &id));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_come_back),
	    cmocka_unit_test(ids_have_one_text),
	    cmocka_unit_test(what_does_not_fit_is_no_id),
	    cmocka_unit_test(other_texts_are_no_id),
	    cmocka_unit_test(tokens_come_back),
	    cmocka_unit_test(a_token_is_right_to_the_bit),
	    cmocka_unit_test(another_hubs_token_is_none),
	    cmocka_unit_test(a_token_has_its_length),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}

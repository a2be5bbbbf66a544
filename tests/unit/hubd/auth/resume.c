/* Resume tokens: only what this hub made is one, to the bit. */
#include "auth/resume.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const unsigned char key[RESUME_KEY_LEN] = "the secret of a hub that is ours";

static uint32_t run; /* of the token verified last */

static bool verify(const unsigned char *with, const char *token, size_t len, uint64_t *id)
{
	/* Of the exact size, so that a read behind it is seen. */
	char *copy = malloc(len ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, token, len);
	ok = resume_verify(with, copy, len, id, &run);
	free(copy);
	return ok;
}

static void tokens_come_back(void **state)
{
	static const uint64_t ids[] = {0, 1, 61, UINT64_MAX, 0x123456789abcdef0, UINT64_C(1) << 63};
	static const uint32_t runs[] = {0, UINT32_MAX, 1, 0, 0x9abcdef0, UINT32_C(1) << 31};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(ids); i++) {
		char token[RESUME_LEN + 1], again[RESUME_LEN + 1];
		uint64_t id = ~ids[i];

		memset(token, '!', sizeof(token));
		resume_token(key, ids[i], runs[i], token);
		assert_int_equal(strlen(token), RESUME_LEN);
		assert_int_equal(strspn(token,
					"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
				 RESUME_LEN);
		assert_true(verify(key, token, RESUME_LEN, &id));
		assert_true(id == ids[i]);
		assert_int_equal(run, runs[i]);
		resume_token(key, ids[i], runs[i], again);
		assert_string_equal(token, again);
		resume_token(key, ids[i], ~runs[i], again);
		assert_string_not_equal(token, again);
	}
}

/* Any other ASCII character at any place; what is beyond that libsodium takes for the last digit.
 */
static void a_token_is_right_to_the_bit(void **state)
{
	char token[RESUME_LEN + 1];
	uint64_t id = 77;

	(void)state;
	resume_token(key, 0x123456789abcdef0, 5, token);
	for (size_t at = 0; at < RESUME_LEN; at++) {
		char was = token[at];

		for (int c = 0; c < 128; c++) {
			token[at] = (char)c;
			if (token[at] != was)
				assert_false(verify(key, token, RESUME_LEN, &id));
		}
		token[at] = was;
	}
	assert_int_equal(id, 77);
	assert_true(verify(key, token, RESUME_LEN, &id));
}

static void another_hubs_token_is_none(void **state)
{
	unsigned char other[RESUME_KEY_LEN];
	char token[RESUME_LEN + 1];
	uint64_t id = 77;

	(void)state;
	resume_token(key, 42, 5, token);
	for (size_t bit = 0; bit < 8 * sizeof(other); bit++) {
		memcpy(other, key, sizeof(other));
		other[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_false(verify(other, token, RESUME_LEN, &id));
	}
	assert_int_equal(id, 77);
}

static void a_token_has_its_length(void **state)
{
	char token[2 * RESUME_LEN + 1];
	uint64_t id = 77;

	(void)state;
	resume_token(key, 42, 5, token);
	resume_token(key, 42, 5, token + RESUME_LEN);
	for (size_t len = 0; len <= 2 * RESUME_LEN; len++)
		if (len != RESUME_LEN)
			assert_false(verify(key, token, len, &id));
	/* Nor with what base64 elsewhere ends with. */
	memcpy(token + RESUME_LEN, "====", 4);
	for (size_t len = 1; len <= 4; len++)
		assert_false(verify(key, token, RESUME_LEN + len, &id));
	assert_int_equal(id, 77);
	assert_true(verify(key, token, RESUME_LEN, &id));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_come_back),
	    cmocka_unit_test(a_token_is_right_to_the_bit),
	    cmocka_unit_test(another_hubs_token_is_none),
	    cmocka_unit_test(a_token_has_its_length),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}

/* Resume tokens: only what this hub made is one, to the bit. */
#include "auth/resume.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define NOBODY ((struct span){0})

static const unsigned char key[RESUME_KEY_LEN] = "the secret of a hub that is ours";

static struct resume got; /* of the token verified last */

static void make(uint64_t id, uint32_t run, uint64_t issued_ms, struct span user, char *token)
{
	resume_token(key, &(struct resume){.id = id, .run = run, .issued_ms = issued_ms}, user,
		     token);
}

static bool verify(const unsigned char *with, const char *token, size_t len, uint64_t *id)
{
	/* Of the exact size, so that a read behind it is seen. */
	char *copy = malloc(len ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, token, len);
	ok = resume_verify(with, copy, len, NOBODY, &got);
	if (ok)
		*id = got.id;
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
		make(ids[i], runs[i], ids[i] / 3, NOBODY, token);
		assert_int_equal(strlen(token), RESUME_LEN);
		assert_int_equal(strspn(token,
					"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
				 RESUME_LEN);
		assert_true(verify(key, token, RESUME_LEN, &id));
		assert_true(id == ids[i]);
		assert_int_equal(got.run, runs[i]);
		assert_true(got.issued_ms == ids[i] / 3);
		make(ids[i], runs[i], ids[i] / 3, NOBODY, again);
		assert_string_equal(token, again);
		make(ids[i], ~runs[i], ids[i] / 3, NOBODY, again);
		assert_string_not_equal(token, again);
		make(ids[i], runs[i], ids[i] / 3 + 1, NOBODY, again);
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
	make(0x123456789abcdef0, 5, 7, NOBODY, token);
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
	make(42, 5, 7, NOBODY, token);
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
	make(42, 5, 7, NOBODY, token);
	make(42, 5, 7, NOBODY, token + RESUME_LEN);
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

/* What one user has is worth nothing to another. */
static void a_token_is_its_users(void **state)
{
	static const struct span ann = {"ann", 3}, bob = {"bob", 3};
	char token[RESUME_LEN + 1];
	struct resume r;

	(void)state;
	make(42, 5, 7, ann, token);
	assert_true(resume_verify(key, token, RESUME_LEN, ann, &r));
	assert_false(resume_verify(key, token, RESUME_LEN, bob, &r));
	assert_false(resume_verify(key, token, RESUME_LEN, NOBODY, &r));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_come_back),
	    cmocka_unit_test(a_token_is_right_to_the_bit),
	    cmocka_unit_test(another_hubs_token_is_none),
	    cmocka_unit_test(a_token_has_its_length),
	    cmocka_unit_test(a_token_is_its_users),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}

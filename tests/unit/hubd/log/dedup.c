/* The dedup window against a list of everything ever added: exactly the last 4096 messages of a
 * sender are known, each with its seq, however the hashes fall, and whatever others send. */
#include "log/dedup.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void add(struct dedup *d, uint64_t hash, uint64_t seq)
{
	assert_int_equal(dedup_reserve(d), 0);
	dedup_add(d, 1, hash, seq);
}

static void expect(const struct dedup *d, uint64_t hash, uint64_t seq)
{
	uint64_t found = ~seq;

	assert_true(dedup_find(d, hash, &found));
	assert_int_equal(found, seq);
}

static void expect_none(const struct dedup *d, uint64_t hash)
{
	uint64_t found = 77;

	assert_false(dedup_find(d, hash, &found));
	assert_int_equal(found, 77);
}

static void an_empty_window_knows_nothing(void **state)
{
	struct dedup d = {0};

	(void)state;
	expect_none(&d, 0);
	expect_none(&d, 1);
	assert_int_equal(dedup_bytes(&d), 0);
	dedup_free(&d);
	/* Room alone is no message. */
	assert_int_equal(dedup_reserve(&d), 0);
	expect_none(&d, 0);
	dedup_free(&d);
	assert_int_equal(dedup_bytes(&d), 0);
}

static void few_messages_take_little(void **state)
{
	struct dedup d = {0};
	size_t bytes = 0;

	(void)state;
	add(&d, 1, 1);
	assert_true(dedup_bytes(&d) < 4096);
	for (uint64_t i = 2; i <= 3 * DEDUP_SENDER; i++) {
		add(&d, i * 0x9e3779b97f4a7c15, i);
		assert_true(dedup_bytes(&d) >= bytes);
		bytes = dedup_bytes(&d);
		assert_true(d.cap <= DEDUP_MAX);
		assert_true(d.n <= DEDUP_SENDER);
	}
	assert_true(bytes < 64 * DEDUP_SENDER);
	dedup_free(&d);
	assert_int_equal(dedup_bytes(&d), 0);
}

static void seq_may_be_none(void **state)
{
	struct dedup d = {0};

	(void)state;
	add(&d, 5, 0);
	add(&d, 0, UINT64_MAX);
	expect(&d, 5, 0);
	expect(&d, 0, UINT64_MAX);
	dedup_free(&d);
}

/* Everything that was added, in order; message i has seq i + 1. */
static void check_window(const struct dedup *d, const uint64_t *hash, size_t n)
{
	size_t first = n > DEDUP_SENDER ? n - DEDUP_SENDER : 0;

	for (size_t i = 0; i < n; i++) {
		if (i < first)
			expect_none(d, hash[i]);
		else
			expect(d, hash[i], i + 1);
	}
	expect_none(d, 0x123456789abcdef0);
}

/* Each of these is where the table has grown, or the ring has come round. */
static void the_window_is_4096_messages(void **state)
{
	static const size_t at[] = {1,	  2,	63,   64,   65,	  128,	129,  1024, 1025,
				    4095, 4096, 4097, 4098, 8191, 8192, 8193, 9000};
	uint64_t *hash = calloc(9000, sizeof(*hash));
	struct dedup d = {0};
	size_t n = 0;

	(void)state;
	assert_non_null(hash);
	for (size_t i = 0; i < UNIT_COUNT(at); i++) {
		for (; n < at[i]; n++) {
			hash[n] = next();
			add(&d, hash[n], n + 1);
		}
		check_window(&d, hash, n);
	}
	dedup_free(&d);
	free(hash);
}

/* All in one chain. */
static void hashes_may_fall_together(void **state)
{
	enum { N = 5000 };
	uint64_t *hash = calloc(N, sizeof(*hash));
	struct dedup d = {0};

	(void)state;
	assert_non_null(hash);
	for (size_t i = 0; i < N; i++) {
		hash[i] = i << 12 | 5;
		add(&d, hash[i], i + 1);
	}
	check_window(&d, hash, N);
	dedup_free(&d);
	free(hash);
}

#define OPERATIONS 100000

static void any_order_of_things_agrees_with_the_model(void **state)
{
	uint64_t *hash = calloc(OPERATIONS, sizeof(*hash));
	struct dedup d = {0};
	size_t n = 0;

	(void)state;
	assert_non_null(hash);
	for (int i = 0; i < OPERATIONS; i++) {
		uint64_t what = next() >> 40;
		size_t back, at;

		if (n == 0 || what % 10 < 4) {
			/* Some in few chains, with the low bits the same. */
			hash[n] = what % 3 ? next() : (next() & ~(uint64_t)0xfff) | what % 7;
			add(&d, hash[n], n + 1);
			n++;
			continue;
		}
		/* One of the latest, one at the window's edge, any. */
		back = what % 10 < 7	? what % 100
		       : what % 10 == 8 ? DEDUP_SENDER - 50 + what % 100
					: what;
		at = n - 1 - back % n;
		if (n - at <= DEDUP_SENDER)
			expect(&d, hash[at], at + 1);
		else
			expect_none(&d, hash[at]);
		if (what % 1000 == 0)
			expect_none(&d, next());
	}
	assert_true(n > 8 * DEDUP_SENDER);
	check_window(&d, hash, n);
	dedup_free(&d);
	free(hash);
}

static void add_of(struct dedup *d, uint64_t sender, uint64_t seq)
{
	assert_int_equal(dedup_reserve(d), 0);
	dedup_add(d, sender, sender << 40 | seq, seq);
}

static size_t known_of(const struct dedup *d, uint64_t sender, uint64_t last)
{
	uint64_t seq, found;
	size_t n = 0;

	for (seq = 1; seq <= last; seq++) {
		if (!dedup_find(d, sender << 40 | seq, &found))
			continue;
		assert_true(found == seq);
		n++;
	}
	return n;
}

static void who_says_much_pushes_nobody_out(void **state)
{
	struct dedup d = {0};

	(void)state;
	for (uint64_t seq = 1; seq <= 100; seq++)
		add_of(&d, 1, seq);
	for (uint64_t sender = 2; sender < 10; sender++)
		for (uint64_t seq = 1; seq <= 20000; seq++)
			add_of(&d, sender, seq);
	assert_int_equal(known_of(&d, 1, 100), 100);
	assert_int_equal(d.n, DEDUP_MAX);
	/* Those that have most have about the same. */
	for (uint64_t sender = 2; sender < 10; sender++)
		assert_in_range(known_of(&d, sender, 20000), DEDUP_MAX / 20, DEDUP_SENDER);
	dedup_free(&d);
}

/* Senders without number, some of which come again. */
static void all_together_have_an_end(void **state)
{
	struct dedup d = {0};
	uint64_t last[64] = {0};

	(void)state;
	for (uint64_t i = 1; i <= 200000; i++) {
		uint64_t sender = 1 + next() % 64;

		if (i % 3)
			add_of(&d, 1000 + i, 1);
		else
			add_of(&d, sender, ++last[sender - 1]);
		assert_true(d.n <= DEDUP_MAX && d.sender_n <= d.n);
	}
	assert_int_equal(d.n, DEDUP_MAX);
	assert_int_equal(known_of(&d, 1000 + 200000, 1), 1);
	assert_int_equal(dedup_bytes(&d), DEDUP_MAX * 64);
	dedup_free(&d);
}

static uint64_t hash_of(const char *key, uint64_t sender, const char *written)
{
	unsigned char bytes[DEDUP_KEY_LEN];
	/* Of the exact size, so that a read behind it is seen. */
	char *copy = malloc(strlen(written));
	uint64_t hash;

	assert_non_null(copy);
	memcpy(bytes, key, sizeof(bytes));
	memcpy(copy, written, strlen(written));
	hash = dedup_hash(bytes, sender, (struct span){copy, strlen(written)});
	free(copy);
	return hash;
}

static void a_message_is_known_by_sender_and_msg_id(void **state)
{
	static const char key[] = "0123456789abcdef", other[] = "0123456789abcdeg";
	char longest[ENVELOPE_MSG_ID_MAX + 3], escaped[6 * ENVELOPE_MSG_ID_MAX + 3];
	uint64_t hash = hash_of(key, 7, "\"one\"");

	(void)state;
	assert_true(hash_of(key, 7, "\"one\"") == hash);
	assert_true(hash_of(key, 8, "\"one\"") != hash);
	assert_true(hash_of(key, 7, "\"onE\"") != hash);
	assert_true(hash_of(key, 7, "\"on\"") != hash);
	assert_true(hash_of(key, 7, "\"\"") != hash);
	assert_true(hash_of(other, 7, "\"one\"") != hash);
	/* However it is written. */
	assert_true(hash_of(key, 7, "\"\\u006f\\u006Ee\"") == hash);
	memset(longest, 'x', sizeof(longest));
	longest[0] = longest[ENVELOPE_MSG_ID_MAX + 1] = '"';
	longest[ENVELOPE_MSG_ID_MAX + 2] = '\0';
	strcpy(escaped, "\"");
	for (int i = 0; i < ENVELOPE_MSG_ID_MAX; i++)
		strcat(escaped, "\\u0078");
	strcat(escaped, "\"");
	assert_true(hash_of(key, 7, longest) == hash_of(key, 7, escaped));
	longest[ENVELOPE_MSG_ID_MAX] = 'y';
	assert_true(hash_of(key, 7, longest) != hash_of(key, 7, escaped));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_window_knows_nothing),
	    cmocka_unit_test(few_messages_take_little),
	    cmocka_unit_test(seq_may_be_none),
	    cmocka_unit_test(the_window_is_4096_messages),
	    cmocka_unit_test(hashes_may_fall_together),
	    cmocka_unit_test(any_order_of_things_agrees_with_the_model),
	    cmocka_unit_test(who_says_much_pushes_nobody_out),
	    cmocka_unit_test(all_together_have_an_end),
	    cmocka_unit_test(a_message_is_known_by_sender_and_msg_id),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dedup", tests, NULL, NULL);
}

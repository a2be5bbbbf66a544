/* Shares: who has as many as he may gets no more, gives back what he had, and is forgotten when
 * others need the room; over threads. */
#include "conn/shares.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

#define NS 1000000000ULL

static const unsigned char key[SHARES_KEY_LEN] = "a key of a test";

static uint64_t of_address(const struct shares *s, const char *text)
{
	struct address a;

	assert_true(address_read(&a, text, strlen(text)));
	return shares_address(s, &a);
}

static uint64_t of_user(const struct shares *s, const char *text)
{
	return shares_user(s, (struct span){text, strlen(text)});
}

static void who_has_all_gets_no_more(void **state)
{
	struct shares *s = shares_new(10, key);
	uint64_t ann = of_user(s, "ann"), bob = of_user(s, "bob");
	share at[3], one;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shares_take(s, ann, 3, &at[i]), 0);
		assert_int_not_equal(at[i], SHARE_NONE);
	}
	assert_int_equal(shares_take(s, ann, 3, &one), -EBUSY);
	assert_int_equal(one, SHARE_NONE);
	assert_int_equal(shares_take(s, bob, 3, &one), 0);
	shares_drop(s, one);
	shares_drop(s, SHARE_NONE);
	shares_drop(s, at[1]);
	assert_int_equal(shares_take(s, ann, 3, &at[1]), 0);
	/* The limit may become another one meanwhile. */
	assert_int_equal(shares_take(s, ann, 2, &one), -EBUSY);
	assert_int_equal(shares_take(s, ann, 4, &one), 0);
	shares_free(s);
	shares_free(NULL);
}

static void an_address_is_all_that_one_machine_can_take(void **state)
{
	struct shares *s = shares_new(10, key), *other;
	unsigned char another_key[SHARES_KEY_LEN] = {1};

	(void)state;
	assert_true(of_address(s, "192.0.2.1") == of_address(s, "::ffff:192.0.2.1"));
	assert_true(of_address(s, "192.0.2.1") != of_address(s, "192.0.2.2"));
	assert_true(of_address(s, "2001:db8::1") == of_address(s, "2001:db8::ffff:0:1"));
	assert_true(of_address(s, "2001:db8::1") != of_address(s, "2001:db8:0:1::1"));
	/* Users are others, whatever they call themselves. */
	assert_true(shares_user(s, (struct span){"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01",
						 16}) != of_address(s, "192.0.2.1"));
	other = shares_new(10, another_key);
	assert_true(of_user(s, "ann") != of_user(other, "ann"));
	shares_free(s);
	shares_free(other);
}

static void rates_are_what_was_asked_for(void **state)
{
	struct shares *s = shares_new(10, key);
	uint64_t ann = of_user(s, "ann"), now = 100 * NS, over;
	int n;

	(void)state;
	for (n = 0; shares_spend(s, ann, SHARE_REQUESTS, 1, 10, now, false) == 0; n++)
		assert_true(n < 100);
	assert_int_equal(n, 20);
	/* What is refused does not count: it is over by one, however often it is tried. */
	for (n = 0; n < 100; n++)
		assert_int_equal(shares_spend(s, ann, SHARE_REQUESTS, 1, 10, now, false), NS / 10);
	assert_int_equal(shares_spend(s, ann, SHARE_REQUESTS, 1, 10, now + NS / 10, false), 0);
	/* What is owed does; and the two have nothing to do with each other. */
	for (n = 0; n < 20; n++)
		assert_int_equal(shares_spend(s, ann, SHARE_JOINS, 1, 10, now, true), 0);
	for (n = 1; n < 20; n++) {
		over = shares_spend(s, ann, SHARE_JOINS, 1, 10, now, true);
		assert_true(over == (unsigned)n * NS / 10);
	}
	assert_int_equal(shares_spend(s, of_user(s, "bob"), SHARE_REQUESTS, 1, 10, now, false), 0);
	assert_int_equal(shares_spend(s, ann, SHARE_REQUESTS, 1, 1000000, now + NS * 1000, false),
			 0);
	shares_free(s);
}

static void idle_ones_are_forgotten_and_others_are_not(void **state)
{
	struct shares *s = shares_new(10, key);
	uint64_t ann = of_user(s, "ann"), now = 100 * NS;
	char name[32];
	share at, one;

	(void)state;
	assert_int_equal(shares_take(s, ann, 1, &at), 0);
	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "user %d", i);
		assert_int_equal(
		    shares_spend(s, of_user(s, name), SHARE_REQUESTS, 1, 1, now, false), 0);
		assert_int_equal(shares_take(s, of_user(s, name), 1, &one), 0);
		shares_drop(s, one);
		now += NS / 1000;
	}
	assert_int_equal(shares_take(s, ann, 1, &one), -EBUSY);
	shares_drop(s, at);
	assert_int_equal(shares_take(s, ann, 1, &one), 0);
	shares_free(s);
}

/* Where all places of a set are taken those that come are not counted, and not refused. */
static void where_there_is_no_room_nobody_is_refused(void **state)
{
	struct shares *s = shares_new(1, key);
	unsigned counted = 0, not_counted = 0;
	char name[32];
	share at;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "user %d", i);
		assert_int_equal(shares_take(s, of_user(s, name), 1, &at), 0);
		*(at == SHARE_NONE ? &not_counted : &counted) += 1;
		if (at == SHARE_NONE)
			assert_int_equal(
			    shares_spend(s, of_user(s, name), SHARE_JOINS, 1, 1, NS, true), 0);
		assert_true(at <= SHARE_MASK);
	}
	assert_int_equal(counted, 1024);
	assert_int_equal(not_counted, 5000 - 1024);
	shares_free(s);
}

struct taker {
	struct shares *s;
	unsigned at_most;
	atomic_int *now;
};

static void *take_and_drop(void *arg)
{
	struct taker *t = arg;
	uint64_t ann = of_user(t->s, "ann");
	share at;

	for (int i = 0; i < 20000; i++) {
		if (shares_take(t->s, ann, 2, &at) < 0)
			continue;
		if (atomic_fetch_add(t->now, 1) >= 2)
			t->at_most = 3;
		atomic_fetch_sub(t->now, 1);
		shares_drop(t->s, at);
	}
	return NULL;
}

static void threads_agree(void **state)
{
	struct shares *s = shares_new(10, key);
	atomic_int now = 0;
	pthread_t threads[4];
	struct taker takers[4];
	share at[3];

	(void)state;
	for (int i = 0; i < 4; i++) {
		takers[i] = (struct taker){.s = s, .now = &now};
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, &takers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(takers[i].at_most, 0);
	}
	assert_int_equal(shares_take(s, of_user(s, "ann"), 2, &at[0]), 0);
	assert_int_equal(shares_take(s, of_user(s, "ann"), 2, &at[1]), 0);
	assert_int_equal(shares_take(s, of_user(s, "ann"), 2, &at[2]), -EBUSY);
	shares_free(s);
}

static void users_owe_messages_and_bytes(void **state)
{
	struct shares *s = shares_new(100, key);
	uint64_t ann = of_user(s, "ann"), now = NS;

	(void)state;
	/* Twice a second's at once, of each; then the longer time counts. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(shares_send(s, ann, NS / 10, NS / 100, now), 0);
	assert_int_equal(shares_send(s, ann, NS / 10, NS / 100, now), NS / 10);
	assert_int_equal(shares_send(s, ann, 0, 2 * NS, now), NS / 1000 * 210);
	assert_int_equal(shares_send(s, ann, 0, 0, now + NS), 0);
	assert_int_equal(shares_send(s, of_user(s, "bob"), NS / 10, NS / 100, now), 0);
	shares_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_has_all_gets_no_more),
	    cmocka_unit_test(an_address_is_all_that_one_machine_can_take),
	    cmocka_unit_test(rates_are_what_was_asked_for),
	    cmocka_unit_test(idle_ones_are_forgotten_and_others_are_not),
	    cmocka_unit_test(where_there_is_no_room_nobody_is_refused),
	    cmocka_unit_test(threads_agree),
	    cmocka_unit_test(users_owe_messages_and_bytes),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}

/* Meters: who does more than he may is read from no more for a while, loses nothing, and goes like
 * others; who makes nothing but errors is sent away. */
#include "conn/meter.h"

#include <sodium.h>

#include "base/clock.h"
#include "hubd/conn_stub.h"
#include "unit.h"

struct place {
	struct workers all;
	struct worker *w;
	struct worker_hooks hooks;
	struct conn_settings set;
	struct peer p;
};

static struct door outside;

static void start(struct place *t)
{
	t->hooks = conn_stub_hooks();
	loop_stub_workers(&t->all, 1, &t->hooks);
	t->w = t->all.at[0];
	t->set.max_message = 65536;
	t->set.write_timeout = 10;
	t->w->conns = &t->set;
	outside = peer_door;
	outside.trusted = false;
	peer_open(&t->p, t->w, &outside);
}

static void end(struct place *t)
{
	loop_stub_free(&t->all);
	peer_free(&t->p);
}

static void wait_until(struct place *t, bool paused)
{
	uint64_t start_ms = clock_mono_ms();

	while (t->p.paused != paused) {
		stub_round(t->w);
		assert_true(clock_mono_ms() - start_ms < 60000);
	}
}

static void a_bucket_fills_and_empties(void **state)
{
	bucket b = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(bucket_add(&b, 5000, 100, 1000), 0);
	assert_int_equal(bucket_add(&b, 5000, 100, 1000), 100);
	assert_int_equal(bucket_add(&b, 5000, 100, 1000), 200);
	assert_int_equal(bucket_add(&b, 5300, 100, 1000), 0);
	/* Who waits for long has no more than a burst. */
	assert_int_equal(bucket_add(&b, 1000000, 1000, 1000), 0);
	assert_int_equal(bucket_add(&b, 1000000, 1, 1000), 1);
}

static void who_is_slowed_goes_on_later(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	assert_null(t.p.conn->input);
	meter_slow(t.p.conn, 1, "a test");
	assert_true(t.p.paused);
	assert_int_equal(atomic_load(&t.w->counters.slowed[0]), 1);
	/* What it waits for besides holds it as well. */
	conn_hold(t.p.conn);
	wait_until(&t, true);
	conn_release(t.p.conn);
	wait_until(&t, false);
	/* And the meter goes when there is nothing to say. */
	conn_due(&t.p.conn->timer, 0);
	assert_null(t.p.conn->input);
	end(&t);
}

static void rates_are_what_was_asked_for(void **state)
{
	struct place t = {.set.rates = meter_rates(50, 1000)};
	int n;

	(void)state;
	start(&t);
	for (n = 0; !t.p.paused && n < 1000; n++)
		peer_say(&t.p, "x");
	assert_in_range(n, 100, 110);
	wait_until(&t, false);
	end(&t);
	t = (struct place){.set.rates = meter_rates(0, 1000)};
	start(&t);
	for (n = 0; !t.p.paused && n < 1000; n++)
		peer_say(&t.p, "0123456789");
	assert_in_range(n, 200, 210);
	end(&t); /* while it is slowed */
}

static void it_goes_while_it_is_slowed(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	meter_slow(t.p.conn, 60000, "a test");
	conn_close(t.p.conn, CLOSE_NORMAL, "bye");
	stub_round(t.w);
	assert_null(t.p.conn);
	end(&t);
}

static void count_one(void *n)
{
	++*(int *)n;
}

/* As requests on one connection of HTTP. */
static void it_goes_on_with_the_next_connection(void **state)
{
	struct place t = {.set.rates = meter_rates(50, 0)};
	struct peer next = {0};
	struct meter *m;
	int n, told = 0;
	uint64_t start_ms = clock_mono_ms();

	(void)state;
	start(&t);
	assert_null(meter_take(t.p.conn)); /* it has done nothing */
	for (n = 0; n < 90; n++)
		peer_say(&t.p, "x");
	assert_false(t.p.paused);
	m = meter_take(t.p.conn);
	assert_non_null(m);
	assert_int_equal(meter_waits(m, worker_now_ms(t.w), count_one, &told), 0);
	conn_close(t.p.conn, CLOSE_NORMAL, "bye");
	stub_round(t.w);
	assert_null(t.p.conn);
	peer_open(&next, t.w, &outside);
	meter_give(next.conn, m);
	for (n = 0; !next.paused && n < 1000; n++)
		peer_say(&next, "x");
	assert_in_range(n, 10, 20);
	/* What is slowed when it ends is so until its time is over. */
	m = meter_take(next.conn);
	assert_true(meter_waits(m, worker_now_ms(t.w), count_one, &told) > 0);
	conn_close(next.conn, CLOSE_NORMAL, "bye");
	while (!told) {
		stub_round(t.w);
		assert_true(clock_mono_ms() - start_ms < 60000);
	}
	assert_int_equal(meter_waits(m, worker_now_ms(t.w), count_one, &told), 0);
	meter_end(m);
	peer_free(&next);
	/* And it ends at any time. */
	peer_open(&next, t.w, &outside);
	meter_slow(next.conn, 60000, "a test");
	m = meter_take(next.conn);
	assert_true(meter_waits(m, worker_now_ms(t.w), count_one, &told) > 0);
	meter_end(m);
	meter_end(NULL);
	meter_give(next.conn, NULL);
	end(&t);
	assert_int_equal(told, 1);
	peer_free(&next);
}

static void errors_are_counted(void **state)
{
	struct place t = {0};
	int n;

	(void)state;
	start(&t);
	/* What a client could not know slows it. */
	for (n = 0; !t.p.paused && n < 3000; n++) {
		conn_error(t.p.conn, HUB_SESSION_FULL, "full", (struct span){0});
		stub_round(t.w);
	}
	assert_in_range(n, 1000, 2900);
	assert_int_equal(t.p.code, 0);
	for (n = 0; t.p.conn && t.p.code == 0 && n < 1000; n++) {
		conn_error(t.p.conn, HUB_BAD_JSON, "no", (struct span){0});
		stub_round(t.w);
	}
	assert_int_equal(t.p.code, CLOSE_POLICY);
	assert_int_equal(atomic_load(&t.w->counters.closed_errors[0]), 1);
	end(&t);
}

/* Who is refused what he could not know, and goes on, is slowed, and in the end sent away; a rest
 * makes up for it. */
static void who_goes_on_nevertheless_is_sent_away(void **state)
{
	struct place t = {0};
	struct meter *m;
	int n;

	(void)state;
	start(&t);
	/* All within one turn, so that no time passes. */
	for (n = 0; !t.p.conn->closing && n < 9000; n++) {
		conn_error(t.p.conn, HUB_RATE_LIMITED, "later", (struct span){0});
		if (n == 1500) {
			m = t.p.conn->input->meter;
			assert_in_range(m->strikes, 1, METER_STRIKES);
			m->errors = 0; /* as after a rest */
			conn_error(t.p.conn, HUB_RATE_LIMITED, "later", (struct span){0});
			assert_int_equal(m->strikes, 0);
		}
	}
	assert_int_equal(n, 1500 + 1000 + METER_STRIKES + 1);
	stub_round(t.w);
	assert_int_equal(t.p.code, CLOSE_POLICY);
	assert_int_equal(atomic_load(&t.w->counters.closed_errors[0]), 1);
	end(&t);
}

static bool of_an_address(struct conn *c, struct address *a)
{
	(void)c;
	return address_read(a, "192.0.2.1", 9);
}

static void joins_of_an_address_are_counted_together(void **state)
{
	static const unsigned char key[SHARES_KEY_LEN];
	struct place t = {0};
	struct peer other = {0};
	int n;

	(void)state;
	start(&t);
	peer_open(&other, t.w, &outside);
	t.set.rate_joins = 10;
	t.set.shares = shares_new(10, key);
	for (n = 0; n < 100; n++)
		meter_join(t.p.conn);
	assert_false(t.p.paused); /* it has no address that counts */
	outside.counts = of_an_address;
	for (n = 0; n < 10; n++) {
		meter_join(t.p.conn);
		meter_join(other.conn);
	}
	assert_false(t.p.paused || other.paused);
	meter_join(other.conn);
	meter_join(other.conn);
	assert_true(other.paused);
	assert_false(t.p.paused);
	assert_in_range(atomic_load(&t.w->counters.slowed_joins[0]), 1, 2);
	shares_free(t.set.shares);
	t.set.shares = NULL;
	end(&t);
	peer_free(&other);
}

static void spend(struct place *t, double rate, int most, int want)
{
	int n = 0;

	while (n < most && meter_rate(t->p.conn, rate))
		n++;
	assert_int_equal(n, want);
}

/* Whose token gives a rate is refused what is beyond it, and not slowed. */
static void a_tokens_rate_is_kept(void **state)
{
	struct place t = {0};

	(void)state;
	start(&t);
	spend(&t, 10, 100, 10); /* a second's worth at a time */
	assert_false(t.p.paused);
	for (uint64_t ms = clock_mono_ms(); clock_mono_ms() - ms < 150;)
		stub_round(t.w);
	assert_true(meter_rate(t.p.conn, 10));
	/* Less than one a second. */
	meter_trim(t.p.conn, true);
	spend(&t, 0.5, 100, 1);
	end(&t);
}

/* Who did something that is counted has nothing of it a moment later. */
static void meters_go_when_they_are_empty(void **state)
{
	struct place t = {.set.rates = meter_rates(100, 0)};
	uint64_t start_ms = clock_mono_ms();

	(void)state;
	start(&t);
	meter_message(t.p.conn, 10);
	assert_non_null(t.p.conn->input);
	while (t.p.conn->input) {
		stub_round(t.w);
		assert_true(clock_mono_ms() - start_ms < 60000);
	}
	end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bucket_fills_and_empties),
	    cmocka_unit_test(who_is_slowed_goes_on_later),
	    cmocka_unit_test(rates_are_what_was_asked_for),
	    cmocka_unit_test(it_goes_while_it_is_slowed),
	    cmocka_unit_test(it_goes_on_with_the_next_connection),
	    cmocka_unit_test(errors_are_counted),
	    cmocka_unit_test(who_goes_on_nevertheless_is_sent_away),
	    cmocka_unit_test(joins_of_an_address_are_counted_together),
	    cmocka_unit_test(a_tokens_rate_is_kept),
	    cmocka_unit_test(meters_go_when_they_are_empty),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}

/* Selections: which records, as what bytes, and when; and that members who want the same share. */
#include <errno.h>
#include <sodium.h>

#include "hubd/deliver_stub.h"
#include "member/select_impl.h"
#include "unit.h"

#define POS(n) "{\"type\":\"pos\",\"n\":" #n
#define SAY(n) "{\"type\":\"say\",\"n\":" #n

/* What the peer got of records, n and seq and what is between them, is that. */
static void expect(struct peer *p, const char *want)
{
	assert_int_equal(p->got.len, strlen(want));
	assert_memory_equal(p->got.data, want, strlen(want));
	p->got.len = 0;
}

static void publish(struct member_stub *st, struct peer *p)
{
	peer_say(p, "set a k " POS(1));
	peer_say(p, "say a " SAY(2));
	peer_say(p, "set a l " POS(3));
	peer_say(p, "set a k " POS(4));
	stub_settle(&st->s.workers);
}

/* How many the worker has. */
static unsigned selections(const struct worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SELECT_BUCKETS; i++)
		for (const struct selection *s = w->members->selections[i]; s; s = s->next)
			n++;
	return n;
}

static void wishes_are_shared(void **state)
{
	struct member_stub st = {0};
	struct select_wish a = {.tick_ms = 5}, b = {.tick_ms = 5}, c = {.tick_ms = 5}, none = {0};
	struct selection *x, *y, *z;
	struct worker *w;
	bool ok;

	(void)state;
	member_stub_start(&st, 1, false);
	w = stub_worker(&st, 0);
	assert_int_equal(select_type(&a, span_of("p*")), 0);
	assert_int_equal(select_type(&a, span_of("!q")), 0);
	assert_int_equal(select_type(&b, span_of("!q")), 0);
	assert_int_equal(select_type(&b, span_of("p*")), 0);
	assert_int_equal(select_type(&c, span_of("p*")), 0);
	assert_int_equal(select_type(&c, span_of("")), -EINVAL);
	assert_int_equal(select_type(&c, span_of("!")), -EINVAL);
	x = select_get(w, &a, &ok);
	assert_true(ok && x);
	y = select_get(w, &b, &ok);
	assert_ptr_equal(x, y);
	z = select_get(w, &c, &ok);
	assert_true(z && z != x);
	assert_null(select_get(w, &none, &ok));
	assert_true(ok);
	select_unref(x);
	select_unref(y);
	assert_int_equal(selections(w), 1);
	select_unref(z);
	assert_int_equal(selections(w), 0);
	for (unsigned i = 0; i < GLOBS_MAX; i++)
		assert_int_equal(select_type(&none, span_of("t")), 0);
	assert_int_equal(select_type(&none, span_of("t")), -E2BIG);
	select_wish_free(&none);
	member_stub_end(&st);
}

static void records_are_picked(void **state)
{
	static const char *const join[] = {"join a type=pos",  "join a type=!pos",
					   "join a type=none", "join a conflate",
					   "join a batch",     "join a batch conflate"};
	static const char *const want[] = {
	    POS(1) ",\"seq\":1}\n" POS(3) ",\"seq\":3}\n" POS(4) ",\"seq\":4}\n",
	    SAY(2) ",\"seq\":2}\n",
	    "",
	    SAY(2) ",\"seq\":2}\n" POS(3) ",\"seq\":3}\n" POS(4) ",\"seq\":4}\nskipped a 1\n",
	    "[" POS(1) ",\"seq\":1}," SAY(2) ",\"seq\":2}," POS(3) ",\"seq\":3}," POS(
		4) ",\"seq\":4}]\n",
	    "[" SAY(2) ",\"seq\":2}," POS(3) ",\"seq\":3}," POS(4) ",\"seq\":4},skipped a 1]\n",
	};
	struct member_stub st = {0};
	struct peer p[2 * UNIT_COUNT(join)], from;
	unsigned i;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &from, 0, 100);
	stub_say(&st, &from, "join a");
	/* Two of each, the second of which gets what was made for the first. */
	for (i = 0; i < UNIT_COUNT(p); i++) {
		stub_open(&st, &p[i], 0, i + 1);
		stub_say(&st, &p[i], join[i / 2]);
	}
	for (i = 0; i < UNIT_COUNT(p); i++)
		p[i].got.len = 0;
	publish(&st, &from);
	for (i = 0; i < UNIT_COUNT(p); i++)
		expect(&p[i], want[i / 2]);
	member_stub_end(&st);
	for (i = 0; i < UNIT_COUNT(p); i++)
		peer_free(&p[i]);
	peer_free(&from);
}

/* One of two that share has sent some of it, and does not want that back. */
static void ones_own_are_left_out(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	start_two(&st, 1, &p, "join a batch quiet", &q, "join a batch quiet");
	peer_say(&p, "say a " SAY(1));
	peer_say(&q, "say a " SAY(2));
	stub_settle(&st.s.workers);
	expect(&p, "[" SAY(2) ",\"seq\":2}]\n");
	expect(&q, "[" SAY(1) ",\"seq\":1}]\n");
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void the_snapshot_is_counted(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	publish(&st, &p);
	peer_say(&p, "set a m " SAY(5));
	stub_say(&st, &q, "join a type=say");
	assert_true(peer_has(&q, "joined a seq=5 users=2 snapshot=1\n" SAY(5) ",\"seq\":5}\n"));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* What the record before has said, as it is written, is left out. */
static void records_are_made_short(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	start_two(&st, 1, &p, "join a", &q, "join a batch compact");
	peer_say(&p, "say a {\"type\":\"x\",\"session_id\":\"a\",\"timestamp\":1,\"from\":\"A\"");
	peer_say(&p, "say a {\"timestamp\" :1 , \"session_id\":\"a\",\"y\":{\"from\":\"A\"},"
		     "\"from\":\"B\"");
	peer_say(&p, "say a {\"session_id\":\"a\",\"timestamp\":1.0,\"from\":\"B\"");
	stub_settle(&st.s.workers);
	expect(&q,
	       "[{\"type\":\"x\",\"session_id\":\"a\",\"timestamp\":1,\"from\":\"A\",\"seq\":1},"
	       "{ \"y\":{\"from\":\"A\"},\"from\":\"B\",\"seq\":2},"
	       "{\"timestamp\":1.0,\"seq\":3}]\n");
	/* Each array begins anew. */
	stub_say(&st, &p, "say a {\"session_id\":\"a\",\"timestamp\":1.0,\"from\":\"B\"");
	expect(&q, "[{\"session_id\":\"a\",\"timestamp\":1.0,\"from\":\"B\",\"seq\":4}]\n");
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* Ends with the loop's time at a multiple of it. */
static void a_tick_is_waited_for(void **state)
{
	struct member_stub st = {0};
	struct peer p, q, from;
	uint64_t now_ms;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &from, 0, 100);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &from, "join a");
	stub_say(&st, &p, "join a tick=50 batch");
	stub_say(&st, &q, "join a tick=60000");
	p.got.len = q.got.len = 0;
	now_ms = worker_now_ms(stub_worker(&st, 0));
	publish(&st, &from);
	if (worker_now_ms(stub_worker(&st, 0)) / 50 == now_ms / 50)
		assert_int_equal(p.got.len, 0);
	while (!p.got.len)
		stub_settle(&st.s.workers);
	assert_true(worker_now_ms(stub_worker(&st, 0)) / 50 > now_ms / 50);
	/* All of it comes before it leaves, and what is joined again has no tick. */
	stub_say(&st, &q, "join a");
	stub_say(&st, &from, "say a " SAY(5));
	assert_true(peer_has(&q, SAY(5)));
	stub_say(&st, &p, "join a tick=60000 batch");
	stub_say(&st, &from, "say a " SAY(6));
	stub_say(&st, &p, "leave a");
	assert_true(peer_has(&p, SAY(6) ",\"seq\":6}]\n"));
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	peer_free(&from);
}

static void some_do_not_wait(void **state)
{
	struct member_stub st = {0};
	struct peer p, q, from;
	uint64_t minute;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &from, 0, 100);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &from, "join a");
	do { /* all of it between two ticks */
		stub_say(&st, &p, "join a tick=60000 batch first=p*");
		stub_say(&st, &q, "join a tick=60000 batch first=p* type=!pos");
		stub_say(&st, &p, "leave a"); /* what was held */
		stub_say(&st, &q, "leave a");
		stub_say(&st, &p, "join a tick=60000 batch first=p*");
		stub_say(&st, &q, "join a tick=60000 batch first=p* type=!pos");
		p.got.len = q.got.len = 0;
		minute = worker_now_ms(stub_worker(&st, 0)) / 60000;
		stub_say(&st, &from, "say a " SAY(1));
		if (worker_now_ms(stub_worker(&st, 0)) / 60000 == minute)
			assert_int_equal(p.got.len + q.got.len, 0);
		stub_say(&st, &from, "say a " POS(2));
		assert_true(peer_has(&p, SAY(1)) && peer_has(&p, POS(2)));
	} while (worker_now_ms(stub_worker(&st, 0)) / 60000 != minute);
	/* Of what is not wanted nobody is told sooner. */
	assert_int_equal(q.got.len, 0);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	peer_free(&from);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wishes_are_shared),       cmocka_unit_test(records_are_picked),
	    cmocka_unit_test(ones_own_are_left_out),   cmocka_unit_test(records_are_made_short),
	    cmocka_unit_test(the_snapshot_is_counted), cmocka_unit_test(a_tick_is_waited_for),
	    cmocka_unit_test(some_do_not_wait),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}

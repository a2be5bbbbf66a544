/* The turn of a worker: its lists in their order, and what is left for the next one. */
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "hubd/loop_stub.h"
#include "hubd/loop_trace.h"
#include "loop/worker.h"
#include "unit.h"

struct todo {
	struct turn_entry e; /* first */
	char what;
	enum turn_step step;
	struct todo *later, *next_turn; /* put on their lists when this is done, */
	int times;			/* as often */
};

static void do_it(struct worker *w, struct turn_entry *e)
{
	struct todo *t = (struct todo *)e;

	assert_null(e->next);
	note(t->what);
	if (t->times-- <= 0)
		return;
	if (t->later)
		worker_later(w, t->later->step, &t->later->e);
	if (t->next_turn)
		worker_next_turn(w, t->next_turn->step, &t->next_turn->e);
}

static struct worker_hooks turn_hooks(void)
{
	struct worker_hooks hooks = loop_stub_hooks();

	for (enum turn_step step = 0; step < TURN_STEPS; step++)
		hooks.step[step] = do_it;
	return hooks;
}

static void lists_are_done_in_their_order(void **state)
{
	struct worker_hooks hooks = turn_hooks();
	struct todo s = {.what = 's', .step = TURN_SESSIONS}, c = {.what = 'c'}, r = {.what = 'r'};
	struct workers all = {0};
	struct worker *w;

	(void)state;
	c.step = TURN_CONNECTIONS;
	r.step = TURN_REAP;
	loop_stub_workers(&all, 1, &hooks);
	w = all.at[0];
	assert_true(worker_later(w, TURN_REAP, &r.e));
	assert_true(worker_later(w, TURN_CONNECTIONS, &c.e));
	assert_true(worker_later(w, TURN_SESSIONS, &s.e));
	assert_false(worker_later(w, TURN_SESSIONS, &s.e));
	assert_false(worker_next_turn(w, TURN_SESSIONS, &s.e));
	stub_round(w);
	expect("scr");
	/* What one list fills is done before the loop waits, the earlier lists first. */
	r.later = &s;
	r.times = 1;
	c.later = &r;
	c.times = 2;
	s.later = &c;
	s.times = 1;
	worker_later(w, TURN_REAP, &r.e);
	stub_round(w);
	expect("rscr");
	loop_stub_free(&all);
	trace.len = 0;
}

static void the_next_turn_comes_at_once(void **state)
{
	struct worker_hooks hooks = turn_hooks();
	struct todo c = {.what = 'c', .step = TURN_CONNECTIONS, .times = 3}, s = {.what = 's'};
	struct workers all = {0};
	struct worker *w;

	(void)state;
	s.step = TURN_SESSIONS;
	c.next_turn = &c;
	loop_stub_workers(&all, 1, &hooks);
	w = all.at[0];
	assert_true(worker_next_turn(w, TURN_CONNECTIONS, &c.e));
	assert_false(worker_next_turn(w, TURN_CONNECTIONS, &c.e));
	assert_false(worker_later(w, TURN_CONNECTIONS, &c.e));
	worker_later(w, TURN_SESSIONS, &s.e);
	while (trace.len < 5) {
		/* Else it would wait for the tick of a second. */
		assert_int_equal(uv_backend_timeout(worker_loop(w)), 0);
		uv_run(worker_loop(w), UV_RUN_ONCE);
	}
	expect("scccc");
	/* Then it waits again: there is nothing left that is due at once. */
	stub_round(w);
	assert_int_equal(uv_backend_timeout(worker_loop(w)) > 0, true);
	loop_stub_free(&all);
	trace.len = 0;
}

/* Nothing that was put on a list is forgotten when the worker ends. */
static void the_last_turns_do_what_is_left(void **state)
{
	struct worker_hooks hooks = turn_hooks();
	struct todo c = {.what = 'c', .step = TURN_CONNECTIONS}, r = {.what = 'r', .times = 1};
	struct workers all = {0};

	(void)state;
	r.step = TURN_REAP;
	r.next_turn = &c;
	loop_stub_workers(&all, 1, &hooks);
	worker_later(all.at[0], TURN_REAP, &r.e);
	loop_stub_free(&all);
	assert_int_equal(buf_put(&trace, "", 1), 0);
	assert_non_null(strchr(trace.data, 'r'));
	assert_non_null(strchr(trace.data, 'c'));
	trace.len = 0;
}

#define READERS 20

static void read_slowly(struct worker *w, struct turn_entry *e)
{
	struct todo *t = (struct todo *)e;
	uint64_t until = clock_mono_ms() + 2;

	note(t->what);
	while (clock_mono_ms() < until)
		;
	if (t->times-- > 0)
		worker_next_turn(w, TURN_STREAMS, e);
}

/* Streams that all have more to read do not keep the loop from looking for others, and each has its
 * part. */
static void readers_share_a_turn(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct todo t[READERS];
	struct workers all = {0};
	int times[READERS] = {0};
	size_t done = 0;

	(void)state;
	hooks.step[TURN_STREAMS] = read_slowly;
	loop_stub_workers(&all, 1, &hooks);
	for (int i = READERS; i-- > 0;) {
		t[i] = (struct todo){.what = (char)('a' + i), .times = 3};
		worker_later(all.at[0], TURN_STREAMS, &t[i].e);
	}
	while (trace.len < READERS * 4) {
		assert_int_equal(done ? uv_backend_timeout(worker_loop(all.at[0])) : 0, 0);
		stub_round(all.at[0]);
		/* Before the loop looks for events, and behind that. */
		assert_in_range(trace.len - done, 1, 4);
		done = trace.len;
	}
	/* Whom it is has no order, but nobody is far ahead of another. */
	for (size_t i = 0; i < done; i++) {
		int most = 0, least = READERS;

		times[trace.data[i] - 'a']++;
		for (int k = 0; k < READERS; k++) {
			most = times[k] > most ? times[k] : most;
			least = times[k] < least ? times[k] : least;
		}
		assert_in_range(most - least, 0, 2);
	}
	trace.len = 0;
	loop_stub_free(&all);
	assert_int_equal(trace.len, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_are_done_in_their_order),
	    cmocka_unit_test(the_next_turn_comes_at_once),
	    cmocka_unit_test(the_last_turns_do_what_is_left),
	    cmocka_unit_test(readers_share_a_turn),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("turn", tests, NULL, NULL);
	buf_free(&trace);
	return failed;
}

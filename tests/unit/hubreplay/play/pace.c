/* Instants: not before they are due, once, and the last one that was asked for. */
#include "play/pace.h"

#include "base/clock.h"
#include "unit.h"

struct seen {
	int n;
	uint64_t ns; /* when the last came */
};

static void on_due(struct pace *p)
{
	struct seen *seen = p->data;

	seen->n++;
	seen->ns = clock_mono_ns();
}

static void on_timer(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Runs the loop for so long. */
static void run(uv_loop_t *loop, uint64_t ms)
{
	uv_timer_t timer;

	uv_timer_init(loop, &timer);
	uv_update_time(loop);
	uv_timer_start(&timer, on_timer, ms, 0);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
}

static void instants(void **state)
{
	struct seen seen = {0};
	struct pace p;
	uv_loop_t loop;
	uint64_t at;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(pace_init(&p, &loop, on_due, &seen), 0);

	/* Half milliseconds, which libuv does not count. */
	for (int i = 1; i <= 5; i++) {
		at = clock_mono_ns() + 500000;
		pace_at(&p, at);
		while (seen.n < i)
			uv_run(&loop, UV_RUN_ONCE);
		assert_true(seen.ns >= at);
	}
	run(&loop, 20);
	assert_int_equal(seen.n, 5);

	/* What is past is due at once. */
	pace_at(&p, 1);
	while (seen.n < 6)
		uv_run(&loop, UV_RUN_ONCE);

	/* The last one counts, also where it is later. */
	at = clock_mono_ns() + 30000000;
	pace_at(&p, clock_mono_ns() + 1000000);
	pace_at(&p, at);
	while (seen.n < 7)
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(seen.ns >= at);

	pace_at(&p, clock_mono_ns() + 1000000);
	pace_stop(&p);
	run(&loop, 20);
	assert_int_equal(seen.n, 7);

	pace_close(&p);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(instants)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}

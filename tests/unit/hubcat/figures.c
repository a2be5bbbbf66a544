/* What is read of /metrics, and the rows that are made of two looks. */
#include "figures.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const char first[] = "# HELP hubd_connections Connections now.\n"
			    "# TYPE hubd_connections gauge\n"
			    "hubd_connections{door=\"unix\"} 1\n"
			    "hubd_connections{door=\"ws\"} 9\n"
			    "hubd_connections_limit 1000\n"
			    "hubd_sessions 3\n"
			    "hubd_members{door=\"ws\"} 12000\n"
			    "hubd_messages_received_total{door=\"ws\"} 1000\n"
			    "hubd_deliveries_total{door=\"ws\"} 100000\n"
			    "hubd_received_bytes_total{door=\"ws\"} 1000\n"
			    "hubd_sent_bytes_total{door=\"ws\"} 1000000\n"
			    "hubd_slow_disconnects_total 1\n"
			    "hubd_slow_resyncs_total 2\n"
			    "hubd_refusals_total{reason=\"not_found\"} 4\n"
			    "hubd_refusals_total{reason=\"strange} name\"} 1\n"
			    "hubd_loop_lag_seconds_bucket{le=\"0.001\"} 90\n"
			    "hubd_loop_lag_seconds_bucket{le=\"0.01\"} 100\n"
			    "hubd_loop_lag_seconds_bucket{le=\"+Inf\"} 100\n"
			    "hubd_loop_lag_seconds_sum 0.5\n"
			    "hubd_loop_lag_seconds_count 100\n"
			    "process_resident_memory_bytes 104857600\n"
			    "process_start_time_seconds 1795193593.5\n";

static struct figures read_all(const char *text)
{
	struct figures f;

	assert_true(figures_read(&f, text, strlen(text)));
	return f;
}

static void test_sums_are_read(void **state)
{
	struct figures f = read_all(first);

	(void)state;
	assert_int_equal(f.connections, 10);
	assert_int_equal(f.sessions, 3);
	assert_int_equal(f.members, 12000);
	assert_int_equal(f.slow, 3);
	assert_int_equal(f.refused, 5);
	assert_int_equal(f.turns, 100);
	assert_int_equal(f.bounds, 2);
	assert_int_equal(f.below[1], 100);
	assert_int_equal(f.memory, 104857600);
}

static void test_others_are_none(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "<html>",
					    "hubd_connections 1\n",
					    "process_start_time_seconds 1\n",
					    "{\"status\":\"ok\"}\n"};
	struct figures f;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_false(figures_read(&f, texts[i], strlen(texts[i])));
	/* Half a line is none. */
	assert_true(figures_read(&f, first, strlen(first)));
	assert_false(figures_read(&f, first, strlen(first) - 1));
}

static void row(const struct figures *before, const struct figures *now, double seconds,
		const char *want)
{
	struct buf out = {0};

	assert_int_equal(figures_row(&out, before, now, seconds), 0);
	assert_int_equal(buf_put(&out, "", 1), 0);
	assert_string_equal(out.data, want);
	buf_free(&out);
}

static void test_rows(void **state)
{
	struct figures none = {0}, a = read_all(first), b = a;
	struct buf out = {0};

	(void)state;
	row(&none, &a, 100,
	    "    10      3  12.0k     10   1000     10  10000      3      5     10   100M\n");
	b.received += 25;
	b.delivered += 5e6;
	b.sent_bytes += 3 << 20;
	b.turns += 10;
	b.below[0] += 10;
	b.below[1] += 10;
	row(&a, &b, 2,
	    "    10      3  12.0k     12   2.5M      0   1.5M      0      0      1   100M\n");
	/* Nothing turned; longer than all bounds; another hub. */
	row(&b, &b, 1,
	    "    10      3  12.0k      0      0      0      0      0      0      0   100M\n");
	a = b;
	a.turns++;
	row(&b, &a, 1,
	    "    10      3  12.0k      0      0      0      0      0      0    inf   100M\n");
	a.received = 7;
	assert_int_equal(figures_json(&out, &b, &a, 1, 1795193593169ull), 0);
	assert_int_equal(buf_put(&out, "", 1), 0);
	assert_string_equal(out.data,
			    "{\"type\":\"stats\",\"timestamp\":1795193593169,\"seconds\":1.000,"
			    "\"connections\":10,\"sessions\":3,\"members\":12000,\"received\":7,"
			    "\"delivered\":0,\"received_bytes\":0,\"sent_bytes\":0,\"slow\":0,"
			    "\"refused\":0,\"lag_ms\":null,\"memory\":104857600}\n");
	buf_free(&out);
}

/* Each column stands under its name. */
static void test_the_header_fits(void **state)
{
	struct figures none = {0}, a = read_all(first);
	struct buf out = {0};

	(void)state;
	assert_int_equal(figures_row(&out, &none, &a, 1), 0);
	assert_int_equal(out.len, strlen(FIGURES_HEADER));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sums_are_read),
	    cmocka_unit_test(test_others_are_none),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_the_header_fits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

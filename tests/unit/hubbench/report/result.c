/* A result on its way out and back: JSON keeps everything, the comparison and the pages say what is
 * in it, and what is no result is refused. */
#include "report/result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json/json.h"
#include "report/compare.h"
#include "report/report.h"
#include "report/units.h"
#include "result_sample.h"
#include "unit.h"

static char path[2][64];

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd;

		strcpy(path[i], "/tmp/hubbench-result.XXXXXX");
		fd = mkstemp(path[i]);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path[0]);
	unlink(path[1]);
	return 0;
}

static void store(const char *file, const struct result *r)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	for (size_t i = 0; i < r->nseries; i++)
		assert_int_equal(report_json_second(f, r, &r->series[i]), 0);
	assert_int_equal(report_json(f, r), 0);
	assert_int_equal(fclose(f), 0);
}

static void store_text(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* What a function writes, as one string that free() takes. */
static char *written(void (*write)(FILE *out, const struct result *r), const struct result *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	write(f, r);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void write_json(FILE *out, const struct result *r)
{
	assert_int_equal(report_json(out, r), 0);
}

static void write_svg(FILE *out, const struct result *r)
{
	assert_int_equal(report_page(out, r, false), 0);
}

static void write_html(FILE *out, const struct result *r)
{
	assert_int_equal(report_page(out, r, true), 0);
}

static void write_comparison(FILE *out, const struct result *r)
{
	struct result *before = calloc(1, sizeof(*before));
	char why[256];

	assert_non_null(before);
	if (result_read(path[0], before, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	compare(out, before, r);
	assert_int_equal(fflush(out), 0);
	result_free(before);
	free(before);
}

static void expect_texts(const char *text, const char *const *parts)
{
	for (; *parts; parts++) {
		if (!strstr(text, *parts))
			fail_msg("\"%s\" is not in:\n%s", *parts, text);
	}
}

static struct result *sample_full(void)
{
	struct result *r = sample_result();

	r->interrupted = true;
	r->errors = 7;
	r->audit = (struct audit_counts){10, 9, 8, 7, 6, 5, 4, 3, 2};
	strcpy(r->first_error, "rate_limited: \"slow\" down\n");
	r->verdict = VERDICT_GENERATOR_BOUND;
	r->checks = calloc(1, sizeof(*r->checks));
	assert_non_null(r->checks);
	r->nchecks = 1;
	r->checks[0].text = strdup("p99<50ms");
	r->checks[0].met = true;
	strcpy(r->checks[0].why, "every.p99 is 3.43 ms");
	r->trials = calloc(2, sizeof(*r->trials));
	assert_non_null(r->trials);
	r->ntrials = 2;
	r->trials[0] = (struct result_trial){1000, 999.9, 1234567, true, VERDICT_OK};
	r->trials[1] = (struct result_trial){2000, 1500, 98765432, false, VERDICT_SATURATED};
	return r;
}

static void test_what_is_written_reads_back(void **state)
{
	struct result *r = sample_full(), *back = malloc(sizeof(*back));
	char why[256] = "", *before, *after;
	struct json_scan scan;

	(void)state;
	assert_non_null(back);
	store(path[0], r);
	if (result_read(path[0], back, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	/* Every figure is in the JSON: where the second text is the first, nothing is lost. */
	before = written(write_json, r);
	after = written(write_json, back);
	assert_string_equal(before, after);
	assert_int_equal(json_scan(NULL, before, strlen(before), NULL, &scan), JSON_OK);
	for (int m = 0; m < METRICS; m++) {
		assert_memory_equal(back->metric[m].count, r->metric[m].count,
				    sizeof(r->metric[m].count));
		assert_int_equal(back->metric[m].n, r->metric[m].n);
		assert_int_equal(back->metric[m].max, r->metric[m].max);
	}
	assert_string_equal(back->first_error, r->first_error);
	assert_int_equal(back->verdict, VERDICT_GENERATOR_BOUND);
	assert_int_equal(back->audit.reordered, 6);
	assert_int_equal(back->audit.differing, 2);
	assert_int_equal(back->trials[1].verdict, VERDICT_SATURATED);
	assert_int_equal(back->series[6].p99_ns, 120000000);
	free(before);
	free(after);
	sample_free(back);
	sample_free(r);
}

static void test_an_empty_result_is_written_and_read(void **state)
{
	struct result *r = calloc(1, sizeof(*r)), *back = malloc(sizeof(*back));
	char why[256] = "", *texts[3];
	static const char *const all[] = {"verdict", NULL};

	(void)state;
	assert_non_null(r);
	assert_non_null(back);
	store(path[0], r);
	if (result_read(path[0], back, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_true(isnan(result_offered(back)));
	assert_true(isnan(result_bytes_per_client(back)));
	assert_null(back->series);
	r->scenario = strdup("idle");
	texts[0] = written(report_table, r);
	texts[1] = written(write_svg, r);
	texts[2] = written(write_html, r);
	expect_texts(texts[0], all);
	for (int i = 0; i < 3; i++) {
		assert_null(strstr(texts[i], "nan"));
		assert_null(strstr(texts[i], "(null)"));
		free(texts[i]);
	}
	sample_free(back);
	sample_free(r);
}

static void test_what_is_no_result_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "{}",
					    "[1]",
					    "nonsense",
					    "{\"type\":\"hubbench_second\"}",
					    "{\"type\":\"hubbench_result\"}",
					    "{\"type\":\"hubbench_result\",\"version\":2}",
					    "{\"type\":\"hubbench_result\",\"version\":1"};
	struct result *r = malloc(sizeof(*r));
	char why[256];

	(void)state;
	assert_non_null(r);
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		store_text(path[0], texts[i]);
		assert_int_equal(result_read(path[0], r, why, sizeof(why)), -EINVAL);
		assert_true(strlen(why) > strlen(path[0]));
	}
	assert_int_equal(result_read("/nonexistent/file", r, why, sizeof(why)), -ENOENT);
	assert_string_equal(why, "/nonexistent/file: No such file or directory");
	/* Members of another type than they should be are as if they were not there. */
	store_text(path[0], "{\"type\":\"hubbench_result\",\"version\":1,\"asked\":[1],"
			    "\"happened\":{\"sent\":\"many\",\"acked\":-3,\"due\":1e300},"
			    "\"series\":7,\"latency_ns\":{\"ack\":{\"buckets\":[1,[2],{}]}}}");
	assert_int_equal(result_read(path[0], r, why, sizeof(why)), 0);
	assert_int_equal(r->sent, 0);
	assert_int_equal(r->acked, 0);
	assert_true(r->due == UINT64_MAX);
	sample_free(r);
}

static void test_a_comparison_names_conditions_and_changes(void **state)
{
	struct result *r = sample_result();
	char *text;
	static const char *const same[] = {"conditions are the same", "achieved messages/s", NULL};
	static const char *const other[] = {
	    "conditions differ",
	    "  clients                         1,000          2,000",
	    "verdicts: ok, saturated",
	    "  transport                          ws           unix",
	    "  acks                               no            yes",
	    "achieved messages/s                 500          1,000           +500     x 2.00",
	    "bytes a client                 2.05 KiB       1.02 KiB      -1.02 KiB     x 0.50",
	    "largest backlog                       3              3              0          =",
	    NULL};

	(void)state;
	store(path[0], r);
	free(r->label);
	r->label = strdup("another");
	text = written(write_comparison, r);
	expect_texts(text, same);
	free(text);
	r->clients = r->clients_joined = 2000;
	r->acks = true;
	strcpy(r->url, "unix:/a");
	r->sent = 9999;
	r->verdict = VERDICT_SATURATED;
	text = written(write_comparison, r);
	expect_texts(text, other);
	free(text);
	sample_free(r);
}

static void write_two_files(FILE *out, const struct result *r)
{
	struct result *now = calloc(1, sizeof(*now));
	char why[256];

	(void)r;
	assert_non_null(now);
	assert_int_equal(result_read("/nonexistent/file", now, why, sizeof(why)), -ENOENT);
	assert_int_equal(result_read(path[1], now, why, sizeof(why)), 0);
	write_comparison(out, now);
	result_free(now);
	free(now);
}

static void test_two_files_are_compared(void **state)
{
	struct result *r = sample_result();
	char *beside, *text;

	(void)state;
	store(path[0], r);
	r->sent = 4000;
	store(path[1], r);
	beside = written(write_comparison, r);
	text = written(write_two_files, r);
	assert_string_equal(text, beside);
	free(beside);
	free(text);
	sample_free(r);
}

static void test_the_table_says_all_of_it(void **state)
{
	struct result *r = sample_full();
	char *text = written(report_table, r);
	static const char *const parts[] = {
	    "fanout, hub, ws://127.0.0.1:4820/ws",
	    "1,000 clients, 1 session, 10 publishers, 100-byte messages",
	    "open model: 500 messages/s due at fixed instants",
	    "10 s, interrupted",
	    "offered 500/s, achieved 500/s (99.960 %)",
	    "backlog 3 at most, 2 at the end",
	    "publish to every receiver      499,800   924 us  2.84 ms  3.43 ms",
	    "  uncorrected, from send       499,800   347 us   981 us  1.18 ms",
	    "lost 8, duplicated 7,",
	    "reordered 6, withheld behind a gap 5, unknown 4",
	    "3 members have all, 2 of them in another order",
	    "busiest thread 41.0 % of a CPU",
	    "2.05 KiB a client",
	    "768,923 deliveries per CPU-second",
	    "met      p99<50ms: every.p99 is 3.43 ms",
	    "98.8 ms  not met, saturated",
	    "highest    1,000 messages/s",
	    "verdict    generator-bound: sent what",
	    NULL};

	(void)state;
	expect_texts(text, parts);
	free(text);
	r->closed = 100;
	r->rate = 0;
	text = written(report_table, r);
	assert_non_null(strstr(text, "closed model: 100 messages of each publisher under way"));
	assert_null(strstr(text, "open model"));
	free(text);
	sample_free(r);
}

/* Elements are closed in the order in which they were opened; for what hubbench writes that is all
 * there is to being well-formed. */
static void assert_nested(const char *text)
{
	const char *names[64];
	size_t lengths[64], depth = 0;

	for (const char *p = strchr(text, '<'); p; p = strchr(p, '<')) {
		const char *name = ++p, *end = strchr(p, '>');
		bool closes = *name == '/';
		size_t len;

		assert_non_null(end);
		name += closes;
		len = strcspn(name, " />\n");
		if (closes) {
			assert_true(depth > 0);
			depth--;
			assert_int_equal(len, lengths[depth]);
			assert_memory_equal(name, names[depth], len);
		} else if (end[-1] != '/') {
			assert_true(depth < 64);
			names[depth] = name;
			lengths[depth++] = len;
		}
		p = end;
	}
	assert_int_equal(depth, 0);
}

static void test_the_image_is_well_formed(void **state)
{
	struct result *r = sample_full();
	static const char *const parts[] = {"<svg xmlns=",
					    "prefers-color-scheme:dark",
					    "a &quot;quoted&quot; &lt;name&gt;",
					    "Latency by percentile",
					    "uncorrected 1.18 ms",
					    "Deliveries a second",
					    "Memory of the server",
					    "Search: P99 by messages a second",
					    "generator-bound",
					    "rate_limited: &quot;slow&quot; down ",
					    NULL};
	char *svg, *html;

	(void)state;
	svg = written(write_svg, r);
	expect_texts(svg, parts);
	assert_nested(svg);
	assert_null(strstr(svg, "nan"));
	assert_null(strstr(svg, "inf"));
	/* Control characters and what is not UTF-8 have no place in XML. */
	strcpy(r->label, "a\001b\xff\xfe");
	free(svg);
	svg = written(write_svg, r);
	assert_null(strchr(svg, '\001'));
	assert_null(strchr(svg, '\xff'));
	assert_non_null(strstr(svg, "a b  "));
	html = written(write_html, r);
	expect_texts(html, parts + 3);
	assert_non_null(strstr(html, "<!doctype html>"));
	assert_non_null(strstr(html, "publish to every receiver"));
	free(svg);
	free(html);
	sample_free(r);
}

static void test_units(void **state)
{
	(void)state;
	assert_string_equal(text_duration(0).s, "0 ns");
	assert_string_equal(text_duration(999).s, "999 ns");
	assert_string_equal(text_duration(999.6).s, "1.00 us");
	assert_string_equal(text_duration(99949).s, "99.9 us");
	assert_string_equal(text_duration(999600).s, "1.00 ms");
	assert_string_equal(text_duration(61e9).s, "61.0 s");
	assert_string_equal(text_duration(NAN).s, "-");
	assert_string_equal(text_count(0).s, "0");
	assert_string_equal(text_count(999).s, "999");
	assert_string_equal(text_count(1000).s, "1,000");
	assert_string_equal(text_count(UINT64_MAX).s, "18,446,744,073,709,551,615");
	assert_string_equal(text_rate(0.5).s, "0.50");
	assert_string_equal(text_rate(999.6).s, "1,000");
	assert_string_equal(text_rate(7.1e6).s, "7.10 M");
	assert_string_equal(text_bytes(1023).s, "1023 B");
	assert_string_equal(text_bytes(1023.6).s, "1.00 KiB");
	assert_string_equal(text_bytes(-2048).s, "-2.00 KiB");
	assert_string_equal(text_share(1).s, "100.0 %");
	assert_string_equal(text_share(0.999999).s, "99.999 %");
	assert_string_equal(text_seconds(9.999).s, "10 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_written_reads_back),
	    cmocka_unit_test(test_an_empty_result_is_written_and_read),
	    cmocka_unit_test(test_what_is_no_result_is_refused),
	    cmocka_unit_test(test_a_comparison_names_conditions_and_changes),
	    cmocka_unit_test(test_two_files_are_compared),
	    cmocka_unit_test(test_the_table_says_all_of_it),
	    cmocka_unit_test(test_the_image_is_well_formed),
	    cmocka_unit_test(test_units),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}

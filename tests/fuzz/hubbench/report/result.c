/* Any bytes as a stored result: what is accepted is written, and reads back as the same; the
 * reports and conditions take it, whatever is in it. Behind a zero byte stands a condition. */
#undef NDEBUG
#include "report/result.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/compare.h"
#include "report/expect.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *to_json(const struct result *r, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	assert(f);
	assert(report_json(f, r) == 0);
	assert(fclose(f) == 0);
	return text;
}

static void show(const struct result *r)
{
	FILE *null = fopen("/dev/null", "w");

	assert(null);
	report_table(null, r);
	assert(report_page(null, r, false) == 0);
	assert(report_page(null, r, true) == 0);
	for (size_t i = 0; i < r->nseries; i++)
		assert(report_json_second(null, r, &r->series[i]) == 0);
	fclose(null);
}

static void try_expect(const char *text, const struct result *r)
{
	char why[256] = "";
	struct expect *e = expect_new(text, r, why, sizeof(why));

	if (e)
		expect_met(e, r, why, sizeof(why));
	assert(why[0]);
	expect_free(e);
}

static void try_result(const char *text, size_t len, struct result *r)
{
	char why[256] = "", *first, *second;
	size_t first_len, second_len;

	if (result_parse(text, len, r, why, sizeof(why)) != 0) {
		assert(why[0]);
		return;
	}
	show(r);
	try_expect("p99<50ms", r);
	try_expect("lost==0", r);
	first = to_json(r, &first_len);
	result_free(r);
	assert(result_parse(first, first_len, r, why, sizeof(why)) == 0);
	second = to_json(r, &second_len);
	assert(first_len == second_len && memcmp(first, second, first_len) == 0);
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result *r = calloc(1, sizeof(*r));
	char *text = malloc(size + 1);

	assert(r && text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (size && text[0] == '\0')
		try_expect(text + 1, r);
	else
		try_result(text, size, r);
	result_free(r);
	free(r);
	free(text);
	return 0;
}

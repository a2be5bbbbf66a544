#include "wire/prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_DIGITS 9
#define SECONDS_MAX 32 /* bytes of a time in seconds */

static void put(struct prometheus *p, const char *text, size_t len)
{
	if (p->status == 0)
		p->status = buf_put(p->out, text, len);
}

static void put_text(struct prometheus *p, const char *text)
{
	put(p, text, strlen(text));
}

/* Text with its special characters escaped: those of a label's value, or of a HELP line. */
static void put_escaped(struct prometheus *p, const char *text, const char *special)
{
	while (*text) {
		size_t plain = strcspn(text, special);

		put(p, text, plain);
		text += plain;
		if (*text) {
			put(p, "\\", 1);
			put(p, *text == '\n' ? "n" : text, 1);
			text++;
		}
	}
}

void prometheus_begin(struct prometheus *p, const char *name, enum prometheus_kind kind,
		      const char *help)
{
	static const char *const kinds[] = {[PROMETHEUS_COUNTER] = "counter",
					    [PROMETHEUS_GAUGE] = "gauge",
					    [PROMETHEUS_HISTOGRAM] = "histogram"};

	put_text(p, "# HELP ");
	put_text(p, name);
	put_text(p, " ");
	put_escaped(p, help, "\\\n");
	put_text(p, "\n# TYPE ");
	put_text(p, name);
	put_text(p, " ");
	put_text(p, kinds[kind]);
	put_text(p, "\n");
}

/* The name of a sample: `name_suffix{label="value"} `. */
static void put_name(struct prometheus *p, const char *name, const char *suffix, const char *label,
		     const char *value)
{
	put_text(p, name);
	put_text(p, suffix);
	if (label) {
		put_text(p, "{");
		put_text(p, label);
		put_text(p, "=\"");
		put_escaped(p, value, "\\\"\n");
		put_text(p, "\"}");
	}
	put_text(p, " ");
}

static void put_whole(struct prometheus *p, uint64_t n)
{
	if (p->status == 0)
		p->status = buf_put_u64(p->out, n);
	put_text(p, "\n");
}

/* A decimal fraction with no digit too many: every time comes out as it is. */
static void seconds_text(char out[SECONDS_MAX], uint64_t ns)
{
	static const uint64_t second = 1000000000;
	char digits[NS_DIGITS + 1];
	size_t len;

	snprintf(digits, sizeof(digits), "%09" PRIu64, ns % second);
	for (len = NS_DIGITS; len && digits[len - 1] == '0'; len--)
		;
	snprintf(out, SECONDS_MAX, "%" PRIu64 "%s%.*s", ns / second, len ? "." : "", (int)len,
		 digits);
}

static void put_seconds(struct prometheus *p, uint64_t ns)
{
	char text[SECONDS_MAX];

	seconds_text(text, ns);
	put_text(p, text);
	put_text(p, "\n");
}

void prometheus_sample(struct prometheus *p, const char *name, const char *label, const char *value,
		       uint64_t n)
{
	put_name(p, name, "", label, value);
	put_whole(p, n);
}

void prometheus_seconds(struct prometheus *p, const char *name, uint64_t ns)
{
	put_name(p, name, "", NULL, NULL);
	put_seconds(p, ns);
}

void prometheus_histogram(struct prometheus *p, const char *name, const uint64_t *bounds_ns,
			  const uint64_t *count, size_t n, uint64_t sum_ns)
{
	uint64_t so_far = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		char bound[SECONDS_MAX];

		so_far += count[i];
		seconds_text(bound, bounds_ns[i]);
		put_name(p, name, "_bucket", "le", bound);
		put_whole(p, so_far);
	}
	so_far += count[n];
	put_name(p, name, "_bucket", "le", "+Inf");
	put_whole(p, so_far);
	put_name(p, name, "_sum", NULL, NULL);
	put_seconds(p, sum_ns);
	put_name(p, name, "_count", NULL, NULL);
	put_whole(p, so_far);
}

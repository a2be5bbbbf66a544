/* A result as JSON, one line; result_read.c reads what is written here. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "report/fields.h"
#include "report/report.h"

/* The shortest text that reads back as the same number. */
static int json_double(struct buf *b, double value)
{
	char text[32];

	if (!isfinite(value))
		return buf_puts(b, "null");
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (!(strtod(text, NULL) < value || strtod(text, NULL) > value))
			break;
	}
	return buf_puts(b, text);
}

static int json_string(struct buf *b, const char *text)
{
	return text ? buf_put_json(b, text, strlen(text)) : buf_puts(b, "null");
}

static int json_value(struct buf *b, const struct field *f, const char *at)
{
	switch (f->kind) {
	case FIELD_U64:
		return buf_put_u64(b, *(const uint64_t *)(const void *)at);
	case FIELD_UNSIGNED:
		return buf_put_u64(b, *(const unsigned *)(const void *)at);
	case FIELD_DOUBLE:
		return json_double(b, *(const double *)(const void *)at);
	case FIELD_BOOL:
		return buf_puts(b, *(const bool *)(const void *)at ? "true" : "false");
	case FIELD_STRING:
		return json_string(b, *(char *const *)(const void *)at);
	case FIELD_CHARS:
		return json_string(b, at);
	case FIELD_VERDICT:
		return json_string(b, verdict_name(*(const enum verdict *)(const void *)at));
	}
	return -EINVAL;
}

/* Members without braces: "name":value,... */
static int json_fields(struct buf *b, const struct field *fields, const void *of)
{
	int err = 0;

	for (const struct field *f = fields; f->name && !err; f++) {
		err = buf_printf(b, "%s\"%s\":", f == fields ? "" : ",", f->name);
		if (!err)
			err = json_value(b, f, (const char *)of + f->offset);
	}
	return err;
}

/* "name":[{...},...] of n structures of that size. */
static int json_array(struct buf *b, const char *name, const struct field *fields, const void *of,
		      size_t n, size_t size)
{
	int err = buf_printf(b, ",\"%s\":[", name);

	for (size_t i = 0; i < n && !err; i++) {
		err = buf_puts(b, i ? ",{" : "{");
		if (!err)
			err = json_fields(b, fields, (const char *)of + i * size);
		if (!err)
			err = buf_puts(b, "}");
	}
	return err ? err : buf_puts(b, "]");
}

static int json_hist(struct buf *b, const struct hist *h)
{
	const char *comma = "";
	int err = buf_printf(
	    b,
	    "{\"n\":%" PRIu64 ",\"min\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p90\":%" PRIu64
	    ",\"p99\":%" PRIu64 ",\"p99_9\":%" PRIu64 ",\"max\":%" PRIu64 ",\"mean\":%.0f,\"sum\":",
	    h->n, h->min, hist_percentile(h, 50), hist_percentile(h, 90), hist_percentile(h, 99),
	    hist_percentile(h, 99.9), h->max, hist_mean(h));

	if (!err)
		err = json_double(b, h->sum);
	if (!err)
		err = buf_puts(b, ",\"buckets\":[");
	for (unsigned i = 0; i < HIST_BUCKETS && !err; i++) {
		if (!h->count[i])
			continue;
		err = buf_printf(b, "%s[%" PRIu64 ",%" PRIu64 "]", comma, hist_bucket_low(i),
				 h->count[i]);
		comma = ",";
	}
	return err ? err : buf_puts(b, "]}");
}

static int json_latencies(struct buf *b, const struct result *r)
{
	const char *comma = "";
	int err = buf_puts(b, ",\"latency_ns\":{");

	for (int m = 0; m < METRICS && !err; m++) {
		if (!r->metric[m].n)
			continue;
		err = buf_printf(b, "%s\"%s\":", comma, metric_name((enum metric)m));
		if (!err)
			err = json_hist(b, &r->metric[m]);
		comma = ",";
	}
	return err ? err : buf_puts(b, "}");
}

static int json_derived(struct buf *b, const struct result *r)
{
	const struct {
		const char *name;
		double value;
	} figures[] = {
	    {"offered_rate", result_offered(r)},
	    {"achieved_rate", result_achieved(r)},
	    {"delivery_rate", result_delivery_rate(r)},
	    {"bytes_per_client", result_bytes_per_client(r)},
	    {"bytes_per_second", result_bytes_per_second(r)},
	    {"bytes_per_update", result_bytes_per_update(r)},
	    {"deliveries_per_cpu_s", result_per_cpu(r)},
	};
	int err = buf_puts(b, ",\"derived\":");

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]) && !err; i++) {
		err = buf_printf(b, "%s\"%s\":", i ? "," : "{", figures[i].name);
		if (!err)
			err = json_double(b, figures[i].value);
	}
	return err ? err : buf_puts(b, "}");
}

static int json_result(struct buf *b, const struct result *r)
{
	int err = buf_puts(b, "{\"type\":\"hubbench_result\",\"version\":1");

	for (const struct field_section *s = field_sections; s->fields && !err; s++) {
		err = s->name ? buf_printf(b, ",\"%s\":{", s->name) : buf_puts(b, ",");
		if (!err)
			err = json_fields(b, s->fields, r);
		if (!err && s->name)
			err = buf_puts(b, "}");
	}
	if (!err)
		err = json_derived(b, r);
	if (!err)
		err = json_latencies(b, r);
	if (!err)
		err =
		    json_array(b, "checks", field_check, r->checks, r->nchecks, sizeof(*r->checks));
	if (!err)
		err =
		    json_array(b, "trials", field_trial, r->trials, r->ntrials, sizeof(*r->trials));
	if (!err)
		err = json_array(b, "series", field_second, r->series, r->nseries,
				 sizeof(*r->series));
	return err ? err : buf_puts(b, "}\n");
}

static int json_write(FILE *out, struct buf *b, int err)
{
	if (!err && (fwrite(b->data, 1, b->len, out) != b->len || fflush(out)))
		err = errno ? -errno : -EIO;
	buf_free(b);
	return err;
}

int report_json(FILE *out, const struct result *r)
{
	struct buf b = {0};

	return json_write(out, &b, json_result(&b, r));
}

int report_json_second(FILE *out, const struct result *r, const struct result_second *s)
{
	struct buf b = {0};
	int err = buf_puts(&b, "{\"type\":\"hubbench_second\",\"scenario\":");

	if (!err)
		err = json_string(&b, r->scenario);
	if (!err)
		err = buf_puts(&b, ",");
	if (!err)
		err = json_fields(&b, field_second, s);
	if (!err)
		err = buf_puts(&b, "}\n");
	return json_write(out, &b, err);
}

/* Two results side by side. First what differs in their conditions, for what that makes of the
 * figures; then each figure that either has. */
#include "report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/fields.h"
#include "report/second.h"
#include "report/units.h"

#define SECONDS_LEAST 4 /* of a run, to tell its noise */

struct sides {
	FILE *out;
	const struct result *before, *now;
};

/* --- conditions */

static struct text value_text(const struct field *f, const struct result *r)
{
	const void *at = (const char *)r + f->offset;
	struct text t = {"-"};
	const char *string = NULL;

	switch (f->kind) {
	case FIELD_U64:
		return text_count(*(const uint64_t *)at);
	case FIELD_DOUBLE:
		snprintf(t.s, sizeof(t.s), "%.6g", *(const double *)at);
		return t;
	case FIELD_BOOL:
		string = *(const bool *)at ? "yes" : "no";
		break;
	case FIELD_STRING:
		string = *(char *const *)at;
		break;
	default:
		break;
	}
	if (string)
		snprintf(t.s, sizeof(t.s), "%s", string);
	return t;
}

/* Names are for people, and where a server is says little: what else differs makes other figures.
 */
static bool condition(const char *name)
{
	return strcmp(name, "label") != 0 && strcmp(name, "url") != 0 && strcmp(name, "seed") != 0;
}

static const char *name_of(const struct result *r, const char *otherwise)
{
	return r->label && r->label[0] ? r->label : otherwise;
}

/* "ws", "wss", "unix". */
static struct text transport(const struct result *r)
{
	struct text t = {"-"};

	if (r->url)
		snprintf(t.s, sizeof(t.s), "%.*s", (int)strcspn(r->url, ":"), r->url);
	return t;
}

static void compare_condition(const struct sides *s, const char *name, struct text before,
			      struct text now, size_t *differ)
{
	if (strcmp(before.s, now.s) == 0)
		return;
	if (!(*differ)++)
		fputs("conditions differ; what follows does not compare like with like:\n", s->out);
	fprintf(s->out, "  %-22s %14s %14s\n", name, before.s, now.s);
}

static void compare_conditions(const struct sides *s)
{
	size_t differ = 0;

	compare_condition(s, "transport", transport(s->before), transport(s->now), &differ);
	for (const struct field *f = field_sections[0].fields; f->name; f++) {
		if (condition(f->name))
			compare_condition(s, f->name, value_text(f, s->before),
					  value_text(f, s->now), &differ);
	}
	if (!differ)
		fputs("conditions are the same\n", s->out);
	if (s->before->verdict != VERDICT_OK || s->now->verdict != VERDICT_OK)
		fprintf(s->out, "verdicts: %s, %s; see each result for why\n",
			verdict_name(s->before->verdict), verdict_name(s->now->verdict));
}

/* --- figures */

/* The change, as a difference in percent up to twice as much, and as a factor beyond. */
static struct text change_text(double before, double now)
{
	struct text t = {""};

	if (!(before > 0) || !(now > 0) || (before >= now && before <= now))
		snprintf(t.s, sizeof(t.s), "%s", before >= now && before <= now ? "=" : "");
	else if (now / before >= 2 || now / before <= 0.5)
		t = text_ratio(now / before);
	else
		snprintf(t.s, sizeof(t.s), "%+.1f %%", (now / before - 1) * 100);
	return t;
}

/* --- noise */

static int by_size(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* How far the seconds of a run are apart: half of them are within this share of their median. NAN:
 * there are too few whole ones that count. */
static double noise_of(const struct result *r, second_figure *figure)
{
	double *values = calloc(r->nseries + 1, sizeof(*values)), noise = NAN;
	size_t n = 0;

	for (size_t i = 0; values && i < r->nseries; i++)
		if (r->series[i].at > 0 && r->series[i].at <= floor(r->series[i].at))
			values[n++] = figure(&r->series[i]);
	if (n >= SECONDS_LEAST) {
		qsort(values, n, sizeof(*values), by_size);
		if (values[n / 2] > 0)
			noise = (values[3 * n / 4] - values[n / 4]) / 2 / values[n / 2];
	}
	free(values);
	return noise;
}

/* Of the noisier run. */
static double noise(const struct sides *s, second_figure *figure)
{
	double a = noise_of(s->before, figure), b = noise_of(s->now, figure);

	return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

/* --- rows */

/* The text of figures of one kind. */
typedef struct text text_of(double value);

static struct text number_text(double n)
{
	return text_whole(n);
}

/* figure: what the noise is of; NULL: nothing that is known second by second. */
static void compare_noisy(const struct sides *s, const char *name, text_of *text, double before,
			  double now, second_figure *figure)
{
	char difference[48] = "", around[24] = "";
	double share = figure ? noise(s, figure) : NAN;

	if (!isfinite(before) && !isfinite(now))
		return;
	if (isfinite(now - before))
		snprintf(difference, sizeof(difference), "%s%s",
			 now > before	? "+"
			 : now < before ? "-"
					: "",
			 text(fabs(now - before)).s);
	if (isfinite(share))
		snprintf(around, sizeof(around), "  +-%.1f %%", share * 100);
	fprintf(s->out, "%-24s %14s %14s %14s %10s%s\n", name, text(before).s, text(now).s,
		difference, change_text(before, now).s, around);
}

static void compare_row(const struct sides *s, const char *name, text_of *text, double before,
			double now)
{
	compare_noisy(s, name, text, before, now, NULL);
}

static void compare_rates(const struct sides *s)
{
	const struct result *a = s->before, *b = s->now;

	compare_row(s, "offered messages/s", text_rate, result_offered(a), result_offered(b));
	compare_noisy(s, "achieved messages/s", text_rate, result_achieved(a), result_achieved(b),
		      second_sent);
	compare_noisy(s, "deliveries/s", text_rate, result_delivery_rate(a),
		      result_delivery_rate(b), second_delivered);
	compare_row(s, "largest backlog", number_text, (double)a->backlog_max,
		    (double)b->backlog_max);
	compare_row(s, "clients joined", number_text, (double)a->clients_joined,
		    (double)b->clients_joined);
	compare_row(s, "clients failed", number_text, (double)a->clients_failed,
		    (double)b->clients_failed);
	compare_row(s, "refused", number_text, (double)a->errors, (double)b->errors);
}

static void compare_latencies(const struct sides *s)
{
	static const struct {
		const char *name;
		double percent;
		second_figure *second;
	} points[] = {{"p50", 50, second_p50},
		      {"p99", 99, second_p99},
		      {"p99.9", 99.9, NULL},
		      {"max", 100, NULL}};

	for (int m = 0; m < METRICS; m++) {
		const struct hist *a = &s->before->metric[m], *b = &s->now->metric[m];

		if (!a->n && !b->n)
			continue;
		for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
			char name[32];

			snprintf(name, sizeof(name), "%s.%s", metric_name((enum metric)m),
				 points[i].name);
			/* The seconds have those of one metric. */
			compare_noisy(s, name, text_duration,
				      a->n ? (double)hist_percentile(a, points[i].percent) : NAN,
				      b->n ? (double)hist_percentile(b, points[i].percent) : NAN,
				      m == (int)result_main_metric(s->now) ? points[i].second
									   : NULL);
		}
	}
}

static void compare_audits(const struct sides *s)
{
	const struct audit_counts *a = &s->before->audit, *b = &s->now->audit;

	compare_row(s, "delivered", number_text, (double)a->delivered, (double)b->delivered);
	compare_row(s, "lost", number_text, (double)a->lost, (double)b->lost);
	compare_row(s, "duplicated", number_text, (double)a->duplicated, (double)b->duplicated);
	compare_row(s, "reordered", number_text, (double)a->reordered, (double)b->reordered);
	compare_row(s, "withheld", number_text, (double)a->withheld, (double)b->withheld);
}

static void compare_servers(const struct sides *s)
{
	const struct result *a = s->before, *b = s->now;

	compare_row(s, "generator's busiest CPU", text_share, a->cpu_max, b->cpu_max);
	compare_row(s, "bytes a client", text_bytes, result_bytes_per_client(a),
		    result_bytes_per_client(b));
	compare_row(s, "server's memory, most", text_bytes, a->pids ? (double)a->rss_max : NAN,
		    b->pids ? (double)b->rss_max : NAN);
	compare_row(s, "deliveries/CPU-second", text_rate, result_per_cpu(a), result_per_cpu(b));
}

void compare(FILE *out, const struct result *before, const struct result *now)
{
	struct sides s = {out, before, now};
	char a[15], b[15];

	/* Names as long as they fit. */
	snprintf(a, sizeof(a), "%s", name_of(before, "before"));
	snprintf(b, sizeof(b), "%s", name_of(now, "now"));
	fprintf(out, "%-24s %14s %14s %14s %10s  %s\n", "", a, b, "difference", "change", "noise");
	compare_conditions(&s);
	fputc('\n', out);
	compare_rates(&s);
	compare_latencies(&s);
	compare_audits(&s);
	compare_servers(&s);
	fputs("noise: half of a run's seconds are so near to their median; a smaller change says "
	      "little\n",
	      out);
}

/* Conditions on a result. Each figure is one line of a table: its name, its kind, where it is. */
#include "report/expect.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "report/units.h"

enum kind { KIND_DURATION, KIND_COUNT, KIND_RATE, KIND_SHARE, KIND_BYTES, KIND_VERDICT };
enum op { OP_LESS, OP_LESS_EQUAL, OP_MORE, OP_MORE_EQUAL, OP_EQUAL, OP_NOT };
enum stat { STAT_PERCENTILE, STAT_MIN, STAT_MAX, STAT_MEAN, STAT_N };

struct figure {
	const char *name;
	enum kind kind;
	size_t offset;				 /* of a uint64_t in struct result, or */
	double (*value)(const struct result *r); /* this */
};

struct expect {
	char *text;
	enum op op;
	enum kind kind;
	double value;		     /* ns, bytes, per second, 1 for all; or times that of base */
	const struct result *base;   /* NULL: the value stands for itself */
	const struct figure *figure; /* NULL: a statistic of */
	int metric;		     /* -1: the main one */
	enum stat stat;
	double percent;
};

static double figure_achieved(const struct result *r)
{
	return r->due ? (double)r->sent / (double)r->due : NAN;
}

static double figure_cpu(const struct result *r)
{
	return r->cpu_max;
}

static double figure_rss(const struct result *r)
{
	return r->pids ? (double)r->rss_max : NAN;
}

static double figure_verdict(const struct result *r)
{
	return r->verdict;
}

#define AT(member) offsetof(struct result, member), NULL

static const struct figure figures[] = {
    {"expected", KIND_COUNT, AT(audit.expected)},
    {"delivered", KIND_COUNT, AT(audit.delivered)},
    {"lost", KIND_COUNT, AT(audit.lost)},
    {"duplicated", KIND_COUNT, AT(audit.duplicated)},
    {"reordered", KIND_COUNT, AT(audit.reordered)},
    {"withheld", KIND_COUNT, AT(audit.withheld)},
    {"unknown", KIND_COUNT, AT(audit.unknown)},
    {"joined", KIND_COUNT, AT(clients_joined)},
    {"failed", KIND_COUNT, AT(clients_failed)},
    {"reconnects", KIND_COUNT, AT(reconnects)},
    {"due", KIND_COUNT, AT(due)},
    {"sent", KIND_COUNT, AT(sent)},
    {"acked", KIND_COUNT, AT(acked)},
    {"errors", KIND_COUNT, AT(errors)},
    {"backlog", KIND_COUNT, AT(backlog_max)},
    {"backlog_end", KIND_COUNT, AT(backlog_end)},
    {"offered_rate", KIND_RATE, 0, result_offered},
    {"achieved_rate", KIND_RATE, 0, result_achieved},
    {"delivery_rate", KIND_RATE, 0, result_delivery_rate},
    {"deliveries_per_cpu_s", KIND_RATE, 0, result_per_cpu},
    {"achieved", KIND_SHARE, 0, figure_achieved},
    {"cpu", KIND_SHARE, 0, figure_cpu},
    {"bytes_per_client", KIND_BYTES, 0, result_bytes_per_client},
    {"bytes_per_second", KIND_BYTES, 0, result_bytes_per_second},
    {"bytes_per_update", KIND_BYTES, 0, result_bytes_per_update},
    {"missing", KIND_COUNT, AT(missing)},
    {"ghosts", KIND_COUNT, AT(ghosts)},
    {"rss", KIND_BYTES, 0, figure_rss},
    {"verdict", KIND_VERDICT, 0, figure_verdict},
};

static const struct unit {
	const char *name;
	enum kind kind;
	double factor;
} units[] = {
    {"ns", KIND_DURATION, 1},	  {"us", KIND_DURATION, 1e3},	{"ms", KIND_DURATION, 1e6},
    {"s", KIND_DURATION, 1e9},	  {"m", KIND_DURATION, 6e10},	{"k", KIND_COUNT, 1e3},
    {"M", KIND_COUNT, 1e6},	  {"k", KIND_RATE, 1e3},	{"M", KIND_RATE, 1e6},
    {"%", KIND_SHARE, 0.01},	  {"B", KIND_BYTES, 1},		{"KiB", KIND_BYTES, 1024},
    {"MiB", KIND_BYTES, 1048576}, {"GiB", KIND_BYTES, 1 << 30}, {"kB", KIND_BYTES, 1e3},
    {"MB", KIND_BYTES, 1e6},	  {"GB", KIND_BYTES, 1e9},
};

static const char *const kind_units[] = {
    "ns, us, ms, s or m", "k or M", "k or M", "%", "B, KiB, MiB, GiB, kB, MB or GB", ""};
static const char *const ops[] = {"<", "<=", ">", ">=", "==", "!="};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- reading */

static const char *skip_blank(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* p50, p99.9, min, max, mean or n. */
static bool read_stat(struct expect *e, const char *name)
{
	static const char *const names[] = {
	    [STAT_MIN] = "min", [STAT_MAX] = "max", [STAT_MEAN] = "mean", [STAT_N] = "n"};
	const char *end;

	for (int s = STAT_MIN; s <= STAT_N; s++) {
		if (strcmp(name, names[s]) == 0) {
			e->stat = (enum stat)s;
			e->kind = s == STAT_N ? KIND_COUNT : KIND_DURATION;
			return true;
		}
	}
	if (name[0] != 'p' || !isdigit((unsigned char)name[1]))
		return false;
	e->stat = STAT_PERCENTILE;
	e->kind = KIND_DURATION;
	end = quantity_number(name + 1, &e->percent);
	return end && !*end && e->percent <= 100;
}

static bool read_name(struct expect *e, const char *name, char *why, size_t cap)
{
	for (size_t i = 0; i < COUNT(figures); i++) {
		if (strcmp(name, figures[i].name) == 0) {
			e->figure = &figures[i];
			e->kind = figures[i].kind;
			return true;
		}
	}
	e->metric = -1;
	if (read_stat(e, name))
		return true;
	for (int m = 0; m < METRICS; m++) {
		size_t len = strlen(metric_name((enum metric)m));

		if (strncmp(name, metric_name((enum metric)m), len) != 0 || name[len] != '.')
			continue;
		e->metric = m;
		if (read_stat(e, name + len + 1))
			return true;
		snprintf(why, cap,
			 "\"%s\" of %s: there are p0 to p100 (such as p99.9), min, max, mean and n",
			 name + len + 1, metric_name((enum metric)m));
		return false;
	}
	snprintf(why, cap, "no figure is called \"%s\"", name);
	return false;
}

static bool read_op(struct expect *e, const char **p, char *why, size_t cap)
{
	size_t best = 0;

	for (size_t i = 0; i < COUNT(ops); i++) {
		size_t len = strlen(ops[i]);

		if (strncmp(*p, ops[i], len) == 0 && len > best) {
			best = len;
			e->op = (enum op)i;
		}
	}
	if (!best) {
		snprintf(why, cap,
			 "no comparison where \"%s\" stands: there are < <= > >= == !=", *p);
		return false;
	}
	*p = skip_blank(*p + best);
	return true;
}

static bool read_verdict(struct expect *e, const char *text, char *why, size_t cap)
{
	if (e->op != OP_EQUAL && e->op != OP_NOT) {
		snprintf(why, cap, "a verdict is == or !=");
		return false;
	}
	for (int v = 0; v <= VERDICT_FAILED; v++) {
		if (strcmp(text, verdict_name((enum verdict)v)) == 0) {
			e->value = v;
			return true;
		}
	}
	snprintf(why, cap, "\"%s\" is no verdict: ok, saturated, generator-bound, failed", text);
	return false;
}

/* base, N*base or base*N. */
static bool read_base(struct expect *e, const char *text, const struct result *base)
{
	static const char name[] = "base";
	const char *behind;
	double factor = 1, more = 1;

	behind = quantity_real(text, &factor);
	if (behind && *(behind = skip_blank(behind)) == '*')
		text = skip_blank(behind + 1);
	if (strncmp(text, name, sizeof(name) - 1) != 0)
		return false;
	text = skip_blank(text + sizeof(name) - 1);
	if (*text == '*') {
		text = quantity_real(skip_blank(text + 1), &more);
		text = text ? skip_blank(text) : "?";
	}
	e->base = base;
	e->value = factor * more;
	return !*text;
}

static bool read_value(struct expect *e, const char *text, const struct result *base, char *why,
		       size_t cap)
{
	const char *unit;

	if (e->kind == KIND_VERDICT)
		return read_verdict(e, text, why, cap);
	if (read_base(e, text, base)) {
		if (!base)
			snprintf(why, cap, "base is the run of --compare FILE, which is not given");
		return base != NULL;
	}
	unit = quantity_real(text, &e->value);
	if (!unit) {
		snprintf(why, cap, "\"%s\" is no number", text);
		return false;
	}
	unit = skip_blank(unit);
	if (!*unit) {
		if (e->kind != KIND_DURATION || !(e->value > 0))
			return true;
		snprintf(why, cap, "\"%s\" has no unit: %s", text, kind_units[e->kind]);
		return false;
	}
	for (size_t i = 0; i < COUNT(units); i++) {
		if (units[i].kind == e->kind && strcmp(unit, units[i].name) == 0) {
			e->value *= units[i].factor;
			return true;
		}
	}
	snprintf(why, cap, "\"%s\" is no unit here: %s", unit, kind_units[e->kind]);
	return false;
}

static bool read_all(struct expect *e, char *text, const struct result *base, char *why, size_t cap)
{
	const char *name = skip_blank(text), *rest;
	char *end = text + strlen(text);
	char copy[64];
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_.0123456789");

	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (!len || len >= sizeof(copy)) {
		snprintf(why, cap, "it begins with no name of a figure");
		return false;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	rest = skip_blank(name + len);
	return read_name(e, copy, why, cap) && read_op(e, &rest, why, cap) &&
	       read_value(e, rest, base, why, cap);
}

struct expect *expect_new(const char *text, const struct result *base, char *why, size_t cap)
{
	struct expect *e = calloc(1, sizeof(*e));
	char *copy = strdup(text);

	snprintf(why, cap, "out of memory");
	if (!e || !copy || !(e->text = strdup(text)) || !read_all(e, copy, base, why, cap)) {
		free(copy);
		expect_free(e);
		return NULL;
	}
	free(copy);
	return e;
}

void expect_free(struct expect *e)
{
	if (!e)
		return;
	free(e->text);
	free(e);
}

/* --- judging */

static enum metric expect_metric(const struct expect *e, const struct result *r)
{
	return e->metric < 0 ? result_main_metric(r) : (enum metric)e->metric;
}

/* NAN where the run has no such figure. */
static double expect_seen(const struct expect *e, const struct result *r)
{
	const struct hist *h;

	if (e->figure)
		return e->figure->value
			   ? e->figure->value(r)
			   : (double)*(const uint64_t *)(const void *)((const char *)r +
								       e->figure->offset);
	h = &r->metric[expect_metric(e, r)];
	if (e->stat == STAT_N)
		return (double)h->n;
	if (!h->n)
		return NAN;
	switch (e->stat) {
	case STAT_MIN:
		return (double)h->min;
	case STAT_MAX:
		return (double)h->max;
	case STAT_MEAN:
		return hist_mean(h);
	default:
		return (double)hist_percentile(h, e->percent);
	}
}

static bool expect_holds(enum op op, double seen, double value)
{
	switch (op) {
	case OP_LESS:
		return seen < value;
	case OP_LESS_EQUAL:
		return seen <= value;
	case OP_MORE:
		return seen > value;
	case OP_MORE_EQUAL:
		return seen >= value;
	case OP_EQUAL:
		return seen >= value && seen <= value;
	case OP_NOT:
		return seen < value || seen > value;
	}
	return false;
}

static struct text expect_text(enum kind kind, double value)
{
	struct text t = {""};

	switch (kind) {
	case KIND_DURATION:
		return text_duration(value);
	case KIND_COUNT:
		return text_whole(value);
	case KIND_RATE:
		return text_rate(value);
	case KIND_SHARE:
		return text_share(value);
	case KIND_BYTES:
		return text_bytes(value);
	case KIND_VERDICT:
		snprintf(t.s, sizeof(t.s), "%s", verdict_name((enum verdict)(int)value));
		break;
	}
	return t;
}

static void expect_name(const struct expect *e, const struct result *r, char *out, size_t cap)
{
	static const char *const names[] = {"", "min", "max", "mean", "n"};

	if (e->figure)
		snprintf(out, cap, "%s", e->figure->name);
	else if (e->stat == STAT_PERCENTILE)
		snprintf(out, cap, "%s.p%g", metric_name(expect_metric(e, r)), e->percent);
	else
		snprintf(out, cap, "%s.%s", metric_name(expect_metric(e, r)), names[e->stat]);
}

bool expect_of_server(const struct expect *e)
{
	const struct figure *f = e->figure;

	return f && (f->value == figure_rss || f->value == result_bytes_per_client ||
		     f->value == result_per_cpu);
}

/* What is to be kept to, with a word on where it comes from; NAN where the base has no such figure.
 */
static double expect_bound(const struct expect *e, const struct result *r, char *what, size_t cap)
{
	struct expect of_base = *e;
	double bound;

	*what = '\0';
	if (!e->base)
		return e->value;
	/* Where no metric is named, the one that is meant in the run. */
	if (!e->figure)
		of_base.metric = (int)expect_metric(e, r);
	bound = e->value * expect_seen(&of_base, e->base);
	snprintf(what, cap, ", %g*base is %s", e->value, expect_text(e->kind, bound).s);
	return bound;
}

bool expect_met(const struct expect *e, const struct result *r, char *why, size_t cap)
{
	double seen = expect_seen(e, r), bound;
	char name[64], what[64];

	expect_name(e, r, name, sizeof(name));
	if (isnan(seen)) {
		snprintf(why, cap, "the run has no %s", name);
		return false;
	}
	bound = expect_bound(e, r, what, sizeof(what));
	if (isnan(bound)) {
		snprintf(why, cap, "%s is %s, the base has none", name,
			 expect_text(e->kind, seen).s);
		return false;
	}
	snprintf(why, cap, "%s is %s%s", name, expect_text(e->kind, seen).s, what);
	return expect_holds(e->op, seen, bound);
}

bool expect_check(const struct expect *e, struct result *r)
{
	struct result_check *checks = realloc(r->checks, (r->nchecks + 1) * sizeof(*r->checks));
	struct result_check *c;

	if (!checks)
		return false;
	r->checks = checks;
	c = &checks[r->nchecks];
	c->text = strdup(e->text);
	if (!c->text)
		return false;
	r->nchecks++;
	c->met = expect_met(e, r, c->why, sizeof(c->why));
	return c->met;
}

/* The charts of a report: one frame with axes, and lines in it. */
#include <math.h>
#include <string.h>

#include "svg.h"

#define LEFT 62	  /* of a box, for the labels of its values */
#define TOP 52	  /* for title and legend */
#define BOTTOM 26 /* for the labels below */
#define TICKS_MAX 12
#define HITS_MAX 600 /* seconds up to which each has its figures where the mouse is */

/* The part of a box that lines are drawn in. */
static struct svg_box chart_inner(struct svg_box box)
{
	return (struct svg_box){box.x + LEFT, box.y + TOP, box.w - LEFT - 20, box.h - TOP - BOTTOM};
}

static void chart_frame(FILE *out, struct svg_box box, const char *title)
{
	fprintf(out,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"8\" "
		"class=\"card\"/>\n",
		box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
	svg_text(out, box.x + 18, box.y + 25, "h2", "%s", title);
}

/* A key of the legend, at the right end; returns where the next one ends. */
static double chart_legend(FILE *out, struct svg_box box, double end, const char *cls,
			   const char *name)
{
	double width = 6.4 * (double)strlen(name), x = end - width;

	svg_text(out, x, box.y + 24, "", "%s", name);
	fprintf(out, "<path d=\"M%.1f %.1fh20\" class=\"line %s\"/>\n", x - 26, box.y + 20, cls);
	return x - 42;
}

/* --- values beside the box */

typedef struct text tick_text(double value);

static struct text tick_count(double value)
{
	struct text t = text_rate(value);

	if (value >= 1e6)
		snprintf(t.s, sizeof(t.s), "%.3g M", value / 1e6);
	else if (value < 1000)
		snprintf(t.s, sizeof(t.s), "%.3g", value);
	return t;
}

static struct text tick_duration(double ns)
{
	static const char *const units[] = {"ns", "\302\265s", "ms", "s"};
	struct text t;
	size_t u = 0;

	for (; u < 3 && ns >= 999.5; u++)
		ns /= 1000;
	snprintf(t.s, sizeof(t.s), "%.3g %s", ns, units[u]);
	return t;
}

static struct text tick_percent(double share)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%.3g %%", share * 100);
	return t;
}

static struct text tick_bytes(double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	struct text t;
	size_t u = 0;

	for (; u < 3 && bytes >= 1023.5; u++)
		bytes /= 1024;
	snprintf(t.s, sizeof(t.s), "%.3g %s", bytes, units[u]);
	return t;
}

static void chart_values(FILE *out, struct svg_box in, const struct svg_scale *y, tick_text *text)
{
	double ticks[TICKS_MAX];
	size_t room = (size_t)(in.h / 17);
	size_t n = svg_ticks(y, ticks, room < TICKS_MAX ? room : TICKS_MAX);

	for (size_t i = 0; i < n; i++) {
		double at = svg_at(y, ticks[i]);
		bool zero = !y->log && i == 0;

		svg_line(out, in.x, at, in.x + in.w, at, zero ? "axis" : "grid");
		svg_text(out, in.x - 8, at + 4, "label num end", "%s", text(ticks[i]).s);
	}
	if (y->log)
		svg_line(out, in.x, in.y + in.h, in.x + in.w, in.y + in.h, "axis");
}

/* Durations from low to high, a little wider than they are. */
static struct svg_scale chart_durations(struct svg_box in, double low, double high)
{
	struct svg_scale s = {.from = in.y + in.h, .to = in.y, .log = true};

	s.low = low > 100 ? low * 0.8 : 100;
	s.high = high > s.low ? high * 1.2 : s.low * 10;
	/* Less than a decade looks like noise blown up. */
	if (s.high < s.low * 10) {
		double middle = sqrt(s.low * s.high);

		s.low = middle / 3.2;
		s.high = middle * 3.2;
	}
	return s;
}

/* Figures from 0 to a round value that is not below high. */
static struct svg_scale chart_figures(struct svg_box in, double high, bool binary)
{
	struct svg_scale s = {.from = in.y + in.h, .to = in.y};

	s.step = svg_step(high, (size_t)(in.h / 34), binary);
	s.high = ceil(high / s.step - 1e-9) * s.step;
	return s;
}

/* --- by percentile */

/* 90 % is at 1, 99 % at 2, 99.9 % at 3: what is rare has as much room as what is common. */
static double percentile_place(double share)
{
	return -log10(1 - share);
}

static void percentile_axis(FILE *out, struct svg_box in, const struct svg_scale *x)
{
	static const struct {
		double share;
		const char *name;
	} marks[] = {
	    {0, "0 %"},	       {0.5, "50 %"},	    {0.9, "90 %"},	   {0.99, "99 %"},
	    {0.999, "99.9 %"}, {0.9999, "99.99 %"}, {0.99999, "99.999 %"}, {0.999999, "99.9999 %"}};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		double place = percentile_place(marks[i].share), at = svg_at(x, place);

		if (place > x->high + 1e-9)
			break;
		svg_line(out, at, in.y, at, in.y + in.h, "grid");
		svg_text(out, at, in.y + in.h + 18,
			 i == 0			 ? "label num"
			 : at > in.x + in.w - 24 ? "label num end"
						 : "label num mid",
			 "%s", marks[i].name);
	}
}

/* The steps of a histogram, those left out that nobody could see. */
static void percentile_line(FILE *out, const struct hist *h, const struct svg_scale *x,
			    const struct svg_scale *y, const char *cls)
{
	double at = x->from, drawn = x->from;
	uint64_t seen = 0;

	fprintf(out, "<path class=\"line %s\" d=\"M%.1f %.1f", cls, at, svg_at(y, (double)h->min));
	for (unsigned b = 0; b < HIST_BUCKETS && seen < h->n; b++) {
		double share, value;

		if (!h->count[b])
			continue;
		seen += h->count[b];
		share = (double)seen / (double)h->n;
		at = seen < h->n ? svg_at(x, percentile_place(share)) : x->to;
		if (at - drawn < 0.4 && seen < h->n)
			continue;
		value = seen < h->n ? (double)hist_bucket_high(b) : (double)h->max;
		fprintf(out, "V%.1fH%.1f", svg_at(y, value), at);
		drawn = at;
	}
	fputs("\"/>\n", out);
}

void chart_percentiles(FILE *out, struct svg_box box, const struct result *r)
{
	enum metric main = result_main_metric(r);
	const struct {
		enum metric metric;
		const char *cls, *name;
	} lines[] = {
	    {METRIC_FIRST, "b thin", "first receiver"},
	    {METRIC_LAST, "c thin", "last receiver"},
	    {main == METRIC_ACK ? METRIC_ACK_SENT : METRIC_EVERY_SENT, "d dash",
	     "uncorrected, from send"},
	    {main, "a", metric_title(main)},
	};
	struct svg_box in = chart_inner(box);
	double low = INFINITY, high = 0, end = box.x + box.w - 20, n = (double)r->metric[main].n;
	struct svg_scale x = {.from = in.x, .to = in.x + in.w}, y;

	chart_frame(out, box, "Latency by percentile");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const struct hist *h = &r->metric[lines[i].metric];

		if (!result_shows(r, lines[i].metric))
			continue;
		low = fmin(low, (double)h->min);
		high = fmax(high, (double)h->max);
	}
	if (!(n > 0)) {
		svg_text(out, box.x + box.w / 2, box.y + box.h / 2, "dim mid", "nothing measured");
		return;
	}
	x.high = log10(n) < 1 ? 1 : log10(n) > 6 ? 6 : log10(n);
	y = chart_durations(in, low, high);
	chart_values(out, in, &y, tick_duration);
	percentile_axis(out, in, &x);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const struct hist *h = &r->metric[lines[i].metric];

		if (result_shows(r, lines[i].metric))
			percentile_line(out, h, &x, &y, lines[i].cls);
	}
	for (size_t i = sizeof(lines) / sizeof(lines[0]); i-- > 0;) {
		if (result_shows(r, lines[i].metric))
			end = chart_legend(out, box, end, lines[i].cls, lines[i].name);
	}
}

/* --- by second */

static double second_due(const struct result_second *s)
{
	return (double)s->due;
}

static double second_sent(const struct result_second *s)
{
	return (double)s->sent;
}

static double second_backlog(const struct result_second *s)
{
	return (double)s->backlog;
}

static double second_delivered(const struct result_second *s)
{
	return (double)s->delivered;
}

static double second_p50(const struct result_second *s)
{
	return (double)s->p50_ns;
}

static double second_p99(const struct result_second *s)
{
	return (double)s->p99_ns;
}

static double second_max(const struct result_second *s)
{
	return (double)s->max_ns;
}

static double second_cpu(const struct result_second *s)
{
	return s->cpu;
}

static double second_server_cpu(const struct result_second *s)
{
	return s->server_cpu;
}

static double second_clients(const struct result_second *s)
{
	return (double)s->clients;
}

static double second_rss(const struct result_second *s)
{
	return (double)s->server_rss;
}

static const struct {
	const char *title;
	tick_text *text;
	bool log;
	struct {
		const char *cls, *name;
		double (*value)(const struct result_second *s);
	} lines[3];
} charts[] = {
    [CHART_MESSAGES] = {"Messages a second",
			tick_count,
			false,
			{{"d dash", "due", second_due},
			 {"a", "sent", second_sent},
			 {"c thin", "backlog", second_backlog}}},
    [CHART_DELIVERIES] = {"Deliveries a second",
			  tick_count,
			  false,
			  {{"a", "delivered", second_delivered}}},
    [CHART_LATENCY] = {"Latency over time",
		       tick_duration,
		       true,
		       {{"d thin", "max", second_max},
			{"a", "P99", second_p99},
			{"b", "P50", second_p50}}},
    [CHART_CPU] = {"CPU",
		   tick_percent,
		   false,
		   {{"d", "generator, busiest thread", second_cpu},
		    {"a", "server", second_server_cpu}}},
    [CHART_CLIENTS] = {"Clients", tick_count, false, {{"a", "joined", second_clients}}},
    [CHART_MEMORY] = {"Memory of the server", tick_bytes, false, {{"a", "RSS", second_rss}}},
};

#define LINES_MAX (sizeof(charts[0].lines) / sizeof(charts[0].lines[0]))

/* The extremes of a line; of a logarithmic one only what is above 0 counts. */
static void time_extremes(enum chart chart, size_t line, const struct result *r, double *low,
			  double *high)
{
	for (size_t i = 0; i < r->nseries; i++) {
		double value = charts[chart].lines[line].value(&r->series[i]);

		if (charts[chart].log && !(value > 0))
			continue;
		*low = fmin(*low, value);
		*high = fmax(*high, value);
	}
}

static bool time_shown(enum chart chart, size_t line, const struct result *r)
{
	double low = INFINITY, high = 0;

	if (!charts[chart].lines[line].value)
		return false;
	time_extremes(chart, line, r, &low, &high);
	return high > 0;
}

bool chart_has(enum chart chart, const struct result *r)
{
	if (r->nseries < 2)
		return false;
	for (size_t line = 0; line < LINES_MAX; line++) {
		if (time_shown(chart, line, r))
			return true;
	}
	return false;
}

static void time_axis(FILE *out, struct svg_box in, const struct svg_scale *x)
{
	double ticks[TICKS_MAX], zero = svg_at(x, 0);
	size_t n =
	    svg_ticks(x, ticks, (size_t)(in.w / 60) < TICKS_MAX ? (size_t)(in.w / 60) : TICKS_MAX);

	if (x->low < 0)
		fprintf(out,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"class=\"warmup\"><title>connecting and warming up</title></rect>\n",
			in.x, in.y, zero - in.x, in.h);
	for (size_t i = 0; i < n; i++)
		svg_text(out, svg_at(x, ticks[i]), in.y + in.h + 18, "label num mid", "%g s",
			 ticks[i]);
}

static void time_line(FILE *out, enum chart chart, size_t line, const struct result *r,
		      const struct svg_scale *x, const struct svg_scale *y)
{
	const char *step = "M";

	fprintf(out, "<path class=\"line %s\" d=\"", charts[chart].lines[line].cls);
	for (size_t i = 0; i < r->nseries; i++) {
		double value = charts[chart].lines[line].value(&r->series[i]);

		/* A second without a message has no latency. */
		if (charts[chart].log && !(value > 0)) {
			step = "M";
			continue;
		}
		fprintf(out, "%s%.1f %.1f", step, svg_at(x, r->series[i].at), svg_at(y, value));
		step = "L";
	}
	fputs("\"/>\n", out);
}

/* Figures of each second, where the mouse is. */
static void time_hits(FILE *out, enum chart chart, struct svg_box in, const struct result *r,
		      const struct svg_scale *x)
{
	double width = in.w / (double)(r->nseries - 1);

	if (r->nseries > HITS_MAX)
		return;
	for (size_t i = 0; i < r->nseries; i++) {
		double at = svg_at(x, r->series[i].at);

		fprintf(out,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"class=\"hit\"><title>%.0f s",
			at - width / 2, in.y, width, in.h, r->series[i].at);
		for (size_t line = 0; line < LINES_MAX; line++) {
			if (time_shown(chart, line, r))
				fprintf(out, "&#10;%s: %s", charts[chart].lines[line].name,
					charts[chart]
					    .text(charts[chart].lines[line].value(&r->series[i]))
					    .s);
		}
		fputs("</title></rect>\n", out);
	}
}

void chart_time(FILE *out, struct svg_box box, enum chart chart, const struct result *r)
{
	struct svg_box in = chart_inner(box);
	double low = INFINITY, high = 0, end = box.x + box.w - 20;
	struct svg_scale x, y;

	chart_frame(out, box, charts[chart].title);
	for (size_t line = 0; line < LINES_MAX; line++) {
		if (time_shown(chart, line, r))
			time_extremes(chart, line, r, &low, &high);
	}
	x = (struct svg_scale){.low = r->series[0].at,
			       .high = r->series[r->nseries - 1].at,
			       .from = in.x,
			       .to = in.x + in.w};
	y = charts[chart].log ? chart_durations(in, low, high)
			      : chart_figures(in, high, chart == CHART_MEMORY);
	chart_values(out, in, &y, charts[chart].text);
	time_axis(out, in, &x);
	for (size_t line = 0; line < LINES_MAX; line++) {
		if (time_shown(chart, line, r))
			time_line(out, chart, line, r, &x, &y);
	}
	for (size_t line = LINES_MAX; line-- > 0;) {
		if (time_shown(chart, line, r))
			end = chart_legend(out, box, end, charts[chart].lines[line].cls,
					   charts[chart].lines[line].name);
	}
	time_hits(out, chart, in, r, &x);
}

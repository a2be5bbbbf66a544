/* The charts by second, and that of a search. What a chart shows stands in one
 * table: its lines, their classes, how their values read. */
#include <math.h>

#include "report/chart.h"
#include "report/chart_impl.h"
#include "report/second.h"

#define HITS_MAX 600 /* seconds up to which each has its figures where the mouse is */

/* --- by second */

static double second_due(const struct result_second *s)
{
	return (double)s->due;
}

static double second_backlog(const struct result_second *s)
{
	return (double)s->backlog;
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
		second_figure *value;
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

/* --- a search */

void chart_trials(FILE *out, struct svg_box box, const struct result *r)
{
	struct svg_box in = chart_inner(box);
	double low = INFINITY, high = 0, least = INFINITY, most = 0, ticks[TICKS_MAX];
	struct svg_scale x, y;
	size_t n;

	chart_frame(out, box, "Search: P99 by messages a second");
	for (size_t i = 0; i < r->ntrials; i++) {
		low = fmin(low, (double)r->trials[i].p99_ns);
		high = fmax(high, (double)r->trials[i].p99_ns);
		least = fmin(least, r->trials[i].rate);
		most = fmax(most, r->trials[i].rate);
	}
	if (!(least > 0) || !(high > 0)) {
		svg_text(out, box.x + box.w / 2, box.y + box.h / 2, "dim mid", "nothing measured");
		return;
	}
	x = (struct svg_scale){
	    .low = least / 1.2, .high = most * 1.2, .from = in.x, .to = in.x + in.w, .log = true};
	y = chart_durations(in, low, high);
	chart_values(out, in, &y, tick_duration);
	n = svg_ticks(&x, ticks, TICKS_MAX);
	for (size_t i = 0; i < n; i++)
		svg_text(out, svg_at(&x, ticks[i]), in.y + in.h + 18, "label num mid", "%s",
			 tick_count(ticks[i]).s);
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct result_trial *t = &r->trials[i];

		fprintf(out,
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" class=\"%s\"><title>%s/s: P99 %s, "
			"%s, %s</title></circle>\n",
			svg_at(&x, t->rate), svg_at(&y, (double)t->p99_ns),
			t->met ? "ok" : "failed", text_rate(t->rate).s,
			svg_duration((double)t->p99_ns).s, t->met ? "met" : "not met",
			verdict_name(t->verdict));
	}
	svg_text(out, box.x + box.w - 20, box.y + 24, "end", "met");
	svg_text(out, box.x + box.w - 74, box.y + 24, "end", "not met");
	fprintf(out,
		"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"ok\"/><circle cx=\"%.1f\" "
		"cy=\"%.1f\" r=\"4\" class=\"failed\"/>\n",
		box.x + box.w - 52, box.y + 20, box.x + box.w - 134, box.y + 20);
}

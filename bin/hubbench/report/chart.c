/* What all charts of a report have: a frame, axes, a legend; and the chart of percentiles. */
#include "report/chart.h"

#include <math.h>
#include <string.h>

#include "report/chart_impl.h"

#define LEFT 62	  /* of a box, for the labels of its values */
#define TOP 52	  /* for title and legend */
#define BOTTOM 26 /* for the labels below */

struct svg_box chart_inner(struct svg_box box)
{
	return (struct svg_box){box.x + LEFT, box.y + TOP, box.w - LEFT - 20, box.h - TOP - BOTTOM};
}

void chart_frame(FILE *out, struct svg_box box, const char *title)
{
	fprintf(out,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"8\" "
		"class=\"card\"/>\n",
		box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
	svg_text(out, box.x + 18, box.y + 25, "h2", "%s", title);
}

double chart_legend(FILE *out, struct svg_box box, double end, const char *cls, const char *name)
{
	double width = 6.4 * (double)strlen(name), x = end - width;

	svg_text(out, x, box.y + 24, "", "%s", name);
	fprintf(out, "<path d=\"M%.1f %.1fh20\" class=\"line %s\"/>\n", x - 26, box.y + 20, cls);
	return x - 42;
}

/* --- values beside the box */

struct text tick_count(double value)
{
	struct text t = text_rate(value);

	if (value >= 1e6)
		snprintf(t.s, sizeof(t.s), "%.3g M", value / 1e6);
	else if (value < 1000)
		snprintf(t.s, sizeof(t.s), "%.3g", value);
	return t;
}

struct text tick_duration(double ns)
{
	static const char *const units[] = {"ns", "\302\265s", "ms", "s"};
	struct text t;
	size_t u = 0;

	for (; u < 3 && ns >= 999.5; u++)
		ns /= 1000;
	snprintf(t.s, sizeof(t.s), "%.3g %s", ns, units[u]);
	return t;
}

struct text tick_percent(double share)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%.3g %%", share * 100);
	return t;
}

struct text tick_bytes(double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	struct text t;
	size_t u = 0;

	for (; u < 3 && bytes >= 1023.5; u++)
		bytes /= 1024;
	snprintf(t.s, sizeof(t.s), "%.3g %s", bytes, units[u]);
	return t;
}

void chart_values(FILE *out, struct svg_box in, const struct svg_scale *y, tick_text *text)
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

struct svg_scale chart_durations(struct svg_box in, double low, double high)
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

struct svg_scale chart_figures(struct svg_box in, double high, bool binary)
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

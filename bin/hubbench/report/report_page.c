/* The report as an image: head, figures, charts, and the table in text; or as a page, where the
 * text is the page's. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report/chart.h"
#include "report/report.h"
#include "report/svg.h"

#define WIDTH 1040
#define MARGIN 28
#define GAP 16
#define INNER (WIDTH - 2 * MARGIN)
#define HALF ((INNER - GAP) / 2)

static const double percents[] = {50, 90, 99, 99.9, 100};
static const char *const percent_names[] = {"P50", "P90", "P99", "P99.9", "max"};

#define PERCENTS (sizeof(percents) / sizeof(percents[0]))

/* --- what a run is, in words */

static void words(char *out, size_t cap, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends; what does not fit is cut. */
static void words(char *out, size_t cap, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + len, cap - len, fmt, ap);
	va_end(ap);
}

static const char *known(const char *text)
{
	return text ? text : "-";
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void words_asked(const struct result *r, char *out, size_t cap)
{
	out[0] = '\0';
	words(out, cap, "%s client%s, ", text_count(r->clients).s, plural(r->clients));
	words(out, cap, "%s session%s, ", text_count(r->sessions).s, plural(r->sessions));
	words(out, cap, "%s publisher%s, ", text_count(r->publishers).s, plural(r->publishers));
	words(out, cap, "%s-byte messages", text_count(r->bytes).s);
	if (r->closed)
		words(out, cap, ", closed model with %s under way", text_count(r->closed).s);
	else if (r->rate > 0)
		words(out, cap, ", %s/s due at %s instants", text_rate(r->rate).s,
		      r->poisson ? "Poisson" : "fixed");
	words(out, cap, ", %s", text_seconds(r->seconds).s);
	if (r->interrupted)
		words(out, cap, " (interrupted)");
}

static void words_started(const struct result *r, char *out, size_t cap)
{
	bool sane = r->started >= 0 && r->started < 1e11;
	time_t at = sane ? (time_t)r->started : 0;
	struct tm tm;

	if (!sane || !gmtime_r(&at, &tm) || !strftime(out, cap, "%Y-%m-%d %H:%M:%S UTC", &tm))
		out[0] = '\0';
}

/* --- the lines of text below the charts: a label and what it says */

struct fact {
	const char *label;
	char text[400];
};

enum { FACT_AUDIT, FACT_MESSAGES, FACT_GENERATOR, FACT_SERVER, FACT_ERROR, FACTS };

static size_t facts_make(const struct result *r, struct fact facts[FACTS])
{
	const struct audit_counts *a = &r->audit;
	const struct hist *lag = &r->metric[METRIC_LAG];
	size_t n = 0;
	struct fact *f;

	memset(facts, 0, FACTS * sizeof(*facts));
	f = &facts[n++];
	f->label = "audit";
	words(f->text, sizeof(f->text), "%s expected, %s delivered; ", text_count(a->expected).s,
	      text_count(a->delivered).s);
	words(f->text, sizeof(f->text), "lost %s, duplicated %s, reordered %s, ",
	      text_count(a->lost).s, text_count(a->duplicated).s, text_count(a->reordered).s);
	words(f->text, sizeof(f->text), "withheld behind a gap %s, unknown %s",
	      text_count(a->withheld).s, text_count(a->unknown).s);
	f = &facts[n++];
	f->label = "messages";
	words(f->text, sizeof(f->text), "%s due, %s sent, %s acknowledged, %s refused; ",
	      text_count(r->due).s, text_count(r->sent).s, text_count(r->acked).s,
	      text_count(r->errors).s);
	words(f->text, sizeof(f->text), "backlog %s at most, %s at the end",
	      text_count(r->backlog_max).s, text_count(r->backlog_end).s);
	f = &facts[n++];
	f->label = "generator";
	words(f->text, sizeof(f->text),
	      "%s thread%s, the busiest used %s of a CPU; late by %s (P99)",
	      text_count(r->threads).s, plural(r->threads), text_share(r->cpu_max).s,
	      lag->n ? svg_duration((double)hist_percentile(lag, 99)).s : "-");
	if (r->cores_shared)
		words(f->text, sizeof(f->text), "; shares %s core%s with the server",
		      text_count(r->cores_shared).s, plural(r->cores_shared));
	if (r->pids) {
		f = &facts[n++];
		f->label = "server";
		words(f->text, sizeof(f->text),
		      "%s a client, %s at most; %.2f CPU-seconds, %s deliveries per CPU-second",
		      text_bytes(result_bytes_per_client(r)).s, text_bytes((double)r->rss_max).s,
		      r->server_cpu_s, text_rate(result_per_cpu(r)).s);
	}
	if (r->first_error[0]) {
		f = &facts[n++];
		f->label = "first error";
		words(f->text, sizeof(f->text), "%s", r->first_error);
	}
	return n;
}

/* --- the image */

static double image_head(FILE *out, const struct result *r)
{
	const char *verdict = verdict_name(r->verdict);
	double badge = 7.8 * (double)strlen(verdict) + 42;
	char text[400], when[64];

	words_started(r, when, sizeof(when));
	svg_text(out, MARGIN, 50, "h1", "%s",
		 r->label && r->label[0] ? r->label : known(r->scenario));
	svg_text(out, MARGIN, 74, "", "%s, %s, %s", known(r->scenario), known(r->dialect),
		 known(r->url));
	words_asked(r, text, sizeof(text));
	svg_text(out, MARGIN, 94, "dim", "%s", text);
	fprintf(out,
		"<rect x=\"%.1f\" y=\"27.5\" width=\"%.1f\" height=\"29\" rx=\"14.5\" "
		"class=\"card\"/><circle cx=\"%.1f\" cy=\"42\" r=\"5\" class=\"%s\"/>\n",
		WIDTH - MARGIN - badge - 0.5, badge, WIDTH - MARGIN - badge + 17, verdict);
	svg_text(out, WIDTH - MARGIN - 13, 46.5, "strong end", "%s", verdict);
	svg_text(out, WIDTH - MARGIN, 74, "end", "%s", r->verdict_why);
	svg_text(out, WIDTH - MARGIN, 94, "dim end num", "%s", when);
	return 112;
}

static void image_tile(FILE *out, struct svg_box b, const char *label, const char *value,
		       const char *note)
{
	fprintf(out,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"8\" "
		"class=\"card\"/>\n",
		b.x + 0.5, b.y + 0.5, b.w - 1, b.h - 1);
	svg_text(out, b.x + 14, b.y + 22, "label", "%s", label);
	svg_text(out, b.x + 14, b.y + 50, "big", "%s", value);
	svg_text(out, b.x + 14, b.y + 70, "label", "%s", note);
}

static double image_tiles(FILE *out, const struct result *r, double y)
{
	enum metric main = result_main_metric(r);
	enum metric sent = main == METRIC_EVERY ? METRIC_EVERY_SENT : METRIC_ACK_SENT;
	bool corrected = (main == METRIC_EVERY || main == METRIC_ACK) && result_shows(r, sent);
	struct svg_box b = {MARGIN, y, (INNER - 5.0 * 12) / 6, 84};
	const struct hist *h = &r->metric[main];
	char value[64], note[64];

	snprintf(note, sizeof(note), "of %s offered", text_rate(result_offered(r)).s);
	snprintf(value, sizeof(value), "%s", r->sent ? text_rate(result_achieved(r)).s : "none");
	image_tile(out, b, "messages a second", value, r->due && !r->closed ? note : "");
	b.x += b.w + 12;
	snprintf(value, sizeof(value), "%s",
		 r->delivered ? text_rate(result_delivery_rate(r)).s : "none");
	snprintf(note, sizeof(note), "%s a second",
		 text_bytes((double)r->bytes_in / (r->seconds > 0 ? r->seconds : 1)).s);
	image_tile(out, b, "deliveries a second", value, r->bytes_in ? note : "");
	for (size_t i = 0; i < 3; i++) {
		static const double shown[] = {50, 99, 99.9};
		static const char *const names[] = {"P50", "P99", "P99.9"};

		b.x += b.w + 12;
		note[0] = '\0';
		if (corrected)
			snprintf(
			    note, sizeof(note), "uncorrected %s",
			    svg_duration((double)hist_percentile(&r->metric[sent], shown[i])).s);
		snprintf(value, sizeof(value), "%s, %s", names[i], metric_name(main));
		image_tile(out, b, value,
			   svg_duration(h->n ? (double)hist_percentile(h, shown[i]) : NAN).s, note);
	}
	b.x += b.w + 12;
	snprintf(note, sizeof(note), "of %s expected", text_count(r->audit.expected).s);
	image_tile(out, b, "lost", text_count(r->audit.lost).s, note);
	return y + b.h + GAP;
}

/* All charts that have something to show, two in a row. */
static double image_charts(FILE *out, const struct result *r, double y)
{
	static const enum chart order[] = {CHART_LATENCY, CHART_DELIVERIES, CHART_MESSAGES,
					   CHART_CPU,	  CHART_MEMORY,	    CHART_CLIENTS};
	struct svg_box b = {MARGIN, y, INNER, 330};
	size_t shown = 0;

	chart_percentiles(out, b, r);
	if (r->ntrials) {
		b.y += b.h + GAP;
		chart_trials(out, b, r);
	}
	b = (struct svg_box){MARGIN, b.y + b.h + GAP, HALF, 224};
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!chart_has(order[i], r))
			continue;
		b.x = shown % 2 ? MARGIN + HALF + GAP : MARGIN;
		chart_time(out, b, order[i], r);
		if (shown++ % 2)
			b.y += b.h + GAP;
	}
	return shown % 2 ? b.y + b.h + GAP : b.y;
}

static double image_row(FILE *out, double y, const char *title, const char *cls,
			const char *const cells[PERCENTS + 1])
{
	svg_text(out, MARGIN + 18, y, cls, "%s", title);
	for (size_t i = 0; i <= PERCENTS; i++) {
		char classes[64];

		snprintf(classes, sizeof(classes), "%s num end", cls);
		svg_text(out, WIDTH - MARGIN - 18 - 110.0 * (double)(PERCENTS - i), y, classes,
			 "%s", cells[i]);
	}
	return y + 20;
}

static double image_table(FILE *out, const struct result *r, double y)
{
	const char *head[PERCENTS + 1] = {"n"};

	for (size_t i = 0; i < PERCENTS; i++)
		head[i + 1] = percent_names[i];
	y = image_row(out, y + 26, "from the instant a message was due", "label", head);
	for (int m = 0; m < METRICS; m++) {
		const struct hist *h = &r->metric[m];
		const char *cells[PERCENTS + 1];
		struct text text[PERCENTS + 1];

		if (!result_shows(r, (enum metric)m))
			continue;
		text[0] = text_count(h->n);
		for (size_t i = 0; i < PERCENTS; i++)
			text[i + 1] = svg_duration((double)hist_percentile(h, percents[i]));
		for (size_t i = 0; i <= PERCENTS; i++)
			cells[i] = text[i].s;
		y = image_row(out, y, metric_title((enum metric)m),
			      m == (int)result_main_metric(r) ? "strong" : "", cells);
	}
	return y;
}

static double image_text(FILE *out, const struct result *r, double y)
{
	struct fact facts[FACTS];
	size_t n = facts_make(r, facts);

	y = image_table(out, r, y) + 8;
	for (size_t i = 0; i < n; i++, y += 20) {
		svg_text(out, MARGIN + 18, y, "dim", "%s", facts[i].label);
		svg_text(out, MARGIN + 110, y, "", "%s", facts[i].text);
	}
	for (size_t i = 0; i < r->nchecks; i++, y += 20) {
		svg_text(out, MARGIN + 18, y, "dim", "%s", i ? "" : "expect");
		svg_text(out, MARGIN + 110, y, r->checks[i].met ? "" : "strong", "%s %s: %s",
			 r->checks[i].met ? "met" : "not met", r->checks[i].text, r->checks[i].why);
	}
	return y;
}

/* The image; within a page its style and text are the page's. */
static void image(FILE *out, const struct result *r, bool whole, const char *body, double height)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hb\" viewBox=\"0 0 %d %.0f\" "
		"width=\"%d\" height=\"%.0f\" role=\"img\">\n<title>hubbench: ",
		WIDTH, height, WIDTH, height);
	svg_escape(out, known(r->scenario));
	fputs("</title>\n", out);
	if (whole)
		fprintf(out,
			"<style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" "
			"class=\"page\"/>\n",
			svg_style);
	fputs(body, out);
	fputs("</svg>\n", out);
}

/* --- the page */

static void page_cell(FILE *out, const char *tag, const char *text)
{
	fprintf(out, "<%s>", tag);
	svg_escape(out, text);
	fprintf(out, "</%s>", tag);
}

static void page_latency(FILE *out, const struct result *r)
{
	fputs("<table><thead><tr><th>from the instant a message was due</th><th>n</th>", out);
	for (size_t i = 0; i < PERCENTS; i++)
		page_cell(out, "th", percent_names[i]);
	fputs("</tr></thead><tbody>\n", out);
	for (int m = 0; m < METRICS; m++) {
		const struct hist *h = &r->metric[m];

		if (!result_shows(r, (enum metric)m))
			continue;
		fputs("<tr>", out);
		page_cell(out, "th", metric_title((enum metric)m));
		page_cell(out, "td", text_count(h->n).s);
		for (size_t i = 0; i < PERCENTS; i++)
			page_cell(out, "td",
				  svg_duration((double)hist_percentile(h, percents[i])).s);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table>\n", out);
}

static void page_facts(FILE *out, const struct result *r)
{
	struct fact facts[FACTS];
	size_t n = facts_make(r, facts);

	fputs("<dl>\n", out);
	for (size_t i = 0; i < n; i++) {
		page_cell(out, "dt", facts[i].label);
		page_cell(out, "dd", facts[i].text);
	}
	for (size_t i = 0; i < r->nchecks; i++) {
		page_cell(out, "dt", r->checks[i].met ? "met" : "not met");
		fputs("<dd>", out);
		svg_escape(out, r->checks[i].text);
		fputs(": ", out);
		svg_escape(out, r->checks[i].why);
		fputs("</dd>\n", out);
	}
	fputs("</dl>\n", out);
}

static void page_trials(FILE *out, const struct result *r)
{
	if (!r->ntrials)
		return;
	fputs("<table><thead><tr><th>search: rate/s</th><th>achieved/s</th><th>P99</th><th></th>"
	      "</tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct result_trial *t = &r->trials[i];

		fputs("<tr>", out);
		page_cell(out, "th", text_rate(t->rate).s);
		page_cell(out, "td", text_rate(t->achieved).s);
		page_cell(out, "td", svg_duration((double)t->p99_ns).s);
		page_cell(out, "td", t->met ? "met" : "not met");
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table>\n", out);
}

static void page(FILE *out, const struct result *r, const char *body, double height)
{
	static const char style[] =
	    "body{margin:0 auto;max-width:1040px;padding:0 0 40px;background:var(--page);"
	    "color:var(--ink2);font-size:13px}svg{width:100%;height:auto;display:block}"
	    "table,dl{margin:0 28px 20px;width:calc(100% - 56px)}table{border-collapse:collapse;"
	    "font-variant-numeric:tabular-nums}th,td{padding:5px 10px;text-align:right;"
	    "border-bottom:1px solid var(--grid);font-weight:400}tbody th{color:var(--ink)}"
	    "th:first-child{text-align:left;padding-left:0}thead th{color:var(--ink3);"
	    "font-size:12px}dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 20px}"
	    "dt{color:var(--ink3)}dd{margin:0}";

	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>hubbench: ",
	      out);
	svg_escape(out, known(r->scenario));
	fprintf(out, "</title>\n<style>%s%s</style></head>\n<body class=\"hb\">\n", svg_style,
		style);
	image(out, r, false, body, height);
	page_latency(out, r);
	page_trials(out, r);
	page_facts(out, r);
	fputs("</body></html>\n", out);
}

int report_page(FILE *out, const struct result *r, bool html)
{
	char *body = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&body, &len);
	double y;

	if (!f)
		return -errno;
	y = image_head(f, r);
	y = image_tiles(f, r, y);
	y = image_charts(f, r, y);
	if (!html)
		y = image_text(f, r, y) + 4;
	if (fclose(f)) {
		free(body);
		return -ENOMEM;
	}
	if (html)
		page(out, r, body, y);
	else
		image(out, r, true, body, y);
	free(body);
	if (fflush(out))
		return -errno;
	return ferror(out) ? -EIO : 0;
}

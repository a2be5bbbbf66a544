/* The final table, for people, and the line on a terminal while they wait. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/report.h"
#include "report/units.h"

#define LABEL_WIDTH 11

/* A line that begins with a label; without one it continues the last. */
static void table_line(FILE *out, const char *label, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void table_line(FILE *out, const char *label, const char *fmt, ...)
{
	va_list ap;

	fprintf(out, "%-*s", LABEL_WIDTH, label);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* --- what was asked */

static void table_asked(FILE *out, const struct result *r)
{
	fprintf(out, "%s, %s, %s%s%s\n\n", r->scenario ? r->scenario : "-",
		r->dialect ? r->dialect : "-", r->url ? r->url : "-", r->label ? ": " : "",
		r->label ? r->label : "");
	table_line(out, "asked", "%s client%s, %s session%s, %s publisher%s, %s-byte messages",
		   text_count(r->clients).s, plural(r->clients), text_count(r->sessions).s,
		   plural(r->sessions), text_count(r->publishers).s, plural(r->publishers),
		   text_count(r->bytes).s);
	if (r->closed)
		table_line(out, "", "closed model: %s message%s of each publisher under way",
			   text_count(r->closed).s, plural(r->closed));
	else if (r->rate > 0)
		table_line(out, "", "open model: %s messages/s due at %s instants",
			   text_rate(r->rate).s, r->poisson ? "Poisson" : "fixed");
	if (r->nodes)
		table_line(out, "", "clients are spread over %s nodes", text_count(r->nodes).s);
	if (r->kill_node)
		table_line(out, "", "a node is killed halfway");
	if (r->observers)
		table_line(out, "", "a world of %s a side%s%s%s%s%s", text_count(r->world).s,
			   r->batch ? ", in arrays" : "", r->conflate ? ", conflated" : "",
			   r->compact ? ", compact" : "", r->delta ? ", as patches" : "",
			   r->deflate ? ", deflated" : "");
	if (r->area)
		table_line(out, "", "areas that reach %s in each direction", text_count(r->area).s);
	if (r->tick > 0)
		table_line(out, "", "a tick each %s", text_duration(r->tick * 1e9).s);
	if (r->coalesce > 0)
		table_line(out, "", "what comes gathers for %s before it is read",
			   text_duration(r->coalesce * 1e9).s);
	table_line(out, "", "%s after %s of warm-up, %s thread%s", text_seconds(r->duration).s,
		   text_seconds(r->warmup).s, text_count(r->threads).s, plural(r->threads));
}

/* --- what happened */

static void table_happened(FILE *out, const struct result *r)
{
	double share = r->due ? (double)r->sent / (double)r->due : NAN;

	fputc('\n', out);
	if (r->interrupted)
		table_line(out, "measured", "%s, interrupted", text_seconds(r->seconds).s);
	else
		table_line(out, "measured", "%s", text_seconds(r->seconds).s);
	table_line(out, "clients", "%s joined, %s failed, %s reconnect%s",
		   text_count(r->clients_joined).s, text_count(r->clients_failed).s,
		   text_count(r->reconnects).s, plural(r->reconnects));
	if (r->due || r->sent) {
		if (r->closed)
			table_line(out, "messages", "%s/s", text_rate(result_achieved(r)).s);
		else
			table_line(out, "messages", "offered %s/s, achieved %s/s (%s)",
				   text_rate(result_offered(r)).s, text_rate(result_achieved(r)).s,
				   text_share(share).s);
		table_line(out, "", "%s due, %s sent, %s acknowledged, %s refused",
			   text_count(r->due).s, text_count(r->sent).s, text_count(r->acked).s,
			   text_count(r->errors).s);
		table_line(out, "", "backlog %s at most, %s at the end",
			   text_count(r->backlog_max).s, text_count(r->backlog_end).s);
	}
	if (r->delivered)
		table_line(out, "deliveries", "%s/s, %s in all, %s/s",
			   text_rate(result_delivery_rate(r)).s, text_count(r->delivered).s,
			   text_bytes((double)r->bytes_in / r->seconds).s);
	if (r->observers) {
		table_line(out, "observers",
			   "%s of the clients, of the others only bytes are counted;",
			   text_count(r->observers).s);
		table_line(out, "",
			   "%s a move, %s/s a client; at rest %s avatars missing, %s ghosts",
			   text_bytes(result_bytes_per_update(r)).s,
			   text_bytes(result_bytes_per_second(r)).s, text_count(r->missing).s,
			   text_count(r->ghosts).s);
	}
	if (r->first_error[0])
		table_line(out, "error", "the first: %s", r->first_error);
}

/* --- durations */

static void table_row(FILE *out, const char *title, const struct hist *h)
{
	static const double percents[] = {50, 90, 99, 99.9, 100};

	fprintf(out, "%-26s %11s", title, text_count(h->n).s);
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		fprintf(out, " %8s", text_duration((double)hist_percentile(h, percents[i])).s);
	fputc('\n', out);
}

static void table_latency(FILE *out, const struct result *r)
{
	bool head = false;

	for (int m = 0; m < METRICS; m++) {
		bool sent = m == METRIC_ACK_SENT || m == METRIC_EVERY_SENT;

		if (!result_shows(r, (enum metric)m))
			continue;
		if (!head)
			fprintf(out, "\n%-26s %11s %8s %8s %8s %8s %8s\n", "latency", "n", "P50",
				"P90", "P99", "P99.9", "max");
		head = true;
		table_row(out, sent ? "  uncorrected, from send" : metric_title((enum metric)m),
			  &r->metric[m]);
	}
	if (result_shows(r, METRIC_ACK_SENT) || result_shows(r, METRIC_EVERY_SENT))
		fputs("From the instant a message was due; uncorrected: from when it was sent.\n",
		      out);
}

/* --- who else is judged */

static void table_audit(FILE *out, const struct result *r)
{
	const struct audit_counts *a = &r->audit;

	if (!a->expected && !a->delivered && !a->unknown)
		return;
	table_line(out, "audit", "%s expected, %s delivered; lost %s, duplicated %s,",
		   text_count(a->expected).s, text_count(a->delivered).s, text_count(a->lost).s,
		   text_count(a->duplicated).s);
	table_line(out, "", "reordered %s, withheld behind a gap %s, unknown %s",
		   text_count(a->reordered).s, text_count(a->withheld).s, text_count(a->unknown).s);
	if (a->compared)
		table_line(out, "", "%s members have all, %s of them in another order",
			   text_count(a->compared).s, text_count(a->differing).s);
}

static void table_self(FILE *out, const struct result *r)
{
	const struct hist *lag = &r->metric[METRIC_LAG];

	table_line(out, "generator",
		   "busiest thread %s of a CPU; %.2f CPU-seconds; late by %s (P99)",
		   text_share(r->cpu_max).s, r->cpu_s,
		   lag->n ? text_duration((double)hist_percentile(lag, 99)).s : "-");
	if (r->cores_shared)
		table_line(out, "",
			   "shares %s core%s with the server: what one takes the other lacks",
			   text_count(r->cores_shared).s, plural(r->cores_shared));
}

static void table_server(FILE *out, const struct result *r)
{
	double cpus = r->seconds > 0 ? r->server_cpu_s / r->seconds : NAN;

	if (!r->pids)
		return;
	table_line(out, "server", "%s a client; %.2f CPU-seconds (%.2f CPUs),",
		   text_bytes(result_bytes_per_client(r)).s, r->server_cpu_s, cpus);
	table_line(out, "", "%s deliveries per CPU-second", text_rate(result_per_cpu(r)).s);
	table_line(out, "", "memory (RSS): %s before, %s joined, %s at most, %s at the end",
		   text_bytes((double)r->rss_before).s, text_bytes((double)r->rss_joined).s,
		   text_bytes((double)r->rss_max).s, text_bytes((double)r->rss_end).s);
}

static void table_trials(FILE *out, const struct result *r)
{
	double best = 0;

	if (!r->ntrials)
		return;
	fprintf(out, "\n%-11s %12s %12s %9s  %s\n", "search", "rate/s", "achieved/s", "P99", "");
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct result_trial *t = &r->trials[i];

		fprintf(out, "%-11s %12s %12s %9s  %s, %s\n", "", text_rate(t->rate).s,
			text_rate(t->achieved).s, text_duration((double)t->p99_ns).s,
			t->met ? "met" : "not met", verdict_name(t->verdict));
		best = t->met && t->rate > best ? t->rate : best;
	}
	if (best > 0)
		table_line(out, "highest", "%s messages/s", text_rate(best).s);
	else
		table_line(out, "highest", "none that was tried");
}

static void table_verdict(FILE *out, const struct result *r)
{
	bool color = text_colors(fileno(out));
	const char *on = !color ? "" : r->verdict == VERDICT_OK ? "\033[1;32m" : "\033[1;31m";

	for (size_t i = 0; i < r->nchecks; i++)
		table_line(out, i ? "" : "expect", "%-7s  %s: %s",
			   r->checks[i].met ? "met" : "not met", r->checks[i].text,
			   r->checks[i].why);
	table_line(out, "verdict", "%s%s%s%s%s", on, verdict_name(r->verdict),
		   color ? "\033[0m" : "", r->verdict_why[0] ? ": " : "", r->verdict_why);
}

void report_table(FILE *out, const struct result *r)
{
	table_asked(out, r);
	table_happened(out, r);
	table_trials(out, r);
	table_latency(out, r);
	fputc('\n', out);
	table_audit(out, r);
	table_self(out, r);
	table_server(out, r);
	table_verdict(out, r);
}

/* --- the line on a terminal */

#define LIVE_CLEAR "\r\033[K"

/* A line that is longer than the terminal is wide could not be taken back. */
static size_t live_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return 80 - 1;
	return size.ws_col - 1u;
}

static void live_write(const char *text, size_t len)
{
	if (write(STDERR_FILENO, text, len) < 0)
		return; /* nobody is left to tell */
}

void report_live(const struct result *r, const struct result_second *s)
{
	char line[256];
	int n;

	if (!isatty(STDERR_FILENO))
		return;
	n = snprintf(line, sizeof(line),
		     LIVE_CLEAR "%s %.0f s  %s clients  sent %s/s  delivered %s/s  P99 %s",
		     s->at < 0	   ? "warm-up"
		     : r->scenario ? r->scenario
				   : "",
		     s->at, text_count(s->clients).s, text_rate((double)s->sent).s,
		     text_rate((double)s->delivered).s,
		     s->p99_ns ? text_duration((double)s->p99_ns).s : "-");
	if (s->backlog && n > 0 && n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - (size_t)n, "  backlog %s",
			      text_count(s->backlog).s);
	if (n > 0) {
		size_t most = sizeof(LIVE_CLEAR) - 1 + live_width();

		most = most < sizeof(line) ? most : sizeof(line) - 1;
		live_write(line, (size_t)n < most ? (size_t)n : most);
	}
}

void report_live_clear(void)
{
	if (isatty(STDERR_FILENO))
		live_write(LIVE_CLEAR, sizeof(LIVE_CLEAR) - 1);
}

/* A result as a run of ten seconds leaves it, made by hand; the same every time. */
#ifndef HUB_RESULT_SAMPLE_H
#define HUB_RESULT_SAMPLE_H

#include <stdlib.h>
#include <string.h>

#include "report/result.h"

/* Values between low and high, most of them low, and one in a thousand ten times as long. */
static inline void sample_hist(struct hist *h, uint64_t n, uint64_t low, uint64_t high)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t part = i * 7919 % 1000;

		hist_add(h, part == 999 ? high * 10 : low + (high - low) * part * part / 1000000);
	}
}

static inline void sample_series(struct result *r)
{
	r->nseries = 12;
	r->series = calloc(r->nseries, sizeof(*r->series));
	for (size_t i = 0; r->series && i < r->nseries; i++) {
		struct result_second *s = &r->series[i];

		s->at = (double)i - 1;
		s->clients = 1000;
		s->due = s->sent = s->acked = 500;
		s->delivered = 500000;
		s->bytes_in = 62500000;
		s->p50_ns = 700000 + i * 10000;
		s->p99_ns = i == 6 ? 120000000 : 2400000;
		s->max_ns = i == 6 ? 180000000 : 9000000;
		s->backlog = i == 6 ? 3 : 0;
		s->cpu = 0.4;
		s->server_rss = 20000000 + i * 100000;
		s->server_cpu = 0.6;
	}
}

/* On the heap; for result_free() and free(). */
static inline struct result *sample_result(void)
{
	struct result *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->url = strdup("ws://127.0.0.1:4820/ws");
	r->scenario = strdup("fanout");
	r->dialect = strdup("hub");
	r->label = strdup("a \"quoted\" <name>");
	r->clients = r->clients_joined = 1000;
	r->sessions = 1;
	r->publishers = 10;
	r->threads = 2;
	r->bytes = 100;
	r->rate = 500;
	r->duration = r->seconds = 10;
	r->warmup = 1.5;
	r->seed = 42;
	r->started = 1795000000.125;
	r->due = 5000;
	r->sent = r->acked = 4998;
	r->delivered = 4998000;
	r->bytes_in = 624750000;
	r->backlog_max = 3;
	r->backlog_end = 2;
	sample_hist(&r->metric[METRIC_CONNECT], 1000, 40000, 300000);
	sample_hist(&r->metric[METRIC_HANDSHAKE], 1000, 90000, 900000);
	sample_hist(&r->metric[METRIC_JOIN], 1000, 60000, 700000);
	sample_hist(&r->metric[METRIC_ACK], 4998, 80000, 1500000);
	sample_hist(&r->metric[METRIC_ACK_SENT], 4998, 80000, 1400000);
	sample_hist(&r->metric[METRIC_FIRST], 4998, 60000, 1000000);
	sample_hist(&r->metric[METRIC_LAST], 4998, 900000, 4000000);
	sample_hist(&r->metric[METRIC_EVERY], 499800, 70000, 3500000);
	sample_hist(&r->metric[METRIC_EVERY_SENT], 499800, 65000, 1200000);
	sample_hist(&r->metric[METRIC_LAG], 5000, 1000, 60000);
	r->audit.expected = r->audit.delivered = 4998000;
	r->cpu_max = 0.41;
	r->cpu_s = 7.25;
	r->pids = 1;
	r->rss_before = 8 << 20;
	r->rss_joined = 10 << 20;
	r->rss_max = 21 << 20;
	r->rss_end = 20 << 20;
	r->server_cpu_s = 6.5;
	r->verdict = VERDICT_OK;
	strcpy(r->verdict_why, "sent what was due, and the generator kept pace");
	sample_series(r);
	return r;
}

static inline void sample_free(struct result *r)
{
	result_free(r);
	free(r);
}

#endif

/* What a result's figures are called, and those that are derived from others. */
#include "report/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *title;
} metrics[METRICS] = {
    [METRIC_CONNECT] = {"connect", "connect"},
    [METRIC_TLS] = {"tls", "TLS"},
    [METRIC_HANDSHAKE] = {"handshake", "WebSocket handshake"},
    [METRIC_JOIN] = {"join", "join"},
    [METRIC_ACK] = {"ack", "publish to ack"},
    [METRIC_ACK_SENT] = {"ack_sent", "publish to ack, from the send"},
    [METRIC_FIRST] = {"first", "publish to first receiver"},
    [METRIC_LAST] = {"last", "publish to last receiver"},
    [METRIC_EVERY] = {"every", "publish to every receiver"},
    [METRIC_EVERY_SENT] = {"every_sent", "publish to every receiver, from the send"},
    [METRIC_STALE] = {"stale", "age of what is known"},
    [METRIC_BEHIND] = {"behind", "behind what there is"},
    [METRIC_RESUME] = {"resume", "resume"},
    [METRIC_BACK] = {"back", "first try to be back"},
    [METRIC_LAG] = {"lag", "generator's own lag"},
};

static const char *const verdicts[] = {"ok", "saturated", "generator-bound", "failed"};

const char *metric_name(enum metric m)
{
	return metrics[m].name;
}

const char *metric_title(enum metric m)
{
	return metrics[m].title;
}

const char *verdict_name(enum verdict v)
{
	return verdicts[v];
}

void result_free(struct result *r)
{
	free(r->url);
	free(r->scenario);
	free(r->dialect);
	free(r->label);
	free(r->play);
	free(r->series);
	free(r->trials);
	for (size_t i = 0; i < r->nchecks; i++)
		free(r->checks[i].text);
	free(r->checks);
	memset(r, 0, sizeof(*r));
}

enum metric result_main_metric(const struct result *r)
{
	static const enum metric order[] = {METRIC_EVERY, METRIC_ACK,	    METRIC_RESUME,
					    METRIC_JOIN,  METRIC_HANDSHAKE, METRIC_CONNECT};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (r->metric[order[i]].n)
			return order[i];
	}
	return METRIC_EVERY;
}

bool result_shows(const struct result *r, enum metric m)
{
	bool sent = m == METRIC_ACK_SENT || m == METRIC_EVERY_SENT;

	return r->metric[m].n && !(sent && r->closed);
}

static double per_second(const struct result *r, uint64_t n)
{
	return r->seconds > 0 ? (double)n / r->seconds : NAN;
}

double result_offered(const struct result *r)
{
	return per_second(r, r->due);
}

double result_achieved(const struct result *r)
{
	return per_second(r, r->sent);
}

double result_delivery_rate(const struct result *r)
{
	return per_second(r, r->delivered);
}

double result_bytes_per_client(const struct result *r)
{
	if (!r->pids || !r->clients_joined)
		return NAN;
	return ((double)r->rss_joined - (double)r->rss_before) / (double)r->clients_joined;
}

double result_bytes_per_second(const struct result *r)
{
	return r->clients_joined ? per_second(r, r->bytes_in) / (double)r->clients_joined : NAN;
}

double result_bytes_per_update(const struct result *r)
{
	return r->observed ? (double)r->observed_bytes / (double)r->observed : NAN;
}

double result_per_cpu(const struct result *r)
{
	/* Of a crowd those of observers are counted; the others get as many each. */
	double each = r->observers ? (double)r->clients_joined / (double)r->observers : 1;

	return r->pids && r->server_cpu_s > 0 ? (double)r->delivered * each / r->server_cpu_s : NAN;
}

/* From options to a plan. A plan that is made is one that can be run: what excludes each other has
 * ended the program. */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/quantity.h"
#include "speak/dialect.h"

#define OBSERVERS 10 /* whose messages are read */

/* A number with k or M behind it, and perhaps a unit. */
static double read_rate(const char *option, const char *text, const char *unit)
{
	double rate = -1;
	const char *end = quantity_real(text, &rate);

	if (end && (*end == 'k' || *end == 'K'))
		rate *= 1e3, end++;
	else if (end && *end == 'M')
		rate *= 1e6, end++;
	if (end && strcmp(end, unit) == 0)
		end += strlen(unit);
	if (!end || *end || !(rate >= 0 && rate <= 1e9))
		err_die(EX_USAGE, "%s: '%s' is not a rate: a number, k or M may follow", option,
			text);
	return rate;
}

/* Seconds, or clients a second. */
static double read_ramp(const struct options *o, uint32_t clients)
{
	size_t len = strlen(o->ramp);
	double rate, seconds;

	if (len > 2 && strcmp(o->ramp + len - 2, "/s") == 0) {
		rate = read_rate("--ramp", o->ramp, "/s");
		if (rate <= 0)
			err_die(EX_USAGE, "--ramp: a rate is above 0");
		return clients / rate;
	}
	if (quantity_seconds(o->ramp, &seconds) < 0 || seconds > 1e6)
		err_die(EX_USAGE, "--ramp: '%s' is neither seconds nor clients/s", o->ramp);
	return seconds;
}

static uint32_t resolve(int64_t asked, int64_t by_default, uint32_t clients)
{
	int64_t n = asked == UNSET ? by_default : asked;

	if (n == PER_CLIENT)
		return clients;
	if (n == PER_ROOM)
		return (clients + 9) / 10;
	return asked == UNSET && n > clients ? clients : (uint32_t)n;
}

static void plan_numbers(struct plan *p, const struct options *o)
{
	const struct scenario *s = p->scenario;

	p->clients = (uint32_t)(o->clients == UNSET ? s->clients : o->clients);
	p->sessions = resolve(o->sessions, s->sessions, p->clients);
	p->publishers = resolve(o->publishers, s->publishers, p->clients);
	/* A session without a publisher would have nothing to tell. */
	if (o->publishers == UNSET && p->publishers && p->publishers < p->sessions)
		p->publishers = p->sessions;
	p->threads = (uint32_t)(o->threads < p->clients ? o->threads : p->clients);
	p->closed = (uint32_t)o->closed;
	p->rate = s->client_rate > 0 ? s->client_rate * p->publishers : s->rate;
	if (o->rate)
		p->rate = read_rate("-r", o->rate, "/s");
	p->speed = o->speed ? read_rate("--speed", o->speed, "") : 1;
	p->duration = o->duration > 0 ? o->duration : s->duration;
	p->warmup = o->warmup;
	p->drain = o->drain;
	p->ramp_s = o->ramp ? read_ramp(o, p->clients) : 0;
	if (s->churn)
		p->churn = o->churn ? read_rate("--churn", o->churn, "/s") : p->clients / 10.0;
	if (s->slow)
		p->slow = o->slow == UNSET ? (p->clients + 9) / 10 : (uint32_t)o->slow;
	p->bytes = o->bytes == UNSET ? 0 : (size_t)o->bytes;
	p->crowd.world = o->world == UNSET ? 1000 : (double)o->world;
	p->crowd.area = o->area == UNSET ? 0 : (double)o->area;
	p->crowd.observers = o->observers == UNSET ? OBSERVERS : (uint32_t)o->observers;
	if (p->crowd.observers > p->clients)
		p->crowd.observers = p->clients;
}

static bool unix_node(const struct plan *p)
{
	bool any = false;

	for (uint32_t i = 0; i < p->nodes; i++)
		any |= p->url[i].scheme == URL_UNIX;
	return any;
}

/* What the request has in it beyond the URL. */
static void check_upgrade(const struct plan *p, const struct options *o)
{
	if (unix_node(p) && (o->hub.headers.n || o->subprotocol))
		err_die(EX_USAGE, "--header and --subprotocol: not over a Unix socket");
	if (o->subprotocol && (!*o->subprotocol || strpbrk(o->subprotocol, "\r\n")))
		err_die(EX_USAGE, "--subprotocol: a name");
}

static bool selects(const struct options *o)
{
	return o->tick >= 0 || o->batch || o->conflate || o->compact || o->delta ||
	       o->area != UNSET;
}

static void check_crowd(const struct plan *p, const struct options *o)
{
	if (!p->scenario->crowd && (selects(o) || o->observers != UNSET || o->world != UNSET))
		err_die(EX_USAGE, "--tick, --batch, --conflate, --compact, --delta, --area, "
				  "--observers and --world: "
				  "for the scenario crowd only");
	if (selects(o) && !p->dialect->seq)
		err_die(EX_USAGE, "--tick, --batch, --conflate, --compact, --delta and --area: for "
				  "the hub dialect only");
	if ((o->compact || o->delta) && !o->batch)
		err_die(EX_USAGE, "--compact and --delta need --batch");
	if (o->delta && o->tick <= 0)
		err_die(EX_USAGE, "--delta needs --tick");
	if (!p->scenario->crowd)
		return;
	if (o->poisson || p->closed || o->play || o->message || o->acks || o->no_echo)
		err_die(EX_USAGE,
			"the scenario crowd excludes --poisson, --closed, --play, --message, "
			"--acks and --no-echo");
	if (p->sessions != 1 || !p->publishers || p->rate <= 0)
		err_die(EX_USAGE, "the scenario crowd is one session in which somebody moves");
}

static void plan_check(const struct plan *p, const struct options *o)
{
	const struct dialect *d = p->dialect;

	if (p->sessions > p->clients)
		err_die(EX_USAGE, "-s: more sessions than clients");
	if (p->publishers > p->clients)
		err_die(EX_USAGE, "--publishers: more publishers than clients");
	if (p->slow + p->publishers > p->clients && p->slow)
		err_die(EX_USAGE, "--slow: more than the clients that do not publish");
	if (unix_node(p) && !d->unix_lines)
		err_die(EX_USAGE, "--dialect %s: not over a Unix socket", d->name);
	if (p->closed && (o->poisson || o->rate || o->play))
		err_die(EX_USAGE, "--closed has no rate: it excludes -r, --poisson and --play");
	if (o->speed && (!o->play || o->rate || p->speed < 0.001))
		err_die(EX_USAGE, "--speed: with --play, without -r, and 0.001 at least");
	if (p->closed && o->no_echo)
		err_die(EX_USAGE, "--closed waits for the own messages: it excludes --no-echo");
	if (o->acks && !d->resumes)
		err_die(EX_USAGE, "--acks: for the hub dialect only");
	if ((o->join || o->answer) && !d->own_words)
		err_die(EX_USAGE, "%s: for the raw dialect only", o->join ? "--join" : "--answer");
	if ((o->room || o->event || o->join_event || o->space) && !d->events)
		err_die(EX_USAGE, "--room, --event, --join-event and --namespace: for the socketio "
				  "dialect only");
	if (o->space && (o->room || o->join_event))
		err_die(EX_USAGE, "--namespace: in place of --room and --join-event");
	check_upgrade(p, o);
	if (o->no_echo && d->seq)
		err_die(EX_USAGE, "--no-echo: not for the hub dialect");
	if (p->closed > WINDOW && p->acks)
		err_die(EX_USAGE, "--closed: %d at most with acks", WINDOW);
	check_crowd(p, o);
	if (unix_node(p) && o->deflate)
		err_die(EX_USAGE, "--deflate: not over a Unix socket");
	if (o->kill_node && !p->scenario->cluster)
		err_die(EX_USAGE, "--kill-node: for the scenario cluster only");
	if (o->churn && !p->scenario->churn)
		err_die(EX_USAGE, "--churn: for the scenario churn only");
	if (o->slow != UNSET && !p->scenario->slow)
		err_die(EX_USAGE, "--slow: for the scenario slow-reader only");
	if (p->scenario->search && (!o->expect.n || p->closed || o->play))
		err_die(EX_USAGE, "search needs --expect, and a rate: no --closed, no --play");
	if (p->sessions > 1 && d->own_words && !p->scenario->echo &&
	    !(o->join && strstr(o->join, "{session}")) && !strstr(p->url->path, "{session}"))
		err_die(EX_USAGE,
			"-s: the raw dialect needs {session} in --join or in the URL for that");
}

/* Paths of other servers are not /ws. */
static void plan_path(const struct plan *p, struct url *url, const char *text)
{
	const char *host = text ? strstr(text, "://") : NULL;

	if (host && !strchr(host + 3, '/') && url->scheme != URL_UNIX)
		snprintf(url->path, sizeof(url->path), "%s", p->dialect->path);
}

/* client_args_read() has read the first. */
static void plan_nodes(struct plan *p, const struct client_args *hub)
{
	char why[300];

	p->url[0] = hub->url;
	p->nodes = hub->urls.n ? (uint32_t)hub->urls.n : 1;
	plan_path(p, &p->url[0], hub->url_text ? hub->url_text : getenv("HUB_URL"));
	for (uint32_t i = 1; i < p->nodes; i++) {
		/* What is before an @ is nobody's business. */
		if (url_parse(&p->url[i], hub->urls.item[i], why, sizeof(why)) < 0)
			err_die(EX_USAGE, "%s: %s",
				strchr(hub->urls.item[i], '@') ? "-u" : hub->urls.item[i], why);
		plan_path(p, &p->url[i], hub->urls.item[i]);
	}
}

void plan_make(struct plan *p, const struct options *o)
{
	memset(p, 0, sizeof(*p));
	p->o = o;
	p->scenario = &scenarios[o->scenario];
	p->dialect = dialects[o->dialect];
	p->seed = (uint64_t)o->seed;
	plan_nodes(p, &o->hub);
	/* What a publisher loses with its connection is sent again, so that the log has it once. */
	p->acks = o->acks || ((p->scenario->storm || p->scenario->cluster) && p->dialect->resumes);
	plan_numbers(p, o);
	plan_check(p, o);
}

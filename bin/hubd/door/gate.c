/* Invariant: a stream is counted for one address at a time, and until it closes, or what it is for
 * ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conn/conn.h"
#include "door/doors_impl.h"
#include "door/gate_impl.h"
#include "door/http_request.h"
#include "door/peer.h"
#include "loop/bucket.h"
#include "wire/forwarded.h"
#include "wire/host_name.h"

/* --- what it may be called, and by whom */

int gate_add_host(struct gate *g, const char *glob)
{
	char name[HOST_NAME_MAX + 1];
	size_t n = host_name((struct http1_span){glob, strlen(glob)}, name);

	/* An IPv6 address without its brackets has no port. */
	if (*glob != '[' && strchr(glob, ':'))
		return globs_add(&g->hosts, &g->memory, (struct span){glob, strlen(glob)},
				 (struct span){0});
	return globs_add(&g->hosts, &g->memory, (struct span){name, n}, (struct span){0});
}

int gate_add_origin(struct gate *g, const char *glob)
{
	return globs_add(&g->origins, &g->memory, (struct span){glob, strlen(glob)},
			 (struct span){0});
}

bool gate_has_origin(const struct gate *g, struct span origin)
{
	return !g->origins.n || globs_match(&g->origins, g->memory.data, origin);
}

/* --- addresses */

#define NS 1000000000ULL

/* Whether addresses are counted at all. */
static bool counts(const struct worker *w)
{
	return w->conns->max_per_address || w->conns->rate_requests;
}

bool gate_counts(const struct stream *s, struct address *a)
{
	peer_of(s, a);
	return a->known && !trust_has(s->worker->doors->set->trust, a) &&
	       (s->by_proxy || !address_is_loopback(a));
}

static void say(enum journal_event event, const struct address *a, const char *what)
{
	char text[ADDRESS_TEXT];

	if (journal_takes(ERR_INFO, event))
		journal_say(ERR_INFO, event,
			    &(struct journal_who){.door = "tcp", .peer = address_text(a, text)},
			    "%s", what);
}

/* Of the holder, who is that address in one way or another. Returns 0 or -EBUSY after saying so. */
static int take_share(struct worker *w, const struct address *a, uint64_t holder, share *at)
{
	const struct conn_settings *set = w->conns;

	*at = SHARE_NONE;
	if (!set->max_per_address)
		return 0;
	if (shares_take(set->shares, holder, set->max_per_address, at) == 0)
		return 0;
	say(JOURNAL_share, a, "its address has as many connections as it may");
	return -EBUSY;
}

static int take_connection(struct worker *w, const struct address *a, share *at)
{
	return take_share(w, a, shares_address(w->conns->shares, a), at);
}

/* Returns 0, or in how many seconds it may ask again. */
static unsigned spend(struct worker *w, const struct address *a)
{
	const struct conn_settings *set = w->conns;
	uint64_t over = 0;

	if (set->rate_requests)
		over = shares_spend(set->shares, shares_address(set->shares, a), SHARE_REQUESTS, 1,
				    set->rate_requests, worker_now_ms(w) * 1000000U, false);
	if (over)
		say(JOURNAL_share, a, "its address asks more often than it may");
	return over ? (unsigned)(over / 1000000000U) + 1 : 0;
}

/* Over TLS an answer takes a handshake, which costs more than what is refused: so many of them. */
static bool may_be_told(struct worker *w)
{
	uint64_t *told = &w->doors->told, before = *told, cost = NS / GATE_TOLD;

	if (!bucket_add(told, worker_now_ms(w) * 1000000U, cost, NS))
		return true;
	*told = before;
	return false;
}

bool gate_accept(struct worker *w, struct arrival *a)
{
	const struct address *peer = &a->peer;
	enum count_refusal why = REFUSED_ADDRESS;

	if (!counts(w) || a->kind != LISTEN_TCP || !peer->known || address_is_loopback(peer) ||
	    trust_has(w->doors->set->trust, peer))
		return true;
	a->crowded = take_connection(w, peer, &a->share) < 0;
	if (a->crowded && !w->doors->set->tls) {
		counter_add_at(&w->counters, refused, why, 1);
		return false;
	}
	if (!a->crowded) {
		a->retry_s = spend(w, peer);
		a->paid = true;
		why = REFUSED_ADDRESS_RATE;
	}
	if ((!a->crowded && !a->retry_s) || !w->doors->set->tls || may_be_told(w))
		return true;
	shares_drop(w->conns->shares, a->share);
	counter_add_at(&w->counters, refused, why, 1);
	return false;
}

void gate_left(struct worker *w, const struct arrival *a)
{
	shares_drop(w->conns->shares, a->share);
	worker_connection_gone(w);
}

/* --- requests */

#define CROWDED "your address has as many connections as it may"

static bool refuse(struct http *h, int status, enum count_refusal counted, const char *why,
		   unsigned retry_s)
{
	struct answer a = http_error(status, status == 503 ? "hub_full" : NULL, why);
	char retry[40];

	snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", retry_s);
	a.fields = retry_s ? retry : NULL;
	a.counted = counted;
	a.close = !h->stream->by_proxy; /* a proxy has others on it */
	http_answer(h, a);
	return false;
}

bool gate_polls(struct http *h, const struct address *a, share *at)
{
	struct worker *w = h->stream->worker;

	return take_share(w, a, shares_pollers(w->conns->shares, a), at) == 0 ||
	       refuse(h, 503, REFUSED_ADDRESS, CROWDED, 1);
}

/* A request that did not come with its connection. False where it has been answered, or ended. */
static bool count_request(struct http *h, unsigned *retry_s)
{
	struct stream *s = h->stream;
	struct address a;
	share at;

	if (!gate_counts(s, &a)) {
		/* Who has reset the connection is nobody any more. */
		if (!a.known)
			stream_abort(s);
		return a.known;
	}
	if (s->by_proxy && s->share == SHARE_NONE) {
		if (take_connection(s->worker, &a, &at) < 0)
			return refuse(h, 503, REFUSED_ADDRESS, CROWDED, 1);
		s->share = at & SHARE_MASK;
	}
	*retry_s = spend(s->worker, &a);
	return true;
}

/* What came over TCP by itself was counted when it came, and its first request with it. */
static bool has_share(struct http *h)
{
	unsigned retry_s = h->retry_s;
	bool paid = h->paid;

	if (h->crowded)
		return refuse(h, 503, REFUSED_ADDRESS, CROWDED, 1);
	h->paid = false;
	h->retry_s = 0;
	if (!paid && counts(h->stream->worker) && !count_request(h, &retry_s))
		return false;
	return !retry_s || refuse(h, 429, REFUSED_ADDRESS_RATE,
				  "your address asks more often than it may", retry_s);
}

/* Whom a line is about, and what a request said. */
static void say_page(struct http *h, const char *field, struct http1_span value)
{
	struct address a;
	char text[160];

	snprintf(text, sizeof(text), "refused for its %s: %.*s", field,
		 (int)(value.len < 100 ? value.len : 100), value.len ? value.p : "");
	peer_of(h->stream, &a);
	say(JOURNAL_page, &a, text);
}

static bool is_called(struct http *h)
{
	const struct gate *g = h->stream->worker->doors->set->gate;
	char name[HOST_NAME_MAX + 1];
	size_t n;

	if ((!g->hosts.n && !h->local) || g->hosts.all || !h->head.host.p)
		return true;
	n = host_name(h->head.host, name);
	if (g->hosts.n ? globs_match(&g->hosts, g->memory.data, (struct span){name, n})
		       : host_is_local(name))
		return true;
	say_page(h, "Host", h->head.host);
	return refuse(h, 403, REFUSED_HOST,
		      "this hub is not asked for by that Host: see host in hubd(8)", 0);
}

static bool is_of_a_page(struct http *h)
{
	const struct gate *g = h->stream->worker->doors->set->gate;
	struct http1_span origin;
	size_t n;

	if (!g->origins.n)
		return true;
	n = http1_field(&h->head, "origin", &origin);
	if (n == 0 || (n == 1 && gate_has_origin(g, (struct span){origin.p, origin.len})))
		return true;
	say_page(h, "Origin", origin);
	return refuse(h, 403, REFUSED_ORIGIN, "pages of that Origin may not use this hub", 0);
}

bool gate_open(struct http *h)
{
	return h->trusted || (has_share(h) && is_called(h) && is_of_a_page(h));
}

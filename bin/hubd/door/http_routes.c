/* The table of paths. Paths are compared segment by segment, each decoded once: an escaped slash is
 * part of a name. */
#include "door/http_routes.h"

#include <string.h>

#include "door/credentials.h"
#include "door/doors.h"
#include "door/engineio.h"
#include "door/gate_impl.h"
#include "door/health.h"
#include "door/http_post.h"
#include "door/http_read.h"
#include "door/http_steer.h"
#include "door/metrics.h"
#include "door/peer.h"
#include "door/ws_upgrade.h"
#include "door/www.h"
#include "member/member.h"
#include "wire/http1_target.h"
#include "wire/prometheus.h"

#define BIT(method) (1u << HTTP1_##method)
#define READ (BIT(GET) | BIT(HEAD))

/* What stands for the stars of a path. */
struct path_names {
	struct span session, key;
	char session_room[ENVELOPE_SESSION_MAX + 1]; /* and one more, so that what is too long is */
	char key_room[ENVELOPE_KEY_MAX + 1];
};

struct route {
	const char *path; /* a star is any segment: a session, then a key */
	unsigned methods; /* and OPTIONS */
	void (*serve)(struct http *h, const struct path_names *names);
	bool guarded; /* not for who has no token, where the hub takes any */
};

/* --- who serves */

/* A text that make() puts together. */
static void serve_text(struct http *h, const char *type,
		       int (*make)(struct worker *w, struct buf *out))
{
	struct worker *w = h->stream->worker;
	struct buf *text = worker_scratch(w);
	struct answer a = {.status = 200, .type = type};

	if (make(w, text) < 0)
		a = http_error(503, NULL, "out of memory");
	else
		a.text = (struct span){text->data, text->len};
	http_answer(h, a);
	worker_scratch_done(w, text);
}

static void serve_health(struct http *h, const struct path_names *names)
{
	(void)names;
	serve_text(h, NULL, health_text);
}

static void serve_metrics(struct http *h, const struct path_names *names)
{
	(void)names;
	serve_text(h, PROMETHEUS_TYPE, metrics_text);
}

static void serve_ws(struct http *h, const struct path_names *names)
{
	(void)names;
	ws_serve(h);
}

static void serve_events(struct http *h, const struct path_names *names)
{
	http_read(h, READ_EVENTS, names->session, names->key);
}

static void serve_records(struct http *h, const struct path_names *names)
{
	if (h->head.method == HTTP1_POST)
		http_post(h, names->session);
	else
		http_read(h, READ_RECORDS, names->session, names->key);
}

static void serve_state(struct http *h, const struct path_names *names)
{
	http_read(h, names->key.p ? READ_KEY : READ_STATE, names->session, names->key);
}

static void serve_presence(struct http *h, const struct path_names *names)
{
	http_read(h, READ_PRESENCE, names->session, names->key);
}

/* What only an operator may. */
static bool is_operator(struct http *h)
{
	if (h->trusted || h->identity)
		return true;
	http_answer(h, http_error(403, NULL,
				  "the right admin is for who asks on the hub's Unix socket, or "
				  "with a token that gives it"));
	return false;
}

static void serve_sessions(struct http *h, const struct path_names *names)
{
	if (is_operator(h))
		http_read(h, READ_SESSIONS, names->session, names->key);
}

static void serve_connections(struct http *h, const struct path_names *names)
{
	(void)names;
	if (is_operator(h))
		http_steer(h, h->head.method == HTTP1_DELETE ? STEER_CLOSE : STEER_CONNECTIONS,
			   (struct span){0});
}

static void serve_bans(struct http *h, const struct path_names *names)
{
	(void)names;
	if (is_operator(h))
		http_steer(h,
			   h->head.method == HTTP1_DELETE ? STEER_UNBAN
			   : h->head.method == HTTP1_PUT  ? STEER_BAN
							  : STEER_BANS,
			   (struct span){0});
}

static void serve_session(struct http *h, const struct path_names *names)
{
	if (is_operator(h))
		http_steer(h, STEER_DELETE, names->session);
}

static void serve_limits(struct http *h, const struct path_names *names)
{
	if (is_operator(h))
		http_steer(h, STEER_LIMIT, names->session);
}

static const struct route routes[] = {
    {"/healthz", READ, serve_health, false},
    {"/metrics", READ, serve_metrics, false},
    {"/ws", BIT(GET), serve_ws, false},
    {"/sessions", READ, serve_sessions, true},
    {"/sessions/*/events", READ, serve_events, true},
    {"/sessions/*/records", READ | BIT(POST), serve_records, true},
    {"/sessions/*/state", READ, serve_state, true},
    {"/sessions/*/state/*", READ, serve_state, true},
    {"/sessions/*/presence", READ, serve_presence, true},
    {"/sessions/*", BIT(DELETE), serve_session, true},
    {"/sessions/*/limits", READ | BIT(PUT), serve_limits, true},
    {"/connections", READ | BIT(DELETE), serve_connections, true},
    {"/bans", READ | BIT(PUT) | BIT(DELETE), serve_bans, true},
};

/* --- finding one */

/* Puts what stands for a star into the next name. What is too long is cut to one byte more than it
 * may have. */
static void take_name(struct path_names *names, struct http1_span segment)
{
	struct span *name = names->session.p ? &names->key : &names->session;
	char *room = names->session.p ? names->key_room : names->session_room;
	size_t cap = names->session.p ? sizeof(names->key_room) : sizeof(names->session_room);
	ssize_t n = http1_decode(segment, false, room, cap);

	*name = (struct span){room, n < 0 ? cap : (size_t)n};
	if (n < 0)
		memset(room, '/', cap);
}

static bool matches(const struct route *route, struct http1_span path, struct path_names *names)
{
	struct http1_span pattern = {route->path, strlen(route->path)}, want, got;
	char text[32];

	names->session = names->key = (struct span){0};
	while (http1_segment(&pattern, &want)) {
		if (!http1_segment(&path, &got))
			return false;
		if (want.len == 1 && *want.p == '*') {
			take_name(names, got);
		} else {
			ssize_t n = http1_decode(got, false, text, sizeof(text));

			if (n != (ssize_t)want.len || memcmp(text, want.p, want.len) != 0)
				return false;
		}
	}
	return path.len == 0;
}

static const struct route *find_route(struct http1_span path, struct path_names *names)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (matches(&routes[i], path, names))
			return &routes[i];
	return NULL;
}

/* --- serving */

static bool takes_body(const struct http *h, const struct route *route)
{
	return route && h->head.method == HTTP1_POST && route->methods & BIT(POST);
}

/* An https target that came without TLS (RFC 9110 section 7.4). */
static bool misdirected(const struct http *h)
{
	struct http1_span target = h->head.target.text;

	return !h->stream->tls && target.len > 6 &&
	       http1_is((struct http1_span){target.p, 6}, "https:");
}

/* The allowed origin that the request comes from, or NULL. Origins are compared byte by byte (RFC
 * 6454 section 5 makes them so). */
static const char *cors_origin(const struct http *h)
{
	const struct opt_list *cors = h->stream->worker->doors->set->cors;
	struct http1_span origin;
	size_t i;

	if (!cors->n || http1_field(&h->head, "origin", &origin) != 1)
		return NULL;
	for (i = 0; i < cors->n; i++)
		if (strcmp(cors->item[i], "*") == 0 ||
		    (strlen(cors->item[i]) == origin.len &&
		     memcmp(cors->item[i], origin.p, origin.len) == 0))
			return cors->item[i];
	return NULL;
}

static void serve_options(struct http *h, unsigned methods)
{
	struct answer a = {.status = 204, .allow = methods};

	a.preflight = h->cors && http1_field(&h->head, "access-control-request-method", NULL) == 1;
	http_answer(h, a);
}

/* False where it was told that its address is banned. */
static bool is_admitted(struct http *h)
{
	struct worker *w = h->stream->worker;
	struct address peer;
	const char *why;
	struct answer a;

	if (h->trusted || !bans_any(w->members->bans))
		return true;
	peer_of(h->stream, &peer);
	if (member_admits(w, NULL, &peer, &why) == HUB_OK)
		return true;
	a = http_error(403, "banned", why);
	a.close = true;
	http_answer(h, a);
	return false;
}

/* What it needs beside joining. */
static enum right right_of(const struct http *h, const struct route *route)
{
	if (route->serve == serve_presence)
		return RIGHT_PRESENCE;
	if (route->serve == serve_sessions || route->serve == serve_connections ||
	    route->serve == serve_bans || route->serve == serve_session ||
	    route->serve == serve_limits)
		return RIGHT_ADMIN;
	return READ & 1u << h->head.method ? RIGHT_READ : RIGHT_PUBLISH;
}

static void serve_route(struct http *h, const struct route *route, const struct path_names *names)
{
	unsigned methods = route->methods | BIT(OPTIONS);
	struct answer a;

	if (h->head.method == HTTP1_OPTIONS) {
		serve_options(h, methods);
	} else if (!(methods & 1u << h->head.method)) {
		a = http_error(405, NULL, "this path does not have that method");
		a.allow = methods;
		http_answer(h, a);
	} else if (names->session.p &&
		   !envelope_session_id_ok(names->session.p, names->session.len)) {
		http_answer(h, http_error(400, "bad_session_id",
					  "a session's name must have 1 to 128 characters "
					  "A-Z a-z 0-9 _ . : ~ @ -"));
	} else if (!route->guarded) {
		route->serve(h, names);
	} else if (credentials_allow(h, right_of(h, route), names->session)) {
		struct identity *id = h->identity;

		route->serve(h, names); /* h may be no more */
		identity_unref(id);
	}
}

bool http_routes_has(const char *path)
{
	struct http1_span span = {path, strlen(path)};
	struct path_names names;

	if (span.len > 1 && path[span.len - 1] == '/')
		span.len--;
	return find_route(span, &names) != NULL;
}

/* With a coding other than none (RFC 9110 section 8.4): nobody here undoes it. */
static bool is_encoded(const struct http1_head *head)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, coding;

	while (http1_next_element(&fields, &list, "content-encoding", &coding))
		if (coding.len && !http1_is(coding, "identity"))
			return true;
	return false;
}

void http_serve(struct http *h)
{
	const struct door_settings *set = h->stream->worker->doors->set;
	struct http1_span path = h->head.target.path;
	const struct route *route;
	struct path_names names;
	struct answer refusal;

	h->has_body = h->head.chunked || h->head.content_length;
	h->cors = NULL;
	if (!gate_open(h))
		return;
	h->cors = cors_origin(h);
	if (!is_admitted(h))
		return;
	if (misdirected(h)) {
		http_answer(h, http_error(421, NULL, "TLS is not spoken here"));
		return;
	}
	if (h->head.method == HTTP1_CONNECT) {
		http_answer(h, http_error(501, NULL, "this hub is no proxy"));
		return;
	}
	if (h->has_body && is_encoded(&h->head)) {
		refusal = http_error(415, NULL, "a body must come without Content-Encoding");
		refusal.fields = "Accept-Encoding: identity\r\n";
		http_answer(h, refusal);
		return;
	}
	if (h->head.method == HTTP1_OPTIONS && path.len == 1 && *path.p == '*') {
		serve_options(h, READ | BIT(POST) | BIT(PUT) | BIT(DELETE) | BIT(OPTIONS));
		return;
	}
	if (engineio_is(h)) {
		if (h->head.method == HTTP1_OPTIONS)
			serve_options(h, BIT(GET) | BIT(POST) | BIT(OPTIONS));
		else
			engineio_serve(h);
		return;
	}
	if (h->stream->deaf && READ & 1u << h->head.method) {
		http_answered(h, false); /* who has gone is read to the end, for what he says */
		return;
	}
	route = find_route(path, &names);
	if (h->head.content_length > HTTP_BODY_MAX && !takes_body(h, route))
		http_answer(h, http_error(413, NULL, "nothing here takes such a body"));
	else if (route)
		serve_route(h, route, &names);
	else if (set->www->n && READ & 1u << h->head.method)
		www_serve(h);
	else
		http_answer(h, http_error(404, NULL,
					  "not found: there are /ws (WebSocket), /healthz, "
					  "/metrics and "
					  "/sessions/NAME/events, records, state and presence"));
}

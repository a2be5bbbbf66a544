/* Connections to the hub, and which session is on which. A session stays where it was joined. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "json/envelope.h"
#include "json/json.h"
#include "record.h"

#define CLOCK_ID "hubreplay-clock" /* of the ping that asks for the hub's clock */
#define END_ID "hubreplay-end"	   /* of those at the end */

/* --- the sessions by name */

static size_t hash(const char *name)
{
	size_t h = 14695981039346656037u;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 1099511628211u;
	return h;
}

static struct seat **seat_link(struct record *r, const char *session)
{
	struct seat **link = &r->table[hash(session) & (r->table_size - 1)];

	while (*link && strcmp((*link)->session, session) != 0)
		link = &(*link)->hash_next;
	return link;
}

static void table_grow(struct record *r)
{
	size_t size = r->table_size ? 2 * r->table_size : 64, old_size = r->table_size;
	struct seat **old = r->table, **table = calloc(size, sizeof(*table));

	if (!table)
		return;
	r->table = table;
	r->table_size = size;
	for (size_t i = 0; i < old_size; i++) {
		while (old[i]) {
			struct seat *s = old[i], **link;

			old[i] = s->hash_next;
			s->hash_next = NULL;
			link = seat_link(r, s->session);
			*link = s;
		}
	}
	free(old);
}

static void link_begin_now(struct record *r);

/* --- what comes */

/* The hub's clock, halfway between the question and the answer. */
static void link_clock(struct record *r, const struct client_message *m)
{
	static const char *const names[] = {"ping_id", "server_time"};
	struct json_paths *paths = json_paths_new(names, 2);
	struct json_member at[2];
	struct json_scan scan;
	uint64_t now = clock_wall_ms();

	if (!paths || json_scan(paths, m->text, m->len, at, &scan) != JSON_OK)
		goto out;
	if (at[0].end - at[0].start != sizeof(CLOCK_ID) + 1 ||
	    memcmp(m->text + at[0].start + 1, CLOCK_ID, sizeof(CLOCK_ID) - 1) != 0 ||
	    at[1].type != JSON_NUMBER || !r->asked_ms)
		goto out;
	r->offset_ms = (int64_t)(strtoull(m->text + at[1].start, NULL, 10)) -
		       (int64_t)(r->asked_ms + (now - r->asked_ms) / 2);
	/* What is within the way's time is none. */
	if (r->offset_ms >= -2 && r->offset_ms <= 2)
		r->offset_ms = 0;
	r->asked_ms = 0;
	link_begin_now(r);
out:
	json_paths_free(paths);
}

static void link_ask_clock(struct link *l)
{
	static const char ping[] = "{\"type\":\"ping\",\"ping_id\":\"" CLOCK_ID "\"}";

	if (l->r->url.scheme == URL_UNIX)
		return; /* it is ours */
	l->r->asked_ms = clock_wall_ms();
	client_send(l->client, ping, sizeof(ping) - 1);
}

/* The names in `"sessions":[...]`. Those of a hub need no unescaping; what is no name is not let
 * become a file's. */
static void link_names(struct link *l, const struct client_message *m)
{
	static const char *const names[] = {"sessions", "more"};
	struct json_paths *paths = json_paths_new(names, 2);
	char session[ENVELOPE_SESSION_MAX + 1];
	struct json_member at[2] = {0};
	struct json_scan scan;
	const char *p, *end;

	if (!paths || json_scan(paths, m->text, m->len, at, &scan) != JSON_OK ||
	    at[0].type != JSON_ARRAY)
		at[0].start = at[0].end = 0;
	json_paths_free(paths);
	p = m->text + at[0].start;
	end = m->text + at[0].end;
	while (p < end && (p = memchr(p, '"', (size_t)(end - p)))) {
		const char *quote = memchr(p + 1, '"', (size_t)(end - p - 1));
		size_t len;

		if (!quote)
			break;
		len = (size_t)(quote - p - 1);
		if (envelope_session_id_ok(p + 1, len)) {
			memcpy(session, p + 1, len);
			session[len] = '\0';
			if (link_add(l->r, session, l->r->listed) != 0)
				return;
		}
		p = quote + 1;
	}
	l->r->listed |= at[1].type == JSON_FALSE;
}

/* Asks once more, until nothing comes before the answer: then that was all. */
static void link_ask_rest(struct link *l)
{
	static const char ping[] = "{\"type\":\"ping\",\"ping_id\":\"" END_ID "\"}";

	l->came = false;
	client_send(l->client, ping, sizeof(ping) - 1);
}

void link_finish(struct link *l, bool at_once)
{
	if (at_once || !l->joined || !l->n) {
		/* What it gets no more is not missing: the file ends before. */
		l->left = true;
		client_stop(l->client);
	} else {
		l->finishing = true;
		link_ask_rest(l);
	}
}

static void link_pong(struct link *l, const struct client_message *m)
{
	if (!l->finishing)
		link_clock(l->r, m);
	else if (l->came)
		link_ask_rest(l);
	else
		link_finish(l, true);
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct link *l = arg;

	(void)c;
	if (m->kind == CLIENT_RECORD) {
		l->came = true;
		if (m->join >= 0 && m->join < l->n)
			track_record(l->seats[m->join], m);
	} else if (m->kind != CLIENT_HUB) {
		return; /* direct messages are nobody else's */
	} else if (strcmp(m->type, "gap") == 0 && !l->left && m->join >= 0 && m->join < l->n) {
		track_gap(l->seats[m->join], m->seq, m->to_seq);
	} else if (strcmp(m->type, "pong") == 0) {
		link_pong(l, m);
	} else if (strcmp(m->type, "session_list") == 0) {
		link_names(l, m);
	} else if (strcmp(m->type, "error") == 0) {
		record_say(l->r, "hub: %s: %s", m->code, m->about);
	}
}

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct link *l = arg;
	struct seat *s = l->seats[j->join];

	(void)c;
	if (l->lost) {
		l->lost = false;
		record_say(l->r, "connected again");
	}
	if (j->asked && !j->recovered && (j->since || j->again))
		record_say(l->r, "%s: %s: records may be missing", j->session, j->reason);
	track_joined(s, j);
}

static void link_closed(struct link *l, const struct client_status *s)
{
	static const int statuses[] = {
	    [CLIENT_LEFT] = EX_OK,	   [CLIENT_UNREACHABLE] = EX_UNAVAILABLE,
	    [CLIENT_REFUSED] = EX_NOPERM,  [CLIENT_REJECTED] = EX_UNAVAILABLE,
	    [CLIENT_FAILED] = EX_SOFTWARE,
	};

	l->closed = true;
	if (s->end != CLIENT_LEFT)
		record_fail(l->r, statuses[s->end], "%s: %s", l->r->where, s->reason);
	record_link_closed(l->r);
}

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	static const char ask[] = "{\"type\":\"session_list\"}";
	struct link *l = arg;

	l->joined = s->state == CLIENT_JOINED;
	if (l->r->ending && s->state == CLIENT_WAITING) {
		client_stop(c);
		return;
	}
	switch (s->state) {
	case CLIENT_JOINED:
		link_ask_clock(l);
		if (l == l->r->lister)
			client_send(c, ask, sizeof(ask) - 1);
		break;
	case CLIENT_WAITING:
		if (!l->lost)
			record_say(l->r, "%s: %s; trying again", l->r->where, s->reason);
		l->lost = true;
		break;
	case CLIENT_CLOSED:
		link_closed(l, s);
		break;
	default:
		break;
	}
}

/* --- connections */

static struct link *link_new(struct record *r)
{
	static const struct client_events events = {
	    .state = on_state, .joined = on_joined, .message = on_message};
	struct client_options options = {.url = &r->url};
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->r = r;
	l->client = client_new(&r->loop, &options, &events, l);
	if (!l->client) {
		free(l);
		return NULL;
	}
	client_start(l->client);
	return l;
}

/* One with room for another session. */
static struct link *link_free_place(struct record *r)
{
	struct link *l = r->links;

	if (l && l->n < CLIENT_SESSIONS_MAX)
		return l;
	l = link_new(r);
	if (l) {
		l->next = r->links;
		r->links = l;
	}
	return l;
}

/* Where its file ends, or with the state; one that came into being later, from its beginning. */
static struct client_place seat_place(const struct seat *s, bool later)
{
	struct client_place place = {.from = CLIENT_STATE, .rest = true};

	if (!later && !s->epoch[0])
		return place;
	place.from = CLIENT_SINCE;
	place.since = s->seq;
	place.epoch = s->epoch[0] ? s->epoch : NULL;
	place.run = s->run;
	return place;
}

static void seat_free(struct seat *s)
{
	free(s->session);
	free(s);
}

int link_add(struct record *r, const char *session, bool later)
{
	struct client_place place;
	struct link *l;
	struct seat *s;

	if (r->nseats >= r->table_size)
		table_grow(r); /* else it gets slower */
	if (r->table && *seat_link(r, session))
		return 0;
	s = r->table ? calloc(1, sizeof(*s)) : NULL;
	if (s)
		s->session = strdup(session);
	l = s && s->session ? link_free_place(r) : NULL;
	if (!l) {
		record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
		if (s)
			seat_free(s);
		return EX_OSERR;
	}
	s->link = l;
	s->track = track_open(r, s);
	if (!s->track) {
		seat_free(s);
		return r->status;
	}
	place = seat_place(s, later);
	if (client_join(l->client, session, &place) < 0) {
		record_fail(r, EX_OSERR, "cannot join %s", session);
		seat_free(s);
		return r->status;
	}
	l->seats[l->n++] = s;
	*seat_link(r, session) = s;
	r->nseats++;
	return 0;
}

static void link_begin_now(struct record *r)
{
	if (r->all) {
		r->lister = link_new(r);
		if (!r->lister)
			record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
		return;
	}
	for (int i = 0; i < r->nsessions && !r->status; i++)
		link_add(r, r->sessions[i], false);
	r->nsessions = 0;
}

void link_begin(struct record *r)
{
	/* Over the Unix socket the hub's clock is ours; else it is asked for first. */
	if (r->url.scheme == URL_UNIX)
		link_begin_now(r);
	else if (!link_free_place(r))
		record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
}

static void link_free(struct link *l)
{
	client_free(l->client);
	for (int i = 0; i < l->n; i++)
		seat_free(l->seats[i]);
	free(l);
}

void link_free_all(struct record *r)
{
	while (r->links) {
		struct link *l = r->links;

		r->links = l->next;
		link_free(l);
	}
	if (r->lister)
		link_free(r->lister);
	free(r->table);
}

/* One handler per control type, in one table; what is not in it goes into a session's log. */
#include "dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "envelope.h"
#include "hub.h"
#include "json.h"
#include "worker.h"

#define WHY_MAX 256	  /* bytes of an error's message */
#define INFO_MAX 1024	  /* bytes of what client_info keeps */
#define ECHO_MAX 256	  /* bytes of a ping's fields that are sent back */
#define PRESENCE_MAX 1000 /* members listed in one answer */

/* The fields of control messages, as indexes into the members that read_fields() fills. */
enum field { FIELD_ECHO, FIELD_PING_ID, FIELD_TIMESTAMP, FIELD_JS_VERSION, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {"echo", "ping_id", "timestamp", "js_version"};

struct json_paths *dispatch_paths(void)
{
	return json_paths_new(field_names, FIELD_COUNT);
}

static void read_fields(struct conn *c, const struct envelope *e, struct json_member f[FIELD_COUNT])
{
	struct json_scan scan;

	json_scan(c->worker->hub->control, e->text, e->len, f, &scan);
}

/* An empty answer buffer. */
static struct buf *answer(struct conn *c)
{
	c->worker->answer.len = 0;
	return &c->worker->answer;
}

static void answer_send(struct conn *c, int r)
{
	if (r < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	else
		conn_send(c, c->worker->answer.data, c->worker->answer.len);
}

static void fail(struct conn *c, const struct envelope *e, enum hub_code code, const char *message)
{
	conn_error(c, code, message, e->msg_id);
}

/* The membership that the message is for, or NULL after an error was sent. */
static struct member *find_member(struct conn *c, const struct envelope *e)
{
	struct member *m = c->members;
	char why[WHY_MAX];

	if (!e->session_id.p) {
		if (!m)
			fail(c, e, HUB_NO_SESSION,
			     "no session_id, and this connection has joined no session");
		return m;
	}
	while (m && (m->session->id_len != e->session_id.len ||
		     memcmp(m->session->id, e->session_id.p, e->session_id.len) != 0))
		m = m->conn_next;
	if (!m) {
		snprintf(why, sizeof(why), "this connection has not joined session %.*s",
			 (int)e->session_id.len, e->session_id.p);
		fail(c, e, HUB_NOT_MEMBER, why);
	}
	return m;
}

/* --- control types --- */

static void unlink_member(struct conn *c, struct member *m)
{
	struct member **link = &c->members;

	while (*link != m)
		link = &(*link)->conn_next;
	*link = m->conn_next;
}

/* Makes a session the connection's current one. */
static void make_current(struct conn *c, struct member *m)
{
	m->conn_next = c->members;
	c->members = m;
}

static struct member *joined_member(struct conn *c, struct span id)
{
	struct member *m = c->members;

	while (m && (m->session->id_len != id.len || memcmp(m->session->id, id.p, id.len) != 0))
		m = m->conn_next;
	return m;
}

/* Joins anew. NULL after an error was sent. */
static struct member *join(struct conn *c, const struct envelope *e, bool echo,
			   struct session_joined *out)
{
	static const char *const reasons[] = {
	    [HUB_SESSION_FULL] = "the session has as many members as the hub allows",
	    [HUB_HUB_FULL] = "the hub has as many sessions as it allows",
	    [HUB_INTERNAL] = "out of memory",
	};
	struct hub *hub = c->worker->hub;
	enum hub_code code;
	struct member *m;

	if (atomic_load_explicit(&hub->draining, memory_order_relaxed)) {
		fail(c, e, HUB_SHUTTING_DOWN, "the hub is shutting down");
		return NULL;
	}
	if (c->nmembers >= HUB_MEMBERSHIPS_MAX) {
		fail(c, e, HUB_SESSION_FULL, "a connection may be in 64 sessions at most");
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		fail(c, e, HUB_INTERNAL, reasons[HUB_INTERNAL]);
		return NULL;
	}
	m->conn = c;
	m->info = c->info;
	m->echo = echo;
	code = session_join(hub, e->session_id, m, out);
	if (code != HUB_OK) {
		free(m);
		fail(c, e, code, reasons[code]);
		return NULL;
	}
	c->nmembers++;
	return m;
}

static void on_associate(struct conn *c, const struct envelope *e)
{
	struct json_member f[FIELD_COUNT];
	char client[CONN_ID_LEN + 1], epoch[CONN_ID_LEN + 1];
	struct session_joined joined;
	struct member *m;
	bool echo;

	if (!e->session_id.p) {
		fail(c, e, HUB_BAD_SESSION_ID, "session_associate needs a session_id");
		return;
	}
	read_fields(c, e, f);
	if (f[FIELD_ECHO].repeated ||
	    (f[FIELD_ECHO].type != JSON_NONE && f[FIELD_ECHO].type != JSON_TRUE &&
	     f[FIELD_ECHO].type != JSON_FALSE)) {
		fail(c, e, HUB_BAD_FIELD, "echo must be true or false, once");
		return;
	}
	echo = f[FIELD_ECHO].type != JSON_FALSE;
	m = joined_member(c, e->session_id);
	if (m) {
		unlink_member(c, m);
		m->echo = echo;
		joined = (struct session_joined){m->session->epoch, m->cursor - 1,
						 session_user_count(m->session)};
	} else {
		m = join(c, e, echo, &joined);
		if (!m)
			return;
	}
	make_current(c, m);
	conn_id_text(c->id, client);
	conn_id_text(joined.epoch, epoch);
	answer_send(c, buf_printf(answer(c),
				  "{\"type\":\"session_associated\",\"session_id\":\"%s\","
				  "\"client_id\":\"%s\",\"epoch\":\"%s\",\"seq\":%ju,"
				  "\"recovered\":false,\"snapshot\":0,\"user_count\":%u}",
				  m->session->id, client, epoch, (uintmax_t)joined.seq,
				  joined.user_count));
}

static void on_leave(struct conn *c, const struct envelope *e)
{
	struct member *m = find_member(c, e);
	struct buf *b;
	int r;

	if (!m)
		return;
	conn_finish_member(c, m); /* what was logged before comes before the answer */
	b = answer(c);
	r = buf_printf(
	    b, "{\"type\":\"session_left\",\"session_id\":\"%s\",\"user_count\":", m->session->id);
	unlink_member(c, m);
	c->nmembers--;
	if (r == 0)
		r = buf_put_u64(b, session_leave(m));
	free(m);
	answer_send(c, r == 0 ? buf_puts(b, "}") : r);
}

/* Appends `,"name":value` as the peer wrote it, where it did. */
static int put_field(struct buf *b, const char *name, const struct envelope *e,
		     const struct json_member *f)
{
	int r;

	if (f->type == JSON_NONE)
		return 0;
	r = buf_printf(b, ",\"%s\":", name);
	return r == 0 ? buf_put(b, e->text + f->start, f->end - f->start) : r;
}

static void on_ping(struct conn *c, const struct envelope *e)
{
	struct json_member f[FIELD_COUNT];
	struct buf *b = answer(c);
	int r;

	read_fields(c, e, f);
	if (f[FIELD_PING_ID].end - f[FIELD_PING_ID].start > ECHO_MAX ||
	    f[FIELD_TIMESTAMP].end - f[FIELD_TIMESTAMP].start > ECHO_MAX) {
		fail(c, e, HUB_BAD_FIELD, "ping_id and timestamp may have 256 bytes at most");
		return;
	}
	r = buf_puts(b, "{\"type\":\"pong\"");
	if (r == 0)
		r = put_field(b, "ping_id", e, &f[FIELD_PING_ID]);
	if (r == 0)
		r = put_field(b, "timestamp", e, &f[FIELD_TIMESTAMP]);
	if (r == 0)
		r = buf_printf(b, ",\"server_time\":%ju}", (uintmax_t)clock_wall_ms());
	answer_send(c, r);
}

static void on_client_info(struct conn *c, const struct envelope *e)
{
	struct buf *b = answer(c);
	struct blob *info = NULL;
	struct member *m;

	if (envelope_strip(e, b) < 0 ||
	    (b->len <= INFO_MAX && !(info = blob_new(b->data, b->len)))) {
		fail(c, e, HUB_INTERNAL, "out of memory");
		return;
	}
	if (b->len > INFO_MAX) {
		fail(c, e, HUB_BAD_FIELD, "client_info may have 1024 bytes at most");
		return;
	}
	blob_unref(c->info);
	c->info = info;
	for (m = c->members; m; m = m->conn_next)
		session_set_info(m, info);
}

static void on_version_check(struct conn *c, const struct envelope *e)
{
	const char *ours = c->worker->hub->opt.client_version;
	struct json_member f[FIELD_COUNT];
	const struct json_member *v = &f[FIELD_JS_VERSION];
	struct buf *b = answer(c);
	char theirs[256];
	int n = -1, r;

	read_fields(c, e, f);
	if (v->type == JSON_STRING)
		n = json_unescape(e->text + v->start + 1, v->end - v->start - 2, theirs,
				  sizeof(theirs));
	if (n < 0) {
		fail(c, e, HUB_BAD_FIELD, "js_version must be a string of 256 bytes at most");
		return;
	}
	/* A hub that was told no version takes every client. */
	r = buf_printf(b, "{\"type\":\"version_status\",\"match\":%s,\"js_version\":",
		       !ours || (strlen(ours) == (size_t)n && memcmp(ours, theirs, (size_t)n) == 0)
			   ? "true"
			   : "false");
	if (r == 0)
		r = buf_put_json(b, ours ? ours : theirs, ours ? strlen(ours) : (size_t)n);
	answer_send(c, r == 0 ? buf_puts(b, "}") : r);
}

static void on_presence(struct conn *c, const struct envelope *e)
{
	struct member *m = find_member(c, e);
	struct buf *b = answer(c);
	int r;

	if (!m)
		return;
	r = buf_printf(b, "{\"type\":\"presence\",\"session_id\":\"%s\",", m->session->id);
	if (r == 0)
		r = session_presence(m->session, b, PRESENCE_MAX);
	answer_send(c, r == 0 ? buf_puts(b, "}") : r);
}

static void on_authenticate(struct conn *c, const struct envelope *e)
{
	fail(c, e, HUB_UNAUTHORIZED, "this hub checks no tokens");
}

static const struct {
	const char *type;
	size_t len;
	void (*handle)(struct conn *c, const struct envelope *e);
} handlers[] = {
#define ON(type, handle)                       \
	{                                      \
		type, sizeof(type) - 1, handle \
	}
    ON("ping", on_ping),
    ON("heartbeat", on_ping),
    ON("session_associate", on_associate),
    ON("session_leave", on_leave),
    ON("presence", on_presence),
    ON("client_info", on_client_info),
    ON("version_check", on_version_check),
    ON("authenticate", on_authenticate),
#undef ON
};

/* --- messages of the members --- */

struct delivery {
	struct member *member;
	struct blob *blob;
	enum hub_code code; /* of the last receiver that could not be reached */
	char why[WHY_MAX];
};

static void deliver(struct span id, void *arg)
{
	struct delivery *d = arg;
	enum hub_code code = session_direct(d->member->session, id, d->blob);
	size_t len = strlen(d->why);

	if (code == HUB_OK)
		return;
	d->code = code;
	snprintf(d->why + len, sizeof(d->why) - len, "%s%.*s", len ? ", " : "", (int)id.len, id.p);
}

/* A message with `to`: only those clients get it, and it is not logged. */
static void send_direct(struct conn *c, const struct envelope *e, struct member *m)
{
	struct delivery d = {.member = m};
	struct buf *b = &c->worker->record;
	enum hub_code code;
	char why[WHY_MAX];

	if (buf_puts(b, "}") == 0)
		d.blob = blob_new(b->data, b->len);
	if (!d.blob) {
		fail(c, e, HUB_INTERNAL, "out of memory");
		return;
	}
	code = envelope_to(e, deliver, &d, why, sizeof(why));
	blob_unref(d.blob);
	if (code != HUB_OK) {
		fail(c, e, code, why);
		return;
	}
	worker_count(c->worker, direct, 1);
	if (d.code == HUB_OK)
		return;
	snprintf(why, sizeof(why), "not in session %.64s: %.150s", m->session->id, d.why);
	fail(c, e, d.code, d.code == HUB_NOT_MEMBER ? why : "out of memory");
}

static void publish(struct conn *c, const struct envelope *e)
{
	struct member *m = find_member(c, e);
	struct worker *w = c->worker;
	char from[CONN_ID_LEN + 1];

	if (!m)
		return;
	conn_id_text(c->id, from);
	w->record.len = 0;
	if (envelope_record(e, &w->record, (struct span){m->session->id, m->session->id_len},
			    worker_wall_ms(w), (struct span){from, CONN_ID_LEN}) < 0) {
		fail(c, e, HUB_INTERNAL, "out of memory");
		return;
	}
	if (e->to.p) {
		send_direct(c, e, m);
		return;
	}
	if (session_append(m, w->record.data, w->record.len, worker_now_ms(w)) < 0) {
		fail(c, e, HUB_INTERNAL, "out of memory");
		return;
	}
	worker_count(w, records, 1);
	worker_count(w, record_bytes, w->record.len);
	worker_dirty(w, m->session);
}

void dispatch(struct conn *c, const char *text, size_t len)
{
	struct envelope e;
	char why[WHY_MAX];
	enum hub_code code = envelope_parse(&e, text, len, why, sizeof(why));
	size_t i;

	if (code != HUB_OK) {
		fail(c, &e, code, why);
		return;
	}
	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (e.type.len == handlers[i].len &&
		    memcmp(e.type.p, handlers[i].type, e.type.len) == 0) {
			handlers[i].handle(c, &e);
			return;
		}
	}
	publish(c, &e);
}

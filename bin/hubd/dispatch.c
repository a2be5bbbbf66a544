/* One handler per control type, in one table; what is not in it goes into a session's log. */
#include "dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conn.h"
#include "hub.h"
#include "identity.h"
#include "json/envelope.h"
#include "json/json.h"
#include "store.h"
#include "watch.h"
#include "worker.h"

#define WHY_MAX 256	  /* bytes of an error's message */
#define INFO_MAX 1024	  /* bytes of what client_info keeps */
#define ECHO_MAX 256	  /* bytes of a ping's fields that are sent back */
#define RUN_LEN 8	  /* digits of a run */
#define PRESENCE_MAX 1000 /* members listed in one answer */

/* The fields of control messages, as indexes into the members that read_fields() fills. */
enum field {
	FIELD_ECHO,
	FIELD_SINCE,
	FIELD_EPOCH,
	FIELD_RESUME,
	FIELD_REST,
	FIELD_RUN,
	FIELD_PING_ID,
	FIELD_TIMESTAMP,
	FIELD_JS_VERSION,
	FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    "echo", "since", "epoch", "resume", "rest", "run", "ping_id", "timestamp", "js_version"};

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

	while (m && m->leaving)
		m = m->conn_next;
	if (!e->session_id.p) {
		if (!m)
			fail(c, e, HUB_NO_SESSION,
			     "no session_id, and this connection has joined no session");
		return m;
	}
	while (m && (m->leaving || m->session->id_len != e->session_id.len ||
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

static unsigned count_members(const struct conn *c)
{
	const struct member *m;
	unsigned n = 0;

	for (m = c->members; m; m = m->conn_next)
		n++;
	return n;
}

/* Joins anew. NULL after an error was sent. */
static struct member *join(struct conn *c, const struct envelope *e,
			   const struct session_from *from, struct session_joined *out)
{
	static const char *const reasons[] = {
	    [HUB_SESSION_FULL] = "the session has as many members as the hub allows",
	    [HUB_HUB_FULL] = "the hub has as many sessions as it allows",
	    [HUB_INTERNAL] = "out of memory, or the session cannot be read from the store",
	};
	struct hub *hub = c->worker->hub;
	enum hub_code code;
	struct member *m;

	if (atomic_load_explicit(&hub->draining, memory_order_relaxed)) {
		fail(c, e, HUB_SHUTTING_DOWN, "the hub is shutting down");
		return NULL;
	}
	if (count_members(c) >= HUB_MEMBERSHIPS_MAX) {
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
	code = session_join(hub, e->session_id, m, from, out);
	if (code != HUB_OK) {
		free(m);
		if (code == HUB_FORBIDDEN)
			conn_close(c, CLOSE_REPLACED,
				   "replaced by a new connection of the same client");
		else
			fail(c, e, code, reasons[code]);
		return NULL;
	}
	return m;
}

/* What a join says beside its session. */
struct association {
	bool echo;
	struct session_from from;
	bool resumes;
	uint64_t client; /* where it resumes: who it was */
};

/* A string field's text, of at most cap bytes; false where it is none. */
static bool field_text(const struct envelope *e, const struct json_member *f, char *room,
		       size_t cap, struct span *out)
{
	int n;

	if (f->type != JSON_STRING)
		return false;
	n = json_unescape(e->text + f->start + 1, f->end - f->start - 2, room, cap);
	*out = (struct span){room, n < 0 ? 0 : (size_t)n};
	return n >= 0;
}

/* A whole number of at most 2^53, which JSON numbers can hold everywhere. */
static bool field_seq(const struct envelope *e, const struct json_member *f, uint64_t *out)
{
	uint64_t n = 0;
	uint32_t i;

	if (f->type != JSON_NUMBER || f->end - f->start > 16)
		return false;
	for (i = f->start; i < f->end; i++) {
		if (e->text[i] < '0' || e->text[i] > '9')
			return false;
		n = 10 * n + (uint64_t)(e->text[i] - '0');
	}
	*out = n;
	return n <= (uint64_t)1 << 53;
}

/* As send_associated() writes it; another hub's is none. */
static bool read_run(struct span text, uint32_t *out)
{
	char hex[RUN_LEN + 1] = "";

	if (text.len != RUN_LEN)
		return false;
	memcpy(hex, text.p, RUN_LEN);
	*out = (uint32_t)strtoul(hex, NULL, 16);
	return strspn(hex, "0123456789abcdef") == RUN_LEN;
}

/* Leaves *out as it is where the field is absent. */
static bool field_bool(const struct json_member *f, bool *out)
{
	if (f->type == JSON_NONE)
		return true;
	*out = f->type == JSON_TRUE;
	return *out || f->type == JSON_FALSE;
}

/* Returns NULL, or what is wrong. */
static const char *read_association(struct conn *c, const struct envelope *e, struct association *a)
{
	struct json_member f[FIELD_COUNT];
	char room[64];
	struct span text;
	uint32_t run = 0;
	int i;

	read_fields(c, e, f);
	for (i = FIELD_ECHO; i <= FIELD_RUN; i++)
		if (f[i].repeated)
			return "echo, since, epoch, resume, rest and run may occur once each";
	*a = (struct association){.echo = true};
	if (!field_bool(&f[FIELD_ECHO], &a->echo))
		return "echo must be true or false";
	if (!field_bool(&f[FIELD_REST], &a->from.rest))
		return "rest must be true or false";
	a->from.has_since = f[FIELD_SINCE].type != JSON_NONE;
	if (a->from.has_since && !field_seq(e, &f[FIELD_SINCE], &a->from.since))
		return "since must be a seq: a whole number from 0 to 2^53";
	if (f[FIELD_EPOCH].type != JSON_NONE) {
		if (!field_text(e, &f[FIELD_EPOCH], room, sizeof(room), &text))
			return "epoch must be a string of 64 bytes at most";
		a->from.has_epoch = true;
		/* One that no hub ever gave matches none. */
		if (!identity_parse(text, &a->from.epoch))
			a->from.epoch = 0;
	}
	if (f[FIELD_RESUME].type != JSON_NONE) {
		if (!field_text(e, &f[FIELD_RESUME], room, sizeof(room), &text))
			return "resume must be a string of 64 bytes at most";
		/* A token of another hub, or of this one's earlier life, is as good as none. */
		a->resumes = identity_verify(c->worker->hub->secret, text, &a->client, &run);
		a->from.has_run = a->resumes;
		a->from.run = run;
	}
	if (f[FIELD_RUN].type != JSON_NONE) {
		if (!field_text(e, &f[FIELD_RUN], room, sizeof(room), &text))
			return "run must be a string of 64 bytes at most";
		a->from.has_run = read_run(text, &a->from.run);
	}
	return NULL;
}

static void send_associated(struct conn *c, const struct member *m,
			    const struct session_joined *joined, bool rest)
{
	char client[IDENTITY_LEN + 1], epoch[IDENTITY_LEN + 1], token[IDENTITY_TOKEN_LEN + 1];
	const char *reason = joined->reason;
	char since[40] = "", run[24] = "";

	if (joined->rest)
		snprintf(since, sizeof(since), ",\"since\":%ju", (uintmax_t)joined->since);
	if (rest && c->worker->hub->store)
		snprintf(run, sizeof(run), ",\"run\":\"%08x\"", c->worker->hub->run);
	identity_text(c->id, client);
	identity_text(joined->epoch, epoch);
	identity_token(c->worker->hub->secret, c->id, c->worker->hub->run, token);
	answer_send(c,
		    buf_printf(answer(c),
			       "{\"type\":\"session_associated\",\"session_id\":\"%s\","
			       "\"client_id\":\"%s\",\"epoch\":\"%s\",\"seq\":%ju,"
			       "\"recovered\":%s%s%s%s%s,\"snapshot\":%ju,\"user_count\":%u,"
			       "\"resume\":\"%s\"%s}",
			       m->session->id, client, epoch, (uintmax_t)joined->seq,
			       joined->recovered ? "true" : "false", reason ? ",\"reason\":\"" : "",
			       reason ? reason : "", reason ? "\"" : "", since,
			       (uintmax_t)joined->snapshot, joined->user_count, token, run));
	if (joined->gap_to)
		conn_gap(c, m, joined->since + 1, joined->gap_to);
	c->behind = true;
}

static void on_associate(struct conn *c, const struct envelope *e)
{
	struct session_joined joined;
	struct association a;
	struct member *m;
	const char *wrong;

	if (!e->session_id.p) {
		fail(c, e, HUB_BAD_SESSION_ID, "session_associate needs a session_id");
		return;
	}
	wrong = read_association(c, e, &a);
	if (wrong) {
		fail(c, e, HUB_BAD_FIELD, wrong);
		return;
	}
	m = joined_member(c, e->session_id);
	if (!m) {
		/* Who it is can only change while nobody knows it. */
		if (a.resumes && !c->members)
			c->id = a.client;
		m = join(c, e, &a.from, &joined);
		if (!m)
			return;
	} else {
		unlink_member(c, m);
		if (!a.from.has_since)
			joined =
			    (struct session_joined){.epoch = m->session->epoch,
						    .seq = m->cursor - 1,
						    .user_count = session_user_count(m->session)};
		else if (session_seek(m, &a.from, &joined) != HUB_OK)
			conn_close(c, CLOSE_INTERNAL, "out of memory");
	}
	m->echo = a.echo;
	m->leaving = false;
	make_current(c, m);
	send_associated(c, m, &joined, a.from.rest);
}

void dispatch_left(struct conn *c, struct member *m)
{
	struct buf *b;
	int r;

	conn_finish_member(c, m); /* what was logged before comes before the answer */
	b = answer(c);
	r = buf_printf(
	    b, "{\"type\":\"session_left\",\"session_id\":\"%s\",\"user_count\":", m->session->id);
	unlink_member(c, m);
	if (r == 0)
		r = buf_put_u64(b, session_leave(m));
	free(m);
	answer_send(c, r == 0 ? buf_puts(b, "}") : r);
}

static void on_leave(struct conn *c, const struct envelope *e)
{
	struct member *m = find_member(c, e);

	if (m && m->acks_due)
		m->leaving = true;
	else if (m)
		dispatch_left(c, m);
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

static void on_session_list(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_FORBIDDEN;

	if (c->transport->trusted)
		code = watch_start(c);
	if (code == HUB_FORBIDDEN)
		fail(c, e, code, "session_list is for clients on the hub's Unix socket");
	else if (code != HUB_OK)
		fail(c, e, code,
		     code == HUB_HUB_FULL ? "too many connections are told of sessions already"
					  : "out of memory");
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
    ON("session_list", on_session_list),
    ON("client_info", on_client_info),
    ON("version_check", on_version_check),
    ON("authenticate", on_authenticate),
#undef ON
};

/* --- messages of the members --- */

struct delivery {
	struct member *member;
	struct blob *blob;
	unsigned delivered;
	enum hub_code code; /* of the last receiver that could not be reached */
	char why[WHY_MAX];
};

static void deliver(struct span id, void *arg)
{
	struct delivery *d = arg;
	enum hub_code code = session_direct(d->member->session, id, d->blob);
	size_t len = strlen(d->why);

	if (code == HUB_OK) {
		d->delivered++;
		return;
	}
	d->code = code;
	snprintf(d->why + len, sizeof(d->why) - len, "%s%.*s", len ? ", " : "", (int)id.len, id.p);
}

/* A message with `to`: only those clients get it, and it is not logged. False after an error where
 * nobody got it. */
static bool send_direct(struct conn *c, const struct envelope *e, struct member *m)
{
	struct delivery d = {.member = m};
	struct buf *b = &c->worker->record;
	enum hub_code code;
	char why[WHY_MAX];

	if (buf_puts(b, "}") == 0)
		d.blob = blob_new(b->data, b->len);
	if (!d.blob) {
		fail(c, e, HUB_INTERNAL, "out of memory");
		return false;
	}
	code = envelope_to(e, deliver, &d, why, sizeof(why));
	blob_unref(d.blob);
	if (code != HUB_OK) {
		fail(c, e, code, why);
		return false;
	}
	worker_count(c->worker, direct, d.delivered > 0);
	if (d.code == HUB_OK)
		return true;
	snprintf(why, sizeof(why), "%s %.64s: %.150s",
		 d.code == HUB_NOT_MEMBER ? "not in session"
		 : d.code == HUB_HUB_FULL ? "too many are under way in session"
					  : "out of memory in session",
		 m->session->id, d.why);
	fail(c, e, d.code, why);
	return d.delivered > 0;
}

/* seq 0: there is none. */
static void send_ack(struct conn *c, const struct envelope *e, struct member *m, uint64_t seq,
		     bool repeated)
{
	struct buf *b = answer(c);
	struct blob *blob;
	int r = buf_puts(b, "{\"type\":\"ack\",\"msg_id\":");

	if (r == 0)
		r = buf_put(b, e->msg_id.p, e->msg_id.len);
	if (r == 0)
		r = buf_puts(b, ",\"session_id\":\"");
	if (r == 0)
		r = buf_put(b, m->session->id, m->session->id_len);
	if (r == 0)
		r = buf_puts(b, seq ? "\",\"seq\":" : "\"");
	if (r == 0 && seq)
		r = buf_put_u64(b, seq);
	if (r == 0)
		r = buf_puts(b, "}");
	if (r < 0 || !c->worker->hub->store) {
		answer_send(c, r);
		return;
	}
	blob = blob_new(b->data, b->len);
	if (!blob || session_ack(m, seq, blob, repeated) < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	blob_unref(blob);
}

static void publish(struct conn *c, const struct envelope *e, struct member *m,
		    struct publication *p)
{
	static const char *const reasons[] = {
	    [HUB_SESSION_FULL] = "the session's state holds as many keys as the hub allows",
	    [HUB_HUB_FULL] = "the hub has no room left for more state",
	    [HUB_INTERNAL] = "out of memory",
	};
	struct worker *w = c->worker;
	char room[ENVELOPE_KEY_MAX];
	enum hub_code code;
	uint64_t seq;
	bool repeated;

	p->type = e->type;
	p->rule = keys_find(w->hub->keys, e, room, &p->key);
	if (p->rule == KEY_BAD) {
		fail(c, e, HUB_BAD_FIELD,
		     "the state's key must be Unicode text of 256 bytes at most");
		return;
	}
	code = session_publish(m, p, worker_now_ms(w), &seq, &repeated);
	if (code != HUB_OK) {
		const char *failing = w->hub->store ? store_failing(w->hub->store) : NULL;

		if (w->hub->store && !failing)
			failing = "out of memory, or the store does not keep up";
		fail(c, e, code, code == HUB_INTERNAL && failing ? failing : reasons[code]);
		return;
	}
	if (!repeated) {
		worker_count(w, records, 1);
		worker_count(w, record_bytes, p->body.len);
		worker_dirty(w, m->session);
	}
	if (p->acked)
		send_ack(c, e, m, seq, repeated);
}

/* A message of a member: into the log, or to the clients it names. */
static void on_message(struct conn *c, const struct envelope *e)
{
	struct member *m = find_member(c, e);
	struct publication p = {.acked = e->msg_id.p != NULL};
	struct buf *b = &c->worker->record;
	char from[IDENTITY_LEN + 1];

	if (!m)
		return;
	identity_text(c->id, from);
	b->len = 0;
	if (envelope_record(e, b, (struct span){m->session->id, m->session->id_len},
			    worker_wall_ms(c->worker), (struct span){from, IDENTITY_LEN}) < 0) {
		fail(c, e, HUB_INTERNAL, "out of memory");
		return;
	}
	if (p.acked)
		p.msg = identity_message(c->worker->hub->secret, c->id, e);
	p.body = (struct span){b->data, b->len};
	if (!e->to.p) {
		publish(c, e, m, &p);
		return;
	}
	if (!(p.acked && session_knows(m->session, p.msg))) {
		if (!send_direct(c, e, m))
			return;
		if (p.acked)
			session_remember(m->session, p.msg);
	}
	if (p.acked)
		send_ack(c, e, m, 0, false);
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
	on_message(c, &e);
}

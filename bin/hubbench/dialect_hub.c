/* hub(7), over WebSocket and in lines over a Unix socket. The audit goes by `seq`; who loses its
 * connection comes back with `since`, and as the client it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "conn.h"
#include "dialect.h"
#include "json/envelope.h"
#include "json/json.h"
#include "member.h"
#include "need.h"

/* What a member keeps to come back. */
struct seat {
	char epoch[65], resume[65];
};

enum {
	TYPE,
	FROM,
	SEQ,
	FROM_SEQ,
	TO_SEQ,
	EPOCH,
	RESUME,
	RECOVERED,
	SNAPSHOT,
	CODE,
	MSG_ID,
	NPATHS
};

static const char *const paths[NPATHS] = {
    [TYPE] = "type",	     [FROM] = "from",	   [SEQ] = "seq",	[FROM_SEQ] = "from_seq",
    [TO_SEQ] = "to_seq",     [EPOCH] = "epoch",	   [RESUME] = "resume", [RECOVERED] = "recovered",
    [SNAPSHOT] = "snapshot", [CODE] = "data.code", [MSG_ID] = "msg_id",
};

/* The mark is the first thing in a message, so that it stands where it was put. With acks a message
 * names itself by its number. */
static char *hub_message(const struct run *r)
{
	static const char type[] = "\"type\"", id[] = "\"msg_id\":\"{n}\",";
	const char *text = r->o->message ? r->o->message : r->plan->scenario->message, *at;
	struct buf out = {0};

	if (!text)
		text = "{\"m\":\"{mark}{pad}\",\"type\":\"bench\"}";
	at = r->acks && !strstr(text, "{n}") ? strstr(text, type) : NULL;
	if (buf_put(&out, text, at ? (size_t)(at - text) : 0) < 0 ||
	    buf_puts(&out, at ? id : "") < 0 || buf_puts(&out, at ? at : text) < 0 ||
	    buf_put(&out, "", 1) < 0)
		err_die(EX_OSERR, "out of memory");
	return out.data;
}

static void hub_open(struct loop *l, struct conn *c)
{
	const struct seat *s = c->seat;
	char text[512];
	int n =
	    snprintf(text, sizeof(text), "{\"type\":\"session_associate\",\"session_id\":\"%s-%u\"",
		     l->run->name, c->session);

	if (c->away && s && c->streams)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      ",\"since\":%llu,\"epoch\":\"%s\",\"resume\":\"%s\"",
			      (unsigned long long)(c->streams[0].next - 1), s->epoch, s->resume);
	text[n++] = '}';
	conn_send(l, c, text, (size_t)n);
}

/* --- its answers */

/* As many digits as there are at p. */
static uint64_t digits_at(const char *p, const char *end)
{
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

static uint64_t number_at(const char *text, const struct json_member *m)
{
	return m->type == JSON_NUMBER ? digits_at(text + m->start, text + m->end) : 0;
}

/* The characters of a string, cut at cap. Those of a hub have no escapes. */
static void string_at(const char *text, const struct json_member *m, char *out, size_t cap)
{
	size_t len = m->type == JSON_STRING ? m->end - m->start - 2 : 0;

	if (len >= cap)
		len = cap - 1;
	memcpy(out, text + m->start + 1, len);
	out[len] = '\0';
}

static struct seat *seat_of(struct conn *c)
{
	if (!c->seat)
		c->seat = need(calloc(1, sizeof(struct seat)));
	return c->seat;
}

static void hub_associated(struct loop *l, struct conn *c, const char *text,
			   const struct json_member *m)
{
	struct session *session = &l->run->session[c->session];
	uint64_t seq = number_at(text, &m[SEQ]);
	struct seat *s = seat_of(c);
	bool back = c->away && c->streams;
	char epoch[sizeof(s->epoch)];

	string_at(text, &m[EPOCH], epoch, sizeof(epoch));
	if (back && s->epoch[0] && strcmp(epoch, s->epoch) != 0) {
		run_error(l->run, "client %u: the session is a new one", c->client);
		c->broken = true;
	}
	memcpy(s->epoch, epoch, sizeof(epoch));
	string_at(text, &m[RESUME], s->resume, sizeof(s->resume));
	member_joined(l, c, true);
	if (!back) {
		c->streams[0].next = seq + 1;
		if (atomic_load(&l->run->phase) == PHASE_CONNECT)
			atomic_store(&session->head, seq);
		/* State records of before the join. */
		if (number_at(text, &m[SNAPSHOT]))
			stream_withhold(&c->streams[0], seq);
	} else if (m[RECOVERED].type != JSON_TRUE && !c->broken) {
		stream_withhold(&c->streams[0], seq);
	}
}

/* What the hub says itself, and records that are none of ours. */
static void hub_control(struct loop *l, struct conn *c, const char *p, size_t len)
{
	struct json_member m[NPATHS];
	struct json_scan scan;
	char type[ENVELOPE_TYPE_MAX + 1], code[64];

	if (json_scan(l->run->paths, p, len, m, &scan) != JSON_OK) {
		run_error(l->run, "client %u: what came is not JSON", c->client);
		l->audit.unknown++;
		return;
	}
	string_at(p, &m[TYPE], type, sizeof(type));
	string_at(p, &m[CODE], code, sizeof(code));
	if (m[FROM].type != JSON_NONE) {
		/* Of another member: it has its place in the log all the same. */
		struct audit_counts aside = {0};

		l->audit.unknown++;
		if (c->streams && m[SEQ].type == JSON_NUMBER &&
		    stream_take(&c->streams[0], number_at(p, &m[SEQ]), &aside) == STREAM_NEW)
			c->foreign++;
	} else if (strcmp(type, "session_associated") == 0 && c->state == CONN_JOINING) {
		hub_associated(l, c, p, m);
	} else if (strcmp(type, "gap") == 0 && c->streams) {
		stream_withhold(&c->streams[0], number_at(p, &m[TO_SEQ]));
	} else if (strcmp(type, "ack") == 0) {
		member_acked(l, c, digits_at(p + m[MSG_ID].start + 1, p + len));
	} else if (strcmp(type, "session_left") == 0 && c->state == CONN_LEAVING) {
		member_left(l, c);
	} else if (strcmp(type, "error") == 0 && c->state == CONN_JOINING) {
		conn_refuse(l, c, code);
	} else if (strcmp(type, "error") == 0) {
		member_refused(l, c,
			       m[MSG_ID].type == JSON_STRING
				   ? digits_at(p + m[MSG_ID].start + 1, p + len)
				   : NEVER,
			       code);
	}
}

/* Of a record: `,"seq":N}` is its end. */
static bool read_seq(const char *p, size_t len, uint64_t *seq)
{
	static const char name[] = ",\"seq\":";
	const char *end = p + len - 1, *q = end;
	uint64_t n = 0, unit = 1;

	if (*end != '}')
		return false;
	while (q > p && q[-1] >= '0' && q[-1] <= '9') {
		n += (uint64_t)(*--q - '0') * unit;
		unit *= 10;
	}
	*seq = n;
	return q < end && (size_t)(q - p) >= sizeof(name) - 1 &&
	       memcmp(q - (sizeof(name) - 1), name, sizeof(name) - 1) == 0;
}

static void hub_take(struct loop *l, struct conn *c, const char *p, size_t len)
{
	static const char ack[] = "{\"type\":\"ack\",\"msg_id\":\"";
	const struct run *r = l->run;
	size_t at = r->messages->mark_at;
	struct mark m;
	uint64_t seq;

	if (len < at + MARK_LEN || !mark_is(p + at, r->run)) {
		if (len > sizeof(ack) + MARK_NUMBER && memcmp(p, ack, sizeof(ack) - 1) == 0)
			member_acked(l, c, digits_at(p + sizeof(ack) - 1, p + len));
		else
			hub_control(l, c, p, len);
		return;
	}
	if (!c->streams || !read_seq(p, len, &seq) || !mark_read(p + at, &m) ||
	    m.publisher >= r->npublishers || m.publisher % r->sessions != c->session) {
		l->audit.unknown++;
		return;
	}
	if (c->broken) {
		l->counts.delivered++;
		return;
	}
	if (stream_take(&c->streams[0], seq, &l->audit) <= STREAM_LATE)
		member_deliver(l, c, &m);
}

static void hub_leave(struct loop *l, struct conn *c)
{
	static const char leave[] = "{\"type\":\"session_leave\"}";

	conn_send(l, c, leave, sizeof(leave) - 1);
}

const struct dialect dialect_hub = {
    .name = "hub",
    .path = "/ws",
    .unix_lines = true,
    .seq = true,
    .resumes = true,
    .paths = paths,
    .npaths = NPATHS,
    .message = hub_message,
    .open = hub_open,
    .take = hub_take,
    .leave = hub_leave,
};

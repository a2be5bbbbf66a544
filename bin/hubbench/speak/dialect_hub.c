/* hub(7), over WebSocket and in lines over a Unix socket. The audit goes by `seq`; who loses its
 * connection comes back with `since`, and as the client it was. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "json/json.h"
#include "speak/dialect.h"

#define CODE_MAX 63 /* bytes of an error's code; the rest is cut */

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
static char *hub_message(const struct script *s)
{
	static const char type[] = "\"type\"", id[] = "\"msg_id\":\"{n}\",";
	const char *text = s->message, *at;
	struct buf out = {0};

	if (!text)
		text = "{\"m\":\"{mark}{pad}\",\"type\":\"bench\"}";
	at = s->acks && !strstr(text, "{n}") ? strstr(text, type) : NULL;
	if (buf_put(&out, text, at ? (size_t)(at - text) : 0) < 0 ||
	    buf_puts(&out, at ? id : "") < 0 || buf_puts(&out, at ? at : text) < 0 ||
	    buf_put(&out, "", 1) < 0)
		buf_free(&out);
	return out.data;
}

static int put_area(const struct dialect_area *a, struct buf *out)
{
	return buf_printf(out, "\"area\":{\"x\":%.2f,\"z\":%.2f,\"r\":%.2f}", a->x, a->z, a->r);
}

static int hub_move(const struct dialect_area *area, struct buf *out)
{
	int r = buf_puts(out, "{\"type\":\"interest\",");

	if (r == 0)
		r = put_area(area, out);
	return r == 0 ? buf_puts(out, "}") : r;
}

static int hub_join(const struct script *s, const struct dialect_client *c, struct buf *out)
{
	int r = buf_printf(out, "{\"type\":\"session_associate\",\"session_id\":\"%s-%u\"", s->name,
			   c->session);

	if (c->seat)
		r |= buf_printf(out, ",\"since\":%llu,\"epoch\":\"%s\",\"resume\":\"%s\"",
				(unsigned long long)c->since, c->seat->epoch, c->seat->resume);
	if (s->select)
		r |= buf_puts(out, s->select);
	if (c->area.r > 0) {
		r |= buf_puts(out, ",");
		r |= put_area(&c->area, out);
	}
	return r < 0 || buf_puts(out, "}") < 0 ? -ENOMEM : 1;
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

static enum dialect_got hub_joined(const char *text, const struct json_member *m,
				   struct dialect_news *news)
{
	news->seq = number_at(text, &m[SEQ]);
	news->snapshot = number_at(text, &m[SNAPSHOT]) > 0;
	news->recovered = m[RECOVERED].type == JSON_TRUE;
	string_at(text, &m[EPOCH], news->seat.epoch, sizeof(news->seat.epoch));
	string_at(text, &m[RESUME], news->seat.resume, sizeof(news->seat.resume));
	return DIALECT_JOINED;
}

static enum dialect_got hub_error(const char *text, size_t len, const struct json_member *m,
				  struct dialect_news *news)
{
	news->number = DIALECT_NO_NUMBER;
	if (m[MSG_ID].type == JSON_STRING)
		news->number = digits_at(text + m[MSG_ID].start + 1, text + len);
	news->p = "";
	news->len = 0;
	if (m[CODE].type == JSON_STRING) {
		news->p = text + m[CODE].start + 1;
		news->len = m[CODE].end - m[CODE].start - 2;
		if (news->len > CODE_MAX)
			news->len = CODE_MAX;
	}
	return DIALECT_REFUSED;
}

/* What the hub says itself, and records that are none of ours. */
static enum dialect_got hub_control(const struct script *s, const char *p, size_t len,
				    struct dialect_news *news)
{
	struct json_member m[NPATHS];
	struct json_scan scan;
	char type[ENVELOPE_TYPE_MAX + 1];

	if (json_scan(s->paths, p, len, m, &scan) != JSON_OK)
		return DIALECT_BAD;
	string_at(p, &m[TYPE], type, sizeof(type));
	if (m[FROM].type != JSON_NONE) {
		news->seq = m[SEQ].type == JSON_NUMBER ? number_at(p, &m[SEQ]) : DIALECT_NO_NUMBER;
		return DIALECT_FOREIGN;
	}
	if (strcmp(type, "session_associated") == 0)
		return hub_joined(p, m, news);
	if (strcmp(type, "gap") == 0) {
		news->seq = number_at(p, &m[TO_SEQ]);
		return DIALECT_GAP;
	}
	if (strcmp(type, "ack") == 0) {
		news->number = digits_at(p + m[MSG_ID].start + 1, p + len);
		return DIALECT_ACK;
	}
	if (strcmp(type, "session_left") == 0)
		return DIALECT_LEFT;
	return strcmp(type, "error") == 0 ? hub_error(p, len, m, news) : DIALECT_NOTHING;
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

static enum dialect_got hub_take(const struct script *s, const char *p, size_t len,
				 struct dialect_news *news)
{
	static const char ack[] = "{\"type\":\"ack\",\"msg_id\":\"";
	size_t at = s->mark_at;

	if (len >= at + MARK_LEN && mark_is(p + at, s->run)) {
		if (!read_seq(p, len, &news->seq) || !mark_read(p + at, &news->mark))
			return DIALECT_UNKNOWN;
		return DIALECT_MESSAGE;
	}
	if (len > sizeof(ack) + MARK_NUMBER && memcmp(p, ack, sizeof(ack) - 1) == 0) {
		news->number = digits_at(p + sizeof(ack) - 1, p + len);
		return DIALECT_ACK;
	}
	return hub_control(s, p, len, news);
}

const struct dialect dialect_hub = {
    .name = "hub",
    .path = "/ws",
    .unix_lines = true,
    .seq = true,
    .resumes = true,
    .answers = true,
    .leave = "{\"type\":\"session_leave\"}",
    .paths = paths,
    .npaths = NPATHS,
    .message = hub_message,
    .join = hub_join,
    .move = hub_move,
    .take = hub_take,
};

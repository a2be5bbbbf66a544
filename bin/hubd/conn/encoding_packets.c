/* Packets of Engine.IO and Socket.IO. A record is an event of its type: of the object in `data` or
 * of the values in `args`, where it has one of these and nothing else that is not the hub's; else
 * of the record itself. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/base64.h"
#include "conn/encoding.h"
#include "json/json.h"
#include "wire/engineio_packet.h"
#include "wire/log_place.h"
#include "wire/socketio_packet.h"
#include "wire/wsframe.h"

#define OTHER "\"hub:record\"" /* a type that clients keep for themselves */

enum field { TYPE, SESSION, DATA, ARGS, TIMESTAMP, FROM, USER, SEQ, MSG_ID, RECORD, TO, FIELDS };

static const char *const names[FIELDS] = {"type",      "session_id", "data", "args",
					  "timestamp", "from",	     "user", "seq",
					  "msg_id",    "record",     "to"};

/* Compiled once, never changed, never freed. */
static struct json_paths *paths;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile(void)
{
	paths = json_paths_new(names, FIELDS);
}

/* --- carriers */

static size_t frame_header(unsigned char *p, unsigned char first, size_t len)
{
	size_t n = wsframe_text(p, len);

	p[0] = first;
	return n;
}

/* Appends what begins a text packet of len bytes. */
static int begin_text(struct buf *out, enum packet_carrier carrier, size_t len)
{
	int r = buf_reserve(out, WSFRAME_HEADER_MAX + len + 1);

	if (r == 0 && carrier != PACKETS_POLLED)
		out->len += frame_header((unsigned char *)out->data + out->len, 0x81, len);
	return r;
}

static int end_packet(struct buf *out, enum packet_carrier carrier)
{
	const char separator = ENGINEIO_SEPARATOR;

	return carrier == PACKETS_POLLED ? buf_put(out, &separator, 1) : 0;
}

static int put_text(struct buf *out, enum packet_carrier carrier, const char *head, size_t head_len,
		    const char *text, size_t len)
{
	int r = begin_text(out, carrier, head_len + len);

	if (r == 0)
		r = buf_put(out, head, head_len);
	if (r == 0)
		r = buf_put(out, text, len);
	return r == 0 ? end_packet(out, carrier) : r;
}

static int put_binary(struct buf *out, enum packet_carrier carrier, struct http1_span base64)
{
	size_t n = base64_size(base64.p, base64.len);
	int r;

	if (carrier != PACKETS_FRAMES)
		return put_text(out, carrier, "b", 1, base64.p, base64.len);
	r = buf_reserve(out, WSFRAME_HEADER_MAX + n);
	if (r < 0)
		return r;
	out->len += frame_header((unsigned char *)out->data + out->len, 0x82, n);
	out->len += base64_decode((unsigned char *)out->data + out->len, base64.p, base64.len);
	return 0;
}

/* --- events */

/* What an event consists of. */
struct event {
	struct http1_span type; /* as written */
	struct http1_span args;
	struct span session;
	struct http1_span at;		/* its seq where that is a string, with its quotes */
	bool cut;			/* args is an object without that, and its brace */
	char offset[2 * PLACE_MAX + 4]; /* a comma, and it in quotes; empty: none */
	size_t offset_len;
};

/* Whether the members that were found, each once, are all there is of the object. */
static bool is_all(const char *text, size_t len, const struct json_member *m)
{
	size_t at = 1, i;

	for (;;) {
		while (at < len && memchr(" \t\r\n,", text[at], 5))
			at++;
		if (at + 1 >= len)
			return true; /* the brace */
		for (i = 0; i < FIELDS; i++)
			if (m[i].type != JSON_NONE && m[i].name == at)
				break;
		if (i == FIELDS)
			return false;
		at = m[i].end;
	}
}

/* The arguments of a record's event. */
static struct http1_span find_args(const char *text, size_t len, const struct json_member *m)
{
	const struct json_member *data = &m[DATA], *args = &m[ARGS];

	if (data->type == JSON_OBJECT && args->type == JSON_NONE && is_all(text, len, m))
		return (struct http1_span){text + data->start, data->end - data->start};
	if (args->type == JSON_ARRAY && data->type == JSON_NONE && is_all(text, len, m))
		return (struct http1_span){text + args->start + 1, args->end - args->start - 2};
	return (struct http1_span){text, len};
}

static bool is_reserved(const char *text, const struct json_member *type)
{
	char room[ENVELOPE_TYPE_MAX];
	int n =
	    json_unescape(text + type->start + 1, type->end - type->start - 2, room, sizeof(room));

	return n < 0 || socketio_reserved(room, (size_t)n);
}

static void read_event(struct event *e, const char *text, size_t len)
{
	struct json_member m[FIELDS] = {{0}};
	struct json_scan scan;

	pthread_once(&once, compile);
	if (paths)
		json_scan(paths, text, len, m, &scan);
	e->type = (struct http1_span){OTHER, sizeof(OTHER) - 1};
	e->args = (struct http1_span){text, len};
	e->cut = false;
	e->offset_len = 0;
	e->at = (struct http1_span){text + m[SEQ].start, 0};
	if (m[SEQ].type == JSON_STRING)
		e->at.len = m[SEQ].end - m[SEQ].start;
	if (m[SESSION].type == JSON_STRING)
		e->session = (struct span){text + m[SESSION].start + 1,
					   m[SESSION].end - m[SESSION].start - 2};
	if (m[TYPE].type != JSON_STRING || is_reserved(text, &m[TYPE]))
		return;
	e->type = (struct http1_span){text + m[TYPE].start, m[TYPE].end - m[TYPE].start};
	e->args = find_args(text, len, m);
}

void encoding_event(const char *text, size_t len, struct span *name, struct span *args)
{
	struct event e;

	read_event(&e, text, len);
	*name = (struct span){e.type.p, e.type.len};
	*args = (struct span){e.args.p, e.args.len};
}

/* What is no record has where the client is in place of a seq. Clients take a string that stands
 * last for that, the name of an event too, so that it has to be there where one would: then it is
 * what they know already. */
static void keep_offset(struct event *e)
{
	if (!e->at.len || e->at.len + 1 > sizeof(e->offset) ||
	    (e->args.len && e->args.p[e->args.len - 1] != '"'))
		return;
	e->offset_len = 1 + e->at.len;
	e->offset[0] = ',';
	memcpy(e->offset + 1, e->at.p, e->at.len);
}

static int put_tail(struct buf *out, const struct event *e, struct http1_span args)
{
	int r = buf_puts(out, "[");

	if (r == 0)
		r = buf_put(out, e->type.p, e->type.len);
	if (r == 0 && args.len)
		r = buf_puts(out, ",");
	if (r == 0)
		r = buf_put(out, args.p, args.len);
	if (r == 0 && e->cut)
		r = buf_puts(out, "}");
	if (r == 0)
		r = buf_put(out, e->offset, e->offset_len);
	return r == 0 ? buf_puts(out, "]") : r;
}

static int put_place(struct buf *out, const struct event *e)
{
	return socketio_put_place(out, e->session.p, e->session.len);
}

/* With its binary values as attachments. */
static int put_binary_event(struct buf *out, enum packet_carrier carrier, const struct event *e)
{
	struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX];
	struct buf args = {0}, packet = {0};
	int n = socketio_strip(&args, e->args, attachments), r = n < 0 ? n : 0;

	if (r == 0)
		r = buf_printf(&packet, "45%d-", n);
	if (r == 0)
		r = put_place(&packet, e);
	if (r == 0)
		r = put_tail(&packet, e, (struct http1_span){args.data, args.len});
	if (r == 0)
		r = put_text(out, carrier, "", 0, packet.data, packet.len);
	for (int i = 0; r == 0 && i < n; i++)
		r = put_binary(out, carrier, attachments[i]);
	buf_free(&args);
	buf_free(&packet);
	return r;
}

static int put_event(struct buf *out, enum packet_carrier carrier, const struct event *e)
{
	bool main = e->session.len == sizeof(SOCKETIO_MAIN) - 1 &&
		    memcmp(e->session.p, SOCKETIO_MAIN, e->session.len) == 0;
	size_t len = 4 + (main ? 0 : e->session.len + 2) + e->type.len + (e->args.len > 0) +
		     e->args.len + e->cut + e->offset_len;
	int r;

	if (socketio_has_binary(e->args))
		return put_binary_event(out, carrier, e);
	r = begin_text(out, carrier, len);
	if (r == 0)
		r = buf_puts(out, "42");
	if (r == 0)
		r = put_place(out, e);
	if (r == 0)
		r = put_tail(out, e, e->args);
	return r == 0 ? end_packet(out, carrier) : r;
}

/* What a client comes back with is the place of the record; of one that is in rooms what is behind
 * a slash, which tells of them: the place in the session that they are rooms of. */
static void put_offset(struct event *e, const struct log_place *at, const struct record_log *in)
{
	const struct log_place *above = in->above ? in->above : at;
	char *p = e->offset;

	*p++ = ',';
	*p++ = '"';
	if (in->above || !in->in_rooms)
		p += place_text(at, p);
	if (in->above || in->in_rooms)
		*p++ = '/';
	if ((in->above || in->in_rooms) && above->epoch)
		p += place_text(above, p);
	*p++ = '"';
	e->offset_len = (size_t)(p - e->offset);
}

static int put_record(struct buf *out, enum packet_carrier carrier, bool offsets, const char *text,
		      size_t len, const struct record_log *in)
{
	struct log_place at = *in->place;
	struct event e;

	read_event(&e, text, len);
	e.session = in->session;
	at.seq = offsets ? place_of_record(text, len) : 0;
	if (at.seq)
		put_offset(&e, &at, in);
	return put_event(out, carrier, &e);
}

/* An ack with binary values: as it came, but for its type and the number of attachments. */
static int put_binary_ack(struct buf *out, enum packet_carrier carrier, struct http1_span ack)
{
	struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX];
	struct buf rest = {0}, packet = {0};
	int n = socketio_strip(&rest, ack, attachments), r = n < 0 ? n : 0;

	if (r == 0)
		r = buf_printf(&packet, "46%d-", n);
	if (r == 0)
		r = buf_put(&packet, rest.data, rest.len);
	if (r == 0)
		r = put_text(out, carrier, "", 0, packet.data, packet.len);
	for (int i = 0; r == 0 && i < n; i++)
		r = put_binary(out, carrier, attachments[i]);
	buf_free(&rest);
	buf_free(&packet);
	return r;
}

static int put_message(struct buf *out, enum packet_carrier carrier, const char *text, size_t len)
{
	struct event e = {.session = {"", 0}};

	if (len && *text == 'b')
		return put_binary(out, carrier, (struct http1_span){text + 1, len - 1});
	if (len && *text == '3' && socketio_has_binary((struct http1_span){text + 1, len - 1}))
		return put_binary_ack(out, carrier, (struct http1_span){text + 1, len - 1});
	if (!len || *text != '{')
		return put_text(out, carrier, "4", 1, text, len);
	read_event(&e, text, len);
	if (e.at.len && e.args.p == text && e.at.p + e.at.len + 1 == text + len) {
		e.cut = true;
		e.args.len = (size_t)(e.at.p - text) - strlen(",\"seq\":");
	} else {
		keep_offset(&e);
	}
	return put_event(out, carrier, &e);
}

/* --- the table */

#define MESSAGE(carrier)                                                       \
	static int message_##carrier(struct buf *out, const char *p, size_t n) \
	{                                                                      \
		return put_message(out, carrier, p, n);                        \
	}

#define RECORD(carrier, offsets)                                                               \
	static int record_##carrier##_##offsets(struct buf *out, const char *p, size_t n,      \
						struct span type, const struct record_log *in) \
	{                                                                                      \
		(void)type;                                                                    \
		return put_record(out, carrier, offsets, p, n, in);                            \
	}

MESSAGE(PACKETS_FRAMES)
MESSAGE(PACKETS_TEXT)
MESSAGE(PACKETS_POLLED)
RECORD(PACKETS_FRAMES, 0)
RECORD(PACKETS_FRAMES, 1)
RECORD(PACKETS_TEXT, 0)
RECORD(PACKETS_TEXT, 1)
RECORD(PACKETS_POLLED, 0)
RECORD(PACKETS_POLLED, 1)

#define ENCODING(carrier, offsets)                                                    \
	{                                                                             \
		.message = message_##carrier, .record = record_##carrier##_##offsets, \
	}
#define ENCODINGS(carrier) [carrier] = {ENCODING(carrier, 0), ENCODING(carrier, 1)}

const struct encoding encoding_packets[PACKET_CARRIERS][2] = {
    ENCODINGS(PACKETS_FRAMES), ENCODINGS(PACKETS_TEXT), ENCODINGS(PACKETS_POLLED)};

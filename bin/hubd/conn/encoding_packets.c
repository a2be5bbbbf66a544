/* Packets of Engine.IO and Socket.IO. A record is an event of its type: of the object in `data` or
 * of the values in `args`, where it has one of these and nothing else that is not the hub's; else
 * of the record itself. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "conn/encoding.h"
#include "json/json.h"
#include "wire/engineio_packet.h"
#include "wire/log_place.h"
#include "wire/socketio_packet.h"
#include "wire/wsframe.h"

#define OTHER "\"hub:record\"" /* a type that clients keep for themselves */

/* In the order in which records mostly have them. */
enum field { TYPE, DATA, ARGS, MSG_ID, RECORD, TO, SESSION, TIMESTAMP, FROM, USER, SEQ, FIELDS };

#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct http1_span names[FIELDS] = {
    NAME("type"),	NAME("data"),	   NAME("args"), NAME("msg_id"), NAME("record"), NAME("to"),
    NAME("session_id"), NAME("timestamp"), NAME("from"), NAME("user"),	 NAME("seq")};

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

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

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

/* Which one the name at p is, and *behind; FIELDS: another. Looks at `first` first. */
static unsigned field_at(const char *p, const char *end, unsigned first, const char **behind)
{
	size_t room = (size_t)(end - p);
	char text[ENVELOPE_TYPE_MAX];
	unsigned which = first;
	int n;

	do {
		const struct http1_span *name = &names[which];

		if (room > name->len + 1 && p[1] == *name->p && p[name->len + 1] == '"' &&
		    memcmp(p + 1, name->p, name->len) == 0) {
			*behind = p + name->len + 2;
			return which;
		}
		which = which + 1 < FIELDS ? which + 1 : 0;
	} while (which != first);
	*behind = socketio_skip(p, end);
	room = (size_t)(*behind - p);
	if (!memchr(p, '\\', room))
		return FIELDS;
	n = json_unescape(p + 1, room - 2, text, sizeof(text));
	for (which = 0; which < FIELDS; which++)
		if (n == (int)names[which].len && memcmp(text, names[which].p, (size_t)n) == 0)
			break;
	return which;
}

/* The values of the fields, as they are written; p is NULL of those that are not there. The object
 * is known to be valid, so that it need not be scanned, which takes several times as long. Returns
 * whether they, each once, are all there is of it. */
static bool find_fields(const char *text, size_t len, struct http1_span value[FIELDS])
{
	const char *p = text + 1, *end = text + len - 1, *from;
	unsigned which, next = 0;
	bool all = true;

	memset(value, 0, FIELDS * sizeof(*value));
	for (;;) {
		while (p < end && (*p == ',' || is_space(*p)))
			p++;
		if (p >= end)
			return all;
		which = field_at(p, end, next, &p);
		while (p < end && (*p == ':' || is_space(*p)))
			p++;
		from = p;
		p = socketio_skip(p, end);
		if (which == FIELDS || value[which].p)
			all = false;
		if (which == FIELDS)
			continue;
		value[which] = (struct http1_span){from, (size_t)(p - from)};
		next = which + 1 < FIELDS ? which + 1 : 0;
	}
}

/* The arguments of a record's event, where its fields are all there is. */
static struct http1_span find_args(const struct http1_span value[FIELDS], struct http1_span record)
{
	const struct http1_span *data = &value[DATA], *args = &value[ARGS];

	if (data->p && *data->p == '{' && !args->p)
		return *data;
	if (args->p && *args->p == '[' && !data->p)
		return (struct http1_span){args->p + 1, args->len - 2};
	return record;
}

static bool is_reserved(struct http1_span type)
{
	char room[ENVELOPE_TYPE_MAX];
	int n;

	type = (struct http1_span){type.p + 1, type.len - 2};
	if (!memchr(type.p, '\\', type.len))
		return socketio_reserved(type.p, type.len);
	n = json_unescape(type.p, type.len, room, sizeof(room));
	return n < 0 || socketio_reserved(room, (size_t)n);
}

static bool is_string(struct http1_span value)
{
	return value.p && *value.p == '"';
}

static void read_event(struct event *e, const char *text, size_t len)
{
	struct http1_span value[FIELDS];
	bool all = find_fields(text, len, value);

	e->type = (struct http1_span)NAME(OTHER);
	e->args = (struct http1_span){text, len};
	e->cut = false;
	e->offset_len = 0;
	e->at = is_string(value[SEQ]) ? value[SEQ] : (struct http1_span){text, 0};
	if (is_string(value[SESSION]))
		e->session = (struct span){value[SESSION].p + 1, value[SESSION].len - 2};
	if (!is_string(value[TYPE]) || is_reserved(value[TYPE]))
		return;
	e->type = value[TYPE];
	if (all)
		e->args = find_args(value, e->args);
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

static char *put(char *p, const void *data, size_t len)
{
	memcpy(p, data, len);
	return p + len;
}

static bool in_main(const struct event *e)
{
	return e->session.len == sizeof(SOCKETIO_MAIN) - 1 &&
	       memcmp(e->session.p, SOCKETIO_MAIN, e->session.len) == 0;
}

/* Of what stands behind a packet's type and number of attachments. */
static size_t event_len(const struct event *e, size_t args)
{
	return 2 + (in_main(e) ? 0 : e->session.len + 2) + e->type.len + (args > 0) + args +
	       e->cut + e->offset_len;
}

static char *put_rest(char *p, const struct event *e, struct http1_span args)
{
	if (!in_main(e)) {
		*p++ = '/';
		p = put(p, e->session.p, e->session.len);
		*p++ = ',';
	}
	*p++ = '[';
	p = put(p, e->type.p, e->type.len);
	if (args.len) {
		*p++ = ',';
		p = put(p, args.p, args.len);
	}
	if (e->cut)
		*p++ = '}';
	p = put(p, e->offset, e->offset_len);
	*p++ = ']';
	return p;
}

/* With its binary values as attachments. */
static int put_binary_event(struct buf *out, enum packet_carrier carrier, const struct event *e)
{
	struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX];
	struct buf args = {0};
	int n = socketio_strip(&args, e->args, attachments), r = n < 0 ? n : 0;
	char head[16];
	size_t head_len = 0, len = event_len(e, args.len);

	if (r == 0) {
		head_len = (size_t)snprintf(head, sizeof(head), "45%d-", n);
		r = begin_text(out, carrier, head_len + len);
	}
	if (r == 0) {
		put_rest(put(out->data + out->len, head, head_len), e,
			 (struct http1_span){args.data, args.len});
		out->len += head_len + len;
		r = end_packet(out, carrier);
	}
	for (int i = 0; r == 0 && i < n; i++)
		r = put_binary(out, carrier, attachments[i]);
	buf_free(&args);
	return r;
}

static int put_event(struct buf *out, enum packet_carrier carrier, const struct event *e)
{
	size_t len = 2 + event_len(e, e->args.len);
	int r;

	if (socketio_has_binary(e->args))
		return put_binary_event(out, carrier, e);
	r = begin_text(out, carrier, len);
	if (r < 0)
		return r;
	put_rest(put(out->data + out->len, "42", 2), e, e->args);
	out->len += len;
	return end_packet(out, carrier);
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

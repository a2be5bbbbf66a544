#include "conn/encoding.h"

#include <pthread.h>
#include <string.h>

#include "conn/deflation.h"
#include "json/json.h"
#include "wire/log_place.h"
#include "wire/sse.h"
#include "wire/wsframe.h"

static int put_frame(struct buf *out, const char *text, size_t len)
{
	int r = buf_reserve(out, WSFRAME_HEADER_MAX + len);

	if (r < 0)
		return r;
	out->len += wsframe_text((unsigned char *)out->data + out->len, len);
	return buf_put(out, text, len);
}

static int put_line(struct buf *out, const char *text, size_t len)
{
	int r = buf_reserve(out, len + 1);

	if (r < 0)
		return r;
	memcpy(out->data + out->len, text, len);
	out->data[out->len + len] = '\n';
	out->len += len + 1;
	return 0;
}

/* --- server-sent events */

static struct json_paths *type_path; /* NULL: no memory, then events have no name */

static void make_type_path(void)
{
	static const char *const path[] = {"type"};

	type_path = json_paths_new(path, 1);
}

/* The type as written, quotes included; empty where there is none. */
static struct span find_type(const char *text, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct json_member type = {0};
	struct json_scan scan;

	pthread_once(&once, make_type_path);
	if (type_path)
		json_scan(type_path, text, len, &type, &scan);
	if (type.type != JSON_STRING)
		return (struct span){0};
	return (struct span){text + type.start, type.end - type.start};
}

/* What is between the quotes, unescaped in room where it has to be. The hub takes no type with a
 * line end in it. */
static struct http1_span type_text(struct span written, char room[ENVELOPE_TYPE_MAX])
{
	struct http1_span type = {written.p, written.len};
	int n;

	if (type.len < 2)
		return (struct http1_span){NULL, 0};
	type = (struct http1_span){type.p + 1, type.len - 2};
	if (!memchr(type.p, '\\', type.len))
		return type;
	n = json_unescape(type.p, type.len, room, ENVELOPE_TYPE_MAX);
	return (struct http1_span){room, n < 0 ? 0 : (size_t)n};
}

static int put_event(struct buf *out, const char *text, size_t len)
{
	char room[ENVELOPE_TYPE_MAX];

	return sse_put(out, (struct http1_span){NULL, 0}, type_text(find_type(text, len), room),
		       (struct http1_span){text, len});
}

static int put_record_event(struct buf *out, const char *text, size_t len, struct span type,
			    const struct record_log *in)
{
	char room[ENVELOPE_TYPE_MAX], id[PLACE_MAX];
	struct log_place at = *in->place;
	struct http1_span id_text = {id, 0};

	at.seq = place_of_record(text, len);
	if (at.seq)
		id_text.len = place_text(&at, id);
	return sse_put(out, id_text, type_text(type.len ? type : find_type(text, len), room),
		       (struct http1_span){text, len});
}

static int put_batch_event(struct buf *out, const char *text, size_t len,
			   const struct record_log *in)
{
	char id[PLACE_MAX];
	struct http1_span id_text = {id, in->place->seq ? place_text(in->place, id) : 0};

	return sse_put(out, id_text, (struct http1_span){"batch", 5},
		       (struct http1_span){text, len});
}

/* --- frames, deflated where many may share them */

static int put_deflated(struct buf *out, unsigned bits, const char *text, size_t len,
			const struct record_log *in)
{
	int r = in->deflation ? deflation_put(in->deflation, bits, text, len, out) : 1;

	return r > 0 ? put_frame(out, text, len) : r;
}

#define DEFLATED(bits)                                                              \
	static int put_record_##bits(struct buf *out, const char *text, size_t len, \
				     struct span type, const struct record_log *in) \
	{                                                                           \
		(void)type;                                                         \
		return put_deflated(out, bits, text, len, in);                      \
	}                                                                           \
	static int put_batch_##bits(struct buf *out, const char *text, size_t len,  \
				    const struct record_log *in)                    \
	{                                                                           \
		return put_deflated(out, bits, text, len, in);                      \
	}

DEFLATED(9)
DEFLATED(10)
DEFLATED(11)
DEFLATED(12)
DEFLATED(13)
DEFLATED(14)
DEFLATED(15)

#define ENCODING(bits)                                            \
	[bits - DEFLATE_BITS_MIN] = {.deflates = true,            \
				     .message = put_frame,        \
				     .record = put_record_##bits, \
				     .batch = put_batch_##bits}

const struct encoding encoding_deflated[ENCODINGS_DEFLATED] = {
    ENCODING(9),  ENCODING(10), ENCODING(11), ENCODING(12),
    ENCODING(13), ENCODING(14), ENCODING(15)};

const struct encoding encoding_websocket = {.as_logged = true, .message = put_frame};
const struct encoding encoding_lines = {.message = put_line};
const struct encoding encoding_events = {
    .message = put_event, .record = put_record_event, .batch = put_batch_event};

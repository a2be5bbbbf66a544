/* Any bytes as a payload of Engine.IO with packets of Socket.IO: what is taken apart lies inside,
 * and JSON stays JSON with attachments put in and taken out. Any JSON object as a record: what is
 * made of it is packets that a client takes. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "conn/encoding.h"
#include "json/json.h"
#include "wire/engineio_packet.h"
#include "wire/log_place.h"
#include "wire/socketio_packet.h"

static bool is_json(const char *text, size_t len, enum json_type type)
{
	struct json_scan scan;

	return json_scan(NULL, text, len, NULL, &scan) == JSON_OK && (!type || scan.type == type);
}

static void inside(struct http1_span part, struct http1_span whole)
{
	assert(!part.len || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len));
}

static void check_binary(struct http1_span args)
{
	const struct http1_span attachments[] = {{"AQID", 4}, {"", 0}};
	struct http1_span found[SOCKETIO_ATTACHMENTS_MAX];
	struct buf filled = {0}, stripped = {0};
	int r = socketio_fill(&filled, args, attachments, 2, 3 * args.len + 64), n;

	assert(r == 0 || r == -EINVAL || r == -EMSGSIZE);
	if (r == 0 && args.len) {
		assert(filled.len <= 3 * args.len + 64);
		n = socketio_strip(&stripped, (struct http1_span){filled.data, filled.len}, found);
		assert(n >= 0 && n <= SOCKETIO_ATTACHMENTS_MAX);
		for (int i = 0; i < n; i++)
			assert(base64_valid(found[i].p, found[i].len));
	}
	buf_free(&filled);
	buf_free(&stripped);
}

static void check_event(const struct socketio_packet *p)
{
	struct socketio_event e;

	if (!p->payload.len || !is_json(p->payload.p, p->payload.len, JSON_NONE) ||
	    socketio_event(p->payload, &e))
		return;
	inside(e.name, p->payload);
	inside(e.args, p->payload);
	assert(is_json(e.name.p, e.name.len, JSON_NONE));
	assert(!e.object || is_json(e.args.p, e.args.len, JSON_OBJECT));
	check_binary(e.args);
}

static void check_payload(struct http1_span payload)
{
	struct http1_span whole = payload, packet, data;
	struct socketio_packet p;

	while (engineio_next(&payload, &packet)) {
		enum engineio_type type = engineio_packet(packet, &data);

		inside(packet, whole);
		inside(data, packet);
		if (type != ENGINEIO_MESSAGE || socketio_parse(data, &p))
			continue;
		inside(p.address, data);
		inside(p.payload, data);
		assert(p.attachments <= SOCKETIO_ATTACHMENTS_MAX);
		check_event(&p);
	}
}

/* Each has its attachment. */
static void check_placeholders(struct http1_span json, unsigned n)
{
	struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX];
	struct buf b = {0};

	for (unsigned i = 0; i < n; i++)
		attachments[i] = (struct http1_span){"", 0};
	assert(socketio_fill(&b, json, attachments, n, SIZE_MAX) == 0);
	buf_free(&b);
}

/* What is made of a record, in the form of an answer. */
static void check_packets(struct http1_span payload)
{
	struct http1_span packet, data;
	struct socketio_packet p;
	unsigned attachments = 0;

	assert(payload.len && payload.p[payload.len - 1] == ENGINEIO_SEPARATOR);
	payload.len--;
	while (engineio_next(&payload, &packet)) {
		enum engineio_type type = engineio_packet(packet, &data);

		if (type == ENGINEIO_BINARY) {
			assert(attachments-- > 0);
			continue;
		}
		assert(type == ENGINEIO_MESSAGE && attachments == 0);
		assert(!socketio_parse(data, &p));
		assert(is_json(p.payload.p, p.payload.len, JSON_ARRAY));
		attachments = p.attachments;
		if (attachments)
			check_placeholders(p.payload, attachments);
	}
	assert(attachments == 0);
}

static void check_record(const char *text, size_t len)
{
	struct log_place place = {.epoch = 7};
	struct record_log in = {.session = {"match", 5}, .place = &place};

	if (!is_json(text, len, JSON_OBJECT) || *text != '{' || text[len - 1] != '}' ||
	    memchr(text, '\n', len) || memchr(text, '\r', len))
		return;
	for (int carrier = 0; carrier < PACKET_CARRIERS; carrier++) {
		for (int offsets = 0; offsets < 2; offsets++) {
			const struct encoding *encoding = &encoding_packets[carrier][offsets];
			struct buf out = {0};

			assert(encoding->record(&out, text, len, (struct span){0}, &in) == 0);
			if (carrier == PACKETS_POLLED)
				check_packets((struct http1_span){out.data, out.len});
			buf_free(&out);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a read behind it is seen. */
	char *text = malloc(size ? size : 1);

	assert(text);
	if (size)
		memcpy(text, data, size);
	check_payload((struct http1_span){text, size});
	if (size)
		check_record(text, size);
	free(text);
	return 0;
}

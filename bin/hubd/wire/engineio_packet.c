#include "wire/engineio_packet.h"

#include <string.h>

#include "base/base64.h"
#include "wire/http1_target.h"
#include "wire/query.h"

#define VALUE_MAX 64 /* bytes of a value, decoded; what is longer is none that is known */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/* --- packets */

enum engineio_type engineio_packet(struct http1_span text, struct http1_span *data)
{
	*data = (struct http1_span){NULL, 0};
	if (!text.len)
		return ENGINEIO_BAD;
	*data = (struct http1_span){text.p + 1, text.len - 1};
	if (*text.p >= '0' && *text.p <= '6')
		return (enum engineio_type)(*text.p - '0');
	return *text.p == 'b' && base64_valid(data->p, data->len) ? ENGINEIO_BINARY : ENGINEIO_BAD;
}

bool engineio_next(struct http1_span *payload, struct http1_span *packet)
{
	const char *end;

	if (!payload->p)
		return false;
	end = memchr(payload->p, ENGINEIO_SEPARATOR, payload->len);
	*packet = *payload;
	if (!end) {
		*payload = (struct http1_span){NULL, 0};
		return true;
	}
	packet->len = (size_t)(end - payload->p);
	payload->p = end + 1;
	payload->len -= packet->len + 1;
	return true;
}

/* --- sessions */

void engineio_sid_text(const struct engineio_sid *sid, char out[ENGINEIO_SID_LEN + 1])
{
	unsigned bits = 0, n = 0;
	char *p = out;

	*p++ = digits[sid->worker & 63];
	for (unsigned i = 0; i < ENGINEIO_SID_BYTES; i++) {
		bits = (bits << 8 | sid->secret[i]) & 0xffff;
		for (n += 8; n >= 6; n -= 6)
			*p++ = digits[bits >> (n - 6) & 63];
	}
	*p++ = digits[bits << (6 - n) & 63];
	*p = '\0';
}

bool engineio_sid_parse(struct http1_span text, struct engineio_sid *sid)
{
	unsigned bits = 0, n = 0, at = 0;

	if (text.len != ENGINEIO_SID_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		const char *digit = memchr(digits, text.p[i], 64);
		unsigned value = digit ? (unsigned)(digit - digits) : 64;

		if (!digit)
			return false;
		if (i == 0) {
			sid->worker = value;
			continue;
		}
		bits = (bits << 6 | value) & 0xffff;
		n += 6;
		if (n >= 8 && at < ENGINEIO_SID_BYTES) {
			n -= 8;
			sid->secret[at++] = (unsigned char)(bits >> n);
		}
	}
	return (bits & ((1U << n) - 1)) == 0;
}

int engineio_put_open(struct buf *out, const struct engineio_open *open)
{
	return buf_printf(out,
			  "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%u,"
			  "\"pingTimeout\":%u,\"maxPayload\":%zu}",
			  open->sid, open->upgrades ? "\"websocket\"" : "", open->ping_ms,
			  open->pong_ms, open->max_payload);
}

/* --- requests */

static bool is(struct http1_span text, const char *want)
{
	return text.len == strlen(want) && memcmp(text.p, want, text.len) == 0;
}

static void read_param(struct engineio_query *q, struct http1_span name, struct http1_span value)
{
	if (is(name, "transport")) {
		q->transport = is(value, "polling")	? ENGINEIO_POLLING
			       : is(value, "websocket") ? ENGINEIO_WEBSOCKET
							: ENGINEIO_NO_TRANSPORT;
	} else if (is(name, "EIO")) {
		q->version_4 = is(value, "4");
	} else if (is(name, "j")) {
		q->jsonp = true;
	} else if (is(name, "b64")) {
		q->base64 = value.len > 0 && !is(value, "0");
	} else if (is(name, "sid")) {
		q->has_sid = value.len > 0;
		q->sid_formed = engineio_sid_parse(value, &q->sid);
	}
}

void engineio_read_query(struct engineio_query *q, struct http1_span query)
{
	struct http1_span name, value;

	*q = (struct engineio_query){.transport = ENGINEIO_NO_TRANSPORT};
	while (query_next(&query, &name, &value)) {
		char name_room[VALUE_MAX], value_room[VALUE_MAX];
		ssize_t name_len = http1_decode(name, true, name_room, sizeof(name_room));
		ssize_t value_len = http1_decode(value, true, value_room, sizeof(value_room));

		if (name_len < 0)
			continue;
		if (value_len < 0) /* no value that is known: its first byte is none of any */
			value_len = 1, *value_room = '\x7f';
		read_param(q, (struct http1_span){name_room, (size_t)name_len},
			   (struct http1_span){value_room, (size_t)value_len});
	}
}

const char *engineio_error_message(enum engineio_error error)
{
	static const char *const messages[] = {
	    [ENGINEIO_UNKNOWN_TRANSPORT] = "Transport unknown",
	    [ENGINEIO_UNKNOWN_SID] = "Session ID unknown",
	    [ENGINEIO_BAD_METHOD] = "Bad handshake method",
	    [ENGINEIO_BAD_REQUEST] = "Bad request",
	    [ENGINEIO_FORBIDDEN] = "Forbidden",
	    [ENGINEIO_UNSUPPORTED] = "Unsupported protocol version",
	};

	return messages[error];
}

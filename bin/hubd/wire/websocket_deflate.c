/* Offers of permessage-deflate: looks at fields, and keeps nothing. */
#include "wire/websocket_deflate.h"

#include <stdio.h>
#include <string.h>

#include "wire/deflate.h"

#define FIELD "sec-websocket-extensions"

enum parameter { SERVER_NO_TAKEOVER, CLIENT_NO_TAKEOVER, SERVER_BITS, CLIENT_BITS, PARAMETERS };

static const char *const names[PARAMETERS] = {
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
};

/* Takes what is before the next semicolon off an offer. False at the end. */
static bool next_part(struct http1_span *offer, struct http1_span *part)
{
	const char *semicolon;

	if (!offer->p)
		return false;
	semicolon = memchr(offer->p, ';', offer->len);
	*part = *offer;
	if (semicolon) {
		part->len = (size_t)(semicolon - offer->p);
		offer->p += part->len + 1;
		offer->len -= part->len + 1;
	} else {
		*offer = (struct http1_span){NULL, 0};
	}
	*part = http1_trim(*part);
	return true;
}

/* Parts a parameter at its "="; value->p is NULL where there is none. A value in quotes is what is
 * in them (RFC 6455 section 9.1). */
static struct http1_span name_of(struct http1_span part, struct http1_span *value)
{
	const char *equals = memchr(part.p, '=', part.len);

	*value = (struct http1_span){NULL, 0};
	if (!equals)
		return part;
	*value =
	    http1_trim((struct http1_span){equals + 1, part.len - (size_t)(equals + 1 - part.p)});
	if (value->len >= 2 && value->p[0] == '"' && value->p[value->len - 1] == '"')
		*value = (struct http1_span){value->p + 1, value->len - 2};
	return http1_trim((struct http1_span){part.p, (size_t)(equals - part.p)});
}

/* 8 to 15, without a zero in front (section 7.1.2); 0: it is nothing of that. */
static unsigned bits_of(struct http1_span value)
{
	if (value.len == 1 && (value.p[0] == '8' || value.p[0] == '9'))
		return (unsigned)(value.p[0] - '0');
	if (value.len == 2 && value.p[0] == '1' && value.p[1] >= '0' && value.p[1] <= '5')
		return 10 + (unsigned)(value.p[1] - '0');
	return 0;
}

static bool take_parameter(struct websocket_deflate *d, struct http1_span part, unsigned *seen)
{
	struct http1_span value, name = name_of(part, &value);
	unsigned bits = bits_of(value);
	int i = 0;

	while (i < PARAMETERS && !http1_is(name, names[i]))
		i++;
	if (i == PARAMETERS || *seen & 1u << i)
		return false;
	*seen |= 1u << i;
	switch (i) {
	case SERVER_NO_TAKEOVER:
	case CLIENT_NO_TAKEOVER:
		return !value.p;
	case CLIENT_BITS:
		return !value.p || bits;
	default:
		*d = (struct websocket_deflate){bits, true};
		return bits >= DEFLATE_BITS_MIN;
	}
}

static bool take_offer(struct websocket_deflate *d, struct http1_span offer)
{
	struct http1_span part;
	unsigned seen = 0;

	*d = (struct websocket_deflate){DEFLATE_BITS_MAX, false};
	if (!next_part(&offer, &part) || !http1_is(part, "permessage-deflate"))
		return false;
	while (next_part(&offer, &part))
		if (!take_parameter(d, part, &seen))
			return false;
	return true;
}

/* A token, and parameters of whose values each is one, or one in quotes. */
static bool is_extension(struct http1_span offer)
{
	struct http1_span part, name, value;
	bool first = true;

	while (next_part(&offer, &part)) {
		name = first ? part : name_of(part, &value);
		if (!name.len || !http1_all(name.p, name.len, HTTP1_TOKEN))
			return false;
		if (!first && value.p &&
		    (!value.len || !http1_all(value.p, value.len, HTTP1_TOKEN)))
			return false;
		first = false;
	}
	return true;
}

bool websocket_extensions_valid(const struct http1_head *head)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, offer;
	bool some = false;

	while (http1_next_element(&fields, &list, FIELD, &offer)) {
		if (offer.len && !is_extension(offer))
			return false;
		some |= offer.len > 0;
	}
	return some || !http1_field(head, FIELD, NULL);
}

struct websocket_deflate websocket_deflate_agree(const struct http1_head *head)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, offer;
	struct websocket_deflate d;

	while (http1_next_element(&fields, &list, FIELD, &offer))
		if (take_offer(&d, offer))
			return d;
	return (struct websocket_deflate){0, false};
}

void websocket_deflate_answer(const struct websocket_deflate *d,
			      char out[WEBSOCKET_DEFLATE_ANSWER_MAX])
{
	int n = snprintf(out, WEBSOCKET_DEFLATE_ANSWER_MAX, "permessage-deflate; %s; %s",
			 names[SERVER_NO_TAKEOVER], names[CLIENT_NO_TAKEOVER]);

	if (d->named)
		snprintf(out + n, WEBSOCKET_DEFLATE_ANSWER_MAX - (size_t)n, "; %s=%u",
			 names[SERVER_BITS], d->bits);
}

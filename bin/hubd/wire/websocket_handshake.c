/* The opening handshake: looks at fields, and keeps nothing. */
#include "wire/websocket_handshake.h"

#include <string.h>

#include "wire/websocket_deflate.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 16 bytes make 22 characters, of whose last four bits are zero, and "==" (RFC 4648 section 4). */
static bool key_valid(struct http1_span key)
{
	if (key.len != WEBSOCKET_KEY_LEN || memcmp(key.p + 22, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!key.p[i] || !strchr(base64, key.p[i]))
			return false;
	return strchr("AQgw", key.p[21]);
}

/* 1#token, where there is any (RFC 6455 section 11.3.4); empty elements are passed over (RFC 9110
 * section 5.6.1.2). */
static bool protocols_valid(const struct http1_head *head)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, protocol;
	bool some = false;

	while (http1_next_element(&fields, &list, "sec-websocket-protocol", &protocol)) {
		if (protocol.len && !http1_all(protocol.p, protocol.len, HTTP1_TOKEN))
			return false;
		some |= protocol.len > 0;
	}
	return some || !http1_field(head, "sec-websocket-protocol", NULL);
}

int websocket_check(const struct http1_head *head, struct http1_span *key, const char **why)
{
	struct http1_span version;
	size_t versions = http1_field(head, "sec-websocket-version", &version);

	*why = "a method that is not GET";
	if (head->method != HTTP1_GET)
		return 405;
	*why = "no WebSocket asked for";
	if (head->version_1_0 || !http1_has(head, "upgrade", "websocket"))
		return 426;
	*why = "Upgrade is not in Connection";
	if (!head->upgrade)
		return 400;
	*why = "no host";
	if (!head->host.len)
		return 400;
	*why = "content in a handshake";
	if (head->chunked || head->content_length)
		return 400;
	*why = "more than one Sec-WebSocket-Version";
	if (versions > 1)
		return 400;
	*why = "not version 13 of WebSocket";
	if (version.len != 2 || memcmp(version.p, "13", 2) != 0)
		return 426;
	*why = "no valid Sec-WebSocket-Key";
	if (http1_field(head, "sec-websocket-key", key) != 1 || !key_valid(*key))
		return 400;
	*why = "a Sec-WebSocket-Protocol that is none";
	if (!protocols_valid(head))
		return 400;
	*why = "a Sec-WebSocket-Extensions that is none";
	if (!websocket_extensions_valid(head))
		return 400;
	*why = NULL;
	return 0;
}

void websocket_accept(char accept[WEBSOCKET_ACCEPT_LEN + 1], struct http1_span key,
		      websocket_sha1 *sha1)
{
	unsigned char text[WEBSOCKET_KEY_LEN + sizeof(GUID) - 1], digest[21] = {0};
	char *out = accept;

	memcpy(text, key.p, WEBSOCKET_KEY_LEN);
	memcpy(text + WEBSOCKET_KEY_LEN, GUID, sizeof(GUID) - 1);
	sha1(text, sizeof(text), digest);
	/* 20 bytes and one of zeros make 28 characters, of which the last is padding. */
	for (size_t i = 0; i < sizeof(digest); i += 3) {
		unsigned bits =
		    (unsigned)digest[i] << 16 | (unsigned)digest[i + 1] << 8 | digest[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			*out++ = base64[bits >> shift & 63];
	}
	accept[WEBSOCKET_ACCEPT_LEN - 1] = '=';
	accept[WEBSOCKET_ACCEPT_LEN] = '\0';
}

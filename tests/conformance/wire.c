/* wire: what hubd's parsers make of inputs, for tests/conformance/wire-peers. Standard input is
 * records: a letter, four bytes of length (little-endian), and the bytes: "H", requests of one
 * connection; "F", frames of one WebSocket. Standard output is one JSON object a line for each,
 * with bytes as hexadecimal. The limits are those of the peers: 16 KiB of a head, 100,000 bytes of
 * a message. Each input is cut at random places. */
#include <openssl/sha.h>
#include <stdio.h>

#include "base/err.h"
#include "wire/websocket_handshake.h"
#include "wire_trace.h"

#define MESSAGE_MAX 100000

static void put_hex(const void *data, size_t n)
{
	const unsigned char *p = data;

	putchar('"');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('"');
}

static void put_member(const char *name, struct http1_span s)
{
	printf(",\"%s\":", name);
	put_hex(s.p, s.len);
}

static void put_head(const struct http1_head *h)
{
	struct http1_span fields = h->fields, name, value;
	const char *between = "";

	printf("\"method\":\"%s\",\"version\":\"%s\",\"upgrade\":%s", http1_method_name(h->method),
	       h->version_1_0 ? "1.0" : "1.1", h->upgrade ? "true" : "false");
	put_member("target", h->target.text);
	printf(",\"fields\":[");
	while (http1_next(&fields, &name, &value)) {
		printf("%s[", between);
		put_hex(name.p, name.len);
		putchar(',');
		put_hex(value.p, value.len);
		putchar(']');
		between = ",";
	}
	putchar(']');
}

static void put_handshake(const struct http1_head *h)
{
	char accept[WEBSOCKET_ACCEPT_LEN + 1];
	struct http1_span key;
	const char *why;
	int status = websocket_check(h, &key, &why);

	printf(",\"handshake\":%d", status ? status : 101);
	if (status)
		printf(",\"handshake_why\":\"%s\"", why);
	else
		websocket_accept(accept, key, SHA1);
	if (!status)
		printf(",\"accept\":\"%s\"", accept);
}

/* One request, at that place of its stream: its head, and its body as "PAYLOAD|done". Returns what
 * was used, 0 at the end. */
static size_t one_request(const char *p, size_t len, uint32_t split, size_t at, struct buf *text)
{
	struct http1_head h;
	char *moved;
	size_t used = trace_head(text, &h, p, len, HTTP1_HEAD_MAX, split, &moved), body;
	bool over;

	if (!used) {
		printf("],\"end\":\"%.*s\",\"why\":\"%s\",\"at\":%zu", (int)text->len, text->data,
		       h.why ? h.why : "", at);
		free(moved);
		return 0;
	}
	printf("%s{\"at\":%zu,", at ? "," : "", at);
	put_head(&h);
	over = h.upgrade || h.method == HTTP1_CONNECT;
	if (over)
		put_handshake(&h);
	text->len = 0;
	body = over ? 0 : trace_body(text, &h, p + used, len - used, split);
	put_member("body", (struct http1_span){text->data, text->len});
	putchar('}');
	free(moved);
	if (over || !h.keep_alive || text->len < 5 ||
	    memcmp(text->data + text->len - 5, "|done", 5) != 0) {
		printf("],\"end\":\"%s\",\"why\":\"\"", over ? "upgrade" : "close");
		return 0;
	}
	return used + body;
}

static void requests(const char *p, size_t len, uint32_t split)
{
	size_t at = 0, used;

	printf("{\"requests\":[");
	do {
		struct buf text = {0};

		used = one_request(p + at, len - at, split, at, &text);
		buf_free(&text);
		at += used;
	} while (used);
	puts("}");
}

static void put_event(const char *between, const char *name, unsigned code, const void *data,
		      size_t n)
{
	printf("%s[\"%s\",%u,", between, name, code);
	put_hex(data, n);
	putchar(']');
}

/* Whole messages only, as trace_frames() does. */
static void frames(unsigned char *data, size_t len)
{
	struct websocket_in in = {0};
	struct websocket_piece e;
	struct buf message = {0};
	enum websocket_event event;
	const char *between = "", *why = "";
	unsigned char *p = data;

	printf("{\"events\":[");
	while ((event = websocket_read(&in, &p, data + len, MESSAGE_MAX, &e)) != WEBSOCKET_MORE) {
		if (event == WEBSOCKET_DATA) {
			if (buf_put(&message, e.data, e.len) < 0)
				err_die(EX_OSERR, "out of memory");
			if (!e.last)
				continue;
			put_event(between, e.text ? "text" : "binary", 0, message.data,
				  message.len);
			message.len = 0;
		} else if (event == WEBSOCKET_FAILED) {
			put_event(between, "fail", e.code, NULL, 0);
			why = e.why;
		} else {
			put_event(between,
				  event == WEBSOCKET_PING   ? "ping"
				  : event == WEBSOCKET_PONG ? "pong"
							    : "close",
				  e.code, e.data, e.len);
		}
		between = ",";
	}
	printf("],\"why\":\"%s\"}\n", why);
	buf_free(&message);
}

int main(void)
{
	unsigned char head[5];

	err_init("wire", ERR_INFO);
	for (uint32_t n = 0; fread(head, 1, sizeof(head), stdin) == sizeof(head); n++) {
		size_t len =
		    head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
		char *data = malloc(len + 1);

		if (!data || fread(data, 1, len, stdin) != len)
			err_die(EX_DATAERR, "a record is cut off");
		if (head[0] == 'H')
			requests(data, len, trace_split(n));
		else
			frames((unsigned char *)data, len);
		free(data);
	}
	return fflush(stdout) ? EX_IOERR : 0;
}

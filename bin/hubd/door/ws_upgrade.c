/* The handshake that makes a WebSocket of a request (RFC 6455 section 4). */
#include "door/ws_upgrade.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "door/credentials.h"
#include "door/ws.h"
#include "member/member.h"
#include "wire/http1_answer.h"
#include "wire/websocket_handshake.h"

/* Fetched once, and before anybody comes: that costs more than the digest does, and the first one
 * that a process fetches a hundred times as much. */
static EVP_MD *sha1_method;
static pthread_once_t sha1_once = PTHREAD_ONCE_INIT;

static void sha1_fetch(void)
{
	sha1_method = EVP_MD_fetch(NULL, "SHA1", NULL);
}

int ws_upgrade_start(void)
{
	pthread_once(&sha1_once, sha1_fetch);
	return sha1_method ? 0 : -ENOSYS;
}

static unsigned char *sha1(const unsigned char *data, size_t n, unsigned char *digest)
{
	return EVP_Digest(data, n, digest, NULL, sha1_method, NULL) == 1 ? digest : NULL;
}

static bool offers_hub(const struct http1_head *head)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, protocol;

	while (http1_next_element(&fields, &list, "sec-websocket-protocol", &protocol))
		if (protocol.len == 3 && memcmp(protocol.p, "hub", 3) == 0)
			return true;
	return false;
}

int ws_agree(struct http *h, struct http1_span key, const struct websocket_deflate *deflate)
{
	struct stream *s = h->stream;
	struct buf *b = worker_scratch(s->worker);
	char accept[WEBSOCKET_ACCEPT_LEN + 1], extension[WEBSOCKET_DEFLATE_ANSWER_MAX];
	int r = http1_put_status(b, 101);

	websocket_accept(accept, key, sha1);
	if (r == 0)
		r = http1_put_field(b, "Upgrade", "websocket");
	/* Nothing but that: some clients refuse a list here. */
	if (r == 0)
		r = http1_put_field(b, "Connection", "Upgrade");
	if (r == 0)
		r = http1_put_field(b, "Sec-WebSocket-Accept", accept);
	if (r == 0 && offers_hub(&h->head))
		r = http1_put_field(b, "Sec-WebSocket-Protocol", "hub");
	if (r == 0 && deflate && deflate->bits) {
		websocket_deflate_answer(deflate, extension);
		r = http1_put_field(b, "Sec-WebSocket-Extensions", extension);
	}
	if (r == 0)
		r = buf_puts(b, "\r\n");
	if (r == 0)
		r = stream_write(s, b->data, b->len);
	worker_scratch_done(s->worker, b);
	return r < 0 ? r : 0;
}

bool ws_check(struct http *h, struct http1_span *key)
{
	const char *why;
	int status = websocket_check(&h->head, key, &why);
	struct answer a;
	char text[120];

	if (status == 0)
		return true;
	snprintf(text, sizeof(text), "this is %s: %s",
		 status == 426 ? "a WebSocket endpoint" : "no WebSocket handshake", why);
	a = http_error(status, NULL, text);
	a.upgrade = status == 426;
	a.close = status == 400;
	http_answer(h, a);
	return false;
}

/* Hands the stream on: h is no more, but where it answers that it cannot. */
static void upgrade(struct http *h, struct http1_span key, struct identity *id)
{
	struct stream *s = h->stream;
	struct websocket_deflate deflate = {0};
	int r;

	if (s->worker->conns->deflate)
		deflate = websocket_deflate_agree(&h->head);
	r = ws_begin(s, h->born, id, deflate.bits);

	if (r < 0) {
		http_answer(h, http_error(503, r == -EBUSY ? "hub_full" : NULL,
					  r == -EBUSY ? USER_FULL : "out of memory"));
		return;
	}
	/* Nothing has been said on it yet. */
	r = ws_agree(h, key, &deflate);
	http_free(h);
	if (r < 0)
		stream_abort(s);
}

void ws_serve(struct http *h)
{
	struct http1_span key;
	struct identity *id;
	const char *why;
	int status;

	if (!ws_check(h, &key))
		return;
	status = credentials_read(h->stream->worker, &h->head, &id, &why);
	if (status == 0) {
		upgrade(h, key, id);
		identity_unref(id);
	} else {
		credentials_refuse(h, status, why);
	}
}

/* Over a WebSocket: libwebsockets on the owner's loop does the connection, TLS, the handshake and
 * the closing; the frames out are ours, many small messages in one write. One context, which
 * outlives its connections. Invariant: events are of wsi, and only while `open`; those of a
 * connection that was dropped end here. */
#include <libwebsockets.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "transport/transport.h"

#define WRITE_MAX (64 << 10) /* bytes of frames in one write; a longer message goes alone */
#define READ_MAX (32 << 10)
#define FRAME_HEADER_MAX 14 /* RFC 6455 section 5.2, masked */
#define MASKS 256
#define END_TURNS 8 /* of the loop until libwebsockets' handles are closed; it needs three */

struct ws {
	struct transport *t;
	struct lws_context *context;
	struct lws *wsi; /* the present connection */
	bool open;	 /* it was neither told as lost nor dropped */
	bool may_write;
	bool finishing;
	bool inside;	   /* an event of wsi */
	struct buf pieces; /* a message that comes in pieces */
	int tls_error;	   /* X509_V_ERR_..., of the certificate */
	int close_code;
	char reason[128];
	unsigned end_turns;
	unsigned mask;
	uint32_t masks[MASKS];
};

/* --- frames out */

static uint32_t ws_mask(struct ws *w)
{
	if (w->mask == 0) {
		randombytes_buf(w->masks, sizeof(w->masks));
		w->mask = MASKS;
	}
	return w->masks[--w->mask];
}

/* Writes one masked text frame; returns its length. */
static size_t ws_frame(struct ws *w, unsigned char *out, const char *text, size_t len)
{
	uint32_t mask = ws_mask(w);
	uint64_t wide = (uint64_t)mask << 32 | mask, word;
	unsigned char *p = out, key[4];
	size_t i = 0;

	memcpy(key, &mask, 4);
	*p++ = 0x81;
	if (len < 126) {
		*p++ = (unsigned char)(0x80 | len);
	} else if (len < 65536) {
		*p++ = 0x80 | 126;
		*p++ = (unsigned char)(len >> 8);
		*p++ = (unsigned char)len;
	} else {
		*p++ = 0x80 | 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			*p++ = (unsigned char)((uint64_t)len >> shift);
	}
	memcpy(p, key, 4);
	p += 4;
	for (; i + 8 <= len; i += 8) {
		memcpy(&word, text + i, 8);
		word ^= wide;
		memcpy(p + i, &word, 8);
	}
	for (; i < len; i++)
		p[i] = (unsigned char)text[i] ^ key[i & 3];
	return (size_t)(p - out) + len;
}

/* Frames lines until the next would not fit in cap, each without its line feed. Returns the bytes
 * of text taken, with *used those of out. */
static size_t ws_frames(struct ws *w, const char *lines, size_t len, unsigned char *out, size_t cap,
			size_t *used)
{
	size_t taken = 0;

	*used = 0;
	while (taken < len) {
		const char *line = lines + taken;
		const char *feed = memchr(line, '\n', len - taken);
		size_t n = feed ? (size_t)(feed - line) : len - taken;

		if (*used + n + FRAME_HEADER_MAX > cap)
			break;
		if (n)
			*used += ws_frame(w, out + *used, line, n);
		taken += n + (feed != NULL);
	}
	return taken;
}

static size_t ws_send(struct transport *t, const char *lines, size_t len)
{
	unsigned char out[LWS_PRE + WRITE_MAX], *big = NULL, *frames = out + LWS_PRE;
	const char *feed = memchr(lines, '\n', len);
	size_t first = feed ? (size_t)(feed - lines) : len, cap = WRITE_MAX, taken, used;
	struct ws *w = t->link;

	if (!w->wsi)
		return 0;
	if (!w->may_write) {
		lws_callback_on_writable(w->wsi);
		return 0;
	}
	if (first + FRAME_HEADER_MAX > cap) {
		cap = first + FRAME_HEADER_MAX;
		big = malloc(LWS_PRE + cap);
		if (!big) {
			lws_callback_on_writable(w->wsi);
			return 0;
		}
		frames = big + LWS_PRE;
	}
	taken = ws_frames(w, lines, len, frames, cap, &used);
	/* What the socket does not take libwebsockets keeps. A failure comes back as the end of the
	 * connection. */
	if (used)
		lws_write(w->wsi, frames, used, LWS_WRITE_RAW);
	free(big);
	/* One write per turn; then the socket has had its chance to drain. */
	w->may_write = false;
	return taken;
}

/* --- events */

static void ws_drop(struct transport *t)
{
	struct ws *w = t->link;
	struct lws *wsi = w ? w->wsi : NULL;

	if (w)
		w->open = false;
	if (!wsi)
		return;
	w->wsi = NULL;
	buf_free(&w->pieces);
	/* Within its own event it is the event's result that closes it. */
	if (!w->inside)
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

static void ws_received(struct ws *w, struct lws *wsi, const char *p, size_t len)
{
	bool whole = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;

	if (whole && !w->pieces.len) {
		w->t->events->received(w->t->arg, p, len);
		return;
	}
	if (w->pieces.len + len > TRANSPORT_MESSAGE_MAX || buf_put(&w->pieces, p, len) < 0) {
		ws_drop(w->t);
		w->t->events->lost(w->t->arg, LOSS_RETRY, 0, "a message from the hub is too long");
		return;
	}
	if (whole) {
		struct buf message = w->pieces;

		w->pieces = (struct buf){0};
		w->t->events->received(w->t->arg, message.data, message.len);
		buf_free(&message);
	}
}

static void ws_lost(struct ws *w, enum transport_loss loss, int code, const char *reason)
{
	char text[160];

	/* The reason may lie in libwebsockets or in *w. */
	snprintf(text, sizeof(text), "%s", reason);
	w->wsi = NULL;
	w->open = false;
	buf_free(&w->pieces);
	w->t->events->lost(w->t->arg, loss, code, text);
}

static void ws_not_connected(struct ws *w, struct lws *wsi, const char *what)
{
	unsigned status = lws_http_client_http_response(wsi);
	enum transport_loss loss = LOSS_RETRY;
	char reason[160];

	if (w->tls_error) {
		snprintf(reason, sizeof(reason), "the hub's certificate: %s",
			 X509_verify_cert_error_string(w->tls_error));
		loss = LOSS_FATAL;
	} else if (status >= 300 && status != 101) {
		snprintf(reason, sizeof(reason), "HTTP %u instead of a WebSocket", status);
		if (status == 401 || status == 403)
			loss = LOSS_REFUSED;
		else if (status < 500 && status != 408 && status != 429)
			loss = LOSS_FATAL;
	} else {
		/* libwebsockets' words where the socket fails; it keeps errno to itself. */
		if (!what || strcasecmp(what, "closed before established") == 0)
			what = "connection refused, or closed before it was established";
		snprintf(reason, sizeof(reason), "%s", what);
	}
	ws_lost(w, loss, 0, reason);
}

static void ws_closed(struct ws *w)
{
	const char *reason = w->reason[0] ? w->reason : "closed by the hub";

	ws_lost(w, LOSS_RETRY, w->close_code, reason);
}

/* The hub's close frame: a code in network order and a reason. */
static void ws_farewell(struct ws *w, const unsigned char *p, size_t len)
{
	if (len < 2)
		return;
	w->close_code = p[0] << 8 | p[1];
	snprintf(w->reason, sizeof(w->reason), "%.*s", (int)(len - 2), (const char *)p + 2);
}

/* Returns nonzero to have the connection closed. */
static int ws_writable(struct ws *w, struct lws *wsi)
{
	if (w->finishing) {
		lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	}
	w->may_write = true;
	w->t->events->writable(w->t->arg);
	w->may_write = false;
	return 0;
}

/* Events of the present connection. Returns nonzero to have it closed. */
static int ws_event(struct ws *w, struct lws *wsi, enum lws_callback_reasons reason, void *user,
		    void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		w->t->events->connected(w->t->arg);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		ws_received(w, wsi, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return ws_writable(w, wsi);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		ws_farewell(w, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		ws_closed(w);
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		ws_not_connected(w, wsi, in);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		/* Of a connection that times out in its handshake nothing else is told. */
		ws_not_connected(w, wsi, "no answer");
		return 0;
	case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
		/* user is the verification, len its verdict, which stays as it is. */
		if (!len)
			w->tls_error = X509_STORE_CTX_get_error(user);
		return 0;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	}
}

static bool ws_may_close(enum lws_callback_reasons reason)
{
	return reason == LWS_CALLBACK_CLIENT_ESTABLISHED || reason == LWS_CALLBACK_CLIENT_RECEIVE ||
	       reason == LWS_CALLBACK_CLIENT_WRITEABLE;
}

static int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len)
{
	struct ws *w = wsi ? lws_context_user(lws_get_context(wsi)) : NULL;
	int r;

	if (!w || w->wsi != wsi || !w->open)
		return ws_may_close(reason) ? -1 : 0;
	w->inside = true;
	r = ws_event(w, wsi, reason, user, in, len);
	w->inside = false;
	/* Dropped meanwhile. */
	return w->wsi != wsi && ws_may_close(reason) ? -1 : r;
}

static const struct lws_protocols ws_protocols[] = {
    {.name = "hub",
     .callback = ws_callback,
     .rx_buffer_size = READ_MAX,
     .tx_packet_size = WRITE_MAX + TRANSPORT_MESSAGE_MAX},
    {0},
};

/* --- the transport */

static int ws_context(struct transport *t, struct ws *w)
{
	void *loops[] = {t->loop};
	struct lws_context_creation_info info = {
	    .port = CONTEXT_PORT_NO_LISTEN,
	    .protocols = ws_protocols,
	    .options = LWS_SERVER_OPTION_LIBUV |
		       (t->url->scheme == URL_WSS ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
	    .foreign_loops = loops,
	    .fd_limit_per_thread = 8,
	    .timeout_secs = t->connect_ms / 1000 + 5, /* ours comes first */
	    .pt_serv_buf_size = READ_MAX,
	    .http_proxy_address = "", /* not $http_proxy: the hub is where the URL says */
	    .user = w,
	};

	lws_set_log_level(0, NULL);
	w->context = lws_create_context(&info);
	return w->context ? 0 : -1;
}

static void ws_open(struct transport *t)
{
	struct ws *w = t->link;
	struct lws_client_connect_info info = {
	    .address = t->url->host,
	    .port = t->url->port,
	    .path = t->url->path,
	    .host = t->url->host,
	    .ssl_connection =
		LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (t->url->scheme == URL_WSS ? LCCSCF_USE_SSL : 0),
	    .protocol = "hub",
	    .local_protocol_name = "hub",
	    .alpn = "http/1.1",
	};

	if (!w) {
		w = calloc(1, sizeof(*w));
		t->link = w;
		if (w)
			w->t = t;
	}
	if (!w || (!w->context && ws_context(t, w) < 0)) {
		t->events->lost(t->arg, LOSS_RETRY, 0, "cannot set up libwebsockets");
		return;
	}
	w->open = true;
	w->finishing = w->may_write = false;
	w->close_code = w->tls_error = 0;
	w->reason[0] = '\0';
	info.context = w->context;
	info.pwsi = &w->wsi;
	/* It may have told the reason meanwhile. */
	if (!lws_client_connect_via_info(&info) && w->open)
		ws_lost(w, LOSS_RETRY, 0, "no connection; is the host name right?");
}

static void ws_flow(struct transport *t)
{
	struct ws *w = t->link;

	if (w && w->wsi)
		lws_rx_flow_control(w->wsi, !t->paused);
}

static void ws_finish(struct transport *t)
{
	struct ws *w = t->link;

	w->finishing = true;
	lws_callback_on_writable(w->wsi);
}

/* libwebsockets closes its handles over some turns of the loop and does not say when it is done;
 * only then may the context be destroyed for good, with the same call again. */
static bool ws_end(struct transport *t)
{
	struct ws *w = t->link;

	if (!w)
		return true;
	if (w->context) {
		if (w->end_turns == 0)
			lws_context_destroy(w->context);
		if (++w->end_turns < END_TURNS)
			return false;
		lws_context_destroy(w->context);
	}
	buf_free(&w->pieces);
	free(w);
	t->link = NULL;
	return true;
}

const struct transport_kind transport_ws = {
    .open = ws_open,
    .send = ws_send,
    .flow = ws_flow,
    .finish = ws_finish,
    .drop = ws_drop,
    .end = ws_end,
};

/* WebSocket and HTTP on libwebsockets 4.1.6. Records leave as ready-made frames by LWS_WRITE_RAW. A
 * connection's receive buffer is small, for there may be very many of them; a message that comes in
 * pieces is put together in conn->in, which exists only meanwhile. */
#include "ws.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/err.h"
#include "json/json.h"
#include "wire/wsframe.h"
#include "worker.h"
#include "ws_memory.h"

#define RX_BUFFER (WS_MEMORY_SLOT - LWS_PRE - 4) /* bytes; libwebsockets asks for so many more */
#define READ_BYTES (RX_BUFFER + LWS_PRE)	 /* that it takes at a time */
#define READ_MORE_MAX 16			 /* further times per connection and loop turn */
#define HTTP_BODY_MAX 2048
#define HANDSHAKES_MAX 1024 /* at a time, per worker */

struct ws {
	struct worker *w;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct conn **hot; /* received something this turn */
	size_t nhot, hot_cap;
	unsigned created; /* counts connections that libwebsockets began */
	bool received;	  /* in this service call */
	struct lws_protocols protocols[2];
	lws_retry_bo_t no_pings;
};

static struct lws *conn_wsi(const struct conn *c)
{
	return c->handle;
}

/* A wsi carries its connection, or, before there is one, its number with the lowest bit set. */
static struct conn *wsi_conn(struct lws *wsi)
{
	void *data = lws_get_opaque_user_data(wsi);

	return (uintptr_t)data & 1 ? NULL : data;
}

/* --- the transport --- */

static int ws_write(struct conn *c, const void *data, size_t len)
{
	struct lws *wsi = conn_wsi(c);

	if (!wsi)
		return -ENOTCONN;
	/* Not written to: a server's frames are not masked. */
	if (lws_write(wsi, (unsigned char *)(uintptr_t)data, len, LWS_WRITE_RAW) < 0)
		return -EPIPE;
	return lws_partial_buffered(wsi) != 0;
}

static int ws_frame(struct buf *out, const char *json, size_t len)
{
	int r = buf_reserve(out, WSFRAME_HEADER_MAX + len);

	if (r < 0)
		return r;
	out->len += wsframe_text((unsigned char *)out->data + out->len, len);
	return buf_put(out, json, len);
}

/* With a payload: libwebsockets does not tell of empty pongs. */
static int ws_ping(struct conn *c)
{
	return ws_write(c, "\x89\x03hub", 5);
}

static void ws_pause(struct conn *c, bool paused)
{
	if (conn_wsi(c))
		lws_rx_flow_control(conn_wsi(c), !paused);
}

/* libwebsockets would spin over the end of input until its output has left. */
static bool ws_hung_up(struct conn *c)
{
	char byte;

	return conn_wsi(c) &&
	       recv(lws_get_socket_fd(conn_wsi(c)), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void ws_abort(struct conn *c)
{
	struct lws *wsi = conn_wsi(c);

	if (!wsi)
		return;
	/* Else it waits for what it still holds back to leave. */
	shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* A close frame of our own (RFC 6455 section 5.5.1), for the libwebsockets of Debian 12, built with
 * libuv and _DEBUG, drops a connection whose callback asks for a close before its close frame is
 * sent. What ends the connection is the peer's answer, or the timer in conn.c. */
static int ws_send_close(struct conn *c)
{
	unsigned char frame[2 + 125] = {0x88};
	size_t len = strlen(c->reason);

	if (len > 123)
		len = 123;
	frame[1] = (unsigned char)(2 + len);
	frame[2] = (unsigned char)(c->code >> 8);
	frame[3] = (unsigned char)c->code;
	memcpy(frame + 4, c->reason, len);
	c->said_close = true;
	return ws_write(c, frame, 4 + len);
}

static void ws_close(struct conn *c, enum close_code code, const char *reason)
{
	(void)code;
	(void)reason;
	/* Behind what libwebsockets still holds back, ws_writeable() does it. */
	if (conn_wsi(c) && !c->blocked && ws_send_close(c) < 0)
		ws_abort(c);
}

static const struct transport ws_transport = {
    .name = "ws",
    .websocket = true,
    .pings = true,
    .write = ws_write,
    .frame = ws_frame,
    .ping = ws_ping,
    .pause = ws_pause,
    .hung_up = ws_hung_up,
    .close = ws_close,
    .abort = ws_abort,
};

/* --- HTTP --- */

static int http_answer(struct lws *wsi, unsigned status, const char *type, const char *body)
{
	bool head_only = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
	unsigned char head[LWS_PRE + 512], *p = head + LWS_PRE, *end = head + sizeof(head);
	unsigned char text[LWS_PRE + HTTP_BODY_MAX];
	size_t len = strlen(body);

	memcpy(text + LWS_PRE, body, len);
	if (lws_add_http_common_headers(wsi, status, type, len, &p, end) ||
	    lws_add_http_header_by_name(wsi, (const unsigned char *)"cache-control:",
					(const unsigned char *)"no-store", 8, &p, end) ||
	    (status == 426 &&
	     lws_add_http_header_by_name(wsi, (const unsigned char *)"upgrade:",
					 (const unsigned char *)"websocket", 9, &p, end)) ||
	    lws_finalize_write_http_header(wsi, head + LWS_PRE, &p, end))
		return -1;
	if (head_only)
		return 0;
	if (lws_write(wsi, text + LWS_PRE, len, LWS_WRITE_HTTP_FINAL) != (int)len)
		return -1;
	return 0;
}

#define SUM(field)                                                                        \
	do {                                                                              \
		total.field = 0;                                                          \
		for (i = 0; i < hub->nworkers; i++)                                       \
			total.field += atomic_load_explicit(&hub->worker[i]->stats.field, \
							    memory_order_relaxed);        \
	} while (0)

static int http_health(struct ws *ws, struct lws *wsi)
{
	struct hub *hub = ws->w->hub;
	struct {
		uintmax_t records, record_bytes, direct, sent_bytes, errors, refused;
		uintmax_t slow_disconnects, slow_resyncs, dead;
	} total;
	char body[HTTP_BODY_MAX];
	unsigned i;

	SUM(records);
	SUM(record_bytes);
	SUM(direct);
	SUM(sent_bytes);
	SUM(errors);
	SUM(refused);
	SUM(slow_disconnects);
	SUM(slow_resyncs);
	SUM(dead);
	snprintf(body, sizeof(body),
		 "{\"status\":\"%s\",\"version\":\"" HUB_VERSION
		 "\",\"connections\":%u,\"sessions\":%zu,"
		 "\"history_bytes\":%zu,\"records\":%ju,\"record_bytes\":%ju,\"direct\":%ju,"
		 "\"sent_bytes\":%ju,\"errors\":%ju,\"refused\":%ju,\"slow_disconnects\":%ju,"
		 "\"slow_resyncs\":%ju,\"dead\":%ju}\n",
		 atomic_load(&hub->draining) ? "draining" : "ok", atomic_load(&hub->connections),
		 registry_count(&hub->registry),
		 atomic_load_explicit(&hub->memory.used, memory_order_relaxed), total.records,
		 total.record_bytes, total.direct, total.sent_bytes, total.errors, total.refused,
		 total.slow_disconnects, total.slow_resyncs, total.dead);
	return http_answer(wsi, 200, "application/json", body);
}

static int http_not_found(struct lws *wsi)
{
	return http_answer(wsi, 404, "text/plain",
			   "not found: the hub is at /ws (WebSocket) and /healthz\n");
}

static int http_request(struct ws *ws, struct lws *wsi, const char *path)
{
	int r;

	if (!lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) &&
	    !lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI))
		r = http_answer(wsi, 405, "text/plain", "only GET and HEAD here\n");
	else if (strcmp(path, "/healthz") == 0)
		r = http_health(ws, wsi);
	else if (strcmp(path, "/ws") == 0)
		r = http_answer(wsi, 426, "text/plain", "this is a WebSocket endpoint\n");
	else
		r = http_not_found(wsi);
	/* Ends the connection where the client did not ask to keep it. */
	return r < 0 || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* An upgrade: 0 lets it through, 1 has answered it. */
static int http_upgrade(struct lws *wsi, const char *to)
{
	char path[8];

	if (strcmp(to, "websocket") != 0)
		return http_answer(wsi, 426, "text/plain", "the only upgrade here is websocket\n") <
			       0
			   ? -1
			   : 1;
	if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) < 0 ||
	    strcmp(path, "/ws") != 0)
		return http_not_found(wsi) < 0 ? -1 : 1;
	return 0;
}

/* --- receiving --- */

static void ws_hot(struct ws *ws, struct conn *c)
{
	ws->received = true;
	if (c->hot)
		return;
	if (ws->nhot == ws->hot_cap) {
		size_t cap = ws->hot_cap ? 2 * ws->hot_cap : 64;
		struct conn **hot = realloc(ws->hot, cap * sizeof(*hot));

		if (!hot)
			return; /* it is read in the next turn */
		ws->hot = hot;
		ws->hot_cap = cap;
	}
	c->hot = true;
	ws->hot[ws->nhot++] = c;
}

/* One whole message. RFC 6455 section 8.1 wants the connection failed over text that is not UTF-8.
 */
static void ws_message(struct conn *c, const char *text, size_t len)
{
	uint64_t errors = atomic_load_explicit(&c->worker->stats.errors, memory_order_relaxed);
	struct json_scan scan;

	conn_receive(c, text, len);
	if (atomic_load_explicit(&c->worker->stats.errors, memory_order_relaxed) != errors &&
	    json_scan(NULL, text, len, NULL, &scan) == JSON_BAD_UTF8)
		conn_close(c, CLOSE_BAD_TEXT, "text that is not UTF-8");
}

static void ws_receive(struct ws *ws, struct conn *c, struct lws *wsi, const char *text, size_t len)
{
	bool final = lws_is_final_fragment(wsi);

	ws_hot(ws, c);
	if (c->closing)
		return;
	if (lws_frame_is_binary(wsi)) {
		conn_close(c, CLOSE_UNSUPPORTED, "text messages only");
		return;
	}
	if (c->in.len + len > (size_t)c->worker->hub->opt.max_message) {
		conn_close(c, CLOSE_TOO_LARGE, "message too large");
		buf_free(&c->in);
		return;
	}
	if (final && !c->in.len) {
		ws_message(c, text, len);
		return;
	}
	if (buf_put(&c->in, text, len) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	if (final) {
		struct buf in = c->in;

		c->in = (struct buf){0};
		ws_message(c, in.data, in.len);
		buf_free(&in);
	}
}

void ws_read_more(struct ws *ws)
{
	size_t i;

	for (i = 0; i < ws->nhot; i++) {
		struct conn *c = ws->hot[i];
		int fd = lws_get_socket_fd(conn_wsi(c)), n, left = 0;
		struct lws_pollfd pfd = {.fd = fd, .events = POLLIN, .revents = POLLIN};

		c->hot = true; /* for it to be not listed again */
		for (n = 0; n < READ_MORE_MAX && !c->closing && !c->paused; n++) {
			if (left <= 0 && (ioctl(fd, FIONREAD, &left) < 0 || left <= 0))
				break;
			ws->received = false;
			lws_service_fd(ws->context, &pfd);
			left -= READ_BYTES;
			if (!ws->received)
				break;
		}
		c->hot = false;
	}
	ws->nhot = 0;
}

static int ws_established(struct ws *ws, struct lws *wsi)
{
	uint32_t born = (uint32_t)((uintptr_t)lws_get_opaque_user_data(wsi) >> 1);
	struct conn *c = conn_new(ws->w, &ws_transport, wsi, born);

	if (!c)
		return -1;
	lws_set_opaque_user_data(wsi, c);
	return 0;
}

static int ws_writeable(struct conn *c)
{
	if (!c->closing)
		conn_writable(c);
	else if (c->told && c->code && !c->said_close && ws_send_close(c) < 0)
		return -1;
	return 0;
}

static int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len)
{
	const struct lws_protocols *protocol = lws_get_protocol(wsi);
	struct ws *ws = protocol ? protocol->user : NULL;
	struct conn *c;

	(void)user;
	if (!ws)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return http_request(ws, wsi, in);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return http_upgrade(wsi, in);
	case LWS_CALLBACK_ESTABLISHED:
		return ws_established(ws, wsi);
	case LWS_CALLBACK_RECEIVE:
		c = wsi_conn(wsi);
		if (c)
			ws_receive(ws, c, wsi, in, len);
		return 0;
	case LWS_CALLBACK_RECEIVE_PONG:
		c = wsi_conn(wsi);
		if (c)
			conn_heard(c);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		c = wsi_conn(wsi);
		return c ? ws_writeable(c) : 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		c = wsi_conn(wsi);
		return c && c->said_close ? -1 : 0;
	case LWS_CALLBACK_CLOSED:
		c = wsi_conn(wsi);
		lws_set_opaque_user_data(wsi, NULL);
		if (c)
			conn_gone(c);
		return 0;
	case LWS_CALLBACK_WSI_CREATE:
		ws->created++;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		worker_connection_gone(ws->w);
		return 0;
	default:
		return 0;
	}
}

void ws_adopt(struct ws *ws, int fd, uint32_t born)
{
	unsigned created = ws->created;
	struct lws *wsi = lws_adopt_socket_vhost(ws->vhost, fd);

	if (wsi)
		lws_set_opaque_user_data(wsi, (void *)((uintptr_t)born << 1 | 1));
	/* Where it fails in its TLS handshake it is destroyed now, or later with its socket, and
	 * that is told; where it was never made, nothing will tell of it. */
	else if (created == ws->created)
		worker_connection_gone(ws->w);
}

void ws_tick(struct ws *ws)
{
	lws_cancel_service(ws->context);
}

/* --- life --- */

static void ws_log(int level, const char *line)
{
	size_t len = strcspn(line, "\n");

	err_log(level == LLL_ERR ? ERR_INFO : ERR_DEBUG, "libwebsockets: %.*s", (int)len, line);
}

struct ws *ws_new(struct worker *w)
{
	const struct hub_options *opt = &w->hub->opt;
	struct ws *ws = calloc(1, sizeof(*ws));
	void *loop = worker_loop(w);
	struct lws_context_creation_info info = {0};

	if (!ws)
		return NULL;
	ws->w = w;
	ws->protocols[0] = (struct lws_protocols){
	    .name = "hub",
	    .callback = ws_callback,
	    .rx_buffer_size = RX_BUFFER,
	    .user = ws,
	    .tx_packet_size = 1u << 30, /* a smaller one would cut our writes */
	};
	lws_set_log_level(LLL_ERR | LLL_WARN, ws_log);
	ws_memory_start((size_t)opt->max_connections);
	lws_set_allocator(ws_memory_realloc);
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER; /* we accept; it serves, TLS too */
	info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
	info.foreign_loops = &loop;
	info.pcontext = &ws->context;
	info.retry_and_idle_policy = &ws->no_pings; /* conn.c has its own */
	info.max_http_header_pool = HANDSHAKES_MAX;
	info.timeout_secs = 10;
	info.keepalive_timeout = 15;
	if (opt->tls_cert) /* we trust nobody, so no list of authorities */
		info.options |=
		    LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
	ws->context = lws_create_context(&info);
	if (!ws->context) {
		err_log(ERR_ERROR,
			"cannot create a libwebsockets context (is libwebsockets-evlib-uv there?)");
		free(ws);
		return NULL;
	}
	info.pcontext = NULL;
	info.protocols = ws->protocols;
	info.vhost_name = "hub";
	if (opt->tls_cert) {
		info.ssl_cert_filepath = opt->tls_cert;
		info.ssl_private_key_filepath = opt->tls_key;
		info.alpn = "http/1.1"; /* HTTP/2 has no upgrade to WebSocket that browsers use */
	}
	ws->vhost = lws_create_vhost(ws->context, &info);
	if (!ws->vhost)
		err_log(ERR_ERROR, "cannot serve WebSocket%s%s",
			opt->tls_cert ? " with certificate " : "",
			opt->tls_cert ? opt->tls_cert : "");
	return ws;
}

bool ws_usable(const struct ws *ws)
{
	return ws->vhost != NULL;
}

void ws_stop(struct ws *ws)
{
	lws_context_destroy(ws->context);
}

void ws_free(struct ws *ws)
{
	if (!ws)
		return;
	/* On a foreign loop the context waits for this second call. */
	if (ws->context)
		lws_context_destroy(ws->context);
	free(ws->hot);
	free(ws);
}

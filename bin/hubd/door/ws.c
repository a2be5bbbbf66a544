/* WebSocket and HTTP on libwebsockets 4.1.6. Records leave as ready-made frames by LWS_WRITE_RAW. A
 * connection's receive buffer is small, for there may be very many of them; a message that comes in
 * pieces is put together in conn->in, which exists only meanwhile. */
#include "door/ws.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/err.h"
#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "door/doors.h"
#include "door/http.h"
#include "door/ws_memory.h"

#define RX_BUFFER (WS_MEMORY_SLOT - LWS_PRE - 4) /* bytes; libwebsockets asks for so many more */
#define READ_BYTES (RX_BUFFER + LWS_PRE)	 /* that it takes at a time */
#define READ_MORE_MAX 16			 /* further times per connection and loop turn */
#define HANDSHAKES_MAX 1024			 /* at a time, per worker */

struct ws {
	struct worker *w;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct conn **readable; /* received something this turn */
	size_t nreadable, readable_cap;
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

static const struct door ws_door = {
    .name = "ws",
    .pings = true,
    .encoding = &encoding_websocket,
    .dialect = &hub7_dialect,
    .write = ws_write,
    .ping = ws_ping,
    .pause = ws_pause,
    .hung_up = ws_hung_up,
    .close = ws_close,
    .abort = ws_abort,
};

/* --- receiving --- */

static void ws_note_readable(struct ws *ws, struct conn *c)
{
	ws->received = true;
	if (c->readable)
		return;
	if (ws->nreadable == ws->readable_cap) {
		size_t cap = ws->readable_cap ? 2 * ws->readable_cap : 64;
		struct conn **readable = realloc(ws->readable, cap * sizeof(*readable));

		if (!readable)
			return; /* it is read in the next turn */
		ws->readable = readable;
		ws->readable_cap = cap;
	}
	c->readable = true;
	ws->readable[ws->nreadable++] = c;
}

/* One whole message. RFC 6455 section 8.1 wants the connection failed over text that is not UTF-8.
 */
static void ws_message(struct conn *c, const char *text, size_t len)
{
	if (conn_receive(c, text, len) == HUB_BAD_TEXT)
		conn_close(c, CLOSE_BAD_TEXT, "text that is not UTF-8");
}

static void ws_receive(struct ws *ws, struct conn *c, struct lws *wsi, const char *text, size_t len)
{
	bool final = lws_is_final_fragment(wsi);
	struct buf *part;

	ws_note_readable(ws, c);
	if (c->closing)
		return;
	if (lws_frame_is_binary(wsi)) {
		conn_close(c, CLOSE_UNSUPPORTED, "text messages only");
		return;
	}
	if ((c->input ? c->input->part.len : 0) + len > c->worker->conns->max_message) {
		conn_close(c, CLOSE_TOO_LARGE, "message too large");
		conn_part_done(c);
		return;
	}
	if (final && !(c->input && c->input->part.len)) {
		ws_message(c, text, len);
		return;
	}
	part = conn_part(c);
	if (!part || buf_put(part, text, len) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	if (final) {
		struct buf whole = *part;

		*part = (struct buf){0};
		conn_part_done(c);
		ws_message(c, whole.data, whole.len);
		buf_free(&whole);
	}
}

void ws_read_more(struct ws *ws)
{
	size_t i;

	for (i = 0; i < ws->nreadable; i++) {
		struct conn *c = ws->readable[i];
		int fd = lws_get_socket_fd(conn_wsi(c)), n, left = 0;
		struct lws_pollfd pfd = {.fd = fd, .events = POLLIN, .revents = POLLIN};

		c->readable = true; /* for it to be not listed again */
		for (n = 0; n < READ_MORE_MAX && !c->closing && !c->paused; n++) {
			if (left <= 0 && (ioctl(fd, FIONREAD, &left) < 0 || left <= 0))
				break;
			ws->received = false;
			lws_service_fd(ws->context, &pfd);
			left -= READ_BYTES;
			if (!ws->received)
				break;
		}
		c->readable = false;
	}
	ws->nreadable = 0;
}

static int ws_established(struct ws *ws, struct lws *wsi)
{
	uint32_t born = (uint32_t)((uintptr_t)lws_get_opaque_user_data(wsi) >> 1);
	struct conn *c = conn_new(ws->w, &ws_door, wsi, born);

	if (!c)
		return -1;
	lws_set_opaque_user_data(wsi, c);
	return 0;
}

static int ws_writeable(struct conn *c)
{
	if (!c->closing)
		deliver_writable(c);
	else if (c->closed && c->code && !c->said_close && ws_send_close(c) < 0)
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
		return http_request(ws->w, wsi, in);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return http_upgrade(ws->w, wsi, in);
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
	const struct door_settings *set = w->doors->set;
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
	ws_memory_start((size_t)set->max_connections);
	lws_set_allocator(ws_memory_realloc);
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER; /* we accept; it serves, TLS too */
	info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
	info.foreign_loops = &loop;
	info.pcontext = &ws->context;
	info.retry_and_idle_policy = &ws->no_pings; /* conn.c has its own */
	info.max_http_header_pool = HANDSHAKES_MAX;
	info.timeout_secs = 10;
	info.keepalive_timeout = 15;
	if (set->tls_cert) /* we trust nobody, so no list of authorities */
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
	if (set->tls_cert) {
		info.ssl_cert_filepath = set->tls_cert;
		info.ssl_private_key_filepath = set->tls_key;
		info.alpn = "http/1.1"; /* HTTP/2 has no upgrade to WebSocket that browsers use */
	}
	ws->vhost = lws_create_vhost(ws->context, &info);
	if (!ws->vhost)
		err_log(ERR_ERROR, "cannot serve WebSocket%s%s",
			set->tls_cert ? " with certificate " : "",
			set->tls_cert ? set->tls_cert : "");
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
	free(ws->readable);
	free(ws);
}

/* Over a WebSocket: libwebsockets on the owner's loop does the connection, TLS, the handshake and
 * the closing; the frames out are ours, many small messages in one write. One context, which
 * outlives its connections. Invariant: events are of wsi, and only while `open`; those of a
 * connection that was dropped end here. */
#include <libwebsockets.h>
#include <linux/sockios.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uv.h>

#include "base/buf.h"
#include "transport/addresses.h"
#include "transport/transport.h"
#include "transport/ws_frames.h"
#include "transport/ws_request.h"

#define WRITE_MAX (64 << 10) /* bytes of frames in one write */
#define ADDRESS_MS 2000	     /* for one of several addresses, before the next is tried */
#define READ_MAX (32 << 10)
#define END_TURNS 8 /* of the loop until libwebsockets' handles are closed; it needs three */

/* libwebsockets and what it asks of TLS keep something of all contexts, without a lock. */
static pthread_mutex_t contexts = PTHREAD_MUTEX_INITIALIZER;

struct ws {
	struct transport *t;
	struct lws_context *context;
	struct lws *wsi; /* the present connection */
	struct addresses_lookup *lookup;
	struct addresses addresses; /* to be tried */
	uv_timer_t patience;	    /* with one of several addresses */
	bool has_timer, closing_timer;
	bool open; /* it was neither told as lost nor dropped */
	bool may_write;
	bool finishing;
	bool inside;	   /* an event of wsi */
	bool told;	   /* that the present attempt failed */
	struct buf pieces; /* a message that comes in pieces */
	int tls_error;	   /* X509_V_ERR_..., of the certificate */
	char *token;	   /* "Bearer ..." while it is connecting; by malloc() */
	int close_code;
	char reason[128];
	unsigned end_turns;
	struct ws_frames frames;
};

/* --- sending */

static size_t ws_send(struct transport *t, const char *lines, size_t len)
{
	unsigned char out[LWS_PRE + WRITE_MAX];
	struct ws *w = t->link;
	size_t taken, used;

	if (!w->wsi)
		return 0;
	if (!w->may_write) {
		lws_callback_on_writable(w->wsi);
		return 0;
	}
	taken = ws_frames_put(&w->frames, lines, len, out + LWS_PRE, WRITE_MAX, &used);
	/* What the socket does not take libwebsockets keeps. A failure comes back as the end of the
	 * connection. */
	if (used)
		lws_write(w->wsi, out + LWS_PRE, used, LWS_WRITE_RAW);
	/* One write per turn; then the socket has had its chance to drain. */
	w->may_write = false;
	return taken;
}

/* --- events */

static void ws_stop_waiting(struct ws *w)
{
	if (w->lookup)
		addresses_cancel(w->lookup);
	w->lookup = NULL;
	if (w->has_timer)
		uv_timer_stop(&w->patience);
}

static void ws_drop(struct transport *t)
{
	struct ws *w = t->link;
	struct lws *wsi = w ? w->wsi : NULL;

	if (w) {
		w->open = false;
		ws_stop_waiting(w);
	}
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
	if (w->pieces.len + len > TRANSPORT_MESSAGE_MAX) {
		/* It would come again and again. */
		ws_drop(w->t);
		w->t->events->lost(w->t->arg, LOSS_FATAL, 0,
				   "a message from the hub is larger than 64 MiB");
		return;
	}
	if (buf_put(&w->pieces, p, len) < 0) {
		ws_drop(w->t);
		w->t->events->lost(w->t->arg, LOSS_RETRY, 0, "out of memory");
		return;
	}
	if (!whole)
		w->t->events->moving(w->t->arg, true);
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
	ws_stop_waiting(w);
	buf_free(&w->pieces);
	w->t->events->lost(w->t->arg, loss, code, text);
}

static bool ws_next_address(struct ws *w);
static void on_next(uv_timer_t *timer);

static void ws_not_connected(struct ws *w, struct lws *wsi, const char *what)
{
	unsigned status = wsi ? lws_http_client_http_response(wsi) : 0;
	enum transport_loss loss = LOSS_RETRY;
	char reason[160];

	w->told = true;
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
	} else if (what && strncmp(what, "connect SSL err 1:", 18) == 0) {
		/* SSL_ERROR_SSL: what answers speaks something else. */
		snprintf(reason, sizeof(reason),
			 "no TLS with it: is it ws://, or does it want --cert?");
		loss = LOSS_FATAL;
	} else {
		/* libwebsockets' words where the socket fails; it keeps errno to itself. */
		if (!what || strcasecmp(what, "closed before established") == 0)
			what = "connection refused, or closed before it was established";
		snprintf(reason, sizeof(reason), "%s; is hubd running?%s", what,
			 w->t->url->scheme == URL_WSS ? " does it have TLS there (ws://)?" : "");
		if (ws_next_address(w))
			return;
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

/* Whether a certificate that did not verify counts. libwebsockets asks for the host by its name
 * only: an address in the URL may be in the certificate as one. */
static bool ws_good_enough(const struct ws *w, X509_STORE_CTX *ctx)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(ctx);

	if (w->t->options && w->t->options->insecure)
		return true;
	return X509_STORE_CTX_get_error(ctx) == X509_V_ERR_HOSTNAME_MISMATCH && cert &&
	       X509_check_ip_asc(cert, w->t->url->host, 0) == 1;
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

/* What comes behind the usual lines of the request, at *p, which may have len bytes: nonzero where
 * it has no room. */
static int ws_add_headers(const struct ws *w, struct lws *wsi, unsigned char **p, size_t len)
{
	unsigned char *start = *p;

	if (w->token && lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION,
						     (unsigned char *)w->token,
						     (int)strlen(w->token), p, start + len))
		return 1;
	return ws_request_headers(w->t->url, w->t->options, p, len - (size_t)(*p - start));
}

/* Events of the present connection. Returns nonzero to have it closed. */
static int ws_event(struct ws *w, struct lws *wsi, enum lws_callback_reasons reason, void *user,
		    void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		ws_stop_waiting(w);
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
		/* user is the verification, len its verdict. */
		if (!len && ws_good_enough(w, user))
			X509_STORE_CTX_set_error(user, X509_V_OK);
		else if (!len)
			w->tls_error = X509_STORE_CTX_get_error(user);
		return 0;
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return ws_add_headers(w, wsi, in, len);
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
     .tx_packet_size = WRITE_MAX},
    {0},
};

/* --- the transport */

static int ws_context(struct transport *t, struct ws *w)
{
	const struct transport_options *o = t->options;
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
	    /* Not $http_proxy by itself: who calls us looks at that. */
	    .http_proxy_address = o && o->proxy ? o->proxy : "",
	    .client_ssl_cert_filepath = o ? o->cert : NULL,
	    .client_ssl_private_key_filepath = o ? o->key : NULL,
	    .user = w,
	};

	pthread_mutex_lock(&contexts);
	lws_set_log_level(0, NULL);
	w->context = lws_create_context(&info);
	pthread_mutex_unlock(&contexts);
	return w->context ? 0 : -1;
}

static void ws_context_destroy(struct ws *w)
{
	pthread_mutex_lock(&contexts);
	lws_context_destroy(w->context);
	pthread_mutex_unlock(&contexts);
}

/* Begins with one address, or the name itself where a proxy looks it up. */
static void ws_connect(struct ws *w, const char *address)
{
	struct transport *t = w->t;
	char host[URL_HOST_MAX + 16];
	struct lws_client_connect_info info = {
	    .context = w->context,
	    .address = address,
	    .port = t->url->port,
	    .path = t->url->path,
	    .host = host,
	    .ssl_connection =
		LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (t->url->scheme == URL_WSS ? LCCSCF_USE_SSL : 0),
	    .protocol = "hub",
	    .local_protocol_name = "hub",
	    .alpn = "http/1.1",
	    .pwsi = &w->wsi,
	};

	ws_request_host(t->url, host, sizeof(host));
	w->tls_error = 0;
	w->told = false;
	/* It may have told the reason meanwhile. */
	if (!lws_client_connect_via_info(&info) && w->open && !w->told)
		ws_not_connected(w, NULL, NULL);
}

static void on_patience(uv_timer_t *timer)
{
	struct ws *w = timer->data;
	struct lws *wsi = w->wsi;

	if (w->addresses.next >= w->addresses.n)
		return;
	w->wsi = NULL;
	if (wsi)
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
	ws_next_address(w);
}

/* Goes on with the next address, from the loop: the present connection is about to end. Returns
 * false where there is none. */
static bool ws_next_address(struct ws *w)
{
	if (w->addresses.next >= w->addresses.n)
		return false;
	w->wsi = NULL;
	uv_timer_start(&w->patience, on_next, 0, 0);
	return true;
}

static void on_next(uv_timer_t *timer)
{
	struct ws *w = timer->data;

	if (!w->open)
		return;
	/* One that does not answer must not keep the others from being tried. */
	if (w->addresses.next + 1 < w->addresses.n)
		uv_timer_start(timer, on_patience, ADDRESS_MS, 0);
	ws_connect(w, w->addresses.text[w->addresses.next++]);
}

static void on_found(void *arg, const struct addresses *found, const char *why)
{
	struct ws *w = arg;
	char reason[160];

	w->lookup = NULL;
	if (!found) {
		snprintf(reason, sizeof(reason), "the host is not known: %s", why);
		ws_lost(w, LOSS_RETRY, 0, reason);
		return;
	}
	w->addresses = *found;
	ws_next_address(w);
}

static void ws_open(struct transport *t)
{
	struct ws *w = t->link;
	char why[300];

	if (!w) {
		w = calloc(1, sizeof(*w));
		t->link = w;
		if (w) {
			w->t = t;
			w->patience.data = w;
			w->has_timer = uv_timer_init(t->loop, &w->patience) == 0;
		}
	}
	if (!w || (!w->context && ws_context(t, w) < 0)) {
		t->events->lost(t->arg, LOSS_RETRY, 0, "cannot set up libwebsockets");
		return;
	}
	free(w->token);
	if (ws_request_token(t->options, &w->token, why, sizeof(why)) < 0) {
		t->events->lost(t->arg, LOSS_RETRY, 0, why);
		return;
	}
	w->open = true;
	w->finishing = w->may_write = false;
	w->frames.mid = false;
	w->close_code = 0;
	w->reason[0] = '\0';
	w->addresses.n = w->addresses.next = 0;
	if (t->options && t->options->proxy) {
		ws_connect(w, t->url->host);
		return;
	}
	w->lookup = addresses_find(t->loop, t->url->host, on_found, w);
	if (!w->lookup)
		ws_lost(w, LOSS_RETRY, 0, "the host cannot be looked up");
}

static void ws_flow(struct transport *t)
{
	struct ws *w = t->link;

	if (w && w->wsi)
		lws_rx_flow_control(w->wsi, !t->paused);
}

static size_t ws_untaken(struct transport *t)
{
	struct ws *w = t->link;
	int bytes = 0;

	if (!w || !w->wsi || ioctl(lws_get_socket_fd(w->wsi), SIOCOUTQ, &bytes) < 0)
		return 0;
	return (size_t)bytes;
}

static void ws_finish(struct transport *t)
{
	struct ws *w = t->link;

	w->finishing = true;
	lws_callback_on_writable(w->wsi);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct ws *w = handle->data;

	w->has_timer = false;
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
			ws_context_destroy(w);
		if (++w->end_turns < END_TURNS)
			return false;
		ws_context_destroy(w);
		w->context = NULL;
	}
	if (w->has_timer && !w->closing_timer) {
		w->closing_timer = true;
		uv_close((uv_handle_t *)&w->patience, on_timer_closed);
	}
	if (w->has_timer)
		return false;
	buf_free(&w->pieces);
	free(w->token);
	free(w);
	t->link = NULL;
	return true;
}

const struct transport_kind transport_ws = {
    .open = ws_open,
    .send = ws_send,
    .flow = ws_flow,
    .untaken = ws_untaken,
    .finish = ws_finish,
    .drop = ws_drop,
    .end = ws_end,
};

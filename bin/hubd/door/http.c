/* Every answer is whole and small: its head and its body are written at once each. */
#include "door/http.h"

#include <libwebsockets.h>
#include <string.h>

#include "door/health.h"

static int http_answer(struct worker *w, struct lws *wsi, unsigned status, const char *type,
		       const char *body, size_t len)
{
	bool head_only = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
	unsigned char head[LWS_PRE + 512], *p = head + LWS_PRE, *end = head + sizeof(head);
	struct buf *b;
	int r;

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
	b = worker_scratch(w);
	r = buf_reserve(b, LWS_PRE + len);
	if (r == 0) {
		memcpy(b->data + LWS_PRE, body, len);
		r = lws_write(wsi, (unsigned char *)b->data + LWS_PRE, len, LWS_WRITE_HTTP_FINAL) ==
			    (int)len
			? 0
			: -1;
	}
	worker_scratch_done(w, b);
	return r < 0 ? -1 : 0;
}

static int http_say(struct worker *w, struct lws *wsi, unsigned status, const char *text)
{
	return http_answer(w, wsi, status, "text/plain", text, strlen(text));
}

static int http_health(struct worker *w, struct lws *wsi)
{
	struct buf *b = worker_scratch(w);
	int r = health_text(w, b);

	if (r == 0)
		r = http_answer(w, wsi, 200, "application/json", b->data, b->len);
	worker_scratch_done(w, b);
	return r < 0 ? -1 : r;
}

static int http_not_found(struct worker *w, struct lws *wsi)
{
	return http_say(w, wsi, 404, "not found: the hub is at /ws (WebSocket) and /healthz\n");
}

int http_request(struct worker *w, struct lws *wsi, const char *path)
{
	int r;

	if (!lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) &&
	    !lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI))
		r = http_say(w, wsi, 405, "only GET and HEAD here\n");
	else if (strcmp(path, "/healthz") == 0)
		r = http_health(w, wsi);
	else if (strcmp(path, "/ws") == 0)
		r = http_say(w, wsi, 426, "this is a WebSocket endpoint\n");
	else
		r = http_not_found(w, wsi);
	/* Ends the connection where the client did not ask to keep it. */
	return r < 0 || lws_http_transaction_completed(wsi) ? -1 : 0;
}

int http_upgrade(struct worker *w, struct lws *wsi, const char *to)
{
	char path[8];

	if (strcmp(to, "websocket") != 0)
		return http_say(w, wsi, 426, "the only upgrade here is websocket\n") < 0 ? -1 : 1;
	if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) < 0 ||
	    strcmp(path, "/ws") != 0)
		return http_not_found(w, wsi) < 0 ? -1 : 1;
	return 0;
}

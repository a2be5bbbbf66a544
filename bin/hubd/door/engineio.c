/* Requests for Engine.IO: which session each is for, or why it is refused, in the words of the
 * reference server, by which clients go. */
#include "door/engineio.h"

#include <string.h>

#include "door/credentials.h"
#include "door/doors_impl.h"
#include "door/peer.h"
#include "loop/journal.h"
#include "wire/address.h"
#include "wire/http1_target.h"

/* --- whose it is */

/* With or without a slash at the end of either. */
bool engineio_is(const struct http *h)
{
	struct http1_span want = h->stream->worker->doors->set->socketio_path;
	struct http1_span path = h->head.target.path;

	if (!want.len)
		return false;
	if (path.len > 1 && path.p[path.len - 1] == '/')
		path.len--;
	return path.len == want.len && memcmp(path.p, want.p, path.len) == 0;
}

struct worker *engineio_home(const struct http *h)
{
	struct worker *w = h->stream->worker;
	struct engineio_query q;

	engineio_read_query(&q, h->head.target.query);
	return q.sid_formed && q.sid.worker < w->all->n ? w->all->at[q.sid.worker] : w;
}

/* --- refusing */

static void refuse(struct http *h, enum engineio_error error, const char *message)
{
	struct worker *w = h->stream->worker;
	struct buf *b = worker_scratch(w);
	struct answer a = {.status = error == ENGINEIO_FORBIDDEN ? 403 : 400};

	if (buf_printf(b, "{\"code\":%d,\"message\":\"%s\"}", (int)error,
		       message ? message : engineio_error_message(error)) < 0)
		a = http_error(503, NULL, "out of memory");
	else
		a.text = (struct span){b->data, b->len};
	http_answer(h, a); /* h may be no more */
	worker_scratch_done(w, b);
}

/* Who runs the hub is told, since such a client says little. */
static void refuse_version(struct http *h)
{
	char text[ADDRESS_TEXT];
	struct address a;

	peer_of(h->stream, &a);
	journal_say(ERR_INFO, JOURNAL_refuse,
		    &(struct journal_who){.door = "http", .peer = address_text(&a, text)},
		    "no client of Socket.IO 3 or later, which speaks Engine.IO 4");
	refuse(
	    h, ENGINEIO_UNSUPPORTED,
	    "Unsupported protocol version: clients of Socket.IO 3 and later, which say EIO=4, are "
	    "served here");
}

/* --- serving */

static void begin(struct http *h, const struct engineio_query *q)
{
	struct worker *w = h->stream->worker;
	struct identity *id = NULL;
	const char *challenge;
	int status = h->trusted ? 0 : credentials_read(w, &h->head, &id, &challenge);

	if (status)
		credentials_refuse(h, status, challenge);
	else if (q->transport == ENGINEIO_WEBSOCKET)
		engineio_ws_begin(h, id, q->base64);
	else if (doors_polling(w->all) >= w->doors->set->max_polling)
		http_answer(h,
			    http_error(503, "hub_full", "as many clients poll as the hub allows"));
	else
		engineio_poll_begin(h, id);
	identity_unref(id);
}

static void serve_first(struct http *h, const struct engineio_query *q)
{
	if (h->head.method != HTTP1_GET)
		refuse(h, ENGINEIO_BAD_METHOD, NULL);
	else if (q->transport == ENGINEIO_WEBSOCKET && !h->head.upgrade)
		refuse(h, ENGINEIO_BAD_REQUEST, NULL);
	else if (!q->version_4)
		refuse_version(h);
	else
		begin(h, q);
}

static void serve_next(struct http *h, const struct engineio_query *q, struct engineio *e)
{
	bool polling = q->transport == ENGINEIO_POLLING;

	if (!q->version_4 || (polling ? !e->polls : !h->head.upgrade) ||
	    (h->head.method != HTTP1_GET && h->head.method != HTTP1_POST))
		refuse(h, ENGINEIO_BAD_REQUEST, NULL);
	else if (polling)
		engineio_poll(e, h);
	else
		engineio_ws_probe(e, h, q->base64);
}

void engineio_serve(struct http *h)
{
	struct engineio_query q;
	struct engineio *e;

	engineio_read_query(&q, h->head.target.query);
	e = q.sid_formed ? engineio_find(h->stream->worker, &q.sid) : NULL;
	if (e && engineio_is_over(e))
		e = NULL;
	if (q.transport == ENGINEIO_NO_TRANSPORT)
		refuse(h, ENGINEIO_UNKNOWN_TRANSPORT, NULL);
	else if (q.jsonp && q.transport == ENGINEIO_POLLING)
		refuse(h, ENGINEIO_BAD_REQUEST,
		       "JSONP is not spoken here: poll by XMLHttpRequest or fetch, or use a "
		       "WebSocket");
	else if (q.has_sid && !e)
		refuse(h, ENGINEIO_UNKNOWN_SID, NULL);
	else if (e)
		serve_next(h, &q, e);
	else
		serve_first(h, &q);
}

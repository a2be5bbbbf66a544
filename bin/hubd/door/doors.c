#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door/doors_impl.h"
#include "door/engineio.h"
#include "door/gate_impl.h"
#include "door/http.h"
#include "door/peer.h"
#include "door/sockets.h"
#include "door/stream.h"
#include "door/unix.h"
#include "door/ws_upgrade.h"
#include "loop/journal.h"
#include "wire/forwarded.h"

int doors_start(struct worker *w)
{
	int r = ws_upgrade_start();

	w->doors->deadlines.at = (uint32_t)(worker_now_ms(w) / 1000);
	return r < 0 ? r : engineio_start(w);
}

void doors_second(struct worker *w)
{
	streams_second(&w->doors->deadlines, w);
	if (w->index == 0)
		sockets_second(w);
}

void doors_drain(struct worker *w)
{
	http_drain(w);
}

void doors_abort(struct worker *w)
{
	streams_abort(&w->doors->deadlines);
	engineio_stop(w);
}

void doors_free(struct worker *w)
{
	engineio_free(w);
}

void doors_refuse(struct worker *w, int fd, enum listen_kind kind, enum count_refusal why)
{
	const char *text = why == REFUSED_ADDRESS ? "your address has as many connections as it may"
			   : why == REFUSED_ACCEPT ? "the hub has no descriptors left"
						   : "the hub is full";
	char error[200], out[400];
	int n = snprintf(
	    error, sizeof(error),
	    "{\"type\":\"error\",\"data\":{\"code\":\"hub_full\",\"message\":\"%s\"}}\n", text);

	if (kind == LISTEN_UNIX)
		memcpy(out, error, (size_t)n);
	else
		n = snprintf(out, sizeof(out),
			     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: "
			     "application/json\r\nContent-Length: %d\r\nConnection: close\r\n"
			     "\r\n%s",
			     n, error);
	if (kind == LISTEN_UNIX || !w->doors->set->tls)
		send(fd, out, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

/* There are as many as there may be. */
static void refuse_full(struct worker *w, const struct arrival *a)
{
	counter_add_at(&w->counters, refused, REFUSED_LIMIT, 1);
	journal_say(ERR_WARN, JOURNAL_refuse,
		    &(struct journal_who){.door = a->kind == LISTEN_UNIX ? "unix" : "tcp"},
		    "the hub has as many connections as it allows");
	doors_refuse(w, a->fd, a->kind, REFUSED_LIMIT);
	gate_left(w, a);
}

/* Who is no proxy of ours has nothing to say there. */
static bool is_proxy(struct worker *w, const struct address *peer)
{
	char text[ADDRESS_TEXT];

	if (trust_has(w->doors->set->trust, peer))
		return true;
	counter_add_at(&w->counters, refused, REFUSED_PROXY, 1);
	journal_say(ERR_DEBUG, JOURNAL_refuse,
		    &(struct journal_who){.door = "tcp", .peer = address_text(peer, text)},
		    "not a proxy that trust-proxy names");
	return false;
}

void doors_adopt(struct worker *w, const struct arrival *a)
{
	if (a->kind == LISTEN_PROXIED && !is_proxy(w, &a->peer)) {
		close(a->fd);
		gate_left(w, a);
		return;
	}
	if (a->full && !http_evict(w)) {
		refuse_full(w, a);
		return;
	}
	if (a->full)
		counter_add_at(&w->counters, refused, REFUSED_EVICTED, 1);
	if (a->fd > atomic_load_explicit(&w->doors->highest, memory_order_relaxed))
		atomic_store_explicit(&w->doors->highest, a->fd, memory_order_relaxed);
	if (a->kind == LISTEN_UNIX)
		unix_adopt(w, a->fd, a->born);
	else
		http_adopt(w, a);
}

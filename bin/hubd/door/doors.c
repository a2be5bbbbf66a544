#include "door/doors.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door/http.h"
#include "door/stream.h"
#include "door/tls.h"
#include "door/unix.h"

int doors_start(struct worker *w)
{
	w->doors->deadlines.at = (uint32_t)(worker_now_ms(w) / 1000);
	return 0;
}

void doors_second(struct worker *w)
{
	streams_second(&w->doors->deadlines, w);
}

void doors_drain(struct worker *w)
{
	http_drain(w);
}

void doors_abort(struct worker *w)
{
	streams_abort(&w->doors->deadlines);
}

void doors_free(struct worker *w)
{
	tls_unref(w->doors->tls);
	w->doors->tls = NULL;
}

struct new_tls {
	struct mail mail; /* first */
	struct tls *tls;  /* a reference */
};

static void on_new_tls(struct worker *w, struct mail *mail)
{
	struct new_tls *n = (struct new_tls *)mail;

	tls_unref(w->doors->tls);
	w->doors->tls = n->tls;
	free(n);
}

void doors_set_tls(struct worker *w, struct tls *tls)
{
	struct new_tls *n = malloc(sizeof(*n));

	if (!n)
		return; /* the old one is as good */
	*n = (struct new_tls){{.run = on_new_tls}, tls_ref(tls)};
	worker_post(w, &n->mail);
}

void doors_refuse(struct worker *w, int fd, bool local)
{
	static const char http[] =
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 16\r\nConnection: close\r\n\r\nthe hub is full\n";
	static const char line[] =
	    "{\"type\":\"error\",\"data\":{\"code\":\"hub_full\","
	    "\"message\":\"the hub has as many connections as it allows\"}}\n";

	counter_add(&w->counters, refused, 1);
	if (local)
		send(fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (!w->doors->set->tls)
		send(fd, http, sizeof(http) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

void doors_adopt(struct worker *w, int fd, bool local, bool full, uint32_t born)
{
	if (full && !http_evict(w)) {
		doors_refuse(w, fd, local);
		worker_connection_gone(w);
	} else if (local) {
		unix_adopt(w, fd, born);
	} else {
		http_adopt(w, fd, w->doors->tls, born);
	}
}

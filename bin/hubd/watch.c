#include "watch.h"

#include <stdlib.h>

#include "conn.h"
#include "hub.h"
#include "worker.h"

#define PAGE_BYTES 16384 /* of names in one message, about */

static struct registry *registry_of(const struct watch *w)
{
	return &w->conn->worker->hub->registry;
}

enum hub_code watch_start(struct conn *c)
{
	struct watch *w = c->watch, **head = &c->worker->watches;

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return HUB_INTERNAL;
		w->conn = c;
	}
	if (!registry_watch(&c->worker->hub->registry, &w->place, c->worker)) {
		free(w);
		return HUB_HUB_FULL;
	}
	if (!c->watch) {
		c->watch = w;
		w->next = *head;
		w->link = head;
		if (w->next)
			w->next->link = &w->next;
		*head = w;
	}
	w->listing = true;
	watch_later(w);
	return HUB_OK;
}

void watch_stop(struct conn *c)
{
	struct watch *w = c->watch;

	if (!w)
		return;
	registry_unwatch(registry_of(w), &w->place);
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	c->watch = NULL;
	free(w);
}

void watch_later(struct watch *w)
{
	w->conn->behind = true;
	worker_flush_later(w->conn->worker, w->conn);
}

bool watch_behind(const struct watch *w)
{
	return w->listing || registry_behind(registry_of(w), &w->place);
}

bool watch_next(struct watch *w)
{
	struct buf *b = &w->conn->worker->answer;
	bool more;
	int r;

	if (!watch_behind(w))
		return false;
	b->len = 0;
	r = buf_puts(b, "{\"type\":\"session_list\",\"sessions\":[");
	if (r == 0)
		r = registry_list(registry_of(w), &w->place, b, PAGE_BYTES, &more);
	if (r == 0)
		r = buf_puts(b, more ? "],\"more\":true}" : "],\"more\":false}");
	if (r < 0) {
		conn_close(w->conn, CLOSE_INTERNAL, "out of memory");
		return false;
	}
	w->listing = more;
	conn_send(w->conn, b->data, b->len);
	return true;
}

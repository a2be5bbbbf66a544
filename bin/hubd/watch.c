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

/* There are few, and idle connections have no room for a pointer. */
static struct watch *watch_of(const struct conn *c)
{
	struct watch *w = c->watching ? c->worker->watches : NULL;

	while (w && w->conn != c)
		w = w->next;
	return w;
}

enum hub_code watch_start(struct conn *c)
{
	struct watch *w = watch_of(c), **head = &c->worker->watches;

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
	if (!c->watching) {
		c->watching = true;
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
	struct watch *w = watch_of(c);

	if (!w)
		return;
	registry_unwatch(registry_of(w), &w->place);
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	c->watching = false;
	free(w);
}

void watch_later(struct watch *w)
{
	w->conn->behind = true;
	worker_flush_later(w->conn->worker, w->conn);
}

bool watch_behind(const struct conn *c)
{
	const struct watch *w = watch_of(c);

	return w->listing || registry_behind(registry_of(w), &w->place);
}

bool watch_next(struct conn *c)
{
	struct watch *w = watch_of(c);
	struct buf *b = &c->worker->answer;
	bool more;
	int r;

	if (!watch_behind(c))
		return false;
	b->len = 0;
	r = buf_puts(b, "{\"type\":\"session_list\",\"sessions\":[");
	if (r == 0)
		r = registry_list(registry_of(w), &w->place, b, PAGE_BYTES, &more);
	if (r == 0)
		r = buf_puts(b, more ? "],\"more\":true}" : "],\"more\":false}");
	if (r < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return false;
	}
	w->listing = more;
	conn_send(c, b->data, b->len);
	return true;
}

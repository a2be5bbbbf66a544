/* Invariant: a watch is in its worker's list exactly when its connection says `watching`. */
#include "member/watch.h"

#include <stdlib.h>

#include "member/member.h"

#define PAGE_BYTES 16384 /* of names in one message, about */

static struct registry *registry_of(const struct watch *w)
{
	return w->conn->worker->members->registry;
}

/* There are few, and idle connections have no room for a pointer. */
static struct watch *watch_of(const struct conn *c)
{
	struct watch *w = c->watching ? c->worker->members->watches : NULL;

	while (w && w->conn != c)
		w = w->next;
	return w;
}

enum hub_code watch_start(struct conn *c)
{
	struct watch *w = watch_of(c), **head = &c->worker->members->watches;

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return HUB_INTERNAL;
		w->conn = c;
	}
	if (!registry_watch(registry_of(w), &w->place, c->worker)) {
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
	w->conn->flush_seats = true;
	worker_later(w->conn->worker, TURN_CONNECTIONS, &w->conn->flush);
}

bool watch_behind(const struct conn *c)
{
	const struct watch *w = watch_of(c);

	return w->listing || registry_behind(registry_of(w), &w->place);
}

bool watch_next(struct conn *c)
{
	struct watch *w = watch_of(c);
	struct buf *names, *text;
	bool more = false;
	int r;

	if (!watch_behind(c))
		return false;
	names = worker_scratch(c->worker);
	text = worker_scratch(c->worker);
	r = registry_list(registry_of(w), &w->place, names, PAGE_BYTES, &more);
	if (r == 0)
		r = c->door->dialect->sessions(text, (struct span){names->data, names->len}, more);
	w->listing = more;
	conn_send_scratch(c, text, r);
	worker_scratch_done(c->worker, names);
	return r == 0;
}

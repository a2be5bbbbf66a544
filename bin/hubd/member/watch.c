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

/* A page that the archive is asked for. */
struct watch_ask {
	struct archive_job job; /* first */
	struct watch *watch;	/* NULL: nobody wants it any more */
};

static void forget_elsewhere(struct watch *w)
{
	if (w->ask)
		w->ask->watch = NULL;
	w->ask = NULL;
	buf_free(&w->page);
}

static void begin_elsewhere(struct watch *w)
{
	const struct archive *a = registry_of(w)->env->archive;

	forget_elsewhere(w);
	w->elsewhere = a && a->offer;
	w->partial = false;
	w->part = w->from = 0;
}

static void on_page(struct worker *worker, struct mail *mail)
{
	struct watch_ask *ask = (struct watch_ask *)mail;
	struct archive_job *job = &ask->job;
	struct watch *w = ask->watch;

	(void)worker;
	if (w) {
		w->ask = NULL;
		w->page = job->text;
		job->text = (struct buf){0};
		w->partial |= job->status < 0;
		w->from = job->tail;
		w->part += !job->tail;
		w->elsewhere = job->status == 0 && (job->tail || job->found);
		watch_later(w);
	}
	buf_free(&job->text);
	free(ask);
}

static void ask_page(struct watch *w)
{
	struct archive *a = registry_of(w)->env->archive;
	struct watch_ask *ask = calloc(1, sizeof(*ask));

	if (!ask || a->failing(a)) {
		free(ask);
		w->elsewhere = false;
		w->partial = true;
		return;
	}
	ask->watch = w;
	ask->job = (struct archive_job){.done = {.run = on_page},
					.worker = w->conn->worker,
					.what = ARCHIVE_LIST,
					.to = w->part,
					.from = w->from};
	w->ask = ask;
	a->ask(a, &ask->job);
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
	begin_elsewhere(w);
	watch_later(w);
	return HUB_OK;
}

void watch_stop(struct conn *c)
{
	struct watch *w = watch_of(c);

	if (!w)
		return;
	registry_unwatch(registry_of(w), &w->place);
	forget_elsewhere(w);
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

/* The next names: of those that are here, then of a page of the others. Returns 0 or -ENOMEM. */
static int next_names(struct watch *w, struct buf *names, bool *more)
{
	bool lost = false;
	int r = registry_list(registry_of(w), &w->place, names, PAGE_BYTES, more, &lost);

	if (lost && !w->elsewhere)
		begin_elsewhere(w);
	if (r == 0 && !*more && w->page.len) {
		r = names->len ? buf_puts(names, ",") : 0;
		if (r == 0)
			r = buf_put(names, w->page.data, w->page.len);
		buf_free(&w->page);
	}
	if (!*more && w->elsewhere && !w->ask)
		ask_page(w);
	*more |= w->elsewhere;
	return r;
}

bool watch_next(struct conn *c)
{
	struct watch *w = watch_of(c);
	struct buf *names, *text;
	bool more = false;
	int r;

	if (!watch_behind(c) || (w->ask && !registry_behind(registry_of(w), &w->place)))
		return false;
	names = worker_scratch(c->worker);
	text = worker_scratch(c->worker);
	r = next_names(w, names, &more);
	/* Of a page with nothing new nothing is told, but the end is. */
	if (r == 0 && (names->len || !more))
		r = c->door->dialect->sessions(text, (struct span){names->data, names->len}, more,
					       !more && w->partial);
	w->listing = more;
	if (r < 0 || text->len)
		conn_send_scratch(c, text, r);
	else
		worker_scratch_done(c->worker, text);
	worker_scratch_done(c->worker, names);
	return r == 0;
}

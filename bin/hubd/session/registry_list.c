/* The list of all sessions, as they came into being, and who is told of them. Invariant: a watch
 * whose worker has nothing before it is told of the next one that comes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/registry_impl.h"

#define NEWS_BYTES 16384 /* of other hubs, that wait for one who reads slowly */

/* Free for the next one before the watches look, so that nothing is missed. */
static void on_news(struct worker *w, struct mail *mail)
{
	struct registry_news *news = (struct registry_news *)mail;

	atomic_store(&news->posted, false);
	news->registry->env->events->sessions(w);
}

void registry_list_init(struct registry *r)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		r->news[i].registry = r;
		r->news[i].mail.run = on_news;
	}
}

static void post_news(struct registry *r, struct worker *w)
{
	if (!atomic_exchange(&r->news[w->index].posted, true))
		worker_post(w, &r->news[w->index].mail);
}

void registry_list_append(struct registry *r, struct session *s)
{
	struct registry_watch *w;

	s->all_prev = r->last;
	*(r->last ? &r->last->all_next : &r->first) = s;
	r->last = s;
	for (w = r->watches; w; w = w->next) {
		if (w->at)
			continue;
		w->at = s;
		post_news(r, w->worker);
	}
}

void registry_list_remove(struct registry *r, struct session *s)
{
	struct registry_watch *w;

	for (w = r->watches; w; w = w->next)
		if (w->at == s)
			w->at = s->all_next;
	if (r->trim_at == s)
		r->trim_at = s->all_next;
	*(s->all_prev ? &s->all_prev->all_next : &r->first) = s->all_next;
	*(s->all_next ? &s->all_next->all_prev : &r->last) = s->all_prev;
}

bool registry_watch(struct registry *r, struct registry_watch *w, struct worker *worker)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = w->link || r->nwatches < REGISTRY_WATCHES_MAX;
	if (room && !w->link) {
		r->nwatches++;
		w->worker = worker;
		w->next = r->watches;
		w->link = &r->watches;
		if (w->next)
			w->next->link = &w->next;
		r->watches = w;
	}
	w->at = r->first;
	pthread_mutex_unlock(&r->lock);
	return room;
}

void registry_unwatch(struct registry *r, struct registry_watch *w)
{
	pthread_mutex_lock(&r->lock);
	if (w->link) {
		r->nwatches--;
		*w->link = w->next;
		if (w->next)
			w->next->link = w->link;
		w->link = NULL;
	}
	buf_free(&w->news);
	pthread_mutex_unlock(&r->lock);
}

int registry_list(struct registry *r, struct registry_watch *w, struct buf *out, size_t max,
		  bool *more, bool *lost)
{
	size_t start = out->len;
	int status = 0;

	pthread_mutex_lock(&r->lock);
	while (w->at && out->len - start < max && status == 0) {
		status = buf_printf(out, "%s\"%s\"", out->len > start ? "," : "", w->at->id);
		w->at = w->at->all_next;
	}
	if (status == 0 && w->news.len && out->len > start)
		status = buf_puts(out, ",");
	if (status == 0)
		status = buf_put(out, w->news.data, w->news.len);
	w->news.len = 0;
	*more = w->at != NULL;
	*lost = w->lost;
	w->lost = false;
	pthread_mutex_unlock(&r->lock);
	return status;
}

void registry_list_news(struct registry *r, struct span id)
{
	for (struct registry_watch *w = r->watches; w; w = w->next) {
		if (w->news.len >= NEWS_BYTES ||
		    buf_printf(&w->news, "%s\"%.*s\"", w->news.len ? "," : "", (int)id.len, id.p) <
			0)
			w->lost = true;
		post_news(r, w->worker);
	}
}

bool registry_behind(struct registry *r, const struct registry_watch *w)
{
	bool behind;

	pthread_mutex_lock(&r->lock);
	behind = w->at != NULL || w->news.len || w->lost;
	pthread_mutex_unlock(&r->lock);
	return behind;
}

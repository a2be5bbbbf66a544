/* Who was absent from another hub, where several share the sessions: it is asked for by a word to
 * all of them, and who has it, or still has the connection, gives it away by a word to all. Where
 * nobody does in a second the client comes back without.
 *
 * Invariant: an ask is in the list from before its word goes out until its end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "member/absent_impl.h"
#include "member/member.h"

#define ASKED "absent?" /* the value: the client's number, a space and the session */
#define GIVEN "absent"	/* what absent_put() wrote */

struct ask {
	struct mail mail; /* first: its end */
	struct archive_job job;
	struct ask *next;
	struct conn *conn;
	uint64_t client, until_ms;
	bool told; /* the job has come home */
	bool ends; /* the list has it no more */
	void (*back)(struct conn *c, struct span text);
	size_t session_len, len;
	char value[20 + 1 + ENVELOPE_SESSION_MAX + 1];
	char text[];
};

static struct absents *all_of(const struct worker *w)
{
	return w->members->absents;
}

static struct span session_of(const struct ask *ask)
{
	return (struct span){strchr(ask->value, ' ') + 1, ask->session_len};
}

/* --- who asks */

static void end_ask(struct worker *w, struct mail *mail)
{
	struct ask *ask = (struct ask *)mail;
	struct conn *c = ask->conn;

	(void)w;
	conn_release(c);
	if (!c->closing)
		ask->back(c, (struct span){ask->text, ask->len});
	free(ask);
	conn_idle(c);
}

/* Under the lock. Its end comes when its word has gone out, too. */
static void unlink_ask(struct absents *all, struct ask *ask)
{
	struct ask **link = &all->asks;

	while (*link != ask)
		link = &(*link)->next;
	*link = ask->next;
	ask->ends = true;
	if (ask->told)
		worker_post(ask->conn->worker, &ask->mail);
}

static void asked(struct worker *w, struct mail *mail)
{
	struct ask *ask = (struct ask *)(void *)((char *)mail - offsetof(struct ask, job));
	struct absents *all = all_of(w);

	pthread_mutex_lock(&all->lock);
	ask->told = true;
	if (ask->ends)
		worker_post(w, &ask->mail);
	else if (ask->job.status < 0 || ask->job.n < 2) /* this hub hears it, too */
		unlink_ask(all, ask);
	pthread_mutex_unlock(&all->lock);
}

bool absent_ask(struct conn *c, struct span session, uint64_t client, struct span text,
		void (*back)(struct conn *c, struct span text))
{
	struct worker *w = c->worker;
	struct archive *a = w->members->registry->env->archive;
	struct absents *all = all_of(w);
	struct ask *ask = NULL;

	if (a && a->offer && all && !a->failing(a))
		ask = malloc(sizeof(*ask) + text.len);
	if (!ask)
		return false;
	*ask = (struct ask){.mail = {.run = end_ask},
			    .conn = c,
			    .client = client,
			    .until_ms = worker_now_ms(w) + all->wait_ms,
			    .back = back,
			    .session_len = session.len,
			    .len = text.len};
	memcpy(ask->text, text.p, text.len);
	ask->job = (struct archive_job){.done = {.run = asked},
					.worker = w,
					.what = ARCHIVE_KEEP,
					.name = {ASKED, sizeof(ASKED) - 1},
					.value = {ask->value, 0},
					.passes = true};
	ask->job.value.len = (size_t)snprintf(ask->value, sizeof(ask->value), "%ju %.*s",
					      (uintmax_t)client, (int)session.len, session.p);
	conn_busy(c);
	conn_hold(c);
	pthread_mutex_lock(&all->lock);
	ask->next = all->asks;
	all->asks = ask;
	pthread_mutex_unlock(&all->lock);
	a->ask(a, &ask->job);
	return true;
}

void absent_second(struct worker *w, bool now)
{
	struct absents *all = all_of(w);
	struct ask *ask, *next;

	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	for (ask = all->asks; ask; ask = next) {
		next = ask->next;
		if (ask->conn->worker == w && (now || ask->until_ms <= worker_now_ms(w)))
			unlink_ask(all, ask);
	}
	pthread_mutex_unlock(&all->lock);
}

/* Nothing where nobody waits for it here. */
static void take_given(struct absents *all, struct span text)
{
	struct absent *a = absent_read(text);
	struct ask *ask;

	if (!a)
		return;
	pthread_mutex_lock(&all->lock);
	ask = all->asks;
	while (ask && (ask->client != a->client || ask->session_len != a->log->id_len ||
		       memcmp(session_of(ask).p, a->log->id, ask->session_len) != 0))
		ask = ask->next;
	if (ask) {
		absent_add(all, a, ask->until_ms - all->wait_ms);
		unlink_ask(all, ask);
	}
	pthread_mutex_unlock(&all->lock);
	if (!ask)
		free(a);
}

/* --- who is asked */

struct search {
	struct mail mail; /* first: on its way to who may know */
	struct archive_job job;
	uint64_t client;
	bool located;
	struct buf found;
	size_t session_len;
	char session[ENVELOPE_SESSION_MAX];
};

static void given(struct worker *w, struct mail *mail)
{
	struct search *s = (struct search *)(void *)((char *)mail - offsetof(struct search, job));

	(void)w;
	buf_free(&s->found);
	free(s);
}

static void give(struct worker *w, struct search *s)
{
	struct archive *archive = w->members->registry->env->archive;
	struct absent *a =
	    absent_take(w->members, s->client, (struct span){s->session, s->session_len});

	if (!a || absent_put(a, &s->found) < 0) {
		given(w, &s->job.done);
		free(a);
		return;
	}
	free(a);
	s->job = (struct archive_job){.done = {.run = given},
				      .worker = w,
				      .what = ARCHIVE_KEEP,
				      .name = {GIVEN, sizeof(GIVEN) - 1},
				      .value = {s->found.data, s->found.len},
				      .passes = true};
	archive->ask(archive, &s->job);
}

/* At the worker of its connection, where it has one here; then it is known how far it was. */
static void search(struct worker *w, struct mail *mail)
{
	struct search *s = (struct search *)mail;
	struct registry *registry = w->members->registry;
	struct session *in = registry_find(registry, (struct span){s->session, s->session_len});
	struct worker *at = in ? absent_locate(in, s->client) : NULL;

	if (at == w)
		absent_end(w, in, s->client);
	if (in)
		registry_release(registry, in, worker_now_ms(w));
	if (at && at != w && !s->located) {
		s->located = true;
		worker_post(at, &s->mail);
	} else {
		give(w, s);
	}
}

static void take_asked(struct worker *w, struct span value)
{
	const char *space = memchr(value.p, ' ', value.len);
	struct search *s;
	size_t len;

	if (!space || space - value.p > 20)
		return;
	len = value.len - (size_t)(space + 1 - value.p);
	if (!envelope_session_id_ok(space + 1, len))
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->mail.run = search;
	s->client = strtoull(value.p, NULL, 10); /* up to the space */
	s->session_len = len;
	memcpy(s->session, space + 1, len);
	worker_post(w, &s->mail);
}

bool absent_heard(struct worker *w, struct span name, struct span value)
{
	struct absents *all = all_of(w);
	bool asked_for = name.len == sizeof(ASKED) - 1 && memcmp(name.p, ASKED, name.len) == 0;

	if (!asked_for && !(name.len == sizeof(GIVEN) - 1 && memcmp(name.p, GIVEN, name.len) == 0))
		return false;
	if (asked_for)
		take_asked(w, value);
	else if (all)
		take_given(all, value);
	return true;
}

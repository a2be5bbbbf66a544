/* A session for who is no member of it. Invariant: `done` is called with a session that the caller
 * uses, or with none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/member.h"
#include "session/stored.h"

/* One that waits for the archive. */
struct asked {
	struct archive_job job; /* first; its session is looked for, or used and loaded */
	struct conn *conn;
	struct opening opening;
	struct session *used; /* NULL: only looked for so far */
	char name[ENVELOPE_SESSION_MAX];
};

#define UNREADABLE "out of memory, or the session cannot be read from the store"

static void answered(struct worker *w, struct mail *mail);

/* Asks about s, which is a reference that is given up. False where memory is out. */
static bool ask(struct conn *c, const struct opening *o, struct session *s, struct session *used)
{
	struct archive *a = s->env->archive;
	struct asked *asked = malloc(sizeof(*asked));

	if (!asked) {
		session_unref(s);
		return false;
	}
	*asked = (struct asked){.job = {.done = {.run = answered},
					.worker = c->worker,
					.session = s,
					.what = ARCHIVE_OPEN},
				.conn = c,
				.opening = *o,
				.used = used};
	memcpy(asked->name, o->session.p, o->session.len);
	asked->opening.session.p = asked->name;
	conn_busy(c);
	conn_hold(c);
	a->ask(a, &asked->job);
	return true;
}

/* Of a session that is used: has it loaded, then it is done. */
static void load(struct conn *c, const struct opening *o, struct session *s)
{
	if (!s->env->archive || !session_wants_image(s)) {
		o->done(c, s, HUB_OK, NULL);
	} else if (!ask(c, o, session_ref(s), s)) {
		member_release(c, s);
		o->done(c, NULL, HUB_INTERNAL, "out of memory");
	}
}

static void use(struct conn *c, const struct opening *o)
{
	struct registry *registry = c->worker->members->registry;
	enum hub_code code = HUB_OK;
	struct session *s = registry_use(registry, o->session, &code);

	if (s)
		load(c, o, s);
	else
		o->done(c, NULL, code,
			code == HUB_HUB_FULL ? "the hub has as many sessions as it allows"
					     : UNREADABLE);
}

/* Asks the archive about one that is not in memory, by a session that nobody else sees. */
static bool look_for(struct conn *c, const struct opening *o)
{
	struct session *s = session_new(c->worker->members->registry->env, o->session);

	if (s)
		s->loaded = true; /* it is not to be read, but asked for */
	return s && ask(c, o, s, NULL);
}

void member_open(struct conn *c, const struct opening *o)
{
	struct registry *registry = c->worker->members->registry;
	struct session *s;

	if (o->create) {
		if (atomic_load_explicit(&c->worker->all->draining, memory_order_relaxed))
			o->done(c, NULL, HUB_SHUTTING_DOWN, "the hub is shutting down");
		else
			use(c, o);
		return;
	}
	s = registry_find(registry, o->session);
	if (s)
		load(c, o, s);
	else if (!registry->env->archive)
		o->done(c, NULL, HUB_NOT_FOUND, "there is no such session");
	else if (!look_for(c, o))
		o->done(c, NULL, HUB_INTERNAL, "out of memory");
}

void member_release(struct conn *c, struct session *s)
{
	registry_release(c->worker->members->registry, s, worker_now_ms(c->worker));
}

static void answered(struct worker *w, struct mail *mail)
{
	struct asked *a = (struct asked *)mail;
	struct conn *c = a->conn;
	bool failed = a->job.status < 0;

	(void)w;
	session_unref(a->job.session);
	conn_release(c);
	if (a->used && (c->closing || failed))
		member_release(c, a->used);
	if (c->closing)
		;
	else if (a->job.status == -EAGAIN)
		a->opening.done(c, NULL, HUB_UNAVAILABLE, "the session cannot be reached just now");
	else if (failed)
		a->opening.done(c, NULL, HUB_INTERNAL, UNREADABLE);
	else if (a->used)
		a->opening.done(c, a->used, HUB_OK, NULL);
	else if (a->job.found)
		use(c, &a->opening);
	else
		a->opening.done(c, NULL, HUB_NOT_FOUND, "there is no such session");
	free(a);
	conn_idle(c);
}

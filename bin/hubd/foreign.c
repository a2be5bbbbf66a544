/* Invariant: what was heard is never told: it would be heard again. */
#include "foreign.h"

#include <stdlib.h>
#include <string.h>

#include "bus/bridge.h"
#include "dialect/hub7.h"
#include "dialect/message.h"
#include "member/member.h"
#include "session/publish.h"
#include "session/registry.h"
#include "session/stored.h"
#include "wire/id.h"

#define WHY_MAX 256

/* What was heard, on its way to the worker, and then in the line there. */
struct heard {
	struct mail mail; /* first */
	struct heard *next;
	struct foreign *foreign;
	const char *why;	  /* it is not taken, by some of its sessions */
	size_t at, sessions, len; /* at: of the sessions, the next one */
	char text[];		  /* the sessions, then the message */
};

/* A question about the next session of the first in the line. */
struct asked {
	struct archive_job job; /* first */
	struct foreign *foreign;
	struct session *used; /* it is to be read; NULL: whether there is one */
};

/* So that a record of a type that hub7 takes for itself is one there, too. */
static enum hub_code read_message(struct envelope *e, struct buf *marked, struct span message)
{
	char why[WHY_MAX];
	enum hub_code code = envelope_parse(e, message.p, message.len, why, sizeof(why));

	if (code != HUB_OK || !envelope_control_type(e->type))
		return code;
	if (buf_put(marked, message.p, message.len - 1) < 0 ||
	    buf_puts(marked, ",\"record\":{}}") < 0)
		return HUB_INTERNAL;
	return envelope_parse(e, marked->data, marked->len, why, sizeof(why));
}

static enum hub_code publish(struct foreign *f, struct worker *w, struct session *s,
			     const struct envelope *e)
{
	struct publication p = {.tags = {.sender = f->sender}, .trusted = true, .heard = true};
	char from[ID_LEN + 1], key[ENVELOPE_KEY_MAX];
	struct span session = session_name(s);
	enum hub_code code = HUB_INTERNAL;
	struct published out;
	const char *why;
	struct buf *b = worker_scratch(w);

	id_text(f->sender, from);
	if (envelope_record(e, b, session, worker_wall_ms(w), (struct span){from, ID_LEN},
			    (struct span){"", 0}) == 0) {
		p.body = (struct span){b->data, b->len};
		code = message_record(w, e, key, &p, &why);
	}
	if (code == HUB_OK)
		code = submit_record(s, w, &p, &out, &why);
	worker_scratch_done(w, b);
	counter_add(&w->counters, bridge_heard, code == HUB_OK);
	return code;
}

/* The next session is done with. */
static void next_session(struct heard *h, const char *why)
{
	h->at += strlen(h->text + h->at) + 1;
	if (why)
		h->why = why;
}

/* Of a session that is used, and loaded. */
static void publish_to(struct foreign *f, struct worker *w, struct heard *h, struct session *s)
{
	struct span message = {h->text + h->sessions, h->len};
	const char *why = NULL;
	struct buf marked = {0};
	struct envelope e;

	if (read_message(&e, &marked, message) != HUB_OK)
		why = "an event that is no message";
	else if (publish(f, w, s, &e) != HUB_OK)
		why = "an event that its session does not take";
	buf_free(&marked);
	registry_release(f->registry, s, worker_now_ms(w));
	next_session(h, why);
}

static void answered(struct worker *w, struct mail *mail);

/* Asks about s, which is a reference that is given up. */
static void ask(struct foreign *f, struct worker *w, struct session *s, struct session *used)
{
	struct asked *a = malloc(sizeof(*a));

	if (!a) {
		session_unref(s);
		if (used)
			registry_release(f->registry, used, worker_now_ms(w));
		next_session(f->first, "out of memory");
		return;
	}
	*a = (struct asked){
	    .job = {.done = {.run = answered}, .worker = w, .session = s, .what = ARCHIVE_OPEN},
	    .foreign = f,
	    .used = used};
	f->asking = true;
	s->env->archive->ask(s->env->archive, &a->job);
}

/* Of one that is used. */
static void load(struct foreign *f, struct worker *w, struct session *s)
{
	if (s->env->archive && session_wants_image(s))
		ask(f, w, session_ref(s), s);
	else
		publish_to(f, w, f->first, s);
}

/* Of a session that there is, here or, with a bus, anywhere; who joins another one later would not
 * have heard it either. */
static void look_for(struct foreign *f, struct worker *w)
{
	const struct session_env *env = f->registry->env;
	struct heard *h = f->first;
	struct span name = {h->text + h->at, strlen(h->text + h->at)};
	struct session *s = registry_find(f->registry, name);

	if (s) {
		load(f, w, s);
		return;
	}
	s = env->archive && env->archive->offer ? session_new(env, name) : NULL;
	if (!s) {
		next_session(h, NULL);
		return;
	}
	s->loaded = true; /* it is not to be read, but asked for */
	ask(f, w, s, NULL);
}

/* Goes on with the line until something is to be asked: so all of a session stays in order. */
static void go_on(struct foreign *f, struct worker *w)
{
	struct heard *h;

	while (!f->asking && (h = f->first) != NULL) {
		if (h->at < h->sessions) {
			look_for(f, w);
			continue;
		}
		f->first = h->next;
		bridge_taken(f->bridge, h->len, h->why);
		free(h);
	}
}

static void answered(struct worker *w, struct mail *mail)
{
	struct asked *a = (struct asked *)mail;
	struct foreign *f = a->foreign;
	struct span name = {f->first->text + f->first->at, strlen(f->first->text + f->first->at)};
	enum hub_code code;
	struct session *s;

	f->asking = false;
	session_unref(a->job.session);
	if (a->used && a->job.status == 0) {
		publish_to(f, w, f->first, a->used);
	} else if (a->used) {
		registry_release(f->registry, a->used, worker_now_ms(w));
		next_session(f->first, "the session cannot be reached");
	} else if (a->job.status == 0 && a->job.found) {
		s = registry_use(f->registry, name, &code);
		if (s)
			load(f, w, s);
		else
			next_session(f->first, "the hub has as many sessions as it allows");
	} else {
		next_session(f->first, a->job.status ? "the session cannot be reached" : NULL);
	}
	free(a);
	go_on(f, w);
}

static void on_heard(struct worker *w, struct mail *mail)
{
	struct heard *h = (struct heard *)mail;
	struct foreign *f = h->foreign;

	if (f->first)
		f->last->next = h;
	else
		f->first = h;
	f->last = h;
	go_on(f, w);
}

void foreign_heard(void *arg, struct span sessions, struct span message)
{
	struct foreign *f = arg;
	struct heard *h = malloc(sizeof(*h) + sessions.len + message.len);

	if (!h) {
		bridge_taken(f->bridge, message.len, "out of memory");
		return;
	}
	*h = (struct heard){
	    .mail = {.run = on_heard}, .foreign = f, .sessions = sessions.len, .len = message.len};
	memcpy(h->text, sessions.p, sessions.len);
	memcpy(h->text + sessions.len, message.p, message.len);
	worker_post(f->workers->at[0], &h->mail);
}

void foreign_published(void *arg, const struct session *s, struct span body, uint64_t seq)
{
	const struct foreign *f = arg;

	bridge_tell(f->bridge, session_name(s), body, seq);
}

void foreign_second(struct foreign *f, struct worker *w)
{
	uint64_t told, dropped;

	bridge_count(f->bridge, &told, &dropped);
	counter_add(&w->counters, bridge_told, told);
	counter_add(&w->counters, bridge_dropped, dropped);
}

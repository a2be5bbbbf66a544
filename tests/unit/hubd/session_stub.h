/* Sessions without any connection: an environment, a registry, workers that record what sessions
 * tell them, and an archive whose answers the test makes. What is told to a worker is recorded by
 * its own thread. */
#ifndef HUBD_TEST_SESSION_STUB_H
#define HUBD_TEST_SESSION_STUB_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hubd/loop_stub.h"
#include "session/members.h"
#include "session/publish.h"
#include "session/registry.h"
#include "session/seek.h"
#include "session/session.h"
#include "session/stored.h"

#define STUB_WORKERS 8
#define STUB_TOLD_MAX 256 /* kept of what a worker was told; all is counted */

enum told { TOLD_WAKE, TOLD_PRESENCE, TOLD_STATUS, TOLD_REPLACED, TOLD_SESSIONS, TOLD_KINDS };

struct told_event {
	enum told what;
	const struct session *session; /* to compare, for it may be gone */
	struct session_change change;  /* TOLD_PRESENCE */
	uint64_t client;	       /* TOLD_REPLACED */
	uint32_t version;
};

struct told_all {
	struct told_event at[STUB_TOLD_MAX];
	size_t n;
	unsigned count[TOLD_KINDS];
};

/* An archive that has what the test says. */
struct archive_stub {
	struct archive archive; /* first */
	pthread_mutex_t lock;
	struct archive_job *first, **last; /* asked and not answered */
	unsigned asked;
	atomic_uint wakes;
	const char *failing;
};

/* What is not set beforehand is generous. */
struct session_stub {
	struct workers workers; /* first: workers lead to it */
	struct log_memory memory;
	struct session_env env;
	struct registry registry;
	size_t max_sessions;
	uint64_t ttl_ms;
	bool keeps_status; /* session_status_told() is the test's */
	struct archive_stub archive;
	struct worker_hooks hooks;
	struct told_all told[STUB_WORKERS];
};

static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* --- what is told --- */

static inline struct session_stub *session_stub_of(const struct worker *w)
{
	return (struct session_stub *)w->all;
}

static inline void stub_tell(struct worker *w, struct told_event event)
{
	struct told_all *told = &session_stub_of(w)->told[w->index];

	told->count[event.what]++;
	if (told->n < STUB_TOLD_MAX)
		told->at[told->n++] = event;
}

static inline void stub_wake(struct worker *w, struct session *s)
{
	stub_tell(w, (struct told_event){.what = TOLD_WAKE, .session = s});
}

static inline void stub_presence(struct worker *w, struct session *s,
				 const struct session_change *change)
{
	stub_tell(w, (struct told_event){.what = TOLD_PRESENCE, .session = s, .change = *change});
}

static inline void stub_status(struct worker *w, struct session *s)
{
	stub_tell(w, (struct told_event){.what = TOLD_STATUS, .session = s});
	if (session_stub_of(w)->keeps_status)
		return;
	session_status_told(session_shard(s, w->index));
	session_unref(s);
}

static inline void stub_replaced(struct worker *w, struct session *s, uint64_t client,
				 uint32_t version)
{
	stub_tell(w,
		  (struct told_event){
		      .what = TOLD_REPLACED, .session = s, .client = client, .version = version});
}

static inline void stub_timed(struct worker *w, struct session *s)
{
	registry_time(&session_stub_of(w)->registry, s);
}

static inline void stub_sessions(struct worker *w)
{
	stub_tell(w, (struct told_event){.what = TOLD_SESSIONS});
}

static const struct session_events stub_events = {.wake = stub_wake,
						  .presence = stub_presence,
						  .status = stub_status,
						  .replaced = stub_replaced,
						  .timed = stub_timed,
						  .sessions = stub_sessions};

static inline void stub_forget(struct session_stub *st)
{
	memset(st->told, 0, sizeof(st->told));
}

/* As member/ does it: the worker's own members are woken by the turn. */
static inline void stub_session_step(struct worker *w, struct turn_entry *e)
{
	struct session *s = session_turn(w, e);

	stub_wake(w, s);
	session_unref(s);
}

/* --- the archive --- */

static inline void archive_stub_ask(struct archive *a, struct archive_job *job)
{
	struct archive_stub *st = (struct archive_stub *)a;

	job->next = NULL;
	pthread_mutex_lock(&st->lock);
	*st->last = job;
	st->last = &job->next;
	st->asked++;
	pthread_mutex_unlock(&st->lock);
}

static inline void archive_stub_wake(struct archive *a, struct session *s)
{
	(void)s;
	atomic_fetch_add(&((struct archive_stub *)a)->wakes, 1);
}

static inline const char *archive_stub_failing(struct archive *a)
{
	return ((struct archive_stub *)a)->failing;
}

static inline void archive_stub_init(struct archive_stub *st)
{
	*st = (struct archive_stub){.archive = {.ask = archive_stub_ask,
						.wake = archive_stub_wake,
						.failing = archive_stub_failing}};
	st->last = &st->first;
	pthread_mutex_init(&st->lock, NULL);
}

/* The request that was made first; NULL: there is none. */
static inline struct archive_job *archive_stub_next(struct archive_stub *st)
{
	struct archive_job *job;

	pthread_mutex_lock(&st->lock);
	job = st->first;
	if (job)
		st->first = job->next;
	if (!st->first)
		st->last = &st->first;
	pthread_mutex_unlock(&st->lock);
	return job;
}

static inline void archive_stub_answer(struct archive_job *job, int status)
{
	job->status = status;
	worker_post(job->worker, &job->done);
}

/* Makes s loaded, with what the archive has of it: head records of that epoch. */
static inline void archive_stub_load(struct session *s, uint64_t epoch, uint64_t head)
{
	struct session_image image;

	session_image_init(&image, s->env);
	image.found = head > 0;
	image.epoch = epoch;
	image.head = head;
	session_load(s, &image);
	session_image_free(&image, s->env);
}

/* --- life --- */

/* With an archive where `archive`. */
static inline void session_stub_start(struct session_stub *st, unsigned workers, bool archive)
{
	struct session_env *env = &st->env;

	archive_stub_init(&st->archive);
	if (!st->hooks.start) {
		st->hooks = loop_stub_hooks();
		st->hooks.step[TURN_SESSIONS] = stub_session_step;
	}
	env->limits.records = env->limits.records ? env->limits.records : 256;
	env->limits.bytes = env->limits.bytes ? env->limits.bytes : 1 << 20;
	st->memory.max = st->memory.max ? st->memory.max : SIZE_MAX;
	env->memory = &st->memory;
	env->workers = &st->workers;
	env->archive = archive ? &st->archive.archive : NULL;
	env->events = env->events ? env->events : &stub_events;
	env->max_members = env->max_members ? env->max_members : 1000;
	env->state_keys = env->state_keys ? env->state_keys : 10000;
	randombytes_buf(env->hash_key, sizeof(env->hash_key));
	env->presence_limit = env->presence_limit ? env->presence_limit : 100;
	stub_need(registry_init(&st->registry, env, st->max_sessions ? st->max_sessions : 1000,
				st->ttl_ms) == 0,
		  "out of memory");
	loop_stub_workers(&st->workers, workers, &st->hooks);
}

/* Nothing may be left of the logs. */
static inline void session_stub_end(struct session_stub *st)
{
	loop_stub_free(&st->workers);
	registry_free(&st->registry);
	stub_need(st->archive.first == NULL, "the archive was asked and has not answered");
	pthread_mutex_destroy(&st->archive.lock);
	stub_need(atomic_load(&st->memory.used) == 0, "memory of logs is left");
}

static inline uint64_t stub_now(struct session_stub *st)
{
	return worker_now_ms(st->workers.at[0]);
}

/* --- members --- */

/* The session called id, used by the caller; NULL where there is no room. */
static inline struct session *stub_use(struct session_stub *st, const char *id)
{
	enum hub_code code;

	return registry_use(&st->registry, span_of(id), &code);
}

static inline void stub_release(struct session_stub *st, struct session *s)
{
	registry_release(&st->registry, s, stub_now(st));
}

/* A member of client on a worker, that wants its own records back and is in no session yet. */
static inline struct member *stub_member(uint64_t client, unsigned worker)
{
	struct member *m = calloc(1, sizeof(*m));

	stub_need(m != NULL, "out of memory");
	m->client = client;
	m->worker = (uint8_t)worker;
	m->echo = true;
	return m;
}

/* One that has joined the session called id, from now on; NULL where it may not, or an archive has
 * to be asked first. */
static inline struct member *stub_join(struct session_stub *st, const char *id, uint64_t client,
				       unsigned worker, struct session_joined *out)
{
	struct session *s = stub_use(st, id);
	struct member *m = stub_member(client, worker);
	struct session_from now = {0};
	struct session_joined joined;

	out = out ? out : &joined;
	if (s && session_join(s, m, &now, out) == HUB_OK && !out->ask)
		return m;
	if (s)
		stub_release(st, s);
	free(m);
	return NULL;
}

/* Returns the number of members left. */
static inline uint32_t stub_leave(struct session_stub *st, struct member *m)
{
	struct session *s = m->session;
	uint32_t left = session_leave(m);

	stub_release(st, s);
	free(m);
	return left;
}

/* Publishes a record; 0 where that is not possible, or it was a repeat. */
static inline uint64_t stub_publish(struct session *s, uint64_t sender, const char *body,
				    size_t len, uint64_t now_ms)
{
	struct publication p = {.body = {body, len}, .tags = {.sender = sender}};
	struct published out;

	if (session_publish(s, &p, now_ms, &out) != HUB_OK || out.repeated)
		return 0;
	return out.seq;
}

#endif

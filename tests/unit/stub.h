/* A hub with real workers whose connections speak to a buffer instead of a peer. A test that fails
 * gets no further, so helpers end the program where something is not as it must be. */
#ifndef HUB_UNIT_STUB_H
#define HUB_UNIT_STUB_H

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conn.h"
#include "dispatch.h"
#include "hub.h"
#include "json/keys.h"
#include "worker.h"

/* What became of a connection, and what it was sent: whole messages, a line each. */
struct stub {
	struct conn *conn; /* NULL once it is gone */
	struct buf got;
	bool stalled; /* takes one more write, then nothing until stub_resume() */
	bool waiting;
	bool paused;
	unsigned pings;
	int code; /* of the close; -1 after an abort */
	const char *reason;
};

static inline void stub_need(bool what, const char *why)
{
	if (what)
		return;
	fprintf(stderr, "stub: %s\n", why);
	abort();
}

static inline int stub_write(struct conn *c, const void *data, size_t len)
{
	struct stub *s = c->handle;

	stub_need(s != NULL, "written to after it was gone");
	stub_need(!s->waiting, "written to while it is blocked");
	stub_need(buf_put(&s->got, data, len) == 0, "out of memory");
	s->waiting = s->stalled;
	return s->waiting;
}

static inline int stub_frame(struct buf *out, const char *json, size_t len)
{
	int r = buf_put(out, json, len);

	return r == 0 ? buf_put(out, "\n", 1) : r;
}

static inline int stub_ping(struct conn *c)
{
	struct stub *s = c->handle;

	s->pings++;
	return 0;
}

static inline void stub_pause(struct conn *c, bool paused)
{
	struct stub *s = c->handle;

	if (s)
		s->paused = paused;
}

static inline void stub_gone(struct stub *s)
{
	struct conn *c = s->conn;

	s->conn = NULL;
	if (c)
		conn_gone(c);
}

static inline void stub_close(struct conn *c, enum close_code code, const char *reason)
{
	struct stub *s = c->handle;

	stub_need(s && s->code == 0, "closed twice");
	s->code = (int)(unsigned)code;
	s->reason = reason;
	stub_gone(s);
}

static inline void stub_abort(struct conn *c)
{
	struct stub *s = c->handle;

	if (!s)
		return;
	s->code = -1;
	stub_gone(s);
}

static const struct transport stub_transport = {
    .name = "stub",
    .trusted = true,
    .pings = true,
    .write = stub_write,
    .frame = stub_frame,
    .ping = stub_ping,
    .pause = stub_pause,
    .close = stub_close,
    .abort = stub_abort,
};

static inline void stub_open(struct worker *w, struct stub *s)
{
	*s = (struct stub){0};
	s->conn = conn_new(w, &stub_transport, s, 0);
	stub_need(s->conn != NULL, "no connection");
}

/* The peer takes what was held back. */
static inline void stub_resume(struct stub *s)
{
	s->stalled = false;
	if (!s->waiting)
		return;
	s->waiting = false;
	conn_writable(s->conn);
}

static inline void stub_say(struct stub *s, const char *text)
{
	if (s->conn)
		conn_receive(s->conn, text, strlen(text));
}

/* Some turns of the worker's loop: what was posted to it is handled, what is due is sent. */
static inline void stub_turns(struct worker *w)
{
	for (int i = 0; i < 3; i++)
		uv_run(worker_loop(w), UV_RUN_NOWAIT);
}

/* A hub with as many workers; what the tests do not set beforehand is generous. */
static inline void stub_hub(struct hub *hub, unsigned workers)
{
	struct hub_options *opt = &hub->opt;

	opt->max_message = opt->max_message ? opt->max_message : 65536;
	opt->max_sessions = opt->max_sessions ? opt->max_sessions : 1000;
	opt->max_members = opt->max_members ? opt->max_members : 1000;
	opt->write_timeout = opt->write_timeout > 0 ? opt->write_timeout : 10;
	opt->presence_limit = opt->presence_limit ? opt->presence_limit : 100;
	hub->limits.records = hub->limits.records ? hub->limits.records : 256;
	hub->limits.bytes = hub->limits.bytes ? hub->limits.bytes : 1 << 20;
	hub->memory.max = hub->memory.max ? hub->memory.max : SIZE_MAX;
	hub->nworkers = workers;
	opt->state_keys = opt->state_keys ? opt->state_keys : 10000;
	hub->control = dispatch_paths();
	hub->keys = keys_default();
	randombytes_buf(hub->secret, sizeof(hub->secret));
	stub_need(hub->control && hub->keys && registry_init(&hub->registry) == 0, "out of memory");
	for (unsigned i = 0; i < workers; i++) {
		hub->worker[i] = worker_new(hub, i);
		stub_need(hub->worker[i] != NULL, "no worker");
	}
}

/* Ends it; nothing may be left of the logs. */
static inline void stub_hub_free(struct hub *hub)
{
	for (unsigned i = 0; i < hub->nworkers; i++)
		worker_free(hub->worker[i]);
	registry_free(&hub->registry);
	json_paths_free(hub->control);
	keys_free(hub->keys);
	stub_need(atomic_load(&hub->memory.used) == 0, "memory of logs is left");
}

#endif

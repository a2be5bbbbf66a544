/* Sends what is due. Invariant: an instant is always computed from the start, so what is late once
 * makes nothing after it late. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "json/envelope.h"
#include "play.h"

#define TURN_MAX 512 /* messages sent in one turn of the loop */

/* --- connections */

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	static const int statuses[] = {
	    [CLIENT_LEFT] = EX_OK,	   [CLIENT_UNREACHABLE] = EX_UNAVAILABLE,
	    [CLIENT_REFUSED] = EX_NOPERM,  [CLIENT_REJECTED] = EX_UNAVAILABLE,
	    [CLIENT_FAILED] = EX_SOFTWARE,
	};
	struct outlet *o = arg;
	struct play *p = o->p;

	(void)c;
	if (s->state == CLIENT_WAITING)
		play_say(p, "%s: %s; trying again", p->where, s->reason);
	if (s->state == CLIENT_JOINED && s->again) {
		play_say(p, "%zu messages may be in the session twice: the hub does not know us",
			 s->again);
		p->refused++;
	}
	o->joined = s->state == CLIENT_JOINED;
	if (o->joined && !p->started)
		player_start(p);
	if (s->state != CLIENT_CLOSED)
		return;
	o->closed = true;
	if (s->end != CLIENT_LEFT)
		play_say(p, "%s: %s", p->where, s->reason);
	play_end(p, s->close_code == 1009 ? EX_DATAERR : statuses[s->end]);
}

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct outlet *o = arg;

	if (!j->again || !j->new_log || !client_acked(c))
		return;
	play_say(o->p, "%s: the hub began anew, without what was played before", j->session);
	o->p->refused++;
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct outlet *o = arg;

	(void)c;
	if (m->kind != CLIENT_HUB || strcmp(m->type, "error") != 0)
		return;
	/* The first ones tell what the others would. */
	if (o->p->refused++ < 10)
		play_say(o->p, "hub: %s: %s", m->code, m->about);
}

static void on_batch(struct client *c, void *arg)
{
	struct outlet *o = arg;

	if (o->p->o.lockstep && !client_unconfirmed(c))
		player_go(o->p);
}

static void on_writable(struct client *c, void *arg)
{
	struct outlet *o = arg;

	(void)c;
	o->p->blocked = false;
	player_go(o->p);
}

static void on_drained(struct client *c, void *arg)
{
	struct play *p = ((struct outlet *)arg)->p;

	(void)c;
	/* From the loop: what is said in here leaves a turn later. */
	if (++p->drained == p->noutlets)
		play_end(p, 0);
}

static void *need(void *memory)
{
	if (!memory)
		err_die(EX_OSERR, "out of memory");
	return memory;
}

static struct outlet *outlet_new(struct play *p)
{
	static const struct client_events events = {
	    .state = on_state,
	    .joined = on_joined,
	    .message = on_message,
	    .batch = on_batch,
	    .writable = on_writable,
	    .drained = on_drained,
	};
	struct client_options options = {.url = &p->url, .acks = p->o.lockstep, .queue = 4 << 20};
	struct outlet *o = need(calloc(1, sizeof(*o)));

	o->client = need(client_new(&p->loop, &options, &events, o));
	o->p = p;
	o->next = p->outlets;
	p->outlets = o;
	p->noutlets++;
	client_start(o->client);
	return o;
}

struct target *player_target(struct play *p, const char *session, size_t len)
{
	static const struct client_place place = {.no_echo = true};
	struct target *t, **link = &p->targets;

	while ((t = *link) && (strlen(t->session) != len || memcmp(t->session, session, len) != 0))
		link = &t->next;
	if (t) {
		/* To the front: the next message is often for the same one. */
		*link = t->next;
		t->next = p->targets;
		p->targets = t;
		return t;
	}
	t = need(calloc(1, sizeof(*t)));
	t->session = need(calloc(1, len + 1));
	memcpy(t->session, session, len);
	t->outlet = p->outlets && p->outlets->n < CLIENT_SESSIONS_MAX ? p->outlets : outlet_new(p);
	if (client_join(t->outlet->client, t->session, &place) < 0)
		err_die(EX_OSERR, "cannot join %s", t->session);
	t->outlet->n++;
	t->next = p->targets;
	p->targets = t;
	return t;
}

/* --- the next line */

static bool timed(const struct play *p)
{
	return !p->o.fast && !p->o.lockstep;
}

static uint64_t due_ns(const struct play *p)
{
	double us = p->due_us > p->base_us ? (double)(p->due_us - p->base_us) : 0;

	return p->base_ns + (uint64_t)(us * 1000 / p->o.speed);
}

/* Has the next line ready, with its time. False at the end of the last round. */
bool player_line(struct play *p)
{
	struct recording_line line;
	uint64_t us;

	while (!p->has_line) {
		if (!reel_next(&p->reel, &line, &us)) {
			if (--p->loops == 0 || !p->reel.any || reel_open(&p->reel) != 0)
				return false;
			/* The next round begins where this one ends. */
			p->base_ns = due_ns(p);
			p->rebase = true;
			continue;
		}
		p->reel.any = true;
		p->made.len = p->made_sent = 0;
		message_make(p, &line);
		if (!p->made.len)
			continue;
		p->due_us = us;
		p->to = p->o.as ? player_target(p, p->o.as, strlen(p->o.as))
				: player_target(p, line.session.p, line.session.len);
		p->has_line = true;
		if (p->rebase)
			p->base_us = us;
		p->rebase = false;
	}
	return true;
}

/* Sends what is made of the line. False where there is no room. */
static bool player_send(struct play *p)
{
	while (p->made_sent < p->made.len) {
		const char *text = p->made.data + p->made_sent;
		size_t len =
		    (size_t)((const char *)memchr(text, '\n', p->made.len - p->made_sent) - text);
		int r = client_send(p->to->outlet->client, text, len);

		if (r == -EAGAIN) {
			p->blocked = true;
			return false;
		}
		p->made_sent += len + 1;
		if (r < 0) {
			play_say(p, "a message cannot be sent: %s", strerror(-r));
			p->refused++;
			continue;
		}
		p->sent++;
		if (timed(p) && p->nbatch < sizeof(p->batch) / sizeof(p->batch[0]))
			p->batch[p->nbatch++] = due_ns(p);
	}
	p->has_line = false;
	return true;
}

static void on_idle(uv_idle_t *idle)
{
	player_go(idle->data);
}

void player_go(struct play *p)
{
	uv_idle_stop(&p->idle);
	if (!p->started || p->paused || p->blocked || p->ending || p->draining)
		return;
	for (int i = 0; i < TURN_MAX; i++) {
		if (!player_line(p)) {
			play_sent(p);
			return;
		}
		if (timed(p) && due_ns(p) > clock_mono_ns()) {
			pace_at(&p->pace, due_ns(p));
			return;
		}
		if (!player_send(p))
			return;
		if (p->o.lockstep)
			return;
	}
	uv_idle_start(&p->idle, on_idle);
}

static void on_due(struct pace *pace)
{
	player_go(pace->data);
}

/* Runs behind the clients' own, which hand over to the kernel what was sent in this turn: libuv
 * calls first what was started last. */
static void on_left(uv_prepare_t *prepare)
{
	struct play *p = prepare->data;
	uint64_t now;

	if (!p->nbatch)
		return;
	now = clock_mono_ns();
	for (size_t i = 0; i < p->nbatch; i++)
		hist_add(&p->late, now > p->batch[i] ? now - p->batch[i] : 0);
	p->nbatch = 0;
}

/* --- what is asked for */

int player_init(struct play *p)
{
	int r = pace_init(&p->pace, &p->loop, on_due, p);

	uv_idle_init(&p->loop, &p->idle);
	uv_prepare_init(&p->loop, &p->left);
	p->idle.data = p->left.data = p;
	uv_prepare_start(&p->left, on_left);
	uv_unref((uv_handle_t *)&p->left);
	return r;
}

void player_start(struct play *p)
{
	p->started = true;
	p->base_ns = clock_mono_ns();
	p->base_us = p->has_line ? p->due_us : 0;
	uv_idle_start(&p->idle, on_idle);
}

void player_pause(struct play *p, bool paused)
{
	uint64_t now = clock_mono_ns();

	if (p->paused == paused)
		return;
	p->paused = paused;
	if (paused) {
		p->paused_ns = now;
		pace_stop(&p->pace);
		return;
	}
	p->base_ns += now - p->paused_ns;
	player_go(p);
}

/* The time that is played now. */
uint64_t player_position_us(const struct play *p)
{
	uint64_t now = p->paused ? p->paused_ns : clock_mono_ns();

	if (!p->started || p->draining || !timed(p) || now < p->base_ns)
		return p->due_us;
	return p->base_us + (uint64_t)((double)(now - p->base_ns) / 1000 * p->o.speed);
}

void player_seek(struct play *p, int64_t by_us)
{
	uint64_t to, at = player_position_us(p);

	if (!p->started || p->draining)
		return;
	to = by_us < 0 && (uint64_t)-by_us > at ? 0 : at + (uint64_t)by_us;
	if (!reel_seek(&p->reel, to))
		return;
	p->has_line = false;
	p->base_us = to;
	p->base_ns = clock_mono_ns();
	p->paused_ns = p->base_ns;
	player_go(p);
}

uint64_t player_behind_ns(const struct play *p)
{
	uint64_t now = clock_mono_ns();

	if (!timed(p) || !p->has_line || p->paused || due_ns(p) > now)
		return 0;
	return now - due_ns(p);
}

void player_close(struct play *p)
{
	uv_close((uv_handle_t *)&p->idle, NULL);
	uv_close((uv_handle_t *)&p->left, NULL);
	pace_close(&p->pace);
	while (p->targets) {
		struct target *t = p->targets;

		p->targets = t->next;
		free(t->session);
		free(t);
	}
	while (p->outlets) {
		struct outlet *o = p->outlets;

		p->outlets = o->next;
		client_free(o->client);
		free(o);
	}
	buf_free(&p->made);
	buf_free(&p->line);
}

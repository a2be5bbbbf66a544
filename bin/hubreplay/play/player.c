/* Sends what is due. Invariant: an instant is always computed from the start, so what is late once
 * makes nothing after it late. */
#include "play/player.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define TURN_MAX 512 /* messages sent in one turn of the loop */

/* --- the next line */

static uint64_t due_ns(const struct player *p)
{
	double us = p->due_us > p->base_us ? (double)(p->due_us - p->base_us) : 0;

	return p->base_ns + (uint64_t)(us * 1000 / p->speed);
}

/* Where a line is sent to. */
static struct target *player_target(struct player *p, const struct recording_line *line)
{
	if (p->as)
		return outlets_target(&p->outlets, p->as, strlen(p->as));
	if (!line->session.p)
		err_die(EX_DATAERR, "line %llu names no session: --as SESSION says which it is",
			(unsigned long long)line->number);
	return outlets_target(&p->outlets, line->session.p, line->session.len);
}

/* Jumps over what is too long of the time between the last message and one at us. */
static void player_skip(struct player *p, uint64_t us)
{
	if (!p->rebase && us > p->due_us && us - p->due_us > p->max_gap_us)
		p->base_us += us - p->due_us - p->max_gap_us;
}

/* Has the next line ready, with its time. False at the end of the last round. */
static bool player_line(struct player *p)
{
	struct recording_line line;
	uint64_t us;

	while (!p->has_line) {
		if (!reel_next(&p->reel, &line, &us)) {
			if (--p->loops == 0 || !p->any || reel_open(&p->reel) != 0)
				return false;
			/* The next round begins where this one ends. */
			p->base_ns = due_ns(p);
			p->rebase = true;
			continue;
		}
		p->any = true;
		p->made_sent = 0;
		sendable_make(&p->sendable, &line);
		if (!p->sendable.made.len)
			continue;
		player_skip(p, us);
		p->due_us = us;
		p->to = player_target(p, &line);
		p->has_line = true;
		if (p->rebase)
			p->base_us = us;
		p->rebase = false;
	}
	return true;
}

/* Sends what is made of the line. False where there is no room. */
static bool player_send(struct player *p)
{
	const struct buf *made = &p->sendable.made;

	while (p->made_sent < made->len) {
		const char *text = made->data + p->made_sent;
		size_t len =
		    (size_t)((const char *)memchr(text, '\n', made->len - p->made_sent) - text);
		int r = outlets_send(p->to, text, len);

		if (r == -EAGAIN) {
			p->blocked = true;
			return false;
		}
		p->made_sent += len + 1;
		if (r < 0) {
			losses_add(p->losses, 1, "a message cannot be sent: %s", strerror(-r));
			continue;
		}
		p->sent++;
		if (p->timed && p->nbatch < sizeof(p->batch) / sizeof(p->batch[0]))
			p->batch[p->nbatch++] = due_ns(p);
	}
	p->has_line = false;
	return true;
}

/* All is sent: waits for the acks. */
static void player_sent(struct player *p)
{
	p->state = PLAYER_SENT;
	if (!outlets_drain(&p->outlets))
		p->ended(p, 0);
}

static void on_idle(uv_idle_t *idle);

/* Sends what is due. */
static void player_go(struct player *p)
{
	uv_idle_stop(&p->idle);
	if (p->state != PLAYER_GOING || p->paused || p->blocked || p->stopped)
		return;
	for (int i = 0; i < TURN_MAX; i++) {
		if (!player_line(p)) {
			player_sent(p);
			return;
		}
		if (p->timed && due_ns(p) > clock_mono_ns()) {
			pace_at(&p->pace, due_ns(p));
			return;
		}
		if (!player_send(p) || p->lockstep)
			return;
	}
	uv_idle_start(&p->idle, on_idle);
}

/* --- what comes */

static void on_idle(uv_idle_t *idle)
{
	player_go(idle->data);
}

static void on_due(struct pace *pace)
{
	player_go(pace->data);
}

/* Runs behind the clients' own, which hand over to the kernel what was sent in this turn: libuv
 * calls first what was started last. */
static void on_left(uv_prepare_t *prepare)
{
	struct player *p = prepare->data;
	uint64_t now;

	if (!p->nbatch)
		return;
	now = clock_mono_ns();
	for (size_t i = 0; i < p->nbatch; i++)
		hist_add(&p->late, now > p->batch[i] ? now - p->batch[i] : 0);
	p->nbatch = 0;
}

static void on_joined(void *arg)
{
	struct player *p = arg;

	if (p->state != PLAYER_NEW)
		return;
	p->state = PLAYER_GOING;
	p->base_ns = clock_mono_ns();
	p->base_us = p->has_line ? p->due_us : 0;
	uv_idle_start(&p->idle, on_idle);
}

static void on_answered(void *arg)
{
	player_go(arg);
}

static void on_writable(void *arg)
{
	struct player *p = arg;

	p->blocked = false;
	player_go(p);
}

static void on_drained(void *arg)
{
	struct player *p = arg;

	p->ended(p, 0);
}

static void on_closed(void *arg, int status)
{
	struct player *p = arg;

	p->ended(p, status);
}

/* --- what is asked for */

int player_init(struct player *p, uv_loop_t *loop)
{
	static const struct outlets_events events = {.joined = on_joined,
						     .answered = on_answered,
						     .writable = on_writable,
						     .drained = on_drained,
						     .closed = on_closed};
	int r = pace_init(&p->pace, loop, on_due, p);

	p->outlets.events = &events;
	p->outlets.arg = p;
	uv_idle_init(loop, &p->idle);
	uv_prepare_init(loop, &p->left);
	p->idle.data = p->left.data = p;
	uv_prepare_start(&p->left, on_left);
	uv_unref((uv_handle_t *)&p->left);
	return r;
}

void player_begin(struct player *p)
{
	if (!player_line(p))
		player_sent(p);
}

void player_pause(struct player *p, bool paused)
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

uint64_t player_position_us(const struct player *p)
{
	uint64_t now = p->paused ? p->paused_ns : clock_mono_ns();

	if (p->state != PLAYER_GOING || !p->timed || now < p->base_ns)
		return p->due_us;
	return p->base_us + (uint64_t)((double)(now - p->base_ns) / 1000 * p->speed);
}

void player_seek(struct player *p, int64_t by_us)
{
	uint64_t to, at = player_position_us(p);

	if (p->state != PLAYER_GOING)
		return;
	to = by_us < 0 && (uint64_t)-by_us > at ? 0 : at + (uint64_t)by_us;
	if (!reel_seek(&p->reel, to))
		return;
	p->has_line = false;
	p->base_us = p->due_us = to;
	p->base_ns = clock_mono_ns();
	p->paused_ns = p->base_ns;
	player_go(p);
}

uint64_t player_behind_ns(const struct player *p)
{
	uint64_t now = clock_mono_ns();

	if (!p->timed || !p->has_line || p->paused || due_ns(p) > now)
		return 0;
	return now - due_ns(p);
}

void player_stop(struct player *p)
{
	size_t left = outlets_unconfirmed(&p->outlets);

	p->stopped = true;
	if (left)
		losses_add(p->losses, left, "messages not known to have reached the hub: %zu",
			   left);
	outlets_stop(&p->outlets);
}

void player_close(struct player *p)
{
	uv_close((uv_handle_t *)&p->idle, NULL);
	uv_close((uv_handle_t *)&p->left, NULL);
	pace_close(&p->pace);
	outlets_free(&p->outlets);
}

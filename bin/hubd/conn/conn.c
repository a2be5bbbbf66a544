/* Invariant: what is in `out` leaves before anything else is written; a connection is in the wheel
 * until it is freed. */
#include "conn/conn.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "wire/blob.h"

#define OUT_PAUSE (64 * 1024) /* bytes of answers at which a peer's input is stopped */
#define OUT_MAX (1024 * 1024) /* bytes at which a peer counts as slow, beside one message */

static uint32_t now_s(struct conn *c)
{
	return (uint32_t)(worker_now_ms(c->worker) / 1000);
}

static uint32_t check(struct conn *c, uint32_t at_s);

static void check_again(struct conn *c)
{
	wheel_set(&c->worker->wheel, &c->timer, check(c, now_s(c)));
}

struct conn *conn_new(struct worker *w, const struct door *door, void *handle, uint32_t born)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->worker = w;
	c->door = door;
	c->handle = handle;
	c->born = born;
	randombytes_buf(&c->id, sizeof(c->id));
	c->heard_s = now_s(c);
	check_again(c);
	return c;
}

/* --- receiving */

static struct conn_input *input_of(struct conn *c)
{
	if (!c->input)
		c->input = calloc(1, sizeof(*c->input));
	return c->input;
}

static void free_input(struct conn *c)
{
	if (!c->input)
		return;
	buf_free(&c->input->part);
	buf_free(&c->input->held);
	free(c->input);
	c->input = NULL;
}

struct buf *conn_part(struct conn *c)
{
	return input_of(c) ? &c->input->part : NULL;
}

void conn_part_done(struct conn *c)
{
	if (!c->input)
		return;
	buf_free(&c->input->part);
	if (!c->input->held.len)
		free_input(c);
}

void conn_heard(struct conn *c)
{
	c->heard_s = now_s(c);
	c->pinged = false;
}

/* Keeps a message for conn_release(). The door was told to stop, so there are few. */
static void keep(struct conn *c, const char *text, size_t len)
{
	struct conn_input *in = input_of(c);

	if (in && in->held.len + len > OUT_MAX + c->worker->conns->max_message)
		conn_close(c, CLOSE_TOO_LARGE, "too many messages at a time");
	else if (!in || buf_put(&in->held, &len, sizeof(len)) < 0 ||
		 buf_put(&in->held, text, len) < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
}

static enum hub_code take(struct conn *c, const char *text, size_t len)
{
	enum hub_code code = c->door->dialect->take(c, text, len);

	if (code == HUB_BAD_TEXT && c->door->utf8)
		conn_close(c, CLOSE_BAD_TEXT, "text that is not UTF-8");
	return code;
}

enum hub_code conn_receive(struct conn *c, const char *text, size_t len)
{
	conn_heard(c);
	if (c->closing)
		return HUB_OK;
	if (!c->held)
		return take(c, text, len);
	keep(c, text, len);
	return HUB_OK;
}

static void set_paused(struct conn *c)
{
	bool paused = c->held || c->out.len > OUT_PAUSE;

	if (c->paused == paused)
		return;
	c->paused = paused;
	c->door->pause(c, paused);
}

void conn_hold(struct conn *c)
{
	c->held = true;
	set_paused(c);
}

void conn_release(struct conn *c)
{
	struct buf held = {0};
	size_t at = 0, len;

	/* At the end of the hub it is not heard again. */
	c->held =
	    c->finishing && atomic_load_explicit(&c->worker->all->draining, memory_order_relaxed);
	if (c->input) {
		held = c->input->held;
		c->input->held = (struct buf){0};
		if (!c->input->part.len)
			free_input(c);
	}
	for (; at < held.len && !c->closing && !c->held; at += len) {
		memcpy(&len, held.data + at, sizeof(len));
		at += sizeof(len);
		take(c, held.data + at, len);
	}
	if (at < held.len && !c->closing) {
		if (input_of(c) && buf_put(&c->input->held, held.data + at, held.len - at) == 0)
			;
		else
			conn_close(c, CLOSE_INTERNAL, "out of memory");
	}
	buf_free(&held);
	if (!c->closing)
		set_paused(c);
}

void conn_busy(struct conn *c)
{
	c->busy++;
}

void conn_idle(struct conn *c)
{
	c->busy--;
	if (c->gone)
		worker_later(c->worker, TURN_REAP, &c->reap);
	else if (c->finishing) /* it may have waited for nothing else */
		worker_later(c->worker, TURN_CONNECTIONS, &c->flush);
}

/* --- sending */

bool conn_write(struct conn *c, const void *data, size_t len)
{
	int r = c->door->write(c, data, len);

	counter_add(&c->worker->counters, sent_bytes, len);
	if (r == 0)
		return true;
	if (r < 0) {
		conn_close(c, 0, "write failed");
		return false;
	}
	c->blocked = true;
	c->blocked_s = now_s(c);
	check_again(c);
	return false;
}

void conn_flush(struct conn *c)
{
	if (c->closing || c->blocked || !c->out.len)
		return;
	conn_write(c, c->out.data, c->out.len);
	buf_free(&c->out);
	if (!c->closing)
		set_paused(c);
}

void conn_send(struct conn *c, const char *text, size_t len)
{
	if (c->closing)
		return;
	if (c->door->encoding->message(&c->out, text, len, 0) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	worker_later(c->worker, TURN_CONNECTIONS, &c->flush);
	if (c->out.len > OUT_PAUSE)
		set_paused(c);
	if (c->out.len > OUT_MAX + c->worker->conns->max_message) {
		counter_add(&c->worker->counters, slow_disconnects, 1);
		conn_close(c, CLOSE_SLOW, "too slow: too many messages wait to be read");
	}
}

void conn_send_scratch(struct conn *c, struct buf *b, int r)
{
	if (r < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	else
		conn_send(c, b->data, b->len);
	worker_scratch_done(c->worker, b);
}

void conn_error(struct conn *c, enum hub_code code, const char *message, struct span msg_id)
{
	struct buf *b = worker_scratch(c->worker);

	counter_add(&c->worker->counters, errors, 1);
	conn_send_scratch(c, b, c->door->dialect->error(b, code, message, msg_id));
}

/* --- ending */

void conn_progress(struct conn *c)
{
	if (!c->closing)
		c->blocked_s = now_s(c);
}

void conn_close(struct conn *c, enum close_code code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	c->code = (unsigned)code & 0x1fff;
	c->reason = reason;
	worker_later(c->worker, TURN_REAP, &c->reap);
}

void conn_abort(struct conn *c)
{
	conn_close(c, 0, "aborted");
	c->code = 0;
	if (c->closed && !c->gone)
		c->door->abort(c);
}

void conn_gone(struct conn *c)
{
	c->gone = true;
	c->closing = true;
	c->handle = NULL;
	worker_later(c->worker, TURN_REAP, &c->reap);
}

static void conn_free(struct conn *c)
{
	wheel_remove(&c->timer);
	blob_unref(c->info);
	buf_free(&c->out);
	free_input(c);
	free(c);
}

void conn_end(struct conn *c)
{
	if (c->gone) {
		if (c->busy)
			return; /* conn_idle() */
		if (c->flush.next)
			worker_next_turn(c->worker, TURN_REAP, &c->reap);
		else
			conn_free(c);
		return;
	}
	if (c->closed)
		return;
	c->closed = true;
	if (!c->code) {
		c->door->abort(c);
		return;
	}
	if (!c->blocked && c->out.len)
		c->blocked = c->door->write(c, c->out.data, c->out.len) != 0;
	buf_free(&c->out);
	if (c->paused)
		c->door->pause(c, false); /* its answer to our close is to be heard */
	c->blocked_s = now_s(c);
	check_again(c);
	c->door->close(c, c->code, c->reason);
}

/* --- timers */

static uint32_t seconds_until(uint32_t since_s, double after, uint32_t at_s)
{
	uint32_t due = since_s + (uint32_t)(after + 0.999);

	return due > at_s ? due - at_s : 0;
}

static void give_up(struct conn *c, const char *reason)
{
	counter_add(&c->worker->counters, dead, 1);
	conn_close(c, 0, reason);
}

/* Returns in how many seconds to look again. */
static uint32_t check(struct conn *c, uint32_t at_s)
{
	const struct conn_settings *set = c->worker->conns;
	uint32_t next = UINT32_MAX, left;

	if (c->closing || c->blocked) {
		next = seconds_until(c->blocked_s, set->write_timeout, at_s);
		if (next == 0) {
			if (c->closing && c->closed && !c->gone)
				c->door->abort(c);
			else if (!c->closing)
				give_up(c, "write timeout");
			return 1;
		}
	}
	if (c->closing || !c->door->pings || set->ping <= 0)
		return next;
	left = seconds_until(c->heard_s, set->pong, at_s);
	if (left == 0) {
		give_up(c, "no sign of life");
		return 1;
	}
	next = left < next ? left : next;
	left = seconds_until(c->heard_s, set->ping, at_s);
	if (left == 0 && c->blocked) {
		next = 1;
	} else if (left == 0 && !c->pinged) {
		int r;

		c->pinged = true;
		r = c->door->ping(c);
		if (r < 0)
			conn_close(c, 0, "write failed");
		else if (r > 0 && !c->blocked) {
			c->blocked = true;
			c->blocked_s = at_s;
			next = 1;
		}
	} else if (left) {
		next = left < next ? left : next;
	}
	return next;
}

static struct conn *conn_of(struct wheel_entry *e)
{
	return (struct conn *)(void *)((char *)e - offsetof(struct conn, timer));
}

uint32_t conn_due(struct wheel_entry *e, uint32_t at_s)
{
	return check(conn_of(e), at_s);
}

/* --- all of a worker */

struct each {
	void (*each)(struct conn *c, void *arg);
	void *arg;
};

static void each_one(struct wheel_entry *e, void *arg)
{
	const struct each *each = arg;

	each->each(conn_of(e), each->arg);
}

void conns_each(struct worker *w, void (*each)(struct conn *c, void *arg), void *arg)
{
	wheel_each(&w->wheel, each_one, &(struct each){each, arg});
}

static void abort_one(struct conn *c, void *arg)
{
	(void)arg;
	conn_abort(c);
}

void conns_abort(struct worker *w)
{
	conns_each(w, abort_one, NULL);
}

/* Invariant: what is in `out` leaves before anything else is written; a connection is in the wheel
 * until it is freed. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "conn/conn_impl.h"
#include "loop/sends.h"
#include "wire/blob.h"

#define OUT_MAX (1024 * 1024) /* bytes at which a peer counts as slow, beside one message */

_Static_assert(HUB_RULE_FAILED < BY_CODE_N, "each code has a counter");

static uint32_t now_s(struct conn *c)
{
	return (uint32_t)(worker_now_ms(c->worker) / 1000);
}

static uint32_t check(struct conn *c, uint32_t at_s, bool due);

void conn_check(struct conn *c)
{
	wheel_set(&c->worker->wheel, &c->timer, check(c, now_s(c), false));
}

_Static_assert(CONN_ID_KEY_LEN == crypto_shorthash_KEYBYTES, "the key of ids");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "an id is a hash");

/* No two are at one place, with one number, within a millisecond; and the hash spares a system call
 * for each. */
static uint64_t new_id(const struct conn *c)
{
	uint64_t from[3] = {(uintptr_t)c, c->born, worker_now_ms(c->worker)}, id;

	crypto_shorthash((unsigned char *)&id, (const unsigned char *)from, sizeof(from),
			 c->worker->conns->id_key);
	return id;
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
	c->id = new_id(c);
	c->heard_s = now_s(c);
	c->since_s = c->heard_s & 0x3fffffff;
	conn_check(c);
	conn_log(c, ERR_DEBUG, JOURNAL_come, "connected");
	return c;
}

/* --- receiving */

void conn_heard(struct conn *c)
{
	c->heard_s = now_s(c);
	c->pinged = false;
}

enum hub_code conn_receive(struct conn *c, const char *text, size_t len)
{
	conn_heard(c);
	counter_add_at(&c->worker->counters, received, c->door->counted, 1);
	enum hub_code code;

	if (c->closing)
		return HUB_OK;
	code = c->door->dialect->take(c, text, len);
	if (!c->door->trusted)
		meter_message(c, len);
	return code;
}

void conn_hold(struct conn *c)
{
	c->held = true;
	conn_set_paused(c);
}

void conn_release(struct conn *c)
{
	/* At the end of the hub it is not heard again. */
	c->held =
	    c->finishing && atomic_load_explicit(&c->worker->all->draining, memory_order_relaxed);
	if (!c->closing)
		conn_set_paused(c);
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

/* What is queued has been handed on, or is for nobody. */
static void drop_out(struct conn *c)
{
	counter_sub_at(&c->worker->counters, memory, MEMORY_ANSWERS, c->out.len);
	buf_free(&c->out);
}

bool conn_write(struct conn *c, const void *data, size_t len)
{
	int r = c->door->write(c, data, len);

	if (r != 0)
		conn_written(c, r);
	return r == 0;
}

bool conn_write_soon(struct conn *c, const void *data, size_t len)
{
	int r;

	if (!c->door->write_soon)
		return conn_write(c, data, len);
	r = c->door->write_soon(c, data, len);
	if (r != 0)
		conn_written(c, r);
	return r == 0;
}

void conn_written(struct conn *c, int r)
{
	if (r < 0) {
		conn_close(c, 0, "write failed");
		return;
	}
	c->blocked = true;
	c->blocked_s = now_s(c);
	conn_check(c);
}

void conn_flush(struct conn *c)
{
	if (c->closing || c->blocked || !c->out.len)
		return;
	conn_write_soon(c, c->out.data, c->out.len);
	counter_sub_at(&c->worker->counters, memory, MEMORY_ANSWERS, c->out.len);
	sends_keep(c->worker->sends, c->out.data, free);
	c->out = (struct buf){0};
	if (!c->closing)
		conn_set_paused(c);
}

/* Something was queued behind so many bytes. */
static void queued(struct conn *c, size_t before, int r)
{
	if (r < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	counter_add_at(&c->worker->counters, sent, c->door->counted, 1);
	counter_add_at(&c->worker->counters, memory, MEMORY_ANSWERS, c->out.len - before);
	worker_later(c->worker, TURN_CONNECTIONS, &c->flush);
	if (c->out.len <= CONN_OUT_PAUSE)
		return;
	conn_set_paused(c);
	if (c->out.len > OUT_MAX + c->worker->conns->max_message) {
		counter_add(&c->worker->counters, slow_disconnects, 1);
		conn_close(c, CLOSE_SLOW, "too slow: too many messages wait to be read");
	} else if (!c->door->trusted && conn_over(c->worker, c->out.len)) {
		conn_close(c, CLOSE_SLOW, CONN_OVER);
	}
}

void conn_send(struct conn *c, const char *text, size_t len)
{
	size_t before = c->out.len;

	if (!c->closing)
		queued(c, before, c->door->encoding->message(&c->out, text, len));
}

void conn_last_word(struct conn *c, const char *text, size_t len)
{
	size_t before = c->out.len;

	if (c->gone || c->closed || c->door->encoding->message(&c->out, text, len) < 0)
		return;
	counter_add_at(&c->worker->counters, sent, c->door->counted, 1);
	counter_add_at(&c->worker->counters, memory, MEMORY_ANSWERS, c->out.len - before);
}

void conn_queue(struct conn *c, const void *data, size_t len)
{
	size_t before = c->out.len;

	if (!c->closing)
		queued(c, before, buf_put(&c->out, data, len));
}

void conn_send_scratch(struct conn *c, struct buf *b, int r)
{
	if (r < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	else
		conn_send(c, b->data, b->len);
	worker_scratch_done(c->worker, b);
}

/* Whether the client could have known that it would be refused. */
static bool is_fault(enum hub_code code)
{
	switch (code) {
	case HUB_NOT_MEMBER:
	case HUB_RATE_LIMITED:
	case HUB_SESSION_FULL:
	case HUB_HUB_FULL:
	case HUB_STORE_FULL:
	case HUB_IN_USE:
	case HUB_BANS_FULL:
	case HUB_SHUTTING_DOWN:
	case HUB_HELD:
	case HUB_CONFLICT:
	case HUB_RULE_FAILED:
	case HUB_INTERNAL:
	case HUB_UNAVAILABLE:
		return false;
	default:
		return true;
	}
}

/* Whether it is the hub's trouble, or follows from an earlier refusal: a client that has a whole
 * window under way gets as many of these. */
static bool is_hubs_own(enum hub_code code)
{
	return code == HUB_INTERNAL || code == HUB_UNAVAILABLE || code == HUB_SHUTTING_DOWN ||
	       code == HUB_HELD;
}

void conn_error(struct conn *c, enum hub_code code, const char *message, struct span msg_id)
{
	struct buf *b = worker_scratch(c->worker);

	conn_error_made(c, code, b, c->door->dialect->error(b, code, message, msg_id));
}

void conn_error_made(struct conn *c, enum hub_code code, struct buf *b, int r)
{
	conn_send_scratch(c, b, r);
	conn_error_said(c, code);
}

void conn_error_said(struct conn *c, enum hub_code code)
{
	unsigned strikes;

	counter_add_at(&c->worker->counters, errors, code, 1);
	if (c->door->trusted || c->closing)
		return;
	if (!meter_error(c, !is_hubs_own(code), &strikes))
		return;
	if (is_fault(code) || strikes > METER_STRIKES) {
		counter_add(&c->worker->counters, closed_errors, 1);
		conn_close(c, CLOSE_POLICY, "too many errors");
	} else {
		meter_slow(c, WORKER_DELAY_MS, "more refusals than it may cause");
	}
}

void conn_set_door(struct conn *c, const struct door *door)
{
	c->door = door;
}

void conn_requeue(struct conn *c, const void *data, size_t len)
{
	drop_out(c);
	if (len && buf_put(&c->out, data, len) < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	counter_add_at(&c->worker->counters, memory, MEMORY_ANSWERS, c->out.len);
}

/* --- ending */

void conn_progress(struct conn *c)
{
	c->blocked_s = now_s(c);
}

/* The end of the hub is no news of each. */
static void log_close(struct conn *c)
{
	if (c->code == CLOSE_NORMAL)
		conn_log(c, ERR_INFO, JOURNAL_gone, "%s",
			 *c->reason ? c->reason : "closed by the client");
	else if (c->code != CLOSE_RESTART)
		conn_log(c, c->code == CLOSE_SLOW || c->code == CLOSE_POLICY ? ERR_WARN : ERR_INFO,
			 JOURNAL_close, "%u %s", c->code, c->reason);
}

void conn_close(struct conn *c, enum close_code code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	c->code = (unsigned)code & 0x1fff;
	c->reason = reason;
	log_close(c);
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
	if (!c->closing)
		conn_log(c, ERR_INFO, JOURNAL_gone, "lost");
	c->gone = true;
	c->closing = true;
	c->handle = NULL;
	worker_later(c->worker, TURN_REAP, &c->reap);
}

void conn_replaced(struct conn *c)
{
	c->closing = true;
	conn_gone(c);
}

static void conn_free(struct conn *c)
{
	wheel_remove(&c->timer);
	drop_out(c);
	meter_trim(c, true); /* charges its user for the rest */
	conn_self_free(c);
	conn_input_free(c);
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
	if ((!c->blocked || c->door->fetched) && c->out.len)
		c->blocked = c->door->write(c, c->out.data, c->out.len) != 0;
	drop_out(c);
	if (c->paused)
		c->door->pause(c, false); /* its answer to our close is to be heard */
	c->blocked_s = now_s(c);
	conn_check(c);
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

static void ping(struct conn *c, uint32_t at_s)
{
	int r = c->door->ping(c);

	if (r < 0)
		conn_close(c, 0, "write failed");
	else if (r > 0 && !c->blocked) {
		c->blocked = true;
		c->blocked_s = at_s;
	}
}

/* Of a door whose peers never say anything: heard_s is when the last ping was sent. */
static uint32_t keep_alive(struct conn *c, uint32_t at_s, uint32_t next)
{
	double every = c->worker->conns->ping;
	uint32_t left;

	if (every > c->door->keep_s)
		every = c->door->keep_s;
	left = seconds_until(c->heard_s, every, at_s);
	if (left == 0) {
		c->heard_s = at_s;
		if (!c->blocked)
			ping(c, at_s);
		left = c->blocked ? 1 : seconds_until(at_s, every, at_s);
	}
	return left < next ? left : next;
}

/* A token that ends: that is told when its time is due, and not between a message and its answer.
 * Returns in how many seconds to look again. */
static uint32_t check_token(struct conn *c, uint32_t at_s, bool due)
{
	uint32_t end_s = identity_end_s(c->identity), left;
	struct buf *b;

	if (!end_s)
		return UINT32_MAX;
	if (at_s >= end_s) {
		conn_close(c, CLOSE_UNAUTHENTICATED, "the token has ended");
		return UINT32_MAX;
	}
	left = end_s - at_s;
	if (c->warned)
		return left;
	if (left > IDENTITY_WARN_S + TOKEN_LEEWAY)
		return left - (IDENTITY_WARN_S + TOKEN_LEEWAY);
	if (!due)
		return 1;
	c->warned = true;
	if (c->door->dialect->expiring) {
		b = worker_scratch(c->worker);
		conn_send_scratch(c, b, c->door->dialect->expiring(b, identity_exp(c->identity)));
	}
	return left;
}

/* What it could come back with gets old. Returns in how many seconds to look again. */
static uint32_t check_given(struct conn *c, uint32_t at_s)
{
	uint64_t half_s = c->worker->conns->resume_ms / 2000;
	struct buf *b;

	if (!c->worker->conns->resume_ms || !c->door->dialect->resume)
		return UINT32_MAX;
	if (at_s - c->given_s >= half_s) {
		c->given_s = at_s;
		b = worker_scratch(c->worker);
		conn_send_scratch(c, b, c->door->dialect->resume(b, c));
	}
	half_s -= half_s < at_s - c->given_s ? half_s : at_s - c->given_s;
	return half_s > UINT32_MAX ? UINT32_MAX : (uint32_t)half_s;
}

/* Returns in how many seconds to look again. */
static uint32_t check(struct conn *c, uint32_t at_s, bool due)
{
	const struct conn_settings *set = c->worker->conns;
	uint32_t next = UINT32_MAX, left;

	if (c->input) /* it is given up as soon as there is nothing in it */
		next = 1;
	if (c->identity && !c->closing) {
		left = check_token(c, at_s, due);
		next = left < next ? left : next;
	}
	if (c->given_s && !c->closing) {
		left = check_given(c, at_s);
		next = left < next ? left : next;
	}

	if (c->closing || (c->blocked && !c->door->fetched)) {
		left = seconds_until(c->blocked_s, set->write_timeout, at_s);
		next = left < next ? left : next;
		if (left == 0) {
			if (c->closing && c->closed && !c->gone)
				c->door->abort(c);
			else if (!c->closing)
				give_up(c, "write timeout");
			return 1;
		}
	}
	if (c->closing || set->ping <= 0)
		return next;
	if (c->door->keep_s)
		return keep_alive(c, at_s, next);
	if (!c->door->pings)
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
		c->pinged = true;
		ping(c, at_s);
		if (c->blocked)
			next = 1;
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
	meter_trim(conn_of(e), false);
	conn_input_shrink(conn_of(e));
	return check(conn_of(e), at_s, true);
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

/* Sessions of Engine.IO: who they are, and their heartbeat. Invariant: a session is in the table
 * and in the wheel until it has ended. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "door/doors.h"
#include "door/engineio.h"
#include "loop/journal.h"
#include "wire/websocket.h"

#define PING_MS 25000 /* where WebSockets are never pinged: clients rely on it here */
#define TABLE_MIN 64  /* a power of two */

/* The wheel's unit: short enough for the times that are asked for. */
#define UNIT_MIN_MS 10
#define UNIT_MAX_MS 250

struct engineios {
	struct wheel beats;
	uv_timer_t timer; /* runs while there are sessions */
	uint32_t unit_ms;
	struct engineio **table; /* chained */
	uint32_t size, n;	 /* size: a power of two */
};

static uint32_t now_ms(struct worker *w)
{
	return (uint32_t)worker_now_ms(w);
}

/* --- the worker's */

int engineio_start(struct worker *w)
{
	struct engineios *all = calloc(1, sizeof(*all));

	if (all)
		all->table = calloc(TABLE_MIN, sizeof(struct engineio *));
	if (!all || !all->table) {
		free(all);
		return -ENOMEM;
	}
	all->size = TABLE_MIN;
	uv_timer_init(worker_loop(w), &all->timer);
	all->timer.data = w;
	w->doors->engineio = all;
	return 0;
}

void engineio_stop(struct worker *w)
{
	struct engineios *all = w->doors->engineio;

	if (!uv_is_closing((uv_handle_t *)&all->timer))
		uv_close((uv_handle_t *)&all->timer, NULL);
}

void engineio_free(struct worker *w)
{
	struct engineios *all = w->doors->engineio;

	if (!all)
		return;
	free(all->table);
	free(all);
	w->doors->engineio = NULL;
}

/* --- the table */

static uint32_t hash_of(const unsigned char *secret)
{
	uint32_t hash; /* it is random */

	memcpy(&hash, secret, sizeof(hash));
	return hash;
}

static struct engineio **bucket_of(struct engineios *all, const unsigned char *secret)
{
	return &all->table[hash_of(secret) & (all->size - 1)];
}

/* Where memory is out the chains just grow longer. */
static void table_grow(struct engineios *all)
{
	struct engineio **old = all->table;
	struct engineio **table = calloc(2 * (size_t)all->size, sizeof(struct engineio *));
	uint32_t size = all->size;

	if (!table)
		return;
	all->table = table;
	all->size *= 2;
	for (uint32_t i = 0; i < size; i++) {
		struct engineio *e = old[i];

		while (e) {
			struct engineio *next = e->next, **at = bucket_of(all, e->secret);

			e->next = *at;
			*at = e;
			e = next;
		}
	}
	free(old);
}

struct engineio *engineio_find(struct worker *w, const struct engineio_sid *sid)
{
	struct engineio *e;

	if (sid->worker != w->index)
		return NULL;
	e = *bucket_of(w->doors->engineio, sid->secret);
	while (e && CRYPTO_memcmp(e->secret, sid->secret, ENGINEIO_SID_BYTES) != 0)
		e = e->next;
	return e;
}

/* --- the heartbeat */

static struct engineio *session_of(struct wheel_entry *beat)
{
	return (struct engineio *)(void *)((char *)beat - offsetof(struct engineio, beat));
}

/* In units, rounded up. */
static uint32_t units(const struct engineios *all, int32_t ms)
{
	return ms <= 0 ? 1 : ((uint32_t)ms + all->unit_ms - 1) / all->unit_ms;
}

/* Over a WebSocket with a close frame, which clients take for an end, and not for an error. */
static void give_up(struct engineio *e, const char *why)
{
	counter_add(&e->conn->worker->counters, dead, 1);
	conn_close(e->conn, e->carrier->polled ? 0 : CLOSE_NORMAL, why);
}

/* Another packet than the answer to a ping puts the end off, but only the answer brings the next
 * ping. The timer comes somewhat late by itself, which does not make the session live longer; where
 * it is more than that its client is to have the time to answer. */
static void check_ping(struct engineio *e, uint32_t now)
{
	uint32_t unit_ms = e->conn->worker->doors->engineio->unit_ms;

	if (!e->pinged) {
		conn_queue(e->conn, e->carrier->ping, e->carrier->ping_len);
		e->pinged = true;
		e->due = (now - e->due <= 3 * unit_ms ? e->due : now) + e->pong_ms;
	} else if ((int32_t)(now - e->heard - e->pong_ms) < 0) {
		e->due = e->heard + e->pong_ms;
	} else {
		give_up(e, "no answer to a ping");
	}
}

/* Returns in how many units to look again. */
static uint32_t check(struct engineio *e)
{
	struct worker *w = e->conn->worker;
	uint32_t now = now_ms(w);
	int32_t left;

	if (e->conn->closing)
		return UINT32_MAX;
	if (e->connects && (int32_t)(now - e->connected) >= 0) {
		e->connects = false;
		if (!e->io.joins) {
			conn_close(e->conn, CLOSE_POLICY, "connected to no namespace in time");
			return UINT32_MAX;
		}
	}
	if ((int32_t)(now - e->due) >= 0)
		check_ping(e, now);
	left = (int32_t)(e->due - now);
	if (e->connects && (int32_t)(e->connected - now) < left)
		left = (int32_t)(e->connected - now);
	return units(w->doors->engineio, left);
}

bool engineio_is_over(struct engineio *e)
{
	uint32_t now = now_ms(e->conn->worker);

	if (e->pinged && !e->conn->closing && (int32_t)(now - e->due) >= 0)
		check_ping(e, now);
	return e->conn->closing && !e->conn->code;
}

static uint32_t due(struct wheel_entry *beat, uint32_t now)
{
	(void)now;
	return check(session_of(beat));
}

static void on_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	struct engineios *all = w->doors->engineio;

	wheel_advance(&all->beats, (uint32_t)(worker_now_ms(w) / all->unit_ms), due);
}

static void look_again(struct engineio *e)
{
	struct engineios *all = e->conn->worker->doors->engineio;

	wheel_set(&all->beats, &e->beat, check(e));
}

/* The first session of a worker sets how exact its times are. */
static void start_timer(struct engineio *e)
{
	struct worker *w = e->conn->worker;
	struct engineios *all = w->doors->engineio;
	uint32_t least = e->ping_ms < e->pong_ms ? e->ping_ms : e->pong_ms;

	all->unit_ms = least / 100 < UNIT_MIN_MS   ? UNIT_MIN_MS
		       : least / 100 > UNIT_MAX_MS ? UNIT_MAX_MS
						   : least / 100;
	all->beats.at = (uint32_t)(worker_now_ms(w) / all->unit_ms);
	uv_timer_start(&all->timer, on_timer, all->unit_ms, all->unit_ms);
}

/* --- the door */

static int door_write(struct conn *c, const void *data, size_t len)
{
	struct engineio *e = c->handle;

	return e ? e->carrier->write(e, data, len) : -ENOTCONN;
}

static int door_write_soon(struct conn *c, const void *data, size_t len)
{
	struct engineio *e = c->handle;

	if (!e || !e->carrier->write_soon)
		return door_write(c, data, len);
	return e->carrier->write_soon(e, data, len);
}

static void door_pause(struct conn *c, bool paused)
{
	struct engineio *e = c->handle;

	if (e)
		e->carrier->pause(e, paused);
}

static void door_close(struct conn *c, enum close_code code, const char *reason)
{
	struct engineio *e = c->handle;

	if (e)
		e->carrier->close(e, code, reason);
}

static void door_abort(struct conn *c)
{
	struct engineio *e = c->handle;

	if (e)
		e->carrier->abort(e);
}

static void door_peer(struct conn *c, struct address *a)
{
	struct engineio *e = c->handle;

	e->carrier->peer(e, a);
}

static bool door_counts(struct conn *c, struct address *a)
{
	struct engineio *e = c->handle;

	return e->carrier->counts(e, a);
}

#define DOOR(carrier, offsets, says)                                                     \
	{                                                                                \
		.counted = COUNT_SOCKETIO, .fetched = (carrier) == PACKETS_POLLED,       \
		.encoding = &encoding_packets[carrier][offsets], .dialect = &(says),     \
		.write = door_write, .write_soon = door_write_soon, .pause = door_pause, \
		.close = door_close, .abort = door_abort, .peer = door_peer,             \
		.counts = door_counts,                                                   \
	}
#define DOORS_OF(carrier)                                                                      \
	[carrier] = {                                                                          \
	    {DOOR(carrier, 0, socketio_dialect), DOOR(carrier, 0, socketio_dialect_presence)}, \
	    {DOOR(carrier, 1, socketio_dialect), DOOR(carrier, 1, socketio_dialect_presence)}}

static const struct door doors[PACKET_CARRIERS][2][2] = {
    DOORS_OF(PACKETS_FRAMES), DOORS_OF(PACKETS_TEXT), DOORS_OF(PACKETS_POLLED)};

static const struct door echoes[PACKET_CARRIERS] = {
    [PACKETS_FRAMES] = DOOR(PACKETS_FRAMES, 0, socketio_echo),
    [PACKETS_TEXT] = DOOR(PACKETS_TEXT, 0, socketio_echo),
    [PACKETS_POLLED] = DOOR(PACKETS_POLLED, 0, socketio_echo)};

static const struct door *door_of(const struct engineio *e, bool echo)
{
	enum packet_carrier carrier = e->carrier->polled ? PACKETS_POLLED
				      : e->base64	 ? PACKETS_TEXT
							 : PACKETS_FRAMES;

	return echo ? &echoes[carrier] : &doors[carrier][e->offsets][e->presence];
}

static void choose(struct conn *c, bool offsets, bool presence)
{
	struct engineio *e = c->handle;

	e->offsets = offsets;
	e->presence = presence;
	conn_set_door(c, door_of(e, false));
}

void engineio_carry(struct engineio *e, const struct engineio_carrier *carrier)
{
	e->carrier = carrier;
	conn_set_door(e->conn, door_of(e, e->conn->door->dialect == &socketio_echo));
}

/* --- life */

static void set_times(struct engineio *e, struct worker *w, bool nobody)
{
	const struct conn_settings *set = w->conns;
	uint32_t now = now_ms(w), wait = w->doors->set->socketio_connect_ms;

	e->ping_ms = set->ping > 0 ? (uint32_t)(set->ping * 1000 + 0.5) : PING_MS;
	e->pong_ms = (uint32_t)(set->pong * 1000 + 0.5) - (set->ping > 0 ? e->ping_ms : 0);
	if (nobody && wait > AUTHENTICATE_S * 2000)
		wait = AUTHENTICATE_S * 2000;
	e->connected = now + wait;
	e->due = now + e->ping_ms;
	e->heard = now;
}

struct engineio *engineio_new(struct worker *w, const struct engineio_carrier *carrier,
			      struct identity *id, bool base64)
{
	struct engineios *all = w->doors->engineio;
	struct engineio *e = calloc(1, sizeof(*e)), **at;
	bool echo = w->doors->set->socketio_echo;
	const char *why;

	if (!e || RAND_bytes(e->secret, sizeof(e->secret)) != 1)
		goto fail;
	e->carrier = carrier;
	e->io.choose = choose;
	e->offsets = true;
	e->base64 = base64;
	e->connects = !echo;
	set_times(e, w, id == &identity_none);
	e->conn = conn_new(w, door_of(e, echo), e, workers_number(w->all));
	if (!e->conn)
		goto fail;
	if (id && member_identify(e->conn, id, &why) != HUB_OK) {
		conn_gone(e->conn);
		goto fail;
	}
	if (all->n++ == 0)
		start_timer(e);
	if (all->n > all->size)
		table_grow(all);
	at = bucket_of(all, e->secret);
	e->next = *at;
	*at = e;
	look_again(e);
	return e;
fail:
	free(e);
	return NULL;
}

void engineio_later(struct engineio *e)
{
	worker_later(e->conn->worker, TURN_POLLS, &e->turn);
}

/* Its session has ended. */
static void end_probe(struct engineio_probe *p)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];
	struct stream *s = p->stream;

	p->session = NULL;
	if (stream_write(s, frame, websocket_put_close(frame, CLOSE_NORMAL, "")) < 0)
		stream_abort(s);
	else
		stream_finish(s);
}

void engineio_end(struct engineio *e)
{
	struct worker *w = e->conn->worker;
	struct engineios *all = w->doors->engineio;
	struct engineio **link = bucket_of(all, e->secret);

	if (e->ended)
		return;
	e->ended = true;
	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	wheel_remove(&e->beat);
	if (--all->n == 0)
		uv_timer_stop(&all->timer);
	if (e->probe)
		end_probe(e->probe);
	socketio_end(e->conn, &e->io);
	conn_gone(e->conn);
	worker_later(w, TURN_POLLS, &e->turn);
}

void engineio_turn(struct worker *w, struct turn_entry *entry)
{
	struct engineio *e =
	    (struct engineio *)(void *)((char *)entry - offsetof(struct engineio, turn));

	(void)w;
	if (e->ended)
		free(e);
	else
		e->carrier->turn(e);
}

/* --- packets */

int engineio_put_hello(const struct engineio *e, struct buf *out)
{
	struct engineio_sid sid = {.worker = e->conn->worker->index};
	char text[ENGINEIO_SID_LEN + 1];
	struct engineio_open open = {.sid = text,
				     .upgrades = e->carrier->polled,
				     .ping_ms = e->ping_ms,
				     .pong_ms = e->pong_ms,
				     .max_payload = e->conn->worker->conns->max_message};

	memcpy(sid.secret, e->secret, sizeof(sid.secret));
	engineio_sid_text(&sid, text);
	return engineio_put_open(out, &open);
}

static void take_message(struct conn *c, struct http1_span text)
{
	if (conn_receive(c, text.p, text.len) == HUB_BAD_TEXT)
		conn_close(c, CLOSE_BAD_TEXT, "text that is not UTF-8");
}

bool engineio_receive(struct engineio *e, struct http1_span packet)
{
	struct conn *c = e->conn;
	struct http1_span data;

	e->heard = now_ms(c->worker);
	switch (engineio_packet(packet, &data)) {
	case ENGINEIO_MESSAGE:
		take_message(c, data);
		break;
	case ENGINEIO_BINARY:
		take_message(c, packet);
		break;
	case ENGINEIO_PONG:
		conn_heard(c);
		e->pinged = false;
		e->due = e->heard + e->ping_ms;
		look_again(e);
		break;
	case ENGINEIO_CLOSE:
		conn_close(c, CLOSE_NORMAL, "closed by the client");
		break;
	case ENGINEIO_PING:
		conn_close(c, CLOSE_POLICY, "a ping of a client: the hub pings");
		break;
	case ENGINEIO_BAD:
		conn_close(c, CLOSE_POLICY, "no packet of Engine.IO");
		break;
	case ENGINEIO_OPEN: /* these mean nothing here */
	case ENGINEIO_UPGRADE:
	case ENGINEIO_NOOP:
		break;
	}
	return !c->closing;
}

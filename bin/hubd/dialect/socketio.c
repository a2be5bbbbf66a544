/* What a packet means: an event becomes a record, which others see by whatever door. Invariant:
 * while attachments are awaited nothing else is taken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/act.h"
#include "dialect/hub7.h"
#include "dialect/message.h"
#include "dialect/socketio_impl.h"
#include "json/json.h"
#include "member/absent.h"
#include "session/publish.h"
#include "wire/id.h"

#define WHY_MAX 256 /* bytes of an error's message */

static struct span span_of(struct http1_span s)
{
	return (struct span){s.p, s.len};
}

/* --- events */

/* Appends the message that an event is, with its binary values in it. Returns 0, -ENOMEM, or as
 * socketio_fill(). */
static int put_message(struct buf *out, const struct socketio_event *e,
		       const struct http1_span *attachments, unsigned n, size_t max)
{
	bool number = *e->name.p != '"';
	int r = buf_puts(out, number ? "{\"type\":\"" : "{\"type\":");

	if (r == 0)
		r = buf_put(out, e->name.p, e->name.len);
	if (r == 0)
		r = buf_puts(out, number ? "\"" : "");
	if (r == 0)
		r = buf_puts(out, e->object ? ",\"data\":" : ",\"args\":[");
	if (r == 0)
		r = n ? socketio_fill(out, e->args, attachments, n, max)
		      : buf_put(out, e->args.p, e->args.len);
	return r == 0 ? buf_puts(out, e->object ? "}" : "]}") : r;
}

/* So that a record of a type that hub7 takes for itself is one there, too. */
static int mark_record(struct buf *message, struct envelope *e, char *why)
{
	message->len--;
	if (buf_puts(message, ",\"record\":{}}") < 0)
		return -ENOMEM;
	return envelope_parse(e, message->data, message->len, why, WHY_MAX) == HUB_OK ? 0 : -EINVAL;
}

/* A try again comes under another id, and ids begin anew: no two messages are the same. */
static uint64_t number_message(struct conn *c)
{
	char text[64]; /* as a msg_id is written */
	int len = snprintf(text, sizeof(text), "\"%x-%x-%jx\"", ++socketio_of(c)->acked, c->born,
			   (uintmax_t)worker_wall_ms(c->worker));

	return dedup_hash(c->worker->hub7->secret, c->id, (struct span){text, (size_t)len});
}

/* Of a type that has a file of rules. Says itself what was wrong. */
static enum hub_code on_ruled(struct conn *c, struct seat *seat, const struct envelope *e,
			      const struct rules_file *f, struct span address, bool acked)
{
	struct act_event event = {.file = f,
				  .event = e->type,
				  .own_fields = true,
				  .session = session_name(seat->m.session),
				  .msg_id = address,
				  .acked = acked};
	struct buf *b = worker_scratch(c->worker);
	const char *why = "out of memory";
	enum hub_code code = HUB_INTERNAL;

	if (acked)
		event.msg = number_message(c);
	if (envelope_strip(e, b) == 0)
		code = member_may(c, RIGHT_TYPES, (struct span){0}, e->type, &why);
	if (code == HUB_OK) {
		event.args = (struct span){b->data, b->len};
		code = act_on(c, &event);
	} else {
		conn_error(c, code, why, address);
	}
	worker_scratch_done(c->worker, b);
	return code;
}

static enum hub_code publish(struct conn *c, struct seat *seat, struct buf *message,
			     struct span address, bool acked, const char **why, char *room,
			     bool *told)
{
	const struct identity *id = conn_identity(c);
	struct span session = session_name(seat->m.session);
	struct publication p = {.tags = {.sender = c->id, .acked = acked}};
	char from[ID_LEN + 1], key[ENVELOPE_KEY_MAX];
	const struct rules *rules = c->worker->hub7->rules;
	const struct rules_file *f;
	struct envelope e;
	enum hub_code code = envelope_parse(&e, message->data, message->len, room, WHY_MAX);
	struct buf *b;

	*why = room;
	if (code != HUB_OK)
		return code;
	f = rules ? rules_find(rules, e.type) : NULL;
	if (f) {
		*told = true;
		return on_ruled(c, seat, &e, f, address, acked);
	}
	*why = "out of memory";
	if (envelope_control_type(e.type) && mark_record(message, &e, room) < 0)
		return HUB_INTERNAL;
	if (acked)
		p.tags.msg = number_message(c);
	id_text(c->id, from);
	b = worker_scratch(c->worker);
	if (envelope_record(&e, b, session, worker_wall_ms(c->worker), (struct span){from, ID_LEN},
			    identity_user(id)) < 0) {
		code = HUB_INTERNAL;
	} else {
		p.body = (struct span){b->data, b->len};
		code = message_record(c->worker, &e, key, &p, why);
	}
	if (code == HUB_OK)
		code = member_publish(seat, &p, address, why);
	worker_scratch_done(c->worker, b);
	if (code == HUB_CONFLICT) {
		*told = true;
		message_refused(c, code, *why, p.current, address);
	}
	return code;
}

/* False where the client's own parser would not have taken it. */
static bool name_ok(struct http1_span name)
{
	char room[ENVELOPE_TYPE_MAX];
	int n = *name.p == '"' ? json_unescape(name.p + 1, name.len - 2, room, sizeof(room)) : -1;

	return n < 0 || !socketio_reserved(room, (size_t)n);
}

/* Whether the client is in a namespace no more that it was in: it may not have heard of that yet.
 */
static bool is_late(const struct conn *c)
{
	uint32_t now = 0;

	for (const struct seat *seat = c->seats; seat; seat = seat->next)
		now += !seat->leaving && !seat->above;
	return socketio_of(c)->joins > now;
}

static enum hub_code on_event(struct conn *c, const struct socketio_packet *p,
			      const struct http1_span *attachments, unsigned n)
{
	size_t max = c->worker->conns->max_message;
	struct http1_span session = {NULL, 0};
	struct span address = span_of(p->address);
	struct seat *seat = NULL;
	struct socketio_event e;
	struct json_scan scan;
	enum hub_code code;
	const char *wrong, *why = NULL;
	char room[WHY_MAX];
	bool told = false;
	struct buf *b;
	int r;

	switch (json_scan(NULL, p->payload.p ? p->payload.p : "", p->payload.len, NULL, &scan)) {
	case JSON_OK:
		break;
	case JSON_TOO_DEEP:
		conn_error(c, HUB_BAD_JSON, json_strerror(JSON_TOO_DEEP), address);
		return HUB_BAD_JSON;
	default:
		socketio_break(c, "an event whose payload is no JSON");
		return HUB_BAD_JSON;
	}
	wrong = socketio_event(p->payload, &e);
	if (!wrong && !name_ok(e.name))
		wrong = "an event with a name that is not for events";
	if (wrong) {
		socketio_break(c, wrong);
		return HUB_BAD_FIELD;
	}
	if (socketio_session(p->nsp, &session))
		seat = socketio_seat(c, span_of(session));
	if (!seat) {
		if (!is_late(c))
			socketio_break(c, "an event for a namespace that it is not connected to");
		return HUB_NOT_MEMBER;
	}
	b = worker_scratch(c->worker);
	r = put_message(b, &e, attachments, n, max);
	if (r == -EINVAL)
		socketio_break(c, "a placeholder without an attachment");
	if (r < 0)
		code = r == -EMSGSIZE ? HUB_TOO_LARGE : r == -EINVAL ? HUB_BAD_FIELD : HUB_INTERNAL;
	else
		code = publish(c, seat, b, address, p->id.p != NULL, &why, room, &told);
	worker_scratch_done(c->worker, b);
	if (code != HUB_OK && r != -EINVAL && !told)
		conn_error(c, code,
			   why			   ? why
			   : code == HUB_TOO_LARGE ? "the event is longer than the hub takes"
						   : "out of memory",
			   address);
	return code;
}

/* --- binary */

static void drop_half(struct conn *c, struct socketio *io)
{
	if (!io->half)
		return;
	counter_sub_at(&c->worker->counters, memory, MEMORY_HALF, io->half->bytes.len);
	buf_free(&io->half->bytes);
	free(io->half);
	io->half = NULL;
}

/* Adds a packet's text, or an attachment of it. False where the connection ends for it. */
static bool add_half(struct conn *c, struct socketio *io, const char *text, size_t len)
{
	struct socketio_half *half = io->half;

	if (half->bytes.len + len > c->worker->conns->max_message) {
		conn_close(c, CLOSE_TOO_LARGE,
			   "a packet and its attachments are longer than the "
			   "hub takes");
		return false;
	}
	if (!c->door->trusted && conn_over(c->worker, half->bytes.len + len)) {
		conn_close(c, CLOSE_SLOW, CONN_OVER);
		return false;
	}
	if (buf_put(&half->bytes, text, len) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return false;
	}
	counter_add_at(&c->worker->counters, memory, MEMORY_HALF, len);
	return true;
}

static enum hub_code begin_half(struct conn *c, struct socketio *io, const char *text, size_t len,
				unsigned want)
{
	io->half = calloc(1, sizeof(*io->half));
	if (!io->half) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return HUB_INTERNAL;
	}
	io->half->want = want;
	add_half(c, io, text, len);
	io->half->end[0] = io->half->bytes.len;
	return HUB_OK;
}

/* All of it has come. */
static enum hub_code take_whole(struct conn *c, struct socketio *io)
{
	struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX];
	struct socketio_half *half = io->half;
	const char *bytes = half->bytes.data;
	struct socketio_packet p;
	enum hub_code code = HUB_OK;

	socketio_parse((struct http1_span){bytes, half->end[0]}, &p);
	for (unsigned i = 0; i < half->have; i++)
		attachments[i] =
		    (struct http1_span){bytes + half->end[i], half->end[i + 1] - half->end[i]};
	io->half = NULL; /* what is done with it may end the connection */
	if (p.type == SOCKETIO_BINARY_EVENT)
		code = on_event(c, &p, attachments, half->have);
	counter_sub_at(&c->worker->counters, memory, MEMORY_HALF, half->bytes.len);
	buf_free(&half->bytes);
	free(half);
	return code;
}

static enum hub_code take_attachment(struct conn *c, struct socketio *io, const char *base64,
				     size_t len)
{
	struct socketio_half *half = io->half;

	if (!half) {
		socketio_break(c, "binary data that no packet has announced");
		return HUB_BAD_FIELD;
	}
	if (!add_half(c, io, base64, len))
		return HUB_TOO_LARGE;
	half->end[++half->have] = half->bytes.len;
	return half->have == half->want ? take_whole(c, io) : HUB_OK;
}

/* --- packets */

/* It expects no answer. What it is due there it has given up. */
static void on_disconnect(struct conn *c, struct socketio *io, const struct socketio_packet *p)
{
	struct http1_span session;
	struct seat *seat =
	    socketio_session(p->nsp, &session) ? seat_find_any(c, span_of(session)) : NULL;
	struct socketio_back **link = &io->back, *back;

	if (!seat || seat->above) {
		if (!is_late(c))
			socketio_break(c, "a DISCONNECT from a namespace that it is not in");
		return;
	}
	while ((back = *link)) {
		if (back->seat == seat) {
			*link = back->next;
			free(back);
		} else {
			link = &back->next;
		}
	}
	if (!c->door->trusted)
		meter_work(c, METER_JOIN, METER_JOINS);
	act_left(c, seat, CLOSE_NORMAL, "the client has left the namespace");
	seat_free(seat);
}

static enum hub_code take_packet(struct conn *c, struct socketio *io, const char *text, size_t len)
{
	struct socketio_packet p;
	const char *wrong = io->half ? "a packet where an attachment was to come"
				     : socketio_parse((struct http1_span){text, len}, &p);

	if (!wrong && !io->joins && p.type != SOCKETIO_CONNECT)
		wrong = "the first packet is no CONNECT";
	if (wrong) {
		socketio_break(c, wrong);
		return HUB_BAD_FIELD;
	}
	switch (p.type) {
	case SOCKETIO_CONNECT:
		socketio_connect(c, &p);
		break;
	case SOCKETIO_DISCONNECT:
		on_disconnect(c, io, &p);
		break;
	case SOCKETIO_EVENT:
		return on_event(c, &p, NULL, 0);
	case SOCKETIO_ACK: /* the hub asks for none */
		break;
	case SOCKETIO_BINARY_EVENT:
	case SOCKETIO_BINARY_ACK:
		return begin_half(c, io, text, len, p.attachments);
	case SOCKETIO_CONNECT_ERROR:
		socketio_break(c, "a CONNECT_ERROR of a client");
		break;
	}
	return HUB_OK;
}

static enum hub_code take(struct conn *c, const char *text, size_t len)
{
	struct socketio *io = socketio_of(c);

	if (!io)
		return HUB_OK;
	if (len && *text == 'b')
		return take_attachment(c, io, text + 1, len - 1);
	return take_packet(c, io, text, len);
}

void socketio_end(struct conn *c, struct socketio *io)
{
	struct socketio_back *back;

	drop_half(c, io);
	while ((back = io->back)) {
		io->back = back->next;
		free(back);
	}
}

/* Each namespace ends by itself. */
static void ending(struct conn *c)
{
	const char *reason = c->reason ? c->reason : "";

	for (struct seat *seat = c->seats; seat; seat = seat->next)
		if (!seat->above) {
			if (c->code != CLOSE_REPLACED && c->code != CLOSE_SENT_AWAY)
				absent_note(seat);
			act_left(c, seat, c->code, reason);
		}
}

/* --- an echo */

static enum hub_code send_back(struct conn *c, const char *text, size_t len)
{
	conn_send(c, text, len);
	return HUB_OK;
}

#define DIALECT                                                                                    \
	.rooms = true, .ending = ending, .take = take, .joined = socketio_joined,                  \
	.refused = socketio_refused, .caught_up = socketio_caught_up, .at_head = socketio_at_head, \
	.parting = socketio_parting, .error = socketio_error, .conflict = socketio_conflict,       \
	.ack = socketio_ack, .reply = socketio_reply, .error_named = socketio_error_named,         \
	.refusal = socketio_refusal, .gap = socketio_gap, .left = socketio_left,                   \
	.place = socketio_place, .skipped = socketio_skipped, .area_left = socketio_area_left,     \
	.forget = socketio_forget, .restored = socketio_restored

const struct dialect socketio_dialect = {DIALECT};
const struct dialect socketio_dialect_presence = {DIALECT, .presence = socketio_presence,
						  .status = socketio_status};
const struct dialect socketio_echo = {.take = send_back, .error = socketio_error};

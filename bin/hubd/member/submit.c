/* Publishing, and the acks of what was published. Invariant: acks_due counts the waits of the seat
 * that have not come back. */
#include <stdlib.h>
#include <string.h>

#include "member/member_impl.h"
#include "session/members.h"
#include "session/publish.h"
#include "session/stored.h"

#define ACKS_MAX 4096 /* due to one seat at which it is slowed; refused at twice as many */

/* An ack that waits for its record to be stored; without a msg_id only a refusal is told. */
struct ack {
	struct stored_wait wait; /* first */
	uint64_t client;
	uint32_t len;
	char msg_id[]; /* raw JSON */
};

static void send_ack(struct conn *c, struct session *s, uint64_t seq, struct span msg_id)
{
	struct buf *b = worker_scratch(c->worker);

	counter_add(&c->worker->counters, acks, 1);
	conn_send_scratch(c, b, c->door->dialect->ack(b, s->id, seq, msg_id));
}

/* What could not be known when it was taken. */
static void send_refusal(struct seat *seat, const struct ack *ack)
{
	struct conn *c = seat->conn;
	const struct dialect *dialect = c->door->dialect;
	struct span msg_id = {ack->len ? ack->msg_id : NULL, ack->len};
	enum hub_code code = ack->wait.code;
	struct buf *b = worker_scratch(c->worker);

	if (seat->ordered && hub_code_passes(code))
		seat->held = true;
	conn_error_made(
	    c, code, b,
	    code == HUB_CONFLICT && dialect->conflict
		? dialect->conflict(b, ack->wait.seq, msg_id)
		: dialect->error(b, code, ack->wait.why ? ack->wait.why : "refused", msg_id));
}

static void on_stored(struct worker *w, struct mail *mail)
{
	struct ack *ack = (struct ack *)mail;
	struct session *s = ack->wait.session;
	struct member *m = session_find(s, ack->client, ack->wait.version, w->index);

	if (m) {
		struct seat *seat = seat_of(m);

		if (ack->wait.code != HUB_OK)
			send_refusal(seat, ack);
		else if (ack->len)
			send_ack(seat->conn, s, ack->wait.seq,
				 (struct span){ack->msg_id, ack->len});
		if (--seat->acks_due == 0 && seat->leaving)
			deliver_leave(seat);
	}
	session_unref(s);
	free(ack);
}

static struct ack *new_ack(struct seat *seat, struct span msg_id)
{
	struct ack *ack = malloc(sizeof(*ack) + msg_id.len);

	if (!ack)
		return NULL;
	*ack = (struct ack){.wait = {.done = {.run = on_stored},
				     .worker = seat->conn->worker,
				     .version = seat->m.version},
			    .client = seat->m.client,
			    .len = (uint32_t)msg_id.len};
	memcpy(ack->msg_id, msg_id.p, msg_id.len);
	return ack;
}

static const char *reason(const struct session *s, enum hub_code code, const struct published *out)
{
	struct archive *a = s->env->archive;
	const char *failing = a ? a->failing(a) : NULL;

	if (out->why)
		return out->why;
	if (code == HUB_SESSION_FULL)
		return "the session's state holds as many keys as the hub allows, in all or of one "
		       "client";
	if (code == HUB_HUB_FULL)
		return "the hub has no room left for more state";
	if (code == HUB_STORE_FULL)
		return s->full ? "the session has its share of the store"
			       : "the store holds as much as the hub allows";
	if (code == HUB_NOT_MEMBER)
		return "state can be its sender's own where the sender is in the session";
	if (code == HUB_NOT_FOUND)
		return "the session was deleted";
	if (code == HUB_RATE_LIMITED && out->over)
		return "more is published to the session than its limit allows";
	if (code == HUB_RATE_LIMITED)
		return "the store does not keep up with this session";
	if (failing)
		return failing;
	return a ? "out of memory, or the store does not keep up" : "out of memory";
}

enum hub_code submit_record(struct session *s, struct worker *w, struct publication *p,
			    struct published *out, const char **why)
{
	enum hub_code code = session_publish(s, p, worker_now_ms(w), out);

	if (code != HUB_OK) {
		*why = reason(s, code, out);
		counter_add(&w->counters, refused_share,
			    code == HUB_RATE_LIMITED || code == HUB_STORE_FULL);
		return code;
	}
	if (!out->repeated) {
		counter_add(&w->counters, records, 1);
		counter_add(&w->counters, record_bytes, p->body.len);
		session_changed(s, w);
	}
	return HUB_OK;
}

enum hub_code member_publish(struct seat *seat, struct publication *p, struct span msg_id,
			     const char **why)
{
	struct session *s = seat->m.session;
	enum hub_code code = member_may(seat->conn, RIGHT_PUBLISH, session_name(s), p->type, why);

	return code == HUB_OK ? submit_seat(seat, p, msg_id, why) : code;
}

enum hub_code submit_seat(struct seat *seat, struct publication *p, struct span msg_id,
			  const char **why)
{
	struct session *s = seat->m.session;
	struct worker *w = seat->conn->worker;
	const struct archive *a = s->env->archive;
	struct ack *ack = NULL;
	struct published out;
	enum hub_code code;

	if ((p->tags.acked || (a && a->offer)) && seat->acks_due >= 2 * ACKS_MAX) {
		*why = "more acks of this connection are due than may be";
		counter_add(&w->counters, refused_share, 1);
		return HUB_RATE_LIMITED;
	}
	if (a && (p->tags.acked || a->offer)) {
		ack = new_ack(seat, p->tags.acked ? msg_id : (struct span){"", 0});
		if (!ack) {
			*why = "out of memory";
			return HUB_INTERNAL;
		}
		p->wait = &ack->wait;
	}
	p->trusted = seat->conn->door->trusted;
	p->member = true;
	code = submit_record(s, w, p, &out, why);
	if (code != HUB_OK) {
		free(ack);
		return code;
	}
	if (out.lags)
		meter_slow(seat->conn, WORKER_DELAY_MS, "the store has much to do for its session");
	if (!out.repeated)
		seat->m.last_sent = out.seq ? out.seq : UINT64_MAX;
	if (p->tags.own == OWN_NEVER)
		seat->others = true;
	if (out.waits) {
		if (++seat->acks_due >= ACKS_MAX)
			meter_slow(seat->conn, WORKER_DELAY_MS, "many of its acks are due");
		return HUB_OK;
	}
	free(ack);
	if (p->tags.acked && !out.waited)
		send_ack(seat->conn, s, out.seq, msg_id);
	return HUB_OK;
}

/* Publishing, and the acks of what was published. Invariant: acks_due counts the waits of the seat
 * that have not come back. */
#include <stdlib.h>
#include <string.h>

#include "member/member.h"

/* An ack that waits for its record to be stored. */
struct ack {
	struct stored_wait wait; /* first */
	uint64_t client;
	uint32_t len;
	char msg_id[]; /* raw JSON */
};

static void send_ack(struct conn *c, struct session *s, uint64_t seq, struct span msg_id)
{
	struct buf *b = worker_scratch(c->worker);

	conn_send_scratch(c, b, c->door->dialect->ack(b, s->id, seq, msg_id));
}

static void on_stored(struct worker *w, struct mail *mail)
{
	struct ack *ack = (struct ack *)mail;
	struct session *s = ack->wait.session;
	struct member *m = session_find(s, ack->client, ack->wait.version, w->index);

	if (m) {
		struct seat *seat = seat_of(m);

		send_ack(seat->conn, s, ack->wait.seq, (struct span){ack->msg_id, ack->len});
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

static const char *reason(const struct session *s, enum hub_code code)
{
	struct archive *a = s->env->archive;
	const char *failing = a ? a->failing(a) : NULL;

	if (code == HUB_SESSION_FULL)
		return "the session's state holds as many keys as the hub allows";
	if (code == HUB_HUB_FULL)
		return "the hub has no room left for more state";
	if (failing)
		return failing;
	return a ? "out of memory, or the store does not keep up" : "out of memory";
}

enum hub_code member_publish(struct seat *seat, struct publication *p, struct span msg_id,
			     const char **why)
{
	struct session *s = seat->m.session;
	struct worker *w = seat->conn->worker;
	struct ack *ack = NULL;
	struct published out;
	enum hub_code code;

	if (p->tags.acked && s->env->archive) {
		ack = new_ack(seat, msg_id);
		if (!ack) {
			*why = "out of memory";
			return HUB_INTERNAL;
		}
		p->wait = &ack->wait;
	}
	code = session_publish(s, p, worker_now_ms(w), &out);
	if (code != HUB_OK) {
		free(ack);
		*why = reason(s, code);
		return code;
	}
	if (!out.repeated) {
		seat->m.last_sent = out.seq;
		counter_add(&w->counters, records, 1);
		counter_add(&w->counters, record_bytes, p->body.len);
		session_changed(s, w);
	}
	if (out.waits) {
		seat->acks_due++;
		return HUB_OK;
	}
	free(ack);
	if (p->tags.acked && !out.waited)
		send_ack(seat->conn, s, out.seq, msg_id);
	return HUB_OK;
}

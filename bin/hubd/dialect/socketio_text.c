/* What members are told, as packets. Session ids and client ids need no escaping. */
#include <string.h>

#include "dialect/hub7_impl.h"
#include "dialect/socketio_impl.h"
#include "wire/id.h"

/* Appends a packet's type and the namespace of a session. */
static int put_head(struct buf *out, enum socketio_type type, const char *session)
{
	int r = buf_printf(out, "%d", (int)type);

	return r == 0 ? socketio_put_place(out, session, strlen(session)) : r;
}

/* Appends the beginning of an event about a session, to the namespace above where it is a room:
 * then the event says which. */
static int put_about(struct buf *out, const char *name, const char *session, const char *above)
{
	int r = put_head(out, SOCKETIO_EVENT, above ? above : session);

	if (r == 0)
		r = buf_printf(out, "[\"%s\",{", name);
	return r == 0 && above ? buf_printf(out, "\"session_id\":\"%s\",", session) : r;
}

/* Appends the code and the message of an error, and the seq of a conflict. */
static int put_reason(struct buf *out, const char *code, const char *message, const uint64_t *seq)
{
	int r = buf_printf(out, "{\"code\":\"%s\",\"message\":", code);

	if (r == 0)
		r = buf_put_json(out, message, strlen(message));
	if (r == 0 && seq)
		r = buf_printf(out, ",\"seq\":%ju", (uintmax_t)*seq);
	return r == 0 ? buf_puts(out, "}") : r;
}

/* To who waits for an ack, as that; else an event. */
static int put_error(struct buf *out, const char *code, const char *message, const uint64_t *seq,
		     struct span address)
{
	bool acked = address.len && http1_digit(address.p[address.len - 1]);
	int r = buf_puts(out, acked ? "3" : "2");

	if (r == 0)
		r = buf_put(out, address.p, address.len);
	if (r == 0)
		r = buf_puts(out, acked ? "[{\"error\":" : "[\"hub:error\",");
	if (r == 0)
		r = put_reason(out, code, message, seq);
	return r == 0 ? buf_puts(out, acked ? "}]" : "]") : r;
}

int socketio_error_named(struct buf *out, const char *code, const char *message,
			 struct span address)
{
	return put_error(out, code, message, NULL, address);
}

int socketio_conflict(struct buf *out, uint64_t seq, struct span address)
{
	char room[HUB7_CONFLICT_MAX];

	return put_error(out, hub_code_name(HUB_CONFLICT), hub7_conflict_text(seq, room), &seq,
			 address);
}

int socketio_error(struct buf *out, enum hub_code code, const char *message, struct span address)
{
	return socketio_error_named(out, hub_code_name(code), message, address);
}

int socketio_reply(struct buf *out, struct span session, struct span value, bool several,
		   struct span address)
{
	int r = buf_puts(out, "3");

	(void)session;
	if (r == 0)
		r = buf_put(out, address.p, address.len);
	if (r == 0 && !several)
		r = buf_puts(out, "[");
	if (r == 0)
		r = buf_put(out, value.p, value.len);
	return r == 0 && !several ? buf_puts(out, "]") : r;
}

int socketio_ack(struct buf *out, const char *session, uint64_t seq, struct span address)
{
	int r = buf_puts(out, "3");

	(void)session;
	if (r == 0)
		r = buf_put(out, address.p, address.len);
	if (r == 0 && !seq) /* it has become no record */
		return buf_puts(out, "[{}]");
	return r == 0 ? buf_printf(out, "[{\"seq\":%ju}]", (uintmax_t)seq) : r;
}

int socketio_gap(struct buf *out, const char *session, const char *above, uint64_t from,
		 uint64_t to)
{
	int r = put_about(out, "hub:gap", session, above);

	return r == 0 ? buf_printf(out, "\"from_seq\":%ju,\"to_seq\":%ju}]", (uintmax_t)from,
				   (uintmax_t)to)
		      : r;
}

int socketio_skipped(struct buf *out, const char *session, uint64_t n)
{
	int r = put_head(out, SOCKETIO_EVENT, session);

	return r == 0 ? buf_printf(out, "[\"hub:skipped\",{\"count\":%ju}]", (uintmax_t)n) : r;
}

int socketio_area_left(struct buf *out, const char *session, struct span left)
{
	int r = put_head(out, SOCKETIO_EVENT, session);

	if (r == 0)
		r = buf_puts(out, "[\"hub:area_left\",");
	if (r == 0)
		r = buf_put(out, left.p, left.len);
	return r == 0 ? buf_puts(out, "]") : r;
}

int socketio_presence(struct buf *out, const char *session, const char *above,
		      const struct session_change *change)
{
	char id[ID_LEN + 1];
	int r = put_about(out, "hub:presence", session, above);

	id_text(change->client, id);
	return r == 0 ? buf_printf(out, "\"client_id\":\"%s\",\"joined\":%s,\"user_count\":%u}]",
				   id, change->joined ? "true" : "false", change->user_count)
		      : r;
}

int socketio_status(struct buf *out, const char *session, const char *above, uint32_t user_count)
{
	int r = put_about(out, "hub:presence", session, above);

	return r == 0 ? buf_printf(out, "\"user_count\":%u}]", user_count) : r;
}

/* The hub has ended it, or a rule. */
int socketio_left(struct buf *out, const char *session, const char *above, uint32_t user_count)
{
	int r;

	if (!above)
		return put_head(out, SOCKETIO_DISCONNECT, session);
	r = put_about(out, "hub:left", session, above);
	return r == 0 ? buf_printf(out, "\"user_count\":%u}]", user_count) : r;
}

/* Clients come back when they lose a connection: not where they are told so first. */
void socketio_parting(struct conn *c)
{
	if (c->code != CLOSE_REPLACED && c->code != CLOSE_SENT_AWAY && c->code != CLOSE_DELETED)
		return;
	for (struct seat *seat = c->seats; seat; seat = seat->next) {
		struct buf *b = worker_scratch(c->worker);

		if (!seat->above && socketio_left(b, seat->m.session->id, NULL, 0) == 0)
			conn_last_word(c, b->data, b->len);
		worker_scratch_done(c->worker, b);
	}
}

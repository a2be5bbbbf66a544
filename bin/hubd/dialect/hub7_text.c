/* What members are told, as JSON. Session ids and client ids need no escaping. */
#include <stdio.h>
#include <string.h>

#include "dialect/hub7_impl.h"
#include "wire/id.h"

/* With a number, where it has a name. */
static int error_with(struct buf *out, const char *code, const char *message, struct span msg_id,
		      const char *name, uint64_t number)
{
	int r = buf_printf(out, "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":", code);

	if (r == 0)
		r = buf_put_json(out, message, strlen(message));
	if (r == 0 && name)
		r = buf_printf(out, ",\"%s\":%ju", name, (uintmax_t)number);
	if (r == 0)
		r = buf_puts(out, msg_id.p ? "},\"msg_id\":" : "}");
	if (r == 0 && msg_id.p)
		r = buf_put(out, msg_id.p, msg_id.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_error_named(struct buf *out, const char *code, const char *message, struct span msg_id)
{
	return error_with(out, code, message, msg_id, NULL, 0);
}

int hub7_error_later(struct buf *out, enum hub_code code, const char *message, struct span msg_id,
		     uint32_t retry_s)
{
	return error_with(out, hub_code_name(code), message, msg_id, retry_s ? "retry_after" : NULL,
			  retry_s);
}

const char *hub7_conflict_text(uint64_t seq, char room[HUB7_CONFLICT_MAX])
{
	if (!seq)
		return "this key has no record";
	snprintf(room, HUB7_CONFLICT_MAX, "the last record of this key is %ju", (uintmax_t)seq);
	return room;
}

int hub7_conflict(struct buf *out, uint64_t seq, struct span msg_id)
{
	char room[HUB7_CONFLICT_MAX];

	return error_with(out, hub_code_name(HUB_CONFLICT), hub7_conflict_text(seq, room), msg_id,
			  "seq", seq);
}

int hub7_error(struct buf *out, enum hub_code code, const char *message, struct span msg_id)
{
	return hub7_error_named(out, hub_code_name(code), message, msg_id);
}

int hub7_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id)
{
	int r = buf_puts(out, msg_id.p ? "{\"type\":\"ack\",\"msg_id\":" : "{\"type\":\"ack\"");

	if (r == 0 && msg_id.p)
		r = buf_put(out, msg_id.p, msg_id.len);
	if (r == 0 && session)
		r = buf_puts(out, ",\"session_id\":\"");
	if (r == 0 && session)
		r = buf_puts(out, session);
	if (r == 0 && session)
		r = buf_puts(out, seq ? "\",\"seq\":" : "\"");
	if (r == 0 && seq)
		r = buf_put_u64(out, seq);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_reply(struct buf *out, struct span session, struct span value, bool several,
	       struct span msg_id)
{
	int r = buf_puts(out, "{\"type\":\"ack\",\"msg_id\":");

	if (r == 0)
		r = buf_put(out, msg_id.p, msg_id.len);
	if (r == 0 && session.len)
		r = buf_printf(out, ",\"session_id\":\"%.*s\"", (int)session.len, session.p);
	if (r == 0)
		r = buf_puts(out, several ? ",\"args\":" : ",\"value\":");
	if (r == 0)
		r = buf_put(out, value.p, value.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_gap(struct buf *out, const char *session, const char *above, uint64_t from, uint64_t to)
{
	(void)above;
	return buf_printf(
	    out, "{\"type\":\"gap\",\"session_id\":\"%s\",\"from_seq\":%ju,\"to_seq\":%ju}",
	    session, (uintmax_t)from, (uintmax_t)to);
}

int hub7_skipped(struct buf *out, const char *session, uint64_t n)
{
	return buf_printf(out, "{\"type\":\"skipped\",\"session_id\":\"%s\",\"count\":%ju}",
			  session, (uintmax_t)n);
}

int hub7_ahead(struct buf *out, const char *session, struct span records)
{
	int r = buf_printf(out, "{\"type\":\"ahead\",\"session_id\":\"%s\",\"records\":", session);

	if (r == 0)
		r = buf_put(out, records.p, records.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_area_left(struct buf *out, const char *session, struct span left)
{
	int r = buf_printf(out, "{\"type\":\"area_left\",\"session_id\":\"%s\",\"left\":", session);

	if (r == 0)
		r = buf_put(out, left.p, left.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_area_entered(struct buf *out, const char *session, uint64_t n, struct span msg_id,
		      bool overtaken)
{
	int r = buf_printf(
	    out, "{\"type\":\"area_entered\",\"session_id\":\"%s\",\"snapshot\":%ju%s%s", session,
	    (uintmax_t)n, overtaken ? ",\"overtaken\":true" : "", msg_id.len ? ",\"msg_id\":" : "");

	if (r == 0)
		r = buf_put(out, msg_id.p, msg_id.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_presence(struct buf *out, const char *session, const char *above,
		  const struct session_change *change)
{
	char id[ID_LEN + 1];

	(void)above;
	id_text(change->client, id);
	return buf_printf(out,
			  "{\"type\":\"%s\",\"session_id\":\"%s\",\"client_id\":\"%s\","
			  "\"user_count\":%u}",
			  change->joined ? "client_connected" : "client_disconnected", session, id,
			  change->user_count);
}

int hub7_status(struct buf *out, const char *session, const char *above, uint32_t user_count)
{
	(void)above;
	return buf_printf(
	    out, "{\"type\":\"connection_status\",\"session_id\":\"%s\",\"user_count\":%u}",
	    session, user_count);
}

int hub7_left(struct buf *out, const char *session, const char *above, uint32_t user_count)
{
	(void)above;
	return buf_printf(out,
			  "{\"type\":\"session_left\",\"session_id\":\"%s\",\"user_count\":%u}",
			  session, user_count);
}

int hub7_expiring(struct buf *out, double exp)
{
	return buf_printf(out, "{\"type\":\"token_expiring\",\"exp\":%.0f}", exp);
}

int hub7_sessions(struct buf *out, struct span names, bool more, bool partial)
{
	int r = buf_puts(out, "{\"type\":\"session_list\",\"sessions\":[");

	if (r == 0 && names.len)
		r = buf_put(out, names.p, names.len);
	if (r == 0)
		r = buf_printf(out, "],\"more\":%s", more ? "true" : "false");
	return r == 0 ? buf_puts(out, partial ? ",\"partial\":true}" : "}") : r;
}

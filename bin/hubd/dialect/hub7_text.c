/* What members are told, as JSON. Session ids and client ids need no escaping. */
#include <string.h>

#include "dialect/hub7.h"
#include "wire/id.h"

int hub7_error(struct buf *out, enum hub_code code, const char *message, struct span msg_id)
{
	int r = buf_printf(
	    out, "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":", hub_code_name(code));

	if (r == 0)
		r = buf_put_json(out, message, strlen(message));
	if (r == 0)
		r = buf_puts(out, msg_id.p ? "},\"msg_id\":" : "}");
	if (r == 0 && msg_id.p)
		r = buf_put(out, msg_id.p, msg_id.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id)
{
	int r = buf_puts(out, "{\"type\":\"ack\",\"msg_id\":");

	if (r == 0)
		r = buf_put(out, msg_id.p, msg_id.len);
	if (r == 0)
		r = buf_puts(out, ",\"session_id\":\"");
	if (r == 0)
		r = buf_puts(out, session);
	if (r == 0)
		r = buf_puts(out, seq ? "\",\"seq\":" : "\"");
	if (r == 0 && seq)
		r = buf_put_u64(out, seq);
	return r == 0 ? buf_puts(out, "}") : r;
}

int hub7_gap(struct buf *out, const char *session, uint64_t from, uint64_t to)
{
	return buf_printf(
	    out, "{\"type\":\"gap\",\"session_id\":\"%s\",\"from_seq\":%ju,\"to_seq\":%ju}",
	    session, (uintmax_t)from, (uintmax_t)to);
}

int hub7_presence(struct buf *out, const char *session, const struct session_change *change)
{
	char id[ID_LEN + 1];

	id_text(change->client, id);
	return buf_printf(out,
			  "{\"type\":\"%s\",\"session_id\":\"%s\",\"client_id\":\"%s\","
			  "\"user_count\":%u}",
			  change->joined ? "client_connected" : "client_disconnected", session, id,
			  change->user_count);
}

int hub7_status(struct buf *out, const char *session, uint32_t user_count)
{
	return buf_printf(
	    out, "{\"type\":\"connection_status\",\"session_id\":\"%s\",\"user_count\":%u}",
	    session, user_count);
}

int hub7_left(struct buf *out, const char *session, uint32_t user_count)
{
	return buf_printf(out,
			  "{\"type\":\"session_left\",\"session_id\":\"%s\",\"user_count\":%u}",
			  session, user_count);
}

int hub7_sessions(struct buf *out, struct span names, bool more)
{
	int r = buf_puts(out, "{\"type\":\"session_list\",\"sessions\":[");

	if (r == 0 && names.len)
		r = buf_put(out, names.p, names.len);
	return r == 0 ? buf_puts(out, more ? "],\"more\":true}" : "],\"more\":false}") : r;
}

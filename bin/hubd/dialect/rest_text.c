/* What is said over HTTP, as JSON: what hub7 says, with a line's number where it is about a line.
 */
#include <string.h>

#include "dialect/hub7_impl.h"
#include "dialect/rest.h"
#include "wire/id.h"

int rest_status(enum hub_code code)
{
	switch (code) {
	case HUB_OK:
		return 200;
	case HUB_NOT_FOUND:
		return 404;
	case HUB_FORBIDDEN:
	case HUB_BANNED:
		return 403;
	case HUB_UNAUTHORIZED:
	case HUB_UNAUTHENTICATED:
		return 401;
	case HUB_RATE_LIMITED:
		return 429;
	case HUB_TIMEOUT:
		return 408;
	case HUB_TOO_LARGE:
		return 413;
	case HUB_NOT_MEMBER:
	case HUB_IN_USE:
	case HUB_CONFLICT:
		return 409;
	case HUB_SESSION_FULL:
	case HUB_HUB_FULL:
	case HUB_STORE_FULL:
	case HUB_BANS_FULL:
	case HUB_SHUTTING_DOWN:
	case HUB_INTERNAL:
	case HUB_UNAVAILABLE:
	case HUB_HELD:
	case HUB_RULE_FAILED:
		return 503;
	case HUB_BAD_JSON:
	case HUB_BAD_TEXT:
	case HUB_BAD_TYPE:
	case HUB_BAD_FIELD:
	case HUB_BAD_SESSION_ID:
	case HUB_NO_SESSION:
	case HUB_BAD_REQUEST:
		break;
	}
	return 400;
}

int rest_lost(struct buf *out, const char *session, const struct session_from *asked,
	      const struct session_joined *joined)
{
	bool other = strcmp(joined->reason, "trimmed") != 0;
	uint64_t from = joined->rest || other ? joined->since + 1 : asked->since + 1;
	uint64_t to = joined->rest || joined->gap_to ? joined->gap_to : joined->seq;
	char epoch[ID_LEN + 1];
	int r;

	id_text(joined->epoch, epoch);
	r = buf_printf(out,
		       "{\"type\":\"gap\",\"session_id\":\"%s\",\"reason\":\"%s\",\"epoch\":\"%s\"",
		       session, joined->reason, epoch);
	if (r == 0 && to >= from)
		r = buf_printf(out, ",\"from_seq\":%ju,\"to_seq\":%ju", (uintmax_t)from,
			       (uintmax_t)to);
	return r == 0 ? buf_puts(out, "}") : r;
}

/* Of an object that has been put. */
static int put_line_number(struct buf *out, int r, uint64_t line)
{
	if (r < 0 || !line)
		return r;
	out->len--;
	return buf_printf(out, ",\"line\":%ju}", (uintmax_t)line);
}

int rest_error(struct buf *out, const char *code, const char *message, struct span msg_id,
	       uint64_t line)
{
	return put_line_number(out, hub7_error_named(out, code, message, msg_id), line);
}

int rest_conflict(struct buf *out, uint64_t seq, struct span msg_id, uint64_t line)
{
	return put_line_number(out, hub7_conflict(out, seq, msg_id), line);
}

int rest_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id, uint64_t line)
{
	return put_line_number(out, hub7_ack(out, session, seq, msg_id), line);
}

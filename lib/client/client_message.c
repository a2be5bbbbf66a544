/* Reading what comes from a hub. What a member said carries `from` at its end, put there by the hub
 * and by nobody else, so a look at the last bytes tells it from the hub's own words, which are
 * scanned. */
#include "client/client_message.h"

#include <stdlib.h>
#include <string.h>

enum {
	M_TYPE,
	M_SESSION,
	M_PING_ID,
	M_CLIENT_ID,
	M_SEQ,
	M_USER_COUNT,
	M_ERROR_CODE,
	M_ERROR_MESSAGE,
	M_CODE,
	M_REASON,
	M_MSG_ID,
	M_EPOCH,
	M_RECOVERED,
	M_SNAPSHOT,
	M_RESUME,
	M_FROM_SEQ,
	M_TO_SEQ,
	M_SINCE,
	M_RUN,
	M_MAX_MESSAGE,
	M_RETRY_AFTER,
	M_FROM,
	M_COUNT
};

struct json_paths *client_message_paths(void)
{
	static const char *const names[M_COUNT] = {"type",	"session_id",	"ping_id",
						   "client_id", "seq",		"user_count",
						   "data.code", "data.message", "code",
						   "reason",	"msg_id",	"epoch",
						   "recovered", "snapshot",	"resume",
						   "from_seq",	"to_seq",	"since",
						   "run",	"max_message",	"data.retry_after",
						   "from"};

	return json_paths_new(names, M_COUNT);
}

static uint64_t read_digits(const char *p, const char *end)
{
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

/* The quote that begins the string which ends with the one at `quote`; NULL where there is none. */
static const char *string_start(const char *text, const char *quote)
{
	const char *start, *slash;

	if (quote <= text || *quote != '"')
		return NULL;
	while ((start = memrchr(text, '"', (size_t)(quote - text))) != NULL) {
		for (slash = start; slash > text && slash[-1] == '\\'; slash--)
			;
		if ((start - slash) % 2 == 0)
			return start;
		quote = start;
	}
	return NULL;
}

/* Whether a name, with its quotes and the comma and colon around, stands before p. */
static bool is_after(const char *text, const char *p, const char *name)
{
	size_t len = strlen(name);

	return (size_t)(p - text) >= len && memcmp(p - len, name, len) == 0;
}

/* Reads `,"from":"ID","user":"NAME","seq":N}` from the end, of which user and seq may be missing.
 * Returns false where no from stands there. */
static bool read_member(const char *text, size_t len, struct client_message *m)
{
	static const char seq[] = ",\"seq\":", user[] = ",\"user\":", from[] = ",\"from\":";
	const char *p = text + len - 1, *digits, *start;

	if (len < 16 || *p != '}')
		return false;
	for (digits = p; digits > text && digits[-1] >= '0' && digits[-1] <= '9'; digits--)
		;
	m->kind = CLIENT_DIRECT;
	if (digits < p && is_after(text, digits, seq)) {
		m->kind = CLIENT_RECORD;
		m->seq = read_digits(digits, p);
		p = digits - strlen(seq);
	}
	start = string_start(text, p - 1);
	if (start && is_after(text, start, user)) {
		p = start - strlen(user);
		start = string_start(text, p - 1);
	}
	if (!start || !is_after(text, start, from))
		return false;
	m->from = start + 1;
	m->from_len = (size_t)(p - 1 - m->from);
	return true;
}

/* Reads `{"type":"ack","msg_id":"ID","session_id":"S","seq":N}`, or the same without seq, at once:
 * one comes for each message sent. Returns false for all else, an ack in other words among it. */
static bool read_ack(const char *text, size_t len, struct client_message *m,
		     struct client_answer *a)
{
	static const char head[] = "{\"type\":\"ack\",\"msg_id\":\"", seq[] = "\",\"seq\":";
	static const char session[] = "\",\"session_id\":\"";
	const char *p = text + sizeof(head) - 1, *end = text + len - 1, *quote;

	if (len < sizeof(head) + sizeof(session) + 1 || *end != '}' ||
	    memcmp(text, head, sizeof(head) - 1) != 0)
		return false;
	quote = memchr(p, '"', (size_t)(end - p));
	if (!quote || end - quote < (ptrdiff_t)sizeof(session) ||
	    memcmp(quote, session, sizeof(session) - 1) != 0 ||
	    memchr(p, '\\', (size_t)(quote - p)))
		return false;
	a->msg_id = p;
	a->msg_id_len = (size_t)(quote - p);
	p = quote + sizeof(session) - 1;
	quote = memchr(p, '"', (size_t)(end - p));
	if (!quote || (size_t)(quote - p) >= sizeof(a->session))
		return false;
	memcpy(a->session, p, (size_t)(quote - p));
	a->session[quote - p] = '\0';
	a->seq = 0;
	if (quote + 1 < end) {
		if (end - quote < (ptrdiff_t)sizeof(seq) ||
		    memcmp(quote, seq, sizeof(seq) - 1) != 0)
			return false;
		for (p = quote + sizeof(seq) - 1; p < end; p++)
			if (*p < '0' || *p > '9')
				return false;
		a->seq = read_digits(quote + sizeof(seq) - 1, end);
	}
	m->kind = CLIENT_HUB;
	m->seq = a->seq;
	memcpy(m->type, "ack", 4);
	return true;
}

/* A string member's characters; "" where it is not one or does not fit. */
static void copy_string(const char *text, const struct json_member *m, char *out, size_t cap)
{
	int n = -1;

	if (m->type == JSON_STRING)
		n = json_unescape(text + m->start + 1, m->end - m->start - 2, out, cap - 1);
	out[n > 0 ? n : 0] = '\0';
}

static uint64_t read_number(const char *text, const struct json_member *m)
{
	return m->type == JSON_NUMBER ? strtoull(text + m->start, NULL, 10) : 0;
}

enum client_said client_message_read(const struct json_paths *paths, const char *text, size_t len,
				     struct client_message *m, struct client_answer *a)
{
	struct json_member at[M_COUNT];
	struct json_scan scan;

	*m = (struct client_message){.text = text, .len = len, .join = -1, .about = ""};
	if (read_ack(text, len, m, a))
		return SAID_ACK;
	if (read_member(text, len, m))
		return SAID_MEMBER;
	m->kind = CLIENT_HUB;
	m->seq = 0;
	if (json_scan(paths, text, len, at, &scan) != JSON_OK)
		return SAID_NOTHING;
	/* Where the hub knows users, `user` stands behind it. */
	if (at[M_FROM].type == JSON_STRING) {
		m->kind = at[M_SEQ].type == JSON_NUMBER ? CLIENT_RECORD : CLIENT_DIRECT;
		m->seq = read_number(text, &at[M_SEQ]);
		m->from = text + at[M_FROM].start + 1;
		m->from_len = at[M_FROM].end - at[M_FROM].start - 2;
		return SAID_MEMBER;
	}
	copy_string(text, &at[M_TYPE], m->type, sizeof(m->type));
	copy_string(text, &at[M_SESSION], a->session, sizeof(a->session));
	copy_string(text, &at[M_PING_ID], a->ping_id, sizeof(a->ping_id));
	copy_string(text, &at[M_CLIENT_ID], a->client_id, sizeof(a->client_id));
	copy_string(text, &at[M_EPOCH], a->epoch, sizeof(a->epoch));
	copy_string(text, &at[M_REASON], a->reason, sizeof(a->reason));
	copy_string(text, &at[M_RESUME], a->resume, sizeof(a->resume));
	copy_string(text, &at[M_RUN], a->run, sizeof(a->run));
	a->msg_id = at[M_MSG_ID].type == JSON_STRING ? text + at[M_MSG_ID].start + 1 : NULL;
	a->msg_id_len = a->msg_id ? at[M_MSG_ID].end - at[M_MSG_ID].start - 2 : 0;
	a->recovered = at[M_RECOVERED].type == JSON_TRUE;
	a->snapshot = read_number(text, &at[M_SNAPSHOT]);
	a->from_seq = read_number(text, &at[M_FROM_SEQ]);
	a->to_seq = read_number(text, &at[M_TO_SEQ]);
	a->since = read_number(text, &at[M_SINCE]);
	a->rest = at[M_SINCE].type == JSON_NUMBER;
	a->seq = read_number(text, &at[M_SEQ]);
	a->max_message = read_number(text, &at[M_MAX_MESSAGE]);
	a->retry_s = read_number(text, &at[M_RETRY_AFTER]);
	a->user_count = read_number(text, &at[M_USER_COUNT]);
	a->close_code = (int)read_number(text, &at[M_CODE]);
	a->about[0] = '\0';
	if (strcmp(m->type, "error") == 0) {
		copy_string(text, &at[M_ERROR_CODE], m->code, sizeof(m->code));
		copy_string(text, &at[M_ERROR_MESSAGE], a->about, sizeof(a->about));
		m->about = a->about;
		return SAID_ERROR;
	}
	if (strcmp(m->type, "close") == 0) {
		copy_string(text, &at[M_REASON], a->about, sizeof(a->about));
		return SAID_CLOSE;
	}
	if (strcmp(m->type, "pong") == 0)
		return SAID_PONG;
	if (strcmp(m->type, "ack") == 0 && a->msg_id)
		return SAID_ACK;
	if (strcmp(m->type, "gap") == 0)
		return SAID_GAP;
	if (strcmp(m->type, "session_associated") == 0)
		return SAID_JOINED;
	if (strcmp(m->type, "session_left") == 0)
		return SAID_LEFT;
	if (strcmp(m->type, "resume_token") == 0)
		return SAID_RESUME;
	return SAID_OTHER;
}

void client_message_session(const struct json_paths *paths, const char *text, size_t len,
			    char session[129])
{
	struct json_member at[M_COUNT];
	struct json_scan scan;

	session[0] = '\0';
	if (json_scan(paths, text, len, at, &scan) == JSON_OK)
		copy_string(text, &at[M_SESSION], session, 129);
}

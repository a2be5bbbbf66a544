/* Reading what comes from a hub. What a member said carries `from` at its end, put there by the hub
 * and by nobody else, so a look at the last bytes tells it from the hub's own words, which are
 * scanned. */
#include <stdlib.h>
#include <string.h>

#include "client_impl.h"

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
	M_COUNT
};

struct json_paths *client_message_paths(void)
{
	static const char *const names[M_COUNT] = {
	    "type",	  "session_id", "ping_id",	"client_id", "seq",
	    "user_count", "data.code",	"data.message", "code",	     "reason"};

	return json_paths_new(names, M_COUNT);
}

/* Reads `,"from":"ID","seq":N}` or `,"from":"ID"}` from the end. Returns false where neither stands
 * there. */
static bool read_member(const char *text, size_t len, struct client_message *m)
{
	static const char seq[] = "\"seq\":", from[] = ",\"from\":\"";
	const char *p = text + len - 1, *digits, *quote, *start;
	uint64_t n = 0;

	if (len < 16 || *p != '}')
		return false;
	for (digits = p; digits > text && digits[-1] >= '0' && digits[-1] <= '9'; digits--)
		;
	m->kind = CLIENT_DIRECT;
	if (digits < p && digits - text > 24 && memcmp(digits - 6, seq, 6) == 0 &&
	    digits[-7] == ',') {
		m->kind = CLIENT_RECORD;
		for (const char *d = digits; d < p; d++)
			n = n * 10 + (uint64_t)(*d - '0');
		m->seq = n;
		p = digits - 7;
	}
	quote = p - 1;
	start = *quote == '"' ? memrchr(text, '"', (size_t)(quote - text)) : NULL;
	if (!start || start - text < 8 || memcmp(start - 8, from, 9) != 0)
		return false;
	m->from = start + 1;
	m->from_len = (size_t)(quote - m->from);
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

enum client_said client_read_message(const struct json_paths *paths, const char *text, size_t len,
				     struct client_message *m, struct client_answer *a)
{
	struct json_member at[M_COUNT];
	struct json_scan scan;

	*m = (struct client_message){.text = text, .len = len, .about = ""};
	if (read_member(text, len, m))
		return SAID_MEMBER;
	m->kind = CLIENT_HUB;
	m->seq = 0;
	if (json_scan(paths, text, len, at, &scan) != JSON_OK)
		return SAID_NOTHING;
	copy_string(text, &at[M_TYPE], m->type, sizeof(m->type));
	copy_string(text, &at[M_SESSION], a->session, sizeof(a->session));
	copy_string(text, &at[M_PING_ID], a->ping_id, sizeof(a->ping_id));
	copy_string(text, &at[M_CLIENT_ID], a->client_id, sizeof(a->client_id));
	a->seq = read_number(text, &at[M_SEQ]);
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
	if (strcmp(m->type, "session_associated") == 0)
		return SAID_JOINED;
	if (strcmp(m->type, "session_left") == 0)
		return SAID_LEFT;
	return SAID_OTHER;
}

/* What answers of the hub say. Invariant: nothing but names of sessions is handed over as one. */
#include "record/hub_answer.h"

#include <stdlib.h>
#include <string.h>

#include "json/envelope.h"
#include "json/json.h"

/* Where the two members are; false for what is no such object. */
static bool find(const char *text, size_t len, const char *const names[2], struct json_member at[2])
{
	struct json_paths *paths = json_paths_new(names, 2);
	struct json_scan scan;
	bool found = paths && json_scan(paths, text, len, at, &scan) == JSON_OK;

	json_paths_free(paths);
	return found;
}

bool hub_answer_clock(const char *text, size_t len, const char *id, uint64_t *server_ms)
{
	static const char *const names[2] = {"ping_id", "server_time"};
	struct json_member at[2];
	size_t n = strlen(id);

	if (!find(text, len, names, at) || at[0].end - at[0].start != n + 2 ||
	    memcmp(text + at[0].start + 1, id, n) != 0 || at[1].type != JSON_NUMBER)
		return false;
	*server_ms = strtoull(text + at[1].start, NULL, 10);
	return true;
}

bool hub_answer_sessions(const char *text, size_t len, hub_answer_name *take, void *arg)
{
	static const char *const names[2] = {"sessions", "more"};
	char session[ENVELOPE_SESSION_MAX + 1];
	struct json_member at[2];
	const char *p, *end;

	if (!find(text, len, names, at))
		return false;
	p = text + at[0].start;
	end = at[0].type == JSON_ARRAY ? text + at[0].end : p;
	/* Names of a hub need no unescaping. */
	while (p < end && (p = memchr(p, '"', (size_t)(end - p)))) {
		const char *quote = memchr(p + 1, '"', (size_t)(end - p - 1));
		size_t n;

		if (!quote)
			break;
		n = (size_t)(quote - p - 1);
		if (envelope_session_id_ok(p + 1, n)) {
			memcpy(session, p + 1, n);
			session[n] = '\0';
			if (!take(session, arg))
				return false;
		}
		p = quote + 1;
	}
	return at[1].type == JSON_FALSE;
}

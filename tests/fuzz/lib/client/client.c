/* Any bytes as a message from a hub, as a pong's id, and as a URL: nothing is read or written
 * outside, and what is borrowed lies within the message and does not end its string. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "client/client_message.h"
#include "client/sendq.h"
#include "json/json.h"

static void read_message(const struct json_paths *paths, const char *text, size_t size)
{
	struct client_message m;
	struct client_answer a;
	enum client_said said = client_message_read(paths, text, size, &m, &a);

	if (said == SAID_MEMBER) {
		assert(m.kind == CLIENT_RECORD || m.kind == CLIENT_DIRECT);
		assert(m.from > text && m.from + m.from_len < text + size);
		for (size_t i = 0; i < m.from_len; i++)
			assert(m.from[i] != '"' || m.from[i - 1] == '\\');
	} else if (said != SAID_NOTHING) {
		assert(m.kind == CLIENT_HUB && m.about && strlen(m.type) < sizeof(m.type));
	}
}

static void read_url(const char *text, size_t size)
{
	char *string = strndup(text, size), why[200] = "", formatted[URL_TEXT_MAX],
	     again[URL_TEXT_MAX];
	struct url url;

	assert(string);
	if (url_parse(&url, string, why, sizeof(why)) == 0) {
		url_format(&url, formatted, sizeof(formatted));
		assert(url_parse(&url, formatted, why, sizeof(why)) == 0);
		url_format(&url, again, sizeof(again));
		assert(strcmp(formatted, again) == 0);
	} else {
		assert(why[0]);
	}
	free(string);
}

/* Ids of answers, one a line, for messages of ours and of others. */
static void answer_queue(struct sendq *q, const char *text, size_t size)
{
	static const char own[] = "{\"msg_id\":\"own\"}";
	const char *end = text + size, *feed;
	size_t len;

	assert(sendq_put(q, "{}", 2, SENDQ_MESSAGE, (struct sendq_id){0}, 0) == 0);
	assert(sendq_put(q, own, sizeof(own) - 1, SENDQ_MESSAGE, (struct sendq_id){11, 3}, 0) == 0);
	assert(sendq_put(q, "{}", 2, SENDQ_CONTROL, (struct sendq_id){0}, 0) == 0);
	assert(sendq_fence(q) == 0);
	sendq_unsent(q, &len);
	sendq_advance(q, len);
	for (; text < end && (feed = memchr(text, '\n', (size_t)(end - text))); text = feed + 1) {
		if (sendq_answered(q, text, (size_t)(feed - text), NULL) != SENDQ_DONE) {
			struct sendq_refused longest;

			if (sendq_too_long(q, &longest))
				sendq_refuse(q, longest.number, false);
		}
		sendq_rewind(q);
		assert(sendq_count(q) <= 3);
		sendq_unsent(q, &len);
		sendq_advance(q, len);
	}
	sendq_free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sendq q = {.limit = 200, .tag = "tagtag"};
	struct json_paths *paths = client_message_paths();

	assert(paths);
	if (size)
		read_message(paths, (const char *)data, size);
	json_paths_free(paths);
	answer_queue(&q, (const char *)data, size);
	read_url((const char *)data, size);
	return 0;
}

/* Any bytes as a message from a hub, as a pong's id, and as a URL: nothing is read or written
 * outside, and what is borrowed lies within the message. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client_impl.h"
#include "url.h"

static void read_message(const struct json_paths *paths, const char *text, size_t size)
{
	struct client_message m;
	struct client_answer a;
	enum client_said said = client_read_message(paths, text, size, &m, &a);

	if (said == SAID_MEMBER) {
		assert(m.kind == CLIENT_RECORD || m.kind == CLIENT_DIRECT);
		assert(m.from > text && m.from + m.from_len < text + size);
		assert(!memchr(m.from, '"', m.from_len));
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sendq q = {.limit = 100, .tag = "t"};
	struct json_paths *paths = client_message_paths();

	assert(paths);
	if (size)
		read_message(paths, (const char *)data, size);
	json_paths_free(paths);
	sendq_confirm(&q, (const char *)data, size);
	read_url((const char *)data, size);
	return 0;
}

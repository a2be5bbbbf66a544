/* Any bytes as an asciicast and as HAR: what comes out are messages that a hub would take as far as
 * their form goes, and whoever says no says why. */
#undef NDEBUG
#include "edit/import.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	int begun;
	uint64_t messages;
};

static int on_begin(void *arg, uint64_t start_ms)
{
	struct seen *s = arg;

	(void)start_ms;
	assert(!s->begun++ && !s->messages);
	return 0;
}

static int on_message(void *arg, const char *text, size_t len, uint64_t t_us)
{
	static const char *const names[] = {"type"};
	struct json_paths *paths = json_paths_new(names, 1);
	struct json_member type;
	struct json_scan scan;
	struct seen *s = arg;

	assert(s->begun);
	s->messages++;
	assert(json_scan(paths, text, len, &type, &scan) == JSON_OK);
	assert(scan.type == JSON_OBJECT && !scan.newline && type.type == JSON_STRING);
	assert(text[0] == '{' && text[len - 1] == '}' && !memchr(text, '\n', len));
	assert(t_us <= UINT64_C(100000000000) * 1000000);
	json_paths_free(paths);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct import_events events = {on_begin, on_message};
	import_reader *const readers[] = {import_asciicast, import_har};
	const char *text = (const char *)data, *name;

	import_find(text, size, &name);
	for (int i = 0; i < 2; i++) {
		struct seen seen = {0};
		char why[300] = "";
		int r = readers[i](text, size, &events, &seen, why, sizeof(why));

		assert(r == 0 || (r == -EBADMSG && *why));
		assert(r < 0 || seen.messages);
	}
	return 0;
}

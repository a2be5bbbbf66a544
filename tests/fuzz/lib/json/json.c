/* Any bytes: the scanner agrees with the reference, and every member it finds is one. */
#undef NDEBUG
#include "json/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "json_reference.h"

static const char *const list[] = {"type", "from", "seq", "data", "data.a.b", "data.a", "to.b"};
#define NPATHS (sizeof(list) / sizeof(list[0]))

static void check_member(const struct json_member *m, const char *text, size_t len)
{
	char out[64];
	int n;

	assert(m->name < m->start && m->start < m->end && m->end <= len);
	assert(text[m->name] == '"');
	assert(ref_valid(text + m->start, m->end - m->start, JSON_DEPTH_MAX));
	assert((m->type == JSON_STRING) == (text[m->start] == '"'));
	assert((m->type == JSON_OBJECT) == (text[m->start] == '{'));
	assert((m->type == JSON_ARRAY) == (text[m->start] == '['));
	if (m->type != JSON_STRING)
		return;
	assert(m->escaped == !!memchr(text + m->start, '\\', m->end - m->start));
	n = json_unescape(text + m->start + 1, m->end - m->start - 2, out, sizeof(out));
	assert(n <= (int)sizeof(out));
	if (!m->escaped && n >= 0)
		assert(n == (int)(m->end - m->start - 2) &&
		       memcmp(out, text + m->start + 1, (size_t)n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_paths *paths;
	struct json_member m[NPATHS];
	struct json_scan scan, bare;
	const char *text = (const char *)data;

	if (!paths)
		paths = json_paths_new(list, NPATHS);
	assert(paths);
	json_scan(paths, text, size, m, &scan);
	json_scan(NULL, text, size, NULL, &bare);
	assert(scan.status == bare.status && scan.at == bare.at);
	assert((scan.status == JSON_OK) == ref_valid(text, size, JSON_DEPTH_MAX));
	if (scan.status != JSON_OK)
		assert(scan.at <= size);
	else
		assert(scan.start < scan.end && scan.end <= size && scan.type != JSON_NONE);
	for (size_t i = 0; i < NPATHS; i++)
		if (m[i].type != JSON_NONE)
			check_member(&m[i], text, size);
	return 0;
}

/* The little of JSON that a member of a session needs. Pure: no memory of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "hub/hub.h"
#include "json/json.h"
#include "json/json_walk.h"

const char *hub_member(const char *text, size_t len, const char *name, size_t *value_len)
{
	struct json_scan scan;
	struct json_walk walk;
	struct json_item item;

	*value_len = 0;
	if (json_scan(NULL, text, len, NULL, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return NULL;
	json_walk_begin(&walk, text + scan.start, scan.end - scan.start);
	while (json_walk_next(&walk, &item)) {
		if (!json_item_is(&item, name))
			continue;
		*value_len = item.len;
		return item.value;
	}
	return NULL;
}

int hub_text(const char *value, size_t value_len, char *out, size_t cap)
{
	struct json_scan scan;
	int n;

	if (json_scan(NULL, value, value_len, NULL, &scan) != JSON_OK || scan.type != JSON_STRING)
		return -EINVAL;
	if (!cap)
		return -ENOSPC;
	n = json_unescape(value + scan.start + 1, scan.end - scan.start - 2, out, cap - 1);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

int hub_quote(const char *text, size_t len, char *out, size_t cap)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;
	size_t at = 0;

	if (cap > INT32_MAX)
		cap = INT32_MAX;
	if (cap < 3)
		return -ENOSPC;
	out[at++] = '"';
	while (p < end) {
		size_t whole = *p < 0x80 ? 1 : utf8_sequence(p, end);

		/* One character, as long as it may become, the quote and the NUL. */
		if (cap - at < 8) {
			size_t need = *p < 0x20			? 6
				      : *p == '"' || *p == '\\' ? 2
				      : whole			? whole
								: 3;

			if (cap - at < need + 2)
				return -ENOSPC;
		}
		if (!whole) {
			memcpy(out + at, "\xef\xbf\xbd", 3);
			at += 3;
			p++;
		} else if (*p == '"' || *p == '\\') {
			out[at++] = '\\';
			out[at++] = (char)*p++;
		} else if (*p < 0x20) {
			at += (size_t)sprintf(out + at, "\\u%04x", *p++);
		} else {
			memcpy(out + at, p, whole);
			at += whole;
			p += whole;
		}
	}
	out[at++] = '"';
	out[at] = '\0';
	return (int)at;
}

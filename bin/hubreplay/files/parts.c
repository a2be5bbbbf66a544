/* Invariant: a part's name differs from that of its base, and of any other part, by the number
 * alone. */
#include "files/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(text + len - n, end, n) == 0;
}

bool parts_compressed(const char *path)
{
	return ends_with(path, strlen(path), ".zst");
}

char *parts_path(const char *base, unsigned part)
{
	size_t stem = strlen(base), cap = stem + 16;
	char *path = malloc(cap);

	if (!path || !part) {
		if (path)
			memcpy(path, base, stem + 1);
		return path;
	}
	if (ends_with(base, stem, ".zst"))
		stem -= 4;
	if (ends_with(base, stem, ".ndjson"))
		stem -= 7;
	snprintf(path, cap, "%.*s.%04u%s", (int)stem, base, part, base + stem);
	return path;
}

unsigned parts_last(const char *base)
{
	unsigned n = 1;

	for (;; n++) {
		char *path = parts_path(base, n + 1);
		bool there = path && access(path, F_OK) == 0;

		free(path);
		if (!there)
			return n;
	}
}

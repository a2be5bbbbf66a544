/* A compiled glob is its bytes with a NUL behind them, in which control characters, which are in no
 * name, stand for the wildcards. */
#include "auth/globs.h"

#include <errno.h>
#include <string.h>

#define ANY '\1' /* "*" */
#define ONE '\2' /* "?" */
#define NEVER '\3'

static const char USER[] = "$user";

int globs_add(struct globs *list, struct buf *memory, struct span glob, struct span user)
{
	size_t start = memory->len;
	int r = 0;

	if (list->n == GLOBS_MAX)
		return -E2BIG;
	if (!list->n)
		list->at = (uint32_t)start;
	for (size_t i = 0; r == 0 && i < glob.len; i++) {
		char c = glob.p[i];

		if (glob.len - i >= sizeof(USER) - 1 &&
		    memcmp(glob.p + i, USER, sizeof(USER) - 1) == 0) {
			i += sizeof(USER) - 2;
			r = user.len ? buf_put(memory, user.p, user.len)
				     : buf_put(memory, (char[]){NEVER}, 1);
			for (char *p = memory->data + memory->len - user.len;
			     r == 0 && user.len && p < memory->data + memory->len; p++)
				if ((unsigned char)*p < 0x20)
					*p = NEVER;
			continue;
		}
		c = c == '*' ? ANY : c == '?' ? ONE : (unsigned char)c < 0x20 ? NEVER : c;
		if (c != ANY || memory->len == start || memory->data[memory->len - 1] != ANY)
			r = buf_put(memory, &c, 1);
	}
	if (r == 0)
		r = buf_put(memory, "", 1);
	if (r < 0)
		return r;
	list->all |= memory->len - start == 2 && memory->data[start] == ANY;
	list->n++;
	return 0;
}

/* Goes back to the last star only, which is enough. */
static bool match(const char *glob, struct span text)
{
	const char *star = NULL;
	size_t i = 0, from = 0;

	while (i < text.len) {
		if (*glob == ANY) {
			star = ++glob;
			from = i;
		} else if (*glob && (*glob == text.p[i] || *glob == ONE)) {
			glob++;
			i++;
		} else if (star) {
			glob = star;
			i = ++from;
		} else {
			return false;
		}
	}
	while (*glob == ANY)
		glob++;
	return !*glob;
}

bool globs_match(const struct globs *list, const char *memory, struct span text)
{
	const char *glob = memory ? memory + list->at : NULL;

	if (list->all)
		return true;
	for (unsigned i = 0; i < list->n; i++) {
		if (match(glob, text))
			return true;
		glob += strlen(glob) + 1;
	}
	return false;
}

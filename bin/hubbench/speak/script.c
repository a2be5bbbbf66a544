/* Marks in what comes. Wherever a server puts one it is found, but where it was put is looked
 * first. */
#include "speak/script.h"

#include <string.h>

const char *script_next_mark(const struct script *s, const char *p, const char *end)
{
	if (end - p < MARK_LEN)
		return NULL;
	if (mark_is(p, s->run))
		return p;
	p = memmem(p, (size_t)(end - p), s->name, MARK_RUN_LEN);
	return p && end - p >= MARK_LEN ? p : NULL;
}

const char *script_first_mark(const struct script *s, const char *p, size_t len)
{
	/* Mostly it stands where it was put. */
	if (len >= s->mark_at + MARK_LEN && mark_is(p + s->mark_at, s->run))
		return p + s->mark_at;
	return script_next_mark(s, p, p + len);
}

/* Digits by hand: a run writes and reads many. */
#include "speak/avatar.h"

#include <string.h>

#define NUMBER "\",\"n\":1"
#define NUMBER_LEN (sizeof(NUMBER) - 1)
#define NUMBER_DIGITS 9

static char *put(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n);
	return out + n;
}

/* Hundredths, as a number of JSON without more digits than it takes. */
static char *put_hundredths(char *out, uint32_t n)
{
	unsigned digits = 1;

	for (uint32_t whole = n / 1000; whole; whole /= 10)
		digits++;
	mark_put(out, n / 100, digits);
	out += digits;
	*out++ = '.';
	mark_put(out, n % 100, 2);
	return out + 2;
}

size_t avatar_put(const struct script *s, char *out, const struct avatar_move *m, size_t bytes)
{
	static const char pad[] = ",\"pad\":\"";
	char *p = put(out, "{\"type\":\"" AVATAR_TYPE "\",\"key\":\"");
	size_t len;

	memcpy(p, s->name, MARK_RUN_LEN);
	mark_put(p += MARK_RUN_LEN, m->publisher, MARK_PUBLISHER);
	p = put(p + MARK_PUBLISHER, NUMBER);
	mark_put(p, m->number, NUMBER_DIGITS);
	p = put_hundredths(put(p + NUMBER_DIGITS, ",\"position\":{\"x\":"), m->x);
	p = put_hundredths(put(p, ",\"y\":0.0,\"z\":"), m->z);
	*p++ = '}';
	len = (size_t)(p - out) + sizeof(pad) + 1; /* with its quote and the brace */
	if (len < bytes) {
		p = put(p, pad);
		for (; len < bytes; len++)
			*p++ = (char)('a' + len % 26);
		*p++ = '"';
	}
	*p++ = '}';
	return (size_t)(p - out);
}

bool avatar_next(const struct script *s, const char **p, const char *end, struct avatar_seen *seen)
{
	const char *at = *p;
	uint64_t bad;

	while ((at = memmem(at, (size_t)(end - at), s->name, MARK_RUN_LEN)) != NULL) {
		at += MARK_RUN_LEN;
		bad = 0;
		if (end - at < 8)
			return false;
		seen->publisher = (uint32_t)mark_digits(at, MARK_PUBLISHER, &bad);
		if (bad)
			continue;
		at += MARK_PUBLISHER;
		seen->moved = (size_t)(end - at) > NUMBER_LEN + NUMBER_DIGITS &&
			      memcmp(at, NUMBER, NUMBER_LEN) == 0;
		if (seen->moved) {
			at += NUMBER_LEN;
			seen->number = mark_digits(at, 8, &bad) * 10;
			seen->number += (uint64_t)(at[8] - '0');
			seen->moved = !bad && at[8] >= '0' && at[8] <= '9';
		}
		*p = at;
		return true;
	}
	return false;
}

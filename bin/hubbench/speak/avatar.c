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

/* --- arrays of a hub's records */

bool avatar_element(const char **p, const char *end, const char **from, size_t *len)
{
	const char *at = *p;
	unsigned depth = 0;
	bool text = false;

	while (at < end && (*at == '[' || *at == ',') && at == *p)
		at++;
	for (*from = at; at < end; at++) {
		if (text) {
			if (*at == '\\')
				at++;
			else
				text = *at != '"';
		} else if (*at == '"') {
			text = true;
		} else if (*at == '{' || *at == '[') {
			depth++;
		} else if ((*at == '}' || *at == ']') && (!depth || !--depth)) {
			at += *at == '}' || at > *from;
			break;
		}
	}
	if (at > end)
		at = end;
	*len = (size_t)(at - *from);
	*p = at;
	return *len > 1;
}

static uint64_t digits(const char *p, const char *end)
{
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

uint64_t avatar_seq(const char *p, size_t len)
{
	static const char name[] = "\"seq\":";
	const char *end = p + len, *at = end;

	while (at > p && (at[-1] == '}' || at[-1] == ']'))
		at--;
	while (at > p && at[-1] >= '0' && at[-1] <= '9')
		at--;
	if ((size_t)(at - p) < sizeof(name) - 1 ||
	    memcmp(at - (sizeof(name) - 1), name, sizeof(name) - 1) != 0)
		return 0;
	return digits(at, end);
}

bool avatar_patch(const char *p, size_t len, uint64_t *base, uint64_t *number)
{
	static const char name[] = "\"n\":1";
	const char *end = p + len, *at;

	if (!len || *p != '[')
		return false;
	*base = digits(p + 1, end);
	at = memmem(p, len, name, sizeof(name) - 1);
	if (!at || end - (at + sizeof(name) - 1) < NUMBER_DIGITS)
		return false;
	at += sizeof(name) - 1;
	*number = digits(at, at + NUMBER_DIGITS);
	return *base > 0;
}

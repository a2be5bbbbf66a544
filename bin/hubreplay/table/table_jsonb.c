/* Invariant: what is taken here is taken by jsonb; a number that it would take all the same may be
 * refused. */
#include "table/table_jsonb.h"

#include <stdint.h>
#include <string.h>

#define NUMBER_MAX 1000
#define EXPONENT_MAX 3

/* The value of the four digits of an escape. */
static unsigned unit(const char *digits)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)digits[i];

		n = n << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return n;
}

/* The end of the escape at p, a backslash; NULL where jsonb does not take it. */
static const char *escape(const char *p, const char *end)
{
	unsigned high;

	if (p[1] != 'u')
		return p + 2;
	high = unit(p + 2);
	p += 6;
	if (high == 0 || (high >= 0xdc00 && high <= 0xdfff))
		return NULL;
	if (high < 0xd800 || high > 0xdbff)
		return p;
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || (unit(p + 2) & 0xfc00) != 0xdc00)
		return NULL;
	return p + 6;
}

/* The end of the string whose opening quote is at p; NULL where jsonb does not take it. */
static const char *string(const char *p, const char *end)
{
	for (p++; p && *p != '"';)
		p = *p == '\\' ? escape(p, end) : p + 1;
	return p ? p + 1 : NULL;
}

static const char *number(const char *p, const char *end)
{
	const char *begin = p, *exponent = NULL;

	for (; p < end && *p && strchr("0123456789.eE+-", *p); p++)
		if (*p == 'e' || *p == 'E')
			exponent = p[1] == '+' || p[1] == '-' ? p + 2 : p + 1;
	if (exponent && p - exponent > EXPONENT_MAX)
		return NULL;
	return p - begin > NUMBER_MAX ? NULL : p;
}

bool table_jsonb_takes(const char *text, size_t len)
{
	const char *end = text + len;

	while (text && text < end)
		if (*text == '"')
			text = string(text, end);
		else if (*text == '-' || (*text >= '0' && *text <= '9'))
			text = number(text, end);
		else
			text++;
	return text;
}

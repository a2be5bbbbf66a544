/* Invariant: a number is read by its digits alone, whatever the locale and strtod() make of it. */
#include "base/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SINCE_MAX 1e9 /* seconds */
#define WALL_MAX 1e11 /* some 3,000 years */
#define DIGITS_MAX 400

struct unit {
	const char *name;
	double factor;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

const char *quantity_number(const char *text, double *n)
{
	char copy[DIGITS_MAX + 1];
	size_t len = 0, digits = 0;
	bool point = false;

	for (; digit(text[len]) || (text[len] == '.' && !point); len++) {
		point |= text[len] == '.';
		digits += text[len] != '.';
	}
	if (!digits || len > DIGITS_MAX)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*n = strtod(copy, NULL);
	return text + len;
}

const char *quantity_real(const char *text, double *n)
{
	const char *end = quantity_number(text, n), *p = end;
	char *behind;

	if (!end || (*p != 'e' && *p != 'E'))
		return end;
	p += p[1] == '+' || p[1] == '-' ? 2 : 1;
	if (!digit(*p))
		return end;
	/* What it begins with is decimal. */
	*n = strtod(text, &behind);
	return behind;
}

/* A number with one of these units, the last of which has no name. */
static int with_unit(const char *text, const struct unit *units, double *n)
{
	double number;
	const char *end = quantity_number(text, &number);

	if (!end)
		return -EINVAL;
	for (; units->name; units++) {
		if (strcmp(units->name, end) == 0) {
			*n = number * units->factor;
			return 0;
		}
	}
	return -EINVAL;
}

int quantity_bytes(const char *text, double *bytes)
{
	static const struct unit units[] = {{"", 1},	    {"k", 1 << 10}, {"K", 1 << 10},
					    {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

	double n;
	int r = with_unit(text, units, &n);

	/* There is no half a byte. */
	if (r < 0 || n - floor(n) > 0)
		return -EINVAL;
	*bytes = n;
	return 0;
}

/* 1:02 or 1:02:03.5: all but the last part are whole, all but the first below 60. */
static int with_colons(const char *text, double *seconds)
{
	double n, sum = 0;

	for (int part = 0; part < 3; part++) {
		const char *end = quantity_number(text, &n);

		if (!end || (part && n >= 60))
			return -EINVAL;
		sum = 60 * sum + n;
		if (!*end) {
			*seconds = sum;
			return 0;
		}
		if (*end != ':' || memchr(text, '.', (size_t)(end - text)))
			return -EINVAL;
		text = end + 1;
	}
	return -EINVAL;
}

int quantity_seconds(const char *text, double *seconds)
{
	static const struct unit units[] = {{"", 1},	 {"ms", 0.001}, {"s", 1}, {"m", 60},
					    {"h", 3600}, {"d", 86400},	{NULL, 0}};

	return strchr(text, ':') ? with_colons(text, seconds) : with_unit(text, units, seconds);
}

/* --- moments */

/* Exactly n digits, as a number of low to high. Returns what is behind them, or NULL. */
static const char *field(const char *p, int n, int low, int high, int *out)
{
	int value = 0;

	for (; n; n--, p++) {
		if (!p || !digit(*p))
			return NULL;
		value = 10 * value + (*p - '0');
	}
	*out = value;
	return value >= low && value <= high ? p : NULL;
}

/* The same behind that character. */
static const char *next(const char *p, char before, int low, int high, int *out)
{
	return p && *p == before ? field(p + 1, 2, low, high, out) : NULL;
}

/* 20:15 or 20:15:03.5 */
static const char *clock_time(const char *p, struct tm *tm, double *part)
{
	double n;

	p = next(field(p, 2, 0, 23, &tm->tm_hour), ':', 0, 59, &tm->tm_min);
	if (!p || *p != ':')
		return p;
	p = next(p, ':', 0, 60, &tm->tm_sec);
	if (!p || *p != '.')
		return p;
	p = quantity_number(p, &n);
	if (p)
		*part = n;
	return p;
}

/* Z, +01:00 or nothing: how many seconds the zone is ahead. */
static const char *zone(const char *p, bool *local, int *ahead)
{
	int sign = *p == '-' ? -1 : 1, hours, minutes;

	*local = !*p;
	*ahead = 0;
	if (!*p || *p == 'Z')
		return p + (*p == 'Z');
	if (*p != '+' && *p != '-')
		return NULL;
	p = next(field(p + 1, 2, 0, 23, &hours), ':', 0, 59, &minutes);
	if (p)
		*ahead = sign * 60 * (60 * hours + minutes);
	return p;
}

static int calendar(const char *p, double *seconds)
{
	struct tm tm = {.tm_isdst = -1}, read;
	double part = 0;
	bool local;
	int ahead;
	time_t t;

	p = next(next(field(p, 4, 1970, 9999, &tm.tm_year), '-', 1, 12, &tm.tm_mon), '-', 1, 31,
		 &tm.tm_mday);
	if (p && (*p == 'T' || *p == ' '))
		p = clock_time(p + 1, &tm, &part);
	p = p ? zone(p, &local, &ahead) : NULL;
	if (!p || *p)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	read = tm;
	t = local ? mktime(&tm) : timegm(&tm);
	/* February has no 30th. */
	if (tm.tm_mday != read.tm_mday && tm.tm_sec == read.tm_sec)
		return -EINVAL;
	*seconds = (double)t - ahead + part;
	return *seconds < 0 ? -EINVAL : 0;
}

static int wall(const char *text, double *seconds)
{
	const char *end = quantity_number(text, seconds);

	if (!end || *end)
		return calendar(text, seconds);
	return strlen(text) == 4 ? -EINVAL : 0; /* meant as a year, it would be of 1970 */
}

int quantity_moment(const char *text, struct quantity_moment *at)
{
	struct quantity_moment got = {.kind = *text == '@'   ? MOMENT_WALL
					      : *text == '+' ? MOMENT_AFTER
							     : MOMENT_SINCE};
	double seconds, max = got.kind == MOMENT_WALL ? WALL_MAX : SINCE_MAX;
	int r = got.kind == MOMENT_WALL ? wall(text + 1, &seconds)
					: quantity_seconds(text + (*text == '+'), &seconds);

	if (r < 0 || seconds > max)
		return -EINVAL;
	got.us = (uint64_t)(seconds * 1e6 + 0.5);
	*at = got;
	return 0;
}

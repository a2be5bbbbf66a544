/* Invariant: what is read is a time that a recording can have, or nothing. */
#include "files/time_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX 1e9 /* seconds */

static double unit_of(const char *unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, unit) == 0)
			return units[i].seconds;
	return -1;
}

/* Returns seconds, or less than 0 for what is no time. */
static double seconds_of(const char *text)
{
	double seconds = 0, n, unit;
	int colons = 0;
	char *end;

	for (;; text = end + 1) {
		if (*text < '0' || *text > '9' || text[strspn(text, "0123456789.")] == 'e')
			return -1;
		n = strtod(text, &end);
		seconds = 60 * seconds + n;
		if (*end != ':')
			break;
		if (++colons > 2 || n != (double)(long)n)
			return -1;
	}
	if (colons && n >= 60)
		return -1;
	unit = colons ? *end ? -1 : 1 : unit_of(end);
	return unit < 0 ? -1 : seconds * unit;
}

int time_text_read(const char *text, uint64_t *us)
{
	double seconds = seconds_of(text);

	if (seconds < 0 || seconds > TIME_MAX)
		return -EINVAL;
	*us = (uint64_t)(seconds * 1e6 + 0.5);
	return 0;
}

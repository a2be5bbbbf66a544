/* Three digits and a unit. A figure that is no number is "-", and one that is not all is never
 * shown as all. */
#include "report/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Three digits where they say anything: 1.23, 12.3, 123. */
static int text_digits(double value)
{
	double v = fabs(value);

	return v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
}

static struct text text_nothing(void)
{
	return (struct text){"-"};
}

/* In the first of n units, each `step` times the one before, in which the value stays below the
 * limit: what would be printed as a whole step. Without decimals in the smallest. */
static struct text text_scaled(double value, double step, double limit, const char *const *units,
			       size_t n)
{
	struct text t;
	size_t u = 0;

	if (!isfinite(value))
		return text_nothing();
	while (u < n - 1 && fabs(value) >= limit) {
		value /= step;
		u++;
	}
	snprintf(t.s, sizeof(t.s), "%.*f %s", u ? text_digits(value) : 0, value, units[u]);
	return t;
}

struct text text_duration(double ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};

	return text_scaled(ns, 1000, 999.5, units, 4);
}

struct text text_seconds(double s)
{
	struct text t;

	if (!isfinite(s))
		return text_nothing();
	snprintf(t.s, sizeof(t.s), "%.4g s", round(s * 10) / 10);
	return t;
}

struct text text_count(uint64_t n)
{
	struct text t;
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			t.s[at++] = ',';
		t.s[at++] = digits[i];
	}
	t.s[at] = '\0';
	return t;
}

struct text text_whole(double n)
{
	if (!isfinite(n))
		return text_nothing();
	/* 2^64 and beyond has no whole number here. */
	return text_count(n >= 18446744073709549568.0 ? UINT64_MAX : n > 0 ? (uint64_t)n : 0);
}

struct text text_rate(double per_s)
{
	struct text t;

	if (!isfinite(per_s))
		return text_nothing();
	if (per_s >= 999999.5)
		snprintf(t.s, sizeof(t.s), "%.*f M", text_digits(per_s / 1e6), per_s / 1e6);
	else if (per_s >= 999.5)
		return text_count((uint64_t)llround(per_s));
	else
		snprintf(t.s, sizeof(t.s), "%.*f", text_digits(per_s), per_s);
	return t;
}

struct text text_bytes(double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};

	return text_scaled(bytes, 1024, 1023.5, units, 5);
}

struct text text_share(double share)
{
	struct text t;

	if (!isfinite(share))
		return text_nothing();
	/* What is not all is not shown as 100. */
	if (share < 1 && share > 0.9995)
		share = floor(share * 1e5) / 1e5;
	snprintf(t.s, sizeof(t.s), "%.*f %%", share < 1 && share > 0.999 ? 3 : 1, share * 100);
	return t;
}

struct text text_ratio(double ratio)
{
	struct text t;

	if (!isfinite(ratio))
		return text_nothing();
	snprintf(t.s, sizeof(t.s), "x %.*f", text_digits(ratio), ratio);
	return t;
}

_Bool text_colors(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && (!no_color || !*no_color);
}

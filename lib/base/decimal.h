/* Numbers as decimal digits, faster than printf. */
#ifndef HUB_DECIMAL_H
#define HUB_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DECIMAL_MAX 20 /* digits of a uint64_t */

/* Writes n to p, which has room for DECIMAL_MAX bytes; returns the end, without a NUL. */
static inline char *decimal_put(char *p, uint64_t n)
{
	char digits[DECIMAL_MAX];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(p, digits + i, sizeof(digits) - i);
	return p + sizeof(digits) - i;
}

#endif

/* Quantities as people write them, the same in every option of every program. All functions leave
 * what they fill as it was where they fail. */
#ifndef HUB_QUANTITY_H
#define HUB_QUANTITY_H

#include <stdint.h>

/* Reads the number that text begins with: decimal digits, at most one point among them, no sign, no
 * exponent, nothing else that strtod() knows. Returns what is behind it, or NULL where there is
 * none. */
const char *quantity_number(const char *text, double *n);

/* The same, with an exponent (1e9) where one follows: for what has no unit that begins with an e.
 */
const char *quantity_real(const char *text, double *n);

/* Bytes, perhaps with k, M or G (powers of 1024): a whole number of them. Returns 0 or -EINVAL. */
int quantity_bytes(const char *text, double *bytes);

/* A time: seconds (90, 12.5), a number with ms, s, m, h or d, or 1:02:03.5. Returns 0 or -EINVAL.
 */
int quantity_seconds(const char *text, double *seconds);

#define QUANTITY_SECONDS "a time such as 10, 2.5s, 500ms, 5m, 1h, 1:02:03" /* for messages */

/* A moment of a recording, or of anything else that has a beginning. */
struct quantity_moment {
	enum {
		MOMENT_SINCE, /* us since the beginning */
		MOMENT_AFTER, /* us after another moment, which the context says */
		MOMENT_WALL,  /* us since 1970 */
	} kind;
	uint64_t us;
};

/* A time (since the beginning, at most 1e9 s), + and a time, or @ and a moment of the calendar:
 * seconds since 1970, or 2026-11-29, 2026-11-29T20:15, 2026-11-29T20:15:03.5, where a space may
 * stand for the T, in local time unless Z or an offset such as +01:00 follows (RFC 3339). Returns 0
 * or -EINVAL. */
int quantity_moment(const char *text, struct quantity_moment *at);

#endif

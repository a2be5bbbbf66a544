/* The mark that every message of a run carries, and by which it is found again wherever a server
 * puts it: "hb" and six characters of the run, then digits of constant width:
 *
 *	hbRRRRRR PPPPPP NNNNNNNNNN TTTTTTTTTTTTTTTTTTT SSSSSSSSSSSS		(without the spaces)
 *
 * the publisher, its message's number from 0, the instant at which the message was due, in
 * nanoseconds of CLOCK_MONOTONIC plus 10^18, and how many nanoseconds later it was handed to the
 * kernel. */
#ifndef HUBBENCH_MARK_H
#define HUBBENCH_MARK_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MARK_LEN 55
#define MARK_RUN_LEN 8
#define MARK_PUBLISHER 6
#define MARK_NUMBER 10
#define MARK_DUE 19
#define MARK_LATE 12
#define MARK_DUE_BASE 1000000000000000000u
#define MARK_LATE_MAX 999999999999u

struct mark {
	uint64_t number, due, late;
	uint32_t publisher;
};

/* Up to eight digits at p, where eight bytes can be read. Sets bits in *bad where there are others.
 */
static inline uint64_t mark_digits(const char *p, unsigned n, uint64_t *bad)
{
	uint64_t x;

	memcpy(&x, p, 8);
	x = le64toh(x);
	if (n < 8)
		x = x << (64 - 8 * n) | 0x3030303030303030u >> (8 * n);
	*bad |= ((x & 0xf0f0f0f0f0f0f0f0u) ^ 0x3030303030303030u) |
		((x + 0x0606060606060606u) & 0x4040404040404040u);
	x = (x & 0x0f0f0f0f0f0f0f0fu) * 2561 >> 8;
	x = (x & 0x00ff00ff00ff00ffu) * 6553601 >> 16;
	return (x & 0x0000ffff0000ffffu) * 42949672960001u >> 32;
}

/* Whether a mark of this run stands at p, where MARK_LEN bytes can be read. */
static inline bool mark_is(const char *p, uint64_t run)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return x == run;
}

/* Reads the mark at p. False where what follows its run are no digits. */
static inline bool mark_read(const char *p, struct mark *m)
{
	uint64_t bad = 0;

	p += MARK_RUN_LEN;
	m->publisher = (uint32_t)mark_digits(p, MARK_PUBLISHER, &bad);
	p += MARK_PUBLISHER;
	m->number = mark_digits(p, 8, &bad) * 100 + mark_digits(p + 8, 2, &bad);
	p += MARK_NUMBER;
	m->due = (mark_digits(p, 8, &bad) * 100000000 + mark_digits(p + 8, 8, &bad)) * 1000 +
		 mark_digits(p + 16, 3, &bad) - MARK_DUE_BASE;
	/* The last bytes of the mark, so that nothing behind it is read. */
	p += MARK_DUE;
	m->late = mark_digits(p, 4, &bad) * 100000000 + mark_digits(p + 4, 8, &bad);
	return !bad;
}

/* Writes n as so many digits. */
static inline void mark_put(char *p, uint64_t n, unsigned digits)
{
	while (digits) {
		p[--digits] = (char)('0' + n % 10);
		n /= 10;
	}
}

/* Writes a mark's numbers behind its run. */
static inline void mark_write(char *p, const struct mark *m)
{
	p += MARK_RUN_LEN;
	mark_put(p, m->publisher, MARK_PUBLISHER);
	mark_put(p += MARK_PUBLISHER, m->number, MARK_NUMBER);
	mark_put(p += MARK_NUMBER, m->due + MARK_DUE_BASE, MARK_DUE);
	mark_put(p + MARK_DUE, m->late < MARK_LATE_MAX ? m->late : MARK_LATE_MAX, MARK_LATE);
}

#endif

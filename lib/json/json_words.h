/* Looking at eight or sixteen bytes at once: for the scanner alone. A mark is the high bit of a
 * byte's place in a word. */
#ifndef HUB_JSON_WORDS_H
#define HUB_JSON_WORDS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned char byte;

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define BYTES(c) (UINT64_C(0x0101010101010101) * (c)) /* c in each byte of a word */
#define HIGH BYTES(0x80)

/* A word as word_load() returns it. */
#define WORD4(a, b, c, d) \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24)
#define WORD5(a, b, c, d, e) (WORD4(a, b, c, d) | (uint64_t)(e) << 32)

/* The eight bytes at p as a word, the first one lowest. limit is the last place from which eight
 * can be read; where p is up to eight bytes behind it, zeroes stand for what is behind the end. */
static inline uint64_t word_load(const byte *p, const byte *limit)
{
	uint64_t w;

	if (LIKELY(p <= limit)) {
		memcpy(&w, p, 8);
		return le64toh(w);
	} else {
		unsigned half = (unsigned)(p - limit) * 4; /* a shift by 64 would be undefined */

		memcpy(&w, limit, 8);
		return le64toh(w) >> half >> half;
	}
}

/* The index of the lowest marked byte. */
static inline unsigned first(uint64_t marks)
{
	return (unsigned)__builtin_ctzll(marks) / 8;
}

/* Marks the bytes that are not plain string content: quote, backslash, control, not ASCII. Only the
 * lowest mark is exact: a borrow may mark bytes above a true one. */
static inline uint64_t string_stops(uint64_t w)
{
	uint64_t quote = w ^ BYTES('"');
	uint64_t slash = w ^ BYTES('\\');

	return ((quote - BYTES(1)) | (slash - BYTES(1)) | (w - BYTES(0x20)) | w) & HIGH;
}

#ifdef __SSE2__
/* The same for the sixteen bytes at p, a bit each, all exact. */
static inline unsigned string_stops16(const byte *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* As signed bytes, what is not ASCII is less than a space, too. */
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, slash), quote));
}
#endif

/* Marks the bytes that are not digits; exact up to the first one that is not ASCII. */
static inline uint64_t not_digits(uint64_t w)
{
	w ^= BYTES('0');
	return ((w + BYTES(0x80 - 10)) | w) & HIGH;
}

#endif

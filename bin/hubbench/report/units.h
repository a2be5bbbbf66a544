/* Figures as people read them: three digits and a unit. Each returns its text by value. */
#ifndef HUBBENCH_UNITS_H
#define HUBBENCH_UNITS_H

#include <stdint.h>

struct text {
	char s[40];
};

struct text text_duration(double ns); /* "12.3 ms"; "-" for NAN, as all of them */
struct text text_seconds(double s);   /* "10 s", "2.5 s" */
struct text text_count(uint64_t n);   /* "1,234,567" */
struct text text_whole(double n);     /* the same of a number that need not be whole */
struct text text_rate(double per_s);  /* "49.9", "499,800", "7.10 M": without its unit */
struct text text_bytes(double bytes); /* "12.3 MiB" */
struct text text_share(double share); /* 0.123: "12.3 %" */
struct text text_ratio(double ratio); /* "x 1.25" */

/* Whether out is a terminal that may have colours. */
_Bool text_colors(int fd);

#endif

/* Figures of one second of a run, for who goes through all of them. */
#ifndef HUBBENCH_SECOND_H
#define HUBBENCH_SECOND_H

#include "report/result.h"

typedef double second_figure(const struct result_second *s);

static inline double second_sent(const struct result_second *s)
{
	return (double)s->sent;
}

static inline double second_delivered(const struct result_second *s)
{
	return (double)s->delivered;
}

static inline double second_p50(const struct result_second *s)
{
	return (double)s->p50_ns;
}

static inline double second_p99(const struct result_second *s)
{
	return (double)s->p99_ns;
}

#endif

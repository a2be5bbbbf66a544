/* What happened in a test of a worker, a letter each. */
#ifndef HUB_LOOP_TRACE_H
#define HUB_LOOP_TRACE_H

#include "base/buf.h"
#include "unit.h"

static struct buf trace;

static inline void note(char what)
{
	assert_int_equal(buf_put(&trace, &what, 1), 0);
}

static inline void expect(const char *want)
{
	assert_int_equal(buf_put(&trace, "", 1), 0);
	assert_string_equal(trace.data, want);
	trace.len = 0;
}

#endif

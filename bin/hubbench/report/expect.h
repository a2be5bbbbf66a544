/* What a run is expected to show: NAME OP VALUE, such as "p99<50ms", "ack.p99.9<=2ms", "lost==0",
 * "achieved>=0.99", "bytes_per_client<2KiB" or, of another run, "p99<=1.2*base"; hubbench(1) has
 * the grammar. */
#ifndef HUBBENCH_EXPECT_H
#define HUBBENCH_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "report/result.h"

struct expect;

/* Parses a condition; the text is copied. base is the run that it may name, which is borrowed;
 * NULL: there is none. Returns NULL with the reason in why, as one sentence without its end.
 * expect_free() takes it. */
struct expect *expect_new(const char *text, const struct result *base, char *why, size_t cap);
void expect_free(struct expect *e); /* NULL is fine */

/* Whether the figure is of the server's processes, so that these must be known. */
bool expect_of_server(const struct expect *e);

/* Whether r shows it. why gets what was seen, met or not: "every.p99 is 12.3 ms". A figure that the
 * run does not have meets nothing. */
bool expect_met(const struct expect *e, const struct result *r, char *why, size_t cap);

/* The same, and notes it in r->checks for the reports. Returns whether it is met; false too where
 * memory is out. */
bool expect_check(const struct expect *e, struct result *r);

#endif

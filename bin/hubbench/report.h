/* A result on its way to people and programs. All of it is derived from struct result, so that the
 * table, the JSON and the page agree. Nothing here owns what it is given. */
#ifndef HUBBENCH_REPORT_H
#define HUBBENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "result.h"

/* The final table, for people; the verdict stands last. */
void report_table(FILE *out, const struct result *r);

/* The result as one line of JSON, versioned: {"type":"hubbench_result","version":1,...}. Returns 0
 * or -errno. */
int report_json(FILE *out, const struct result *r);

/* One second of it as one line of JSON, {"type":"hubbench_second",...}, flushed. Returns 0 or
 * -errno. */
int report_json_second(FILE *out, const struct result *r, const struct result_second *s);

/* The line on a terminal that is kept up to date on stderr; nothing where stderr is no terminal.
 * All other writing to stderr calls report_live_clear() first. For one thread. */
void report_live(const struct result *r, const struct result_second *s);
void report_live_clear(void);

/* The report as one SVG image, or as a page that has the figures in text as well; both need nothing
 * beside themselves. Returns 0 or -errno. */
int report_page(FILE *out, const struct result *r, bool html);

#endif

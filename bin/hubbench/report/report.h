/* The room report/: what becomes of a figure once it is measured. It owns what a run has found
 * (result.h, the data that all of it is about), what to make of that (verdict.h, expect.h), and its
 * ways to people and programs: the table, the line on a terminal, JSON and back (fields.h), a page
 * (chart.h, svg.h), two results side by side (compare.h). All is derived from struct result, so
 * that they agree. It knows neither how a run goes nor who asked for it.
 *
 * run/ fills results and judges them, main.c tells of them. Nothing here owns what it is given, and
 * nothing but the live line has a state. */
#ifndef HUBBENCH_REPORT_H
#define HUBBENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "report/result.h"

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

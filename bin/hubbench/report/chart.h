/* The charts of a report. Each draws into its box, title and legend included, and keeps nothing.
 * Errors of writing stay with out, for ferror(3). */
#ifndef HUBBENCH_CHART_H
#define HUBBENCH_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "report/result.h"
#include "report/svg.h"

/* How long the messages took, by percentile: corrected and not. */
void chart_percentiles(FILE *out, struct svg_box box, const struct result *r);

/* What happened second by second. */
enum chart {
	CHART_MESSAGES,
	CHART_DELIVERIES,
	CHART_LATENCY,
	CHART_CPU,
	CHART_CLIENTS,
	CHART_MEMORY
};
void chart_time(FILE *out, struct svg_box box, enum chart chart, const struct result *r);

/* The rates that a search tried. */
void chart_trials(FILE *out, struct svg_box box, const struct result *r);

/* Whether the result has anything to show there. */
bool chart_has(enum chart chart, const struct result *r);

#endif

/* What charts share: their frames, ticks and scales. For chart.c and chart_time.c only. */
#ifndef HUBBENCH_CHART_IMPL_H
#define HUBBENCH_CHART_IMPL_H

#include "report/svg.h"

#define TICKS_MAX 12

/* The part of a box that lines are drawn in. */
struct svg_box chart_inner(struct svg_box box);

void chart_frame(FILE *out, struct svg_box box, const char *title);

/* A key of the legend that ends there; returns where the one before it ends. */
double chart_legend(FILE *out, struct svg_box box, double end, const char *cls, const char *name);

/* Values beside a box, and how they read. */
typedef struct text tick_text(double value);
struct text tick_count(double value);
struct text tick_duration(double ns);
struct text tick_percent(double share);
struct text tick_bytes(double bytes);
void chart_values(FILE *out, struct svg_box in, const struct svg_scale *y, tick_text *text);

/* Scales: for durations a logarithm, a little wider than they are and a decade at least; for
 * figures from 0 to a round value that is not below high. */
struct svg_scale chart_durations(struct svg_box in, double low, double high);
struct svg_scale chart_figures(struct svg_box in, double high, bool binary);

#endif

/* What charts are made of: text, scales, the style for light and dark. Lengths are in pixels. */
#ifndef HUBBENCH_SVG_H
#define HUBBENCH_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "report/units.h"

struct svg_box {
	double x, y, w, h;
};

/* From values to one axis of a box. */
struct svg_scale {
	double low, high; /* of the values; for a logarithm both above 0 */
	double from, to;  /* of the axis */
	bool log;
	double step; /* between ticks that are not logarithmic; 0: what fits */
};

double svg_at(const struct svg_scale *s, double value); /* what is outside ends at the edge */

/* The distance of round values of which at most max fit into a span: 1, 2, 5, 10 and so on, or a
 * power of 2. */
double svg_step(double span, size_t max, bool binary);

/* Round values between low and high, at most max of them; returns how many. */
size_t svg_ticks(const struct svg_scale *s, double *ticks, size_t max);

/* Text as it may stand in XML: escaped, and without what XML does not have. */
void svg_escape(FILE *out, const char *text);

/* A line of text with the classes cls; formatted, then escaped. */
void svg_text(FILE *out, double x, double y, const char *cls, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

struct text svg_duration(double ns); /* with the micro sign */

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *cls);

/* The style of all that is drawn here, for a <style>. */
extern const char svg_style[];

#endif

/* Text, lines and scales of an image. Whatever is put in as text comes out as text: nothing in it
 * can be taken for markup. */
#include "report/svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

const char svg_style[] =
    ".hb{--page:#f9f9f7;--surface:#fcfcfb;--ink:#0b0b0b;--ink2:#52514e;--ink3:#7d7b76;"
    "--grid:#e6e5df;--axis:#c3c2b7;--edge:#e1e0d9;--a:#2a78d6;--b:#1baf7a;--c:#eb6834;"
    "--d:#8f8d87;--good:#0ca30c;--warn:#e09c00;--bound:#ec835a;--bad:#d03b3b;"
    "font-family:system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}"
    "@media(prefers-color-scheme:dark){.hb{--page:#0d0d0d;--surface:#1a1a19;--ink:#fff;"
    "--ink2:#c3c2b7;--ink3:#98968f;--grid:#2a2a28;--axis:#4a4a46;--edge:#2c2c2a;--a:#3987e5;"
    "--b:#199e70;--c:#d95926;--d:#7d7b76;--warn:#fab219}}"
    ".hb text{fill:var(--ink2);font-size:12px}"
    ".hb .ink{fill:var(--ink)}.hb .dim{fill:var(--ink3)}"
    ".hb .h1{fill:var(--ink);font-size:26px;font-weight:600}"
    ".hb .h2{fill:var(--ink);font-size:14px;font-weight:600}"
    ".hb .big{fill:var(--ink);font-size:22px;font-weight:600}"
    ".hb .label{font-size:11px;fill:var(--ink3)}"
    ".hb .end{text-anchor:end}.hb .mid{text-anchor:middle}"
    ".hb .num{font-variant-numeric:tabular-nums}.hb .strong{font-weight:600;fill:var(--ink)}"
    ".hb .page{fill:var(--page)}.hb .card{fill:var(--surface);stroke:var(--edge)}"
    ".hb .grid{stroke:var(--grid)}.hb .axis{stroke:var(--axis)}"
    ".hb .warmup{fill:var(--ink3);opacity:.09}.hb .hit{fill:transparent}"
    ".hb .hit:hover{fill:var(--ink3);opacity:.12}"
    ".hb .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".hb .a{stroke:var(--a)}.hb .b{stroke:var(--b)}.hb .c{stroke:var(--c)}"
    ".hb .d{stroke:var(--d)}.hb .dash{stroke-dasharray:5 4;stroke-width:1.75}"
    ".hb .thin{stroke-width:1.5}"
    ".hb .ok{fill:var(--good)}.hb .saturated{fill:var(--warn)}"
    ".hb .generator-bound{fill:var(--bound)}.hb .failed{fill:var(--bad)}";

double svg_at(const struct svg_scale *s, double value)
{
	double low = s->log ? log10(s->low) : s->low, high = s->log ? log10(s->high) : s->high;
	double at;

	if (s->log)
		value = value > s->low ? log10(value) : low;
	at = high > low ? (value - low) / (high - low) : 0;
	at = at < 0 ? 0 : at > 1 ? 1 : at;
	return s->from + at * (s->to - s->from);
}

double svg_step(double span, size_t max, bool binary)
{
	static const double factors[] = {1, 2, 5, 10};
	double rough = span / (double)(max ? max : 1), power = pow(10, floor(log10(rough)));

	if (binary)
		return pow(2, ceil(log2(rough)));
	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		if (power * factors[i] >= rough * 0.999)
			return power * factors[i];
	}
	return power * 10;
}

static size_t ticks_log(const struct svg_scale *s, double *ticks, size_t max)
{
	static const double factors[] = {1, 2, 5};
	/* All of 1, 2 and 5 where there is room, or each decade, or each few. */
	double decades = log10(s->high) - log10(s->low);
	size_t step = decades * 3 <= (double)max ? 1 : 3;
	size_t skip = 1 + (size_t)(decades / (double)max), n = 0;

	for (int e = (int)floor(log10(s->low)); e <= (int)ceil(log10(s->high)); e += (int)skip) {
		for (size_t i = 0; i < 3; i += step) {
			double value = factors[i] * pow(10, e);

			if (n < max && value >= s->low * 0.999 && value <= s->high * 1.001)
				ticks[n++] = value;
		}
	}
	return n;
}

size_t svg_ticks(const struct svg_scale *s, double *ticks, size_t max)
{
	double step = s->step;
	size_t n = 0;

	if (!(s->high > s->low))
		return 0;
	if (s->log)
		return ticks_log(s, ticks, max);
	if (!(step > 0))
		step = svg_step(s->high - s->low, max, false);
	for (double v = ceil(s->low / step - 1e-6) * step; v <= s->high + step * 1e-6 && n < max;
	     v += step)
		ticks[n++] = fabs(v) < step * 1e-6 ? 0 : v;
	return n;
}

/* The length of the character at p that XML may have as it is; 0: it may not. */
static size_t escape_length(const unsigned char *p, const unsigned char *end)
{
	size_t n = *p < 0x80 ? 1 : utf8_sequence(p, end);

	if (n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe)
		return 0;
	return *p < ' ' || *p == 0x7f ? 0 : n;
}

void svg_escape(FILE *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);

	while (p < end) {
		size_t n = escape_length(p, end);

		if (!n) {
			fputc(' ', out);
			n = 1;
		} else if (*p == '&') {
			fputs("&amp;", out);
		} else if (*p == '<') {
			fputs("&lt;", out);
		} else if (*p == '>') {
			fputs("&gt;", out);
		} else if (*p == '"') {
			fputs("&quot;", out);
		} else {
			fwrite(p, 1, n, out);
		}
		p += n;
	}
}

struct text svg_duration(double ns)
{
	struct text t = text_duration(ns);
	char *us = strstr(t.s, "us");

	if (us)
		snprintf(us, sizeof(t.s) - (size_t)(us - t.s), "\302\265s");
	return t;
}

void svg_text(FILE *out, double x, double y, const char *cls, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, cls);
	svg_escape(out, text);
	fputs("</text>\n", out);
}

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *cls)
{
	fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1,
		y1, x2, y2, cls);
}

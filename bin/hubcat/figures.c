/* Invariant: a counter that went back is that of another hub, and counts from 0. */
#include "figures.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAG "hubd_loop_lag_seconds_"
#define SHARE 0.99 /* of the turns that were no longer than what is shown */

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
#define FIELD(field, name)                            \
	{                                             \
		name, offsetof(struct figures, field) \
	}
    FIELD(connections, "hubd_connections"),
    FIELD(sessions, "hubd_sessions"),
    FIELD(members, "hubd_members"),
    FIELD(memory, "process_resident_memory_bytes"),
    FIELD(started, "process_start_time_seconds"),
    FIELD(received, "hubd_messages_received_total"),
    FIELD(delivered, "hubd_deliveries_total"),
    FIELD(received_bytes, "hubd_received_bytes_total"),
    FIELD(sent_bytes, "hubd_sent_bytes_total"),
    FIELD(slow, "hubd_slow_disconnects_total"),
    FIELD(slow, "hubd_slow_resyncs_total"),
    FIELD(refused, "hubd_refusals_total"),
    FIELD(turns, LAG "count"),
#undef FIELD
};

static void read_bucket(struct figures *f, const char *labels, double value)
{
	const char *le = strstr(labels, "le=\"");
	double bound = le ? strtod(le + 4, NULL) : INFINITY;

	if (isinf(bound) || f->bounds == FIGURES_BOUNDS)
		return;
	f->bound[f->bounds] = bound;
	f->below[f->bounds++] = value;
}

/* NAME{LABELS} VALUE, or without labels. */
static void read_line(struct figures *f, const char *line)
{
	size_t name = strcspn(line, "{ ");
	const char *end = line[name] == '{' ? strrchr(line, '}') : line + name;
	double value = end ? strtod(end + (*end == '}'), NULL) : NAN;

	if (isnan(value))
		return;
	if (name == sizeof(LAG "bucket") - 1 && memcmp(line, LAG "bucket", name) == 0)
		read_bucket(f, line + name, value);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == name && memcmp(line, fields[i].name, name) == 0)
			*(double *)(void *)((char *)f + fields[i].offset) += value;
}

bool figures_read(struct figures *f, const char *text, size_t len)
{
	const char *end = text + len, *feed;
	char line[400];

	*f = (struct figures){0};
	for (; text < end; text = feed + 1) {
		feed = memchr(text, '\n', (size_t)(end - text));
		if (!feed)
			break;
		if (*text == '#' || (size_t)(feed - text) >= sizeof(line))
			continue;
		memcpy(line, text, (size_t)(feed - text));
		line[feed - text] = '\0';
		read_line(f, line);
	}
	return f->started > 0 && f->memory > 0 && f->turns > 0;
}

/* --- what happened in between */

static double grown(double before, double now)
{
	return now >= before ? now - before : now;
}

/* Which bound SHARE of the turns in between were below; INFINITY: none. 0 where there was no turn.
 */
static double lag(const struct figures *before, const struct figures *now)
{
	double turns = grown(before->turns, now->turns);

	if (turns <= 0)
		return 0;
	for (size_t i = 0; i < now->bounds; i++)
		if (grown(i < before->bounds ? before->below[i] : 0, now->below[i]) >=
		    SHARE * turns)
			return now->bound[i];
	return INFINITY;
}

/* In six characters, with a unit where it is long: powers of base. */
static void human(char text[16], double n, double base)
{
	static const char units[] = " kMGTP";
	int unit = 0;

	while (n >= (unit ? base : 10 * base) && units[unit + 1]) {
		n /= base;
		unit++;
	}
	if (unit && n < 100)
		snprintf(text, 16, "%.1f%c", n, units[unit]);
	else if (unit)
		snprintf(text, 16, "%.0f%c", n, units[unit]);
	else
		snprintf(text, 16, "%.0f", n);
}

int figures_row(struct buf *out, const struct figures *b, const struct figures *n, double seconds)
{
	const struct {
		double n, base;
	} cells[] = {
	    {n->connections, 1000},
	    {n->sessions, 1000},
	    {n->members, 1000},
	    {grown(b->received, n->received) / seconds, 1000},
	    {grown(b->delivered, n->delivered) / seconds, 1000},
	    {grown(b->received_bytes, n->received_bytes) / seconds, 1024},
	    {grown(b->sent_bytes, n->sent_bytes) / seconds, 1024},
	    {grown(b->slow, n->slow), 1000},
	    {grown(b->refused, n->refused), 1000},
	};
	double ms = lag(b, n) * 1000;
	char text[16];
	int r = 0;

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]) && r == 0; i++) {
		human(text, cells[i].n, cells[i].base);
		r = buf_printf(out, "%6s ", text);
	}
	human(text, n->memory, 1024);
	if (r == 0)
		r = isinf(ms) ? buf_puts(out, "   inf") : buf_printf(out, "%6.4g", ms);
	return r == 0 ? buf_printf(out, " %6s\n", text) : r;
}

int figures_json(struct buf *out, const struct figures *b, const struct figures *n, double seconds,
		 unsigned long long now_ms)
{
	double ms = lag(b, n) * 1000;
	int r = buf_printf(
	    out,
	    "{\"type\":\"stats\",\"timestamp\":%llu,\"seconds\":%.3f,\"connections\":%.0f,"
	    "\"sessions\":%.0f,\"members\":%.0f,\"received\":%.0f,\"delivered\":%.0f,"
	    "\"received_bytes\":%.0f,\"sent_bytes\":%.0f,\"slow\":%.0f,\"refused\":%.0f,",
	    now_ms, seconds, n->connections, n->sessions, n->members,
	    grown(b->received, n->received), grown(b->delivered, n->delivered),
	    grown(b->received_bytes, n->received_bytes), grown(b->sent_bytes, n->sent_bytes),
	    grown(b->slow, n->slow), grown(b->refused, n->refused));

	if (r == 0)
		r = isinf(ms) ? buf_puts(out, "\"lag_ms\":null")
			      : buf_printf(out, "\"lag_ms\":%.6g", ms);
	return r == 0 ? buf_printf(out, ",\"memory\":%.0f}\n", n->memory) : r;
}

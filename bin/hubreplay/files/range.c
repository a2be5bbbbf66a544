/* Invariant: from_us <= to_us. */
#include "files/range.h"

#include "base/err.h"

static void read_moment(const char *option, const char *text, struct quantity_moment *at)
{
	if (quantity_moment(text, at) < 0)
		err_die(EX_USAGE,
			"%s: '%s' is not a time such as 90, 12.5s, 500ms, 1:02:03, +5m, "
			"@2026-11-29T20:15",
			option, text);
}

/* In us since the beginning; after: what + is behind. */
static uint64_t since(const char *option, const struct quantity_moment *at, uint64_t start_ms,
		      uint64_t after)
{
	switch (at->kind) {
	case MOMENT_AFTER:
		return after + at->us;
	case MOMENT_WALL:
		if (!start_ms)
			err_die(EX_USAGE,
				"%s: a time of the calendar needs a header, which says "
				"when the recording began",
				option);
		return at->us > start_ms * 1000 ? at->us - start_ms * 1000 : 0;
	default:
		return at->us;
	}
}

void range_read(struct range *r, const char *from, const char *to)
{
	*r = (struct range){.ends = to};
	if (from)
		read_moment("--from", from, &r->from);
	if (to)
		read_moment("--to", to, &r->to);
	/* Where it can be known now, nothing is opened first. */
	if (r->from.kind != MOMENT_WALL && r->to.kind != MOMENT_WALL)
		range_begin(r, 0);
}

void range_begin(struct range *r, uint64_t start_ms)
{
	r->from_us = since("--from", &r->from, start_ms, 0);
	r->to_us = r->ends ? since("--to", &r->to, start_ms, r->from_us) : UINT64_MAX;
	if (r->to_us < r->from_us)
		err_die(EX_USAGE, "--to is before --from");
}

/* What a person sees on stderr. On a terminal where nobody types, one line is kept up to date below
 * the rest; all other writing to the terminal clears it first. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "hubcat.h"

#define REDRAW_MS 250

static void report_text(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody is left to tell */
}

void report_clear(struct hubcat *h)
{
	if (!h->status_drawn)
		return;
	h->status_drawn = false;
	report_text("\r\033[K");
}

static void report_draw(uv_timer_t *timer)
{
	struct hubcat *h = timer->data;
	char line[256];
	int n = snprintf(line, sizeof(line), "\r\033[K%s: %s", h->o.session, h->state);

	if (!h->o.publish && n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %llu received",
			      (unsigned long long)h->shown);
	if (!h->o.listen && n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %llu lines read",
			      (unsigned long long)h->in.number);
	if (n < (int)sizeof(line))
		snprintf(line + n, sizeof(line) - (size_t)n, " ");
	report_text(line);
	h->status_drawn = true;
}

void report_start(struct hubcat *h)
{
	bool tty = isatty(STDERR_FILENO);

	h->interactive = tty;
	/* Not where records or typing would run into it. */
	h->status_line = tty && !h->o.verbose && !isatty(STDOUT_FILENO) &&
			 (h->o.listen || !isatty(STDIN_FILENO));
	err_init("hubcat", h->o.verbose ? ERR_INFO : ERR_WARN);
	if (h->status_line) {
		uv_timer_start(&h->redraw, report_draw, REDRAW_MS, REDRAW_MS);
		uv_unref((uv_handle_t *)&h->redraw);
	}
}

static void report_at(struct hubcat *h, enum err_level level, const char *fmt, va_list ap)
{
	char text[1000];

	vsnprintf(text, sizeof(text), fmt, ap);
	report_clear(h);
	err_log(level, "%s", text);
}

void report(struct hubcat *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_at(h, ERR_ERROR, fmt, ap);
	va_end(ap);
}

void report_detail(struct hubcat *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_at(h, ERR_INFO, fmt, ap);
	va_end(ap);
}

static void report_joined(struct hubcat *h, const struct client_status *s)
{
	if (s->again)
		report(h,
		       "the hub does not know us any more; messages that may be in its log twice: "
		       "%zu",
		       s->again);
	else if (h->joined_once && !h->told)
		report(h, "connected again");
	h->hub_errors |= s->again > 0;
	/* To a person who types it says that one may begin. */
	if (h->o.verbose || (h->interactive && !h->status_line && !h->o.publish && !h->joined_once))
		report(h, "joined %s as %s; members: %llu, seq: %llu", h->o.session, s->client_id,
		       (unsigned long long)s->user_count, (unsigned long long)s->seq);
}

void report_place(struct hubcat *h, const struct client_joined *j)
{
	bool failed = j->reason[0] && !(j->asked && j->since == 0);

	h->told = !h->o.publish && (failed || (j->again && j->recovered));
	if (!h->told)
		return;
	if (failed)
		report(h, "resume failed (%s): %llu state records instead", j->reason,
		       (unsigned long long)j->snapshot);
	else
		report(h, "resumed after seq %llu", (unsigned long long)j->since);
}

static void report_waiting(struct hubcat *h, const struct client_status *s)
{
	report(h, "%s %s: %s; attempt %u of %u in %.1f s", h->was_open ? "lost" : "connect",
	       h->where, s->reason, s->attempt, s->attempts, s->delay_ms / 1000.0);
	if (s->clean_start)
		report(h, "all %u attempts failed; starting over", s->attempts);
}

static void report_closed(struct hubcat *h, const struct client_status *s)
{
	if (s->end != CLIENT_LEFT)
		report(h, "%s %s: %s", h->was_open ? "lost" : "connect", h->where, s->reason);
}

void report_state(struct hubcat *h, const struct client_status *s)
{
	snprintf(h->state, sizeof(h->state), "%s", client_state_name(s->state));
	switch (s->state) {
	case CLIENT_JOINED:
		report_joined(h, s);
		break;
	case CLIENT_WAITING:
		report_waiting(h, s);
		break;
	case CLIENT_CLOSED:
		report_closed(h, s);
		break;
	default:
		report_detail(h, "%s %s", client_state_name(s->state), h->where);
		break;
	}
	h->was_open = s->state == CLIENT_OPEN || s->state == CLIENT_JOINED;
}

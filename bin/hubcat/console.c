/* What a person sees on stderr. On a terminal where nobody types, one line is kept up to date below
 * the rest; all other writing to the terminal clears it first. */
#include "console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define REDRAW_MS 250

static void console_write(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody is left to tell */
}

void console_clear(struct console *c)
{
	progress_clear(&c->progress);
}

void console_text(struct console *c, const char *text)
{
	if (!*text)
		return;
	console_clear(c);
	console_write(text);
}

static void console_draw(uv_timer_t *timer)
{
	struct console *c = timer->data;
	char line[200];
	int n = snprintf(line, sizeof(line), "%s: %s", c->args->session, c->state);

	if (!c->args->publish && n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %llu received",
			      (unsigned long long)*c->received);
	if (!c->args->listen && n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %llu lines read",
			      (unsigned long long)*c->lines);
	if (n < (int)sizeof(line))
		snprintf(line + n, sizeof(line) - (size_t)n, " ");
	progress_draw(&c->progress, line);
}

void console_start(struct console *c, uv_loop_t *loop)
{
	const struct arguments *a = c->args;
	bool tty = isatty(STDERR_FILENO), writes = !a->publish || a->acks,
	     reads = !a->listen && !a->state;

	c->interactive = tty;
	/* Not where records or typing would run into it. */
	c->status_line = tty && !a->verbose && !(writes && isatty(STDOUT_FILENO)) &&
			 !(reads && isatty(STDIN_FILENO));
	err_init("hubcat", a->verbose ? ERR_INFO : ERR_WARN);
	uv_timer_init(loop, &c->redraw);
	c->redraw.data = c;
	if (c->status_line) {
		uv_timer_start(&c->redraw, console_draw, REDRAW_MS, REDRAW_MS);
		uv_unref((uv_handle_t *)&c->redraw);
	}
}

void console_close(struct console *c)
{
	console_clear(c);
	uv_close((uv_handle_t *)&c->redraw, NULL);
}

static void console_at(struct console *c, enum err_level level, const char *fmt, va_list ap)
{
	char text[1000];

	vsnprintf(text, sizeof(text), fmt, ap);
	console_clear(c);
	err_log(level, "%s", text);
}

void console_say(struct console *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	console_at(c, ERR_ERROR, fmt, ap);
	va_end(ap);
}

void console_detail(struct console *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	console_at(c, ERR_INFO, fmt, ap);
	va_end(ap);
}

/* --- the connection */

static void console_joined(struct console *c, const struct client_status *s)
{
	const struct arguments *a = c->args;

	if (s->again)
		console_say(c,
			    "the hub does not know us any more; messages that may be in its log "
			    "twice: %zu",
			    s->again);
	else if (c->joined_once && !c->told)
		console_say(c, "connected again");
	/* To a person who types it says that one may begin. */
	if (a->verbose || (c->interactive && !c->status_line && !a->publish && !c->joined_once))
		console_say(c, "joined %s as %s; members: %llu, seq: %llu", a->session,
			    s->client_id, (unsigned long long)s->user_count,
			    (unsigned long long)s->seq);
	c->joined_once = true;
}

void console_place(struct console *c, const struct client_joined *j)
{
	bool failed = j->reason[0] && !(j->asked && j->since == 0);

	c->told = !c->args->publish && (failed || (j->again && j->recovered));
	if (!c->told)
		return;
	if (failed)
		console_say(c, "resume failed (%s): %llu state records instead", j->reason,
			    (unsigned long long)j->snapshot);
	else
		console_say(c, "resumed after seq %llu", (unsigned long long)j->since);
}

/* The code of the close, with a space before it; nothing where it is not known for sure: the
 * library makes 1002 of some. */
static const char *close_code(const struct client_status *s, char out[24])
{
	out[0] = '\0';
	if (s->close_code && s->close_code != 1002)
		snprintf(out, 24, " (code %d)", s->close_code);
	return out;
}

static void console_waiting(struct console *c, const struct client_status *s)
{
	char code[24];

	console_say(c, "%s %s: %s%s; attempt %u of %u in %.1f s", c->was_open ? "lost" : "connect",
		    c->where, s->reason, close_code(s, code), s->attempt, s->attempts,
		    s->delay_ms / 1000.0);
	if (s->clean_start)
		console_say(c, "all %u attempts failed; starting over", s->attempts);
}

static void console_closed(struct console *c, const struct client_status *s)
{
	char code[24];

	if (s->end != CLIENT_LEFT)
		console_say(c, "%s %s: %s%s", c->was_open ? "lost" : "connect", c->where, s->reason,
			    close_code(s, code));
}

void console_state(struct console *c, const struct client_status *s)
{
	snprintf(c->state, sizeof(c->state), "%s", client_state_name(s->state));
	switch (s->state) {
	case CLIENT_JOINED:
		console_joined(c, s);
		break;
	case CLIENT_WAITING:
		console_waiting(c, s);
		break;
	case CLIENT_CLOSED:
		console_closed(c, s);
		break;
	default:
		console_detail(c, "%s %s", client_state_name(s->state), c->where);
		break;
	}
	c->was_open = s->state == CLIENT_OPEN || s->state == CLIENT_JOINED;
}

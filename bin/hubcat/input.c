/* Standard input. Lines that are messages already go to the client straight from the piece that was
 * read, as many in one go as stand together; others are put together first. What waits to be sent
 * is a run: in the piece or in `made`, never in both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "err.h"
#include "hubcat.h"

#define PIECE (64 << 10)
#define MADE_MAX (64 << 10) /* bytes put together before they are sent */

static void input_bad(struct input *in, const char *why)
{
	in->bad++;
	report(in->h, "line %llu: %s", (unsigned long long)in->number, why);
}

/* --- lines to runs */

/* Sends the run. Returns false where the client has no room. */
static bool input_send(struct input *in)
{
	int r;

	if (!in->run_len)
		return true;
	r = client_send(in->h->client, in->run, in->run_len);
	if (r == -EAGAIN)
		return false;
	if (r < 0 && r != -EPIPE)
		input_bad(in, strerror(-r));
	in->run_len = 0;
	in->made.len = 0;
	return true;
}

/* A line that is a message, or is not. Returns false where the run must be sent before. */
static bool input_take(struct input *in, const char *text, size_t len)
{
	bool in_piece = text >= in->piece && text < in->piece + PIECE;
	char why[300];

	if (!convert_check(text, len, why, sizeof(why))) {
		input_bad(in, why);
		return true;
	}
	if (in_piece && in->run_len && in->run + in->run_len == text) {
		in->run_len += len + (text + len < in->end);
		return true;
	}
	if (in->run_len)
		return false;
	in->run = text;
	in->run_len = len + (in_piece && text + len < in->end);
	if (in_piece)
		return true;
	if (buf_put(&in->made, text, len) < 0) {
		in->run_len = 0;
		input_bad(in, strerror(ENOMEM));
	}
	in->run = in->made.data;
	return true;
}

/* The same for a line that -t or -m makes messages of. */
static bool input_convert(struct input *in, const char *text, size_t len)
{
	char why[300];

	if (in->made.len > MADE_MAX)
		return false;
	if (!convert_line(in->h, text, len, &in->made, why, sizeof(why)))
		input_bad(in, why);
	in->run = in->made.data;
	in->run_len = in->made.len;
	return true;
}

static bool input_add(struct input *in)
{
	bool text = in->h->o.raw || in->h->o.type;

	if (!text && convert_blank(in->text, in->text_len))
		return true;
	return (convert_needed(&in->h->o) ? input_convert : input_take)(in, in->text, in->text_len);
}

/* The next line of the piece, or at the end of input what has no line feed. */
static bool input_next(struct input *in)
{
	enum line_got got =
	    line_next(&in->line, &in->p, in->end, LINE_LIMIT, &in->text, &in->text_len);

	if (got == LINE_MORE && in->eof)
		got = line_last(&in->line, &in->text, &in->text_len);
	if (got == LINE_MORE)
		return false;
	in->number++;
	in->has_line = got == LINE_WHOLE;
	if (got != LINE_WHOLE)
		input_bad(in,
			  got == LINE_NOMEM ? strerror(ENOMEM) : "too_large: longer than 1 MiB");
	return true;
}

/* Sends all there is. Returns false where the client has no room; the rest stays as it is. */
static bool input_pump(struct input *in)
{
	while (in->has_line || input_next(in)) {
		while (in->has_line && !input_add(in))
			if (!input_send(in))
				return false;
		in->has_line = false;
	}
	return input_send(in);
}

/* --- reading */

static void input_end(struct input *in)
{
	if (in->ended)
		return;
	in->ended = true;
	hubcat_input_done(in->h);
}

/* Reading goes on only where nothing is left to send. */
static void input_wait(struct input *in)
{
	bool on = !in->blocked && !in->eof && !in->ended;

	if (in->watched && on)
		watch_start(&in->watch, EPOLLIN);
	else if (in->watched)
		watch_stop(&in->watch);
}

static void input_go_on(struct input *in)
{
	in->blocked = !input_pump(in);
	input_wait(in);
	if (!in->blocked && in->eof)
		input_end(in);
}

static void input_read(struct input *in)
{
	ssize_t n = read(STDIN_FILENO, in->piece, PIECE);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		report(in->h, "standard input: %s", strerror(errno));
		hubcat_finish(in->h, EX_IOERR);
		return;
	}
	in->p = in->piece;
	in->end = in->piece + n;
	in->eof = n == 0;
	input_go_on(in);
}

static void input_ready(struct watch *w, uint32_t events)
{
	(void)events;
	input_read(w->data);
}

static void on_input_idle(uv_idle_t *idle)
{
	struct input *in = idle->data;

	if (in->blocked || in->eof || in->ended)
		uv_idle_stop(idle);
	else
		input_read(in);
}

int input_start(struct input *in, struct hubcat *h)
{
	int r;

	in->h = h;
	in->piece = malloc(PIECE);
	if (!in->piece)
		return -ENOMEM;
	in->p = in->end = in->piece;
	uv_idle_init(&h->loop, &in->idle);
	in->idle.data = in;
	r = watch_init(&in->watch, &h->loop, STDIN_FILENO, input_ready, in);
	if (r < 0 && r != -EPERM)
		return r;
	in->watched = r == 0;
	if (!in->watched)
		uv_idle_start(&in->idle, on_input_idle);
	input_wait(in);
	return 0;
}

void input_writable(struct input *in)
{
	if (!in->blocked || in->ended)
		return;
	input_go_on(in);
	if (!in->watched && !in->blocked && !in->eof)
		uv_idle_start(&in->idle, on_input_idle);
}

void input_stop(struct input *in)
{
	if (!in->h)
		return;
	in->ended = true;
	input_wait(in);
	uv_idle_stop(&in->idle);
}

uint64_t input_unsent(const struct input *in)
{
	uint64_t n = in->has_line;

	for (size_t i = 0; i < in->run_len; i++)
		n += in->run[i] == '\n' || i + 1 == in->run_len;
	for (const char *p = in->p; p && p < in->end; p++)
		n += *p == '\n';
	return n;
}

void input_free(struct input *in)
{
	if (!in->h)
		return;
	watch_close(&in->watch);
	if (in->idle.data)
		uv_close((uv_handle_t *)&in->idle, NULL);
	line_reset(&in->line);
	buf_free(&in->made);
	filter_free(in->map);
	free(in->piece);
	in->piece = NULL;
}

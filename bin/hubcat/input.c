/* A line that is a message goes to the client as it is; what -t or -m makes of one is put together
 * in `made` first. Invariant: what is made of a line has left before the next line is looked at. */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "json/envelope.h"

#define PIECE (64 << 10)

static void input_bad(struct input *in, const char *why)
{
	in->bad++;
	console_say(in->console, "line %llu: %s", (unsigned long long)in->number, why);
	rejects_write(&in->rejects, in->number);
}

/* Whether the code says that the line itself is at fault. */
static bool bad_code(const char *code)
{
	return strncmp(code, "bad_", 4) == 0 || strcmp(code, "too_large") == 0;
}

void input_refused(struct input *in, const struct client_refusal *r)
{
	char id[100] = "", later[60] = "";

	if (r->msg_id)
		snprintf(id, sizeof(id), " (msg_id %.*s)", (int)r->msg_id_len, r->msg_id);
	if (r->passes)
		snprintf(later, sizeof(later), "; sent again, and what is behind it, in %.1f s",
			 r->delay_ms / 1000.0);
	console_say(in->console, "line %llu: %s: %s%s%s", (unsigned long long)r->tag, r->code,
		    r->about, id, later);
	if (r->passes)
		return;
	if (bad_code(r->code))
		in->bad++;
	else
		in->refused++;
	rejects_write(&in->rejects, r->tag);
}

/* --- lines to messages */

/* Returns false where the client has no room. */
static bool input_send(struct input *in, const char *text, size_t len)
{
	int r = client_send_as(in->client, text, len, in->number);
	char why[120];

	if (r == -EMSGSIZE)
		snprintf(why, sizeof(why),
			 "too_large: %zu bytes; the hub takes %zu, a msg_id among them", len,
			 client_largest(in->client));
	else if (r < 0)
		snprintf(why, sizeof(why), "%s", strerror(-r));
	if (r < 0 && r != -EAGAIN && r != -EPIPE)
		input_bad(in, why);
	return r != -EAGAIN;
}

/* Sends what is made. Returns false where the client has no room; the rest stays. */
static bool input_send_made(struct input *in)
{
	while (in->made_sent < in->made.len) {
		const char *text = in->made.data + in->made_sent;
		const char *feed = memchr(text, '\n', in->made.len - in->made_sent);

		if (!input_send(in, text, (size_t)(feed - text)))
			return false;
		in->made_sent += (size_t)(feed - text) + 1;
	}
	in->made.len = in->made_sent = 0;
	return true;
}

/* -m wants no more: what is behind this line counts as not there. */
static void input_halt(struct input *in)
{
	const char *text;

	if (filter_halted(in->convert.map, &in->status, &text))
		console_text(in->console, text);
	in->p = in->end;
	line_reset(&in->line);
	in->eof = true;
}

/* Makes messages of the line, or sends it. Returns false where the client has no room. */
static bool input_take(struct input *in)
{
	const struct convert *c = &in->convert;
	char why[300];

	if (!c->raw && !c->type && convert_blank(in->text, in->text_len))
		return true;
	switch (convert_line(c, in->text, in->text_len, &in->made, why, sizeof(why))) {
	case CONVERT_AS_IS:
		return input_send(in, in->text, in->text_len);
	case CONVERT_BAD:
		input_bad(in, why);
		return true;
	case CONVERT_HALT:
		input_halt(in);
		return true;
	default:
		return true;
	}
}

/* The first line of which it is not known what becomes. */
static uint64_t oldest(const struct input *in)
{
	uint64_t n = in->rejects.fd < 0 ? 0 : client_oldest(in->client);

	return n < in->number ? n : in->number;
}

/* The next line of the piece, or at the end of input what has no line feed. */
static bool input_next(struct input *in)
{
	enum line_got got =
	    line_next(&in->line, &in->p, in->end, ENVELOPE_MESSAGE_MAX, &in->text, &in->text_len);

	if (got == LINE_MORE && in->eof)
		got = line_last(&in->line, &in->text, &in->text_len);
	if (got == LINE_MORE)
		return false;
	in->number++;
	in->has_line = got == LINE_WHOLE;
	if (got != LINE_WHOLE)
		input_bad(in,
			  got == LINE_NOMEM ? strerror(ENOMEM) : "too_large: longer than 64 MiB");
	else
		rejects_keep(&in->rejects, in->number, in->text, in->text_len, oldest(in));
	return true;
}

/* Sends all there is. Returns false where the client has no room; the rest stays as it is. */
static bool input_pump(struct input *in)
{
	while (input_send_made(in) && (in->has_line || input_next(in))) {
		if (in->has_line && !input_take(in))
			return false;
		in->has_line = false;
	}
	return !in->made.len;
}

/* --- reading */

static void input_end(struct input *in)
{
	if (in->ended)
		return;
	in->ended = true;
	in->events->ended(in->arg);
}

/* Reading goes on only where nothing is left to send. */
static void input_wait(struct input *in)
{
	bool on = !in->blocked && !in->eof && !in->ended;

	if (in->watched && on)
		readiness_start(&in->watch, EPOLLIN);
	else if (in->watched)
		readiness_stop(&in->watch);
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
		in->events->failed(in->arg, errno);
		return;
	}
	in->p = in->piece;
	in->end = in->piece + n;
	in->eof = n == 0;
	/* A byte order mark is none of the text. What a pipe gives first may be less than that. */
	if (!in->begun && n >= 3 && memcmp(in->piece, "\xef\xbb\xbf", 3) == 0)
		in->p += 3;
	in->begun = true;
	input_go_on(in);
}

static void input_ready(struct readiness *r, uint32_t events)
{
	(void)events;
	input_read(r->data);
}

static void on_input_idle(uv_idle_t *idle)
{
	struct input *in = idle->data;

	if (in->blocked || in->eof || in->ended)
		uv_idle_stop(idle);
	else
		input_read(in);
}

int input_start(struct input *in, uv_loop_t *loop)
{
	int r;

	in->piece = malloc(PIECE);
	if (!in->piece)
		return -ENOMEM;
	in->p = in->end = in->piece;
	uv_idle_init(loop, &in->idle);
	in->idle.data = in;
	r = readiness_init(&in->watch, loop, STDIN_FILENO, input_ready, in);
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
	if (!in->piece)
		return;
	in->ended = true;
	input_wait(in);
	uv_idle_stop(&in->idle);
}

uint64_t input_unsent(const struct input *in)
{
	uint64_t n = in->has_line;

	for (size_t i = in->made_sent; i < in->made.len; i++)
		n += in->made.data[i] == '\n';
	for (const char *p = in->p; p && p < in->end; p++)
		n += *p == '\n';
	return n;
}

/* What was read and has no answer. */
static void input_reject_rest(struct input *in)
{
	uint64_t from = client_oldest(in->client);

	if ((in->has_line || in->made.len) && in->number < from)
		from = in->number;
	while (in->piece && input_next(in))
		if (in->number < from)
			from = in->number;
	rejects_rest(&in->rejects, from);
}

void input_free(struct input *in)
{
	if (in->rejects.fd >= 0)
		input_reject_rest(in);
	rejects_close(&in->rejects);
	filter_free(in->convert.map);
	in->convert.map = NULL;
	if (!in->piece)
		return;
	readiness_close(&in->watch);
	if (in->idle.data)
		uv_close((uv_handle_t *)&in->idle, NULL);
	line_reset(&in->line);
	buf_free(&in->made);
	free(in->piece);
	in->piece = NULL;
}

/* Keys, lines in and lines out: what the commands share. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/line.h"

void command_memory(int error)
{
	if (error < 0)
		err_die(EX_OSERR, "out of memory");
}

struct token_keys *command_keys(const struct opt_list *files)
{
	struct token_keys *keys = token_keys_new();
	char why[300];
	int status;

	if (!keys)
		err_die(EX_OSERR, "out of memory");
	for (size_t i = 0; i < files->n; i++) {
		status = token_keys_read(keys, files->item[i], why, sizeof(why));
		if (status)
			err_die(status, "%s: %s", files->item[i], why);
	}
	return keys;
}

void command_refuse(unsigned long number, enum token_error e, const struct token_claims *c)
{
	bool named = e == TOKEN_BAD_CLAIM && c->wrong;

	err_log(ERR_ERROR, "line %lu: %s: %s%s%s", number, token_error_name(e), token_error_text(e),
		named ? ": " : "", named ? c->wrong : "");
}

void command_write(struct buf *out)
{
	size_t done = 0;

	while (done < out->len) {
		ssize_t n = write(STDOUT_FILENO, out->data + done, out->len - done);

		if (n < 0 && errno == EPIPE)
			exit(EX_OK);
		if (n < 0 && errno != EINTR)
			err_die(EX_IOERR, "standard output: %s", strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	out->len = 0;
}

void command_put_json(struct buf *out, const char *json, size_t len)
{
	size_t before = out->len;

	command_memory(buf_put(out, json, len));
	for (char *p = out->data + before; p < out->data + out->len; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}

struct reading {
	int (*each)(const char *, size_t, unsigned long, struct buf *, void *);
	void *arg;
	struct buf out;
	unsigned long number;
	int status;
};

static void one_line(struct reading *r, enum line_got got, const char *text, size_t len)
{
	int status = 0;

	r->number++;
	if (got == LINE_NOMEM)
		command_memory(-ENOMEM);
	if (got == LINE_TOO_LONG) {
		err_log(ERR_ERROR, "line %lu: longer than %d bytes", r->number, LINE_LIMIT);
		status = EX_DATAERR;
	} else {
		while (len && strchr(" \t\r", text[len - 1]))
			len--;
		if (len)
			status = r->each(text, len, r->number, &r->out, r->arg);
	}
	if (!r->status)
		r->status = status;
}

static size_t read_piece(char *piece, size_t cap)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, piece, cap);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (size_t)n;
	err_die(EX_IOERR, "standard input: %s", strerror(errno));
}

int command_lines(int (*each)(const char *text, size_t len, unsigned long number, struct buf *out,
			      void *arg),
		  void *arg)
{
	struct reading r = {.each = each, .arg = arg};
	struct line line = {0};
	char piece[16 << 10];
	enum line_got got;
	const char *text;
	size_t len;
	size_t n;

	while ((n = read_piece(piece, sizeof(piece))) > 0) {
		const char *p = piece;

		while ((got = line_next(&line, &p, piece + n, LINE_LIMIT, &text, &len)) !=
		       LINE_MORE)
			one_line(&r, got, text, len);
		command_write(&r.out);
	}
	if (line_last(&line, &text, &len) == LINE_WHOLE)
		one_line(&r, LINE_WHOLE, text, len);
	command_write(&r.out);
	line_reset(&line);
	buf_free(&r.out);
	return r.status;
}

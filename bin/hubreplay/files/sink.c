/* A recording that is written. Whatever cannot be written ends the program, so a sink that is used
 * is one that works. */
#include "files/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "files/files.h"
#include "files/parts.h"

void sink_open(struct sink *s, const char *path, const struct seal_keys *keys)
{
	struct recorder_options options = {.keys = keys};
	char why[300];
	int status;

	if (parts_compressed(path))
		options.level = FILES_ZSTD_LEVEL;
	if (table_url_is(path))
		err_die(EX_USAGE, "-o: only `record` writes to a database");
	*s = (struct sink){.path = path};
	s->w = recorder_open(path, &options, NULL, why, sizeof(why), &status);
	if (!s->w)
		err_die(status, "%s: %s", path, why);
}

void sink_check(const struct sink *s, int error)
{
	/* Nobody reads standard output any more: no error of ours. */
	if (error == -EPIPE && strcmp(s->path, "-") == 0)
		exit(EX_OK);
	if (error == -EINVAL)
		err_die(EX_DATAERR, "%s: a line or a span beyond what a recording can have",
			s->path);
	if (error < 0)
		err_die(EX_IOERR, "%s: %s", s->path, strerror(-error));
}

void sink_put(struct sink *s, const struct recording_line *line, uint64_t t_us)
{
	s->text.len = 0;
	if (buf_put(&s->text, line->text, line->body) < 0 || buf_puts(&s->text, "}") < 0)
		err_die(EX_OSERR, "out of memory");
	sink_check(s, recorder_put(s->w, s->text.data, s->text.len, t_us));
}

void sink_close(struct sink *s)
{
	sink_check(s, recorder_close(s->w));
	buf_free(&s->text);
}

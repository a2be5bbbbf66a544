#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define ZSTD_LEVEL 3
#define TIME_MAX 1e9 /* seconds */

static void read_key(struct seal_keys **keys, enum seal_key kind, const char *path)
{
	char why[300];
	int status;

	if (!path)
		return;
	if (!*keys)
		*keys = seal_keys_new();
	if (!*keys)
		err_die(EX_OSERR, "out of memory");
	status = seal_key_read(*keys, kind, path, why, sizeof(why));
	if (status)
		err_die(status, "%s: %s", path, why);
}

struct seal_keys *files_keys(const char *seal, const char *verify)
{
	struct seal_keys *keys = NULL;

	read_key(&keys, SEAL_SECRET, seal);
	read_key(&keys, SEAL_VERIFY, verify);
	return keys;
}

struct seal_keys *files_keys_to(const char *seal, const char *sign)
{
	struct seal_keys *keys = NULL;

	read_key(&keys, SEAL_SECRET, seal);
	read_key(&keys, SEAL_SIGN, sign);
	return keys;
}

struct recording *files_open(const char *path, const struct seal_keys *keys, int *status)
{
	char why[300];
	struct recording *r = recording_open(path, keys, why, sizeof(why), status);

	if (!r)
		err_log(ERR_ERROR, "%s: %s", path, why);
	return r;
}

struct recording *files_need(const char *path, const struct seal_keys *keys)
{
	int status;
	struct recording *r = files_open(path, keys, &status);

	if (!r)
		exit(status);
	return r;
}

int files_ended(const char *path, const struct recording *r, enum recording_status status)
{
	if (status == RECORDING_END)
		return EX_OK;
	err_log(ERR_ERROR, "%s: %s", path, recording_why(r));
	return status == RECORDING_UNFINISHED ? EX_NO
	       : status == RECORDING_BAD      ? EX_DATAERR
					      : EX_IOERR;
}

/* --- writing */

void sink_open(struct sink *s, const char *path, const struct seal_keys *keys)
{
	struct recorder_options options = {.keys = keys};
	size_t len = strlen(path);
	char why[300];
	int status;

	if (len > 4 && strcmp(path + len - 4, ".zst") == 0)
		options.level = ZSTD_LEVEL;
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

/* --- times */

static double unit_of(const char *unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, unit) == 0)
			return units[i].seconds;
	return -1;
}

/* Returns seconds, or less than 0 for what is no time. */
static double seconds_of(const char *text)
{
	double seconds = 0, n, unit;
	int colons = 0;
	char *end;

	for (;; text = end + 1) {
		if (*text < '0' || *text > '9' || text[strspn(text, "0123456789.")] == 'e')
			return -1;
		n = strtod(text, &end);
		seconds = 60 * seconds + n;
		if (*end != ':')
			break;
		if (++colons > 2 || n != (double)(long)n)
			return -1;
	}
	if (colons && n >= 60)
		return -1;
	unit = colons ? *end ? -1 : 1 : unit_of(end);
	return unit < 0 ? -1 : seconds * unit;
}

uint64_t files_time(const char *option, const char *text)
{
	double seconds = seconds_of(text);

	if (seconds < 0 || seconds > TIME_MAX)
		err_die(EX_USAGE, "%s: '%s' is not a time such as 90, 12.5, 500ms, 3m, 1:02:03.5",
			option, text);
	return (uint64_t)(seconds * 1e6 + 0.5);
}

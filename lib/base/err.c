/* Invariant: a line leaves in one write, cut at 1 KiB rather than in two. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *err_program = "hub";
static enum err_level err_max = ERR_INFO;
static void (*_Atomic err_say)(enum err_level level, const char *message);

void err_init(const char *program, enum err_level level)
{
	err_program = program;
	err_max = level;
}

static void err_write(const char *fmt, va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s: ", err_program);
	size_t len = (size_t)n;

	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}

void err_via(void (*say)(enum err_level level, const char *message))
{
	err_say = say;
}

bool err_shows(enum err_level level)
{
	return level <= err_max;
}

void err_log(enum err_level level, const char *fmt, ...)
{
	void (*say)(enum err_level level, const char *message) = err_say;
	char message[1024];
	va_list ap;

	if (!err_shows(level))
		return;
	va_start(ap, fmt);
	if (say) {
		vsnprintf(message, sizeof(message), fmt, ap);
		say(level, message);
	} else {
		err_write(fmt, ap);
	}
	va_end(ap);
}

void err_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_write(fmt, ap);
	va_end(ap);
	exit(status);
}

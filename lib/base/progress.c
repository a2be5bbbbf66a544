/* Invariant: nothing is said behind a line that is still drawn. */
#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define START "\r\033[K" /* of the line, which it empties */

void progress_draw(struct progress *p, const char *line)
{
	char text[sizeof(START) + 200];

	snprintf(text, sizeof(text), START "%s", line);
	p->drawn = write(STDERR_FILENO, text, strlen(text)) > 0;
}

void progress_clear(struct progress *p)
{
	if (p->drawn && write(STDERR_FILENO, START, strlen(START)) < 0)
		return;
	p->drawn = false;
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	progress_clear(p);
	err_log(ERR_ERROR, "%s", text);
}

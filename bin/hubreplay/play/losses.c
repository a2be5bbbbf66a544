/* Invariant: n counts all of them, also those that nothing was said of. */
#include "play/losses.h"

#include <stdarg.h>
#include <stdio.h>

static void say(struct losses *l, const char *fmt, va_list ap)
{
	char text[900];

	vsnprintf(text, sizeof(text), fmt, ap);
	progress_say(l->progress, "%s", text);
}

void losses_add(struct losses *l, uint64_t n, const char *fmt, ...)
{
	va_list ap;

	l->n += n;
	va_start(ap, fmt);
	say(l, fmt, ap);
	va_end(ap);
}

void losses_first(struct losses *l, const char *fmt, ...)
{
	va_list ap;

	if (l->n++ >= LOSSES_SAID)
		return;
	va_start(ap, fmt);
	say(l, fmt, ap);
	va_end(ap);
}

/* What went wrong first, of all threads: later errors are mostly its consequences, and are not
 * kept. */
#include "load/load.h"

#include <stdarg.h>
#include <stdio.h>

void load_error(struct run *r, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&r->error_mutex);
	if (!r->first_error[0]) {
		va_start(args, fmt);
		vsnprintf(r->first_error, sizeof(r->first_error), fmt, args);
		va_end(args);
	}
	pthread_mutex_unlock(&r->error_mutex);
}

bool load_failed(struct run *r)
{
	bool failed;

	pthread_mutex_lock(&r->error_mutex);
	failed = r->first_error[0];
	pthread_mutex_unlock(&r->error_mutex);
	return failed;
}

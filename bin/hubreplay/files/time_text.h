/* A time in a recording as people write it. */
#ifndef HUBREPLAY_TIME_TEXT_H
#define HUBREPLAY_TIME_TEXT_H

#include <stdint.h>

/* Reads seconds (90, 12.5), seconds with a unit (500ms, 3m, 1h, 2d), or 1:02:03.5, into *us.
 * Returns 0, or -EINVAL for what is none or more than 1e9 seconds. */
int time_text_read(const char *text, uint64_t *us);

#endif

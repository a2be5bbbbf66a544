/* JSON in colours, for a terminal. */
#ifndef HUBCAT_COLOR_H
#define HUBCAT_COLOR_H

#include <stddef.h>

#include "base/buf.h"

/* Appends JSON text with colours, in one line: a line feed in it becomes a space. Returns 0 or
 * -ENOMEM, then with a part of it appended. */
int color_json(struct buf *out, const char *text, size_t len);

#endif

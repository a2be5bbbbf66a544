/* JSON for a person: in colours, and spread over lines. */
#ifndef HUBCAT_COLOR_H
#define HUBCAT_COLOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct color_style {
	bool color;
	bool spread; /* each member on a line of its own, as jq has it; else all in one line */
};

/* Appends JSON text. In one line a line feed in it becomes a space. Returns 0 or -ENOMEM, then with
 * a part of it appended. */
int color_json(struct buf *out, const char *text, size_t len, struct color_style style);

#endif

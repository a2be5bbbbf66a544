/* What texts cannot be the values of which of hubd's options, whatever the others say. */
#ifndef HUBD_OPTIONS_CHECK_H
#define HUBD_OPTIONS_CHECK_H

#include "base/opt.h"

/* Of struct opt_program. */
int options_check_text(const struct opt *o, const char *text, char *why, size_t cap);

#endif

/* Where hubd listens, by its options and by what it was handed, and how it says so. */
#ifndef HUBD_LISTENING_H
#define HUBD_LISTENING_H

#include "door/listener.h"
#include "options.h"

/* Opens all of it. Returns 0 or an exit status, after saying why. */
int listening_open(const struct hub_options *opt, struct listeners *ls);

/* Whether that could be, as far as it can be told without. The same. */
int listening_check(const struct hub_options *opt);

/* Logs each address, and writes all as one line of JSON, see --ready-fd in hubd(8), to fd, which is
 * closed where it is none of the standard ones; 0: nowhere. */
void listening_say(const struct listeners *ls, int fd);

#endif

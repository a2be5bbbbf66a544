/* Which dialect a server speaks, by what it says. */
#ifndef HUBBENCH_GUESS_H
#define HUBBENCH_GUESS_H

#include <stddef.h>

#include "speak/dialect.h"

/* By a message from the server, where nobody else would say it; else NULL. What a client says to
 * join a hub, come back, is raw: whoever sends that only passes on what it gets. */
const struct dialect *guess_message(const char *text, size_t len);

/* By the answer to an HTTP request for the dialect's path (dialect->path) without an upgrade:
 * whether it is that dialect's for certain. */
bool guess_answer(const struct dialect *d, const char *text, size_t len);

#endif

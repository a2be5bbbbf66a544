/* Why nobody joins: a server that speaks otherwise, or at another path. */
#ifndef HUBBENCH_DIAGNOSE_H
#define HUBBENCH_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>

struct run;

/* Asks the server over connections of its own which dialects it speaks, for a second at most, and
 * whether that is another one than it was asked in; over TLS and a Unix socket it is not asked.
 * Returns whether that is known, with a sentence for people in what, without its end. */
bool diagnose(const struct run *r, char *what, size_t cap);

/* The same for a server that has taken connections and says nothing: what may be tried. */
void diagnose_silence(const struct run *r, char *what, size_t cap);

#endif

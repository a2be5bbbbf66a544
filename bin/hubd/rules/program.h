/* One jq program of one worker. */
#ifndef HUBD_RULES_PROGRAM_H
#define HUBD_RULES_PROGRAM_H

#include <jv.h>
#include <stdbool.h>

#include "rules/rules.h"

struct program;

/* Compiles text, which takes some 20 ms. NULL with why: "LINE: what". */
struct program *program_new(const char *text, char *why, size_t cap);
void program_free(struct program *p); /* NULL is fine */

/* Gets one output, and takes it. Anything but 0 ends the run. */
typedef int program_output(jv output, void *arg);

/* Runs it on input, which it takes. Returns 0, what output returned, or -EINVAL with why. */
int program_run(struct program *p, jv input, program_output *output, void *arg, char *why,
		size_t cap);

/* `debug` writes to standard error from now on; before, it says nothing. */
void program_debug(struct program *p);

/* The file's program of that worker. */
struct program *rules_program(const struct rules_file *f, unsigned worker);

/* What the event is to a program. */
jv program_input(struct program *p, const struct rules_event *e);

#endif

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

/* Makes the input; where libjq gives up in that, the run fails as if it had in the program. */
typedef jv program_input(struct program *p, const void *from);

/* What a struct rules_event is to a program. */
jv program_event(struct program *p, const void *event);

/* Runs it on what input() makes of `from`, len bytes of JSON. Returns 0, what output returned, or
 * -EINVAL with why; that is all it does once it was given up, for libjq falls in it and loses
 * memory each time (json/jq_guard.h). */
int program_run(struct program *p, program_input *input, const void *from, size_t len,
		program_output *output, void *arg, char *why, size_t cap);

/* Whether it was. For any thread. */
bool program_given_up(struct program *p);

/* `debug` writes to standard error from now on; before, it says nothing. */
void program_debug(struct program *p);

/* The file's program of that worker. */
struct program *rules_program(const struct rules_file *f, unsigned worker);

#endif

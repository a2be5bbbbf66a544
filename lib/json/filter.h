/* A jq program, compiled once and run on one JSON text after another.
 *
 * libjq 1.6 keeps numbers as doubles: whole numbers above 2^53 lose their last digits on the way
 * through, and other numbers are written again in their shortest form. It is not safe to use from
 * several threads at once, not even with a filter each: its allocator sets itself up once per
 * process and crashes in the second thread when it reports a failure; compile and run all filters
 * of a process in one thread. Compiling takes some 20 ms. Where libjq gives up, by an assertion or
 * for want of memory, that text fails and no other; it loses memory each time, so that after many
 * times (jq_guard.h) all fail. A value that is nested so deep that the stack
 * does not hold it ends the process. */
#ifndef HUB_FILTER_H
#define HUB_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct filter;

/* Compiles program. Returns NULL with jq's own words, made one line, in why (cut at cap). One that
 * reads with `input` or `inputs` is refused. One that uses modules is tried in a child process
 * first, since libjq 1.6 aborts on some of those. */
struct filter *filter_new(const char *program, char *why, size_t cap);

enum filter_input {
	FILTER_JSON, /* the text is JSON: best validated before, since libjq is lenient */
	FILTER_TEXT, /* the text becomes a JSON string; what is not UTF-8 becomes U+FFFD */
};

/* Gets one output as compact JSON, borrowed. Returns 0 to go on; anything else ends the run. */
typedef int filter_output(const char *json, size_t len, void *arg);

/* Runs the program on one text of up to 1 GiB. Returns 0; what output returned, if not 0; or
 * -EINVAL where the text or the program failed, with the reason in why; outputs before that were
 * given. Where the program halted it returns 0, and filter_halted() is to be asked. */
int filter_run(struct filter *f, enum filter_input kind, const char *text, size_t len,
	       filter_output *output, void *arg, char *why, size_t cap);

/* Whether the last run ended by `halt` or `halt_error`, which are for the whole of what the program
 * is run for: then *status is jq's exit status for it, and *text what jq would write to standard
 * error, "" for nothing: the filter's, until the next run. */
bool filter_halted(struct filter *f, int *status, const char **text);

void filter_free(struct filter *f);

#endif

/* What the programs say on stderr, and the exit statuses they share (those of <sysexits.h>).
 * For main-level code: library code returns -errno and says nothing. */
#ifndef HUB_ERR_H
#define HUB_ERR_H

#include <stdbool.h>
#include <sysexits.h>

/* Ran, but the answer is no: a check failed, or a timeout came first. */
#define EX_NO 1

enum err_level { ERR_ERROR, ERR_WARN, ERR_INFO, ERR_DEBUG };

/* The program's name for the front of each line, and the least important level shown. Set once,
 * before threads start. */
void err_init(const char *program, enum err_level level);

bool err_shows(enum err_level level);

/* One line, "program: message", written with one write(2) so that threads do not mix. */
void err_log(enum err_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* From now on err_log() hands its lines to that, without the program's name or a line feed, from
 * whatever thread; NULL: it writes them itself. */
void err_via(void (*say)(enum err_level level, const char *message));

/* err_log at ERR_ERROR, by itself, then exit. */
_Noreturn void err_die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

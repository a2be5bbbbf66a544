/* What hubd says while it runs: lines in one bounded queue that one thread writes to standard
 * error, so that no loop ever waits for whoever reads them. What does not fit is counted, and the
 * number said as soon as there is room; of each event only so many lines a second are taken, and
 * the number of the others said.
 *
 * Until journal_start(), and after journal_stop(), err_log() writes by itself. */
#ifndef HUBD_JOURNAL_H
#define HUBD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define JOURNAL_BYTES (256 * 1024) /* of lines that wait to be written */
#define JOURNAL_BURST 100	   /* lines of one event that may come at once, */
#define JOURNAL_RATE 10		   /* and a second beyond that */
#define JOURNAL_FIELD 128	   /* bytes of what is about somebody; more is left out */

/* X(name): what lines are about, each with a rate of its own. */
#define JOURNAL_EVENTS(X)                                                       \
	X(hub)	  /* all that goes through err_log() */                         \
	X(come)	  /* a connection or a request has come */                      \
	X(close)  /* the hub ended a connection, for a reason */                \
	X(gone)	  /* a connection has ended: its peer closed it, or was lost */ \
	X(refuse) /* a connection was turned away */                            \
	X(page)	  /* a request was refused for its Host or its Origin */        \
	X(share)  /* an address or a user has as much as it may */              \
	X(limit)  /* a client has come to one of its limits */                  \
	X(rule)	  /* a file of --rules has failed */                            \
	X(steer)  /* an operator has done something */

enum journal_event {
#define JOURNAL_EVENT(name) JOURNAL_##name,
	JOURNAL_EVENTS(JOURNAL_EVENT)
#undef JOURNAL_EVENT
	    JOURNAL_KINDS
};

/* Whom a line is about; NULL and 0: nobody, or not known. */
struct journal_who {
	const char *door; /* by which it came */
	const char *peer; /* its address */
	const char *user;
	uint32_t conn; /* its number */
};

/* Begins, with lines of JSON or of text. Returns 0 or -errno. */
int journal_start(bool json, enum err_level level);

/* Another level from now on. */
void journal_level(enum err_level level);

/* Writes what is left, but waits no longer than that for who reads it; then it is given up. */
void journal_stop(uint32_t ms);

/* Whether a line like that would be written now: else it is counted with those that were left out,
 * and its text need not be made. For any thread. */
bool journal_takes(enum err_level level, enum journal_event event);

/* A line. For any thread; never waits. */
void journal_say(enum err_level level, enum journal_event event, const struct journal_who *who,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

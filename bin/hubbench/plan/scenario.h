/* What a run does, in a few words: one table, scenario.c. A scenario sets defaults, which options
 * change, and switches that nothing else sets. */
#ifndef HUBBENCH_SCENARIO_H
#define HUBBENCH_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#define PER_CLIENT (-1) /* as many as clients */
#define PER_ROOM (-2)	/* one for every ten clients */

struct scenario {
	const char *name;
	int64_t clients, sessions, publishers;
	double rate;	     /* messages/s, of all publishers */
	double client_rate;  /* instead: of each client */
	double duration;     /* seconds */
	const char *message; /* of the hub dialect; NULL: its own */

	bool echo;    /* the own message that comes back is the answer to it */
	bool churn;   /* members come and go */
	bool storm;   /* all are dropped at once, halfway */
	bool cluster; /* a node may be killed, halfway: its members come back elsewhere */
	bool slow;    /* some members do not read for a while */
	bool trend;   /* the server's memory is not to grow */
	bool search;  /* many runs, to find the highest rate */
	bool crowd;   /* avatars walk about, and it is looked at what members know of them */
};

/* The table, which ends with an entry without name; and its names, NULL at the end. */
extern const struct scenario scenarios[];
extern const char *const scenario_names[];

#endif

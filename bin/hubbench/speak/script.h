/* What is said in a run, the same for all its clients, and where its marks are in what comes. */
#ifndef HUBBENCH_SCRIPT_H
#define HUBBENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "speak/mark.h"

struct json_paths;

/* Made once, then constant. */
struct script {
	char name[MARK_RUN_LEN + 1]; /* of the run: the beginning of its marks */
	uint64_t run;		     /* the same as bytes */
	size_t mark_at;		     /* where the mark stands in what is published */
	uint32_t sessions;
	bool acks;			       /* messages ask for an ack */
	const char *message;		       /* the template; NULL: the dialect's own */
	const char *event, *room, *join_event; /* socketio; NULL: by default */
	const char *space;		       /* the same: in place of rooms; NULL: none */
	bool echo;			       /* publishers want their own messages */
	const char *select; /* hub: more members of what joins, with commas before them; or NULL */
	/* Whoever makes a script frees these. */
	char *join, *answer_to, *answer; /* raw; NULL: none */
	struct json_paths *paths;	 /* of the dialect; NULL: it reads no JSON */
};

/* The first mark of the run in a text, or the next one at p or behind it, whole. NULL: there is
 * none. */
const char *script_first_mark(const struct script *s, const char *p, size_t len);
const char *script_next_mark(const struct script *s, const char *p, const char *end);

#endif

/* Finds out whether a silent hub is still there: after a quiet time it says that it is time to ask,
 * and after another without an answer that the hub is lost. Pure: it is told the time, in
 * milliseconds, and of what is heard. */
#ifndef HUB_KEEPALIVE_H
#define HUB_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

struct keepalive {
	uint64_t quiet_ms;  /* before it asks; 0: never */
	uint64_t answer_ms; /* for the answer */
	/* Below: for keepalive.c only. */
	uint64_t alive_ms; /* the last sign of life */
	uint64_t asked_ms;
	bool asked; /* because of silence, and nothing was heard since */
};

/* Something came from the hub. */
void keepalive_heard(struct keepalive *k, uint64_t now);

/* The hub took something. It lives, even where its answer must wait; but that is still owed. */
void keepalive_took(struct keepalive *k, uint64_t now);

enum keepalive_due {
	KEEPALIVE_WAIT, /* nothing is to do */
	KEEPALIVE_ASK,	/* ping it; counted as done */
	KEEPALIVE_LOST, /* no answer */
};

/* What is due. *ms: until the next call; LOST: how long there was no answer. */
enum keepalive_due keepalive_check(struct keepalive *k, uint64_t now, uint64_t *ms);

#endif

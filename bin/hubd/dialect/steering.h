/* What an operator asks and is told, whatever it comes by: fields with names, JSON back. */
#ifndef HUBD_STEERING_H
#define HUBD_STEERING_H

#include <stdbool.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "member/steer.h"

struct session_env;

#define STEERING_VALUE_MAX 512 /* bytes of a field's value */

/* What is read so far. */
struct steering_reading {
	struct steering st;
	unsigned seen; /* fields */
	char why[200]; /* what was wrong last */
};

/* Begins, for a verb. */
void steering_begin(struct steering_reading *r, enum steer_verb verb);

/* A field; number: its value may be one, text: it may be a text. Returns NULL or what is wrong,
 * which names the field and is r's. What is not known is wrong, too: who misspells whom he means is
 * not to hit others.
 */
const char *steering_field(struct steering_reading *r, struct span name, struct span value,
			   bool number, bool text);

/* Nothing follows. Returns NULL or what is wrong. */
const char *steering_end(struct steering_reading *r);

/* Appends the answer to what has succeeded. Returns 0 or -ENOMEM. */
int steering_answer(struct buf *out, const struct session_env *env, const struct steering *st,
		    const struct steer_result *result);

#endif

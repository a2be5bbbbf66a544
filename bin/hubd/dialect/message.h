/* What becomes of a message that is for the members, whatever it came by: a record, or something
 * for the clients it names. */
#ifndef HUBD_MESSAGE_H
#define HUBD_MESSAGE_H

#include <stdbool.h>

#include "conn/conn.h"

struct publication;
struct session;

/* Fills p's type, key and tags (all that come from the message) for a record whose body is
 * envelope_record()'s. The key may lie in room. Returns HUB_OK, or HUB_BAD_FIELD with why. */
enum hub_code message_record(struct worker *w, const struct envelope *e,
			     char room[ENVELOPE_KEY_MAX], struct publication *p, const char **why);

/* Answers that it was refused; current: p->current, of a conflict. */
void message_refused(struct conn *c, enum hub_code code, const char *why, uint64_t current,
		     struct span msg_id);

/* Hands text to the clients of e's `to`, on c's worker. *delivered: anybody gets it. Returns
 * HUB_OK, or with why what went wrong, perhaps for some of them only. */
enum hub_code message_direct(struct conn *c, const struct envelope *e, struct session *s,
			     struct span text, bool *delivered, char *why, size_t cap);

#endif

/* Invariant: asked_ms counts while asked; a sign of life after it gives a whole time for the answer
 * again. */
#include "client/keepalive.h"

void keepalive_heard(struct keepalive *k, uint64_t now)
{
	k->alive_ms = now;
	k->asked = false;
}

void keepalive_took(struct keepalive *k, uint64_t now)
{
	k->alive_ms = now;
}

enum keepalive_due keepalive_check(struct keepalive *k, uint64_t now, uint64_t *ms)
{
	uint64_t since = k->asked && k->asked_ms > k->alive_ms ? k->asked_ms : k->alive_ms;
	uint64_t limit = k->asked ? k->answer_ms : k->quiet_ms;

	if (now - since < limit) {
		*ms = limit - (now - since);
		return KEEPALIVE_WAIT;
	}
	if (k->asked) {
		*ms = now - since;
		return KEEPALIVE_LOST;
	}
	k->asked = true;
	k->asked_ms = now;
	*ms = k->answer_ms;
	return KEEPALIVE_ASK;
}

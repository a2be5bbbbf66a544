/* Invariant: position never goes back in one log, and target is of that log. */
#include "head.h"

#include <string.h>

void head_joined(struct head *h, const struct client_joined *j)
{
	/* Of a log that was trimmed all was asked for: a gap and the rest follow. */
	bool all = j->asked && j->since == 0 && !j->snapshot && strcmp(j->reason, "trimmed") == 0;

	if (!h->known || j->new_log)
		h->target = j->seq;
	h->known = true;
	h->skipped = 0;
	h->state_left = j->recovered ? 0 : j->snapshot;
	h->position = j->recovered || all ? j->since : j->seq;
}

bool head_message(struct head *h, const struct client_message *m)
{
	if (m->kind == CLIENT_HUB) {
		if (m->to_seq > h->position)
			h->position = h->skipped = m->to_seq;
		return true;
	}
	if (m->kind != CLIENT_RECORD)
		return true;
	if (h->state_left) {
		h->state_left--;
		return true;
	}
	if (m->seq > h->target && m->seq > h->skipped)
		return false;
	if (m->seq > h->position)
		h->position = m->seq;
	return true;
}

bool head_reached(const struct head *h)
{
	return h->known && !h->state_left && h->position >= h->target;
}

/* Invariant: seq and epoch are of the same log. */
#include "recording/place.h"

#include <string.h>

static bool equals(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

bool place_is_new(const struct place *p, const struct recording_line *line)
{
	if (!p->known)
		return true;
	/* A log that was cut back by a crash of its hub keeps its epoch. */
	if (line->reason.p && equals(line->reason, "epoch_changed"))
		return true;
	return line->epoch.p && *p->epoch && !equals(line->epoch, p->epoch);
}

void place_follow(struct place *p, const struct recording_line *line)
{
	if (line->epoch.p) {
		memcpy(p->epoch, line->epoch.p, line->epoch.len);
		p->epoch[line->epoch.len] = '\0';
	}
	if (line->kind == RECORDING_RECORD || line->kind == RECORDING_SNAPSHOT)
		p->seq = line->seq;
	else if (line->kind == RECORDING_GAP)
		p->seq = line->to_seq;
	else
		return;
	p->known = true;
}

/* Reads a file through, once, for the place of each session in it. */
#include "files/places.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "recording/recording.h"

#define PLACES_MAX 1000000

/* Returns false where there are too many sessions. */
static bool places_take(struct tally *places, const struct recording_line *line)
{
	struct tally_entry *e;
	struct past *p;

	if (!line->session.p || line->kind == RECORDING_HEADER)
		return true;
	e = tally_find(places, line->session);
	if (!e)
		return false;
	p = e->extra;
	place_follow(&p->place, line);
	if (line->run.p) {
		memcpy(p->run, line->run.p, line->run.len);
		p->run[line->run.len] = '\0';
	}
	return true;
}

int places_read(struct tally *places, const char *path, const struct seal_keys *keys, char *why,
		size_t cap)
{
	enum recording_status got;
	struct recording_line line;
	struct recording *file;
	int status;

	*places = (struct tally){.extra = sizeof(struct past), .limit = PLACES_MAX};
	file = recording_open(path, keys, why, cap, &status);
	if (!file)
		return status;
	while ((got = recording_next(file, &line)) == RECORDING_OK && places_take(places, &line))
		;
	status = EX_OK;
	if (got == RECORDING_OK) {
		snprintf(why, cap, "more sessions than %d", PLACES_MAX);
		status = EX_DATAERR;
	} else if (got == RECORDING_BAD || got == RECORDING_FAILED) {
		snprintf(why, cap, "%s", recording_why(file));
		status = EX_DATAERR;
	}
	recording_close(file);
	return status;
}

const struct past *places_join(struct tally *places, const char *session)
{
	struct tally_entry *e = tally_find(places, (struct span){session, strlen(session)});
	struct past *p = e ? e->extra : NULL;

	if (!p)
		return NULL;
	p->joined = true;
	return p->place.known ? p : NULL;
}

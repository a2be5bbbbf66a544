/* Where the sessions of a file of several stand, so that it can be gone on with. */
#include <string.h>

#include "base/err.h"
#include "record.h"

#define PLACES_MAX 1000000

void places_read(struct record *r, const char *path)
{
	enum recording_status status = RECORDING_OK;
	struct recording_line line;
	struct recording *file;
	struct tally_entry *e;
	struct past *p;
	char why[300];
	int code;

	r->places = (struct tally){.extra = sizeof(struct past), .limit = PLACES_MAX};
	file = recording_open(path, r->keys, why, sizeof(why), &code);
	while (file && (status = recording_next(file, &line)) == RECORDING_OK) {
		if (!line.session.p || line.kind == RECORDING_HEADER)
			continue;
		e = tally_find(&r->places, line.session);
		if (!e) {
			record_fail(r, EX_DATAERR, "%s: more sessions than %d", path, PLACES_MAX);
			break;
		}
		p = e->extra;
		place_follow(&p->place, &line);
		if (line.run.p) {
			memcpy(p->run, line.run.p, line.run.len);
			p->run[line.run.len] = '\0';
		}
	}
	if (!file)
		record_fail(r, code, "%s: %s", path, why);
	else if (status == RECORDING_BAD || status == RECORDING_FAILED)
		record_fail(r, EX_DATAERR, "%s: %s", path, recording_why(file));
	recording_close(file);
}

void places_find(struct record *r, struct seat *s)
{
	struct tally_entry *e =
	    tally_find(&r->places, (struct span){s->session, strlen(s->session)});
	struct past *p = e ? e->extra : NULL;

	if (!p)
		return;
	p->joined = true;
	if (!p->place.known)
		return;
	s->seq = p->place.seq;
	memcpy(s->epoch, p->place.epoch, sizeof(s->epoch));
	memcpy(s->run, p->run, sizeof(s->run));
}

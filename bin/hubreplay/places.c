/* Where the sessions of a file of several stand, so that it can be gone on with. */
#include <string.h>

#include "err.h"
#include "record.h"

#define PLACES_MAX 1000000

/* The run of the hub in a line about a join. */
static void read_run(struct past *p, const struct recording_line *line)
{
	static const char front[] = "\"run\":\"";
	const char *run = line->type.len == 6 && memcmp(line->type.p, "joined", 6) == 0
			      ? memmem(line->text, line->len, front, sizeof(front) - 1)
			      : NULL;
	size_t left, n = 0;

	if (!run)
		return;
	run += sizeof(front) - 1;
	left = line->len - (size_t)(run - line->text);
	while (n < left && n < RECORDING_EPOCH_MAX && run[n] != '"')
		n++;
	memcpy(p->run, run, n);
	p->run[n] = '\0';
}

void places_read(struct record *r, const char *path)
{
	enum recording_status status = RECORDING_OK;
	struct recording_line line;
	struct recording *file;
	struct tally_entry *e;
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
		if (line.kind == RECORDING_OTHER && !line.from.p)
			read_run(e->extra, &line);
		else
			place_follow(&((struct past *)e->extra)->place, &line);
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

/* hubreplay merge: several recordings as one, in the order of time. What several of them have of
 * one log is written once, so parts of a recording, or two recordings of one session, make a whole.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "files.h"
#include "hubreplay.h"
#include "opt.h"
#include "place.h"
#include "tally.h"

#define FILES_MAX 256
#define SESSIONS_MAX 1000000

struct options {
	const char *output, *seal, *verify, *seal_to, *sign;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {'o', "output", "FILE", OPT_STRING, FIELD(output), 0, 0, NULL,
     "the new file; compressed where it ends in .zst (-: standard output)"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recordings must be signed with"},
    {0, "seal-to", "KEYFILE", OPT_STRING, FIELD(seal_to), 0, 0, NULL,
     "seal the new file with this key"},
    {0, "sign", "KEYFILE", OPT_STRING, FIELD(sign), 0, 0, NULL, "sign the new file with this key"},
    {0},
};

static const struct opt_program program = {"hubreplay merge",
					   "[-o FILE] [--seal KEYFILE] [--verify-key KEYFILE] "
					   "[--seal-to KEYFILE] [--sign KEYFILE] FILE...",
					   "Writes recordings as one, in the order of time.",
					   options_table};

/* A file, with its next line. */
struct input {
	const char *path;
	struct recording *r;
	struct recording_line line;
	uint64_t at_us;	     /* of the line, since 1970 */
	struct tally places; /* where its sessions are in it */
};

/* A session in what is written. */
struct session {
	struct place place;
	const struct input *state_from; /* whose state records are written */
	bool at_record;			/* a record is the last, so all up to it is there */
	const struct input *back_by;	/* who told last that a log was cut back, and to where */
	uint64_t back_to;
};

struct merge {
	struct input in[FILES_MAX];
	size_t n;
	struct sink to;
	struct tally sessions;
	uint64_t start_us;
	int status;
};

/* The next line of a file; at the end of it the file goes. */
static void next(struct merge *m, struct input *in)
{
	enum recording_status status = recording_next(in->r, &in->line);
	int got;

	if (status == RECORDING_OK) {
		in->at_us = recording_head(in->r)->start_ms * 1000 + in->line.t_us;
		return;
	}
	got = files_ended(in->path, in->r, status);
	m->status = m->status ? m->status : got;
	recording_close(in->r);
	in->r = NULL;
}

/* The file whose line is the earliest; of several the first. */
static struct input *earliest(struct merge *m)
{
	struct input *best = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (m->in[i].r && (!best || m->in[i].at_us < best->at_us))
			best = &m->in[i];
	return best;
}

static void put(struct merge *m, const struct input *in)
{
	sink_put(&m->to, &in->line, in->at_us - m->start_us);
}

/* A gap up to a seq; of a log with that epoch. */
static void put_gap(struct merge *m, struct session *s, const char *name, const struct input *in,
		    const struct place *own, uint64_t from, uint64_t to, const char *reason)
{
	sink_check(&m->to, recorder_gap(m->to.w, name, own->epoch, from, to, reason,
					in->at_us - m->start_us));
	s->place = *own;
	s->place.known = true;
	s->place.seq = to;
}

static bool other_log(const struct session *s, const struct place *own)
{
	return s->place.known && *s->place.epoch && *own->epoch &&
	       strcmp(s->place.epoch, own->epoch) != 0;
}

static void merge_record(struct merge *m, struct session *s, const char *name,
			 const struct input *in, const struct place *own)
{
	uint64_t seq = in->line.seq;

	if (other_log(s, own))
		put_gap(m, s, name, in, own, seq, seq - 1, "epoch_changed");
	else if (s->place.known && seq <= s->place.seq)
		return; /* another file had it */
	else if (s->place.known && seq > s->place.seq + 1)
		put_gap(m, s, name, in, own, s->place.seq + 1, seq - 1, NULL);
	put(m, in);
	place_follow(&s->place, &in->line);
}

/* A log that was cut back in a crash of its hub has its old epoch; several files may tell of it. */
static bool cut_back(struct session *s, const struct input *in, const struct place *before)
{
	const struct recording_line *line = &in->line;

	if (!before->known || !place_is_new(before, line) ||
	    (line->epoch.p && (line->epoch.len != strlen(before->epoch) ||
			       memcmp(line->epoch.p, before->epoch, line->epoch.len) != 0)))
		return false;
	if (s->back_by && s->back_by != in && s->back_to == line->to_seq)
		return false;
	s->back_by = in;
	s->back_to = line->to_seq;
	return true;
}

static void merge_gap(struct merge *m, struct session *s, const char *name, const struct input *in,
		      const struct place *own, bool back)
{
	uint64_t from = in->line.seq, to = in->line.to_seq;

	if (!s->place.known || back || other_log(s, own))
		put_gap(m, s, name, in, own, from, to, s->place.known ? "epoch_changed" : NULL);
	else if (to > s->place.seq)
		put_gap(m, s, name, in, own, s->place.seq + 1, to, NULL);
}

/* The state of what another file has already is left out. */
static void merge_snapshot(struct merge *m, struct session *s, const char *name,
			   const struct input *in, const struct place *own)
{
	uint64_t seq = in->line.seq;

	s->state_from = NULL;
	if (other_log(s, own))
		put_gap(m, s, name, in, own, 1, seq, "epoch_changed");
	else if (s->place.known && seq > s->place.seq)
		put_gap(m, s, name, in, own, s->place.seq + 1, seq, NULL);
	else if (s->place.known && (seq < s->place.seq || s->at_record))
		return;
	s->state_from = in;
	put(m, in);
	place_follow(&s->place, &in->line);
}

static void merge_line(struct merge *m, struct input *in)
{
	struct tally_entry *e;
	struct place before, *now;
	struct session *s;

	if (in->line.kind == RECORDING_OTHER || !in->line.session.p) {
		if (in->line.kind != RECORDING_HEADER)
			put(m, in);
		return;
	}
	e = tally_need(&m->sessions, in->line.session);
	s = e->extra;
	now = tally_need(&in->places, in->line.session)->extra;
	before = *now;
	place_follow(now, &in->line);
	switch (in->line.kind) {
	case RECORDING_STATE:
		if (s->state_from == in)
			put(m, in);
		return;
	case RECORDING_RECORD:
		merge_record(m, s, e->name, in, now);
		s->at_record = true;
		return;
	case RECORDING_GAP:
		merge_gap(m, s, e->name, in, now, cut_back(s, in, &before));
		s->at_record = false;
		return;
	case RECORDING_SNAPSHOT:
		merge_snapshot(m, s, e->name, in, now);
		return;
	default:
		return;
	}
}

/* The header: of one session where all files are of that one. */
static void begin(struct merge *m)
{
	const struct recording_head *head = recording_head(m->in[0].r), *other;
	const char *session = *head->session ? head->session : NULL;
	uint64_t start_ms = UINT64_MAX;

	for (size_t i = 0; i < m->n; i++) {
		other = recording_head(m->in[i].r);
		if (session && strcmp(session, other->session) != 0)
			session = NULL;
		if (other->start_ms < start_ms) {
			start_ms = other->start_ms;
			head = other;
		}
	}
	m->start_us = start_ms * 1000;
	sink_check(&m->to,
		   recorder_header(m->to.w, session, session ? head->epoch : NULL, start_ms));
}

int merge_main(int argc, char **argv)
{
	struct options o = {.output = "-"};
	int first = opt_parse(&program, argc, argv, &o);
	struct merge m = {0};
	struct seal_keys *keys, *keys_to;
	struct input *in;

	m.sessions = (struct tally){.extra = sizeof(struct session), .limit = SESSIONS_MAX};
	if (first == argc || argc - first > FILES_MAX)
		err_die(EX_USAGE, "1 to %d files (try 'hubreplay merge --help')", FILES_MAX);
	keys = files_keys(o.seal, o.verify);
	keys_to = files_keys_to(o.seal_to, o.sign);
	for (int i = first; i < argc; i++) {
		in = &m.in[m.n++];
		in->path = argv[i];
		in->places = (struct tally){.extra = sizeof(struct place), .limit = SESSIONS_MAX};
		in->r = files_need(argv[i], keys);
	}
	sink_open(&m.to, o.output, keys_to);
	begin(&m);
	for (size_t i = 0; i < m.n; i++)
		next(&m, &m.in[i]);
	while ((in = earliest(&m))) {
		merge_line(&m, in);
		next(&m, in);
	}
	sink_close(&m.to);
	tally_free(&m.sessions);
	for (size_t i = 0; i < m.n; i++)
		tally_free(&m.in[i].places);
	seal_keys_free(keys);
	seal_keys_free(keys_to);
	return m.status;
}

/* hubreplay merge: several recordings as one, in the order of time. What several of them have of
 * one log is written once, so parts of a recording, or two recordings of one session, make a whole.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "edit/edit.h"
#include "files/files.h"
#include "files/sink.h"
#include "files/tally.h"
#include "recording/place.h"

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

static const struct opt_program program = {
    .name = "hubreplay merge",
    .synopsis = "[-o FILE] [--seal KEYFILE] [--verify-key KEYFILE] "
		"[--seal-to KEYFILE] [--sign KEYFILE] FILE...",
    .summary = "Writes recordings as one, in the order of time.",
    .opts = options_table};

/* A file, with its next line. It is open from its start on, to its end. */
struct input {
	const char *path;
	struct recording_head head;
	struct recording *r;
	struct recording_line line;
	uint64_t at_us;	     /* of the line, since 1970 */
	size_t number;	     /* among the arguments */
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
	struct input *in; /* n of them, in the order of their starts */
	size_t n, first,
	    opened; /* before first all are at their end; from opened on none is open */
	const struct seal_keys *keys;
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
		in->at_us = in->head.start_ms * 1000 + in->line.t_us;
		return;
	}
	got = files_ended(in->path, in->r, status);
	m->status = m->status ? m->status : got;
	recording_close(in->r);
	in->r = NULL;
	tally_free(&in->places);
}

/* Of the open files the one whose line is the earliest; of several the first. */
static struct input *earliest_open(struct merge *m)
{
	struct input *best = NULL;

	while (m->first < m->opened && !m->in[m->first].r)
		m->first++;
	for (size_t i = m->first; i < m->opened; i++)
		if (m->in[i].r && (!best || m->in[i].at_us < best->at_us))
			best = &m->in[i];
	return best;
}

/* Of all files. */
static struct input *earliest(struct merge *m)
{
	struct input *best = earliest_open(m);

	while (m->opened < m->n &&
	       (!best || m->in[m->opened].head.start_ms * 1000 <= best->at_us)) {
		struct input *in = &m->in[m->opened++];

		if (!in->r)
			in->r = files_need(in->path, m->keys);
		next(m, in);
		best = earliest_open(m);
	}
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
	const struct recording_head *head = &m->in[0].head;
	const char *session = *head->session ? head->session : NULL;

	for (size_t i = 0; i < m->n; i++)
		if (session && strcmp(session, m->in[i].head.session) != 0)
			session = NULL;
	m->start_us = head->start_ms * 1000;
	sink_check(&m->to,
		   recorder_header(m->to.w, session, session ? head->epoch : NULL, head->start_ms));
}

static int by_start(const void *a, const void *b)
{
	const struct input *left = a, *right = b;

	if (left->head.start_ms != right->head.start_ms)
		return left->head.start_ms < right->head.start_ms ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

/* Looks into all files, for their starts; only what cannot be opened again stays open. */
static void look(struct merge *m, char **paths)
{
	for (size_t i = 0; i < m->n; i++) {
		struct input *in = &m->in[i];

		in->path = paths[i];
		in->number = i;
		in->places = (struct tally){.extra = sizeof(struct place), .limit = SESSIONS_MAX};
		in->r = files_need(in->path, m->keys);
		in->head = *recording_head(in->r);
		if (strcmp(in->path, "-") != 0) {
			recording_close(in->r);
			in->r = NULL;
		}
	}
	qsort(m->in, m->n, sizeof(*m->in), by_start);
}

int merge_main(int argc, char **argv)
{
	struct options o = {.output = "-"};
	int first = opt_parse(&program, argc, argv, &o);
	struct merge m = {.sessions = {.extra = sizeof(struct session), .limit = SESSIONS_MAX}};
	struct seal_keys *keys, *keys_to;
	struct input *in;

	if (first == argc)
		err_die(EX_USAGE, "which files? (try 'hubreplay merge --help')");
	m.keys = keys = files_keys(o.seal, o.verify);
	keys_to = files_keys_to(o.seal_to, o.sign);
	m.n = (size_t)(argc - first);
	m.in = calloc(m.n, sizeof(*m.in));
	if (!m.in)
		err_die(EX_OSERR, "out of memory");
	look(&m, argv + first);
	sink_open(&m.to, o.output, keys_to);
	begin(&m);
	while ((in = earliest(&m))) {
		merge_line(&m, in);
		next(&m, in);
	}
	sink_close(&m.to);
	tally_free(&m.sessions);
	free(m.in);
	seal_keys_free(keys);
	seal_keys_free(keys_to);
	return m.status;
}

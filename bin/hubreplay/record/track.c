/* The files of a recording. Invariant: what a session's epoch, seq and run say is in its file, but
 * for a mark that is due. */
#include "record/track.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "files/files.h"
#include "files/parts.h"
#include "files/places.h"

static uint64_t now_us(const struct track *t)
{
	/* Signed, and by the difference: the start may be before the clock's own beginning. */
	int64_t passed = (int64_t)(clock_mono_ns() - t->start_ns);

	return passed > 0 ? (uint64_t)passed / 1000 : 0;
}

/* A t is never below the one before. */
static uint64_t track_time(struct track *t, uint64_t us)
{
	if (us > t->last_us)
		t->last_us = us;
	return t->last_us;
}

/* --- opening */

static int no_memory(char *why, size_t cap)
{
	snprintf(why, cap, "%s", strerror(ENOMEM));
	return EX_OSERR;
}

static int open_part(struct track *t, struct recorder_past *past, char *why, size_t cap)
{
	const struct tracks *all = t->all;
	struct recorder_options options = {.keys = all->keys, .append = true, .fsync = true};
	char reason[500];
	int status;

	*past = (struct recorder_past){0};
	free(t->path);
	t->path = parts_path(t->base, t->part);
	if (!t->path)
		return no_memory(why, cap);
	if (all->table) {
		t->w = table_writer_session(all->table, t->only->name, past, reason, sizeof(reason),
					    &status);
		if (!t->w)
			snprintf(why, cap, "%s: %s", t->path, reason);
		return t->w ? 0 : status;
	}
	options.level = all->zstd || parts_compressed(t->base) ? FILES_ZSTD_LEVEL : 0;
	t->w = recorder_open(t->path, &options, past, reason, sizeof(reason), &status);
	if (!t->w) {
		snprintf(why, cap, "%s: %s", t->path, reason);
		return status;
	}
	return 0;
}

/* Of a file that is the right one, and will be written. */
static void say_cut(const struct track *t, const struct recorder_past *past)
{
	if (past->cut)
		progress_say(t->all->progress, "%s: an unfinished end of %llu bytes is cut off",
			     t->path, (unsigned long long)past->cut);
}

static void track_start(struct track *t, const struct recorder_past *past)
{
	uint64_t wall = (uint64_t)((int64_t)clock_wall_ms() + t->all->offset_ms), mono;

	mono = clock_mono_ns();
	t->begun = past->there;
	t->start_ms = past->there ? past->start_ms : wall;
	t->start_ns = mono;
	if (wall > t->start_ms)
		t->start_ns -= (wall - t->start_ms) * 1000000;
	t->last_us = past->t_us;
}

/* Opens the file where it goes on. A last part without a beginning tells nothing of the place. */
static int track_append(struct track *t, struct recorder_past *past, char *why, size_t cap)
{
	int status;

	t->part = t->all->split_bytes || t->all->split_ns ? parts_last(t->base) : 0;
	status = open_part(t, past, why, cap);
	while (!status && !past->there && t->part > 1) {
		recorder_abandon(t->w);
		t->w = NULL;
		t->part--;
		status = open_part(t, past, why, cap);
	}
	if (!status)
		track_start(t, past);
	return status;
}

static char *track_base(const struct tracks *all, const char *session)
{
	size_t cap;
	char *base;

	if (!all->dir)
		return strdup(all->file);
	cap = strlen(all->dir) + strlen(session) + 16;
	base = malloc(cap);
	if (base)
		snprintf(base, cap, "%s/%s.ndjson%s", all->dir, session, all->zstd ? ".zst" : "");
	return base;
}

static void track_free(struct track *t)
{
	recorder_abandon(t->w);
	free(t->path);
	free(t->base);
	free(t);
}

/* The place of a session in a file of several. */
static void find_place(struct track_session *s)
{
	const struct past *p = places_join(&s->track->all->places, s->name);

	if (!p)
		return;
	s->seq = p->place.seq;
	memcpy(s->epoch, p->place.epoch, sizeof(s->epoch));
	memcpy(s->run, p->run, sizeof(s->run));
}

static int find_places(struct track_session *s, char *why, size_t cap)
{
	struct track *t = s->track;
	char reason[300];
	int status = places_read(&t->all->places, t->path, t->all->keys, reason, sizeof(reason));

	if (status)
		snprintf(why, cap, "%s: %s", t->path, reason);
	else
		find_place(s);
	return status;
}

int track_open(struct tracks *all, struct track_session *s, char *why, size_t cap)
{
	struct recorder_past past = {0};
	bool apart = all->dir || all->table;
	struct track *t = apart ? NULL : all->first;
	int status;

	s->track = t;
	if (t) {
		find_place(s);
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (!t || !(t->base = track_base(all, s->name))) {
		free(t);
		return no_memory(why, cap);
	}
	t->all = all;
	t->end = &t->sessions;
	if (apart || !all->several)
		t->only = s;
	status = track_append(t, &past, why, cap);
	if (!status && past.there && strcmp(past.session, t->only ? s->name : "") != 0) {
		snprintf(why, cap, "%s: is a recording of %s", t->path,
			 past.session[0] ? past.session : "several sessions");
		status = EX_DATAERR;
	}
	if (status) {
		track_free(t);
		return status;
	}
	say_cut(t, &past);
	t->next = all->first;
	all->first = t;
	s->track = t;
	if (past.there && !t->only)
		return find_places(s, why, cap);
	if (past.there) {
		s->seq = past.seq;
		memcpy(s->epoch, past.epoch, sizeof(s->epoch));
		memcpy(s->run, past.run, sizeof(s->run));
	}
	return 0;
}

void track_add(struct track_session *s)
{
	*s->track->end = s;
	s->track->end = &s->next;
}

/* --- what comes */

static int track_begin(struct track *t)
{
	const struct track_session *s = t->only;

	if (t->begun)
		return 0;
	t->begun = true;
	return recorder_header(t->w, s ? s->name : NULL, s ? s->epoch : NULL, t->start_ms);
}

/* In which life of the hub it goes on from here: so it can be told later what a crash in between
 * has left of what is in the file. */
static int write_run(struct track_session *s)
{
	char line[ENVELOPE_SESSION_MAX + RECORDING_EPOCH_MAX + 64];
	struct track *t = s->track;
	int n;

	if (strcmp(s->run, s->now) == 0)
		return 0;
	memcpy(s->run, s->now, sizeof(s->run));
	n = snprintf(line, sizeof(line),
		     "{\"type\":\"joined\",\"session_id\":\"%s\",\"run\":\"%s\"}", s->name, s->run);
	return recorder_put(t->w, line, (size_t)n, track_time(t, now_us(t)));
}

/* So many state records are to come now; of an earlier state none will. */
static void expect_state(struct track_session *s, uint64_t records)
{
	s->track->state_left += records - s->state_left;
	s->state_left = records;
}

/* The gap, and the state behind it, before what follows. to_seq: of the last record that is not
 * kept. */
static int write_mark(struct track_session *s, uint64_t to_seq)
{
	struct track *t = s->track;
	int r;

	s->mark.due = false;
	/* The connection broke behind a gap that is in the file already: only the rest is new. */
	if (strcmp(s->mark.reason, "trimmed") == 0 && s->mark.left < s->seq && s->seq <= to_seq)
		s->mark.left = s->seq;
	s->state_us = track_time(t, now_us(t));
	r = recorder_gap(t->w, s->name, s->epoch, s->mark.left + 1, to_seq,
			 s->mark.reason[0] ? s->mark.reason : NULL, s->state_us);
	if (r == 0 && s->mark.snapshot)
		r = recorder_snapshot(t->w, s->name, NULL, to_seq, s->mark.snapshot, s->state_us);
	if (r == 0)
		r = write_run(s);
	expect_state(s, s->mark.snapshot);
	s->seq = to_seq;
	return r;
}

static int write_snapshot(struct track_session *s, uint64_t seq, uint64_t records)
{
	struct track *t = s->track;
	int r;

	s->state_us = track_time(t, now_us(t));
	r = recorder_snapshot(t->w, s->name, s->epoch, seq, records, s->state_us);
	if (r == 0)
		r = write_run(s);
	expect_state(s, records);
	s->seq = seq;
	return r;
}

/* That the file is there says that the recording runs: not only at the next sync. */
static int track_fresh(struct track *t)
{
	if (!t->fresh || t->state_left)
		return 0;
	t->fresh = false;
	return recorder_sync(t->w);
}

/* What is to be written before the next record, where the log does not just go on. */
static void set_mark(struct track_session *s, const struct client_joined *j, bool same)
{
	s->mark.due = j->rest;
	s->mark.left = j->rest ? j->left : same && s->seq + j->asked <= j->seq ? s->seq : 0;
	s->mark.snapshot = j->snapshot;
	/* A crash of the hub took a part of the log that the state was of. */
	snprintf(s->mark.reason, sizeof(s->mark.reason), "%s",
		 !j->asked && same && s->seq > j->seq ? "epoch_changed" : j->reason);
}

int track_joined(struct track_session *s, const struct client_joined *j)
{
	struct track *t = s->track;
	bool first = !s->epoch[0], same = strcmp(s->epoch, j->epoch) == 0;
	int r;

	snprintf(s->epoch, sizeof(s->epoch), "%s", j->epoch);
	r = track_begin(t);
	expect_state(s, 0);
	if (strlen(j->run) < sizeof(s->now) && !strpbrk(j->run, "\"\\"))
		snprintf(s->now, sizeof(s->now), "%s", j->run);
	s->past_to = j->seq;
	if (j->recovered && !first) /* it just goes on */
		return r == 0 && !s->mark.due ? write_run(s) : r;
	set_mark(s, j, same);
	if (r < 0)
		return r;
	if (j->asked ? j->recovered : first)
		r = write_snapshot(s, j->asked ? 0 : j->seq, j->snapshot);
	else if (!j->rest) /* cut off within the state before, or a hub that knows no `rest` */
		r = write_mark(s, j->seq);
	t->fresh |= first;
	return r == 0 ? track_fresh(t) : r;
}

int track_gap(struct track_session *s, uint64_t from_seq, uint64_t to_seq)
{
	struct track *t = s->track;
	int r;

	if (s->mark.due && from_seq == s->mark.left + 1)
		return write_mark(s, to_seq);
	/* A slow member: the state follows, and what has an ack, as many as there are. */
	s->state_us = track_time(t, now_us(t));
	r = recorder_gap(t->w, s->name, NULL, from_seq, to_seq, "slow", s->state_us);
	if (r == 0)
		r = recorder_snapshot(t->w, s->name, NULL, to_seq, 0, s->state_us);
	s->seq = to_seq;
	return r;
}

/* When a record of the past came into being: as its `timestamp` says, which stands near its end
 * where the hub has set it, if that can be. */
static uint64_t past_us(const struct track *t, const struct client_message *m, uint64_t now)
{
	static const char name[] = ",\"timestamp\":";
	const char *p = m->from - sizeof(",\"from\":\"") + 1, *digits = p;
	uint64_t ms = 0;

	while (digits > m->text && digits[-1] >= '0' && digits[-1] <= '9' && p - digits < 15)
		digits--;
	if (digits == p || (size_t)(digits - m->text) < sizeof(name) - 1 ||
	    memcmp(digits - (sizeof(name) - 1), name, sizeof(name) - 1) != 0)
		return now;
	for (; digits < p; digits++)
		ms = 10 * ms + (uint64_t)(*digits - '0');
	if (ms < t->start_ms || (ms - t->start_ms) * 1000 > now)
		return now;
	return (ms - t->start_ms) * 1000;
}

int track_record(struct track_session *s, const struct client_message *m)
{
	struct track *t = s->track;
	uint64_t us;
	int r = s->mark.due ? write_mark(s, s->mark.left) : 0;

	if (m->state) {
		us = s->state_us;
		if (s->state_left)
			expect_state(s, s->state_left - 1);
	} else {
		expect_state(s, 0);
		us = now_us(t);
		if (m->seq <= s->past_to)
			us = past_us(t, m, us);
		s->seq = m->seq;
	}
	if (r == 0)
		r = recorder_put(t->w, m->text, m->len, track_time(t, us));
	return r == 0 ? track_fresh(t) : r;
}

/* --- syncing, splitting, ending */

uint64_t track_size(const struct track *t)
{
	return t->closed + (t->w ? recorder_size(t->w) : 0);
}

int track_sync(struct track *t)
{
	/* A state is written as a whole where that can be. */
	if (t->state_left || !recorder_pending(t->w))
		return 0;
	return recorder_sync(t->w);
}

bool track_split_due(const struct track *t)
{
	const struct tracks *all = t->all;

	if (!t->begun || t->state_left)
		return false;
	if (!(all->split_bytes && recorder_size(t->w) >= all->split_bytes) &&
	    !(all->split_ns && now_us(t) * 1000 >= all->split_ns))
		return false;
	/* Where something is still to be written of where a session stands, it is not the time. */
	for (const struct track_session *s = t->sessions; s; s = s->next)
		if (s->mark.due)
			return false;
	return true;
}

/* Where a part goes on: a gap without a record in it. */
static int write_place(struct track_session *s)
{
	int r = recorder_gap(s->track->w, s->name, s->epoch, s->seq + 1, s->seq, "split", 0);

	s->run[0] = '\0';
	return r == 0 ? write_run(s) : r;
}

/* The same for sessions that are in the parts before, and not recorded this time. */
static int write_places_left(struct track *t)
{
	int r = 0;

	for (struct tally_entry *e = t->all->places.first; e && r == 0; e = e->next) {
		const struct past *p = e->extra;
		struct track_session s = {.track = t, .name = e->name, .seq = p->place.seq};

		if (p->joined || !p->place.known)
			continue;
		memcpy(s.epoch, p->place.epoch, sizeof(s.epoch));
		memcpy(s.now, p->run, sizeof(s.now));
		r = write_place(&s);
	}
	return r;
}

/* The header of a part, and where its sessions stand. */
static int begin_part(struct track *t, const struct recorder_past *past)
{
	int r;

	track_start(t, past);
	r = track_begin(t);
	for (struct track_session *s = t->sessions; s && r == 0; s = s->next)
		if (s->epoch[0])
			r = write_place(s);
	if (r == 0 && !t->only)
		r = write_places_left(t);
	return r == 0 ? recorder_sync(t->w) : r;
}

int track_split(struct track *t, char *why, size_t cap)
{
	struct recorder_past past;
	uint64_t size = recorder_size(t->w);
	int r = recorder_close(t->w), status;

	/* A recording of its own, which goes on where this one ends. */
	t->w = NULL;
	if (r == 0) {
		t->closed += size;
		t->part++;
		status = open_part(t, &past, why, cap);
		if (status)
			return status;
		say_cut(t, &past);
		r = begin_part(t, &past);
	}
	if (r < 0)
		snprintf(why, cap, "%s: %s", t->path, strerror(-r));
	return r < 0 ? EX_IOERR : 0;
}

const char *track_why(const struct track *t, int error, char *why, size_t cap, int *status)
{
	*status = EX_IOERR;
	if (!t->all->table || !table_writer_failed(t->all->table, why, cap, status))
		snprintf(why, cap, "%s", strerror(-error));
	return why;
}

int track_close(struct track *t)
{
	int r = t->w ? recorder_close(t->w) : 0;

	t->w = NULL;
	return r;
}

void track_free_all(struct tracks *all)
{
	while (all->first) {
		struct track *t = all->first;

		all->first = t->next;
		track_free(t);
	}
	tally_free(&all->places);
}

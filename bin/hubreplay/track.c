/* The files of a recording. A mark stands before what it is about: a gap, then the snapshot with
 * its state records, then the records that follow it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "record.h"

#define ZSTD_LEVEL 3

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

static void track_check(struct track *t, int error)
{
	/* Nobody reads standard output any more: an end, and no error of ours. */
	if (error == -EPIPE && strcmp(t->path, "-") == 0)
		record_stop(t->r);
	/* What was synced stays as it is; nothing can be added to it. */
	else if (error < 0)
		record_fail(t->r, EX_IOERR, "%s: %s", t->path, strerror(-error));
}

/* After a failure nothing is taken any more, so that no record is left out before one that is in
 * the file. */
static bool track_ended(const struct track *t)
{
	return !t->w || t->r->status;
}

/* --- opening */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

/* match.ndjson.zst, part 2: match.0002.ndjson.zst, so that names sort like their times. */
static char *part_path(const char *base, unsigned part)
{
	size_t stem = strlen(base), cap = stem + 16;
	char *path = malloc(cap);

	if (!path || !part) {
		if (path)
			memcpy(path, base, stem + 1);
		return path;
	}
	if (ends_with(base, ".zst"))
		stem -= 4;
	if (stem > 7 && memcmp(base + stem - 7, ".ndjson", 7) == 0)
		stem -= 7;
	snprintf(path, cap, "%.*s.%04u%s", (int)stem, base, part, base + stem);
	return path;
}

static struct recorder *open_part(struct track *t, struct recorder_past *past)
{
	struct record *r = t->r;
	struct recorder_options options = {.keys = r->keys, .append = true, .fsync = true};
	struct recorder *w;
	char why[300];
	int status;

	*past = (struct recorder_past){0};
	free(t->path);
	t->path = part_path(t->base, t->part);
	if (!t->path) {
		record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
		return NULL;
	}
	options.level = r->o.zstd || ends_with(t->base, ".zst") ? ZSTD_LEVEL : 0;
	w = recorder_open(t->path, &options, past, why, sizeof(why), &status);
	if (!w)
		record_fail(r, status, "%s: %s", t->path, why);
	else if (past->cut)
		record_say(r, "%s: an unfinished end of %llu bytes is cut off", t->path,
			   (unsigned long long)past->cut);
	return w;
}

/* The last part that there is. */
static unsigned last_part(const struct track *t)
{
	unsigned n = 1;

	for (;; n++) {
		char *path = part_path(t->base, n + 1);
		bool there = path && access(path, F_OK) == 0;

		free(path);
		if (!there)
			return n;
	}
}

static void track_start(struct track *t, const struct recorder_past *past)
{
	uint64_t wall = (uint64_t)((int64_t)clock_wall_ms() + t->r->offset_ms), mono;

	mono = clock_mono_ns();
	t->begun = past->there;
	t->start_ms = past->there ? past->start_ms : wall;
	t->start_ns = mono;
	if (wall > t->start_ms)
		t->start_ns -= (wall - t->start_ms) * 1000000;
	t->last_us = past->t_us;
}

/* Opens the file where it goes on. A last part without a beginning tells nothing of the place. */
static bool track_append(struct track *t, struct recorder_past *past)
{
	t->part = t->r->split_bytes || t->r->split_ns ? last_part(t) : 0;
	t->w = open_part(t, past);
	while (t->w && !past->there && t->part > 1) {
		recorder_abandon(t->w);
		t->part--;
		t->w = open_part(t, past);
	}
	if (t->w)
		track_start(t, past);
	return t->w != NULL;
}

static char *track_base(const struct record *r, const char *session)
{
	size_t cap;
	char *base;

	if (!r->o.dir)
		return strdup(r->o.file);
	cap = strlen(r->o.dir) + strlen(session) + 16;
	base = malloc(cap);
	if (base)
		snprintf(base, cap, "%s/%s.ndjson%s", r->o.dir, session, r->o.zstd ? ".zst" : "");
	return base;
}

struct track *track_open(struct record *r, struct seat *s)
{
	struct recorder_past past = {0};
	struct track *t = r->o.dir ? NULL : r->tracks;

	if (t) {
		places_find(r, s);
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t || !(t->base = track_base(r, s->session))) {
		free(t);
		record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
		return NULL;
	}
	t->r = r;
	if (r->o.dir || !r->several)
		t->only = s;
	if (!track_append(t, &past))
		goto fail;
	if (past.there && strcmp(past.session, t->only ? s->session : "") != 0) {
		record_fail(r, EX_DATAERR, "%s: is a recording of %s", t->path,
			    past.session[0] ? past.session : "several sessions");
		goto fail;
	}
	if (past.there && t->only) {
		s->seq = past.seq;
		memcpy(s->epoch, past.epoch, sizeof(s->epoch));
		memcpy(s->run, past.run, sizeof(s->run));
	} else if (past.there) {
		places_read(r, t->path);
		places_find(r, s);
	}
	t->next = r->tracks;
	r->tracks = t;
	return t;
fail:
	if (t->w)
		recorder_abandon(t->w);
	free(t->path);
	free(t->base);
	free(t);
	return NULL;
}

/* --- what comes */

static void track_begin(struct track *t)
{
	const struct seat *s = t->only;

	if (t->begun)
		return;
	t->begun = true;
	track_check(t,
		    recorder_header(t->w, s ? s->session : NULL, s ? s->epoch : NULL, t->start_ms));
}

/* In which life of the hub it goes on from here: so it can be told later what a crash in between
 * has left of what is in the file. */
static void write_run(struct seat *s)
{
	char line[ENVELOPE_SESSION_MAX + RECORDING_EPOCH_MAX + 64];
	struct track *t = s->track;
	int n;

	if (strcmp(s->run, s->now) == 0)
		return;
	memcpy(s->run, s->now, sizeof(s->run));
	n = snprintf(line, sizeof(line),
		     "{\"type\":\"joined\",\"session_id\":\"%s\",\"run\":\"%s\"}", s->session,
		     s->run);
	track_check(t, recorder_put(t->w, line, (size_t)n, track_time(t, now_us(t))));
}

/* So many state records are to come now; of an earlier state none will. */
static void expect_state(struct seat *s, uint64_t records)
{
	s->track->state_left += records - s->state_left;
	s->state_left = records;
}

/* The gap, and the state behind it, before what follows. to_seq: of the last record that is not
 * kept. */
static void write_mark(struct seat *s, uint64_t to_seq)
{
	struct track *t = s->track;

	s->mark.due = false;
	/* The connection broke behind a gap that is in the file already: only the rest is new. */
	if (strcmp(s->mark.reason, "trimmed") == 0 && s->mark.left < s->seq && s->seq <= to_seq)
		s->mark.left = s->seq;
	s->state_us = track_time(t, now_us(t));
	track_check(t, recorder_gap(t->w, s->session, s->epoch, s->mark.left + 1, to_seq,
				    s->mark.reason[0] ? s->mark.reason : NULL, s->state_us));
	if (s->mark.snapshot)
		track_check(t, recorder_snapshot(t->w, s->session, NULL, to_seq, s->mark.snapshot,
						 s->state_us));
	write_run(s);
	expect_state(s, s->mark.snapshot);
	s->seq = to_seq;
}

static void write_snapshot(struct seat *s, uint64_t seq, uint64_t records)
{
	struct track *t = s->track;

	s->state_us = track_time(t, now_us(t));
	track_check(t, recorder_snapshot(t->w, s->session, s->epoch, seq, records, s->state_us));
	write_run(s);
	expect_state(s, records);
	s->seq = seq;
}

/* That the file is there says that the recording runs: not only at the next sync. */
static void track_fresh(struct track *t)
{
	if (!t->fresh || t->state_left)
		return;
	t->fresh = false;
	track_check(t, recorder_sync(t->w));
}

void track_joined(struct seat *s, const struct client_joined *j)
{
	struct track *t = s->track;
	bool first = !s->epoch[0], same = strcmp(s->epoch, j->epoch) == 0;

	if (track_ended(t))
		return;
	snprintf(s->epoch, sizeof(s->epoch), "%s", j->epoch);
	track_begin(t);
	expect_state(s, 0);
	if (strlen(j->run) < sizeof(s->now) && !strpbrk(j->run, "\"\\"))
		snprintf(s->now, sizeof(s->now), "%s", j->run);
	s->past_to = j->seq;
	if (j->recovered && !first) {
		/* It just goes on. */
		if (!s->mark.due)
			write_run(s);
		return;
	}
	s->mark.due = j->rest;
	s->mark.left = j->rest ? j->left : same && s->seq + j->asked <= j->seq ? s->seq : 0;
	s->mark.snapshot = j->snapshot;
	/* A crash of the hub took a part of the log that the state was of. */
	snprintf(s->mark.reason, sizeof(s->mark.reason), "%s",
		 !j->asked && same && s->seq > j->seq ? "epoch_changed" : j->reason);
	if (j->asked ? j->recovered : first)
		write_snapshot(s, j->asked ? 0 : j->seq, j->snapshot);
	else if (!j->rest) /* cut off within the state before, or a hub that knows no `rest` */
		write_mark(s, j->seq);
	t->fresh |= first;
	track_fresh(t);
}

void track_gap(struct seat *s, uint64_t from_seq, uint64_t to_seq)
{
	struct track *t = s->track;

	if (track_ended(t))
		return;
	if (s->mark.due && from_seq == s->mark.left + 1) {
		write_mark(s, to_seq);
		return;
	}
	/* A slow member: the state follows, and what has an ack, as many as there are. */
	s->state_us = track_time(t, now_us(t));
	track_check(t, recorder_gap(t->w, s->session, NULL, from_seq, to_seq, "slow", s->state_us));
	track_check(t, recorder_snapshot(t->w, s->session, NULL, to_seq, 0, s->state_us));
	s->seq = to_seq;
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

void track_record(struct seat *s, const struct client_message *m)
{
	struct track *t = s->track;
	uint64_t us;

	if (track_ended(t))
		return;
	if (s->mark.due)
		write_mark(s, s->mark.left);
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
	track_check(t, recorder_put(t->w, m->text, m->len, track_time(t, us)));
	t->r->records++;
	track_fresh(t);
}

/* --- syncing, splitting, ending */

uint64_t track_size(const struct track *t)
{
	return t->closed + (t->w ? recorder_size(t->w) : 0);
}

/* Where a part goes on: a gap without a record in it. */
static void write_place(struct seat *s)
{
	track_check(s->track, recorder_gap(s->track->w, s->session, s->epoch, s->seq + 1, s->seq,
					   "split", 0));
	s->run[0] = '\0';
	write_run(s);
}

/* The same for sessions that are in the parts before, and not recorded this time. */
static void write_places_left(struct track *t)
{
	for (struct tally_entry *e = t->r->places.first; e; e = e->next) {
		const struct past *p = e->extra;
		struct seat s = {.track = t, .session = e->name, .seq = p->place.seq};

		if (p->joined || !p->place.known)
			continue;
		memcpy(s.epoch, p->place.epoch, sizeof(s.epoch));
		memcpy(s.now, p->run, sizeof(s.now));
		write_place(&s);
	}
}

/* Where something is still to be written of where a session stands, it is not the time. */
static bool track_settled(const struct track *t)
{
	for (const struct link *l = t->r->links; l; l = l->next)
		for (int i = 0; i < l->n; i++)
			if (l->seats[i]->track == t && l->seats[i]->mark.due)
				return false;
	return true;
}

/* The next part: a recording of its own, which goes on where this one ends. */
static void track_split(struct track *t)
{
	struct recorder_past past;
	uint64_t size = recorder_size(t->w);
	int r = recorder_close(t->w);

	t->w = NULL;
	track_check(t, r);
	if (r < 0)
		return;
	t->closed += size;
	t->part++;
	t->w = open_part(t, &past);
	if (!t->w)
		return;
	track_start(t, &past);
	track_begin(t);
	for (const struct link *l = t->r->links; l; l = l->next)
		for (int i = 0; i < l->n; i++)
			if (l->seats[i]->track == t && l->seats[i]->epoch[0])
				write_place(l->seats[i]);
	if (!t->only)
		write_places_left(t);
	track_check(t, recorder_sync(t->w));
}

static bool split_due(const struct track *t)
{
	const struct record *r = t->r;

	return t->begun && ((r->split_bytes && recorder_size(t->w) >= r->split_bytes) ||
			    (r->split_ns && now_us(t) * 1000 >= r->split_ns));
}

void track_sync(struct track *t)
{
	/* A state is written as a whole where that can be. */
	if (!t->w || t->state_left)
		return;
	if (recorder_pending(t->w))
		track_check(t, recorder_sync(t->w));
	if (split_due(t) && track_settled(t) && !t->r->status)
		track_split(t);
}

void track_close(struct track *t)
{
	if (t->w)
		track_check(t, recorder_close(t->w));
	free(t->path);
	free(t->base);
	free(t);
}

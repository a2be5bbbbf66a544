/* hubreplay verify: whether recordings are whole, in order and unchanged. The reader tells of
 * seals, signatures and lines that are none; here it is about what the lines say together. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "edit/edit.h"
#include "files/files.h"
#include "files/tally.h"
#include "recording/place.h"

#define SAID_MAX 20 /* problems of a file */
#define SESSIONS_MAX 1000000

struct options {
	const char *seal, *verify;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recordings must be signed with"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay verify",
    .synopsis = "[--seal KEYFILE] [--verify-key KEYFILE] FILE...",
    .summary = "Tells whether recordings are whole, in order and unchanged, or where they are not.",
    .opts = options_table};

struct session {
	struct place place;
	bool in_state;		  /* state records may follow */
	bool behind_gap;	  /* which may have cut the state off: it comes anew */
	uint64_t state_seq;	  /* of the last one */
	uint64_t state, expected; /* how many there were, and should be; 0: not known */
};

struct check {
	const char *path;
	uint64_t t_us, records, gaps, missing, problems;
	bool full;	 /* more sessions than are followed */
	bool broken;	 /* it ends before its end: there is a place where */
	char first[300]; /* the first problem */
	struct tally sessions;
};

static __attribute__((format(printf, 3, 4))) void
problem(struct check *c, const struct recording_line *line, const char *fmt, ...)
{
	char text[300];
	size_t n = 0;
	va_list ap;

	if (line)
		n = (size_t)snprintf(text, sizeof(text), "line %" PRIu64 ": ", line->number);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	if (!c->problems)
		memcpy(c->first, text, sizeof(text));
	if (++c->problems <= SAID_MAX)
		err_log(ERR_ERROR, "%s: %s", c->path, text);
	else if (c->problems == SAID_MAX + 1)
		err_log(ERR_ERROR, "%s: and more", c->path);
}

/* Whether the state before this line is all there. */
static void end_state(struct check *c, struct session *s, const struct recording_line *line)
{
	if (s->in_state && s->expected && s->state != s->expected)
		problem(c, line, "%" PRIu64 " state records %s, and not %" PRIu64, s->state,
			line ? "before" : "at the end", s->expected);
	s->in_state = false;
}

static void check_state(struct check *c, struct session *s, const struct recording_line *line)
{
	if (!s->in_state)
		problem(c, line, "seq %" PRIu64 " behind seq %" PRIu64, line->seq, s->place.seq);
	else if (line->seq <= s->state_seq)
		problem(c, line, "state of seq %" PRIu64 " behind that of seq %" PRIu64, line->seq,
			s->state_seq);
	s->state_seq = line->seq;
	s->state++;
}

static void check_record(struct check *c, struct session *s, const struct recording_line *line)
{
	end_state(c, s, line);
	s->behind_gap = false;
	c->records++;
	if (s->place.known && line->seq != s->place.seq + 1)
		problem(c, line, "seq %" PRIu64 " behind seq %" PRIu64, line->seq, s->place.seq);
}

static void check_gap(struct check *c, struct session *s, const struct recording_line *line)
{
	s->behind_gap = true;
	c->gaps++;
	c->missing += line->to_seq + 1 - line->seq;
	if (!place_is_new(&s->place, line) && line->seq != s->place.seq + 1)
		problem(c, line, "a gap from seq %" PRIu64 " on behind seq %" PRIu64, line->seq,
			s->place.seq);
}

static void check_snapshot(struct check *c, struct session *s, const struct recording_line *line)
{
	if (!s->behind_gap)
		end_state(c, s, line);
	s->behind_gap = false;
	if (s->place.known && line->epoch.p && *s->place.epoch &&
	    (strlen(s->place.epoch) != line->epoch.len ||
	     memcmp(s->place.epoch, line->epoch.p, line->epoch.len) != 0))
		problem(c, line, "the epoch changes without a gap");
	else if (s->place.known && line->seq != s->place.seq)
		problem(c, line, "a snapshot of seq %" PRIu64 " behind seq %" PRIu64, line->seq,
			s->place.seq);
	s->in_state = true;
	s->state = s->state_seq = 0;
	s->expected = line->records;
}

static void check_line(struct check *c, const struct recording_line *line)
{
	struct tally_entry *entry;
	struct session *s;

	if (line->t_us < c->t_us)
		problem(c, line, "t goes back");
	c->t_us = line->t_us;
	if (!line->session.p)
		return;
	entry = tally_find(&c->sessions, line->session);
	if (!entry) {
		if (!c->full)
			problem(c, line, "more sessions than %d: of these nothing is known",
				SESSIONS_MAX);
		c->full = true;
		return;
	}
	s = entry->extra;
	switch (line->kind) {
	case RECORDING_STATE:
		check_state(c, s, line);
		break;
	case RECORDING_RECORD:
		check_record(c, s, line);
		break;
	case RECORDING_GAP:
		check_gap(c, s, line);
		break;
	case RECORDING_SNAPSHOT:
		check_snapshot(c, s, line);
		break;
	default:
		break;
	}
	place_follow(&s->place, line);
}

static void tell(const struct check *c, const struct recording *r, bool checked)
{
	struct buf out = {0};

	buf_puts(&out, "{\"file\":");
	buf_put_json(&out, c->path, strlen(c->path));
	buf_printf(&out,
		   ",\"ok\":%s,\"records\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"missing\":%" PRIu64,
		   c->problems ? "false" : "true", c->records, c->gaps, c->missing);
	if (r)
		buf_printf(&out, ",\"sealed\":%s,\"signature\":\"%s\"",
			   recording_sealed(r) ? "true" : "false",
			   !recording_signed(r) ? "none"
			   : checked		? "checked"
						: "not checked");
	if (c->problems) {
		buf_puts(&out, ",\"problem\":");
		buf_put_json(&out, c->first, strlen(c->first));
	}
	if (r && c->broken)
		buf_printf(&out, ",\"good_lines\":%" PRIu64 ",\"good_bytes\":%" PRIu64,
			   recording_good_lines(r), recording_good_bytes(r));
	buf_puts(&out, "}\n");
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
}

/* Returns the exit status for one file. */
static int verify(const char *path, const struct seal_keys *keys)
{
	struct check c = {.path = path,
			  .sessions = {.extra = sizeof(struct session), .limit = SESSIONS_MAX}};
	enum recording_status status;
	struct recording_line line;
	struct recording *r;
	char why[500];
	int failed;

	r = files_try(path, keys, false, why, sizeof(why), &failed);
	if (!r) {
		problem(&c, NULL, "%s", why);
		tell(&c, NULL, false);
		/* A file that is not there is no answer; one that is no recording is. */
		return failed == EX_DATAERR ? EX_NO : failed;
	}
	while ((status = recording_next(r, &line)) == RECORDING_OK)
		check_line(&c, &line);
	c.broken = status != RECORDING_END;
	if (c.broken)
		problem(&c, NULL, "%s", recording_why(r));
	else
		for (struct tally_entry *e = c.sessions.first; e; e = e->next)
			end_state(&c, e->extra, NULL);
	tell(&c, r, seal_keys_have(keys, SEAL_VERIFY));
	recording_close(r);
	tally_free(&c.sessions);
	return status == RECORDING_FAILED ? EX_IOERR : c.problems ? EX_NO : EX_OK;
}

/* Says of a file that it was not read at all. */
static int unread(const char *path, const char *why)
{
	struct check c = {.path = path, .problems = 1};

	snprintf(c.first, sizeof(c.first), "%s", why);
	tell(&c, NULL, false);
	return EX_NO;
}

int verify_main(int argc, char **argv)
{
	struct options o = {0};
	int first = opt_parse(&program, argc, argv, &o), status;
	struct seal_keys *keys;
	char why[600] = "";

	if (first == argc)
		err_die(EX_USAGE, "which file? (try 'hubreplay verify --help')");
	keys = files_keys_try(o.seal, o.verify, why, sizeof(why), &status);
	if (status)
		err_log(ERR_ERROR, "%s", why);
	for (int i = first; i < argc; i++) {
		int got = *why ? unread(argv[i], why) : verify(argv[i], keys);

		status = status ? status : got;
	}
	seal_keys_free(keys);
	if (fflush(stdout) != 0 && errno != EPIPE)
		err_die(EX_IOERR, "standard output: %s", strerror(errno));
	return status;
}

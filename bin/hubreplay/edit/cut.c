/* hubreplay cut: a part of a recording, as a recording of its own. What was before it is left out,
 * but for the state that it had made: that stands at the beginning, as a hub would send it to who
 * joins then. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "edit/edit.h"
#include "edit/session_state.h"
#include "files/files.h"
#include "files/range.h"
#include "files/sink.h"
#include "files/tally.h"
#include "json/keys.h"
#include "recording/place.h"

#define SESSIONS_MAX 1000000

struct options {
	const char *from, *to, *output, *keys, *seal, *verify, *seal_to, *sign;
	double max_gap;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {0, "from", "TIME", OPT_STRING, FIELD(from), 0, 0, NULL, "the first time that is kept (0)"},
    {0, "to", "TIME", OPT_STRING, FIELD(to), 0, 0, NULL, "the first time that is not (the end)"},
    {0, "max-gap", "SECONDS", OPT_SECONDS, FIELD(max_gap), 0, 1e9, NULL,
     "where nothing comes for longer than that, so much is left of it"},
    {'o', "output", "FILE", OPT_STRING, FIELD(output), 0, 0, NULL,
     "the new file; compressed where it ends in .zst (-: standard output)"},
    {0, "keys", "FILE", OPT_STRING, FIELD(keys), 0, 0, NULL,
     "what is state, as hubd(8) has it with --keys"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recording must be signed with"},
    {0, "seal-to", "KEYFILE", OPT_STRING, FIELD(seal_to), 0, 0, NULL,
     "seal the new file with this key"},
    {0, "sign", "KEYFILE", OPT_STRING, FIELD(sign), 0, 0, NULL, "sign the new file with this key"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay cut",
    .synopsis =
	"[--from TIME] [--to TIME] [--max-gap SECONDS] [-o FILE] [--keys FILE] [--seal KEYFILE] "
	"[--verify-key KEYFILE] "
	"[--seal-to KEYFILE] [--sign KEYFILE] FILE",
    .summary = "Writes the part of a recording between two times, with the state at its beginning.",
    .opts = options_table};

struct session {
	struct place place;
	struct session_state state;
};

struct cut {
	struct recording *r;
	struct sink to;
	struct keys *keys;
	struct tally sessions;
	struct range range;
	uint64_t base_us;    /* of the new t 0, a whole ms */
	uint64_t max_gap_us; /* between two lines; what is more goes */
	uint64_t last_us;    /* the time of the last line */
	uint64_t idle_us;    /* what has gone so far */
	bool begun;
};

/* A line before the part. */
static void pass_over(struct cut *c, const struct recording_line *line)
{
	struct session *s;

	if (!line->session.p)
		return;
	s = tally_need(&c->sessions, line->session)->extra;
	/* Another log, or a new account of this one. */
	if (line->kind == RECORDING_SNAPSHOT ||
	    (line->kind == RECORDING_GAP && place_is_new(&s->place, line)))
		session_state_clear(&s->state);
	if (line->kind == RECORDING_STATE || line->kind == RECORDING_RECORD)
		session_state_take(&s->state, c->keys, line);
	place_follow(&s->place, line);
}

/* The header, and of each session where its log stands, with its state. */
static void begin(struct cut *c)
{
	const struct recording_head *head = recording_head(c->r);
	const char *session = *head->session ? head->session : NULL;
	const char *epoch = head->epoch;

	c->begun = true;
	for (struct tally_entry *e = c->sessions.first; e; e = e->next)
		if (session && strcmp(e->name, session) == 0)
			epoch = ((struct session *)e->extra)->place.epoch;
	sink_check(&c->to,
		   recorder_header(c->to.w, session, epoch, head->start_ms + c->base_us / 1000));
	for (struct tally_entry *e = c->sessions.first; e; e = e->next) {
		struct session *s = e->extra;

		if (!s->place.known)
			continue;
		sink_check(&c->to, recorder_snapshot(c->to.w, e->name, s->place.epoch, s->place.seq,
						     session_state_sort(&s->state), 0));
		for (size_t i = 0; i < s->state.n; i++)
			sink_check(&c->to, recorder_put(c->to.w, s->state.record[i].text,
							s->state.record[i].len, 0));
		session_state_clear(&s->state);
	}
}

static enum recording_status cut(struct cut *c)
{
	enum recording_status status;
	struct recording_line line;

	while ((status = recording_next(c->r, &line)) == RECORDING_OK) {
		if (line.kind == RECORDING_HEADER || line.t_us < c->range.from_us) {
			pass_over(c, &line);
			continue;
		}
		if (line.t_us >= c->range.to_us) {
			status = RECORDING_END;
			break;
		}
		if (!c->begun)
			begin(c);
		if (line.t_us - c->last_us > c->max_gap_us)
			c->idle_us += line.t_us - c->last_us - c->max_gap_us;
		c->last_us = line.t_us;
		sink_put(&c->to, &line, line.t_us - c->base_us - c->idle_us);
	}
	if (!c->begun)
		begin(c);
	return status;
}

int cut_main(int argc, char **argv)
{
	struct options o = {.output = "-", .max_gap = -1};
	int first = opt_parse(&program, argc, argv, &o), status;
	struct cut c = {.max_gap_us = UINT64_MAX,
			.sessions = {.extra = sizeof(struct session), .limit = SESSIONS_MAX}};
	struct seal_keys *keys, *keys_to;
	char why[300];

	if (argc - first != 1)
		err_die(EX_USAGE, "one file (try 'hubreplay cut --help')");
	range_read(&c.range, o.from, o.to);
	c.keys = o.keys ? keys_load(o.keys, why, sizeof(why)) : keys_default();
	if (!c.keys)
		err_die(EX_CONFIG, "%s", o.keys ? why : "out of memory");
	keys = files_keys(o.seal, o.verify);
	keys_to = files_keys_to(o.seal_to, o.sign);
	c.r = files_need(argv[first], keys);
	range_begin(&c.range, recording_head(c.r)->start_ms);
	c.base_us = c.range.from_us / 1000 * 1000;
	c.last_us = c.range.from_us;
	if (o.max_gap >= 0)
		c.max_gap_us = (uint64_t)(o.max_gap * 1e6);
	sink_open(&c.to, o.output, keys_to);
	status = files_ended(argv[first], c.r, cut(&c));
	sink_close(&c.to);
	for (struct tally_entry *e = c.sessions.first; e; e = e->next)
		session_state_clear(&((struct session *)e->extra)->state);
	tally_free(&c.sessions);
	recording_close(c.r);
	keys_free(c.keys);
	seal_keys_free(keys);
	seal_keys_free(keys_to);
	return status;
}

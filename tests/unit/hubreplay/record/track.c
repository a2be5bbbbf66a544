/* What is written of sessions to files: each mark before what it is about, each record once, and in
 * every part where its sessions stand. */
#include "record/track.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "files/parts.h"
#include "unit.h"

/* A directory, a file in it, and the tracks that write there. */
struct fixture {
	char dir[32], path[64];
	struct progress progress;
	struct tracks tracks;
};

static void begin(struct fixture *w, bool several)
{
	*w = (struct fixture){.dir = "/tmp/hub-track.XXXXXX"};
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/m.ndjson", w->dir);
	w->tracks = (struct tracks){.file = w->path, .several = several, .progress = &w->progress};
}

static void end(struct fixture *w)
{
	for (struct track *t = w->tracks.first; t; t = t->next)
		assert_int_equal(track_close(t), 0);
	track_free_all(&w->tracks);
}

static void sweep(struct fixture *w)
{
	for (unsigned part = 0; part <= 3; part++) {
		char *path = parts_path(w->path, part);

		unlink(path);
		free(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
}

static void open_ok(struct fixture *w, struct track_session *s, const char *name)
{
	char why[300] = "";

	*s = (struct track_session){.name = name};
	assert_int_equal(track_open(&w->tracks, s, why, sizeof(why)), 0);
	track_add(s);
}

static int record(struct track_session *s, uint64_t seq, bool state)
{
	char text[100];
	int len = snprintf(text, sizeof(text),
			   "{\"type\":\"x\",\"session_id\":\"%s\",\"from\":\"c\",\"seq\":%d}",
			   s->name, (int)seq);
	struct client_message m = {.kind = CLIENT_RECORD,
				   .text = text,
				   .len = (size_t)len,
				   .seq = seq,
				   .state = state,
				   .from = strstr(text, "\"c\"") + 1,
				   .from_len = 1};

	return track_record(s, &m);
}

/* A part's lines, each in a few words. */
static void check(struct fixture *w, unsigned part, const char *want)
{
	static const char *const kinds[] = {"header", "state",	  "record",
					    "gap",    "snapshot", "other"};
	char *path = parts_path(w->path, part), text[2000] = "", why[300];
	enum recording_status got;
	struct recording_line l;
	size_t n = 0;
	int status;
	struct recording *r = recording_open(path, NULL, why, sizeof(why), &status);

	assert_non_null(r);
	while ((got = recording_next(r, &l)) == RECORDING_OK) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %.*s", kinds[l.kind],
				      (int)l.session.len, l.session.p ? l.session.p : "");
		if (l.kind == RECORDING_GAP)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %d-%d %.*s", (int)l.seq,
					      (int)l.to_seq, (int)l.reason.len,
					      l.reason.p ? l.reason.p : "");
		else if (l.kind != RECORDING_HEADER && l.kind != RECORDING_OTHER)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %d", (int)l.seq);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\n");
	}
	assert_int_equal(got, RECORDING_END);
	assert_string_equal(text, want);
	recording_close(r);
	free(path);
}

static void one_session(void **state)
{
	struct client_joined j = {.session = "s", .epoch = "e", .run = "", .reason = ""};
	struct fixture w;
	struct track_session s;

	(void)state;
	begin(&w, false);
	open_ok(&w, &s, "s");
	j.seq = 5;
	j.snapshot = 2;
	assert_int_equal(track_joined(&s, &j), 0);
	assert_int_equal(record(&s, 2, true), 0);
	assert_int_equal(record(&s, 4, true), 0);
	assert_int_equal(record(&s, 6, false), 0);
	/* Lost, and joined again: it goes on, then with something missing. */
	j = (struct client_joined){.session = "s",
				   .epoch = "e",
				   .run = "",
				   .reason = "",
				   .asked = true,
				   .again = true,
				   .recovered = true,
				   .seq = 7};
	assert_int_equal(track_joined(&s, &j), 0);
	assert_int_equal(record(&s, 7, false), 0);
	j.recovered = false;
	j.rest = true;
	j.reason = "trimmed";
	j.left = 7;
	j.seq = 20;
	assert_int_equal(track_joined(&s, &j), 0);
	assert_int_equal(track_gap(&s, 8, 15), 0);
	assert_int_equal(record(&s, 16, false), 0);
	/* A slow member. */
	assert_int_equal(track_gap(&s, 17, 18), 0);
	assert_int_equal(record(&s, 19, false), 0);
	end(&w);
	check(&w, 0,
	      "header s\nsnapshot s 5\nstate s 2\nstate s 4\nrecord s 6\nrecord s 7\n"
	      "gap s 8-15 trimmed\nrecord s 16\ngap s 17-18 slow\nsnapshot s 18\n"
	      "record s 19\n");
	sweep(&w);
}

/* A file is gone on with where it ends; another session's is refused. */
static void goes_on(void **state)
{
	struct client_joined j = {.session = "s", .epoch = "e", .run = "r", .reason = "", .seq = 1};
	struct fixture w;
	struct track_session s, other = {.name = "other"};
	char why[300];

	(void)state;
	begin(&w, false);
	open_ok(&w, &s, "s");
	assert_int_equal(track_joined(&s, &j), 0);
	assert_int_equal(record(&s, 2, false), 0);
	end(&w);
	open_ok(&w, &s, "s");
	assert_int_equal(s.seq, 2);
	assert_string_equal(s.epoch, "e");
	assert_string_equal(s.run, "r");
	j.asked = j.recovered = true;
	assert_int_equal(track_joined(&s, &j), 0);
	assert_int_equal(record(&s, 3, false), 0);
	end(&w);
	check(&w, 0, "header s\nsnapshot s 1\nother s\nrecord s 2\nrecord s 3\n");
	assert_int_equal(track_open(&w.tracks, &other, why, sizeof(why)), EX_DATAERR);
	assert_non_null(strstr(why, "m.ndjson: is a recording of s"));
	assert_null(w.tracks.first);
	sweep(&w);
}

/* A part says of each session where it stands, also of one that is not recorded this time. */
static void parts_of_several(void **state)
{
	struct client_joined j = {.epoch = "e", .run = "", .reason = "", .seq = 1};
	struct fixture w;
	struct track_session a, b;
	char why[300];

	(void)state;
	begin(&w, true);
	w.tracks.split_bytes = 1;
	open_ok(&w, &a, "a");
	open_ok(&w, &b, "b");
	assert_ptr_equal(a.track, b.track);
	assert_false(track_split_due(a.track)); /* nothing is in it */
	assert_int_equal(track_joined(&a, &j), 0);
	assert_int_equal(track_joined(&b, &j), 0);
	assert_int_equal(record(&a, 2, false), 0);
	assert_int_equal(track_sync(a.track), 0);
	assert_true(track_split_due(a.track));
	b.mark.due = true; /* something has to stand before it */
	assert_false(track_split_due(a.track));
	b.mark.due = false;
	assert_int_equal(track_split(a.track, why, sizeof(why)), 0);
	assert_int_equal(record(&b, 2, false), 0);
	end(&w);
	check(&w, 1, "header \nsnapshot a 1\nsnapshot b 1\nrecord a 2\n");
	check(&w, 2, "header \ngap a 3-2 split\ngap b 2-1 split\nrecord b 2\n");

	open_ok(&w, &b, "b");
	assert_int_equal(b.track->part, 2);
	assert_int_equal(b.seq, 2);
	j.asked = j.recovered = true;
	assert_int_equal(track_joined(&b, &j), 0);
	assert_int_equal(track_split(b.track, why, sizeof(why)), 0);
	end(&w);
	check(&w, 3, "header \ngap b 3-2 split\ngap a 3-2 split\n");
	sweep(&w);
}

/* What cannot be written is an answer, and no end of the program. */
static void failures(void **state)
{
	struct client_joined j = {.session = "s", .epoch = "e", .run = "", .reason = ""};
	static const struct client_message bad = {.text = "[]", .len = 2, .seq = 1, .from = "x"};
	struct fixture w;
	struct track_session s;
	char why[300];

	(void)state;
	begin(&w, false);
	open_ok(&w, &s, "s");
	assert_int_equal(track_joined(&s, &j), 0);
	assert_int_equal(track_record(&s, &bad), -EINVAL);
	end(&w);
	sweep(&w);
	s = (struct track_session){.name = "s"};
	assert_int_equal(track_open(&w.tracks, &s, why, sizeof(why)), EX_CANTCREAT);
	assert_memory_equal(why, w.path, strlen(w.path));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_session),
	    cmocka_unit_test(goes_on),
	    cmocka_unit_test(parts_of_several),
	    cmocka_unit_test(failures),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("track", tests, NULL, NULL);
}

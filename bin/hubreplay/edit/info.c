/* hubreplay info: what is in recordings, in one pass and in bounded memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "edit/edit.h"
#include "files/files.h"
#include "files/tally.h"

#define SESSIONS_MAX 10000
#define TYPES_MAX 10000
#define MEMBERS_MAX 100000
#define NAMED_MAX 20 /* on a terminal */

struct options {
	bool json;
	const char *seal, *verify;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {'j', "json", NULL, OPT_TRUE, FIELD(json), 0, 0, NULL,
     "one JSON object a file, also on a terminal"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recordings must be signed with"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay info",
    .synopsis = "[-j] [--seal KEYFILE] [--verify-key KEYFILE] FILE...",
    .summary = "Tells what is in recordings: sessions, span, types and their rates, gaps, members.",
    .opts = options_table};

struct session {
	uint64_t state, first_seq, last_seq, gaps, missing;
	char epoch[RECORDING_EPOCH_MAX + 1];
};

struct info {
	const char *path;
	uint64_t bytes, lines, text_bytes, records, state, gaps, missing, start_ms, first_us,
	    last_us;
	uint64_t second, in_second, peak; /* the busiest second */
	struct tally sessions, types, members;
	bool compressed, sealed, is_signed;
	enum recording_status end;
};

/* --- looking */

static void look_at_record(struct info *i, const struct recording_line *line)
{
	struct tally_entry *e = tally_find(&i->types, line->type);
	uint64_t second = line->t_us / 1000000;

	if (!i->records++)
		i->first_us = line->t_us;
	if (e)
		e->count++;
	e = tally_find(&i->members, line->from);
	if (e)
		e->count++;
	if (second != i->second)
		i->in_second = 0;
	i->second = second;
	if (++i->in_second > i->peak)
		i->peak = i->in_second;
}

static void look_at(struct info *i, const struct recording_line *line)
{
	struct tally_entry *e;
	struct session *s;

	i->lines++;
	i->text_bytes += line->len + 1;
	i->last_us = line->t_us;
	if (line->kind == RECORDING_OTHER || !line->session.p)
		return;
	e = tally_find(&i->sessions, line->session);
	s = e ? e->extra : NULL;
	if (s && line->epoch.p) {
		memcpy(s->epoch, line->epoch.p, line->epoch.len);
		s->epoch[line->epoch.len] = '\0';
	}
	if (line->kind == RECORDING_STATE) {
		i->state++;
		if (s)
			s->state++;
	} else if (line->kind == RECORDING_GAP) {
		i->gaps++;
		i->missing += line->to_seq + 1 - line->seq;
		if (s) {
			s->gaps++;
			s->missing += line->to_seq + 1 - line->seq;
		}
	} else if (line->kind == RECORDING_RECORD) {
		look_at_record(i, line);
		if (s) {
			if (!e->count++)
				s->first_seq = line->seq;
			s->last_seq = line->seq;
		}
	}
}

/* --- telling */

/* A second, and not whether three records came within a microsecond, is what a rate is about. */
static double rate(uint64_t n, const struct info *i)
{
	uint64_t us = i->last_us - i->first_us;

	return (double)n * 1e6 / (double)(us > 1000000 ? us : 1000000);
}

static int by_count(const void *a, const void *b)
{
	const struct tally_entry *const *left = a, *const *right = b;

	if ((*left)->count != (*right)->count)
		return (*left)->count < (*right)->count ? 1 : -1;
	return strcmp((*left)->name, (*right)->name);
}

/* The entries, the most frequent first. The caller frees. */
static struct tally_entry **sorted(const struct tally *t)
{
	struct tally_entry **all = calloc(t->n + 1, sizeof(struct tally_entry *));
	size_t n = 0;

	if (!all)
		err_die(EX_OSERR, "out of memory");
	for (struct tally_entry *e = t->first; e; e = e->next)
		all[n++] = e;
	qsort(all, n, sizeof(struct tally_entry *), by_count);
	return all;
}

static void put_sessions(struct buf *out, const struct info *i)
{
	const char *comma = "";

	for (const struct tally_entry *e = i->sessions.first; e; e = e->next, comma = ",") {
		const struct session *s = e->extra;

		buf_printf(out, "%s{\"session_id\":\"%s\",\"records\":%" PRIu64, comma, e->name,
			   e->count);
		if (e->count)
			buf_printf(out, ",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64,
				   s->first_seq, s->last_seq);
		buf_printf(out, ",\"state\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"missing\":%" PRIu64,
			   s->state, s->gaps, s->missing);
		if (*s->epoch) {
			buf_puts(out, ",\"epoch\":");
			buf_put_json(out, s->epoch, strlen(s->epoch));
		}
		buf_puts(out, "}");
	}
}

static void put_types(struct buf *out, const struct info *i)
{
	struct tally_entry **types = sorted(&i->types);

	for (size_t n = 0; n < i->types.n; n++) {
		buf_puts(out, n ? ",{\"type\":" : "{\"type\":");
		buf_put_json(out, types[n]->name, types[n]->len);
		buf_printf(out, ",\"records\":%" PRIu64 ",\"rate\":%.3f}", types[n]->count,
			   rate(types[n]->count, i));
	}
	free(types);
}

static void tell_json(const struct info *i)
{
	static const char *const truth[] = {"false", "true"};
	struct buf out = {0};

	buf_puts(&out, "{\"file\":");
	buf_put_json(&out, i->path, strlen(i->path));
	buf_printf(&out,
		   ",\"bytes\":%" PRIu64 ",\"text_bytes\":%" PRIu64
		   ",\"compressed\":%s,\"sealed\":%s,\"signed\":%s,\"finished\":%s",
		   i->bytes, i->text_bytes, truth[i->compressed], truth[i->sealed],
		   truth[i->is_signed], truth[i->end == RECORDING_END]);
	buf_printf(&out,
		   ",\"start\":%" PRIu64 ",\"seconds\":%.3f,\"lines\":%" PRIu64
		   ",\"records\":%" PRIu64 ",\"state\":%" PRIu64 ",\"gaps\":%" PRIu64
		   ",\"missing\":%" PRIu64,
		   i->start_ms, (double)i->last_us / 1e6, i->lines, i->records, i->state, i->gaps,
		   i->missing);
	buf_printf(&out, ",\"rate\":%.3f,\"peak\":%" PRIu64 ",\"members\":%zu,\"sessions\":[",
		   rate(i->records, i), i->peak, i->members.n);
	put_sessions(&out, i);
	buf_puts(&out, "],\"types\":[");
	put_types(&out, i);
	buf_puts(&out, "]}\n");
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
}

/* What a terminal must not get stays away. */
static void show_name(const char *name)
{
	for (; *name; name++)
		putchar((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name);
}

static void tell_sessions(const struct info *i)
{
	size_t n = 0;

	for (const struct tally_entry *e = i->sessions.first; e && n < NAMED_MAX;
	     e = e->next, n++) {
		const struct session *s = e->extra;

		printf("  session %-20s %" PRIu64 " records", e->name, e->count);
		if (e->count)
			printf(", seq %" PRIu64 " to %" PRIu64, s->first_seq, s->last_seq);
		if (s->state)
			printf(", %" PRIu64 " of state", s->state);
		if (s->gaps)
			printf(", %" PRIu64 " gaps of %" PRIu64 " records", s->gaps, s->missing);
		putchar('\n');
	}
	if (i->sessions.n > NAMED_MAX)
		printf("  and %zu more sessions\n", i->sessions.n - NAMED_MAX);
}

static void tell_person(const struct info *i)
{
	struct tally_entry **types = sorted(&i->types);
	uint64_t seconds = i->last_us / 1000000;
	time_t start = (time_t)(i->start_ms / 1000);
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&start, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	show_name(i->path);
	printf(": %s, %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64 "\n", when,
	       seconds / 3600, seconds / 60 % 60, seconds % 60, i->last_us / 1000 % 1000);
	printf("  %" PRIu64 " bytes%s%s%s%s\n", i->bytes, i->compressed ? ", compressed" : "",
	       i->sealed ? ", sealed" : "", i->is_signed ? ", signed" : "",
	       i->end == RECORDING_END ? "" : ", unfinished");
	printf("  %" PRIu64 " records of %zu%s members, %.1f/s, %" PRIu64
	       " in the busiest second\n",
	       i->records, i->members.n, i->members.full ? " or more" : "", rate(i->records, i),
	       i->peak);
	tell_sessions(i);
	for (size_t n = 0; n < i->types.n && n < NAMED_MAX; n++) {
		printf("  %10" PRIu64 "  %8.1f/s  ", types[n]->count, rate(types[n]->count, i));
		show_name(types[n]->name);
		putchar('\n');
	}
	if (i->types.n > NAMED_MAX)
		printf("  and %zu more types\n", i->types.n - NAMED_MAX);
	free(types);
}

/* Returns the exit status for one file. */
static int tell_of(const char *path, const struct seal_keys *keys, bool json)
{
	struct info i = {.path = path,
			 .sessions = {.extra = sizeof(struct session), .limit = SESSIONS_MAX},
			 .types = {.limit = TYPES_MAX},
			 .members = {.limit = MEMBERS_MAX}};
	struct recording_line line;
	struct recording *r;
	struct stat st;
	int status;

	r = files_open(path, keys, &status);
	if (!r)
		return status;
	while ((i.end = recording_next(r, &line)) == RECORDING_OK)
		look_at(&i, &line);
	status = files_ended(path, r, i.end);
	i.start_ms = recording_head(r)->start_ms;
	i.compressed = recording_compressed(r);
	i.sealed = recording_sealed(r);
	i.is_signed = recording_signed(r);
	i.bytes =
	    strcmp(path, "-") != 0 && stat(path, &st) == 0 ? (uint64_t)st.st_size : i.text_bytes;
	if (json)
		tell_json(&i);
	else
		tell_person(&i);
	recording_close(r);
	tally_free(&i.sessions);
	tally_free(&i.types);
	tally_free(&i.members);
	/* Unfinished is an answer, too. */
	return status == EX_NO ? EX_OK : status;
}

int info_main(int argc, char **argv)
{
	struct options o = {0};
	int first = opt_parse(&program, argc, argv, &o), status = EX_OK;
	struct seal_keys *keys = files_keys(o.seal, o.verify);

	if (first == argc)
		err_die(EX_USAGE, "which file? (try 'hubreplay info --help')");
	for (int i = first; i < argc; i++) {
		int got = tell_of(argv[i], keys, o.json || !isatty(STDOUT_FILENO));

		status = status ? status : got;
	}
	seal_keys_free(keys);
	if (fflush(stdout) != 0 && errno != EPIPE)
		err_die(EX_IOERR, "standard output: %s", strerror(errno));
	return status;
}

/* Invariant: options that were read fit each other; nothing was opened or asked yet. */
#include "record/record_options.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/quantity.h"
#include "files/files.h"
#include "json/envelope.h"

#define FIELD(f) offsetof(struct record_options, f)

static const struct opt options_table[] = {
    CLIENT_ARGS(FIELD(hub)),
    {'o', "output", "FILE|URL", OPT_STRING, FIELD(file), 0, 0, NULL,
     "the file, or postgresql://...; what is there already is gone on with"},
    {'d', "directory", "DIR", OPT_STRING, FIELD(dir), 0, 0, NULL,
     "a file for each session, DIR/SESSION.ndjson"},
    {'z', "zstd", NULL, OPT_TRUE, FIELD(zstd), 0, 0, NULL,
     "compress; a FILE that ends in .zst is compressed anyway"},
    {0, "split", "SIZE|TIME", OPT_STRING, FIELD(split), 0, 0, NULL,
     "begin a new file after so much (such as 100M) or so long (1h)"},
    {0, "sync", "SECONDS", OPT_SECONDS, FIELD(sync), 0.01, 3600, NULL,
     "have all on the disk every SECONDS (1)"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL, "seal with this key"},
    {0, "sign", "KEYFILE", OPT_STRING, FIELD(sign), 0, 0, NULL, "sign with this key"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL, "tell on stderr what happens"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay record",
    .synopsis = "[-vz] [-u URL] [--token-file FILE] [--header LINE] [--cert FILE] [--key FILE] "
		"[--proxy HOST:PORT] [--insecure] "
		"[-o FILE|URL | -d DIR] [--split SIZE|TIME] [--sync SECONDS] [--seal KEYFILE] "
		"[--sign KEYFILE] SESSION...",
    .summary = "Writes what sessions do to files or a database, as it happens. The session `all` "
	       "stands for all.",
    .opts = options_table};

bool record_options_split(struct record_options *o, const char *text)
{
	double bytes = 0, seconds = 0;

	/* A bare number is bytes, and nothing else. */
	if (quantity_bytes(text, &bytes) < 0 &&
	    (!text[strcspn(text, "msdh:")] || quantity_seconds(text, &seconds) < 0))
		return false;
	if (bytes > 1e15 || seconds > 1e9)
		return false;
	o->split_bytes = (uint64_t)bytes;
	o->split_ns = (uint64_t)(seconds * 1e9);
	return o->split_bytes || o->split_ns;
}

static void check_database(struct record_options *o)
{
	files_url(&o->url, o->file);
	if (*o->url.session)
		err_die(EX_USAGE, "-o: the sessions are the arguments, not ?session=");
	if (o->zstd || o->split || o->seal || o->sign)
		err_die(EX_USAGE, "-z, --split, --seal and --sign are for files");
}

static void check(struct record_options *o, int n, char **sessions)
{
	bool all = false;

	if (n < 1)
		err_die(EX_USAGE, "which session? (try 'hubreplay record --help')");
	for (int i = 0; i < n; i++) {
		all |= strcmp(sessions[i], "all") == 0;
		if (!envelope_session_id_ok(sessions[i], strlen(sessions[i])))
			err_die(EX_USAGE,
				"'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
				sessions[i], ENVELOPE_SESSION_MAX);
	}
	if (!o->file == !o->dir)
		err_die(EX_USAGE,
			"-o FILE|URL or -d DIR: where to? (try 'hubreplay record --help')");
	if (o->file && strcmp(o->file, "-") == 0 && (n > 1 || all || o->split))
		err_die(EX_USAGE, "standard output takes one session, as a whole");
	if (all && n > 1)
		err_die(EX_USAGE, "all sessions are all: name no others");
	if (all && o->hub.url.scheme != URL_UNIX)
		err_die(EX_USAGE, "all sessions are told over the hub's Unix socket only (-u)");
	if (o->split && !record_options_split(o, o->split))
		err_die(EX_USAGE, "--split: '%s' is no size (100M) and no time (1h)", o->split);
	if (o->file && table_url_is(o->file))
		check_database(o);
	o->all = all;
	o->sessions = sessions;
	o->n = n;
}

void record_options_read(struct record_options *o, int argc, char **argv)
{
	int first;

	o->sync = 1;
	first = opt_parse(&program, argc, argv, o);
	client_args_read(&o->hub);
	check(o, argc - first, argv + first);
}

/* Invariant: options that were read fit each other; nothing was opened or asked yet. */
#include "record/record_options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "json/envelope.h"

#define FIELD(f) offsetof(struct record_options, f)

static const struct opt options_table[] = {
    {'u', "url", "URL", OPT_STRING, FIELD(url_text), 0, 0, NULL,
     "the hub: unix:/path, ws://host:port/ws, wss://... ($HUB_URL)"},
    {'o', "output", "FILE", OPT_STRING, FIELD(file), 0, 0, NULL,
     "the file; where it is there already it is gone on with"},
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
    "hubreplay record",
    "[-vz] [-u URL] [-o FILE | -d DIR] [--split SIZE|TIME] [--sync SECONDS] [--seal KEYFILE] "
    "[--sign KEYFILE] SESSION...",
    "Writes what sessions do to files, as it happens. The session `all` stands for all.",
    options_table};

bool record_options_split(struct record_options *o, const char *text)
{
	static const struct {
		const char *unit;
		double bytes, seconds;
	} units[] = {{"", 1, 0},	{"k", 1 << 10, 0}, {"M", 1 << 20, 0},
		     {"G", 1 << 30, 0}, {"ms", 0, 1e-3},   {"s", 0, 1},
		     {"m", 0, 60},	{"h", 0, 3600},	   {"d", 0, 86400}};
	char *end;
	double n = strtod(text, &end);

	if (end == text || !(n > 0) || n > 1e15)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		o->split_bytes = (uint64_t)(n * units[i].bytes);
		o->split_ns = (uint64_t)(n * units[i].seconds * 1e9);
		return o->split_bytes || o->split_ns;
	}
	return false;
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
		err_die(EX_USAGE, "-o FILE or -d DIR: where to? (try 'hubreplay record --help')");
	if (o->file && strcmp(o->file, "-") == 0 && (n > 1 || all || o->split))
		err_die(EX_USAGE, "standard output takes one session, as a whole");
	if (all && n > 1)
		err_die(EX_USAGE, "all sessions are all: name no others");
	if (all && o->url.scheme != URL_UNIX)
		err_die(EX_USAGE, "all sessions are told over the hub's Unix socket only (-u)");
	if (o->split && !record_options_split(o, o->split))
		err_die(EX_USAGE, "--split: '%s' is no size (100M) and no time (1h)", o->split);
	o->all = all;
	o->sessions = sessions;
	o->n = n;
}

void record_options_read(struct record_options *o, int argc, char **argv)
{
	char why[300];
	int first;

	o->sync = 1;
	first = opt_parse(&program, argc, argv, o);
	if (url_choose(&o->url, o->url_text, why, sizeof(why)) < 0)
		err_die(EX_USAGE, "%s%s%s", o->url_text ? o->url_text : "", o->url_text ? ": " : "",
			why);
	check(o, argc - first, argv + first);
}

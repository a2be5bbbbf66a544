/* The command line. Invariant: what arguments_parse() has let pass is good, so that all after it
 * need not ask again. */
#include "arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "json/envelope.h"

#define FIELD(f) offsetof(struct arguments, f)

static const struct opt options_table[] = {
    {'l', "listen", NULL, OPT_TRUE, FIELD(listen), 0, 0, NULL,
     "only receive; standard input is not read"},
    {'p', "publish", NULL, OPT_TRUE, FIELD(publish), 0, 0, NULL, "only send"},
    {'u', "url", "URL", OPT_STRING, FIELD(url), 0, 0, NULL,
     "the hub: unix:/path, ws://host:port/ws, wss://... ($HUB_URL)"},
    {'s', "since", "SEQ|all|new", OPT_STRING, FIELD(since), 0, 0, NULL,
     "begin behind the record SEQ, with all that is kept, or now (new)"},
    {0, "state", NULL, OPT_TRUE, FIELD(state), 0, 0, NULL, "print the session's state, and exit"},
    {'n', "count", "COUNT", OPT_INT, FIELD(count), 1, 1e15, NULL, "stop after COUNT records"},
    {'w', "wait", "SECONDS", OPT_SECONDS, FIELD(wait), 0.001, 1e8, NULL,
     "give up (exit 1) when nothing comes for SECONDS"},
    {'q', "linger", "SECONDS", OPT_SECONDS, FIELD(linger), -1, 1e8, NULL,
     "receive for SECONDS after the end of input; -1: for ever (0)"},
    {'t', "type", "TYPE", OPT_STRING, FIELD(type), 0, 0, NULL,
     "send each line as {\"type\":TYPE,\"data\":{\"text\":LINE}}"},
    {'f', "filter", "JQ", OPT_STRING, FIELD(filter), 0, 0, NULL,
     "print what a jq program makes of records"},
    {'m', "map", "JQ", OPT_STRING, FIELD(map), 0, 0, NULL,
     "send what a jq program makes of each line"},
    {'a', "acks", NULL, OPT_TRUE, FIELD(acks), 0, 0, NULL,
     "print the hub's acknowledgement of each line"},
    {'R', "raw", NULL, OPT_TRUE, FIELD(raw), 0, 0, NULL, "lines are text: a JSON string for -m"},
    {0, "no-echo", NULL, OPT_FALSE, FIELD(echo), 0, 0, NULL, "not the records that are one's own"},
    {0, "no-reconnect", NULL, OPT_FALSE, FIELD(reconnect), 0, 0, NULL,
     "end (exit 69) when there is no connection"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL,
     "tell on stderr of the connection and of members"},
    {0},
};

static const struct opt_program program = {
    "hubcat",
    "[-alp] [-u URL] [-s SEQ|all|new] [-n COUNT] [-w SECONDS] [-q SECONDS] [-t TYPE] [-f JQ] "
    "[-m JQ] [-R] [--no-echo] [--no-reconnect] [--state] [-v] SESSION",
    "Joins standard input and output to a session of a hub: one JSON object a line.",
    options_table};

static void check(struct arguments *o, int argc, char **argv, int first)
{
	if (argc - first != 1)
		err_die(EX_USAGE, argc == first ? "which session? (try 'hubcat --help')"
						: "one session only (try 'hubcat --help')");
	o->session = argv[first];
	if (!envelope_session_id_ok(o->session, strlen(o->session)))
		err_die(EX_USAGE, "'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
			o->session, ENVELOPE_SESSION_MAX);
	if (o->listen && o->publish)
		err_die(EX_USAGE, "-l and -p exclude each other; without both hubcat does both");
	if (o->listen && (o->type || o->map || o->raw))
		err_die(EX_USAGE, "-t, -m and -R are for sending; -l sends nothing");
	if (o->listen && o->acks)
		err_die(EX_USAGE, "-a is for sending; -l sends nothing");
	if (o->publish &&
	    (o->filter || o->count || o->linger != ARGUMENTS_LINGER_UNSET || o->since))
		err_die(EX_USAGE, "-f, -n, -q and -s are for receiving; -p receives nothing");
	if (o->state && (o->publish || o->acks || o->type || o->map || o->raw || o->count ||
			 o->linger != ARGUMENTS_LINGER_UNSET || o->since))
		err_die(EX_USAGE, "--state goes with -f and -w only: it prints the state and ends");
	if (o->type && o->map)
		err_die(EX_USAGE, "-t and -m exclude each other");
	if (o->raw && !o->type && !o->map)
		err_die(EX_USAGE, "-R needs -m or -t: text alone is no message");
	if (o->type && (!*o->type || strlen(o->type) > ENVELOPE_TYPE_MAX))
		err_die(EX_USAGE, "-t: a type has 1 to %d bytes", ENVELOPE_TYPE_MAX);
}

struct client_place arguments_place(const struct arguments *o)
{
	struct client_place place = {.from = o->state ? CLIENT_STATE : CLIENT_NOW,
				     .no_echo = !o->echo || o->publish};
	char *end;

	if (!o->since || strcmp(o->since, "new") == 0)
		return place;
	place.from = CLIENT_SINCE;
	if (strcmp(o->since, "all") == 0)
		return place;
	errno = 0;
	place.since = strtoull(o->since, &end, 10);
	if (*o->since < '0' || *o->since > '9' || *end || errno || place.since > (uint64_t)1 << 53)
		err_die(EX_USAGE, "-s: '%s' is not a seq (a whole number up to 2^53), all or new",
			o->since);
	return place;
}

void arguments_parse(struct arguments *o, int argc, char **argv)
{
	int first;

	*o = (struct arguments){
	    .echo = true, .reconnect = true, .wait = -1, .linger = ARGUMENTS_LINGER_UNSET};
	first = opt_parse(&program, argc, argv, o);
	check(o, argc, argv, first);
	(void)arguments_place(o);
}

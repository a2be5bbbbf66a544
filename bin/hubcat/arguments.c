/* The command line. Invariant: what arguments_parse() has let pass is good, so that all after it
 * need not ask again. */
#include "arguments.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/quantity.h"
#include "json/envelope.h"

#define FIRST_MS 30000	  /* of -p, for the first join */
#define GIVE_UP_MS 600000 /* and later */

#define FIELD(f) offsetof(struct arguments, f)

static const struct opt options_table[] = {
    {'l', "listen", NULL, OPT_TRUE, FIELD(listen), 0, 0, NULL,
     "only receive; standard input is not read"},
    {'p', "publish", NULL, OPT_TRUE, FIELD(publish), 0, 0, NULL, "only send"},
    CLIENT_ARGS(FIELD(hub)),
    {'s', "since", "SEQ|all|new", OPT_STRING, FIELD(since), 0, 0, NULL,
     "begin behind the record SEQ, with all that is kept, or now (new)"},
    {'e', "end", NULL, OPT_TRUE, FIELD(end), 0, 0, NULL,
     "end when all is written that the session had at the start"},
    {0, "state", NULL, OPT_TRUE, FIELD(state), 0, 0, NULL, "print the session's state, and exit"},
    {0, "stats", NULL, OPT_TRUE, FIELD(stats), 0, 0, NULL,
     "print how the hub is doing each second; -j: as JSON; operands: [SECONDS [COUNT]]"},
    {'n', "count", "COUNT", OPT_INT, FIELD(count), 1, 1e15, NULL, "stop after COUNT records"},
    {'w', "wait", "SECONDS", OPT_SECONDS, FIELD(wait), 0.001, 1e8, NULL,
     "give up (exit 1) when nothing comes for SECONDS"},
    {'q', "linger", "SECONDS", OPT_SECONDS, FIELD(linger), -1, 1e8, NULL,
     "receive for SECONDS after the end of input; -1: for ever (0)"},
    {0, "give-up", "SECONDS", OPT_SECONDS, FIELD(give_up), -1, 1e8, NULL,
     "end (exit 69) after SECONDS without a hub that takes messages; -1: never"},
    {0, "rejects", "FILE", OPT_STRING, FIELD(rejects), 0, 0, NULL,
     "append to FILE the lines that the hub does not have"},
    {'t', "type", "TYPE", OPT_STRING, FIELD(type), 0, 0, NULL,
     "send each line as {\"type\":TYPE,\"data\":{\"text\":LINE}}"},
    {'f', "filter", "JQ", OPT_STRING, FIELD(filter), 0, 0, NULL,
     "print what a jq program makes of records"},
    {'c', "compact-output", NULL, OPT_TRUE, FIELD(compact), 0, 0, NULL,
     "one line each, on a terminal too"},
    {'r', "raw-output", NULL, OPT_TRUE, FIELD(raw_output), 0, 0, NULL,
     "print strings that -f makes as text"},
    {'j', "join-output", NULL, OPT_TRUE, FIELD(join), 0, 0, NULL, "like -r, without line feeds"},
    {'0', "raw-output0", NULL, OPT_TRUE, FIELD(nul), 0, 0, NULL,
     "like -r, with a NUL in place of each line feed"},
    {0, "seq", NULL, OPT_TRUE, FIELD(records_sep), 0, 0, NULL,
     "print a record separator before each text (RFC 7464)"},
    {'m', "map", "JQ", OPT_STRING, FIELD(map), 0, 0, NULL,
     "send what a jq program makes of each line"},
    {'a', "acks", NULL, OPT_TRUE, FIELD(acks), 0, 0, NULL,
     "print the hub's acknowledgement of each line"},
    {'R', "raw", NULL, OPT_TRUE, FIELD(raw), 0, 0, NULL, "lines are text: a JSON string for -m"},
    {0, "raw-protocol", NULL, OPT_TRUE, FIELD(protocol), 0, 0, NULL,
     "with -p: lines speak to the hub, and are not data"},
    {0, "no-echo", NULL, OPT_FALSE, FIELD(echo), 0, 0, NULL, "not the records that are one's own"},
    {0, "types", "TYPES", OPT_STRING, FIELD(types), 0, 0, NULL,
     "only records of these types: patterns with commas between, ! before what is not wanted"},
    {0, "tick", "SECONDS", OPT_SECONDS, FIELD(tick), 0, 60, NULL,
     "take records at the session's ticks, SECONDS apart"},
    {0, "priority", "TYPES", OPT_STRING, FIELD(priority), 0, 0, NULL,
     "not these, which go before others: patterns with commas between"},
    {0, "batch", NULL, OPT_TRUE, FIELD(batch), 0, 0, NULL, "take records in arrays"},
    {0, "conflate", NULL, OPT_TRUE, FIELD(conflate), 0, 0, NULL,
     "of state only what is the latest when it is taken"},
    {0, "delta", NULL, OPT_TRUE, FIELD(delta), 0, 0, NULL,
     "of state take only what has changed, in arrays, and make it whole; with --tick"},
    {0, "keys", "FILE", OPT_STRING, FIELD(keys), 0, 0, NULL,
     "what is state, as hubd(8) has it with --keys, for --delta"},
    {0, "area", "X,Y,R", OPT_STRING, FIELD(area), 0, 0, NULL,
     "of what has a place only what is in the cells around (X, Y)"},
    {0, "no-reconnect", NULL, OPT_FALSE, FIELD(reconnect), 0, 0, NULL,
     "end (exit 69) when there is no connection"},
    {0, "ready-fd", "N", OPT_INT, FIELD(ready_fd), 1, INT_MAX, NULL,
     "write one line there when joined, then close it"},
    {0, "ready-file", "FILE", OPT_STRING, FIELD(ready_file), 0, 0, NULL,
     "make FILE, with the same line, when joined"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL,
     "tell on stderr of the connection and of members"},
    {0},
};

static const struct opt_program program = {
    .name = "hubcat",
    .synopsis =
	"[-aelp0cjr] [-u URL] [--token-file FILE] [--header LINE] [--cert FILE] [--key FILE] "
	"[--proxy HOST:PORT] "
	"[--insecure] [-s SEQ|all|new] [-n COUNT] [-w SECONDS] [-q SECONDS] [-t TYPE] [-f JQ] "
	"[--seq] "
	"[-m JQ] [-R] [--give-up SECONDS] [--rejects FILE] [--raw-protocol] [--no-echo] "
	"[--types TYPES] [--tick SECONDS] [--priority TYPES] [--batch] [--conflate] "
	"[--delta] [--keys FILE] [--area X,Y,R] [--no-reconnect] [--state] [--stats] [--ready-fd "
	"N] [--ready-file FILE] "
	"[-v] SESSION",
    .summary = "Joins standard input and output to a session of a hub: one JSON object a line.",
    .opts = options_table};

/* As vmstat has them. */
static void stats_operands(struct arguments *o, int argc, char **argv, int first)
{
	double count = 0;
	const char *end;

	if (argc - first > 2)
		err_die(EX_USAGE, "--stats: two operands at most, [SECONDS [COUNT]]");
	if (argc > first &&
	    (quantity_seconds(argv[first], &o->every) < 0 || o->every < 0.1 || o->every > 1e6))
		err_die(EX_USAGE, "--stats: '%s' is not a time of 0.1 seconds or more",
			argv[first]);
	end = argc - first > 1 ? quantity_number(argv[first + 1], &count) : "";
	if (!end || *end || count != floor(count) || (argc - first > 1 && count < 1) ||
	    count > 1e15)
		err_die(EX_USAGE, "--stats: '%s' is not a count", argv[first + 1]);
	if (count > 0)
		o->count = (int64_t)count;
}

static void check_stats(struct arguments *o, int argc, char **argv, int first)
{
	if (o->listen || o->publish || o->state || o->since || o->end || o->type || o->filter ||
	    o->map || o->acks || o->raw || o->protocol || o->rejects || o->raw_output || o->nul ||
	    o->records_sep || !o->echo || o->types || o->priority || o->tick >= 0 || o->batch ||
	    o->conflate || o->delta || o->keys || o->area || o->linger != ARGUMENTS_LINGER_UNSET ||
	    o->give_up != ARGUMENTS_GIVE_UP_UNSET || o->ready_fd >= 0 || o->ready_file)
		err_die(EX_USAGE,
			"--stats goes with -j, -n, -w, --no-reconnect and where the hub is");
	stats_operands(o, argc, argv, first);
}

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
	    (o->end || o->filter || o->count || o->linger != ARGUMENTS_LINGER_UNSET || o->since))
		err_die(EX_USAGE, "-e, -f, -n, -q and -s are for receiving; -p receives nothing");
	if (o->publish && (o->types || o->priority || o->tick >= 0 || o->batch || o->conflate ||
			   o->delta || o->area))
		err_die(EX_USAGE,
			"--types, --tick, --priority, --batch, --conflate, --delta and --area are "
			"for receiving; -p receives nothing");
	if (o->delta && (o->tick <= 0 || !o->echo))
		err_die(EX_USAGE, "--delta needs --tick, and does not go with --no-echo");
	if (o->keys && !o->delta)
		err_die(EX_USAGE, "--keys is for --delta");
	/* The last record that there is may be none of them. */
	if ((o->types || o->area) &&
	    (o->end || (o->since && strcmp(o->since, "new") != 0 && !o->listen)))
		err_die(EX_USAGE, "--types and --area do not go with -e, nor with -s without -l");
	if (o->protocol && !o->publish)
		err_die(EX_USAGE, "--raw-protocol goes with -p; without -p lines speak to the hub");
	if (o->listen && o->rejects)
		err_die(EX_USAGE, "--rejects is for sending; -l sends nothing");
	if (o->state && (o->publish || o->end || o->rejects || o->acks || o->type || o->map ||
			 o->raw || o->count || o->linger != ARGUMENTS_LINGER_UNSET || o->since))
		err_die(EX_USAGE, "--state goes with -f and -w only: it prints the state and ends");
	if (o->type && o->map)
		err_die(EX_USAGE, "-t and -m exclude each other");
	if (o->raw && !o->type && !o->map)
		err_die(EX_USAGE, "-R needs -m or -t: text alone is no message");
	if (o->type && (!*o->type || strlen(o->type) > ENVELOPE_TYPE_MAX))
		err_die(EX_USAGE, "-t: a type has 1 to %d bytes", ENVELOPE_TYPE_MAX);
}

uint64_t arguments_give_up(const struct arguments *o, bool first)
{
	if (o->give_up != ARGUMENTS_GIVE_UP_UNSET)
		return o->give_up > 0 ? (uint64_t)(o->give_up * 1000) : o->give_up == 0;
	/* A script should not wait for ever for what nobody has started. */
	return !o->publish ? 0 : first ? FIRST_MS : GIVE_UP_MS;
}

/* Adds the patterns of an option as an array. */
static int put_types(struct buf *b, const char *name, const char *types)
{
	const char *p = types;
	int r = buf_printf(b, ",\"%s\":[", name);

	for (bool more = true; r == 0 && more; p++) {
		size_t n = strcspn(p, ",");

		if (!n || n > ENVELOPE_TYPE_MAX + 1)
			err_die(EX_USAGE, "--%s: '%s' has a type without 1 to %d bytes", name,
				types, ENVELOPE_TYPE_MAX);
		r = buf_puts(b, p > types ? "," : "");
		if (r == 0)
			r = buf_put_json(b, p, n);
		p += n;
		more = *p == ',';
	}
	return r == 0 ? buf_puts(b, "]") : r;
}

static int put_area(struct buf *b, const char *area)
{
	const char *p = area;
	double n[3];
	int i = 0;

	for (; i < 3 && p; i++) {
		p = quantity_number(p, &n[i]);
		if (p && *p == (i < 2 ? ',' : '\0'))
			p += i < 2;
		else
			p = NULL;
	}
	if (!p || n[2] < 0)
		err_die(EX_USAGE, "--area: '%s' is not X,Y,R: numbers, and R not below 0", area);
	return buf_printf(b, ",\"area\":{\"x\":%.17g,\"y\":%.17g,\"r\":%.17g}", n[0], n[1], n[2]);
}

/* As fields of a join. */
static void read_wants(struct arguments *o)
{
	struct buf b = {0};
	int r = o->types ? put_types(&b, "types", o->types) : 0;

	if (r == 0 && o->priority)
		r = put_types(&b, "priority", o->priority);

	if (r == 0 && o->tick > 0)
		r = buf_printf(&b, ",\"tick\":%.0f", o->tick * 1000);
	if (r == 0 && (o->batch || o->delta))
		r = buf_puts(&b, ",\"batch\":true");
	if (r == 0 && o->delta)
		r = buf_puts(&b, ",\"fields\":\"compact\",\"delta\":true");
	if (r == 0 && o->conflate)
		r = buf_puts(&b, ",\"conflate\":true");
	if (r == 0 && o->area)
		r = put_area(&b, o->area);
	if (r == 0)
		r = buf_put(&b, "", 1);
	if (r < 0)
		err_die(EX_OSERR, "out of memory");
	if (b.len > sizeof(o->wants))
		err_die(EX_USAGE, "--types, --priority: that is too much");
	memcpy(o->wants, b.data, b.len);
	buf_free(&b);
}

struct client_place arguments_place(const struct arguments *o)
{
	struct client_place place = {.from = o->state ? CLIENT_STATE : CLIENT_NOW,
				     .no_echo = !o->echo || o->publish,
				     .wants = o->wants};
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

	*o = (struct arguments){.echo = true,
				.ready_fd = -1,
				.reconnect = true,
				.wait = -1,
				.tick = -1,
				.linger = ARGUMENTS_LINGER_UNSET,
				.give_up = ARGUMENTS_GIVE_UP_UNSET,
				.every = 1};
	first = opt_parse(&program, argc, argv, o);
	if (o->stats)
		check_stats(o, argc, argv, first);
	else
		check(o, argc, argv, first);
	client_args_read(&o->hub);
	read_wants(o);
	(void)arguments_place(o);
}

/* hubbench: loads a hub, or any WebSocket server, and reports what happened. This file: options,
 * and what becomes of the result. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/opt.h"
#include "plan/bench_options.h"
#include "plan/need.h"
#include "plan/plan.h"
#include "plan/trace.h"
#include "report/compare.h"
#include "report/expect.h"
#include "report/report.h"
#include "run/conditions.h"
#include "run/proc.h"
#include "run/run.h"
#include "run/search.h"
#include "speak/dialect.h"

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    CLIENT_URL(FIELD(hub), OPT_LIST, urls,
	       "the server: " CLIENT_URLS "; may be repeated: clients are spread over them"),
    CLIENT_OTHER_ARGS(FIELD(hub)),
    {0, "scenario", "NAME", OPT_CHOICE, FIELD(scenario), 0, 0, scenario_names,
     "what is done; fanout where nothing is said"},
    {0, "dialect", "NAME", OPT_CHOICE, FIELD(dialect), 0, 0, dialect_names,
     "how the server speaks (hub)"},
    {'c', "clients", "N", OPT_INT, FIELD(clients), 1, 999999, NULL, "connections (100)"},
    {'s', "sessions", "N", OPT_INT, FIELD(sessions), 1, 999999, NULL,
     "sessions that the clients are spread over (1)"},
    {0, "publishers", "N", OPT_INT, FIELD(publishers), 0, 999999, NULL,
     "clients that publish (10)"},
    {'r', "rate", "RATE", OPT_STRING, FIELD(rate), 0, 0, NULL,
     "messages/s of all publishers together (100)"},
    {'b', "bytes", "BYTES", OPT_SIZE, FIELD(bytes), 1, 16 << 20, NULL, "length of a message (100)"},
    {'d', "duration", "SECONDS", OPT_SECONDS, FIELD(duration), 0.01, 1e7, NULL,
     "time that is measured (10)"},
    {0, "warmup", "SECONDS", OPT_SECONDS, FIELD(warmup), 0, 1e6, NULL,
     "time before that, which does not count (1)"},
    {0, "ramp", "SECONDS|RATE/s", OPT_STRING, FIELD(ramp), 0, 0, NULL,
     "the time the clients take to connect, or how many do in a second"},
    {0, "drain", "SECONDS", OPT_SECONDS, FIELD(drain), 0, 1e6, NULL,
     "wait that long at most for what is under way (10)"},
    {0, "poisson", NULL, OPT_TRUE, FIELD(poisson), 0, 0, NULL,
     "messages are due at random instants"},
    {0, "closed", "N", OPT_INT, FIELD(closed), 1, 100000, NULL,
     "no rate: each publisher has N messages under way"},
    {0, "coalesce", "SECONDS", OPT_SECONDS, FIELD(coalesce), 0, 1, NULL,
     "let what comes gather for so long before it is read (0)"},
    {0, "acks", NULL, OPT_TRUE, FIELD(acks), 0, 0, NULL, "messages ask for an acknowledgement"},
    {0, "no-echo", NULL, OPT_TRUE, FIELD(no_echo), 0, 0, NULL,
     "publishers do not get their own messages"},
    {0, "threads", "N", OPT_INT, FIELD(threads), 1, 256, NULL, "threads of hubbench (1)"},
    {0, "churn", "RATE", OPT_STRING, FIELD(churn), 0, 0, NULL,
     "members/s that go, and others come, in the scenario churn"},
    {0, "slow", "N", OPT_INT, FIELD(slow), 1, 999999, NULL,
     "members that do not read for a while, in the scenario slow-reader"},
    {0, "kill-node", "PID", OPT_INT, FIELD(kill_node), 2, INT32_MAX, NULL,
     "in the scenario cluster: kill this process halfway"},
    {0, "deflate", NULL, OPT_TRUE, FIELD(deflate), 0, 0, NULL,
     "offer permessage-deflate; the server has to agree"},
    {0, "tick", "SECONDS", OPT_SECONDS, FIELD(tick), 0, 60, NULL,
     "in the scenario crowd: take records at ticks, SECONDS apart"},
    {0, "batch", NULL, OPT_TRUE, FIELD(batch), 0, 0, NULL, "the same: in arrays"},
    {0, "conflate", NULL, OPT_TRUE, FIELD(conflate), 0, 0, NULL,
     "the same: only the last move of each avatar"},
    {0, "compact", NULL, OPT_TRUE, FIELD(compact), 0, 0, NULL,
     "the same: without what the record before says, too"},
    {0, "delta", NULL, OPT_TRUE, FIELD(delta), 0, 0, NULL,
     "the same: only what has changed of a record"},
    {0, "area", "LENGTH", OPT_INT, FIELD(area), 1, 1000000, NULL,
     "the same: only who is so near, in metres (all)"},
    {0, "observers", "N", OPT_INT, FIELD(observers), 1, 999999, NULL,
     "the same: clients whose messages are read, not only counted (10)"},
    {0, "world", "LENGTH", OPT_INT, FIELD(world), 10, 1000000, NULL,
     "the same: of the sides of the world, in metres (1000)"},
    {0, "play", "FILE", OPT_STRING, FIELD(play), 0, 0, NULL,
     "publish the messages of a recording, at its times"},
    {0, "speed", "X", OPT_STRING, FIELD(speed), 0, 0, NULL, "the same, X times as fast (1)"},
    {0, "message", "TEXT", OPT_STRING, FIELD(message), 0, 0, NULL,
     "the message, with {mark} and {pad} in it"},
    {0, "join", "TEXT", OPT_STRING, FIELD(join), 0, 0, NULL, "raw: what each client says first"},
    {0, "answer", "TEXT=TEXT", OPT_STRING, FIELD(answer), 0, 0, NULL,
     "raw: what to say when the server says that"},
    {0, "event", "NAME", OPT_STRING, FIELD(event), 0, 0, NULL, "socketio: of messages (message)"},
    {0, "room", "NAME", OPT_STRING, FIELD(room), 0, 0, NULL, "socketio: what to join"},
    {0, "join-event", "NAME", OPT_STRING, FIELD(join_event), 0, 0, NULL,
     "socketio: the event that joins a room (join)"},
    {0, "namespace", "NAME", OPT_STRING, FIELD(space), 0, 0, NULL,
     "socketio: a namespace to connect to, in place of rooms"},
    {0, "subprotocol", "NAME", OPT_STRING, FIELD(subprotocol), 0, 0, NULL,
     "Sec-WebSocket-Protocol to ask for"},
    {0, "pid", "PID,...", OPT_STRING, FIELD(pid), 0, 0, NULL,
     "the server's processes, to watch their memory and CPU"},
    {0, "expect", "EXPR", OPT_LIST, FIELD(expect), 0, 0, NULL,
     "exit 1 unless it is so: 'p99<50ms', 'p99<=1.2*base'; may be repeated"},
    {0, "json", "FILE", OPT_STRING, FIELD(json), 0, 0, NULL,
     "write each second and the result as JSON; - is standard output"},
    {0, "report", "FILE", OPT_STRING, FIELD(report), 0, 0, NULL,
     "write a report for browsers: FILE.svg or FILE.html"},
    {0, "compare", "FILE", OPT_STRING, FIELD(compare), 0, 0, NULL,
     "run as an earlier --json did, and show both; FILE,FILE: show two of these"},
    {0, "label", "TEXT", OPT_STRING, FIELD(label), 0, 0, NULL, "a name for this run in reports"},
    {0, "seed", "N", OPT_INT, FIELD(seed), 0, 1e15, NULL, "of the random instants (1)"},
    {0},
};

static const struct opt_program program = {
    .name = "hubbench",
    .synopsis =
	"[-u URL]... [--token-file FILE] [--header LINE] [--cert FILE] [--key FILE] [--proxy "
	"HOST:PORT] "
	"[--insecure] [--scenario NAME] [--dialect NAME] [-c N] [-s N] [--publishers N] [-r RATE] "
	"[-b BYTES] [-d SECONDS] [--warmup SECONDS] [--ramp SECONDS|RATE/s] [--drain SECONDS] "
	"[--poisson] [--closed N] [--coalesce SECONDS] [--acks] [--no-echo] [--threads N] "
	"[--churn RATE] [--slow N] [--kill-node PID] [--deflate] [--tick SECONDS] [--batch] "
	"[--conflate] [--compact] "
	"[--delta] [--area LENGTH] [--observers N] [--world LENGTH] [--play FILE] [--speed X] "
	"[--message "
	"TEXT] [--join TEXT] "
	"[--answer "
	"TEXT=TEXT] "
	"[--event NAME] "
	"[--room NAME] [--join-event NAME] [--namespace NAME] [--subprotocol NAME] "
	"[--pid PID,...] [--expect EXPR]... [--json FILE] [--report FILE] [--compare FILE] "
	"[--label TEXT] [--seed N]",
    .summary = "Loads a hub, or any WebSocket server, and reports what happened.",
    .opts = options_table};

/* --compare with two files. */
static bool result_pair(const struct options *o)
{
	return o->compare && strchr(o->compare, ',');
}

static FILE *open_output(const char *option, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	if (!f)
		err_die(EX_CANTCREAT, "%s: %s: %s", option, path, strerror(errno));
	return f;
}

/* err: what the last writing came to, 0 or -errno. That nobody reads standard output any more is no
 * error of ours. */
static void close_output(const char *path, FILE *f, int err)
{
	if (fflush(f) && !err)
		err = -errno;
	if (ferror(f) && !err)
		err = -EIO;
	if (f != stdout && fclose(f) && !err)
		err = -errno;
	if (err && !(f == stdout && err == -EPIPE))
		err_die(EX_IOERR, "%s: %s", path, strerror(-err));
}

static bool is_html(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (strcmp(dot, ".html") == 0 || strcmp(dot, ".htm") == 0);
}

static bool is_svg(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".svg") == 0;
}

/* Of a server whose processes are not known there are no figures. base: the run of --compare. */
static void parse_expects(const struct options *o, const struct result *base,
			  struct expect **expect)
{
	char why[300];

	for (size_t i = 0; i < o->expect.n; i++) {
		expect[i] = expect_new(o->expect.item[i], base, why, sizeof(why));
		if (!expect[i])
			err_die(EX_USAGE, "--expect: %s", why);
		if (expect_of_server(expect[i]) && !o->pid && !result_pair(o))
			err_die(EX_USAGE,
				"--expect: '%s' needs --pid PID,...: the server's processes",
				o->expect.item[i]);
	}
}

/* Checks all of them, so that the report has all. */
static bool check_expects(const struct options *o, struct expect **expect, struct result *r)
{
	bool met = true;

	for (size_t i = 0; i < o->expect.n; i++)
		met &= expect_check(expect[i], r);
	return met;
}

static int catch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		err_die(EX_OSERR, "signals: %s", strerror(errno));
	return fd;
}

/* What --compare names. */
static struct result *read_result(const char *file)
{
	struct result *r = malloc(sizeof(*r));
	char why[300];
	int err;

	if (!r)
		err_die(EX_OSERR, "out of memory");
	err = result_read(file, r, why, sizeof(why));
	if (err)
		err_die(err == -EINVAL	 ? EX_DATAERR
			: err == -ENOENT ? EX_NOINPUT
					 : EX_IOERR,
			"--compare: %s", why);
	return r;
}

static void drop_result(struct result *r)
{
	if (r)
		result_free(r);
	free(r);
}

static void drop_expects(struct expect **expect)
{
	for (size_t i = 0; i < OPT_LIST_MAX; i++)
		expect_free(expect[i]);
}

/* --compare FILE,FILE: no run. */
static int compare_two(const struct options *o)
{
	struct expect *expect[OPT_LIST_MAX] = {NULL};
	size_t len = strcspn(o->compare, ",");
	char *file = need(strndup(o->compare, len)), why[160];
	struct result *before = read_result(file), *now = read_result(o->compare + len + 1);
	bool met = true, one;

	signal(SIGPIPE, SIG_IGN);
	parse_expects(o, before, expect);
	compare(stdout, before, now);
	for (size_t i = 0; i < o->expect.n; i++) {
		one = expect_met(expect[i], now, why, sizeof(why));
		printf("expect  %-7s  %s: %s\n", one ? "met" : "not met", o->expect.item[i], why);
		met &= one;
	}
	close_output("standard output", stdout, 0);
	drop_expects(expect);
	drop_result(before);
	drop_result(now);
	free(file);
	return met ? EX_OK : EX_NO;
}

/* Reads the command line. The run that --compare names tells the conditions that the command line
 * does not; it goes to *before. */
static void read_options(struct options *o, int argc, char **argv, struct result **before)
{
	struct options said = *o;

	said.scenario = CONDITIONS_NONE;
	said.dialect = CONDITIONS_NONE;
	if (opt_parse(&program, argc, argv, &said) < argc)
		err_die(EX_USAGE, "no arguments besides options (try 'hubbench --help')");
	if (said.compare && !result_pair(&said)) {
		*before = read_result(said.compare);
		conditions_take(o, &said, *before);
	}
	opt_parse(&program, argc, argv, o);
}

/* Tells of the result wherever it was asked for. */
static void tell(const struct options *o, const struct plan *p, FILE *report,
		 const struct result *before, const struct result *r)
{
	FILE *people = p->json == stdout ? stderr : stdout;

	report_table(people, r);
	if (before)
		compare(people, before, r);
	if (p->json)
		close_output(o->json, p->json, report_json(p->json, r));
	if (report)
		close_output(o->report, report, report_page(report, r, is_html(o->report)));
	if (people == stdout)
		close_output("standard output", stdout, 0);
}

/* Figures of a server that is not there would be those of none. */
static void find_processes(struct proc *proc, const char *text)
{
	struct proc_sample s;

	if (proc_parse(proc, text) < 0)
		err_die(EX_USAGE, "--pid: '%s' is not a list of process ids", text);
	for (unsigned i = 0; i < proc->n; i++) {
		struct proc one = {.pid = {proc->pid[i]}, .n = 1};

		proc_read(&one, &s);
		if (!s.n)
			err_die(EX_UNAVAILABLE, "--pid: there is no process %d", one.pid[0]);
	}
}

int main(int argc, char **argv)
{
	struct options o = {
	    .clients = UNSET,
	    .sessions = UNSET,
	    .publishers = UNSET,
	    .bytes = UNSET,
	    .slow = UNSET,
	    .tick = UNSET,
	    .area = UNSET,
	    .observers = UNSET,
	    .world = UNSET,
	    .threads = 1,
	    .warmup = 1,
	    .drain = 10,
	    .seed = 1,
	};
	struct expect *expect[OPT_LIST_MAX] = {NULL};
	struct result *r = need(calloc(1, sizeof(*r))), *before = NULL;
	struct proc proc;
	struct plan p;
	FILE *report;
	bool met;
	int status;

	read_options(&o, argc, argv, &before);
	if (result_pair(&o)) {
		free(r);
		return compare_two(&o);
	}
	client_args_read(&o.hub);
	plan_make(&p, &o);
	parse_expects(&o, before, expect);
	if (o.pid)
		find_processes(&proc, o.pid);
	if (o.report && !is_html(o.report) && !is_svg(o.report))
		err_die(EX_USAGE, "--report: a name ends with .svg or .html");
	if (o.json && o.report && strcmp(o.json, o.report) == 0)
		err_die(EX_USAGE, "--json and --report: the same file");
	if (o.kill_node && kill((pid_t)o.kill_node, 0) < 0)
		err_die(EX_UNAVAILABLE, "--kill-node: %d: %s", (int)o.kill_node, strerror(errno));
	p.proc = o.pid ? &proc : NULL;
	p.trace = o.play ? trace_read(o.play, o.rate ? p.rate : 0, p.speed, p.acks) : NULL;
	p.json = o.json ? open_output("--json", o.json) : NULL;
	report = o.report ? open_output("--report", o.report) : NULL;
	p.signal_fd = catch_signals();
	p.live = isatty(STDERR_FILENO);
	if (p.scenario->search)
		status = search(&p, expect, o.expect.n, r);
	else
		status = run_once(&p, r);
	if (status == 0) {
		met = check_expects(&o, expect, r);
		tell(&o, &p, report, before, r);
		status = met && r->verdict != VERDICT_FAILED ? EX_OK : EX_NO;
	}
	drop_expects(expect);
	drop_result(r);
	drop_result(before);
	close(p.signal_fd);
	trace_free((struct trace *)p.trace);
	return status;
}

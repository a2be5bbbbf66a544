/* hubreplay export: the records, for other programs. CSV is made by jq, around the caller's
 * program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/watchdog.h"
#include "edit/edit.h"
#include "files/files.h"
#include "files/range.h"
#include "json/filter.h"
#include "json/json.h"

/* What is made of each record where nobody says otherwise, and its head. */
#define COLUMNS "[.t, .session_id, .seq, .from, .type, .]"
#define COLUMNS_HEAD "t,session_id,seq,from,type,message\n"

enum format { CSV, NDJSON };

struct options {
	int format;
	bool state;
	const char *filter, *from, *to, *seal, *verify;
};

#define FIELD(f) offsetof(struct options, f)

static const char *const formats[] = {"csv", "ndjson", NULL};

static const struct opt options_table[] = {
    {0, "format", "FORMAT", OPT_CHOICE, FIELD(format), 0, 0, formats, "csv or ndjson (ndjson)"},
    {'f', "filter", "JQ", OPT_STRING, FIELD(filter), 0, 0, NULL,
     "write what a jq program makes of records; for csv an array is a row"},
    {0, "state", NULL, OPT_TRUE, FIELD(state), 0, 0, NULL, "the state records, too"},
    {0, "from", "TIME", OPT_STRING, FIELD(from), 0, 0, NULL, "the first time that is taken (0)"},
    {0, "to", "TIME", OPT_STRING, FIELD(to), 0, 0, NULL, "the first time that is not (the end)"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recording must be signed with"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay export",
    .synopsis = "[--format FORMAT] [-f JQ] [--state] [--from TIME] [--to TIME] [--seal KEYFILE] "
		"[--verify-key KEYFILE] FILE",
    .summary = "Writes the records of a recording as CSV or as JSON lines.",
    .opts = options_table};

struct exporter {
	const char *path;
	bool csv, state;
	struct filter *filter;
	uint64_t failed;
	bool halted; /* the program wants no more */
	int status;
	struct buf row;
};

static void write_line(const char *text, size_t len)
{
	if (fwrite(text, 1, len, stdout) == len && putc('\n', stdout) != EOF)
		return;
	if (errno == EPIPE)
		exit(EX_OK);
	err_die(EX_IOERR, "standard output: %s", strerror(errno));
}

/* What jq made: for CSV a string that is the row. */
static int on_output(const char *json, size_t len, void *arg)
{
	struct exporter *x = arg;
	int n;

	if (!x->csv) {
		write_line(json, len);
		return 0;
	}
	x->row.len = 0;
	if (buf_reserve(&x->row, len) < 0)
		err_die(EX_OSERR, "out of memory");
	n = json_unescape(json + 1, len - 2, x->row.data, len);
	if (n >= 0)
		write_line(x->row.data, (size_t)n);
	return n < 0 ? n : 0;
}

static void export_line(struct exporter *x, const struct recording_line *line)
{
	const char *said;
	char why[300];
	int r;

	if (!x->filter) {
		write_line(line->text, line->len);
		return;
	}
	watchdog_enter("-f");
	r = filter_run(x->filter, FILTER_JSON, line->text, line->len, on_output, x, why,
		       sizeof(why));
	watchdog_leave();
	if (r == 0) {
		x->halted = filter_halted(x->filter, &x->status, &said);
		if (x->halted)
			fputs(said, stderr);
		return;
	}
	err_log(ERR_ERROR, "%s: seq %llu: %s", x->path, (unsigned long long)line->seq, why);
	x->failed++;
}

/* The program around the caller's: a line feed ends a comment that it may end with. */
static struct filter *compile(const struct options *o)
{
	static const char row[] =
	    "\n) | (if type == \"array\" then . elif type == \"object\" then [.[]] else [.] end) | "
	    "map(if type == \"array\" or type == \"object\" then tojson else . end) | @csv";
	const char *text = o->filter ? o->filter : o->format == CSV ? COLUMNS : NULL;
	struct buf around = {0};
	struct filter *f;
	char why[700];

	if (!text)
		return NULL;
	/* By itself first, for the message and for what does not fit in brackets. */
	f = filter_new(text, why, sizeof(why));
	if (f && o->format == CSV) {
		filter_free(f);
		buf_printf(&around, "(%s%s", text, row);
		buf_put(&around, "", 1);
		f = filter_new(around.data, why, sizeof(why));
		buf_free(&around);
	}
	if (!f)
		err_die(EX_USAGE, "-f: %s", why);
	return f;
}

int export_main(int argc, char **argv)
{
	struct options o = {.format = NDJSON};
	int first = opt_parse(&program, argc, argv, &o), status;
	struct exporter x = {0};
	struct range range;
	struct seal_keys *keys;
	struct recording *r;
	enum recording_status got;
	struct recording_line line;

	if (argc - first != 1)
		err_die(EX_USAGE, "one file (try 'hubreplay export --help')");
	x.path = argv[first];
	x.csv = o.format == CSV;
	x.state = o.state;
	watchdog_falls("hubreplay export");
	x.filter = compile(&o);
	range_read(&range, o.from, o.to);
	keys = files_keys(o.seal, o.verify);
	r = files_need(x.path, keys);
	range_begin(&range, recording_head(r)->start_ms);
	if (x.csv && !o.filter)
		fputs(COLUMNS_HEAD, stdout);
	while ((got = recording_next(r, &line)) == RECORDING_OK) {
		if (line.t_us >= range.to_us) {
			got = RECORDING_END;
			break;
		}
		if (line.t_us >= range.from_us &&
		    (line.kind == RECORDING_RECORD || (line.kind == RECORDING_STATE && x.state)))
			export_line(&x, &line);
		if (x.halted) {
			got = RECORDING_END;
			break;
		}
	}
	status = files_ended(x.path, r, got);
	if (fflush(stdout) != 0 && errno != EPIPE)
		err_die(EX_IOERR, "standard output: %s", strerror(errno));
	recording_close(r);
	filter_free(x.filter);
	buf_free(&x.row);
	seal_keys_free(keys);
	return status ? status : x.status ? x.status : x.failed ? EX_NO : EX_OK;
}

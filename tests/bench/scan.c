/* scan FILE...: how fast messages are validated and turned into records, one core, one message at a
 * time. Prints MB/s of the best of several rounds, since the others measure what else the machine
 * did. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "json/envelope.h"
#include "json/json.h"

#define ROUNDS 15
#define ROUND_BYTES (32 << 20)

struct file {
	char *data;
	size_t len;
	struct span *lines;
	size_t n;
};

static const char *const fields[] = {"type", "session_id", "timestamp", "msg_id",
				     "key",  "to",	   "from",	"seq"};
#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

static void read_file(const char *path, struct file *f)
{
	FILE *in = fopen(path, "r");
	size_t cap = 1 << 24;
	char *p, *nl;

	f->data = malloc(cap);
	if (!in || !f->data)
		err_die(EX_NOINPUT, "%s: %s", path, strerror(errno));
	f->len = fread(f->data, 1, cap, in);
	fclose(in);
	f->lines = calloc(f->len + 1, sizeof(f->lines[0]));
	if (!f->lines)
		err_die(EX_OSERR, "%s: %s", path, strerror(errno));
	f->n = 0;
	for (p = f->data; (nl = memchr(p, '\n', f->len - (size_t)(p - f->data))); p = nl + 1)
		f->lines[f->n++] = (struct span){p, (size_t)(nl - p)};
	if (f->n == 0)
		err_die(EX_DATAERR, "%s: no lines", path);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void scan_all(const struct file *f, const struct json_paths *paths)
{
	struct json_member members[NFIELDS];
	struct json_scan scan;

	for (size_t i = 0; i < f->n; i++)
		if (json_scan(paths, f->lines[i].p, f->lines[i].len, members, &scan) != JSON_OK)
			err_die(EX_DATAERR, "line %zu: %s", i + 1, json_strerror(scan.status));
}

static void record_all(const struct file *f, struct buf *out)
{
	static const struct span session = {"match", 5}, from = {"0123456789a", 11};
	struct envelope e;
	char why[128];

	for (size_t i = 0; i < f->n; i++) {
		out->len = 0;
		if (envelope_parse(&e, f->lines[i].p, f->lines[i].len, why, sizeof(why)) != HUB_OK)
			err_die(EX_DATAERR, "line %zu: %s", i + 1, why);
		if (envelope_record(&e, out, session, 1700000000000, from, (struct span){NULL, 0}) <
		    0)
			err_die(EX_OSERR, "out of memory");
	}
}

int main(int argc, char **argv)
{
	struct json_paths *paths = json_paths_new(fields, NFIELDS);
	struct buf out = {0};

	err_init("scan", ERR_ERROR);
	if (argc < 2)
		err_die(EX_USAGE, "usage: scan FILE...");
	if (!paths)
		err_die(EX_OSERR, "out of memory");
	for (int i = 1; i < argc; i++) {
		double best_scan = 1e9, best_record = 1e9;
		struct file f;
		size_t times;

		read_file(argv[i], &f);
		times = ROUND_BYTES / f.len + 1;
		for (int round = 0; round < ROUNDS; round++) {
			double t = now(), d;

			for (size_t k = 0; k < times; k++)
				scan_all(&f, paths);
			d = (now() - t) / (double)times;
			best_scan = d < best_scan ? d : best_scan;
			t = now();
			for (size_t k = 0; k < times; k++)
				record_all(&f, &out);
			d = (now() - t) / (double)times;
			best_record = d < best_record ? d : best_record;
		}
		printf("%s: %zu messages of %zu bytes, scan %.0f MB/s (%.0f ns), parse and record "
		       "%.0f MB/s "
		       "(%.0f ns)\n",
		       argv[i], f.n, f.len / f.n, (double)f.len / best_scan / 1e6,
		       best_scan * 1e9 / (double)f.n, (double)f.len / best_record / 1e6,
		       best_record * 1e9 / (double)f.n);
		free(f.lines);
		free(f.data);
	}
	buf_free(&out);
	json_paths_free(paths);
	return 0;
}

/* Writes, reads and searches recordings, and tells how fast and in how much memory:
 *
 *	recording write FILE MIB [KEYFILE]	synced each 1000 lines; .zst: compressed; KEYFILE:
 *sealed recording read FILE [KEYFILE] recording seek FILE COUNT [KEYFILE]
 *
 * One JSON object on standard output: lines, seconds (also of the processor), lines_per_second,
 * rss_kib at most. */
#include "recording/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/err.h"
#include "recording/seal.h"

#define MESSAGE_US 10 /* between two messages: 100000 a second */
#define SEEKS 50

static double processor_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(uint64_t lines, uint64_t start_ns)
{
	double seconds = (double)(clock_mono_ns() - start_ns) / 1e9;
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("{\"lines\":%llu,\"seconds\":%.3f,\"processor\":%.3f,\"lines_per_second\":%.0f,"
	       "\"rss_kib\":%ld}\n",
	       (unsigned long long)lines, seconds, processor_seconds(), (double)lines / seconds,
	       u.ru_maxrss);
}

static void check(int r)
{
	if (r < 0)
		err_die(EX_IOERR, "%s", strerror(-r));
}

static uint64_t write_all(const char *path, uint64_t bytes, const struct seal_keys *keys)
{
	size_t len = strlen(path);
	struct recorder_options options = {.keys = keys};
	uint64_t put = 0, lines = 0;
	struct recorder *w;
	char why[200], text[300];
	int status;

	options.level = len > 4 && strcmp(path + len - 4, ".zst") == 0 ? 3 : 0;
	w = recorder_open(path, &options, NULL, why, sizeof(why), &status);
	if (!w)
		err_die(status, "%s: %s", path, why);
	check(recorder_header(w, "bench", "0123456789A", 1700000000000));
	while (put < bytes) {
		uint64_t n = ++lines;
		int m = snprintf(text, sizeof(text),
				 "{\"type\":\"avatar_position_update\",\"avatar_id\":\"a%u\","
				 "\"position\":[%u.%02u,0,%u.5],\"session_id\":\"bench\","
				 "\"timestamp\":%llu,\"from\":\"4jPzq0fWb%02u\",\"seq\":%llu}",
				 (unsigned)(n % 100), (unsigned)(n * 7919 % 1000),
				 (unsigned)(n * 31 % 100), (unsigned)(n * 104729 % 1000),
				 1700000000000 + (unsigned long long)n * MESSAGE_US / 1000,
				 (unsigned)(n % 50), (unsigned long long)n);

		check(recorder_put(w, text, (size_t)m, n * MESSAGE_US));
		if (n % 1000 == 0)
			check(recorder_sync(w));
		put += (unsigned)m;
	}
	check(recorder_close(w));
	return lines;
}

static struct recording *open_file(const char *path, const struct seal_keys *keys)
{
	char why[200];
	int status;
	struct recording *r = recording_open(path, keys, why, sizeof(why), &status);

	if (!r)
		err_die(status, "%s: %s", path, why);
	return r;
}

static uint64_t read_all(const char *path, const struct seal_keys *keys)
{
	struct recording *r = open_file(path, keys);
	struct recording_line line;
	uint64_t lines = 0;

	while (recording_next(r, &line) == RECORDING_OK)
		lines++;
	recording_close(r);
	return lines;
}

/* Goes to and fro, and checks where it comes out. */
static uint64_t seek_some(const char *path, uint64_t lines, const struct seal_keys *keys)
{
	struct recording *r = open_file(path, keys);
	struct recording_line line;

	/* What is sealed is read through, so not for long. */
	for (uint64_t i = 1; i <= (keys ? 3 : SEEKS); i++) {
		uint64_t seq = i * (lines / 7 * 3 + 1) % lines + 1;

		check(recording_seek(r, seq * MESSAGE_US));
		if (recording_next(r, &line) != RECORDING_OK || line.seq != seq)
			err_die(EX_SOFTWARE, "%s: seq %llu not found", path,
				(unsigned long long)seq);
	}
	recording_close(r);
	return keys ? 3 : SEEKS;
}

int main(int argc, char **argv)
{
	bool counted = argc > 1 && strcmp(argv[1], "read") != 0;
	struct seal_keys *keys = NULL;
	uint64_t start = clock_mono_ns(), lines, n;
	const char *key;
	char why[200];

	err_init("recording", ERR_INFO);
	if (argc < (counted ? 4 : 3))
		err_die(EX_USAGE, "usage: recording write|read|seek FILE [N] [KEYFILE]");
	n = counted ? strtoull(argv[3], NULL, 10) : 0;
	key = argv[counted ? 4 : 3];
	if (key) {
		keys = seal_keys_new();
		if (!keys || seal_key_read(keys, SEAL_SECRET, key, why, sizeof(why)) != 0)
			err_die(EX_NOPERM, "%s", keys ? why : "out of memory");
	}
	if (strcmp(argv[1], "write") == 0)
		lines = write_all(argv[2], n << 20, keys);
	else if (strcmp(argv[1], "seek") == 0)
		lines = seek_some(argv[2], n, keys);
	else
		lines = read_all(argv[2], keys);
	report(lines, start);
	seal_keys_free(keys);
	return EX_OK;
}

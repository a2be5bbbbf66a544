/* Recordings in all ways of storing: what was put is read back. */
#include "recording/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/recording/recording_sample.h"
#include "unit.h"

static void test_round(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct seen s;
		struct recording *r;

		make(way);
		s = read_all(way);
		assert_string_equal(s.text, WHOLE);
		assert_int_equal(s.status, RECORDING_END);
		r = open_keys(all_keys[way & ~COMPRESSED]);
		assert_int_equal(recording_compressed(r), !!(way & COMPRESSED));
		assert_int_equal(recording_sealed(r), !!(way & SEALED));
		assert_int_equal(recording_signed(r), !!(way & SIGNED));
		assert_string_equal(recording_head(r)->session, "s");
		assert_string_equal(recording_head(r)->epoch, "log1");
		assert_int_equal(recording_head(r)->start_ms, 1700000000000);
		recording_close(r);
	}
}

static void test_keys(void **state)
{
	struct seal_keys *none = NULL;

	(void)state;
	make(SEALED);
	assert_null(open_keys(none));
	assert_null(open_keys(all_keys[SIGNED]));
	make(SIGNED);
	assert_null(open_keys(all_keys[SEALED])); /* not sealed, as the key has it */
	recording_close(open_keys(none));	  /* readable by all */
	make(0);
	assert_null(open_keys(all_keys[SIGNED]));
	assert_null(open_keys(all_keys[SEALED]));
}

/* No room: what was written stays good, the chunk waits, and goes through when there is room. */
static void test_full(void **state)
{
	struct rlimit old, limit;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	for (int way = 0; way < WAYS; way++) {
		struct recorder *w;
		struct stat st;

		unlink(path);
		w = begin(way, false, NULL);
		assert_int_equal(recorder_header(w, "s", NULL, 1), 0);
		put_record(w, 1);
		assert_int_equal(recorder_sync(w), 0);
		limit.rlim_cur = recorder_size(w) + 20;
		setrlimit(RLIMIT_FSIZE, &limit);
		put_record(w, 2);
		assert_int_equal(recorder_sync(w), -EFBIG);
		assert_int_equal(recorder_put(w, "{\"type\":\"x\"}", 12, 9), -EFBIG);
		assert_int_equal(recorder_sync(w), -EFBIG);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, recorder_size(w));
		assert_string_equal(read_all(way).text, "H 1 ");
		setrlimit(RLIMIT_FSIZE, &old);
		assert_int_equal(recorder_sync(w), 0);
		put_record(w, 3);
		assert_int_equal(recorder_close(w), 0);
		assert_string_equal(read_all(way).text, "H 1 2 3 ");
		assert_int_equal(read_all(way).status, RECORDING_END);
	}
}

static void test_seek(void **state)
{
	enum { N = 20000 };

	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct recording_line line;
		struct recording *r;
		struct recorder *w;

		unlink(path);
		w = begin(way, false, NULL);
		assert_int_equal(recorder_header(w, "s", NULL, 1), 0);
		for (int i = 1; i <= N; i++) {
			put_record(w, i);
			if (i % 100 == 0)
				assert_int_equal(recorder_sync(w), 0);
		}
		assert_int_equal(recorder_close(w), 0);
		/* Of signed ones also as who has no key, and need not read them through. */
		r = open_keys(all_keys[way & SEALED]);
		for (int i = 0; i < 40; i++) {
			uint64_t seq = (uint64_t)(i * 7919) % N + 1;

			assert_int_equal(recording_seek(r, seq * 1500 - (uint64_t)(i % 3) * 700),
					 0);
			assert_int_equal(recording_next(r, &line), RECORDING_OK);
			assert_int_equal(line.seq, seq);
			if (seq < N) {
				assert_int_equal(recording_next(r, &line), RECORDING_OK);
				assert_int_equal(line.seq, seq + 1);
			}
		}
		assert_int_equal(recording_seek(r, (N + 1) * 1500), 0);
		assert_int_equal(recording_next(r, &line), RECORDING_END);
		assert_int_equal(recording_seek(r, 0), 0);
		for (int i = 1; i <= N; i++) {
			assert_int_equal(recording_next(r, &line), RECORDING_OK);
			assert_int_equal(line.seq, i);
		}
		assert_int_equal(recording_next(r, &line), RECORDING_END);
		recording_close(r);
	}
}

/* Files by hand: what is read of them. */
static const struct {
	const char *text, *seen;
	enum recording_status status;
} files[] = {
    {HEAD, "H ", RECORDING_END},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1,\"t\":0}\n", "H 1 ", RECORDING_END},
    {HEAD "{\"type\":\"a\",\"t\":9,\"from\":\"x\",\"seq\":1,\"t\":0}\n", "H 1 ", RECORDING_END},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1,\"t\":0}", "H ", RECORDING_UNFINISHED},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"t\":1,\"seq\":1}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1,\"t\":-1}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1,\"t\":1e3}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1,\"t\":0.1234}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":0,\"t\":0}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"seq\":1.5,\"t\":0}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":1,\"seq\":1,\"t\":0}\n", "H ", RECORDING_BAD},
    {HEAD "{\"from\":\"x\",\"seq\":1,\"t\":0}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"session_id\":\"/\",\"from\":\"x\",\"seq\":1,\"t\":0}\n", "H ",
     RECORDING_BAD},
    {HEAD "{\"type\":\"a\",\"from\":\"x\",\"t\":0}\n", "H ? ", RECORDING_END},
    {HEAD "{\"type\":\"new\"}\n{\"type\":\"new\",\"t\":1.5 }\n", "H ? ? ", RECORDING_END},
    {HEAD "\n", "H ", RECORDING_BAD},
    {HEAD "[]\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"gap\",\"from_seq\":3,\"to_seq\":2,\"t\":0}\n", "H g3-2 ", RECORDING_END},
    {HEAD "{\"type\":\"gap\",\"from_seq\":3,\"to_seq\":1,\"t\":0}\n", "H ", RECORDING_BAD},
    {HEAD "{\"type\":\"gap\",\"from\":\"x\",\"seq\":9,\"t\":0}\n", "H 9 ", RECORDING_END},
    {HEAD "{\"type\":\"snapshot\",\"seq\":5,\"t\":0}\n"
	  "{\"type\":\"a\",\"from\":\"x\",\"seq\":5,\"t\":0}\n"
	  "{\"type\":\"a\",\"session_id\":\"b\",\"from\":\"x\",\"seq\":5,\"t\":0}\n"
	  "{\"type\":\"a\",\"from\":\"x\",\"seq\":6,\"t\":0}\n"
	  "{\"type\":\"gap\",\"from_seq\":1,\"to_seq\":0,\"epoch\":\"e\",\"t\":0}\n"
	  "{\"type\":\"a\",\"from\":\"x\",\"seq\":1,\"t\":0}\n",
     "H N5 s5 5 6 g1-0 1 ", RECORDING_END},
    {"", "", RECORDING_BAD},
    {"{}\n", "", RECORDING_BAD},
    {"{\"type\":\"recording\",\"version\":2,\"start\":5}\n", "", RECORDING_BAD},
    {"{\"type\":\"recording\",\"version\":1,\"start\":5,\"from\":\"x\"}\n", "", RECORDING_BAD},
    {"{\"type\":\"recording\",\"version\":1}\n", "", RECORDING_BAD},
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(files); i++) {
		struct seen s;

		store_text(files[i].text);
		s = read_all(0);
		assert_string_equal(s.text, files[i].seen);
		assert_int_equal(s.status, files[i].status);
	}
}

static void test_times(void **state)
{
	static const struct {
		uint64_t t_us;
		const char *want;
	} times[] = {{0, "0"},		{1, "0.001"},	      {10, "0.01"},  {999, "0.999"},
		     {1000, "1"},	{1500, "1.5"},	      {1400, "1.5"}, {2050, "2.05"},
		     {1000000, "1000"}, {1000001, "1000.001"}};
	struct recorder *w;
	struct image image;
	char *p;

	(void)state;
	unlink(path);
	w = begin(0, false, NULL);
	for (size_t i = 0; i < UNIT_COUNT(times); i++)
		put(w, "{\"type\":\"x\"}", times[i].t_us);
	assert_int_equal(recorder_put(w, "{}", 2, 0), -EINVAL);
	assert_int_equal(recorder_put(w, "{\"a\":1}\n{}", 10, 0), -EINVAL);
	assert_int_equal(recorder_put(w, "[1,2,3]", 7, 0), -EINVAL);
	assert_int_equal(recorder_close(w), 0);
	load(&image);
	image.bytes[image.len] = 0;
	p = (char *)image.bytes;
	for (size_t i = 0; i < UNIT_COUNT(times); i++) {
		char want[64];
		size_t n = (size_t)snprintf(want, sizeof(want), "{\"type\":\"x\",\"t\":%s}\n",
					    times[i].want);

		assert_memory_equal(p, want, n);
		p += n;
	}
	assert_int_equal(*p, 0);
}

/* The longest line that there may be, of what no compression makes smaller; and one that is longer.
 */
static void test_long_lines(void **state)
{
	size_t max = RECORDING_LINE_MAX - 64;
	char *text = malloc(max + 128);
	uint32_t random = 1;

	(void)state;
	strcpy(text, "{\"type\":\"x\",\"data\":\"");
	for (size_t i = strlen(text); i < max - 2; i++) {
		random = random * 1664525 + 1013904223;
		text[i] = (char)('0' + (random >> 24) % 64);
		if (text[i] == '\\')
			text[i] = 'z';
	}
	memcpy(text + max - 2, "\"}", 3);
	for (int way = 0; way < WAYS; way++) {
		struct recording_line line;
		struct recording *r;
		struct recorder *w;

		unlink(path);
		w = begin(way, false, NULL);
		assert_int_equal(recorder_header(w, "s", NULL, 1), 0);
		put_record(w, 1);
		put(w, text, 2000);
		put_record(w, 3);
		text[max - 2] = 'x';
		strcpy(text + max - 1, "\"}");
		assert_int_equal(recorder_put(w, text, max + 1, 5000), -EINVAL);
		strcpy(text + max - 2, "\"}");
		assert_int_equal(recorder_close(w), 0);
		r = open_keys(all_keys[way & ~COMPRESSED]);
		for (int i = 0; i < 3; i++)
			assert_int_equal(recording_next(r, &line), RECORDING_OK);
		assert_int_equal(line.kind, RECORDING_OTHER);
		assert_int_equal(line.body, max - 1);
		assert_memory_equal(line.text, text, max - 1);
		assert_int_equal(recording_next(r, &line), RECORDING_OK);
		assert_int_equal(line.seq, 3);
		assert_int_equal(recording_next(r, &line), RECORDING_END);
		recording_close(r);
	}
	free(text);
}

/* A line without an end: no more of it is read than a line may have. */
static void test_endless_line(void **state)
{
	struct recording_line line;
	struct recording *r;
	int fd;

	(void)state;
	store_text("{\"type\":\"recording\",\"version\":1,\"start\":5}\n{");
	fd = open(path, O_WRONLY);
	assert_int_equal(ftruncate(fd, (off_t)3 * RECORDING_LINE_MAX), 0);
	close(fd);
	r = open_keys(NULL);
	assert_int_equal(recording_next(r, &line), RECORDING_OK);
	assert_int_equal(recording_next(r, &line), RECORDING_BAD);
	assert_non_null(strstr(recording_why(r), "a line of more than"));
	recording_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round),      cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_full),       cmocka_unit_test(test_seek),
	    cmocka_unit_test(test_files),      cmocka_unit_test(test_times),
	    cmocka_unit_test(test_long_lines), cmocka_unit_test(test_endless_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

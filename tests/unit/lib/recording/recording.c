/* Recordings in all ways of storing: what was put is read back, and whatever happens to the file is
 * noticed. */
#include "recording/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "recording/seal.h"
#include "unit.h"

#define CHUNKS 2
#define HEAD "{\"type\":\"recording\",\"version\":1,\"session_id\":\"s\",\"start\":5}\n"

enum { COMPRESSED = 1, SEALED = 2, SIGNED = 4, WAYS = 8 };

static char dir[64];
static char path[128];
static struct seal_keys *all_keys[WAYS]; /* by SEALED | SIGNED */

static struct recorder_options options_of(int way)
{
	return (struct recorder_options){.level = way & COMPRESSED ? 3 : 0,
					 .keys = all_keys[way & ~COMPRESSED]};
}

static struct recorder *begin(int way, bool append, struct recorder_past *past)
{
	struct recorder_options options = options_of(way);
	struct recorder *w;
	char why[200] = "";
	int status;

	options.append = append;
	w = recorder_open(path, &options, past, why, sizeof(why), &status);
	if (!w)
		fail_msg("way %d: %s", way, why);
	return w;
}

static void put(struct recorder *w, const char *text, uint64_t t_us)
{
	assert_int_equal(recorder_put(w, text, strlen(text), t_us), 0);
}

static void put_record(struct recorder *w, int seq)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "{\"type\":\"p\",\"n\":%d,\"session_id\":\"s\",\"from\":\"me\",\"seq\":%d}", seq,
		 seq);
	put(w, text, (uint64_t)seq * 1500);
}

/* A small recording: a header, a snapshot, and chunks of two records each. */
static void make(int way)
{
	struct recorder *w;

	unlink(path);
	w = begin(way, false, NULL);
	assert_int_equal(recorder_header(w, "s", "log1", 1700000000000), 0);
	assert_int_equal(recorder_snapshot(w, "s", NULL, 2, 1, 0), 0);
	put_record(w, 1);
	for (int i = 0; i < CHUNKS; i++) {
		put_record(w, 2 * i + 3);
		put_record(w, 2 * i + 4);
		assert_int_equal(recorder_sync(w), 0);
	}
	assert_int_equal(recorder_close(w), 0);
}

/* What a reading gives, in short: "H", "N" for a snapshot, "s1" for state, "3" for a record, "g1-2"
 * for a gap, "?" for others; and how it ended. */
struct seen {
	char text[400];
	enum recording_status status;
};

static void see(struct seen *s, const struct recording_line *line)
{
	size_t n = strlen(s->text);
	char *out = s->text + n;
	size_t cap = sizeof(s->text) - n;

	switch (line->kind) {
	case RECORDING_HEADER:
		snprintf(out, cap, "H ");
		break;
	case RECORDING_SNAPSHOT:
		snprintf(out, cap, "N%d ", (int)line->seq);
		break;
	case RECORDING_STATE:
		snprintf(out, cap, "s%d ", (int)line->seq);
		break;
	case RECORDING_RECORD:
		snprintf(out, cap, "%d ", (int)line->seq);
		break;
	case RECORDING_GAP:
		snprintf(out, cap, "g%d-%d ", (int)line->seq, (int)line->to_seq);
		break;
	case RECORDING_OTHER:
		snprintf(out, cap, "? ");
		break;
	}
}

static struct recording *open_keys(const struct seal_keys *keys)
{
	char why[300];
	int status;

	return recording_open(path, keys, why, sizeof(why), &status);
}

static struct seen read_all(int way)
{
	struct recording *r = open_keys(all_keys[way & ~COMPRESSED]);
	struct seen s = {.status = RECORDING_BAD};
	struct recording_line line;

	if (!r)
		return s;
	while ((s.status = recording_next(r, &line)) == RECORDING_OK)
		see(&s, &line);
	assert_int_equal(recording_next(r, &line), s.status);
	recording_close(r);
	return s;
}

#define WHOLE "H N2 s1 3 4 5 6 "

/* Room for one file. */
struct image {
	unsigned char bytes[8192];
	size_t len;
};

static void load(struct image *image)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	image->len = (size_t)read(fd, image->bytes, sizeof(image->bytes));
	assert_true(image->len > 0 && image->len < sizeof(image->bytes));
	close(fd);
}

static void store(const void *bytes, size_t len)
{
	/* Cut off last: some file systems wait for the disk where all went first. */
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

static void store_text(const char *text)
{
	store(text, strlen(text));
}

/* Where the reading of what is left of it is nothing but its beginning. */
static void assert_beginning(const char *text, int way, size_t at)
{
	if (strncmp(WHOLE, text, strlen(text)) != 0)
		fail_msg("way %d, byte %zu: %s", way, at, text);
}

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

/* At every length: the beginning of what was written, and never called whole where that can be
 * known. */
static void test_truncation(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct image image;

		make(way);
		load(&image);
		for (size_t n = 0; n < image.len; n++) {
			struct seen s;

			store(image.bytes, n);
			s = read_all(way);
			assert_beginning(s.text, way, n);
			if (way & (SEALED | SIGNED))
				assert_int_not_equal(s.status, RECORDING_END);
			else
				assert_true(s.status == RECORDING_END ||
					    s.status == RECORDING_UNFINISHED || !*s.text);
		}
	}
}

static void test_flips(void **state)
{
	static const unsigned char masks[] = {32, 1, 2, 4, 8, 16, 64, 128, 255};

	(void)state;
	for (int way = SEALED; way < WAYS; way++) {
		/* All of a sealed one; the others take time, and once each byte will do. */
		size_t n = way == SEALED ? UNIT_COUNT(masks) : 1;
		struct image image;

		make(way);
		load(&image);
		for (size_t i = 0; i < image.len * n; i++) {
			size_t at = i / n;
			struct seen s;

			image.bytes[at] ^= masks[i % n];
			store(image.bytes, image.len);
			image.bytes[at] ^= masks[i % n];
			s = read_all(way);
			/* Compressed, it may be the same text: the signature is of that. */
			if (way == (SIGNED | COMPRESSED) && strcmp(s.text, WHOLE) == 0)
				continue;
			if (s.status == RECORDING_END)
				fail_msg("way %d, byte %zu: not noticed", way, at);
			assert_beginning(s.text, way, at);
		}
	}
}

/* Whatever length a crash has left: the recorder goes on, and the whole is good. */
static void test_append(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct image image;

		make(way);
		load(&image);
		for (size_t n = 0; n <= image.len; n += way & COMPRESSED ? 3 : 1) {
			struct recorder_past past;
			struct recorder *w;
			struct seen before, after;
			char want[500];

			store(image.bytes, n);
			before = read_all(way);
			w = begin(way, true, &past);
			assert_int_equal(past.there, *before.text != 0);
			if (!past.there) {
				assert_int_equal(recorder_size(w), 0);
				recorder_abandon(w);
				continue;
			}
			assert_string_equal(past.session, "s");
			assert_string_equal(past.epoch, "log1");
			put_record(w, 77);
			assert_int_equal(recorder_sync(w), 0);
			assert_int_equal(recorder_close(w), 0);
			after = read_all(way);
			snprintf(want, sizeof(want), "%s77 ", before.text);
			assert_string_equal(after.text, want);
			assert_int_equal(after.status, RECORDING_END);
		}
		store(image.bytes, image.len);
		recorder_abandon(begin(way, true, NULL));
	}
}

/* In which life of the hub it was recorded: the last line that says it in the right form. */
static void test_runs(void **state)
{
	static const struct {
		const char *line, *run;
	} cases[] = {
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\"0000001f\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":7,\"t\":1}\n", "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\"a\\u0041\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"joined\",\"run\":\"x\",\"from\":\"me\",\"session_id\":\"s\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\""
	     "12345678901234567890123456789012345678901234567890123456789012345\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"other\",\"session_id\":\"s\",\"run\":\"x\",\"t\":1}\n", "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\"00000020\",\"t\":1}\n",
	     "00000020"},
	};
	char text[2000] = HEAD;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct recorder_past past;

		strcat(text, cases[i].line);
		store_text(text);
		recorder_abandon(begin(0, true, &past));
		assert_string_equal(past.run, cases[i].run);
	}
}

/* Parts of a sealed file taken out, put in and changed about. The small chunks are found by their
 * lengths. */
static size_t elements(const struct image *image, size_t at[32])
{
	size_t n = 0, p = 24;

	while (p < image->len) {
		const unsigned char *b = image->bytes + p;
		uint32_t len =
		    b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;

		at[n++] = p;
		p += 4 + (len == UINT32_MAX ? 24 : len);
	}
	at[n] = p;
	assert_int_equal(p, image->len);
	return n;
}

static void test_splices(void **state)
{
	struct recorder_past past;
	struct image image;
	struct recorder *w;
	size_t at[32], n;

	(void)state;
	make(SEALED);
	w = begin(SEALED, true, &past); /* a second stream */
	put_record(w, 11);
	assert_int_equal(recorder_sync(w), 0);
	put_record(w, 12);
	assert_int_equal(recorder_close(w), 0);
	load(&image);
	n = elements(&image, at);
	assert_int_equal(n, 1 + CHUNKS + 1 + 3);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j <= n; j++) {
			unsigned char bytes[sizeof(image.bytes)];
			size_t a = at[i], b = at[j], len;

			/* Without [i, j). */
			memcpy(bytes, image.bytes, a);
			memcpy(bytes + a, image.bytes + b, image.len - b);
			store(bytes, image.len - (b - a));
			assert_int_not_equal(read_all(SEALED).status, RECORDING_END);
			/* Twice [i, j). */
			memcpy(bytes, image.bytes, b);
			memcpy(bytes + b, image.bytes + a, image.len - a);
			store(bytes, image.len + (b - a));
			assert_int_not_equal(read_all(SEALED).status, RECORDING_END);
			/* [i, j) and the element behind it changed. */
			if (j == n)
				continue;
			len = at[j + 1] - b;
			memcpy(bytes, image.bytes, image.len);
			memcpy(bytes + a, image.bytes + b, len);
			memcpy(bytes + a + len, image.bytes + a, b - a);
			store(bytes, image.len);
			assert_int_not_equal(read_all(SEALED).status, RECORDING_END);
		}
	}
}

/* Lines of a signed recording. */
static void test_signed_lines(void **state)
{
	static char text[8192];
	struct image image;
	char *lines[64];
	size_t n = 0;

	(void)state;
	make(SIGNED);
	load(&image);
	image.bytes[image.len] = 0;
	for (char *p = (char *)image.bytes; *p; p = strchr(p, '\n') + 1)
		lines[n++] = p;
	lines[n] = (char *)image.bytes + image.len;
	for (size_t i = 0; i < n; i++) {
		size_t len = (size_t)(lines[i + 1] - lines[i]);
		size_t front = (size_t)(lines[i] - lines[0]);

		memcpy(text, image.bytes, front);
		memcpy(text + front, lines[i + 1], image.len - front - len);
		store(text, image.len - len);
		assert_int_not_equal(read_all(SIGNED).status, RECORDING_END);
		memcpy(text, image.bytes, image.len);
		memcpy(text + image.len, lines[i], len);
		store(text, image.len + len);
		assert_int_not_equal(read_all(SIGNED).status, RECORDING_END);
		if (i + 1 < n) {
			size_t next = (size_t)(lines[i + 2] - lines[i + 1]);

			memcpy(text, image.bytes, image.len);
			memcpy(text + front, lines[i + 1], next);
			memcpy(text + front + next, lines[i], len);
			store(text, image.len);
			assert_int_not_equal(read_all(SIGNED).status, RECORDING_END);
		}
	}
}

static void test_lock(void **state)
{
	struct recorder_options options = options_of(0);
	struct recorder_past past;
	struct recorder *w;
	char why[200];
	int status;

	(void)state;
	unlink(path);
	w = begin(0, true, &past);
	options.append = true;
	assert_null(recorder_open(path, &options, &past, why, sizeof(why), &status));
	assert_int_equal(status, EX_UNAVAILABLE);
	recorder_abandon(w);
	recorder_abandon(begin(0, true, &past));
	options.append = false;
	assert_null(recorder_open(path, &options, &past, why, sizeof(why), &status));
	assert_int_equal(status, EX_CANTCREAT);
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

/* What stands in a file that a recorder did not begin is never cut off. */
static void test_foreign(void **state)
{
	static const char *const texts[] = {"notes", "{\"type\":\"x\"}\n", HEAD "notes\n"};
	struct recorder_options options = {.append = true};
	struct recorder_past past;
	struct image image;
	char why[200];
	int status;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		store_text(texts[i]);
		assert_null(recorder_open(path, &options, &past, why, sizeof(why), &status));
		assert_int_equal(status, EX_DATAERR);
		load(&image);
		assert_int_equal(image.len, strlen(texts[i]));
	}
	for (int way = 0; way < WAYS; way++) {
		make(way);
		for (int other = 0; other < WAYS; other++) {
			struct recorder *w;

			options = options_of(other);
			options.append = true;
			w = recorder_open(path, &options, &past, why, sizeof(why), &status);
			assert_int_equal(w != NULL, way == other);
			recorder_abandon(w);
		}
		make(way);
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

static struct seal_keys *make_keys(int way)
{
	struct seal_keys *k = seal_keys_new();
	char file[100], why[200];

	snprintf(file, sizeof(file), "%s/secret", dir);
	if (access(file, F_OK) < 0)
		assert_int_equal(seal_key_make(SEAL_SECRET, file, why, sizeof(why)), 0);
	if (way & SEALED)
		assert_int_equal(seal_key_read(k, SEAL_SECRET, file, why, sizeof(why)), 0);
	snprintf(file, sizeof(file), "%s/sign", dir);
	if (access(file, F_OK) < 0)
		assert_int_equal(seal_key_make(SEAL_SIGN, file, why, sizeof(why)), 0);
	if (way & SIGNED)
		assert_int_equal(seal_key_read(k, SEAL_SIGN, file, why, sizeof(why)), 0);
	return k;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/hub-recording.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	for (int way = 0; way < WAYS; way += 2)
		all_keys[way] = make_keys(way);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"file", "secret", "sign", "sign.pub"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(names); i++) {
		char file[100];

		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		unlink(file);
	}
	for (int way = 0; way < WAYS; way += 2)
		seal_keys_free(all_keys[way]);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round),      cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_truncation), cmocka_unit_test(test_flips),
	    cmocka_unit_test(test_append),     cmocka_unit_test(test_splices),
	    cmocka_unit_test(test_runs),       cmocka_unit_test(test_signed_lines),
	    cmocka_unit_test(test_lock),       cmocka_unit_test(test_full),
	    cmocka_unit_test(test_seek),       cmocka_unit_test(test_files),
	    cmocka_unit_test(test_foreign),    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_long_lines), cmocka_unit_test(test_endless_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

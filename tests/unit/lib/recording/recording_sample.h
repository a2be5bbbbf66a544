/* Recordings in all ways of storing, made small, and what is read of them again: in a directory
 * that set_up() makes and tear_down() removes, with keys of its own. */
#ifndef HUB_RECORDING_SAMPLE_H
#define HUB_RECORDING_SAMPLE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recording/recording.h"
#include "recording/seal.h"
#include "unit.h"

#define CHUNKS 2
#define HEAD "{\"type\":\"recording\",\"version\":1,\"session_id\":\"s\",\"start\":5}\n"

enum { COMPRESSED = 1, SEALED = 2, SIGNED = 4, WAYS = 8 };

static char dir[64];
static char path[128];
static struct seal_keys *all_keys[WAYS]; /* by SEALED | SIGNED */

static inline struct recorder_options options_of(int way)
{
	return (struct recorder_options){.level = way & COMPRESSED ? 3 : 0,
					 .keys = all_keys[way & ~COMPRESSED]};
}

static inline struct recorder *begin(int way, bool append, struct recorder_past *past)
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

static inline void put(struct recorder *w, const char *text, uint64_t t_us)
{
	assert_int_equal(recorder_put(w, text, strlen(text), t_us), 0);
}

static inline void put_record(struct recorder *w, int seq)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "{\"type\":\"p\",\"n\":%d,\"session_id\":\"s\",\"from\":\"me\",\"seq\":%d}", seq,
		 seq);
	put(w, text, (uint64_t)seq * 1500);
}

/* A small recording: a header, a snapshot, and chunks of two records each. */
static inline void make(int way)
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

static inline void see(struct seen *s, const struct recording_line *line)
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

static inline struct recording *open_keys(const struct seal_keys *keys)
{
	char why[300];
	int status;

	return recording_open(path, keys, why, sizeof(why), &status);
}

static inline struct seen read_all(int way)
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

static inline void load(struct image *image)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	image->len = (size_t)read(fd, image->bytes, sizeof(image->bytes));
	assert_true(image->len > 0 && image->len < sizeof(image->bytes));
	close(fd);
}

static inline void store(const void *bytes, size_t len)
{
	/* Cut off last: some file systems wait for the disk where all went first. */
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

static inline void store_text(const char *text)
{
	store(text, strlen(text));
}

static inline struct seal_keys *make_keys(int way)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

#endif

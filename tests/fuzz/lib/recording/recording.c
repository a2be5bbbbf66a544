/* Any bytes as a file: a reader neither crashes nor gives what contradicts itself; where it can be
 * searched, searching finds what reading through finds. And a recorder goes on behind what is
 * whole.
 */
#undef NDEBUG
#include "recording/recording.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns a path to a file of these bytes, and its descriptor. */
static int make_file(const uint8_t *data, size_t size, char path[64])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void check_line(const struct recording_line *line)
{
	assert(line->len <= RECORDING_LINE_MAX && !memchr(line->text, '\n', line->len));
	assert(line->body < line->len && line->text[0] == '{');
	assert(line->type.len >= 1 && line->type.len <= ENVELOPE_TYPE_MAX);
	assert(!line->session.p || envelope_session_id_ok(line->session.p, line->session.len));
	switch (line->kind) {
	case RECORDING_STATE:
	case RECORDING_RECORD:
		assert(line->from.len && line->seq);
		break;
	case RECORDING_GAP:
		assert(!line->from.p && line->seq <= line->to_seq + 1);
		break;
	case RECORDING_SNAPSHOT:
	case RECORDING_HEADER:
		assert(!line->from.p);
		break;
	case RECORDING_OTHER:
		break;
	}
}

/* Reads all; the last time in *t_us, and whether times never went back. */
static enum recording_status read_all(struct recording *r, uint64_t *t_us, bool *sorted)
{
	enum recording_status status;
	struct recording_line line;

	*t_us = 0;
	*sorted = true;
	while ((status = recording_next(r, &line)) == RECORDING_OK) {
		if (line.kind != RECORDING_HEADER)
			check_line(&line);
		if (line.t_us < *t_us)
			*sorted = false;
		*t_us = line.t_us;
	}
	assert(recording_next(r, &line) == status);
	assert(*recording_why(r));
	return status;
}

static void check_append(const char *path, bool compressed)
{
	struct recorder_options options = {.append = true, .level = compressed ? 1 : 0};
	struct recorder_past past;
	struct recorder *w;
	char why[200];
	int status;

	w = recorder_open(path, &options, &past, why, sizeof(why), &status);
	if (!w)
		return;
	assert(past.there || recorder_size(w) == 0);
	assert(past.there || recorder_header(w, "s", NULL, 1) == 0);
	assert(recorder_put(w, "{\"type\":\"x\"}", 12, past.t_us) == 0);
	assert(recorder_close(w) == 0);
}

/* The same bytes as lines that need not be a recording. */
static void check_lines(const char *path)
{
	enum recording_status status;
	struct recording_line line;
	char why[200];
	int failed;
	struct recording *r = recording_open_lines(path, why, sizeof(why), &failed);

	if (!r) {
		assert(failed && *why);
		return;
	}
	while ((status = recording_next(r, &line)) == RECORDING_OK) {
		assert(!memchr(line.text, '\n', line.len));
		if (line.kind == RECORDING_HEADER || !line.len)
			continue;
		assert(line.kind == RECORDING_RECORD || line.kind == RECORDING_STATE ||
		       line.kind == RECORDING_OTHER);
		if (line.kind != RECORDING_OTHER)
			assert(line.text[0] == '{' && line.body < line.len && line.type.len);
	}
	assert(*recording_why(r));
	assert(recording_good_lines(r) <= UINT32_MAX);
	recording_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum recording_status status;
	struct recording_line line;
	struct recording *r;
	uint64_t t_us = 0, again;
	bool sorted, compressed;
	char path[64], why[200];
	int fd = make_file(data, size, path), failed;

	r = recording_open(path, NULL, why, sizeof(why), &failed);
	compressed = r && recording_compressed(r);
	if (r) {
		status = read_all(r, &t_us, &sorted);
		if ((status == RECORDING_END || status == RECORDING_UNFINISHED) && sorted && t_us) {
			assert(recording_seek(r, t_us) == 0);
			assert(recording_next(r, &line) == RECORDING_OK && line.t_us == t_us);
			assert(recording_seek(r, 0) == 0);
			read_all(r, &again, &sorted);
			assert(again == t_us);
		}
		recording_close(r);
	}
	check_lines(path);
	check_append(path, compressed);
	close(fd);
	return 0;
}

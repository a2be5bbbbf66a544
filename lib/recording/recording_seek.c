/* Finding a time in a recording. What is not in a file finds it by itself; else times never
 * decrease, so plain files are searched by halves at any offset and compressed ones at the
 * beginnings of their frames; what is sealed or checked is read through, since its chunks can be
 * read in their order only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "recording/recording_impl.h"
#include "recording/recording_zstd.h"

#define NEAR (256 << 10)      /* bytes that are sooner read than searched */
#define FRAMES_MAX (1u << 20) /* remembered; of more only every second one, and so on */
#define NO_TIME UINT64_MAX

/* The next line that has a time, as it is found: not classified, its signature not checked. Returns
 * false where there is none, or none that can be read. */
static bool next_time(struct recording *r, const char **text, size_t *len, uint64_t *t_us)
{
	struct recording_line line;

	while (recording_text(r, text, len) == RECORDING_OK) {
		r->t_us = NO_TIME;
		if (recording_parse(r, *text, *len, &line, &r->room))
			return false;
		if (line.t_us != NO_TIME) {
			*t_us = line.t_us;
			return true;
		}
	}
	return false;
}

/* The first line with a time that begins at offset or behind it, of a plain file. */
static bool plain_probe(struct recording *r, uint64_t offset, uint64_t *at, uint64_t *t_us)
{
	const char *text;
	size_t len;

	/* One byte before: where a line begins at offset, the line feed there is all that is lost.
	 */
	if (recording_go(r, offset ? offset - 1 : 0) < 0 ||
	    (offset && recording_text(r, &text, &len) != RECORDING_OK))
		return false;
	if (!next_time(r, &text, &len, t_us))
		return false;
	*at = r->source.whole.offset - (r->text.len - (size_t)(text - r->text.data));
	return true;
}

/* A place before the first line of that time, and not far. */
static int plain_search(struct recording *r, uint64_t t_us)
{
	uint64_t low = 0, high, at, t;
	struct stat st;

	if (fstat(r->source.fd, &st) < 0)
		return -errno;
	high = (uint64_t)st.st_size;
	while (high - low > NEAR) {
		uint64_t middle = low + (high - low) / 2;

		if (plain_probe(r, middle, &at, &t) && at < high && t < t_us)
			low = at;
		else
			high = middle;
	}
	return recording_go(r, low);
}

/* Walks the frames once. */
static int find_frames(struct recording *r)
{
	uint64_t offset = 0, n = 0, every = 1, length;

	if (r->framed)
		return 0;
	for (; (length = pack_frame_length(r->source.fd, offset)); offset += length, n++) {
		if (n % every)
			continue;
		if (r->nframes == FRAMES_MAX) {
			for (size_t i = 0; i < FRAMES_MAX / 2; i++)
				r->frames[i] = r->frames[2 * i];
			r->nframes = FRAMES_MAX / 2;
			every *= 2;
			if (n % every)
				continue;
		}
		if ((r->nframes & (r->nframes - 1)) == 0) {
			size_t cap = r->nframes ? 2 * r->nframes : 1;
			uint64_t *frames = realloc(r->frames, cap * sizeof(*frames));

			if (!frames)
				return -ENOMEM;
			r->frames = frames;
		}
		r->frames[r->nframes++] = offset;
	}
	r->framed = true;
	return 0;
}

static int frame_search(struct recording *r, uint64_t t_us)
{
	size_t low = 0, high, len;
	const char *text;
	uint64_t t;
	int got = find_frames(r);

	if (got < 0)
		return got;
	for (high = r->nframes; high - low > 1;) {
		size_t middle = low + (high - low) / 2;

		if (recording_go(r, r->frames[middle]) == 0 && next_time(r, &text, &len, &t) &&
		    t < t_us)
			low = middle;
		else
			high = middle;
	}
	return recording_go(r, low ? r->frames[low] : 0);
}

/* Reads on to the first line of that time, which is then the next one. */
static int read_on(struct recording *r, uint64_t t_us)
{
	struct recording_line line;

	while (recording_next(r, &line) == RECORDING_OK) {
		if (line.kind == RECORDING_HEADER || line.t_us < t_us)
			continue;
		r->again = true;
		r->again_at = (size_t)(line.text - r->text.data);
		r->again_len = line.len;
		return 0;
	}
	return r->ended == RECORDING_BAD ? -EBADMSG : r->ended == RECORDING_FAILED ? -EIO : 0;
}

int recording_seek(struct recording *r, uint64_t t_us)
{
	bool onward = r->ended == RECORDING_OK && r->numbered && t_us > r->t_us;
	bool search = !r->source.sealed && !r->check && !r->lines;
	int got = 0;

	if (!recording_seekable(r)) {
		if (!onward)
			return -ESPIPE;
		search = false;
	}
	if (search && r->source.from)
		got = recording_go(r, t_us);
	else if (search)
		got = r->source.compressed ? frame_search(r, t_us) : plain_search(r, t_us);
	else if (!onward)
		got = recording_go(r, 0);
	return got < 0 ? got : read_on(r, t_us);
}

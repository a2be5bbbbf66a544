/* The files as one line of time. Invariant: offset_us is never below last_us of the file before, so
 * time does not go back from one file to the next. */
#include "play/reel.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "files/files.h"

static const char *reel_path(const struct reel *r)
{
	return r->paths[r->at];
}

/* Opens the file at r->at. A file that began after the one before it ended keeps its distance. */
static int reel_file(struct reel *r)
{
	const char *path = reel_path(r);
	char why[500];
	int status = 0;
	uint64_t start_ms;

	recording_close(r->file);
	progress_clear(r->progress);
	r->file = files_try(path, r->keys, r->plain, why, sizeof(why), &status);
	if (!r->file)
		progress_say(r->progress, "%s: %s%s", path, why,
			     strncmp(why, "not a recording", 15) == 0
				 ? " (--plain plays lines without one)"
				 : "");
	if (!r->file)
		return status;
	start_ms = recording_head(r->file)->start_ms;
	if (r->at == 0) {
		r->first_ms = start_ms;
		range_begin(&r->range, start_ms);
	}
	r->offset_us = start_ms > r->first_ms ? (start_ms - r->first_ms) * 1000 : 0;
	if (r->offset_us < r->last_us)
		r->offset_us = r->last_us;
	return 0;
}

/* Where -from begins in this file. */
static bool reel_skip(struct reel *r, uint64_t us)
{
	int error = us > r->offset_us ? recording_seek(r->file, us - r->offset_us) : 0;

	if (error == -ESPIPE)
		return true; /* it is read through */
	if (error < 0)
		progress_say(r->progress, "%s: %s", reel_path(r),
			     error == -EBADMSG ? recording_why(r->file) : strerror(-error));
	return error == 0;
}

int reel_open(struct reel *r)
{
	int status;

	r->at = 0;
	r->last_us = 0;
	status = reel_file(r);
	if (status == 0 && !reel_skip(r, r->range.from_us))
		status = EX_DATAERR;
	return status;
}

static void reel_bad(struct reel *r, int status)
{
	if (!r->status)
		r->status = status;
}

/* The end of a file, for whatever reason. False where there is no other. */
static bool reel_file_end(struct reel *r, enum recording_status end)
{
	int status;

	progress_clear(r->progress);
	reel_bad(r, files_ended(reel_path(r), r->file, end));
	while (r->at + 1 < r->n) {
		r->at++;
		status = reel_file(r);
		if (status == 0)
			return reel_skip(r, r->range.from_us);
		reel_bad(r, status);
	}
	return false;
}

bool reel_next(struct reel *r, struct recording_line *line, uint64_t *us)
{
	for (;;) {
		enum recording_status got;

		if (!r->file)
			return false;
		got = recording_next(r->file, line);
		if (got != RECORDING_OK) {
			if (!reel_file_end(r, got))
				return false;
			continue;
		}
		*us = r->offset_us + line->t_us;
		if (*us >= r->range.to_us)
			return false;
		if (*us > r->last_us)
			r->last_us = *us;
		if ((line->kind == RECORDING_RECORD || line->kind == RECORDING_STATE) &&
		    *us >= r->range.from_us)
			return true;
	}
}

bool reel_seek(struct reel *r, uint64_t us)
{
	if (!r->file)
		return false; /* it could not be opened again */
	if (us < r->range.from_us)
		us = r->range.from_us;
	if (us > r->range.to_us)
		us = r->range.to_us;
	/* Backwards into an earlier file: from the first one on. */
	if (us < r->offset_us && r->at > 0) {
		r->at = 0;
		r->last_us = 0;
		if (reel_file(r) != 0)
			return false;
	}
	if (us < r->last_us)
		r->last_us = r->offset_us;
	return recording_seek(r->file, us > r->offset_us ? us - r->offset_us : 0) == 0;
}

/* Whether there is something at t or later. */
static bool reaches(struct recording *file, uint64_t us)
{
	struct recording_line line;

	return recording_seek(file, us) == 0 && recording_next(file, &line) == RECORDING_OK;
}

/* Of the last file, by search: the file does not say it. */
uint64_t reel_length(struct reel *r)
{
	uint64_t low = 0, high = 1000000, offset;
	struct recording *file;
	char why[300];
	int status;

	file =
	    r->keys ? NULL : files_try(r->paths[r->n - 1], NULL, false, why, sizeof(why), &status);
	if (!file)
		return 0;
	offset = recording_head(file)->start_ms;
	offset = offset > r->first_ms ? (offset - r->first_ms) * 1000 : 0;
	while (reaches(file, high) && high < UINT64_MAX / 4) {
		low = high;
		high *= 2;
	}
	while (high - low > 100000) {
		uint64_t middle = low + (high - low) / 2;

		*(reaches(file, middle) ? &low : &high) = middle;
	}
	recording_close(file);
	low += offset;
	return low < r->range.to_us ? low : r->range.to_us;
}

void reel_close(struct reel *r)
{
	recording_close(r->file);
	r->file = NULL;
}

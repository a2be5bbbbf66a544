/* Finds out where a recording that is to be gone on with has come to. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "recording/recording_impl.h"

/* An epoch or a run; what is not there changes nothing. */
static void copy(char out[RECORDING_EPOCH_MAX + 1], struct span text)
{
	if (!text.p)
		return;
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
}

/* Reads what is there. Returns how it ends. */
static enum recording_status read_past(struct recording *r, struct recorder_past *past)
{
	enum recording_status status;
	struct recording_line line;

	past->start_ms = r->head.start_ms;
	memcpy(past->session, r->head.session, sizeof(past->session));
	while ((status = recording_next(r, &line)) == RECORDING_OK) {
		past->there = true;
		past->lines = line.number;
		past->t_us = line.t_us;
		copy(past->epoch, line.epoch);
		copy(past->run, line.run);
		if (line.kind == RECORDING_RECORD || line.kind == RECORDING_SNAPSHOT)
			past->seq = line.seq;
		else if (line.kind == RECORDING_GAP)
			past->seq = line.to_seq;
	}
	return status;
}

/* Whether the file is stored as the options have it. NULL, or what is wrong. */
static const char *other_way(const struct recording *r, const struct recorder_options *options)
{
	if (r->signer.there && !seal_keys_have(options->keys, SEAL_SIGN))
		return "it is signed: the key is missing";
	if (r->source.compressed != (options->level > 0))
		return r->source.compressed ? "it is compressed" : "it is not compressed";
	return NULL;
}

static int refuse(struct recording *r, char *why, size_t cap, int status, const char *what)
{
	snprintf(why, cap, "%s", what);
	recording_close(r);
	return status;
}

int recording_resume(int fd, const struct recorder_options *options, struct recorder_past *past,
		     struct recording_resume *at, char *why, size_t cap)
{
	enum recording_status end;
	struct recording *r;
	const char *wrong;
	bool headless;
	int status;

	*at = (struct recording_resume){.finished = false};
	r = recording_open_fd(fd, options->keys, &headless, why, cap, &status);
	if (!r)
		return headless ? 0 : status;
	wrong = other_way(r, options);
	if (wrong)
		return refuse(r, why, cap, EX_DATAERR, wrong);
	end = read_past(r, past);
	if (end == RECORDING_BAD || end == RECORDING_FAILED)
		return refuse(r, why, cap, end == RECORDING_BAD ? EX_DATAERR : EX_IOERR, r->why);
	if (!r->check && r->text.len > r->at && (r->source.sealed || r->source.compressed))
		return refuse(r, why, cap, EX_DATAERR, "it ends within a line");
	at->finished = end == RECORDING_END;
	if (!past->there)
		*past = (struct recorder_past){.there = false}; /* nothing of it is signed */
	else
		at->place = r->check && r->signed_end ? r->before : r->place;
	memcpy(at->link, r->link, sizeof(at->link));
	recording_close(r);
	return 0;
}

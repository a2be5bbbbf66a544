/* Finds out where a recording that is to be gone on with has come to. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "recording_impl.h"

static void copy_epoch(struct recorder_past *past, struct span epoch)
{
	if (!epoch.p)
		return;
	memcpy(past->epoch, epoch.p, epoch.len);
	past->epoch[epoch.len] = '\0';
}

/* The run of the hub that a recorder has joined, hub-recording(5). */
static void copy_run(struct recorder_past *past, const struct recording_line *line)
{
	static const char front[] = "\"run\":\"";
	const char *p, *quote;

	if (line->kind != RECORDING_OTHER || line->from.p || line->type.len != 6 ||
	    memcmp(line->type.p, "joined", 6) != 0)
		return;
	p = memmem(line->text, line->len, front, sizeof(front) - 1);
	if (!p)
		return;
	p += sizeof(front) - 1;
	quote = memchr(p, '"', line->len - (size_t)(p - line->text));
	if (!quote || quote - p > RECORDING_EPOCH_MAX)
		return;
	memcpy(past->run, p, (size_t)(quote - p));
	past->run[quote - p] = '\0';
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
		copy_epoch(past, line.epoch);
		if (line.kind == RECORDING_RECORD || line.kind == RECORDING_SNAPSHOT)
			past->seq = line.seq;
		else if (line.kind == RECORDING_GAP)
			past->seq = line.to_seq;
		copy_run(past, &line);
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

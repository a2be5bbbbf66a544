/* Reads recordings: lines out of the text that a source gives, and the chain of signatures over
 * them. Invariant: with a key no line is given before a signature that covers it was found good. */
#include "recording/recording.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recording/recording_impl.h"

#define UNSIGNED_MAX (2 * SOURCE_CHUNK_MAX) /* bytes between two signatures */

/* Ends the reading, and says why and where. */
static __attribute__((format(printf, 3, 4))) enum recording_status
ended(struct recording *r, enum recording_status status, const char *fmt, ...)
{
	size_t n = 0;
	va_list ap;

	if (r->numbered)
		n = (size_t)snprintf(r->why, sizeof(r->why), "behind line %llu, ",
				     (unsigned long long)r->number);
	n += (size_t)snprintf(r->why + n, sizeof(r->why) - n,
			      "t %llu.%03llu ms: ", (unsigned long long)r->t_us / 1000,
			      (unsigned long long)r->t_us % 1000);
	va_start(ap, fmt);
	vsnprintf(r->why + n, sizeof(r->why) - n, fmt, ap);
	va_end(ap);
	return r->ended = status;
}

/* More text behind what there is. */
static enum source_status fill(struct recording *r)
{
	if (r->at) {
		buf_consume(&r->text, r->at);
		r->scanned -= r->at;
		r->good = r->good > r->at ? r->good - r->at : 0;
		r->at = 0;
	}
	return source_read(&r->source, &r->text);
}

/* There is no more text than what was read. */
static enum recording_status no_more(struct recording *r, enum source_status got)
{
	size_t left = r->text.len - r->at;

	if (!r->check) {
		r->place = r->source.whole;
		if (!r->source.sealed && !r->source.compressed)
			r->place.offset -= left;
	}
	if (got == SOURCE_FAILED)
		return ended(r, RECORDING_FAILED, "%s", r->source.why);
	if (got == SOURCE_BAD)
		return ended(r, RECORDING_BAD, "%s", r->source.why);
	if (r->check && r->unsigned_lines)
		return ended(r, RECORDING_UNFINISHED,
			     "unfinished: the next %llu lines have no signature",
			     (unsigned long long)r->unsigned_lines);
	if (got == SOURCE_CUT || left)
		return ended(r, RECORDING_UNFINISHED,
			     "unfinished: a part of what follows is "
			     "missing");
	if (r->signer.there && !r->signed_end)
		return ended(r, RECORDING_UNFINISHED, "unfinished: there is no signed end");
	return ended(r, RECORDING_END, "the end");
}

/* --- signatures */

/* A signature behind the lines that are in the chain. */
static enum recording_status take_signature(struct recording *r,
					    const struct recording_signature *s)
{
	unsigned char link[SEAL_HASH];

	if (s->end && r->unsigned_lines)
		return ended(r, RECORDING_BAD,
			     "damaged: lines before the signed end have no "
			     "signature");
	memcpy(link, r->link, sizeof(link));
	seal_chain_link(r->chain, r->link);
	if (!r->chain_known) {
		r->chain_known = true;
		seal_chain_set(r->chain, s->hash);
	} else if (memcmp(r->link, s->hash, SEAL_HASH) != 0) {
		return ended(r, RECORDING_BAD,
			     "the signature does not fit: one of the next %llu lines is not as it "
			     "was written",
			     (unsigned long long)r->unsigned_lines);
	}
	if (r->check && !seal_verify(r->keys, s->hash, s->end, s->signature))
		return ended(r, RECORDING_BAD,
			     "the signature behind the next %llu lines is not of this key",
			     (unsigned long long)r->unsigned_lines);
	if (s->end)
		memcpy(r->link, link, sizeof(link)); /* for who goes on before the end */
	r->unsigned_lines = 0;
	r->signed_end = s->end;
	return RECORDING_OK;
}

static void add_line(struct recording *r, const char *text, size_t len)
{
	seal_chain_add(r->chain, text, len + 1);
	r->unsigned_lines++;
}

/* Reads on to the next signature, so that the lines before it may be given. */
static enum recording_status check_some(struct recording *r)
{
	for (;;) {
		char *line = r->text.data + r->scanned;
		size_t left = r->text.len - r->scanned;
		char *end = left ? memchr(line, '\n', left) : NULL;
		struct recording_signature s;
		enum recording_status status;
		enum source_status got;

		if (r->signed_end && left)
			return ended(r, RECORDING_BAD, "something follows behind the signed end");
		if (!end) {
			if (left > RECORDING_LINE_MAX || r->text.len - r->at > UNSIGNED_MAX)
				return ended(r, RECORDING_BAD, "a signature is missing");
			got = fill(r);
			if (got != SOURCE_TEXT)
				return no_more(r, got);
			continue;
		}
		r->scanned = (size_t)(end + 1 - r->text.data);
		if (!recording_get_signature(line, (size_t)(end - line), &s)) {
			add_line(r, line, (size_t)(end - line));
			continue;
		}
		status = take_signature(r, &s);
		if (status != RECORDING_OK)
			return status;
		r->good = r->scanned;
		if (s.end)
			r->before = r->place;
		if (!r->source.sealed && !r->source.compressed) {
			r->place = r->source.whole;
			r->place.offset -= r->text.len - r->good;
		} else if (r->good == r->text.len) {
			r->place = r->source.whole;
		}
		return RECORDING_OK;
	}
}

/* --- lines */

/* Gives the line whose line feed is at end. Returns false for a signature. */
static bool give(struct recording *r, char *end, const char **text, size_t *len)
{
	struct recording_signature s;

	*text = r->text.data + r->at;
	*len = (size_t)(end - *text);
	r->at = (size_t)(end + 1 - r->text.data);
	r->number++;
	return !r->signer.there || !recording_get_signature(*text, *len, &s);
}

static enum recording_status checked_text(struct recording *r, const char **text, size_t *len)
{
	enum recording_status status;

	for (;;) {
		while (r->at < r->good) {
			char *line = r->text.data + r->at;

			if (give(r, memchr(line, '\n', r->good - r->at), text, len))
				return RECORDING_OK;
		}
		status = check_some(r);
		if (status != RECORDING_OK)
			return status;
	}
}

/* A line that is given before its signature comes, of a recording that names a signer. */
static enum recording_status chained_line(struct recording *r, const char *text, size_t len,
					  bool *given)
{
	struct recording_signature s;

	*given = !recording_get_signature(text, len, &s);
	if (r->signed_end)
		return ended(r, RECORDING_BAD, "something follows behind the signed end");
	if (!*given)
		return take_signature(r, &s);
	add_line(r, text, len);
	return RECORDING_OK;
}

enum recording_status recording_text(struct recording *r, const char **text, size_t *len)
{
	bool given = true;

	if (r->again) {
		r->again = false;
		*text = r->text.data + r->again_at;
		*len = r->again_len;
		return RECORDING_OK;
	}
	if (r->check)
		return checked_text(r, text, len);
	for (;;) {
		size_t left = r->text.len - r->scanned;
		char *from = r->text.data + r->scanned,
		     *end = left ? memchr(from, '\n', left) : NULL;
		enum source_status got;

		if (end) {
			give(r, end, text, len);
			r->scanned = r->at;
			if (r->signer.there && chained_line(r, *text, *len, &given) != RECORDING_OK)
				return r->ended;
			if (given)
				return RECORDING_OK;
			continue;
		}
		r->scanned = r->text.len;
		if (r->text.len - r->at > RECORDING_LINE_MAX)
			return ended(r, RECORDING_BAD, "a line of more than %d bytes",
				     RECORDING_LINE_MAX);
		got = fill(r);
		if (got == SOURCE_END && r->lines && r->text.len > r->at)
			got = buf_puts(&r->text, "\n") < 0 ? SOURCE_FAILED : SOURCE_TEXT;
		if (got != SOURCE_TEXT)
			return no_more(r, got);
	}
}

void recording_give_header(const struct recording *r, const char *text, size_t len,
			   struct recording_line *line)
{
	*line = (struct recording_line){.kind = RECORDING_HEADER,
					.text = text,
					.len = len,
					.body = len - 1,
					.number = 1,
					.type = {"recording", 9}};
	if (*r->head.session)
		line->session = (struct span){r->head.session, strlen(r->head.session)};
	if (*r->head.epoch)
		line->epoch = (struct span){r->head.epoch, strlen(r->head.epoch)};
}

enum recording_status recording_next(struct recording *r, struct recording_line *line)
{
	enum recording_status status = r->ended;
	const char *text, *wrong;
	size_t len;

	if (status == RECORDING_OK)
		status = recording_text(r, &text, &len);
	if (status != RECORDING_OK)
		return status;
	if (r->numbered && r->number == 1 && !r->headless) {
		recording_give_header(r, text, len, line);
		return RECORDING_OK;
	}
	wrong = r->lines ? recording_parse_any(r, text, len, line, &r->room)
			 : recording_parse(r, text, len, line, &r->room);
	if (wrong) {
		r->number--;
		return ended(r, RECORDING_BAD, "the next line: %s", wrong);
	}
	line->number = r->numbered ? r->number : 0;
	r->t_us = line->t_us;
	if (!recording_classify(&r->sessions, line))
		return ended(r, RECORDING_BAD, "more sessions than memory");
	return RECORDING_OK;
}

int recording_go(struct recording *r, uint64_t offset)
{
	static const unsigned char beginning[SEAL_HASH];
	int got = source_go(&r->source, offset);

	if (got < 0 && r->source.from)
		snprintf(r->why, sizeof(r->why), "%s", r->source.why);
	if (got < 0)
		return got;
	r->text.len = r->at = r->scanned = r->good = 0;
	r->number = r->t_us = 0;
	r->numbered = offset == 0;
	r->unsigned_lines = 0;
	r->signed_end = false;
	r->ended = RECORDING_OK;
	r->again = false;
	r->chain_known = offset == 0;
	memcpy(r->link, beginning, sizeof(r->link));
	if (r->chain)
		seal_chain_set(r->chain, beginning);
	recording_sessions_clear(&r->sessions);
	return 0;
}

bool recording_seekable(const struct recording *r)
{
	return r->source.from || lseek(r->source.fd, 0, SEEK_CUR) >= 0;
}

/* --- what is known of it */

const struct recording_head *recording_head(const struct recording *r)
{
	return &r->head;
}

const char *recording_why(const struct recording *r)
{
	return r->why;
}

uint64_t recording_good_lines(const struct recording *r)
{
	return r->numbered ? r->number : 0;
}

uint64_t recording_good_bytes(const struct recording *r)
{
	const struct source *s = &r->source;

	/* Of plain text what was read of it, but for what was not given. */
	return s->sealed || s->compressed ? s->whole.offset
					  : s->whole.offset - (r->text.len - r->at);
}

bool recording_compressed(const struct recording *r)
{
	return r->source.compressed;
}

bool recording_sealed(const struct recording *r)
{
	return r->source.sealed;
}

bool recording_signed(const struct recording *r)
{
	return r->signer.there;
}

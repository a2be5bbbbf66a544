/* Reads recordings: lines out of the text that a source gives, and the chain of signatures over
 * them. Invariant: with a key no line is given before a signature that covers it was found good. */
#include "recording/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
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
		if (got != SOURCE_TEXT)
			return no_more(r, got);
	}
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
	if (r->numbered && r->number == 1) {
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
		return RECORDING_OK;
	}
	wrong = recording_parse(r, text, len, line, &r->room);
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

/* --- opening and closing */

/* Whether what there is of a file is the beginning of a recording, and of nothing else. */
static bool begins_recording(const char *text, size_t len)
{
	static const char *const fronts[] = {"{\"type\":\"recording\",", SOURCE_MAGIC,
					     "\x28\xb5\x2f\xfd"};

	for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
		size_t n = strlen(fronts[i]);

		if (memcmp(text, fronts[i], len < n ? len : n) == 0)
			return true;
	}
	return false;
}

/* Reads the first line, which stays where it is. Returns 0 or an exit status. */
static int read_header(struct recording *r, bool *headless)
{
	const char *wrong, *end;
	enum source_status got;

	while (!(end = r->text.len ? memchr(r->text.data, '\n', r->text.len) : NULL)) {
		got = r->text.len > RECORDING_LINE_MAX ? SOURCE_BAD
						       : source_read(&r->source, &r->text);
		if (got == SOURCE_TEXT)
			continue;
		*headless = (got == SOURCE_END || got == SOURCE_CUT) &&
			    (!r->text.len || begins_recording(r->text.data, r->text.len));
		snprintf(r->why, sizeof(r->why), "%s",
			 got == SOURCE_FAILED || (got == SOURCE_BAD && *r->source.why)
			     ? r->source.why
			 : *headless ? "unfinished: it has no header yet"
				     : "not a recording: its first line is no header");
		return got == SOURCE_FAILED ? EX_IOERR : EX_DATAERR;
	}
	wrong = recording_parse_header(r->text.data, (size_t)(end - r->text.data), &r->head,
				       &r->signer);
	snprintf(r->why, sizeof(r->why), "%s", wrong ? wrong : "");
	return wrong ? EX_DATAERR : 0;
}

/* Whether signatures are there, and are to be checked. */
static int choose_check(struct recording *r)
{
	char key[SEAL_HASH_TEXT + 1];

	r->check = seal_keys_have(r->keys, SEAL_VERIFY);
	if (r->check && !r->signer.there) {
		snprintf(r->why, sizeof(r->why), "it is not signed, as the key has it");
		return EX_DATAERR;
	}
	if (r->check) {
		seal_signer(r->keys, key);
		if (strcmp(key, r->signer.key) != 0) {
			snprintf(r->why, sizeof(r->why), "it was signed with another key");
			return EX_NOPERM;
		}
	}
	r->chain = r->signer.there ? seal_chain_new() : NULL;
	r->chain_known = true;
	if (r->signer.there && !r->chain) {
		snprintf(r->why, sizeof(r->why), "out of memory");
		return EX_OSERR;
	}
	return 0;
}

struct recording *recording_open_fd(int fd, const struct seal_keys *keys, bool *headless, char *why,
				    size_t cap, int *status)
{
	struct recording *r = calloc(1, sizeof(*r));

	*headless = false;
	if (!r) {
		snprintf(why, cap, "out of memory");
		*status = EX_OSERR;
		close(fd);
		return NULL;
	}
	r->keys = keys;
	r->numbered = true;
	*status = source_open(&r->source, fd, keys);
	if (*status)
		snprintf(r->why, sizeof(r->why), "%s", r->source.why);
	else
		*status = read_header(r, headless);
	if (!*status)
		*status = choose_check(r);
	if (*status) {
		snprintf(why, cap, "%s", r->why);
		recording_close(r);
		return NULL;
	}
	return r;
}

struct recording *recording_open(const char *path, const struct seal_keys *keys, char *why,
				 size_t cap, int *status)
{
	bool standard = strcmp(path, "-") == 0, headless;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		snprintf(why, cap, "%s", strerror(errno));
		*status = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
		return NULL;
	}
	return recording_open_fd(fd, keys, &headless, why, cap, status);
}

int recording_go(struct recording *r, uint64_t offset)
{
	static const unsigned char beginning[SEAL_HASH];
	int got = source_go(&r->source, offset);

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
	return lseek(r->source.fd, 0, SEEK_CUR) >= 0;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	source_close(&r->source);
	buf_free(&r->text);
	seal_chain_free(r->chain);
	recording_sessions_clear(&r->sessions);
	free(r->frames);
	free(r);
}

const struct recording_head *recording_head(const struct recording *r)
{
	return &r->head;
}

const char *recording_why(const struct recording *r)
{
	return r->why;
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

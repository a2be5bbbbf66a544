/* Opens recordings, from a file or from elsewhere, or for lines that come one by one; and closes
 * them. Invariant: what was opened has its header, and is as the keys have it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "recording/recording_impl.h"

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

/* The first line of what need not be a recording; there may be none. */
static int read_first(struct recording *r)
{
	enum source_status got = SOURCE_TEXT;
	const char *line, *end = NULL;

	if (buf_reserve(&r->text, 1) < 0) {
		snprintf(r->why, sizeof(r->why), "out of memory");
		return EX_OSERR;
	}
	while (got == SOURCE_TEXT && r->text.len <= RECORDING_LINE_MAX &&
	       !(end = memchr(r->text.data, '\n', r->text.len)))
		got = source_read(&r->source, &r->text);
	if (got == SOURCE_FAILED || got == SOURCE_BAD) {
		snprintf(r->why, sizeof(r->why), "%s", r->source.why);
		return got == SOURCE_FAILED ? EX_IOERR : EX_DATAERR;
	}
	line = r->text.data;
	if (r->text.len >= BOM_LEN && memcmp(line, BOM, BOM_LEN) == 0)
		line += BOM_LEN;
	r->headless =
	    !end || recording_parse_header(line, (size_t)(end - line), &r->head, &r->signer);
	if (r->headless)
		r->head = (struct recording_head){0};
	r->signer.there = false;
	return 0;
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

static struct recording *recording_new(const struct seal_keys *keys, bool lines, char *why,
				       size_t cap, int *status)
{
	struct recording *r = calloc(1, sizeof(*r));

	if (!r) {
		snprintf(why, cap, "out of memory");
		*status = EX_OSERR;
		return NULL;
	}
	r->source.fd = -1;
	r->keys = keys;
	r->lines = lines;
	r->numbered = true;
	return r;
}

/* The source is open, or could not be, as *status says. */
static struct recording *opened(struct recording *r, bool *headless, char *why, size_t cap,
				int *status)
{
	*headless = false;
	if (*status)
		snprintf(r->why, sizeof(r->why), "%s", r->source.why);
	else
		*status = r->lines ? read_first(r) : read_header(r, headless);
	if (!*status)
		*status = choose_check(r);
	if (*status) {
		snprintf(why, cap, "%s", r->why);
		recording_close(r);
		return NULL;
	}
	return r;
}

static struct recording *open_fd(int fd, const struct seal_keys *keys, bool lines, bool *headless,
				 char *why, size_t cap, int *status)
{
	struct recording *r = recording_new(keys, lines, why, cap, status);

	if (!r) {
		*headless = false;
		close(fd);
		return NULL;
	}
	*status = source_open(&r->source, fd, keys);
	return opened(r, headless, why, cap, status);
}

struct recording *recording_open_from(const struct recording_from *from, void *arg,
				      const struct seal_keys *keys, char *why, size_t cap,
				      int *status)
{
	struct recording *r = recording_new(keys, false, why, cap, status);
	bool headless;

	if (!r) {
		from->close(arg);
		return NULL;
	}
	*status = source_open_from(&r->source, from, arg, keys);
	return opened(r, &headless, why, cap, status);
}

struct recording *recording_open_fd(int fd, const struct seal_keys *keys, bool *headless, char *why,
				    size_t cap, int *status)
{
	return open_fd(fd, keys, false, headless, why, cap, status);
}

static struct recording *open_path(const char *path, const struct seal_keys *keys, bool lines,
				   char *why, size_t cap, int *status)
{
	bool standard = strcmp(path, "-") == 0, headless;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		snprintf(why, cap, "%s", strerror(errno));
		*status = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
		return NULL;
	}
	return open_fd(fd, keys, lines, &headless, why, cap, status);
}

struct recording *recording_open(const char *path, const struct seal_keys *keys, char *why,
				 size_t cap, int *status)
{
	return open_path(path, keys, false, why, cap, status);
}

struct recording *recording_open_lines(const char *path, char *why, size_t cap, int *status)
{
	return open_path(path, NULL, true, why, cap, status);
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

/* --- lines one by one */

struct recording *recording_feed_new(void)
{
	struct recording *r = calloc(1, sizeof(*r));

	if (r)
		r->source.fd = -1;
	return r;
}

const char *recording_feed(struct recording *r, const char *text, size_t len,
			   struct recording_line *line)
{
	const char *wrong = recording_parse(r, text, len, line, &r->room);
	struct recording_signer signer;

	if (wrong)
		return wrong;
	if (line->kind == RECORDING_OTHER && !line->from.p && line->type.len == 9 &&
	    memcmp(line->type.p, "recording", 9) == 0) {
		wrong = recording_parse_header(text, len, &r->head, &signer);
		if (!wrong)
			recording_give_header(r, text, len, line);
		return wrong;
	}
	r->t_us = line->t_us;
	return recording_classify(&r->sessions, line) ? NULL : "more sessions than memory";
}

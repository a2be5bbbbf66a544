/* hubreplay import: a recording out of what others have recorded. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/opt.h"
#include "edit/edit.h"
#include "edit/import.h"
#include "files/files.h"
#include "files/sink.h"
#include "json/envelope.h"

#define TEXT_MAX (1u << 30) /* bytes of a file */
#define PIECE (1u << 20)

struct options {
	const char *as, *output, *seal_to, *sign;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {0, "as", "SESSION", OPT_STRING, FIELD(as), 0, 0, NULL,
     "of this session (FILE's name without its ending)"},
    {'o', "output", "FILE", OPT_STRING, FIELD(output), 0, 0, NULL,
     "the new file; compressed where it ends in .zst (-: standard output)"},
    {0, "seal-to", "KEYFILE", OPT_STRING, FIELD(seal_to), 0, 0, NULL,
     "seal the new file with this key"},
    {0, "sign", "KEYFILE", OPT_STRING, FIELD(sign), 0, 0, NULL, "sign the new file with this key"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay import",
    .synopsis = "[--as SESSION] [-o FILE] [--seal-to KEYFILE] [--sign KEYFILE] FILE",
    .summary =
	"Makes a recording of an asciicast (version 2 or 3) or of the WebSocket messages in a HAR.",
    .opts = options_table};

struct importer {
	char session[ENVELOPE_SESSION_MAX + 1];
	const char *from; /* the sender of the messages */
	const char *output;
	const struct seal_keys *keys;
	struct sink to;
	uint64_t start_ms, seq;
	struct buf record;
};

static int on_begin(void *arg, uint64_t start_ms)
{
	struct importer *m = arg;

	m->start_ms = start_ms;
	sink_open(&m->to, m->output, m->keys);
	sink_check(&m->to, recorder_header(m->to.w, m->session, NULL, start_ms));
	return 0;
}

/* As a record of a hub: what the hub would have added. */
static int on_message(void *arg, const char *text, size_t len, uint64_t t_us)
{
	struct importer *m = arg;
	struct buf *out = &m->record;
	int r;

	out->len = 0;
	r = buf_put(out, text, len - 1);
	if (r == 0)
		r = buf_printf(out,
			       ",\"session_id\":\"%s\",\"timestamp\":%llu,\"from\":\"%s\","
			       "\"seq\":%llu}",
			       m->session, (unsigned long long)(m->start_ms + t_us / 1000), m->from,
			       (unsigned long long)++m->seq);
	if (r < 0)
		return r;
	sink_check(&m->to, recorder_put(m->to.w, out->data, out->len, t_us));
	return 0;
}

/* The whole file. */
static struct buf read_text(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct buf text = {0};
	ssize_t n = 1;

	if (fd < 0)
		err_die(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s", path, strerror(errno));
	while (n) {
		if (buf_reserve(&text, PIECE) < 0)
			err_die(EX_OSERR, "out of memory");
		n = read(fd, text.data + text.len, PIECE);
		if (n < 0 && errno != EINTR)
			err_die(EX_IOERR, "%s: %s", path, strerror(errno));
		text.len += n > 0 ? (size_t)n : 0;
		if (text.len > TEXT_MAX)
			err_die(EX_DATAERR, "%s: more than %u bytes", path, TEXT_MAX);
	}
	if (fd != STDIN_FILENO)
		close(fd);
	if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		buf_consume(&text, 3);
	return text;
}

/* The session: what was asked for, or the file's name as far as it can be one. */
static void name_session(struct importer *m, const char *as, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = as ? as : slash ? slash + 1 : path;
	const char *dot = as ? NULL : strchr(name, '.');
	size_t len = dot && dot > name ? (size_t)(dot - name) : strlen(name);

	if (!as && strcmp(path, "-") == 0)
		err_die(EX_USAGE, "of which session? --as SESSION says it");
	if (!as && len > ENVELOPE_SESSION_MAX)
		len = ENVELOPE_SESSION_MAX;
	if (len <= ENVELOPE_SESSION_MAX)
		snprintf(m->session, sizeof(m->session), "%.*s", (int)len, name);
	for (char *p = m->session; !as && *p; p++)
		if (!envelope_session_id_ok(p, 1))
			*p = '-';
	if (!envelope_session_id_ok(m->session, strlen(m->session)))
		err_die(EX_USAGE, "'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
			name, ENVELOPE_SESSION_MAX);
}

int import_main(int argc, char **argv)
{
	static const struct import_events events = {on_begin, on_message};
	struct options o = {.output = "-"};
	int first = opt_parse(&program, argc, argv, &o), r;
	struct importer m = {0};
	struct seal_keys *keys;
	import_reader *reader;
	char why[300] = "";
	struct buf text;

	if (argc - first != 1)
		err_die(EX_USAGE, "one file (try 'hubreplay import --help')");
	name_session(&m, o.as, argv[first]);
	keys = files_keys_to(o.seal_to, o.sign);
	m.keys = keys;
	m.output = o.output;
	text = read_text(argv[first]);
	reader = import_find(text.data ? text.data : "", text.len, &m.from);
	if (!reader)
		err_die(EX_DATAERR, "%s: neither an asciicast nor HAR", argv[first]);
	r = reader(text.data, text.len, &events, &m, why, sizeof(why));
	if (m.to.w)
		sink_close(&m.to);
	buf_free(&text);
	buf_free(&m.record);
	seal_keys_free(keys);
	if (r < 0)
		err_die(r == -EBADMSG ? EX_DATAERR : EX_OSERR, "%s: %s", argv[first],
			r == -EBADMSG ? why : strerror(-r));
	return EX_OK;
}

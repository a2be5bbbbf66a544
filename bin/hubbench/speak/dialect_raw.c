/* Any WebSocket server that sends what it gets to others, or back. A text may be sent first; marks
 * are found anywhere in what comes, several in one message too (NATS). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "speak/dialect.h"
#include "speak/template.h"

static char *raw_message(const struct script *s)
{
	return strdup(s->message ? s->message : "{mark}{pad}");
}

/* --join, with the session's number in it. */
static int raw_join(const struct script *s, const struct dialect_client *c, struct buf *out)
{
	size_t len;
	char *text;
	int r;

	if (!s->join)
		return 0;
	text = template_for_session(s->join, c->session, &len);
	r = text ? buf_put(out, text, len) : -ENOMEM;
	free(text);
	return r < 0 ? r : 1;
}

static enum dialect_got raw_take(const struct script *s, const char *p, size_t len,
				 struct dialect_news *news)
{
	news->p = script_first_mark(s, p, len);
	if (news->p)
		return DIALECT_MARKS;
	if (s->answer_to && len == strlen(s->answer_to) && memcmp(p, s->answer_to, len) == 0) {
		news->p = s->answer;
		news->len = strlen(s->answer);
		return DIALECT_SAY;
	}
	return s->join || s->answer_to ? DIALECT_NOTHING : DIALECT_UNKNOWN;
}

const struct dialect dialect_raw = {
    .name = "raw",
    .path = "/",
    .own_words = true,
    .message = raw_message,
    .join = raw_join,
    .take = raw_take,
};

/* Any WebSocket server that sends what it gets to others, or back. A text may be sent first; marks
 * are found anywhere in what comes, several in one message too (NATS). */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "dialect.h"
#include "member.h"
#include "need.h"

static char *raw_message(const struct run *r)
{
	return need(strdup(r->o->message ? r->o->message : "{mark}{pad}"));
}

/* --join, with the session's number in it. */
static void raw_join(struct loop *l, struct conn *c)
{
	size_t len;
	char *text = message_for_session(l->run->join, c->session, &len);

	if (!text)
		err_die(EX_OSERR, "out of memory");
	conn_send(l, c, text, len);
	free(text);
}

static void raw_open(struct loop *l, struct conn *c)
{
	if (l->run->join)
		raw_join(l, c);
	if (c->fd >= 0)
		member_joined(l, c, false);
}

static void raw_take(struct loop *l, struct conn *c, const char *p, size_t len)
{
	const struct run *r = l->run;

	if (dialect_take_marks(l, c, p, len))
		return;
	if (r->answer_to && len == strlen(r->answer_to) && memcmp(p, r->answer_to, len) == 0)
		conn_send(l, c, r->answer, strlen(r->answer));
	else if (!r->join && !r->answer_to)
		l->audit.unknown++;
}

const struct dialect dialect_raw = {
    .name = "raw",
    .path = "/",
    .message = raw_message,
    .open = raw_open,
    .take = raw_take,
};

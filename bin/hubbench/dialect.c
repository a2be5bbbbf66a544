/* What dialects share. */
#include "dialect.h"

#include <string.h>

#include "member.h"

unsigned dialect_take_marks(struct loop *l, struct conn *c, const char *p, size_t len)
{
	const struct run *r = l->run;
	const char *end = p + len;
	unsigned n = 0;

	if (c->state != CONN_JOINED)
		return 0;
	/* Mostly it stands where it was put. */
	if (len >= r->messages->mark_at + MARK_LEN && mark_is(p + r->messages->mark_at, r->run))
		p += r->messages->mark_at;
	while (end - p >= MARK_LEN) {
		struct mark m;
		uint32_t stream;

		if (!mark_is(p, r->run)) {
			p = memmem(p, (size_t)(end - p), r->name, MARK_RUN_LEN);
			if (!p || end - p < MARK_LEN)
				break;
		}
		n++;
		if (!mark_read(p, &m) || m.publisher >= r->npublishers ||
		    m.publisher % r->sessions != c->session) {
			l->audit.unknown++;
			p += MARK_RUN_LEN;
			continue;
		}
		p += MARK_LEN;
		stream = m.publisher / r->sessions;
		if (stream_take(&c->streams[stream], m.number, &l->audit) <= STREAM_LATE)
			member_deliver(l, c, &m);
	}
	return n;
}

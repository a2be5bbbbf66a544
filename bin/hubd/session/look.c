/* A look at a session's state, for who is no member. */
#include <errno.h>

#include "session/session.h"
#include "wire/wsframe.h"

struct look {
	struct buf *out;
	size_t max;
	int n; /* or -errno */
};

static void look_at(uint64_t seq, const struct slot *tags, const void *frame, size_t len, void *arg)
{
	size_t header = wsframe_header_len(frame);
	struct look *l = arg;

	(void)seq;
	(void)tags;
	if (l->n < 0)
		return;
	if (l->out->len + len > l->max)
		l->n = -EFBIG;
	else if (buf_put(l->out, (const char *)frame + header, len - header) < 0 ||
		 buf_puts(l->out, "\n") < 0)
		l->n = -ENOMEM;
	else
		l->n++;
}

int session_state_of(struct session *s, struct span key, struct buf *out, size_t max,
		     uint64_t *head)
{
	struct look l = {out, max, 0};

	pthread_mutex_lock(&s->lock);
	state_each_of(&s->state, key, look_at, &l);
	*head = s->log.head;
	pthread_mutex_unlock(&s->lock);
	return l.n;
}

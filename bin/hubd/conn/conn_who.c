/* Whose a connection becomes, and with which words it goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn_impl.h"

int conn_identify(struct conn *c, struct identity *id)
{
	if (conn_share_take(c, id) < 0)
		return -EBUSY;
	identity_ref(id);
	identity_unref(c->identity);
	c->identity = id;
	c->warned = false;
	if (id && identity_end_s(id))
		conn_check(c);
	return 0;
}

void conn_given(struct conn *c)
{
	c->given_s = (uint32_t)(worker_now_ms(c->worker) / 1000);
	conn_check(c);
}

void conn_close_saying(struct conn *c, enum close_code code, const char *reason)
{
	struct conn_self *self = c->closing ? NULL : conn_self(c);
	char *copy = self ? strdup(reason) : NULL;

	if (copy) {
		free(self->reason);
		self->reason = copy;
	}
	conn_close(c, code, copy ? copy : "sent away");
}

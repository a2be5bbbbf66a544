/* Who connections are, and what only some have. Invariant: connections that are the same one have
 * nothing of their own for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn_impl.h"
#include "wire/blob.h"

struct conn_self *conn_self(struct conn *c)
{
	if (!c->self)
		c->self = calloc(1, sizeof(*c->self));
	return c->self;
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || memcmp(a.p, b.p, a.len) == 0);
}

static void drop_share(struct conn *c)
{
	struct shares *shares = c->worker->conns->shares;

	if (c->counted)
		shares_drop_of(shares, shares_user(shares, identity_sub(c->identity)));
	c->counted = false;
}

int conn_share_take(struct conn *c, const struct identity *id)
{
	const struct conn_settings *set = c->worker->conns;
	struct span user = identity_sub(id);
	share at = SHARE_NONE;

	if (c->counted && same(user, identity_sub(c->identity)))
		return 0;
	if (user.len && set->max_per_user &&
	    shares_take(set->shares, shares_user(set->shares, user), set->max_per_user, &at) < 0) {
		counter_add_at(&c->worker->counters, refused, REFUSED_USER, 1);
		conn_log(c, ERR_INFO, JOURNAL_share, "its user has as many connections as he may");
		return -EBUSY;
	}
	drop_share(c);
	c->counted = at != SHARE_NONE;
	return 0;
}

int conn_set_info(struct conn *c, struct blob *info, uint32_t said_at)
{
	struct conn_self *self = info ? conn_self(c) : c->self;

	if (!self)
		return info ? -ENOMEM : 0;
	blob_ref(info);
	blob_unref(self->info);
	self->info = info;
	self->said_at = said_at;
	return 0;
}

void conn_self_free(struct conn *c)
{
	drop_share(c);
	identity_unref(c->identity);
	c->identity = NULL;
	if (!c->self)
		return;
	blob_unref(c->self->info);
	free(c->self->acting);
	free(c->self->reason);
	free(c->self);
}

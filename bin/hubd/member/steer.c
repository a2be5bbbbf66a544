/* Invariant: an order is in one place at a time, at a worker on its way or at home, where it ends
 * when all that it has started has come back. */
#include "member/steer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "member/steer_order.h"
#include "session/limits.h"

static bool delete_session(struct order *o)
{
	const struct whom *w = &o->st.whom;
	struct registry *registry = o->conn->worker->members->registry;

	o->job = (struct archive_job){.done = {.run = order_archived}, .worker = o->conn->worker};
	if (registry_remove(registry, (struct span){w->session, w->session_len}, &o->removal,
			    &o->job, &o->there) < 0) {
		order_fail(o, HUB_INTERNAL, "out of memory");
		return false;
	}
	o->asked = registry->env->archive != NULL;
	o->due += o->asked;
	return true;
}

/* Tokens of a user are good for nothing, also where he is not connected just now. */
static void end_named(struct order *o)
{
	const struct members *m = o->conn->worker->members;
	uint64_t ttl_ms = o->conn->worker->conns->resume_ms, client;
	struct span user = order_user(o);

	if (order_client(o, &client)) {
		ended_client(m->ended, client, o->ended_ms, ttl_ms);
		if (m->registry->env->archive && buf_put(&o->clients, &client, sizeof(client)) < 0)
			o->forgets = true;
	}
	if (user.len)
		ended_user(m->ended, user, o->ended_ms, ttl_ms);
}

static bool ban(struct order *o)
{
	struct bans *bans = o->conn->worker->members->bans;
	uint64_t now_ms = worker_now_ms(o->conn->worker);
	uint64_t until_ms = o->st.seconds > 0 ? now_ms + (uint64_t)(o->st.seconds * 1000) + 1 : 0;
	int r = bans_add(bans, &o->st.whom, now_ms, until_ms);

	if (r == -ENOSPC)
		order_fail(o, HUB_BANS_FULL, "there are as many bans as the hub keeps");
	else if (r < 0)
		order_fail(o, HUB_INTERNAL, "out of memory");
	else if (o->counted == STEER_BANNED)
		end_named(o);
	if (r == 0)
		order_keep(o, until_ms ? until_ms - now_ms + clock_wall_ms() : 0);
	return r == 0;
}

static void unban(struct order *o)
{
	if (!bans_remove(o->conn->worker->members->bans, &o->st.whom,
			 worker_now_ms(o->conn->worker)))
		order_fail(o, HUB_NOT_FOUND, "there is no such ban");
	else
		order_keep(o, 0);
}

static void list_bans(struct order *o)
{
	struct steer_result *r = &o->result;
	struct ban_listed *all = malloc(o->st.max * sizeof(*all));
	size_t n = all ? bans_list(o->conn->worker->members->bans, o->st.from,
				   worker_now_ms(o->conn->worker), all, o->st.max, &r->more)
		       : 0;
	int status = all ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && status == 0; i++) {
		r->next = all[i].number;
		r->more |= r->list.len >= STEER_LIST_BYTES;
		if (r->list.len >= STEER_LIST_BYTES)
			break;
		if (r->n++)
			status = buf_puts(&r->list, ",");
		if (status == 0)
			status = o->st.put_ban(&r->list, &all[i]);
		r->next++;
	}
	free(all);
	if (status < 0)
		order_fail(o, HUB_INTERNAL, "out of memory");
}

/* A look makes no session. */
static void limit(struct order *o)
{
	struct registry *registry = o->conn->worker->members->registry;
	struct span name = {o->st.whom.session, o->st.whom.session_len};
	enum hub_code code = HUB_NOT_FOUND;
	struct session *s = o->st.limits_given ? registry_use(registry, name, &code)
					       : registry_find(registry, name);
	int r = 0;

	if (!s) {
		order_fail(o, code,
			   code == HUB_NOT_FOUND  ? "there is no such session in memory"
			   : code == HUB_HUB_FULL ? "the hub has as many sessions as it allows"
						  : "out of memory");
		return;
	}
	session_get_limits(s, &o->result.limits);
	for (int i = 0; i < STEER_LIMITS; i++)
		if (o->st.limits_given & 1u << i)
			*steer_limit_of(&o->result.limits, (enum steer_limit)i) =
			    *steer_limit_of(&o->st.limits, (enum steer_limit)i);
	if (o->st.limits_given)
		r = registry_limit(registry, s, &o->result.limits);
	if (r < 0)
		order_fail(o, r == -ENOENT ? HUB_NOT_FOUND : HUB_INTERNAL,
			   r == -ENOENT ? "the session was deleted" : "out of memory");
	else if (o->st.limits_given)
		order_keep(o, 0);
	member_release(o->conn, s);
}

/* Whether a walk is to follow. */
static bool begin(struct order *o)
{
	switch (o->st.verb) {
	case STEER_CONNECTIONS:
		if (o->st.elsewhere) {
			order_ask(o);
			return false;
		}
		return o->st.from_worker < o->conn->worker->all->n;
	case STEER_CLOSE:
		end_named(o);
		order_tell(o);
		return true;
	case STEER_BAN:
		return ban(o);
	case STEER_DELETE:
		return delete_session(o);
	case STEER_BANS:
		list_bans(o);
		break;
	case STEER_UNBAN:
		unban(o);
		break;
	case STEER_LIMIT:
		limit(o);
		break;
	case STEER_VERBS:
		break;
	}
	return false;
}

void steer(struct conn *c, const struct steering *st)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o) {
		st->done(c, st,
			 &(struct steer_result){.code = HUB_INTERNAL, .why = "out of memory"});
		return;
	}
	o->st = *st;
	o->conn = c;
	o->ended_ms = clock_wall_ms();
	order_word(o);
	conn_busy(c);
	conn_hold(c);
	if (begin(o)) {
		order_walk(o, o->st.verb == STEER_CONNECTIONS ? o->st.from_worker : 0);
		return;
	}
	o->due++;
	order_home(o);
}

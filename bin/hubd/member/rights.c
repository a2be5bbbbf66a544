/* What a client may do, and who it is to others. Every dialect asks here, and says what it is told.
 * Invariant: a seat is in a session that its connection may join, and is blind where it may not
 * read, but for those that rules granted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "member/member.h"
#include "session/members.h"
#include "session/seek.h"
#include "wire/blob.h"

static enum hub_code refuse(struct conn *c, enum hub_code code, const char *right,
			    struct span session, const char **why)
{
	char *text = c->worker->members->why;

	if (code == HUB_UNAUTHENTICATED)
		snprintf(text, RIGHTS_WHY_MAX, "authenticate first: no token was shown");
	else if (code == HUB_RATE_LIMITED)
		snprintf(text, RIGHTS_WHY_MAX,
			 "more messages a second than the token allows (rate)");
	else if (session.p)
		snprintf(text, RIGHTS_WHY_MAX,
			 "the token does not give the right %s in session %.*s", right,
			 (int)session.len, session.p);
	else
		snprintf(text, RIGHTS_WHY_MAX, "the token does not give the right %s", right);
	*why = text;
	return code;
}

/* With any: whatever may be published in the session. */
static enum hub_code may_publish(struct conn *c, bool any, struct span session, struct span type,
				 const char **why)
{
	const struct identity *id = conn_identity(c);
	double rate = identity_rate(id);
	char text[ENVELOPE_TYPE_MAX + 32];

	if (!any && !identity_may(id, RIGHT_PUBLISH, session))
		return refuse(c, HUB_FORBIDDEN, right_name(RIGHT_PUBLISH), session, why);
	if (!identity_may(id, RIGHT_TYPES, type)) {
		snprintf(text, sizeof(text), "%s for %.*s", right_name(RIGHT_TYPES), (int)type.len,
			 type.p);
		return refuse(c, HUB_FORBIDDEN, text, session, why);
	}
	if (rate > 0 && !meter_rate(c, rate))
		return refuse(c, HUB_RATE_LIMITED, "", session, why);
	return HUB_OK;
}

enum hub_code member_may(struct conn *c, enum right right, struct span session, struct span type,
			 const char **why)
{
	struct identity *id = conn_identity(c);

	if (!id && (right != RIGHT_ADMIN || c->door->trusted))
		return HUB_OK;
	if (id == &identity_none)
		return refuse(c, HUB_UNAUTHENTICATED, "", session, why);
	if (id && (right == RIGHT_PUBLISH || right == RIGHT_TYPES))
		return may_publish(c, right == RIGHT_TYPES, session, type, why);
	if (id && identity_may(id, right, session))
		return HUB_OK;
	return refuse(c, HUB_FORBIDDEN, right_name(right), session, why);
}

#define REFUSED "token refused: %s%s%s"

static void log_ban(const struct identity *id, const struct address *a, const char *why)
{
	char peer[ADDRESS_TEXT], user[TOKEN_SUB_MAX + 1];
	struct journal_who who = {.peer = a ? address_text(a, peer) : NULL};
	struct span sub = identity_sub(id);

	if (sub.len) {
		snprintf(user, sizeof(user), "%.*s", (int)sub.len, sub.p);
		who.user = user;
	}
	journal_say(ERR_DEBUG, JOURNAL_refuse, &who, "%s", why);
}

enum hub_code member_admits(struct worker *w, const struct identity *id, const struct address *a,
			    const char **why)
{
	enum ban ban = bans_find(w->members->bans, id, a, worker_now_ms(w));
	bool revoked = ban == BAN_TOKEN || ban == BAN_ISSUED;

	if (ban == BAN_NONE)
		return HUB_OK;
	counter_add(&w->counters, bans_met, 1);
	counter_add(&w->counters, tokens_refused, revoked);
	*why = revoked		    ? "the token was revoked"
	       : ban == BAN_ADDRESS ? "the address is banned"
				    : "the user is banned";
	log_ban(id, a, *why);
	return revoked ? HUB_UNAUTHORIZED : HUB_BANNED;
}

struct identity *member_verify(struct worker *w, struct conn *c, const struct auth *auth,
			       struct span token)
{
	struct identity *id = NULL;
	const char *wrong;
	enum token_error e = identity_verify(auth, token, (double)worker_wall_ms(w) / 1000,
					     worker_now_ms(w), &id, &wrong);
	bool named = e == TOKEN_BAD_CLAIM;

	if (!e)
		return id;
	counter_add(&w->counters, tokens_refused, 1);
	if (c)
		conn_log(c, ERR_DEBUG, JOURNAL_refuse, REFUSED, token_error_name(e),
			 named ? ": " : "", named ? wrong : "");
	else
		journal_say(ERR_DEBUG, JOURNAL_refuse, &(struct journal_who){.door = "http"},
			    REFUSED, token_error_name(e), named ? ": " : "", named ? wrong : "");
	return NULL;
}

/* --- what others see */

/* said: `,"info":...`, or empty. */
static int show(struct conn *c, struct span said)
{
	struct blob *known = identity_shown(conn_identity(c)), *shown = NULL;
	struct buf *b = worker_scratch(c->worker);
	uint32_t at = known ? (uint32_t)known->len : 0;
	int r = 0;

	if (said.len &&
	    ((r = buf_put(b, known ? known->text : "", at)) < 0 ||
	     (r = buf_put(b, said.p, said.len)) < 0 || !(shown = blob_new(b->data, b->len))))
		r = -ENOMEM;
	worker_scratch_done(c->worker, b);
	if (r == 0)
		r = conn_set_info(c, shown, at);
	blob_unref(shown);
	for (struct seat *seat = c->seats; r == 0 && seat; seat = seat->next)
		session_set_info(&seat->m, conn_info(c));
	return r;
}

int member_show(struct conn *c, struct span info)
{
	struct buf *b = worker_scratch(c->worker);
	int r = buf_puts(b, ",\"info\":");

	if (r == 0)
		r = buf_put(b, info.p, info.len);
	if (r == 0)
		r = show(c, (struct span){b->data, b->len});
	worker_scratch_done(c->worker, b);
	return r;
}

/* --- who it is */

static bool same_user(const struct identity *a, const struct identity *b)
{
	struct span x = identity_sub(a), y = identity_sub(b);

	return x.len == y.len && (!x.len || memcmp(x.p, y.p, x.len) == 0);
}

/* The seats, by what their connection may now. */
static void review(struct conn *c)
{
	struct session_joined joined;
	struct seat *seat, *next;
	const char *why;

	for (seat = c->seats; seat && !c->closing; seat = next) {
		struct span session = session_name(seat->m.session);
		bool blind = member_may(c, RIGHT_READ, session, (struct span){0}, &why) != HUB_OK;
		enum hub_code code = member_may(c, RIGHT_JOIN, session, (struct span){0}, &why);

		next = seat->next;
		if (seat->granted)
			continue;
		/* Either way it begins at the head. */
		if (blind != seat->blind &&
		    session_seek(&seat->m, &(struct session_from){.opened = true, .bare = true},
				 &joined) != HUB_OK)
			conn_close(c, CLOSE_INTERNAL, "out of memory");
		seat->blind = blind;
		if (code == HUB_OK || seat->leaving)
			continue;
		conn_error(c, code, why, (struct span){0});
		while (next && next->above == seat)
			next = next->next; /* its rooms go with it */
		deliver_leave(seat);
	}
}

enum hub_code member_identify(struct conn *c, struct identity *id, const char **why)
{
	struct identity *before = conn_identity(c);
	struct blob *old = c->self ? blob_ref(c->self->info) : NULL;
	struct span said = {0};
	int r;

	if (old)
		said = (struct span){old->text + c->self->said_at, old->len - c->self->said_at};
	*why = "out of memory";
	if (before != &identity_none && (before || c->seats) && !same_user(before, id)) {
		blob_unref(old);
		*why = "this connection is another user's";
		return HUB_FORBIDDEN;
	}
	r = conn_identify(c, id);
	if (r == 0)
		r = show(c, said);
	blob_unref(old);
	if (r == -EBUSY) {
		*why = USER_FULL;
		return HUB_HUB_FULL;
	}
	if (r < 0)
		return HUB_INTERNAL;
	review(c);
	return HUB_OK;
}

/* Messages to one client. They are no records: they go to the receiver's worker by mail, and from
 * there into its connection's queue. */
#include <stdlib.h>
#include <string.h>

#include "member/member_impl.h"
#include "session/away.h"
#include "session/members.h"
#include "wire/id.h"

/* Bytes on their way to one worker, each receiver counted. */
#define DIRECT_MAX ((size_t)64 << 20)

struct direct {
	struct mail mail;	 /* first */
	struct session *session; /* a reference */
	struct blob *blob;	 /* a reference */
	uint64_t client;
	uint16_t user_len; /* not 0: to all of this user instead */
	char user[];
};

/* What a member may have before it that it has not read, where the next is refused: less than what
 * makes it count as slow, so that nobody is sent away for what others send it. */
#define MEMBER_MAX (256 * 1024U)

static size_t weight(const struct direct *d)
{
	return sizeof(*d) + d->user_len + d->blob->len;
}

static void hand_over(struct member *m, const struct direct *d)
{
	struct conn *c = seat_of(m)->conn;
	struct buf *b;
	int r;

	seat_of(m)->direct += (uint32_t)weight(d);
	if (!c->door->dialect->place) {
		conn_send(c, d->blob->text, d->blob->len);
		return;
	}
	b = worker_scratch(c->worker);
	r = buf_put(b, d->blob->text, d->blob->len - 1); /* without the brace */
	if (r == 0)
		r = c->door->dialect->place(b, seat_of(m));
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "}") : r);
}

/* One that has not read those before goes without: nobody is sent away for what others send. */
static void to_one_of_user(struct member *m, void *arg)
{
	const struct direct *d = arg;

	if (atomic_load_explicit(&m->direct, memory_order_relaxed) >= MEMBER_MAX) {
		counter_add(&seat_of(m)->conn->worker->counters, refused_share, 1);
		return;
	}
	atomic_fetch_add_explicit(&m->direct, (uint32_t)weight(d), memory_order_relaxed);
	hand_over(m, d);
}

static void on_direct(struct worker *w, struct mail *mail)
{
	struct direct *d = (struct direct *)mail;
	struct member *m;

	atomic_fetch_sub_explicit(&w->members->direct, weight(d), memory_order_relaxed);
	if (d->user_len)
		session_each_of_user(d->session, (struct span){d->user, d->user_len}, w->index,
				     to_one_of_user, d);
	else if ((m = session_find(d->session, d->client, 0, w->index)))
		hand_over(m, d);
	session_unref(d->session);
	blob_unref(d->blob);
	free(d);
}

void direct_taken(struct conn *c)
{
	struct seat *seat;

	for (seat = c->seats; seat; seat = seat->next) {
		if (!seat->direct)
			continue;
		session_direct_done(&seat->m, seat->direct);
		seat->direct = 0;
	}
}

/* A worker that does not keep up with what others send to its clients is not to take all memory. */
static bool take_room(struct worker *w, size_t bytes)
{
	atomic_size_t *direct = &w->members->direct;

	if (atomic_fetch_add_explicit(direct, bytes, memory_order_relaxed) <= DIRECT_MAX)
		return true;
	atomic_fetch_sub_explicit(direct, bytes, memory_order_relaxed);
	return false;
}

/* To one worker: the client, or where user is not empty those of that user. */
static enum hub_code post(struct session *s, struct worker *w, uint64_t client, struct span user,
			  struct blob *blob)
{
	struct direct *d = malloc(sizeof(*d) + user.len);

	if (!d)
		return HUB_INTERNAL;
	*d = (struct direct){.mail = {.run = on_direct},
			     .blob = blob,
			     .client = client,
			     .user_len = (uint16_t)user.len};
	if (user.len)
		memcpy(d->user, user.p, user.len);
	if (!take_room(w, weight(d))) {
		free(d);
		return HUB_HUB_FULL;
	}
	d->session = session_ref(s);
	blob_ref(blob);
	worker_post(w, &d->mail);
	return HUB_OK;
}

/* here: no other hub is to be asked. */
static enum hub_code to_user(struct session *s, struct span user, struct blob *blob, bool here)
{
	uint64_t workers = session_locate_user(s, user);
	enum hub_code code = workers ? HUB_OK : HUB_NOT_MEMBER, got;

	if (!here && session_is_away(s, 0, user))
		code = session_tell_away(s, 0, user, (struct span){blob->text, blob->len});

	for (unsigned i = 0; workers >> i; i++) {
		if (!(workers >> i & 1))
			continue;
		got = post(s, s->env->workers->at[i], 0, user, blob);
		code = got == HUB_OK ? code : got;
		if (i == WORKERS_MAX - 1)
			break; /* a shift by all bits would be undefined */
	}
	return code;
}

static enum hub_code to_client(struct session *s, uint64_t id, struct blob *blob)
{
	uint32_t bytes = (uint32_t)(sizeof(struct direct) + blob->len);
	bool full = false;
	struct worker *w = session_locate(s, id, bytes, MEMBER_MAX, &full);
	enum hub_code code;

	if (!w)
		return full ? HUB_RATE_LIMITED : HUB_NOT_MEMBER;
	code = post(s, w, id, (struct span){0}, blob);
	if (code != HUB_OK)
		session_unlocate(s, id, bytes);
	return code;
}

enum hub_code member_direct(struct session *s, struct span client, struct blob *blob)
{
	enum hub_code code;
	uint64_t id;

	if (client.len > 1 && *client.p == '@')
		return to_user(s, (struct span){client.p + 1, client.len - 1}, blob, false);
	if (!id_parse(client.p, client.len, &id))
		return HUB_NOT_MEMBER;
	code = to_client(s, id, blob);
	if (code == HUB_NOT_MEMBER && session_is_away(s, id, (struct span){"", 0}))
		code = session_tell_away(s, id, (struct span){"", 0},
					 (struct span){blob->text, blob->len});
	return code;
}

void direct_from_afar(struct session *s, uint64_t client, struct span user, struct span text)
{
	struct blob *blob = blob_new(text.p, text.len);

	if (blob && user.len)
		to_user(s, user, blob, true);
	else if (blob)
		to_client(s, client, blob);
	blob_unref(blob);
}

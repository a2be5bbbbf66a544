/* Messages to one client. They are no records: they go to the receiver's worker by mail, and from
 * there into its connection's queue. */
#include <stdlib.h>

#include "member/member.h"
#include "wire/id.h"

/* Bytes on their way to one worker, each receiver counted. */
#define DIRECT_MAX ((size_t)64 << 20)

struct direct {
	struct mail mail;	 /* first */
	struct session *session; /* a reference */
	struct blob *blob;	 /* a reference */
	uint64_t client;
};

static size_t weight(const struct direct *d)
{
	return sizeof(*d) + d->blob->len;
}

static void on_direct(struct worker *w, struct mail *mail)
{
	struct direct *d = (struct direct *)mail;
	struct member *m = session_find(d->session, d->client, 0, w->index);

	atomic_fetch_sub_explicit(&w->members->direct, weight(d), memory_order_relaxed);
	if (m)
		conn_send(seat_of(m)->conn, d->blob->text, d->blob->len);
	session_unref(d->session);
	blob_unref(d->blob);
	free(d);
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

enum hub_code member_direct(struct session *s, struct span client, struct blob *blob)
{
	struct direct *d;
	struct worker *w;
	uint64_t id;

	w = id_parse(client.p, client.len, &id) ? session_locate(s, id) : NULL;
	if (!w)
		return HUB_NOT_MEMBER;
	d = malloc(sizeof(*d));
	if (!d)
		return HUB_INTERNAL;
	*d = (struct direct){.mail = {.run = on_direct}, .blob = blob, .client = id};
	if (!take_room(w, weight(d))) {
		free(d);
		return HUB_HUB_FULL;
	}
	d->session = session_ref(s);
	blob_ref(blob);
	worker_post(w, &d->mail);
	return HUB_OK;
}

/* What sessions tell: of new records, of who came and went, of connections that are replaced, and
 * of new sessions. A text is made once for all members of a worker that speak alike. */
#include "member/member_impl.h"
#include "member/watch.h"
#include "session/members.h"

/* A text that is made when the first connection wants it, and anew for one of another dialect, or
 * that is told of it as of a room of another session. */
struct told {
	struct worker *w;
	struct buf *text;
	const struct dialect *dialect;
	const char *above;
	int status;
};

static struct told told_begin(struct worker *w)
{
	return (struct told){.w = w, .text = worker_scratch(w)};
}

/* Whether the text is to be made for this one. */
static bool told_new(struct told *t, const struct seat *seat)
{
	const struct dialect *dialect = seat->conn->door->dialect;

	if (t->dialect == dialect && t->above == seat_above(seat))
		return false;
	t->dialect = dialect;
	t->above = seat_above(seat);
	t->text->len = 0;
	return true;
}

static void told_send(struct told *t, struct conn *c)
{
	if (t->status == 0)
		conn_send(c, t->text->data, t->text->len);
}

/* A member that has not read what it was told before is told how many there are, when it has, and
 * not who: else those who come and go would make it count as slow. */
static bool is_behind(const struct conn *c)
{
	return c->out.len > CONN_OUT_PAUSE;
}

/* Who is there. */
static bool may_know(const struct conn *c)
{
	const struct identity *id = conn_identity(c);

	return !id || identity_may(id, RIGHT_PRESENCE, (struct span){0});
}

static void on_presence(struct worker *w, struct session *s, const struct session_change *change)
{
	struct shard *shard = session_shard(s, w->index);
	struct told t = told_begin(w);
	struct member *m;

	for (m = shard ? shard_first(shard) : NULL; m; m = shard_next(shard, m)) {
		struct conn *c = seat_of(m)->conn;

		if ((int32_t)(change->version - m->version) <= 0 || !c->door->dialect->presence ||
		    !may_know(c))
			continue; /* joined later, or does not care, or may not know */
		if (is_behind(c)) {
			session_status_due(shard);
			continue;
		}
		if (told_new(&t, seat_of(m)))
			t.status = t.dialect->presence(t.text, s->id, t.above, change);
		told_send(&t, c);
	}
	worker_scratch_done(w, t.text);
}

static void on_status(struct worker *w, struct session *s)
{
	struct shard *shard = session_shard(s, w->index);

	shard->status_next = w->members->status;
	w->members->status = shard;
}

static void tell_status(struct worker *w, struct shard *shard)
{
	struct session *s = shard->session;
	struct told t = told_begin(w);
	struct member *m;

	session_status_told(shard);
	for (m = shard_first(shard); m; m = shard_next(shard, m)) {
		struct conn *c = seat_of(m)->conn;

		if (!c->door->dialect->status || !may_know(c))
			continue;
		if (is_behind(c)) {
			session_status_due(shard);
			continue;
		}
		if (told_new(&t, seat_of(m)))
			t.status = t.dialect->status(t.text, s->id, t.above, session_user_count(s));
		told_send(&t, c);
		/* At once: queued for all, it would take more memory than they have otherwise. */
		deliver_queue(c);
	}
	worker_scratch_done(w, t.text);
}

void member_second(struct worker *w)
{
	selections_trim(w);
	while (w->members->status) {
		struct shard *shard = w->members->status;

		w->members->status = shard->status_next;
		tell_status(w, shard);
		session_unref(shard->session);
	}
}

static void on_replaced(struct worker *w, struct session *s, uint64_t client, uint32_t version)
{
	struct member *m = session_find(s, client, version, w->index);

	if (m)
		conn_close(seat_of(m)->conn, CLOSE_REPLACED, SEAT_REPLACED);
}

static void on_parted(struct worker *w, struct session *s, bool deleted)
{
	struct shard *shard = session_shard(s, w->index);
	struct member *m, *next;

	for (m = shard ? shard->members : NULL; m; m = next) {
		next = m->shard_next;
		if (deleted)
			conn_close_saying(seat_of(m)->conn, CLOSE_DELETED,
					  "the session was deleted");
		else
			conn_close(seat_of(m)->conn, CLOSE_RESTART, "the session begins anew");
	}
}

static void on_sessions(struct worker *w)
{
	struct watch *watch;

	for (watch = w->members->watches; watch; watch = watch->next)
		watch_later(watch);
}

static void on_timed(struct worker *w, struct session *s)
{
	registry_time(w->members->registry, s);
}

const struct session_events member_events = {
    .wake = deliver_wake,
    .presence = on_presence,
    .status = on_status,
    .replaced = on_replaced,
    .timed = on_timed,
    .parted = on_parted,
    .direct = direct_from_afar,
    .sessions = on_sessions,
};

void members_free(struct worker *w)
{
	while (w->members->status) {
		struct shard *shard = w->members->status;

		w->members->status = shard->status_next;
		session_unref(shard->session);
	}
	paces_free(w);
	for (unsigned i = 0; i < SPAN_CACHES; i++) {
		buf_free(&w->members->cache[i].bytes);
		free(w->members->cache[i].end);
	}
	buf_free(&w->members->some);
	buf_free(&w->members->own.bytes);
	deflation_free(&w->members->deflation);
}

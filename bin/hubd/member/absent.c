/* Invariant: each is in the bucket of its client and in the list of all, the youngest first. */
#include <stdlib.h>
#include <string.h>

#include "member/absent_impl.h"
#include "member/member_impl.h"
#include "session/members.h"

struct absents *absents_new(uint64_t wait_ms)
{
	struct absents *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	pthread_mutex_init(&all->lock, NULL);
	all->wait_ms = wait_ms;
	return all;
}

static struct absent **bucket_of(struct absents *all, uint64_t client)
{
	return &all->bucket[client & (ABSENT_BUCKETS - 1)];
}

static void unlink_one(struct absents *all, struct absent *a)
{
	struct absent **link = bucket_of(all, a->client);

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	*(a->younger ? &a->younger->older : &all->youngest) = a->older;
	*(a->older ? &a->older->younger : &all->oldest) = a->younger;
	all->bytes -= a->bytes;
}

static void remove_one(struct absents *all, struct absent *a)
{
	unlink_one(all, a);
	free(a);
}

void absents_free(struct absents *all)
{
	if (!all)
		return;
	while (all->oldest)
		remove_one(all, all->oldest);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static struct absent *find(struct absents *all, uint64_t client, struct span session)
{
	struct absent *a = *bucket_of(all, client);

	while (a && (a->client != client || a->log->id_len != session.len ||
		     memcmp(a->log->id, session.p, session.len) != 0))
		a = a->next;
	return a;
}

void absent_add(struct absents *all, struct absent *a, uint64_t now_ms)
{
	struct absent **first = bucket_of(all, a->client), *before;

	a->until_ms = now_ms + ABSENT_MS;
	before = find(all, a->client, (struct span){a->log->id, a->log->id_len});
	if (before)
		remove_one(all, before);
	a->next = *first;
	*first = a;
	a->younger = NULL;
	a->older = all->youngest;
	*(a->older ? &a->older->younger : &all->oldest) = a;
	all->youngest = a;
	all->bytes += a->bytes;
	while (all->bytes > ABSENT_BYTES || all->oldest->until_ms < now_ms)
		remove_one(all, all->oldest);
}

static void put_log(struct absent_log *to, const struct trail_log *log)
{
	const struct member *m = &log->seat->m;

	*to = (struct absent_log){.place = session_place(m->session, 0),
				  .base = log->base,
				  .begin = log->begin,
				  .number = log->number,
				  .echo = m->echo,
				  .id_len = (uint8_t)m->session->id_len};
	memcpy(to->id, m->session->id, m->session->id_len);
}

void absent_note(const struct seat *seat)
{
	const struct trail *t = seat_trail(seat);
	struct worker *w = seat->conn->worker;
	struct absents *all = w->members->absents;
	struct absent *a;
	size_t bytes;

	if (!t || !all || seat->leaving)
		return;
	bytes = sizeof(*a) + t->logs * sizeof(*a->log) + t->n * sizeof(*a->step);
	a = malloc(bytes);
	if (!a)
		return;
	*a = (struct absent){
	    .client = seat->m.client, .bytes = bytes, .forgot = t->forgot, .steps = t->n};
	a->step = (struct trail_step *)(void *)&a->log[t->logs];
	for (unsigned i = 0; i < a->steps; i++)
		a->step[i] = t->step[(t->first + i) & (t->size - 1)];
	for (unsigned i = 0; i < t->logs; i++)
		if (!t->log[i].seat->leaving)
			put_log(&a->log[a->logs++], &t->log[i]);
	pthread_mutex_lock(&all->lock);
	absent_add(all, a, worker_now_ms(w));
	pthread_mutex_unlock(&all->lock);
}

struct absent *absent_take(struct members *members, uint64_t client, struct span session)
{
	struct absents *all = members->absents;
	struct absent *a;

	if (!all)
		return NULL;
	pthread_mutex_lock(&all->lock);
	a = find(all, client, session);
	if (a)
		unlink_one(all, a);
	pthread_mutex_unlock(&all->lock);
	return a;
}

/* --- how far it was */

static struct absent_log *log_of(struct absent *a, uint32_t number)
{
	for (unsigned i = 0; i < a->logs; i++)
		if (a->log[i].number == number)
			return &a->log[i];
	return NULL;
}

/* Whether it has had nothing since the trail began. */
static bool is_at_begin(const struct absent *a, const struct log_place *last)
{
	for (unsigned i = 0; i < a->logs && !a->forgot; i++)
		if (a->log[i].place.epoch == last->epoch && a->log[i].base == last->seq + 1)
			return true;
	return false;
}

/* Goes on from the bases to the step that has the record. Where the first ones were forgotten, what
 * the bases hold may have come after it. */
bool absent_reach(struct absent *a, const struct log_place *last)
{
	uint64_t next = last->seq + 1;
	bool found = is_at_begin(a, last);

	for (unsigned i = 0; i < a->steps && !found; i++) {
		const struct trail_step *step = &a->step[i];
		struct absent_log *log = log_of(a, step->number);

		if (!log)
			continue;
		found = log->place.epoch == last->epoch && step->cursor >= next;
		if (found && (log->base >= next || log->begin > next))
			return false;
		log->base = found ? next : step->cursor;
	}
	for (unsigned i = 0; i < a->logs; i++) {
		if (!a->log[i].base)
			return false;
		a->log[i].place.seq = a->log[i].base - 1;
	}
	return found;
}

/* --- a connection that is not lost yet */

struct fetch {
	struct mail mail; /* first */
	struct conn *conn;
	struct session *session; /* a reference */
	uint64_t client;
	void (*back)(struct conn *c, struct span text);
	size_t len;
	char text[];
};

/* Of the one that comes back. */
static void fetched(struct worker *w, struct mail *mail)
{
	struct fetch *f = (struct fetch *)mail;
	struct conn *c = f->conn;

	(void)w;
	conn_release(c); /* it may have to wait again */
	if (!c->closing)
		f->back(c, (struct span){f->text, f->len});
	session_unref(f->session);
	free(f);
	conn_idle(c);
}

void absent_end(struct worker *w, struct session *s, uint64_t client)
{
	struct member *m = session_find(s, client, 0, w->index);
	struct conn *old = m ? seat_of(m)->conn : NULL;

	for (const struct seat *seat = old && !old->closing ? old->seats : NULL; seat;
	     seat = seat->next)
		absent_note(seat);
	if (old)
		conn_close(old, CLOSE_REPLACED, SEAT_REPLACED);
}

struct worker *absent_locate(struct session *s, uint64_t client)
{
	bool full;

	return session_locate(s, client, 0, UINT32_MAX, &full);
}

/* Of the other one. */
static void replace(struct worker *w, struct mail *mail)
{
	struct fetch *f = (struct fetch *)mail;

	absent_end(w, f->session, f->client);
	f->mail.run = fetched;
	worker_post(f->conn->worker, &f->mail);
}

bool absent_fetch(struct conn *c, struct span session, uint64_t client, struct span text,
		  void (*back)(struct conn *c, struct span text))
{
	struct registry *registry = c->worker->members->registry;
	struct session *s = registry_find(registry, session);
	struct worker *w = NULL;
	struct fetch *f = NULL;

	if (s)
		w = absent_locate(s, client);
	if (w)
		f = malloc(sizeof(*f) + text.len);
	if (f) {
		*f = (struct fetch){.mail = {.run = replace},
				    .conn = c,
				    .session = session_ref(s),
				    .client = client,
				    .back = back,
				    .len = text.len};
		memcpy(f->text, text.p, text.len);
		conn_busy(c);
		conn_hold(c);
		worker_post(w, &f->mail);
	}
	if (s)
		registry_release(registry, s, worker_now_ms(c->worker));
	return f != NULL;
}

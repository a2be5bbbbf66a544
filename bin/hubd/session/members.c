/* Who is in a session. Invariant: a member stands in the table and in its worker's shard, or in
 * neither; what members are told of each other comes in the order of the member list's versions. */
#include <stdlib.h>

#include "session/contest.h"
#include "session/session_impl.h"

/* --- shards, under the lock */

static void list_add(struct shard *shard, struct member *m)
{
	struct member **list = m->ticks ? &shard->ticking : &shard->members;

	m->shard_next = *list;
	m->shard_link = list;
	if (*list)
		(*list)->shard_link = &m->shard_next;
	*list = m;
}

static void list_remove(struct member *m)
{
	*m->shard_link = m->shard_next;
	if (m->shard_next)
		m->shard_next->shard_link = m->shard_link;
}

static void shard_add(struct shard *shard, struct member *m)
{
	list_add(shard, m);
	atomic_fetch_add_explicit(&shard->n, 1, memory_order_relaxed);
}

static void shard_remove(struct shard *shard, struct member *m)
{
	list_remove(m);
	if (atomic_fetch_sub_explicit(&shard->n, 1, memory_order_relaxed) == 1)
		atomic_store_explicit(&shard->low, UINT64_MAX, memory_order_relaxed);
}

void session_set_ticks(struct member *m, bool ticks)
{
	if (m->ticks == ticks)
		return;
	list_remove(m);
	m->ticks = ticks;
	list_add(session_shard(m->session, m->worker), m);
}

/* --- telling the workers, under the lock, so that each hears of changes in their order */

struct change_mail {
	struct mail mail;
	struct session *session; /* a reference */
	struct session_change change;
};

static void on_change(struct worker *w, struct mail *mail)
{
	struct change_mail *m = (struct change_mail *)mail;

	m->session->env->events->presence(w, m->session, &m->change);
	session_unref(m->session);
	free(m);
}

struct replaced_mail {
	struct mail mail;
	struct session *session; /* a reference */
	uint64_t client;
	uint32_t version;
};

static void on_replaced(struct worker *w, struct mail *mail)
{
	struct replaced_mail *m = (struct replaced_mail *)mail;

	m->session->env->events->replaced(w, m->session, m->client, m->version);
	session_unref(m->session);
	free(m);
}

/* One worker hears of one change, as far as there is memory. */
static void post_change(struct session *s, unsigned i, const struct session_change *change)
{
	struct change_mail *m = malloc(sizeof(*m));

	if (!m)
		return;
	m->mail.run = on_change;
	m->session = session_ref(s);
	m->change = *change;
	worker_post(s->env->workers->at[i], &m->mail);
}

/* One worker hears that the number has changed, if it was not told so yet. */
static void post_status(struct session *s, unsigned i, struct shard *shard)
{
	if (atomic_exchange(&shard->status_due, true))
		return;
	session_ref(s);
	worker_post(s->env->workers->at[i], &shard->status);
}

/* Tells the members that one came or went: each of it, or, in a large session, the new count once a
 * second. */
void session_announce(struct session *s, bool joined, uint64_t client)
{
	struct session_change change = {joined, client, session_total(s), s->version};
	unsigned i;

	for (i = 0; i < s->env->workers->n; i++) {
		struct shard *shard = session_shard(s, i);

		if (!shard || !atomic_load_explicit(&shard->n, memory_order_relaxed))
			continue;
		if (change.user_count <= s->env->presence_limit)
			post_change(s, i, &change);
		else
			post_status(s, i, shard);
	}
}

void session_status_due(struct shard *shard)
{
	struct session *s = shard->session;
	unsigned i = 0;

	while (session_shard(s, i) != shard)
		i++;
	post_status(s, i, shard);
}

void session_status_told(struct shard *shard)
{
	atomic_store(&shard->status_due, false);
}

/* Whether a younger connection of m's client is here: workers get to what came in when they can, so
 * the last to join need not be the last to come. */
static bool outlived(struct session *s, const struct member *m)
{
	const struct member *other;

	for (other = session_client(s, m->client); other; other = other->hash_next)
		if (other->client == m->client && (int32_t)(other->born - m->born) > 0)
			return true;
	return false;
}

/* Seconds that m is to wait, since its client is here on another connection that is to stay; 0: it
 * takes that one's place. */
static uint32_t contested(struct session *s, const struct member *m)
{
	if (!s->contests)
		s->contests = calloc(1, sizeof(*s->contests));
	if (!s->contests)
		return 0;
	return contest_come(s->contests, m->client,
			    (uint32_t)(worker_now_ms(s->env->workers->at[m->worker]) / 1000));
}

/* Tells the other connections of m's client to go; or all that others knew of before. */
static void replace(struct session *s, uint64_t client, const struct member *m)
{
	const struct member *other;

	for (other = session_client(s, client); other; other = other->hash_next) {
		struct replaced_mail *mail;

		if (other == m || other->client != client)
			continue;
		mail = malloc(sizeof(*mail));
		if (!mail)
			continue;
		*mail = (struct replaced_mail){
		    {.run = on_replaced}, session_ref(s), other->client, other->version};
		worker_post(s->env->workers->at[other->worker], &mail->mail);
	}
}

bool session_replaced_away(struct session *s, uint64_t client)
{
	const struct member *m = session_client(s, client);

	for (; m; m = m->hash_next)
		if (m->client == client && !session_has_told(m))
			return false;
	replace(s, client, NULL);
	return true;
}

bool session_is_here(struct session *s, uint64_t client)
{
	return session_client(s, client) != NULL;
}

bool session_has(struct session *s, uint64_t client)
{
	bool here;

	pthread_mutex_lock(&s->lock);
	here = session_is_here(s, client);
	pthread_mutex_unlock(&s->lock);
	return here;
}

void session_each_here(struct session *s, void (*each)(const struct member *m, void *arg),
		       void *arg)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->table_size; i++)
		for (const struct member *m = s->table[i]; m; m = m->hash_next)
			if (!m->hidden)
				each(m, arg);
	pthread_mutex_unlock(&s->lock);
}

/* --- joining and leaving */

static enum hub_code join_locked(struct session *s, struct member *m,
				 const struct session_from *from, struct session_joined *out)
{
	bool back = session_client(s, m->client) != NULL, away = away_find(s, m->client) != NULL;
	struct shard *shard = session_shard_make(s, m->worker);
	enum hub_code code;

	if (!shard)
		return HUB_INTERNAL;
	if (s->deleted)
		return HUB_NOT_FOUND;
	if (session_total(s) + s->nviewers >= session_max_members(s) && !back && !away)
		return HUB_SESSION_FULL;
	if (outlived(s, m))
		return HUB_FORBIDDEN;
	code = session_seek_locked(s, m, from, out);
	if (code != HUB_OK || out->ask)
		return code;
	out->retry_s = back && !m->settles ? contested(s, m) : 0;
	code = out->retry_s				? HUB_IN_USE
	       : session_user_add(s, m, from->user) < 0 ? HUB_INTERNAL
							: HUB_OK;
	if (code != HUB_OK) {
		member_drop_catchup(m);
		return code;
	}
	m->session = session_ref(s);
	m->version = ++s->version;
	blob_ref(m->info);
	session_table_add(s, m);
	shard_add(shard, m);
	if (away && !m->hidden)
		away_remove(s, m->client, back); /* it hears there that it is here */
	out->user_count = session_total(s);
	if (back)
		replace(s, m->client, m);
	else if (!m->hidden && !away)
		session_announce(s, true, m->client);
	if (!m->hidden)
		session_tell(s, m, true);
	return HUB_OK;
}

enum hub_code session_join(struct session *s, struct member *m, const struct session_from *from,
			   struct session_joined *out)
{
	enum hub_code code;

	*out = (struct session_joined){0};
	pthread_mutex_lock(&s->lock);
	code = join_locked(s, m, from, out);
	pthread_mutex_unlock(&s->lock);
	return code;
}

uint32_t session_leave(struct member *m)
{
	struct session *s = m->session;
	struct worker *w = s->env->workers->at[m->worker];
	size_t ended = 0;
	uint32_t left;
	bool here, away;

	pthread_mutex_lock(&s->lock);
	session_table_remove(s, m);
	session_user_remove(s, m);
	shard_remove(session_shard(s, m->worker), m);
	here = session_client(s, m->client) != NULL; /* by another connection */
	away = away_find(s, m->client) != NULL;
	s->aways.both -= !m->hidden && away && !here;
	left = session_total(s);
	s->version++;
	if (!m->hidden && !here && !away) {
		session_announce(s, false, m->client);
		session_tell(s, m, false);
		if (s->state.ties && !s->deleted)
			ended = session_end_owned(s, m->client, worker_now_ms(w));
	}
	pthread_mutex_unlock(&s->lock);
	if (ended)
		session_changed(s, w);

	member_drop_catchup(m);
	blob_unref(m->info);
	m->info = NULL;
	m->session = NULL;
	session_unref(s);
	return left;
}

/* --- looking */

void session_set_info(struct member *m, struct blob *info)
{
	struct blob *old;

	pthread_mutex_lock(&m->session->lock);
	old = m->info;
	m->info = blob_ref(info);
	if (!m->hidden)
		session_tell(m->session, m, true);
	pthread_mutex_unlock(&m->session->lock);
	blob_unref(old);
}

struct worker *session_locate(struct session *s, uint64_t client, uint32_t bytes, uint32_t max,
			      bool *full)
{
	struct worker *w = NULL;
	struct member *m;

	pthread_mutex_lock(&s->lock);
	m = session_client(s, client);
	*full = m && atomic_load_explicit(&m->direct, memory_order_relaxed) >= max;
	if (m && !*full) {
		atomic_fetch_add_explicit(&m->direct, bytes, memory_order_relaxed);
		w = s->env->workers->at[m->worker];
	}
	pthread_mutex_unlock(&s->lock);
	return w;
}

/* Of two connections of a client one may have been counted for and the other got it. */
void session_direct_done(struct member *m, uint32_t bytes)
{
	uint32_t had = atomic_load_explicit(&m->direct, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&m->direct, &had,
						      had > bytes ? had - bytes : 0,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

void session_unlocate(struct session *s, uint64_t client, uint32_t bytes)
{
	struct member *m;

	pthread_mutex_lock(&s->lock);
	m = session_client(s, client);
	if (m)
		session_direct_done(m, bytes);
	pthread_mutex_unlock(&s->lock);
}

struct member *session_find(struct session *s, uint64_t client, uint32_t version, unsigned self)
{
	struct member *m;

	pthread_mutex_lock(&s->lock);
	for (m = session_client(s, client); m; m = m->hash_next)
		if (m->client == client && m->worker == self && (!version || m->version == version))
			break;
	pthread_mutex_unlock(&s->lock);
	return m;
}

uint32_t session_each_member(struct session *s, size_t max,
			     void (*each)(const struct member *m, void *arg), void *arg)
{
	size_t n = 0;
	uint32_t i, all;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->aways.size && n < max; i++) {
		for (const struct away *a = s->aways.table[i]; a && n < max; a = a->next) {
			if (session_client(s, a->client))
				continue;
			each(&(struct member){.client = a->client, .info = a->info}, arg);
			n++;
		}
	}
	for (i = 0; i < s->table_size && n < max; i++) {
		const struct member *m;

		for (m = s->table[i]; m && n < max; m = m->hash_next) {
			if (m->hidden)
				continue;
			each(m, arg);
			n++;
		}
	}
	all = session_total(s);
	pthread_mutex_unlock(&s->lock);
	return all;
}

uint32_t session_user_count(struct session *s)
{
	uint32_t n;

	pthread_mutex_lock(&s->lock);
	n = session_total(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

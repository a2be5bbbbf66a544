/* Sessions and their members. What a session does with records is in records.c. */
#include "session.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "hub.h"
#include "identity.h"
#include "registry.h"
#include "store.h"
#include "worker.h"

#define TABLE_MIN 8u
#define DIRECT_MAX                                                                    \
	((size_t)64 << 20) /* bytes on their way to one worker, each receiver counted \
			    */

static struct member **member_bucket(struct session *s, uint64_t client)
{
	return &s->table[client & (s->table_size - 1)];
}

static struct member *member_lookup(struct session *s, uint64_t client)
{
	struct member *m = *member_bucket(s, client);

	while (m && m->conn->id != client)
		m = m->hash_next;
	return m;
}

/* Doubles the table; where memory is out the chains just grow longer. */
static void members_grow(struct session *s)
{
	uint32_t old_size = s->table_size, i;
	struct member **old = s->table,
		      **table = calloc(2 * (size_t)old_size, sizeof(struct member *));

	if (!table)
		return;
	s->table = table;
	s->table_size = 2 * old_size;
	for (i = 0; i < old_size; i++) {
		struct member *m = old[i];

		while (m) {
			struct member *next = m->hash_next,
				      **bucket = member_bucket(s, m->conn->id);

			m->hash_next = *bucket;
			*bucket = m;
			m = next;
		}
	}
	free(old);
}

static void members_add(struct session *s, struct member *m)
{
	struct member **bucket;

	if (s->nmembers >= s->table_size)
		members_grow(s);
	bucket = member_bucket(s, m->conn->id);
	m->hash_next = *bucket;
	*bucket = m;
	s->nmembers++;
}

static void members_remove(struct session *s, struct member *m)
{
	struct member **link = member_bucket(s, m->conn->id);

	while (*link != m)
		link = &(*link)->hash_next;
	*link = m->hash_next;
	s->nmembers--;
}

struct session *session_new(struct hub *hub, struct span id)
{
	struct session *s = calloc(1, sizeof(*s) + hub->nworkers * sizeof(struct fan));
	unsigned i;

	if (!s)
		return NULL;
	s->table = calloc(TABLE_MIN, sizeof(struct member *));
	if (!s->table) {
		free(s);
		return NULL;
	}
	s->table_size = TABLE_MIN;
	atomic_init(&s->refs, 1);
	s->hub = hub;
	pthread_mutex_init(&s->lock, NULL);
	log_init(&s->log, &hub->memory);
	state_init(&s->state, &hub->memory);
	randombytes_buf(&s->epoch, sizeof(s->epoch));
	memcpy(s->id, id.p, id.len);
	s->id_len = id.len;
	for (i = 0; i < hub->nworkers; i++) {
		s->fan[i].wake = (struct mail){.kind = MAIL_WAKE, .embedded = true};
		atomic_init(&s->fan[i].low, UINT64_MAX);
	}
	return s;
}

struct session *session_ref(struct session *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void session_unref(struct session *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	session_forget(s);
	pthread_mutex_destroy(&s->lock);
	free(s->table);
	free(s);
}

/* Tells the members that one came or went: each of it, or, in a large session, the new count once a
 * second. Under the session's lock, so that every worker hears of changes in their order. */
static void session_announce(struct session *s, const char *type, uint64_t client)
{
	struct hub *hub = s->hub;
	struct blob *blob = NULL;
	unsigned i;

	if (s->nmembers <= hub->opt.presence_limit) {
		struct buf text = {0};
		char id[IDENTITY_LEN + 1];

		identity_text(client, id);
		if (buf_printf(&text,
			       "{\"type\":\"%s\",\"session_id\":\"%s\",\"client_id\":\"%s\","
			       "\"user_count\":%u}",
			       type, s->id, id, s->nmembers) == 0)
			blob = blob_new(text.data, text.len);
		buf_free(&text);
		if (!blob)
			return;
	}
	for (i = 0; i < hub->nworkers; i++) {
		struct mail proto = {.version = s->version};
		struct mail *mail;

		if (!atomic_load_explicit(&s->fan[i].n, memory_order_relaxed))
			continue;
		if (!blob && atomic_exchange(&s->fan[i].status_due, true))
			continue;
		mail = mail_new(&proto);
		if (!mail) {
			if (!blob)
				atomic_store(&s->fan[i].status_due, false);
			continue;
		}
		mail->kind = blob ? MAIL_PRESENCE : MAIL_STATUS;
		mail->blob = blob_ref(blob);
		mail->session = session_ref(s);
		worker_post(hub->worker[i], mail);
	}
	blob_unref(blob);
}

static void fan_add(struct fan *fan, struct member *m)
{
	m->fan_next = fan->members;
	m->fan_link = &fan->members;
	if (fan->members)
		fan->members->fan_link = &m->fan_next;
	fan->members = m;
}

static void fan_remove(struct member *m)
{
	*m->fan_link = m->fan_next;
	if (m->fan_next)
		m->fan_next->fan_link = m->fan_link;
}

/* Whether another connection of the same client, accepted after m's, is here: workers get to what
 * came in when they can, so the last to join need not be the last to come. Under the session's
 * lock. */
static bool outlived(struct session *s, const struct member *m)
{
	const struct member *other;

	for (other = *member_bucket(s, m->conn->id); other; other = other->hash_next)
		if (other->conn->id == m->conn->id &&
		    (int32_t)(other->conn->born - m->conn->born) > 0)
			return true;
	return false;
}

/* Tells the other connections of the same client to go, under the session's lock. */
static void kick_others(struct session *s, const struct member *m)
{
	struct mail proto = {.kind = MAIL_KICK, .client = m->conn->id};
	const struct member *other;

	for (other = *member_bucket(s, m->conn->id); other; other = other->hash_next) {
		struct mail *mail;

		if (other == m || other->conn->id != m->conn->id)
			continue;
		proto.version = other->version;
		mail = mail_new(&proto);
		if (!mail)
			continue;
		mail->session = session_ref(s);
		worker_post(other->conn->worker, mail);
	}
}

enum hub_code session_join(struct hub *hub, struct span id, struct member *m,
			   const struct session_from *from, struct session_joined *out)
{
	enum hub_code code = HUB_OK;
	struct session *s = registry_use(hub, id, &code);
	struct fan *fan;

	if (!s)
		return code;
	fan = &s->fan[m->conn->worker->index];
	m->session = s;
	pthread_mutex_lock(&s->lock);
	if (!s->loaded && hub->store && store_load(hub->store, m->conn->worker->index, s) < 0) {
		session_forget(s);
		code = HUB_INTERNAL;
	} else if (s->nmembers >= hub->opt.max_members && !member_lookup(s, m->conn->id))
		code = HUB_SESSION_FULL;
	else if (outlived(s, m))
		code = HUB_FORBIDDEN;
	else
		code = session_seek_locked(m, from, out);
	if (code == HUB_OK) {
		s->loaded = true;
		bool back = member_lookup(s, m->conn->id) != NULL;

		session_ref(s);
		members_add(s, m);
		atomic_fetch_add_explicit(&fan->n, 1, memory_order_relaxed);
		m->version = ++s->version;
		fan_add(fan, m);
		blob_ref(m->info);
		out->user_count = s->nmembers;
		if (back)
			kick_others(s, m);
		else
			session_announce(s, "client_connected", m->conn->id);
	}
	pthread_mutex_unlock(&s->lock);
	if (code != HUB_OK) {
		m->session = NULL;
		registry_release(s, worker_now_ms(m->conn->worker));
	}
	return code;
}

uint32_t session_leave(struct member *m)
{
	struct session *s = m->session;
	struct fan *fan = &s->fan[m->conn->worker->index];
	uint32_t left;

	pthread_mutex_lock(&s->lock);
	members_remove(s, m);
	fan_remove(m);
	if (atomic_fetch_sub_explicit(&fan->n, 1, memory_order_relaxed) == 1)
		atomic_store_explicit(&fan->low, UINT64_MAX, memory_order_relaxed);
	left = s->nmembers;
	s->version++;
	if (!member_lookup(s, m->conn->id)) /* else it is here by another connection */
		session_announce(s, "client_disconnected", m->conn->id);
	pthread_mutex_unlock(&s->lock);

	member_drop_catchup(m);
	blob_unref(m->info);
	m->info = NULL;
	registry_release(s, worker_now_ms(m->conn->worker));
	session_unref(s);
	m->session = NULL;
	return left;
}

void session_view(struct session *s, uint64_t from, struct log_view *view)
{
	pthread_mutex_lock(&s->lock);
	log_view(&s->log, from, view);
	pthread_mutex_unlock(&s->lock);
}

void session_wake_others(struct session *s, unsigned self)
{
	unsigned i;

	for (i = 0; i < s->hub->nworkers; i++) {
		struct fan *fan = &s->fan[i];

		if (i == self || !atomic_load_explicit(&fan->n, memory_order_relaxed) ||
		    atomic_exchange(&fan->woken, true))
			continue;
		fan->wake.session = session_ref(s);
		worker_post(s->hub->worker[i], &fan->wake);
	}
}

/* A worker that does not keep up with what others send to its clients is not to take all memory. */
static bool direct_room(struct worker *w, size_t len)
{
	if (atomic_fetch_add_explicit(&w->direct, len, memory_order_relaxed) <= DIRECT_MAX)
		return true;
	atomic_fetch_sub_explicit(&w->direct, len, memory_order_relaxed);
	return false;
}

enum hub_code session_direct(struct session *s, struct span client, struct blob *blob)
{
	struct mail proto = {.kind = MAIL_DIRECT};
	struct worker *w = NULL;
	struct mail *mail;
	struct member *m;

	if (!identity_parse(client, &proto.client))
		return HUB_NOT_MEMBER;
	pthread_mutex_lock(&s->lock);
	m = member_lookup(s, proto.client);
	if (m)
		w = m->conn->worker;
	pthread_mutex_unlock(&s->lock);
	if (!w)
		return HUB_NOT_MEMBER;
	mail = mail_new(&proto);
	if (!mail)
		return HUB_INTERNAL;
	if (!direct_room(w, sizeof(*mail) + blob->len)) {
		mail_free(mail);
		return HUB_HUB_FULL;
	}
	mail->session = session_ref(s);
	mail->blob = blob_ref(blob);
	worker_post(w, mail);
	return HUB_OK;
}

void session_set_info(struct member *m, struct blob *info)
{
	struct blob *old;

	pthread_mutex_lock(&m->session->lock);
	old = m->info;
	m->info = blob_ref(info);
	pthread_mutex_unlock(&m->session->lock);
	blob_unref(old);
}

struct member *session_find(struct session *s, uint64_t client, unsigned self)
{
	struct member *m;

	pthread_mutex_lock(&s->lock);
	m = member_lookup(s, client);
	if (m && m->conn->worker->index != self)
		m = NULL;
	pthread_mutex_unlock(&s->lock);
	return m;
}

struct member *session_find_version(struct session *s, uint64_t client, uint32_t version,
				    unsigned self)
{
	struct member *m;

	pthread_mutex_lock(&s->lock);
	for (m = *member_bucket(s, client); m; m = m->hash_next)
		if (m->conn->id == client && m->version == version &&
		    m->conn->worker->index == self)
			break;
	pthread_mutex_unlock(&s->lock);
	return m;
}

static int put_member(struct buf *out, const struct member *m, bool first)
{
	char id[IDENTITY_LEN + 1];
	int r;

	identity_text(m->conn->id, id);
	r = buf_printf(out, "%s{\"client_id\":\"%s\"", first ? "" : ",", id);
	if (r == 0 && m->info) {
		r = buf_puts(out, ",\"info\":");
		if (r == 0)
			r = buf_put(out, m->info->text, m->info->len);
	}
	return r == 0 ? buf_puts(out, "}") : r;
}

int session_presence(struct session *s, struct buf *out, size_t max)
{
	size_t n = 0;
	uint32_t i;
	int r;

	pthread_mutex_lock(&s->lock);
	r = buf_printf(out, "\"user_count\":%u,\"members\":[", s->nmembers);
	for (i = 0; r == 0 && i < s->table_size && n < max; i++) {
		const struct member *m;

		for (m = s->table[i]; r == 0 && m && n < max; m = m->hash_next)
			r = put_member(out, m, n++ == 0);
	}
	if (r == 0)
		r = buf_puts(out, n < s->nmembers ? "],\"truncated\":true" : "]");
	pthread_mutex_unlock(&s->lock);
	return r;
}

uint32_t session_user_count(struct session *s)
{
	uint32_t n;

	pthread_mutex_lock(&s->lock);
	n = s->nmembers;
	pthread_mutex_unlock(&s->lock);
	return n;
}

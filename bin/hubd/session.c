/* Sessions and their registry. See session.h for who may touch what. */
#include "session.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "hub.h"
#include "identity.h"
#include "worker.h"

#define TABLE_MIN 8u

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

static struct session *session_new(struct hub *hub, struct span id)
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

/* Frees the kept records before seq. */
static void drop_kept(struct session *s, uint64_t seq)
{
	while (s->kept_first && s->kept_first->seq < seq) {
		struct kept *k = s->kept_first;

		s->kept_first = k->next;
		if (!s->kept_first)
			s->kept_last = NULL;
		atomic_fetch_sub_explicit(&s->hub->memory.used, sizeof(*k) + k->len,
					  memory_order_relaxed);
		free(k);
	}
}

static void count_dedup(struct session *s, size_t before, size_t after)
{
	atomic_fetch_add_explicit(&s->hub->memory.used, after - before, memory_order_relaxed);
}

void session_unref(struct session *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	drop_kept(s, UINT64_MAX);
	count_dedup(s, dedup_bytes(&s->dedup), 0);
	dedup_free(&s->dedup);
	state_free(&s->state);
	log_free(&s->log);
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

/* --- trimming --- */

/* The first record that a member may still need. */
static uint64_t session_low(struct session *s)
{
	uint64_t low = UINT64_MAX;
	unsigned i;

	for (i = 0; i < s->hub->nworkers; i++) {
		uint64_t at = atomic_load_explicit(&s->fan[i].low, memory_order_relaxed);

		low = at < low ? at : low;
	}
	return low;
}

/* The oldest chunk is about to go: keeps its records with an ack, from low on. */
static void keep_acked(struct session *s, uint64_t low)
{
	const struct chunk *c = s->log.oldest;
	uint64_t n = atomic_load_explicit(&c->n, memory_order_relaxed), i;

	for (i = low > c->first ? low - c->first : 0; i < n; i++) {
		const struct slot *slot = chunk_slot(c, i);
		struct kept *k;

		if (!slot->acked)
			continue;
		k = log_memory_over(&s->hub->memory) ? NULL : malloc(sizeof(*k) + slot->len);
		if (!k) {
			s->kept_lost = c->first + i;
			continue;
		}
		k->next = NULL;
		k->seq = c->first + i;
		k->sender = slot->sender;
		k->len = slot->len;
		memcpy(k->frame, c->data + slot->offset, slot->len);
		*(s->kept_last ? &s->kept_last->next : &s->kept_first) = k;
		s->kept_last = k;
		atomic_fetch_add_explicit(&s->hub->memory.used, sizeof(*k) + k->len,
					  memory_order_relaxed);
	}
}

/* Drops what nobody needs of the log, under the session's lock. */
static void session_trim(struct session *s, uint64_t now_ms)
{
	uint64_t low = session_low(s);

	drop_kept(s, low);
	while (log_may_drop(&s->log, &s->hub->limits, low, now_ms)) {
		if (s->hub->opt.slow == SLOW_RESYNC)
			keep_acked(s, low);
		log_drop_oldest(&s->log);
	}
}

/* --- the registry --- */

static struct session **registry_link(struct registry *r, struct span id)
{
	uint64_t hash;
	struct session **link;

	/* Keyed, for names come from outside. */
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)id.p, id.len, r->key);
	link = &r->table[hash & (r->table_size - 1)];
	while (*link && ((*link)->id_len != id.len || memcmp((*link)->id, id.p, id.len) != 0))
		link = &(*link)->hash_next;
	return link;
}

int registry_init(struct registry *r)
{
	*r = (struct registry){.table_size = 1024};
	r->table = calloc(r->table_size, sizeof(struct session *));
	if (!r->table)
		return -ENOMEM;
	crypto_shorthash_keygen(r->key);
	pthread_mutex_init(&r->lock, NULL);
	return 0;
}

void registry_free(struct registry *r)
{
	size_t i;

	for (i = 0; i < r->table_size; i++) {
		while (r->table[i]) {
			struct session *s = r->table[i];

			r->table[i] = s->hash_next;
			session_unref(s);
		}
	}
	free(r->table);
	pthread_mutex_destroy(&r->lock);
}

static void registry_grow(struct registry *r)
{
	struct session **old = r->table,
		       **table = calloc(2 * r->table_size, sizeof(struct session *));
	size_t old_size = r->table_size, i;

	if (!table)
		return;
	r->table = table;
	r->table_size *= 2;
	for (i = 0; i < old_size; i++) {
		while (old[i]) {
			struct session *s = old[i], **link;

			old[i] = s->hash_next;
			s->hash_next = NULL;
			link = registry_link(r, (struct span){s->id, s->id_len});
			*link = s;
		}
	}
	free(old);
}

static void idle_unlink(struct registry *r, struct session *s)
{
	*(s->idle_prev ? &s->idle_prev->idle_next : &r->idle_first) = s->idle_next;
	*(s->idle_next ? &s->idle_next->idle_prev : &r->idle_last) = s->idle_prev;
	s->idle_prev = s->idle_next = NULL;
	s->idle = false;
}

static void idle_append(struct registry *r, struct session *s, uint64_t now_ms)
{
	s->idle = true;
	s->idle_since_ms = now_ms;
	s->idle_prev = r->idle_last;
	*(r->idle_last ? &r->idle_last->idle_next : &r->idle_first) = s;
	r->idle_last = s;
}

/* Forgets an idle session. */
static void registry_drop(struct registry *r, struct session *s)
{
	struct session **link = registry_link(r, (struct span){s->id, s->id_len});

	idle_unlink(r, s);
	*link = s->hash_next;
	r->n--;
	session_unref(s);
}

/* Finds or creates the session and counts the caller as a user. Borrowed: the registry keeps it
 * while it has users. NULL with *code set where that is not possible. */
static struct session *registry_use(struct hub *hub, struct span id, enum hub_code *code)
{
	struct registry *r = &hub->registry;
	struct session **link, *s;

	pthread_mutex_lock(&r->lock);
	link = registry_link(r, id);
	s = *link;
	if (!s && r->n >= (size_t)hub->opt.max_sessions && r->idle_first) {
		registry_drop(r, r->idle_first);
		link = registry_link(r, id);
	}
	if (s) {
		if (s->idle)
			idle_unlink(r, s);
	} else if (r->n >= (size_t)hub->opt.max_sessions) {
		*code = HUB_HUB_FULL;
	} else if (!(s = session_new(hub, id))) {
		*code = HUB_INTERNAL;
	} else {
		*link = s;
		if (++r->n > r->table_size)
			registry_grow(r);
	}
	if (s)
		s->users++;
	pthread_mutex_unlock(&r->lock);
	return s;
}

static void registry_release(struct session *s, uint64_t now_ms)
{
	struct registry *r = &s->hub->registry;

	pthread_mutex_lock(&r->lock);
	if (--s->users == 0)
		idle_append(r, s, now_ms);
	pthread_mutex_unlock(&r->lock);
}

void registry_sweep(struct hub *hub, uint64_t now_ms)
{
	struct registry *r = &hub->registry;
	int64_t ttl_ms = (int64_t)(hub->opt.session_ttl * 1000);
	struct session *s;
	size_t i;

	pthread_mutex_lock(&r->lock);
	while ((s = r->idle_first) != NULL) {
		/* Signed: the clock of the worker that wrote it may be ahead of ours. */
		if ((int64_t)(now_ms - s->idle_since_ms) < ttl_ms && !log_memory_over(&hub->memory))
			break;
		registry_drop(r, s);
	}
	for (i = 0; i < r->table_size && log_memory_over(&hub->memory); i++) {
		for (s = r->table[i]; s; s = s->hash_next) {
			pthread_mutex_lock(&s->lock);
			session_trim(s, now_ms);
			pthread_mutex_unlock(&s->lock);
		}
	}
	pthread_mutex_unlock(&r->lock);
}

size_t registry_count(struct registry *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* --- members --- */

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

/* Under the session's lock. */
static enum hub_code seek(struct member *m, const struct session_from *from,
			  struct session_joined *out)
{
	struct session *s = m->session;
	struct fan *fan = &s->fan[m->conn->worker->index];
	struct chunk *snapshot = NULL;
	bool out_of_memory = false;

	*out = (struct session_joined){.epoch = s->epoch,
				       .seq = s->log.head,
				       .user_count = s->nmembers,
				       .recovered = from->has_since};
	m->cursor = s->log.head + 1;
	if (from->has_since &&
	    ((from->has_epoch && from->epoch != s->epoch) || from->since > s->log.head))
		out->reason = "epoch_changed";
	else if (from->has_since && from->since + 1 >= s->log.tail)
		m->cursor = from->since + 1;
	else if (from->has_since && from->since == 0) {
		out->reason = "trimmed";
		out->gap_to = s->log.tail - 1;
		m->cursor = s->log.tail;
	} else if (from->has_since)
		out->reason = "trimmed";
	if (out->reason)
		out->recovered = false;
	if (!out->recovered && !out->gap_to)
		snapshot = state_snapshot(&s->state, &out_of_memory);
	if (snapshot && !(m->catchup = malloc(sizeof(*m->catchup)))) {
		chunk_unref(snapshot);
		out_of_memory = true;
	}
	if (out_of_memory)
		return HUB_INTERNAL;
	if (snapshot) {
		*m->catchup = (struct catchup){snapshot, 1, s->state.n};
		out->snapshot = s->state.n;
	}
	/* It may have sent some of what it now gets. */
	m->own = s->log.head;
	if (m->cursor < atomic_load_explicit(&fan->low, memory_order_relaxed))
		atomic_store_explicit(&fan->low, m->cursor, memory_order_relaxed);
	return HUB_OK;
}

static void drop_catchup(struct member *m)
{
	if (m->catchup)
		chunk_unref(m->catchup->chunk);
	free(m->catchup);
	m->catchup = NULL;
}

enum hub_code session_seek(struct member *m, const struct session_from *from,
			   struct session_joined *out)
{
	enum hub_code code;

	drop_catchup(m);
	pthread_mutex_lock(&m->session->lock);
	code = seek(m, from, out);
	pthread_mutex_unlock(&m->session->lock);
	return code;
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
	if (s->nmembers >= hub->opt.max_members)
		code = HUB_SESSION_FULL;
	else
		code = seek(m, from, out);
	if (code == HUB_OK) {
		session_ref(s);
		members_add(s, m);
		atomic_fetch_add_explicit(&fan->n, 1, memory_order_relaxed);
		m->version = ++s->version;
		fan_add(fan, m);
		blob_ref(m->info);
		out->user_count = s->nmembers;
		kick_others(s, m);
		session_announce(s, "client_connected", m->conn->id);
	}
	pthread_mutex_unlock(&s->lock);
	if (code != HUB_OK) {
		m->session = NULL;
		registry_release(s, worker_now_ms(m->conn->worker));
	}
	return code;
}

/* The state and the kept records from the member's cursor on, as one log in the order of their seq.
 */
struct merge {
	struct log out;
	const struct kept *kept;
	int status;
};

static void merge_kept(struct merge *g, uint64_t before)
{
	for (; g->kept && g->kept->seq < before && g->status == 0; g->kept = g->kept->next)
		if (log_put(&g->out, g->kept->sender, g->kept->frame, g->kept->len) < 0)
			g->status = -ENOMEM;
}

static void merge_state(struct span key, struct span type, uint64_t seq, uint64_t sender,
			const void *frame, size_t len, void *arg)
{
	struct merge *g = arg;

	(void)key;
	(void)type;
	merge_kept(g, seq);
	if (g->kept && g->kept->seq == seq)
		g->kept = g->kept->next;
	if (g->status == 0 && log_put(&g->out, sender, frame, len) < 0)
		g->status = -ENOMEM;
}

int session_resync(struct member *m, uint64_t *gap_to)
{
	struct session *s = m->session;
	struct catchup *catchup = malloc(sizeof(*catchup));
	struct merge g = {.status = catchup ? 0 : -ENOMEM};

	drop_catchup(m);
	pthread_mutex_lock(&s->lock);
	if (s->kept_lost >= m->cursor)
		g.status = -ESTALE;
	log_init(&g.out, &s->hub->memory);
	for (g.kept = s->kept_first; g.kept && g.kept->seq < m->cursor;)
		g.kept = g.kept->next;
	if (g.status == 0) {
		state_each(&s->state, merge_state, &g);
		merge_kept(&g, UINT64_MAX);
	}
	if (g.status == 0) {
		*gap_to = s->log.head;
		m->cursor = s->log.head + 1;
	}
	pthread_mutex_unlock(&s->lock);
	if (g.status < 0 || !g.out.head) {
		log_free(&g.out);
		free(catchup);
		return g.status;
	}
	*catchup = (struct catchup){g.out.oldest, 1, g.out.head};
	m->catchup = catchup;
	return 0;
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
	session_announce(s, "client_disconnected", m->conn->id);
	pthread_mutex_unlock(&s->lock);

	drop_catchup(m);
	blob_unref(m->info);
	m->info = NULL;
	registry_release(s, worker_now_ms(m->conn->worker));
	session_unref(s);
	m->session = NULL;
	return left;
}

/* Room for one more record in the dedup window. Returns 0 or -ENOMEM. */
static int reserve_dedup(struct session *s)
{
	size_t before = dedup_bytes(&s->dedup);
	int r = dedup_reserve(&s->dedup);

	count_dedup(s, before, dedup_bytes(&s->dedup));
	return r;
}

/* Under the session's lock: appends, and makes the record part of the state. */
static enum hub_code append(struct member *m, const struct publication *p, uint64_t now_ms,
			    uint64_t *seq)
{
	struct session *s = m->session;
	const struct hub *hub = s->hub;
	size_t max = log_memory_over(&hub->memory) ? s->state.n : (size_t)hub->opt.state_keys;
	const struct chunk *last = s->log.last;
	struct state_entry *entry = NULL;
	const struct slot *slot;
	int64_t n;

	if (p->acked && reserve_dedup(s) < 0)
		return HUB_INTERNAL;
	if (p->rule == KEY_SET) {
		entry = state_reserve(&s->state, p->key, p->type, p->body.len + LOG_FRAME_MAX, max);
		if (!entry && errno == ENOSPC)
			return s->state.n < (size_t)hub->opt.state_keys ? HUB_HUB_FULL
									: HUB_SESSION_FULL;
		if (!entry)
			return HUB_INTERNAL;
	}
	n = log_append(&s->log, m->conn->id, p->acked, p->body.p, p->body.len, now_ms);
	if (n < 0) {
		if (entry)
			state_abandon(&s->state, entry);
		return HUB_INTERNAL;
	}
	*seq = m->own = (uint64_t)n;
	if (entry) {
		slot = chunk_slot(s->log.last, *seq - s->log.last->first);
		state_set(&s->state, entry, *seq, m->conn->id, s->log.last->data + slot->offset,
			  slot->len);
	} else if (p->rule == KEY_DELETE) {
		state_delete(&s->state, p->key);
	}
	if (p->acked)
		dedup_add(&s->dedup, p->msg, *seq);
	if (s->log.last != last)
		session_trim(s, now_ms);
	return HUB_OK;
}

enum hub_code session_publish(struct member *m, const struct publication *p, uint64_t now_ms,
			      uint64_t *seq, bool *repeated)
{
	enum hub_code code = HUB_OK;

	pthread_mutex_lock(&m->session->lock);
	*repeated = p->acked && dedup_find(&m->session->dedup, p->msg, seq);
	if (!*repeated)
		code = append(m, p, now_ms, seq);
	pthread_mutex_unlock(&m->session->lock);
	return code;
}

bool session_knows(struct session *s, uint64_t msg)
{
	uint64_t seq;
	bool known;

	pthread_mutex_lock(&s->lock);
	known = dedup_find(&s->dedup, msg, &seq);
	pthread_mutex_unlock(&s->lock);
	return known;
}

void session_remember(struct session *s, uint64_t msg)
{
	pthread_mutex_lock(&s->lock);
	if (reserve_dedup(s) == 0)
		dedup_add(&s->dedup, msg, 0);
	pthread_mutex_unlock(&s->lock);
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

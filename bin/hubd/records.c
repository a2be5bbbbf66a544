/* What a session does with records: appending, the state, acknowledged messages, trimming, and
 * where a member begins. All under the session's lock. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conn.h"
#include "hub.h"
#include "session.h"
#include "store.h"
#include "worker.h"

#define READ_BACK_BYTES (64 * 1024) /* from the store at a time */

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

/* Gives up all records. */
void session_forget(struct session *s)
{
	while (s->ack_first) {
		struct pending_ack *a = s->ack_first;

		s->ack_first = a->next;
		blob_unref(a->blob);
		free(a);
	}
	drop_kept(s, UINT64_MAX);
	count_dedup(s, dedup_bytes(&s->dedup), 0);
	dedup_free(&s->dedup);
	state_free(&s->state);
	log_free(&s->log);
}

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
		k = log_memory_tight(&s->hub->memory) ? NULL : malloc(sizeof(*k) + slot->len);
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
	if (s->kept_lost) /* who would need those before it is lost as well */
		drop_kept(s, s->kept_lost + 1);
}

void session_trim(struct session *s, uint64_t now_ms)
{
	uint64_t low = session_low(s);

	drop_kept(s, low);
	while (log_may_drop(&s->log, &s->hub->limits, low, now_ms)) {
		if (s->hub->store && log_second(&s->log) > s->stored + 1)
			return; /* it is not on disk yet */
		if (s->kept_first && log_memory_over(&s->hub->memory)) {
			/* Who stalls pays before who is in step. */
			s->kept_lost = s->kept_last->seq;
			drop_kept(s, UINT64_MAX);
			continue;
		}
		if (s->hub->opt.slow == SLOW_RESYNC)
			keep_acked(s, low);
		log_drop_oldest(&s->log);
	}
}

static bool from_this_run(const struct session *s, const struct session_from *from)
{
	return from->has_run && from->run == s->hub->run;
}

/* The first record after `since` that is kept, as far as that is not since + 1 anyway. */
static uint64_t session_tail(const struct member *m, uint64_t since)
{
	const struct session *s = m->session;
	uint64_t tail = s->log.tail, stored;

	if (since + 1 >= tail || !s->hub->store)
		return tail;
	stored = store_tail(s->hub->store, m->conn->worker->index, s);
	return stored < tail ? stored : tail;
}

/* What is left of a past that is not all there: the records that are kept, and where they do not
 * reach back far enough, before them the state that is older. */
static void seek_rest(struct member *m, const struct session_from *from, struct session_joined *out)
{
	struct session *s = m->session;
	uint64_t sure = s->log.head, tail;

	out->rest = true;
	if (from->has_epoch && from->epoch != s->epoch)
		sure = 0; /* they have nothing in common */
	else if (s->hub->store && !from_this_run(s, from)) {
		/* Up to what every crash since has left. */
		uint64_t left = store_sure(s->hub->store, m->conn->worker->index, s,
					   from->has_run ? &from->run : NULL);

		sure = left < sure ? left : sure;
	}
	out->since = from->since < sure ? from->since : sure;
	tail = session_tail(m, out->since);
	m->cursor = out->since + 1 < tail ? tail : out->since + 1;
	out->gap_to = m->cursor > out->since + 1 ? m->cursor - 1 : 0;
}

enum hub_code session_seek_locked(struct member *m, const struct session_from *from,
				  struct session_joined *out)
{
	struct session *s = m->session;
	struct fan *fan = &s->fan[m->conn->worker->index];
	struct chunk *snapshot = NULL;
	bool out_of_memory = false;
	uint64_t tail = from->has_since ? session_tail(m, from->since) : 0;

	*out = (struct session_joined){.epoch = s->epoch,
				       .seq = s->log.head,
				       .user_count = s->nmembers,
				       .recovered = from->has_since};
	m->cursor = s->log.head + 1;
	if (from->has_since &&
	    ((from->has_epoch && from->epoch != s->epoch) || from->since > s->log.head))
		out->reason = "epoch_changed";
	else if (from->has_since && s->hub->store && !from_this_run(s, from) &&
		 from->since > store_sure(s->hub->store, m->conn->worker->index, s,
					  from->has_run ? &from->run : NULL))
		out->reason = "epoch_changed"; /* it may have seen records that a crash took */
	else if (from->has_since && from->since + 1 >= tail)
		m->cursor = from->since + 1;
	else if (from->has_since && from->since == 0) {
		out->reason = "trimmed";
		out->gap_to = tail - 1;
		m->cursor = tail;
	} else if (from->has_since)
		out->reason = "trimmed";
	if (out->reason)
		out->recovered = false;
	if (out->reason && from->rest)
		seek_rest(m, from, out);
	if (!out->recovered && (out->rest ? out->gap_to > 0 : !out->gap_to))
		snapshot = state_snapshot(&s->state, &out_of_memory);
	if (snapshot && !(m->catchup = malloc(sizeof(*m->catchup)))) {
		chunk_unref(snapshot);
		out_of_memory = true;
	}
	if (out_of_memory)
		return HUB_INTERNAL;
	if (snapshot) {
		out->snapshot = out->rest ? state_before(&s->state, m->cursor) : s->state.n;
		*m->catchup = (struct catchup){snapshot, 1, out->snapshot, 0};
	}
	/* It may have sent some of what it now gets. */
	m->own = s->log.head;
	if (m->cursor < atomic_load_explicit(&fan->low, memory_order_relaxed))
		atomic_store_explicit(&fan->low, m->cursor, memory_order_relaxed);
	return HUB_OK;
}

void member_drop_catchup(struct member *m)
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

	member_drop_catchup(m);
	pthread_mutex_lock(&m->session->lock);
	code = session_seek_locked(m, from, out);
	pthread_mutex_unlock(&m->session->lock);
	return code;
}

/* What a member gets in place of the records from its cursor on: the state, and every record with
 * an ack that it has not had (those kept from before the log's tail, then those in the log), in the
 * order of their seq. */
struct merge {
	struct log out;
	const struct member *m;
	const struct kept *kept;
	const struct chunk *chunk;
	uint64_t at, head; /* of the log */
	int status;
};

static void merge_put(struct merge *g, uint64_t sender, const void *frame, size_t len)
{
	if (g->status == 0 && log_put(&g->out, sender, frame, len) < 0)
		g->status = -ENOMEM;
}

/* The records with an ack before seq `before`, but for a member's own that it does not want back.
 */
static void merge_acked(struct merge *g, uint64_t before)
{
	uint64_t skip = g->m->echo ? 0 : g->m->conn->id;

	for (; g->kept && g->kept->seq < before; g->kept = g->kept->next)
		if (!skip || g->kept->sender != skip)
			merge_put(g, g->kept->sender, g->kept->frame, g->kept->len);
	for (; g->at < before && g->at <= g->head; g->at++) {
		const struct slot *slot;

		g->chunk = chunk_find(g->chunk, g->at);
		slot = chunk_slot(g->chunk, g->at - g->chunk->first);
		if (slot->acked && (!skip || slot->sender != skip))
			merge_put(g, slot->sender, g->chunk->data + slot->offset, slot->len);
	}
}

static void merge_state(struct span key, struct span type, uint64_t seq, uint64_t sender,
			const void *frame, size_t len, void *arg)
{
	struct merge *g = arg;

	(void)key;
	(void)type;
	merge_acked(g, seq);
	if (g->kept && g->kept->seq == seq)
		g->kept = g->kept->next;
	if (g->at == seq)
		g->at++;
	merge_put(g, sender, frame, len);
}

int session_resync(struct member *m, uint64_t *gap_to)
{
	struct session *s = m->session;
	struct catchup *catchup = malloc(sizeof(*catchup));
	struct merge g = {.m = m, .status = catchup ? 0 : -ENOMEM};

	log_init(&g.out, &s->hub->memory);
	pthread_mutex_lock(&s->lock);
	if (s->kept_lost >= m->cursor)
		g.status = -ESTALE;
	for (g.kept = s->kept_first; g.kept && g.kept->seq < m->cursor;)
		g.kept = g.kept->next;
	g.chunk = s->log.oldest;
	g.at = m->cursor > s->log.tail ? m->cursor : s->log.tail;
	g.head = s->log.head;
	if (g.status == 0) {
		state_each(&s->state, merge_state, &g);
		merge_acked(&g, UINT64_MAX);
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
	*catchup = (struct catchup){.chunk = g.out.oldest, .at = 1, .n = g.out.head};
	m->catchup = catchup;
	return 0;
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
	const struct chunk *last = s->log.last;
	struct state_entry *entry = NULL;
	const struct slot *slot;
	int64_t n;

	if (hub->store && (store_failing(hub->store) ||
			   (log_memory_over(&hub->memory) && log_second(&s->log) > s->stored + 1)))
		return HUB_INTERNAL; /* what cannot be stored must not pile up */
	if (p->acked && reserve_dedup(s) < 0)
		return HUB_INTERNAL;
	if (log_memory_over(&hub->memory))
		session_trim(s, now_ms); /* history gives way to state */
	if (p->rule == KEY_SET) {
		entry = state_reserve(&s->state, p->key, p->type, p->body.len + LOG_FRAME_MAX,
				      (size_t)hub->opt.state_keys, log_memory_over(&hub->memory));
		if (!entry)
			return errno == ENOSPC	 ? HUB_SESSION_FULL
			       : errno == EDQUOT ? HUB_HUB_FULL
						 : HUB_INTERNAL;
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

/* --- with a store --- */

int session_ack(struct member *m, uint64_t seq, struct blob *blob, bool repeated)
{
	struct session *s = m->session;
	struct pending_ack *a;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	for (a = repeated ? s->ack_first : NULL; a; a = a->next)
		if (a->seq == seq && a->client == m->conn->id)
			break;
	if (a) {
		a->worker = m->conn->worker;
		r = 1;
	} else if (seq > s->stored) {
		a = malloc(sizeof(*a));
		if (a) {
			*a = (struct pending_ack){.seq = seq,
						  .client = m->conn->id,
						  .worker = m->conn->worker,
						  .blob = blob_ref(blob)};
			*(s->ack_last ? &s->ack_last->next : &s->ack_first) = a;
			s->ack_last = a;
		}
		r = a ? 1 : -ENOMEM;
	}
	pthread_mutex_unlock(&s->lock);
	if (r == 0)
		conn_send(m->conn, blob->text, blob->len);
	else if (r > 0)
		m->acks_due++;
	return r < 0 ? r : 0;
}

void session_stored(struct session *s, uint64_t seq)
{
	struct pending_ack *a;

	pthread_mutex_lock(&s->lock);
	s->stored = seq;
	session_trim(s, clock_mono_ms()); /* it had to wait for this */
	while ((a = s->ack_first) != NULL && a->seq <= seq) {
		struct mail proto = {.kind = MAIL_ACK, .client = a->client};
		struct mail *mail = mail_new(&proto);

		s->ack_first = a->next;
		if (!s->ack_first)
			s->ack_last = NULL;
		if (mail) {
			mail->session = session_ref(s);
			mail->blob = a->blob;
			worker_post(a->worker, mail);
		} else {
			blob_unref(a->blob);
		}
		free(a);
	}
	pthread_mutex_unlock(&s->lock);
}

int session_load_ack(struct session *s, uint64_t hash, uint64_t seq)
{
	if (reserve_dedup(s) < 0)
		return -ENOMEM;
	dedup_add(&s->dedup, hash, seq);
	return 0;
}

int session_read_back(struct member *m, uint64_t tail)
{
	struct store *st = m->session->hub->store;
	struct catchup *up;
	struct chunk *chunk;
	uint64_t n;
	bool error;

	if (log_memory_tight(&m->session->hub->memory))
		return -ENOMEM;
	chunk = st ? store_read(st, m->conn->worker->index, m->session, m->cursor, tail - 1,
				READ_BACK_BYTES, &n, &error)
		   : NULL;
	if (!chunk)
		return st && error ? -EIO : -ESTALE;
	up = malloc(sizeof(*up));
	if (!up) {
		chunk_unref(chunk);
		return -ENOMEM;
	}
	*up = (struct catchup){chunk, 1, n, m->echo ? 0 : m->conn->id};
	m->catchup = up;
	m->cursor += n;
	return 0;
}

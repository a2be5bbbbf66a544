/* New records. Invariant: a record is in the log, in the state and in the dedup window, or in none
 * of them. */
#include <errno.h>
#include <string.h>

#include "session/session_impl.h"

#define SHARE_PART 4 /* of all memory: what the archive may lag behind one session */
#define OVER_PART 64 /* the same where memory is out */
#define SLOW_PART 32 /* where its publishers are to be slower */

/* Room for one more record in the dedup window. Returns 0 or -ENOMEM. */
static int reserve_dedup(struct session *s)
{
	size_t before = dedup_bytes(&s->dedup);
	int r = dedup_reserve(&s->dedup);

	session_count_dedup(s->env, before, dedup_bytes(&s->dedup));
	return r;
}

/* What cannot be kept must not pile up. Each session has a share of the memory for what is not kept
 * yet, and a small one where memory is out, so that the session that floods the archive is the one
 * that is refused. */
static enum hub_code archive_lags(const struct session *s)
{
	struct archive *a = s->env->archive;
	const struct log_memory *memory = s->env->memory;
	size_t share = log_memory_over(memory) ? memory->max / OVER_PART : memory->max / SHARE_PART;

	if (!a || s->unstored == 0)
		return a && a->failing(a) ? HUB_INTERNAL : HUB_OK;
	if (a->failing(a) ||
	    atomic_load_explicit(&memory->used, memory_order_relaxed) / 2 > memory->max)
		return HUB_INTERNAL;
	return s->unstored > share && log_second(&s->log) > s->stored + 1 ? HUB_RATE_LIMITED
									  : HUB_OK;
}

static bool archive_full(const struct session *s)
{
	struct archive *a = s->env->archive;

	return a && (s->full || atomic_load_explicit(&a->full, memory_order_relaxed));
}

/* Binds state to its sender, or to a time. */
static void bind(struct session *s, struct state_entry *entry, struct tie *tie,
		 const struct publication *p, uint64_t now_ms)
{
	struct state_bond bond = {p->tags.owned,
				  p->tags.timed ? now_ms + p->terms.ttl_ms : TIES_NEVER};

	state_bind(&s->state, entry, tie, &bond);
	session_due(s, bond.due_ms);
}

/* Whether the state would take more bytes than the session's may, or than its sender's part. */
static bool is_large(const struct session *s, const struct publication *p)
{
	const struct session_env *env = s->env;
	size_t len = p->body.len + LOG_FRAME_MAX;

	return state_is_large(&s->state, 0, p->tags.key, p->key, p->type, len, env->state_bytes) ||
	       (!p->trusted && state_is_large(&s->state, p->tags.sender, p->tags.key, p->key,
					      p->type, len, env->client_bytes));
}

/* Under the session's lock: appends, and makes the record part of the state. */
static enum hub_code append(struct session *s, struct publication *p, uint64_t now_ms,
			    uint64_t *seq)
{
	const struct session_env *env = s->env;
	const struct chunk *last = s->log.last;
	struct state_entry *entry = NULL;
	struct tie *tie = NULL;
	const struct slot *slot;
	enum hub_code code = archive_full(s) ? HUB_STORE_FULL : archive_lags(s);
	int64_t n;

	if (code != HUB_OK)
		return code;
	if (p->tags.acked && reserve_dedup(s) < 0)
		return HUB_INTERNAL;
	if (log_memory_over(env->memory))
		session_trim(s, now_ms); /* history gives way to state */
	if (p->tags.class != RECORD_PLAIN)
		p->tags.key = state_hash(&s->state, p->key);
	if (p->terms.any && (code = session_agrees(s, p)) != HUB_OK)
		return code;
	if (p->tags.class == RECORD_SET && !p->trusted &&
	    state_is_share(&s->state, p->tags.sender, p->tags.key, p->key, p->type,
			   env->client_keys))
		return HUB_SESSION_FULL;
	if (p->tags.class == RECORD_SET && is_large(s, p))
		return HUB_SESSION_FULL;
	if (p->tags.class == RECORD_SET) {
		entry = state_reserve(&s->state, p->tags.key, p->key, p->type,
				      p->body.len + LOG_FRAME_MAX, env->state_keys,
				      log_memory_full(env->memory));
		if (!entry)
			return errno == ENOSPC	 ? HUB_SESSION_FULL
			       : errno == EDQUOT ? HUB_HUB_FULL
						 : HUB_INTERNAL;
	}
	if (p->tags.owned || p->tags.timed) {
		tie = state_tie_new(&s->state);
		if (!tie) {
			state_abandon(&s->state, entry);
			return HUB_INTERNAL;
		}
	}
	if (p->tags.class == RECORD_DELETE)
		p->tags.area = state_key_cell(&s->state, p->tags.key, p->key);
	p->tags.before = entry ? state_cell(entry) : AREA_NOWHERE;
	n = log_append(&s->log, &p->tags, p->body.p, p->body.len, now_ms);
	if (n < 0) {
		if (entry)
			state_abandon(&s->state, entry);
		state_tie_drop(&s->state, tie);
		return HUB_INTERNAL;
	}
	*seq = s->state.next = (uint64_t)n;
	s->unstored += env->archive ? p->body.len : 0;
	if (entry) {
		slot = chunk_slot(s->log.last, *seq - s->log.last->first);
		state_set(&s->state, entry, *seq, p->tags.sender, s->log.last->data + slot->offset,
			  slot->len);
		state_place(&s->state, entry, p->tags.area);
		if (tie)
			bind(s, entry, tie, p, now_ms);
	} else if (p->tags.class == RECORD_DELETE) {
		state_delete(&s->state, p->tags.key, p->key);
	}
	if (p->tags.acked)
		dedup_add(&s->dedup, p->tags.sender, p->tags.msg, *seq);
	if (s->log.last != last)
		session_trim(s, now_ms);
	if (env->published && !p->heard)
		env->published(env->arg, s, p->body, *seq);
	return HUB_OK;
}

enum hub_code session_publish(struct session *s, struct publication *p, uint64_t now_ms,
			      struct published *out)
{
	enum hub_code code = HUB_OK;
	bool waits = p->wait && s->env->archive;

	*out = (struct published){0};
	if (s->env->archive && s->env->archive->offer)
		return session_offer(s, p, now_ms, out);
	pthread_mutex_lock(&s->lock);
	if (waits && session_wait_reserve(s) < 0)
		code = HUB_INTERNAL;
	else
		out->repeated = p->tags.acked && dedup_find(&s->dedup, p->tags.msg, &out->seq);
	if (code == HUB_OK && !out->repeated && s->steered) {
		code = session_admits(s, p->body.len, now_ms);
		out->over = code == HUB_RATE_LIMITED;
	}
	if (code == HUB_OK && !out->repeated)
		code = append(s, p, now_ms, &out->seq);
	out->lags = s->unstored > s->env->memory->max / SLOW_PART;
	if (code == HUB_OK && waits && out->seq > s->durable) {
		out->waits = session_wait(s, p->wait, out->seq);
		out->waited = !out->waits;
	}
	pthread_mutex_unlock(&s->lock);
	return code;
}

bool session_finds(struct session *s, uint64_t msg, uint64_t *seq)
{
	bool known;

	pthread_mutex_lock(&s->lock);
	known = dedup_find(&s->dedup, msg, seq);
	pthread_mutex_unlock(&s->lock);
	return known;
}

bool session_knows(struct session *s, uint64_t msg)
{
	uint64_t seq;

	return session_finds(s, msg, &seq);
}

void session_remember(struct session *s, uint64_t sender, uint64_t msg)
{
	pthread_mutex_lock(&s->lock);
	if (reserve_dedup(s) == 0)
		dedup_add(&s->dedup, sender, msg, 0);
	pthread_mutex_unlock(&s->lock);
}

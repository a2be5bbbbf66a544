/* New records. Invariant: a record is in the log, in the state and in the dedup window, or in none
 * of them. */
#include <errno.h>
#include <string.h>

#include "session/session.h"

/* Room for one more record in the dedup window. Returns 0 or -ENOMEM. */
static int reserve_dedup(struct session *s)
{
	size_t before = dedup_bytes(&s->dedup);
	int r = dedup_reserve(&s->dedup);

	session_count_dedup(s->env, before, dedup_bytes(&s->dedup));
	return r;
}

/* What cannot be kept must not pile up. */
static bool archive_lags(const struct session *s)
{
	struct archive *a = s->env->archive;

	return a && (a->failing(a) ||
		     (log_memory_over(s->env->memory) && log_second(&s->log) > s->stored + 1));
}

/* Under the session's lock: appends, and makes the record part of the state. */
static enum hub_code append(struct session *s, struct publication *p, uint64_t now_ms,
			    uint64_t *seq)
{
	const struct session_env *env = s->env;
	const struct chunk *last = s->log.last;
	struct state_entry *entry = NULL;
	const struct slot *slot;
	int64_t n;

	if (archive_lags(s) || (p->tags.acked && reserve_dedup(s) < 0))
		return HUB_INTERNAL;
	if (log_memory_over(env->memory))
		session_trim(s, now_ms); /* history gives way to state */
	if (p->tags.class != RECORD_PLAIN)
		p->tags.key = state_hash(&s->state, p->key);
	if (p->tags.class == RECORD_SET) {
		entry = state_reserve(&s->state, p->tags.key, p->key, p->type,
				      p->body.len + LOG_FRAME_MAX, env->state_keys,
				      log_memory_over(env->memory));
		if (!entry)
			return errno == ENOSPC	 ? HUB_SESSION_FULL
			       : errno == EDQUOT ? HUB_HUB_FULL
						 : HUB_INTERNAL;
	}
	n = log_append(&s->log, &p->tags, p->body.p, p->body.len, now_ms);
	if (n < 0) {
		if (entry)
			state_abandon(&s->state, entry);
		return HUB_INTERNAL;
	}
	*seq = (uint64_t)n;
	if (entry) {
		slot = chunk_slot(s->log.last, *seq - s->log.last->first);
		state_set(&s->state, entry, *seq, p->tags.sender, s->log.last->data + slot->offset,
			  slot->len);
	} else if (p->tags.class == RECORD_DELETE) {
		state_delete(&s->state, p->tags.key, p->key);
	}
	if (p->tags.acked)
		dedup_add(&s->dedup, p->tags.msg, *seq);
	if (s->log.last != last)
		session_trim(s, now_ms);
	return HUB_OK;
}

enum hub_code session_publish(struct session *s, struct publication *p, uint64_t now_ms,
			      struct published *out)
{
	enum hub_code code = HUB_OK;
	bool waits = p->wait && s->env->archive;

	*out = (struct published){0};
	pthread_mutex_lock(&s->lock);
	if (waits && session_wait_reserve(s) < 0)
		code = HUB_INTERNAL;
	else
		out->repeated = p->tags.acked && dedup_find(&s->dedup, p->tags.msg, &out->seq);
	if (code == HUB_OK && !out->repeated)
		code = append(s, p, now_ms, &out->seq);
	if (code == HUB_OK && waits && out->seq > s->stored) {
		out->waits = session_wait(s, p->wait, out->seq);
		out->waited = !out->waits;
	}
	pthread_mutex_unlock(&s->lock);
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

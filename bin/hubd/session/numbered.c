/* Records that are numbered elsewhere, on their way there and back. Invariant: an offer ends once,
 * by session_offered(), and who waits for its record is told when that is here; what comes is the
 * next of the log, and in the state and the dedup window as well. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "json/keys.h"
#include "session/session_impl.h"

#define SHARE_PART 16 /* of all memory: what may be on its way for one session */
#define SLOW_PART 64  /* where its publishers are to be slower */

/* --- out */

/* What can be said here, before others have their say. */
static enum hub_code admits(struct session *s, struct publication *p, uint64_t now_ms,
			    struct published *out)
{
	const struct session_env *env = s->env;
	size_t len = p->body.len + LOG_FRAME_MAX;
	struct span key = p->key, type = p->type;
	struct state_look look;
	uint64_t hash;

	if (s->steered) {
		enum hub_code code = session_admits(s, p->body.len, now_ms);

		out->over = code == HUB_RATE_LIMITED;
		if (code != HUB_OK)
			return code;
	}
	if (s->unstored > env->memory->max / SHARE_PART) {
		out->why = "the bus does not keep up with this session";
		return HUB_RATE_LIMITED;
	}
	if (p->terms.own && !p->member)
		return HUB_NOT_MEMBER;
	if (p->tags.class != RECORD_SET)
		return HUB_OK;
	if (log_memory_full(env->memory))
		return HUB_HUB_FULL;
	hash = state_hash(&s->state, key);
	if ((s->state.n >= env->state_keys &&
	     !state_latest_of(&s->state, hash, key, &type, &look)) ||
	    state_is_large(&s->state, 0, hash, key, type, len, env->state_bytes))
		return HUB_SESSION_FULL;
	if (!p->trusted &&
	    (state_is_share(&s->state, p->tags.sender, hash, key, type, env->client_keys) ||
	     state_is_large(&s->state, p->tags.sender, hash, key, type, len, env->client_bytes)))
		return HUB_SESSION_FULL;
	return HUB_OK;
}

enum hub_code session_offer(struct session *s, struct publication *p, uint64_t now_ms,
			    struct published *out)
{
	struct archive *a = s->env->archive;
	enum hub_code code = HUB_OK;
	struct offer *o = NULL;

	pthread_mutex_lock(&s->lock);
	out->repeated = p->tags.acked && dedup_find(&s->dedup, p->tags.msg, &out->seq);
	if (!out->repeated)
		code = admits(s, p, now_ms, out);
	if (code == HUB_OK && (!out->repeated || a->repeats)) {
		o = offer_new(s, p, now_ms);
		code = o ? HUB_OK : HUB_INTERNAL;
		s->unstored += o ? p->body.len : 0;
	}
	out->lags = s->unstored > s->env->memory->max / SLOW_PART;
	pthread_mutex_unlock(&s->lock);
	if (!o)
		return code;
	out->waits = o->wait != NULL;
	code = a->offer(a, o, &out->why);
	if (code == HUB_OK)
		return code;
	out->waits = false;
	o->wait = NULL; /* it is told at once */
	session_offered(o, code, 0, NULL);
	return code;
}

static void post(struct session *s, struct stored_wait *wait, enum hub_code code, uint64_t seq,
		 const char *why)
{
	wait->session = session_ref(s);
	wait->code = code;
	wait->why = why;
	wait->seq = seq;
	worker_post(wait->worker, &wait->done);
}

void session_offered(struct offer *o, enum hub_code code, uint64_t seq, const char *why)
{
	struct session *s = o->session;
	struct stored_wait *wait = o->wait;

	pthread_mutex_lock(&s->lock);
	s->unstored -= o->len;
	if (wait && code == HUB_OK && seq > s->log.head && !s->deleted &&
	    session_wait_reserve(s) == 0) {
		wait->code = HUB_OK;
		if (session_wait(s, wait, seq))
			wait = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (wait)
		post(s, wait, code, seq, why);
	session_unref(s);
	free(o);
}

/* --- in */

/* Puts the frame of a record into the state. Returns 0 or -ENOMEM. */
static int set_state(struct state *state, const struct incoming *in, uint64_t hash, uint32_t area,
		     uint64_t seq, const void *frame, size_t len)
{
	struct state_entry *entry = state_reserve(state, hash, in->key, in->type,
						  in->body.len + LOG_FRAME_MAX, SIZE_MAX, false);
	struct tie *tie;

	if (!entry)
		return -ENOMEM;
	state_set(state, entry, seq, in->tags.sender, frame, len);
	state_place(state, entry, area);
	if (!in->tags.owned && in->due_ms == TIES_NEVER)
		return 0;
	tie = state_tie_new(state);
	if (!tie)
		return -ENOMEM;
	state_bind(state, entry, tie, &(struct state_bond){in->tags.owned, in->due_ms});
	return 0;
}

/* Where the record is, and where the one was that it replaces. */
static void find_place(struct session *s, const struct incoming *in, struct slot *tags)
{
	const struct keys *keys = s->env->keys;
	struct state_look was;

	tags->area = AREA_ANYWHERE;
	tags->before = AREA_NOWHERE;
	if (tags->class == RECORD_DELETE)
		tags->area = state_key_cell(&s->state, tags->key, in->key);
	else if (keys && keys_have_areas(keys))
		tags->area = keys_cell(keys, in->type, in->body.p, in->body.len);
	if (tags->class == RECORD_SET &&
	    state_latest_of(&s->state, tags->key, in->key, &in->type, &was))
		tags->before = was.cell;
}

static int take_one(struct session *s, const struct incoming *in, uint64_t now_ms)
{
	struct slot tags = in->tags;
	const struct chunk *last = s->log.last;
	size_t before = dedup_bytes(&s->dedup);
	int64_t n;
	int r = 0;

	if (tags.class != RECORD_PLAIN)
		tags.key = state_hash(&s->state, in->key);
	find_place(s, in, &tags);
	n = log_append(&s->log, &tags, in->body.p, in->body.len, now_ms);
	if (n < 0)
		return -ENOMEM;
	s->state.next = (uint64_t)n;
	if (tags.class == RECORD_SET) {
		const struct slot *slot = chunk_slot(s->log.last, (uint64_t)n - s->log.last->first);

		r = set_state(&s->state, in, tags.key, tags.area, (uint64_t)n,
			      s->log.last->data + slot->offset, slot->len);
		session_due(s, in->due_ms);
	} else if (tags.class == RECORD_DELETE) {
		state_delete(&s->state, tags.key, in->key);
	}
	if (tags.acked && dedup_reserve(&s->dedup) == 0)
		dedup_add(&s->dedup, tags.sender, tags.msg, (uint64_t)n);
	session_count_dedup(s->env, before, dedup_bytes(&s->dedup));
	if (s->log.last != last)
		session_trim(s, now_ms);
	return r;
}

int session_take(struct session *s, const struct incoming *in, size_t n)
{
	uint64_t since_ns = clock_mono_ns(), now_ms = clock_mono_ms(), head;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_one(s, &in[i], now_ms);
	head = s->log.head;
	pthread_mutex_unlock(&s->lock);
	session_stored(s, head);
	session_wake(s, since_ns);
	return r;
}

int session_image_state(struct session_image *image, const struct incoming *in, uint64_t seq)
{
	struct log_memory *memory = image->state.memory;
	struct log one;
	struct slot tags = {.sender = in->tags.sender};
	const struct slot *slot;
	int r;

	/* The log makes the frame. */
	log_init(&one, memory);
	log_resume(&one, seq - 1);
	if (log_append(&one, &tags, in->body.p, in->body.len, 0) < 0)
		return -ENOMEM;
	slot = chunk_slot(one.last, 0);
	r = set_state(&image->state, in, state_hash(&image->state, in->key), AREA_ANYWHERE, seq,
		      one.last->data + slot->offset, slot->len);
	log_free(&one);
	return r;
}

/* --- parting */

struct parted_mail {
	struct mail mail;	 /* first */
	struct session *session; /* a reference */
	bool deleted;
};

static void on_parted(struct worker *w, struct mail *mail)
{
	struct parted_mail *m = (struct parted_mail *)mail;

	m->session->env->events->parted(w, m->session, m->deleted);
	session_unref(m->session);
	free(m);
}

void session_part(struct session *s, bool deleted)
{
	for (unsigned i = 0; i < s->env->workers->n; i++) {
		struct parted_mail *m = session_shard(s, i) ? malloc(sizeof(*m)) : NULL;

		if (!m)
			continue;
		*m = (struct parted_mail){{.run = on_parted}, session_ref(s), deleted};
		worker_post(s->env->workers->at[i], &m->mail);
	}
}

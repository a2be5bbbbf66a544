/* Where a member begins: at the head, behind the last record that it has had, or where what is left
 * of the past begins, with the state before it. */
#include <errno.h>
#include <stdlib.h>

#include "session/session_impl.h"

static bool from_this_run(const struct session *s, const struct session_from *from)
{
	return from->has_run && from->run == s->env->run;
}

/* The last seq of which everybody who was here in that run of the hub (where it is known: since
 * then; else: lately) can be sure that no crash took it; UINT64_MAX where there was no crash. */
static uint64_t sure_seq(const struct session *s, const struct session_from *from)
{
	const struct crashes *all = s->crashes;
	uint64_t sure = UINT64_MAX;
	size_t i;

	if (!all || !all->n)
		return sure;
	if (!from->has_run)
		return all->at[all->n - 1].head;
	for (i = 0; i < all->n; i++)
		if (all->at[i].run >= from->run && all->at[i].head < sure)
			sure = all->at[i].head;
	return sure;
}

/* What is left of a past that is not all there: the records that are kept, and where they do not
 * reach back far enough, before them the state that is older. */
static void seek_rest(struct session *s, struct member *m, const struct session_from *from,
		      struct session_joined *out)
{
	uint64_t sure = s->log.head, tail = s->log.tail;

	out->rest = true;
	if (from->has_epoch && from->epoch != s->epoch) {
		sure = 0; /* they have nothing in common */
	} else if (s->env->archive && !from_this_run(s, from)) {
		/* Up to what every crash since has left. */
		uint64_t left = sure_seq(s, from);

		sure = left < sure ? left : sure;
	}
	out->since = from->since < sure ? from->since : sure;
	if (out->since + 1 < tail && from->opened && from->stored < tail)
		tail = from->stored;
	m->cursor = out->since + 1 < tail ? tail : out->since + 1;
	out->gap_to = m->cursor > out->since + 1 ? m->cursor - 1 : 0;
}

/* Why the past that it wants is not to be had, or NULL; then the cursor is there. */
static const char *seek_since(struct session *s, struct member *m, const struct session_from *from,
			      uint64_t tail, struct session_joined *out)
{
	if ((from->has_epoch && from->epoch != s->epoch) || from->since > s->log.head)
		return "epoch_changed";
	/* It may have seen records that a crash took. */
	if (s->env->archive && !from_this_run(s, from) && from->since > sure_seq(s, from))
		return "epoch_changed";
	if (from->since + 1 >= tail) {
		m->cursor = from->since + 1;
		return NULL;
	}
	if (from->since == 0) { /* it asked for all that there is */
		out->gap_to = tail - 1;
		m->cursor = tail;
	}
	return "trimmed";
}

int member_catch_up(struct member *m, struct chunk *chunk, uint64_t n, uint64_t skip)
{
	m->catchup = malloc(sizeof(*m->catchup));
	if (!m->catchup) {
		chunk_unref(chunk);
		return -ENOMEM;
	}
	*m->catchup = (struct catchup){.chunk = chunk, .at = 1, .n = n, .skip = skip};
	return 0;
}

void member_drop_catchup(struct member *m)
{
	if (m->catchup)
		chunk_unref(m->catchup->chunk);
	free(m->catchup);
	m->catchup = NULL;
}

/* Whether only an archive can tell where the member begins. */
static bool must_ask(const struct session *s, const struct session_from *from)
{
	return s->env->archive && !from->opened &&
	       (!s->loaded || (from->has_since && from->since + 1 < s->log.tail) ||
		/* It was ahead on another hub. */
		(from->has_since && from->since > s->log.head && s->env->archive->offer) ||
		/* What is left may begin anywhere. */
		(from->has_since && from->rest));
}

struct within {
	struct log out;
	const struct area *area;
	int status;
};

static void put_within(uint64_t seq, const struct slot *tags, const void *frame, size_t len,
		       void *arg)
{
	struct within *w = arg;

	(void)seq;
	if (w->status == 0 && (tags->area == AREA_ANYWHERE || area_has(w->area, tags->area)) &&
	    log_put(&w->out, tags, frame, len) < 0)
		w->status = -ENOMEM;
}

/* The state as far as it is in the area. */
static struct chunk *take_part(struct session *s, const struct area *area,
			       struct session_joined *out, bool *out_of_memory)
{
	struct within w = {.area = area};

	log_init(&w.out, s->env->memory);
	w.out.pins = true;
	state_each(&s->state, put_within, &w);
	*out_of_memory = w.status < 0;
	if (w.status < 0)
		log_free(&w.out);
	out->snapshot = w.status < 0 ? 0 : w.out.head;
	return w.out.oldest;
}

/* The state, and how many records it is, or one of a moment ago with the records after it: then the
 * member begins there. */
static struct chunk *take_snapshot(struct session *s, struct member *m, const struct area *area,
				   struct session_joined *out, bool *out_of_memory)
{
	const struct state_past *past = NULL;

	if (area)
		return take_part(s, area, out, out_of_memory);
	if (!out->rest)
		past = state_share(&s->state, s->log.tail, log_memory_over(s->env->memory));
	if (past) {
		out->seq = past->seq;
		out->snapshot = past->n;
		m->cursor = past->seq + 1;
		return chunk_ref(past->chunk);
	}
	out->snapshot = out->rest ? state_before(&s->state, m->cursor) : s->state.n;
	return state_snapshot(&s->state, out_of_memory);
}

enum hub_code session_seek_locked(struct session *s, struct member *m,
				  const struct session_from *from, struct session_joined *out)
{
	struct shard *shard = session_shard(s, m->worker);
	struct chunk *snapshot = NULL;
	bool out_of_memory = false;
	uint64_t tail = s->log.tail;

	*out = (struct session_joined){.epoch = s->epoch,
				       .seq = s->log.head,
				       .user_count = session_total(s),
				       .recovered = from->has_since};
	out->ask = must_ask(s, from);
	if (out->ask)
		return HUB_OK;
	if (from->has_since && from->since + 1 < tail && from->opened && from->stored < tail)
		tail = from->stored;
	m->cursor = s->log.head + 1;
	if (from->has_since)
		out->reason = seek_since(s, m, from, tail, out);
	if (out->reason)
		out->recovered = false;
	if (out->reason && from->rest)
		seek_rest(s, m, from, out);
	if (!from->bare && !out->recovered && (out->rest ? out->gap_to > 0 : !out->gap_to))
		snapshot = take_snapshot(s, m, from->area, out, &out_of_memory);
	if (out_of_memory)
		return HUB_INTERNAL;
	if (snapshot) {
		if (member_catch_up(m, snapshot, out->snapshot, 0) < 0)
			return HUB_INTERNAL;
	}
	/* It may have sent some of what it now gets. */
	m->last_sent = s->log.head;
	if (m->cursor < atomic_load_explicit(&shard->low, memory_order_relaxed))
		atomic_store_explicit(&shard->low, m->cursor, memory_order_relaxed);
	return HUB_OK;
}

enum hub_code session_seek(struct member *m, const struct session_from *from,
			   struct session_joined *out)
{
	struct session *s = m->session;
	struct catchup *before = m->catchup, *now;
	enum hub_code code;

	m->catchup = NULL;
	pthread_mutex_lock(&s->lock);
	code = session_seek_locked(s, m, from, out);
	pthread_mutex_unlock(&s->lock);
	/* One of the two goes: where only an archive knows more, nothing has changed. */
	now = m->catchup;
	m->catchup = before;
	if (out->ask)
		return code;
	member_drop_catchup(m);
	m->catchup = now;
	return code;
}

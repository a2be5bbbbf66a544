/* Members that the log has overtaken: what such a one gets in place of the records from its cursor
 * on is the state, and every record with an ack that it has not had (those retained from before the
 * log's tail, then those in the log), in the order of their seq. */
#include <errno.h>

#include "session/session_impl.h"

struct merge {
	struct log out;
	const struct member *m;
	const struct area *area; /* NULL: all */
	const struct retained_record *retained;
	const struct chunk *chunk;
	uint64_t at, head; /* of the log */
	int status;
};

static void merge_put(struct merge *g, const struct slot *tags, const void *frame, size_t len)
{
	if (g->status == 0 && log_put(&g->out, tags, frame, len) < 0)
		g->status = -ENOMEM;
}

/* The records with an ack before seq `before`, but for a member's own that it does not want back.
 */
static void merge_acked(struct merge *g, uint64_t before)
{
	uint64_t skip = g->m->echo ? 0 : g->m->client;

	for (; g->retained && g->retained->seq < before; g->retained = g->retained->next)
		if (!skip || g->retained->tags.sender != skip)
			merge_put(g, &g->retained->tags, g->retained->frame, g->retained->len);
	for (; g->at < before && g->at <= g->head; g->at++) {
		const struct slot *slot;

		g->chunk = chunk_find(g->chunk, g->at);
		slot = chunk_slot(g->chunk, g->at - g->chunk->first);
		if (slot->acked && (!skip || slot->sender != skip))
			merge_put(g, slot, g->chunk->data + slot->offset, slot->len);
	}
}

static void merge_state(uint64_t seq, const struct slot *tags, const void *frame, size_t len,
			void *arg)
{
	struct merge *g = arg;

	merge_acked(g, seq);
	if (g->retained && g->retained->seq == seq)
		g->retained = g->retained->next;
	if (g->at == seq)
		g->at++;
	if (!g->area || tags->area == AREA_ANYWHERE || area_has(g->area, tags->area))
		merge_put(g, tags, frame, len);
}

int session_resync(struct member *m, const struct area *area, uint64_t *gap_to)
{
	struct session *s = m->session;
	struct merge g = {.m = m, .area = area};

	log_init(&g.out, s->env->memory);
	g.out.pins = true;
	pthread_mutex_lock(&s->lock);
	if (s->retained.lost >= m->cursor)
		g.status = -ESTALE;
	for (g.retained = s->retained.first; g.retained && g.retained->seq < m->cursor;)
		g.retained = g.retained->next;
	g.chunk = s->log.oldest;
	g.at = m->cursor > s->log.tail ? m->cursor : s->log.tail;
	g.head = s->log.head;
	if (g.status == 0) {
		state_each(&s->state, merge_state, &g);
		merge_acked(&g, UINT64_MAX);
	}
	pthread_mutex_unlock(&s->lock);
	if (g.status == 0 && g.out.head)
		g.status = member_catch_up(m, g.out.oldest, g.out.head, 0);
	else
		log_free(&g.out);
	if (g.status == 0) {
		*gap_to = g.head;
		m->cursor = g.head + 1;
	}
	return g.status;
}

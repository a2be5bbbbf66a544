#include "log/retained.h"

#include <stdlib.h>
#include <string.h>

void retained_drop(struct retained *r, struct log_memory *memory, uint64_t seq)
{
	while (r->first && r->first->seq < seq) {
		struct retained_record *k = r->first;

		r->first = k->next;
		if (!r->first)
			r->last = NULL;
		log_memory_count(memory, &memory->retained, -(sizeof(*k) + k->len));
		free(k);
	}
}

void retained_lose(struct retained *r, struct log_memory *memory)
{
	r->lost = r->last->seq;
	retained_drop(r, memory, UINT64_MAX);
}

void retained_take(struct retained *r, const struct log *log, uint64_t low)
{
	const struct chunk *c = log->oldest;
	uint64_t n = atomic_load_explicit(&c->n, memory_order_relaxed), i;

	for (i = low > c->first ? low - c->first : 0; i < n; i++) {
		const struct slot *slot = chunk_slot(c, i);
		struct retained_record *k;

		if (!slot->acked)
			continue;
		k = log_memory_tight(log->memory) ? NULL : malloc(sizeof(*k) + slot->len);
		if (!k) {
			r->lost = c->first + i;
			continue;
		}
		k->next = NULL;
		k->seq = c->first + i;
		k->tags = *slot;
		k->len = slot->len;
		memcpy(k->frame, c->data + slot->offset, slot->len);
		*(r->last ? &r->last->next : &r->first) = k;
		r->last = k;
		log_memory_count(log->memory, &log->memory->retained, sizeof(*k) + k->len);
	}
	if (r->lost) /* who would need those before it is lost as well */
		retained_drop(r, log->memory, r->lost + 1);
}

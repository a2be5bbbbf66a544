/* What records are bound to. Invariant: an entry has a tie exactly when it has a frame that goes
 * with its sender, or in time. */
#include <stdlib.h>

#include "log/state_impl.h"

void state_untie(struct state *s, struct state_entry *e)
{
	ties_remove(s->ties, e->tie);
	state_count(s, 0, sizeof(*e->tie));
	free(e->tie);
	e->tie = NULL;
}

void state_bonds_free(struct state *s)
{
	if (!s->ties)
		return;
	state_count(s, 0, sizeof(*s->ties) + ties_bytes(s->ties));
	ties_free(s->ties);
	free(s->ties);
	s->ties = NULL;
}

struct tie *state_tie_new(struct state *s)
{
	size_t before = 0;
	struct tie *tie;

	if (!s->ties) {
		s->ties = calloc(1, sizeof(*s->ties));
		if (!s->ties)
			return NULL;
		state_count(s, sizeof(*s->ties), 0);
	}
	before = ties_bytes(s->ties);
	tie = ties_reserve(s->ties) == 0 ? calloc(1, sizeof(*tie)) : NULL;
	state_count(s, ties_bytes(s->ties) + (tie ? sizeof(*tie) : 0), before);
	return tie;
}

void state_tie_drop(struct state *s, struct tie *tie)
{
	state_count(s, 0, tie ? sizeof(*tie) : 0);
	free(tie);
}

void state_bind(struct state *s, struct state_entry *e, struct tie *tie,
		const struct state_bond *bond)
{
	tie->entry = e;
	e->tie = tie;
	ties_add(s->ties, tie, bond->owned ? e->sender : 0, bond->due_ms);
}

const struct state_entry *state_owned(const struct state *s, uint64_t client)
{
	const struct tie *tie = NULL;

	if (s->ties)
		tie = client ? ties_of(s->ties, client) : ties_of_any(s->ties);
	return tie ? tie->entry : NULL;
}

const struct state_entry *state_owned_where(const struct state *s,
					    bool (*is)(uint64_t client, void *arg), void *arg)
{
	const struct tie *tie = s->ties ? ties_where(s->ties, is, arg) : NULL;

	return tie ? tie->entry : NULL;
}

const struct state_entry *state_due(const struct state *s, uint64_t now_ms)
{
	const struct tie *tie = s->ties ? ties_due(s->ties, now_ms) : NULL;

	return tie ? tie->entry : NULL;
}

uint64_t state_next_ms(const struct state *s)
{
	return s->ties ? ties_next_ms(s->ties) : TIES_NEVER;
}

struct state_look state_look_at(const struct state_entry *e)
{
	return (struct state_look){.key = {(const char *)e->data, e->key_len},
				   .type = {(const char *)e->data + e->key_len, e->type_len},
				   .hash = e->hash,
				   .seq = e->seq,
				   .sender = e->sender,
				   .cell = state_cell(e),
				   .frame = e->data + e->key_len + e->type_len,
				   .len = e->len};
}

bool state_latest_of(const struct state *s, uint64_t hash, struct span key, const struct span *type,
		     struct state_look *out)
{
	const struct state_entry *e, *last = NULL;

	for (e = s->size ? s->table[hash & (s->size - 1)] : NULL; e; e = e->hash_next)
		if (state_has_key(e, hash, key) && e->seq && (!type || state_has_type(e, *type)) &&
		    (!last || e->seq > last->seq))
			last = e;
	if (last)
		*out = state_look_at(last);
	return last != NULL;
}

void state_unbind(struct state *s, const struct state_entry *e)
{
	state_untie(s, e->tie->entry);
}

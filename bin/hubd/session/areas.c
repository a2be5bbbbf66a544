/* What a member has to get that is to see other cells than before. */
#include <errno.h>
#include <stdlib.h>

#include "json/keys.h"
#include "session/session_impl.h"
#include "wire/wsframe.h"

struct entering {
	const struct state_entry **at;
	size_t n, cap;
	int status;
	void (*each)(struct state_look look, void *arg); /* of those that are left */
	void *arg;
};

static void enter(const struct state_entry *e, void *arg)
{
	struct entering *g = arg;

	if (g->status == 0 && g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		const struct state_entry **at = realloc(g->at, cap * sizeof(const void *));

		if (at) {
			g->at = at;
			g->cap = cap;
		} else {
			g->status = -ENOMEM;
		}
	}
	if (g->status == 0)
		g->at[g->n++] = e;
}

static void leave(const struct state_entry *e, void *arg)
{
	struct entering *g = arg;

	g->each(state_look_at(e), g->arg);
}

static int older(const void *a, const void *b)
{
	uint64_t x = state_look_at(*(const struct state_entry *const *)a).seq;
	uint64_t y = state_look_at(*(const struct state_entry *const *)b).seq;

	return x < y ? -1 : x > y;
}

static void put(const struct state_entry *e, struct log *out, int *status)
{
	struct state_look look = state_look_at(e);
	struct slot tags = {.sender = look.sender,
			    .key = look.hash,
			    .class = RECORD_SET,
			    .area = look.cell,
			    .before = AREA_NOWHERE};

	if (*status == 0 && log_put(out, &tags, look.frame, look.len) < 0)
		*status = -ENOMEM;
}

int session_enter(struct session *s, const struct area *from, const struct area *to,
		  void (*each)(struct state_look look, void *arg), void *arg,
		  struct session_entered *out)
{
	struct entering g = {.each = each, .arg = arg};
	struct log log;

	log_init(&log, s->env->memory);
	log.pins = true;
	if (from)
		state_each_in(&s->state, to, from, enter, &g);
	if (to)
		state_each_in(&s->state, from, to, leave, &g);
	if (g.n)
		qsort(g.at, g.n, sizeof(const void *), older);
	for (size_t i = 0; i < g.n; i++)
		put(g.at[i], &log, &g.status);
	free(g.at);
	*out = (struct session_entered){s->log.head, log.oldest, log.head};
	if (g.status < 0)
		log_free(&log);
	return g.status;
}

static void find_place(const struct keys *keys, const char *text, size_t len, struct slot *slot)
{
	static const enum record_class classes[] = {[KEY_NONE] = RECORD_PLAIN,
						    [KEY_BAD] = RECORD_PLAIN,
						    [KEY_SET] = RECORD_SET,
						    [KEY_OWN] = RECORD_SET,
						    [KEY_DELETE] = RECORD_DELETE};
	char room[ENVELOPE_KEY_MAX], why[1];
	struct span key, written;
	struct envelope e;

	if (envelope_parse(&e, text, len, why, sizeof(why)) != HUB_OK)
		return;
	slot->class = classes[keys_find(keys, &e, room, &key, &written, &slot->area)] & 3;
	slot->before = slot->class == RECORD_SET ? AREA_ANYWHERE : AREA_NOWHERE;
	slot->type_at = (uint32_t)(e.type_written.p - text) & 0x3fffffff;
	slot->type_len = (unsigned)e.type_written.len & 0xfff;
	slot->key_at = written.len ? (uint32_t)(written.p - text) : 0;
	slot->key_len = (uint16_t)written.len;
}

void session_find_places(const struct session *s, struct chunk *chunk, uint64_t n)
{
	const struct keys *keys = s->env->keys;
	const struct chunk *c = chunk;

	if (!keys || !keys_have_areas(keys))
		return;
	for (uint64_t i = 1; i <= n; i++) {
		struct slot *slot;
		const unsigned char *frame;
		size_t header;

		c = chunk_find(c, i);
		slot = (struct slot *)(uintptr_t)chunk_slot(c, i - c->first);
		frame = c->data + slot->offset;
		header = wsframe_header_len(frame);
		find_place(keys, (const char *)frame + header, slot->len - header, slot);
	}
}

/* A session's state against a plain list: the last record of each (key, type), oldest first, within
 * its limit, its memory counted to the byte, and snapshots that stay as they were. */
#include "log/state.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static struct span span(const char *text)
{
	return (struct span){text, strlen(text)};
}

#define FRAME_MAX 5000

/* The frame of record seq: as long as wanted, and like no other. */
static void make_frame(unsigned char *out, uint64_t seq, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(seq * 7 + i * 13 + (i >> 8));
}

static struct state_entry *reserve(struct state *s, const char *key, struct span type, size_t len,
				   size_t max, bool full)
{
	return state_reserve(s, state_hash(s, span(key)), span(key), type, len, max, full);
}

static void drop(struct state *s, const char *key)
{
	state_delete(s, state_hash(s, span(key)), span(key));
}

/* Reserves more than it then needs, as a session does. */
static bool set(struct state *s, const char *key, const char *type, uint64_t seq, size_t len,
		size_t max)
{
	static unsigned char frame[FRAME_MAX];
	struct state_entry *e = reserve(s, key, span(type), len + 48, max, false);

	if (!e)
		return false;
	make_frame(frame, seq, len);
	state_set(s, e, seq, seq + 1000, frame, len);
	return true;
}

/* --- the model --- */

struct entry {
	char key[32], type[32];
	uint64_t seq;
	size_t len;
};

struct model {
	struct entry *entry; /* oldest first */
	size_t n;
};

static void model_drop(struct model *m, size_t i)
{
	memmove(m->entry + i, m->entry + i + 1, (m->n - i - 1) * sizeof(*m->entry));
	m->n--;
}

static bool model_has(const struct model *m, const char *key, const char *type)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->entry[i].key, key) == 0 && strcmp(m->entry[i].type, type) == 0)
			return true;
	return false;
}

static void model_set(struct model *m, const char *key, const char *type, uint64_t seq, size_t len)
{
	struct entry *e;

	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->entry[i].key, key) == 0 && strcmp(m->entry[i].type, type) == 0) {
			model_drop(m, i);
			break;
		}
	}
	e = &m->entry[m->n++];
	snprintf(e->key, sizeof(e->key), "%s", key);
	snprintf(e->type, sizeof(e->type), "%s", type);
	e->seq = seq;
	e->len = len;
}

static void model_delete(struct model *m, const char *key)
{
	for (size_t i = m->n; i-- > 0;)
		if (strcmp(m->entry[i].key, key) == 0)
			model_drop(m, i);
}

struct walk {
	const struct state *s;
	const struct model *m;
	size_t at;
};

static void compare(uint64_t seq, const struct slot *tags, const void *frame, size_t len, void *arg)
{
	static unsigned char want[FRAME_MAX];
	struct walk *w = arg;
	const struct entry *e;

	assert_true(w->at < w->m->n);
	e = &w->m->entry[w->at++];
	assert_true(tags->key == state_hash(w->s, span(e->key)));
	assert_int_equal(tags->class, RECORD_SET);
	assert_int_equal(seq, e->seq);
	assert_int_equal(tags->sender, e->seq + 1000);
	assert_int_equal(len, e->len);
	make_frame(want, e->seq, len);
	assert_memory_equal(frame, want, len);
}

static void check_each(const struct state *s, const struct model *m)
{
	struct walk w = {s, m, 0};

	state_each(s, compare, &w);
	assert_int_equal(w.at, m->n);
	assert_int_equal(s->n, m->n);
}

/* chunk is a chain of n records, numbered from 1, that are the model's. */
static void check_chain(const struct chunk *chunk, const struct entry *entry, size_t n)
{
	static unsigned char want[FRAME_MAX];
	const struct chunk *c = chunk, *next;

	for (size_t i = 0; i < n; i++) {
		const struct slot *slot;

		c = chunk_find(c, i + 1);
		slot = chunk_slot(c, i + 1 - c->first);
		assert_int_equal(slot->sender, entry[i].seq + 1000);
		assert_int_equal(slot->len, entry[i].len);
		make_frame(want, entry[i].seq, slot->len);
		assert_memory_equal(c->data + slot->offset, want, slot->len);
	}
	if (!c)
		return;
	assert_int_equal(c->first + atomic_load(&c->n), n + 1);
	next = atomic_load(&c->next);
	assert_null(next);
}

static void check_snapshot(struct state *s, const struct model *m)
{
	bool out_of_memory = true;
	struct chunk *c = state_snapshot(s, &out_of_memory);

	assert_false(out_of_memory);
	assert_int_equal(c != NULL, m->n > 0);
	check_chain(c, m->entry, m->n);
	chunk_unref(c);
}

static size_t used(const struct state *s)
{
	return atomic_load(&s->memory->used);
}

/* --- one at a time --- */

static void nothing_takes_nothing(void **arg)
{
	struct log_memory memory = {.max = SIZE_MAX};
	bool out_of_memory = true;
	struct model none = {0};
	struct state s;

	(void)arg;
	state_init(&s, &memory);
	assert_null(state_snapshot(&s, &out_of_memory));
	assert_false(out_of_memory);
	check_each(&s, &none);
	drop(&s, "k");
	assert_int_equal(used(&s), 0);
	state_free(&s);
	state_free(&s);
	assert_int_equal(used(&s), 0);
}

static void the_same_key_has_a_record_of_each_type(void **arg)
{
	struct entry want[] = {{"a", "x", 3, 5}, {"b", "x", 4, 5}, {"a", "y", 5, 5}};
	struct log_memory memory = {.max = SIZE_MAX};
	struct model m = {want, 3};
	struct state s;

	(void)arg;
	state_init(&s, &memory);
	set(&s, "a", "y", 1, 9, 10);
	set(&s, "b", "x", 2, 9, 10);
	set(&s, "a", "x", 3, 5, 10);
	set(&s, "b", "x", 4, 5, 10);
	set(&s, "a", "y", 5, 5, 10);
	check_each(&s, &m);
	check_snapshot(&s, &m);
	drop(&s, "a");
	m = (struct model){want + 1, 1};
	check_each(&s, &m);
	check_snapshot(&s, &m);
	drop(&s, "a");
	drop(&s, "");
	check_each(&s, &m);
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* Where key ends and type begins matters. */
static void keys_and_types_do_not_run_together(void **arg)
{
	struct entry want[] = {{"ab", "c", 1, 3}, {"a", "bc", 2, 3}, {"", "abc", 3, 3}};
	struct log_memory memory = {.max = SIZE_MAX};
	struct model m = {want, 3};
	struct state s;

	(void)arg;
	state_init(&s, &memory);
	set(&s, "ab", "c", 1, 3, 10);
	set(&s, "a", "bc", 2, 3, 10);
	set(&s, "", "abc", 3, 3, 10);
	check_each(&s, &m);
	drop(&s, "a");
	want[1] = want[2];
	m.n = 2;
	check_each(&s, &m);
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void the_limit_counts_new_keys_only(void **arg)
{
	struct entry want[] = {{"b", "x", 2, 3}, {"a", "x", 9, 4000}};
	struct log_memory memory = {.max = SIZE_MAX};
	struct model m = {want, 2};
	struct state s;
	size_t before;

	(void)arg;
	state_init(&s, &memory);
	errno = 0;
	assert_false(set(&s, "a", "x", 1, 3, 0));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(s.n, 0);
	assert_true(set(&s, "a", "x", 1, 3, 2));
	assert_true(set(&s, "b", "x", 2, 3, 2));
	before = used(&s);
	errno = 0;
	assert_false(set(&s, "c", "x", 3, 3, 2));
	assert_int_equal(errno, ENOSPC);
	assert_false(set(&s, "a", "y", 3, 3, 2));
	assert_int_equal(used(&s), before);
	assert_true(set(&s, "a", "x", 9, 4000, 2));
	check_each(&s, &m);
	drop(&s, "b");
	assert_true(set(&s, "c", "x", 10, 3, 2));
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* Where memory is out, nothing may grow: no new key, no larger record. */
static void a_full_hub_takes_no_more(void **arg)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct entry want[] = {{"a", "x", 1, 100}};
	struct model m = {want, 1};
	struct state_entry *e;
	struct state s;
	size_t before;

	(void)arg;
	state_init(&s, &memory);
	set(&s, "a", "x", 1, 100, 10);
	before = used(&s);
	errno = 0;
	assert_null(reserve(&s, "b", span("x"), 1, 10, true));
	assert_int_equal(errno, EDQUOT);
	errno = 0;
	assert_null(reserve(&s, "a", span("x"), 1000, 10, true));
	assert_int_equal(errno, EDQUOT);
	errno = 0;
	assert_null(reserve(&s, "b", span("x"), 1, 1, true));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(used(&s), before);
	check_each(&s, &m);
	e = reserve(&s, "a", span("x"), 148, 1, true);
	assert_non_null(e);
	state_abandon(&s, e);
	assert_int_equal(used(&s), before);
	check_each(&s, &m);
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void what_is_abandoned_leaves_no_trace(void **arg)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct entry want[] = {{"a", "x", 1, 3}};
	struct model m = {want, 1};
	struct state_entry *e;
	struct state s;
	size_t before;

	(void)arg;
	state_init(&s, &memory);
	set(&s, "a", "x", 1, 3, 10);
	before = used(&s);
	e = reserve(&s, "b", span("x"), 1000, 10, false);
	assert_non_null(e);
	assert_int_equal(s.n, 2);
	assert_true(used(&s) > before + 1000);
	state_abandon(&s, e);
	assert_int_equal(used(&s), before);
	check_each(&s, &m);
	check_snapshot(&s, &m);
	/* What was there stays, with more room, also as the one at both ends of the list. */
	e = reserve(&s, "a", span("x"), 4000, 10, false);
	assert_non_null(e);
	state_abandon(&s, e);
	check_each(&s, &m);
	check_snapshot(&s, &m);
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* An entry that grows may move; its neighbours must know. */
static void entries_may_move(void **arg)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct model m = {calloc(64, sizeof(struct entry)), 0};
	struct state s;
	uint64_t seq = 0;
	char key[16];

	(void)arg;
	state_init(&s, &memory);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		set(&s, key, "x", ++seq, 1, 100);
		model_set(&m, key, "x", seq, 1);
	}
	for (size_t len = 10; len < FRAME_MAX; len = len * 3 / 2) {
		/* The first of the list, the last, one in the middle; changed or not. */
		static const int which[] = {0, 29, 15};

		for (size_t i = 0; i < UNIT_COUNT(which); i++) {
			struct state_entry *e;

			snprintf(key, sizeof(key), "k%d", which[i]);
			e = reserve(&s, key, span("x"), len + 60, 100, false);
			assert_non_null(e);
			state_abandon(&s, e);
			check_each(&s, &m);
			set(&s, key, "x", ++seq, len, 100);
			model_set(&m, key, "x", seq, len);
			check_each(&s, &m);
		}
	}
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
	free(m.entry);
}

static void snapshots_stay_as_they_were(void **arg)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct entry old[] = {{"a", "x", 1, 3}, {"b", "x", 2, 4000}};
	bool out_of_memory;
	struct chunk *first, *again, *later;
	struct state s;

	(void)arg;
	state_init(&s, &memory);
	set(&s, "a", "x", 1, 3, 10);
	set(&s, "b", "x", 2, 4000, 10);
	first = state_snapshot(&s, &out_of_memory);
	again = state_snapshot(&s, &out_of_memory);
	assert_ptr_equal(first, again);
	chunk_unref(again);
	set(&s, "a", "x", 3, 5, 10);
	later = state_snapshot(&s, &out_of_memory);
	assert_ptr_not_equal(first, later);
	chunk_unref(later);
	drop(&s, "b");
	drop(&s, "a");
	assert_null(state_snapshot(&s, &out_of_memory));
	check_chain(first, old, 2);
	state_free(&s);
	check_chain(first, old, 2);
	assert_true(atomic_load(&memory.used) > 4000);
	chunk_unref(first);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* --- against the model --- */

#define OPERATIONS 60000
#define KEYS 500
#define LIMIT 900

static void any_order_of_things_agrees_with_the_model(void **arg)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct model m = {calloc(LIMIT + 1, sizeof(struct entry)), 0}, held = {0};
	struct chunk *holds = NULL;
	uint64_t seq = 0;
	struct state s;
	bool out_of_memory;
	int full = 0;

	(void)arg;
	assert_non_null(m.entry);
	held.entry = calloc(LIMIT + 1, sizeof(struct entry));
	assert_non_null(held.entry);
	state_init(&s, &memory);
	for (int i = 0; i < OPERATIONS; i++) {
		char key[32], type[32];
		uint32_t what = pick(100), k = pick(KEYS);
		/* It mostly grows, then mostly shrinks, and so on. */
		uint32_t deletes = i / 6000 % 2 ? 60 : 3;
		size_t len = pick(50) ? pick(300) : pick(FRAME_MAX);

		snprintf(key, sizeof(key), "%.*s%u", (int)(k % 17), "long-long-long-long", k);
		snprintf(type, sizeof(type), "t%u", pick(3));
		if (what < deletes) {
			drop(&s, key);
			model_delete(&m, key);
		} else if (what == 99) {
			struct state_entry *e = reserve(&s, key, span(type), len, LIMIT, false);

			if (e)
				state_abandon(&s, e);
		} else {
			bool fits = m.n < LIMIT || model_has(&m, key, type);

			assert_int_equal(set(&s, key, type, ++seq, len, LIMIT), fits);
			if (fits)
				model_set(&m, key, type, seq, len);
			else
				full++;
		}
		assert_int_equal(s.n, m.n);
		if (i % 97 == 0)
			check_each(&s, &m);
		if (i % 211 == 0)
			check_snapshot(&s, &m);
		if (i % 5000 == 4000) {
			check_chain(holds, held.entry, held.n);
			chunk_unref(holds);
			holds = state_snapshot(&s, &out_of_memory);
			held.n = m.n;
			memcpy(held.entry, m.entry, m.n * sizeof(*m.entry));
		}
	}
	assert_true(full > 100);
	check_each(&s, &m);
	check_chain(holds, held.entry, held.n);
	while (m.n) {
		drop(&s, m.entry[m.n / 2].key);
		model_delete(&m, m.entry[m.n / 2].key);
	}
	check_each(&s, &m);
	state_free(&s);
	chunk_unref(holds);
	assert_int_equal(atomic_load(&memory.used), 0);
	free(m.entry);
	free(held.entry);
}

/* Whatever becomes of records, the next one is refused to those who have as many, or as much, and
 * to nobody else. */
static void each_sender_has_its_share(void **state)
{
	enum { PEOPLE = 5, THINGS = 40, SHARE = 6, TIMES = 20000 };
	struct log_memory memory = {.max = SIZE_MAX};
	uint64_t of[THINGS] = {0};
	size_t len[THINGS] = {0}, refused = 0;
	static unsigned char frame[FRAME_MAX];
	struct state s;

	(void)state;
	state_init(&s, &memory);
	for (uint64_t seq = 1; seq <= TIMES; seq++) {
		uint64_t sender = 1 + pick(PEOPLE), hash;
		uint32_t i = pick(THINGS);
		size_t n = 0, bytes = 0, wants = 1 + pick(800);
		struct state_entry *e;
		bool one_more;
		char key[8];

		snprintf(key, sizeof(key), "k%02u", i);
		if (pick(8) == 0) {
			drop(&s, key);
			of[i] = len[i] = 0;
			continue;
		}
		hash = state_hash(&s, span(key));
		for (uint32_t k = 0; k < THINGS; k++) {
			n += of[k] == sender;
			bytes += of[k] == sender && k != i ? len[k] : 0;
		}
		one_more = !of[i] && n >= SHARE;
		assert_int_equal(state_is_share(&s, sender, hash, span(key), span("t"), SHARE),
				 one_more);
		/* What an entry takes beside its frame, as the state itself says. */
		if (s.n && len[i] < wants && (bytes + wants) > 4000) {
			size_t mine = of[i] == sender ? n : n + 1, over = 0;

			for (uint32_t k = 0; k < THINGS; k++)
				over += len[k];
			over = (s.bytes - 2 * s.size * sizeof(void *) - over) / s.n;
			assert_int_equal(state_is_large(&s, sender, hash, span(key), span("t"),
							wants, 4000 + mine * over),
					 true);
			assert_int_equal(state_is_large(&s, sender, hash, span(key), span("t"),
							wants, bytes + wants + mine * over),
					 false);
		}
		if (one_more) {
			refused++;
			continue;
		}
		e = reserve(&s, key, span("t"), wants, THINGS, false);
		assert_non_null(e);
		state_set(&s, e, seq, sender, frame, 1);
		of[i] = sender;
		len[i] = len[i] > wants ? len[i] : wants;
	}
	assert_true(refused > 100);
	state_free(&s);
	assert_int_equal(atomic_load(&memory.used), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_takes_nothing),
	    cmocka_unit_test(the_same_key_has_a_record_of_each_type),
	    cmocka_unit_test(keys_and_types_do_not_run_together),
	    cmocka_unit_test(the_limit_counts_new_keys_only),
	    cmocka_unit_test(a_full_hub_takes_no_more),
	    cmocka_unit_test(what_is_abandoned_leaves_no_trace),
	    cmocka_unit_test(entries_may_move),
	    cmocka_unit_test(snapshots_stay_as_they_were),
	    cmocka_unit_test(any_order_of_things_agrees_with_the_model),
	    cmocka_unit_test(each_sender_has_its_share),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}

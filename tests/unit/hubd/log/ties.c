/* Ties against a plain list: who has which, and which is due. */
#include "log/ties.h"

#include <stdbool.h>
#include <stdlib.h>

#include "unit.h"

#define TIES 300
#define CLIENTS 17

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static void nothing_is_due_of_nothing(void **state)
{
	struct ties t = {0};

	(void)state;
	assert_null(ties_of(&t, 1));
	assert_null(ties_of_any(&t));
	assert_null(ties_due(&t, TIES_NEVER));
	assert_true(ties_next_ms(&t) == TIES_NEVER);
	ties_free(&t);
}

struct model {
	struct tie tie[TIES];
	bool in[TIES];
};

static bool is_odd(uint64_t client, void *arg)
{
	++*(unsigned *)arg;
	return client % 2 == 1;
}

static void check(struct ties *t, const struct model *m, uint64_t now_ms)
{
	unsigned owned[CLIENTS + 1] = {0}, any = 0, odd = 0, asked = 0;
	const struct tie *found;
	uint64_t first = TIES_NEVER;

	for (unsigned i = 0; i < TIES; i++) {
		if (!m->in[i])
			continue;
		owned[m->tie[i].client]++;
		any += m->tie[i].client > 0;
		first = m->tie[i].due_ms < first ? m->tie[i].due_ms : first;
	}
	for (uint64_t c = 1; c <= CLIENTS; c++) {
		const struct tie *tie = ties_of(t, c);

		assert_true((tie != NULL) == (owned[c] > 0));
		assert_true(!tie || (tie->client == c && m->in[tie - m->tie]));
	}
	assert_true((ties_of_any(t) != NULL) == (any > 0));
	for (uint64_t c = 1; c <= CLIENTS; c += 2)
		odd += owned[c];
	found = ties_where(t, is_odd, &asked);
	assert_true((found != NULL) == (odd > 0));
	assert_true(found ? found->client % 2 == 1 : asked == any);
	assert_true(ties_next_ms(t) == first);
	assert_true((ties_due(t, now_ms) != NULL) == (first <= now_ms && first != TIES_NEVER));
	assert_true(!ties_due(t, now_ms) || ties_due(t, now_ms)->due_ms == first);
}

static void any_order_of_things_agrees_with_the_list(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct ties t = {0};

	(void)state;
	assert_non_null(m);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = pick(TIES);

		if (m->in[i]) {
			ties_remove(&t, &m->tie[i]);
		} else {
			assert_int_equal(ties_reserve(&t), 0);
			ties_add(&t, &m->tie[i], pick(CLIENTS + 1),
				 pick(3) ? pick(50) : TIES_NEVER);
		}
		m->in[i] = !m->in[i];
		check(&t, m, pick(50));
	}
	assert_true(ties_bytes(&t) > 0);
	ties_free(&t);
	assert_int_equal(ties_bytes(&t), 0);
	free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_due_of_nothing),
	    cmocka_unit_test(any_order_of_things_agrees_with_the_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ties", tests, NULL, NULL);
}

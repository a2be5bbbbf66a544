/* Patches of a tick's records: whoever has what came before makes of them what was logged. */
#include "member/delta.h"

#include <sodium.h>
#include <stdlib.h>

#include "hubd/deliver_stub.h"
#include "json/json_merge.h"
#include "member/select.h"
#include "unit.h"
#include "wire/wsframe.h"

#define KEYS 5
#define TICKS 300
#define LONG "so that a patch is shorter than all of it, and shorter than what goes with each"

struct test {
	struct member_stub st;
	struct log_memory memory;
	struct log log;
	struct sift sift;
	struct delta delta;
	struct selection *base;
};

static void start(struct test *t)
{
	struct select_wish wish = {.tick_ms = 5, .batch = true, .delta = true};
	bool ok;

	*t = (struct test){.memory.max = SIZE_MAX, .sift = {.from = 1, .to = 1}};
	member_stub_start(&t->st, 1, false);
	t->base = select_get(stub_worker(&t->st, 0), &wish, &ok);
	assert_true(ok);
	log_init(&t->log, &t->memory);
}

static void end(struct test *t)
{
	delta_free(&t->delta);
	sift_free(&t->sift);
	log_free(&t->log);
	select_unref(t->base);
	member_stub_end(&t->st);
}

/* Takes what was logged since the last tick. */
static void tick(struct test *t, bool last)
{
	struct log_view view;

	log_view(&t->log, t->sift.from, &view);
	sift_extend(&t->sift, t->base, &view);
	chunk_unref(view.chunk);
	assert_int_equal(t->sift.to, t->log.head + 1);
	delta_make(&t->delta, &t->sift, last);
}

static void put(struct test *t, unsigned key, enum record_class class, uint32_t before,
		const char *rest)
{
	struct slot tags = {.key = key,
			    .type_at = 8,
			    .type_len = 5,
			    .class = (unsigned)class & 3,
			    .area = AREA_ANYWHERE + 7 * key,
			    .before = before};
	char body[400];
	int n = snprintf(body, sizeof(body), "{\"type\":\"pos\",\"key\":%u,%s", key, rest);

	assert_true(log_append(&t->log, &tags, body, (size_t)n, 0) > 0);
}

static void pos(struct test *t, unsigned key, int x, uint32_t before)
{
	char rest[300];

	snprintf(rest, sizeof(rest), "\"x\":%d,\"long\":\"" LONG "\",\"timestamp\":%u", x,
		 (unsigned)rand() % 10000);
	put(t, key, RECORD_SET, before, rest);
}

static void only_what_is_shorter_is_a_patch(void **state)
{
	struct test t;

	(void)state;
	start(&t);
	pos(&t, 1, 1, AREA_NOWHERE);
	put(&t, 2, RECORD_SET, AREA_NOWHERE, "\"x\":1");
	put(&t, 3, RECORD_PLAIN, AREA_NOWHERE, "\"long\":\"" LONG "\"");
	tick(&t, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(t.sift.at[i].patch.len, 0); /* there is nothing before it */
	sift_begin(&t.sift);
	pos(&t, 1, 2, AREA_ANYWHERE);
	put(&t, 2, RECORD_SET, AREA_ANYWHERE, "\"x\":2");
	put(&t, 3, RECORD_PLAIN, AREA_NOWHERE, "\"long\":\"" LONG "\"");
	tick(&t, true);
	assert_int_equal(t.sift.at[0].patch.len, strlen("[1,{\"x\":2"));
	assert_memory_equal(t.sift.at[0].patch.p, "[1,{\"x\":2", strlen("[1,{\"x\":2"));
	assert_int_equal(t.sift.at[0].base, AREA_ANYWHERE + 7);
	assert_int_equal(t.sift.at[1].patch.len, 0);
	assert_int_equal(t.sift.at[2].patch.len, 0);
	end(&t);
}

static void what_has_gone_is_nothing_to_lean_on(void **state)
{
	struct test t;

	(void)state;
	start(&t);
	pos(&t, 1, 1, AREA_NOWHERE);
	pos(&t, 2, 1, AREA_NOWHERE);
	pos(&t, 3, 1, AREA_NOWHERE);
	tick(&t, true);
	sift_begin(&t.sift);
	put(&t, 1, RECORD_DELETE, AREA_NOWHERE, "\"x\":0");
	pos(&t, 1, 2, AREA_NOWHERE);
	pos(&t, 2, 2, AREA_NOWHERE); /* ended in silence */
	pos(&t, 3, 2, AREA_ANYWHERE);
	tick(&t, true);
	assert_int_equal(t.sift.at[1].patch.len, 0);
	assert_int_equal(t.sift.at[2].patch.len, 0);
	assert_int_not_equal(t.sift.at[3].patch.len, 0);
	sift_begin(&t.sift);
	/* What it has not seen all of. */
	pos(&t, 3, 3, AREA_ANYWHERE);
	t.delta.upto--;
	tick(&t, true);
	assert_int_equal(t.sift.at[0].patch.len, 0);
	end(&t);
}

/* With `last` whoever gets only the last of each key, else whoever gets all. */
static void patches_make_what_was_logged(void **state)
{
	(void)state;
	srand(4);
	for (int last = 0; last < 2; last++) {
		struct test t;
		struct buf known[KEYS] = {{0}};
		uint64_t seq[KEYS] = {0};
		unsigned patches = 0;

		start(&t);
		for (int i = 0; i < TICKS; i++) {
			for (int n = 1 + rand() % 12; n > 0; n--) {
				unsigned key = (unsigned)rand() % KEYS;

				if (rand() % 9)
					pos(&t, key, rand(), AREA_ANYWHERE);
				else
					put(&t, key, RECORD_DELETE, AREA_NOWHERE, "\"x\":0");
			}
			tick(&t, last);
			for (size_t k = 0; k < t.sift.n; k++) {
				const struct picked *p = &t.sift.at[k];
				unsigned key = (unsigned)p->slot->key;
				struct buf patch = {0}, made = {0};
				bool later = false;

				for (size_t m = k + 1; m < t.sift.n; m++)
					later |= t.sift.at[m].slot->key == key &&
						 t.sift.at[m].slot->class == RECORD_SET;
				if (p->slot->class == RECORD_DELETE)
					seq[key] = 0;
				if (p->slot->class == RECORD_DELETE || (last && later))
					continue;
				if (p->patch.len) {
					const char *brace = memchr(p->patch.p, '{', p->patch.len);

					/* It is of the one that there was. */
					assert_int_equal(strtoull(p->patch.p + 1, NULL, 10),
							 seq[key]);
					buf_put(&patch, brace,
						p->patch.len - (size_t)(brace - p->patch.p));
					buf_puts(&patch, "}");
					assert_int_equal(
					    json_merge_apply(&made, known[key].data, known[key].len,
							     patch.data, patch.len, NULL),
					    0);
					patch.len = 0;
					/* The hub says these two beside it. */
					assert_int_equal(
					    json_merge_diff(
						&patch, made.data, made.len, p->text, p->len,
						(const char *const[]){"seq", "timestamp", NULL}),
					    0);
					assert_int_equal(patch.len, 0);
					patches++;
				}
				known[key].len = 0;
				buf_put(&known[key], p->text, p->len);
				seq[key] = p->seq;
				buf_free(&patch);
				buf_free(&made);
			}
			sift_begin(&t.sift);
		}
		assert_true(patches > TICKS);
		end(&t);
		for (unsigned i = 0; i < KEYS; i++)
			buf_free(&known[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_shorter_is_a_patch),
	    cmocka_unit_test(what_has_gone_is_nothing_to_lean_on),
	    cmocka_unit_test(patches_make_what_was_logged),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}

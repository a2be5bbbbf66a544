/* Records that are looked at once for all areas: each finds what it would by looking at each. */
#include "member/sift.h"

#include <sodium.h>
#include <stdlib.h>

#include "hubd/deliver_stub.h"
#include "member/select_impl.h"
#include "unit.h"
#include "wire/wsframe.h"

#define RECORDS 3000
#define WORLD 20 /* cells */

static struct area_grids grids = {.size = {1}, .n = 1};

static uint32_t cell(void)
{
	switch (rand() % 12) {
	case 0:
		return AREA_ANYWHERE;
	default:
		return area_cell(&grids, 0, rand() % WORLD, rand() % WORLD);
	}
}

/* One of three types, which may be state, somewhere. */
static void append(struct log *log)
{
	struct slot tags = {.type_at = 8,
			    .type_len = 3,
			    .class = (unsigned)(rand() % 4 ? RECORD_SET : RECORD_PLAIN) & 3,
			    .area = cell(),
			    .before = rand() % 5 ? cell() : AREA_NOWHERE};
	char body[300];
	int n = snprintf(body, sizeof(body), "{\"type\":\"%c\",\"%0*d\":1", 'a' + rand() % 3,
			 1 + rand() % 200, 0);

	assert_true(log_append(log, &tags, body, (size_t)n, 0) > 0);
}

static void expect_same(struct sift *s, struct selection *sel, const struct log *log, uint64_t from,
			uint64_t to)
{
	const struct chunk *c = log->oldest;
	struct buf out = {0};
	const struct picked *p;
	size_t n = 0;

	assert_int_equal(sift_pick(s, sel, from, to, &out), 0);
	p = (const void *)out.data;
	for (uint64_t seq = from; seq < to; seq++) {
		const struct slot *slot;
		const char *text;
		enum select_want want;

		c = chunk_find(c, seq);
		slot = chunk_slot(c, seq - c->first);
		text = (const char *)c->data + slot->offset;
		text += wsframe_header_len((const unsigned char *)text);
		want = select_wants(sel, slot, text, slot->len);
		if (want == SELECT_NOT)
			continue;
		assert_true(n < out.len / sizeof(*p));
		assert_int_equal(p[n].seq, seq);
		assert_ptr_equal(p[n].slot, slot);
		assert_ptr_equal(p[n].text, text);
		assert_int_equal(p[n].left, want == SELECT_LEFT);
		n++;
	}
	assert_int_equal(n, out.len / sizeof(*p));
	buf_free(&out);
}

static struct selection *somewhere(struct worker *w, struct selection *base)
{
	struct area area;
	bool ok;
	struct selection *sel;

	area_around(&grids, rand() % WORLD, rand() % WORLD, rand() % 4, &area);
	sel = select_in(w, base, &area, &ok);
	assert_true(ok && sel);
	return sel;
}

static void all_areas_find_their_own(void **state)
{
	struct member_stub st = {0};
	struct select_wish wish = {.tick_ms = 5};
	struct log_memory memory = {.max = SIZE_MAX};
	struct sift s = {.from = 1, .to = 1};
	struct selection *base;
	struct worker *w;
	struct log log;
	bool ok;

	(void)state;
	srand(13);
	member_stub_start(&st, 1, false);
	w = stub_worker(&st, 0);
	assert_int_equal(select_type(&wish, span_of("!b")), 0);
	base = select_get(w, &wish, &ok);
	log_init(&log, &memory);
	while (log.head < RECORDS) {
		struct log_view view;
		int more = 1 + rand() % (rand() % 8 ? 60 : 600);

		for (int i = 0; i < more; i++)
			append(&log);
		log_view(&log, s.from, &view);
		sift_extend(&s, base, &view);
		chunk_unref(view.chunk);
		assert_int_equal(s.to, log.head + 1);
		expect_same(&s, base, &log, s.from, s.to);
		for (int i = 0; i < 20; i++) {
			struct selection *sel = somewhere(w, base);
			uint64_t from = s.from + (uint64_t)rand() % (s.to - s.from);

			expect_same(&s, sel, &log, s.from, s.to);
			expect_same(&s, sel, &log, from, from + (s.to - from) / 2);
			select_unref(sel);
		}
		/* It may grow before its tick comes. */
		if (rand() % 2)
			sift_begin(&s);
	}
	sift_free(&s);
	log_free(&log);
	assert_int_equal(memory.used, 0); /* no chunk is held any more */
	select_unref(base);
	member_stub_end(&st);
}

static void who_does_not_wait_is_noted(void **state)
{
	struct member_stub st = {0};
	struct select_wish wish = {.tick_ms = 5};
	struct log_memory memory = {.max = SIZE_MAX};
	struct sift s = {.from = 1, .to = 1};
	struct selection *base;
	struct log_view view;
	struct log log;
	bool ok;

	(void)state;
	member_stub_start(&st, 1, false);
	assert_int_equal(select_first(&wish, span_of("a")), 0);
	base = select_get(stub_worker(&st, 0), &wish, &ok);
	log_init(&log, &memory);
	for (int i = 0; i < 100; i++)
		append(&log);
	log_view(&log, 1, &view);
	sift_extend(&s, base, &view);
	assert_int_equal(s.n, 100);
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(s.at[i].first, s.at[i].text[9] == 'a');
		if (s.at[i].first)
			ok = s.first >= s.at[i].seq;
		assert_true(ok);
	}
	/* So many bytes end where they are reached, one record at least. */
	assert_int_equal(sift_end(&s, 1, 100, UINT64_MAX), 101);
	assert_int_equal(sift_end(&s, 1, 60, UINT64_MAX), 61);
	assert_int_equal(sift_end(&s, 1, 100, 1), 2);
	assert_int_equal(sift_end(&s, 1, 100, s.at[9].bytes), 10);
	chunk_unref(view.chunk);
	sift_free(&s);
	log_free(&log);
	select_unref(base);
	member_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_areas_find_their_own),
	    cmocka_unit_test(who_does_not_wait_is_noted),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sift", tests, NULL, NULL);
}

/* What an observer of a crowd makes of arrays in which there are patches: whose they are, however
 * old the record is that they are of. */
#include "load/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "load/bench_member.h"
#include "unit.h"

#define NAME "hbabcdef"
#define AVATARS 5

struct scene {
	struct options o;
	struct plan plan;
	struct run run;
	struct loop loop;
	struct member m;
};

static void scene_begin(struct scene *s)
{
	struct run *r = &s->run;

	memset(s, 0, sizeof(*s));
	s->o.delta = true;
	s->plan.o = &s->o;
	s->plan.rate = 20 * AVATARS;
	s->plan.crowd.world = 100;
	s->plan.crowd.observers = 1;
	r->plan = &s->plan;
	r->o = &s->o;
	r->npublishers = AVATARS;
	r->script = (struct script){.name = NAME};
	r->crowd = crowd_new(r, "{mark}");
	assert_non_null(r->crowd);
	s->loop.run = r;
	bench_conn_init(&s->m.conn);
	crowd_joined(&s->loop, &s->m);
	assert_non_null(s->m.view);
}

static void scene_end(struct scene *s)
{
	bench_member_free(&s->m);
	crowd_free(s->run.crowd);
}

static void comes(struct scene *s, const char *text)
{
	assert_true(crowd_take(&s->loop, &s->m, text, strlen(text)));
}

/* Record n of an avatar, or the same as a patch of the record with that seq. */
static void put(struct buf *b, unsigned avatar, unsigned n, unsigned seq, unsigned base)
{
	const char *comma = b->len ? "," : "[";

	if (base)
		assert_int_equal(
		    buf_printf(b, "%s[%u,{\"n\":1%09u,\"seq\":%u}]", comma, base, n, seq), 0);
	else
		assert_int_equal(buf_printf(b,
					    "%s{\"type\":\"avatar\",\"key\":\"" NAME
					    "%06u\",\"n\":1%09u,\"seq\":%u}",
					    comma, avatar, n, seq),
				 0);
}

static void take(struct scene *s, struct buf *b)
{
	assert_int_equal(buf_put(b, "]", 2), 0);
	comes(s, b->data);
	b->len = 0;
}

static void patches_are_of_any_age(void **state)
{
	struct scene s;
	struct buf b = {0};
	unsigned seq = 1;

	(void)state;
	scene_begin(&s);
	for (unsigned a = 0; a < AVATARS; a++)
		put(&b, a, 0, seq++, 0);
	take(&s, &b);
	/* All but the first one go on. */
	for (unsigned n = 1; n <= 1000; n++) {
		for (unsigned a = 1; a < AVATARS; a++, seq++)
			put(&b, a, n, seq, n == 1 ? a + 1 : seq - (AVATARS - 1));
		take(&s, &b);
	}
	for (unsigned a = 1; a < AVATARS; a++)
		assert_int_equal(s.m.view[a], 1001);
	assert_int_equal(s.m.view[0], 1);
	put(&b, 0, 1, seq, 1);
	put(&b, 0, 2, seq + 1, seq);
	take(&s, &b);
	assert_int_equal(s.m.view[0], 3);
	/* Of a record that nobody has any more nothing is made. */
	put(&b, 0, 7, seq + 3, seq);
	put(&b, 0, 8, seq + 4, seq + 2);
	take(&s, &b);
	assert_int_equal(s.m.view[0], 3);
	put(&b, 0, 9, seq + 5, 0);
	put(&b, 0, 10, seq + 6, seq + 5);
	take(&s, &b);
	assert_int_equal(s.m.view[0], 11);
	buf_free(&b);
	scene_end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patches_are_of_any_age),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}

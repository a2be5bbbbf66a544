/* What an archive has: who waits for it is told in order and on its own worker, and what it kept of
 * a session is taken once. */
#include "session/stored.h"

#include <sodium.h>
#include <stdio.h>

#include "hubd/session_stub.h"
#include "session/publish.h"
#include "session/session.h"
#include "unit.h"

/* --- waiting --- */

static char trace[64];

struct waiter {
	struct stored_wait wait; /* first */
	char name;
};

static void told(struct worker *w, struct mail *mail)
{
	struct waiter *x = (struct waiter *)mail;

	assert_ptr_equal(x->wait.worker, w);
	assert_non_null(x->wait.session);
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%c%ju ", x->name,
		 (uintmax_t)x->wait.seq);
	session_unref(x->wait.session);
	free(x);
}

static uint32_t version = 1; /* of the member that publishes */

static struct published publish(struct session *s, uint64_t msg, struct worker *w, char name)
{
	struct waiter *x = calloc(1, sizeof(*x));
	struct publication p = {
	    .body = {"{\"type\":\"x\"", 11}, .tags = {.acked = 1, .msg = msg}, .wait = &x->wait};
	struct published out;

	assert_non_null(x);
	x->wait.done.run = told;
	x->wait.worker = w;
	x->wait.version = version;
	x->name = name;
	assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
	if (!out.waits)
		free(x);
	return out;
}

static void who_waits_is_told_in_order(void **state)
{
	struct session_stub st = {0};
	struct published out;
	struct session *s;
	unsigned refs;

	(void)state;
	session_stub_start(&st, 2, true);
	s = stub_use(&st, "a");
	archive_stub_load(s, 1, 0);
	for (uint64_t i = 1; i <= 4; i++) {
		out = publish(s, i, st.workers.at[0], (char)('a' + i - 1));
		assert_true(out.waits && !out.repeated && out.seq == i);
	}
	/* A repeat of the same member waits already; another one's takes its place, on the worker
	 * that it came from. */
	out = publish(s, 1, st.workers.at[0], 'A');
	assert_true(!out.waits && out.waited && out.repeated && out.seq == 1);
	version = 2;
	out = publish(s, 2, st.workers.at[1], 'B');
	assert_true(out.waits && !out.waited && out.repeated && out.seq == 2);
	out = publish(s, 2, st.workers.at[0], 'B');
	assert_true(!out.waits && out.waited);
	out = publish(s, 5, st.workers.at[0], 'e');
	assert_true(out.waits && out.seq == 5);
	refs = atomic_load(&s->refs);
	session_stored(s, 3);
	assert_int_equal(atomic_load(&s->refs), refs + 3);
	assert_string_equal(trace, "");
	stub_turns(st.workers.at[0]);
	assert_string_equal(trace, "a1 c3 ");
	trace[0] = '\0';
	stub_turns(st.workers.at[1]);
	assert_string_equal(trace, "B2 ");
	trace[0] = '\0';
	assert_int_equal(atomic_load(&s->refs), refs);
	/* What is stored needs no waiting, for records that are not logged there is none. */
	out = publish(s, 3, st.workers.at[0], 'C');
	assert_true(!out.waits && out.repeated && out.seq == 3);
	session_remember(s, 1, 6);
	out = publish(s, 6, st.workers.at[0], 'f');
	assert_true(!out.waits && out.repeated && out.seq == 0);
	session_stored(s, 5);
	stub_turns(st.workers.at[0]);
	assert_string_equal(trace, "d4 e5 ");
	trace[0] = '\0';
	/* The list is empty, and can be filled again. */
	out = publish(s, 7, st.workers.at[0], 'g');
	assert_true(out.waits && out.seq == 6);
	session_stored(s, 6);
	stub_turns(st.workers.at[0]);
	assert_string_equal(trace, "g6 ");
	trace[0] = '\0';
	stub_release(&st, s);
	session_stub_end(&st);
}

static void without_an_archive_nobody_waits(void **state)
{
	struct session_stub st = {0};
	struct published out;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "a");
	out = publish(s, 1, st.workers.at[0], 'a');
	assert_true(!out.waits && out.seq == 1);
	stub_release(&st, s);
	session_stub_end(&st);
}

/* Where the archive fails to the end, nobody is told, and nothing is left. */
static void a_session_that_ends_gives_waits_up(void **state)
{
	struct session_stub st = {0};
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "a");
	archive_stub_load(s, 1, 0);
	publish(s, 1, st.workers.at[0], 'a');
	publish(s, 2, st.workers.at[0], 'b');
	stub_release(&st, s);
	session_stub_end(&st);
	assert_string_equal(trace, "");
}

/* --- loading --- */

/* With a state of one key, a message that is known, and a crash. */
static void fill(struct session_image *image, const struct session_env *env)
{
	struct state_entry *e;
	struct span key = {"k", 1}, type = {"x", 1};

	session_image_init(image, env);
	image->found = true;
	image->epoch = 42;
	image->head = 10;
	e = state_reserve(&image->state, state_hash(&image->state, key), key, type, 5, SIZE_MAX,
			  false);
	assert_non_null(e);
	state_set(&image->state, e, 9, 1, "frame", 5);
	assert_int_equal(session_image_ack(image, env, 1, 77, 8), 0);
	image->crashes = malloc(sizeof(*image->crashes) + sizeof(struct crash));
	assert_non_null(image->crashes);
	image->crashes->n = 1;
	image->crashes->at[0] = (struct crash){3, 7};
}

static void an_image_is_taken_once(void **state)
{
	struct session_stub st = {0};
	struct session_image image;
	struct session *s;
	size_t used;

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "a");
	assert_true(session_wants_image(s));
	fill(&image, &st.env);
	session_load(s, &image);
	session_image_free(&image, &st.env);
	assert_false(session_wants_image(s));
	assert_int_equal(s->epoch, 42);
	assert_int_equal(s->stored, 10);
	assert_int_equal(s->log.head, 10);
	assert_int_equal(s->log.tail, 11);
	assert_int_equal(s->state.n, 1);
	assert_true(session_knows(s, 77));
	assert_int_equal(s->crashes->n, 1);
	used = atomic_load(&st.memory.used);
	assert_true(used > 0);
	/* Two may have read it at a time: the second one's is given up. */
	fill(&image, &st.env);
	image.epoch = 43;
	image.head = 99;
	assert_true(atomic_load(&st.memory.used) > used);
	session_load(s, &image);
	session_image_free(&image, &st.env);
	assert_int_equal(s->epoch, 42);
	assert_int_equal(s->log.head, 10);
	assert_int_equal(atomic_load(&st.memory.used), used);
	/* Records go on where they were. */
	assert_int_equal(stub_publish(s, 1, "{\"type\":\"x\"", 11, 0), 11);
	session_stored(s, 11);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void what_is_not_there_begins_anew(void **state)
{
	struct session_stub st = {0};
	struct session_image image;
	struct session *s;
	uint64_t epoch;

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "a");
	epoch = s->epoch;
	session_image_init(&image, &st.env);
	session_load(s, &image);
	session_image_free(&image, &st.env);
	assert_false(session_wants_image(s));
	assert_true(s->epoch == epoch);
	assert_int_equal(s->log.head, 0);
	/* And a late answer does not change it. */
	fill(&image, &st.env);
	session_load(s, &image);
	session_image_free(&image, &st.env);
	assert_true(s->epoch == epoch);
	assert_int_equal(s->state.n, 0);
	stub_release(&st, s);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_waits_is_told_in_order),
	    cmocka_unit_test(without_an_archive_nobody_waits),
	    cmocka_unit_test(a_session_that_ends_gives_waits_up),
	    cmocka_unit_test(an_image_is_taken_once),
	    cmocka_unit_test(what_is_not_there_begins_anew),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("stored", tests, NULL, NULL);
}

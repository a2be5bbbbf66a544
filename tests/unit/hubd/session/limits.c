/* What an operator wants of one session: limits of its own, and its end. */
#include "session/limits.h"

#include <errno.h>
#include <sodium.h>

#include "hubd/session_stub.h"
#include "session/members.h"
#include "session/publish.h"
#include "session/registry.h"
#include "session/seek.h"
#include "session/stored.h"
#include "unit.h"

static const struct session_limits usual = {
    SESSION_USUAL, SESSION_USUAL, SESSION_USUAL, SESSION_USUAL, SESSION_USUAL, 0, 0};

static enum hub_code publish(struct session *s, size_t len, uint64_t now_ms, bool *over)
{
	static char body[10000];
	struct publication p = {.body = {body, len}};
	struct published out;
	enum hub_code code = session_publish(s, &p, now_ms, &out);

	*over = out.over;
	return code;
}

static void members_and_rates_are_limited(void **state)
{
	struct session_stub st = {0};
	struct session_limits l = usual;
	struct session_joined joined;
	struct member *a, *b, *c;
	struct session *s;
	bool over;

	(void)state;
	session_stub_start(&st, 1, false);
	a = stub_join(&st, "s", 1, 0, &joined);
	s = a->session;
	l.max_members = 2;
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	b = stub_join(&st, "s", 2, 0, &joined);
	assert_non_null(b);
	assert_null(stub_join(&st, "s", 3, 0, &joined));
	l.max_members = 1; /* who is there stays */
	l.messages = 10;
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	for (int i = 0; i < 21; i++)
		assert_int_equal(publish(s, 100, 5000, &over), HUB_OK);
	assert_int_equal(publish(s, 100, 5000, &over), HUB_RATE_LIMITED);
	assert_true(over);
	assert_int_equal(publish(s, 100, 5100, &over), HUB_OK);
	assert_int_equal(publish(s, 100, 5100, &over), HUB_RATE_LIMITED);
	assert_int_equal(s->log.head, 22);
	l.messages = SESSION_USUAL;
	l.bytes = 1000;
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	assert_int_equal(publish(s, 10000, 6000, &over), HUB_OK); /* it came first */
	assert_int_equal(publish(s, 1, 6000, &over), HUB_RATE_LIMITED);
	assert_int_equal(publish(s, 1, 13900, &over), HUB_RATE_LIMITED);
	assert_int_equal(publish(s, 1, 14100, &over), HUB_OK);
	l.bytes = 0; /* nothing at all */
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	assert_int_equal(publish(s, 1, 99000, &over), HUB_RATE_LIMITED);
	assert_int_equal(registry_limit(&st.registry, s, &usual), 0);
	assert_int_equal(publish(s, 1, 99000, &over), HUB_OK);
	c = stub_join(&st, "s", 3, 0, &joined);
	assert_non_null(c);
	stub_leave(&st, a);
	stub_leave(&st, b);
	stub_leave(&st, c);
	session_stub_end(&st);
}

static void history_is_limited(void **state)
{
	struct session_stub st = {.env.limits = {.records = 100, .bytes = 1}};
	struct session_limits l = usual;
	struct session *s;
	uint64_t tail;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "s");
	for (int i = 0; i < 100; i++)
		stub_publish(s, 1, (char[5000]){0}, 5000, 1000);
	tail = s->log.tail;
	assert_true(tail < 20);
	l.history = 5;
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	for (int i = 0; i < 100; i++)
		stub_publish(s, 1, (char[5000]){0}, 5000, 1000);
	assert_true(s->log.tail > 150);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void one_with_limits_stays(void **state)
{
	struct session_stub st = {.ttl_ms = 0};
	struct session_limits l = usual;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "s");
	l.history = 7;
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	stub_release(&st, s);
	registry_sweep(&st.registry, stub_now(&st) + 10);
	assert_int_equal(registry_count(&st.registry), 1);
	s = stub_use(&st, "s");
	session_get_limits(s, &l);
	assert_int_equal(l.history, 7);
	assert_int_equal(l.max_members, SESSION_USUAL);
	assert_int_equal(registry_limit(&st.registry, s, &usual), 0);
	stub_release(&st, s);
	registry_sweep(&st.registry, stub_now(&st) + 10);
	assert_int_equal(registry_count(&st.registry), 0);
	session_stub_end(&st);
}

/* --- the end --- */

static bool remove_session(struct session_stub *st, const char *name, struct registry_removal *rm,
			   struct archive_job *job)
{
	bool there;

	*rm = (struct registry_removal){0};
	*job = (struct archive_job){0};
	assert_int_equal(registry_remove(&st->registry, span_of(name), rm, job, &there), 0);
	return there;
}

static void a_deleted_one_is_left_to_its_users(void **state)
{
	struct session_stub st = {0};
	struct session_limits l = usual;
	struct session_joined joined;
	struct registry_removal rm;
	struct archive_job job;
	struct session *s, *next;
	struct member *m, other = {.client = 9};
	bool over;

	(void)state;
	session_stub_start(&st, 2, false);
	assert_false(remove_session(&st, "s", &rm, &job));
	registry_removed(&st.registry, &rm);
	m = stub_join(&st, "s", 1, 0, &joined);
	s = m->session;
	l.history = 7;
	assert_int_equal(registry_limit(&st.registry, s, &l), 0);
	assert_int_equal(publish(s, 10, 1000, &over), HUB_OK);
	assert_true(remove_session(&st, "s", &rm, &job));
	assert_ptr_equal(rm.session, s);
	assert_int_equal(registry_count(&st.registry), 0);
	assert_int_equal(publish(s, 10, 1000, &over), HUB_NOT_FOUND);
	assert_int_equal(session_join(s, &other, &(struct session_from){0}, &joined),
			 HUB_NOT_FOUND);
	assert_int_equal(registry_limit(&st.registry, s, &l), -ENOENT);
	next = stub_use(&st, "s");
	assert_ptr_not_equal(next, s);
	assert_true(next->epoch != s->epoch);
	assert_int_equal(next->log.head, 0);
	session_get_limits(next, &l);
	assert_false(session_is_limited(&l));
	stub_release(&st, next);
	registry_removed(&st.registry, &rm);
	stub_leave(&st, m);
	/* One without users. */
	assert_true(remove_session(&st, "s", &rm, &job));
	registry_removed(&st.registry, &rm);
	assert_int_equal(registry_count(&st.registry), 0);
	session_stub_end(&st);
}

static void told(struct worker *w, struct mail *mail)
{
	struct stored_wait *wait = (struct stored_wait *)mail;

	(void)w;
	session_unref(wait->session);
	wait->seq = 1000;
}

/* Until the archive has forgotten it the next one of its name is not looked for there; who waits
 * for it to store a record waits no more. */
static void an_archive_forgets_it_first(void **state)
{
	struct session_stub st = {0};
	struct registry_removal rm;
	struct archive_job job;
	struct session *s, *next;
	struct stored_wait *wait = calloc(1, sizeof(*wait));

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "s");
	archive_stub_load(s, 42, 7);
	stub_publish(s, 1, "x", 1, 1000);
	wait->done.run = told;
	wait->worker = st.workers.at[0];
	assert_int_equal(session_await(s, wait, 8), 1);
	assert_true(remove_session(&st, "s", &rm, &job));
	assert_ptr_equal(archive_stub_next(&st.archive), &job);
	assert_int_equal(job.what, ARCHIVE_DELETE);
	assert_ptr_equal(job.session, s);
	stub_settle(&st.workers);
	assert_int_equal(wait->seq, 1000);
	/* What the archive was just writing of it changes nothing. */
	session_stored(s, 7);
	assert_int_equal(s->stored, 8);
	next = stub_use(&st, "s");
	assert_false(session_wants_image(next));
	assert_true(next->epoch != 42);
	stub_release(&st, next);
	registry_removed(&st.registry, &rm);
	next = stub_use(&st, "t");
	assert_true(session_wants_image(next));
	stub_release(&st, next);
	stub_release(&st, s);
	/* One that only the archive may have. */
	assert_false(remove_session(&st, "u", &rm, &job));
	assert_ptr_equal(archive_stub_next(&st.archive), &job);
	assert_memory_equal(job.session->id, "u", 2);
	registry_removed(&st.registry, &rm);
	free(wait);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_and_rates_are_limited),
	    cmocka_unit_test(history_is_limited),
	    cmocka_unit_test(one_with_limits_stays),
	    cmocka_unit_test(a_deleted_one_is_left_to_its_users),
	    cmocka_unit_test(an_archive_forgets_it_first),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}

/* Where a member begins, in every case of struct session_from: with what is kept here, with what an
 * archive says, behind crashes, and where it takes what is left. */
#include "session/seek.h"

#include <sodium.h>

#include "hubd/session_stub.h"
#include "session/members.h"
#include "session/publish.h"
#include "session/session.h"
#include "session/stored.h"
#include "unit.h"

#define RUN 9 /* of the hub under test */

/* A session of head records, of which those from tail on are kept, and which had a record of the
 * state as every tenth. */
struct place {
	struct session_stub st;
	struct session *s;
};

static void publish(struct session *s, int n)
{
	static const char body[] = "{\"type\":\"x\",\"text\":\"some more of it\"";
	struct session_env *env = (struct session_env *)(uintptr_t)s->env;

	for (int i = 0; i < n; i++) {
		uint64_t seq = s->log.head + 1;
		char key[2] = {(char)('a' + seq / 10 % 26), '\0'};
		struct publication p = {.body = {body, sizeof(body) - 1},
					.type = {"x", 1},
					.key = {key, 1},
					.tags = {.sender = seq}};
		struct published out;

		p.tags.class = seq % 10 == 0 ? RECORD_SET : RECORD_PLAIN;
		assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
	}
	if (env->archive)
		session_stored(s, s->log.head);
}

/* 200 records, some of which are trimmed. */
static void start(struct place *p, bool archive)
{
	*p = (struct place){.st = {.env = {.limits = {.records = 100, .bytes = 1}, .run = RUN}}};
	session_stub_start(&p->st, 1, archive);
	p->s = stub_use(&p->st, "a");
	if (archive)
		archive_stub_load(p->s, 42, 0);
	publish(p->s, 200);
	assert_in_range(p->s->log.tail, 20, 101);
	assert_int_equal(p->s->log.head, 200);
	assert_int_equal(p->s->state.n, 20);
}

static void end(struct place *p)
{
	stub_release(&p->st, p->s);
	session_stub_end(&p->st);
}

/* Joins, looks, and leaves again. */
static struct session_joined seek(struct place *p, struct session_from from, uint64_t *cursor,
				  uint64_t *snapshot)
{
	struct member *m = stub_member(1, 0);
	struct session_joined joined;

	assert_int_equal(session_join(p->s, m, &from, &joined), HUB_OK);
	assert_int_equal(m->session != NULL, !joined.ask);
	*cursor = m->cursor;
	*snapshot = m->catchup ? m->catchup->n : 0;
	if (m->session)
		session_leave(m);
	free(m);
	return joined;
}

/* All that there is to a place. */
static void expect(struct place *p, struct session_from from, uint64_t cursor, uint64_t snapshot,
		   const char *reason)
{
	uint64_t at, n;
	struct session_joined joined = seek(p, from, &at, &n);

	assert_false(joined.ask);
	assert_true(joined.epoch == p->s->epoch);
	assert_int_equal(joined.seq, p->s->log.head);
	assert_int_equal(joined.user_count, 1);
	assert_int_equal(at, cursor);
	assert_int_equal(n, snapshot);
	assert_int_equal(joined.snapshot, snapshot);
	if (reason)
		assert_string_equal(joined.reason, reason);
	else
		assert_null(joined.reason);
	assert_int_equal(joined.recovered, from.has_since && !reason);
}

static void without_a_past_it_gets_the_state(void **state)
{
	struct place p;

	(void)state;
	start(&p, false);
	expect(&p, (struct session_from){0}, 201, 20, NULL);
	/* What the epoch, the run or `rest` say is nothing to it. */
	expect(&p, (struct session_from){.has_epoch = true, .epoch = 1}, 201, 20, NULL);
	expect(&p, (struct session_from){.rest = true, .has_run = true, .run = 3}, 201, 20, NULL);
	end(&p);
}

static void a_past_that_is_kept_is_recovered(void **state)
{
	struct place p;
	uint64_t tail, epoch;

	(void)state;
	start(&p, false);
	tail = p.s->log.tail;
	epoch = p.s->epoch;
	for (uint64_t since = tail - 1; since <= 200; since++) {
		struct session_from from = {.has_since = true, .since = since};

		expect(&p, from, since + 1, 0, NULL);
		from.has_epoch = true;
		from.epoch = epoch;
		from.rest = true;
		expect(&p, from, since + 1, 0, NULL);
	}
	end(&p);
}

static void a_past_that_is_trimmed_is_not(void **state)
{
	struct session_from from = {.has_since = true};
	struct session_joined joined;
	uint64_t tail, cursor, n;
	struct place p;

	(void)state;
	start(&p, false);
	tail = p.s->log.tail;
	for (from.since = 1; from.since < tail - 1; from.since++)
		expect(&p, from, 201, 20, "trimmed");
	/* Who asked for all that there is gets that, and is told of what is missing. */
	from.since = 0;
	joined = seek(&p, from, &cursor, &n);
	assert_false(joined.recovered);
	assert_string_equal(joined.reason, "trimmed");
	assert_int_equal(joined.gap_to, tail - 1);
	assert_int_equal(joined.since, 0);
	assert_int_equal(cursor, tail);
	assert_int_equal(n, 0);
	end(&p);
}

static void another_epochs_past_is_not(void **state)
{
	struct session_from from = {.has_since = true, .since = 150, .has_epoch = true};
	struct place p;

	(void)state;
	start(&p, false);
	from.epoch = p.s->epoch + 1;
	expect(&p, from, 201, 20, "epoch_changed");
	/* Nor what lies in the future. */
	from = (struct session_from){.has_since = true, .since = 201};
	expect(&p, from, 201, 20, "epoch_changed");
	from.has_epoch = true;
	from.epoch = p.s->epoch;
	from.since = (uint64_t)1 << 53;
	expect(&p, from, 201, 20, "epoch_changed");
	end(&p);
}

static void what_is_left_is_had_with_the_state_before_it(void **state)
{
	struct session_from from = {.has_since = true, .rest = true, .since = 5};
	struct session_joined joined;
	uint64_t tail, cursor, n;
	struct place p;

	(void)state;
	start(&p, false);
	tail = p.s->log.tail;
	joined = seek(&p, from, &cursor, &n);
	assert_true(joined.rest);
	assert_false(joined.recovered);
	assert_string_equal(joined.reason, "trimmed");
	assert_int_equal(joined.since, 5);
	assert_int_equal(joined.gap_to, tail - 1);
	assert_int_equal(cursor, tail);
	/* Only the state that is older than what follows. */
	assert_int_equal(n, state_before(&p.s->state, tail));
	assert_true(n > 0 && n < 20);
	assert_int_equal(joined.snapshot, n);
	/* Another epoch's: from the beginning. */
	from.has_epoch = true;
	from.epoch = p.s->epoch + 1;
	from.since = 150;
	joined = seek(&p, from, &cursor, &n);
	assert_true(joined.rest);
	assert_string_equal(joined.reason, "epoch_changed");
	assert_int_equal(joined.since, 0);
	assert_int_equal(joined.gap_to, tail - 1);
	assert_int_equal(cursor, tail);
	assert_int_equal(n, state_before(&p.s->state, tail));
	/* The future: from the head. */
	from = (struct session_from){.has_since = true, .rest = true, .since = 999};
	joined = seek(&p, from, &cursor, &n);
	assert_true(joined.rest);
	assert_int_equal(joined.since, 200);
	assert_int_equal(joined.gap_to, 0);
	assert_int_equal(cursor, 201);
	assert_int_equal(n, 0);
	end(&p);
}

/* --- with an archive --- */

static void asks(struct place *p, struct session_from from, bool want)
{
	uint64_t cursor, n;
	struct session_joined joined = seek(p, from, &cursor, &n);
	struct session_from opened = from;

	assert_int_equal(joined.ask, want);
	/* Never twice. */
	opened.opened = true;
	opened.stored = 1;
	joined = seek(p, opened, &cursor, &n);
	assert_false(joined.ask);
}

static void the_archive_is_asked_where_only_it_knows(void **state)
{
	struct session_from from = {.has_since = true};
	struct place p;
	uint64_t tail;

	(void)state;
	start(&p, true);
	tail = p.s->log.tail;
	asks(&p, (struct session_from){0}, false);
	asks(&p, (struct session_from){.rest = true}, false);
	from.since = tail - 1;
	asks(&p, from, false);
	from.since = tail - 2;
	asks(&p, from, true);
	from.since = 0;
	asks(&p, from, true);
	from.since = 200;
	from.rest = true;
	asks(&p, from, true);
	/* One that is not loaded is asked for by everybody. */
	p.s->loaded = false;
	asks(&p, (struct session_from){0}, true);
	p.s->loaded = true;
	assert_int_equal(p.st.archive.asked, 0); /* who joins asks */
	end(&p);
}

static void nothing_was_done_where_it_has_to_be_asked(void **state)
{
	struct session_from from = {.has_since = true, .since = 150}, back = {.has_since = true};
	struct member *m = stub_member(1, 0);
	struct session_joined joined;
	struct catchup *before;
	struct place p;

	(void)state;
	start(&p, true);
	assert_int_equal(session_join(p.s, m, &back, &joined), HUB_OK);
	assert_true(joined.ask);
	assert_null(m->session);
	assert_null(m->catchup);
	assert_int_equal(session_user_count(p.s), 0);
	/* A member that moves stays where it was, too. */
	assert_int_equal(session_join(p.s, m, &from, &joined), HUB_OK);
	assert_false(joined.ask);
	assert_int_equal(session_seek(m, &(struct session_from){0}, &joined), HUB_OK);
	assert_int_equal(m->cursor, 201);
	before = m->catchup;
	assert_non_null(before);
	assert_int_equal(session_seek(m, &back, &joined), HUB_OK);
	assert_true(joined.ask);
	assert_int_equal(m->cursor, 201);
	assert_ptr_equal(m->catchup, before);
	/* And moves, with nothing of before. */
	assert_int_equal(session_seek(m, &from, &joined), HUB_OK);
	assert_int_equal(m->cursor, 151);
	assert_null(m->catchup);
	session_leave(m);
	free(m);
	end(&p);
}

static void records_of_the_archive_count_as_kept(void **state)
{
	struct session_from from = {.has_since = true, .opened = true, .stored = 11};
	struct session_joined joined;
	uint64_t cursor, n;
	struct place p;

	(void)state;
	start(&p, true);
	from.since = 10;
	expect(&p, from, 11, 0, NULL);
	from.since = 9;
	expect(&p, from, 201, 20, "trimmed");
	from.since = 0;
	joined = seek(&p, from, &cursor, &n);
	assert_int_equal(joined.gap_to, 10);
	assert_int_equal(cursor, 11);
	from.rest = true;
	from.since = 3;
	joined = seek(&p, from, &cursor, &n);
	assert_true(joined.rest);
	assert_int_equal(joined.since, 3);
	assert_int_equal(joined.gap_to, 10);
	assert_int_equal(cursor, 11);
	assert_int_equal(n, 1);
	/* An archive that was pruned to nothing, or beyond the log, has no more than the log. */
	from.stored = UINT64_MAX;
	joined = seek(&p, from, &cursor, &n);
	assert_int_equal(cursor, p.s->log.tail);
	assert_int_equal(joined.gap_to, p.s->log.tail - 1);
	from.stored = 1;
	from.since = 0;
	expect(&p, from, 1, 0, NULL);
	end(&p);
}

/* Run 3 ended in a crash and left 100 records, run 5 left 150, run 7 left 120: a hub whose store
 * was put back. */
static void crash(struct place *p)
{
	static const struct crash at[] = {{3, 100}, {5, 150}, {7, 120}};

	p->s->crashes = malloc(sizeof(*p->s->crashes) + sizeof(at));
	assert_non_null(p->s->crashes);
	p->s->crashes->n = 3;
	memcpy(p->s->crashes->at, at, sizeof(at));
}

static void a_crash_may_have_taken_what_a_member_saw(void **state)
{
	static const struct {
		bool has_run;
		uint32_t run;
		uint64_t sure;
	} known[] = {
	    {true, 1, 100}, {true, 3, 100},   {true, 4, 120},	    {true, 5, 120},  {true, 7, 120},
	    {true, 8, 200}, {true, RUN, 200}, {true, RUN + 1, 200}, {false, 0, 120}, /* lately */
	};
	struct place p;

	(void)state;
	start(&p, true);
	crash(&p);
	for (size_t i = 0; i < UNIT_COUNT(known); i++) {
		struct session_from from = {.has_since = true,
					    .has_run = known[i].has_run,
					    .run = known[i].run,
					    .opened = true,
					    .stored = 1};

		for (from.since = 90; from.since <= 200; from.since += 10) {
			if (from.since <= known[i].sure)
				expect(&p, from, from.since + 1, 0, NULL);
			else
				expect(&p, from, 201, 20, "epoch_changed");
		}
	}
	end(&p);
}

static void what_is_left_behind_a_crash_begins_where_all_agree(void **state)
{
	struct session_from from = {.has_since = true,
				    .since = 180,
				    .rest = true,
				    .has_run = true,
				    .run = 4,
				    .opened = true,
				    .stored = 1};
	struct session_joined joined;
	uint64_t cursor, n;
	struct place p;

	(void)state;
	start(&p, true);
	crash(&p);
	joined = seek(&p, from, &cursor, &n);
	assert_true(joined.rest);
	assert_string_equal(joined.reason, "epoch_changed");
	assert_int_equal(joined.since, 120);
	assert_int_equal(cursor, 121);
	assert_int_equal(joined.gap_to, 0);
	assert_int_equal(n, 0);
	/* Where that is pruned, from there. */
	from.stored = 131;
	p.s->log.tail = 150;
	joined = seek(&p, from, &cursor, &n);
	assert_int_equal(joined.since, 120);
	assert_int_equal(cursor, 131);
	assert_int_equal(joined.gap_to, 130);
	assert_int_equal(n, 13);
	/* Who has seen less than all agree on, has seen nothing that is not there. */
	from.since = 50;
	from.stored = 41;
	p.s->log.tail = 150;
	joined = seek(&p, from, &cursor, &n);
	assert_true(joined.recovered);
	assert_int_equal(cursor, 51);
	p.s->log.tail = p.s->log.oldest->first;
	end(&p);
}

/* --- the lowest cursor, up to which a log may be trimmed --- */

static void a_member_in_the_past_holds_the_log(void **state)
{
	struct session_from from = {.has_since = true};
	struct member *m = stub_member(1, 0);
	struct session_joined joined;
	struct place p;

	(void)state;
	start(&p, false);
	assert_int_equal(session_join(p.s, m, &(struct session_from){0}, &joined), HUB_OK);
	assert_int_equal(atomic_load(&session_shard(p.s, 0)->low), 201);
	from.since = 150;
	assert_int_equal(session_seek(m, &from, &joined), HUB_OK);
	assert_int_equal(atomic_load(&session_shard(p.s, 0)->low), 151);
	/* It may have sent what it now gets: those are to be skipped where it wants no echo. */
	assert_int_equal(m->last_sent, 200);
	session_leave(m);
	assert_true(atomic_load(&session_shard(p.s, 0)->low) == UINT64_MAX);
	free(m);
	end(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_past_it_gets_the_state),
	    cmocka_unit_test(a_past_that_is_kept_is_recovered),
	    cmocka_unit_test(a_past_that_is_trimmed_is_not),
	    cmocka_unit_test(another_epochs_past_is_not),
	    cmocka_unit_test(what_is_left_is_had_with_the_state_before_it),
	    cmocka_unit_test(the_archive_is_asked_where_only_it_knows),
	    cmocka_unit_test(nothing_was_done_where_it_has_to_be_asked),
	    cmocka_unit_test(records_of_the_archive_count_as_kept),
	    cmocka_unit_test(a_crash_may_have_taken_what_a_member_saw),
	    cmocka_unit_test(what_is_left_behind_a_crash_begins_where_all_agree),
	    cmocka_unit_test(a_member_in_the_past_holds_the_log),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("seek", tests, NULL, NULL);
}

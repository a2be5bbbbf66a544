/* New records: into the log, the state and the dedup window, or into none of them. */
#include "session/publish.h"

#include <sodium.h>
#include <stdio.h>

#include "hubd/session_stub.h"
#include "session/session.h"
#include "session/stored.h"
#include "unit.h"

static const char body[] = "{\"type\":\"x\"";

static struct publication plain(uint64_t sender)
{
	return (struct publication){
	    .body = {body, sizeof(body) - 1}, .type = {"x", 1}, .tags = {.sender = sender}};
}

static struct publication acked(uint64_t msg)
{
	struct publication p = plain(1);

	p.tags.acked = 1;
	p.tags.msg = msg;
	return p;
}

static struct publication keyed(enum record_class class, const char *key)
{
	struct publication p = plain(1);

	p.tags.class = (unsigned)class & 3;
	p.key = span_of(key);
	return p;
}

static void expect(struct session *s, struct publication p, enum hub_code code, uint64_t seq)
{
	struct published out;

	assert_int_equal(session_publish(s, &p, 0, &out), code);
	assert_int_equal(out.seq, seq);
	assert_false(out.repeated);
	assert_false(out.waits);
}

static const struct slot *slot_of(struct session *s, uint64_t seq)
{
	const struct chunk *c = chunk_find(s->log.oldest, seq);

	return chunk_slot(c, seq - c->first);
}

static void records_are_numbered_and_tagged(void **state)
{
	struct session_stub st = {0};
	struct publication p;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "a"); /* the publisher need be no member */
	expect(s, plain(5), HUB_OK, 1);
	p = acked(77);
	p.tags.area = 9;
	p.tags.type_at = 8;
	p.tags.type_len = 3;
	expect(s, p, HUB_OK, 2);
	expect(s, keyed(RECORD_SET, "k"), HUB_OK, 3);
	assert_int_equal(slot_of(s, 1)->sender, 5);
	assert_int_equal(slot_of(s, 1)->acked, 0);
	assert_int_equal(slot_of(s, 2)->acked, 1);
	assert_int_equal(slot_of(s, 2)->msg, 77);
	assert_int_equal(slot_of(s, 2)->area, 9);
	assert_int_equal(slot_of(s, 2)->type_at, 8);
	assert_int_equal(slot_of(s, 2)->type_len, 3);
	/* The key's hash is the session's to make. */
	assert_true(slot_of(s, 3)->key == state_hash(&s->state, span_of("k")));
	stub_release(&st, s);
	session_stub_end(&st);
}

static void a_repeat_changes_nothing(void **state)
{
	struct session_stub st = {0};
	struct published out;
	struct publication p = acked(7);
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "a");
	expect(s, acked(6), HUB_OK, 1);
	expect(s, acked(7), HUB_OK, 2);
	assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
	assert_true(out.repeated);
	assert_int_equal(out.seq, 2);
	assert_int_equal(s->log.head, 2);
	/* Without an ack the same message is another record. */
	p.tags.acked = 0;
	expect(s, p, HUB_OK, 3);
	/* Messages that are not logged are known as well, by no seq. */
	assert_true(session_knows(s, 7));
	assert_false(session_knows(s, 8));
	session_remember(s, 1, 8);
	assert_true(session_knows(s, 8));
	p = acked(8);
	assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
	assert_true(out.repeated);
	assert_int_equal(out.seq, 0);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void the_state_follows_the_log(void **state)
{
	struct session_stub st = {.env.state_keys = 2};
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "a");
	expect(s, keyed(RECORD_SET, "k"), HUB_OK, 1);
	expect(s, keyed(RECORD_SET, "l"), HUB_OK, 2);
	expect(s, keyed(RECORD_SET, "k"), HUB_OK, 3);
	assert_int_equal(s->state.n, 2);
	assert_int_equal(state_before(&s->state, 3), 1);
	/* Too many keys: then it is not in the log either. */
	expect(s, keyed(RECORD_SET, "m"), HUB_SESSION_FULL, 0);
	assert_int_equal(s->log.head, 3);
	assert_int_equal(s->state.n, 2);
	expect(s, keyed(RECORD_DELETE, "k"), HUB_OK, 4);
	assert_int_equal(s->state.n, 1);
	expect(s, keyed(RECORD_SET, "m"), HUB_OK, 5);
	expect(s, keyed(RECORD_DELETE, "nothing"), HUB_OK, 6);
	assert_int_equal(s->state.n, 2);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void over_the_memory_history_gives_way_to_state(void **state)
{
	struct session_stub st = {.env.limits.records = 1000};
	static char large[200000];
	struct publication p;
	struct session *s;
	uint64_t head;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "a");
	for (int i = 0; i < 1000; i++)
		expect(s, plain(1), HUB_OK, (uint64_t)i + 1);
	assert_int_equal(s->log.tail, 1);
	st.memory.max = atomic_load(&st.memory.used) - 1;
	expect(s, keyed(RECORD_SET, "k"), HUB_OK, 1001);
	assert_true(s->log.tail > 1);
	/* There is nothing left to give up: no more state, but records go on. */
	memset(large, ' ', sizeof(large));
	st.memory.max = 1;
	p = keyed(RECORD_SET, "l");
	p.body = (struct span){large, sizeof(large)};
	expect(s, p, HUB_HUB_FULL, 0);
	assert_int_equal(s->state.n, 1);
	head = s->log.head;
	expect(s, plain(1), HUB_OK, head + 1);
	/* What the state has may be replaced by what takes no more. */
	expect(s, keyed(RECORD_SET, "k"), HUB_OK, head + 2);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void what_an_archive_cannot_keep_does_not_pile_up(void **state)
{
	struct session_stub st = {.env.limits.records = 1, .env.limits.bytes = 1};
	struct published out;
	struct session *s;
	uint64_t head;

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "a");
	archive_stub_load(s, 1, 0);
	st.archive.failing = "the disk is full";
	expect(s, plain(1), HUB_INTERNAL, 0);
	assert_int_equal(s->log.head, 0);
	st.archive.failing = NULL;
	for (head = 0; head < 300; head++)
		expect(s, plain(1), HUB_OK, head + 1);
	/* Nothing of it is kept elsewhere, so all of it is here. */
	assert_int_equal(s->log.tail, 1);
	st.memory.max = 1;
	expect(s, plain(1), HUB_INTERNAL, 0);
	/* A repeat is no record. */
	session_remember(s, 1, 5);
	head = s->log.head;
	{
		struct publication p = acked(5);

		assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
		assert_true(out.repeated);
	}
	session_stored(s, 300);
	assert_ptr_equal(s->log.oldest, s->log.last);
	expect(s, plain(1), HUB_OK, head + 1);
	session_stored(s, head + 1);
	stub_release(&st, s);
	session_stub_end(&st);
}

/* Who publishes more than the archive takes is refused; others, who do not, go on, also where
 * memory is out for what the first has said. */
static void who_floods_an_archive_is_refused_first(void **state)
{
	struct session_stub st = {.env.limits = {.records = 1, .bytes = 1}};
	struct session *flood, *other;
	enum hub_code code;
	uint64_t n = 0;

	(void)state;
	session_stub_start(&st, 1, true);
	st.memory.max = 1 << 20;
	flood = stub_use(&st, "flood");
	archive_stub_load(flood, 1, 0);
	other = stub_use(&st, "other");
	archive_stub_load(other, 1, 0);
	do {
		struct publication p = plain(1);
		struct published out;

		code = session_publish(flood, &p, 0, &out);
		if (code == HUB_OK)
			n++;
	} while (code == HUB_OK && n < 100000);
	assert_int_equal(code, HUB_RATE_LIMITED);
	assert_in_range(flood->unstored, (1 << 20) / 8, 1 << 20);
	st.memory.max = atomic_load(&st.memory.used) - 1;
	for (uint64_t i = 0; i < 200; i++)
		expect(other, plain(1), HUB_OK, i + 1);
	/* What is kept makes room. */
	session_stored(flood, n);
	assert_int_equal(flood->unstored, 0);
	expect(flood, plain(1), HUB_OK, n + 1);
	session_stored(flood, n + 1);
	session_stored(other, 200);
	stub_release(&st, flood);
	stub_release(&st, other);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_numbered_and_tagged),
	    cmocka_unit_test(a_repeat_changes_nothing),
	    cmocka_unit_test(the_state_follows_the_log),
	    cmocka_unit_test(over_the_memory_history_gives_way_to_state),
	    cmocka_unit_test(what_an_archive_cannot_keep_does_not_pile_up),
	    cmocka_unit_test(who_floods_an_archive_is_refused_first),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}

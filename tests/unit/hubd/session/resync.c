/* Members that the log has overtaken get the state and every record with an ack that they have not
 * had, in order, and go on at the head. And what a log gives up before that. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "hubd/session_stub.h"
#include "session/session.h"
#include "session/session_impl.h"
#include "unit.h"
#include "wire/wsframe.h"

/* Of each record: every seventh is state of one of 10 keys, every fifth wants an ack, every second
 * is of client 1. */
static void publish(struct session *s, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t seq = s->log.head + 1;
		char key[2] = {(char)('0' + seq % 10), '\0'};
		struct publication p = {.body = {"{\"type\":\"some message\"", 22},
					.type = {"x", 1},
					.key = {key, 1},
					.tags = {.sender = seq % 2 ? 1 : 2, .msg = seq}};
		struct published out;

		p.tags.acked = seq % 5 == 0;
		p.tags.class = seq % 7 == 0 ? RECORD_SET : RECORD_PLAIN;
		assert_int_equal(session_publish(s, &p, 0, &out), HUB_OK);
	}
}

/* Whether seq is in the state when head is the last record. */
static bool is_state(uint64_t seq, uint64_t head)
{
	return seq % 7 == 0 && seq + 70 > head;
}

static uint64_t frame_seq(const struct chunk *c, const struct slot *slot)
{
	const unsigned char *frame = c->data + slot->offset;
	char text[256];
	size_t header = wsframe_header_len(frame), len = slot->len - header;

	assert_true(len < sizeof(text));
	memcpy(text, frame + header, len);
	text[len] = '\0';
	return strtoull(strstr(text, "\"seq\":") + 6, NULL, 10);
}

/* The catch-up has exactly what is due to a member that had all before `from`. */
static void expect(const struct member *m, uint64_t from, uint64_t head)
{
	const struct catchup *up = m->catchup;
	const struct chunk *c = up->chunk;
	uint64_t n = 0;

	for (uint64_t seq = 1; seq <= head; seq++) {
		uint64_t sender = seq % 2 ? 1 : 2;
		bool due = is_state(seq, head) ||
			   (seq >= from && seq % 5 == 0 && (m->echo || sender != m->client));
		const struct slot *slot;

		if (!due)
			continue;
		assert_true(++n <= up->n);
		c = chunk_find(c, n);
		slot = chunk_slot(c, n - c->first);
		assert_int_equal(frame_seq(c, slot), seq);
		assert_int_equal(slot->sender, sender);
	}
	assert_int_equal(n, up->n);
	assert_int_equal(up->at, 1);
}

static struct member *start(struct session_stub *st, uint64_t client)
{
	struct member *m;

	st->env.limits = (struct log_limits){.records = 50, .bytes = 1, .grace_ms = -1};
	st->env.retains = true;
	session_stub_start(st, 1, false);
	m = stub_join(st, "a", client, 0, NULL);
	assert_int_equal(m->cursor, 1);
	return m;
}

static void it_gets_the_state_and_what_was_acked(void **state)
{
	static const uint64_t cursors[] = {1, 2, 17, 100, 350, 395, 400};

	(void)state;
	for (int echo = 0; echo < 2; echo++) {
		for (size_t i = 0; i < UNIT_COUNT(cursors); i++) {
			struct session_stub st = {0};
			struct member *m = start(&st, 1);
			uint64_t gap_to = 0;

			m->echo = echo;
			publish(m->session, 400);
			assert_true(m->session->log.tail > 150);
			m->cursor = cursors[i];
			assert_int_equal(session_resync(m, NULL, &gap_to), 0);
			assert_int_equal(gap_to, 400);
			assert_int_equal(m->cursor, 401);
			expect(m, cursors[i], 400);
			stub_leave(&st, m);
			session_stub_end(&st);
		}
	}
}

/* What all members have had is not retained for those that come. */
static void what_all_have_had_is_given_up(void **state)
{
	struct session_stub st = {0};
	struct member *m = start(&st, 1);
	uint64_t gap_to;

	(void)state;
	publish(m->session, 200);
	assert_int_equal(m->session->retained.first->seq, 5);
	m->cursor = 151;
	atomic_store(&session_shard(m->session, 0)->low, 151);
	publish(m->session, 400);
	assert_int_equal(m->session->retained.first->seq, 155);
	assert_int_equal(session_resync(m, NULL, &gap_to), 0);
	expect(m, 151, 600);
	stub_leave(&st, m);
	session_stub_end(&st);
}

static void without_state_and_acks_there_is_only_the_head(void **state)
{
	struct session_stub st = {0};
	struct member *m = start(&st, 1);
	uint64_t gap_to = 0;

	(void)state;
	for (int i = 0; i < 300; i++)
		stub_publish(m->session, 2, "{\"type\":\"some message\"", 22, 0);
	assert_int_equal(session_resync(m, NULL, &gap_to), 0);
	assert_int_equal(gap_to, 300);
	assert_null(m->catchup);
	assert_int_equal(m->cursor, 301);
	stub_leave(&st, m);
	session_stub_end(&st);
}

static void what_is_lost_is_not_hidden(void **state)
{
	struct session_stub st = {0};
	struct member *m = start(&st, 1);
	uint64_t gap_to = 0, lost;

	(void)state;
	publish(m->session, 200);
	/* No memory for it: who stalls pays, before members that are in step. */
	st.memory.max = 1;
	pthread_mutex_lock(&m->session->lock);
	session_trim(m->session, 0);
	pthread_mutex_unlock(&m->session->lock);
	st.memory.max = SIZE_MAX;
	lost = m->session->retained.lost;
	assert_true(lost >= 100);
	assert_int_equal(session_resync(m, NULL, &gap_to), -ESTALE);
	assert_null(m->catchup);
	assert_int_equal(m->cursor, 1);
	m->cursor = lost;
	assert_int_equal(session_resync(m, NULL, &gap_to), -ESTALE);
	m->cursor = lost + 1;
	assert_int_equal(session_resync(m, NULL, &gap_to), 0);
	expect(m, lost + 1, 200);
	stub_leave(&st, m);
	session_stub_end(&st);
}

/* A log is not trimmed before its records are stored, whatever the limits say. */
static void an_archive_holds_the_log(void **state)
{
	struct session_stub st = {.env.limits = {.records = 1, .bytes = 1}};
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "a");
	archive_stub_load(s, 1, 0);
	publish(s, 300);
	assert_int_equal(s->log.tail, 1);
	session_stored(s, 200);
	assert_in_range(s->log.tail, 100, 201);
	session_stored(s, 300);
	assert_ptr_equal(s->log.oldest, s->log.last);
	stub_release(&st, s);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_gets_the_state_and_what_was_acked),
	    cmocka_unit_test(what_all_have_had_is_given_up),
	    cmocka_unit_test(without_state_and_acks_there_is_only_the_head),
	    cmocka_unit_test(what_is_lost_is_not_hidden),
	    cmocka_unit_test(an_archive_holds_the_log),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("resync", tests, NULL, NULL);
}

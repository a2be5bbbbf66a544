/* What members are told beside records: messages to one client, who came and went, which sessions
 * there are; and that what is encoded once for many is right for each. */
#include <sodium.h>

#include "hubd/member_stub.h"
#include "session/stored.h"
#include "unit.h"
#include "wire/id.h"

/* --- to one client --- */

static enum hub_code direct(struct session *s, uint64_t client, struct blob *blob)
{
	char id[ID_LEN + 1];

	id_text(client, id);
	return member_direct(s, span_of(id), blob);
}

static void direct_messages_find_their_receiver(void **state)
{
	struct member_stub st = {0};
	struct blob *blob = blob_new("direct", 6);
	struct session *s;
	struct peer p[3];

	(void)state;
	member_stub_start(&st, 2, false);
	for (unsigned i = 0; i < 3; i++) {
		stub_open(&st, &p[i], i % 2, i + 1);
		stub_say(&st, &p[i], i == 2 ? "join b" : "join a");
		p[i].got.len = 0;
	}
	s = stub_session(&st, "a");
	assert_int_equal(direct(s, 1, blob), HUB_OK);
	assert_int_equal(direct(s, 2, blob), HUB_OK);
	assert_int_equal(direct(s, 3, blob), HUB_NOT_MEMBER); /* in another session */
	assert_int_equal(member_direct(s, span_of("nobody"), blob), HUB_NOT_MEMBER);
	assert_int_equal(member_direct(s, span_of(""), blob), HUB_NOT_MEMBER);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p[0], "direct\n"));
	assert_true(peer_got(&p[1], "direct\n"));
	assert_true(peer_got(&p[2], ""));
	/* Who has left before it arrives does not get it. */
	assert_int_equal(direct(s, 2, blob), HUB_OK);
	peer_say(&p[1], "leave a");
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p[1], "left a users=1\n"));
	assert_int_equal(atomic_load(&blob->refs), 1);
	assert_int_equal(atomic_load(&st.members[0].direct), 0);
	assert_int_equal(atomic_load(&st.members[1].direct), 0);
	blob_unref(blob);
	member_stub_end(&st);
	for (int i = 0; i < 3; i++)
		peer_free(&p[i]);
}

/* A member has so much before it that it has not read; who sends more is refused, and the member
 * stays. */
static void a_member_takes_so_many_at_a_time(void **state)
{
	enum { LEN = 60000 };
	struct member_stub st = {0};
	char *text = calloc(1, LEN);
	struct blob *blob = blob_new(text, LEN);
	struct session *s;
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a");
	s = stub_session(&st, "a");
	p.stalled = true;
	for (int round = 0; round < 3; round++) {
		int n = 0;

		while (direct(s, 1, blob) == HUB_OK && n < 1000) {
			n++;
			stub_settle(&st.s.workers);
		}
		assert_int_equal(n, 6); /* one that it took, and five that wait */
		assert_int_equal(direct(s, 1, blob), HUB_RATE_LIMITED);
		stub_settle(&st.s.workers);
		assert_int_equal(p.code, 0);
		p.stalled = p.waiting = false;
		deliver_writable(p.conn);
		stub_settle(&st.s.workers);
		p.stalled = true;
	}
	blob_unref(blob);
	free(text);
	member_stub_end(&st);
	peer_free(&p);
}

static void a_worker_takes_so_many_at_a_time(void **state)
{
	enum { N = 80 };
	static struct peer p[N];
	struct member_stub st = {0};
	char *text = calloc(1, 1 << 20);
	struct blob *blob = blob_new(text, 1 << 20);
	struct session *s;
	uint64_t n = 0;

	(void)state;
	member_stub_start(&st, 1, false);
	for (unsigned i = 0; i < N; i++) {
		stub_open(&st, &p[i], 0, i + 1);
		stub_say(&st, &p[i], "join a");
	}
	s = stub_session(&st, "a");
	while (n < N && direct(s, n + 1, blob) == HUB_OK)
		n++;
	assert_in_range(n, 60, 66);
	assert_int_equal(direct(s, n + 1, blob), HUB_HUB_FULL);
	assert_int_equal(atomic_load(&blob->refs), n + 1);
	stub_settle(&st.s.workers);
	assert_int_equal(atomic_load(&st.members[0].direct), 0);
	assert_int_equal(atomic_load(&blob->refs), 1);
	/* What found no room is counted nowhere. */
	assert_int_equal(direct(s, n + 1, blob), HUB_OK);
	stub_settle(&st.s.workers);
	blob_unref(blob);
	free(text);
	member_stub_end(&st);
	for (unsigned i = 0; i < N; i++)
		peer_free(&p[i]);
}

/* --- who came and went --- */

static void the_others_hear_of_it(void **state)
{
	struct member_stub st = {.s.env.presence_limit = 2};
	struct peer p[3];

	(void)state;
	member_stub_start(&st, 2, false);
	for (unsigned i = 0; i < 3; i++)
		stub_open(&st, &p[i], i % 2, i + 1);
	stub_say(&st, &p[0], "join a");
	p[0].got.len = 0;
	stub_say(&st, &p[1], "join a");
	assert_true(peer_got(&p[0], "came a 2 users=2\n"));
	assert_true(peer_got(&p[1], "joined a seq=0 users=2\n"));
	/* A third is over the limit: a count, and only once a second. */
	peer_say(&p[2], "join a");
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p[0], ""));
	for (unsigned i = 0; i < 2; i++)
		member_second(stub_worker(&st, i));
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p[0], "status a users=3\n"));
	assert_true(peer_got(&p[1], "status a users=3\n"));
	assert_true(peer_got(&p[2], "joined a seq=0 users=3\nstatus a users=3\n"));
	for (unsigned i = 0; i < 2; i++)
		member_second(stub_worker(&st, i));
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p[0], ""));
	/* The latest of them hears of the next. */
	stub_say(&st, &p[0], "leave a");
	assert_true(peer_got(&p[2], "went a 1 users=2\n"));
	assert_true(peer_got(&p[1], "went a 1 users=2\n"));
	assert_true(peer_got(&p[0], "left a users=2\n"));
	member_stub_end(&st);
	for (int i = 0; i < 3; i++)
		peer_free(&p[i]);
}

/* Its count is still to be told when the last of them goes, and when the worker ends. */
static void a_status_holds_its_session(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	start_two(&st, 1, &p, "join a", &q, "join a");
	stub_say(&st, &p, "say a text");
	peer_gone(&p);
	peer_gone(&q);
	stub_settle(&st.s.workers);
	registry_sweep(&st.s.registry, stub_now(&st.s) + 1);
	assert_int_equal(registry_count(&st.s.registry), 0);
	assert_true(atomic_load(&st.s.memory.used) > 0);
	member_second(stub_worker(&st, 0));
	assert_int_equal(atomic_load(&st.s.memory.used), 0);
	peer_free(&p);
	peer_free(&q);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 0, 2);
	stub_say(&st, &p, "join a");
	stub_say(&st, &q, "join a");
	assert_non_null(st.members[0].status);
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* --- which sessions there are --- */

static void a_watch_is_told_of_all_and_of_new_ones(void **state)
{
	struct member_stub st = {0};
	struct peer p, q;

	(void)state;
	member_stub_start(&st, 2, false);
	stub_open(&st, &p, 0, 1);
	stub_open(&st, &q, 1, 2);
	stub_say(&st, &p, "list");
	assert_true(peer_got(&p, "sessions \n"));
	stub_say(&st, &q, "join a");
	assert_true(peer_got(&p, "sessions \"a\"\n"));
	stub_say(&st, &q, "join b");
	assert_true(peer_got(&p, "sessions \"b\"\n"));
	stub_say(&st, &p, "list");
	assert_true(peer_got(&p, "sessions \"a\",\"b\"\n"));
	/* As it reads them. */
	p.stalled = true;
	stub_say(&st, &q, "join c");
	assert_true(peer_got(&p, "sessions \"c\"\n"));
	stub_say(&st, &q, "join d");
	stub_say(&st, &q, "join e");
	assert_true(peer_got(&p, ""));
	stub_resume(&p);
	assert_true(peer_got(&p, "sessions \"d\",\"e\"\n"));
	/* Its end is the watch's. */
	assert_int_equal(st.s.registry.nwatches, 1);
	peer_gone(&p);
	stub_settle(&st.s.workers);
	assert_int_equal(st.s.registry.nwatches, 0);
	assert_null(st.members[0].watches);
	stub_say(&st, &q, "join f");
	member_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void many_sessions_come_in_pages(void **state)
{
	enum { N = 1500 };
	struct member_stub st = {.s.max_sessions = N};
	struct peer p;
	const char *at;
	char id[32];
	unsigned pages = 0;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "a-session-with-a-name-%04d", i);
		stub_use(&st.s, id);
	}
	p.stalled = true;
	stub_say(&st, &p, "list");
	/* One page, for it does not read. */
	assert_in_range(p.got.len, 16000, 17000);
	/* Who ends its input gets the rest all the same. */
	deliver_finish(p.conn, CLOSE_NORMAL, "end of input");
	stub_settle(&st.s.workers);
	assert_int_equal(p.code, 0);
	stub_resume(&p);
	stub_settle(&st.s.workers);
	assert_int_equal(p.code, CLOSE_NORMAL);
	assert_int_equal(buf_put(&p.got, "", 1), 0);
	at = p.got.data;
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "\"a-session-with-a-name-%04d\"", i);
		at = strstr(at, id);
		assert_non_null(at);
	}
	for (at = p.got.data; (at = strstr(at, "sessions ")) != NULL; at++)
		pages++;
	assert_in_range(pages, 3, 4);
	member_stub_end(&st);
	peer_free(&p);
}

static void watches_have_a_limit(void **state)
{
	static struct peer p[REGISTRY_WATCHES_MAX + 1];
	struct member_stub st = {0};

	(void)state;
	member_stub_start(&st, 1, false);
	for (unsigned i = 0; i <= REGISTRY_WATCHES_MAX; i++) {
		stub_open(&st, &p[i], 0, i + 1);
		stub_say(&st, &p[i], "list");
	}
	assert_true(peer_got(&p[REGISTRY_WATCHES_MAX], "error hub_full : no more watches\n"));
	assert_false(p[REGISTRY_WATCHES_MAX].conn->watching);
	peer_gone(&p[7]);
	stub_settle(&st.s.workers);
	stub_say(&st, &p[REGISTRY_WATCHES_MAX], "list");
	assert_true(peer_got(&p[REGISTRY_WATCHES_MAX], "sessions \n"));
	member_stub_end(&st);
	for (unsigned i = 0; i <= REGISTRY_WATCHES_MAX; i++)
		peer_free(&p[i]);
}

/* --- bytes that are made once for many --- */

static int put_quoted(struct buf *out, const char *text, size_t len)
{
	return buf_printf(out, "[0|%.*s]", (int)len, text);
}

static int put_quoted_record(struct buf *out, const char *text, size_t len, struct span type,
			     const struct record_log *in)
{
	assert_true(in->place->epoch != 0);
	assert_int_equal(type.len, 0);
	return buf_printf(out, "[%ju|%.*s]", (uintmax_t)place_of_record(text, len), (int)len, text);
}

static unsigned made; /* records encoded by the counting encodings */

static int put_counted(struct buf *out, const char *text, size_t len, struct span type,
		       const struct record_log *in)
{
	made++;
	return put_quoted_record(out, text, len, type, in);
}

static void each_encoding_gets_its_own_bytes(void **state)
{
	static const struct encoding quoted = {.message = put_quoted, .record = put_quoted_record};
	static const struct door quoting = PEER_DOOR(&quoted, &stub_dialect);
	static const struct door websocket = PEER_DOOR(&encoding_websocket, &stub_dialect);
	static const struct door *const doors[] = {&stub_door, &quoting, &stub_door, &websocket,
						   &quoting,   &quoting, &stub_door, &websocket};
	struct member_stub st = {0};
	struct peer p[UNIT_COUNT(doors)];

	(void)state;
	member_stub_start(&st, 1, false);
	for (unsigned i = 0; i < UNIT_COUNT(doors); i++) {
		peer_open(&p[i], stub_worker(&st, 0), doors[i]);
		p[i].conn->id = i + 1;
		stub_say(&st, &p[i], "join a");
	}
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < UNIT_COUNT(doors); i++)
			p[i].got.len = 0;
		peer_say(&p[0], "say a one");
		peer_say(&p[1], "say a two");
		stub_settle(&st.s.workers);
		for (unsigned i = 0; i < UNIT_COUNT(doors); i++) {
			char want[128];
			int seq = 2 * round + 1;

			snprintf(want, sizeof(want),
				 doors[i] == &stub_door ? "one,\"seq\":%d}\ntwo,\"seq\":%d}\n"
				 : doors[i] == &quoting
				     ? "[%d|one,\"seq\":%d}][%d|two,\"seq\":%d}]"
				     : "\x81\x0cone,\"seq\":%d}\x81\x0ctwo,\"seq\":%d}",
				 seq, doors[i] == &quoting ? seq : seq + 1, seq + 1, seq + 1);
			assert_true(peer_got(&p[i], want));
		}
	}
	member_stub_end(&st);
	for (unsigned i = 0; i < UNIT_COUNT(doors); i++)
		peer_free(&p[i]);
}

static void members_in_step_share_the_work(void **state)
{
	enum { N = 10 };
	static const struct encoding counted = {.message = put_quoted, .record = put_counted};
	static const struct door counting = PEER_DOOR(&counted, &stub_dialect);
	struct member_stub st = {0};
	struct peer p[N];

	(void)state;
	member_stub_start(&st, 1, false);
	for (unsigned i = 0; i < N; i++) {
		peer_open(&p[i], stub_worker(&st, 0), &counting);
		p[i].conn->id = i + 1;
		stub_say(&st, &p[i], i == 3 ? "join a quiet" : "join a");
		p[i].got.len = 0;
	}
	made = 0;
	stub_say(&st, &p[0], "say a one");
	assert_int_equal(made, 1);
	/* Who leaves its own out gets the rest of the same bytes. */
	made = 0;
	for (int i = 0; i < N; i++)
		p[i].got.len = 0;
	peer_say(&p[3], "say a two");
	peer_say(&p[0], "say a three");
	stub_settle(&st.s.workers);
	for (int i = 0; i < N; i++)
		assert_true(peer_got(&p[i], i == 3 ? "[3|three,\"seq\":3}]"
						   : "[2|two,\"seq\":2}][3|three,\"seq\":3}]"));
	assert_int_equal(made, 2);
	member_stub_end(&st);
	for (unsigned i = 0; i < N; i++)
		peer_free(&p[i]);
}

/* Each stops in a chunk of its own, which has room for little more than EACH records with their
 * slots, and goes on when all have stopped. */
static void members_that_lag_share_the_work(void **state)
{
	enum { N = 6, EACH = 380 };
	static const struct encoding counted = {.message = put_quoted, .record = put_counted};
	static const struct door counting = PEER_DOOR(&counted, &stub_dialect);
	struct member_stub st = {0};
	struct peer p[N], writer;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &writer, 0, N + 1);
	for (unsigned i = 0; i < N; i++) {
		peer_open(&p[i], stub_worker(&st, 0), &counting);
		p[i].conn->id = i + 1;
		stub_say(&st, &p[i], "join a");
		p[i].got.len = 0;
	}
	stub_say(&st, &writer, "join a");
	made = 0;
	for (unsigned i = 0; i < N; i++) {
		p[i].stalled = true;
		for (int j = 0; j < EACH; j++) {
			char text[128];

			snprintf(text, sizeof(text), "say a number %d%090d", j, 0);
			peer_say(&writer, text);
		}
		stub_settle(&st.s.workers);
	}
	for (unsigned i = 0; i < N; i++)
		stub_resume(&p[i]);
	stub_settle(&st.s.workers);
	for (unsigned i = 1; i < N; i++) {
		assert_int_equal(p[i].got.len, p[0].got.len);
		assert_memory_equal(p[i].got.data, p[0].got.data, p[0].got.len);
	}
	assert_int_equal(made, N * EACH);
	member_stub_end(&st);
	for (unsigned i = 0; i < N; i++)
		peer_free(&p[i]);
	peer_free(&writer);
}

/* Two encodings take turns, and do not take each other's place. */
static void encodings_share_beside_each_other(void **state)
{
	enum { N = 10 };
	static const struct encoding counted[] = {{.message = put_quoted, .record = put_counted},
						  {.message = put_quoted, .record = put_counted}};
	static const struct door counting[] = {PEER_DOOR(&counted[0], &stub_dialect),
					       PEER_DOOR(&counted[1], &stub_dialect)};
	struct member_stub st = {0};
	struct peer p[N];

	(void)state;
	member_stub_start(&st, 1, false);
	for (unsigned i = 0; i < N; i++) {
		peer_open(&p[i], stub_worker(&st, 0), &counting[i % 2]);
		p[i].conn->id = i + 1;
		stub_say(&st, &p[i], "join a");
		p[i].got.len = 0;
	}
	made = 0;
	stub_say(&st, &p[0], "say a one");
	assert_int_equal(made, 2);
	for (unsigned i = 0; i < N; i++)
		assert_true(peer_got(&p[i], "[1|one,\"seq\":1}]"));
	member_stub_end(&st);
	for (unsigned i = 0; i < N; i++)
		peer_free(&p[i]);
}

/* A session that is gone leaves its bytes in the cache; another's must not be taken for them. */
static void another_sessions_records_are_other_bytes(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	for (int i = 0; i < 20; i++) {
		char text[32], want[64];

		stub_say(&st, &p, "join a");
		snprintf(text, sizeof(text), "say a number %d", i);
		stub_say(&st, &p, text);
		stub_say(&st, &p, "leave a");
		snprintf(want, sizeof(want),
			 "joined a seq=0 users=1\nnumber %d,\"seq\":1}\nleft a users=0\n", i);
		assert_true(peer_got(&p, want));
		registry_sweep(&st.s.registry, stub_now(&st.s) + 1);
		assert_int_equal(registry_count(&st.s.registry), 0);
	}
	member_stub_end(&st);
	peer_free(&p);
}

/* --- publishing --- */

static void acks_tell_what_became_of_it(void **state)
{
	struct member_stub st = {.s.env.state_keys = 1};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, false);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a quiet");
	p.got.len = 0;
	stub_say(&st, &p, "ack a M one");
	stub_say(&st, &p, "ack a N two");
	stub_say(&st, &p, "ack a M again");
	assert_true(peer_got(&p, "ack a M 1\nack a N 2\nack a M 1\n"));
	assert_int_equal(atomic_load(&stub_worker(&st, 0)->counters.records[0]), 2);
	stub_say(&st, &p, "set a k one");
	stub_say(&st, &p, "set a l two");
	assert_true(peer_got(&p, "error session_full : the session's state holds as many keys as "
				 "the hub allows, in all or of one client\n"));
	member_stub_end(&st);
	peer_free(&p);
}

static void what_cannot_be_kept_is_refused(void **state)
{
	struct member_stub st = {0};
	struct peer p;

	(void)state;
	member_stub_start(&st, 1, true);
	stub_open(&st, &p, 0, 1);
	stub_say(&st, &p, "join a quiet");
	stub_opened(&st, UINT64_MAX);
	stub_say(&st, &p, "ack a M one");
	p.got.len = 0;
	st.s.archive.failing = "the disk is full";
	stub_say(&st, &p, "ack a N two");
	assert_true(peer_got(&p, "error internal : the disk is full\n"));
	st.s.archive.failing = NULL;
	stub_say(&st, &p, "ack a N two");
	stub_say(&st, &p, "ack a M again");
	assert_true(peer_got(&p, ""));
	assert_int_equal(p.conn->seats->acks_due, 2);
	session_stored(stub_session(&st, "a"), 2);
	stub_settle(&st.s.workers);
	assert_true(peer_got(&p, "ack a M 1\nack a N 2\n"));
	assert_int_equal(p.conn->seats->acks_due, 0);
	member_stub_end(&st);
	peer_free(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(direct_messages_find_their_receiver),
	    cmocka_unit_test(a_member_takes_so_many_at_a_time),
	    cmocka_unit_test(a_worker_takes_so_many_at_a_time),
	    cmocka_unit_test(the_others_hear_of_it),
	    cmocka_unit_test(a_status_holds_its_session),
	    cmocka_unit_test(a_watch_is_told_of_all_and_of_new_ones),
	    cmocka_unit_test(many_sessions_come_in_pages),
	    cmocka_unit_test(watches_have_a_limit),
	    cmocka_unit_test(each_encoding_gets_its_own_bytes),
	    cmocka_unit_test(members_in_step_share_the_work),
	    cmocka_unit_test(members_that_lag_share_the_work),
	    cmocka_unit_test(encodings_share_beside_each_other),
	    cmocka_unit_test(another_sessions_records_are_other_bytes),
	    cmocka_unit_test(acks_tell_what_became_of_it),
	    cmocka_unit_test(what_cannot_be_kept_is_refused),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}

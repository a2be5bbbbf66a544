/* Members (member_stub.h) that are given many records, also such as their session has in its
 * archive alone. */
#ifndef HUBD_TEST_DELIVER_STUB_H
#define HUBD_TEST_DELIVER_STUB_H

#include "hubd/member_stub.h"
#include "session/stored.h"
#include "unit.h"

/* Small logs, so that little is trimmed soon. */
#define SMALL_LOG                                         \
	{                                                 \
		.records = 20, .bytes = 1, .grace_ms = -1 \
	}

static inline void say_many(struct member_stub *st, struct peer *p, int n)
{
	for (int i = 0; i < n; i++)
		stub_say(st, p, "say a text");
}

/* Only what begins `seq` there: the seq of the records it was sent must go from `from` to `to`. */
static inline void expect_records(struct peer *p, uint64_t from, uint64_t to)
{
	const char *at = p->got.data;

	assert_int_equal(buf_put(&p->got, "", 1), 0);
	at = p->got.data;
	for (uint64_t seq = from; seq <= to; seq++) {
		at = strstr(at, ",\"seq\":");
		assert_non_null(at);
		at += 7;
		assert_int_equal(strtoull(at, NULL, 10), seq);
	}
	assert_null(strstr(at, ",\"seq\":"));
	p->got.len = 0;
}

/* Two peers, of which the second is in session a at its 100th record; all is stored. */
static inline void start_with_past(struct member_stub *st, struct peer *p, struct peer *q)
{
	member_stub_start(st, 1, true);
	stub_open(st, p, 0, 1);
	stub_open(st, q, 0, 2);
	stub_say(st, p, "join a");
	stub_opened(st, UINT64_MAX);
	say_many(st, p, 100);
	session_stored(stub_session(st, "a"), 100);
	stub_say(st, q, "join a");
	assert_int_equal(q->conn->seats->m.cursor, 101);
	p->got.len = q->got.len = 0;
}

static inline uint64_t log_tail(struct member_stub *st)
{
	uint64_t tail = stub_session(st, "a")->log.tail;

	assert_in_range(tail, 30, 90);
	return tail;
}

/* q wants its past back from `since` on, and the archive has been asked for it. */
static inline void go_back(struct member_stub *st, struct peer *q, const char *join)
{
	stub_say(st, q, join);
	stub_opened(st, 1);
	assert_true(peer_has(q, "recovered\n"));
	q->got.len = 0;
	assert_true(q->conn->seats->reading);
}

#endif

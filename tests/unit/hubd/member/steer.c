/* What an operator does reaches all workers, and nobody who is not meant. */
#include "member/steer.h"

#include <sodium.h>

#include "hubd/member_stub.h"
#include "hubd/token_stub.h"
#include "session/members.h"
#include "unit.h"
#include "wire/id.h"

#define PEERS 40

static struct steer_result got; /* the last one's; its list is copied */
static char got_list[1000];
static unsigned answers;

static int put(struct buf *out, struct conn *c)
{
	return buf_printf(out, "%u", c->born);
}

static void done(struct conn *c, const struct steering *st, const struct steer_result *result)
{
	(void)c;
	(void)st;
	got = *result;
	snprintf(got_list, sizeof(got_list), "%.*s", (int)result->list.len,
		 result->list.len ? result->list.data : "");
	answers++;
}

static struct steering order(enum steer_verb verb)
{
	return (struct steering){.verb = verb, .max = 7, .put_connection = put, .done = done};
}

/* Everybody is on a worker of his own turn, in session a or b, and an operator is on the last. */
struct crowd {
	struct member_stub st;
	struct peer p[PEERS], operator;
};

static void crowd_start(struct crowd *w, bool archive)
{
	char text[32];

	*w = (struct crowd){0};
	member_stub_start(&w->st, 4, archive);
	for (unsigned i = 0; i < PEERS; i++) {
		stub_open(&w->st, &w->p[i], i % 4, i + 1);
		snprintf(text, sizeof(text), "join %c", i % 3 ? 'a' : 'b');
		if (!archive)
			stub_say(&w->st, &w->p[i], text);
		w->p[i].got.len = 0;
	}
	stub_open(&w->st, &w->operator, 2, 1000);
}

static void crowd_end(struct crowd *w)
{
	member_stub_end(&w->st);
	for (unsigned i = 0; i < PEERS; i++)
		peer_free(&w->p[i]);
	peer_free(&w->operator);
}

static void give(struct crowd *w, const struct steering *st)
{
	unsigned before = answers;

	steer(w->operator.conn, st);
	stub_settle(&w->st.s.workers);
	stub_settle(&w->st.s.workers);
	assert_int_equal(answers, before + 1);
	assert_false(w->operator.conn->held);
}

static void a_session_is_sent_away_and_no_other(void **state)
{
	struct steering st = order(STEER_CLOSE);
	struct crowd *w = malloc(sizeof(*w));

	(void)state;
	crowd_start(w, false);
	st.whom.session_len = 1;
	st.whom.session[0] = 'a';
	st.code = (enum close_code)4321;
	strcpy(st.reason, "because");
	give(w, &st);
	assert_int_equal(got.n, 26);
	for (unsigned i = 0; i < PEERS; i++) {
		assert_int_equal(w->p[i].code, i % 3 ? 4321 : 0);
		assert_true(!w->p[i].conn == (i % 3 != 0));
		assert_int_equal(ended_is(w->st.ended, i + 1, (struct span){0}, 1), i % 3 != 0);
	}
	assert_int_equal(session_user_count(stub_session(&w->st, "a")), 0);
	assert_int_equal(session_user_count(stub_session(&w->st, "b")), 14);
	assert_int_equal(
	    workers_sum(&w->st.s.workers, offsetof(struct counters, steered[STEER_KICKED]), 1), 26);
	/* Never the one that asks. */
	stub_say(&w->st, &w->operator, "join b");
	st.whom.session[0] = 'b';
	give(w, &st);
	assert_int_equal(got.n, 14);
	assert_int_equal(w->operator.code, 0);
	crowd_end(w);
	free(w);
}

static void lists_come_in_pages(void **state)
{
	struct steering st = order(STEER_CONNECTIONS);
	struct crowd *w = malloc(sizeof(*w));
	bool seen[1001] = {0};
	unsigned pages = 0, n = 0;

	(void)state;
	crowd_start(w, false);
	do {
		char *text = got_list, *number;

		give(w, &st);
		assert_int_equal(got.code, HUB_OK);
		assert_true(got.n <= 7 && (got.n == 7 || !got.more));
		while ((number = strsep(&text, ",")) && *number) {
			assert_false(seen[atoi(number)]);
			seen[atoi(number)] = true;
			n++;
		}
		st.from_worker = got.next_worker;
		st.from = got.next;
		pages++;
	} while (got.more);
	assert_int_equal(n, PEERS + 1);
	assert_int_equal(pages, 6);
	/* Exactly one page. */
	st = order(STEER_CONNECTIONS);
	st.max = PEERS + 1;
	give(w, &st);
	assert_int_equal(got.n, PEERS + 1);
	assert_false(got.more);
	/* Of those that are meant. */
	st.max = 7;
	st.whom.session_len = 1;
	st.whom.session[0] = 'b';
	give(w, &st);
	assert_int_equal(got.n, 7);
	assert_true(got.more);
	st.whom = (struct whom){.has_client = true, .client = 1000};
	give(w, &st);
	assert_string_equal(got_list, "1000");
	st.from_worker = 4;
	give(w, &st);
	assert_int_equal(got.n, 0);
	crowd_end(w);
	free(w);
}

static void a_deleted_session_ends_for_all(void **state)
{
	struct steering st = order(STEER_DELETE);
	struct crowd *w = malloc(sizeof(*w));
	uint64_t epoch;

	(void)state;
	crowd_start(w, false);
	epoch = stub_session(&w->st, "a")->epoch;
	st.whom.session_len = 1;
	st.whom.session[0] = 'a';
	give(w, &st);
	assert_int_equal(got.code, HUB_OK);
	assert_int_equal(got.n, 26);
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(w->p[i].code, i % 3 ? CLOSE_DELETED : 0);
	/* Its clients may come back as who they are. */
	assert_false(ended_is(w->st.ended, 2, (struct span){0}, 1));
	assert_true(stub_session(&w->st, "a")->epoch != epoch);
	st.whom.session[0] = 'c';
	give(w, &st);
	assert_int_equal(got.code, HUB_NOT_FOUND);
	crowd_end(w);
	free(w);
}

/* A join that waits for the archive gets the next one. */
static void a_join_outlives_a_deletion(void **state)
{
	struct steering st = order(STEER_DELETE);
	struct crowd *w = malloc(sizeof(*w));
	struct archive_job *open, *gone;
	unsigned before = answers;
	struct session *s;

	(void)state;
	crowd_start(w, true);
	peer_say(&w->p[0], "join a");
	open = archive_stub_next(&w->st.s.archive);
	assert_non_null(open);
	st.whom.session_len = 1;
	st.whom.session[0] = 'a';
	steer(w->operator.conn, &st);
	stub_settle(&w->st.s.workers);
	gone = archive_stub_next(&w->st.s.archive);
	assert_int_equal(gone->what, ARCHIVE_DELETE);
	assert_int_equal(answers, before); /* not before it is */
	assert_true(w->operator.conn->held);
	archive_stub_load(open->session, 42, 5);
	archive_stub_answer(open, 0);
	stub_settle(&w->st.s.workers);
	assert_true(peer_has(&w->p[0], "joined a seq=0 users=1"));
	s = stub_session(&w->st, "a");
	assert_true(s->epoch != 42);
	gone->found = true;
	archive_stub_answer(gone, 0);
	stub_settle(&w->st.s.workers);
	assert_int_equal(answers, before + 1);
	assert_int_equal(got.code, HUB_OK);
	crowd_end(w);
	free(w);
}

static void bans_close_and_end(void **state)
{
	struct steering st = order(STEER_BAN);
	struct auth auth = token_stub_auth(token_stub_secret);
	struct identity *ann =
	    token_stub_identity(&auth, "{\"sub\":\"ann\",\"jti\":\"j\",\"iat\":5}");
	struct crowd *w = malloc(sizeof(*w));

	(void)state;
	crowd_start(w, false);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(conn_identify(w->p[i].conn, ann), 0);
	st.whom.jti = (struct token_text){.len = 1, .text = "j"};
	give(w, &st);
	assert_int_equal(got.n, 8);
	assert_int_equal(w->p[7].code, CLOSE_UNAUTHENTICATED);
	assert_false(ended_is(w->st.ended, 8, (struct span){0}, 1));
	for (unsigned i = 8; i < 16; i++)
		assert_int_equal(conn_identify(w->p[i].conn, ann), 0);
	st.whom = (struct whom){.user = {.len = 3, .text = "ann"}};
	give(w, &st);
	assert_int_equal(got.n, 8);
	assert_int_equal(w->p[15].code, CLOSE_SENT_AWAY);
	assert_true(ended_is(w->st.ended, 16, (struct span){0}, 1));
	assert_true(ended_is(w->st.ended, 12345, span_of("ann"), 1));
	assert_int_equal(bans_find(w->st.bans, ann, NULL, stub_now(&w->st.s)), BAN_USER);
	st.verb = STEER_UNBAN;
	give(w, &st);
	assert_int_equal(got.code, HUB_OK);
	give(w, &st);
	assert_int_equal(got.code, HUB_NOT_FOUND);
	crowd_end(w);
	free(w);
	identity_unref(ann);
	token_stub_free(&auth);
}

/* The hub ends, or the one who asks goes, while an order is on its way. */
static void an_order_may_be_cut_short(void **state)
{
	struct steering st = order(STEER_CLOSE);
	struct crowd *w = malloc(sizeof(*w));
	unsigned before = answers;

	(void)state;
	crowd_start(w, false);
	st.whom.session_len = 1;
	st.whom.session[0] = 'b';
	steer(w->operator.conn, &st);
	peer_gone(&w->operator);
	stub_settle(&w->st.s.workers);
	stub_settle(&w->st.s.workers);
	assert_int_equal(answers, before);
	assert_int_equal(w->p[0].code, CLOSE_SENT_AWAY);
	stub_open(&w->st, &w->operator, 1, 2000);
	st.whom.session[0] = 'a';
	steer(w->operator.conn, &st);
	crowd_end(w);
	free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_is_sent_away_and_no_other),
	    cmocka_unit_test(lists_come_in_pages),
	    cmocka_unit_test(a_deleted_session_ends_for_all),
	    cmocka_unit_test(a_join_outlives_a_deletion),
	    cmocka_unit_test(bans_close_and_end),
	    cmocka_unit_test(an_order_may_be_cut_short),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("steer", tests, NULL, NULL);
}

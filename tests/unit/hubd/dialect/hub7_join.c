/* hub7: how a session is joined and left, and what the answer says. */
#include <sodium.h>

#include "hubd/hub7_stub.h"
#include "unit.h"
#include "wire/id.h"

/* The string behind "name":" in what it was sent last. */
static void field(const struct peer *p, const char *name, char *out, size_t cap)
{
	char want[64];
	const char *at, *quote;
	int n = snprintf(want, sizeof(want), "\"%s\":\"", name);
	size_t len;

	at = memmem(p->got.data, p->got.len, want, (size_t)n);
	assert_non_null(at);
	at += n;
	quote = memchr(at, '"', (size_t)(p->got.data + p->got.len - at));
	assert_non_null(quote);
	len = (size_t)(quote - at);
	assert_true(len < cap);
	memcpy(out, at, len);
	out[len] = '\0';
}

static void an_associate_is_answered(void **state)
{
	struct hub_stub st = {0};
	char id[ID_LEN + 1], epoch[ID_LEN + 1], token[RESUME_LEN + 1], want[512], text[256];
	struct resume resume;
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	tell(&st, &p, "{\"type\":\"session_associate\",\"session_id\":\"a\"}");
	id_text(p.conn->id, id);
	id_text(stub_session(&st.m, "a")->epoch, epoch);
	field(&p, "resume", token, sizeof(token));
	assert_true(resume_verify(st.secret, token, RESUME_LEN, (struct span){0}, &resume));
	assert_true(resume.id == p.conn->id && resume.run == 0x1234);
	assert_true(resume.issued_ms > 1000000000000);
	snprintf(want, sizeof(want),
		 "{\"type\":\"session_associated\",\"session_id\":\"a\",\"client_id\":\"%s\","
		 "\"epoch\":\"%s\",\"seq\":0,\"recovered\":false,\"snapshot\":0,\"user_count\":1,"
		 "\"resume\":\"%s\",\"max_message\":65536}\n",
		 id, epoch, token);
	assert_true(peer_got(&p, want));
	/* With a past, of this epoch and of another. */
	tell(&st, &p, "{\"type\":\"x\"}");
	tell(&st, &p, "{\"type\":\"x\"}");
	snprintf(text, sizeof(text),
		 "{\"type\":\"session_associate\",\"session_id\":\"a\",\"since\":1,"
		 "\"epoch\":\"%s\"}",
		 epoch);
	expect_in(&st, &p, text, "\"seq\":2,\"recovered\":true,\"snapshot\":0");
	assert_true(peer_has(&p, ",\"seq\":2}\n"));
	expect_in(&st, &p,
		  "{\"type\":\"session_associate\",\"session_id\":\"a\",\"since\":1,"
		  "\"epoch\":\"of another hub\"}",
		  "\"recovered\":false,\"reason\":\"epoch_changed\",");
	expect_in(&st, &p,
		  "{\"type\":\"session_associate\",\"session_id\":\"a\",\"since\":9,\"rest\":true}",
		  "\"reason\":\"epoch_changed\",\"since\":2,");
	assert_false(peer_has(&p, "\"run\"")); /* nothing outlives this hub */
	hub_stub_end(&st);
	peer_free(&p);
}

static void wrong_associates_are_refused(void **state)
{
	static const char *const bad[] = {
	    "\"echo\":1",
	    "\"echo\":null",
	    "\"rest\":\"true\"",
	    "\"since\":-1",
	    "\"since\":1.0",
	    "\"since\":1e3",
	    "\"since\":\"1\"",
	    "\"since\":9007199254740993",
	    "\"since\":99999999999999999999",
	    "\"epoch\":1",
	    "\"epoch\":\"\\ud800\"",
	    "\"epoch\":\"12345678901234567890123456789012345678901234567890123456789012345\"",
	    "\"resume\":{}",
	    "\"run\":1",
	    "\"since\":1,\"since\":1",
	    "\"echo\":true,\"echo\":true",
	    "\"rest\":true,\"rest\":true",
	    "\"epoch\":\"a\",\"epoch\":\"a\"",
	    "\"resume\":\"a\",\"resume\":\"a\"",
	    "\"run\":\"a\",\"run\":\"a\"",
	};
	static const char *const good[] = {
	    "\"echo\":false",
	    "\"since\":0",
	    "\"since\":9007199254740992",
	    "\"epoch\":\"\"",
	    "\"resume\":\"of another hub\"",
	    "\"run\":\"of another hub\"",
	    "\"run\":\"0000000g\",\"rest\":false",
	};
	struct hub_stub st = {0};
	struct peer p;
	char text[256];

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		snprintf(
		    text, sizeof(text),
		    "{\"type\":\"session_associate\",\"session_id\":\"a\",\"msg_id\":\"M\",%s}",
		    bad[i]);
		expect_error(&st, &p, text, "bad_field");
		assert_true(peer_has(&p, "\"msg_id\":\"M\"}\n"));
	}
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		snprintf(text, sizeof(text),
			 "{\"type\":\"session_associate\",\"session_id\":\"a\",%s}", good[i]);
		expect_in(&st, &p, text, "{\"type\":\"session_associated\"");
	}
	expect_error(&st, &p, "{\"type\":\"session_associate\"}", "bad_session_id");
	expect_error(&st, &p, "{\"type\":\"session_associate\",\"session_id\":\"a b\"}",
		     "bad_session_id");
	hub_stub_end(&st);
	peer_free(&p);
}

static void a_token_makes_it_the_same_client(void **state)
{
	struct hub_stub st = {0};
	char token[RESUME_LEN + 1], id[ID_LEN + 1], again[ID_LEN + 1], text[256];
	struct peer p, q;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	hub_stub_open(&st, &q, 0);
	q.conn->born = 1;
	tell(&st, &p, "{\"type\":\"session_associate\",\"session_id\":\"a\"}");
	field(&p, "resume", token, sizeof(token));
	field(&p, "client_id", id, sizeof(id));
	snprintf(text, sizeof(text),
		 "{\"type\":\"session_associate\",\"session_id\":\"a\",\"resume\":\"%s\"}", token);
	tell(&st, &q, text);
	field(&q, "client_id", again, sizeof(again));
	assert_string_equal(id, again);
	assert_int_equal(p.code, CLOSE_REPLACED);
	hub_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

/* The client that a join with such a token is, by its id. */
static uint64_t client_of(struct hub_stub *st, uint64_t issued_ms)
{
	struct resume r = {.id = 77, .run = 1, .issued_ms = issued_ms};
	char token[RESUME_LEN + 1], text[256];
	struct peer p;
	uint64_t id;

	resume_token(st->secret, &r, (struct span){0}, token);
	snprintf(text, sizeof(text),
		 "{\"type\":\"session_associate\",\"session_id\":\"a\",\"resume\":\"%s\"}", token);
	hub_stub_open(st, &p, 0);
	tell(st, &p, text);
	id = p.conn->id;
	tell(st, &p, "{\"type\":\"session_leave\"}");
	peer_gone(&p);
	stub_settle(&st->m.s.workers);
	peer_free(&p);
	return id;
}

static void a_token_has_its_time(void **state)
{
	struct hub_stub st = {0};
	uint64_t now;

	(void)state;
	start(&st, 1, false);
	now = worker_wall_ms(stub_worker(&st.m, 0));
	assert_true(client_of(&st, 1) == 77); /* for ever */
	st.m.conns.resume_ms = 60000;
	assert_true(client_of(&st, now - 50000) == 77);
	assert_true(client_of(&st, now - 60001) != 77);
	/* And ends with its client. */
	ended_client(st.m.ended, 77, now - 1000, 0);
	assert_true(client_of(&st, now - 1000) != 77);
	assert_true(client_of(&st, now) != 77);
	hub_stub_end(&st);
}

static void a_client_that_stays_gets_another_token(void **state)
{
	struct hub_stub st = {.m.conns.resume_ms = 4000};
	char first[RESUME_LEN + 1], next[RESUME_LEN + 1];
	uint32_t since_s;
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	conn_due(&p.conn->timer, p.conn->since_s + 100);
	assert_true(peer_got(&p, "")); /* it has none yet */
	tell(&st, &p, "{\"type\":\"session_associate\",\"session_id\":\"a\"}");
	field(&p, "resume", first, sizeof(first));
	p.got.len = 0;
	since_s = p.conn->given_s;
	assert_int_equal(conn_due(&p.conn->timer, since_s + 1), 1);
	stub_settle(&st.m.s.workers);
	assert_true(peer_got(&p, ""));
	assert_int_equal(conn_due(&p.conn->timer, since_s + 2), 2);
	stub_settle(&st.m.s.workers);
	assert_true(peer_has(&p, "{\"type\":\"resume_token\",\"resume\":\""));
	check_json(&p);
	field(&p, "resume", next, sizeof(next));
	assert_int_equal(strlen(next), strlen(first));
	hub_stub_end(&st);
	peer_free(&p);
}

static void recorders_are_told_the_run(void **state)
{
	struct hub_stub st = {.hub7.run = 0xab};
	struct peer p;

	(void)state;
	start(&st, 1, true);
	hub_stub_open(&st, &p, 0);
	tell(&st, &p, "{\"type\":\"session_associate\",\"session_id\":\"a\"}");
	stub_opened(&st.m, UINT64_MAX);
	assert_false(peer_has(&p, "\"run\""));
	p.got.len = 0;
	tell(&st, &p,
	     "{\"type\":\"session_associate\",\"session_id\":\"a\",\"since\":0,"
	     "\"rest\":true,\"run\":\"000000ab\"}");
	stub_opened(&st.m, UINT64_MAX);
	assert_true(peer_has(&p, ",\"run\":\"000000ab\"}\n"));
	check_json(&p);
	hub_stub_end(&st);
	peer_free(&p);
}

static void leaving_is_answered(void **state)
{
	struct hub_stub st = {0};
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	join(&st, &p, "a");
	join(&st, &p, "b");
	expect_error(&st, &p, "{\"type\":\"session_leave\",\"session_id\":\"c\"}", "not_member");
	expect(&st, &p, "{\"type\":\"session_leave\",\"session_id\":\"a\"}",
	       "{\"type\":\"session_left\",\"session_id\":\"a\",\"user_count\":0}\n");
	/* Without a session_id it is the one joined last. */
	expect(&st, &p, "{\"type\":\"session_leave\"}",
	       "{\"type\":\"session_left\",\"session_id\":\"b\",\"user_count\":0}\n");
	expect_error(&st, &p, "{\"type\":\"session_leave\"}", "no_session");
	hub_stub_end(&st);
	peer_free(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_associate_is_answered),
	    cmocka_unit_test(wrong_associates_are_refused),
	    cmocka_unit_test(a_token_makes_it_the_same_client),
	    cmocka_unit_test(a_token_has_its_time),
	    cmocka_unit_test(a_client_that_stays_gets_another_token),
	    cmocka_unit_test(recorders_are_told_the_run),
	    cmocka_unit_test(leaving_is_answered),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hub7_join", tests, NULL, NULL);
}

/* hub7: what becomes of all messages that are no control messages, what is said of wrong ones, and
 * that every text is valid JSON. */
#include <sodium.h>

#include "dialect/hub7_impl.h"
#include "hubd/hub7_stub.h"
#include "unit.h"
#include "wire/id.h"

static void messages_are_records(void **state)
{
	struct hub_stub st = {0};
	char id[ID_LEN + 1], want[256];
	struct peer p, q;

	(void)state;
	start(&st, 2, false);
	hub_stub_open(&st, &p, 0);
	hub_stub_open(&st, &q, 1);
	expect_error(&st, &p, "{\"type\":\"x\"}", "no_session");
	join(&st, &p, "a");
	join(&st, &q, "a");
	id_text(p.conn->id, id);
	p.got.len = 0;
	tell(&st, &p,
	     "{\"type\":\"x\",\"from\":\"me\",\"seq\":9,\"timestamp\":5,\"msg_id\":\"M\"}");
	snprintf(
	    want, sizeof(want),
	    "{\"type\":\"x\",\"timestamp\":5,\"msg_id\":\"M\",\"session_id\":\"a\",\"from\":\"%s\","
	    "\"seq\":1}\n",
	    id);
	assert_true(peer_got(&q, want));
	assert_true(peer_has(&p, want));
	assert_true(
	    peer_has(&p, "{\"type\":\"ack\",\"msg_id\":\"M\",\"session_id\":\"a\",\"seq\":1}\n"));
	/* Sent again it is acked, and no record. */
	expect(&st, &p, "{\"type\":\"x\",\"msg_id\":\"\\u004d\"}",
	       "{\"type\":\"ack\",\"msg_id\":\"\\u004d\",\"session_id\":\"a\",\"seq\":1}\n");
	assert_true(peer_got(&q, ""));
	expect_error(&st, &p, "{\"type\":\"x\",\"session_id\":\"b\"}", "not_member");
	hub_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void records_have_tags(void **state)
{
	struct hub_stub st = {0};
	const struct slot *slot;
	struct session *s;
	struct peer p;
	const char *body;
	const struct chunk *c;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	join(&st, &p, "a");
	tell(&st, &p,
	     "{\"seq\":1, \"type\" : \"na\\u006de\",\"from\":\"x\",\"key\":\"k\\u0031\","
	     "\"msg_id\":\"M\"}");
	tell(&st, &p, "{\"type\":\"plain\"}");
	s = stub_session(&st.m, "a");
	c = s->log.oldest;
	slot = chunk_slot(c, 0);
	body = (const char *)c->data + slot->offset + (c->data[slot->offset + 1] == 126 ? 4 : 2);
	assert_int_equal(slot->sender, p.conn->id);
	assert_int_equal(slot->acked, 1);
	assert_true(slot->msg == dedup_hash(st.secret, p.conn->id, span_of("\"M\"")));
	assert_int_equal(slot->class, RECORD_SET);
	assert_true(slot->key == state_hash(&s->state, span_of("k1")));
	assert_int_equal(slot->type_len, strlen("\"na\\u006de\""));
	assert_memory_equal(body + slot->type_at, "\"na\\u006de\"", slot->type_len);
	assert_int_equal(slot->key_len, strlen("\"k\\u0031\""));
	assert_memory_equal(body + slot->key_at, "\"k\\u0031\"", slot->key_len);
	slot = chunk_slot(c, 1);
	assert_int_equal(slot->class, RECORD_PLAIN);
	assert_int_equal(slot->acked, 0);
	assert_int_equal(slot->key_len, 0);
	assert_int_equal(slot->type_len, strlen("\"plain\""));
	expect_error(&st, &p, "{\"type\":\"x\",\"key\":\"\"}", "bad_field");
	hub_stub_end(&st);
	peer_free(&p);
}

static void messages_may_be_for_one_client(void **state)
{
	struct hub_stub st = {0};
	char id[3][ID_LEN + 1], text[256], want[256];
	struct peer p[3];

	(void)state;
	start(&st, 2, false);
	for (unsigned i = 0; i < 3; i++) {
		hub_stub_open(&st, &p[i], i % 2);
		join(&st, &p[i], "a");
		id_text(p[i].conn->id, id[i]);
	}
	for (int i = 0; i < 3; i++)
		p[i].got.len = 0;
	snprintf(text, sizeof(text),
		 "{\"type\":\"x\",\"to\":[\"%s\",\"nobody\"],\"timestamp\":5,\"msg_id\":\"M\"}",
		 id[1]);
	tell(&st, &p[0], text);
	snprintf(want, sizeof(want), "\"from\":\"%s\"}\n", id[0]);
	assert_true(peer_has(&p[1], want));
	assert_true(peer_got(&p[2], ""));
	assert_true(
	    peer_has(&p[0], "\"code\":\"not_member\",\"message\":\"not in session a: nobody\""));
	assert_true(peer_has(&p[0], "{\"type\":\"ack\",\"msg_id\":\"M\",\"session_id\":\"a\"}\n"));
	assert_int_equal(stub_session(&st.m, "a")->log.head, 0);
	assert_int_equal(atomic_load(&stub_worker(&st.m, 0)->counters.direct[0]), 1);
	/* A repeat is acked, and sent to nobody. */
	p[1].got.len = 0;
	expect(&st, &p[0], text, "{\"type\":\"ack\",\"msg_id\":\"M\",\"session_id\":\"a\"}\n");
	assert_true(peer_got(&p[1], ""));
	/* Where nobody got it there is no ack, and it may be tried again. */
	expect_error(&st, &p[0], "{\"type\":\"x\",\"to\":\"nobody\",\"msg_id\":\"N\"}",
		     "not_member");
	assert_false(peer_has(&p[0], "\"ack\""));
	expect_error(&st, &p[0], "{\"type\":\"x\",\"to\":\"nobody\",\"msg_id\":\"N\"}",
		     "not_member");
	expect_error(&st, &p[0], "{\"type\":\"x\",\"to\":[]}", "bad_field");
	hub_stub_end(&st);
	for (int i = 0; i < 3; i++)
		peer_free(&p[i]);
}

static void what_is_wrong_has_a_name(void **state)
{
	static const struct {
		const char *text;
		enum hub_code code;
		const char *name;
	} bad[] = {
	    {"", HUB_BAD_JSON, "bad_json"},
	    {"{", HUB_BAD_JSON, "bad_json"},
	    {"[]", HUB_BAD_JSON, "bad_json"},
	    {"{\"type\":\"\xff\"}", HUB_BAD_TEXT, "bad_json"},
	    {"{\"type\":\"x\",\"a\":\"\xed\xa0\x80\"}", HUB_BAD_TEXT, "bad_json"},
	    {"{}", HUB_BAD_TYPE, "bad_type"},
	    {"{\"type\":1}", HUB_BAD_TYPE, "bad_type"},
	    {"{\"type\":\"x\",\"msg_id\":1}", HUB_BAD_FIELD, "bad_field"},
	    {"{\"type\":\"x\",\"session_id\":\"\"}", HUB_BAD_SESSION_ID, "bad_session_id"},
	};
	struct hub_stub st = {0};
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		char want[64];

		assert_int_equal(peer_say(&p, bad[i].text), bad[i].code);
		stub_settle(&st.m.s.workers);
		check_json(&p);
		snprintf(want, sizeof(want), "\"code\":\"%s\"", bad[i].name);
		assert_true(peer_has(&p, want));
		p.got.len = 0;
	}
	assert_int_equal(p.code, 0);
	hub_stub_end(&st);
	peer_free(&p);
}

/* --- the texts, as they are --- */

static void texts_are_json_whatever_they_hold(void **state)
{
	struct session_change change = {.joined = true, .client = UINT64_MAX, .user_count = 7};
	struct span id = {"\"i\\\"d\"", 6}, none = {0};
	struct peer p = {0};
	struct buf *b = &p.got;

	(void)state;
	assert_int_equal(hub7_error(b, HUB_INTERNAL, "a \"quote\", \x01 and \xff", none), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_error(b, HUB_TOO_LARGE, "", id), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_ack(b, "a", 0, id), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_ack(b, "a", UINT64_MAX, id), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_gap(b, "a", NULL, 1, UINT64_MAX), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_presence(b, "a", NULL, &change), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_status(b, "a", NULL, UINT32_MAX), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_left(b, "a", NULL, 0), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_sessions(b, none, true, false), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_sessions(b, none, false, true), 0);
	buf_puts(b, "\n");
	check_json(&p);
	assert_true(peer_has(&p, "{\"type\":\"gap\",\"session_id\":\"a\",\"from_seq\":1,"
				 "\"to_seq\":18446744073709551615}\n"));
	assert_true(peer_has(&p, "{\"type\":\"session_list\",\"sessions\":[],\"more\":true}\n"));
	assert_true(peer_has(
	    &p, "{\"type\":\"session_list\",\"sessions\":[],\"more\":false,\"partial\":true}\n"));
	peer_free(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_are_records),
	    cmocka_unit_test(records_have_tags),
	    cmocka_unit_test(messages_may_be_for_one_client),
	    cmocka_unit_test(what_is_wrong_has_a_name),
	    cmocka_unit_test(texts_are_json_whatever_they_hold),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hub7", tests, NULL, NULL);
}

/* hub7: what each control message does and is answered, that every answer is valid JSON, and what
 * becomes of all other messages. */
#include "dialect/hub7.h"

#include <sodium.h>

#include "hubd/hub_stub.h"
#include "json/json.h"
#include "unit.h"
#include "wire/id.h"

static void start(struct hub_stub *st, unsigned workers, bool archive)
{
	st->hub7.run = st->hub7.run ? st->hub7.run : 0x1234;
	hub_stub_start(st, workers, archive);
}

/* Each line that it was sent is one JSON object. */
static void check_json(const struct peer *p)
{
	const char *at = p->got.data, *end = at ? at + p->got.len : NULL;

	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		struct json_scan scan;

		assert_non_null(feed);
		assert_int_equal(json_scan(NULL, at, (size_t)(feed - at), NULL, &scan), JSON_OK);
		assert_int_equal(scan.type, JSON_OBJECT);
		at = feed + 1;
	}
}

static void tell(struct hub_stub *st, struct peer *p, const char *text)
{
	stub_say(&st->m, p, text);
	check_json(p);
}

/* It is answered with exactly that. */
static void expect(struct hub_stub *st, struct peer *p, const char *text, const char *want)
{
	p->got.len = 0;
	tell(st, p, text);
	assert_true(peer_got(p, want));
}

/* It is answered with something that has that in it. */
static void expect_in(struct hub_stub *st, struct peer *p, const char *text, const char *want)
{
	p->got.len = 0;
	tell(st, p, text);
	if (!peer_has(p, want))
		peer_got(p, want);
	assert_true(peer_has(p, want));
}

static void expect_error(struct hub_stub *st, struct peer *p, const char *text, const char *code)
{
	char want[128];

	snprintf(want, sizeof(want), "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":\"",
		 code);
	expect_in(st, p, text, want);
}

static void join(struct hub_stub *st, struct peer *p, const char *session)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"type\":\"session_associate\",\"session_id\":\"%s\"}",
		 session);
	tell(st, p, text);
	assert_true(peer_has(p, "\"session_associated\""));
	p->got.len = 0;
}

/* The string behind "name":" in what it was sent last. */
static void field(const struct peer *p, const char *name, char *out, size_t cap)
{
	char want[64];
	const char *at;
	int n = snprintf(want, sizeof(want), "\"%s\":\"", name);
	size_t len;

	at = memmem(p->got.data, p->got.len, want, (size_t)n);
	assert_non_null(at);
	at += n;
	len = strcspn(at, "\"");
	assert_true(len < cap);
	memcpy(out, at, len);
	out[len] = '\0';
}

/* --- joining --- */

static void an_associate_is_answered(void **state)
{
	struct hub_stub st = {0};
	char id[ID_LEN + 1], epoch[ID_LEN + 1], token[RESUME_LEN + 1], want[512], text[256];
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	tell(&st, &p, "{\"type\":\"session_associate\",\"session_id\":\"a\"}");
	id_text(p.conn->id, id);
	id_text(stub_session(&st.m, "a")->epoch, epoch);
	resume_token(st.secret, p.conn->id, 0x1234, token);
	snprintf(want, sizeof(want),
		 "{\"type\":\"session_associated\",\"session_id\":\"a\",\"client_id\":\"%s\","
		 "\"epoch\":\"%s\",\"seq\":0,\"recovered\":false,\"snapshot\":0,\"user_count\":1,"
		 "\"resume\":\"%s\"}\n",
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

/* --- the other control messages --- */

static void pings_are_answered(void **state)
{
	static const char *const types[] = {"ping", "heartbeat"};
	struct hub_stub st = {0};
	char long_id[400], text[512];
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	for (size_t i = 0; i < UNIT_COUNT(types); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"%s\"}", types[i]);
		expect_in(&st, &p, text, "{\"type\":\"pong\",\"server_time\":");
	}
	/* Whatever they are, they come back as they were written. */
	expect_in(&st, &p,
		  "{\"type\":\"ping\",\"ping_id\":{\"a\":[1, \"\\u0041\"]},\"timestamp\":-1e5}",
		  "{\"type\":\"pong\",\"ping_id\":{\"a\":[1, \"\\u0041\"]},\"timestamp\":-1e5,"
		  "\"server_time\":");
	memset(long_id, '1', sizeof(long_id));
	snprintf(text, sizeof(text), "{\"type\":\"ping\",\"ping_id\":%.256s}", long_id);
	expect_in(&st, &p, text, "\"pong\"");
	snprintf(text, sizeof(text), "{\"type\":\"ping\",\"ping_id\":%.257s}", long_id);
	expect_error(&st, &p, text, "bad_field");
	snprintf(text, sizeof(text), "{\"type\":\"ping\",\"timestamp\":%.257s}", long_id);
	expect_error(&st, &p, text, "bad_field");
	hub_stub_end(&st);
	peer_free(&p);
}

static void presence_lists_the_members(void **state)
{
	struct hub_stub st = {0};
	char id[ID_LEN + 1], want[256], info[1200], text[1300];
	static struct peer p[1003];

	(void)state;
	st.m.s.env.max_members = 2000;
	start(&st, 1, false);
	hub_stub_open(&st, &p[0], 0);
	expect_error(&st, &p[0], "{\"type\":\"presence\"}", "no_session");
	join(&st, &p[0], "a");
	id_text(p[0].conn->id, id);
	snprintf(want, sizeof(want),
		 "{\"type\":\"presence\",\"session_id\":\"a\",\"user_count\":1,\"members\":["
		 "{\"client_id\":\"%s\"}]}\n",
		 id);
	expect(&st, &p[0], "{\"type\":\"presence\"}", want);
	/* What it says of itself is shown without the hub's own fields. */
	expect(&st, &p[0],
	       "{\"type\":\"client_info\", \"name\":\"Ada\",\n\"session_id\":\"a\",\"seq\":1}", "");
	snprintf(want, sizeof(want), "{\"client_id\":\"%s\",\"info\":{", id);
	expect_in(&st, &p[0], "{\"type\":\"presence\",\"session_id\":\"a\"}", want);
	assert_true(peer_has(&p[0], "\"name\":\"Ada\""));
	assert_false(peer_has(&p[0], "\"seq\""));
	memset(info, 'x', sizeof(info));
	snprintf(text, sizeof(text), "{\"type\":\"client_info\",\"n\":\"%.1100s\"}", info);
	expect_error(&st, &p[0], text, "bad_field");
	expect_in(&st, &p[0], "{\"type\":\"presence\"}", "\"Ada\"");
	/* Too many for one answer. */
	for (int i = 1; i < 1003; i++) {
		hub_stub_open(&st, &p[i], 0);
		conn_receive(p[i].conn, "{\"type\":\"session_associate\",\"session_id\":\"a\"}",
			     45);
	}
	stub_settle(&st.m.s.workers);
	expect_in(&st, &p[0], "{\"type\":\"presence\"}", "\"user_count\":1003,\"members\":[{");
	assert_true(peer_has(&p[0], "}],\"truncated\":true}\n"));
	hub_stub_end(&st);
	for (int i = 0; i < 1003; i++)
		peer_free(&p[i]);
}

static void who_comes_and_goes_is_told(void **state)
{
	struct hub_stub st = {.m.s.env.presence_limit = 2};
	char id[ID_LEN + 1], want[256];
	struct peer p, q, r;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	hub_stub_open(&st, &q, 0);
	hub_stub_open(&st, &r, 0);
	join(&st, &p, "a");
	join(&st, &q, "a");
	id_text(q.conn->id, id);
	snprintf(want, sizeof(want),
		 "{\"type\":\"client_connected\",\"session_id\":\"a\",\"client_id\":\"%s\","
		 "\"user_count\":2}\n",
		 id);
	assert_true(peer_got(&p, want));
	join(&st, &r, "a");
	member_second(stub_worker(&st.m, 0));
	stub_settle(&st.m.s.workers);
	assert_true(peer_got(
	    &p, "{\"type\":\"connection_status\",\"session_id\":\"a\",\"user_count\":3}\n"));
	peer_gone(&q);
	stub_settle(&st.m.s.workers);
	snprintf(want, sizeof(want),
		 "{\"type\":\"client_disconnected\",\"session_id\":\"a\",\"client_id\":\"%s\","
		 "\"user_count\":2}\n",
		 id);
	assert_true(peer_got(&p, want));
	hub_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	peer_free(&r);
}

static void sessions_are_listed_to_friends(void **state)
{
	static struct door stranger = PEER_DOOR(&encoding_lines, &hub7_dialect);
	struct hub_stub st = {0};
	struct peer p, q;

	(void)state;
	stranger.trusted = false;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	peer_open(&q, stub_worker(&st.m, 0), &stranger);
	expect_error(&st, &q, "{\"type\":\"session_list\"}", "forbidden");
	expect(&st, &p, "{\"type\":\"session_list\"}",
	       "{\"type\":\"session_list\",\"sessions\":[],\"more\":false}\n");
	join(&st, &q, "a");
	assert_true(
	    peer_got(&p, "{\"type\":\"session_list\",\"sessions\":[\"a\"],\"more\":false}\n"));
	join(&st, &q, "b");
	expect(&st, &p, "{\"type\":\"session_list\"}",
	       "{\"type\":\"session_list\",\"sessions\":[\"a\",\"b\"],\"more\":false}\n");
	hub_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
}

static void versions_are_compared(void **state)
{
	struct hub_stub st = {0};
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	expect(&st, &p, "{\"type\":\"version_check\",\"js_version\":\"1.2\\u0022\"}",
	       "{\"type\":\"version_status\",\"match\":true,\"js_version\":\"1.2\\\"\"}\n");
	st.hub7.client_version = "2.0";
	expect(&st, &p, "{\"type\":\"version_check\",\"js_version\":\"2.0\"}",
	       "{\"type\":\"version_status\",\"match\":true,\"js_version\":\"2.0\"}\n");
	expect(&st, &p, "{\"type\":\"version_check\",\"js_version\":\"2.0.1\"}",
	       "{\"type\":\"version_status\",\"match\":false,\"js_version\":\"2.0\"}\n");
	expect_error(&st, &p, "{\"type\":\"version_check\"}", "bad_field");
	expect_error(&st, &p, "{\"type\":\"version_check\",\"js_version\":2}", "bad_field");
	expect_error(&st, &p, "{\"type\":\"authenticate\",\"token\":\"x\"}", "unauthorized");
	hub_stub_end(&st);
	peer_free(&p);
}

/* --- all other messages --- */

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
	assert_int_equal(atomic_load(&stub_worker(&st.m, 0)->counters.direct), 1);
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
	assert_int_equal(hub7_gap(b, "a", 1, UINT64_MAX), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_presence(b, "a", &change), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_status(b, "a", UINT32_MAX), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_left(b, "a", 0), 0);
	buf_puts(b, "\n");
	assert_int_equal(hub7_sessions(b, none, true), 0);
	buf_puts(b, "\n");
	check_json(&p);
	assert_true(peer_has(&p, "{\"type\":\"gap\",\"session_id\":\"a\",\"from_seq\":1,"
				 "\"to_seq\":18446744073709551615}\n"));
	assert_true(peer_has(&p, "{\"type\":\"session_list\",\"sessions\":[],\"more\":true}\n"));
	peer_free(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_associate_is_answered),
	    cmocka_unit_test(wrong_associates_are_refused),
	    cmocka_unit_test(a_token_makes_it_the_same_client),
	    cmocka_unit_test(recorders_are_told_the_run),
	    cmocka_unit_test(leaving_is_answered),
	    cmocka_unit_test(pings_are_answered),
	    cmocka_unit_test(presence_lists_the_members),
	    cmocka_unit_test(who_comes_and_goes_is_told),
	    cmocka_unit_test(sessions_are_listed_to_friends),
	    cmocka_unit_test(versions_are_compared),
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

/* hub7: what each control message but joining does and is answered, and what is told unasked. */
#include <sodium.h>

#include "hubd/hub7_stub.h"
#include "unit.h"
#include "wire/id.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pings_are_answered),
	    cmocka_unit_test(presence_lists_the_members),
	    cmocka_unit_test(who_comes_and_goes_is_told),
	    cmocka_unit_test(sessions_are_listed_to_friends),
	    cmocka_unit_test(versions_are_compared),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hub7_control", tests, NULL, NULL);
}

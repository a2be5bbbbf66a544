/* What operators ask by messages: whatever stands in them, the answers are JSON, and no page of a
 * list is too long. */
#include <sodium.h>

#include "hubd/hub7_stub.h"
#include "hubd/token_stub.h"
#include "member/steer.h"
#include "unit.h"
#include "wire/id.h"

static void a_ban_is_listed_as_it_was_made(void **state)
{
	struct hub_stub st = {0};
	struct peer p;

	(void)state;
	start(&st, 2, false);
	hub_stub_open(&st, &p, 0);
	expect(&st, &p, "{\"type\":\"ban_list\"}", "{\"type\":\"ban_list\",\"bans\":[]}\n");
	expect(&st, &p,
	       "{\"type\":\"ban_add\",\"user\":\"a\\\"b\\\\\\u0001\\u00e4\",\"msg_id\":\"m\\\"1\"}",
	       "{\"type\":\"ban_added\",\"closed\":0,\"msg_id\":\"m\\\"1\"}\n");
	expect(&st, &p, "{\"type\":\"ban_add\",\"issued_before\":12.5,\"user\":\"x\"}",
	       "{\"type\":\"ban_added\",\"closed\":0}\n");
	expect(&st, &p, "{\"type\":\"ban_add\",\"address\":\"2001:db8::1\"}",
	       "{\"type\":\"ban_added\",\"closed\":0}\n");
	expect(&st, &p, "{\"type\":\"ban_list\",\"limit\":2}",
	       "{\"type\":\"ban_list\",\"bans\":[{\"user\":\"a\\\"b\\\\\\u0001\xc3\xa4\"},"
	       "{\"user\":\"x\",\"issued_before\":12.5}],\"next\":\"3\"}\n");
	expect(&st, &p, "{\"type\":\"ban_list\",\"after\":\"3\"}",
	       "{\"type\":\"ban_list\",\"bans\":[{\"address\":\"2001:db8::/64\"}]}\n");
	expect(&st, &p, "{\"type\":\"ban_remove\",\"user\":\"a\\\"b\\\\\\u0001\xc3\xa4\"}",
	       "{\"type\":\"ban_removed\"}\n");
	expect_error(&st, &p, "{\"type\":\"ban_remove\",\"user\":\"a\"}", "not_found");
	hub_stub_end(&st);
	peer_free(&p);
}

static void a_page_has_its_bytes(void **state)
{
	struct hub_stub st = {0};
	char user[6 * 255 + 1] = "", text[sizeof(user) + 128];
	unsigned n = 0, pages = 0;
	uint64_t from = 0;
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	for (unsigned i = 0; i < 251; i++)
		strcat(user, "\\u0001");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"ban_add\",\"user\":\"%s%u\"}", user, i);
		expect(&st, &p, text, "{\"type\":\"ban_added\",\"closed\":0}\n");
	}
	do {
		const char *at;

		snprintf(text, sizeof(text),
			 "{\"type\":\"ban_list\",\"limit\":1000,\"after\":\"%ju\"}",
			 (uintmax_t)from);
		p.got.len = 0;
		tell(&st, &p, text);
		assert_int_equal(p.code, 0);
		assert_true(p.got.len < STEER_LIST_BYTES + 2000);
		assert_int_equal(buf_put(&p.got, "", 1), 0);
		for (at = p.got.data; (at = strstr(at, "{\"user\"")) != NULL; at++)
			n++;
		at = strstr(p.got.data, "\"next\":\"");
		from = at ? strtoull(at + 8, NULL, 10) : 0;
		pages++;
	} while (from);
	assert_int_equal(n, 1000);
	assert_true(pages > 4);
	hub_stub_end(&st);
	peer_free(&p);
}

static void connections_are_told_of(void **state)
{
	struct hub_stub st = {0};
	struct auth auth = token_stub_auth(token_stub_secret);
	struct identity *ann =
	    token_stub_identity(&auth, "{\"sub\":\"a\\\"n\",\"jti\":\"j\\\\1\"}");
	char want[512], id[ID_LEN + 1];
	struct peer p, q;

	(void)state;
	start(&st, 2, false);
	hub_stub_open(&st, &p, 0);
	hub_stub_open(&st, &q, 1);
	q.conn->born = 7;
	assert_int_equal(conn_identify(q.conn, ann), 0);
	expect(&st, &p, "{\"type\":\"connection_list\",\"session_id\":\"none\"}",
	       "{\"type\":\"connection_list\",\"connections\":[]}\n");
	id_text(q.conn->id, id);
	snprintf(want, sizeof(want), "{\"client_id\":\"%s\",\"number\":7,\"door\":\"wss\",", id);
	expect_in(&st, &p, "{\"type\":\"connection_list\",\"user\":\"a\\\"n\"}", want);
	assert_true(peer_has(&p, ",\"user\":\"a\\\"n\",\"jti\":\"j\\\\1\",\"sessions\":[]}]}\n"));
	expect_in(&st, &p, "{\"type\":\"connection_list\",\"limit\":1}", "],\"next\":\"1-7\"}\n");
	expect_in(&st, &p, "{\"type\":\"connection_list\",\"after\":\"1-7\"}", want);
	expect(&st, &p, "{\"type\":\"connection_list\",\"after\":\"2-0\"}",
	       "{\"type\":\"connection_list\",\"connections\":[]}\n");
	hub_stub_end(&st);
	peer_free(&p);
	peer_free(&q);
	identity_unref(ann);
	token_stub_free(&auth);
}

static void limits_are_told(void **state)
{
	struct hub_stub st = {.m.s.env = {.max_members = 50}};
	struct peer p;

	(void)state;
	start(&st, 1, false);
	hub_stub_open(&st, &p, 0);
	expect_error(&st, &p, "{\"type\":\"session_limit\",\"session_id\":\"a\"}", "not_found");
	expect(
	    &st, &p,
	    "{\"type\":\"session_limit\",\"session_id\":\"a\",\"max_members\":60,"
	    "\"rate_bytes\":0,\"history\":3}",
	    "{\"type\":\"session_limits\",\"session_id\":\"a\",\"max_members\":50,"
	    "\"rate_messages\":null,\"rate_bytes\":0,\"history\":3,\"history_bytes\":1048576}\n");
	expect(&st, &p,
	       "{\"type\":\"session_limit\",\"session_id\":\"a\",\"rate_bytes\":\"usual\"}",
	       "{\"type\":\"session_limits\",\"session_id\":\"a\",\"max_members\":50,"
	       "\"rate_messages\":null,\"rate_bytes\":null,\"history\":3,"
	       "\"history_bytes\":1048576}\n");
	expect_error(&st, &p,
		     "{\"type\":\"session_limit\",\"session_id\":\"a\",\"rate_bytes\":\"none\"}",
		     "bad_field");
	hub_stub_end(&st);
	peer_free(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ban_is_listed_as_it_was_made),
	    cmocka_unit_test(a_page_has_its_bytes),
	    cmocka_unit_test(connections_are_told_of),
	    cmocka_unit_test(limits_are_told),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("steering", tests, NULL, NULL);
}

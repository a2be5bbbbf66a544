/* Tokens in requests: each place where one may stand, that none may stand in two, what is answered
 * where it is missing or bad, and which requests one lets in. */
#include "door/credentials.h"

#include "hubd/http_stub.h"
#include "hubd/token_stub.h"
#include "unit.h"

#define H "Host: localhost\r\n"
#define ROOM "/sessions/room/records"

struct place {
	struct http_stub http; /* first */
	struct auth auth;
};

static void start(struct place *t)
{
	t->auth = token_stub_auth(token_stub_secret);
	t->http.set.auth = &t->auth;
	http_stub_start(&t->http);
}

static void end(struct place *t)
{
	http_stub_end(&t->http);
	token_stub_free(&t->auth);
}

/* The status for a request with a token of these claims in the place of %s, which may stand twice.
 */
static int ask(struct place *t, const char *path, const char *lines, const char *claims)
{
	struct buf token = token_stub(&t->auth, claims);
	char full_path[4096], full_lines[4096];
	int status;

	snprintf(full_path, sizeof(full_path), path, token.data);
	snprintf(full_lines, sizeof(full_lines), lines, token.data, token.data);
	status = http_stub_get(&t->http, full_path, full_lines);
	assert_false(http_stub_says(&t->http, token.data));
	buf_free(&token);
	return status;
}

static void a_token_has_its_places(void **state)
{
	static const struct {
		const char *path, *lines;
		int status, with_query; /* where ?token= is taken */
	} cases[] = {
	    {ROOM, H "Authorization: Bearer %s\r\n", 404, 404}, /* no such session: it was let in */
	    {ROOM, H "authorization:\tbearer \t %s \r\n", 404, 404},
	    {ROOM, H "AUTHORIZATION: BEARER %s\r\n", 404, 404},
	    {ROOM, H "Sec-WebSocket-Protocol: hub, hub.token.%s\r\n", 404, 404},
	    {ROOM, H "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: hub.token.%s\r\n", 404,
	     404},
	    {ROOM "?token=%s", H, 401, 404},
	    {ROOM "?since=1&token=%s&x=y", H, 401, 404},
	    {ROOM "?xtoken=%s", H, 401, 401},
	    {ROOM "?Token=%s", H, 401, 401},
	    {ROOM "?t%%6fken=%s", H, 401, 401},
	    {ROOM, H, 401, 401},
	    {ROOM, H "Authorization: Basic %s\r\n", 401, 401},
	    {ROOM, H "Authorization: Bearer%s\r\n", 401, 401},
	    {ROOM, H "Authorization: Bearer\r\n", 401, 401},
	    {ROOM, H "Authorization: Bearer x%s\r\n", 401, 401},
	    {ROOM, H "Proxy-Authorization: Bearer %s\r\n", 401, 401},
	    {ROOM, H "Sec-WebSocket-Protocol: hub.Token.%s\r\n", 401, 401},
	    /* In two, whether they are the same or not. */
	    {ROOM, H "Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", 400, 400},
	    {ROOM, H "Authorization: Bearer %s\r\nSec-WebSocket-Protocol: hub.token.%s\r\n", 400,
	     400},
	    {ROOM, H "Sec-WebSocket-Protocol: hub.token.%s, hub.token.x\r\n", 400, 400},
	    {ROOM "?token=%s&token=x", H, 401, 400},
	    {ROOM "?token=%s", H "Authorization: Bearer %s\r\n", 404, 400},
	    /* Another scheme is for somebody in between. */
	    {ROOM, H "Authorization: Basic eDp5\r\nAuthorization: Bearer %s\r\n", 404, 404},
	};
	struct place t = {0};

	(void)state;
	start(&t);
	for (int query = 0; query <= 1; query++) {
		t.auth.takes_query = query;
		for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
			int want = query ? cases[i].with_query : cases[i].status;

			if (ask(&t, cases[i].path, cases[i].lines, "{\"sub\":\"ann\"}") != want)
				fail_msg("%s %s: %.12s", cases[i].path, cases[i].lines,
					 t.http.got.data);
			assert_int_equal(http_stub_says(&t.http, "WWW-Authenticate: Bearer realm="),
					 want != 404);
			assert_int_equal(http_stub_says(&t.http, "invalid_request"), want == 400);
		}
	}
	end(&t);
}

static void what_is_wrong_with_it_is_not_told(void **state)
{
	static const char *const claims[] = {"{\"exp\":1}", "{\"aud\":\"others\"}",
					     "{\"hub\":{\"join\":\"all\"}}", "{\"nbf\":9e15}"};
	struct place t = {0};

	(void)state;
	start(&t);
	for (size_t i = 0; i < UNIT_COUNT(claims); i++) {
		assert_int_equal(ask(&t, ROOM, H "Authorization: Bearer %s\r\n", claims[i]), 401);
		assert_true(http_stub_says(
		    &t.http,
		    "error=\"invalid_token\", error_description=\"" TOKEN_REFUSED "\"\r\n"));
	}
	assert_int_equal(atomic_load(&t.http.w->counters.tokens_refused[0]), UNIT_COUNT(claims));
	/* Where there is none that is no error. */
	assert_int_equal(http_stub_get(&t.http, ROOM, H), 401);
	assert_true(http_stub_says(&t.http, "WWW-Authenticate: Bearer realm=\"hub\"\r\n"));
	assert_int_equal(atomic_load(&t.http.w->counters.tokens_refused[0]), UNIT_COUNT(claims));
	end(&t);
}

static void it_gives_what_it_gives(void **state)
{
	static const struct {
		const char *path, *claims;
		int status;
		const char *why;
	} cases[] = {
	    {ROOM, "{\"hub\":{\"join\":[\"room\"]}}", 404, NULL},
	    {ROOM, "{\"hub\":{\"join\":[\"other\"]}}", 403, "right join in session room"},
	    {ROOM, "{\"hub\":{\"read\":[\"room\"]}}", 403, "right join in session room"},
	    {ROOM, "{\"hub\":{\"join\":[\"*\"],\"read\":[]}}", 403, "right read in session room"},
	    {"/sessions/room/presence", "{\"hub\":{\"join\":[\"*\"]}}", 403,
	     "right presence in session room"},
	    {"/sessions/room/presence", "{\"hub\":{\"join\":[\"*\"],\"presence\":true}}", 404,
	     NULL},
	    {"/sessions", "{\"sub\":\"ann\"}", 403, "the right admin\""},
	    {"/sessions", "{\"hub\":{\"admin\":true}}", 200, NULL},
	    /* These tell nothing of sessions. */
	    {"/healthz", "{\"hub\":{}}", 200, NULL},
	    {"/metrics", "{\"exp\":1}", 200, NULL},
	};
	struct place t = {0};

	(void)state;
	start(&t);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		if (ask(&t, cases[i].path, H "Authorization: Bearer %s\r\n", cases[i].claims) !=
		    cases[i].status)
			fail_msg("%s %s: %.12s", cases[i].path, cases[i].claims, t.http.got.data);
		assert_true(!cases[i].why || http_stub_says(&t.http, cases[i].why));
	}
	end(&t);
}

static void without_keys_nobody_is_asked(void **state)
{
	struct http_stub t = {0};
	struct http1_head head = {0};
	struct identity *id = &identity_none;
	const char *challenge;

	(void)state;
	http_stub_start(&t);
	assert_int_equal(http_stub_get(&t, ROOM, H), 404);
	assert_int_equal(http_stub_get(&t, ROOM, H "Authorization: Bearer x\r\n"), 404);
	assert_int_equal(credentials_read(t.w, &head, &id, &challenge), 0);
	assert_null(id);
	/* But what is an admin's is for the Unix socket. */
	assert_int_equal(http_stub_get(&t, "/sessions", H), 403);
	http_stub_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_has_its_places),
	    cmocka_unit_test(what_is_wrong_with_it_is_not_told),
	    cmocka_unit_test(it_gives_what_it_gives),
	    cmocka_unit_test(without_keys_nobody_is_asked),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}

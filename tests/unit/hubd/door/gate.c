/* The gate: the names a hub may be asked for by, the pages that may ask, and shares of addresses
 * that a proxy names. */
#include "door/gate.h"

#include "hubd/http_stub.h"
#include "unit.h"

#define HOST(host) "Host: " host "\r\n"
#define L HOST("localhost")

static uint64_t refused(const struct http_stub *t, enum count_refusal why)
{
	return atomic_load(&t->w->counters.refused[why]);
}

static void names_that_are_the_machines_own(void **state)
{
	static const struct {
		const char *lines;
		int local, named; /* the status on the loopback; with names */
	} cases[] = {
	    {HOST("localhost"), 200, 403},
	    {HOST("LOCALHOST.:4820"), 200, 403},
	    {HOST("a.localhost:1"), 200, 403},
	    {HOST("127.0.0.1:4820"), 200, 403},
	    {HOST("127.9.8.7"), 200, 403},
	    {HOST("[::1]:4820"), 200, 200},
	    {HOST("[0:0::0:1]"), 200, 200},
	    {HOST("evil.example"), 403, 403},
	    {HOST("localhost.evil.example"), 403, 403},
	    {HOST("127.0.0.1.evil.example"), 403, 403},
	    {HOST("192.0.2.1"), 403, 403},
	    {HOST("0.0.0.0"), 403, 403},
	    {HOST(""), 403, 403},
	    {HOST("hub.example.org"), 403, 200},
	    {HOST("HUB.Example.ORG.:443"), 403, 200},
	    {HOST("xhub.example.org"), 403, 403},
	    {HOST("a.b.example.net"), 403, 200},
	    {HOST("example.net"), 403, 403},
	};
	struct http_stub t = {0};
	uint64_t before;

	(void)state;
	http_stub_start(&t);
	t.arrival.local = true;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		before = refused(&t, REFUSED_HOST);
		if (http_stub_get(&t, "/healthz", cases[i].lines) != cases[i].local)
			fail_msg("local: %s", cases[i].lines);
		assert_int_equal(refused(&t, REFUSED_HOST) - before, cases[i].local == 403);
	}
	assert_int_equal(refused(&t, REFUSED_FORBIDDEN), 0);
	/* Who names none is no browser. */
	assert_int_equal(http_stub_ask(&t, "GET /healthz HTTP/1.0\r\n\r\n", 25), 200);
	t.arrival.local = false;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		assert_int_equal(http_stub_get(&t, "/healthz", cases[i].lines), 200);
	for (int local = 0; local <= 1; local++) {
		t.arrival.local = local;
		if (!local) {
			assert_int_equal(gate_add_host(&t.gate, "Hub.example.ORG."), 0);
			assert_int_equal(gate_add_host(&t.gate, "*.example.net"), 0);
			assert_int_equal(gate_add_host(&t.gate, "[0::1]"), 0);
			assert_int_equal(gate_add_host(&t.gate, "2001:db8::*"), 0);
		}
		for (size_t i = 0; i < UNIT_COUNT(cases); i++)
			if (http_stub_get(&t, "/healthz", cases[i].lines) != cases[i].named)
				fail_msg("named: %s", cases[i].lines);
		assert_int_equal(http_stub_get(&t, "/healthz", HOST("[2001:db8:0::7]:80")), 200);
		assert_int_equal(http_stub_ask(&t, "GET /healthz HTTP/1.0\r\n\r\n", 25), 200);
	}
	http_stub_end(&t);
}

static void pages_that_may_ask(void **state)
{
	static const struct {
		const char *lines;
		int status;
	} cases[] = {
	    {L, 200},
	    {L "Origin: https://example.org\r\n", 200},
	    {L "Origin: https://a.b.example.net\r\n", 200},
	    {L "Origin: http://localhost:8080\r\n", 200},
	    {L "Origin: null\r\n", 200},
	    {L "Origin: http://example.org\r\n", 403},
	    {L "Origin: https://example.org:8443\r\n", 403},
	    {L "Origin: https://example.org.evil.example\r\n", 403},
	    {L "Origin: https://xexample.org\r\n", 403},
	    {L "Origin: HTTPS://example.org\r\n", 403}, /* browsers do not */
	    {L "Origin: file://\r\n", 403},
	    {L "Origin:\r\n", 403},
	    {L "Origin: https://example.org\r\nOrigin: https://example.org\r\n", 403},
	    {L "Origin: https://example.org, https://example.org\r\n", 403},
	};
	struct http_stub t = {0};

	(void)state;
	http_stub_start(&t);
	t.cors = (struct opt_list){.item = {"*"}, .n = 1};
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		assert_int_equal(http_stub_get(&t, "/healthz", cases[i].lines), 200);
	assert_int_equal(gate_add_origin(&t.gate, "https://example.org"), 0);
	assert_int_equal(gate_add_origin(&t.gate, "https://*.example.net"), 0);
	assert_int_equal(gate_add_origin(&t.gate, "http://localhost:*"), 0);
	assert_int_equal(gate_add_origin(&t.gate, "null"), 0);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		if (http_stub_get(&t, "/healthz", cases[i].lines) != cases[i].status)
			fail_msg("%s", cases[i].lines);
		/* A page that is refused learns nothing. */
		if (cases[i].status == 403)
			assert_false(http_stub_says(&t, "Access-Control-Allow-Origin"));
	}
	assert_int_equal(refused(&t, REFUSED_ORIGIN), 9);
	http_stub_end(&t);
}

/* Every path and method, also those that are not there. */
static void nothing_is_served_beside_it(void **state)
{
	static const char *const cases[] = {
	    "GET /healthz",
	    "HEAD /healthz",
	    "GET /metrics",
	    "GET /ws",
	    "OPTIONS *",
	    "OPTIONS /sessions/a/records",
	    "GET /sessions",
	    "GET /nothing",
	    "GET /sessions/a/events",
	    "GET /sessions/a/state",
	    "GET /sessions/a/state/k",
	    "GET /sessions/a/presence",
	    "POST /sessions/a/records",
	    "DELETE /x",
	};
	struct http_stub t = {.arrival.local = true};
	char text[500];
	int n;

	(void)state;
	http_stub_start(&t);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		n = snprintf(text, sizeof(text),
			     "%s HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
			     cases[i]);
		if (http_stub_ask(&t, text, (size_t)n) != 403)
			fail_msg("%s: %.12s", cases[i], t.got.data);
	}
	n = snprintf(text, sizeof(text),
		     "GET /ws HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
		     "Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==\r\n\r\n");
	assert_int_equal(http_stub_ask(&t, text, (size_t)n), 403);
	http_stub_end(&t);
}

/* Requests that come behind a PROXY header of some address. */
static int ask_as(struct http_stub *t, const char *address)
{
	char text[500];
	int n = snprintf(text, sizeof(text),
			 "PROXY TCP%d %s %s 4711 80\r\nGET /healthz HTTP/1.1\r\n" L
			 "Connection: close\r\n\r\n",
			 strchr(address, ':') ? 6 : 4, address, address);

	return http_stub_ask(t, text, (size_t)n);
}

static void addresses_have_shares(void **state)
{
	static const unsigned char key[SHARES_KEY_LEN];
	struct http_stub t = {.arrival.kind = LISTEN_PROXIED};
	struct conn_settings *set = &t.hub.m.conns;
	struct http1_span at;
	share held;

	(void)state;
	http_stub_start(&t);
	t.arrival.kind = LISTEN_PROXIED;
	assert_null(trust_add(&t.trust, "198.51.100.0/24", &at));
	set->shares = shares_new(100, key);
	set->rate_requests = 2;
	/* A burst, then what is too much; of an address, or its /64. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask_as(&t, i % 2 ? "2001:db8::1" : "2001:db8::2"), 200);
	assert_int_equal(ask_as(&t, "2001:db8::3"), 429);
	assert_true(http_stub_says(&t, "Retry-After: 1\r\n"));
	assert_true(http_stub_says(&t, "\"rate_limited\""));
	assert_int_equal(refused(&t, REFUSED_ADDRESS_RATE), 1);
	assert_int_equal(ask_as(&t, "2001:db8:0:1::1"), 200);
	/* Whom a proxy names on the loopback counts; what is the proxy's own does not. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask_as(&t, "127.0.0.1"), 200);
	assert_int_equal(ask_as(&t, "127.0.0.1"), 429);
	for (int i = 0; i < 9; i++)
		assert_int_equal(ask_as(&t, "198.51.100.7"), 200);

	set->rate_requests = 0;
	set->max_per_address = 1;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask_as(&t, "192.0.2.1"), 200); /* one behind the other */
	{
		struct address a;

		assert_true(address_read(&a, "192.0.2.1", 9));
		assert_int_equal(
		    shares_take(set->shares, shares_address(set->shares, &a), 1, &held), 0);
	}
	assert_int_equal(ask_as(&t, "192.0.2.1"), 503);
	assert_int_equal(refused(&t, REFUSED_ADDRESS), 1);
	assert_int_equal(ask_as(&t, "192.0.2.2"), 200);
	shares_drop(set->shares, held);
	assert_int_equal(ask_as(&t, "192.0.2.1"), 200);
	shares_free(set->shares);
	http_stub_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_that_are_the_machines_own),
	    cmocka_unit_test(pages_that_may_ask),
	    cmocka_unit_test(nothing_is_served_beside_it),
	    cmocka_unit_test(addresses_have_shares),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}

/* Who is believed to have sent a request. 10.0.0.0/8 and 2001:db8:a::/48 are proxies. */
#include "wire/forwarded.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define X(list) "X-Forwarded-For: " list "\r\n"
#define F(list) "Forwarded: " list "\r\n"

static struct trust trust;

static int trust_some(void **state)
{
	struct http1_span at;

	(void)state;
	return trust_add(&trust, "10.0.0.0/8, 2001:db8:a::/48", &at) ? -1 : 0;
}

/* What is made of the peer's address with these fields; the text, or the status. */
static const char *client(enum forwarded_field field, const char *peer, const char *fields)
{
	static char text[ADDRESS_TEXT];
	struct http1_head head = {0};
	struct address a = {.known = false};
	char request[4096];
	int n = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

	assert_in_range(n, 1, sizeof(request) - 1);
	assert_int_equal(http1_head(&head, request, (size_t)n, HTTP1_HEAD_MAX), HTTP1_DONE);
	if (*peer)
		assert_true(address_read_port(&a, peer, strlen(peer)));
	trust.field = field;
	n = forwarded_client(&trust, &head, &a);
	if (n == 0)
		return address_text(&a, text);
	snprintf(text, sizeof(text), "%d", n);
	return text;
}

struct trust_case {
	const char *peer, *fields, *want;
};

static void check(enum forwarded_field field, const struct trust_case *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const char *got = client(field, cases[i].peer, cases[i].fields);

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("from %s: %sgives %s", cases[i].peer, cases[i].fields, got);
	}
}

static void x_forwarded_for(void **state)
{
	static const struct trust_case cases[] = {
	    /* Nobody else is believed. */
	    {"192.0.2.9:1", X("198.51.100.1"), "192.0.2.9:1"},
	    {"11.0.0.1:1", X("10.0.0.1, 198.51.100.1"), "11.0.0.1:1"},
	    {"2001:db8:b::1", X("198.51.100.1"), "2001:db8:b::1"},
	    {"", X("198.51.100.1"), "no address"},
	    /* A proxy is. */
	    {"10.0.0.1:1", "", "10.0.0.1:1"},
	    {"10.0.0.1:1", X("198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", "x-FORWARDED-for:198.51.100.1\r\n", "198.51.100.1"},
	    {"::ffff:10.0.0.1", X("198.51.100.1"), "198.51.100.1"},
	    {"2001:db8:a::1", X("2001:db8:b::7"), "2001:db8:b::7"},
	    {"10.0.0.1:1", X("198.51.100.1:4711"), "198.51.100.1:4711"},
	    {"10.0.0.1:1", X("[2001:db8:b::7]:4711"), "[2001:db8:b::7]:4711"},
	    {"10.0.0.1:1", X("[2001:db8:b::7]"), "2001:db8:b::7"},
	    /* What the client said of itself is not, in whatever lines it comes. */
	    {"10.0.0.1:1", X("127.0.0.1, 198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", X("10.1.1.1, 198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", X("203.0.113.5") X("198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", X("203.0.113.5") "A: b\r\n" X("198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", X("\"; drop") X("198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", X(", ,,") X(", 198.51.100.1 ,,"), "198.51.100.1"},
	    {"10.0.0.1:1", F("for=203.0.113.5") X("198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", F("for=203.0.113.5"), "10.0.0.1:1"},
	    {"10.0.0.1:1", F("\""), "10.0.0.1:1"},
	    /* Proxies behind proxies. */
	    {"10.0.0.1:1", X("198.51.100.1, 10.0.0.2"), "198.51.100.1"},
	    {"10.0.0.1:1", X("203.0.113.5, 198.51.100.1, 2001:db8:a::5, 10.0.0.2"), "198.51.100.1"},
	    {"10.0.0.1:1", X("198.51.100.1") X("10.0.0.3") X("10.0.0.2"), "198.51.100.1"},
	    {"10.0.0.1:1", X("10.0.0.4, 10.0.0.3:5"), "10.0.0.4"},
	    {"10.0.0.1:1", X("10.0.0.3"), "10.0.0.3"},
	    /* What is no address: the proxy that said so. */
	    {"10.0.0.1:1", X("unknown"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("198.51.100.1, unknown"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("198.51.100.1, unknown, 10.0.0.3, 10.0.0.2"), "10.0.0.3"},
	    {"10.0.0.1:1", X("198.51.100.1, localhost"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("198.51.100.1 203.0.113.5"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("198.51.100.1, 1.2.3.4:99999"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("\"198.51.100.1\""), "10.0.0.1:1"},
	    {"10.0.0.1:1", X(""), "10.0.0.1:1"},
	};

	(void)state;
	check(FORWARDED_X_FOR, cases, UNIT_COUNT(cases));
}

static void forwarded(void **state)
{
	static const struct trust_case cases[] = {
	    {"192.0.2.9:1", F("for=198.51.100.1"), "192.0.2.9:1"},
	    {"192.0.2.9:1", F("\""), "192.0.2.9:1"},
	    {"10.0.0.1:1", F("for=198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", F("For=\"[2001:db8:b::7]:4711\""), "[2001:db8:b::7]:4711"},
	    {"10.0.0.1:1", F("for=\"[2001:db8:b::7]\""), "2001:db8:b::7"},
	    {"10.0.0.1:1", F("for=\"198.51.100.1:80\""), "198.51.100.1:80"},
	    {"10.0.0.1:1", F("for=\"198\\.51.100.\\1\""), "198.51.100.1"},
	    {"10.0.0.1:1", F("by=203.0.113.43;for=198.51.100.1;proto=http"), "198.51.100.1"},
	    {"10.0.0.1:1", F("proto=http; for=198.51.100.1 ; host=\"a,b;for=1.1.1.1\""),
	     "198.51.100.1"},
	    {"10.0.0.1:1", F("for=203.0.113.5, for=198.51.100.1;by=\"x\""), "198.51.100.1"},
	    {"10.0.0.1:1", F("for=203.0.113.5") F("for=198.51.100.1"), "198.51.100.1"},
	    {"10.0.0.1:1", F("for=198.51.100.1, for=10.0.0.2,, ;"), "198.51.100.1"},
	    {"10.0.0.1:1", F(""), "10.0.0.1:1"},
	    {"10.0.0.1:1", F(";;,;"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("203.0.113.5"), "10.0.0.1:1"},
	    {"10.0.0.1:1", X("203.0.113.5") F("for=198.51.100.1"), "198.51.100.1"},
	    /* Section 6: who is not named. */
	    {"10.0.0.1:1", F("for=unknown"), "10.0.0.1:1"},
	    {"10.0.0.1:1", F("for=203.0.113.5, for=_gazonk"), "10.0.0.1:1"},
	    {"10.0.0.1:1", F("for=203.0.113.5, for=\"_gazonk:_80\", for=10.0.0.2"), "10.0.0.2"},
	    {"10.0.0.1:1", F("for=\"198.51.100.1:_80\""), "10.0.0.1:1"},
	    {"10.0.0.1:1", F("for=203.0.113.5, proto=https"), "10.0.0.1:1"},
	    {"10.0.0.1:1", F("for=203.0.113.5, for=\"\""), "10.0.0.1:1"},
	    {"10.0.0.1:1",
	     F("for=203.0.113.5, for=\""
	       "0000000000000000000000000000000000000000"
	       "0000000000000000000000000000000000000000\""),
	     "10.0.0.1:1"},
	    /* What would hide the proxy's own. */
	    {"10.0.0.1:1", F("for=\", for=198.51.100.1"), "400"},
	    {"10.0.0.1:1", F("for=\"x, for=\"[2001:db8:b::7]\""), "400"},
	    {"10.0.0.1:1", F("for=\"x\\"), "400"},
	    {"10.0.0.1:1", F("for=\"x\\\", for=198.51.100.1"), "400"},
	    {"10.0.0.1:1", F("for=203.0.113.5;for=198.51.100.1"), "400"},
	    {"10.0.0.1:1", F("198.51.100.1"), "400"},
	    {"10.0.0.1:1", F("for"), "400"},
	    {"10.0.0.1:1", F("for="), "400"},
	    {"10.0.0.1:1", F("for = 198.51.100.1"), "400"},
	    {"10.0.0.1:1", F("for=198.51.100.1:80"), "400"},
	    {"10.0.0.1:1", F("for=[2001:db8:b::7]"), "400"},
	    {"10.0.0.1:1", F("for=\"198.51.100.1\"x"), "400"},
	    {"10.0.0.1:1", F("for=198.51.100.1 for=203.0.113.5"), "400"},
	    {"10.0.0.1:1", F("=198.51.100.1"), "400"},
	};

	(void)state;
	check(FORWARDED_RFC, cases, UNIT_COUNT(cases));
}

static void lists_of_networks(void **state)
{
	static struct trust t;
	struct http1_span at;
	struct address a;
	size_t i;

	(void)state;
	assert_null(trust_add(&t, "10.0.0.0/8,::1", &at));
	assert_int_equal(t.n, 2);
	assert_true(address_read(&a, "::1", 3));
	assert_true(trust_has(&t, &a));
	assert_true(address_read(&a, "::2", 3));
	assert_false(trust_has(&t, &a));
	assert_non_null(trust_add(&t, "10.0.0.0/8,10.0.0.0/40", &at));
	assert_int_equal(at.len, 11);
	assert_non_null(trust_add(&t, "", &at));
	assert_non_null(trust_add(&t, "10.0.0.1,,10.0.0.2", &at));
	for (i = t.n; i < TRUST_MAX; i++)
		assert_null(trust_add(&t, "192.0.2.1", &at));
	assert_non_null(trust_add(&t, "192.0.2.1", &at));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(x_forwarded_for),
	    cmocka_unit_test(forwarded),
	    cmocka_unit_test(lists_of_networks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("forwarded", tests, trust_some, NULL);
}

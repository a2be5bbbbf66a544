/* Addresses as they are written, and networks. */
#include "wire/address.h"

#include <string.h>

#include "unit.h"

static void addresses_with_and_without_ports(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: none */
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"192.0.2.1:80", "192.0.2.1:80"},
	    {"192.0.2.1:65535", "192.0.2.1:65535"},
	    {"2001:db8::1", "2001:db8::1"},
	    {"2001:DB8:0::1", "2001:db8::1"},
	    {"[2001:db8::1]", "2001:db8::1"},
	    {"[2001:db8::1]:4711", "[2001:db8::1]:4711"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
	    {"::", "::"},
	    {"", NULL},
	    {":80", NULL},
	    {"192.0.2", NULL},
	    {"192.0.2.256", NULL},
	    {"192.0.2.01", NULL},
	    {"0x7f.0.0.1", NULL},
	    {"2130706433", NULL},
	    {"192.0.2.1:", NULL},
	    {"192.0.2.1:65536", NULL},
	    {"192.0.2.1:99999999999999999999", NULL},
	    {"192.0.2.1:+8", NULL},
	    {"192.0.2.1:8 ", NULL},
	    {" 192.0.2.1", NULL},
	    {"[192.0.2.1]", NULL},
	    {"[192.0.2.1]:80", NULL},
	    {"[2001:db8::1", NULL},
	    {"[2001:db8::1]80", NULL},
	    {"[2001:db8::1]:", NULL},
	    {"[]", NULL},
	    {"[]:80", NULL},
	    {"2001:db8::1]", NULL},
	    {"fe80::1%eth0", NULL},
	    {"unknown", NULL},
	    {"_hidden", NULL},
	    {"localhost", NULL},
	    {"1111:2222:3333:4444:5555:6666:7777:8888:9999", NULL},
	};
	char text[ADDRESS_TEXT];
	struct address a;
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(cases); i++) {
		a = (struct address){.known = false};
		if (address_read_port(&a, cases[i].text, strlen(cases[i].text)) !=
		    (cases[i].want != NULL))
			fail_msg("'%s'", cases[i].text);
		assert_string_equal(address_text(&a, text),
				    cases[i].want ? cases[i].want : "no address");
	}
	assert_false(address_read_port(&a, "192.0.2.1\0", 10));
	assert_false(address_read(&a, "192.0.2.1:80", 12));
	assert_false(address_read(&a, "[::1]", 5));
}

static void the_longest_text_fits(void **state)
{
	char text[ADDRESS_TEXT];
	struct address a;

	(void)state;
	address_set6(&a, "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11", 65535);
	assert_string_equal(address_text(&a, text),
			    "[1111:1111:1111:1111:1111:1111:1111:1111]:65535");
}

static void one_is_the_same_however_it_came(void **state)
{
	struct address a, b, none = {.known = false};

	(void)state;
	assert_true(address_read(&a, "192.0.2.1", 9));
	assert_true(address_read(&b, "::ffff:c000:201", 15));
	assert_true(address_same(&a, &b));
	b.port = 1;
	assert_false(address_same(&a, &b));
	assert_false(address_same(&a, &none));
	assert_true(address_same(&none, &none));
}

static void networks_have_addresses(void **state)
{
	static const struct {
		const char *network, *in, *out;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
	    {"192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
	    {"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
	    {"10.0.0.0/8", "10.255.1.2", "11.0.0.0"},
	    {"172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
	    {"0.0.0.0/0", "203.0.113.9", "2001:db8::1"}, /* IPv4 only */
	    {"::/0", "2001:db8::1", NULL},
	    {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
	    {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
	    {"2001:db8::/127", "2001:db8::1", "2001:db8::2"},
	    {"::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"},
	    {"10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"},
	    {"127.0.0.0/8", "127.1.2.3", "::1"},
	};
	struct address a, none = {.known = false};
	struct network n;
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(cases); i++) {
		assert_null(network_read(&n, cases[i].network, strlen(cases[i].network)));
		assert_true(address_read(&a, cases[i].in, strlen(cases[i].in)));
		if (!network_has(&n, &a))
			fail_msg("%s in %s", cases[i].in, cases[i].network);
		assert_false(network_has(&n, &none));
		if (!cases[i].out)
			continue;
		assert_true(address_read(&a, cases[i].out, strlen(cases[i].out)));
		if (network_has(&n, &a))
			fail_msg("%s in %s", cases[i].out, cases[i].network);
	}
}

static void what_is_no_network(void **state)
{
	static const char *const cases[][2] = {
	    {"", "not an IP address"},
	    {"x", "not an IP address"},
	    {"/8", "not an IP address"},
	    {"localhost/8", "not an IP address"},
	    {"10.0.0.0:80", "not an IP address"},
	    {"[::1]", "not an IP address"},
	    {"10.0.0.0/33", "0 to 32"},
	    {"10.0.0.0/", "0 to 32"},
	    {"10.0.0.0/-1", "0 to 32"},
	    {"10.0.0.0/8/8", "0 to 32"},
	    {"10.0.0.0/255.0.0.0", "0 to 32"},
	    {"2001:db8::/129", "0 to 128"},
	    {"10.0.0.1/8", "more bits"},
	    {"10.0.0.1/31", "more bits"},
	    {"2001:db8::1/64", "more bits"},
	    {"::1/0", "more bits"},
	};
	struct network n;
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(cases); i++) {
		const char *why = network_read(&n, cases[i][0], strlen(cases[i][0]));

		if (!why || !strstr(why, cases[i][1]))
			fail_msg("'%s': %s", cases[i][0], why ? why : "taken");
	}
}

static void whose_own_an_address_is(void **state)
{
	static const struct {
		const char *address, *same, *other;
		bool loopback;
	} cases[] = {
	    {"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.0", false},
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1", false},
	    {"2001:db8::", "2001:db8::ffff:192.0.2.1", "2001:db8:0:1::", false},
	    {"127.0.0.1", "127.0.0.1", "127.0.0.2", true},
	    {"127.255.0.3", "::ffff:127.255.0.3", "128.0.0.1", true},
	    {"::1", "0::1", "::2", true},
	    {"::", "0::0", "::1", false},
	    {"0.0.0.0", "0.0.0.0", "0.0.0.1", false},
	    {"::127.0.0.1", "::7f00:1", "127.0.0.1", false},
	};
	struct address a, b, none = {.known = false};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct network n;

		assert_true(address_read(&a, cases[i].address, strlen(cases[i].address)));
		assert_int_equal(address_is_loopback(&a), cases[i].loopback);
		n = network_around(&a);
		assert_true(network_has(&n, &a));
		assert_true(address_read(&b, cases[i].same, strlen(cases[i].same)));
		assert_true(network_has(&n, &b));
		assert_true(address_read(&b, cases[i].other, strlen(cases[i].other)));
		assert_false(network_has(&n, &b));
	}
	assert_false(address_is_loopback(&none));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_with_and_without_ports),
	    cmocka_unit_test(the_longest_text_fits),
	    cmocka_unit_test(one_is_the_same_however_it_came),
	    cmocka_unit_test(networks_have_addresses),
	    cmocka_unit_test(what_is_no_network),
	    cmocka_unit_test(whose_own_an_address_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

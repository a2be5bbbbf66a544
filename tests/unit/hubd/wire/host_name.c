/* Names of hosts: one form for all ways to write one, and which are this machine's own. */
#include "wire/host_name.h"

#include <string.h>

#include "unit.h"
#include "wire/http1_target.h"

static void a_host_has_one_form(void **state)
{
	static const struct {
		const char *host, *name;
		bool local;
	} cases[] = {
	    {"hub.example.org", "hub.example.org", false},
	    {"hub.example.org:4820", "hub.example.org", false},
	    {"Hub.EXAMPLE.org.", "hub.example.org", false},
	    {"Hub.EXAMPLE.org.:80", "hub.example.org", false},
	    {"", "", false},
	    {":80", "", false},
	    {".", "", false},
	    {"localhost", "localhost", true},
	    {"LocalHost:4820", "localhost", true},
	    {"localhost.", "localhost", true},
	    {"localhost.:80", "localhost", true},
	    {"a.b.localhost:1", "a.b.localhost", true},
	    {"localhost.example.org", "localhost.example.org", false},
	    {"notlocalhost", "notlocalhost", false},
	    {".localhost", ".localhost", true},
	    {"localhost..", "localhost.", false},
	    {"127.0.0.1", "127.0.0.1", true},
	    {"127.0.0.1:4820", "127.0.0.1", true},
	    {"127.0.0.1.", "127.0.0.1", true},
	    {"127.255.255.254", "127.255.255.254", true},
	    {"127.1", "127.1", false},
	    {"127.0.0.1.example.org", "127.0.0.1.example.org", false},
	    {"2130706433", "2130706433", false},
	    {"0x7f.0.0.1", "0x7f.0.0.1", false},
	    {"0.0.0.0", "0.0.0.0", false},
	    {"192.0.2.1:80", "192.0.2.1", false},
	    {"[::1]", "::1", true},
	    {"[::1]:4820", "::1", true},
	    {"[0:0:0:0:0:0:0:1]", "::1", true},
	    {"[::ffff:127.0.0.1]:80", "127.0.0.1", true},
	    {"[::FFFF:7F00:1]", "127.0.0.1", true},
	    {"[::]", "::", false},
	    {"[2001:DB8:0::1]:80", "2001:db8::1", false},
	    {"%6cocalhost", "%6cocalhost", false}, /* no browser writes it so */
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct http1_span host = {cases[i].host, strlen(cases[i].host)};
		char name[HOST_NAME_MAX + 1];

		assert_true(http1_host_valid(host));
		assert_int_equal(host_name(host, name), strlen(cases[i].name));
		assert_string_equal(name, cases[i].name);
		if (host_is_local(name) != cases[i].local)
			fail_msg("%s", cases[i].host);
	}
}

static void what_is_longer_than_names_are_is_none(void **state)
{
	char text[HOST_NAME_MAX + 3], name[HOST_NAME_MAX + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[HOST_NAME_MAX] = '.';
	assert_int_equal(host_name((struct http1_span){text, HOST_NAME_MAX + 1}, name),
			 HOST_NAME_MAX);
	text[HOST_NAME_MAX] = 'a';
	assert_int_equal(host_name((struct http1_span){text, HOST_NAME_MAX + 1}, name), 0);
	assert_string_equal(name, "");
	assert_int_equal(host_name((struct http1_span){NULL, 0}, name), 0);
	memcpy(text + HOST_NAME_MAX - 10, ".localhost", 10);
	assert_int_equal(host_name((struct http1_span){text, HOST_NAME_MAX}, name), HOST_NAME_MAX);
	assert_true(host_is_local(name));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_has_one_form),
	    cmocka_unit_test(what_is_longer_than_names_are_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("host_name", tests, NULL, NULL);
}

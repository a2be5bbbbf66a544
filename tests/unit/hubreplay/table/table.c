/* URLs of databases. */
#include "table/table.h"

#include <string.h>
#include <sysexits.h>

#include "unit.h"

static void databases(void **state)
{
	(void)state;
	assert_true(table_url_is("postgresql:///hub"));
	assert_true(table_url_is("postgres://h/hub"));
	assert_false(table_url_is("postgresql:/hub"));
	assert_false(table_url_is("./postgresql://hub"));
	assert_false(table_url_is("-"));
}

static void sessions(void **state)
{
	static const struct {
		const char *url, *conninfo, *session;
	} cases[] = {
	    {"postgresql:///hub", "postgresql:///hub", ""},
	    {"postgresql:///hub?session=match", "postgresql:///hub", "match"},
	    {"postgresql:///hub?session=a&user=b", "postgresql:///hub?user=b", "a"},
	    {"postgresql:///hub?user=b&session=a&port=1", "postgresql:///hub?user=b&port=1", "a"},
	    {"postgresql:///hub?user=b&session=%61%3ab~@.-_", "postgresql:///hub?user=b",
	     "a:b~@.-_"},
	    {"postgres://u@h:1,h2/d?session=x", "postgres://u@h:1,h2/d", "x"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct table_url u;
		char why[300];

		assert_int_equal(table_url_read(&u, cases[i].url, why, sizeof(why)), 0);
		assert_string_equal(u.conninfo, cases[i].conninfo);
		assert_string_equal(u.session, cases[i].session);
		table_url_free(&u);
	}
}

/* None of it is told. */
static void refuses(void **state)
{
	static const char *const urls[] = {
	    "postgresql://u:secret@h/d",
	    "postgresql://u:%73ecret@h/d",
	    "postgresql:///d?password=secret",
	    "postgresql:///d?pass%77ord=secret",
	    "postgresql:///d?user=u&sslpassword=secret&session=a",
	    "postgresql://u:secret@[/d",
	    "postgresql:///d?secret",
	    "postgresql:///d?session=",
	    "postgresql:///d?session=secret+",
	    "postgresql:///d?session=secret%",
	    "postgresql:///d?session=secret%0",
	    "postgresql:///d?session=secret%zz",
	    "postgresql:///d?session=secret%00",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(urls); i++) {
		struct table_url u;
		char why[300];

		assert_int_equal(table_url_read(&u, urls[i], why, sizeof(why)), EX_USAGE);
		assert_null(strstr(why, "secret"));
		assert_null(u.conninfo);
	}
}

/* A session of any length is read within its bounds. */
static void long_sessions(void **state)
{
	char url[600] = "postgresql:///d?session=", why[300];
	struct table_url u;
	size_t n = strlen(url);

	(void)state;
	memset(url + n, 'x', ENVELOPE_SESSION_MAX);
	assert_int_equal(table_url_read(&u, url, why, sizeof(why)), 0);
	assert_int_equal(strlen(u.session), ENVELOPE_SESSION_MAX);
	table_url_free(&u);
	memset(url + n, 'x', 500);
	assert_int_equal(table_url_read(&u, url, why, sizeof(why)), EX_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(databases),
	    cmocka_unit_test(sessions),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(long_sessions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

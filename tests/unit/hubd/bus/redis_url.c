/* Where a Redis is: what is taken, and what is refused. */
#include "bus/redis_url.h"

#include <string.h>

#include "unit.h"

static struct redis_url u;
static char why[200];

static bool takes(const char *text)
{
	return redis_url_parse(&u, text, why, sizeof(why)) == 0;
}

static void hosts(void **state)
{
	(void)state;
	assert_true(takes("redis://localhost"));
	assert_int_equal(u.nhosts, 1);
	assert_string_equal(u.host[0].name, "localhost");
	assert_string_equal(u.host[0].port, "6379");
	assert_false(u.tls);
	assert_true(takes("rediss://a.example:7000,[::1]:7001,[fe80::1],b/3"));
	assert_true(u.tls);
	assert_int_equal(u.nhosts, 4);
	assert_string_equal(u.host[1].name, "::1");
	assert_string_equal(u.host[1].port, "7001");
	assert_string_equal(u.host[2].name, "fe80::1");
	assert_string_equal(u.host[2].port, "6379");
	assert_string_equal(u.host[3].name, "b");
	assert_int_equal(u.db, 3);
}

static void passwords(void **state)
{
	char text[100];

	(void)state;
	assert_true(takes("redis://:p%40ss%3a@h:1/"));
	assert_string_equal(u.user, "");
	assert_string_equal(u.password, "p@ss:");
	assert_true(takes("redis://secret@h"));
	assert_string_equal(u.password, "secret");
	assert_true(takes("redis://ann:a:b@c@h:9"));
	assert_string_equal(u.user, "ann");
	assert_string_equal(u.password, "a:b@c");
	assert_string_equal(u.host[0].name, "h");
	redis_url_text(&u, 0, text, sizeof(text));
	assert_string_equal(text, "redis://h:9");
}

static void sockets(void **state)
{
	(void)state;
	assert_true(takes("unix:/run/redis.sock"));
	assert_string_equal(u.path, "/run/redis.sock");
	assert_true(takes("unix:///run/redis.sock"));
	assert_string_equal(u.path, "/run/redis.sock");
}

static void refused(void **state)
{
	static const char *const texts[] = {
	    "",
	    "redis:",
	    "redis://",
	    "http://h",
	    "redis://h:",
	    "redis://h:0",
	    "redis://h:65536",
	    "redis://h:x",
	    "redis://h,",
	    "redis://,h",
	    "redis://h/x",
	    "redis://h/-1",
	    "redis://[::1",
	    "redis://[::1]7",
	    "redis://p%4@h",
	    "redis://p%zz@h",
	    "redis://p%00@h",
	    "redis://h/1/2",
	    "unix:run",
	    "unix:",
	    "redis://a,b,c,d,e,f,g,h,i",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		why[0] = '\0';
		if (takes(texts[i]))
			fail_msg("'%s' is taken", texts[i]);
		assert_true(strlen(why) > 10);
	}
	assert_false(takes("redis://:secret@h:x"));
	assert_null(strstr(why, "secret"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts),
	    cmocka_unit_test(passwords),
	    cmocka_unit_test(sockets),
	    cmocka_unit_test(refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}

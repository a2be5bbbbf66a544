/* URLs: what is read, what is refused and why, and the default socket. */
#include "base/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static const struct {
	const char *text, *formatted;
	enum url_scheme scheme;
	const char *host;
	unsigned port;
	const char *path;
} good[] = {
    {"unix:/run/hub.sock", NULL, URL_UNIX, "", 0, "/run/hub.sock"},
    {"unix:///run/hub.sock", "unix:/run/hub.sock", URL_UNIX, "", 0, "/run/hub.sock"},
    {"unix:////run//hub.sock", "unix:/run//hub.sock", URL_UNIX, "", 0, "/run//hub.sock"},
    {"unix:hub.sock", NULL, URL_UNIX, "", 0, "hub.sock"},
    {"ws://localhost:4820/ws", NULL, URL_WS, "localhost", 4820, "/ws"},
    {"ws://localhost:4820", "ws://localhost:4820/ws", URL_WS, "localhost", 4820, "/ws"},
    {"ws://localhost:4820/", NULL, URL_WS, "localhost", 4820, "/"},
    {"ws://h", "ws://h:80/ws", URL_WS, "h", 80, "/ws"},
    {"wss://h", "wss://h:443/ws", URL_WSS, "h", 443, "/ws"},
    {"wss://a.b-c_d.example/x/y?q=1&r=2", "wss://a.b-c_d.example:443/x/y?q=1&r=2", URL_WSS,
     "a.b-c_d.example", 443, "/x/y?q=1&r=2"},
    {"ws://h?q", "ws://h:80/ws?q", URL_WS, "h", 80, "/ws?q"},
    {"ws://[::1]:4820/ws", NULL, URL_WS, "::1", 4820, "/ws"},
    {"ws://[fe80::1:2]", "ws://[fe80::1:2]:80/ws", URL_WS, "fe80::1:2", 80, "/ws"},
    {"ws://127.0.0.1:65535/ws", NULL, URL_WS, "127.0.0.1", 65535, "/ws"},
};

static void test_good(void **state)
{
	char why[200] = "", text[URL_TEXT_MAX];
	struct url url;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		assert_int_equal(url_parse(&url, good[i].text, why, sizeof(why)), 0);
		assert_int_equal(url.scheme, good[i].scheme);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.port, good[i].port);
		assert_string_equal(url.path, good[i].path);
		url_format(&url, text, sizeof(text));
		assert_string_equal(text, good[i].formatted ? good[i].formatted : good[i].text);
	}
}

static const struct {
	const char *text, *why;
} bad[] = {
    {"", "not one of unix:"},
    {"http://h", "not one of unix:"},
    {"/run/hub.sock", "not one of unix:"},
    {"WS://h", "not one of unix:"},
    {"unix:", "the path of the socket is missing"},
    {"unix://", "a socket has no host"},
    {"unix://hub.sock", "a socket has no host"},
    {"ws://", "the host is missing"},
    {"ws://:80/", "the host is missing"},
    {"ws:///ws", "the host is missing"},
    {"ws://h:", "the port is not a number"},
    {"ws://h:0", "the port is not a number"},
    {"ws://h:65536", "the port is not a number"},
    {"ws://h:080000", "the port is not a number"},
    {"ws://h:-1", "the port is not a number"},
    {"ws://h:80x/", "unexpected 'x' after the host"},
    {"ws://h h/", "unexpected ' ' after the host"},
    {"ws://[::1", "']' is missing"},
    {"ws://[::g]/", "not an IPv6 address"},
    {"ws://[]/", "the host is missing"},
    {"ws://[::1]x", "unexpected 'x' after the host"},
    {"ws://u:%zz@h/", "user name"},
    {"ws://h/ws#x", "fragment"},
    {"ws://h/a b", "only printable ASCII"},
    {"ws://h/a\r\nX: y", "only printable ASCII"},
};

static void test_bad(void **state)
{
	char why[200], text[2000];
	struct url url;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		why[0] = '\0';
		assert_int_equal(url_parse(&url, bad[i].text, why, sizeof(why)), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].text, why);
	}
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "unix:/", 6);
	assert_int_equal(url_parse(&url, text, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "the path of the socket is longer than 107 bytes");
	memcpy(text, "ws://a", 6);
	assert_int_equal(url_parse(&url, text, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "the host is too long");
	memcpy(text, "ws://a/", 7);
	assert_int_equal(url_parse(&url, text, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "the path is too long");
}

static void test_choose(void **state)
{
	char why[200];
	struct url url;

	(void)state;
	setenv("HUB_URL", "ws://env:1/ws", 1);
	assert_int_equal(url_choose(&url, "unix:/arg", why, sizeof(why)), 0);
	assert_string_equal(url.path, "/arg");
	assert_int_equal(url_choose(&url, NULL, why, sizeof(why)), 0);
	assert_string_equal(url.host, "env");
	setenv("HUB_URL", "env", 1);
	assert_int_equal(url_choose(&url, NULL, why, sizeof(why)), -EINVAL);
	assert_memory_equal(why, "HUB_URL: env: not one of ", 25);
	setenv("HUB_URL", "", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	assert_int_equal(url_choose(&url, NULL, why, sizeof(why)), 0);
	assert_int_equal(url.scheme, URL_UNIX);
	assert_string_equal(url.path, "/run/user/7/hub.sock");
	unsetenv("HUB_URL");
	unsetenv("XDG_RUNTIME_DIR");
}

static void test_default_socket_is_bounded(void **state)
{
	char path[200], dir[200];

	(void)state;
	memset(dir, 'x', sizeof(dir));
	dir[0] = '/';
	dir[120] = '\0';
	setenv("XDG_RUNTIME_DIR", dir, 1);
	assert_int_equal(url_default_socket(path, sizeof(path), false), -ENAMETOOLONG);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	assert_int_equal(url_default_socket(path, 10, false), -ENAMETOOLONG);
	unsetenv("XDG_RUNTIME_DIR");
}

static void test_root_has_its_own(void **state)
{
	char path[200];

	(void)state;
	if (geteuid() != 0)
		skip();
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	assert_int_equal(url_default_socket(path, sizeof(path), false), 0);
	assert_string_equal(path, "/run/hub/hub.sock");
	unsetenv("XDG_RUNTIME_DIR");
}

/* The directory in /tmp, as a user that nobody has: only root can try that without touching a real
 * one. */
static int as_nobody(void)
{
	char path[200], dir[64];
	uid_t uid = 4000000000u + (uid_t)getpid();

	if (setresuid(uid, uid, uid) < 0)
		return 1;
	snprintf(dir, sizeof(dir), "/tmp/hub-%lu", (unsigned long)uid);
	if (url_default_socket(path, sizeof(path), false) != 0 || access(dir, F_OK) == 0)
		return 2;
	if (url_default_socket(path, sizeof(path), true) != 0 || access(dir, F_OK) != 0)
		return 3;
	if (url_default_socket(path, sizeof(path), true) != 0) /* it may be there already */
		return 4;
	if (chmod(dir, 0755) < 0 || url_default_socket(path, sizeof(path), true) != -EPERM)
		return 5;
	if (rmdir(dir) < 0 || symlink("/", dir) < 0 ||
	    url_default_socket(path, sizeof(path), true) != -ENOTDIR)
		return 6;
	unlink(dir);
	return strncmp(path, dir, strlen(dir)) == 0 ? 0 : 7;
}

static void test_tmp_directory_is_checked(void **state)
{
	struct stat st;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || stat("/tmp", &st) < 0 || (st.st_mode & 07777) != 01777)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_choose),
	    cmocka_unit_test(test_default_socket_is_bounded),
	    cmocka_unit_test(test_root_has_its_own),
	    cmocka_unit_test(test_tmp_directory_is_checked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

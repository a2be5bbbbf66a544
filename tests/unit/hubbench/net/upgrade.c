/* The upgrade: what is asked for, and which answers are none of WebSocket. */
#include "net/upgrade.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const char accepted[] = "SEC-WebSocket-Accept: plKcVnvSdngjwvk27XQyf5CVmAU=\r";

static void request(void **state)
{
	static const char *const lines[] = {"Cookie: id=1", "X-A: b"};
	struct url url;
	char why[100], *text;

	(void)state;
	assert_int_equal(url_parse(&url, "ws://[::1]:4820/a?b", why, sizeof(why)), 0);
	text = upgrade_request(&url, "hub", false, lines, 2);
	assert_non_null(text);
	assert_string_equal(text, "GET /a?b HTTP/1.1\r\nHost: [::1]:4820\r\n"
				  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
				  "Sec-WebSocket-Key: aHViYmVuY2ggaXMgYSB0ZQ==\r\n"
				  "Sec-WebSocket-Version: 13\r\n"
				  "Sec-WebSocket-Protocol: hub\r\n"
				  "Cookie: id=1\r\nX-A: b\r\n\r\n");
	free(text);
	assert_int_equal(url_parse(&url, "ws://user:p%40ss@host/", why, sizeof(why)), 0);
	text = upgrade_request(&url, NULL, true, NULL, 0);
	assert_non_null(text);
	assert_non_null(strstr(text, "\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"));
	assert_null(strstr(text, "ss@"));
	free(text);
}

/* What the lines come to, as far as the last is wanted. */
static enum upgrade_got answer(const char *const *lines, size_t n, char *why, size_t cap)
{
	enum upgrade_got got = UPGRADE_MORE;
	uint8_t seen = 0;

	why[0] = '\0';
	for (size_t i = 0; i < n && got == UPGRADE_MORE; i++)
		got = upgrade_take(&seen, lines[i], strlen(lines[i]), why, cap);
	return got;
}

static void answers(void **state)
{
	const char *const good[] = {"HTTP/1.1 101 Switching Protocols\r", "Server: x\r", accepted,
				    "\r"};
	const char *const no_accept[] = {"HTTP/1.1 101 Switching Protocols\r", "\r"};
	const char *const other_key[] = {
	    "HTTP/1.1 101 \r", "Sec-WebSocket-Accept: PlKcVnvSdngjwvk27XQyf5CVmAU=\r", "\r"};
	const char *const not_found[] = {"HTTP/1.1 404 Not Found\r", accepted, "\r"};
	char why[80];

	(void)state;
	assert_int_equal(answer(good, 3, why, sizeof(why)), UPGRADE_MORE);
	assert_int_equal(answer(good, 4, why, sizeof(why)), UPGRADE_DONE);
	assert_int_equal(answer(no_accept, 2, why, sizeof(why)), UPGRADE_REFUSED);
	assert_string_equal(why, "a wrong Sec-WebSocket-Accept");
	assert_int_equal(answer(other_key, 3, why, sizeof(why)), UPGRADE_REFUSED);
	assert_int_equal(answer(not_found, 3, why, sizeof(why)), UPGRADE_REFUSED);
	assert_string_equal(why, "HTTP/1.1 404 Not Found");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request),
	    cmocka_unit_test(answers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}

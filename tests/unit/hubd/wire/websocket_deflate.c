/* Offers of permessage-deflate, as RFC 7692 section 7.1 has them, and their answers. */
#include "wire/websocket_deflate.h"

#include "unit.h"
#include "wire_trace.h"

#define HEAD "GET /ws HTTP/1.1\r\nHost: a\r\n"
#define PLAIN "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* The value of Sec-WebSocket-Extensions, "|" where another line begins; its answer, NULL: none. */
static const struct {
	const char *offer, *answer;
} cases[] = {
    {"permessage-deflate", PLAIN},
    {"Permessage-Deflate", PLAIN},
    {"permessage-deflate; client_max_window_bits", PLAIN}, /* of Chromium, ws, undici */
    {"permessage-deflate; client_max_window_bits=8", PLAIN},
    {"permessage-deflate; client_max_window_bits=15", PLAIN},
    {"permessage-deflate;client_max_window_bits=\"10\"", PLAIN},
    {"permessage-deflate; server_no_context_takeover", PLAIN},
    {"permessage-deflate; server_no_context_takeover; client_no_context_takeover", PLAIN},
    {"permessage-deflate; CLIENT_NO_CONTEXT_TAKEOVER", PLAIN},
    {"permessage-deflate; server_max_window_bits=15", PLAIN "; server_max_window_bits=15"},
    {"permessage-deflate; server_max_window_bits=9", PLAIN "; server_max_window_bits=9"},
    {"permessage-deflate ; server_max_window_bits = 12 ", PLAIN "; server_max_window_bits=12"},
    {"permessage-deflate; server_max_window_bits=\"10\"", PLAIN "; server_max_window_bits=10"},
    {"permessage-deflate; server_max_window_bits=10; client_max_window_bits=12",
     PLAIN "; server_max_window_bits=10"},
    /* Not to be kept, or none: */
    {"permessage-deflate; server_max_window_bits=8", NULL},
    {"permessage-deflate; server_max_window_bits", NULL},
    {"permessage-deflate; server_max_window_bits=", NULL},
    {"permessage-deflate; server_max_window_bits=7", NULL},
    {"permessage-deflate; server_max_window_bits=16", NULL},
    {"permessage-deflate; server_max_window_bits=010", NULL},
    {"permessage-deflate; server_max_window_bits=1x", NULL},
    {"permessage-deflate; server_max_window_bits=4294967305", NULL},
    {"permessage-deflate; server_max_window_bits=\"10", NULL},
    {"permessage-deflate; client_max_window_bits=7", NULL},
    {"permessage-deflate; client_max_window_bits=", NULL},
    {"permessage-deflate; server_no_context_takeover=1", NULL},
    {"permessage-deflate; client_no_context_takeover=\"\"", NULL},
    {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", NULL},
    {"permessage-deflate; client_max_window_bits; client_max_window_bits=10", NULL},
    {"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", NULL},
    {"permessage-deflate; unknown", NULL},
    {"permessage-deflate; unknown=1", NULL},
    {"permessage-deflate;", NULL},
    {"permessage-deflate; ; client_max_window_bits", NULL},
    {"permessage-deflate=1", NULL},
    {"x-webkit-deflate-frame", NULL},
    {"permessage-deflatex", NULL},
    {"", NULL},
    {",,;", NULL},
    {";permessage-deflate", NULL},
    /* The first that can be kept. */
    {"permessage-deflate; server_max_window_bits=8, permessage-deflate", PLAIN},
    {"permessage-deflate; unknown, permessage-deflate; server_max_window_bits=11, "
     "permessage-deflate",
     PLAIN "; server_max_window_bits=11"},
    {"x-webkit-deflate-frame, permessage-deflate", PLAIN},
    {"permessage-bzip2, , permessage-deflate; client_max_window_bits", PLAIN},
    {"foo; a=\"1\"|permessage-deflate", PLAIN},
    {"permessage-deflate; server_max_window_bits=8|permessage-deflate; "
     "server_max_window_bits=13",
     PLAIN "; server_max_window_bits=13"},
};

static void put_offer(struct buf *text, const char *offer)
{
	assert_int_equal(buf_puts(text, HEAD "Sec-WebSocket-Extensions: "), 0);
	for (; *offer; offer++)
		if (*offer == '|')
			assert_int_equal(buf_puts(text, "\r\nsec-websocket-extensions:"), 0);
		else
			assert_int_equal(buf_put(text, offer, 1), 0);
	assert_int_equal(buf_puts(text, "\r\n\r\n"), 0);
}

static void offers_are_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct buf text = {0};
		struct http1_head head = {0};
		struct websocket_deflate agreed;
		char answer[WEBSOCKET_DEFLATE_ANSWER_MAX];

		put_offer(&text, cases[i].offer);
		assert_int_equal(http1_head(&head, text.data, text.len, 4096), HTTP1_DONE);
		agreed = websocket_deflate_agree(&head);
		if (!agreed.bits != !cases[i].answer)
			fail_msg("%s: %u bits", cases[i].offer, agreed.bits);
		if (agreed.bits) {
			websocket_deflate_answer(&agreed, answer);
			assert_string_equal(answer, cases[i].answer);
		}
		buf_free(&text);
	}
}

static void who_offers_nothing_gets_nothing(void **state)
{
	static const char text[] = HEAD "X: permessage-deflate\r\n\r\n";
	struct http1_head head = {0};

	(void)state;
	assert_int_equal(http1_head(&head, text, sizeof(text) - 1, 4096), HTTP1_DONE);
	assert_int_equal(websocket_deflate_agree(&head).bits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offers_are_answered),
	    cmocka_unit_test(who_offers_nothing_gets_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

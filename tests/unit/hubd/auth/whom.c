/* Whom an operator means. */
#include "auth/whom.h"

#include <string.h>

#include "hubd/token_stub.h"
#include "unit.h"

static void set(struct token_text *t, const char *text)
{
	t->len = (uint16_t)strlen(text);
	memcpy(t->text, text, t->len);
}

static const char *network(const char *text)
{
	static char out[NETWORK_TEXT];
	struct whom w = {0};
	const char *wrong = whom_read_network(&w, text, strlen(text));

	return wrong ? wrong : network_text(&w.network, out);
}

static void networks_have_the_size_of_one_subscriber(void **state)
{
	(void)state;
	assert_string_equal(network("192.0.2.1"), "192.0.2.1");
	assert_string_equal(network("192.0.2.0/24"), "192.0.2.0/24");
	assert_string_equal(network("0.0.0.0/0"), "0.0.0.0/0");
	assert_string_equal(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
	assert_string_equal(network("2001:db8::1/128"), "2001:db8::1");
	assert_string_equal(network("2001:db8::/32"), "2001:db8::/32");
	assert_string_equal(network("::/0"), "::/0");
	assert_string_equal(network("::ffff:192.0.2.1"), "192.0.2.1");
	assert_string_equal(network("192.0.2.1/24"), "the address has more bits than the network");
	assert_string_equal(network("192.0.2.0/33"), "the bits of a network are 0 to 32");
	assert_string_equal(network("here"), "not an IP address or a network");
	assert_string_equal(network(""), "not an IP address or a network");
}

static void all_that_is_given_must_fit(void **state)
{
	struct auth auth = token_stub_auth(token_stub_secret);
	struct identity *ann =
	    token_stub_identity(&auth, "{\"sub\":\"ann\",\"jti\":\"j1\",\"iat\":100}");
	struct identity *old = token_stub_identity(&auth, "{\"sub\":\"ann\"}");
	struct whom w = {0};

	(void)state;
	assert_false(whom_any(&w));
	assert_true(whom_is(&w, 7, NULL));
	assert_true(whom_is(&w, 7, &identity_none));
	w.has_client = true;
	w.client = 7;
	assert_true(whom_any(&w));
	assert_true(whom_is(&w, 7, NULL));
	assert_false(whom_is(&w, 8, NULL));
	set(&w.user, "ann");
	assert_true(whom_is(&w, 7, ann));
	assert_false(whom_is(&w, 8, ann));
	assert_false(whom_is(&w, 7, NULL));
	assert_false(whom_is(&w, 7, &identity_none));
	set(&w.user, "an");
	assert_false(whom_is(&w, 7, ann));
	w = (struct whom){0};
	set(&w.jti, "j1");
	assert_true(whom_is(&w, 7, ann));
	assert_false(whom_is(&w, 7, old));
	/* Who does not say when is older. */
	w = (struct whom){.has_issued = true, .issued_before = 100};
	assert_false(whom_is(&w, 7, ann));
	assert_true(whom_is(&w, 7, old));
	w.issued_before = 100.5;
	assert_true(whom_is(&w, 7, ann));
	assert_false(whom_is(&w, 7, NULL));
	identity_unref(ann);
	identity_unref(old);
	token_stub_free(&auth);
}

static void it_has_a_text(void **state)
{
	struct whom w = {.has_client = true, .has_issued = true, .issued_before = 5};
	char text[WHOM_TEXT];

	(void)state;
	assert_string_equal(whom_text(&(struct whom){0}, text), "everybody");
	set(&w.user, "ann");
	assert_null(whom_read_network(&w, "10.0.0.0/8", 10));
	assert_string_equal(
	    whom_text(&w, text),
	    "client 00000000000, user ann, address 10.0.0.0/8, tokens issued before 5");
	/* The longest of all. */
	w.user.len = w.jti.len = TOKEN_SUB_MAX;
	memset(w.user.text, 'u', TOKEN_SUB_MAX);
	memset(w.jti.text, 'j', TOKEN_SUB_MAX);
	w.session_len = ENVELOPE_SESSION_MAX;
	memset(w.session, 's', ENVELOPE_SESSION_MAX);
	w.issued_before = TOKEN_TIME_MAX;
	assert_true(strlen(whom_text(&w, text)) < WHOM_TEXT - 1);
	assert_string_equal(text + strlen(text) - 7, "4740992");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(networks_have_the_size_of_one_subscriber),
	    cmocka_unit_test(all_that_is_given_must_fit),
	    cmocka_unit_test(it_has_a_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("whom", tests, NULL, NULL);
}

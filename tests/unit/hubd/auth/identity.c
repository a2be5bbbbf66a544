/* What is read out of a token: who somebody is, what he may, until when and how often; and that
 * what is not as it has to be gives nothing. */
#include "auth/identity.h"

#include <sodium.h>
#include <stdio.h>

#include "hubd/token_stub.h"
#include "unit.h"

#define NOW 1700000000.0
#define MONO_MS 5000
#define JOIN "{\"hub\":{\"join\":[\"a\",\"b*\"]}}"

static struct auth auth;
static const char *wrong; /* the last one's */

static int setup(void **state)
{
	(void)state;
	auth = token_stub_auth(token_stub_secret);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	token_stub_free(&auth);
	return 0;
}

static enum token_error verify(const struct auth *how, const char *claims, struct identity **id)
{
	struct buf token = token_stub(&auth, claims);
	enum token_error e;

	*id = NULL;
	e = identity_verify(how, (struct span){token.data, token.len - 1}, NOW, MONO_MS, id,
			    &wrong);
	assert_int_equal(e == TOKEN_OK, *id != NULL);
	assert_int_equal(e == TOKEN_BAD_CLAIM, wrong != NULL);
	buf_free(&token);
	return e;
}

static struct identity *read_good(const char *claims)
{
	struct identity *id;

	if (verify(&auth, claims, &id) != TOKEN_OK)
		fail_msg("%s", claims);
	return id;
}

static bool may(const struct identity *id, enum right right, const char *name)
{
	return identity_may(id, right, (struct span){name, strlen(name)});
}

static void is_text(struct span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len)
		assert_memory_equal(got.p, want, got.len);
}

static void is_shown(const struct identity *id, const char *want)
{
	const struct blob *shown = identity_shown(id);

	assert_non_null(shown);
	is_text((struct span){shown->text, shown->len}, want);
}

static void who_it_is_and_until_when(void **state)
{
	struct auth shows = auth;
	struct identity *id = read_good("{\"sub\":\"an\\u006e \\\"x\\\"\",\"exp\":1700000100}");

	(void)state;
	is_text(identity_sub(id), "ann \"x\"");
	is_text(identity_user(id), "\"an\\u006e \\\"x\\\"\"");
	assert_true(identity_exp(id) > 1700000099 && identity_exp(id) < 1700000101);
	/* The end is one of connections' time, and has the leeway. */
	assert_int_equal(identity_end_s(id), 5 + 100 + TOKEN_LEEWAY + 1);
	is_text(identity_jti(id), "");
	is_text(identity_claims(id), "");
	identity_unref(id);
	id = read_good("{\"sub\":\"bob\",\"jti\":\"j\\u0031\",\"iat\":7}");
	is_text(identity_sub(id), "bob");
	is_text(identity_user(id), "\"bob\"");
	is_text(identity_jti(id), "j1");
	assert_true(identity_iat(id) > 6 && identity_iat(id) < 8);
	is_shown(id, ",\"user\":\"bob\"");
	identity_unref(id);
	id = read_good("{}");
	is_text(identity_sub(id), "");
	is_text(identity_user(id), "");
	assert_true(identity_exp(id) < 0);
	assert_int_equal(identity_end_s(id), 0);
	assert_null(identity_shown(id));
	identity_unref(id);
	/* What presence shows is one line, however it was written. */
	shows.info_claim = "about";
	assert_int_equal(verify(&shows, "{\"about\":{\"a\":\r\n1}}", &id), TOKEN_OK);
	is_shown(id, ",\"user_info\":{\"a\":  1}");
	identity_unref(id);
	assert_int_equal(verify(&shows, "{\"about\":[],\"sub\":\"ann\"}", &id), TOKEN_OK);
	is_shown(id, ",\"user\":\"ann\",\"user_info\":[]");
	is_text(identity_sub(id), "ann");
	identity_unref(id);
	shows.keeps_claims = true;
	assert_int_equal(verify(&shows, " {\"jti\":\"j\", \"sub\":\"\\u0061\"}", &id), TOKEN_OK);
	is_text(identity_claims(id), "{\"jti\":\"j\", \"sub\":\"\\u0061\"}");
	is_text(identity_sub(id), "a");
	is_text(identity_jti(id), "j");
	identity_unref(id);
	assert_int_equal(verify(&shows, "{\"exp\":1600000000}", &id), TOKEN_EXPIRED);
}

static void info_has_an_end(void **state)
{
	struct auth shows = auth;
	char claims[IDENTITY_INFO_MAX + 32];
	struct identity *id;

	(void)state;
	shows.info_claim = "x";
	snprintf(claims, sizeof(claims), "{\"x\":\"%0*d\"}", IDENTITY_INFO_MAX - 2, 0);
	assert_int_equal(verify(&shows, claims, &id), TOKEN_OK);
	identity_unref(id);
	snprintf(claims, sizeof(claims), "{\"x\":\"%0*d\"}", IDENTITY_INFO_MAX - 1, 0);
	assert_int_equal(verify(&shows, claims, &id), TOKEN_BAD_CLAIM);
	assert_string_equal(wrong, "x");
	assert_int_equal(verify(&auth, claims, &id), TOKEN_OK); /* which nobody looks at */
	identity_unref(id);
}

static void without_the_claim_all_but_admin(void **state)
{
	struct identity *id = read_good("{\"sub\":\"ann\"}");

	(void)state;
	for (int right = 0; right < RIGHTS; right++)
		assert_int_equal(may(id, (enum right)right, "anything"), right != RIGHT_ADMIN);
	identity_unref(id);
}

static void what_is_not_named_is_not_given(void **state)
{
	static const struct {
		const char *claims;
		enum right right;
		const char *name;
		bool may;
	} cases[] = {
	    {"{\"hub\":{}}", RIGHT_JOIN, "a", false},
	    {"{\"hub\":{}}", RIGHT_PUBLISH, "a", false},
	    {"{\"hub\":{}}", RIGHT_PRESENCE, "a", false},
	    {"{\"hub\":{}}", RIGHT_ADMIN, "", false},
	    /* These two limit what else is given. */
	    {"{\"hub\":{}}", RIGHT_READ, "a", true},
	    {"{\"hub\":{}}", RIGHT_TYPES, "a", true},
	    {"{\"hub\":{\"read\":[],\"types\":[]}}", RIGHT_READ, "a", false},
	    {"{\"hub\":{\"read\":[],\"types\":[]}}", RIGHT_TYPES, "a", false},
	    {JOIN, RIGHT_JOIN, "a", true},
	    {JOIN, RIGHT_JOIN, "bcd", true},
	    {JOIN, RIGHT_JOIN, "c", false},
	    {JOIN, RIGHT_PUBLISH, "a", false},
	    {"{\"hub\":{\"join\":[],\"join2\":[\"*\"]}}", RIGHT_JOIN, "a", false},
	    {"{\"hub\":{\"jo\\u0069n\":[\"a\"]}}", RIGHT_JOIN, "a", true},
	    {"{\"hub\":{\"publish\":[\"x\"],\"join\":[\"a\"]}}", RIGHT_PUBLISH, "x", true},
	    {"{\"hub\":{\"publish\":[\"x\"],\"join\":[\"a\"]}}", RIGHT_PUBLISH, "a", false},
	    {"{\"sub\":\"ann\",\"hub\":{\"join\":[\"of_$user\"]}}", RIGHT_JOIN, "of_ann", true},
	    {"{\"sub\":\"ann\",\"hub\":{\"join\":[\"of_$user\"]}}", RIGHT_JOIN, "of_bob", false},
	    {"{\"hub\":{\"join\":[\"of_$user\"]},\"sub\":\"ann\"}", RIGHT_JOIN, "of_ann", true},
	    {"{\"sub\":\"*\",\"hub\":{\"join\":[\"$user\"]}}", RIGHT_JOIN, "x", false},
	    {"{\"hub\":{\"join\":[\"$user\"]}}", RIGHT_JOIN, "", false},
	    {"{\"hub\":{\"presence\":true}}", RIGHT_PRESENCE, "a", true},
	    {"{\"hub\":{\"presence\":false}}", RIGHT_PRESENCE, "a", false},
	    {"{\"hub\":{\"admin\":true}}", RIGHT_ADMIN, "", true},
	    {"{\"hub\":{\"admin\":true}}", RIGHT_JOIN, "a", false},
	    {"{\"hub\":{\"admin\":false}}", RIGHT_ADMIN, "", false},
	    {"{\"admin\":true}", RIGHT_ADMIN, "", false},
	    {"{\"hub\":{\"of\":\"later\",\"join\":[\"a\"]}}", RIGHT_JOIN, "a", true},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct identity *id = read_good(cases[i].claims);

		if (may(id, cases[i].right, cases[i].name) != cases[i].may)
			fail_msg("%s: %s %s", cases[i].claims, right_name(cases[i].right),
				 cases[i].name);
		identity_unref(id);
	}
}

static void what_is_not_of_its_form_gives_nothing(void **state)
{
	static const char *const cases[][2] = {
	    {"{\"hub\":[]}", "hub"},
	    {"{\"hub\":null}", "hub"},
	    {"{\"hub\":\"*\"}", "hub"},
	    {"{\"hub\":true}", "hub"},
	    {"{\"hub\":{\"join\":\"*\"}}", "hub.join"},
	    {"{\"hub\":{\"join\":{}}}", "hub.join"},
	    {"{\"hub\":{\"join\":true}}", "hub.join"},
	    {"{\"hub\":{\"join\":[1]}}", "hub.join"},
	    {"{\"hub\":{\"join\":[\"a\",null]}}", "hub.join"},
	    {"{\"hub\":{\"publish\":5}}", "hub.publish"},
	    {"{\"hub\":{\"read\":\"\"}}", "hub.read"},
	    {"{\"hub\":{\"types\":null}}", "hub.types"},
	    {"{\"hub\":{\"presence\":1}}", "hub.presence"},
	    {"{\"hub\":{\"presence\":\"true\"}}", "hub.presence"},
	    {"{\"hub\":{\"admin\":null}}", "hub.admin"},
	    {"{\"hub\":{\"rate\":\"5\"}}", "hub.rate"},
	    {"{\"hub\":{\"rate\":0}}", "hub.rate"},
	    {"{\"hub\":{\"rate\":-1}}", "hub.rate"},
	    {"{\"hub\":{\"rate\":1e7}}", "hub.rate"},
	    {"{\"hub\":{\"rate\":1e999}}", "hub.rate"},
	    {"{\"hub\":{\"rate\":1.00000000000000000000000000000000}}", "hub.rate"},
	    {"{\"sub\":5}", "sub"},
	};
	struct identity *id;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		if (verify(&auth, cases[i][0], &id) != TOKEN_BAD_CLAIM ||
		    strcmp(wrong, cases[i][1]) != 0)
			fail_msg("%s: %s", cases[i][0], wrong);
}

static void lists_have_an_end(void **state)
{
	struct buf claims = {0};
	struct identity *id;

	(void)state;
	for (int n = TOKEN_HUB_GLOBS; n <= TOKEN_HUB_GLOBS + 1; n++) {
		claims.len = 0;
		assert_int_equal(buf_puts(&claims, "{\"hub\":{\"join\":[\"x\""), 0);
		for (int i = 1; i < n; i++)
			assert_int_equal(buf_printf(&claims, ",\"s%d\"", i), 0);
		assert_int_equal(buf_put(&claims, "]}}", 4), 0);
		assert_int_equal(verify(&auth, claims.data, &id),
				 n > TOKEN_HUB_GLOBS ? TOKEN_BAD_CLAIM : TOKEN_OK);
		if (id)
			assert_true(may(id, RIGHT_JOIN, "s63"));
		identity_unref(id);
	}
	buf_free(&claims);
}

static void what_is_equal_is_there_once(void **state)
{
	struct identity *a = read_good("{\"sub\":\"ann\",\"hub\":{\"join\":[\"a\"]}}");
	struct identity *b = read_good("{\"hub\":{\"join\":[\"a\"]},\"sub\":\"ann\"}");
	static const char *const others[] = {
	    "{\"sub\":\"bob\",\"hub\":{\"join\":[\"a\"]}}",
	    "{\"sub\":\"ann\",\"hub\":{\"join\":[\"b\"]}}",
	    "{\"sub\":\"ann\",\"hub\":{\"publish\":[\"a\"]}}",
	    "{\"sub\":\"ann\",\"hub\":{\"join\":[\"a\"],\"rate\":2}}",
	    "{\"sub\":\"ann\",\"hub\":{\"join\":[\"a\"],\"presence\":true}}",
	    "{\"sub\":\"ann\",\"hub\":{\"join\":[\"a\"],\"admin\":true}}",
	    "{\"sub\":\"ann\",\"exp\":1700000100,\"hub\":{\"join\":[\"a\"]}}",
	    "{\"sub\":\"ann\",\"iat\":1600000000,\"hub\":{\"join\":[\"a\"]}}",
	    "{\"sub\":\"ann\",\"jti\":\"a\",\"hub\":{\"join\":[\"a\"]}}",
	    "{\"hub\":{\"join\":[\"a\"]}}",
	};

	(void)state;
	assert_ptr_equal(a, b);
	identity_unref(b);
	for (size_t i = 0; i < UNIT_COUNT(others); i++) {
		b = read_good(others[i]);
		assert_ptr_not_equal(a, b);
		identity_unref(b);
	}
	/* It goes with who is the last to have it. */
	assert_ptr_equal(identity_ref(a), a);
	identity_unref(a);
	is_text(identity_sub(a), "ann");
	identity_unref(a);
	a = read_good("{\"sub\":\"ann\",\"hub\":{\"join\":[\"a\"]}}");
	is_text(identity_sub(a), "ann");
	identity_unref(a);
}

static void a_rate_is_told(void **state)
{
	struct identity *id = read_good("{\"hub\":{\"rate\":0.5}}");

	(void)state;
	assert_true(identity_rate(id) > 0.4 && identity_rate(id) < 0.6);
	identity_unref(id);
	id = read_good("{}");
	assert_true(identity_rate(id) < 0.1);
	identity_unref(id);
}

static void nobody_may_nothing(void **state)
{
	(void)state;
	for (int right = 0; right < RIGHTS; right++) {
		assert_false(may(&identity_none, (enum right)right, "a"));
		assert_true(strlen(right_name((enum right)right)) > 3);
	}
	assert_ptr_equal(identity_ref(&identity_none), &identity_none);
	identity_unref(&identity_none);
	assert_null(identity_ref(NULL));
	identity_unref(NULL);
}

static void what_is_no_token_of_ours_is_nobody(void **state)
{
	struct auth other = token_stub_auth("another secret, of more than 32 bytes");
	struct identity *id;

	(void)state;
	assert_int_equal(verify(&other, "{}", &id), TOKEN_BAD_SIGNATURE);
	assert_int_equal(identity_verify(&auth, (struct span){"a.b", 3}, NOW, 1, &id, &wrong),
			 TOKEN_NOT_COMPACT);
	assert_int_equal(identity_verify(&auth, (struct span){0}, NOW, 1, &id, &wrong),
			 TOKEN_NOT_COMPACT);
	assert_null(id);
	token_stub_free(&other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_it_is_and_until_when),
	    cmocka_unit_test(info_has_an_end),
	    cmocka_unit_test(without_the_claim_all_but_admin),
	    cmocka_unit_test(what_is_not_named_is_not_given),
	    cmocka_unit_test(what_is_not_of_its_form_gives_nothing),
	    cmocka_unit_test(lists_have_an_end),
	    cmocka_unit_test(what_is_equal_is_there_once),
	    cmocka_unit_test(a_rate_is_told),
	    cmocka_unit_test(nobody_may_nothing),
	    cmocka_unit_test(what_is_no_token_of_ours_is_nobody),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("identity", tests, setup, teardown);
}

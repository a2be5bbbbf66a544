/* Keys: the vectors of the RFCs, every algorithm there and back, signatures that must not pass. */
#include "token/token_key.h"

#include <string.h>

#include "token/token_base64.h"
#include "token/token_jwk.h"
#include "token_vectors.h"
#include "unit.h"

static struct token_key *jwk(const char *text)
{
	struct token_key *k = NULL;
	char why[200] = "";

	if (token_jwk_read(text, strlen(text), &k, why, sizeof(why)) != TOKEN_JWK_KEY)
		fail_msg("%s: %s", text, why);
	return k;
}

/* Whether the key finds the token's signature good. */
static bool good(const struct token_key *k, const char *token)
{
	const char *dot = strrchr(token, '.');
	unsigned char signature[TOKEN_SIGNATURE_MAX];
	int n = token_base64_decode(dot + 1, strlen(dot + 1), signature, sizeof(signature));

	assert_true(n > 0);
	return token_key_verify(k, token, (size_t)(dot - token), signature, (size_t)n);
}

static void test_vectors(void **state)
{
	static const struct {
		const char *public, *private, *token;
		enum token_alg alg;
		bool same; /* the signature is the same each time */
	} v[] = {
	    {A1_KEY, A1_KEY, A1_TOKEN, TOKEN_HS256, true},
	    {"{" A2_PUBLIC "}", "{" A2_PUBLIC "," A2_PRIVATE "}", A2_TOKEN, TOKEN_RS256, true},
	    {"{" A3_PUBLIC "}", "{" A3_PUBLIC "," A3_PRIVATE "}", A3_TOKEN, TOKEN_ES256, false},
	    {"{" ED_PUBLIC "}", "{" ED_PUBLIC "," ED_PRIVATE "}", ED_SIGNED "." ED_SIGNATURE,
	     TOKEN_EDDSA, true},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(v); i++) {
		struct token_key *k = jwk(v[i].public), *s = jwk(v[i].private);
		size_t len = (size_t)(strrchr(v[i].token, '.') - v[i].token);
		unsigned char made[TOKEN_SIGNATURE_MAX];
		struct buf text = {0};
		int n;

		assert_int_equal(k->alg, v[i].alg);
		assert_true(good(k, v[i].token) && good(s, v[i].token));
		assert_true(s->secret && s->signs);
		n = token_key_sign(s, v[i].token, len, made);
		assert_true(n > 0 && token_key_verify(k, v[i].token, len, made, (size_t)n));
		assert_int_equal(token_base64_encode(&text, made, (size_t)n), 0);
		if (v[i].same) {
			assert_int_equal(text.len, strlen(v[i].token + len + 1));
			assert_memory_equal(text.data, v[i].token + len + 1, text.len);
		}
		if (i)
			assert_int_equal(token_key_sign(k, v[i].token, len, made), -1);
		buf_free(&text);
		token_key_free(k);
		token_key_free(s);
	}
}

static void test_thumbprint(void **state)
{
	struct token_key *k = jwk("{" ED_PUBLIC "}");

	(void)state;
	assert_int_equal(token_jwk_name(k), 0);
	assert_int_equal(k->kid_len, strlen(ED_THUMBPRINT));
	assert_memory_equal(k->kid, ED_THUMBPRINT, k->kid_len);
	token_key_free(k);
}

/* Each algorithm: a new key, as JSON and back; no changed bit of a signature passes, nor a cut one.
 */
static void test_each(void **state)
{
	static const char text[] = "what is signed";

	(void)state;
	for (enum token_alg alg = 0; alg < TOKEN_ALGS; alg++) {
		struct token_key *k = token_key_new(alg), *again, *public = NULL, *other;
		unsigned char s[TOKEN_SIGNATURE_MAX];
		struct buf json = {0};
		int n;

		assert_non_null(k);
		assert_null(token_key_check(k));
		assert_int_equal(token_jwk_name(k), 0);
		assert_int_equal(token_jwk_write(k, true, &json), 0);
		assert_int_equal(buf_put(&json, "", 1), 0);
		again = jwk(json.data);
		assert_int_equal(again->alg, alg);
		assert_int_equal(again->kid_len, k->kid_len);
		assert_memory_equal(again->kid, k->kid, k->kid_len);
		json.len = 0;
		assert_int_equal(token_jwk_write(k, false, &json), token_alg_hmac(alg) ? -22 : 0);
		if (!token_alg_hmac(alg)) {
			assert_int_equal(buf_put(&json, "", 1), 0);
			public = jwk(json.data);
			assert_false(public->secret);
		}
		n = token_key_sign(again, text, sizeof(text), s);
		assert_true(n > 0);
		assert_true(token_key_verify(k, text, sizeof(text), s, (size_t)n));
		if (public)
			assert_true(token_key_verify(public, text, sizeof(text), s, (size_t)n));
		other = token_key_new(alg);
		assert_false(token_key_verify(other, text, sizeof(text), s, (size_t)n));
		assert_false(token_key_verify(k, text, sizeof(text) - 1, s, (size_t)n));
		for (int cut = 0; cut < n; cut++)
			assert_false(token_key_verify(k, text, sizeof(text), s, (size_t)cut));
		for (int i = 0; i < n; i++) {
			s[i] ^= 1;
			assert_false(token_key_verify(k, text, sizeof(text), s, (size_t)n));
			s[i] ^= 1;
		}
		memset(s, 0, sizeof(s));
		assert_false(token_key_verify(k, text, sizeof(text), s, (size_t)n));
		buf_free(&json);
		token_key_free(k);
		token_key_free(again);
		token_key_free(public);
		token_key_free(other);
	}
}

static void test_base64(void **state)
{
	static const char *const bad[] = {"A",	   "AA=",   "AA==",    "AB",   "AAB",
					  "A A",   "AA\n",  "AA+A",    "AA/A", "A.",
					  "AAAAA", "AA%3D", "\xc3\xa9"};
	unsigned char out[8];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		assert_int_equal(token_base64_decode(bad[i], strlen(bad[i]), out, sizeof(out)), -1);
	assert_int_equal(token_base64_decode("", 0, out, sizeof(out)), 0);
	assert_int_equal(token_base64_decode("_-8", 3, out, sizeof(out)), 2);
	assert_memory_equal(out, "\xff\xef", 2);
	assert_int_equal(token_base64_decode("AAAAAAAAAAAA", 12, out, sizeof(out)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_thumbprint),
	    cmocka_unit_test(test_each),
	    cmocka_unit_test(test_base64),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

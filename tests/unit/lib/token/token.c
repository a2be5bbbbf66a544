/* Tokens, good and bad, each from a table: its header and its claims as they are written, and what
 * comes of it. */
#include "token/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/token_base64.h"
#include "token/token_jwk.h"
#include "token_vectors.h"
#include "unit.h"

#define NOW 1700000000.0

static struct token_keys *keys; /* a key of each algorithm with kid "HS256" and so on, and A1_KEY */
static const struct token_key *signer[TOKEN_ALGS];

static int setup(void **state)
{
	char why[200];

	(void)state;
	keys = token_keys_new();
	for (enum token_alg alg = 0; alg < TOKEN_ALGS; alg++) {
		struct token_key *k = token_key_new(alg);
		struct buf json = {0};

		k->kid_len = strlen(token_alg_name(alg));
		memcpy(k->kid, token_alg_name(alg), k->kid_len);
		assert_int_equal(token_jwk_write(k, true, &json), 0);
		assert_int_equal(
		    token_keys_parse(keys, json.data, json.len, 0600, why, sizeof(why)), 0);
		signer[alg] = token_keys_at(keys, alg);
		buf_free(&json);
		token_key_free(k);
	}
	assert_int_equal(token_keys_parse(keys, A1_KEY, strlen(A1_KEY), 0600, why, sizeof(why)), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	token_keys_free(keys);
	return 0;
}

/* A token of exactly these texts, with a NUL. */
static void make(const struct token_key *k, const char *header, const char *claims, struct buf *out)
{
	unsigned char signature[TOKEN_SIGNATURE_MAX];
	int n;

	out->len = 0;
	assert_int_equal(token_base64_encode(out, header, strlen(header)), 0);
	assert_int_equal(buf_puts(out, "."), 0);
	assert_int_equal(token_base64_encode(out, claims, strlen(claims)), 0);
	n = token_key_sign(k, out->data, out->len, signature);
	assert_true(n > 0);
	assert_int_equal(buf_puts(out, "."), 0);
	assert_int_equal(token_base64_encode(out, signature, (size_t)n), 0);
	assert_int_equal(buf_put(out, "", 1), 0);
}

static const char *const aud[] = {"hub", "other hub"}, *const iss[] = {"joe", "ann"};

static enum token_error verify(const char *text, size_t len, unsigned want)
{
	struct token_rules rules = {.keys = keys};
	struct token t;
	enum token_error e;

	if (want & 1) {
		rules.expected.audiences = aud;
		rules.expected.naudiences = 2;
	}
	if (want & 2) {
		rules.expected.issuers = iss;
		rules.expected.nissuers = 2;
	}
	e = token_verify(&rules, text, len, NOW, &t);
	if (e == TOKEN_OK)
		assert_non_null(t.key);
	token_free(&t);
	return e;
}

#define H "{\"alg\":\"HS256\"}"
#define DEEP10 "[[[[[[[[[["
#define PEED10 "]]]]]]]]]]"
#define DEEP60 DEEP10 DEEP10 DEEP10 DEEP10 DEEP10 DEEP10
#define PEED60 PEED10 PEED10 PEED10 PEED10 PEED10 PEED10
#define NAME64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NAME256 NAME64 NAME64 NAME64 NAME64

struct row {
	enum token_error want;
	const char *header, *claims;
	unsigned rules; /* 1: audiences, 2: issuers */
};

/* Signed by the HS256 key unless the header says another algorithm that is known. */
static const struct row rows[] = {
    /* good ones */
    {TOKEN_OK, H, "{}", 0},
    {TOKEN_OK, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", "{}", 0},
    {TOKEN_OK, "{\"typ\":\"jwt\",\"alg\":\"HS256\"}", "{}", 0},
    {TOKEN_OK, "{\"typ\":\"at+jwt\",\"alg\":\"HS256\"}", "{}", 0},
    {TOKEN_OK, "{\"typ\":\"application/at+JWT\",\"alg\":\"HS256\"}", "{}", 0},
    {TOKEN_OK, " {\r\n\"alg\" : \"HS256\"\n} ", " {\n} ", 0},
    {TOKEN_OK, "{\"\\u0061lg\":\"HS\\u003256\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"HS256\",\"kid\":\"HS256\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"HS256\",\"jku\":\"https://evil/\",\"x5c\":[\"AA\"]}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"HS256\",\"cty\":\"json\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"HS384\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"HS512\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"EdDSA\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"ES256\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"RS256\"}", "{}", 0},
    {TOKEN_OK, "{\"alg\":\"PS256\",\"kid\":\"PS256\"}", "{}", 0},
    {TOKEN_OK, H, "{\"exp\":1700000001}", 0},
    {TOKEN_OK, H, "{\"exp\":1699999941}", 0}, /* within the leeway */
    {TOKEN_OK, H, "{\"exp\":1.7000001e9}", 0},
    {TOKEN_OK, H, "{\"exp\":1700000001.5,\"nbf\":1699999999.25,\"iat\":1600000000}", 0},
    {TOKEN_OK, H, "{\"nbf\":1700000060}", 0},
    {TOKEN_OK, H, "{\"iat\":1700000060,\"exp\":1700000061}", 0},
    {TOKEN_OK, H, "{\"sub\":\"ann\",\"jti\":\"1\",\"iss\":\"x\"}", 0},
    {TOKEN_OK, H, "{\"aud\":\"hub\"}", 1},
    {TOKEN_OK, H, "{\"aud\":[\"a\",\"other hub\"]}", 1},
    {TOKEN_OK, H, "{\"aud\":\"h\\u0075b\",\"iss\":\"joe\"}", 3},
    {TOKEN_OK, H, "{\"iss\":\"ann\"}", 2},
    {TOKEN_OK, H, "{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]}}}", 0},
    {TOKEN_OK, H, "{\"a\":" DEEP60 PEED60 "}", 0},
    {TOKEN_OK, H, "{\"sub\":\"Zo\\u00eb \xc3\xab\"}", 0},
    {TOKEN_OK, H, "{\"hub\":{\"join\":[\"*\"]},\"sub\":\"ann\",\"exp\":1700003600}", 0},

    /* headers */
    {TOKEN_BAD_ALG, "{}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"typ\":\"JWT\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"none\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"None\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"NONE\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"n\\u006fne\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"hs256\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"HS256 \"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"HS256\\u0000\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"HS1\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"RS512\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"ES256K\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"ES384\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"dir\",\"enc\":\"A128GCM\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":null}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":256}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":true}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":[\"HS256\"]}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":{\"alg\":\"HS256\"}}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"Alg\":\"HS256\"}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"a\":{\"alg\":\"HS256\"}}", "{}", 0},
    {TOKEN_BAD_ALG, "{\"alg\":\"\\ud800\"}", "{}", 0},
    {TOKEN_DUPLICATE, "{\"alg\":\"none\",\"alg\":\"HS256\"}", "{}", 0},
    {TOKEN_DUPLICATE, "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", "{}", 0},
    {TOKEN_DUPLICATE, "{\"alg\":\"HS256\",\"kid\":\"HS256\",\"kid\":\"HS256\"}", "{}", 0},
    {TOKEN_DUPLICATE, "{\"alg\":\"HS256\",\"x\":{\"a\":1,\"a\":1}}", "{}", 0},
    {TOKEN_BAD_HEADER, "", "{}", 0}, /* no header at all is TOKEN_NOT_COMPACT: see below */
    {TOKEN_BAD_HEADER, "null", "{}", 0},
    {TOKEN_BAD_HEADER, "[]", "{}", 0},
    {TOKEN_BAD_HEADER, "\"HS256\"", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\"", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\"}}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\"}{}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\",}", "{}", 0},
    {TOKEN_BAD_HEADER, "{'alg':'HS256'}", "{}", 0},
    {TOKEN_BAD_HEADER, "{alg:\"HS256\"}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\",\"n\":01}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\",\"n\":NaN}", "{}", 0},
    {TOKEN_BAD_HEADER, "\xef\xbb\xbf{\"alg\":\"HS256\"}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\",\"x\":\"\xff\"}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\",\"x\":\"\t\"}", "{}", 0},
    {TOKEN_BAD_HEADER, "{\"alg\":\"HS256\",\"x\":" DEEP60 DEEP10 PEED10 PEED60 "}", "{}", 0},
    {TOKEN_TOO_LARGE, "{\"alg\":\"HS256\",\"x\":\"" NAME256 NAME256 NAME256 NAME256 "\"}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"typ\":\"JWE\"}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"typ\":1}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"typ\":\"\"}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"cty\":\"JWT\"}", "{}", 0},
    {TOKEN_BAD_TYP, "{\"alg\":\"HS256\",\"cty\":[]}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"crit\":[]}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"crit\":null}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"cr\\u0069t\":[\"x\"]}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"b64\":false}", "{}", 0},
    {TOKEN_CRITICAL, "{\"alg\":\"HS256\",\"b64\":true}", "{}", 0},
    {TOKEN_BAD_KID, "{\"alg\":\"HS256\",\"kid\":1}", "{}", 0},
    {TOKEN_BAD_KID, "{\"alg\":\"HS256\",\"kid\":\"\"}", "{}", 0},
    {TOKEN_BAD_KID, "{\"alg\":\"HS256\",\"kid\":null}", "{}", 0},
    {TOKEN_BAD_KID, "{\"alg\":\"HS256\",\"kid\":\"" NAME256 "x\"}", "{}", 0},
    {TOKEN_BAD_KID, "{\"alg\":\"HS256\",\"kid\":\"\\udc00\"}", "{}", 0},
    {TOKEN_NO_KEY, "{\"alg\":\"HS384\",\"kid\":\"HS256\"}", "{}", 0},
    {TOKEN_NO_KEY, "{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\"}", "{}", 0},
    {TOKEN_NO_KEY, "{\"alg\":\"EdDSA\",\"kid\":\"eddsa\"}", "{}", 0},
    /* A1_KEY has no kid, so it could have made this. */
    {TOKEN_BAD_SIGNATURE, "{\"alg\":\"HS256\",\"kid\":\"unknown\"}", "{}", 0},

    /* claims */
    {TOKEN_BAD_CLAIMS, H, "", 0},
    {TOKEN_BAD_CLAIMS, H, "null", 0},
    {TOKEN_BAD_CLAIMS, H, "[]", 0},
    {TOKEN_BAD_CLAIMS, H, "\"{}\"", 0},
    {TOKEN_BAD_CLAIMS, H, "{", 0},
    {TOKEN_BAD_CLAIMS, H, "{}x", 0},
    {TOKEN_BAD_CLAIMS, H, "{\"a\":1,}", 0},
    {TOKEN_BAD_CLAIMS, H, "{\"a\":Infinity}", 0},
    {TOKEN_BAD_CLAIMS, H, "{\"a\":\"\xc0\x80\"}", 0},
    {TOKEN_BAD_CLAIMS, H, "{\"a\":" DEEP60 DEEP10 PEED10 PEED60 "}", 0},
    {TOKEN_DUPLICATE, H, "{\"sub\":\"a\",\"sub\":\"b\"}", 0},
    {TOKEN_DUPLICATE, H, "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}", 0},
    {TOKEN_DUPLICATE, H, "{\"exp\":1800000000,\"exp\":1}", 0},
    {TOKEN_DUPLICATE, H, "{\"hub\":{\"admin\":false,\"admin\":true}}", 0},
    {TOKEN_DUPLICATE, H, "{\"a\":[[{\"x\":1,\"y\":2,\"x\":3}]]}", 0},
    {TOKEN_DUPLICATE, H, "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 0},
    {TOKEN_DUPLICATE, H, "{\"\":1,\"\":2}", 0},
    {TOKEN_DUPLICATE, H, "{\"\\ud800\":1}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":\"1800000000\"}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":null}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":true}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":[1800000000]}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":{}}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":-1}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":1e400}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":9007199254740994}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"exp\":1800000000.0000000000000000000000000}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"nbf\":\"now\"}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"iat\":false}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"iat\":-5}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":1}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":\"\"}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":null}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":[\"ann\"]}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":\"a\\u0000b\"}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":\"\\ud800\"}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"sub\":\"" NAME256 "\"}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"iss\":{}}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"jti\":7}", 0},
    {TOKEN_BAD_CLAIM, H, "{\"aud\":1}", 1},
    {TOKEN_BAD_CLAIM, H, "{\"aud\":[\"hub\",1]}", 1},
    {TOKEN_BAD_CLAIM, H, "{\"aud\":{\"hub\":1}}", 1},
    {TOKEN_EXPIRED, H, "{\"exp\":1699999940}", 0},
    {TOKEN_EXPIRED, H, "{\"exp\":0}", 0},
    {TOKEN_EXPIRED, "{\"alg\":\"EdDSA\"}", "{\"exp\":1699990000,\"iat\":1}", 0},
    {TOKEN_NOT_YET, H, "{\"nbf\":1700000061}", 0},
    {TOKEN_NOT_YET, H, "{\"nbf\":1700000060.5}", 0},
    {TOKEN_BAD_TIMES, H, "{\"iat\":1700000061}", 0},
    {TOKEN_BAD_TIMES, H, "{\"iat\":1700000000,\"exp\":1700000000}", 0},
    {TOKEN_BAD_TIMES, H, "{\"iat\":1700000050,\"exp\":1700000040}", 0},
    {TOKEN_BAD_ISSUER, H, "{}", 2},
    {TOKEN_BAD_ISSUER, H, "{\"iss\":\"Joe\"}", 2},
    {TOKEN_BAD_ISSUER, H, "{\"iss\":\"joe \"}", 2},
    {TOKEN_BAD_AUDIENCE, H, "{}", 1},
    {TOKEN_BAD_AUDIENCE, H, "{\"aud\":\"Hub\"}", 1},
    {TOKEN_BAD_AUDIENCE, H, "{\"aud\":[]}", 1},
    {TOKEN_BAD_AUDIENCE, H, "{\"aud\":[\"x\",\"hubs\"]}", 1},
    {TOKEN_BAD_AUDIENCE, H, "{\"aud\":\"\"}", 1},
    {TOKEN_BAD_AUDIENCE, H, "{\"aud\":\"hub\"}", 0}, /* for somebody, and nobody is expected here */
    {TOKEN_BAD_AUDIENCE, H, "{\"aud\":[]}", 0},
};

static const struct token_key *signer_of(const char *header)
{
	for (int alg = TOKEN_HS384; alg < TOKEN_ALGS; alg++) {
		char member[32];

		snprintf(member, sizeof(member), "\"alg\":\"%s\"",
			 token_alg_name((enum token_alg)alg));
		if (strstr(header, member))
			return signer[alg];
	}
	return signer[TOKEN_HS256];
}

static void test_rows(void **state)
{
	unsigned good = 0, bad = 0;
	struct buf text = {0};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		enum token_error got, want = *r->header ? r->want : TOKEN_NOT_COMPACT;

		make(signer_of(r->header), r->header, r->claims, &text);
		got = verify(text.data, text.len - 1, r->rules);
		if (got != want)
			fail_msg("%s %s: %s, not %s", r->header, r->claims, token_error_name(got),
				 token_error_name(want));
		got == TOKEN_OK ? good++ : bad++;
	}
	buf_free(&text);
	print_message("%u good tokens, %u bad ones\n", good, bad);
	assert_true(good >= 25 && bad >= 80);
}

/* What no table of texts can say: forms, and tokens that were changed on the way. */
static void test_forms(void **state)
{
	static const struct {
		const char *text;
		enum token_error want;
	} v[] = {
	    {"", TOKEN_NOT_COMPACT},
	    {".", TOKEN_NOT_COMPACT},
	    {"..", TOKEN_NOT_COMPACT},
	    {"...", TOKEN_NOT_COMPACT},
	    {"a.b", TOKEN_NOT_COMPACT},
	    {"eyJhbGciOiJIUzI1NiJ9.e30", TOKEN_NOT_COMPACT},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.AA.AA.AA", TOKEN_NOT_COMPACT},
	    {"{\"payload\":\"e30\",\"signatures\":[]}", TOKEN_NOT_COMPACT},
	    {"eyJhbGciOiJub25lIn0.e30.", TOKEN_BAD_ALG},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.", TOKEN_BAD_SIGNATURE},
	    {"eyJhbGciOiJIUzI1NiJ9..", TOKEN_BAD_SIGNATURE},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.AA", TOKEN_BAD_SIGNATURE},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.AB", TOKEN_BAD_BASE64},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.AA==", TOKEN_BAD_BASE64},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.A", TOKEN_BAD_BASE64},
	    {"eyJhbGciOiJIUzI1NiJ9.e30.+/+/", TOKEN_BAD_BASE64},
	    {"eyJhbGciOiJIUzI1NiJ9=.e30.AA", TOKEN_BAD_BASE64},
	    {" eyJhbGciOiJIUzI1NiJ9.e30.AA", TOKEN_BAD_BASE64},
	    {"Bearer eyJhbGciOiJIUzI1NiJ9.e30.AA", TOKEN_BAD_BASE64},
	    {"eyJhbGciOiJIUzI1NiJ9\n.e30.AA", TOKEN_BAD_BASE64},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(v); i++) {
		enum token_error got = verify(v[i].text, strlen(v[i].text), 0);

		if (got != v[i].want)
			fail_msg("%s: %s", v[i].text, token_error_name(got));
	}
}

/* Every character of a token changed, cut, or added to: never good. */
static void test_changes(void **state)
{
	struct buf text = {0};

	(void)state;
	for (enum token_alg alg = 0; alg < TOKEN_ALGS; alg++) {
		char header[64];
		size_t len;

		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", token_alg_name(alg));
		make(signer[alg], header, "{\"sub\":\"ann\"}", &text);
		len = text.len - 1;
		assert_int_equal(verify(text.data, len, 0), TOKEN_OK);
		for (size_t i = 0; i < len; i++) {
			char was = text.data[i];

			text.data[i] = was == 'A' ? 'B' : 'A';
			assert_int_not_equal(verify(text.data, len, 0), TOKEN_OK);
			text.data[i] = was;
			assert_int_not_equal(verify(text.data, i, 0), TOKEN_OK);
		}
		text.data[len] = 'A';
		assert_int_not_equal(verify(text.data, len + 1, 0), TOKEN_OK);
	}
	buf_free(&text);
}

/* Another algorithm than the key's: a public key as an HMAC secret, RSA one way for the other. */
static void test_confusion(void **state)
{
	struct buf public = {0}, text = {0};
	struct token_key *forger;

	(void)state;
	assert_int_equal(token_jwk_write(signer[TOKEN_RS256], false, &public), 0);
	forger = token_key_hmac(TOKEN_HS256, (unsigned char *)public.data, public.len);
	make(forger, "{\"alg\":\"HS256\",\"kid\":\"RS256\"}", "{}", &text);
	assert_int_equal(verify(text.data, text.len - 1, 0), TOKEN_BAD_SIGNATURE);
	make(forger, "{\"alg\":\"RS256\",\"kid\":\"RS256\"}", "{}", &text);
	assert_int_equal(verify(text.data, text.len - 1, 0), TOKEN_BAD_SIGNATURE);
	token_key_free(forger);

	make(signer[TOKEN_PS256], "{\"alg\":\"RS256\"}", "{}", &text);
	assert_int_equal(verify(text.data, text.len - 1, 0), TOKEN_BAD_SIGNATURE);
	make(signer[TOKEN_RS256], "{\"alg\":\"PS256\"}", "{}", &text);
	assert_int_equal(verify(text.data, text.len - 1, 0), TOKEN_BAD_SIGNATURE);
	make(signer[TOKEN_HS512], "{\"alg\":\"HS256\"}", "{}", &text);
	assert_int_equal(verify(text.data, text.len - 1, 0), TOKEN_BAD_SIGNATURE);
	make(signer[TOKEN_EDDSA], "{\"alg\":\"ES256\"}", "{}", &text);
	assert_int_equal(verify(text.data, text.len - 1, 0), TOKEN_BAD_SIGNATURE);
	buf_free(&public);
	buf_free(&text);
}

static void test_size(void **state)
{
	struct buf claims = {0}, text = {0};
	struct token_rules rules = {.keys = keys};
	struct token t;
	size_t len;

	(void)state;
	/* Of exactly TOKEN_MAX bytes, and one more. */
	assert_int_equal(buf_puts(&claims, "{\"a\":\""), 0);
	do {
		assert_int_equal(buf_puts(&claims, "x"), 0);
		assert_int_equal(buf_puts(&claims, "\"}"), 0);
		text.len = 0;
		assert_int_equal(token_sign(signer[TOKEN_HS256], claims.data, claims.len, &text),
				 0);
		claims.len -= 2;
	} while (text.len < TOKEN_MAX - 1);
	len = text.len;
	assert_true(len <= TOKEN_MAX);
	assert_int_equal(verify(text.data, len, 0), TOKEN_OK);
	rules.max = len - 1;
	assert_int_equal(token_verify(&rules, text.data, len, NOW, &t), TOKEN_TOO_LARGE);
	token_free(&t);
	assert_int_equal(token_decode(text.data, len, 100, &t), TOKEN_TOO_LARGE);
	token_free(&t);
	assert_int_equal(buf_puts(&text, "AAAA"), 0);
	assert_int_equal(verify(text.data, text.len, 0), TOKEN_TOO_LARGE);
	buf_free(&claims);
	buf_free(&text);
}

static void test_many_names(void **state)
{
	struct buf claims = {0}, text = {0};

	(void)state;
	for (int n = JSON_UNIQUE_MAX; n <= JSON_UNIQUE_MAX + 1; n++) {
		claims.len = text.len = 0;
		assert_int_equal(buf_puts(&claims, "{"), 0);
		for (int i = 0; i < n; i++)
			assert_int_equal(buf_printf(&claims, "%s\"%d\":1", i ? "," : "", i), 0);
		assert_int_equal(buf_puts(&claims, "}"), 0);
		assert_int_equal(token_sign(signer[TOKEN_HS256], claims.data, claims.len, &text),
				 0);
		assert_int_equal(verify(text.data, text.len, 0),
				 n == JSON_UNIQUE_MAX ? TOKEN_OK : TOKEN_DUPLICATE);
	}
	buf_free(&claims);
	buf_free(&text);
}

/* The RFC's own are good until they expire, at the second. */
static void test_rfc(void **state)
{
	static const char *const tokens[] = {A1_TOKEN, A2_TOKEN, A3_TOKEN};
	static const char *const jwks[] = {A1_KEY, "{" A2_PUBLIC "}", "{" A3_PUBLIC "}"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(tokens); i++) {
		struct token_keys *set = token_keys_new();
		struct token_rules rules = {.keys = set};
		struct token t;
		char why[200];

		assert_int_equal(
		    token_keys_parse(set, jwks[i], strlen(jwks[i]), 0600, why, sizeof(why)), 0);
		assert_int_equal(token_verify(&rules, tokens[i], strlen(tokens[i]),
					      RFC_TIME + TOKEN_LEEWAY - 1, &t),
				 TOKEN_OK);
		assert_int_equal(t.claims.iss.len, 3);
		assert_memory_equal(t.claims.iss.text, "joe", 3);
		assert_true(t.claims.exp == RFC_TIME && t.claims.nbf == -1);
		token_free(&t);
		assert_int_equal(
		    token_verify(&rules, tokens[i], strlen(tokens[i]), RFC_TIME + TOKEN_LEEWAY, &t),
		    TOKEN_EXPIRED);
		token_free(&t);
		token_keys_free(set);
	}
}

static void test_decode(void **state)
{
	struct token t;

	(void)state;
	assert_int_equal(token_decode(A2_TOKEN, strlen(A2_TOKEN), 0, &t), TOKEN_OK);
	assert_int_equal(t.header_len, 15);
	assert_memory_equal(t.header, "{\"alg\":\"RS256\"}", 15);
	assert_memory_equal(t.claims.json, "{\"iss\":\"joe\"", 12);
	assert_null(t.key);
	token_free(&t);
	/* Also what no key could have made. */
	assert_int_equal(token_decode("eyJhbGciOiJub25lIn0.e30.", 24, 0, &t), TOKEN_OK);
	token_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_changes), cmocka_unit_test(test_confusion),
	    cmocka_unit_test(test_size),    cmocka_unit_test(test_many_names),
	    cmocka_unit_test(test_rfc),	    cmocka_unit_test(test_decode),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}

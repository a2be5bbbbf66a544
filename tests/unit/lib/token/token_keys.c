/* What key files may hold, and what they may not: above all nothing public that would count as a
 * secret. */
#include "token/token_keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "token_vectors.h"
#include "unit.h"

#define SECRET32 "0123456789abcdef0123456789abcdef"

/* PEM of a key: public or private. */
static char *pem(EVP_PKEY *pkey, bool secret, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *out;
	long n;

	assert_int_equal(secret ? PEM_write_bio_PrivateKey(bio, pkey,
							   passphrase ? EVP_aes_128_cbc() : NULL,
							   NULL, 0, NULL, (void *)passphrase)
				: PEM_write_bio_PUBKEY(bio, pkey),
			 1);
	n = BIO_get_mem_data(bio, &data);
	out = calloc(1, (size_t)n + 1);
	assert_non_null(out);
	memcpy(out, data, (size_t)n);
	BIO_free(bio);
	return out;
}

static int parse(struct token_keys *set, const char *text, unsigned mode, char *why, size_t cap)
{
	*why = '\0';
	return token_keys_parse(set, text, strlen(text), mode, why, cap);
}

static void good(const char *text, unsigned mode, size_t n, enum token_alg alg)
{
	struct token_keys *set = token_keys_new();
	char why[200];

	if (parse(set, text, mode, why, sizeof(why)) != 0)
		fail_msg("%.60s: %s", text, why);
	assert_int_equal(token_keys_count(set), n);
	assert_int_equal(token_keys_at(set, 0)->alg, alg);
	token_keys_free(set);
}

static void bad(const char *text, unsigned mode, int status)
{
	struct token_keys *set = token_keys_new();
	char why[200];
	int got = parse(set, text, mode, why, sizeof(why));

	if (got != status)
		fail_msg("%.60s: %d, not %d: %s", text, got, status, why);
	assert_true(*why);
	assert_int_equal(token_keys_count(set), 0);
	token_keys_free(set);
}

static void test_good(void **state)
{
	(void)state;
	good(SECRET32, 0600, 1, TOKEN_HS256);
	good(SECRET32 "\n", 0400, 1, TOKEN_HS256);
	good(A1_KEY, 0600, 1, TOKEN_HS256);
	good("{" A2_PUBLIC "}", 0644, 1, TOKEN_RS256);
	good("{" A2_PUBLIC ",\"alg\":\"PS256\"}", 0644, 1, TOKEN_PS256);
	good("{" A2_PUBLIC "," A2_PRIVATE "}", 0600, 1, TOKEN_RS256);
	good(" \n{" A3_PUBLIC ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"kid\":\"k\"}\n", 0644, 1,
	     TOKEN_ES256);
	good("{" ED_PUBLIC ",\"alg\":\"EdDSA\"}", 0644, 1, TOKEN_EDDSA);
	good("{" ED_PUBLIC ",\"alg\":\"Ed25519\"}", 0644, 1, TOKEN_EDDSA);
	good("{\"keys\":[{" ED_PUBLIC "},{" A3_PUBLIC "},{" A2_PUBLIC "}]}", 0644, 3, TOKEN_EDDSA);
	/* Others are passed over. */
	good("{\"keys\":[{\"kty\":\"XYZ\"},{" A2_PUBLIC ",\"use\":\"enc\"},{" A2_PUBLIC
	     ",\"alg\":\"RS512\"},{" A3_PUBLIC "},{" A2_PUBLIC
	     ",\"key_ops\":[\"encrypt\"]}],\"more\":1}",
	     0644, 1, TOKEN_ES256);
}

static void test_bad(void **state)
{
	static const char *const data[] = {
	    "",
	    "0123456789abcdef0123456789abcde",
	    "0123456789abcdef0123456789abcde\n",
	    "{",
	    "{}",
	    "[]",
	    "[{" ED_PUBLIC "}]",
	    "{\"kty\":\"oct\"}",
	    "{\"kty\":1}",
	    "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
	    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T=\"}",
	    "{\"kty\":\"oct\",\"alg\":\"HS512\","
	    "\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}",
	    "{\"kty\":\"oct\",\"alg\":\"none\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_"
	    "T\"}",
	    "{" A2_PUBLIC ",\"alg\":\"HS256\"}",
	    "{" A2_PUBLIC ",\"alg\":\"ES256\"}",
	    "{" A2_PUBLIC ",\"alg\":[\"RS256\"]}",
	    "{" A2_PUBLIC ",\"e\":\"AQAB\"}",
	    "{" A2_PUBLIC ",\"d\":\"AQAB\"}",
	    "{" A2_PUBLIC "," A2_PRIVATE ",\"oth\":[]}",
	    "{" A2_PUBLIC ",\"use\":\"enc\"}",
	    "{" A2_PUBLIC ",\"use\":1}",
	    "{" A2_PUBLIC ",\"key_ops\":\"verify\"}",
	    "{" A2_PUBLIC ",\"key_ops\":[1]}",
	    "{" A2_PUBLIC ",\"kid\":1}",
	    "{" A2_PUBLIC ",\"kid\":\"\"}",
	    "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
	    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
	    "{" A3_PUBLIC ",\"d\":\"AQAB\"}",
	    "{" A3_PUBLIC ",\"d\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	    "{" ED_PUBLIC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
	    "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	    "{\"keys\":[]}",
	    "{\"keys\":{}}",
	    "{\"keys\":[1]}",
	    "{\"keys\":[{" ED_PUBLIC "},{\"kty\":\"oct\"}]}",
	    "{\"keys\":[{\"kty\":\"XYZ\"}]}",
	    "{\"keys\":[{" ED_PUBLIC ",\"k\\u0074y\":\"oct\"}]}",
	    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
	    "-----BEGIN CERTIFICATE-----\nMCowBQYDK2VwAyEA\n-----END CERTIFICATE-----\n",
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl "
	    "ann@a",
	    "hub-sign-public 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(data); i++)
		bad(data[i], 0600, EX_DATAERR);
}

static void test_der(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(pkey, &der);
	struct token_keys *set = token_keys_new();
	char why[200];

	(void)state;
	assert_int_equal(token_keys_parse(set, (char *)der, (size_t)n, 0600, why, sizeof(why)),
			 EX_DATAERR);
	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
	token_keys_free(set);
}

static void test_modes(void **state)
{
	static const unsigned open[] = {0644, 0640, 0604, 0660, 0602, 0610};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(open); i++) {
		bad(SECRET32, open[i], EX_NOPERM);
		bad(A1_KEY, open[i], EX_NOPERM);
		bad("{" ED_PUBLIC "," ED_PRIVATE "}", open[i], EX_NOPERM);
		bad("{\"keys\":[{" ED_PUBLIC "}," A1_KEY "]}", open[i], EX_NOPERM);
		good("{" ED_PUBLIC "}", open[i], 1, TOKEN_EDDSA);
	}
}

static void test_pem(void **state)
{
	static const struct {
		const char *kind, *bits;
		bool good;
		enum token_alg alg;
	} v[] = {
	    {"RSA", "2048", true, TOKEN_RS256},
	    {"RSA", "1024", false, 0},
	    {"RSA-PSS", "2048", true, TOKEN_PS256},
	    {"EC", "P-256", true, TOKEN_ES256},
	    {"EC", "P-384", false, 0},
	    {"ED25519", NULL, true, TOKEN_EDDSA},
	    {"X25519", NULL, false, 0},
	    {"ED448", NULL, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(v); i++) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, v[i].kind, NULL);
		EVP_PKEY *pkey = NULL;
		char *text, twice[8192];

		assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
		if (v[i].bits && strcmp(v[i].kind, "EC") == 0)
			assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, v[i].bits), 1);
		else if (v[i].bits)
			assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, atoi(v[i].bits)), 1);
		assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
		for (int secret = 0; secret < 2; secret++) {
			text = pem(pkey, secret, NULL);
			if (v[i].good)
				good(text, secret ? 0600 : 0644, 1, v[i].alg);
			else
				bad(text, 0600, EX_DATAERR);
			if (v[i].good && secret)
				bad(text, 0644, EX_NOPERM);
			snprintf(twice, sizeof(twice), "%s%s", text, text);
			bad(twice, 0600, EX_DATAERR);
			free(text);
		}
		text = pem(pkey, true, "passphrase");
		bad(text, 0600, EX_DATAERR);
		free(text);
		EVP_PKEY_free(pkey);
		EVP_PKEY_CTX_free(ctx);
	}
}

static void test_set(void **state)
{
	struct token_keys *set = token_keys_new();
	char why[200];

	(void)state;
	assert_null(token_keys_signer(set, NULL));
	assert_int_equal(parse(set, "{" ED_PUBLIC "}", 0644, why, sizeof(why)), 0);
	assert_null(token_keys_signer(set, NULL));
	assert_int_equal(
	    parse(set, "{" ED_PUBLIC "," ED_PRIVATE ",\"kid\":\"a\"}", 0600, why, sizeof(why)), 0);
	assert_ptr_equal(token_keys_signer(set, NULL), token_keys_at(set, 1));
	assert_ptr_equal(token_keys_signer(set, "a"), token_keys_at(set, 1));
	assert_null(token_keys_signer(set, "b"));
	assert_int_equal(parse(set, A1_KEY, 0600, why, sizeof(why)), 0);
	assert_null(token_keys_signer(set, NULL));
	for (size_t i = token_keys_count(set); i < TOKEN_KEYS_MAX; i++)
		assert_int_equal(parse(set, "{" ED_PUBLIC "}", 0644, why, sizeof(why)), 0);
	assert_int_equal(parse(set, "{" ED_PUBLIC "}", 0644, why, sizeof(why)), EX_DATAERR);
	assert_int_equal(token_keys_count(set), TOKEN_KEYS_MAX);
	assert_int_equal(token_keys_read(set, "/nowhere/at/all", why, sizeof(why)), EX_NOINPUT);
	assert_int_equal(token_keys_read(set, "/", why, sizeof(why)), EX_DATAERR);
	token_keys_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),  cmocka_unit_test(test_bad), cmocka_unit_test(test_der),
	    cmocka_unit_test(test_modes), cmocka_unit_test(test_pem), cmocka_unit_test(test_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

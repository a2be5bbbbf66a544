/* HMAC, RSA and ECDSA by OpenSSL (libsodium has no SHA-384, and one way for all three HMACs is
 * simpler than two), Ed25519 by libsodium, which refuses weak keys and other forms of a signature.
 */
#include "token/token_key.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct token_key *key_new(enum token_alg alg, bool secret)
{
	struct token_key *k = sodium_init() < 0 ? NULL : calloc(1, sizeof(*k));

	if (k) {
		k->alg = alg;
		k->secret = k->signs = secret;
		k->verifies = true;
	}
	return k;
}

struct token_key *token_key_hmac(enum token_alg alg, const unsigned char *secret, size_t len)
{
	struct token_key *k = key_new(alg, true);

	if (k && !(k->hmac = malloc(len + 1))) {
		free(k);
		return NULL;
	}
	if (k) {
		memcpy(k->hmac, secret, len);
		k->hmac_len = len;
	}
	return k;
}

#define ED_BYTES (TOKEN_ED_PUBLIC + crypto_sign_SECRETKEYBYTES)

static struct token_key *key_ed(bool secret)
{
	struct token_key *k = key_new(TOKEN_EDDSA, secret);

	if (k && !(k->ed = calloc(1, ED_BYTES))) {
		free(k);
		return NULL;
	}
	return k;
}

struct token_key *token_key_ed_public(const unsigned char public[TOKEN_ED_PUBLIC])
{
	struct token_key *k = key_ed(false);

	if (k)
		memcpy(k->ed, public, TOKEN_ED_PUBLIC);
	return k;
}

struct token_key *token_key_ed_secret(const unsigned char seed[TOKEN_ED_PUBLIC])
{
	struct token_key *k = key_ed(true);

	if (k)
		crypto_sign_seed_keypair(k->ed, k->ed + TOKEN_ED_PUBLIC, seed);
	return k;
}

struct token_key *token_key_pkey(enum token_alg alg, EVP_PKEY *pkey, bool secret)
{
	struct token_key *k = key_new(alg, secret);

	if (k)
		k->pkey = pkey;
	return k;
}

void token_key_free(struct token_key *k)
{
	if (!k)
		return;
	if (k->hmac)
		sodium_memzero(k->hmac, k->hmac_len);
	free(k->hmac);
	if (k->ed)
		sodium_memzero(k->ed, ED_BYTES);
	free(k->ed);
	EVP_PKEY_free(k->pkey);
	free(k);
}

static const EVP_MD *digest(enum token_alg alg)
{
	return alg == TOKEN_HS384 ? EVP_sha384() : alg == TOKEN_HS512 ? EVP_sha512() : EVP_sha256();
}

static size_t digest_bytes(enum token_alg alg)
{
	return (size_t)EVP_MD_get_size(digest(alg));
}

struct token_key *token_key_new(enum token_alg alg)
{
	unsigned char random[64];
	struct token_key *k;
	EVP_PKEY *pkey;

	if (sodium_init() < 0)
		return NULL;
	if (alg == TOKEN_ES256 || token_alg_rsa(alg)) {
		pkey = alg == TOKEN_ES256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(TOKEN_RSA_MIN);
		k = pkey ? token_key_pkey(alg, pkey, true) : NULL;
		if (!k)
			EVP_PKEY_free(pkey);
		return k;
	}
	randombytes_buf(random, sizeof(random));
	k = token_alg_hmac(alg) ? token_key_hmac(alg, random, digest_bytes(alg))
				: token_key_ed_secret(random);
	sodium_memzero(random, sizeof(random));
	return k;
}

/* --- is it good? */

static const char *check_pkey(const struct token_key *k)
{
	EVP_PKEY_CTX *ctx;
	char group[32] = "";
	int good, bits;

	if (token_alg_rsa(k->alg)) {
		bits = EVP_PKEY_get_bits(k->pkey);
		if (!EVP_PKEY_is_a(k->pkey, "RSA") &&
		    !(k->alg == TOKEN_PS256 && EVP_PKEY_is_a(k->pkey, "RSA-PSS")))
			return "not an RSA key";
		if (bits < TOKEN_RSA_MIN || bits > TOKEN_RSA_MAX)
			return "an RSA key of fewer than 2048 bits, or more than 4096";
	} else if (!EVP_PKEY_is_a(k->pkey, "EC") ||
		   !EVP_PKEY_get_group_name(k->pkey, group, sizeof(group), NULL) ||
		   strcmp(group, "prime256v1") != 0) {
		return "not a key on the curve P-256";
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	good = ctx && EVP_PKEY_public_check(ctx) == 1 &&
	       (!k->secret || EVP_PKEY_pairwise_check(ctx) == 1);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good ? NULL : "its numbers are no such key";
}

const char *token_key_check(const struct token_key *k)
{
	if (k->hmac)
		return k->hmac_len < TOKEN_SECRET_MIN ? "a secret of fewer than 32 bytes"
		       : k->hmac_len < digest_bytes(k->alg)
			   ? "a secret shorter than the hash of its algorithm"
		       : k->hmac_len > TOKEN_SECRET_MAX ? "a secret of more than 1024 bytes"
							: NULL;
	if (k->pkey)
		return check_pkey(k);
	return crypto_core_ed25519_is_valid_point(k->ed) ? NULL
							 : "no point of Ed25519 that a key can be";
}

/* --- signatures */

/* Pads a signature of RSA by k's algorithm. */
static bool set_padding(const struct token_key *k, EVP_PKEY_CTX *ctx)
{
	if (k->alg == TOKEN_RS256)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	/* RFC 7518 3.5: the same hash in MGF1, a salt as long as the hash. */
	return k->alg != TOKEN_PS256 ||
	       (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* DER to r and s of 32 bytes each. Returns their length or -1. */
static int ec_from_der(const unsigned char *der, size_t len, unsigned char out[TOKEN_EC_SIGNATURE])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int half = TOKEN_EC_SIGNATURE / 2, n = -1;

	if (sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half) == half &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half) == half)
		n = TOKEN_EC_SIGNATURE;
	ECDSA_SIG_free(sig);
	return n;
}

/* And back, into out of TOKEN_SIGNATURE_MAX bytes. */
static int ec_to_der(const unsigned char *raw, unsigned char *out)
{
	int half = TOKEN_EC_SIGNATURE / 2, n = -1;
	BIGNUM *r = BN_bin2bn(raw, half, NULL), *s = BN_bin2bn(raw + half, half, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();

	if (r && s && sig && ECDSA_SIG_set0(sig, r, s)) {
		r = s = NULL; /* the signature's now */
		n = i2d_ECDSA_SIG(sig, &out);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return n;
}

static int pkey_sign(const struct token_key *k, const void *text, size_t len, unsigned char *out)
{
	unsigned char made[TOKEN_SIGNATURE_MAX];
	size_t n = sizeof(made);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	int r = -1;

	if (ctx && EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, k->pkey) == 1 &&
	    set_padding(k, pctx) && EVP_DigestSign(ctx, made, &n, text, len) == 1) {
		if (k->alg == TOKEN_ES256) {
			r = ec_from_der(made, n, out);
		} else {
			memcpy(out, made, n);
			r = (int)n;
		}
	}
	EVP_MD_CTX_free(ctx);
	ERR_clear_error(); /* the thread's connections over TLS look at it */
	return r;
}

static bool pkey_verify(const struct token_key *k, const void *text, size_t len,
			const unsigned char *signature, size_t signature_len)
{
	unsigned char der[TOKEN_SIGNATURE_MAX];
	EVP_MD_CTX *ctx;
	EVP_PKEY_CTX *pctx;
	bool good;
	int n;

	if (k->alg == TOKEN_ES256) {
		if (signature_len != TOKEN_EC_SIGNATURE || (n = ec_to_der(signature, der)) < 0)
			return false;
		signature = der;
		signature_len = (size_t)n;
	} else if (signature_len != (size_t)EVP_PKEY_get_size(k->pkey)) {
		return false;
	}
	ctx = EVP_MD_CTX_new();
	good = ctx && EVP_DigestVerifyInit(ctx, &pctx, EVP_sha256(), NULL, k->pkey) == 1 &&
	       set_padding(k, pctx) &&
	       EVP_DigestVerify(ctx, signature, signature_len, text, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static int hmac_make(const struct token_key *k, const void *text, size_t len, unsigned char *out)
{
	unsigned n = 0;

	return HMAC(digest(k->alg), k->hmac, (int)k->hmac_len, text, len, out, &n) ? (int)n : -1;
}

int token_key_sign(const struct token_key *k, const void *text, size_t len,
		   unsigned char out[TOKEN_SIGNATURE_MAX])
{
	if (!k->signs)
		return -1;
	if (k->hmac)
		return hmac_make(k, text, len, out);
	if (k->pkey)
		return pkey_sign(k, text, len, out);
	crypto_sign_detached(out, NULL, text, len, k->ed + TOKEN_ED_PUBLIC);
	return crypto_sign_BYTES;
}

bool token_key_verify(const struct token_key *k, const void *text, size_t len,
		      const unsigned char *signature, size_t signature_len)
{
	unsigned char made[EVP_MAX_MD_SIZE];
	bool same;

	if (!k->verifies)
		return false;
	if (k->pkey)
		return pkey_verify(k, text, len, signature, signature_len);
	if (k->ed)
		return signature_len == crypto_sign_BYTES &&
		       crypto_sign_verify_detached(signature, text, len, k->ed) == 0;
	same = signature_len == digest_bytes(k->alg) && hmac_make(k, text, len, made) > 0 &&
	       sodium_memcmp(made, signature, signature_len) == 0;
	sodium_memzero(made, sizeof(made));
	return same;
}

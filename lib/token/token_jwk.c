/* JSON Web Keys. The members are noted first, then the kind of key says which of them it needs. */
#include "token/token_jwk.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "json/json_walk.h"
#include "token/token_base64.h"

enum { KTY, ALG, USE, OPS, KID, CRV, N, E, D, P, Q, DP, DQ, QI, OTH, X, Y, K, MEMBERS };

static const char *const members[MEMBERS] = {
    [KTY] = "kty", [ALG] = "alg", [USE] = "use", [OPS] = "key_ops", [KID] = "kid", [CRV] = "crv",
    [N] = "n",	   [E] = "e",	  [D] = "d",	 [P] = "p",	    [Q] = "q",	   [DP] = "dp",
    [DQ] = "dq",   [QI] = "qi",	  [OTH] = "oth", [X] = "x",	    [Y] = "y",	   [K] = "k",
};

struct jwk {
	struct json_item item[MEMBERS]; /* value NULL: not there */
	enum token_alg alg;
	char *why;
	size_t cap;
};

static enum token_jwk say(struct jwk *j, enum token_jwk what, const char *why)
{
	snprintf(j->why, j->cap, "%s", why);
	return what;
}

static bool has(const struct jwk *j, int m)
{
	return j->item[m].value != NULL;
}

static bool is(const struct jwk *j, int m, const char *text)
{
	const struct json_item *item = &j->item[m];
	char value[64];
	int n = item->type == JSON_STRING ? json_item_text(item, value, sizeof(value)) : -1;

	return n >= 0 && (size_t)n == strlen(text) && memcmp(value, text, (size_t)n) == 0;
}

/* A member's bytes. Returns how many, or -1. */
static int bytes(const struct jwk *j, int m, void *out, size_t cap)
{
	const struct json_item *item = &j->item[m];

	if (item->type != JSON_STRING || item->escaped)
		return -1;
	return token_base64_decode(item->value + 1, item->len - 2, out, cap);
}

/* --- the kinds of keys */

static struct token_key *oct(const struct jwk *j)
{
	unsigned char secret[TOKEN_SECRET_MAX];
	int n = bytes(j, K, secret, sizeof(secret));
	struct token_key *k = n < 0 ? NULL : token_key_hmac(j->alg, secret, (size_t)n);

	sodium_memzero(secret, sizeof(secret));
	return k;
}

static struct token_key *okp(const struct jwk *j)
{
	unsigned char public[TOKEN_ED_PUBLIC], seed[TOKEN_ED_PUBLIC];
	struct token_key *k = NULL;

	if (bytes(j, X, public, sizeof(public)) != TOKEN_ED_PUBLIC)
		return NULL;
	if (!has(j, D))
		return token_key_ed_public(public);
	if (bytes(j, D, seed, sizeof(seed)) == TOKEN_ED_PUBLIC)
		k = token_key_ed_secret(seed);
	sodium_memzero(seed, sizeof(seed));
	if (k && memcmp(k->ed, public, TOKEN_ED_PUBLIC) != 0) {
		token_key_free(k);
		return NULL;
	}
	return k;
}

/* OpenSSL's key out of parameters. */
static EVP_PKEY *from_data(const char *type, OSSL_PARAM_BLD *bld, bool secret)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			      params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	ERR_clear_error();
	return pkey;
}

static struct token_key *wrapped(enum token_alg alg, EVP_PKEY *pkey, bool secret)
{
	struct token_key *k = pkey ? token_key_pkey(alg, pkey, secret) : NULL;

	if (!k)
		EVP_PKEY_free(pkey);
	return k;
}

static struct token_key *ec(const struct jwk *j)
{
	unsigned char point[65] = {4}, d[32]; /* uncompressed */
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *scalar = NULL;
	struct token_key *k = NULL;

	if (!bld || bytes(j, X, point + 1, 32) != 32 || bytes(j, Y, point + 33, 32) != 32 ||
	    !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
		goto done;
	if (has(j, D) && (bytes(j, D, d, sizeof(d)) != 32 || !(scalar = BN_bin2bn(d, 32, NULL)) ||
			  !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar)))
		goto done;
	k = wrapped(j->alg, from_data("EC", bld, has(j, D)), has(j, D));
done:
	sodium_memzero(d, sizeof(d));
	BN_clear_free(scalar);
	OSSL_PARAM_BLD_free(bld);
	return k;
}

static const struct {
	int member;
	const char *param;
} rsa_numbers[] = {
    {N, OSSL_PKEY_PARAM_RSA_N},		 {E, OSSL_PKEY_PARAM_RSA_E},
    {D, OSSL_PKEY_PARAM_RSA_D},		 {P, OSSL_PKEY_PARAM_RSA_FACTOR1},
    {Q, OSSL_PKEY_PARAM_RSA_FACTOR2},	 {DP, OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {DQ, OSSL_PKEY_PARAM_RSA_EXPONENT2}, {QI, OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};

#define RSA_NUMBERS (sizeof(rsa_numbers) / sizeof(rsa_numbers[0]))

static struct token_key *rsa(const struct jwk *j)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *numbers[RSA_NUMBERS] = {NULL};
	size_t want = has(j, D) ? RSA_NUMBERS : 2, i = 0;
	unsigned char raw[TOKEN_RSA_MAX / 8 + 1];
	struct token_key *k = NULL;

	for (; bld && i < want; i++) {
		int n = bytes(j, rsa_numbers[i].member, raw, sizeof(raw));

		numbers[i] = n > 0 ? BN_bin2bn(raw, n, NULL) : NULL;
		if (!numbers[i] || !OSSL_PARAM_BLD_push_BN(bld, rsa_numbers[i].param, numbers[i]))
			break;
	}
	if (bld && i == want && !has(j, OTH))
		k = wrapped(j->alg, from_data("RSA", bld, has(j, D)), has(j, D));
	sodium_memzero(raw, sizeof(raw));
	for (i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers[i]);
	OSSL_PARAM_BLD_free(bld);
	return k;
}

/* --- reading */

/* What the kind of a key says of its algorithm. False: another kind. */
static bool kind_alg(struct jwk *j)
{
	if (is(j, KTY, "oct"))
		j->alg = TOKEN_HS256;
	else if (is(j, KTY, "RSA"))
		j->alg = TOKEN_RS256;
	else if (is(j, KTY, "EC") && is(j, CRV, "P-256"))
		j->alg = TOKEN_ES256;
	else if (is(j, KTY, "OKP") && is(j, CRV, "Ed25519"))
		j->alg = TOKEN_EDDSA;
	else
		return false;
	return true;
}

static bool same_kind(enum token_alg a, enum token_alg b)
{
	return a == b || (token_alg_hmac(a) && token_alg_hmac(b)) ||
	       (token_alg_rsa(a) && token_alg_rsa(b));
}

/* Applies key_ops. False: not an array of strings. */
static bool read_ops(const struct jwk *j, bool *signs, bool *verifies)
{
	struct json_walk w;
	struct json_item op;

	*signs = *verifies = !has(j, OPS);
	if (!has(j, OPS))
		return true;
	if (j->item[OPS].type != JSON_ARRAY)
		return false;
	json_walk_begin(&w, j->item[OPS].value, j->item[OPS].len);
	while (json_walk_next(&w, &op)) {
		if (op.type != JSON_STRING)
			return false;
		*signs |= op.len == 6 && memcmp(op.value, "\"sign\"", 6) == 0;
		*verifies |= op.len == 8 && memcmp(op.value, "\"verify\"", 8) == 0;
	}
	return true;
}

static enum token_jwk read_alg(struct jwk *j)
{
	enum token_alg alg;
	char name[16];
	int n;

	if (!kind_alg(j))
		return say(j, TOKEN_JWK_OTHER,
			   "kty is none of oct, RSA, EC with P-256, OKP with Ed25519");
	if (!has(j, ALG))
		return TOKEN_JWK_KEY;
	if (j->item[ALG].type != JSON_STRING)
		return say(j, TOKEN_JWK_BAD, "alg is not a string");
	n = json_item_text(&j->item[ALG], name, sizeof(name));
	/* The name that RFC 9864 gives to EdDSA with this curve. */
	if (n == 7 && memcmp(name, "Ed25519", 7) == 0 && j->alg == TOKEN_EDDSA)
		return TOKEN_JWK_KEY;
	if (n < 0 || !token_alg_find(name, (size_t)n, &alg))
		return say(j, TOKEN_JWK_OTHER,
			   "alg is none of HS256, HS384, HS512, EdDSA, ES256, RS256, PS256");
	if (!same_kind(alg, j->alg))
		return say(j, TOKEN_JWK_BAD, "alg is not one of its kty");
	j->alg = alg;
	return TOKEN_JWK_KEY;
}

static void note_members(struct jwk *j, const char *text, size_t len)
{
	struct json_walk w;
	struct json_item item;

	json_walk_begin(&w, text, len);
	while (json_walk_next(&w, &item))
		for (int m = 0; m < MEMBERS; m++)
			if (json_item_is(&item, members[m]))
				j->item[m] = item;
}

static struct token_key *make_key(const struct jwk *j)
{
	return token_alg_hmac(j->alg)  ? oct(j)
	       : token_alg_rsa(j->alg) ? rsa(j)
	       : j->alg == TOKEN_ES256 ? ec(j)
				       : okp(j);
}

enum token_jwk token_jwk_read(const char *text, size_t len, struct token_key **key, char *why,
			      size_t cap)
{
	struct jwk j = {.why = why, .cap = cap};
	bool signs, verifies;
	struct token_key *k;
	enum token_jwk what;
	const char *wrong;
	int n = 0;

	note_members(&j, text, len);
	if (j.item[KTY].type != JSON_STRING)
		return say(&j, TOKEN_JWK_BAD, "kty is missing, or not a string");
	what = read_alg(&j);
	if (what != TOKEN_JWK_KEY)
		return what;
	if (has(&j, USE) && !is(&j, USE, "sig"))
		return say(&j, TOKEN_JWK_OTHER, "its use is not sig");
	if (!read_ops(&j, &signs, &verifies))
		return say(&j, TOKEN_JWK_BAD, "key_ops is not an array of strings");
	if (!signs && !verifies)
		return say(&j, TOKEN_JWK_OTHER, "its key_ops have neither sign nor verify");
	k = make_key(&j);
	if (!k)
		return say(&j, TOKEN_JWK_BAD,
			   "the numbers of the key are missing or not of their form");
	if (has(&j, KID))
		n = j.item[KID].type == JSON_STRING
			? json_item_text(&j.item[KID], k->kid, sizeof(k->kid))
			: -1;
	wrong = n < 0 || (has(&j, KID) && !n) ? "kid is not a string of 1 to 256 bytes"
					      : token_key_check(k);
	if (wrong) {
		token_key_free(k);
		return say(&j, TOKEN_JWK_BAD, wrong);
	}
	k->kid_len = (size_t)n;
	k->signs = k->secret && signs;
	k->verifies = verifies || k->signs; /* who may sign may look at what was signed */
	*key = k;
	return TOKEN_JWK_KEY;
}

/* --- writing */

static int put_bytes(struct buf *out, const char *name, const void *data, size_t n)
{
	int r = buf_printf(out, ",\"%s\":\"", name);

	if (r < 0 || (r = token_base64_encode(out, data, n)) < 0)
		return r;
	return buf_puts(out, "\"");
}

/* A number of OpenSSL's key; width 0: as many bytes as it has. */
static int put_number(struct buf *out, const char *name, const EVP_PKEY *pkey, const char *param,
		      int width)
{
	unsigned char raw[TOKEN_RSA_MAX / 8 + 1];
	BIGNUM *n = NULL;
	int len, r = -EINVAL;

	if (EVP_PKEY_get_bn_param(pkey, param, &n) == 1) {
		len = width ? width : BN_num_bytes(n);
		if (len <= (int)sizeof(raw) && BN_bn2binpad(n, raw, len) == len)
			r = put_bytes(out, name, raw, (size_t)len);
	}
	BN_clear_free(n);
	sodium_memzero(raw, sizeof(raw));
	return r;
}

static int put_rsa(struct buf *out, const struct token_key *k, bool secret)
{
	int r = buf_puts(out, "\"kty\":\"RSA\"");

	for (size_t i = 0; r == 0 && i < (secret ? RSA_NUMBERS : 2); i++)
		r = put_number(out, members[rsa_numbers[i].member], k->pkey, rsa_numbers[i].param,
			       0);
	return r;
}

static int put_ec(struct buf *out, const struct token_key *k, bool secret)
{
	int r = buf_puts(out, "\"kty\":\"EC\",\"crv\":\"P-256\"");

	if (r == 0)
		r = put_number(out, "x", k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32);
	if (r == 0)
		r = put_number(out, "y", k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	if (r == 0 && secret)
		r = put_number(out, "d", k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, 32);
	return r;
}

static int put_ed(struct buf *out, const struct token_key *k, bool secret)
{
	int r = buf_puts(out, "\"kty\":\"OKP\",\"crv\":\"Ed25519\"");

	if (r == 0)
		r = put_bytes(out, "x", k->ed, TOKEN_ED_PUBLIC);
	/* libsodium's secret key is the seed, then the public key. */
	if (r == 0 && secret)
		r = put_bytes(out, "d", k->ed + TOKEN_ED_PUBLIC, TOKEN_ED_PUBLIC);
	return r;
}

static int put_oct(struct buf *out, const struct token_key *k)
{
	int r = buf_puts(out, "\"kty\":\"oct\"");

	return r < 0 ? r : put_bytes(out, "k", k->hmac, k->hmac_len);
}

int token_jwk_write(const struct token_key *k, bool secret, struct buf *out)
{
	int r;

	if (secret ? !k->secret : k->hmac != NULL)
		return -EINVAL;
	r = buf_puts(out, "{");
	if (r == 0)
		r = k->hmac		    ? put_oct(out, k)
		    : k->ed		    ? put_ed(out, k, secret)
		    : k->alg == TOKEN_ES256 ? put_ec(out, k, secret)
					    : put_rsa(out, k, secret);
	if (r == 0)
		r = buf_printf(out, ",\"alg\":\"%s\",\"use\":\"sig\"", token_alg_name(k->alg));
	if (r == 0 && k->kid_len && (r = buf_puts(out, ",\"kid\":")) == 0)
		r = buf_put_json(out, k->kid, k->kid_len);
	return r < 0 ? r : buf_puts(out, "}");
}

/* --- its name */

/* What is hashed: the members that the kind needs, in the order of their names. */
static int put_canonical(const struct token_key *k, struct buf *out)
{
	int r;

	if (k->ed) {
		r = buf_puts(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\"");
		if (r == 0)
			r = put_bytes(out, "x", k->ed, TOKEN_ED_PUBLIC);
	} else if (k->alg == TOKEN_ES256) {
		r = buf_puts(out, "{\"crv\":\"P-256\",\"kty\":\"EC\"");
		if (r == 0)
			r = put_number(out, "x", k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32);
		if (r == 0)
			r = put_number(out, "y", k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	} else {
		r = put_number(out, "e", k->pkey, OSSL_PKEY_PARAM_RSA_E, 0);
		if (r == 0)
			r = buf_puts(out, ",\"kty\":\"RSA\"");
		if (r == 0)
			r = put_number(out, "n", k->pkey, OSSL_PKEY_PARAM_RSA_N, 0);
		if (r == 0)
			*out->data = '{'; /* where put_number() began with a comma */
	}
	return r < 0 ? r : buf_puts(out, "}");
}

int token_jwk_name(struct token_key *k)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct buf text = {0}, name = {0};
	int r = 0;

	if (k->hmac)
		randombytes_buf(hash, sizeof(hash));
	else if ((r = put_canonical(k, &text)) == 0)
		crypto_hash_sha256(hash, (const unsigned char *)text.data, text.len);
	if (r == 0)
		r = token_base64_encode(&name, hash, k->hmac ? 12 : sizeof(hash));
	if (r == 0) {
		memcpy(k->kid, name.data, name.len);
		k->kid_len = name.len;
	}
	buf_free(&text);
	buf_free(&name);
	return r;
}

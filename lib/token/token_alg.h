/* The algorithms of tokens (RFC 7518 section 3, RFC 8037 section 3.1): those of the list and no
 * others, so "none" is not one. */
#ifndef HUB_TOKEN_ALG_H
#define HUB_TOKEN_ALG_H

#include <stdbool.h>
#include <stddef.h>

enum token_alg {
	TOKEN_HS256, /* HMAC with SHA-2: a secret that both sides have */
	TOKEN_HS384,
	TOKEN_HS512,
	TOKEN_EDDSA, /* Ed25519 */
	TOKEN_ES256, /* ECDSA on P-256 with SHA-256 */
	TOKEN_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 */
	TOKEN_PS256, /* RSASSA-PSS with SHA-256 */
	TOKEN_ALGS,
};

/* "HS256" and so on, as in `alg`. Never NULL. */
const char *token_alg_name(enum token_alg alg);

/* The algorithm of that name, in its case; false where there is none. */
bool token_alg_find(const char *name, size_t len, enum token_alg *alg);

static inline bool token_alg_hmac(enum token_alg alg)
{
	return alg <= TOKEN_HS512;
}

static inline bool token_alg_rsa(enum token_alg alg)
{
	return alg == TOKEN_RS256 || alg == TOKEN_PS256;
}

#endif

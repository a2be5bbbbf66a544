/* A key as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). */
#ifndef HUB_TOKEN_JWK_H
#define HUB_TOKEN_JWK_H

#include "base/buf.h"
#include "token/token_key.h"

enum token_jwk {
	TOKEN_JWK_KEY,
	TOKEN_JWK_OTHER, /* a good one, but not for what is done here: another kind or use */
	TOKEN_JWK_BAD,
};

/* Reads a JWK, an object that json_scan() accepted and json_unique() too. Its algorithm is `alg`,
 * or where there is none: HS256 for `oct`, RS256 for `RSA`, ES256 for `EC` on P-256, EdDSA for
 * `OKP` with Ed25519. Gives the caller *key, or else a reason in why. */
enum token_jwk token_jwk_read(const char *text, size_t len, struct token_key **key, char *why,
			      size_t cap);

/* Appends the key as a JWK on one line, with its secret part or without (an HMAC key has no other;
 * it is -EINVAL there). Returns 0, -ENOMEM or -EINVAL. */
int token_jwk_write(const struct token_key *k, bool secret, struct buf *out);

/* Sets the key's id to its thumbprint (RFC 7638), or for an HMAC key, of whose secret a public hash
 * should not tell, to random. Returns 0, -ENOMEM or -EINVAL. */
int token_jwk_name(struct token_key *k);

#endif

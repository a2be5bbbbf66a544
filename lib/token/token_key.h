/* A key and what is done with it. A key has exactly one algorithm, whatever a token says of itself
 * (RFC 8725 section 3.1). Keys are immutable once made, so threads may share them; the memory of
 * secrets is wiped when they are freed. */
#ifndef HUB_TOKEN_KEY_H
#define HUB_TOKEN_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "token/token_alg.h"

#define TOKEN_KID_MAX 256 /* bytes of a key's id */
#define TOKEN_SECRET_MIN                                                         \
	32 /* bytes of an HMAC secret; 48 for HS384, 64 for HS512 (RFC 7518 3.2) \
	    */
#define TOKEN_SECRET_MAX 1024	/* bytes of one */
#define TOKEN_RSA_MIN 2048	/* bits of an RSA modulus */
#define TOKEN_RSA_MAX 4096	/* what a stranger's token costs at most: about 0.1 ms */
#define TOKEN_SIGNATURE_MAX 512 /* bytes: TOKEN_RSA_MAX / 8 */
#define TOKEN_ED_PUBLIC 32	/* bytes; a private key is a seed of as many */
#define TOKEN_EC_SIGNATURE 64	/* bytes of r and s (RFC 7518 3.4) */

struct token_key {
	enum token_alg alg;
	bool secret;   /* it can sign: is not for everybody's eyes */
	bool verifies; /* false where its key_ops leave that out (RFC 7517 4.3) */
	bool signs;
	size_t kid_len; /* 0: it has none */
	char kid[TOKEN_KID_MAX];

	/* One of these is set, by alg. */
	unsigned char *hmac; /* the secret, of hmac_len bytes */
	size_t hmac_len;
	unsigned char *ed; /* Ed25519: the public key, and behind it where secret the 64 bytes of
			    * libsodium's secret key */
	struct evp_pkey_st *pkey; /* OpenSSL's, of RSA or P-256 */
};

/* A new key. Takes the memory that pkey is; copies the bytes. NULL: no memory, or no randomness;
 * then pkey stays the caller's. They check nothing: token_key_check() does. */
struct token_key *token_key_hmac(enum token_alg alg, const unsigned char *secret, size_t len);
struct token_key *token_key_ed_public(const unsigned char public[TOKEN_ED_PUBLIC]);
struct token_key *token_key_ed_secret(const unsigned char seed[TOKEN_ED_PUBLIC]);
struct token_key *token_key_pkey(enum token_alg alg, struct evp_pkey_st *pkey, bool secret);
void token_key_free(struct token_key *k); /* NULL is fine */

/* A new key of that kind out of randomness; RSA with 2048 bits takes 0.1 s or more. NULL: no memory
 * or no randomness. */
struct token_key *token_key_new(enum token_alg alg);

/* Whether the key is strong and of the kind that alg needs. Returns NULL, or what is wrong with it,
 * for people. */
const char *token_key_check(const struct token_key *k);

/* Signs len bytes of text. Returns the signature's length in out, as JWS has it, or -1. */
int token_key_sign(const struct token_key *k, const void *text, size_t len,
		   unsigned char out[TOKEN_SIGNATURE_MAX]);

/* Whether signature is the key's for text. A wrong length is refused before any work. */
bool token_key_verify(const struct token_key *k, const void *text, size_t len,
		      const unsigned char *signature, size_t signature_len);

#endif

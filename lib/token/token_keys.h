/* A set of keys, and the files they come from. A file holds one of:
 *
 *	PEM		a public or private key, token_pem.h
 *	a JWK		one JSON object, token_jwk.h
 *	a JWKS		{"keys":[JWK...]}; those for other uses are passed over
 *	a raw secret	anything else of 32 to 1024 bytes, for HS256; a line feed at its end is not
 *			part of it. What looks like a public key in some other form is refused,
 *since everybody could sign with it.
 *
 * A file with anything secret in it must be nobody's but its owner's. */
#ifndef HUB_TOKEN_KEYS_H
#define HUB_TOKEN_KEYS_H

#include <stddef.h>

#include "token/token_key.h"

#define TOKEN_KEYS_MAX 32	  /* in a set: what a token without `kid` may cost */
#define TOKEN_FILE_MAX (64 << 10) /* bytes of a file */

struct token_keys;

struct token_keys *token_keys_new(void);      /* NULL: no memory */
void token_keys_free(struct token_keys *set); /* NULL is fine */

/* Adds the keys of a file. Returns 0, or an exit status (EX_NOINPUT, EX_DATAERR, EX_NOPERM) with
 * the reason, without the path, in why; then none was added. */
int token_keys_read(struct token_keys *set, const char *path, char *why, size_t cap);

/* The same of a text, which counts as a file of that mode. */
int token_keys_parse(struct token_keys *set, const char *text, size_t len, unsigned mode, char *why,
		     size_t cap);

size_t token_keys_count(const struct token_keys *set);
const struct token_key *token_keys_at(const struct token_keys *set, size_t i);

/* The key to sign with: the only one that can, or with kid (NUL-terminated) the one of that id.
 * NULL: there is none, or more than one. */
const struct token_key *token_keys_signer(const struct token_keys *set, const char *kid);

#endif

/* Tokens: JWT (RFC 7519) in the compact form of JWS (RFC 7515), by the rules of RFC 8725. This is
 * where to begin; below it are
 *
 *	token_keys.h	keys, and the files they come from	token_key.h	one key: signs,
 *verifies token_claims.h	what a token says			token_error.h	why it is
 *refused
 *
 * The key decides the algorithm, never the token: its `alg` only chooses among the keys that have
 * it. A `kid` chooses the keys of that id and those without any; without `kid` all are tried. What
 * costs most is bounded before it is done: the length of a token, of keys, and how many there are.
 */
#ifndef HUB_TOKEN_H
#define HUB_TOKEN_H

#include <stddef.h>

#include "base/buf.h"
#include "token/token_claims.h"
#include "token/token_keys.h"

#define TOKEN_MAX 8192	      /* bytes of a token, unless told otherwise */
#define TOKEN_HEADER_MAX 1024 /* bytes of its header, decoded */

struct token_rules {
	const struct token_keys *keys;
	struct token_expected expected;
	size_t max; /* 0: TOKEN_MAX */
};

/* A token that is good, or what was read of one that is not. Zeroed, or made by token_verify() or
 * token_decode(); token_free() gives its memory back. */
struct token {
	struct buf memory;
	struct token_claims claims;
	const struct token_key *key; /* that made it */
	const char *header;	     /* its JSON */
	size_t header_len;
};

/* Whether a token is good now, in seconds since 1970. *t is to be freed in any case. */
enum token_error token_verify(const struct token_rules *rules, const char *text, size_t len,
			      double now, struct token *t);

/* Decodes without verifying anything but the form: for a person to look at. */
enum token_error token_decode(const char *text, size_t len, size_t max, struct token *t);

void token_free(struct token *t);

/* Appends a token with these claims, which must be as token_claims_read() wants them. Returns 0,
 * -ENOMEM, or -EINVAL for a key that cannot sign. */
int token_sign(const struct token_key *key, const char *claims, size_t len, struct buf *out);

#endif

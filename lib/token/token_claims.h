/* The claims of a token (RFC 7519 section 4): JSON text, and what of it is looked at here. */
#ifndef HUB_TOKEN_CLAIMS_H
#define HUB_TOKEN_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/json_walk.h"
#include "token/token_error.h"
#include "token/token_hub.h"

#define TOKEN_SUB_MAX 255 /* bytes of sub, iss and jti each (OpenID Connect Core section 8) */
#define TOKEN_LEEWAY 60	  /* seconds that clocks may differ */
#define TOKEN_TIME_MAX 9007199254740992.0 /* 2^53 */

/* A string claim, unescaped; len 0: it is not there. */
struct token_text {
	uint16_t len;
	char text[TOKEN_SUB_MAX];
};

struct token_claims {
	char *
	    json; /* the object, of len bytes, without white space around it; the caller's memory */
	size_t len;
	struct token_text sub, iss, jti;
	double exp, nbf, iat; /* seconds since 1970; -1 where absent */
	struct json_item aud; /* a string or an array of strings; value NULL: absent */
	struct token_hub hub;
	const char *wrong; /* with TOKEN_BAD_CLAIM: which; lives for ever */
};

/* Reads claims out of len bytes of text, which it borrows as long as *c is used: strict JSON, one
 * object, no name twice, and the registered claims and `hub` of their types. */
enum token_error token_claims_read(struct token_claims *c, char *text, size_t len);

/* What the claims must be. Without audiences a token that names one is refused, since it was meant
 * for somebody else (RFC 7519 4.1.3). Empty lists have n 0. */
struct token_expected {
	const char *const *audiences;
	size_t naudiences;
	const char *const *issuers;
	size_t nissuers;
};

/* Whether they hold at the time now, in seconds since 1970, with TOKEN_LEEWAY. */
enum token_error token_claims_check(const struct token_claims *c, const struct token_expected *want,
				    double now);

#endif

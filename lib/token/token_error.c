/* Words and sentences for what may be wrong with a token. */
#include "token/token_error.h"

static const struct {
	const char *name, *text;
} errors[TOKEN_ERRORS] = {
    [TOKEN_OK] = {"ok", "valid"},
    [TOKEN_TOO_LARGE] = {"too_large", "longer than is allowed"},
    [TOKEN_NOT_COMPACT] = {"not_compact", "not three parts with dots between them"},
    [TOKEN_BAD_BASE64] = {"bad_base64", "a part is not base64url without padding"},
    [TOKEN_BAD_HEADER] = {"bad_header", "the header is not a JSON object"},
    [TOKEN_DUPLICATE] = {"duplicate", "a name occurs twice in the header or the claims"},
    [TOKEN_BAD_ALG] = {"bad_alg", "alg is missing or none that is known here"},
    [TOKEN_BAD_TYP] = {"bad_typ", "typ or cty is of another kind of token"},
    [TOKEN_CRITICAL] = {"critical", "it asks for extensions (crit, b64) that are not known here"},
    [TOKEN_BAD_KID] = {"bad_kid", "kid is not a string of 1 to 256 bytes"},
    [TOKEN_NO_KEY] = {"no_key", "no key has its alg and kid"},
    [TOKEN_BAD_SIGNATURE] = {"bad_signature", "the signature is not of any key that could have"
					      " made it"},
    [TOKEN_BAD_CLAIMS] = {"bad_claims", "the claims are not a JSON object"},
    [TOKEN_BAD_CLAIM] = {"bad_claim", "a claim is not of its form"},
    [TOKEN_EXPIRED] = {"expired", "exp is over"},
    [TOKEN_NOT_YET] = {"not_yet", "nbf is to come"},
    [TOKEN_BAD_TIMES] = {"bad_times", "iat is to come, or exp is not after it"},
    [TOKEN_BAD_ISSUER] = {"bad_issuer", "iss is missing or not the one that is wanted"},
    [TOKEN_BAD_AUDIENCE] = {"bad_audience", "aud is missing or not the one that is wanted"},
    [TOKEN_NO_MEMORY] = {"no_memory", "out of memory"},
};

const char *token_error_name(enum token_error e)
{
	return errors[e].name;
}

const char *token_error_text(enum token_error e)
{
	return errors[e].text;
}

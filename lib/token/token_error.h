/* Why a token is refused: for the operator, who must mend it. The client is told nothing of it but
 * that it failed, or every check would be a hint to who tries. */
#ifndef HUB_TOKEN_ERROR_H
#define HUB_TOKEN_ERROR_H

enum token_error {
	TOKEN_OK,
	TOKEN_TOO_LARGE,     /* longer than allowed */
	TOKEN_NOT_COMPACT,   /* not three parts with dots between them */
	TOKEN_BAD_BASE64,    /* a part is not base64url as JWS has it */
	TOKEN_BAD_HEADER,    /* not a JSON object */
	TOKEN_DUPLICATE,     /* a name occurs twice in an object of the header or the claims */
	TOKEN_BAD_ALG,	     /* alg is missing, or none of those known here ("none" is not) */
	TOKEN_BAD_TYP,	     /* typ or cty says it is no token of this kind */
	TOKEN_CRITICAL,	     /* crit or b64: extensions that are not known here */
	TOKEN_BAD_KID,	     /* kid is not a string of 1 to 256 bytes */
	TOKEN_NO_KEY,	     /* no key of that alg and kid */
	TOKEN_BAD_SIGNATURE, /* no such key made it */
	TOKEN_BAD_CLAIMS,    /* not a JSON object */
	TOKEN_BAD_CLAIM,     /* a claim is not of its form: token_claims.wrong */
	TOKEN_EXPIRED,	     /* exp is over */
	TOKEN_NOT_YET,	     /* nbf is to come */
	TOKEN_BAD_TIMES,     /* iat is to come, or exp is not after it */
	TOKEN_BAD_ISSUER,    /* iss is missing, or not one that is wanted */
	TOKEN_BAD_AUDIENCE,  /* aud is missing, or not one that is wanted */
	TOKEN_NO_MEMORY,
	TOKEN_ERRORS,
};

/* Its word, such as "bad_signature", and a sentence for the operator. Never NULL. */
const char *token_error_name(enum token_error e);
const char *token_error_text(enum token_error e);

/* All that a client is told. */
#define TOKEN_REFUSED "the token is not valid"

#endif

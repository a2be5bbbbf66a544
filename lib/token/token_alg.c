/* Names of algorithms. */
#include "token/token_alg.h"

#include <string.h>

static const char *const names[TOKEN_ALGS] = {
    [TOKEN_HS256] = "HS256", [TOKEN_HS384] = "HS384", [TOKEN_HS512] = "HS512",
    [TOKEN_EDDSA] = "EdDSA", [TOKEN_ES256] = "ES256", [TOKEN_RS256] = "RS256",
    [TOKEN_PS256] = "PS256",
};

const char *token_alg_name(enum token_alg alg)
{
	return names[alg];
}

bool token_alg_find(const char *name, size_t len, enum token_alg *alg)
{
	for (int i = 0; i < TOKEN_ALGS; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			*alg = (enum token_alg)i;
			return true;
		}
	}
	return false;
}

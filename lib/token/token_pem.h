/* A key as PEM: one block, PUBLIC KEY (SubjectPublicKeyInfo) or a PRIVATE KEY of OpenSSL's forms,
 * not encrypted. */
#ifndef HUB_TOKEN_PEM_H
#define HUB_TOKEN_PEM_H

#include "token/token_key.h"

/* Whether a file has PEM in it, of whatever kind: then it is no raw secret. */
bool token_pem_is(const char *text, size_t len);

/* Reads it. Its algorithm is by its kind: RS256 for RSA, PS256 for RSA-PSS, ES256 for P-256, EdDSA
 * for Ed25519. NULL: the reason is in *why, for ever. */
struct token_key *token_pem_read(const char *text, size_t len, const char **why);

#endif

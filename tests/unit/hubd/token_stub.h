/* Tokens for tests of who takes them: a key, and claims as they are written. */
#ifndef HUBD_TEST_TOKEN_STUB_H
#define HUBD_TEST_TOKEN_STUB_H

#include <string.h>

#include "auth/identity.h"
#include "hubd/loop_stub.h"
#include "token/token.h"

static const char token_stub_secret[] = "a secret of tests, of more than 32 bytes";

/* How tokens of that key are taken. */
static inline struct auth token_stub_auth(const char *secret)
{
	struct token_keys *keys = token_keys_new();
	char why[200];

	stub_need(keys &&
		      token_keys_parse(keys, secret, strlen(secret), 0600, why, sizeof(why)) == 0,
		  "no key");
	return (struct auth){.rules = {.keys = keys}, .all = intern_new(16)};
}

static inline void token_stub_free(struct auth *auth)
{
	token_keys_free((struct token_keys *)(uintptr_t)auth->rules.keys);
	intern_free(auth->all);
}

/* A token with these claims, with a NUL, which the caller frees. */
static inline struct buf token_stub(const struct auth *auth, const char *claims)
{
	struct buf out = {0};

	stub_need(token_sign(token_keys_at(auth->rules.keys, 0), claims, strlen(claims), &out) ==
			  0 &&
		      buf_put(&out, "", 1) == 0,
		  "no token");
	return out;
}

/* Who shows a token with these claims, a good one at that time. */
static inline struct identity *token_stub_identity(const struct auth *auth, const char *claims)
{
	struct buf token = token_stub(auth, claims);
	struct identity *id = NULL;
	const char *wrong;

	stub_need(identity_verify(auth, (struct span){token.data, token.len - 1}, 1000, 1, &id,
				  &wrong) == 0,
		  claims);
	buf_free(&token);
	return id;
}

#endif

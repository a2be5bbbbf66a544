/* Any bytes, as a key file and as a token. A token that is good was made by the key that is here,
 * which no bytes can be; what decodes is good JSON. The first byte says which it is: an odd one is
 * followed by claims to sign, which then must verify if they can be read. */
#undef NDEBUG
#include "token/token.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct token_keys *keys;

static void begin(void)
{
	static const char secret[] = "a secret of thirty-two bytes, just";
	char why[100];

	keys = token_keys_new();
	assert(keys &&
	       token_keys_parse(keys, secret, sizeof(secret) - 1, 0600, why, sizeof(why)) == 0);
}

static void try_keys(const char *text, size_t len)
{
	struct token_keys *set = token_keys_new();
	char why[200] = "";

	assert(set);
	if (token_keys_parse(set, text, len, 0600, why, sizeof(why)) == 0)
		assert(token_keys_count(set) > 0);
	else
		assert(*why && token_keys_count(set) == 0);
	token_keys_free(set);
}

static void try_claims(const char *text, size_t len)
{
	struct token_rules rules = {.keys = keys};
	struct token_claims c;
	struct token t;
	struct buf token = {0};
	char *copy = malloc(len + 1);
	enum token_error read, got;

	assert(copy);
	memcpy(copy, text, len);
	read = token_claims_read(&c, copy, len);
	assert(token_sign(token_keys_at(keys, 0), text, len, &token) == 0);
	got = token_verify(&rules, token.data, token.len, 1700000000, &t);
	assert(read ? got != TOKEN_OK
		    : got == TOKEN_OK || got >= TOKEN_EXPIRED || got == TOKEN_TOO_LARGE);
	token_free(&t);
	buf_free(&token);
	free(copy);
}

static void try_token(const char *text, size_t len)
{
	struct token_rules rules = {.keys = keys};
	struct json_scan scan;
	struct token t;

	assert(token_verify(&rules, text, len, 1700000000, &t) != TOKEN_OK);
	token_free(&t);
	if (token_decode(text, len, 0, &t) == TOKEN_OK) {
		assert(json_scan(NULL, t.header, t.header_len, NULL, &scan) == JSON_OK);
		assert(json_scan(NULL, t.claims.json, t.claims.len, NULL, &scan) == JSON_OK);
	}
	token_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!keys)
		begin();
	if (!size)
		return 0;
	if (*data % 3 == 0)
		try_token((const char *)data + 1, size - 1);
	else if (*data % 3 == 1)
		try_claims((const char *)data + 1, size - 1);
	else
		try_keys((const char *)data + 1, size - 1);
	return 0;
}

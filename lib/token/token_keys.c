/* Sets of keys. What a file holds is told by what it is, never by trying one form after another: a
 * public key that is taken for a secret would let everybody sign. */
#include "token/token_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/key_file.h"
#include "json/json_walk.h"
#include "token/token_jwk.h"
#include "token/token_pem.h"

struct token_keys {
	size_t n;
	struct token_key *key[TOKEN_KEYS_MAX];
};

struct token_keys *token_keys_new(void)
{
	return calloc(1, sizeof(struct token_keys));
}

/* Frees the keys from the n-th on. */
static void drop_from(struct token_keys *set, size_t n)
{
	while (set->n > n)
		token_key_free(set->key[--set->n]);
}

void token_keys_free(struct token_keys *set)
{
	if (set)
		drop_from(set, 0);
	free(set);
}

static int say(char *why, size_t cap, int status, const char *what)
{
	snprintf(why, cap, "%s", what);
	return status;
}

static int add(struct token_keys *set, struct token_key *k, char *why, size_t cap)
{
	if (set->n == TOKEN_KEYS_MAX) {
		token_key_free(k);
		return say(why, cap, EX_DATAERR, "more than 32 keys in all");
	}
	set->key[set->n++] = k;
	return 0;
}

/* --- JSON */

static int add_jwk(struct token_keys *set, const char *text, size_t len, char *why, size_t cap)
{
	struct token_key *k;

	if (token_jwk_read(text, len, &k, why, cap) != TOKEN_JWK_KEY)
		return EX_DATAERR;
	return add(set, k, why, cap);
}

static int add_jwks(struct token_keys *set, const struct json_item *list, char *why, size_t cap)
{
	struct json_walk w;
	struct json_item item;
	unsigned number = 0, taken = 0;
	char what[160] = "an empty list";

	json_walk_begin(&w, list->value, list->len);
	while (json_walk_next(&w, &item)) {
		struct token_key *k;
		enum token_jwk got = TOKEN_JWK_BAD;
		int status;

		number++;
		snprintf(what, sizeof(what), "not an object");
		if (item.type == JSON_OBJECT)
			got = token_jwk_read(item.value, item.len, &k, what, sizeof(what));
		if (got == TOKEN_JWK_BAD) {
			snprintf(why, cap, "key %u: %s", number, what);
			return EX_DATAERR;
		}
		if (got == TOKEN_JWK_KEY) {
			taken++;
			status = add(set, k, why, cap);
			if (status)
				return status;
		}
	}
	if (taken)
		return 0;
	snprintf(why, cap, "no key for signatures in it: %s", what);
	return EX_DATAERR;
}

static int add_json(struct token_keys *set, const char *text, size_t len, char *why, size_t cap)
{
	struct json_scan scan;
	struct json_walk w;
	struct json_item item;

	if (json_scan(NULL, text, len, NULL, &scan) != JSON_OK) {
		snprintf(why, cap, "begins like JSON, but: %s at byte %u",
			 json_strerror(scan.status), scan.at + 1);
		return EX_DATAERR;
	}
	text += scan.start;
	len = scan.end - scan.start;
	if (!json_unique(text, len))
		return say(why, cap, EX_DATAERR, "a name occurs twice in its JSON");
	json_walk_begin(&w, text, len);
	while (json_walk_next(&w, &item))
		if (json_item_is(&item, "keys"))
			return item.type == JSON_ARRAY
				   ? add_jwks(set, &item, why, cap)
				   : say(why, cap, EX_DATAERR, "keys is not an array");
	return add_jwk(set, text, len, why, cap);
}

/* --- raw secrets */

/* The length that DER of a sequence says it has, with its head; 0: it is none. */
static size_t der_length(const unsigned char *p, size_t len)
{
	size_t n = 0, octets;

	if (len < 2 || p[0] != 0x30)
		return 0;
	if (p[1] < 0x80)
		return 2 + (size_t)p[1];
	octets = p[1] & 0x7f;
	if (octets < 1 || octets > 3 || len < 2 + octets)
		return 0;
	for (size_t i = 0; i < octets; i++)
		n = n << 8 | p[2 + i];
	return 2 + octets + n;
}

/* What others may know as well. */
static bool looks_public(const char *text, size_t len)
{
	static const char *const starts[] = {
	    "ssh-", "ecdsa-sha2-", "sk-ssh-", "hub-sign-public", "untrusted comment:", "age1"};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (len >= strlen(starts[i]) && memcmp(text, starts[i], strlen(starts[i])) == 0)
			return true;
	return der_length((const unsigned char *)text, len) == len;
}

static int add_secret(struct token_keys *set, const char *text, size_t len, char *why, size_t cap)
{
	struct token_key *k;
	const char *wrong;

	if (looks_public(text, len))
		return say(why, cap, EX_DATAERR,
			   "a key in a form that is not known here; it must be PEM or a JWK");
	if (len && text[len - 1] == '\n')
		len--;
	if (len && text[len - 1] == '\r')
		len--;
	k = token_key_hmac(TOKEN_HS256, (const unsigned char *)text, len);
	if (!k)
		return say(why, cap, EX_OSERR, "out of memory");
	wrong = token_key_check(k);
	if (wrong) {
		token_key_free(k);
		snprintf(why, cap, "neither PEM nor JSON, so %s", wrong);
		return EX_DATAERR;
	}
	return add(set, k, why, cap);
}

/* --- files */

static int add_pem(struct token_keys *set, const char *text, size_t len, char *why, size_t cap)
{
	const char *wrong;
	struct token_key *k = token_pem_read(text, len, &wrong);

	return k ? add(set, k, why, cap) : say(why, cap, EX_DATAERR, wrong);
}

int token_keys_parse(struct token_keys *set, const char *text, size_t len, unsigned mode, char *why,
		     size_t cap)
{
	size_t before = set->n, space = 0;
	int status;

	while (space < len && strchr(" \t\r\n", text[space]) && text[space])
		space++;
	if (token_pem_is(text, len))
		status = add_pem(set, text, len, why, cap);
	else if (space < len && (text[space] == '{' || text[space] == '['))
		status = text[space] == '{' ? add_json(set, text, len, why, cap)
					    : say(why, cap, EX_DATAERR, "JSON, but not an object");
	else
		status = add_secret(set, text, len, why, cap);
	for (size_t i = before; !status && i < set->n; i++)
		if (set->key[i]->secret)
			status = key_file_alone(mode, why, cap);
	if (status)
		drop_from(set, before);
	return status;
}

int token_keys_read(struct token_keys *set, const char *path, char *why, size_t cap)
{
	char *text = malloc(TOKEN_FILE_MAX + 1);
	mode_t mode = 0;
	size_t len;
	int status;

	if (!text)
		return say(why, cap, EX_OSERR, "out of memory");
	status = key_file_read(path, text, TOKEN_FILE_MAX + 1, &len, &mode, why, cap);
	if (!status && len > TOKEN_FILE_MAX)
		status = say(why, cap, EX_DATAERR, "more than 64 KiB");
	if (!status)
		status = token_keys_parse(set, text, len, mode, why, cap);
	sodium_memzero(text, len);
	free(text);
	return status;
}

size_t token_keys_count(const struct token_keys *set)
{
	return set->n;
}

const struct token_key *token_keys_at(const struct token_keys *set, size_t i)
{
	return set->key[i];
}

const struct token_key *token_keys_signer(const struct token_keys *set, const char *kid)
{
	const struct token_key *found = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct token_key *k = set->key[i];

		if (!k->signs ||
		    (kid && (k->kid_len != strlen(kid) || memcmp(k->kid, kid, k->kid_len) != 0)))
			continue;
		if (found)
			return NULL;
		found = k;
	}
	return found;
}

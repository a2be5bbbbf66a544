/* Keys and their files: one line, "hub-KIND KEY". A secret never goes to a file that others may
 * read, nor is it taken from one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/key_file.h"
#include "recording/seal_impl.h"

#define KEY_BYTES 32
#define KEY_LINE_MAX 128

static const char *const key_names[] = {
    [SEAL_SECRET] = "hub-seal-secret",
    [SEAL_SIGN] = "hub-sign-secret",
    [SEAL_VERIFY] = "hub-sign-public",
};

struct seal_keys *seal_keys_new(void)
{
	return sodium_init() < 0 ? NULL : calloc(1, sizeof(struct seal_keys));
}

void seal_keys_free(struct seal_keys *k)
{
	if (k)
		sodium_memzero(k, sizeof(*k));
	free(k);
}

bool seal_keys_have(const struct seal_keys *k, enum seal_key kind)
{
	if (!k)
		return false;
	return kind == SEAL_SECRET ? k->has_secret
	       : kind == SEAL_SIGN ? k->has_sign
				   : k->has_verify;
}

static void keys_set(struct seal_keys *k, enum seal_key kind, const unsigned char key[KEY_BYTES])
{
	switch (kind) {
	case SEAL_SECRET:
		memcpy(k->secret, key, KEY_BYTES);
		k->has_secret = true;
		break;
	case SEAL_SIGN:
		crypto_sign_seed_keypair(k->verify, k->sign, key);
		k->has_sign = k->has_verify = true;
		break;
	case SEAL_VERIFY:
		memcpy(k->verify, key, KEY_BYTES);
		k->has_verify = true;
		break;
	}
}

/* What stands in a key file. */
static int key_parse(struct seal_keys *k, enum seal_key kind, char *line, size_t len, char *why,
		     size_t cap)
{
	const char *name = key_names[kind];
	size_t n = strlen(name);
	unsigned char key[KEY_BYTES];
	int status = 0;

	if (len && line[len - 1] == '\n')
		len--;
	if (len > n && memcmp(line, name, n) == 0 && line[n] == ' ' &&
	    seal_decode(line + n + 1, len - n - 1, key, sizeof(key))) {
		keys_set(k, kind, key);
	} else {
		snprintf(why, cap, "not a key of this kind: one line, '%s' and the key", name);
		status = EX_DATAERR;
	}
	sodium_memzero(key, sizeof(key));
	return status;
}

int seal_key_read(struct seal_keys *k, enum seal_key kind, const char *path, char *why, size_t cap)
{
	char line[KEY_LINE_MAX];
	mode_t mode;
	size_t len;
	int status = key_file_read(path, line, sizeof(line), &len, &mode, why, cap);

	if (!status && kind != SEAL_VERIFY)
		status = key_file_alone(mode, why, cap);
	if (!status)
		status = key_parse(k, kind, line, len, why, cap);
	sodium_memzero(line, sizeof(line));
	return status;
}

static int say_of(char *why, size_t cap, int status, const char *path, const char *what)
{
	snprintf(why, cap, "%s: %s", path, what);
	return status;
}

/* Writes a key to a new file. */
static int key_write(enum seal_key kind, const unsigned char key[KEY_BYTES], const char *path,
		     char *why, size_t cap)
{
	char text[SEAL_HASH_TEXT + 1], line[KEY_LINE_MAX];
	int n, status;

	seal_encode(key, KEY_BYTES, text, sizeof(text));
	n = snprintf(line, sizeof(line), "%s %s\n", key_names[kind], text);
	status = key_file_write(path, kind != SEAL_VERIFY, line, (size_t)n, why, cap);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(line, sizeof(line));
	return status;
}

int seal_key_make(enum seal_key kind, const char *path, char *why, size_t cap)
{
	unsigned char key[KEY_BYTES], secret[crypto_sign_SECRETKEYBYTES],
	    verify[crypto_sign_PUBLICKEYBYTES];
	char beside[4096];
	int status;

	if (sodium_init() < 0)
		return say_of(why, cap, EX_OSERR, path, "no randomness");
	if ((size_t)snprintf(beside, sizeof(beside), "%s.pub", path) >= sizeof(beside))
		return say_of(why, cap, EX_CANTCREAT, path, strerror(ENAMETOOLONG));
	randombytes_buf(key, sizeof(key));
	status = key_write(kind, key, path, why, cap);
	if (!status && kind == SEAL_SIGN) {
		crypto_sign_seed_keypair(verify, secret, key);
		status = key_write(SEAL_VERIFY, verify, beside, why, cap);
		if (status)
			unlink(path);
	}
	sodium_memzero(key, sizeof(key));
	sodium_memzero(secret, sizeof(secret));
	return status;
}

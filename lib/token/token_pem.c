/* PEM by OpenSSL, which is kept from asking for a passphrase. */
#include "token/token_pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <string.h>

bool token_pem_is(const char *text, size_t len)
{
	return memmem(text, len, "-----BEGIN", 10) != NULL;
}

static unsigned count(const char *text, size_t len, const char *what)
{
	const char *p = text, *end = text + len;
	unsigned n = 0;

	while ((p = memmem(p, (size_t)(end - p), what, strlen(what)))) {
		p += strlen(what);
		n++;
	}
	return n;
}

static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return -1;
}

static struct token_key *from_ed(const EVP_PKEY *pkey, bool secret)
{
	unsigned char raw[TOKEN_ED_PUBLIC];
	size_t n = sizeof(raw);
	struct token_key *k = NULL;

	if (secret && EVP_PKEY_get_raw_private_key(pkey, raw, &n) == 1 && n == sizeof(raw))
		k = token_key_ed_secret(raw);
	else if (!secret && EVP_PKEY_get_raw_public_key(pkey, raw, &n) == 1 && n == sizeof(raw))
		k = token_key_ed_public(raw);
	sodium_memzero(raw, sizeof(raw));
	return k;
}

/* Takes pkey where it returns a key of it. */
static struct token_key *from_pkey(EVP_PKEY *pkey, bool secret, const char **why)
{
	struct token_key *k = NULL;

	*why = "its kind is none of RSA, RSA-PSS, EC on P-256, Ed25519";
	if (EVP_PKEY_is_a(pkey, "RSA"))
		k = token_key_pkey(TOKEN_RS256, pkey, secret);
	else if (EVP_PKEY_is_a(pkey, "RSA-PSS"))
		k = token_key_pkey(TOKEN_PS256, pkey, secret);
	else if (EVP_PKEY_is_a(pkey, "EC"))
		k = token_key_pkey(TOKEN_ES256, pkey, secret);
	if (k)
		return k;
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		k = from_ed(pkey, secret);
	EVP_PKEY_free(pkey);
	return k;
}

struct token_key *token_pem_read(const char *text, size_t len, const char **why)
{
	bool secret = count(text, len, "PRIVATE KEY-----") > 0;
	EVP_PKEY *pkey = NULL;
	struct token_key *k;
	BIO *bio;

	*why = "more than one key in PEM; several go in a JWKS, or in files of their own";
	if (count(text, len, " KEY-----") > 2)
		return NULL;
	*why = "PEM, but no PUBLIC KEY, nor a PRIVATE KEY that is not encrypted";
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio)
		pkey = secret ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
			      : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	k = pkey ? from_pkey(pkey, secret, why) : NULL;
	if (k && (*why = token_key_check(k))) {
		token_key_free(k);
		return NULL;
	}
	return k;
}

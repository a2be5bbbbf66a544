#include "auth/resume.h"

#include <sodium.h>
#include <string.h>

#define DATA_LEN 20 /* id, run and time */
#define MAC_LEN 16

static void make_mac(const unsigned char key[RESUME_KEY_LEN], const unsigned char *data,
		     struct span user, unsigned char mac[MAC_LEN])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, RESUME_KEY_LEN, MAC_LEN);
	crypto_generichash_update(&st, data, DATA_LEN);
	if (user.len)
		crypto_generichash_update(&st, (const unsigned char *)user.p, user.len);
	crypto_generichash_final(&st, mac, MAC_LEN);
}

void resume_token(const unsigned char key[RESUME_KEY_LEN], const struct resume *r, struct span user,
		  char out[RESUME_LEN + 1])
{
	unsigned char raw[DATA_LEN + MAC_LEN];

	memcpy(raw, &r->id, 8);
	memcpy(raw + 8, &r->run, 4);
	memcpy(raw + 12, &r->issued_ms, 8);
	make_mac(key, raw, user, raw + DATA_LEN);
	sodium_bin2base64(out, RESUME_LEN + 1, raw, sizeof(raw),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool resume_verify(const unsigned char key[RESUME_KEY_LEN], const char *token, size_t len,
		   struct span user, struct resume *r)
{
	unsigned char raw[DATA_LEN + MAC_LEN], mac[MAC_LEN];
	size_t n;

	if (sodium_base642bin(raw, sizeof(raw), token, len, NULL, &n, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    n != sizeof(raw))
		return false;
	make_mac(key, raw, user, mac);
	if (sodium_memcmp(mac, raw + DATA_LEN, MAC_LEN) != 0)
		return false;
	memcpy(&r->id, raw, 8);
	memcpy(&r->run, raw + 8, 4);
	memcpy(&r->issued_ms, raw + 12, 8);
	return true;
}

uint64_t resume_named(const unsigned char key[RESUME_KEY_LEN], struct span user, struct span name)
{
	unsigned char hash[crypto_generichash_BYTES_MIN];
	uint64_t id, user_len = user.len;
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, RESUME_KEY_LEN, sizeof(hash));
	/* No name begins like a length. */
	if (user.len) {
		crypto_generichash_update(&st, (const unsigned char *)&user_len, sizeof(user_len));
		crypto_generichash_update(&st, (const unsigned char *)user.p, user.len);
	}
	if (name.len)
		crypto_generichash_update(&st, (const unsigned char *)name.p, name.len);
	crypto_generichash_final(&st, hash, sizeof(hash));
	memcpy(&id, hash, sizeof(id));
	return id;
}

#include "auth/resume.h"

#include <sodium.h>
#include <string.h>

#define DATA_LEN 12 /* id and run */
#define MAC_LEN 16

static void make_mac(const unsigned char key[RESUME_KEY_LEN], const unsigned char *data,
		     unsigned char mac[MAC_LEN])
{
	crypto_generichash(mac, MAC_LEN, data, DATA_LEN, key, RESUME_KEY_LEN);
}

void resume_token(const unsigned char key[RESUME_KEY_LEN], uint64_t id, uint32_t run,
		  char out[RESUME_LEN + 1])
{
	unsigned char raw[DATA_LEN + MAC_LEN];

	memcpy(raw, &id, sizeof(id));
	memcpy(raw + sizeof(id), &run, sizeof(run));
	make_mac(key, raw, raw + DATA_LEN);
	sodium_bin2base64(out, RESUME_LEN + 1, raw, sizeof(raw),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool resume_verify(const unsigned char key[RESUME_KEY_LEN], const char *token, size_t len,
		   uint64_t *id, uint32_t *run)
{
	unsigned char raw[DATA_LEN + MAC_LEN], mac[MAC_LEN];
	size_t n;

	if (sodium_base642bin(raw, sizeof(raw), token, len, NULL, &n, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    n != sizeof(raw))
		return false;
	make_mac(key, raw, mac);
	if (sodium_memcmp(mac, raw + DATA_LEN, MAC_LEN) != 0)
		return false;
	memcpy(id, raw, sizeof(*id));
	memcpy(run, raw + sizeof(*id), sizeof(*run));
	return true;
}

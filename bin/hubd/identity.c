#include "identity.h"

#include <sodium.h>
#include <string.h>

#define DATA_LEN 12 /* id and run */
#define MAC_LEN 16

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void identity_text(uint64_t id, char out[IDENTITY_LEN + 1])
{
	int i;

	for (i = IDENTITY_LEN - 1; i >= 0; i--) {
		out[i] = digits[id % 62];
		id /= 62;
	}
	out[IDENTITY_LEN] = '\0';
}

bool identity_parse(struct span text, uint64_t *id)
{
	uint64_t n = 0;
	size_t i;

	if (text.len != IDENTITY_LEN)
		return false;
	for (i = 0; i < text.len; i++) {
		const char *digit = memchr(digits, text.p[i], 62);

		if (!digit || __builtin_mul_overflow(n, 62u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(digit - digits), &n))
			return false;
	}
	*id = n;
	return true;
}

static void make_mac(const unsigned char key[IDENTITY_KEY_LEN], const unsigned char *data,
		     unsigned char mac[MAC_LEN])
{
	crypto_generichash(mac, MAC_LEN, data, DATA_LEN, key, IDENTITY_KEY_LEN);
}

void identity_token(const unsigned char key[IDENTITY_KEY_LEN], uint64_t id, uint32_t run,
		    char out[IDENTITY_TOKEN_LEN + 1])
{
	unsigned char raw[DATA_LEN + MAC_LEN];

	memcpy(raw, &id, sizeof(id));
	memcpy(raw + sizeof(id), &run, sizeof(run));
	make_mac(key, raw, raw + DATA_LEN);
	sodium_bin2base64(out, IDENTITY_TOKEN_LEN + 1, raw, sizeof(raw),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool identity_verify(const unsigned char key[IDENTITY_KEY_LEN], struct span token, uint64_t *id,
		     uint32_t *run)
{
	unsigned char raw[DATA_LEN + MAC_LEN], mac[MAC_LEN];
	size_t len;

	if (sodium_base642bin(raw, sizeof(raw), token.p, token.len, NULL, &len, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    len != sizeof(raw))
		return false;
	make_mac(key, raw, mac);
	if (sodium_memcmp(mac, raw + DATA_LEN, MAC_LEN) != 0)
		return false;
	memcpy(id, raw, sizeof(*id));
	memcpy(run, raw + sizeof(*id), sizeof(*run));
	return true;
}

uint64_t identity_message(const unsigned char key[IDENTITY_KEY_LEN], uint64_t sender,
			  const struct envelope *e)
{
	unsigned char text[sizeof(sender) + ENVELOPE_MSG_ID_MAX];
	uint64_t hash;
	int n = json_unescape(e->msg_id.p + 1, e->msg_id.len - 2, (char *)text + sizeof(sender),
			      ENVELOPE_MSG_ID_MAX);

	memcpy(text, &sender, sizeof(sender));
	crypto_shorthash((unsigned char *)&hash, text, sizeof(sender) + (n > 0 ? (size_t)n : 0),
			 key);
	return hash;
}

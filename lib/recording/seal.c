/* Sealing and signing with the keys that there are. A stream never meets the same key and nonce
 * twice: each begins with a random header, and is pushed to by one writer in the order of the file.
 */
#include "recording/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recording/seal_impl.h"

_Static_assert(SEAL_HEADER == crypto_secretstream_xchacha20poly1305_HEADERBYTES, "header");
_Static_assert(SEAL_OVERHEAD == crypto_secretstream_xchacha20poly1305_ABYTES, "overhead");
_Static_assert(SEAL_SIGNATURE == crypto_sign_BYTES, "signature");

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

struct seal_stream {
	crypto_secretstream_xchacha20poly1305_state state;
};

struct seal_chain {
	crypto_generichash_state state;
};

/* --- streams */

struct seal_stream *seal_push_new(const struct seal_keys *k, unsigned char header[SEAL_HEADER])
{
	struct seal_stream *s = malloc(sizeof(*s));

	if (s)
		crypto_secretstream_xchacha20poly1305_init_push(&s->state, header, k->secret);
	return s;
}

struct seal_stream *seal_pull_new(const struct seal_keys *k,
				  const unsigned char header[SEAL_HEADER])
{
	struct seal_stream *s = malloc(sizeof(*s));

	if (s)
		crypto_secretstream_xchacha20poly1305_init_pull(&s->state, header, k->secret);
	return s;
}

void seal_stream_free(struct seal_stream *s)
{
	if (s)
		sodium_memzero(s, sizeof(*s));
	free(s);
}

void seal_push(struct seal_stream *s, const void *text, size_t len, const void *ad, size_t adlen,
	       bool end, unsigned char *box)
{
	unsigned char tag = end ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
				: crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;

	crypto_secretstream_xchacha20poly1305_push(&s->state, box, NULL, text, len, ad, adlen, tag);
}

int seal_pull(struct seal_stream *s, const unsigned char *box, size_t len, const void *ad,
	      size_t adlen, bool *end, void *text)
{
	unsigned char tag;

	if (crypto_secretstream_xchacha20poly1305_pull(&s->state, text, NULL, &tag, box, len, ad,
						       adlen) != 0)
		return -EBADMSG;
	*end = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	return 0;
}

void seal_key_id(const struct seal_keys *k, unsigned char id[SEAL_KEY_ID])
{
	static const char what[] = "hub-recording 1 key";

	crypto_generichash(id, SEAL_KEY_ID, (const unsigned char *)what, sizeof(what) - 1,
			   k->secret, sizeof(k->secret));
}

/* --- chains */

struct seal_chain *seal_chain_new(void)
{
	static const unsigned char beginning[SEAL_HASH];
	/* The state wants more alignment than malloc() gives. */
	struct seal_chain *c =
	    sodium_init() < 0 ? NULL : aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);

	if (c)
		seal_chain_set(c, beginning);
	return c;
}

void seal_chain_free(struct seal_chain *c)
{
	free(c);
}

void seal_chain_add(struct seal_chain *c, const void *text, size_t len)
{
	crypto_generichash_update(&c->state, text, len);
}

void seal_chain_link(struct seal_chain *c, unsigned char hash[SEAL_HASH])
{
	crypto_generichash_final(&c->state, hash, SEAL_HASH);
	seal_chain_set(c, hash);
}

void seal_chain_set(struct seal_chain *c, const unsigned char hash[SEAL_HASH])
{
	crypto_generichash_init(&c->state, NULL, 0, SEAL_HASH);
	crypto_generichash_update(&c->state, hash, SEAL_HASH);
}

/* What is signed of a link: no other use of the key has such a text. */
struct seal_statement {
	char what[24];
	unsigned char hash[SEAL_HASH];
};

static struct seal_statement statement(const unsigned char hash[SEAL_HASH], bool end)
{
	struct seal_statement s = {.what = "hub-recording 1 more"};

	if (end)
		memcpy(s.what, "hub-recording 1 end\0", 20);
	memcpy(s.hash, hash, SEAL_HASH);
	return s;
}

void seal_sign(const struct seal_keys *k, const unsigned char hash[SEAL_HASH], bool end,
	       unsigned char signature[SEAL_SIGNATURE])
{
	struct seal_statement s = statement(hash, end);

	crypto_sign_detached(signature, NULL, (const unsigned char *)&s, sizeof(s), k->sign);
}

bool seal_verify(const struct seal_keys *k, const unsigned char hash[SEAL_HASH], bool end,
		 const unsigned char signature[SEAL_SIGNATURE])
{
	struct seal_statement s = statement(hash, end);

	return crypto_sign_verify_detached(signature, (const unsigned char *)&s, sizeof(s),
					   k->verify) == 0;
}

/* --- text */

void seal_signer(const struct seal_keys *k, char text[SEAL_HASH_TEXT + 1])
{
	seal_encode(k->verify, sizeof(k->verify), text, SEAL_HASH_TEXT + 1);
}

void seal_encode(const unsigned char *bytes, size_t n, char *text, size_t cap)
{
	sodium_bin2base64(text, cap, bytes, n, BASE64);
}

bool seal_decode(const char *text, size_t len, unsigned char *bytes, size_t n)
{
	char again[2 * SEAL_SIGNATURE];
	size_t got;

	if (len >= sizeof(again) || len + 1 != sodium_base64_encoded_len(n, BASE64) ||
	    sodium_base642bin(bytes, n, text, len, NULL, &got, NULL, BASE64) != 0 || got != n)
		return false;
	seal_encode(bytes, n, again, sizeof(again));
	return memcmp(again, text, len) == 0;
}

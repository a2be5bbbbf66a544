/* base64url by libsodium, whose time does not depend on the bytes. */
#include "token/token_base64.h"

#include <sodium.h>

int token_base64_decode(const char *text, size_t len, void *out, size_t cap)
{
	const char *end = NULL;
	size_t n = 0;

	if (sodium_base642bin(out, cap, text, len, NULL, &n, &end,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    end != text + len)
		return -1;
	return (int)n;
}

int token_base64_encode(struct buf *out, const void *bytes, size_t n)
{
	size_t need = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	int r = buf_reserve(out, need);

	if (r < 0)
		return r;
	sodium_bin2base64(out->data + out->len, need, bytes, n,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	out->len += need - 1;
	return 0;
}

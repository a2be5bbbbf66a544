#include "wire/id.h"

#include <string.h>

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void id_text(uint64_t id, char out[ID_LEN + 1])
{
	int i;

	for (i = ID_LEN - 1; i >= 0; i--) {
		out[i] = digits[id % 62];
		id /= 62;
	}
	out[ID_LEN] = '\0';
}

bool id_parse(const char *text, size_t len, uint64_t *id)
{
	uint64_t n = 0;
	size_t i;

	if (len != ID_LEN)
		return false;
	for (i = 0; i < len; i++) {
		const char *digit = memchr(digits, text[i], 62);

		if (!digit || __builtin_mul_overflow(n, 62u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(digit - digits), &n))
			return false;
	}
	*id = n;
	return true;
}

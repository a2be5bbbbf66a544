/* Any bytes as a PROXY header: what is said of the whole is said of each front that has it, and
 * nothing before; no header is longer than may be. */
#undef NDEBUG
#include "wire/proxy_protocol.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum proxy_got read_front(struct proxy_header *h, const uint8_t *data, size_t len)
{
	/* Of the exact size, so that a read behind it is seen. */
	uint8_t *front = malloc(len ? len : 1);
	enum proxy_got got;

	assert(front);
	memcpy(front, data, len);
	got = proxy_protocol_read(h, front, len);
	free(front);
	assert((got == PROXY_REFUSED) == (h->why != NULL));
	assert(got != PROXY_DONE || (h->length <= len && h->length <= PROXY_PROTOCOL_MAX));
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_got want = read_front(&whole, data, size), got;
	char text[ADDRESS_TEXT];
	size_t n;

	assert(strlen(address_text(&whole.client, text)) < sizeof(text));
	assert(want != PROXY_MORE || size < PROXY_PROTOCOL_MAX);
	for (n = 0; n <= size && n < 300; n++) {
		got = read_front(&part, data, n);
		assert(got == PROXY_MORE || got == want);
		if (got != PROXY_DONE)
			continue;
		assert(n >= whole.length && part.length == whole.length);
		assert(address_same(&part.client, &whole.client));
	}
	return 0;
}

/* Any bytes as a Range and as an If-None-Match: what is asked for lies in the file, and a list has
 * a tag of which it ends with one that is whole. The first two bytes are the file's size. */
#undef NDEBUG
#include "wire/http1_range.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char tag[] = "\"1-2\"";
	uint64_t all, from = UINT64_MAX, len = UINT64_MAX;
	char *copy;

	if (size < 2)
		return 0;
	all = (uint64_t)data[0] << 8 | data[1];
	data += 2;
	size -= 2;
	copy = malloc(size + sizeof(tag));
	assert(copy);
	memcpy(copy, data, size);
	if (http1_range((struct http1_span){copy, size}, all, &from, &len) == HTTP1_PART)
		assert(len > 0 && from < all && len <= all - from);
	http1_tag_in((struct http1_span){copy, size}, (struct http1_span){tag, sizeof(tag) - 1},
		     size & 1 ? HTTP1_STRONG : HTTP1_WEAK);
	/* Blanks and commas, then the tag. */
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i] & 1 ? ' ' : ',';
	memcpy(copy + size, tag, sizeof(tag) - 1);
	assert(http1_tag_in((struct http1_span){copy, size + sizeof(tag) - 1},
			    (struct http1_span){tag, sizeof(tag) - 1}, HTTP1_STRONG));
	free(copy);
	return 0;
}

/* Any bytes as frames: what comes out is the same in any pieces, lies inside of what came, and
 * costs no memory. The first byte is the way of cutting, the second the limit; where the third is
 * odd, the masks of the frames are set to zero, so that texts can be found. */
#include <stdint.h>

#include "wire_trace.h"

/* Of the sanitizers' runtime. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	trace_allocations++;
}

static void on_free(const volatile void *p)
{
	(void)p;
}

static void clear_masks(unsigned char *p, size_t n)
{
	size_t at = 0, header, len;

	while (n - at >= 14) {
		len = p[at + 1] & 0x7f;
		header = len == 127 ? 10 : len == 126 ? 4 : 2;
		if (len == 126)
			len = (size_t)p[at + 2] << 8 | p[at + 3];
		else if (len == 127)
			len = (size_t)p[at + 8] << 8 | p[at + 9];
		p[at + 1] |= 0x80;
		memset(p + at + header, 0, 4);
		if (n - at < header + 4 + len)
			return;
		at += header + 4 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool hooked;
	const uint32_t splits[] = {0, 1, size ? data[0] * 0x01010101u | 2 : 2};
	struct buf seen[3] = {{0}};
	unsigned char *frames;
	size_t n;

	if (size < 3)
		return 0;
	if (!hooked)
		assert(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
	hooked = true;
	n = size - 3;
	frames = (unsigned char *)trace_copy(data + 3, n);
	if (data[2] & 1)
		clear_masks(frames, n);
	for (size_t i = 0; i < 3; i++) {
		trace_frames(&seen[i], frames, n, data[1] * 8u, splits[i]);
		assert(seen[i].len == seen[0].len);
		assert(!seen[0].len || memcmp(seen[i].data, seen[0].data, seen[0].len) == 0);
	}
	for (size_t i = 0; i < 3; i++)
		buf_free(&seen[i]);
	free(frames);
	return 0;
}

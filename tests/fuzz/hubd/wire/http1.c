/* Any bytes as requests, one behind the other with their bodies: what comes out is the same in any
 * pieces, lies inside of what came, and costs no memory. The first byte is the way of cutting, the
 * second the limit. */
#include <stdint.h>

#include "wire/http1_target.h"
#include "wire/websocket_handshake.h"
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

/* One that allocates nothing. */
static unsigned char *no_sha1(const unsigned char *data, size_t n, unsigned char *digest)
{
	assert(n == 60);
	return memcpy(digest, data, 20);
}

static void check_path(const struct http1_head *h)
{
	char out[4096];
	ssize_t n = http1_decode(h->target.path, false, out, sizeof(out));

	/* The escapes were checked, but for %00. */
	assert(n <= (ssize_t)h->target.path.len);
	if (n < 0)
		assert(memmem(h->target.path.p, h->target.path.len, "%00", 3));
	else
		assert(!memchr(out, '\0', (size_t)n));
}

static void check_handshake(const struct http1_head *h)
{
	char accept[WEBSOCKET_ACCEPT_LEN + 1];
	struct http1_span key = {NULL, 0};
	const char *why;
	int status = websocket_check(h, &key, &why);

	assert(status == 0 || ((status == 400 || status == 405 || status == 426) && why));
	if (status)
		return;
	assert(h->upgrade && h->host.len && !h->chunked && !h->content_length);
	assert(http1_field(h, "sec-websocket-key", NULL) == 1 && key.len == WEBSOCKET_KEY_LEN);
	websocket_accept(accept, key, no_sha1);
	assert(strlen(accept) == WEBSOCKET_ACCEPT_LEN && accept[WEBSOCKET_ACCEPT_LEN - 1] == '=');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool hooked;
	const uint32_t splits[] = {0, 1, size ? data[0] * 0x01010101u | 2 : 2};
	struct buf seen[3] = {{0}};
	struct http1_head h;
	size_t max;

	if (size < 2)
		return 0;
	if (!hooked)
		assert(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
	hooked = true;
	max = data[1] & 1 ? data[1] * 4u : HTTP1_HEAD_MAX;
	for (size_t i = 0; i < 3; i++) {
		const char *p = (const char *)data + 2;
		size_t left = size - 2, used;

		do {
			char *moved = NULL;

			used = trace_head(&seen[i], &h, p, left, max, splits[i], &moved);
			if (used && i == 0) {
				size_t before = trace_allocations;

				check_path(&h);
				check_handshake(&h);
				assert(trace_allocations == before);
			}
			free(moved);
			p += used;
			left -= used;
			if (!used)
				break;
			used = trace_body(&seen[i], &h, p, left, splits[i]);
			p += used;
			left -= used;
		} while (seen[i].len >= 5 &&
			 memcmp(seen[i].data + seen[i].len - 5, "|done", 5) == 0);
		assert(seen[i].len == seen[0].len);
		assert(memcmp(seen[i].data, seen[0].data, seen[0].len) == 0);
	}
	for (size_t i = 0; i < 3; i++)
		buf_free(&seen[i]);
	return 0;
}

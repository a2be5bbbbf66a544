/* Any bytes as what a client says of where it comes from, to which a trusted proxy adds where it
 * does, in the same line or in one of its own: nobody but that is believed. The first byte chooses
 * the field and how it is added. */
#undef NDEBUG
#include "wire/forwarded.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const char *const adds[][2] = {{"X-Forwarded-For: ", "198.51.100.1"},
				      {"Forwarded: ", "for=198.51.100.1"},
				      {"Forwarded: ", "proto=http;for=\"198.51.100.1\";by=x"}};

/* The head's field lines, in memory of their exact size. */
static int ask(const struct trust *t, const struct buf *lines, const char *peer, struct address *a)
{
	char *copy = malloc(lines->len);
	struct http1_head head = {.fields = {copy, lines->len}};
	int status;

	assert(copy && address_read(a, peer, strlen(peer)));
	memcpy(copy, lines->data, lines->len);
	status = forwarded_client(t, &head, a);
	assert(status == 0 || status == 400);
	free(copy);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trust t;
	const char *const *add;
	struct http1_span at;
	struct address want, got;
	struct buf lines = {0};
	size_t i;

	if (size < 1)
		return 0;
	if (!t.n)
		assert(!trust_add(&t, "10.0.0.0/8, 2001:db8::/32", &at));
	add = adds[data[0] % 3];
	t.field = data[0] % 3 ? FORWARDED_RFC : FORWARDED_X_FOR;
	assert(buf_puts(&lines, add[0]) == 0);
	for (i = 1; i < size; i++) {
		/* Heads with others are refused before this. */
		char c = (char)(data[i] < 0x20 || data[i] == 0x7f ? ' ' : data[i]);

		assert(buf_put(&lines, &c, 1) == 0);
	}
	assert(buf_puts(&lines, data[0] & 128 ? ", " : "\r\n") == 0);
	if (!(data[0] & 128))
		assert(buf_puts(&lines, add[0]) == 0);
	assert(buf_printf(&lines, "%s\r\n", add[1]) == 0);

	assert(address_read(&want, "198.51.100.1", 12));
	assert(ask(&t, &lines, "10.0.0.1", &got) == 400 || address_same(&got, &want));
	assert(address_read(&want, "192.0.2.1", 9));
	assert(ask(&t, &lines, "192.0.2.1", &got) == 0 && address_same(&got, &want));
	buf_free(&lines);
	return 0;
}

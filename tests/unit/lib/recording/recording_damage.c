/* Whatever happens to a recording's file is noticed: cut off, flipped, taken apart and put
 * together. */
#include <string.h>

#include "lib/recording/recording_sample.h"
#include "unit.h"

/* Where the reading of what is left of it is nothing but its beginning. */
static void assert_beginning(const char *text, int way, size_t at)
{
	if (strncmp(WHOLE, text, strlen(text)) != 0)
		fail_msg("way %d, byte %zu: %s", way, at, text);
}

/* At every length: the beginning of what was written, and never called whole where that can be
 * known. */
static void test_truncation(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct image image;

		make(way);
		load(&image);
		for (size_t n = 0; n < image.len; n++) {
			struct seen s;

			store(image.bytes, n);
			s = read_all(way);
			assert_beginning(s.text, way, n);
			if (way & (SEALED | SIGNED))
				assert_int_not_equal(s.status, RECORDING_END);
			else
				assert_true(s.status == RECORDING_END ||
					    s.status == RECORDING_UNFINISHED || !*s.text);
		}
	}
}

static void test_flips(void **state)
{
	static const unsigned char masks[] = {32, 1, 2, 4, 8, 16, 64, 128, 255};

	(void)state;
	for (int way = SEALED; way < WAYS; way++) {
		/* All of a sealed one; the others take time, and once each byte will do. */
		size_t n = way == SEALED ? UNIT_COUNT(masks) : 1;
		struct image image;

		make(way);
		load(&image);
		for (size_t i = 0; i < image.len * n; i++) {
			size_t at = i / n;
			struct seen s;

			image.bytes[at] ^= masks[i % n];
			store(image.bytes, image.len);
			image.bytes[at] ^= masks[i % n];
			s = read_all(way);
			/* Compressed, it may be the same text: the signature is of that. */
			if (way == (SIGNED | COMPRESSED) && strcmp(s.text, WHOLE) == 0)
				continue;
			if (s.status == RECORDING_END)
				fail_msg("way %d, byte %zu: not noticed", way, at);
			assert_beginning(s.text, way, at);
		}
	}
}

/* Parts of a sealed file taken out, put in and changed about. The small chunks are found by their
 * lengths. */
static size_t elements(const struct image *image, size_t at[32])
{
	size_t n = 0, p = 24;

	while (p < image->len) {
		const unsigned char *b = image->bytes + p;
		uint32_t len =
		    b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;

		at[n++] = p;
		p += 4 + (len == UINT32_MAX ? 24 : len);
	}
	at[n] = p;
	assert_int_equal(p, image->len);
	return n;
}

static void test_splices(void **state)
{
	struct recorder_past past;
	struct image image;
	struct recorder *w;
	size_t at[32], n;

	(void)state;
	make(SEALED);
	w = begin(SEALED, true, &past); /* a second stream */
	put_record(w, 11);
	assert_int_equal(recorder_sync(w), 0);
	put_record(w, 12);
	assert_int_equal(recorder_close(w), 0);
	load(&image);
	n = elements(&image, at);
	assert_int_equal(n, 1 + CHUNKS + 1 + 3);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j <= n; j++) {
			unsigned char bytes[sizeof(image.bytes)];
			size_t a = at[i], b = at[j], len;

			/* Without [i, j). */
			memcpy(bytes, image.bytes, a);
			memcpy(bytes + a, image.bytes + b, image.len - b);
			store(bytes, image.len - (b - a));
			assert_int_not_equal(read_all(SEALED).status, RECORDING_END);
			/* Twice [i, j). */
			memcpy(bytes, image.bytes, b);
			memcpy(bytes + b, image.bytes + a, image.len - a);
			store(bytes, image.len + (b - a));
			assert_int_not_equal(read_all(SEALED).status, RECORDING_END);
			/* [i, j) and the element behind it changed. */
			if (j == n)
				continue;
			len = at[j + 1] - b;
			memcpy(bytes, image.bytes, image.len);
			memcpy(bytes + a, image.bytes + b, len);
			memcpy(bytes + a + len, image.bytes + a, b - a);
			store(bytes, image.len);
			assert_int_not_equal(read_all(SEALED).status, RECORDING_END);
		}
	}
}

/* Lines of a signed recording. */
static void test_signed_lines(void **state)
{
	static char text[8192];
	struct image image;
	char *lines[64];
	size_t n = 0;

	(void)state;
	make(SIGNED);
	load(&image);
	image.bytes[image.len] = 0;
	for (char *p = (char *)image.bytes; *p; p = strchr(p, '\n') + 1)
		lines[n++] = p;
	lines[n] = (char *)image.bytes + image.len;
	for (size_t i = 0; i < n; i++) {
		size_t len = (size_t)(lines[i + 1] - lines[i]);
		size_t front = (size_t)(lines[i] - lines[0]);

		memcpy(text, image.bytes, front);
		memcpy(text + front, lines[i + 1], image.len - front - len);
		store(text, image.len - len);
		assert_int_not_equal(read_all(SIGNED).status, RECORDING_END);
		memcpy(text, image.bytes, image.len);
		memcpy(text + image.len, lines[i], len);
		store(text, image.len + len);
		assert_int_not_equal(read_all(SIGNED).status, RECORDING_END);
		if (i + 1 < n) {
			size_t next = (size_t)(lines[i + 2] - lines[i + 1]);

			memcpy(text, image.bytes, image.len);
			memcpy(text + front, lines[i + 1], next);
			memcpy(text + front + next, lines[i], len);
			store(text, image.len);
			assert_int_not_equal(read_all(SIGNED).status, RECORDING_END);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_flips),
	    cmocka_unit_test(test_splices),
	    cmocka_unit_test(test_signed_lines),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

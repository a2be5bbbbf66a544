/* Lines become frames: small ones many at a time, long ones in fragments. */
#include "transport/ws_frames.h"

#include <string.h>

#include "unit.h"

/* Unmasks one frame at *p into out; returns its first byte. */
static int frame(const unsigned char **p, char *out, size_t *len)
{
	const unsigned char *q = *p;
	int first = *q++;
	size_t n = *q++ & 0x7f;

	if (n == 126) {
		n = (size_t)q[0] << 8 | q[1];
		q += 2;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(q[4 + i] ^ q[i & 3]);
	*len = n;
	*p = q + 4 + n;
	return first;
}

static void test_lines(void **state)
{
	static const char lines[] = "{\"a\":1}\n\n{\"b\":22}\n";
	struct ws_frames w = {.mid = false};
	unsigned char out[200];
	const unsigned char *p = out;
	char text[100];
	size_t used, len;

	(void)state;
	assert_int_equal(ws_frames_put(&w, lines, strlen(lines), out, sizeof(out), &used),
			 strlen(lines));
	assert_int_equal(frame(&p, text, &len), 0x81);
	assert_memory_equal(text, "{\"a\":1}", len);
	assert_int_equal(frame(&p, text, &len), 0x81);
	assert_memory_equal(text, "{\"b\":22}", len);
	assert_int_equal(p - out, used);
}

static void test_fragments(void **state)
{
	struct ws_frames w = {.mid = false};
	unsigned char out[50];
	char line[121], all[200], text[100];
	size_t at = 0, used, len, got = 0;
	unsigned n = 0;

	(void)state;
	memset(line, 'x', 120);
	line[120] = '\n';
	while (at < sizeof(line)) {
		const unsigned char *p = out;
		int first;

		at += ws_frames_put(&w, line + at, sizeof(line) - at, out, sizeof(out), &used);
		first = frame(&p, text, &len);
		assert_int_equal(first, at == sizeof(line) ? 0x80 : n ? 0x00 : 0x01);
		assert_int_equal(p - out, used);
		memcpy(all + got, text, len);
		got += len;
		n++;
	}
	assert_int_equal(n, 3);
	assert_int_equal(got, 120);
	assert_memory_equal(all, line, 120);
	assert_false(w.mid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_fragments),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

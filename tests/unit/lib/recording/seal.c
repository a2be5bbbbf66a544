/* Keys, their files, sealed streams and signed chains, each against what it must refuse. */
#include "recording/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "unit.h"

static char dir[64];
static char path[128];
static char why[300];

/* A fresh key of that kind in path, read. */
static struct seal_keys *fresh(enum seal_key kind)
{
	struct seal_keys *k = seal_keys_new();

	assert_non_null(k);
	snprintf(path, sizeof(path), "%s/key.pub", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/key", dir);
	unlink(path);
	assert_int_equal(seal_key_make(kind, path, why, sizeof(why)), 0);
	assert_int_equal(seal_key_read(k, kind, path, why, sizeof(why)), 0);
	return k;
}

static void test_keys(void **state)
{
	struct seal_keys *k = seal_keys_new();

	(void)state;
	assert_false(seal_keys_have(NULL, SEAL_SECRET));
	for (int kind = SEAL_SECRET; kind <= SEAL_VERIFY; kind++)
		assert_false(seal_keys_have(k, (enum seal_key)kind));
	seal_keys_free(k);
	k = fresh(SEAL_SECRET);
	assert_true(seal_keys_have(k, SEAL_SECRET));
	assert_false(seal_keys_have(k, SEAL_SIGN));
	seal_keys_free(k);
	k = fresh(SEAL_SIGN);
	assert_true(seal_keys_have(k, SEAL_SIGN));
	assert_true(seal_keys_have(k, SEAL_VERIFY));
	assert_false(seal_keys_have(k, SEAL_SECRET));
	seal_keys_free(k);
	k = seal_keys_new();
	strcat(path, ".pub");
	assert_int_equal(seal_key_read(k, SEAL_VERIFY, path, why, sizeof(why)), 0);
	assert_false(seal_keys_have(k, SEAL_SIGN));
	assert_true(seal_keys_have(k, SEAL_VERIFY));
	seal_keys_free(k);
	seal_keys_free(NULL);
}

static void test_key_files(void **state)
{
	struct seal_keys *k = fresh(SEAL_SECRET);
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(seal_key_make(SEAL_SECRET, path, why, sizeof(why)), EX_CANTCREAT);
	assert_int_equal(seal_key_read(k, SEAL_SIGN, path, why, sizeof(why)), EX_DATAERR);
	assert_int_equal(seal_key_read(k, SEAL_VERIFY, path, why, sizeof(why)), EX_DATAERR);
	for (unsigned mode = 0; mode < 0100; mode++) {
		chmod(path, 0600 | mode);
		assert_int_equal(seal_key_read(k, SEAL_SECRET, path, why, sizeof(why)),
				 mode ? EX_NOPERM : 0);
	}
	chmod(path, 0400);
	assert_int_equal(seal_key_read(k, SEAL_SECRET, path, why, sizeof(why)), 0);
	assert_int_equal(seal_key_read(k, SEAL_SECRET, dir, why, sizeof(why)), EX_DATAERR);
	assert_int_equal(seal_key_read(k, SEAL_SECRET, "/nowhere/key", why, sizeof(why)),
			 EX_NOINPUT);
	assert_int_equal(seal_key_make(SEAL_SECRET, "/nowhere/key", why, sizeof(why)),
			 EX_CANTCREAT);
	seal_keys_free(k);
}

static void test_stream(void **state)
{
	static const char *const texts[] = {"one", "", "three"};
	struct seal_keys *k = fresh(SEAL_SECRET), *other = fresh(SEAL_SECRET);
	unsigned char header[SEAL_HEADER], box[3][32];
	struct seal_stream *s = seal_push_new(k, header);
	char text[32];
	bool end;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		seal_push(s, texts[i], strlen(texts[i]), "ad", 2, i == 2, box[i]);
	seal_stream_free(s);
	s = seal_pull_new(k, header);
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(texts[i]);

		for (size_t at = 0; at < len + SEAL_OVERHEAD; at++) {
			box[i][at] ^= 1;
			assert_int_equal(
			    seal_pull(s, box[i], len + SEAL_OVERHEAD, "ad", 2, &end, text),
			    -EBADMSG);
			box[i][at] ^= 1;
		}
		assert_int_equal(seal_pull(s, box[i], len + SEAL_OVERHEAD, "aD", 2, &end, text),
				 -EBADMSG);
		assert_int_equal(seal_pull(s, box[i], len + SEAL_OVERHEAD, "ad", 2, &end, text), 0);
		assert_memory_equal(text, texts[i], len);
		assert_int_equal(end, i == 2);
	}
	seal_stream_free(s);
	s = seal_pull_new(k, header); /* not in its place */
	assert_int_equal(seal_pull(s, box[1], SEAL_OVERHEAD, "ad", 2, &end, text), -EBADMSG);
	seal_stream_free(s);
	s = seal_pull_new(other, header);
	assert_int_equal(seal_pull(s, box[0], 3 + SEAL_OVERHEAD, "ad", 2, &end, text), -EBADMSG);
	seal_stream_free(s);
	seal_keys_free(k);
	seal_keys_free(other);
}

static void test_chain(void **state)
{
	struct seal_keys *k = fresh(SEAL_SIGN), *other = fresh(SEAL_SIGN);
	unsigned char one[SEAL_HASH], two[SEAL_HASH], again[SEAL_HASH], sig[SEAL_SIGNATURE];
	struct seal_chain *c = seal_chain_new();

	(void)state;
	seal_chain_add(c, "ab", 2);
	seal_chain_add(c, "c", 1);
	seal_chain_link(c, one);
	seal_chain_add(c, "d", 1);
	seal_chain_link(c, two);
	seal_chain_set(c, one);
	seal_chain_add(c, "d", 1);
	seal_chain_link(c, again);
	assert_memory_equal(again, two, SEAL_HASH);
	assert_memory_not_equal(one, two, SEAL_HASH);
	seal_chain_free(c);
	c = seal_chain_new();
	seal_chain_add(c, "abc", 3);
	seal_chain_link(c, again);
	assert_memory_equal(again, one, SEAL_HASH);
	seal_chain_free(c);

	seal_sign(k, one, false, sig);
	assert_true(seal_verify(k, one, false, sig));
	assert_false(seal_verify(k, one, true, sig));
	assert_false(seal_verify(k, two, false, sig));
	assert_false(seal_verify(other, one, false, sig));
	for (size_t i = 0; i < SEAL_SIGNATURE; i++) {
		sig[i] ^= 0x10;
		assert_false(seal_verify(k, one, false, sig));
		sig[i] ^= 0x10;
	}
	seal_keys_free(k);
	seal_keys_free(other);
}

/* One text for the bytes, and no other. */
static void test_text(void **state)
{
	unsigned char bytes[SEAL_HASH], back[SEAL_HASH];
	char text[SEAL_HASH_TEXT + 1], other[SEAL_HASH_TEXT + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 250);
	seal_encode(bytes, sizeof(bytes), text, sizeof(text));
	assert_int_equal(strlen(text), SEAL_HASH_TEXT);
	assert_true(seal_decode(text, SEAL_HASH_TEXT, back, sizeof(back)));
	assert_memory_equal(back, bytes, sizeof(bytes));
	assert_false(seal_decode(text, SEAL_HASH_TEXT - 1, back, sizeof(back)));
	for (size_t i = 0; i < SEAL_HASH_TEXT; i++) {
		for (int c = 1; c < 256; c++) {
			strcpy(other, text);
			other[i] = (char)c;
			if (other[i] == text[i])
				continue;
			if (seal_decode(other, SEAL_HASH_TEXT, back, sizeof(back)))
				assert_memory_not_equal(back, bytes, sizeof(bytes));
		}
	}
	snprintf(other, sizeof(other), "%s=", text);
	assert_false(seal_decode(other, SEAL_HASH_TEXT + 1, back, sizeof(back)));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/hub-seal.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/key.pub", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/key", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),   cmocka_unit_test(test_key_files),
	    cmocka_unit_test(test_stream), cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

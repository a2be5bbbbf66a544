/* Batches as bytes: what was put comes back, and whatever else Redis may have is refused. */
#include "bus/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/archive.h"
#include "session/stored.h"
#include "unit.h"

static struct offer *offer(const char *body, const char *key, const char *type)
{
	size_t len = strlen(body), key_len = strlen(key), type_len = strlen(type);
	struct offer *o = calloc(1, sizeof(*o) + len + 1 + key_len + type_len);

	assert_non_null(o);
	o->len = (uint32_t)len;
	o->key_len = (uint32_t)key_len;
	o->type_len = (uint32_t)type_len;
	memcpy(o->text, body, len);
	o->text[len] = '}';
	memcpy(o->text + len + 1, key, key_len);
	memcpy(o->text + len + 1 + key_len, type, type_len);
	return o;
}

static void put(struct buf *b)
{
	struct offer *plain = offer("{\"type\":\"said\"", "", "");
	struct offer *set = offer("{\"type\":\"at\",\"key\":\"k\"", "k", "at");

	plain->tags =
	    (struct slot){.sender = 1, .acked = 1, .msg = 0x123456789abcdef0, .own = OWN_NEVER};
	set->tags = (struct slot){.sender = UINT64_MAX,
				  .class = RECORD_SET,
				  .owned = 1,
				  .timed = 1,
				  .key_at = 19,
				  .key_len = 3,
				  .type_at = 8,
				  .type_len = 4,
				  .area = 77};
	set->terms.ttl_ms = 1500;
	assert_int_equal(batch_put(b, plain), 0);
	assert_int_equal(batch_put(b, set), 0);
	free(plain);
	free(set);
}

static void records_come_back(void **state)
{
	struct buf b = {0};
	struct incoming in;
	struct span s;
	uint64_t ttl_ms;

	(void)state;
	put(&b);
	s = (struct span){b.data, b.len};
	assert_true(batch_next(&s, &in, &ttl_ms));
	assert_int_equal(in.tags.sender, 1);
	assert_true(in.tags.acked);
	assert_true(in.tags.msg == 0x123456789abcdef0);
	assert_int_equal(in.tags.own, OWN_NEVER);
	assert_int_equal(in.body.len, 14);
	assert_int_equal(ttl_ms, 0);
	assert_true(batch_next(&s, &in, &ttl_ms));
	assert_true(in.tags.sender == UINT64_MAX && in.tags.owned && in.tags.timed);
	assert_int_equal(in.tags.class, RECORD_SET);
	assert_int_equal(in.tags.area, 77);
	assert_int_equal(ttl_ms, 1500);
	assert_memory_equal(in.key.p, "k", 1);
	assert_memory_equal(in.type.p, "at", 2);
	assert_memory_equal(in.body.p + in.tags.key_at, "\"k\"", 3);
	assert_int_equal(s.len, 0);
	assert_false(batch_next(&s, &in, &ttl_ms));
	buf_free(&b);
}

/* Each byte changed, and each end: nothing is read behind the end. */
static void damage_is_seen(void **state)
{
	struct buf b = {0};
	uint64_t ttl_ms;

	(void)state;
	put(&b);
	for (size_t len = 0; len < b.len; len++) {
		for (int bit = -1; bit < 8; bit++) {
			char *copy = malloc(len + 1);
			struct span s = {copy, len};
			struct incoming in;

			assert_non_null(copy);
			memcpy(copy, b.data, len);
			if (bit >= 0 && len)
				copy[len - 1] ^= (char)(1 << bit);
			while (batch_next(&s, &in, &ttl_ms)) {
				assert_true(in.body.p >= copy &&
					    in.body.p + in.body.len <= copy + len);
				assert_true(in.tags.key_at + in.tags.key_len <= in.body.len);
				assert_true((uint64_t)in.tags.type_at + in.tags.type_len <=
					    in.body.len);
			}
			free(copy);
		}
	}
	buf_free(&b);
}

static bool reads(const char *text, struct batch_head *head)
{
	return batch_read((struct span){text, strlen(text)}, head);
}

static void heads(void **state)
{
	static const char *const bad[] = {
	    "",
	    "r",
	    "r ",
	    "e 00000000000000ff\n",
	    "r ff 1 1 - a.1",
	    "r ff 0 1 - a.1\n",
	    "r ff 1 0 - a.1\n",
	    "r ff 1 1001 - a.1\n",
	    "r fg 1 1 - a.1\n",
	    "r ff a 1 - a.1\n",
	    "r ff 1 1  a.1\n",
	    "r ff 99999999999999999999 1 - a.1\n",
	    "r ff 1 1 - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	};
	struct batch_head head;

	(void)state;
	assert_true(reads("r 00000000000000ff 12 3 b.1 a.2f\nrest", &head));
	assert_true(head.epoch == 0xff && head.first == 12 && head.n == 3);
	assert_memory_equal(head.before.p, "b.1", 3);
	assert_memory_equal(head.id.p, "a.2f", 4);
	assert_int_equal(head.records.len, 4);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (reads(bad[i], &head))
			fail_msg("'%s' is taken", bad[i]);
}

static int put_u(struct buf *b, uint64_t n, int bytes)
{
	int r = 0;

	for (int i = 0; i < bytes && r == 0; i++, n >>= 8)
		r = buf_put(b, &(unsigned char){(unsigned char)n}, 1);
	return r;
}

/* As publish.lua appends it. */
static void put_block(struct buf *b, uint64_t first, const struct slot *tags, size_t n)
{
	put_u(b, first, 8);
	put_u(b, n, 2);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(batch_put_acked(b, &tags[i], 2 * i), 0);
	put_u(b, n, 2);
}

struct seen {
	struct batch_acked at[8];
	size_t n;
};

static int see(void *arg, const struct batch_acked *a)
{
	struct seen *seen = arg;

	assert_true(seen->n < 8);
	seen->at[seen->n++] = *a;
	return seen->n == 3 ? 7 : 0;
}

static void acked_messages_come_back(void **state)
{
	static const struct slot tags[] = {{.msg = UINT64_MAX, .sender = 1},
					   {.msg = 2, .sender = UINT64_MAX - 1}};
	struct buf b = {0};
	struct seen seen = {0};

	(void)state;
	put_block(&b, (UINT64_C(1) << 52) + 1, tags, 2);
	assert_int_equal(b.len, 12 + 2 * BATCH_ACKED);
	assert_int_equal(batch_each_acked((struct span){b.data, b.len}, see, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_true(seen.at[0].msg == UINT64_MAX && seen.at[0].sender == 1);
	assert_true(seen.at[0].seq == (UINT64_C(1) << 52) + 1);
	assert_true(seen.at[1].sender == UINT64_MAX - 1);
	assert_true(seen.at[1].seq == (UINT64_C(1) << 52) + 3);

	put_block(&b, UINT64_MAX / 2, tags, 2);
	seen.n = 0;
	assert_int_equal(batch_each_acked((struct span){b.data, b.len}, see, &seen), 7);
	assert_int_equal(seen.n, 3); /* until it was enough */

	for (size_t len = 1; len < b.len; len++) {
		char *copy = malloc(len);

		assert_non_null(copy);
		memcpy(copy, b.data, len);
		seen.n = 0;
		/* What is whole comes; nothing is read behind the end. */
		if (len != b.len / 2 && len < b.len / 2 + 12 + 2 * BATCH_ACKED)
			assert_int_equal(batch_each_acked((struct span){copy, len}, see, &seen),
					 -EINVAL);
		free(copy);
	}
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_come_back),
	    cmocka_unit_test(damage_is_seen),
	    cmocka_unit_test(heads),
	    cmocka_unit_test(acked_messages_come_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}

/* A session's log: frames that a WebSocket can take as they are, and the memory that they take. */
#include "log/log.h"

#include "hubd/log_sample.h"
#include "unit.h"
#include "wire/wsframe.h"

/* Reads a frame as a client would (RFC 6455 section 5.2): the payload, and that it ends with the
 * frame. */
static const unsigned char *read_frame(const unsigned char *p, size_t frame_len, size_t *len)
{
	size_t header = 2, n = p[1];

	assert_int_equal(p[0], 0x81); /* final, text */
	assert_false(p[1] & 0x80);    /* not masked */
	if (n == 126) {
		n = (size_t)p[2] << 8 | p[3];
		assert_true(n > 125);
		header = 4;
	} else if (n == 127) {
		n = 0;
		for (int i = 2; i < 10; i++)
			n = n << 8 | p[i];
		assert_true(n > 65535);
		header = 10;
	}
	assert_int_equal(header + n, frame_len);
	assert_int_equal(wsframe_header_len(p), header);
	*len = n;
	return p + header;
}

static void an_empty_log_has_nothing(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {0};
	struct log_view view;
	struct log log;

	(void)state;
	log_init(&log, &memory);
	log_view(&log, 1, &view);
	assert_null(view.chunk);
	assert_int_equal(view.head, 0);
	assert_int_equal(view.tail, 1);
	log_trim(&log, &limits, EVERYBODY, 0);
	assert_int_equal(log.bytes, 0);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static const size_t sizes[] = {1,     2,     30,    116,   117,	   118,	   119,	   1000,   4096,
			       65000, 65525, 65526, 65527, 65528,  65535,  65536,  100000, 1 << 20,
			       1,     50000, 50000, 1,	   131072, 131073, 262144, 1};

static size_t listed_len(uint64_t seq)
{
	return sizes[(seq - 1) % UNIT_COUNT(sizes)];
}

static void records_of_all_sizes_are_frames(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	for (uint64_t seq = 1; seq <= 3 * UNIT_COUNT(sizes); seq++) {
		struct log_view view;
		const struct slot *slot;
		size_t len;

		assert_int_equal(append_sized(&log, listed_len(seq), seq), (int64_t)seq);
		log_view(&log, seq, &view);
		assert_non_null(view.chunk);
		slot = chunk_slot(view.chunk, seq - view.chunk->first);
		read_frame(view.chunk->data + slot->offset, slot->len, &len);
		assert_true(len > listed_len(seq));
		chunk_unref(view.chunk);
	}
	for (uint64_t from = 1; from <= log.head + 1; from++)
		check_view(&log, from, listed_len);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static size_t one_byte(uint64_t seq)
{
	(void)seq;
	return 1;
}

static void sequence_numbers_grow_in_length(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	log.head = 9999999999 - 5;
	log.tail = log.head + 1;
	for (int i = 0; i < 10; i++)
		append_sized(&log, 1, 0);
	log.head = UINT64_MAX - 20; /* the longest there is */
	log_free(&log);
	log.tail = log.head + 1;
	for (int i = 0; i < 10; i++)
		append_sized(&log, 1, 0);
	check_view(&log, log.tail, one_byte);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void small_sessions_take_little(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	append_sized(&log, 100, 0);
	assert_true(log.bytes < 2048);
	assert_int_equal(log.bytes, atomic_load(&memory.used));
	for (int i = 0; i < 10000; i++)
		append_sized(&log, 100, 0);
	assert_int_equal(log.bytes, atomic_load(&memory.used));
	/* Frames, slots, and not much lost in between. */
	assert_true(log.bytes < 10001 * (4 + 100 + 13 + sizeof(struct slot)) * 11 / 10 + 65536);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* Frames of one log, in another: as they are, under numbers of their own. */
static void frames_can_be_put_elsewhere(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log from, to;
	const struct chunk *c, *put;

	(void)state;
	log_init(&from, &memory);
	log_init(&to, &memory);
	for (uint64_t seq = 1; seq <= 3000; seq++)
		append_sized(&from, body_len(seq), 0);
	c = from.oldest;
	for (uint64_t seq = 7; seq <= 3000; seq += 7) {
		const struct slot *slot;

		c = chunk_find(c, seq);
		slot = chunk_slot(c, seq - c->first);
		assert_int_equal(log_put(&to, slot, c->data + slot->offset, slot->len),
				 (int64_t)(seq / 7));
	}
	c = from.oldest;
	put = to.oldest;
	for (uint64_t seq = 7; seq <= 3000; seq += 7) {
		const struct slot *slot, *copy;

		c = chunk_find(c, seq);
		put = chunk_find(put, seq / 7);
		slot = chunk_slot(c, seq - c->first);
		copy = chunk_slot(put, seq / 7 - put->first);
		assert_int_equal(copy->len, slot->len);
		assert_true(same_tags(copy, slot));
		assert_memory_equal(put->data + copy->offset, c->data + slot->offset, slot->len);
	}
	assert_int_equal(to.head, 3000 / 7);
	log_free(&from);
	log_free(&to);
	assert_int_equal(atomic_load(&memory.used), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_log_has_nothing),
	    cmocka_unit_test(records_of_all_sizes_are_frames),
	    cmocka_unit_test(sequence_numbers_grow_in_length),
	    cmocka_unit_test(small_sessions_take_little),
	    cmocka_unit_test(frames_can_be_put_elsewhere),
	};

	letters_make();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

/* A recorder that goes on with a file: where it ended, as the same life of the hub, alone, and
 * never with what is not its own. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/recording/recording_sample.h"
#include "unit.h"

/* Whatever length a crash has left: the recorder goes on, and the whole is good. */
static void test_append(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct image image;

		make(way);
		load(&image);
		for (size_t n = 0; n <= image.len; n += way & COMPRESSED ? 3 : 1) {
			struct recorder_past past;
			struct recorder *w;
			struct seen before, after;
			char want[500];

			store(image.bytes, n);
			before = read_all(way);
			w = begin(way, true, &past);
			assert_int_equal(past.there, *before.text != 0);
			if (!past.there) {
				assert_int_equal(recorder_size(w), 0);
				recorder_abandon(w);
				continue;
			}
			assert_string_equal(past.session, "s");
			assert_string_equal(past.epoch, "log1");
			put_record(w, 77);
			assert_int_equal(recorder_sync(w), 0);
			assert_int_equal(recorder_close(w), 0);
			after = read_all(way);
			snprintf(want, sizeof(want), "%s77 ", before.text);
			assert_string_equal(after.text, want);
			assert_int_equal(after.status, RECORDING_END);
		}
		store(image.bytes, image.len);
		recorder_abandon(begin(way, true, NULL));
	}
}

/* In which life of the hub it was recorded: the last line that says it in the right form. */
static void test_runs(void **state)
{
	static const struct {
		const char *line, *run;
	} cases[] = {
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\"0000001f\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":7,\"t\":1}\n", "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\"a\\u0041\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"joined\",\"run\":\"x\",\"from\":\"me\",\"session_id\":\"s\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\""
	     "12345678901234567890123456789012345678901234567890123456789012345\",\"t\":1}\n",
	     "0000001f"},
	    {"{\"type\":\"other\",\"session_id\":\"s\",\"run\":\"x\",\"t\":1}\n", "0000001f"},
	    {"{\"type\":\"joined\",\"session_id\":\"s\",\"run\":\"00000020\",\"t\":1}\n",
	     "00000020"},
	};
	char text[2000] = HEAD;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct recorder_past past;

		strcat(text, cases[i].line);
		store_text(text);
		recorder_abandon(begin(0, true, &past));
		assert_string_equal(past.run, cases[i].run);
	}
}

static void test_lock(void **state)
{
	struct recorder_options options = options_of(0);
	struct recorder_past past;
	struct recorder *w;
	char why[200];
	int status;

	(void)state;
	unlink(path);
	w = begin(0, true, &past);
	options.append = true;
	assert_null(recorder_open(path, &options, &past, why, sizeof(why), &status));
	assert_int_equal(status, EX_UNAVAILABLE);
	recorder_abandon(w);
	recorder_abandon(begin(0, true, &past));
	options.append = false;
	assert_null(recorder_open(path, &options, &past, why, sizeof(why), &status));
	assert_int_equal(status, EX_CANTCREAT);
}

/* What stands in a file that a recorder did not begin is never cut off. */
static void test_foreign(void **state)
{
	static const char *const texts[] = {"notes", "{\"type\":\"x\"}\n", HEAD "notes\n"};
	struct recorder_options options = {.append = true};
	struct recorder_past past;
	struct image image;
	char why[200];
	int status;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		store_text(texts[i]);
		assert_null(recorder_open(path, &options, &past, why, sizeof(why), &status));
		assert_int_equal(status, EX_DATAERR);
		load(&image);
		assert_int_equal(image.len, strlen(texts[i]));
	}
	for (int way = 0; way < WAYS; way++) {
		make(way);
		for (int other = 0; other < WAYS; other++) {
			struct recorder *w;

			options = options_of(other);
			options.append = true;
			w = recorder_open(path, &options, &past, why, sizeof(why), &status);
			assert_int_equal(w != NULL, way == other);
			recorder_abandon(w);
		}
		make(way);
	}
}

/* Who opens a file and writes nothing leaves it as it was found: it may be the wrong one. */
static void test_untouched(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct image whole, now;

		make(way);
		load(&whole);
		for (size_t cut = 0; cut < 3; cut++) {
			store(whole.bytes, whole.len - cut);
			recorder_abandon(begin(way, true, NULL));
			load(&now);
			assert_int_equal(now.len, whole.len - cut);
			assert_memory_equal(now.bytes, whole.bytes, now.len);
		}
		store(whole.bytes, whole.len);
		assert_int_equal(recorder_close(begin(way, true, NULL)), 0);
		load(&now);
		assert_int_equal(now.len, whole.len);
		assert_memory_equal(now.bytes, whole.bytes, now.len);
		/* An end that is missing is written, though nothing is put. */
		store(whole.bytes, whole.len - 1);
		assert_int_equal(recorder_close(begin(way, true, NULL)), 0);
		assert_int_equal(read_all(way).status, RECORDING_END);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_append),    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_lock),      cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_untouched),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

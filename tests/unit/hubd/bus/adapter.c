/* Messages between servers of Socket.IO: those of @socket.io/redis-adapter 8.3.0 and its emitter
 * are read, and what is written has the one layout that was tried with these. */
#include "bus/adapter.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

#define BYTES(text) ((struct span){text, sizeof(text) - 1})
#define UID BYTES("01234567890123456789")

/* clang-format off */
#define BROADCAST "\x93\xa6kX3_aB\x83\xa4type\x02\xa4" "data\x92\xa4move\x81\xa1x\x07\xa3nsp\xa6/match" \
	"\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x80"
#define EMITTED "\x93\xa7" "emitter\x83\xa4type\x02\xa4" "data\x94\xa3say\x01\xa1" "a\xc0\xa3nsp\xa1/" \
	"\x83\xa5rooms\x92\xa4" "blue\x07\xa5" "flags\x81\xa8volatile\xc3\xa6" "except\x91\xa1x"
#define REQUEST "\x85\xa3uid\xa6kX3_aB\xa9requestId\xa1r\xa4type\x07\xa6packet\x83\xa4type\x02\xa4" \
	"data\x92\xa3" "ask\xc4\x02\x01\x02\xa3nsp\xa6/match\xa4opts\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x81" \
	"\xa7timeout\xcd\x13\x88"
/* clang-format on */

static struct adapter_heard heard_is(struct span bytes, const char *message)
{
	struct adapter_heard heard;
	struct buf b = {0};

	assert_int_equal(adapter_read(bytes, UID, &heard, &b, 1000), 1);
	buf_put(&b, "", 1);
	assert_string_equal(b.data, message);
	buf_free(&b);
	return heard;
}

static int read_status(struct span bytes, struct span uid, size_t max)
{
	struct adapter_heard heard;
	struct buf b = {0};
	int r = adapter_read(bytes, uid, &heard, &b, max);

	assert_true(r > 0 || b.len == 0);
	buf_free(&b);
	return r;
}

static void session_is(struct adapter_heard *heard, const char *want)
{
	char session[ENVELOPE_SESSION_MAX];
	size_t n = adapter_session(heard, session);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(session, want, n);
}

static void hears(void **state)
{
	struct adapter_heard heard =
	    heard_is(BYTES(BROADCAST), "{\"type\":\"move\",\"data\":{\"x\":7}}");

	(void)state;
	session_is(&heard, "match");
	heard = heard_is(BYTES(EMITTED), "{\"type\":\"say\",\"args\":[1,\"a\",null]}");
	assert_int_equal(heard.nrooms, 2);
	session_is(&heard, "main~blue");
	session_is(&heard, "main~7");
	assert_int_equal(heard.nrooms, 0);
	heard = heard_is(BYTES(REQUEST), "{\"type\":\"ask\",\"args\":[{\"$base64\":\"AQI=\"}]}");
	session_is(&heard, "match");
}

static void passes_over(void **state)
{
	(void)state;
	assert_int_equal(read_status(BYTES(BROADCAST), BYTES("kX3_aB"), 1000), 0);
	assert_int_equal(read_status(BYTES(REQUEST), BYTES("kX3_aB"), 1000), 0);
	assert_int_equal(read_status(BYTES("{\"type\":5}"), UID, 1000), 0);
	assert_int_equal(read_status(BYTES("\x81\xa4type\x09"), UID, 1000), 0);
	assert_int_equal(read_status(BYTES("\x93\xa1u\x83\xa4type\x03\xa4"
					   "data\x91\xa1"
					   "e\xa3nsp\xa1/\x80"),
				     UID, 1000),
			 0);
}

/* No beginning of a message is one, nor is it with something behind it. */
static void refuses(void **state)
{
	const struct span all[] = {BYTES(BROADCAST), BYTES(EMITTED), BYTES(REQUEST)};
	char room[sizeof(REQUEST) + 1];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(all); i++) {
		for (size_t n = 0; n < all[i].len; n++)
			if (read_status((struct span){all[i].p, n}, UID, 1000) != -EINVAL)
				fail_msg("%zu bytes of message %zu are taken", n, i);
		memcpy(room, all[i].p, all[i].len);
		room[all[i].len] = '\0';
		assert_int_equal(read_status((struct span){room, all[i].len + 1}, UID, 1000),
				 -EINVAL);
		assert_int_equal(read_status(all[i], UID, 20), -EMSGSIZE);
	}
}

static void names(void **state)
{
	static const struct {
		const char *nsp, *room, *session;
	} rows[] = {
	    {"/", NULL, "main"},   {"/match", NULL, "match"}, {"/main", NULL, ""},
	    {"/a~b", NULL, ""},	   {"/a b", NULL, ""},	      {"/", "a~b", "main~a~b"},
	    {"/match", "a b", ""}, {"/match", "", ""},	      {"/match", "x*", ""},
	    {"/a/b", NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		size_t n = rows[i].room ? strlen(rows[i].room) : 0;
		char room[16] = {(char)(0xa0 | n)};
		struct adapter_heard heard = {.nsp = {rows[i].nsp, strlen(rows[i].nsp)},
					      .rooms = {room, 1 + n},
					      .nrooms = rows[i].room != NULL};

		if (n)
			memcpy(room + 1, rows[i].room, n);
		session_is(&heard, rows[i].session);
	}
	/* What ends a text in C does not end a name. */
	struct adapter_heard nul = {.nsp = {"/a\0b", 4}};
	session_is(&nul, "");
}

static void put(struct span session, const char *channel, struct span event, struct span want)
{
	struct adapter_place place;
	struct buf b = {0}, c = {0};

	assert_true(adapter_place(session, &place));
	assert_int_equal(adapter_channel(&c, "p", &place), 0);
	buf_put(&c, "", 1);
	assert_string_equal(c.data, channel);
	assert_int_equal(adapter_put(&b, UID, &place, event), 0);
	assert_int_equal(b.len, want.len);
	assert_memory_equal(b.data, want.p, want.len);
	buf_free(&b);
	buf_free(&c);
}

#define HEAD                                       \
	"\x93\xb4"                                 \
	"01234567890123456789\x83\xa4type\x02\xa4" \
	"data"
#define TAIL             \
	"\xa6"           \
	"except\x90\xa5" \
	"flags\x80"

static void tells(void **state)
{
	struct adapter_place place;

	(void)state;
	put(BYTES("match"), "p#/match#", BYTES("[\"e\"]"),
	    BYTES(HEAD "\xdd\0\0\0\x01\xa1"
		       "e\xa3nsp\xa6/match\x83\xa5rooms\x90" TAIL));
	put(BYTES("main"), "p#/#", BYTES("[\"e\",1]"),
	    BYTES(HEAD "\xdd\0\0\0\x02\xa1"
		       "e\x01\xa3nsp\xa1/\x83\xa5rooms\x90" TAIL));
	put(BYTES("match~blue"), "p#/match#blue#", BYTES("[\"e\"]"),
	    BYTES(HEAD "\xdd\0\0\0\x01\xa1"
		       "e\xa3nsp\xa6/match\x83\xa5rooms\x91\xa4"
		       "blue" TAIL));
	put(BYTES("main~10"), "p#/#10#", BYTES("[\"e\"]"),
	    BYTES(HEAD "\xdd\0\0\0\x01\xa1"
		       "e\xa3nsp\xa1/\x83\xa5rooms\x92\xa2"
		       "10\x0a" TAIL));
	put(BYTES("main~010"), "p#/#010#", BYTES("[\"e\"]"),
	    BYTES(HEAD "\xdd\0\0\0\x01\xa1"
		       "e\xa3nsp\xa1/\x83\xa5rooms\x91\xa3"
		       "010" TAIL));
	/* Whose parser would take a placeholder for one gets none. */
	put(BYTES("main"), "p#/#",
	    BYTES("[\"e\",{\"$base64\":\"AQ==\"},{\"_placeholder\":true,\"num\":0}]"),
	    BYTES(HEAD "\xdd\0\0\0\x03\xa1"
		       "e\xdf\0\0\0\x01\xa7$base64\xa4"
		       "AQ==\xdf\0\0\0\x02\xac_placeholder\xc3\xa3num\x00\xa3nsp\xa1/\x83\xa5rooms"
		       "\x90" TAIL));
	assert_false(adapter_place(BYTES("~blue"), &place));
	assert_false(adapter_place(BYTES("match~"), &place));
}

static void patterns(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(adapter_pattern(&b, "a*[b]?^\\c", "#/"), 0);
	buf_put(&b, "", 1);
	assert_string_equal(b.data, "a\\*\\[b\\]\\?\\^\\\\c#/*");
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hears), cmocka_unit_test(passes_over), cmocka_unit_test(refuses),
	    cmocka_unit_test(names), cmocka_unit_test(tells),	    cmocka_unit_test(patterns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("adapter", tests, NULL, NULL);
}

/* Dialects: what each message from a server means, and what a client says to become a member. */
#include "speak/dialect.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "json/json.h"
#include "unit.h"

#define RUN "hbabcdef"

static struct script script_of(const struct dialect *d)
{
	struct script s = {.name = RUN, .sessions = 1, .mark_at = 6};

	memcpy(&s.run, RUN, sizeof(s.run));
	if (d->npaths)
		s.paths = json_paths_new(d->paths, d->npaths);
	return s;
}

static enum dialect_got take(const struct dialect *d, struct script s, const char *text,
			     struct dialect_news *news)
{
	enum dialect_got got;

	memset(news, 0, sizeof(*news));
	got = d->take(&s, text, strlen(text), news);
	json_paths_free(s.paths);
	return got;
}

/* before, a mark, behind. */
static const char *marked(const char *before, const char *behind)
{
	static const struct mark mark = {.number = 7, .publisher = 3, .due = 1000, .late = 5};
	static char text[300];

	memset(text, 0, sizeof(text));
	strcpy(text, before);
	strcat(text, RUN);
	mark_write(text + strlen(before), &mark);
	strcat(text, behind);
	return text;
}

/* What a client says to join; NULL: nothing. */
static char *joins(const struct dialect *d, const struct script *s, const struct dialect_client *c)
{
	struct buf out = {0};
	int said = d->join(s, c, &out);

	assert_in_range(said, 0, 1);
	if (!said) {
		assert_int_equal(out.len, 0);
		return NULL;
	}
	assert_int_equal(buf_put(&out, "", 1), 0);
	return out.data;
}

static void expect_joins(const struct dialect *d, struct script s, uint32_t session,
			 const char *expected)
{
	struct dialect_client c = {.session = session};
	char *text = joins(d, &s, &c);

	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
	free(text);
}

static void expect_hello(struct script s, uint32_t session, const char *expected)
{
	struct dialect_client c = {.session = session};
	struct buf out = {0};

	assert_int_equal(dialect_socketio.hello(&s, &c, &out), 0);
	assert_int_equal(out.len, strlen(expected));
	assert_memory_equal(out.data, expected, out.len);
	buf_free(&out);
}

static void hub_messages(void **state)
{
	const struct script s = script_of(&dialect_hub);
	struct dialect_news news;

	(void)state;
	json_paths_free(s.paths);
	assert_int_equal(take(&dialect_hub, script_of(&dialect_hub),
			      marked("{\"m\":\"", "\",\"type\":\"bench\",\"seq\":41}"), &news),
			 DIALECT_MESSAGE);
	assert_int_equal(news.seq, 41);
	assert_int_equal(news.mark.number, 7);
	assert_int_equal(news.mark.publisher, 3);
	assert_int_equal(news.mark.due, 1000);
	/* The server's number is missing. */
	assert_int_equal(take(&dialect_hub, script_of(&dialect_hub),
			      marked("{\"m\":\"", "\",\"type\":\"bench\"}"), &news),
			 DIALECT_UNKNOWN);
}

static void hub_answers(void **state)
{
	static const struct {
		const char *text;
		enum dialect_got got;
		uint64_t seq, number;
	} cases[] = {
	    {"{\"type\":\"ack\",\"msg_id\":\"0000000012\",\"seq\":3}", DIALECT_ACK, 0, 12},
	    {"{ \"type\":\"ack\",\"msg_id\":\"12\"}", DIALECT_ACK, 0, 12},
	    {"{\"type\":\"gap\",\"from_seq\":3,\"to_seq\":9}", DIALECT_GAP, 9, 0},
	    {"{\"type\":\"chat\",\"from\":\"x\",\"seq\":5}", DIALECT_FOREIGN, 5, 0},
	    {"{\"type\":\"chat\",\"from\":\"x\"}", DIALECT_FOREIGN, DIALECT_NO_NUMBER, 0},
	    {"{\"type\":\"session_left\"}", DIALECT_LEFT, 0, 0},
	    {"{\"type\":\"presence\"}", DIALECT_NOTHING, 0, 0},
	    {"{\"type\":\"error\",\"data\":{\"code\":\"rate\"}}", DIALECT_REFUSED, 0,
	     DIALECT_NO_NUMBER},
	    {"{\"type\":\"error\",\"msg_id\":\"4\",\"data\":{\"code\":\"rate\"}}", DIALECT_REFUSED,
	     0, 4},
	    {"hello", DIALECT_BAD, 0, 0},
	    {"", DIALECT_BAD, 0, 0},
	};
	struct dialect_news news;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		enum dialect_got got =
		    take(&dialect_hub, script_of(&dialect_hub), cases[i].text, &news);

		if (got != cases[i].got || news.seq != cases[i].seq ||
		    news.number != cases[i].number)
			fail_msg("%s: %d", cases[i].text, got);
		if (got != DIALECT_REFUSED)
			continue;
		assert_int_equal(news.len, 4);
		assert_memory_equal(news.p, "rate", 4);
	}
}

static void hub_takes_in(void **state)
{
	struct dialect_news news;

	(void)state;
	assert_int_equal(take(&dialect_hub, script_of(&dialect_hub),
			      "{\"type\":\"session_associated\",\"seq\":17,\"epoch\":\"e1\","
			      "\"resume\":\"r1\",\"snapshot\":2,\"recovered\":true}",
			      &news),
			 DIALECT_JOINED);
	assert_int_equal(news.seq, 17);
	assert_true(news.snapshot && news.recovered);
	assert_string_equal(news.seat.epoch, "e1");
	assert_string_equal(news.seat.resume, "r1");
}

static void hub_joins(void **state)
{
	static const struct seat seat = {.epoch = "e1", .resume = "r1"};
	const struct script s = {.name = RUN, .sessions = 4};
	const struct dialect_client c = {.session = 3, .seat = &seat, .since = 17};
	char *text;

	(void)state;
	expect_joins(&dialect_hub, s, 3,
		     "{\"type\":\"session_associate\",\"session_id\":\"" RUN "-3\"}");
	text = joins(&dialect_hub, &s, &c);
	assert_string_equal(text, "{\"type\":\"session_associate\",\"session_id\":\"" RUN "-3\","
				  "\"since\":17,\"epoch\":\"e1\",\"resume\":\"r1\"}");
	free(text);
}

/* With acks a message names itself, unless it says how. */
static void hub_names_messages(void **state)
{
	struct script s = {.acks = true};
	char *text = dialect_hub.message(&s);

	(void)state;
	assert_string_equal(text, "{\"m\":\"{mark}{pad}\",\"msg_id\":\"{n}\",\"type\":\"bench\"}");
	free(text);
	s.message = "{\"m\":\"{mark}\",\"msg_id\":\"a{n}\",\"type\":\"x\"}";
	text = dialect_hub.message(&s);
	assert_string_equal(text, s.message);
	free(text);
}

/* One after the other, wherever they stand. */
static void marks_anywhere(void **state)
{
	struct script s = script_of(&dialect_raw);
	struct dialect_news news;
	char text[700];
	size_t n = 0;

	(void)state;
	strcpy(text, "MSG 1 hbabcdef0 ");
	strcat(text, marked("x", "y"));
	strcat(text, marked("", ""));
	strcat(text, marked("hbabc", " " RUN));
	assert_int_equal(take(&dialect_raw, s, text, &news), DIALECT_MARKS);
	for (const char *p = news.p; p; n++) {
		struct mark mark;

		/* The first is none: its digits are missing. */
		assert_int_equal(mark_read(p, &mark), n > 0);
		p = script_next_mark(&s, p + (n ? MARK_LEN : MARK_RUN_LEN), text + strlen(text));
	}
	assert_int_equal(n, 4);
}

static void raw_answers(void **state)
{
	static char ping[] = "PING\r\n", pong[] = "PONG\r\n", hello[] = "sub {session}";
	struct script s = script_of(&dialect_raw);
	struct dialect_news news;

	(void)state;
	assert_int_equal(take(&dialect_raw, s, "PING\r\n", &news), DIALECT_UNKNOWN);
	expect_joins(&dialect_raw, s, 0, NULL);
	s.answer_to = ping;
	s.answer = pong;
	assert_int_equal(take(&dialect_raw, s, "PING\r\n", &news), DIALECT_SAY);
	assert_int_equal(news.len, 6);
	assert_memory_equal(news.p, "PONG\r\n", 6);
	assert_int_equal(take(&dialect_raw, s, "+OK\r\n", &news), DIALECT_NOTHING);
	s.join = hello;
	expect_joins(&dialect_raw, s, 12, "sub 000012");
}

static void socketio(void **state)
{
	static const struct {
		const char *text;
		enum dialect_got got;
		const char *news;
	} cases[] = {
	    {"0{\"sid\":\"a\"}", DIALECT_OPENED, NULL},
	    {"2", DIALECT_SAY, "3"},
	    {"40{\"sid\":\"b\"}", DIALECT_GREETED, NULL},
	    {"44{\"message\":\"no\"}", DIALECT_DENIED, "44{\"message\":\"no\"}"},
	    {"42[\"news\"]", DIALECT_UNKNOWN, NULL},
	    {"6", DIALECT_NOTHING, NULL},
	    {"4", DIALECT_NOTHING, NULL},
	    {"", DIALECT_NOTHING, NULL},
	};
	struct script s = script_of(&dialect_socketio);
	struct dialect_news news;
	char *message;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(take(&dialect_socketio, s, cases[i].text, &news), cases[i].got);
		if (!cases[i].news)
			continue;
		assert_int_equal(news.len, strlen(cases[i].news));
		assert_memory_equal(news.p, cases[i].news, news.len);
	}
	assert_int_equal(take(&dialect_socketio, s, marked("42[\"message\",\"", "\"]"), &news),
			 DIALECT_MARKS);
	expect_joins(&dialect_socketio, s, 0, NULL);
	s.room = "lobby";
	expect_joins(&dialect_socketio, s, 0, "42[\"join\",\"lobby\"]");
	s.sessions = 2;
	s.join_event = "enter";
	expect_joins(&dialect_socketio, s, 1, "42[\"enter\",\"lobby-1\"]");
	s.room = NULL;
	expect_joins(&dialect_socketio, s, 1, "42[\"enter\",\"room-1\"]");
	expect_hello(s, 1, "40");
	s.echo = true;
	expect_hello(s, 1, "40{\"echo\":true}");
	s.space = "r";
	expect_hello(s, 1, "40/r-000001,{\"echo\":true}");
	expect_joins(&dialect_socketio, s, 1, NULL);
	message = dialect_socketio.message(&s);
	assert_string_equal(message, "42/r-{session},[\"message\",\"{mark}{pad}\"]");
	free(message);
	s.sessions = 1;
	expect_hello(s, 0, "40/r,{\"echo\":true}");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hub_messages),	  cmocka_unit_test(hub_answers),
	    cmocka_unit_test(hub_takes_in),	  cmocka_unit_test(hub_joins),
	    cmocka_unit_test(hub_names_messages), cmocka_unit_test(marks_anywhere),
	    cmocka_unit_test(raw_answers),	  cmocka_unit_test(socketio),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dialect", tests, NULL, NULL);
}

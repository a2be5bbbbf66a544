/* Packets of Socket.IO, what an event consists of, binary values in JSON. */
#include "wire/socketio_packet.h"

#include <errno.h>

#include "unit.h"

static struct http1_span span(const char *text)
{
	return (struct http1_span){text, strlen(text)};
}

static void assert_span(struct http1_span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len)
		assert_memory_equal(got.p, want, got.len);
}

static void packets_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		enum socketio_type type;
		unsigned attachments;
		const char *nsp, *place, *address, *id, *payload;
	} rows[] = {
	    {"0", SOCKETIO_CONNECT, 0, "/", "", "", "", ""},
	    {"0/admin,", SOCKETIO_CONNECT, 0, "/admin", "/admin,", "/admin,", "", ""},
	    {"0/admin", SOCKETIO_CONNECT, 0, "/admin", "/admin", "/admin", "", ""},
	    {"0/admin,{\"a\":1}", SOCKETIO_CONNECT, 0, "/admin", "/admin,", "/admin,", "",
	     "{\"a\":1}"},
	    {"0/,{}", SOCKETIO_CONNECT, 0, "/", "", "", "", "{}"},
	    {"1/admin,", SOCKETIO_DISCONNECT, 0, "/admin", "/admin,", "/admin,", "", ""},
	    {"2[\"foo\"]", SOCKETIO_EVENT, 0, "/", "", "", "", "[\"foo\"]"},
	    {"212[\"foo\"]", SOCKETIO_EVENT, 0, "/", "", "12", "12", "[\"foo\"]"},
	    {"2/,12[\"foo\"]", SOCKETIO_EVENT, 0, "/", "", "12", "12", "[\"foo\"]"},
	    {"2/admin,13[\"foo\"]", SOCKETIO_EVENT, 0, "/admin", "/admin,", "/admin,13", "13",
	     "[\"foo\"]"},
	    {"3/admin,13[]", SOCKETIO_ACK, 0, "/admin", "/admin,", "/admin,13", "13", "[]"},
	    {"51-[\"baz\",1]", SOCKETIO_BINARY_EVENT, 1, "/", "", "", "", "[\"baz\",1]"},
	    {"52-/admin,14[\"baz\"]", SOCKETIO_BINARY_EVENT, 2, "/admin", "/admin,", "/admin,14",
	     "14", "[\"baz\"]"},
	    {"610-15[]", SOCKETIO_BINARY_ACK, 10, "/", "", "15", "15", "[]"},
	};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		struct socketio_packet p;

		assert_null(socketio_parse(span(rows[i].text), &p));
		assert_int_equal(p.type, rows[i].type);
		assert_int_equal(p.attachments, rows[i].attachments);
		assert_span(p.nsp, rows[i].nsp);
		assert_span(p.place, rows[i].place);
		assert_span(p.address, rows[i].address);
		assert_span(p.id, rows[i].id);
		assert_span(p.payload, rows[i].payload);
	}
}

static void what_is_no_packet_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "7[\"a\"]",
					  "a",
					  "{}",
					  "5[\"a\"]",
					  "50-[\"a\"]",
					  "511-[]",
					  "5-[]",
					  "51[]",
					  "5999999999999-[]",
					  "6",
					  "51",
					  "21234567890123456[]"};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(bad); i++) {
		struct socketio_packet p;

		assert_non_null(socketio_parse(span(bad[i]), &p));
	}
}

static void a_namespace_is_a_session(void **state)
{
	struct http1_span session;
	struct buf b = {0};

	(void)state;
	assert_true(socketio_session(span("/"), &session));
	assert_span(session, SOCKETIO_MAIN);
	assert_true(socketio_session(span("/match"), &session));
	assert_span(session, "match");
	assert_true(socketio_session(span("/mainly"), &session));
	assert_false(socketio_session(span("/main"), &session));
	assert_int_equal(socketio_put_place(&b, "main", 4), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(socketio_put_place(&b, "match", 5), 0);
	assert_span((struct http1_span){b.data, b.len}, "/match,");
	buf_free(&b);
}

static void events_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *name, *args;
		bool object;
	} rows[] = {
	    {"[\"a\"]", "\"a\"", "", false},
	    {" [ \"a\" , {\"x\":[1,\"]}\"]} ] ", "\"a\"", "{\"x\":[1,\"]}\"]}", true},
	    {"[\"a\",{},{}]", "\"a\"", "{},{}", false},
	    {"[\"a\",{},1]", "\"a\"", "{},1", false},
	    {"[\"a\",[{}]]", "\"a\"", "[{}]", false},
	    {"[\"\\\"],{\",{}]", "\"\\\"],{\"", "{}", true},
	    {"[12,null]", "12", "null", false},
	    {"[-1.5e3]", "-1.5e3", "", false},
	    {"[\"a\",\"b\\\\\"]", "\"a\"", "\"b\\\\\"", false},
	};
	static const char *const bad[] = {"{}",	    "[]",   "[ ]",   "\"a\"",
					  "[null]", "[{}]", "[[1]]", "[true,1]"};
	struct socketio_event e;

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		assert_null(socketio_event(span(rows[i].text), &e));
		assert_span(e.name, rows[i].name);
		assert_span(e.args, rows[i].args);
		assert_int_equal(e.object, rows[i].object);
	}
	for (unsigned i = 0; i < UNIT_COUNT(bad); i++)
		assert_non_null(socketio_event(span(bad[i]), &e));
	assert_true(socketio_reserved("disconnect", 10));
	assert_false(socketio_reserved("disconnected", 12));
}

static int fill(const char *json, const char *want, size_t max)
{
	const struct http1_span attachments[] = {{"AQID", 4}, {"", 0}};
	struct buf b = {0};
	int r = socketio_fill(&b, span(json), attachments, 2, max);

	if (r == 0)
		assert_span((struct http1_span){b.data, b.len}, want);
	buf_free(&b);
	return r;
}

static void placeholders_become_base64(void **state)
{
	(void)state;
	assert_int_equal(fill("1", "1", 1), 0);
	assert_int_equal(fill("{\"_placeholder\":true,\"num\":0}", "{\"$base64\":\"AQID\"}", 100),
			 0);
	assert_int_equal(
	    fill("[{ \"num\" : 1 , \"_placeholder\" : true }, {\"_placeholder\":true,\"num\":0}]",
		 "[{\"$base64\":\"\"}, {\"$base64\":\"AQID\"}]", 100),
	    0);
	/* Not one, or in a string. */
	assert_int_equal(
	    fill("{\"_placeholder\":false,\"num\":0}", "{\"_placeholder\":false,\"num\":0}", 100),
	    0);
	assert_int_equal(fill("{\"_placeholder\":true,\"num\":0,\"x\":1}",
			      "{\"_placeholder\":true,\"num\":0,\"x\":1}", 100),
			 0);
	assert_int_equal(
	    fill("{\"_placeholder\":true,\"num\":0.5}", "{\"_placeholder\":true,\"num\":0.5}", 100),
	    0);
	assert_int_equal(fill("\"{\\\"_placeholder\\\":true,\\\"num\\\":7}\"",
			      "\"{\\\"_placeholder\\\":true,\\\"num\\\":7}\"", 100),
			 0);
	assert_int_equal(fill("{\"_placeholder\":true,\"num\":2}", "", 100), -EINVAL);
	assert_int_equal(fill("{\"_placeholder\":true,\"num\":99999999999}", "", 100), -EINVAL);
	assert_int_equal(fill("{\"_placeholder\":true,\"num\":0}", "", 10), -EMSGSIZE);
}

static void base64_becomes_placeholders(void **state)
{
	static const char *const plain[] = {
	    "{\"$base64\":\"AQI\"}",   "{\"$base64\":\"AQID\",\"x\":1}",
	    "{ \"$base64\":\"AQID\"}", "\"{\\\"$base64\\\":\\\"AQID\\\"}\"",
	    "{\"$base64\":\"AQID",     "{}"};
	struct http1_span found[SOCKETIO_ATTACHMENTS_MAX];
	struct buf b = {0}, many = {0};

	(void)state;
	assert_int_equal(
	    socketio_strip(&b, span("[{\"$base64\":\"AQID\"},{\"x\":{\"$base64\":\"\"}}]"), found),
	    2);
	assert_span(
	    (struct http1_span){b.data, b.len},
	    "[{\"_placeholder\":true,\"num\":0},{\"x\":{\"_placeholder\":true,\"num\":1}}]");
	assert_span(found[0], "AQID");
	assert_span(found[1], "");
	for (unsigned i = 0; i < UNIT_COUNT(plain); i++) {
		b.len = 0;
		assert_false(socketio_has_binary(span(plain[i])));
		assert_int_equal(socketio_strip(&b, span(plain[i]), found), 0);
		assert_span((struct http1_span){b.data, b.len}, plain[i]);
	}
	/* Those that no client would take stay as they are. */
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(buf_puts(&many, "{\"$base64\":\"\"},"), 0);
	b.len = 0;
	assert_int_equal(socketio_strip(&b, (struct http1_span){many.data, many.len}, found), 10);
	assert_memory_equal(b.data + b.len - 15, "{\"$base64\":\"\"},", 15);
	buf_free(&b);
	buf_free(&many);
}

/* Beside attachments it would take one for its own, or there would be none of that number. */
static void a_placeholder_of_its_own_is_left_alone(void **state)
{
	static const struct {
		const char *members;
		bool is;
	} rows[] = {
	    {"{\"_placeholder\":true,\"num\":7}", true},
	    {"{\"x\":[{\"num\":0,\"_placeholder\" : 1}]}", true},
	    {"{\"\\u005fplacehol\\u0064er\":true}", true},
	    {"{\"_pl\\u0061ceholde\\u0072\":true}", true},
	    {"\"_placeholder\"", false},
	    {"{\"_placeholders\":true,\"_placeholde\":true,\"_\\u00e9\":1,\"_\\n\":1}", false},
	    {"{\"a\":\"\\\"_placeholder\\\":\"}", false},
	};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		struct buf b = {0};

		assert_int_equal(buf_printf(&b, "[{\"$base64\":\"AQ==\"},%s]", rows[i].members), 0);
		assert_int_equal(socketio_has_binary((struct http1_span){b.data, b.len}),
				 !rows[i].is);
		buf_free(&b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_are_taken_apart),
	    cmocka_unit_test(what_is_no_packet_is_refused),
	    cmocka_unit_test(a_namespace_is_a_session),
	    cmocka_unit_test(events_are_taken_apart),
	    cmocka_unit_test(placeholders_become_base64),
	    cmocka_unit_test(base64_becomes_placeholders),
	    cmocka_unit_test(a_placeholder_of_its_own_is_left_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("socketio_packet", tests, NULL, NULL);
}

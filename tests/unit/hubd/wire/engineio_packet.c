/* Packets and payloads of Engine.IO, session ids, queries; base64. */
#include "wire/engineio_packet.h"

#include "base/base64.h"
#include "unit.h"

static struct http1_span span(const char *text)
{
	return (struct http1_span){text, strlen(text)};
}

static void assert_span(struct http1_span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.p, want, got.len);
}

static void a_packet_is_a_digit_and_data(void **state)
{
	static const struct {
		const char *text;
		enum engineio_type type;
		const char *data;
	} rows[] = {
	    {"0{}", ENGINEIO_OPEN, "{}"},
	    {"1", ENGINEIO_CLOSE, ""},
	    {"2probe", ENGINEIO_PING, "probe"},
	    {"3", ENGINEIO_PONG, ""},
	    {"4hello", ENGINEIO_MESSAGE, "hello"},
	    {"5", ENGINEIO_UPGRADE, ""},
	    {"6", ENGINEIO_NOOP, ""},
	    {"bAQIDBA==", ENGINEIO_BINARY, "AQIDBA=="},
	    {"b", ENGINEIO_BINARY, ""},
	    {"bAQI", ENGINEIO_BAD, "AQI"},
	    {"bAQ-_", ENGINEIO_BAD, "AQ-_"},
	    {"7", ENGINEIO_BAD, ""},
	    {"abc", ENGINEIO_BAD, "bc"},
	    {"\x1e", ENGINEIO_BAD, ""},
	};
	struct http1_span data;

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		assert_int_equal(engineio_packet(span(rows[i].text), &data), rows[i].type);
		assert_span(data, rows[i].data);
	}
	assert_int_equal(engineio_packet(span(""), &data), ENGINEIO_BAD);
}

static void a_payload_is_packets_with_separators(void **state)
{
	static const char *const want[] = {"4hello", "2", "", "bAQIDBA=="};
	struct http1_span payload = span("4hello\x1e"
					 "2\x1e\x1e"
					 "bAQIDBA=="),
			  packet;

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(want); i++) {
		assert_true(engineio_next(&payload, &packet));
		assert_span(packet, want[i]);
	}
	assert_false(engineio_next(&payload, &packet));
	payload = span("");
	assert_true(engineio_next(&payload, &packet));
	assert_int_equal(packet.len, 0);
	assert_false(engineio_next(&payload, &packet));
}

static void a_sid_is_read_as_it_is_written(void **state)
{
	(void)state;
	for (unsigned worker = 0; worker < 64; worker++) {
		struct engineio_sid sid = {.worker = worker}, got = {0};
		char text[ENGINEIO_SID_LEN + 1];

		for (unsigned i = 0; i < ENGINEIO_SID_BYTES; i++)
			sid.secret[i] = (unsigned char)(worker * 37 + i * 101);
		engineio_sid_text(&sid, text);
		assert_int_equal(strlen(text), ENGINEIO_SID_LEN);
		assert_true(engineio_sid_parse(span(text), &got));
		assert_int_equal(got.worker, worker);
		assert_memory_equal(got.secret, sid.secret, ENGINEIO_SID_BYTES);
	}
}

static void what_is_no_sid_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "0",
	    "0000000000000000000000",
	    "000000000000000000000000",
	    "0000000000000000000000.",
	    "00000000000000000000001", /* bits behind the last byte */
	};
	struct engineio_sid sid;

	(void)state;
	assert_true(engineio_sid_parse(span("00000000000000000000000"), &sid));
	for (unsigned i = 0; i < UNIT_COUNT(bad); i++)
		assert_false(engineio_sid_parse(span(bad[i]), &sid));
}

static void an_open_packet_says_what_clients_need(void **state)
{
	struct engineio_open open = {"abc", true, 25000, 20000, 65536};
	struct buf b = {0};

	(void)state;
	assert_int_equal(engineio_put_open(&b, &open), 0);
	open.upgrades = false;
	assert_int_equal(engineio_put_open(&b, &open), 0);
	assert_int_equal(buf_put(&b, "", 1), 0);
	assert_string_equal(b.data,
			    "0{\"sid\":\"abc\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
			    "\"pingTimeout\":20000,\"maxPayload\":65536}"
			    "0{\"sid\":\"abc\",\"upgrades\":[],\"pingInterval\":25000,"
			    "\"pingTimeout\":20000,\"maxPayload\":65536}");
	buf_free(&b);
}

static void a_query_says_what_is_asked_for(void **state)
{
	static const struct {
		const char *text;
		enum engineio_transport transport;
		bool version_4, jsonp, base64, has_sid, sid_formed;
	} rows[] = {
	    {"", ENGINEIO_NO_TRANSPORT, false, false, false, false, false},
	    {"EIO=4&transport=polling", ENGINEIO_POLLING, true, false, false, false, false},
	    {"EIO=%34&transport=%77ebsocket&t=x", ENGINEIO_WEBSOCKET, true, false, false, false,
	     false},
	    {"transport=polling&EIO=3", ENGINEIO_POLLING, false, false, false, false, false},
	    {"transport=polling&EIO=44", ENGINEIO_POLLING, false, false, false, false, false},
	    {"transport=POLLING&EIO=4", ENGINEIO_NO_TRANSPORT, true, false, false, false, false},
	    {"transport=polling&transport=flash", ENGINEIO_NO_TRANSPORT, false, false, false, false,
	     false},
	    {"transport=polling&j=0&b64=1&sid=x", ENGINEIO_POLLING, false, true, true, true, false},
	    {"sid=&b64=0", ENGINEIO_NO_TRANSPORT, false, false, false, false, false},
	    {"sid=00000000000000000000000", ENGINEIO_NO_TRANSPORT, false, false, false, true, true},
	    {"sid=0000000000000000000000000000000000000000000000000000000000000000000",
	     ENGINEIO_NO_TRANSPORT, false, false, false, true, false},
	    {"sid=%zz&EIO=%", ENGINEIO_NO_TRANSPORT, false, false, false, true, false},
	};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		struct engineio_query q;

		engineio_read_query(&q, span(rows[i].text));
		assert_int_equal(q.transport, rows[i].transport);
		assert_int_equal(q.version_4, rows[i].version_4);
		assert_int_equal(q.jsonp, rows[i].jsonp);
		assert_int_equal(q.base64, rows[i].base64);
		assert_int_equal(q.has_sid, rows[i].has_sid);
		assert_int_equal(q.sid_formed, rows[i].sid_formed);
	}
}

static void base64_goes_both_ways(void **state)
{
	/* RFC 4648 section 10 */
	static const char *const rows[][2] = {{"", ""},
					      {"f", "Zg=="},
					      {"fo", "Zm8="},
					      {"foo", "Zm9v"},
					      {"foob", "Zm9vYg=="},
					      {"fooba", "Zm9vYmE="},
					      {"foobar", "Zm9vYmFy"}};
	unsigned char all[256], back[256];
	char text[400];

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		size_t n = strlen(rows[i][0]), len = base64_put(text, rows[i][0], n);

		assert_int_equal(len, base64_len(n));
		assert_span((struct http1_span){text, len}, rows[i][1]);
		assert_true(base64_valid(text, len));
		assert_int_equal(base64_size(text, len), n);
		assert_int_equal(base64_decode(back, text, len), n);
		assert_memory_equal(back, rows[i][0], n);
	}
	for (unsigned i = 0; i < 256; i++)
		all[i] = (unsigned char)(255 - i);
	for (size_t n = 0; n <= 256; n++) {
		size_t len = base64_put(text, all, n);

		assert_true(base64_valid(text, len));
		assert_int_equal(base64_decode(back, text, len), n);
		assert_memory_equal(back, all, n);
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const bad[] = {"Z",	  "Zg",	      "Zg=",  "Zh==", "Zm9=",
					  "=Zg=", "Zg==Zg==", "====", "Z===", "Zm9v\nZg",
					  "Zm-v", "Zm_v",     "Zm9 "};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(bad); i++)
		assert_false(base64_valid(bad[i], strlen(bad[i])));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_packet_is_a_digit_and_data),
	    cmocka_unit_test(a_payload_is_packets_with_separators),
	    cmocka_unit_test(a_sid_is_read_as_it_is_written),
	    cmocka_unit_test(what_is_no_sid_is_refused),
	    cmocka_unit_test(an_open_packet_says_what_clients_need),
	    cmocka_unit_test(a_query_says_what_is_asked_for),
	    cmocka_unit_test(base64_goes_both_ways),
	    cmocka_unit_test(what_is_no_base64_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("engineio_packet", tests, NULL, NULL);
}

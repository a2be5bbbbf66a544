/* Records and messages as packets: what a record's event is of, where its place goes, how each
 * carrier has it. */
#include <string.h>

#include "conn/encoding.h"
#include "unit.h"
#include "wire/log_place.h"

#define HUB "\"session_id\":\"match\",\"timestamp\":1,\"from\":\"00000000001\""

static bool made(const struct buf *b, const char *want, size_t len)
{
	return b->len == len && memcmp(b->data, want, len) == 0;
}

static bool record_is(enum packet_carrier carrier, bool offsets, const char *session,
		      const char *text, const char *want, size_t len)
{
	struct log_place place = {.epoch = 1};
	struct record_log in = {.session = {session, strlen(session)}, .place = &place};
	struct buf b = {0};
	bool same;

	assert_int_equal(encoding_packets[carrier][offsets].record(&b, text, strlen(text),
								   (struct span){0}, &in),
			 0);
	same = made(&b, want, len);
	if (!same)
		print_error("%.*s\n", (int)b.len, b.data);
	buf_free(&b);
	return same;
}

static void a_record_is_an_event(void **state)
{
	static const char *const rows[][2] = {
	    {"{\"type\":\"move\",\"data\":{\"x\":1}," HUB ",\"seq\":7}",
	     "42/match,[\"move\",{\"x\":1}]\x1e"},
	    {"{\"type\":\"say\",\"args\":[1,\"b\"],\"msg_id\":\"m\"," HUB
	     ",\"user\":\"ann\",\"seq\":7}",
	     "42/match,[\"say\",1,\"b\"]\x1e"},
	    {"{\"type\":\"hey\",\"args\":[]," HUB ",\"seq\":7}", "42/match,[\"hey\"]\x1e"},
	    {"{ \"data\" : {} , \"type\" : \"a b\" }", "42/match,[\"a b\",{}]\x1e"},
	    {"{\"type\":\"ping\",\"data\":{},\"record\":{}}", "42/match,[\"ping\",{}]\x1e"},
	    /* However it is written, and whatever is in it. */
	    {"{\t\"seq\" :\t7,\"timestamp\":-1.5e3 , \"ar\\u0067s\":[ 1 ] ,\"t\\u0079pe\":\"a\"}",
	     "42/match,[\"a\", 1 ]\x1e"},
	    {"{\"args\":[\"]}\\\\\",\"\\\",\\\"\",{\"type\":[\"}\"]},[[],{}],null],\"type\":"
	     "\"a\\\"]\"}",
	     "42/match,[\"a\\\"]\",\"]}\\\\\",\"\\\",\\\"\",{\"type\":[\"}\"]},[[],{}],null]\x1e"},
	    {"{\"data\":{\"data\":{\"x\":\"\\\\\"}},\"type\":\"a\"}",
	     "42/match,[\"a\",{\"data\":{\"x\":\"\\\\\"}}]\x1e"},
	    {"{\"type\":\"n\",\"data\":{},\"typ\":\"\",\"types\":{}}",
	     "42/match,[\"n\",{\"type\":\"n\",\"data\":{},\"typ\":\"\",\"types\":{}}]\x1e"},
	    {"{\"type\":\"n\",\"data\":{},\"\\ud800\":1}",
	     "42/match,[\"n\",{\"type\":\"n\",\"data\":{},\"\\ud800\":1}]\x1e"},
	    {"{\"type\":\"n\",\"args\":[],\"d\\u0061ta\":{}}",
	     "42/match,[\"n\",{\"type\":\"n\",\"args\":[],\"d\\u0061ta\":{}}]\x1e"},
	    /* A placeholder of its own would end who gets it beside attachments. */
	    {"{\"type\":\"n\",\"args\":[{\"$base64\":\"AQID\"},{\"_placeholder\":true,\"num\":1}]}",
	     "42/match,[\"n\",{\"$base64\":\"AQID\"},{\"_placeholder\":true,\"num\":1}]\x1e"},
	    /* More than that, or another kind of it: the whole. */
	    {"{\"type\":\"n\",\"text\":\"data\"}",
	     "42/match,[\"n\",{\"type\":\"n\",\"text\":\"data\"}]\x1e"},
	    {"{\"type\":\"n\",\"data\":{},\"x\":1}",
	     "42/match,[\"n\",{\"type\":\"n\",\"data\":{},\"x\":1}]\x1e"},
	    {"{\"type\":\"n\",\"data\":1}", "42/match,[\"n\",{\"type\":\"n\",\"data\":1}]\x1e"},
	    {"{\"type\":\"n\",\"data\":{},\"args\":[]}",
	     "42/match,[\"n\",{\"type\":\"n\",\"data\":{},\"args\":[]}]\x1e"},
	    {"{\"type\":\"n\",\"data\":{},\"data\":{}}",
	     "42/match,[\"n\",{\"type\":\"n\",\"data\":{},\"data\":{}}]\x1e"},
	    {"{\"type\":\"connect\",\"data\":{}}",
	     "42/match,[\"hub:record\",{\"type\":\"connect\",\"data\":{}}]\x1e"},
	    {"{\"type\":\"\\u0063onnect\"}",
	     "42/match,[\"hub:record\",{\"type\":\"\\u0063onnect\"}]\x1e"},
	};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++)
		assert_true(record_is(PACKETS_POLLED, false, "match", rows[i][0], rows[i][1],
				      strlen(rows[i][1])));
}

static void its_place_stands_last(void **state)
{
	static const char text[] = "{\"type\":\"a\",\"args\":[1],\"seq\":12}";
	static const char want[] = "42[\"a\",1,\"00000000001-12\"]\x1e";
	static const char none[] = "42[\"a\",1]\x1e";

	(void)state;
	assert_true(record_is(PACKETS_POLLED, true, "main", text, want, sizeof(want) - 1));
	/* One that is of no log has none. */
	assert_true(record_is(PACKETS_POLLED, true, "main", "{\"type\":\"a\",\"args\":[1]}", none,
			      sizeof(none) - 1));
}

/* And, of who is in rooms, how far it is in the namespace, where that can be told. */
static void in_rooms_there_are_two(void **state)
{
	static const char text[] = "{\"type\":\"a\",\"args\":[1],\"seq\":12}";
	struct log_place place = {.epoch = 1}, above = {.epoch = 2, .seq = 5}, unknown = {0};
	const struct {
		struct record_log in;
		const char *want;
	} rows[] = {
	    {{.session = {"n", 1}, .place = &place, .in_rooms = true},
	     "42/n,[\"a\",1,\"/00000000001-12\"]\x1e"},
	    {{.session = {"n", 1}, .place = &place, .above = &above},
	     "42/n,[\"a\",1,\"00000000001-12/00000000002-5\"]\x1e"},
	    {{.session = {"n", 1}, .place = &place, .above = &unknown},
	     "42/n,[\"a\",1,\"00000000001-12/\"]\x1e"},
	};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		struct buf b = {0};

		assert_int_equal(encoding_packets[PACKETS_POLLED][1].record(
				     &b, text, strlen(text), (struct span){0}, &rows[i].in),
				 0);
		assert_true(made(&b, rows[i].want, strlen(rows[i].want)));
		buf_free(&b);
	}
}

static void each_carrier_has_its_bytes(void **state)
{
	static const char text[] = "{\"type\":\"f\",\"args\":[{\"$base64\":\"/wA=\"}]}";
	static const char packet[] = "451-[\"f\",{\"_placeholder\":true,\"num\":0}]";
	static const char *const end[] = {[PACKETS_FRAMES] = "\x82\x02\xff",
					  [PACKETS_TEXT] = "\x81\x05"
							   "b/wA=",
					  [PACKETS_POLLED] = "\x1e"
							     "b/wA=\x1e"};
	static const size_t end_len[] = {4, 7, 7};

	(void)state;
	for (int carrier = 0; carrier < PACKET_CARRIERS; carrier++) {
		struct buf want = {0};

		if (carrier != PACKETS_POLLED)
			assert_int_equal(buf_printf(&want, "\x81%c", (int)sizeof(packet) - 1), 0);
		assert_int_equal(buf_puts(&want, packet), 0);
		assert_int_equal(buf_put(&want, end[carrier], end_len[carrier]), 0);
		assert_true(record_is((enum packet_carrier)carrier, false, "main", text, want.data,
				      want.len));
		buf_free(&want);
	}
}

static void messages_are_packets_or_events(void **state)
{
	static const char *const rows[][2] = {
	    {"0/a,{}", "40/a,{}\x1e"},
	    {"", "4\x1e"},
	    {"bAQID", "bAQID\x1e"},
	    {"3/a,7[1]", "43/a,7[1]\x1e"},
	    {"3/a,7[{\"$base64\":\"AQID\"},2]", "461-/a,7[{\"_placeholder\":true,\"num\":0},2]\x1e"
						"bAQID\x1e"},
	    {"3[{\"$base64\":\"AQID\"},{\"_placeholder\":true,\"num\":2}]",
	     "43[{\"$base64\":\"AQID\"},{\"_placeholder\":true,\"num\":2}]\x1e"},
	    /* Where the client is, where it would take something else for that. */
	    {"{\"type\":\"a\",\"args\":[1,\"b\"]," HUB ",\"seq\":\"00000000001-2\"}",
	     "42/match,[\"a\",1,\"b\",\"00000000001-2\"]\x1e"},
	    {"{\"type\":\"a\",\"args\":[]," HUB ",\"seq\":\"/00000000001-2\"}",
	     "42/match,[\"a\",\"/00000000001-2\"]\x1e"},
	    {"{\"type\":\"a\",\"args\":[\"b\",[\"c\"]]," HUB ",\"seq\":\"00000000001-2\"}",
	     "42/match,[\"a\",\"b\",[\"c\"]]\x1e"},
	    {"{\"type\":\"a\",\"x\":\"b\"," HUB ",\"seq\":\"00000000001-2\"}",
	     "42/match,[\"a\",{\"type\":\"a\",\"x\":\"b\"," HUB "}]\x1e"},
	    {"{\"type\":\"psst\",\"to\":\"x\",\"data\":{\"a\":1}," HUB "}",
	     "42/match,[\"psst\",{\"a\":1}]\x1e"},
	};

	(void)state;
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++) {
		struct buf b = {0};

		assert_int_equal(
		    encoding_packets[PACKETS_POLLED][1].message(&b, rows[i][0], strlen(rows[i][0])),
		    0);
		assert_true(made(&b, rows[i][1], strlen(rows[i][1])));
		buf_free(&b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_an_event),
	    cmocka_unit_test(its_place_stands_last),
	    cmocka_unit_test(in_rooms_there_are_two),
	    cmocka_unit_test(each_carrier_has_its_bytes),
	    cmocka_unit_test(messages_are_packets_or_events),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("encoding_packets", tests, NULL, NULL);
}

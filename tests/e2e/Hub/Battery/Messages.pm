# Messages of hub(7) through a WebSocket: JSON (RFC 8259) and what makes a message of it.
package Hub::Battery::Messages;

use strict;
use warnings;

use Hub::Battery qw(frame message);

my @taken = (
	'{"type":"t"}', ' {"type":"t"} ', "\t\r\n{\n\"type\"\t:\r\"t\"\n}\n", '{"a":1,"type":"t"}', '{"type":"\u0074"}',
	'{"type":"t","n":0}', '{"type":"t","n":-0}', '{"type":"t","n":-0.0e-0}', '{"type":"t","n":1e400}',
	'{"type":"t","n":123456789012345678901234567890}', '{"type":"t","n":1E+2}', '{"type":"t","n":[]}',
	'{"type":"t","n":{}}', '{"type":"t","n":[true,false,null,"",0,{"a":[]}]}', '{"type":"t","s":"\"\\\\\/\b\f\n\r\t"}',
	'{"type":"t","s":"\u00e9\u20ac"}', '{"type":"t","s":"\ud83d\ude00"}', '{"type":"t","s":"\u0000"}',
	'{"type":"t","":1}', '{"type":"t","x":{"type":"u"}}', '{"type":"t","x":"{\"type\":\"u\"}"}',
	'{"type":"t","d":' . '[' x 30 . ']' x 30 . '}', "{\"type\":\"t\",\"s\":\"\x7f\"}",
	"{\"type\":\"t\",\"s\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}", '{"type":"t","timestamp":1}',
	'{"type":"t","from":"someone else"}', '{"type":"t","seq":7}');
my @bad_json = (
	'', ' ', 'hello', '{', '}', '[]', '["type"]', '"type"', '1', 'null', 'true', '{"type"', '{"type":', '{"type":"t"',
	'{"type":"t",}', '{"type":"t"}}', '{"type":"t"} x', '{"type":"t"}{"type":"t"}', "{\"type\":\"t\"}\n{\"type\":\"t\"}",
	'{,"type":"t"}', '{"type" "t"}', '{"type":"t" "a":1}', '{type:"t"}', "{'type':'t'}", '{"type":"t","n":01}',
	'{"type":"t","n":+1}', '{"type":"t","n":.5}', '{"type":"t","n":1.}', '{"type":"t","n":1e}', '{"type":"t","n":1e+}',
	'{"type":"t","n":-}', '{"type":"t","n":0x1}', '{"type":"t","n":NaN}', '{"type":"t","n":Infinity}',
	'{"type":"t","n":True}', '{"type":"t","n":nul}', '{"type":"t","n":nulll}', '{"type":"t","n":[1,]}',
	'{"type":"t","n":[,1]}', '{"type":"t","n":[1 2]}', '{"type":"t","n":[}', '{"type":"t","n":[1}]}',
	'{"type":"t","s":"\x"}', '{"type":"t","s":"\u12"}', '{"type":"t","s":"\u12g4"}', '{"type":"t","s":"\\"}',
	"{\"type\":\"t\",\"s\":\"\x01\"}", "{\"type\":\"t\",\"s\":\"\n\"}", "{\"type\":\"t\",\"s\":\"\x1f\"}",
	"{\"type\":\"t\",\"s\":\"\x00\"}", "\x00", "{\"type\":\"t\"}\x00", "{\"type\":\"t\"\x0b}", '{"type":"t"/**/}',
	'{"type":"t"}//', "\xef\xbb\xbf{\"type\":\"t\"}", '{"type":"t",1:2}', '{"type":"t","d":' . '[' x 65 . ']' x 65 . '}',
	'[' x 60000, '{"a":' x 10000, '"' . 'x' x 60000);
my @other = (
	[ 'bad_type', 'not given', '{}' ], [ 'bad_type', 'a number', '{"type":1}' ], [ 'bad_type', 'null', '{"type":null}' ],
	[ 'bad_type', 'empty', '{"type":""}' ], [ 'bad_type', '65 bytes', '{"type":"' . 'x' x 65 . '"}' ],
	[ 'bad_type', 'an object', '{"type":{}}' ], [ 'bad_field', 'type twice', '{"type":"t","type":"t"}' ],
	[ 'bad_field', 'type twice, once escaped', '{"type":"t","\u0074ype":"t"}' ],
	[ 'bad_field', 'msg_id is a number', '{"type":"t","msg_id":1}' ],
	[ 'bad_field', 'timestamp is text', '{"type":"t","timestamp":"now"}' ],
	[ 'bad_field', 'key is a number', '{"type":"t","key":1}' ], [ 'bad_field', 'to is a number', '{"type":"t","to":1}' ],
	[ 'bad_session_id', 'a space', '{"type":"t","session_id":"a b"}' ],
	[ 'bad_session_id', 'a number', '{"type":"t","session_id":5}' ],
	[ 'bad_session_id', 'a join without one', '{"type":"session_associate"}' ],
	[ 'not_member', 'of another session', '{"type":"t","session_id":"other"}' ],
	[ 'not_member', 'to nobody', '{"type":"t","to":"00000000000"}' ],
	[ 'unauthorized', 'a token', '{"type":"authenticate","token":"t"}' ],
	[ 'forbidden', 'the list of sessions', '{"type":"session_list"}' ]);

sub shown {
	my ($text) = @_;
	$text =~ s/([^!-~ ])/sprintf '\\x%02x', ord $1/ge;
	return length $text > 60 ? substr($text, 0, 60) . '...' : $text;
}

sub groups {
	my @rows = map { [ '8259 2', 'taken: ' . shown($_), frame(1, $_), 'stay', { texts => ['record t'] } ] } @taken;
	push @rows, map { [ '8259 2', 'no JSON: ' . shown($_), frame(1, $_), 'stay', { texts => ['error bad_json'] } ] } @bad_json;
	push @rows, map { [ 'hub(7)', "$_->[0]: $_->[1]", frame(1, $_->[2]), 'stay', { texts => ["error $_->[0]"] } ] } @other;
	my $t = message('t');
	push @rows,
	    [ 'hub(7)', 'a mistake between two messages', frame(1, $t) . frame(1, '{') . frame(1, $t), 'stay',
		{ texts => [ 'error bad_json', 'record t', 'record t' ] } ],
	    [ 'hub(7)', 'an acknowledged message', frame(1, '{"type":"t","msg_id":"m"}'), 'stay',
		{ texts => [ 'ack', 'record t' ] } ],
	    [ 'hub(7)', 'one message sent twice', frame(1, '{"type":"t","msg_id":"m"}') x 2, 'stay',
		{ texts => [ 'ack', 'ack', 'record t' ] } ],
	    [ 'hub(7)', 'a ping as a message', frame(1, '{"type":"ping","ping_id":[1,"x"]}'), 'stay', { texts => ['pong'] } ];
	return [ 'JSON messages', \@rows ];
}

1;

# Every mistake is answered with the error that names it, the connection goes on, and the other members
# never notice.
use strict;
use warnings;
use Hub;

my $hub = Hub->start(args => [ '--max-message', 2048 ]);
my $deep = '[' x 65 . ']' x 65;
my $long = 'x' x 65;

my @mistakes = (
	[ bad_json => 'not JSON', 'hello' ],
	[ bad_json => 'an object without end', '{"type":"t"' ],
	[ bad_json => 'something after the object', '{"type":"t"} x' ],
	[ bad_json => 'two objects', '{"type":"t"}{"type":"t"}' ],
	[ bad_json => 'not an object', '["type"]' ],
	[ bad_json => 'a string', '"type"' ],
	[ bad_json => 'a leading zero', '{"type":"t","n":01}' ],
	[ bad_json => 'a comma too many', '{"type":"t",}' ],
	[ bad_json => 'a single quote', q({'type':'t'}) ],
	[ bad_json => 'a comment', '{"type":"t"/**/}' ],
	[ bad_json => 'NaN', '{"type":"t","n":NaN}' ],
	[ bad_json => 'a control character', qq({"type":"t","s":"\x01"}) ],
	[ bad_json => 'too deep', qq({"type":"t","d":$deep}) ],
	[ bad_type => 'no type', '{"a":1}' ],
	[ bad_type => 'no type in an empty object', '{}' ],
	[ bad_type => 'a type that is a number', '{"type":1}' ],
	[ bad_type => 'a type that is null', '{"type":null}' ],
	[ bad_type => 'an empty type', '{"type":""}' ],
	[ bad_type => 'a type of 65 bytes', qq({"type":"$long"}) ],
	[ bad_field => 'two types', '{"type":"t","type":"t"}' ],
	[ bad_field => 'two types, one escaped', '{"type":"t","\u0074ype":"t"}' ],
	[ bad_field => 'two session ids', '{"type":"t","session_id":"s","session_id":"s"}' ],
	[ bad_field => 'a timestamp that is a string', '{"type":"t","timestamp":"now"}' ],
	[ bad_field => 'a message id that is a number', '{"type":"t","msg_id":1}' ],
	[ bad_field => 'an empty message id', '{"type":"t","msg_id":""}' ],
	[ bad_field => 'a message id of 65 bytes', qq({"type":"t","msg_id":"$long"}) ],
	[ bad_field => 'a key that is a number', '{"type":"t","key":1}' ],
	[ bad_field => 'a receiver that is a number', '{"type":"t","to":1}' ],
	[ bad_field => 'a receiver list with a number', '{"type":"t","to":["a",1]}' ],
	[ bad_session_id => 'a session id with a space', '{"type":"t","session_id":"a b"}' ],
	[ bad_session_id => 'an empty session id', '{"type":"t","session_id":""}' ],
	[ bad_session_id => 'a session id that is a number', '{"type":"t","session_id":5}' ],
	[ bad_session_id => 'a session id of 129 bytes',
		'{"type":"t","session_id":"' . 'x' x 129 . '"}' ],
	[ bad_session_id => 'joining a session id with a slash',
		'{"type":"session_associate","session_id":"../etc"}' ],
	[ bad_session_id => 'joining a session id beyond ASCII',
		qq({"type":"session_associate","session_id":"\xc3\xa9"}) ],
	[ bad_session_id => 'joining without a session id', '{"type":"session_associate"}' ],
	[ bad_field => 'an echo that is a string',
		'{"type":"session_associate","session_id":"x","echo":"no"}' ],
	[ not_member => 'sending to a session not joined', '{"type":"t","session_id":"other"}' ],
	[ not_member => 'leaving a session not joined',
		'{"type":"session_leave","session_id":"other"}' ],
	[ not_member => 'presence of a session not joined',
		'{"type":"presence","session_id":"other"}' ],
	[ not_member => 'a receiver who is not here', '{"type":"t","to":"00000000000"}' ],
	[ unauthorized => 'a token where none is asked for', '{"type":"authenticate","token":"t"}' ],
);

my $witness = $hub->member('unix', 's');
my $seq = 0;
for my $t ('unix', 'ws') {
	subtest $t => sub {
		my $c = $hub->client($t);
		for my $type (qw(t session_leave presence)) {
			$c->send({ type => $type });
			is($c->next->{data}{code}, 'no_session', "no session: $type");
		}
		$c->join_session('s');
		for my $mistake (@mistakes) {
			my ($code, $name, $text) = @$mistake;
			$c->send_text($text);
			my $error = $c->next;
			is($error->{type}, 'error', $name);
			is($error->{data}{code}, $code, "$name: $code");
			ok(length $error->{data}{message}, "$name: says what was wrong");
			is(scalar keys %$error, 2, "$name: nothing else");
		}
		$c->send_text('{"type":"t","session_id":"other","msg_id":"m\u00e91"}');
		is($c->next->{msg_id}, "m\x{e9}1", 'an error names the message that asked for an answer');
		is_deeply([ $c->sync ], [], 'the connection is as good as before');
		$c->send({ type => 'still here' });
		is($c->next->{seq}, ++$seq, 'and the session too');
		my $got = $witness->next;
		is_deeply([ @$got{qw(type seq)} ], [ 'still here', $seq ], 'the others saw nothing else');
	};
}

subtest 'too large' => sub {
	my $c = $hub->member('unix', 's');
	my $body = 'y' x 4000;
	$c->send_bytes(qq({"type":"t","x":"$body"}\n{"type":"small"}\n));
	is($c->next->{data}{code}, 'too_large', 'a line that is too long');
	is_deeply([ @{ $c->next }{qw(type seq)} ], [ 'small', ++$seq ], 'the next one counts again');
	$c->send_bytes('z' x 100_000);
	$c->send_bytes("\n" . '{"type":"after"}' . "\n");
	is($c->next->{data}{code}, 'too_large', 'a line far too long is one error');
	is_deeply([ @{ $c->next }{qw(type seq)} ], [ 'after', ++$seq ], 'and is skipped whole');

	my $exact = '{"type":"fits","timestamp":1,"x":"';
	$exact .= 'w' x (2048 - length($exact) - 2) . '"}';
	for my $t ('unix', 'ws') {
		my $m = $t eq 'ws' ? $hub->member('ws', 's') : $c;
		$m->send_text($exact);
		is_deeply([ @{ $m->wait_type('fits') }{qw(type seq)} ], [ 'fits', ++$seq ],
			"$t: a message of exactly the limit passes");
	}
	is_deeply([ map { $witness->next->{type} } 1 .. 4 ], [qw(small after fits fits)],
		'the others saw those that passed');
};

subtest 'bytes that are no text' => sub {
	my $c = $hub->member('unix', 's');
	for my $bytes ("\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\0") {
		$c->send_text(qq({"type":"t","s":"$bytes"}));
		is($c->next->{data}{code}, 'bad_json', 'bytes ' . unpack 'H*', $bytes);
	}
	is_deeply([ $c->sync ], [], 'the connection is as good as before');
};

$hub->stop;
done_testing;

# A message with a msg_id is acknowledged with its place in the log, and however often it is sent, it is
# there once: as long as it is the same client that sends it, and the hub remembers it.
# Long.
use strict;
use warnings;
use Hub;

my $false = JSON::PP::false();
my $hub = Hub->start;

# Sends messages and gives their acks, in order.
sub acks {
	my ($c, @messages) = @_;
	$c->send(@messages);
	return map { $c->wait_type('ack') } @messages;
}

sub ack_seqs { return [ map { $_->{seq} } acks(@_) ] }

for my $t ('ws', 'unix') {
	subtest "acks over $t" => sub {
		my $s = "ack.$t";
		my $witness = $hub->member('unix', $s);
		my $c = $hub->member($t, $s);
		$c->send_text('{"type":"p","msg_id":"one"}');
		is(shift @{ $c->{in} }, qq({"type":"ack","msg_id":"one","session_id":"$s","seq":1}), 'an ack, byte for byte')
		    if wait_for { @{ $c->{in} } == 2 } 'ack and record';
		like(shift @{ $c->{in} }, qr/^\{"type":"p","msg_id":"one",.*"seq":1\}$/, 'the record keeps its msg_id');
		$c->send({ type => 'p' });
		is($c->next->{seq}, 2, 'without one there is no ack');
		is_deeply(ack_seqs($c, { type => 'p', msg_id => 'two' }, { type => 'q', msg_id => 'one', x => 1 },
				{ type => 'p', msg_id => 'three' }, { type => 'p', msg_id => 'two' }),
			[ 3, 1, 4, 3 ], 'a repeat gets the first one\'s seq, whatever else is in it');
		$c->send({ type => 'end' });
		$witness->wait_type('end');
		is_deeply([ map { unjson($_)->{seq} } @{ $witness->{in} } ], [ 1 .. 4 ], 'each is logged once');

		# The id is what it reads as; the ack has it as it was written.
		$c->wait_type('end');
		$c->{in} = [];
		$c->send_text('{"type":"p","msg_id":"\u006fn\u0065"}');
		wait_for { @{ $c->{in} } } 'an ack';
		is(shift @{ $c->{in} }, qq({"type":"ack","msg_id":"\\u006fn\\u0065","session_id":"$s","seq":1}),
			'escapes make no difference');
		$c->send_text(qq({"type":"p","msg_id":"a\\"\\\\\\u00e9\xc3\xa9"}));
		is($c->wait_type('ack')->{msg_id}, "a\"\\\x{e9}\x{e9}", 'and are sent back');
		is($c->wait_type('p')->{seq}, 6, 'it was a new one');
		for my $id ('x' x 64, "\x{e9}" x 32) {
			is_deeply([ map { $_->{msg_id} } acks($c, { type => 'p', msg_id => $id }) ], [$id], '64 bytes');
		}
		$c->sync;
		for my $bad ('""', '1', 'null', '["a"]', '"' . 'x' x 65 . '"', '"\ud800"') {
			$c->send_text(qq({"type":"p","msg_id":$bad}));
			is($c->next->{data}{code}, 'bad_field', "no msg_id: $bad");
		}
		is($c->join_session($s)->{seq}, 8, 'none of these was logged');

		# An error is no ack, and the same message may then be right.
		my $far = $hub->client($t);
		$far->join_session("$s.far");
		$far->send({ type => 'p', msg_id => 'm', session_id => $s });
		is_deeply([ @{ $far->next }{qw(type msg_id)} ], [ 'error', 'm' ], 'an error names it');
		$far->join_session($s);
		is_deeply(ack_seqs($far, { type => 'p', msg_id => 'm', session_id => $s }), [9], 'then it is logged');
		is_deeply(ack_seqs($far, { type => 'p', msg_id => 'm', session_id => "$s.far" }), [1],
			'in every session for itself');
	};

	subtest "without echo, over $t" => sub {
		my $c = $hub->member($t, "quiet.$t", echo => $false);
		is_deeply(ack_seqs($c, map { { type => 'p', msg_id => "m$_" } } 1 .. 5), [ 1 .. 5 ], 'acks all the same');
		is_deeply([ $c->sync ], [], 'and nothing else');
	};

	subtest "two clients, over $t" => sub {
		my ($c, $d) = map { $hub->member($_, "two.$t", echo => $false) } $t, 'ws';
		is_deeply([ map { @{ ack_seqs($_, { type => 'p', msg_id => 'same' }) } } $c, $d, $c, $d ],
			[ 1, 2, 1, 2 ], 'the same msg_id of two clients is two messages');
	};

	subtest "after a break, over $t" => sub {
		my $s = "break.$t";
		my $witness = $hub->member('ws', $s);
		my $c = $hub->member($t, $s, echo => $false);
		my $token = $c->{joined}{resume};
		is_deeply(ack_seqs($c, map { { type => 'p', msg_id => "m$_" } } 1 .. 5), [ 1 .. 5 ], 'five messages');
		$c->abort;
		my $same = $hub->client($t eq 'ws' ? 'unix' : 'ws');
		$same->join_session($s, resume => $token, echo => $false);
		is_deeply(ack_seqs($same, map { { type => 'p', msg_id => "m$_" } } 3 .. 7), [ 3 .. 7 ],
			'the same client: what it repeats is known');
		$same->vanish;
		my $other = $hub->client($t);
		$other->join_session($s, echo => $false);
		is_deeply(ack_seqs($other, { type => 'p', msg_id => 'm3' }), [8], 'without the token it is another');
		# Sent and never acknowledged, as far as the client knows.
		my $last = $hub->client($t);
		$last->join_session($s, resume => $token, echo => $false);
		$last->send(map { { type => 'p', msg_id => "n$_" } } 1 .. 100);
		$last->drain;
		$last->vanish;
		my $again = $hub->client($t);
		$again->join_session($s, resume => $token, echo => $false);
		acks($again, map { { type => 'p', msg_id => "n$_" } } 1 .. 100);
		$other->send({ type => 'end' });
		$witness->wait_type('end');
		my %times;
		$times{ unjson($_)->{msg_id} }++ for @{ $witness->{in} };
		is_deeply([ map { $times{"n$_"} } 1 .. 100 ], [ (1) x 100 ], 'each is there once');
		is($times{m3}, 2, 'two clients, two records');
	};

	subtest "direct messages, over $t" => sub {
		my $s = "to.$t";
		my $c = $hub->member($t, $s);
		my $to = $hub->member($t eq 'ws' ? 'unix' : 'ws', $s);
		my $say = sub { return { type => 'd', to => $_[0], msg_id => $_[1] } };
		$c->send($say->($to->{id}, 'd1'));
		is_deeply($c->next, { type => 'ack', msg_id => 'd1', session_id => $s }, 'acknowledged, without a seq');
		is($to->next->{msg_id}, 'd1', 'it came');
		acks($c, $say->($to->{id}, 'd1'), $say->($to->{id}, 'd2'));
		is($to->next->{msg_id}, 'd2', 'a repeat does not come again');
		$c->send({ type => 'd', msg_id => 'd2' });
		is_deeply($c->next, { type => 'ack', msg_id => 'd2', session_id => $s },
			'nor is it another message without its receiver');
		$c->send({ type => 'd', to => [ $to->{id}, 'nobody00000' ], msg_id => 'd3' });
		is_deeply([ map { $_->{msg_id} } $c->wait_type('error'), $c->wait_type('ack') ], [ 'd3', 'd3' ],
			'some got it: an ack, and an error that names the others');
		is($to->next->{msg_id}, 'd3', 'who is there got it');

		# Who is away gets nothing, so nothing is acknowledged, and a later try is no repeat.
		my ($id, $token) = ($to->{id}, $to->{joined}{resume});
		$to->send({ type => 'session_leave' });
		$to->wait_type('session_left');
		$c->send($say->($id, 'd4'));
		my $error = $c->next;
		is_deeply([ $error->{type}, $error->{data}{code}, $error->{msg_id} ], [ 'error', 'not_member', 'd4' ],
			'nobody got it: an error');
		is_deeply([ $c->sync ], [], 'and no ack');
		my $back = $hub->client('unix');
		$back->join_session($s, resume => $token);
		$c->send($say->($id, 'd4'));
		is($c->next->{type}, 'ack', 'the next try is acknowledged');
		is(eval { $back->wait_type('d')->{msg_id} } // $@, 'd4', 'and comes');
		$c->send({ type => 'd', to => [], msg_id => 'd5' });
		is($c->next->{data}{code}, 'bad_field', 'no receivers at all');
		is($c->join_session($s)->{seq}, 0, 'nothing of all that was logged');
	};
}

subtest 'the window' => sub {
	my $c = $hub->member('unix', 'window', echo => $false);
	my $publish = sub { return ack_seqs($c, map { { type => 'p', msg_id => "m$_" } } @_) };
	is_deeply($publish->(1 .. 4096), [ 1 .. 4096 ], '4096 messages');
	is_deeply($publish->(1, 2, 4096), [ 1, 2, 4096 ], 'all are remembered');
	$c->send(map { { type => 'no-ack' } } 1 .. 100);
	is_deeply($publish->(1), [1], 'messages without a msg_id do not count');
	is_deeply($publish->(4097), [4197], 'one more');
	is_deeply($publish->(2, 4097), [ 2, 4197 ], 'the second is still known');
	is_deeply($publish->(1), [4198], 'the first is forgotten: a new record');
	is_deeply($publish->(3, 2), [ 3, 4199 ], 'and so on, in their order');
	my $other = $hub->member('ws', 'window', echo => $false);
	$other->send(map { { type => 'p', msg_id => "o$_" } } 1 .. 4096);
	$other->wait_type('ack') for 1 .. 4096;
	is_deeply($publish->(4097), [4197], 'the window is the client\'s, not the session\'s');
	my @others = map { $hub->member('unix', 'window', echo => $false) } 1 .. 4;
	for my $n (1 .. 4) {
		$others[ $n - 1 ]->send_text(map { qq({"type":"p","msg_id":"p$_"}) } 1 .. 4096);
		$others[ $n - 1 ]->wait_type('ack') for 1 .. 4096;
	}
	is(ack_seqs($others[3], { type => 'p', msg_id => 'p4096' })->[0],
		8295 + 4 * 4096, 'all together have an end, but the latest are there');
};

subtest 'state and acks' => sub {
	my $c = $hub->member('ws', 'state', echo => $false);
	my @messages = map { { type => 'p', key => 'k', n => $_, msg_id => "m$_" } } 1 .. 3;
	is_deeply(ack_seqs($c, @messages, $messages[0]), [ 1, 2, 3, 1 ], 'acknowledged in order, a repeat too');
	my $late = $hub->client('unix');
	is($late->join_session('state')->{snapshot}, 1, 'one record');
	is($late->next->{n}, 3, 'a repeat does not bring the old one back');
};

$hub->stop;
done_testing;

# Every table has an end, and says so: sessions of a connection, members of a session, sessions and
# connections of the hub. What is full refuses, keeps what it has, and has room again when somebody goes.
use strict;
use warnings;
use Hub;

sub join_code {
	my ($c, $session) = @_;
	$c->send({ type => 'session_associate', session_id => $session, msg_id => 'm' });
	my $answer = $c->next;
	return $answer->{type} eq 'session_associated' ? 'joined' : $answer->{data}{code};
}

subtest 'sessions of a connection' => sub {
	my $hub = Hub->start;
	for my $t ('ws', 'unix') {
		my $c = $hub->client($t);
		is(scalar(grep { join_code($c, "$t.$_") eq 'joined' } 1 .. 64), 64, "$t: 64 sessions");
		is(join_code($c, "$t.65"), 'session_full', "$t: not one more");
		is(join_code($c, "$t.1"), 'joined', "$t: joining one of them again is fine");
		$c->send(map { { type => 't', session_id => "$t.$_" } } 1 .. 64);
		my %got = map { $_->{session_id} => $_->{seq} } map { $c->next } 1 .. 64;
		is(scalar(grep { $_ == 1 } values %got), 64, "$t: all of them work");
		$c->send({ type => 'session_leave', session_id => "$t.7" });
		$c->wait_type('session_left');
		is(join_code($c, "$t.65"), 'joined', "$t: leaving one makes room");
	}
	$hub->stop;
};

subtest 'members of a session' => sub {
	my $hub = Hub->start(args => [ '--max-members', 5 ]);
	my @members = map { $hub->member($_ % 2 ? 'ws' : 'unix', 's') } 1 .. 5;
	my $late = $hub->ws;
	is(join_code($late, 's'), 'session_full', 'the sixth is refused');
	is(join_code($late, 'other'), 'joined', 'and may go elsewhere');
	$members[0]->send({ type => 't' });
	is($members[4]->next->{seq}, 1, 'the five go on');
	$members[4]->abort;
	becomes { join_code($late, 's') eq 'joined' } 'who goes makes room';
	$hub->stop;
};

subtest 'sessions of the hub' => sub {
	my $hub = Hub->start(args => [ '--max-sessions', 5, '--session-ttl', 1 ]);
	my $c = $hub->ws;
	is(scalar(grep { join_code($c, "s$_") eq 'joined' } 1 .. 5), 5, 'five sessions');
	my $d = $hub->unix;
	is(join_code($d, 's6'), 'hub_full', 'not one more');
	is(join_code($d, 's5'), 'joined', 'those that exist are open');
	$c->send({ type => 'session_leave', session_id => 's1' });
	$c->wait_type('session_left');
	becomes { join_code($d, 's6') eq 'joined' } 'one that ends makes room';
	$hub->stop;
};

subtest 'connections of the hub' => sub {
	my $hub = Hub->start(args => [ '--max-connections', 6 ]);
	my @in = map { $hub->member($_ % 2 ? 'ws' : 'unix', 's') } 1 .. 6;
	my $unix = $hub->unix;
	$unix->send({ type => 'ping' });
	becomes { $unix->{gone} } 'unix: one more is closed';
	is(scalar(grep { /"pong"/ } @{ $unix->{in} }), 0, 'unix: and not served');
	my $tcp = $hub->tcp;
	$tcp->send_bytes("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		    . "Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
	becomes { $tcp->{gone} || $tcp->{status} } 'ws: one more is answered';
	isnt($tcp->{status} // 503, 101, 'ws: and not served');
	$in[0]->send({ type => 't' });
	is($in[5]->next->{seq}, 1, 'the others go on');
	pop(@in)->abort;
	my $again;
	wait_for { $again = eval { $hub->member('ws', 's') } } 'room';
	$again->send({ type => 'u' });
	is($in[0]->wait_type('u')->{from}, $again->{id}, 'who goes makes room');
	$hub->stop;
};

done_testing;

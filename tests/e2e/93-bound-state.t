# State that goes with its sender, or in time, and changes that are taken on a condition only.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Replay;
use Hub::Sio;
use Hub::Store;

my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $nobody = '00000000000';
my $dir = scratch();
my $keys = spew("$dir/keys", "seat name own\nsio_seat data.name own\nscore -\n");
my $hub = Hub->start(args => [ '--keys', $keys ]);

sub keys_of {
	my ($h, $s) = @_;
	my $a = Hub::Http->fetch($h, 'GET', "/sessions/$s/state");
	return join ' ', sort map { unjson($_)->{key} // unjson($_)->{name} // '' } split /\n/, $a->{body};
}

for my $t ('ws', 'unix') {
	subtest "a member goes, over $t" => sub {
		my $s = "goes.$t";
		my $watch = $hub->member('unix', $s);
		for my $how ('leave', 'vanish', 'close') {
			my $c = $hub->member($t, $s);
			$c->send({ type => 'pos', key => "a\"\\$how", own => $true, x => 1 },
				{ type => 'hat', key => "a\"\\$how" }, { type => 'pos', key => "b.$how" },
				{ type => 'seat', name => "s.$how" }, { type => 'seat', name => "k.$how", own => $false });
			$c->sync;
			if ($how eq 'leave') {
				$c->send({ type => 'session_leave' });
				$c->wait_type('session_left');
			} elsif ($how eq 'vanish') {
				$c->vanish;
			} else {
				$c->abort;
			}
			my %gone = map { ($_->{key} => $_) } map { $watch->wait_type('state_deleted') } 1, 2;
			is_deeply([ sort keys %gone ], [ "a\"\\$how", "s.$how" ], "$how: its own keys go");
			my $m = $gone{"s.$how"};
			is_deeply([ @$m{qw(reason owner from session_id)} ], [ 'left', $c->{id}, $nobody, $s ],
				"$how: in so many words");
			ok($m->{seq} && $m->{timestamp}, "$how: which are a record");
			is(keys_of($hub, $s) =~ s/\.$how//gr =~ s/\b[bk]\.\w+ ?//gr =~ s/ $//r, 'b k', "$how: what is not, stays")
				if $how eq 'leave';
		}
		my $late = $hub->member($t, $s);
		is($late->{joined}{snapshot}, 6, 'who comes late gets what has stayed');
	};

	subtest "the same client on another connection, over $t" => sub {
		my $s = "twin.$t";
		my $a = $hub->member($t, $s);
		$a->send({ type => 'pos', key => 'k', own => $true });
		$a->sync;
		my $b = $hub->client($t);
		my $j = $b->join_session($s, resume => $a->{joined}{resume}, since => 1, epoch => $a->{joined}{epoch});
		is($j->{client_id}, $a->{id}, 'is the same');
		$a->closed;
		is(keys_of($hub, $s), 'k', 'and has what it had');
		$b->vanish;
		wait_for { keys_of($hub, $s) eq '' } 'it to go';
		pass('until that one goes');
	};

	subtest "conditions, over $t" => sub {
		my $s = "if.$t";
		my $c = $hub->member($t, $s, echo => $false);
		my $n = 0;
		my $ask = sub {
			my (%more) = @_;
			$c->send({ type => 'doc', key => 'd', msg_id => 'm' . $n++, %more });
			my $m = $c->next;
			return $m->{type} eq 'ack' ? "ok $m->{seq}" : "$m->{data}{code} " . ($m->{data}{seq} // '') . " $m->{msg_id}";
		};
		is($ask->(if_seq => 3), 'conflict 0 m0', 'there is none');
		is($ask->(if_seq => 0), 'ok 1', 'a new key');
		is($ask->(if_seq => 0), 'conflict 1 m2', 'is new once');
		is($ask->(if_seq => 1), 'ok 2', 'a change of what one knows');
		is($ask->(if_seq => 1), 'conflict 2 m4', 'and of what has changed');
		is($ask->(if_seq => 1, msg_id => 'm3'), 'ok 2', 'a repeat is one');
		is($ask->(type => 'title', if_seq => 2), 'ok 3', 'the key counts, not the type');
		is($ask->(type => 'state_deleted', if_seq => 2), 'conflict 3 m7', 'deleting too');
		is($ask->(newer => $true, timestamp => 1), 'conflict 3 m8', 'older than what is there');
		is($ask->(newer => $true, timestamp => 9e15), 'ok 4', 'later');
		is($ask->(newer => $true), 'conflict 4 m10', 'the hub\'s own time is not');
		is($ask->(type => 'state_deleted', if_seq => 4, newer => $false), 'ok 5', 'deleted');
		is($ask->(newer => $true, timestamp => 1), 'ok 6', 'what is not there is older');
		is($ask->(type => 'say', key => undef, if_seq => 0), 'bad_field  m13', 'key null is none');
		$c->send({ type => 'say', if_seq => 'x', ttl => [], own => 7, newer => {}, msg_id => 'z' });
		is($c->next->{seq}, 7, 'in what is no state they are the application\'s');
		for my $bad ('"own":1', '"ttl":0', '"ttl":"1"', '"if_seq":-1', '"newer":null', '"own":true,"own":true') {
			$c->send_text(qq({"type":"doc","key":"d",$bad}));
			is($c->next->{data}{code}, 'bad_field', $bad);
		}
		$c->send({ type => 'score', own => $true });
		is($c->next->{data}{code}, 'bad_field', 'what has no key cannot go');
		is($hub->member('unix', $s)->{joined}{seq}, 7, 'and nothing of that is logged');
	};

	subtest "in time, over $t" => sub {
		my $s = "ttl.$t";
		my $c = $hub->member($t, $s, echo => $false);
		$c->send({ type => 'p', key => 'short', ttl => 0.05 }, { type => 'p', key => 'long', ttl => 1000 },
			{ type => 'p', key => 'again', ttl => 0.05 }, { type => 'p', key => 'again' });
		my $m = $c->wait_type('state_deleted');
		is_deeply([ @$m{qw(key reason owner from)} ], [ 'short', 'expired', $c->{id}, $nobody ],
			'it goes, and its sender is told, too');
		is(keys_of($hub, $s), 'again long', 'and nothing else does');
	};
}

subtest 'without members' => sub {
	my $c = $hub->member('unix', 'empty');
	$c->send({ type => 'p', key => 'k', ttl => 0.05 });
	$c->sync;
	$c->vanish;
	wait_for { keys_of($hub, 'empty') eq '' } 'it to go';
	pass('it goes all the same');
};

subtest 'over HTTP' => sub {
	my $post = sub {
		my ($m) = @_;
		my $a = Hub::Http->fetch($hub, 'POST', '/sessions/http/records', body => json($m),
			headers => ['Content-Type: application/json']);
		my $said = unjson($a->{body});
		return join ' ', $a->{status}, $said->{data} ? ($said->{data}{code}, $said->{data}{seq} // '-') : $said->{seq};
	};
	is($post->({ type => 'd', key => 'k', if_seq => 0 }), '200 1', 'a condition');
	is($post->({ type => 'd', key => 'k', if_seq => 0 }), '409 conflict 1', 'that is not met');
	is($post->({ type => 'd', key => 'k', own => $true }), '409 not_member -', 'who posts owns nothing');
	is($post->({ type => 'seat', name => 'k' }), '409 not_member -', 'whatever the table says');
	is($post->({ type => 'd', key => 't', ttl => 0.05 }), '200 2', 'but what it says may end');
	wait_for { keys_of($hub, 'http') eq 'k' } 'it to end';
	pass('and does');
};

subtest 'Socket.IO' => sub {
	my $watch = $hub->member('unix', 'sio');
	my $sio = Hub::Sio->ws($hub);
	is($sio->connect('/sio')->{type}, 0, 'connected');
	$sio->send('42/sio,["sio_seat",{"name":"n"}]');
	is($watch->wait_type('sio_seat')->{data}{name}, 'n', 'by the table it is its own');
	my $other = Hub::Sio->ws($hub);
	$other->connect('/sio');
	$sio->send('41/sio,');
	my $m = $watch->wait_type('state_deleted');
	is($m->{key}, 'n', 'and goes with it');
	my $event;
	do { $event = $other->event } until $event->[0] eq 'state_deleted';
	is($event->[1]{key}, 'n', 'others are told by an event');
};

subtest 'hubcat' => sub {
	my $r = run($hub->hubcat([ '-p', 'cat' ]),
		in => join "\n", '{"type":"d","key":"k"}', '{"type":"d","key":"k","if_seq":0}', '{"type":"d","key":"o","own":true}', '');
	is($r->{status}, 1, 'a conflict is a refusal');
	like($r->{err}, qr/^hubcat: line 2: conflict: the last record of this key is 1 /m, 'in words');
	is(keys_of($hub, 'cat'), 'k', 'what was its own is gone');
};

subtest 'recorded and played' => sub {
	my $rec = record($hub, [ '-o', "$dir/rec" ], 'rec');
	recording("$dir/rec");
	my $c = $hub->member('unix', 'rec');
	$c->send({ type => 'd', key => 'k', v => 1 }, { type => 'd', key => 'k', v => 2, if_seq => 1 },
		{ type => 'd', key => 'k', v => 3, newer => $true, timestamp => 9e15 },
		{ type => 'seat', name => 'n', if_seq => 0 },
		{ type => 'd', key => 'o', own => $true, ttl => 1000 }, { type => 'say', if_seq => 'x' });
	$c->sync;
	$c->vanish;
	wait_for { @{ [ raw_seqs("$dir/rec") ] } == 8 } 'all of it';
	finish($rec);
	my $before = $hub->member('unix', 'played');
	$before->send({ type => 'other' });
	$before->sync;
	my $r = run([ 'hubreplay', 'play', '-u', "unix:$hub->{socket}", '--fast', '--as', 'played', '--keys', $keys, "$dir/rec" ]);
	is($r->{status}, 0, 'nothing is refused') or diag($r->{err});
	wait_for { @{ $before->{in} } >= 8 } 'all of it';
	my @got = map { unjson($_) } grep { /"type":"(?:d|seat|say|state_deleted)"/ } @{ $before->{in} };
	is_deeply([ map { "$_->{type} " . ($_->{v} // $_->{key} // $_->{name} // $_->{if_seq}) } @got[ 0 .. 5 ] ],
		[ 'd 1', 'd 2', 'd 3', 'seat n', 'd o', 'say x' ], 'all is played');
	is_deeply([ sort map { $_->{key} } @got[ 6, 7 ] ], [ 'n', 'o' ], 'what has gone goes');
	ok(!(grep { exists $_->{if_seq} || exists $_->{newer} } @got[ 0 .. 4 ]), 'conditions were met once');
	ok($got[4]{own} && $got[4]{ttl} == 1000, 'whose it is, and how long, is kept');
	is(keys_of($hub, 'played'), 'k', 'and the state is what it was');
	my $cut = run([ 'hubreplay', 'cut', '--from', '3600', '--keys', $keys, "$dir/rec" ]);
	is_deeply([ map { unjson($_)->{key} // () } split /\n/, $cut->{out} ], ['k'], 'as in the recording');
};

for my $how ('killed', 'stopped') {
	subtest "a store, $how" => sub {
		my $store = store_dir();
		my $h = store_hub($store);
		my $c = $h->member('ws', 's');
		$c->send({ type => 'p', key => 'own', own => $true, msg_id => 'a' }, { type => 'p', key => 'stays' },
			{ type => 'p', key => 'ttl', ttl => 1000 }, { type => 'p', key => 'soon', ttl => 0.05 },
			{ type => 'p', key => 'last', msg_id => 'b' });
		$c->wait_type('ack') for 1, 2;
		my $resume = $c->{joined}{resume};
		is(sql("$store/store.db", "SELECT group_concat(key) FROM (SELECT key FROM state WHERE own ORDER BY key)"),
			'own', 'it says whose');
		is(sql("$store/store.db", "SELECT group_concat(key) FROM (SELECT key FROM state WHERE expires > 0 AND key != 'soon')"),
			'ttl', 'and how long');
		if ($how eq 'killed') {
			killed($h);
		} else {
			$h->stop;
		}
		$h = store_hub($store);
		my $d = $h->client('unix');
		my $j = $d->join_session('s', resume => $resume, since => 5, epoch => $c->{joined}{epoch});
		is($j->{client_id}, $c->{id}, 'the same client');
		wait_for { grep { /state_deleted.*"own"/ } @{ $d->{in} } } 'the deletion';
		pass('its own has gone meanwhile');
		wait_for { keys_of($h, 's') eq 'last stays ttl' } 'what was to go';
		pass('as has what was to go in time');
		is(join(' ', sql("$store/store.db", 'SELECT key FROM state ORDER BY key')), 'last stays ttl', 'also in the store')
			if becomes { sql("$store/store.db", 'SELECT count(*) FROM state') == 3 } 'the store knows';
		$h->stop;
	};
}

$hub->stop;
done_testing();

# A member that was away gets exactly what it missed, or is told that it cannot and gets the state. With
# its token it is the same client as before.
use strict;
use warnings;
use Hub;

my $true = JSON::PP::true();
my $false = JSON::PP::false();

# The parts of an answer to a join that tell what follows.
sub outcome {
	my ($joined) = @_;
	return {
		map { exists $joined->{$_} ? ($_ => ref $joined->{$_} ? $joined->{$_} + 0 : $joined->{$_}) : () }
		    qw(recovered reason snapshot seq)
	};
}

# Everything that comes up to record TO, as words: 7 for a record, gap:1-6 for a gap.
sub until_seq {
	my ($c, $to) = @_;
	my @got;
	while (!@got || $got[-1] ne $to) {
		my $m = $c->next;
		push @got, $m->{type} eq 'gap' ? "gap:$m->{from_seq}-$m->{to_seq}" : $m->{seq} // $m->{type};
		die "not up to $to: @got\n" if @got > 5000;
	}
	return \@got;
}

my $hub = Hub->start(args => [ '--history', 50, '--history-bytes', 0 ]);

sub fill {
	my ($s, $n, %more) = @_;
	my $c = $hub->member('unix', $s, echo => $false);
	$c->send(map { { type => 'p', n => $_, %more } } 1 .. $n);
	$c->sync;
	return $c;
}

for my $t ('ws', 'unix') {
	subtest "since, over $t" => sub {
		my $s = "since.$t";
		my $c = fill($s, 20);
		my $epoch = $c->{joined}{epoch};
		my $next = 20;
		for my $since (0, 1, 7, 19, 20) {
			for my $with ({}, { epoch => $epoch }) {
				my $m = $hub->client($t);
				my $joined = $m->join_session($s, since => $since, %$with);
				my $name = "since $since" . (%$with ? ' with the epoch' : '');
				is_deeply(outcome($joined), { recovered => 1, snapshot => 0, seq => $next }, $name);
				$c->send({ type => 'live' });
				$next++;
				is_deeply(until_seq($m, $next), [ $since + 1 .. $next ], "$name: all that was missed, and on");
			}
		}
		$c->send(map { { type => 'st', key => "k$_" } } 1 .. 3);
		my @state = ($next + 1 .. $next + 3);
		$next += 3;
		$c->sync;
		for my $case (
			[ 'another epoch',       since => 5,                epoch => '00000000001' ],
			[ 'an epoch of no hub',  since => 5,                epoch => 'nonsense' ],
			[ 'an empty epoch',      since => 5,                epoch => '' ],
			[ 'another, from 0 on',  since => 0,                epoch => '00000000001' ],
			[ 'another, at the end', since => 'end',            epoch => 'LygHa16AHYF' ],
			[ 'beyond the end',      since => 'beyond' ],
			[ 'beyond, same epoch',  since => 'beyond',         epoch => $epoch ],
			[ 'far beyond',          since => 9007199254740992, epoch => $epoch ])
		{
			my ($name, %join) = @$case;
			$join{since} = { end => $next, beyond => $next + 1 }->{ $join{since} } // $join{since};
			my $m = $hub->client($t);
			is_deeply(outcome($m->join_session($s, %join)),
				{ recovered => 0, reason => 'epoch_changed', snapshot => 3, seq => $next }, $name);
			$c->send({ type => 'live' });
			$next++;
			is_deeply(until_seq($m, $next), [ @state, $next ], "$name: the state, and on");
		}
		my $m = $hub->client($t);
		is_deeply(outcome($m->join_session($s, epoch => 'nonsense')),
			{ recovered => 0, snapshot => 3, seq => $next }, 'an epoch alone asks for nothing');
	};

	subtest "trimmed, over $t" => sub {
		my $s = "trimmed.$t";
		my $c = fill($s, 10, key => 'old');
		$c->send(map { { type => 'st', key => "k$_" } } 1 .. 4);
		$c->send_text(map { json({ type => 'p', n => $_, pad => 'x' x 500 }) } 1 .. 2000);
		$c->sync;
		my $head = 2014;
		my $probe = $hub->client($t);
		my $joined = $probe->join_session($s, since => 0);
		is_deeply(outcome($joined), { recovered => 0, reason => 'trimmed', snapshot => 0, seq => $head },
			'since 0: all that is kept');
		my $gap = $probe->next;
		is_deeply({ %$gap, to_seq => 0 }, { type => 'gap', session_id => $s, from_seq => 1, to_seq => 0 },
			'after a gap');
		my $tail = $gap->{to_seq} + 1;
		cmp_ok($tail, '>', 1, 'something is gone');
		cmp_ok($tail, '<=', $head - 49, 'as much as the hub promises is there');
		is_deeply(until_seq($probe, $head), [ $tail .. $head ], 'up to the end');

		my $m = $hub->client($t);
		is_deeply(outcome($m->join_session($s, since => $tail - 1)),
			{ recovered => 1, snapshot => 0, seq => $head }, 'the oldest record is the next one: recovered');
		is_deeply(until_seq($m, $head), [ $tail .. $head ], 'from there');
		for my $since (1, 12, $tail - 2) {
			my $late = $hub->client($t);
			is_deeply(outcome($late->join_session($s, since => $since)),
				{ recovered => 0, reason => 'trimmed', snapshot => 5, seq => $head }, "since $since: trimmed");
			$c->send({ type => 'live' });
			$head++;
			is_deeply(until_seq($late, $head), [ 10 .. 14, $head ], "since $since: the state, and on");
		}
	};

	subtest "joining again with since, over $t" => sub {
		my $s = "again.$t";
		my $c = fill($s, 10);
		my $m = $hub->client($t);
		$m->join_session($s);
		is_deeply(outcome($m->join_session($s, since => 4)), { recovered => 1, snapshot => 0, seq => 10 },
			'back to an earlier record');
		is_deeply(until_seq($m, 10), [ 5 .. 10 ], 'again from there');
		is_deeply(outcome($m->join_session($s, since => 10)), { recovered => 1, snapshot => 0, seq => 10 },
			'to where it is');
		$m->join_session($s, since => 11);
		is($m->join_session($s)->{seq}, 10, 'and without since where it was');
		$c->send({ type => 'p', key => 'k' });
		is_deeply(until_seq($m, 11), [11], 'nothing twice');
		is_deeply(outcome($m->join_session($s, since => 99)),
			{ recovered => 0, reason => 'epoch_changed', snapshot => 1, seq => 11 }, 'to what never was');
		is_deeply(until_seq($m, 11), [11], 'the state');
		is_deeply([ $m->sync ], [], 'and no more');
	};

	subtest "without echo, over $t" => sub {
		my $s = "echo.$t";
		my $other = $hub->member('unix', $s, echo => $false);
		my $a = $hub->member($t, $s, echo => $false);
		for my $n (1 .. 10) {
			my $from = $n % 2 ? $a : $other;
			$from->send({ type => 'p', n => $n });
			$from->sync;
		}
		my $token = $a->{joined}{resume};
		$a->vanish;
		my $b = $hub->client($t);
		$b->join_session($s, since => 2, echo => $false, resume => $token);
		$other->send({ type => 'end' });
		is_deeply(until_seq($b, 11), [ 4, 6, 8, 10, 11 ], 'who comes back is spared its own records');
		$b->send({ type => 'mine' });
		$b->sync;
		$other->send({ type => 'end' });
		is_deeply(until_seq($b, 13), [13], 'the new ones too');
		my $d = $hub->client($t);
		$d->join_session($s, since => 2, echo => $true, resume => $b->{joined}{resume} || $token);
		is_deeply(until_seq($d, 13), [ 3 .. 13 ], 'unless it wants them');
		my $e = $hub->client($t);
		$e->join_session($s, since => 8, echo => $false);
		is_deeply(until_seq($e, 13), [ 9 .. 13 ], 'to a new client they are another\'s');
	};

	subtest "who one is, over $t" => sub {
		my $s = "who.$t";
		my $witness = $hub->member('unix', $s);
		my $a = $hub->member($t, $s);
		my ($id, $token) = @{ $a->{joined} }{qw(client_id resume)};
		is(length $a->join_session($s)->{resume}, length $token, 'each join gives one, and the first stays good');
		$a->abort;
		my $b = $hub->client($t);
		is($b->join_session($s, resume => $token)->{client_id}, $id, 'the same client after a break');
		$b->send({ type => 'hello' });
		is($witness->next->{from}, $id, 'to others too');
		$witness->send({ type => 'dear', to => $id });
		is($b->wait_type('dear')->{from}, $witness->{id}, 'and it can be reached');

		# In another session as well, and in all it joins later.
		is($b->join_session("$s.2")->{client_id}, $id, 'one connection, one client');
		my $c = $hub->client($t);
		is($c->join_session("$s.3", resume => $token)->{client_id}, $id, 'the token is not bound to a session');
		$c->vanish;

		# Only before the first join.
		my $d = $hub->member($t, "$s.4");
		my $own = $d->{id};
		is($d->join_session($s, resume => $token)->{client_id}, $own, 'who is somebody stays it');
		ok($b->alive, 'and replaces nobody');

		for my $bad ('', 'x', 'A' x 32, 'A' x 64, substr($token, 1), "${token}A", ucfirst lc $token,
			(substr $token, 0, 31) . ((substr $token, 31) eq 'A' ? 'B' : 'A'))
		{
			my $m = $hub->client($t);
			my $joined = $m->join_session("$s.5", resume => $bad);
			isnt($joined->{client_id}, $id, "a token that is none is a new client: '$bad'");
			isnt($joined->{resume}, $token, 'with a token of its own');
		}
		ok($b->alive, 'nobody was replaced by those');
	};

	subtest "the old connection goes, over $t" => sub {
		my $s = "kick.$t";
		my $witness = $hub->member('unix', $s);
		my $a = $hub->member($t, $s);
		my ($id, $token) = @{ $a->{joined} }{qw(client_id resume)};
		for my $new ('ws', 'unix') {
			my $b = $hub->client($new);
			is($b->join_session($s, resume => $token)->{client_id}, $id, "replaced over $new");
			is($a->closed, 4000, 'the old one is told');
			like($a->{close_reason}, qr/replaced/, 'in words too');
			ok($b->alive, 'the new one stays');
			$witness->send({ type => 'presence' });
			my $who;
			becomes {
				$witness->send({ type => 'presence' });
				$who = $witness->wait_type('presence');
				return $who->{user_count} == 2;
			} 'two members';
			is(scalar(grep { $_->{client_id} eq $id } @{ $who->{members} }), 1, 'it is there once');
			$witness->send({ type => 'dear', to => $id });
			is($b->wait_type('dear')->{from}, $witness->{id}, 'and is reached there');
			$a = $b;
		}
		# Who keeps a list by what it is told still has it there.
		my %there;
		for (map { unjson($_) } @{ $witness->{presence} }) {
			$there{ $_->{client_id} } = $_->{type} eq 'client_connected' ? 1 : 0;
		}
		is($there{$id}, 1, 'the others have not heard that it left');
		# Another session of the old connection's client is another matter, but the same connection.
		my $far = $hub->client($t);
		$far->join_session("$s.far", resume => $token);
		ok($a->alive && $far->alive, 'in different sessions both may stay');
	};

	subtest "bad fields, over $t" => sub {
		my $s = "bad.$t";
		fill($s, 3);
		my $c = $hub->client($t);
		for my $bad (
			(map { qq("since":$_) } '-1', '1.0', '1e3', '"1"', 'null', 'true', '[]', '{}',
				'9007199254740993', '99999999999999999', '1' . '0' x 40, '-0'),
			(map { qq("epoch":$_) } '1', 'null', '[]', '"' . 'e' x 65 . '"', '"\ud800"'),
			(map { qq("resume":$_) } '1', 'null', '{}', '"' . 'r' x 65 . '"', '"\udc00"'),
			(map { qq("echo":$_) } '1', 'null', '"false"'),
			'"since":1,"since":1', '"epoch":"a","epoch":"b"', '"resume":"a","resume":"b"',
			'"since":1,"s\u0069nce":2')
		{
			$c->send_text(qq({"type":"session_associate","session_id":"$s","msg_id":"m",$bad}));
			my $error = $c->next;
			is_deeply([ $error->{type}, $error->{data}{code} // '', $error->{msg_id} // '' ],
				[ 'error', 'bad_field', 'm' ], substr $bad, 0, 40);
		}
		$c->send({ type => 'p', session_id => $s });
		is($c->next->{data}{code}, 'not_member', 'none of these joined');
		$c->send_text(qq({"type":"session_associate","session_id":"$s","since":0,"epoch":"\\u0061"}));
		is($c->next->{reason}, 'epoch_changed', 'escapes are read');
	};
}

subtest 'an epoch that ended' => sub {
	my $short = Hub->start(args => [ '--session-ttl', 1 ]);
	my $a = $short->member('ws', 's');
	$a->send({ type => 'p', key => 'k' }) for 1 .. 3;
	$a->next for 1 .. 3;
	my $was = $a->{joined};
	my $stays = $short->member('unix', 'stays');
	$a->vanish;
	wait_for { $short->health->{sessions} == 1 } 'the session to be dropped';
	my $b = $short->client('ws');
	my $joined = $b->join_session('s', since => 2, epoch => $was->{epoch}, resume => $was->{resume});
	is_deeply(outcome($joined), { recovered => 0, reason => 'epoch_changed', snapshot => 0, seq => 0 },
		'a session of the same name is not the same');
	is($joined->{client_id}, $was->{client_id}, 'but the client is');
	$b->send({ type => 'p' });
	is($b->next->{seq}, 1, 'and all begins anew');
	$short->stop;

	my $after = Hub->start;
	my $c = $after->client('unix');
	$joined = $c->join_session('s', since => 3, epoch => $was->{epoch}, resume => $was->{resume});
	is($joined->{reason}, 'epoch_changed', 'another hub knows neither the session');
	isnt($joined->{client_id}, $was->{client_id}, 'nor the client');
	$after->stop;
};

subtest 'a full session' => sub {
	my $full = Hub->start(args => [ '--max-members', 3 ]);
	my @in = map { $full->member($_, 's') } qw(ws unix ws);
	my $late = $full->client('unix');
	$late->send({ type => 'session_associate', session_id => 's' });
	is($late->next->{data}{code}, 'session_full', 'is full');
	# The hub need not know yet that the old connection is dead.
	$late->send({ type => 'session_associate', session_id => 's', resume => $in[0]{joined}{resume} });
	my $answer = $late->next;
	is($answer->{type}, 'session_associated', 'but who is in it may come back') or diag(json($answer));
	is($in[0]->closed, 4000, 'in the place of itself') if $answer->{type} eq 'session_associated';
	$full->stop;
};

$hub->stop;
done_testing;

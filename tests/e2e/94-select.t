# What a member asks for of a session's records, at every door: only some types, at ticks, in arrays, of state only
# the latest. What is asked for comes, each once and in order; and at the end everybody knows how things are.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Sio;

my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $hub = Hub->start;

# The records of messages, arrays taken apart, what the hub itself says among them.
sub flat { return map { ref $_ eq 'ARRAY' ? @$_ : $_ } map { ref $_ ? $_ : unjson($_) } @_ }

# Waits until the client has had the record with that seq; all that it got, taken.
sub up_to {
	my ($c, $seq) = @_;
	wait_for { @{ $c->{in} } && $c->{in}[-1] =~ /"seq":$seq\}(?:,\{"type":"skipped"[^\]]*)?\]?$/ } "record $seq", undef, $c;
	return splice @{ $c->{in} };
}

sub words { return join ' ', map { $_->{type} eq 'skipped' ? "skipped:$_->{count}" : $_->{seq} } @_ }

sub say_all {
	my ($c, @types) = @_;
	$c->send(map { /^(\w+)\.(\w+)$/ ? { type => $1, key => $2 } : { type => $_ } } @types);
	$c->sync;
}

for my $t ('ws', 'unix') {
	subtest "types, over $t" => sub {
		my $s = "types.$t";
		my $p = $hub->member('unix', $s, echo => $false);
		say_all($p, 'pos.a', 'hat.a', 'pos.b', 'say');
		my %c;
		my %types = (in => ['pos'], out => [ '!pos', '!s*' ], both => [ '!pose', 'p*', 'h?t' ], one => 'say', end => '*');
		for (sort keys %types) {
			$c{$_} = $hub->client($t);
			my $j = $c{$_}->join_session($s, types => $types{$_});
			is_deeply([ @$j{qw(seq snapshot)} ], [ 4, { in => 2, out => 1, both => 3, one => 0, end => 3 }->{$_} ],
				"$_: so many of the state");
		}
		say_all($p, 'pos.a', 'pose', 'hat.b', 'say', 'x', 'end');
		is(words(flat(up_to($c{end}, 10))), '1 2 3 5 6 7 8 9 10', 'all');
		my %want = (in => '1 3 5', out => '2 6 7 9 10', both => '1 2 3 5 7', one => '8');
		for (sort keys %want) {
			my ($last) = $want{$_} =~ /(\d+)$/;
			is(words(flat(up_to($c{$_}, $last))), $want{$_}, "$_: what is wanted");
			is(words(grep { $_->{seq} } $c{$_}->sync), '', "$_: and no more");
		}
		my $j = $c{in}->join_session($s, types => 'x', since => 3, epoch => $p->{joined}{epoch});
		ok($j->{recovered}, 'another wish, from another place');
		is(words(flat(up_to($c{in}, 9))), '9', 'is for what follows there');
		$c{in}->join_session($s);
		say_all($p, 'pos');
		is(words(flat(up_to($c{in}, 11))), '11', 'none is for all');
	};

	subtest "arrays and the latest, over $t" => sub {
		my $s = "batch.$t";
		my $p = $hub->member('unix', $s, echo => $false);
		say_all($p, 'pos.a', 'hat.a');
		my $c = $hub->client($t);
		my $j = $c->join_session($s, batch => $true, conflate => $true, tick => 300);
		is($j->{snapshot}, 2, 'the state');
		my @in = up_to($c, 2);
		is_deeply([ scalar @in, words(flat(@in)) ], [ 1, '1 2' ], 'comes in one');
		# All of it at one tick, as a rule; where the clock strikes in between, at two.
		my $tries = 0;
		do {
			$p->send({ type => 'go' });
			$p->sync;
			$c->next;
			say_all($p, 'pos.a', 'pos.b', 'say', 'pos.a', 'hat.a', 'say', 'pos.a');
			my $head = 2 + 8 * ++$tries;
			@in = up_to($c, $head);
		} until @in == 1 || $tries == 20;
		my $n = 2 + 8 * ($tries - 1) + 1;
		is(words(flat(@in)), join(' ', map { $n + $_ } 2, 3, 5, 6, 7) . ' skipped:2', 'what is out of date is counted');
		is(scalar(up_to_tick($p, $c)), 1, 'a batch a tick');
		# No more ticks.
		$c->join_session($s, conflate => $true);
		say_all($p, 'end');
		is(ref unjson((up_to($c, $n + 9))[-1]), 'HASH', 'without arrays');
	};

	subtest "who leaves gets all first, over $t" => sub {
		my $s = "leave.$t";
		my $p = $hub->member('unix', $s, echo => $false);
		my $c = $hub->client($t);
		$c->join_session($s, tick => 60000, batch => $true);
		say_all($p, 'a', 'b');
		$c->send({ type => 'session_leave' });
		$c->wait_type('session_left');
		is(words(flat(splice @{ $c->{in} })), '1 2', 'before its tick');
	};
}

# One record now: the arrays until it has come.
sub up_to_tick {
	my ($p, $c) = @_;
	$p->send({ type => 'one' });
	$p->sync;
	my @in;
	do { push @in, $c->next } until grep { $_->{type} eq 'one' } flat(@in);
	return @in;
}

# The records of batches, each with what `fields: compact` leaves out of it, and how much that was.
sub expand {
	my ($cut, @records) = 0;
	for my $batch (@_) {
		my %before;
		for my $r (@$batch) {
			for my $name (qw(session_id timestamp from)) {
				$cut += !exists $r->{$name};
				$r->{$name} = $before{$name} if !exists $r->{$name};
				$before{$name} = $r->{$name};
			}
			push @records, $r;
		}
	}
	return ($cut, @records);
}

subtest 'without what was said' => sub {
	my ($p, $q) = map { $hub->member('unix', 'compact', echo => $false) } 1, 2;
	for my $t ('ws', 'unix') {
		my $plain = $hub->member($t, 'compact');
		my $c = $hub->client($t);
		my $j = $c->join_session('compact', batch => $true, fields => 'compact', tick => 100);
		my $again = $hub->client($t);
		$again->join_session('compact', batch => $true, fields => 'compact', tick => 100);
		$p->send({ type => 'a', timestamp => 1 }, { type => 'a', timestamp => 1 }, { timestamp => 2, session_id => 'compact', type => 'b' });
		$q->send_text('{ "session_id" : "compact" , "timestamp":2 , "type":"c" , "x":[{"from":1}] }');
		$q->sync;
		$p->send({ type => 'end', timestamp => 2 });
		my @in;
		do { push @in, $c->next } until grep { $_->{type} eq 'end' } flat(@in);
		# A tick may end between any two for one of them: they may be of different workers.
		my ($cut, @all) = expand(@in);
		my (undef, @same) = expand(map { unjson($_) } up_to($again, $j->{seq} + 5));
		is_deeply(\@same, \@all, "$t: who wants the same gets the same");
		is_deeply(\@all, [ map { unjson($_) } up_to($plain, $j->{seq} + 5) ], "$t: all of it can be had");
		cmp_ok($cut, '>=', 3, "$t: and some was left out");
		$c->send_text('{"type":"session_associate","session_id":"compact","fields":"compact"}');
		is($c->next->{data}{code}, 'bad_field', "$t: without arrays it is nothing");
	}
};

subtest 'Socket.IO' => sub {
	my $p = $hub->member('unix', 'sio', echo => $false);
	say_all($p, 'pos.a', 'hat.a');
	my $sio = Hub::Sio->ws($hub);
	is($sio->connect('/sio', { types => [ 'pos', 'say' ], conflate => $true, tick => 200 })->{type}, 0, 'connected');
	my @events;
	my $n = 0;
	# At one tick, as a rule.
	do {
		say_all($p, 'pos.a', 'hat.a', 'say', 'pos.a', 'say');
		$n++;
		@events = ();
		my $says = 0;
		while ($says < 3) {
			my $e = $sio->event;
			$says++ if $e->[0] eq 'say';
			push @events, $e if $says < 3;
			# Behind all that belongs to these.
			say_all($p, 'say') if $says == 2 && $e->[0] eq 'say';
		}
	} until join(' ', map { $_->[0] } @events) =~ /say pos say hub:skipped$/ || $n == 20;
	is_deeply($events[-1], [ 'hub:skipped', { count => 1 } ], 'what is out of date is counted');
	is(scalar(grep { $_->[0] eq 'hat' } @events), 0, 'what is not wanted does not come');
	is($sio->connect('/other', { tick => 'x' })->{type}, 4, 'what is wrong is refused');
};

subtest 'members share their ticks' => sub {
	my $p = $hub->member('unix', 'ticks', echo => $false);
	my @c = map { my $c = $hub->client($_ % 2 ? 'ws' : 'unix'); $c->join_session('ticks', tick => 20, batch => $true); $c } 1 .. 6;
	for my $n (1 .. 200) {
		$p->send({ type => 't', n => $n });
		$p->sync if $n % 10 == 0;
	}
	my @got = map { [ up_to($_, 200) ] } @c;
	is(words(flat(@$_)), join(' ', 1 .. 200), 'each gets all') for @got;
};

subtest 'what is wrong' => sub {
	my $c = $hub->client('ws');
	for my $bad ('"tick":-1', '"tick":60001', '"tick":"1"', '"tick":1.5', '"batch":1', '"conflate":null', '"types":[]',
		'"types":7', '"types":""', '"types":["!"]', '"types":[1]', '"types":"' . 'x' x 65 . '"', '"tick":1,"tick":1',
		'"types":[' . join(',', map { qq("t$_") } 1 .. 65) . ']', '"priority":"!a"', '"priority":[]', '"fields":"all"') {
		$c->send_text(qq({"type":"session_associate","session_id":"bad",$bad}));
		is($c->next->{data}{code}, 'bad_field', substr $bad, 0, 40);
	}
	$c->join_session('bad', types => [ map { ("t$_", "!t$_") } 1 .. 64 ], tick => 60000);
	pass('64 of each are fine');
};

subtest 'over HTTP' => sub {
	my $p = $hub->member('unix', 'http', echo => $false);
	say_all($p, 'pos.a', 'say', 'pos.b', 'hat.a');
	my $get = sub {
		my $a = Hub::Http->fetch($hub, 'GET', "/sessions/http/$_[0]");
		return $a->{status} == 200 ? words(map { unjson($_) } split /\n/, $a->{body}) : $a->{status};
	};
	is($get->('records?types=pos'), '1 3', 'records of a type');
	is($get->('records?types=%21pos,%21say&since=1'), '4', 'of others');
	is($get->('records?types=nothing'), '', 'of none');
	is($get->("records?$_"), 400, $_)
		for 'types=', 'types=a,,b', 'types=' . 'x' x 70, 'tick=x', 'batch=2', 'tick=70000', 'types=a&types=b', 'priority=!a', 'priority=';
	my $waiting = Hub::Http->open($hub);
	$waiting->ask('GET', '/sessions/http/records?since=4&wait=60&types=late');
	say_all($p, 'early', 'late');
	is(words(map { unjson($_) } split /\n/, $waiting->answer->{body}), '6', 'who waits waits for what is wanted');
	my $sse = Hub::Http->follow($hub, 'http', query => '?state=1&types=pos,say&batch=1&tick=20&conflate=1&priority=other');
	my @events;
	my $come = sub {
		my ($data) = @_;
		push @events, $sse->take_events(1) until grep { ($_->{data} // '') =~ $data } @events;
	};
	$come->(qr/"seq":3\}/);
	say_all($p, 'pos.a', 'hat.a', 'pos.a', 'say');
	$come->(qr/"seq":10\}/);
	my @batches = grep { ($_->{event} // '') eq 'batch' } @events;
	is(words(grep { $_->{type} ne 'skipped' && $_->{seq} != 7 } flat(map { $_->{data} } @batches)), '1 3 9 10', 'events in arrays');
	like($batches[-1]{id}, qr/^\w{11}-10\b/, 'with the place behind the last') or diag(json(\@batches));
};

subtest 'hubcat' => sub {
	my $p = $hub->member('unix', 'cat', echo => $false);
	my $ready = scratch() . '/ready';
	my $cat = spawn($hub->hubcat([ '-l', '-n', 5, '--types', 'pos,say,!x*', '--tick', '0.02', '--batch', '--conflate', '--priority', 'other,o*', '-f', '.seq',
		'--ready-file', $ready, 'cat' ]));
	wait_for { -s $ready } 'hubcat to join';
	say_all($p, 'say', 'x', 'say', 'pos.a', 'xyz', 'say', 'pos.b');
	is($cat->wait, 0, 'ends');
	is(slurp($cat->{out}) =~ s/\n/ /gr, '1 3 4 6 7 ', 'a line for each record');
	is(run([ 'hubcat', @$_, 's' ])->{status}, 64, "@$_")
		for [ '-p', '--tick', '1' ], [ '--types', 'a', '-e' ], [ '--types', 'a', '-s', 'all' ], [ '--types', '' ], [ '--types', 'a,' ];
};

$hub->stop;
done_testing();

# Who comes late sees what there is: the last record of every key, oldest first. Which messages are state
# the sender says, or the built-in table, or one from a file.
use strict;
use warnings;
use Hub;

my $true = JSON::PP::true();
my $false = JSON::PP::false();

# Joins over each transport and leaves again: the state records, which must be the same over both.
sub state_of {
	my ($hub, $s) = @_;
	my @seen;
	for my $t ('ws', 'unix') {
		my $c = $hub->client($t);
		my $joined = $c->join_session($s);
		my @got = $c->sync;
		# A pong does not wait for records, so they may come behind it.
		wait_for { @got + @{ $c->{in} } >= $joined->{snapshot} } 'the state', undef, $c;
		push @got, map { unjson($_) } splice @{ $c->{in} };
		is(scalar @got, $joined->{snapshot}, "$t: as many records as promised") or diag(json(\@got));
		push @seen, \@got;
	}
	is_deeply($seen[1], $seen[0], 'the same over both transports');
	return @{ $seen[0] };
}

sub seqs { return [ map { $_->{seq} } @_ ] }

my $hub = Hub->start;

for my $t ('ws', 'unix') {
	subtest "a sender's own keys, over $t" => sub {
		my $s = "own.$t";
		my $c = $hub->member($t, $s);
		$c->send({ type => 'pos', key => 'a', n => 1 }, { type => 'pos', key => 'b', n => 2 },
			{ type => 'say', n => 3 }, { type => 'pos', key => 'a', n => 4 },
			{ type => 'hat', key => 'a', n => 5 });
		wait_for { @{ $c->{in} } == 5 } 'the records';
		my @live = map { unjson($_) } splice @{ $c->{in} };
		my @state = state_of($hub, $s);
		is_deeply(\@state, [ @live[ 1, 3, 4 ] ], 'the last of each key and type, just as they were sent');

		# A key is what it reads as, however it is written.
		$c->send_text('{"type":"pos","key":"\u0061","n":6}');
		$c->next;
		is_deeply(seqs(state_of($hub, $s)), [ 2, 5, 6 ], 'escapes make no difference');
		$c->send({ type => 'pos', key => 'a', to => $c->{id} });
		$c->next;
		is_deeply(seqs(state_of($hub, $s)), [ 2, 5, 6 ], 'a direct message is no state');
		for my $bad ('""', '7', 'null', '["a"]', '"' . 'k' x 257 . '"', '"\ud800"') {
			$c->send_text(qq({"type":"pos","key":$bad,"msg_id":"m"}));
			my $error = $c->next;
			is_deeply([ $error->{type}, $error->{data}{code}, $error->{msg_id} ], [ 'error', 'bad_field', 'm' ],
				'not a key: ' . substr $bad, 0, 20);
		}
		is($c->join_session($s)->{seq}, 6, 'and nothing of that is logged');
	};
}

subtest 'the built-in families' => sub {
	my %family = (
		entity => sub { return { entity => { id => $_[0], x => 1 } } },
		object => sub { return { data => { object => { name => $_[0] } } } });
	for my $family (sort keys %family) {
		my $make = $family{$family};
		my $c = $hub->member('ws', $family);
		my $say = sub { $c->send({ type => "${family}_$_[0]", %{ $make->($_[1]) } }); $c->next };
		$say->('created', 'a');
		$say->('created', 'b');
		$say->('updated', 'a');
		$say->('created', 'c');
		$say->('updated', 'a');
		$say->('moved', 'a');
		is_deeply(seqs(state_of($hub, $family)), [ 1, 2, 4, 5 ],
			"$family: created and updated, the last of each");
		$say->('deleted', 'a');
		is_deeply(seqs(state_of($hub, $family)), [ 2, 4 ], "$family: a delete takes all of the key");
		$say->('deleted', 'a');
		$say->('deleted', 'never');
		is_deeply(seqs(state_of($hub, $family)), [ 2, 4 ], "$family: and once more is nothing");
		$say->('created', 'a');
		is_deeply(seqs(state_of($hub, $family)), [ 2, 4, 10 ], "$family: it may come again");
		$c->send({ type => "${family}_created" });
		$c->next;
		$say->('created', { not => 'a name' });
		is_deeply(seqs(state_of($hub, $family)), [ 2, 4, 10 ], "$family: without a name it is no state");
		is($say->('created', 'x' x 257)->{data}{code}, 'bad_field', "$family: a name has its limit");
	}

	my $c = $hub->member('unix', 'others');
	my @types = qw(score_update world_initialized world_updated game_state);
	for my $n (1, 2) {
		$c->send({ type => 'avatar_position_update', avatar_id => "p$_", n => $n }) for 1 .. 3;
		$c->send({ type => $_, n => $n }) for @types;
	}
	wait_for { @{ $c->{in} } == 14 } 'the records';
	is_deeply(seqs(state_of($hub, 'others')), [ 8 .. 14 ], 'avatars by their ids, the others by their type');
	$c->send({ type => 'entity_deleted', entity => { id => '' } },
		{ type => 'object_deleted', data => { object => { name => '' } } });
	$c->sync;
	is_deeply([ grep { $_ <= 14 } @{ seqs(state_of($hub, 'others')) } ], [ 8 .. 14 ],
		'deleting an empty name takes nothing away');
	# Numbers are names as well.
	$c->send({ type => 'entity_created', entity => { id => 7 } });
	$c->sync;
	$c->send({ type => 'entity_deleted', entity => { id => '7' } });
	$c->sync;
	is_deeply([ grep { $_->{type} eq 'entity_created' } state_of($hub, 'others') ], [],
		'a number and its text are one name');
};

subtest 'a key of the sender goes before the table' => sub {
	my $c = $hub->member('unix', 'before');
	$c->send({ type => 'entity_created', entity => { id => 'e' }, key => 'k' },
		{ type => 'entity_updated', entity => { id => 'e' } }, { type => 'score_update', key => 'k' });
	$c->sync;
	is_deeply(seqs(state_of($hub, 'before')), [ 1, 2, 3 ], 'three records of two keys');
	$c->send({ type => 'entity_deleted', entity => { id => 'e' }, key => 'k' });
	$c->sync;
	is_deeply(seqs(state_of($hub, 'before')), [2], 'the delete is of the sender\'s key, whatever the type');
};

subtest 'state and then the live records' => sub {
	my ($n, @members) = (0, $hub->member('unix', 'live'));
	my $c = $hub->member('ws', 'live', echo => $false);
	for my $round (1 .. 20) {
		$c->send(map { { type => 'p', key => 'k' . $n++ % 7, n => $n } } 1 .. 50);
		my $m = $hub->client($round % 2 ? 'ws' : 'unix');
		$m->{joined} = $m->join_session('live');
		push @members, $m;
	}
	$c->sync;
	my ($all, @late) = @members;
	wait_for { @{ $all->{in} } == 1000 } 'all records';
	for my $m (@late) {
		my $joined = $m->{joined};
		wait_for { ($m->{in}[-1] // '') =~ /"seq":1000\}$/ } 'the end';
		my @got = splice @{ $m->{in} };
		my @state = splice @got, 0, $joined->{snapshot};
		my %last;
		$last{ ($_ - 1) % 7 } = $_ for 1 .. $joined->{seq};
		my @want = sort { $a <=> $b } values %last;
		my $ok = join(',', map { /"seq":(\d+)\}$/ } @state) eq join(',', @want)
		    && join(',', map { /"seq":(\d+)\}$/ } @got) eq join(',', $joined->{seq} + 1 .. 1000);
		ok($ok, "joined at $joined->{seq}");
	}
};
$hub->stop;

subtest 'limits' => sub {
	my $limited = Hub->start(args => [ '--state-keys', 5 ]);
	my $c = $limited->member('unix', 's');
	$c->send(map { { type => 'p', key => "k$_" } } 1 .. 5);
	$c->next for 1 .. 5;
	$c->send({ type => 'p', key => 'k6', msg_id => 'six' }, { type => 'q', key => 'k1' });
	for my $id ('six', undef) {
		my $error = $c->next;
		is($error->{data}{code}, 'session_full', 'one more is an error');
		is($error->{msg_id}, $id, 'that names the message');
	}
	$c->send({ type => 'p', key => 'k1', msg_id => 'one' }, { type => 'event' });
	is_deeply([ map { $_->{seq} } grep { $_->{type} ne 'ack' } map { $c->next } 1 .. 3 ], [ 6, 7 ],
		'nothing of that was logged; what is there may change, and events pass');
	is_deeply(seqs(state_of($limited, 's')), [ 2, 3, 4, 5, 6 ], 'the state');
	$c->send({ type => 'entity_deleted', key => 'k2' }, { type => 'p', key => 'k6', msg_id => 'six' });
	is_deeply([ sort map { $_->{seq} } grep { $_->{type} ne 'ack' } map { $c->next } 1 .. 3 ], [ 8, 9 ],
		'a delete makes room, and the message that failed is no repeat');
	my $other = $limited->member('ws', 'other');
	$other->send({ type => 'p', key => 'k1' });
	is($other->next->{seq}, 1, 'every session has its own');
	$limited->stop;

	my $none = Hub->start(args => [ '--state-keys', 0 ]);
	$c = $none->member('ws', 's');
	$c->send({ type => 'score_update' });
	is($c->next->{data}{code}, 'session_full', 'none at all');
	$c->send({ type => 'entity_deleted', key => 'x' }, { type => 'x' });
	is_deeply([ map { $c->next->{seq} } 1, 2 ], [ 1, 2 ], 'what is no state passes');
	$none->stop;
};

subtest 'state counts as memory' => sub {
	my $small = Hub->start(args => [ '--history-memory', '1M', '--history', 1 ], workers => 1);
	my $c = $small->member('unix', 's', echo => $false);
	my $pad = 'x' x 20_000;
	$c->send(map { { type => 'p', key => "k$_", pad => $pad } } 1 .. 100);
	my @errors = grep { $_->{type} eq 'error' } $c->sync;
	cmp_ok(scalar @errors, '>', 40, 'more than there is room for is refused');
	cmp_ok(scalar @errors, '<', 70, 'but no more than that');
	is_deeply([ grep { $_->{data}{code} ne 'hub_full' } @errors ], [], 'and says why');
	my $late = $small->client('unix');
	my $joined = $late->join_session('s');
	is($joined->{snapshot}, 100 - @errors, 'all others are there');
	is($joined->{seq}, 100 - @errors, 'and what was refused was not logged');
	# As long as somebody reads a snapshot it counts, too.
	wait_for { @{ $late->{in} } >= 100 - @errors } 'the snapshot';
	$late->vanish;
	wait_for { $small->health->{connections} == 2 } 'its end';
	$c->send(map { { type => 'entity_deleted', key => "k$_" } } 1 .. 100);
	$c->send({ type => 'p', key => 'new' });
	is_deeply([ grep { $_->{type} eq 'error' } $c->sync ], [], 'deletes make room');
	$small->stop;

	# Neither may what is there grow for ever.
	$small = Hub->start(args => [ '--history-memory', '1M', '--history', 1 ], workers => 1);
	$c = $small->member('unix', 's', echo => $false);
	$c->send(map { { type => 'p', key => "k$_" } } 1 .. 200);
	$c->sync;
	my $before = $small->rss;
	$c->send_text(map { json({ type => 'p', key => "k$_", pad => 'x' x 60_000 }) } 1 .. 200);
	@errors = grep { $_->{type} eq 'error' } $c->sync;
	cmp_ok(scalar @errors, '>', 100, 'larger records in the place of small ones are counted too');
	cmp_ok($small->rss - $before, '<', 8 * 1024, 'so that memory has its bounds') if no_sanitizer();
	$small->stop;
};

subtest 'history gives way to state' => sub {
	my $small = Hub->start(
		args => [ '--history-memory', '1M', '--history-bytes', '64M', '--history', 1 ], workers => 1);
	my $c = $small->member('unix', 's', echo => $false);
	my @errors;
	# However full the memory is of what may go.
	for my $round (1 .. 40) {
		$c->send_text(map { json({ type => 'event', pad => 'x' x 1000 }) } 1 .. 37);
		$c->send(map { { type => 'p', key => "k$round.$_", pad => 'y' x 200 } } 1 .. 20);
		push @errors, grep { $_->{type} eq 'error' } $c->sync;
	}
	is(scalar @errors, 0, 'all of it is taken');
	is($small->client('unix')->join_session('s')->{snapshot}, 800, 'all of it is there');
	$small->stop;
};

subtest 'a table of one\'s own' => sub {
	my $file = spew(scratch() . '/keys', "# ours\ntank_*|plane_moved unit.id\n\nwreck unit.id delete\nsky -\n");
	my $own = Hub->start(args => [ '--keys', $file ]);
	my $c = $own->member('ws', 's');
	$c->send({ type => 'tank_moved', unit => { id => 1 } }, { type => 'plane_moved', unit => { id => 1 } },
		{ type => 'tank_moved', unit => { id => 2 } }, { type => 'sky' },
		{ type => 'plane_gone', unit => { id => 3 } }, { type => 'score_update' },
		{ type => 'tank_hit', unit => { id => 2 } }, { type => 'x', key => 'k' });
	$c->sync;
	is_deeply(seqs(state_of($own, 's')), [ 1, 2, 3, 4, 7, 8 ], 'in the place of the built-in one');
	$c->send({ type => 'wreck', unit => { id => 2 } });
	$c->sync;
	is_deeply(seqs(state_of($own, 's')), [ 1, 2, 4, 8 ], 'with its own deletes');
	$own->stop;

	for my $case (
		[ 'tank_*', 1, 'a path' ], [ "a b\n\na b c", 3, 'delete' ], [ "a b\nc d..e\nf g", 2, 'empty name' ],
		[ "# c\na - delete", 2, 'path' ], [ 'x' x 65 . ' -', 1, '64' ],
		[ join("\n", map { "t$_ -" } 1 .. 65), 65, 'too many' ])
	{
		my ($text, $line, $why) = @$case;
		my $bad = spew(scratch() . '/bad', "$text\n");
		my $r = Hub->refuses('--keys', $bad, '--socket', scratch() . '/x', '--listen', 'none');
		is($r->{status}, 78, "refused: $why");
		like($r->{err}, qr/\Q$bad\E:$line: .*\Q$why\E/, 'with the line and what is wrong');
	}
	my $r = Hub->refuses('--keys', '/nowhere/keys', '--socket', scratch() . '/x', '--listen', 'none');
	is($r->{status}, 78, 'no such file');
	like($r->{err}, qr{/nowhere/keys: No such file}, 'by name');
};

done_testing;

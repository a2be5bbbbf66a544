# hubcat --delta: what it prints is what it prints without, for fewer bytes.
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Metrics;

my $true = JSON::PP::true();
my $false = JSON::PP::false();
chance(94);

my ($hubcat) = @{ Hub::hubcat({ socket => 1 }, []) };

# A reader that has joined; over WebSocket, so that its bytes are known from those of all others.
my $readers = 0;

sub reader {
	my ($url, @args) = @_;
	my $ready = scratch() . '/ready' . ++$readers;
	my $proc = spawn([ $hubcat, '-u', $url, '-l', '--tick', '0.02', '--ready-file', $ready, @args ]);
	wait_for { -s $ready } 'a reader to join';
	return $proc;
}

sub records {
	my ($proc) = @_;
	return map { unjson($_) } split /\n/, slurp($proc->{out});
}

sub ends {
	my (@procs) = @_;
	for my $proc (@procs) {
		wait_for { slurp($proc->{out}) =~ /"type":"end".*\n\z/ } 'the end';
		$proc->kill('TERM');
		is($proc->wait >> 8, 0, 'a reader ends well') or diag(slurp($proc->{err}));
	}
}

# The first that is not as it is without patches; '' where all are.
sub differs {
	my ($got, @all) = @_;
	my %all = map { $_->{seq} ? ($_->{seq} => json($_)) : () } @all;
	for (@$got) { return json($_) . " is not $all{ $_->{seq} }" if $_->{seq} && json($_) ne ($all{ $_->{seq} } // '') }
	return '';
}

# What is state at the end: {key}{type}.
sub knows {
	my %know;
	for my $r (@_) {
		if ($r->{type} eq 'area_left') {
			for my $l (@{ $r->{left} }) { delete $know{$_}{ $l->{type} } for @{ $l->{keys} } }
		} elsif ($r->{type} eq 'state_deleted') {
			delete $know{ $r->{key} };
		} elsif ($r->{key} && ($know{ $r->{key} }{ $r->{type} }{seq} // 0) < $r->{seq}) {
			$know{ $r->{key} }{ $r->{type} } = $r;
		}
	}
	return { map { %{ $know{$_} } ? ($_ => $know{$_}) : () } keys %know };
}

sub bytes {
	my ($hub) = @_;
	my $m = scrape($hub);
	return map { $m->{"hubd_sent_bytes_total{door=\"$_\"}"} } qw(ws unix);
}

sub move {
	my ($key, $n) = @_;
	return { type => 'pos', key => $key, x => $n, y => 1, data => { name => "a rather long name of $key", deep => { n => int($n / 3), same => [ 1, { a => undef } ] } },
		'"' => 'not a plain name', $n % 5 ? (odd => 'x' x ($n % 7)) : () };
}

sub moves {
	my ($p, @numbers) = @_;
	for my $n (@numbers) {
		# A patch has no names that need an escape: some records of each key come whole.
		my @all = map { move($_, $n) } grep { rand() < 0.7 } 'a' .. 'e';
		delete $_->{'"'} for grep { rand() < 0.9 } @all;
		$p->send(@all, rand() < 0.2 ? { type => 'say', n => $n } : ());
		$p->send({ type => 'state_deleted', key => 'c' }) if $n % 20 == 0;
		$p->send({ type => 'pos', key => 'b', x => undef, why => 'null is no patch' x 4 }) if $n % 13 == 0;
		$p->sync;
	}
}

my $hub = Hub->start(args => [ '--area', 'pos=x,y,10' ]);
my $ws = "ws://127.0.0.1:$hub->{port}/ws";

for my $how ([], ['--conflate'], [qw(--priority say)], [ '--types', '!say' ], [ '--area', '20,0,10' ], [ '--area', '20,0,10', '--conflate' ]) {
	subtest "all of it: @$how" => sub {
		my $s = join '.', 'all', map { s/[^\w.]//gr } @$how;
		my ($p, $q) = map { $hub->member('unix', $s, echo => $false) } 1, 2;
		moves($p, 1 .. 3);
		my $plain = reader('unix:' . $hub->{socket}, (grep { $_ ne '--conflate' } @$how), '--batch', $s);
		my @before = bytes($hub);
		my $delta = reader($ws, @$how, '--delta', $s);
		moves($_ % 2 ? $p : $q, $_ * 10 .. $_ * 10 + 9) for 1 .. 6;
		# Some go out of the area, and come back.
		$p->send({ %{ move($_, 3) }, x => 100 }) for 'a', 'b';
		moves($p, 70 .. 90);
		$p->send({ type => 'end' });
		ends($plain, $delta);
		my @all = records($plain);
		my @got = records($delta);
		is(differs(\@got, @all), '', 'none is another one');
		# What goes before others depends on when it is said.
		my $order = sub { my @o = map { $_->{seq} // json($_) } @_; return "@$how" =~ /priority/ ? [ sort @o ] : \@o };
		is_deeply($order->(@got), $order->(@all), 'all of them') if !grep { $_ eq '--conflate' } @$how;
		is(json(knows(@got)), json(knows(@all)), 'and at the end they know the same');
		cmp_ok(scalar(grep { $_->{type} eq 'area_left' } @got), '>', 1, 'what left is told') if grep { $_ eq '--area' } @$how;
		is(slurp($delta->{err}), '', 'without a word');
		unlike(join('', grep { !/"area_left"/ } slurp($delta->{out}) =~ /.*\n/g), qr/^.*(?<!,"from":"\w{11}","seq":)(?<!\d)\d+\}$/m, 'what the hub says stands last');
		my @bytes = bytes($hub);
		cmp_ok(2 * ($bytes[0] - $before[0]), '<', $bytes[1] - $before[1], 'for less than half of the bytes');
	};
}

subtest 'from the past' => sub {
	my $p = $hub->member('unix', 'past', echo => $false);
	moves($p, 1 .. 10);
	my %from = map { my $since = $_; ($since => [ map { reader($ws, '-s', $since, $_, 'past') } '--batch', '--delta' ]) } 'all', 0, 20;
	moves($p, 11 .. 40);
	$p->send({ type => 'end' });
	for my $since (sort keys %from) {
		ends(@{ $from{$since} });
		my @all = records($from{$since}[0]);
		my @got = records($from{$since}[1]);
		is(scalar(@got), scalar(@all), "-s $since");
		is(differs(\@got, @all), '', 'and each is as it was');
		is(slurp($from{$since}[1]{err}), '', 'without a word');
	}
};

subtest 'with input' => sub {
	my $s = 'input';
	my $p = $hub->member('unix', $s, echo => $false);
	my $all = $hub->member('unix', $s);
	my $lines = spew(scratch() . '/lines', map { json(move($_ % 3 ? 'a' : 'own', $_)) . "\n" } 1 .. 60);
	my $cat = spawn($hub->hubcat([ '-n', 100, '--tick', '0.02', '--delta', $s ]), in => $lines);
	wait_for { grep { /"key":"own"/ } @{ $all->{in} } } 'its first record', undef, $all;
	moves($p, 1 .. 30);
	is($cat->wait >> 8, 0, 'ends when it has as many');
	my @got = records($cat);
	wait_for { grep { /"seq":$got[-1]{seq}\}/ } @{ $all->{in} } } 'the same', undef, $all;
	my @all = map { unjson($_) } grep { /"seq"/ } @{ $all->{in} };
	is(differs(\@got, @all), '', 'also of what is its own');
	is_deeply([ map { $_->{seq} } @got ], [ $got[0]{seq} .. $got[0]{seq} + 99 ], 'each once');
};

for my $door ('unix', 'ws') {
	subtest "cuts, over $door" => sub {
		my $cut = Hub::Cut->start($door eq 'ws' ? $hub->{port} : $hub->{socket}, seed => 7, cuts => 12, bytes => 15_000);
		my $s = "cuts.$door";
		my $p = $hub->member('unix', $s, echo => $false);
		my $plain = reader('unix:' . $hub->{socket}, '-s', 'all', $s);
		my $delta = reader($cut->url, '-s', 'all', '--delta', $s);
		my $n = 0;
		wait_for { moves($p, $n += 1); $cut->cuts >= 12 } 'the cuts', 120;
		$p->send({ type => 'end' });
		ends($plain, $delta);
		my @all = records($plain);
		my @got = records($delta);
		is_deeply([ map { $_->{seq} } @got ], [ map { $_->{seq} } @all ], 'each once, in order');
		is(differs(\@got, @all), '', 'and as it was');
		unlike(slurp($delta->{err}), qr/is not here/, 'what it has holds beyond a connection');
		$cut->stop;
	};
}
$hub->stop;

subtest 'a gap' => sub {
	my $hub = Hub->start(args => [ '--slow', 'resync', '--history', 100, '--history-bytes', '200k', '--slow-after', 0 ]);
	my $p = $hub->member('unix', 's', echo => $false);
	moves($p, 1 .. 5);
	my $plain = reader('unix:' . $hub->{socket}, 's');
	my $delta = reader('unix:' . $hub->{socket}, '--delta', 's');
	moves($p, 6 .. 20);
	$p->send({ type => 'still', key => 'z', x => 1, long => 'what is older than the gap ' x 9 });
	for (1 .. 3) {
		$p->send({ type => "before$_" });
		wait_for { slurp($delta->{out}) =~ /"before$_"/ && slurp($plain->{out}) =~ /"before$_"/ } 'both to have it';
		$delta->kill('STOP');
		my $n = 20 * $_;
		for my $i (1 .. 60) {
			$p->send(map { { type => 'fill', x => 'x' x 1000 } } 1 .. 50);
			moves($p, $n++) if $i % 10 == 0;
			$p->send({ type => "filled$_.$i" });
			# The other one is in step.
			wait_for { slurp($plain->{out}) =~ /"filled$_\.$i"/ } 'the other one', 60;
		}
		$delta->kill('CONT');
		# What is said now may be in the gap, too.
		wait_for { $p->send({ type => "after$_" }); slurp($delta->{out}) =~ /"after$_"/ } 'it to go on', 60;
	}
	$p->send({ type => 'still', key => 'z', x => 2, long => 'what is older than the gap ' x 9 });
	moves($p, 100 .. 110);
	$p->send({ type => 'end' });
	ends($plain, $delta);
	my @all = records($plain);
	my @got = records($delta);
	is(scalar(grep { $_->{type} eq 'gap' } @got), 3, 'some are missing');
	is(differs([ grep { $_->{type} ne 'gap' } @got ], @all), '', 'but none is another one');
	is(json(knows(@got)), json(knows(@all)), 'and at the end they know the same');
	is(slurp($delta->{err}), '', 'without a word');
	$hub->stop;
};

subtest 'keys that are elsewhere' => sub {
	my $keys = spew(scratch() . '/keys', "walk who.name\n");
	my $hub = Hub->start(args => [ '--keys', $keys ]);
	my $url = 'unix:' . $hub->{socket};
	my $p = $hub->member('unix', 's', echo => $false);
	my ($plain, $blind, $told) = (reader($url, 's'), reader($url, '--delta', 's'), reader("ws://127.0.0.1:$hub->{port}/ws", '--delta', '--keys', $keys, 's'));
	my $walk = sub { return map { { type => 'walk', who => { name => "Ann$_", about => 'a long story ' x 20 }, n => $_[0] } } 1 .. 3 };
	my $n = 0;
	# Without the table what a patch is of is not known to be state: it comes back, and takes all as it is.
	wait_for { $p->send($walk->(++$n)); $p->sync; slurp($blind->{err}) =~ /is not here.*resumed after/s } 'one to come back';
	$p->send($walk->(++$n)) for 1 .. 20;
	$p->send({ type => 'end' });
	ends($plain, $blind, $told);
	my @all = records($plain);
	for ($blind, $told) {
		is(differs([ records($_) ], @all), '', 'each as it was');
		is(scalar(records($_)), scalar(@all), 'and all of them');
	}
	is(scalar(() = slurp($blind->{err}) =~ /is not here/g), 1, 'it says so once');
	is(slurp($told->{err}), '', 'and who was told does not');
	my @bytes = bytes($hub);
	cmp_ok(2 * $bytes[0], '<', $bytes[1], 'and has fewer bytes');
	my $r = run([ 'hubcat', '-l', '--tick', '1', '--delta', '--keys', '/nowhere', 's' ]);
	is($r->{status}, 78, 'a table that is not there');
	like($r->{err}, qr{^hubcat: /nowhere: No such file}, 'is named');
	$hub->stop;
};

for my $bad (['--delta'], [qw(--delta --tick 0)], [qw(--delta --tick 1 --no-echo)], [qw(-p --delta --tick 1)], [qw(--keys x)], [qw(--stats --delta)]) {
	is(run([ 'hubcat', @$bad, $bad->[0] eq '--stats' ? () : 's' ])->{status}, 64, "@$bad");
}
done_testing();

# One thread.
# Connections are cut and hubs go: a reader gets every record that the hub still has once, and is told of the
# rest.
use strict;
use warnings;
use Hub;
use Hub::Cut;

sub reader {
	my ($url, @args) = @_;
	return spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', $url, '-l', @args ]);
}

sub lines {
	my ($proc) = @_;
	return split /\n/, slurp($proc->{out});
}

sub seqs {
	return map { /"seq":(\d+)\}$/ ? $1 : () } @_;
}

sub said {
	my ($proc, $what) = @_;
	return scalar grep { /$what/ } split /\n/, slurp($proc->{err});
}

subtest 'twenty cuts' => sub {
	my $hub = Hub->start(args => [ '--history', 200_000, '--history-memory', '500M' ]);
	my %cut = map { $_ => Hub::Cut->start($_ eq 'ws' ? $hub->{port} : $hub->{socket}, seed => 7, cuts => 20,
		bytes => 15_000) } qw(unix ws);
	my %reader = map { $_ => reader($cut{$_}->url, '-s', 'all', 'stream') } keys %cut;
	my $member = $hub->member('unix', 'stream', echo => JSON::PP::false);
	my $n = 0;
	wait_for {
		$member->send_text(map { sprintf '{"type":"t","key":"%d","n":%d}', $_ % 7, $_ } $n + 1 .. $n + 20);
		$n += 20;
		!grep { $_->cuts < 20 } values %cut;
	} 'the cuts', 300;
	$member->send({ type => 'end' });
	for my $over (sort keys %reader) {
		my $proc = $reader{$over};
		becomes { slurp($proc->{out}) =~ /"end"/ } "$over: the last record";
		my @got = seqs(lines($proc));
		is_deeply(\@got, [ 1 .. $n + 1 ], "each of the $n records once, in order")
		    or diag(slurp($proc->{err}));
		cmp_ok(said($proc, qr/^hubcat: resumed after seq \d+$/), '>=', 10, 'it says where it goes on');
		is(said($proc, qr/resume failed/), 0, 'and nothing is lost');
		$proc->kill('TERM');
		is($proc->wait >> 8, 0, 'exit 0');
	}
	$_->stop for values %cut;
	$hub->stop;
};

# A reader with -s new at a hub whose connections a test cuts; it has had one record.
sub begun {
	my ($hub, $session, @args) = @_;
	my $cut = Hub::Cut->start($hub->{socket});
	my $member = $hub->member('unix', $session, echo => JSON::PP::false);
	my $proc = reader($cut->url, @args, $session);
	wait_for { grep { /client_connected/ } @{ $member->{presence} } } 'the reader to join';
	$member->send({ type => 'first', key => 'f' });
	wait_for { slurp($proc->{out}) =~ /first/ } 'the first record';
	return ($proc, $cut, $member);
}

# All that hubcat with these arguments, of which the last is the session, has up to a record that marks its
# end: {out, err}, without such marks.
my $marks = 0;

sub reads {
	my ($hub, $member, @args) = @_;
	@{ $member->{presence} } = ();
	my $proc = spawn($hub->hubcat([ '-l', @args ]));
	wait_for { grep { /"client_connected"/ } @{ $member->{presence} } } 'the reader to join';
	$member->send({ type => 'enough', n => ++$marks });
	wait_for { slurp($proc->{out}) =~ /"n":$marks,[^\n]*"type":"enough".*\n/ } 'the mark';
	$proc->kill('TERM');
	$proc->wait;
	return { out => join('', grep { !/"enough"/ } split /^/, slurp($proc->{out})), err => slurp($proc->{err}) };
}

subtest 'a hub that is killed' => sub {
	my $hub = Hub->start;
	my ($proc, $cut) = begun($hub, 'killed');
	$cut->close;
	$hub->{proc}->kill('KILL');
	$hub->{proc}->wait;
	$hub->forget;
	$hub = Hub->start(dir => $hub->{dir});
	my $member = $hub->member('unix', 'killed');
	$member->send(map { { type => 'state', key => "k" . $_ % 2, n => $_ } } 1 .. 5);
	$member->sync;
	$cut->open;
	wait_for { said($proc, qr/resume failed/) } 'the reader to come back';
	is(said($proc, qr/^hubcat: resume failed \(epoch_changed\): 2 state records instead$/), 1, 'it says so');
	$member->send({ type => 'live' });
	becomes { slurp($proc->{out}) =~ /live/ } 'and goes on';
	is_deeply([ map { my $r = unjson($_); "$r->{seq}$r->{type}" } lines($proc) ],
		[ '1first', '4state', '5state', '6live' ], 'with the state');
	$cut->stop;
	$hub->stop;
};

subtest 'a log that was trimmed' => sub {
	my $hub = Hub->start(args => [ '--history', 100, '--history-bytes', '200k' ]);
	my ($proc, $cut, $member) = begun($hub, 'trimmed');
	$cut->close;
	for my $part (1 .. 40) {
		$member->send_text(map { qq({"type":"t","n":$_,"x":") . 'x' x 1000 . '"}' } 1 .. 50);
		$member->sync;
	}
	$cut->open;
	wait_for { said($proc, qr/resume failed/) } 'the reader to come back';
	is(said($proc, qr/^hubcat: resume failed \(trimmed\): 1 state records instead$/), 1, 'it says so');
	my $all = reads($hub, $member, '-s', 'all', 'trimmed');
	my ($gap, @rest) = split /\n/, $all->{out};
	like($gap, qr/^\{"type":"gap",.*"from_seq":1,"to_seq":(\d+)\}$/, '-s all tells of what is not kept');
	my ($to) = $gap =~ /"to_seq":(\d+)/;
	is_deeply([ seqs(@rest) ], [ $to + 1 .. 2001 ], 'and gives the rest, each once');
	unlike($all->{err}, qr/resume failed/, 'which is no failure');
	$cut->stop;
	$hub->stop;
};

subtest 'where to begin' => sub {
	my $hub = Hub->start;
	my $member = $hub->member('unix', 's');
	$member->send(map { { type => 't', key => 'k', n => $_ } } 1 .. 5);
	$member->sync;
	my %from = (0 => [ 1 .. 5 ], 3 => [ 4, 5 ], 5 => [], all => [ 1 .. 5 ], new => []);
	for my $from (sort keys %from) {
		my $r = reads($hub, $member, '-s', $from, 's');
		is_deeply([ seqs(split /\n/, $r->{out}) ], $from{$from}, "-s $from");
		is($r->{err}, '', 'without a word of resuming');
	}
	is(reads($hub, $member, 's')->{out}, '', 'new where nothing is said');
	my $ahead = run($hub->hubcat([ '-l', '-s', 99, '-n', 1, 's' ]));
	is($ahead->{err}, "hubcat: resume failed (epoch_changed): 1 state records instead\n", 'a seq that never was');
	is_deeply([ seqs($ahead->{out} =~ s/\n//r) ], [5], 'gets the state');
	is(run($hub->hubcat([ '-s', 4, '-n', 2, 's' ]), in => qq({"type":"mine"}\n))->{status}, 0, 'while sending, too');
	$hub->stop;
};

done_testing;

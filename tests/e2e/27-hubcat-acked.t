# One thread.
# hubcat sends while its connection is cut again and again: each line is in the log once, in order.
use strict;
use warnings;
use Hub;
use Hub::Cut;

# Starts hubcat with a pipe to its standard input: ($process, $pipe).
sub feed {
	my (@command) = @_;
	pipe my $in, my $to or die "pipe: $!\n";
	my $proc = spawn(\@command, in => $in);
	close $in;
	$to->autoflush(1);
	return ($proc, $to);
}

my $hub = Hub->start(args => [ '--history', 200_000, '--history-memory', '500M' ]);
my $hubcat = "$ENV{HUB_BUILD}/hubcat";

subtest 'twenty cuts' => sub {
	my %run;
	for my $over ('unix', 'ws') {
		my $cut = Hub::Cut->start($over eq 'ws' ? $hub->{port} : $hub->{socket}, seed => 11, cuts => 20,
			bytes => 60_000);
		my $member = $hub->member('unix', "cut-$over");
		# Over one of them with the acks.
		my @a = $over eq 'ws' ? '-a' : ();
		my ($proc, $to) = feed($hubcat, '-u', $cut->url, '-p', @a, "cut-$over");
		$run{$over} = { cut => $cut, member => $member, proc => $proc, to => $to, n => 0 };
	}
	wait_for {
		my $done = 1;
		for my $r (grep { $_->{cut}->cuts < 20 } values %run) {
			$done = 0;
			# Not so far ahead that writing blocks, and with it this test.
			next if $r->{n} - @{ $r->{member}{in} } > 3000;
			print { $r->{to} } map { qq({"type":"t","n":$_}\n) } $r->{n} + 1 .. $r->{n} + 100;
			$r->{n} += 100;
		}
		return $done;
	} 'the cuts', 300;
	close $_->{to} for values %run;
	for my $over (sort keys %run) {
		my ($member, $proc, $n) = @{ $run{$over} }{qw(member proc n)};
		is($proc->wait >> 8, 0, "$over: exit 0") or diag(slurp($proc->{err}));
		wait_for { @{ $member->{in} } >= $n } 'all of them';
		my @in = splice @{ $member->{in} };
		is_deeply([ $member->sync ], [], 'and no more');
		is_deeply([ map { /"n":(\d+)/ } @in ], [ 1 .. $n ], "each of the $n lines once, in order");
		is_deeply([ map { /"seq":(\d+)\}$/ } @in ], [ 1 .. $n ], 'in the log, too');
		is(scalar(grep { !/"msg_id":"\w{7,19}"/ } @in), 0, 'each with its id');
		my %from = map { /"from":"(\w+)"/ => 1 } @in;
		is(scalar keys %from, 1, 'all from one sender');
		my @acks = split /\n/, slurp($proc->{out});
		is_deeply([ map { /^\{"type":"ack",.*"seq":(\d+)\}$/ } @acks ], [ $over eq 'ws' ? 1 .. $n : () ],
			$over eq 'ws' ? '-a prints each ack once' : 'no acks without -a');
		$run{$over}{cut}->stop;
	}
};

subtest 'ids of the sender' => sub {
	my $member = $hub->member('unix', 'own');
	my $r = run($hub->hubcat([ '-a', '-p', 'own' ]), in => join '',
		map { qq({"type":"t","msg_id":"$_"} \n) } 'one', 'two', 'one', '\u0074hree', 'three');
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'all acknowledged');
	is_deeply([ map { my $a = unjson($_); "$a->{msg_id} $a->{seq}" } split /\n/, $r->{out} ],
		[ 'one 1', 'two 2', 'one 1', 'three 3', 'three 3' ], 'a repeat with the first seq');
	is($member->next->{msg_id}, $_, 'logged once') for qw(one two three);
	is_deeply([ $member->sync ], [], 'and no more');
};

subtest 'what is refused' => sub {
	my $r = run($hub->hubcat([ '-a', '-p', '--raw-protocol', 'refused' ]), in => join '', map { "$_\n" }
		'{"type":"a"}', '{"type":"b","to":"nobody00000"}', '{"type":"c"}', '{"type":"presence"}',
		'{"type":"big","x":"' . 'x' x 70_000 . '"}', '{"type":"authenticate"}', '{"type":"d"}');
	is($r->{status}, 65, 'exit 65');
	# What is too large hubcat knows by itself, before the hub has answered anything.
	is_deeply([ sort $r->{err} =~ /^hubcat: (?:line \d|hub): (\w+): /mg ], [qw(not_member too_large unauthorized)], 'in words');
	is_deeply([ map { /"seq":(\d+)/ } split /\n/, $r->{out} ], [ 1 .. 3 ], 'the others are acknowledged');
};

subtest 'both ways' => sub {
	my $r = run($hub->hubcat([ '-a', '-n', 2, 'both' ]), in => qq({"type":"a"}\n{"type":"b"}\n));
	my @got = map { unjson($_)->{type} } split /\n/, $r->{out};
	is_deeply([ sort @got ], [qw(a ack ack b)], 'records and acks');
	is($r->{status}, 0, 'exit 0');
};

subtest 'a hub that is not there again' => sub {
	my $gone = Hub->start;
	my $cut = Hub::Cut->start($gone->{socket});
	my ($proc, $to) = feed($hubcat, '-u', $cut->url, '-a', '-p', 's');
	print $to qq({"type":"a"}\n);
	wait_for { slurp($proc->{out}) =~ /"ack"/ } 'the first to be acknowledged';
	$cut->close;
	print $to qq({"type":"b"}\n);
	close $to;
	wait_for { slurp($proc->{err}) =~ /attempt/ } 'it to notice';
	$proc->kill('INT');
	is($proc->wait >> 8, 1, 'exit 1');
	like(slurp($proc->{err}), qr/^hubcat: messages not known to have reached the hub: 1$/m, 'with what is left');
	$cut->stop;
	$gone->stop;
};

$hub->stop;
done_testing;

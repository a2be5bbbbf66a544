# One thread.
# What the hub does not take: for now, and hubcat sends it again, in order; or for good, and it names the line and
# goes on.
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Store;

# The numbers of a session's records, from its log.
sub numbers {
	my ($hub, $session) = @_;
	my $r = run($hub->hubcat([ '-l', '-s', 'all', '-e', '-f', '.n', $session ]));
	is($r->{status}, 0, 'the log is read');
	return [ split /\n/, $r->{out} ];
}

sub feed {
	my ($command, %o) = @_;
	my $proc = spawn($command, in => 'pipe', %o);
	$proc->{stdin}->autoflush(1);
	return ($proc, $proc->{stdin});
}

sub line { return qq({"type":"t","n":$_[0]}\n) }

my $big = '{"type":"big","x":"' . 'x' x 70_000 . '"}';

subtest 'too large, and bad' => sub {
	my $hub = Hub->start;
	for my $over ('unix', 'ws') {
		my $rejects = scratch() . "/rejects-$over";
		my $r = run($hub->hubcat([ '-p', '--rejects', $rejects, "t-$over" ], over => $over),
			in => "\xef\xbb\xbf" . line(1) . "$big\nbad\r\n" . line(2) . qq({"type":"t","n":01}\n) . line(3));
		is($r->{status}, 65, "$over: exit 65");
		like($r->{err}, qr/^hubcat: line 2: too_large: \d+ bytes; the hub takes 65536/m, 'the long one is named');
		like($r->{err}, qr/^hubcat: line $_: bad_json: /m, "line $_, too") for 3, 5;
		is_deeply(numbers($hub, "t-$over"), [ 1 .. 3 ], 'all others are in the log, once, and the BOM is none of them');
		is_deeply([ map { substr $_, 0, 30 } sort split /\n/, slurp($rejects) ],
			[ map { substr $_, 0, 30 } sort $big, "bad\r", '{"type":"t","n":01}' ], '--rejects has them as they were');
		is(length slurp($rejects), length($big) + 26, 'and whole');
	}
	# Before the hub has said what it takes.
	my $r = run($hub->hubcat([ '-p', '--rejects', scratch() . '/r', 'made', '-m', '{type: "t", n: ., x: ("x" * (. * 1000))}' ]),
		in => "1\n99\n2\n");
	is($r->{status}, 65, 'what -m makes too large');
	is(slurp(scratch() . '/r'), "99\n", 'is rejected as it was read');
	is_deeply(numbers($hub, 'made'), [ 1, 2 ], 'and the others not');
	$hub->stop;
};

subtest 'as large as the hub allows' => sub {
	my $hub = Hub->start(args => [ '--max-message', '24M', '--history-bytes', '64M' ]);
	for my $over ('unix', 'ws') {
		my $line = '{"type":"big","n":1,"x":"' . 'x' x 17_000_000 . qq("}\n);
		my $r = run($hub->hubcat([ '-p', "large-$over" ], over => $over), in => $line . line(2));
		is_deeply([ @$r{qw(status err)} ], [ 0, '' ], "$over: a line of 17 MB goes");
		$r = run($hub->hubcat([ '-l', '-s', 'all', '-n', 2, '-f', '.n', "large-$over" ], over => $over));
		is_deeply([ @$r{qw(status out)} ], [ 0, "1\n2\n" ], 'and comes');
	}
	$hub->stop;
};

subtest 'refused for good' => sub {
	my $hub = Hub->start(args => [ '--state-keys', 2 ]);
	my $rejects = scratch() . '/keys';
	my $r = run($hub->hubcat([ '-p', '--rejects', $rejects, 's' ]),
		in => join '', map { qq({"type":"t","key":"$_","msg_id":"m-$_","n":$_}\n) } 1 .. 4);
	is($r->{status}, 1, 'exit 1');
	like($r->{err}, qr/^hubcat: line $_: session_full: .* \(msg_id m-$_\)$/m, "line $_ and its msg_id") for 3, 4;
	is(slurp($rejects), join('', map { qq({"type":"t","key":"$_","msg_id":"m-$_","n":$_}\n) } 3, 4), '--rejects has both');
	$r = run($hub->hubcat([ '-p', '--rejects', scratch(), 's' ]));
	is($r->{status}, 73, 'a file that cannot be written ends it first');
	$hub->stop;
};

subtest 'refused for now' => sub {
	plan skip_all => 'no prlimit here' if system 'prlimit --version >/dev/null 2>&1';
	my $dir = store_dir();
	my $hub = store_hub($dir, args => [ '--history', 100_000 ]);
	my $limit = sub { system('prlimit', '--pid', $hub->pid, "--fsize=$_[0]") == 0 or die "prlimit\n" };
	$limit->('100000:unlimited');
	my ($proc, $to) = feed($hub->hubcat([ '-p', 's' ], over => 'ws'));
	my $n = 0;
	wait_for {
		print {$to} map { line(++$n) } 1 .. 20 if $n < 20_000;
		return slurp($proc->{err}) =~ /sent again/;
	} 'the disk to be full';
	like(slurp($proc->{err}), qr/^hubcat: line \d+: internal: .* \(msg_id \w+\); sent again, and what is behind it, in \d/m,
		'the line, its msg_id and the reason');
	print {$to} map { line(++$n) } 1 .. 2000;
	$limit->('unlimited:unlimited');
	close $to;
	is($proc->wait >> 8, 0, 'when it is emptied all goes: exit 0') or diag(slurp($proc->{err}));
	is_deeply(numbers($hub, 's'), [ 1 .. $n ], "each of $n lines once, in order");
	cmp_ok(scalar(() = slurp($proc->{err}) =~ /\n/g), '<', 30, 'and little is said of it');

	# For ever.
	$limit->('100000:unlimited');
	my $rejects = scratch() . '/never';
	($proc, $to) = feed($hub->hubcat([ '-p', '--give-up', '1', '--rejects', $rejects, 'never' ]));
	$n = 0;
	wait_for {
		print {$to} map { line(++$n) } 1 .. 20 if $n < 20_000;
		return slurp($proc->{err}) =~ /sent again/;
	} 'the disk to be full again';
	close $to;
	is($proc->wait >> 8, 69, '--give-up: exit 69');
	like(slurp($proc->{err}), qr/^hubcat: messages not known to have reached the hub: \d+$/m, 'with what is left');
	$limit->('unlimited:unlimited');
	my @sent = @{ numbers($hub, 'never') };
	my @rejected = map { /"n":(\d+)/ } split /\n/, slurp($rejects);
	is_deeply([ @sent, grep { $_ > @sent } @rejected ], [ 1 .. $n ], 'what is not in the log is in --rejects');
	$hub->stop;
};

# Two hubs that do not say what they take, or think again.
subtest 'a close for size' => sub {
	my $hub = Hub->start;
	my $first = Hub->start(args => [ '--max-message', '1M' ], listen => own_address() . ':0');
	my ($proc, $to) = feed([ "$ENV{HUB_BUILD}/hubcat", '-u', "ws://$first->{host}:$first->{port}/ws", '-p', 's' ]);
	print {$to} line(1);
	wait_for { $first->member('unix', 's', since => 0)->{joined}{seq} == 1 } 'the first';
	$first->stop;
	print {$to} line(2), "$big\n", line(3);
	close $to;
	my $second = Hub->start(args => [ '--socket', 'none' ], listen => "$first->{host}:$first->{port}");
	is($proc->wait >> 8, 65, 'what the next hub does not take is 65') or diag(slurp($proc->{err}));
	like(slurp($proc->{err}), qr/^hubcat: line 3: too_large: /m, 'and named');
	$_->stop for $second, $hub;
};

done_testing;

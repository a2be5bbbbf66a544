# One thread.
# Records come out of hubcat, one line each; and the ways it ends.
use strict;
use warnings;
use Hub;

# Waits until the member hears of one who came or went; what it heard.
sub news {
	my ($member, $type) = @_;
	my $found;
	wait_for {
		($found) = grep { /"type":"$type"/ } @{ $member->{presence} };
		return $found;
	} $type;
	@{ $member->{presence} } = grep { $_ ne $found } @{ $member->{presence} };
	return unjson($found);
}

my $hub = Hub->start(args => [ '--history', 30_000 ]);

# A hubcat that has joined: its member count shows in the hub.
sub listener {
	my ($args, %o) = @_;
	my $session = $args->[-1];
	my $watch = $hub->member('unix', $session);
	my $proc = spawn($hub->hubcat($args, %o), %o);
	news($watch, 'client_connected');
	return ($proc, $watch);
}

for my $over ('unix', 'ws') {
	my ($proc, $member) = listener([ '-l', '-n', 3, "count-$over" ], over => $over);
	$member->send_text(map { qq({"type":"t", "n": $_}) } 1 .. 5);
	is($proc->wait >> 8, 0, "$over: -n ends with 0");
	my @got = map { unjson($_) } split /\n/, slurp($proc->{out});
	is_deeply([ map { "$_->{n}.$_->{seq}" } @got ], [ '1.1', '2.2', '3.3' ], 'after as many records');
	is(slurp($proc->{err}), '', 'in silence');
	is(news($member, 'client_disconnected')->{user_count}, 1, 'and has left');
}

subtest 'both directions' => sub {
	my $both = run($hub->hubcat([ '-n', 2, 'both' ]), in => qq({"type":"a"}\n{"type":"b"}\n));
	is($both->{status}, 0, 'one hubcat hears itself');
	is_deeply([ map { unjson($_)->{type} } split /\n/, $both->{out} ], [ 'a', 'b' ], 'both lines');
	my $quiet = run($hub->hubcat([ '--no-echo', '-q', 0.3, 'both' ]), in => qq({"type":"a"}\n));
	is_deeply([ @$quiet{qw(status out)} ], [ 0, '' ], 'but not with --no-echo');
};

subtest 'lingering' => sub {
	my ($proc, $member) = listener([ '-q', -1, 'linger' ]);
	$member->send({ type => 'later' });
	wait_for { slurp($proc->{out}) =~ /later/ } 'the record';
	ok($proc->running, '-q -1 goes on after the end of input');
	$proc->kill('TERM');
	is($proc->wait >> 8, 0, 'until told to end');
};

subtest 'giving up' => sub {
	# Time enough to get there: before that it would be 69.
	is(run($hub->hubcat([ '-l', '-w', 5, 'silence' ]))->{status}, 1, '-w ends with 1 where nothing comes');
	is(run([ 'hubcat', '-u', 'unix:' . scratch() . '/none', '-l', '-w', 0.2, 's' ])->{status}, 69,
		'with 69 where there is no hub');
	is(run($hub->hubcat([ '-p', '-w', 100, 'silence' ]), in => qq({"type":"a"}\n))->{status}, 0, 'and not before');
};

subtest 'what is printed' => sub {
	my ($proc, $member) = listener([ '-l', '-n', 2, 'kinds' ]);
	my $id = do { $member->send({ type => 'presence' }); my $p = $member->wait_type('presence');
		(grep { $_ ne $member->{id} } map { $_->{client_id} } @{ $p->{members} })[0] };
	$hub->member('unix', 'kinds')->vanish;
	news($member, 'client_disconnected');
	$member->send({ type => 'direct', to => $id }, { type => 'record' });
	$proc->wait;
	is_deeply([ map { unjson($_)->{type} } split /\n/, slurp($proc->{out}) ], [ 'direct', 'record' ],
		'what members say, not who comes and goes');
	my $asked = run($hub->hubcat([ 'kinds' ]), in => qq({"type":"presence"}\n{"type":"ping","ping_id":"me"}\n));
	is_deeply([ map { unjson($_)->{type} } split /\n/, $asked->{out} ], [ 'presence', 'pong' ],
		'and answers to what was asked');
	my $verbose = run($hub->hubcat([ '-v', 'kinds' ]));
	like($verbose->{err}, qr/^hubcat: joined kinds as \w{11}; members: \d/m, '-v tells of the connection');
};

subtest 'a reader that has seen enough' => sub {
	my ($proc, $member) = do {
		my $m = $hub->member('unix', 'head');
		my $p = spawn([ 'sh', '-c', '"$@" | head -n 1; exit 0', 'sh', @{ $hub->hubcat([ '-l', 'head' ]) } ]);
		news($m, 'client_connected');
		($p, $m);
	};
	$member->send({ type => 'first' });
	is(news($member, 'client_disconnected')->{type}, 'client_disconnected',
		'hubcat goes when the pipe breaks, without another record');
	$proc->wait;
	is(slurp($proc->{err}), '', 'quietly');
	is(run([ 'sh', '-c', '"$@" | :; exit 0', 'sh', @{ $hub->hubcat([ '-l', '-w', 20, 'head' ]) } ])->{err}, '', 'also at once');
};

subtest 'a slow reader' => sub {
	my $n = 20_000;
	pipe my $read, my $write or die;
	my ($proc, $member) = listener([ '-l', '-n', $n, 'slow' ], out => $write);
	close $write;
	# More than pipe, socket and buffers hold, so that it must come to a stand; the hub keeps the rest.
	my $text = join "\n", map { qq({"type":"t","n":$_,"x":") . 'x' x 20 . '"}' } 1 .. $n;
	my $cat = run($hub->hubcat([ '-p', 'slow' ]), in => $text);
	is($cat->{status}, 0, 'sent');
	is($member->sync ? 1 : 1, 1, 'and handled');
	my ($count, $bad, $rest) = (0, 0, '');
	while (sysread $read, $rest, 3000, length $rest) {
		while ($rest =~ s/^(.*)\n//) {
			$count++;
			$bad++ if $1 !~ /"n":$count,.*"seq":$count\}$/;
		}
	}
	is($proc->wait >> 8, 0, 'ends');
	is_deeply([ $count, $bad ], [ $n, 0 ], 'nothing is lost');
};

subtest 'descriptors stay as they are' => sub {
	use Fcntl qw(F_GETFL O_NONBLOCK);
	pipe my $in, my $feed or die;
	pipe my $read, my $out or die;
	my ($proc, $member) = listener([ '-n', 1, 'flags' ], in => $in, out => $out);
	ok(!(fcntl($_, F_GETFL, 0) & O_NONBLOCK), 'not made non-blocking') for $in, $out;
	$member->send({ type => 'end' });
	$proc->wait;
};

subtest 'a full disk' => sub {
	my $full = run([ 'sh', '-c', '"$@" >/dev/full', 'sh', @{ $hub->hubcat([ '-n', 1, 'full' ]) } ],
		in => qq({"type":"a"}\n));
	is($full->{status}, 74, 'exit 74');
	like($full->{err}, qr/^hubcat: standard output: No space left on device$/m, 'with the reason');
};

$hub->stop;
done_testing;

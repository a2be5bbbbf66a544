# One thread.
# The hub goes and comes back: hubcat goes on, and loses nothing of what it read.
use strict;
use warnings;
use Hub;

# Starts a program with a pipe to its standard input: ($process, $pipe).
sub feed {
	my ($command, %o) = @_;
	pipe my $in, my $to or die "pipe: $!\n";
	my $proc = spawn($command, %o, in => $in);
	close $in;
	$to->autoflush(1);
	return ($proc, $to);
}

for my $over ('unix', 'ws') {
	subtest "a restart, $over" => sub {
		# Its port is free again when the next one comes.
		my $hub = Hub->start(listen => own_address() . ':0');
		my ($host, $port, $dir) = @$hub{qw(host port dir)};
		my @again = (dir => $dir, listen => "$host:$port", args => [ '--history', 100_000 ]);
		my $n = 20_000;
		my ($cat, $to) = feed($hub->hubcat([ '-p', 's' ], over => $over));
		my $member = $hub->member('unix', 's');
		print $to qq({"type":"t","n":$_}\n) for 1 .. 1000;
		wait_for { @{ $member->{in} } > 500 } 'some lines';
		$hub->{proc}->kill('KILL');
		$hub->{proc}->wait;
		$hub->forget;
		# Held while there is no hub.
		print $to qq({"type":"t","n":$_}\n) for 1001 .. $n;
		wait_for { slurp($cat->{err}) =~ /attempt \d+ of 99/ } 'hubcat to notice';
		$hub = Hub->start(@again);
		$member = $hub->member('unix', 's');
		close $to;
		# What it was told to be in the log went with the hub, which has no store.
		my $status = $cat->wait >> 8;
		my ($gone) = slurp($cat->{err}) =~ /^hubcat: acknowledged, but lost with the hub's earlier log: (\d+)$/m;
		# The hub may have been killed before any acknowledgement had left.
		$gone //= 0;
		is($status, $gone ? 1 : 0, "its status tells whether some are lost: $gone");
		$member->send({ type => 'history' });
		$member->sync;
		like(slurp($cat->{err}), qr/^hubcat: lost .*; attempt 1 of 99 in \d/m, 'said what happened');
		like(slurp($cat->{err}), qr/^hubcat: connected again/m, 'and that it is over');
		my $head = $hub->member('unix', 's')->{joined}{seq};
		is($gone + $head - 1, $n, 'all lines that are not named as lost are in the log, once');
		$hub->stop;
	};
}

subtest 'a hub that starts later' => sub {
	my $dir = scratch() . '/later';
	mkdir $dir;
	my $cat = spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', "unix:$dir/hub.sock", '-n', 1, 's' ],
		in => spew("$dir/in", qq({"type":"early"}\n)));
	wait_for { slurp($cat->{err}) =~ /attempt/ } 'the first failure';
	like(slurp($cat->{err}), qr{^hubcat: connect unix:\S+: No such file or directory; is hubd running\?; attempt 1 of 99 in \d+\.\d s$}m,
		'is told');
	my $hub = Hub->start(dir => $dir);
	is($cat->wait >> 8, 0, 'then all goes its way');
	like(slurp($cat->{out}), qr/"type":"early"/, 'with what was read before');
	$hub->stop;
};

subtest 'no reconnecting' => sub {
	my $none = run([ 'hubcat', '--no-reconnect', '-u', 'unix:' . scratch() . '/none', '-p', 's' ], in => qq({"type":"a"}\n));
	is($none->{status}, 69, 'no hub: exit 69');
	like($none->{err}, qr/^hubcat: connect unix:\S+: No such file or directory; is hubd running\?$/m, 'with the reason');
	my $refused = run([ 'hubcat', '--no-reconnect', '-u', 'ws://127.0.0.1:1/ws', '-l', 's' ]);
	is($refused->{status}, 69, 'the same over ws');
	my $hub = Hub->start;
	my $cat = spawn($hub->hubcat([ '--no-reconnect', '-l', 's' ]));
		wait_for { $hub->health->{sessions} == 1 } 'it to join';
	$hub->stop;
	is($cat->wait >> 8, 69, 'a hub that goes: 69');
};

subtest 'refused' => sub {
	my $hub = Hub->start(args => [ '--max-members', 1 ]);
	my $first = $hub->member('unix', 's');
	my $cat = run($hub->hubcat([ '-l', 's' ]));
	is($cat->{status}, 77, 'a full session: exit 77');
	like($cat->{err}, qr/session_full/, 'in words');
	my $path = run([ 'hubcat', '-u', "ws://127.0.0.1:$hub->{port}/elsewhere", '-l', 's' ]);
	is($path->{status}, 69, 'a wrong path is not tried again');
	like($path->{err}, qr/HTTP 404/, 'in words');
	SKIP: {
		skip 'for those who may not everything', 1 if $> == 0;
		chmod 0, $hub->{socket};
		is(run($hub->hubcat([ '-l', 's' ]))->{status}, 77, 'a socket that one may not open: exit 77');
	}
	$hub->stop;
};

done_testing;

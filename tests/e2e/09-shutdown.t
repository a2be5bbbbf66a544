# Ends and starts: members are told, everything sent is delivered first, addresses in use are refused and
# stale ones replaced.
use strict;
use warnings;
use Hub;
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);

sub refused {
	my ($hub) = @_;
	return !eval { $hub->tcp; 1 } && !eval { $hub->unix; 1 };
}

for my $signal ('TERM', 'INT') {
	subtest "SIG$signal" => sub {
		my $hub = Hub->start(listen => own_address() . ':0');
		is(sprintf('%o', (stat $hub->{socket})[2] & 0777), '660', 'the socket is for user and group');
		my @members = map { $hub->member($_, 's') } qw(ws unix ws unix);
		my $idle = $hub->ws;
		my $sender = $hub->member('unix', 's', echo => JSON::PP::false());
		$sender->send(map { { type => 'n', n => $_ } } 1 .. 2000);
		$sender->sync;    # the hub has them all
		$hub->{proc}->kill($signal);
		for my $c (@members) {
			is(eval { $c->closed } // $@, 1012, "$c->{kind}: is told of the restart");
			is_deeply([ map { /"seq":(\d+)/ } @{ $c->{in} } ], [ 1 .. 2000 ],
				"$c->{kind}: got everything before");
		}
		is(eval { $idle->closed } // $@, 1012, 'so is who has joined nothing');
		$hub->ended;
		ok(!-e $hub->{socket}, 'the socket file is gone');
		ok(refused($hub), 'nobody listens');
	};
}

subtest 'drain' => sub {
	my $hub = Hub->start(drain => 3, workers => 2, listen => own_address() . ':0');
	my @members = map { $hub->member($_ % 2 ? 'ws' : 'unix', 's') } 1 .. 60;
	my $start = now();
	$hub->{proc}->kill('TERM');
	wait_for { grep { $_->{gone} } @members } 'the first to be told';
	ok(refused($hub), 'meanwhile nobody is let in');
	my $half;
	wait_for {
		my $gone = grep { $_->{gone} } @members;
		$half //= now() - $start if $gone >= 30;
		return $gone == 60;
	} 'all to be gone';
	# A busy machine makes it later, never earlier.
	cmp_ok(now() - $start, '>=', 1, 'not all at once');
	cmp_ok($half, '>=', 0.4, 'nor most of them');
	is(scalar(grep { $_->closed != 1012 } @members), 0, 'all are told');
	$hub->ended;
};

subtest 'members that do not read' => sub {
	my $hub = Hub->start(drain => 1, args => [ '--write-timeout', 2 ]);
	my @deaf = map { $hub->member($_, 's') } qw(ws unix);
	$_->{reading} = 0 for @deaf;
	my $sender = $hub->member('unix', 's', echo => JSON::PP::false());
	$sender->send_text(map { qq({"type":"n","d":") . 'x' x 4000 . '"}' } 1 .. 200);
	$sender->sync;
	$hub->stop(name => 'hubd ends all the same');
};

subtest 'a second signal' => sub {
	# Who leaves at once joins no threads.
	my $hub = Hub->start(drain => 600, listen => own_address() . ':0',
		env => { TSAN_OPTIONS => ($ENV{TSAN_OPTIONS} // '') . ':report_thread_leaks=0' });
	my @members = map { $hub->member($_, 's') } ('ws', 'unix') x 20;
	$hub->{proc}->kill('TERM');
	wait_for { refused($hub) } 'the doors to close';
	ok($hub->{proc}->running, 'one signal lets it take its time');
	$hub->{proc}->kill('TERM');
	$hub->ended(name => 'two end it at once');
};

subtest 'the Unix socket' => sub {
	my $hub = Hub->start;
	my $member = $hub->member('unix', 's');
	my $second = Hub->refuses('--socket', $hub->{socket}, '--listen', '127.0.0.1:0');
	is($second->{status}, 73, 'a live socket is an error');
	like($second->{err}, qr/\Q$hub->{socket}\E/, 'that names it');
	$member->send({ type => 'still' });
	is($member->next->{type}, 'still', 'the first hub is not disturbed');
	is(Hub->refuses('--socket', scratch() . '/no/such/place', '--listen', '127.0.0.1:0')->{status}, 73,
		'a socket that cannot be created');

	my $killed = $hub->{socket};
	$hub->{proc}->kill('KILL');
	wait_for { !$hub->{proc}->running } 'the hub to be dead';
	ok(-S $killed, 'a killed hub leaves its socket');
	$hub->forget;
	my $next = Hub->start(dir => $hub->{dir});
	is($next->{socket}, $killed, 'the same path');
	$next->member('unix', 's');
	pass('a stale socket is replaced');
	$next->stop;

	my $file = spew(scratch() . '/precious', 'data');
	is(Hub->refuses('--socket', $file, '--listen', '127.0.0.1:0')->{status}, 73, 'a file is no socket');
	is(slurp($file), 'data', 'and is left alone');
};

subtest 'a port in use' => sub {
	my $hub = Hub->start;
	my $second = Hub->refuses('--socket', scratch() . '/second', '--listen', "127.0.0.1:$hub->{port}");
	isnt($second->{status}, 0, 'is refused');
	like($second->{err}, qr/^hubd: .*\Q$hub->{port}\E.*in use/m, 'in words');
	ok(!-e scratch() . '/second', 'and nothing is left behind');
	$hub->member('ws', 's');
	pass('the first hub is not disturbed');
	$hub->stop;
};

subtest 'Unix socket only' => sub {
	my $hub = Hub->start(listen => 'none');
	$hub->member('unix', 's');
	$hub->stop;
};

done_testing;

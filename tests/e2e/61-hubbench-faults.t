# Other servers than a hub, and such as do wrong: the audit tells exactly what, and the latency of a server that stands still now and
# then is not hidden by messages that were sent late.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use Hub::Token;

my @raw = ('--dialect', 'raw', '--warmup', 0, '-d', 0.5, '-r', 1000);

sub runs_against {
	my ($server, @args) = @_;
	return ended(begun($server, @raw, @args));
}

sub begun {
	my ($server, @args) = @_;
	return [ $server, begin_bench($server->{url}, @args) ];
}

sub ended {
	my ($server, $bench) = @{ $_[0] };
	my $run = end_bench($bench);
	return ($run, $run->{result}, $server->did);
}

# What is lost is waited for till the end, which is to be long enough for all that is not. Therefore these are
# on their way together.
my @wait = ('--drain', 15 * slow());
my %lossy = (
	one => begun(wrong_server(lose => 1000), @raw, @wait, '-c', 10, '--publishers', 3),
	many => begun(wrong_server(lose => 3), @raw, @wait, '-c', 7, '--publishers', 2),
	socketio => begun(wrong_server(socketio => 1, lose => 500), '--dialect', 'socketio', '--event', 'm', '--room',
		'hall', '--join-event', 'enter', '-c', 5, '-r', 500, '-d', 1, '--warmup', 0, @wait),
	drop => begun(wrong_server(drop => 100), @raw, @wait, '-c', 10, '--publishers', 1));

subtest 'all well' => sub {
	my ($run, $r, $did) = runs_against(wrong_server(), '-c', 10, '--publishers', 3, '--threads', 2);
	is($run->{status}, 0, 'exit 0') or diag($run->{err});
	is(audit_of($run), '', 'nothing is wrong');
	is($r->{audit}{delivered}, $did->{deliveries}, 'as many as the server sent');
	is($r->{audit}{delivered}, 500 * 10, 'which is each to each');
};

subtest 'one in a thousand is lost' => sub {
	my ($run, $r, $did) = ended($lossy{one});
	is($did->{lost}, 5, 'the server has lost some');
	is(audit_of($run), "lost $did->{lost}", 'exactly these');
	is($r->{audit}{delivered}, 5000 - 5, 'the others came');
	is($run->{status}, 1, 'exit 1');
	is($r->{verdict}, 'failed', 'a failure');
	like($r->{verdict_why}, qr/^5 deliveries were lost/, 'that is explained');
};

subtest 'all but one in three' => sub {
	my ($run, $r, $did) = ended($lossy{many});
	cmp_ok($did->{lost}, '>', 1000, 'the server has lost many');
	is(audit_of($run), "lost $did->{lost}", 'exactly these');
};

subtest 'one in a thousand comes twice' => sub {
	my ($run, $r, $did) = runs_against(wrong_server(duplicate => 1000), '-c', 10, '--publishers', 3);
	is($did->{duplicated}, 5, 'the server has sent some twice');
	is(audit_of($run), "duplicated $did->{duplicated}", 'exactly these');
	is($r->{audit}{delivered}, 5000, 'and each counts once');
	is($r->{latency_ns}{every}{n}, 5000, 'also in the latency');
	is($run->{status}, 0, 'nothing is lost');
	$run = bench(wrong_server(duplicate => 10)->{url}, @raw, '-c', 5, '--expect', 'duplicated==0');
	is($run->{status}, 1, 'but it can be made a failure');
};

subtest 'one in a thousand comes late' => sub {
	my ($run, $r, $did) = runs_against(wrong_server(reorder => 1000), '-c', 10, '--publishers', 1);
	cmp_ok($did->{reordered}, '>', 0, 'the server has put some behind others');
	is(audit_of($run), "reordered $did->{reordered}", 'exactly these');
	is($r->{audit}{delivered}, 5000, 'all came');
};

subtest 'many messages in one' => sub {
	my ($run, $r, $did) = runs_against(wrong_server(batch => 7), '-c', 5, '--publishers', 2,
		'--join', 'CONNECT {}\r\nSUB {session}\r\n', '--message', 'PUB bench {size}\r\n{mark}{pad}\r\n', '-b', 200);
	is(audit_of($run), '', 'nothing is wrong');
	is($r->{audit}{delivered}, 500 * 5, 'each is found');
	# A batch takes a frame; what the clients said first is a message, too.
	is($did->{messages}, 500 + 5, 'as the server saw it');
};

subtest 'Socket.IO' => sub {
	my ($run, $r, $did) = ended($lossy{socketio});
	is_deeply([ @$did{qw(joined pongs)} ], [ 5, 5 ], 'all joined, and answered its ping');
	is(audit_of($run), "lost $did->{lost}", 'the audit is right');
	is($did->{lost}, 5, 'some are lost');
	is($r->{latency_ns}{join}{n}, 5, 'each had its answer');
};

subtest 'a member is thrown out' => sub {
	my ($run, $r, $did) = ended($lossy{drop});
	cmp_ok($r->{happened}{reconnects}, '>=', 1, 'it came back');
	is($r->{audit}{duplicated} + $r->{audit}{reordered}, 0, 'nothing else is wrong');
	like($r->{happened}{first_error}, qr/^client 0: (?:closed by the server|(?:read|write): )/, 'it is told');
};

# What a closed loop would have hidden: 150 ms in every 1.5 s, as 500 ms in every 5 s. What the kernel takes of a message meanwhile
# is little: some 12 KiB, three of 1,500 messages.
subtest 'a server that stands still' => sub {
	my $server = wrong_server(stall => 150, every => 1500);
	my $run = bench($server->{url}, '--dialect', 'raw', '--warmup', 0, '-d', 3, '-r', 1000, '-b', 4000, '-c', 2,
		'--publishers', 1);
	my ($r, $did) = ($run->{result}, $server->did);
	cmp_ok($did->{stalls}, '>=', 2, 'it stood still twice, or more often where it took longer');
	is(audit_of($run), '', 'all came in the end');
	my ($every, $sent) = @{ $r->{latency_ns} }{qw(every every_sent)};
	is($every->{n}, 6000, 'all messages count, whenever they went out');
	cmp_ok($every->{p99}, '>', 75e6, 'the corrected P99 shows it');
	cmp_ok($sent->{p99}, '<', $every->{p99} / 2, 'the uncorrected one does not');
	cmp_ok($r->{happened}{backlog_end} + $r->{happened}{backlog_max}, '>', 20, 'messages were due and could not go');
	my $table = $run->{out};
	like($table, qr/^publish to every receiver .*\n +uncorrected, from send /m, 'both are printed');
};

# A hub speaks Socket.IO as well: that is not why it lets nobody in.
subtest 'a token that may not join' => sub {
	my $hub = Hub->start(args => [ '--auth-key', key_file() ]);
	my $file = spew(scratch() . '/token', token({ sub => 'ann', hub => { join => ['other'] } }) . "\n");
	chmod 0600, $file;
	my $r = run([ 'hubbench', '-u', "ws://127.0.0.1:$hub->{port}/ws", '--token-file', $file, qw(-c 2 -d 0.5 --warmup 0) ]);
	isnt($r->{status}, 0, 'fails');
	like($r->{out} . $r->{err}, qr/refused: forbidden/, 'by what the hub says');
	unlike($r->{out} . $r->{err}, qr/speaks|try --dialect/, 'and nothing else');
	$hub->stop;
};

done_testing;

# One thread.
# With -p lines are data: whatever stands in them, each is one record of the session, whole.
use strict;
use warnings;
use Hub;

my $hub = Hub->start;

# What hubcat carries of it, or the record itself without what hubcat and the hub add.
sub inside {
	my ($record) = @_;
	my $r = unjson($record);
	return $r->{record} if ref $r->{record} eq 'HASH';
	$record =~ s/(?:,"msg_id":"\w+")?,"session_id":.*$/}/;
	return unjson($record);
}

my @lines = (
	(map { qq({"type":"$_","n":1}) } qw(ping heartbeat presence client_info session_leave version_check authenticate
			session_list)),
	'{"type":"session_associate","session_id":"elsewhere"}',
	'{"type":"move","from":"e2","to":"e4","seq":12}',
	'{"from":"nginx","type":"container","timeNano":1,"session_id":"not ours"}',
	'{"type":"a","session_id":"elsewhere"}', '{"type":"b","timestamp":"2026-11-29T06:00:00Z","key":{"a":1}}',
	'{"type":"c","msg_id":12}', '{"type":"client_info","record":{"type":"ping"}}', '{"type":"plain","x":[1,2]}',
);

for my $over ('unix', 'ws') {
	my $member = $hub->member('unix', "data-$over");
	my $r = run($hub->hubcat([ '-p', "data-$over" ], over => $over), in => join '', map { "$_\n" } @lines);
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], "$over: exit 0");
	my @in;
	wait_for { push @in, grep { /"from":/ } splice @{ $member->{in} }; @in >= @lines } 'the records';
	is_deeply([ map { inside($_) } @in ], [ map { unjson($_) } @lines ], 'each line is in the log, whole');
	is_deeply([ map { /"seq":(\d+)\}$/ } @in ], [ 1 .. @lines ], 'and has its place there');
	is_deeply([ map { unjson($_)->{type} } @in ], [ map { unjson($_)->{type} } @lines ], 'under its own type');
}

subtest 'the state follows' => sub {
	my $r = run($hub->hubcat([ '-p', 'keys' ]), in => qq({"type":"at","key":"k","from":1}\n));
	is($r->{status}, 0, 'sent');
	is(run($hub->hubcat([ '--state', '-f', '.record.from', 'keys' ]))->{out}, "1\n", 'key counts where it is one');
};

subtest 'what has no place' => sub {
	my $r = run($hub->hubcat([ '-p', 'bad' ]), in => qq({"from":"x"}\n{"type":"a","seq":1,"seq":2}\n));
	is($r->{status}, 65, 'is refused');
	is_deeply([ $r->{err} =~ /^hubcat: line (\d): (\w+): /mg ], [ 1, 'bad_type', 2, 'bad_field' ], 'and named');
};

subtest '-t and -m' => sub {
	my $member = $hub->member('unix', 'made');
	run($hub->hubcat([ '-p', '-t', 'ping', 'made' ]), in => "x\r\n\n");
	run($hub->hubcat([ '-p', '-m', '{type: "presence", from: .}', 'made' ]), in => "7\n");
	is_deeply([ map { $member->next->{record} } 1 .. 3 ],
		[ { type => 'ping', data => { text => 'x' } }, { type => 'ping', data => { text => '' } },
			{ type => 'presence', from => 7 } ], 'are data, too');
};

subtest 'the protocol as it is' => sub {
	my $member = $hub->member('unix', 'raw');
	my $r = run($hub->hubcat([ '-p', '--raw-protocol', 'raw' ]), in => join '', map { "$_\n" }
		'{"type":"ping"}', '{"type":"move","from":"e2","seq":12}');
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], '--raw-protocol');
	my $record = $member->next;
	is_deeply([ @$record{qw(type seq)} ], [ 'move', 1 ], 'control messages are for the hub');
	isnt($record->{from}, 'e2', 'and its fields its own');
};

subtest 'any client' => sub {
	my $c = $hub->member('unix', 'own');
	$c->send({ type => 'session_leave', msg_id => 'm', record => { seq => 5 } });
	is_deeply($c->wait_type('ack')->{seq}, 1, 'an object in `record` makes it a message for the members');
	is($c->wait_type('session_leave')->{record}{seq}, 5, 'as it is');
	$c->send({ type => 'ping', record => 5 });
	ok($c->wait_type('pong'), 'anything else does not');
};

$hub->stop;
done_testing;

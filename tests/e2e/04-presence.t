# A thousand connections. Who is there is told rightly after a thousand clients came and half
# of them were killed, and a crowd is told of in summary.
use strict;
use warnings;
use Hub;

need_files(4096);
my $n = 1000;
my $hub = Hub->start(args => [ '--presence-limit', 20 ]);

sub user_count {
	my ($c, $session) = @_;
	$c->send({ type => 'presence', session_id => $session });
	return $c->wait_type('presence');
}

my $observer = $hub->member('unix', 'crowd');
my $start = now();
my $baseline = $hub->health->{connections};
my @crowd = map { $hub->client($_ % 2 ? 'ws' : 'unix') } 1 .. $n;
$_->send({ type => 'session_associate', session_id => 'crowd' }) for @crowd;
my %counts;
for my $c (@crowd) {
	my $joined = $c->wait_type('session_associated');
	$c->{id} = $joined->{client_id};
	$counts{ $joined->{user_count} }++;
}
is(scalar keys %counts, $n, 'each joined as one more');
is_deeply([ (sort { $a <=> $b } keys %counts)[ 0, -1 ] ], [ 2, $n + 1 ], 'from the second on');
my %ids = map { $_->{id} => 1 } @crowd;
is(scalar keys %ids, $n, 'all ids differ');

my $who = user_count($observer, 'crowd');
is($who->{user_count}, $n + 1, 'all are counted');
is(scalar @{ $who->{members} }, 1000, 'a thousand are listed');
ok($who->{truncated}, 'and that these are not all');

subtest 'in summary' => sub {
	my $news = sub { map { unjson($_) } @{ $observer->{presence} } };
	wait_for { grep { $_->{type} eq 'connection_status' && $_->{user_count} == $n + 1 } $news->() }
	'the final count';
	my @news = $news->();
	my @single = grep { $_->{type} eq 'client_connected' } @news;
	ok(@single <= 20, 'single arrivals only up to the limit: ' . @single);
	is_deeply([ map { $_->{user_count} } @single ], [ 2 .. @single + 1 ], 'in order');
	is(scalar(grep { !$ids{ $_->{client_id} } } @single), 0, 'of those who came');
	my @status = grep { $_->{type} eq 'connection_status' } @news;
	is(scalar(grep { $_->{session_id} ne 'crowd' || exists $_->{client_id} } @status), 0,
		'summaries name the session and no client');
	is(@single + @status, @news, 'nothing else');
	cmp_ok(scalar @status, '<=', now() - $start + 2, 'summaries at most once a second: ' . @status);
	@{ $observer->{presence} } = ();
};

# Half of them vanish, some with a reset, some at the end of the file, some in the middle of a message.
my @killed = splice @crowd, 0, $n / 2;
for my $i (0 .. $#killed) {
	my $c = $killed[$i];
	$c->send_bytes($c->{kind} eq 'ws' ? "\x81\xfe\x01" : '{"type":"ha') if $i % 3 == 0;
	$i % 2 && $c->{kind} eq 'ws' ? $c->abort : $c->vanish;
}
becomes { user_count($observer, 'crowd')->{user_count} == $n / 2 + 1 } 'presence counts who is left';
$who = user_count($observer, 'crowd');
is_deeply([ sort map { $_->{client_id} } @{ $who->{members} } ],
	[ sort map { $_->{id} } @crowd, $observer ], 'exactly those who are left are listed');
ok(!$who->{truncated}, 'the list is whole');
becomes { grep { unjson($_)->{user_count} == $n / 2 + 1 } @{ $observer->{presence} } }
'the summary says so too';
becomes { $hub->health->{connections} <= $baseline + $n / 2 + 1 } 'their connections are gone';
cmp_ok($hub->health->{connections}, '>=', $n / 2 + 1, 'and no more than those');

# The rest still hear each other.
$observer->send({ type => 'hello' });
is(scalar(grep { $_->wait_type('hello')->{seq} != 1 } @crowd), 0, 'all who are left get a record');

# Below the limit again, each is told of by name.
$_->send({ type => 'session_leave' }) for @crowd[ 10 .. $#crowd ];
$_->wait_type('session_left') for @crowd[ 10 .. $#crowd ];
is(user_count($observer, 'crowd')->{user_count}, 11, 'eleven are left');
wait_for { grep { unjson($_)->{user_count} == 11 } @{ $observer->{presence} } } 'the news of that';
@{ $observer->{presence} } = ();
my $last = $crowd[9];
$last->abort;
wait_for { grep { /"client_disconnected"/ } @{ $observer->{presence} } } 'the news of one who went';
is_deeply([ @{ unjson((grep { /"client_disconnected"/ } @{ $observer->{presence} })[0]) }
	    {qw(client_id user_count)} ], [ $last->{id}, 10 ], 'one who goes is named again');

@crowd = @killed = ();
$hub->stop;
done_testing;

# Who is in a session at several hubds: all are told of all, messages find whoever they are for, one client is in it
# once, and who was at a hubd that is killed is gone.
use strict;
use warnings;
use Hub;
use Hub::Redis;
use Hub::Token ();

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $redis = Hub::Redis->start;
my @hub = map { $redis->hub(args => [ '--bus-node-timeout', 2 ]) } 1 .. 2;

# What a client is told of who comes and goes, until it is this.
sub told {
	my ($c, $type, $id, $count) = @_;
	my $seen;
	becomes {
		($seen) = grep { $_->{type} eq $type && ($_->{data}{client_id} // $_->{client_id} // '') eq $id } map { unjson($_) } @{ $c->{presence} };
	} "$type is told";
	is($seen->{data}{user_count} // $seen->{user_count}, $count, "and that there are $count") or diag(json($seen));
	@{ $c->{presence} } = ();
}

sub list {
	my ($c) = @_;
	$c->send({ type => 'presence' });
	return $c->wait_type('presence');
}

# Until a member is told of all of these, and of nobody else.
sub knows {
	my ($c, @others) = @_;
	becomes {
		my $list = list($c);
		my @ids = sort map { $_->{client_id} } @{ $list->{members} };
		return "@ids" eq join(' ', sort map { $_->{id} } $c, @others) && $list->{user_count} == @ids;
	} 'who is there is known';
}

subtest 'coming and going' => sub {
	my $x = $hub[0]->member('ws', 'room');
	is($x->{joined}{user_count}, 1, 'one is there');
	my $y = $hub[1]->member('unix', 'room');
	knows($y, $x);
	told($x, 'client_connected', $y->{id}, 2);
	my $z = $hub[0]->member('unix', 'room');
	is($z->{joined}{user_count}, 3, 'a third');
	told($y, 'client_connected', $z->{id}, 3);
	$x->send({ type => 'client_info', data => { name => 'Ada' } });
	my $list;
	becomes {
		$list = json(list($y));
		$list =~ /Ada/;
	} 'what one says of itself is known everywhere';
	my @ids = sort map { $_->{id} } $x, $y, $z;
	is_deeply([ grep { $list !~ /$_/ } @ids ], [], 'with all who are there');
	$z->vanish;
	told($y, 'client_disconnected', $z->{id}, 2);
	$y->send({ type => 'session_leave' });
	is($y->wait_type('session_left')->{user_count}, 1, 'who leaves is told how many are left');
	told($x, 'client_disconnected', $y->{id}, 1);
};

# Redis does what a hubd had sent on an earlier connection, or another hubd about it, behind all that was sent later.
sub late {
	my ($what, $client, $there) = @_;
	my ($node, $said) = $there =~ /^(\w+) (.*)/s;
	my $v = $redis->cli('HINCRBY', 'hub:{late}:here', 'v', 1);
	chomp $v;
	$redis->cli($what eq 'j' ? ('HSET', 'hub:{late}:here', $client, $there) : ('HDEL', 'hub:{late}:here', $client));
	$redis->cli('PUBLISH', 'hub:{late}', "$what $v $node $client " . ($what eq 'j' ? $said : ''));
}

# Client => node and what is said of it, of a session's members in Redis.
sub there {
	my %there = split /\n/, $redis->cli('HGETALL', 'hub:{late}:here');
	delete $there{v};
	return \%there;
}

subtest 'what comes to Redis late' => sub {
	my $x = $hub[0]->member('ws', 'late');
	my ($x_there) = %{ there() };
	my $y = $hub[1]->member('ws', 'late');
	told($x, 'client_connected', $y->{id}, 2);
	my $z = $hub[0]->member('unix', 'late');
	told($y, 'client_connected', $z->{id}, 3);
	my $before = there();
	$z->vanish;
	told($y, 'client_disconnected', $z->{id}, 2);
	my $after = there();
	my ($z_there) = grep { !$after->{$_} } keys %$before;
	late('j', $z_there, $before->{$z_there});
	told($y, 'client_connected', $z->{id}, 3);
	knows($y, $x);
	is_deeply([ sort keys %{ there() } ], [ sort keys %$after ], 'and it is put right in Redis');
	late('l', $x_there, $after->{$x_there});
	told($y, 'client_disconnected', $x->{id}, 1);
	knows($y, $x);
	knows($x, $y);
};

subtest 'to one' => sub {
	my ($x, $y) = map { $_->member('ws', 'direct') } @hub;
	told($x, 'client_connected', $y->{id}, 2);
	$x->send({ type => 'hello', to => $y->{id}, n => 1, msg_id => 'a' });
	is($x->wait_type('ack')->{msg_id}, 'a', 'it is under way');
	my $got = $y->wait_type('hello');
	is_deeply([ @$got{qw(from n)} ], [ $x->{id}, 1 ], 'and comes');
	$x->send({ type => 'hello', to => 'AAAAAAAAAAA', msg_id => 'b' });
	is($x->wait_type('error')->{data}{code}, 'not_member', 'nobody is nobody');
};

subtest 'one client, once' => sub {
	my $x = $hub[0]->member('ws', 'once');
	my $watch = $hub[1]->member('unix', 'once');
	knows($watch, $x);
	knows($x, $watch);
	@{ $watch->{presence} } = ();
	my $again = $hub[1]->client('ws');
	my $joined = $again->join_session('once', resume => $x->{joined}{resume});
	is($joined->{client_id}, $x->{id}, 'it comes back elsewhere');
	is($joined->{user_count}, 2, 'and is no one more');
	is($x->closed, 4000, 'the connection before is told so');
	is($watch->sync, 0, 'nobody hears of it');
	is(scalar @{ $watch->{presence} }, 0, 'nor of anybody');
	my $back = $hub[0]->client('ws');
	is($back->join_session('once', resume => $x->{joined}{resume})->{user_count}, 2, 'and back');
	is($again->closed, 4000, 'again');
	$back->vanish;
	told($watch, 'client_disconnected', $x->{id}, 1);
};

subtest 'a session is deleted' => sub {
	my ($x, $y) = map { $_->member('unix', 'deleted') } @hub;
	my $operator = $hub[0]->unix;
	$operator->send({ type => 'session_delete', session_id => 'deleted' });
	is($_->closed, 4410, 'its members everywhere are told') for $x, $y;
	my $next = $hub[1]->member('unix', 'deleted');
	is($next->{joined}{seq}, 0, 'the next one begins anew');
};

subtest 'a hubd is killed' => sub {
	my $third = $redis->hub(args => [ '--bus-node-timeout', 2 ]);
	my $x = $hub[0]->member('ws', 'killed');
	my $y = $third->member('ws', 'killed');
	my $z = $third->member('unix', 'killed');
	$y->send({ type => 'set', key => 'k', own => JSON::PP::true, msg_id => 'a' });
	$y->wait_type('ack');
	knows($x, $y, $z);
	$third->{proc}->kill('KILL');
	$third->forget;
	becomes { list($x)->{user_count} // 0; json(list($x)) !~ /$y->{id}|$z->{id}/ } 'its members are gone';
	is($hub[1]->member('ws', 'killed')->{joined}{user_count}, 2, 'for who joins elsewhere, too');
	is($x->wait_type('state_deleted')->{key}, 'k', 'with what was their own');
};

subtest 'a hubd that was only slow' => sub {
	my $third = $redis->hub(args => [ '--bus-node-timeout', 2 ]);
	my $x = $hub[0]->member('ws', 'slow');
	my $y = $third->member('ws', 'slow');
	told($x, 'client_connected', $y->{id}, 2);
	kill 'STOP', $third->pid;
	told($x, 'client_disconnected', $y->{id}, 1);
	kill 'CONT', $third->pid;
	told($x, 'client_connected', $y->{id}, 2);
	$third->stop;
	told($x, 'client_disconnected', $y->{id}, 1);
};

# Long before the others say that it is gone, its client is somewhere else. Whoever asks Redis who is where hears of that
# alone, also of a Redis that was started again with what it had been told before.
subtest 'who comes from a hubd that was killed' => sub {
	my $own = Hub::Redis->start;
	my ($here, $there) = map { $own->hub(args => [ '--bus-node-timeout', 60 ]) } 1, 2;
	my $watch = $here->member('unix', 'moved');
	my $x = $there->member('ws', 'moved');
	told($watch, 'client_connected', $x->{id}, 2);
	$own->cli('SAVE');
	$there->{proc}->kill('KILL');
	$there->forget;
	my $y = $here->client('ws');
	is($y->join_session('moved', resume => $x->{joined}{resume})->{client_id}, $x->{id}, 'it comes back elsewhere');
	# It is asked who is where, and behind that a message has its ack.
	my $settled = sub {
		my $asked = sub { $own->cli(qw(INFO commandstats)) =~ /cmdstat_hgetall:calls=(\d+)/ ? $1 : 0 };
		my $before = $asked->();
		$_[0]->();
		wait_for { $asked->() > $before } 'Redis to be asked';
		$watch->send({ type => 'there', msg_id => $_[1] });
		return $watch->wait_type('ack');
	};
	$settled->(sub { $own->cli(qw(CLIENT KILL TYPE pubsub)) }, 'a');
	$y->sync;
	ok($y->alive, 'and stays, though Redis still had it where it was');
	is(list($watch)->{user_count}, 2, 'there once');
	my $z = $own->hub;
	is($z->member('unix', 'moved')->{joined}{user_count}, 3, 'for a hubd that comes, too');
	$_->stop for $z, $here;
};

subtest 'Redis comes back with what it was told before' => sub {
	my $own = Hub::Redis->start;
	my ($here, $there) = map { $own->hub(args => [ '--bus-node-timeout', 60 ]) } 1, 2;
	my $watch = $here->member('unix', 'moved');
	my $x = $there->member('ws', 'moved');
	told($watch, 'client_connected', $x->{id}, 2);
	$own->cli('SAVE');
	$there->{proc}->kill('KILL');
	$there->forget;
	my $y = $here->client('ws');
	is($y->join_session('moved', resume => $x->{joined}{resume})->{client_id}, $x->{id}, 'it comes back elsewhere');
	becomes { $own->cli('HGET', 'hub:{moved}:here', 'v') > 2 } 'and Redis is told';
	$own->down;
	$own->up;
	becomes { $own->cli('PUBSUB', 'CHANNELS') =~ /moved/ } 'it is listened to again';
	my $n = 0;
	becomes {
		my ($id, $answer) = 'm' . $n++;
		$watch->send({ type => 'there', msg_id => $id });
		wait_for { ($answer) = grep { /^\{"type":"(?:ack|error)".*"msg_id":"$id"/ } @{ $watch->{in} } } 'an answer';
		$answer =~ /"ack"/;
	} 'and works';
	$y->sync;
	ok($y->alive, 'the client stays');
	is(list($watch)->{user_count}, 2, 'there once');
	my $z = $own->hub;
	is($z->member('unix', 'moved')->{joined}{user_count}, 3, 'for a hubd that comes, too');
	$_->stop for $z, $here;
};

subtest 'Redis is cut, or away' => sub {
	my ($x, $y) = map { $_->member('unix', 'cut') } @hub;
	told($x, 'client_connected', $y->{id}, 2);
	$redis->cli(qw(CLIENT KILL TYPE), $_) for 'pubsub', 'normal';
	my $z = $hub[1]->member('unix', 'cut');
	$y->vanish;
	becomes { my $l = json(list($x)); $l =~ /$z->{id}/ && $l !~ /$y->{id}/ } 'who is there is known in the end';
};

$_->stop for @hub;

# With users.
my $key = Hub::Token::key_file();
my @args = ('--auth-key', $key, '--bus-node-timeout', 2);
my @both = map { $redis->hub(args => \@args) } 1, 2;

sub as {
	my ($hub, $user, $session, %join) = @_;
	my $c = $hub->client('ws', protocol => 'hub, hub.token.' . Hub::Token::token({ sub => $user, hub => { join => ['*'], publish => ['*'], presence => JSON::PP::true } }));
	$c->{joined} = $c->join_session($session, %join);
	return $c;
}

subtest 'to a user' => sub {
	my $ann = as($both[0], 'ann', 'users');
	my @bob = map { as($_, 'bob', 'users') } @both;
	becomes { json(list($ann))=~ /"user_count":3/ } 'all are there';
	$ann->send({ type => 'hello', to => '@bob', n => 1 });
	is($_->wait_type('hello')->{n}, 1, 'each connection of a user gets it, wherever it is') for @bob;
	$ann->send({ type => 'hello', to => '@carl', msg_id => 'x' });
	is($ann->wait_type('error')->{data}{code}, 'not_member', 'but nobody is nobody');
	becomes { json(list($bob[1])) =~ /"user":"ann"/ } 'presence tells of users elsewhere';
};

subtest 'sent away, and banned' => sub {
	my $operator = $both[0]->unix;
	my @ann = map { as($_, 'ann', 'away') } @both;
	my $bob = as($both[1], 'bob', 'away');
	$operator->send({ type => 'connection_close', user => 'ann' });
	is($_->closed, 4403, 'a user is sent away everywhere') for @ann;
	my $client = as($both[1], 'carl', 'away');
	$operator->send({ type => 'connection_close', client_id => $client->{id} });
	is($client->closed, 4403, 'a client that is elsewhere as well');
	ok($bob->alive, 'others stay');
	# By a session, and in words of the operator's; who was sent away is not who he was, wherever he comes back.
	my @dora = map { as($_, 'dora', 'left') } @both;
	my $back = sub { as($both[0], 'dora', 'left', resume => $_[0]{joined}{resume}) };
	my $lost = as($both[1], 'dora', 'left');
	$lost->vanish;
	is($back->($lost)->{id}, $lost->{id}, 'who was lost is who he was');
	my $watch = $both[0]->member('unix', 'away');
	$operator->send({ type => 'connection_close', session_id => 'left', code => 4321, reason => 'closing time' });
	is($_->closed, 4321, 'a session is emptied everywhere') for @dora;
	is($dora[1]{close_reason}, 'closing time', 'with those words');
	ok($_->alive, 'others stay') for $bob, $watch;
	becomes { $back->($dora[1])->{id} ne $dora[1]{id} } 'who was sent away elsewhere is another one here';
	my $erin = as($both[1], 'erin', 'left');
	$operator->send({ type => 'connection_close', user => 'erin', session_id => 'left' });
	is($erin->closed, 4403, 'a user in a session as well');
	$operator->send({ type => 'ban_add', user => 'bob' });
	is($bob->closed, 4403, 'who is banned at one hubd is sent away from all');
	my $refused = sub {
		my ($hub) = @_;
		my $c = eval { as($hub, 'bob', 'away') };
		return !$c;
	};
	becomes { $refused->($both[1]) } 'and does not come in again';
	my $third = $redis->hub(args => \@args);
	ok($refused->($third), 'nor at one that is started later');
	$operator->send({ type => 'ban_remove', user => 'bob' });
	becomes { my $c = eval { as($both[1], 'bob', 'away') }; $c } 'until the ban is lifted';
	becomes { my $c = eval { as($third, 'bob', 'away') }; $c } 'everywhere';
	$third->stop;
};

$_->stop for @both;
done_testing;

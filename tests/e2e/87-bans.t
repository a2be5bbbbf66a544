# Who is kept out, and how: users, addresses behind a proxy and not, tokens that are revoked; at the handshake, at
# a renewal, and who is in already; and sessions that are deleted, also from a store.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Store;
use Hub::Token;

my $hub = Hub->start(workers => 4, args => [ '--auth-key', key_file(), '--trust-proxy', '127.0.0.1', '--log-level', 'debug' ]);
my $from = own_address();    # one that is no proxy

sub bearer {
	my (%claims) = @_;
	return 'Authorization: Bearer ' . token({ sub => 'ann', %claims });
}

sub ws_of {
	my (%claims) = @_;
	return $hub->ws(headers => [ bearer(%claims) ], refused => 1);
}

sub ask {
	my ($method, $path, $at) = @_;
	my $a = Hub::Http->fetch($at || $hub, $method, $path, unix => 1);
	is($a->{status}, 200, "$method $path: 200") or diag($a->{body});
	return $a->{lines}[0];
}

sub metric {
	my ($name) = @_;
	return Hub::Http->fetch($hub, 'GET', '/metrics', unix => 1)->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : undef;
}

subtest 'a user' => sub {
	my $in = ws_of();
	my $joined = $in->join_session('room');
	my $bob = ws_of(sub => 'bob');
	$bob->join_session('room');
	is(ask(PUT => '/bans?user=ann&seconds=3600&reason=bad%20words')->{closed}, 1, 'who is in');
	is_deeply([ $in->closed, $in->{close_reason} ], [ 4403, 'bad words' ], 'is sent away');
	my $again = ws_of();
	is($again->{status}, 403, 'the handshake: 403');
	is(unjson($again->{body})->{data}{code}, 'banned', 'and why');
	is(Hub::Http->fetch($hub, 'GET', '/sessions/room/state', headers => [ bearer() ])->{status}, 403, 'HTTP: 403');
	my $late = $hub->ws;
	$late->send({ type => 'authenticate', token => token({ sub => 'ann' }) });
	is($late->next->{data}{code}, 'banned', 'authenticate: banned');
	is($late->closed, 4403, 'and closed');
	is($hub->unix->join_session('room')->{type}, 'session_associated', 'the Unix socket is nobody');
	is_deeply([ $bob->sync ], [], 'others stay');
	my ($ban) = @{ ask(GET => '/bans')->{bans} };
	is($ban->{user}, 'ann', 'it is listed');
	cmp_ok($ban->{seconds}, '<=', 3600, 'with the time that is left');
	cmp_ok(metric('hubd_bans_met_total'), '>=', 3, 'counted');
	ask(DELETE => '/bans?user=ann');
	my $back = ws_of()->join_session('room', resume => $joined->{resume});
	isnt($back->{client_id}, $joined->{client_id}, 'lifted: she is in, but not as who she was');
	is_deeply(ask(GET => '/bans')->{bans}, [], 'none is left');
	ask(PUT => '/bans?user=ann&seconds=0.5');
	becomes { ws_of()->{status} == 101 } 'a short one ends';
};

subtest 'addresses' => sub {
	# A client over this machine's own address, and others behind a proxy on 127.0.0.1.
	my $behind = sub {
		my ($address) = @_;
		return $hub->ws(headers => [ bearer(), "X-Forwarded-For: $address" ], refused => 1);
	};
	my @in = map { $behind->($_) } '203.0.113.7', '203.0.113.8', '2001:db8:1:2::7', '2001:db8:1:2:ffff::1', '2001:db8:1:3::1';
	$_->join_session('room') for @in;
	is(ask(PUT => '/bans?address=203.0.113.7')->{closed}, 1, 'one address');
	is($in[0]->closed, 4403, 'is sent away');
	is($behind->('203.0.113.7')->{status}, 403, 'and kept out');
	my $neighbour = $behind->('203.0.113.8');
	is($neighbour->{status}, 101, 'its neighbour not');
	is(ask(PUT => '/bans?address=2001:db8:1:2::7')->{closed}, 2, 'an IPv6 address is its /64');
	is($in[$_]->closed, 4403, 'sent away') for 2, 3;
	is($behind->('2001:db8:1:2:9::9')->{status}, 403, 'and kept out');
	is($behind->('2001:db8:1:3::1')->{status}, 101, 'the next /64 not');
	is(ask(PUT => '/bans?address=203.0.112.0/22')->{closed}, 2, 'a network');
	is($_->closed, 4403, 'sent away') for $in[1], $neighbour;
	is($behind->('203.0.113.8')->{status}, 403, 'is kept out');
	is($hub->get('/healthz', raw => "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.8\r\n\r\n")->{status}, 403,
		'whatever it asks for');
	is_deeply([ map { $_->{address} } @{ ask(GET => '/bans')->{bans} } ],
		[ '203.0.113.7', '2001:db8:1:2::/64', '203.0.112.0/22' ], 'as they are listed');
	is_deeply([ grep { $_->{type} ne 'x' } $in[4]->sync ], [], 'who is elsewhere stays');
	# What is not a proxy is not believed.
	my $liar = $hub->ws(from => $from, headers => [ bearer(), 'X-Forwarded-For: 203.0.113.7' ], refused => 1);
	is($liar->{status}, 101, 'who is no proxy is who he is');
	is(ask(PUT => "/bans?address=$from")->{closed}, 1, 'which is banned');
	is($liar->closed, 4403, 'sent away');
	is($hub->ws(from => $from, headers => [ bearer(), 'X-Forwarded-For: 192.0.2.1' ], refused => 1)->{status}, 403, 'and kept out');
	ask(DELETE => "/bans?address=$_") for '203.0.113.7', '2001:db8:1:2::1', '203.0.112.0/22', $from;
	is($behind->('203.0.113.7')->{status}, 101, 'lifted');
};

subtest 'tokens' => sub {
	my $now = time;
	my %in = map { $_ => ws_of(jti => $_, iat => $now - 10) } 'j1', 'j2';
	my %joined = map { $_ => $in{$_}->join_session('room') } sort keys %in;
	is(ask(PUT => '/bans?jti=j1')->{closed}, 1, 'by jti');
	is_deeply([ $in{j1}->closed, $in{j1}{close_reason} ], [ 4401, 'the token was revoked' ], 'its owner is sent away');
	my $again = ws_of(jti => 'j1');
	is($again->{status}, 401, 'it is worth nothing');
	like($again->{headers}{'www-authenticate'}, qr/invalid_token/, 'as any that is not good');
	$in{j2}->send({ type => 'authenticate', token => token({ sub => 'ann', jti => 'j1' }) });
	is($in{j2}->wait_type('error')->{data}{code}, 'unauthorized', 'nor for a renewal');
	my $other = ws_of(jti => 'j3', iat => $now - 1);
	is($other->join_session('room', resume => $joined{j1}{resume})->{client_id}, $joined{j1}{client_id}, 'with another one he is who he was');
	my $fresh = ws_of(iat => $now - 1);
	my $bob = ws_of(sub => 'bob', iat => $now - 100);
	my $undated = ws_of();
	ask(PUT => '/bans?user=ann&issued_before=' . ($now - 5));
	is($in{j2}->closed, 4401, 'older ones of a user');
	is($undated->closed, 4401, 'and those that do not say how old they are');
	is_deeply([ $_->sync ], [], 'not later ones, nor those of others') for $fresh, $bob;
	is(ws_of(iat => $now - 10)->{status}, 401, 'and are worth nothing');
	is(ws_of(iat => $now - 1)->{status}, 101, 'later ones are');
	cmp_ok(ask(PUT => '/bans?issued_before=' . ($now - 50))->{closed}, '>=', 1, 'those of everybody');
	is($bob->closed, 4401, 'likewise');
	is(ws_of(sub => 'bob', iat => $now - 20)->{status}, 101, 'if they are old enough');
	is_deeply([ $fresh->sync ], [], 'others go on');
	is_deeply([ map { join ',', sort keys %$_ } @{ ask(GET => '/bans')->{bans} } ], [ 'jti', 'issued_before,user', 'issued_before' ],
		'all are listed');
	ask(DELETE => "/bans?$_") for 'jti=j1', 'user=ann&issued_before=0', 'issued_before=0';
	is(ws_of(jti => 'j1')->{status}, 101, 'a revocation can be taken back');
	cmp_ok(metric('hubd_steered_closes_total{how="revoked"}'), '>=', 4, 'counted');
};

subtest 'so many and no more' => sub {
	my $c = $hub->unix;
	$c->send(map { { type => 'ban_add', user => "u$_" } } 1 .. 10000);
	my @answers = $c->sync;
	is(scalar(grep { $_->{type} eq 'ban_added' } @answers), 10000, '10000 bans');
	$c->send({ type => 'ban_add', user => 'one more' });
	is($c->next->{data}{code}, 'bans_full', 'one more: bans_full');
	my ($n, $next) = (0, '');
	do {
		my $page = Hub::Http->fetch($hub, 'GET', "/bans?limit=1000$next", unix => 1)->{lines}[0];
		$n += @{ $page->{bans} };
		$next = $page->{next} ? "&after=$page->{next}" : '';
	} while $next;
	is($n, 10000, 'listed in pages');
	is(ws_of(sub => 'u77')->{status}, 403, 'each is met');
	becomes { $hub->log_text =~ /^\S+Z debug refuse user=u77: the user is banned$/m } 'and in the log';
	is(ws_of(sub => 'bob')->{status}, 101, 'others are not');
};
$hub->stop;

subtest 'sessions' => sub {
	for my $keeps (0, 1) {
		my $dir = store_dir();
		my $start = sub { $keeps ? store_hub($dir, workers => 4) : Hub->start(workers => 4) };
		my $at = $start->();
		my @in = map { $at->member($_, 'gone') } 'ws', 'unix', 'ws', 'unix';
		my $stays = $at->member('ws', 'stays');
		send_acked($stays, 1 .. 3);
		send_acked($in[0], 1 .. 100);
		$in[0]->send({ type => 'light', key => 'k' });
		$in[0]->sync;
		my $epoch = $in[0]{joined}{epoch};
		is(ask(DELETE => '/sessions/gone', $at)->{closed}, 4, 'all members of a session');
		is_deeply([ map { $_->closed } @in ], [ (4410) x 4 ], 'are sent away: 4410');
		is($in[1]{close_reason}, 'the session was deleted', 'and told');
		is(Hub::Http->fetch($at, 'GET', '/sessions/gone/state', unix => 1)->{status}, 404, 'it is no more');
		my $new = $at->member('ws', 'gone', since => 50, epoch => $epoch, resume => $in[0]{joined}{resume});
		is_deeply([ @{ $new->{joined} }{qw(seq recovered reason client_id)} ],
			[ 0, JSON::PP::false(), 'epoch_changed', $in[0]{id} ], 'who comes next is in a new one, as who he was');
		isnt($new->{joined}{epoch}, $epoch, 'another epoch');
		is_deeply(send_acked($new, 1, 2), { 1 => 1, 2 => 2 }, 'which remembers no message');
		my $second = $new->{joined}{epoch};
		is_deeply([ map { $_->{seq} } grep { $_->{type} eq 't' } $stays->sync ], [ 1 .. 3 ], 'another session is as it was');
		next if !$keeps and $at->stop;
		$at->stop;
		is(sql("$dir/store.db", q(SELECT group_concat(name || head, ' ') FROM (SELECT * FROM session ORDER BY name))) =~ s/!\d+\S* ?//r,
			'gone2 stays3', 'the store has what is there');
		$at = $start->();
		is($at->member('ws', 'gone', since => 0)->{joined}{epoch}, $second, 'after a restart too');
		is(ask(DELETE => '/sessions/stays', $at)->{closed}, 0, 'one that only the store has');
		is($at->member('ws', 'stays', since => 0)->{joined}{seq}, 0, 'goes as well');
		becomes { sql("$dir/store.db", q(SELECT count(*) FROM session WHERE name LIKE '!%')) == 0 } 'nothing is left of them';
		is(sql("$dir/store.db", 'SELECT count(*) FROM batch WHERE session NOT IN (SELECT id FROM session)'), 0, 'no records');
		killed($at);
		$at = $start->();
		is($at->member('ws', 'gone', since => 0)->{joined}{epoch}, $second, 'nor after a crash');
		is(Hub::Http->fetch($at, 'GET', '/sessions/stays/state', unix => 1)->{status}, 404, 'does it come back');
		$at->stop;
	}
};

subtest 'what operators have set outlives the hub' => sub {
	my $dir = store_dir();
	my $start = sub {
		$hub = store_hub($dir, args => [ '--auth-key', key_file(), '--trust-proxy', '127.0.0.1', @_ ]);
		return $hub;
	};
	my $now = time;
	my @bans = (
		'user=ann', 'user=a%22%5c%C3%A4', 'address=203.0.113.7', 'address=2001:db8::/32', 'jti=j1', 'issued_before=5',
		"user=eve&issued_before=$now", 'user=later&seconds=3600', 'user=soon&seconds=0.5', 'user=lifted'
	);
	$start->();
	ask(PUT => "/bans?$_") for @bans;
	ask(DELETE => '/bans?user=lifted');
	my $limits = ask(PUT => '/sessions/limits/limits?max_members=2&rate_bytes=0');
	ask(PUT => '/sessions/usual/limits?max_members=2');
	ask(PUT => '/sessions/usual/limits?max_members=usual');
	ask(PUT => '/sessions/gone/limits?max_members=2');
	ask(DELETE => '/sessions/gone');
	my $listed = sub {
		my @all = @{ ask(GET => '/bans')->{bans} };
		my @for_a_time = grep { $_->{seconds} } @all;
		return (join("\n", sort map { json($_) } grep { !$_->{seconds} } @all), map { $_->{user} } @for_a_time);
	};
	for my $how ('an end', 'a crash') {
		wait_for { my @l = $listed->(); @l == 2 } 'the short one to be over';
		my @before = $listed->();
		is($before[1], 'later', 'for a time');
		$how eq 'an end' ? $hub->stop : killed($hub);
		$start->();
		is_deeply([ $listed->() ], \@before, "after $how: the same bans");
		my $left = (grep { $_->{seconds} } @{ ask(GET => '/bans')->{bans} })[0]{seconds};
		ok($left > 0 && $left <= 3600, 'one for a time has no more of it');
		is(ws_of(sub => $_)->{status}, 403, "$_ is kept out") for 'ann', 'later', qq(a"\\\xe4);
		is(ws_of(sub => 'x', jti => 'j1')->{status}, 401, 'a revoked token is worth nothing');
		is(ws_of(sub => 'x', iat => 4)->{status}, 401, 'nor an old one');
		is(ws_of(sub => 'eve', iat => $now - 1)->{status}, 401, "nor an old one of a user's");
		is(ws_of(sub => $_, iat => $now)->{status}, 101, "$_ is in") for 'lifted', 'soon', 'x';
		is($hub->ws(headers => [ bearer(sub => 'x', iat => $now), 'X-Forwarded-For: 203.0.113.7' ], refused => 1)->{status}, 403,
			'an address is kept out');
		is_deeply(ask(GET => '/sessions/limits/limits'), $limits, 'limits of a session');
		is(Hub::Http->fetch($hub, 'GET', '/sessions/gone/limits', unix => 1)->{status}, 404, 'not of one that was deleted');
		is(Hub::Http->fetch($hub, 'GET', '/sessions/usual/limits', unix => 1)->{status}, 404, 'nor what was taken away again');
	}
	$hub->stop;
	is(sql("$dir/store.db", "SELECT value FROM kept WHERE name = 'limits limits'"),
		'{"session_id":"limits","max_members":2,"rate_bytes":0}', 'as people see it');
	is(sql("$dir/store.db", "SELECT count(*) FROM kept WHERE name LIKE 'ban %soon%'"), 0, 'what is over has gone');
	# A row that nobody has written for us is said, and no more.
	sql("$dir/store.db", q(INSERT INTO kept VALUES ('x', '{"who":1}', 0), ('y', 'no json', 0)));
	$start->();
	like($hub->log_text, qr/store .*: cannot be set again: \{"who":1\}/, 'what is not understood is said');
	is(ws_of(sub => 'ann')->{status}, 403, 'and the others hold');
	$hub->stop;
	# Where the store cannot keep it, it holds, and that is told.
	$start->();
	my $release = hold("$dir/store.db");
	my $c = $hub->member('unix', 's');
	$c->send({ type => 'x', msg_id => 'm' });
	becomes { metric('hubd_store_failing') } 'the store fails';
	my $r = Hub::Http->fetch($hub, 'PUT', '/bans?user=mallory', unix => 1);
	is($r->{status}, 503, 'what cannot be kept: an error');
	like($r->{body}, qr/"internal".*holds until the hub ends/, 'that says how far it goes');
	is(ws_of(sub => 'mallory')->{status}, 403, 'so it is');
	$release->();
	$hub->stop;
};

# What is over goes from the store while the hub runs; nobody need ask for anything.
subtest 'what is over leaves the store' => sub {
	my $dir = store_dir();
	$hub = store_hub($dir, args => [ '--auth-key', key_file(), '--resume-ttl', 1 ]);
	ask(PUT => '/bans?user=soon&seconds=0.5');
	ask(PUT => '/bans?user=stays');
	my $kept = sub { return sql("$dir/store.db", q(SELECT group_concat(name, ',') FROM (SELECT name FROM kept ORDER BY name))) };
	becomes { $kept->() eq 'ban user "stays"' } 'bans, and who was sent away' or diag($kept->());
	is(ws_of(sub => 'stays')->{status}, 403, 'what is not over holds');
	$hub->stop;
};

subtest 'who was sent away stays away as who he was' => sub {
	my $dir = store_dir();
	my $start = sub { $hub = store_hub($dir, args => [ '--auth-key', key_file() ]) };
	my $join = sub {
		my ($user, $session, @resume) = @_;
		my $c = ws_of(sub => $user);
		return ($c->join_session($session, @resume ? (resume => @resume) : ()), $c);
	};
	$start->();
	my %token;
	my @crowd = map { my ($j, $c) = $join->($_, 'crowd'); $token{$_} = $j; $c } 'one', 'two';
	my @in;
	for my $user (qw(ann bob eve good)) {
		($token{$user}, my $c) = $join->($user, 'room');
		push @in, $c;
	}
	my ($away, $gone) = $join->('away', 'room');
	$token{away} = $away;
	$gone->vanish;
	is(ask(DELETE => '/connections?user=ann')->{closed}, 1, 'a user');
	is(ask(DELETE => "/connections?client_id=$token{bob}{client_id}")->{closed}, 1, 'a client');
	is(ask(DELETE => '/connections?session_id=crowd')->{closed}, 2, 'all of a session');
	is(ask(DELETE => '/connections?user=away')->{closed} // 0, 0, 'a user who is not there');
	ask(PUT => '/bans?user=eve');
	ask(DELETE => '/bans?user=eve');
	my ($again) = $join->('ann', 'room');
	isnt($again->{client_id}, $token{ann}{client_id}, 'one comes back, as somebody else');
	for my $how ('an end', 'a crash') {
		$how eq 'an end' ? $hub->stop : killed($hub);
		$start->();
		for my $user (sort keys %token) {
			my ($j) = $join->($user, 'room', $token{$user}{resume});
			my $same = $j->{client_id} eq $token{$user}{client_id};
			is($same, $user eq 'good', "after $how: $user " . ($user eq 'good' ? 'is who he was' : 'is not'));
		}
		is(($join->('ann', 'room', $again->{resume}))[0]{client_id}, $again->{client_id}, 'a token that was given later is good');
	}
	$hub->stop;
	like(sql("$dir/store.db", q(SELECT value FROM kept WHERE name = 'ended user "ann"')), qr/\A\{"ended_ms":\d+,"user":"ann"\}\z/, 'as people see it');
	like(sql("$dir/store.db", q(SELECT value FROM kept WHERE value LIKE '%clients%,%')), qr/\A\{"ended_ms":\d+,"clients":\["\w{11}","\w{11}"\]\}\z/, 'of a crowd, too');
};

done_testing;

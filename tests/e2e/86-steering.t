# What an operator does to a hub that runs, at every door: who may, and what it does to whom: listing, ending
# connections, limits of sessions; and the examples of hub(7) with curl.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Pages;
use Hub::Token;

my $false = JSON::PP::false();
my $hub = Hub->start(workers => 4, args => [ '--auth-key', key_file() ]);

sub bearer {
	my (%claims) = @_;
	return "Authorization: Bearer " . token(\%claims);
}

sub ws_of {
	my (%claims) = @_;
	return $hub->ws(headers => [ bearer(%claims) ]);
}

my %admin = (sub => 'root', hub => { admin => \1 });
my %user = (sub => 'eve', hub => { join => ['*'], publish => ['*'] });

# --- the verbs: as a message, as a request, and the type of the answer

my %verb = (
	connection_list => [ { limit => 1 }, 'GET', '/connections?limit=1', 'connection_list' ],
	connection_close => [ { user => 'nobody' }, 'DELETE', '/connections?user=nobody', 'connection_closed' ],
	ban_add => [ { user => 'nobody', seconds => 60 }, 'PUT', '/bans?user=nobody&seconds=60', 'ban_added' ],
	ban_list => [ {}, 'GET', '/bans', 'ban_list' ],
	ban_remove => [ { user => 'nobody' }, 'DELETE', '/bans?user=nobody', 'ban_removed' ],
	session_limit => [ { session_id => 'limited', history => 7 }, 'PUT', '/sessions/limited/limits?history=7', 'session_limits' ],
	session_delete => [ { session_id => 'limited' }, 'DELETE', '/sessions/limited', 'session_deleted' ],
);
my @verbs = qw(connection_list connection_close ban_add ban_list ban_remove session_limit session_delete);

# The answer as a message: its type, or the error's code and text.
sub by_message {
	my ($c, $verb) = @_;
	$c->send({ type => $verb, %{ $verb{$verb}[0] }, msg_id => 'm1' });
	my $m = $c->next;
	is($m->{msg_id}, 'm1', "$verb: the answer has its msg_id");
	return $m->{type} eq 'error' ? "$m->{data}{code}: $m->{data}{message}" : $m->{type};
}

sub by_http {
	my ($verb, %o) = @_;
	my $a = Hub::Http->fetch($o{hub} || $hub, @{ $verb{$verb} }[ 1, 2 ], headers => $o{headers}, unix => $o{unix});
	my $m = $a->{lines}[0];
	return $m->{type} eq 'error' ? "$a->{status} $m->{data}{code}: $m->{data}{message}" : "$a->{status} $m->{type}";
}

# There is what is to be taken away.
sub there_is {
	my ($verb) = @_;
	by_http('ban_add', unix => 1) if $verb eq 'ban_remove';
	by_http('session_limit', unix => 1) if $verb eq 'session_delete';
}

subtest 'who may' => sub {
	my %client = (unix => $hub->unix, 'ws, admin' => ws_of(%admin), 'ws, not admin' => ws_of(%user),
		'ws, no token' => $hub->ws);
	for my $verb (@verbs) {
		my $type = $verb{$verb}[3];
		for my $way ('unix', 'ws, admin') {
			there_is($verb);
			is(by_message($client{$way}, $verb), $type, "$verb, $way: $type");
		}
		for my $way ([ 'on the socket', unix => 1 ], [ 'admin', headers => [ bearer(%admin) ] ]) {
			there_is($verb);
			is(by_http($verb, @$way[ 1, 2 ]), "200 $type", "$verb, HTTP, $way->[0]: 200");
		}
		there_is($verb);
		like(by_message($client{'ws, not admin'}, $verb), qr/^forbidden: .*\bright admin\b/, "$verb, not admin: forbidden");
		like(by_message($client{'ws, no token'}, $verb), qr/^unauthenticated: /, "$verb, no token: unauthenticated");
		like(by_http($verb, headers => [ bearer(%user) ]), qr/^403 forbidden: .*\bright admin\b/, "$verb, HTTP, not admin: 403");
		like(by_http($verb), qr/^401 /, "$verb, HTTP, no token: 401");
		is(by_http($verb, unix => 1), "200 $type", "$verb: they have done nothing") if $verb =~ /remove|delete/;
	}
	my $open = Hub->start;
	my $c = $open->ws;
	for my $verb (@verbs) {
		like(by_message($c, $verb), qr/^forbidden: .*\badmin\b/, "$verb without keys, ws: forbidden");
		like(by_http($verb, hub => $open), qr/^403 forbidden: .*\badmin\b/, "$verb without keys, HTTP: 403");
		like(by_http($verb, hub => $open, unix => 1), qr/^(?:200 |404 not_found)/, "$verb without keys, the socket");
	}
	$open->stop;
};

subtest 'what is wrong is said' => sub {
	my $c = $hub->unix;
	my %bad = (
		'nobody named' => { type => 'connection_close' },
		'misspelled' => { type => 'connection_close', user => 'a', sesion_id => 'b' },
		'a code' => { type => 'connection_close', user => 'a', code => 1000 },
		'a reason' => { type => 'connection_close', user => 'a', reason => 'a"b' },
		'a long reason' => { type => 'connection_close', user => 'a', reason => 'x' x 101 },
		'a client' => { type => 'connection_close', client_id => 'x' },
		'an address' => { type => 'ban_add', address => '10.0.0.1/8' },
		'two things' => { type => 'ban_add', address => '10.0.0.1', user => 'a' },
		'nothing' => { type => 'ban_add' },
		'for no time' => { type => 'ban_add', user => 'a', seconds => 0 },
		'a text for a number' => { type => 'ban_add', user => 'a', seconds => '5' },
		'a number for a text' => { type => 'ban_add', user => 5 },
		'no session' => { type => 'session_delete' },
		'a limit' => { type => 'session_limit', session_id => 'x', history => -1 },
		'a place' => { type => 'connection_list', after => 'x' },
		'an object' => { type => 'connection_list', user => {} },
	);
	for my $name (sort keys %bad) {
		$c->send($bad{$name});
		is($c->next->{data}{code}, 'bad_field', "$name: bad_field");
	}
	for my $bad ('DELETE /connections', 'DELETE /connections?users=a', 'PUT /bans', 'PUT /bans?user=', 'PUT /bans?user=%zz',
		'GET /connections?user=a&user=b', 'GET /sessions/x/limits?history=1', 'PUT /sessions/x/limits?history=x') {
		is(Hub::Http->fetch($hub, split(/ /, $bad), unix => 1)->{status}, 400, "$bad: 400");
	}
	is(Hub::Http->fetch($hub, 'GET', '/sessions/none/limits', unix => 1)->{status}, 404, 'limits of no session: 404');
	is(Hub::Http->fetch($hub, 'DELETE', '/sessions/none', unix => 1)->{status}, 404, 'no such session to delete: 404');
	is(Hub::Http->fetch($hub, 'DELETE', '/bans?user=none', unix => 1)->{status}, 404, 'no such ban: 404');
	is(Hub::Http->fetch($hub, 'POST', '/bans', unix => 1)->{status}, 405, 'another method: 405');
};

sub ask {
	my ($method, $path) = @_;
	return Hub::Http->fetch($hub, $method, $path, unix => 1)->{lines}[0];
}

# All pages of a list.
sub all {
	my ($query) = @_;
	my (@all, $next);
	do {
		my $page = ask(GET => "/connections?$query" . ($next ? "&after=$next" : ''));
		push @all, @{ $page->{connections} };
		$next = $page->{next};
	} while $next;
	return @all;
}

subtest 'lists' => sub {
	my @ann = map { ws_of(%user, sub => 'ann', jti => "j$_") } 1 .. 3;
	$_->join_session('lists') for @ann;
	$ann[0]->join_session('lists2');
	my $unix = $hub->member('unix', 'lists');
	my $events = Hub::Http->open($hub);
	$events->ask('GET', '/sessions/lists/events', headers => [ bearer(%user, sub => 'bob') ]);
	is($events->head->{status}, 200, 'a reader');
	my @list = all('session_id=lists');
	is(scalar @list, 5, 'all of a session');
	my ($one) = grep { $_->{client_id} eq $ann[0]{id} } @list;
	is_deeply([ sort keys %$one ], [ sort qw(client_id number door since peer user jti sessions) ], 'one has all that there is');
	is_deeply([ @$one{qw(door user jti)}, [ sort @{ $one->{sessions} } ] ], [ 'ws', 'ann', 'j1', [ 'lists', 'lists2' ] ], 'of it');
	like($one->{peer}, qr/^127\.0\.0\.1:\d+$/, 'where it is');
	cmp_ok(abs($one->{since} / 1000 - time), '<', 600, 'since when');
	my ($of_unix) = grep { $_->{door} eq 'unix' } @list;
	like($of_unix->{peer}, qr/^pid-$$,uid-\d+$/, 'whose a Unix connection is');
	is((grep { $_->{door} eq 'sse' && $_->{user} eq 'bob' } @list), 1, 'a reader is one');
	is_deeply([ sort map { $_->{jti} } all('user=ann&limit=1') ], [ 'j1', 'j2', 'j3' ], 'those of a user, in pages of one');
	is(scalar(all("client_id=$ann[1]{id}")), 1, 'one client');
	is(scalar(all('jti=j2')), 1, 'one token');
	is(scalar(all('address=127.0.0.0/8&user=ann')), 3, 'those of a network');
	is(scalar(all('address=10.0.0.0/8')), 0, 'of another');
	is(scalar(all('user=ann&session_id=lists2')), 1, 'all must fit');
};

subtest 'kicks' => sub {
	my @in = map { ws_of(%user, sub => "u$_") } 1 .. 4;
	my @joined = map { $_->join_session('kicks') } @in;
	my $events = Hub::Http->open($hub);
	$events->ask('GET', '/sessions/kicks/events', headers => [ bearer(%user, sub => 'reader') ]);
	is($events->head->{status}, 200, 'a reader');
	my $unix = $hub->member('unix', 'kicks');
	is(ask(DELETE => "/connections?client_id=$in[0]{id}")->{closed}, 1, 'one client');
	is($in[0]->closed, 4403, 'is closed');
	is($in[0]{close_reason}, 'sent away by an operator', 'and why');
	is(ask(DELETE => '/connections?user=u2&code=4999&reason=spam%20%C3%A4')->{closed}, 1, 'a user');
	is_deeply([ $in[1]->closed, $in[1]{close_reason} ], [ 4999, "spam \xc3\xa4" ], 'with a code and a reason');
	# The operator is in the session himself, and stays.
	$unix->send({ type => 'connection_close', session_id => 'kicks', reason => 'over' });
	is($unix->wait_type('connection_closed')->{closed}, 3, 'a session');
	is($in[$_]->closed, 4403, "member $_: 4403") for 2, 3;
	wait_for { $events->{gone} } 'the end of the stream', undef, $events;
	like($events->{rbuf}, qr/event: close\ndata: \{"type":"close","code":4403,"reason":"over"\}/, 'a reader is told');
	my $poll = Hub::Http->open($hub);
	$poll->ask('GET', '/sessions/kicks/records?since=0&wait=60', headers => [ bearer(%user, sub => 'poll') ]);
	wait_for { all('user=poll') } 'a reader that waits';
	wait_for { ask(DELETE => '/connections?user=poll')->{closed} } 'it to be sent away';
	my $sent_away = $poll->answer;
	is_deeply([ $sent_away->{status}, $sent_away->{headers}{'hub-cursor'} ], [ 403, undef ], 'one that waits is refused');
	like($sent_away->{body}, qr/sent away by an operator/, 'and told why');
	my $cat = spawn($hub->hubcat([ '-l', 'kicks' ]));
	wait_for { grep { $_->{peer} =~ /^pid-$cat->{pid},/ } all('session_id=kicks') } 'hubcat to join';
	ask(DELETE => '/connections?session_id=kicks&reason=enough');
	is($cat->wait >> 8, 77, 'hubcat does not come back: 77');
	like(slurp($cat->{err}), qr/enough/, 'and says why');
	# Nothing keeps them from coming back, but as another one.
	my $c = ws_of(%user, sub => 'u1');
	my $again = $c->join_session('kicks', resume => $joined[0]{resume});
	isnt($again->{client_id}, $joined[0]{client_id}, 'a resume token ends with a kick of its client');
	my $new = $c->join_session('kicks')->{resume};
	$c->vanish;
	my $mine = ws_of(%user, sub => 'u1')->join_session('kicks', resume => $new);
	is($mine->{client_id}, $again->{client_id}, 'a later one is good');
	isnt(ws_of(%user, sub => 'u5')->join_session('kicks', resume => $new)->{client_id}, $mine->{client_id}, 'not for another user');
	# Of a user who is not there just now.
	my $away = ws_of(%user, sub => 'away');
	my $was = $away->join_session('kicks');
	$away->vanish;
	ask(DELETE => '/connections?user=away');
	my $back = ws_of(%user, sub => 'away')->join_session('kicks', resume => $was->{resume});
	isnt($back->{client_id}, $was->{client_id}, 'nor one of a user who was away');
	becomes { $hub->log_text =~ /^\S+Z info  steer door=http conn=\d+ peer=pid-$$,uid-\d+: sends away user u2: 1 connections, 4999 spam /m }
	'who did it is in the log';
	becomes { $hub->log_text =~ /^\S+Z info  close door=ws conn=\d+ peer=\S+ user=u2: 4999 spam /m } 'and to whom';
	cmp_ok($hub->get('/metrics')->{body} =~ /^hubd_steered_closes_total\{how="kicked"\} (\d+)$/m ? $1 : 0, '>=', 5, 'counted');
};

subtest 'limits of a session' => sub {
	my $limits = ask(PUT => '/sessions/limits/limits?max_members=2&rate_messages=10&history=5');
	is_deeply([ @$limits{qw(max_members rate_messages rate_bytes history)} ], [ 2, 10, undef, 5 ], 'are told');
	my @in = map { $hub->member('unix', 'limits') } 1 .. 2;
	my $third = $hub->unix;
	$third->send({ type => 'session_associate', session_id => 'limits' });
	is($third->next->{data}{code}, 'session_full', 'one member too many');
	$in[0]->send(map { { type => 'x', msg_id => "m$_" } } 1 .. 60);
	my @answers = grep { $_->{type} eq 'ack' || $_->{type} eq 'error' } $in[0]->sync;
	is(scalar @answers, 60, 'all are answered');
	my @refused = grep { $_->{type} eq 'error' } @answers;
	cmp_ok(scalar @refused, '>=', 1, 'some are too many');
	is_deeply([ grep { $_->{data}{code} ne 'rate_limited' || $_->{data}{message} !~ /limit/ } @refused ], [], 'rate_limited, and why');
	is_deeply(ask(GET => '/sessions/limits/limits'), $limits, 'a look changes nothing');
	ask(PUT => '/sessions/limits/limits?rate_messages=usual&max_members=usual&history=usual');
	$third->join_session('limits');
	$in[0]->send(map { { type => 'x', msg_id => "n$_" } } 1 .. 60);
	is((grep { $_->{type} eq 'error' } $in[0]->sync), 0, 'lifted');
};

subtest 'what is wrong is named' => sub {
	# A verb, a query, and what is said; by a message with the same fields, where those can be had so.
	my $c = $hub->unix;
	for my $case (
		[ 'ban_add', 'PUT', '/bans?usr=ann', qr/usr: there is no such field here/, { usr => 'ann' } ],
		[ 'ban_add', 'PUT', '/bans?us%20r=ann', qr/one field: there is no such field here/, { 'us r' => 'ann' } ],
		[ 'ban_add', 'PUT', '/bans?user=a&user=b', qr/user may occur once/ ],
		[ 'ban_add', 'PUT', '/bans?user=%ff', qr/user must have 1 to 255 bytes of UTF-8, without NUL/ ],
		[ 'ban_add', 'PUT', '/bans?user=a%00b', qr/user must have 1 to 255 bytes of UTF-8, without NUL/, { user => "a\0b" } ],
		[ 'ban_add', 'PUT', '/bans?jti=%c3', qr/jti must have 1 to 255 bytes of UTF-8, without NUL/ ],
		[ 'ban_add', 'PUT', '/bans?user=', qr/user must have 1 to 255 bytes/, { user => '' } ],
		[ 'ban_add', 'PUT', '/bans?user=' . 'x' x 256, qr/user must have 1 to 255 bytes/, { user => 'x' x 256 } ],
		[ 'ban_add', 'PUT', '/bans?user=a&seconds=x', qr/seconds must be a number/, { user => 'a', seconds => 'x' } ],
		[ 'ban_add', 'PUT', '/bans?address=here', qr/address: not an IP address/, { address => 'here' } ],
		[ 'ban_list', 'GET', '/bans?limit=0', qr/limit must be a whole number from 1 on/, { limit => 0 } ],
		[ 'connection_close', 'DELETE', '/connections?client_id=x', qr/client_id must be a client's id/, { client_id => 'x' } ],
		[ 'connection_close', 'DELETE', '/connections?user=a&code=1', qr/code must be a whole number from 4000/, { user => 'a', code => 1 } ],
		[ 'session_limit', 'PUT', '/sessions/s/limits?history=0', qr/history must be 1 at least/, { session_id => 's', history => 0 } ],
		[ 'session_limit', 'PUT', '/sessions/s/limits?max_members=few', qr/max_members must be a whole number, or the word usual/,
			{ session_id => 's', max_members => 'few' } ],
		[ 'session_limit', 'PUT', '/sessions/s/limits?rate_bytes=-1', qr/rate_bytes must be a whole number/,
			{ session_id => 's', rate_bytes => -1 } ],
	    ) {
		my ($type, $method, $path, $said, $fields) = @$case;
		my $a = Hub::Http->fetch($hub, $method, $path, unix => 1);
		is($a->{status}, 400, substr("$method $path", 0, 60) . ': 400');
		is($a->{lines}[0]{data}{code}, 'bad_field', 'bad_field');
		like($a->{lines}[0]{data}{message}, $said, 'and which');
		next unless $fields;
		$c->send({ type => $type, %$fields });
		my $m = $c->next;
		is($m->{data}{code}, 'bad_field', "$type: the same by a message");
		like($m->{data}{message}, $said, 'and which');
	}
	ask(PUT => '/bans?user=logged&seconds=1.5');
	ask(PUT => '/sessions/logged/limits?max_members=3&history=usual');
	becomes { $hub->log_text =~ /info  steer .*: bans user logged for 1\.5 s: 0 connections, 4403 banned$/m } 'for how long is in the log';
	becomes { $hub->log_text =~ /info  steer .*: limits session logged max_members=3 history=usual$/m } 'and the limits';
	is(Hub::Http->fetch($hub, 'GET', '/sessions/nowhere/limits', unix => 1)->{status}, 404, 'a look at what is not there');
	ask(DELETE => '/bans?user=logged');
	becomes { $hub->log_text =~ /lifts the ban of user logged/ } 'what came later is logged';
	unlike($hub->log_text, qr/nowhere/, 'is no news');
};

subtest 'resume tokens' => sub {
	my $short = Hub->start(args => [ '--resume-ttl', 4 ]);
	my $c = $short->unix;
	my $joined = $c->join_session('s');
	my $next = $c->wait_type('resume_token')->{resume};
	isnt($next, $joined->{resume}, 'who stays is sent another one');
	$c->vanish;
	my $again = $short->member('unix', 's', resume => $next)->{joined};
	is($again->{client_id}, $joined->{client_id}, 'it is good');
	my $old;
	wait_for {
		my $t = $short->member('unix', 's', resume => $joined->{resume});
		$old = $t->{joined}{client_id};
		return $old ne $joined->{client_id};
	} 'the first one to come to its end';
	pass('the first one ends');
	$short->stop;
};

subtest 'readers of a session that is deleted' => sub {
	my $open = Hub->start;
	my $c = $open->member('unix', 'gone');
	$c->send({ type => 'x', msg_id => 'x' });
	is($c->wait_type('ack')->{seq}, 1, 'a record');
	my $poll = Hub::Http->open($open);
	$poll->ask('GET', '/sessions/gone/records?since=1&wait=60');
	wait_for { Hub::Http->fetch($open, GET => '/connections?session_id=gone', unix => 1)->{body} =~ /"door":"http"/ } 'a reader that waits';
	is(Hub::Http->fetch($open, DELETE => '/sessions/gone', unix => 1)->{lines}[0]{type}, 'session_deleted', 'deleted');
	my $answer = $poll->answer;
	is_deeply([ $answer->{status}, $answer->{headers}{'hub-cursor'} ], [ 404, undef ], 'it has no place there any more');
	is(unjson($answer->{body})->{data}{code}, 'not_found', 'and is told why');
	$open->stop;
};

# Who deletes the session that it is in stays connected, and is in the next one like others.
subtest 'a member that deletes its session' => sub {
	for my $kind ('unix', 'ws') {
		my $own = Hub->start;
		my $c = $own->client($kind);
		my $admin = $own->unix;
		my $asks = $kind eq 'unix' ? $c : $admin;
		my $other = $own->member('unix', 'd');
		my $epoch = $c->join_session('d')->{epoch};
		$c->send({ type => 'x' });
		$c->wait_type('x');
		$asks->send({ type => 'session_delete', session_id => 'd' });
		is($asks->wait_type('session_deleted')->{closed}, $kind eq 'unix' ? 1 : 2, "$kind: the others are sent away");
		is($other->closed, 4410, "$kind: with 4410");
		if ($kind eq 'unix') {
			$c->send({ type => 'y', msg_id => 'y' });
			is($c->wait_type('error')->{data}{code}, 'no_session', "$kind: it is in no session any more");
		} else {
			is($c->closed, 4410, "$kind: so is a member that did not ask");
			$c = $own->ws;
		}
		my $again = $c->join_session('d', since => 0);
		isnt($again->{epoch}, $epoch, "$kind: the next one is another");
		$c->send({ type => 'z' });
		is($c->wait_type('z')->{seq}, 1, "$kind: and hears it");
		$own->stop;
	}
};

$hub->stop;

if (grep { -x "$_/curl" } split /:/, $ENV{PATH}) {
	run_page('hub(7), steering', [ man_examples(root() . '/man/hub.7', 'STEERING') ], hub => 1);
}
done_testing;

# What one may: a matrix of all ways in, all verbs and each right missing, in which every cell is tried; what
# globs, users and roles mean; and that no client says who it is itself.
use strict;
use warnings;
use Hub;
use Hub::Sio;
use Hub::Token;

my $key = key_file();
my $hub = Hub->start(args => [ '--auth-key', $key, '--auth-info', 'profile', '--allow-query-token' ]);

sub bearer {
	my ($claims) = @_;
	return $hub->ws(headers => [ 'Authorization: Bearer ' . token($claims) ]);
}

# Whoever is trusted, in the session, for verbs that need somebody.
my $peer = $hub->member('unix', 'room', echo => \0);

# --- ways in

my %door = (
	header => sub { return $hub->ws(headers => [ 'Authorization: Bearer ' . token($_[0]) ]) },
	protocol => sub { return $hub->ws(protocol => 'hub, hub.token.' . token($_[0])) },
	query => sub { return $hub->ws(path => '/ws?token=' . token($_[0])) },
	message => sub { return authenticated($hub->ws, $_[0]) },
	unix => sub { return authenticated($hub->unix, $_[0]) },
);

sub authenticated {
	my ($c, $claims) = @_;
	$c->send({ type => 'authenticate', token => token($claims) });
	is($c->next->{type}, 'authenticated', 'authenticated') or die "not authenticated\n";
	return $c;
}

# --- rights

my %full = (join => ['room'], publish => ['room'], types => ['talk*'], read => ['room'],
	presence => \1, admin => \1);

# All but one: given for another session or type, or said to be false.
sub without {
	my ($right) = @_;
	return { %full } unless $right;
	return { %full, $right => ref $full{$right} eq 'ARRAY' ? ['other'] : \0 };
}

# --- verbs: what each needs beside `join`, and a try that gives undef, or the error's code and text, or
# 'nothing' where what should come has not.

my $n = 0;

sub refused {
	my ($c, $message) = @_;
	my $id = 'm' . ++$n;
	$c->send({ session_id => 'room', %$message, msg_id => $id });
	my @before = grep { ($_->{msg_id} // '') eq $id && $_->{type} eq 'error' } $c->sync;
	return @before ? "$before[0]{data}{code}: $before[0]{data}{message}" : undef;
}

sub arrives {
	my ($c, $type) = @_;
	return (grep { $_->{type} eq $type } $c->sync) ? undef : 'nothing';
}

# A resume token of this user, and an epoch.
my $past = do {
	my $c = $door{header}->({ sub => 'ann' });
	my $answer = $c->join_session('room');
	$c->send({ type => 'session_leave' });
	$c->wait_type('session_left');
	$answer;
};
$peer->send({ type => 'talk_state', key => 'k', n => 1 });
$peer->sync;

my %verb = (
	join => [ [], sub { return refused($_[0], { type => 'session_associate' }) } ],
	'join again' => [ [], sub { return refused($_[0], { type => 'session_associate', echo => \0 }) } ],
	resume => [ [], sub {
			return refused($_[0], { type => 'session_associate', since => $past->{seq}, epoch => $past->{epoch},
					resume => $past->{resume} });
		}, 'first' ],
	leave => [ [], sub { return refused($_[0], { type => 'session_leave' }) } ],
	publish => [ [qw(publish types)], sub { return refused($_[0], { type => 'talk' }) } ],
	'set state' => [ [qw(publish types)], sub { return refused($_[0], { type => 'talk_state', key => 'k2' }) } ],
	ack => [ [qw(publish types)], sub {
			my ($c) = @_;
			my $id = 'a' . ++$n;
			$c->send({ type => 'talk', session_id => 'room', msg_id => $id }) for 1 .. 2;
			my @answers = grep { ($_->{msg_id} // '') eq $id && $_->{type} =~ /^(?:ack|error)$/ } $c->sync;
			return undef if join(' ', map { $_->{type} } @answers) eq 'ack ack';
			return @answers == 2 && $answers[1]{data} ? "$answers[1]{data}{code}: $answers[1]{data}{message}" : 'nothing';
		} ],
	direct => [ [qw(publish types)], sub { return refused($_[0], { type => 'talk', to => $peer->{id} }) } ],
	'direct to a user' => [ [qw(publish types)], sub { return refused($_[0], { type => 'talk', to => '@ann' }) } ],
	presence => [ ['presence'], sub { return refused($_[0], { type => 'presence' }) } ],
	'news of presence' => [ ['presence'], sub {
			my ($c) = @_;
			$c->sync;
			@{ $c->{presence} } = ();
			my $other = $hub->member('unix', 'room');
			$other->send({ type => 'session_leave' });
			$other->wait_type('session_left');
			# Behind it in the mail of every worker.
			$peer->send({ type => 'talk', to => $c->{id} }) if $c->{id};
			$c->wait_type('talk') if $c->{id};
			return @{ $c->{presence} } ? undef : 'nothing';
		} ],
	'the state' => [ ['read'], sub { return $_[0]{joined} && $_[0]{joined}{snapshot} ? undef : 'nothing' } ],
	records => [ ['read'], sub {
			my ($c) = @_;
			return 'nothing' unless $c->{id};
			$peer->send({ type => 'talk_record' });
			$peer->sync;
			# All that was logged comes before the answer, or a gap.
			$c->send({ type => 'session_leave', session_id => 'room' });
			my $message;
			my $seen = 0;
			while (($message = $c->next)->{type} ne 'session_left') {
				$seen++ if $message->{type} eq 'talk_record';
				die "a gap\n" if $message->{type} eq 'gap';
			}
			return $seen ? undef : 'nothing';
		} ],
	session_list => [ ['admin'], sub { return refused($_[0], { type => 'session_list', session_id => 'room' }) } ],
);

# What comes of a verb where a right is missing: undef, or a pattern.
sub expected {
	my ($verb, $missing) = @_;
	my ($needs) = @{ $verb{$verb} };
	my $outside = $verb =~ /^(?:join|join again|resume)$/;
	return undef if !$missing;
	return $outside ? qr/^forbidden: .*\bjoin in session room$/ : $verb =~ /^(?:news|the state|records)/ ? qr/^nothing/
	    : $verb eq 'session_list' ? undef : qr/^not_member/
	    if $missing eq 'join';
	return undef unless grep { $_ eq $missing } @$needs;
	return qr/^nothing/ if $missing eq 'read' || $verb =~ /^news/;
	return qr/^forbidden: .*\badmin$/ if $missing eq 'admin';
	return qr/^forbidden: .*\b$missing\b.* in session room$/;
}

my $cells = 0;
my @missing = ('', sort keys %full);
for my $door (sort keys %door) {
	for my $missing (@missing) {
		subtest "$door, " . ($missing ? "without $missing" : 'all rights') => sub {
			for my $verb (sort keys %verb) {
				my (undef, $try, $first) = @{ $verb{$verb} };
				my $c = $door{$door}->({ sub => 'ann', hub => without($missing) });
				if (!$first && $verb ne 'join') {
					$c->send({ type => 'session_associate', session_id => 'room' });
					$c->{joined} = wait_for {
						my ($answer) = grep { /"type":"(?:session_associated|error)"/ } @{ $c->{in} };
						return $answer && unjson($answer);
					} 'an answer to the join', undef, $c;
					$c->{id} = $c->{joined}{client_id};
				}
				my $got = $try->($c);
				my $want = expected($verb, $missing);
				ok(defined $want ? defined $got && $got =~ $want : !defined $got, $verb)
				    or diag('got ' . ($got // 'no refusal'));
				$c->vanish;
				$cells++;
			}
		};
	}
}
is($cells, keys(%door) * keys(%verb) * @missing, 'no cell was left out');

# --- Socket.IO: its verbs, by both of its transports, the token shown in either of its two places. A right that it
# has no verb for is nothing to it.

my %sio_verb = (
	connect => [ [], sub { return } ],
	'an event' => [ [qw(publish types)], sub { return sio_said($_[0], 'talk') } ],
	'state' => [ [qw(publish types)], sub { return sio_said($_[0], 'talk_state', '"key":"k3"') } ],
	'an event from others' => [ ['read'], sub {
			my ($sio, $reads) = @_;
			$peer->send({ type => 'talk_sio', n => ++$n });
			$peer->sync;
			if ($reads) {
				my $packet;
				do { $packet = $sio->packet } until $packet =~ /"talk_sio"/;
				return;
			}
			# Two answers later it would have come.
			my @before = map { sio_said($sio, 'talk'); @{ $sio->{before} } } 1, 2;
			return (grep { /"talk_sio"/ } @before) ? undef : 'nothing';
		} ],
);

# What an event is refused with; what came before is in {before}.
sub sio_said {
	my ($sio, $type, $fields) = @_;
	my $id = ++$n;
	$sio->send("42/room,$id" . qq(["$type",{) . ($fields // '') . '}]');
	my $packet;
	$sio->{before} = [];
	while (($packet = $sio->packet) !~ m{^43/room,$id}) { push @{ $sio->{before} }, $packet }
	my $answer = unjson($packet =~ s{^43/room,\d+}{}r)->[0];
	return $answer->{error} && "$answer->{error}{code}: $answer->{error}{message}";
}

my %sio_door = map {
	my $how = $_;
	("$how, auth" => sub { my $sio = Hub::Sio->new($how, $hub); return ($sio, $sio->connect('/room', { token => token($_[0]) })) },
		"$how, header" => sub {
			my $sio = Hub::Sio->new($how, $hub, headers => [ 'Authorization: Bearer ' . token($_[0]) ]);
			return ($sio, $sio->connect('/room'));
		})
} qw(poll ws);

$cells = 0;
for my $door (sort keys %sio_door) {
	subtest "Socket.IO, $door" => sub {
		for my $missing (@missing) {
			for my $verb (sort keys %sio_verb) {
				my ($needs, $try) = @{ $sio_verb{$verb} };
				my ($sio, $answer) = $sio_door{$door}->({ sub => 'ann', hub => without($missing) });
				my $name = "$verb, " . ($missing ? "without $missing" : 'all rights');
				$cells++;
				if ($missing eq 'join') {
					is($answer->{data}{code}, 'forbidden', "$name: forbidden");
					like($answer->{message} // $answer->{data}{message}, qr/right join in session room/, 'which is named');
					next;
				}
				is($answer->{type}, 0, "$name: connected");
				my $got = $try->($sio, $missing ne 'read');
				my $refused = grep { $_ eq $missing } @$needs;
				is($got, undef, 'done') if !$refused;
				like($got, $missing eq 'read' ? qr/^nothing$/ : qr/^forbidden: .*\b$missing\b.* in session room$/, 'refused') if $refused;
			}
		}
	};
}
is($cells, keys(%sio_door) * keys(%sio_verb) * @missing, 'no cell was left out');

# --- what rights mean

subtest 'globs' => sub {
	my $c = bearer({ sub => 'ann', hub => { join => [ 'world_*', 'of_$user', 'x?' ], publish => ['world_1'], types => ['chat_*'] } });
	my $join = sub {
		$c->send({ type => 'session_associate', session_id => $_[0] });
		my $answer = $c->wait_type($_[1] ? 'session_associated' : 'error');
		return $_[1] || $answer->{data}{code};
	};
	is($join->($_, 1), 1, "$_: may be joined") for 'world_1', 'world_2', 'of_ann', 'xy';
	is($join->($_, 0), 'forbidden', "$_: may not") for 'World_1', 'my_world_1', 'of_bob', 'of_$user' =~ s/\$//r, 'xyz', '*' =~ s/\*/lobby/r;
	my $say = sub {
		$c->send({ type => $_[1], session_id => $_[0], msg_id => 'm' . ++$n });
		my ($answer) = grep { ($_->{msg_id} // '') eq "m$n" && $_->{type} =~ /^(?:ack|error)$/ } $c->sync;
		return $answer->{data} ? $answer->{data}{message} : $answer->{type};
	};
	is($say->('world_1', 'chat_a'), 'ack', 'may be said');
	like($say->('world_2', 'chat_a'), qr/right publish in session world_2/, 'not there');
	like($say->('world_1', 'move'), qr/right types for move in session world_1/, 'not of that type');
	my $star = bearer({ sub => '*', hub => { join => ['$user'] } });
	$star->send({ type => 'session_associate', session_id => 'world_1' });
	is($star->next->{data}{code}, 'forbidden', 'a user called * is no glob');
	my $none = bearer({ sub => 'ann', hub => {} });
	$none->send({ type => 'session_associate', session_id => 'room' });
	is($none->next->{data}{code}, 'forbidden', 'what is not named is not given');
	my $nobody = bearer({ hub => { join => [ '$user*', 'a' ] } });
	$nobody->send({ type => 'session_associate', session_id => 'room' });
	is($nobody->next->{data}{code}, 'forbidden', 'nobody is no user');
};

subtest 'who said it' => sub {
	my $ann = bearer({ sub => "Zo\x{eb} \"\n", profile => { rank => 3, n => [1] } });
	my $bob = bearer({ sub => 'bob' });
	my $reader = $hub->member('unix', 'who');
	$_->join_session('who', echo => \0) for $ann, $bob;
	$bob->send_text('{"type":"x","user":"root"}', '{"user":"root","type":"x","us\u0065r2":1}', '{"us\u0065r":"root","type":"x"}');
	$bob->send_text('{"type":"x","user":"a","user":"b","msg_id":"u"}');
	is($bob->wait_type('error')->{data}{code}, 'bad_field', 'two of them are refused');
	for (1 .. 3) {
		my ($text) = do { wait_for { @{ $reader->{in} } } 'a record', undef, $reader; shift @{ $reader->{in} } };
		is_deeply([ unjson($text)->{user}, scalar(() = $text =~ /"user":/g) ], [ 'bob', 1 ], 'a forged user is cut out');
		like($text, qr/,"from":"\w{11}","user":"bob","seq":\d+\}$/, 'the hub\'s stands behind from');
	}
	$ann->send({ type => 'y' });
	is($reader->wait_type('y')->{user}, "Zo\x{eb} \"\n", 'any name there is');
	$reader->send({ type => 'y', user => 'ann' });
	ok(!exists $reader->wait_type('y')->{user}, 'who has no token has no user, nor says one');
	$ann->send({ type => 'z', to => $reader->{id} });
	is($reader->wait_type('z')->{user}, "Zo\x{eb} \"\n", 'direct messages say it, too');

	$ann->send({ type => 'client_info', user => 'root', info => 1 });
	$ann->sync;
	$reader->send({ type => 'presence' });
	my %by = map { ($_->{user} // '') => $_ } @{ $reader->wait_type('presence')->{members} };
	is_deeply([ map { delete $_->{client_id}; $_ } @by{ "Zo\x{eb} \"\n", 'bob', '' } ],
		[ { user => "Zo\x{eb} \"\n", user_info => { rank => 3, n => [1] }, info => { user => 'root', info => 1 } },
			{ user => 'bob' }, {} ], 'presence shows who is who');
	$ann->send({ type => 'authenticate', token => token({ sub => "Zo\x{eb} \"\n", profile => 7 }) });
	$ann->wait_type('authenticated');
	$reader->send({ type => 'presence' });
	%by = map { ($_->{user} // '') => $_ } @{ $reader->wait_type('presence')->{members} };
	is_deeply([ @{ $by{"Zo\x{eb} \"\n"} }{qw(user_info info)} ], [ 7, { user => 'root', info => 1 } ], 'also after a renewal');
};

subtest 'to a user' => sub {
	my @ann = map { bearer({ sub => 'ann' }) } 1 .. 5;
	my @bob = (bearer({ sub => 'bob' }), authenticated($hub->unix, { sub => 'bob' }));
	my $other = bearer({ sub => 'ann' });
	$_->join_session('users') for @ann, @bob;
	$other->join_session('elsewhere');
	$bob[0]->send({ type => 'hi', to => '@ann', msg_id => 'h1' });
	is($bob[0]->wait_type('ack')->{msg_id}, 'h1', 'acknowledged');
	is($_->wait_type('hi')->{user}, 'bob', 'each connection gets it') for @ann;
	$bob[0]->send({ type => 'both', to => [ '@ann', '@bob', $ann[0]{joined}{client_id} // $ann[0]{id}, '@carl' ], msg_id => 'h2' });
	like($bob[0]->wait_type('error')->{data}{message}, qr/not in session users: \@carl/, 'who is not there is named');
	$_->wait_type('both') for @ann, @bob;
	is_deeply([ grep { $_->{type} =~ /hi|both/ } $other->sync ], [], 'not who is in another session');
	$ann[0]->vanish;
	$ann[1]->send({ type => 'session_leave' });
	$ann[1]->wait_type('session_left');
	$bob[1]->send({ type => 'again', to => '@ann' });
	$_->wait_type('again') for @ann[ 2 .. 4 ];
	$_->vanish for @ann[ 2 .. 4 ];
	wait_for {
		$bob[1]->send({ type => 'gone', to => '@ann' });
		return (grep { $_->{type} eq 'error' } $bob[1]->sync);
	} 'ann to be gone';
	pass('until nobody is left');
	my $long = 'u' x 255;
	my $c = bearer({ sub => $long });
	$c->join_session('users');
	$bob[0]->send({ type => 'long', to => "\@$long" });
	is($c->wait_type('long')->{type}, 'long', 'a long name');
};

subtest 'roles' => sub {
	my $sensor = bearer({ sub => 'sensor', hub => { join => ['lab'], publish => ['lab'], read => [] } });
	my $viewer = bearer({ sub => 'viewer', hub => { join => ['lab'] } });
	my $answer = $sensor->join_session('lab', since => 0);
	is_deeply([ @$answer{qw(snapshot recovered)} ], [ 0, JSON::PP::false() ], 'a sensor gets no past');
	$viewer->join_session('lab');
	$sensor->send(map { { type => 'reading', n => $_ } } 1 .. 300);
	is($viewer->wait_type('reading')->{n}, $_, 'read') for 1, 2;
	$viewer->send({ type => 'x', msg_id => 'v' });
	is($viewer->wait_type('error')->{data}{code}, 'forbidden', 'a viewer says nothing');
	is_deeply([ grep { $_->{type} eq 'reading' } $sensor->sync ], [], 'a sensor hears nothing');
	$viewer->wait_type('reading') for 3 .. 300;
	$sensor->send({ type => 'authenticate', token => token({ sub => 'sensor' }) }, { type => 'reading', n => 301 });
	is($sensor->wait_type('reading')->{n}, 301, 'until it may');
	$sensor->send({ type => 'authenticate', token => token({ sub => 'sensor', hub => { join => ['lab'], publish => ['lab'], read => [] } }) },
		{ type => 'reading', n => 302 });
	$sensor->wait_type('authenticated') for 1 .. 2;
	$viewer->wait_type('reading') for 301, 302;
	is_deeply([ grep { $_->{type} eq 'reading' } $sensor->sync ], [], 'and no more when it may not');
	$sensor->send({ type => 'session_leave' });
	is_deeply($sensor->wait_type('session_left')->{user_count}, 1, 'it leaves without a gap');
};

subtest 'renewal with less' => sub {
	my $c = bearer({ sub => 'ann' });
	$c->join_session($_) for 'a', 'b', 'c';
	$c->send({ type => 'authenticate', token => token({ sub => 'ann', hub => { join => ['b'] } }) });
	is($c->wait_type('authenticated')->{user}, 'ann', 'renewed');
	my @told = $c->sync;
	is_deeply([ sort map { $_->{session_id} } grep { $_->{type} eq 'session_left' } @told ], [ 'a', 'c' ],
		'it leaves what it may not be in');
	is_deeply([ sort map { $_->{data}{message} =~ /join in session (\w)$/ } grep { $_->{type} eq 'error' } @told ], [ 'a', 'c' ],
		'and is told why');
	$c->send({ type => 'x', session_id => 'b', msg_id => 'r' });
	is((grep { ($_->{msg_id} // '') eq 'r' } $c->sync)[0]{data}{code}, 'forbidden', 'and says no more in the other');
};

subtest 'rate' => sub {
	my $c = bearer({ sub => 'ann', hub => { join => ['*'], publish => ['*'], read => [], rate => 5 } });
	$c->join_session('rate');
	$c->send(map { { type => 'x', msg_id => "r$_" } } 1 .. 40);
	my @answers = grep { ($_->{msg_id} // '') =~ /^r/ } $c->sync;
	is(scalar @answers, 40, 'each is answered');
	my @limited = grep { $_->{type} eq 'error' && $_->{data}{code} eq 'rate_limited' } @answers;
	cmp_ok(scalar @limited, '>', 0, 'too many are refused: rate_limited');
	is_deeply([ map { $_->{type} } @answers[ 0 .. 4 ] ], [ ('ack') x 5 ], 'a second\'s worth may come at once');
	wait_for {
		$c->send({ type => 'x', msg_id => 'later' . ++$n });
		return grep { $_->{type} eq 'ack' } $c->sync;
	} 'the budget to come back';
	pass('and more later');
};

subtest 'resume tokens are their user\'s' => sub {
	my $ann = bearer({ sub => 'ann' });
	my $joined = $ann->join_session('mine');
	$ann->vanish;
	my $eve = bearer({ sub => 'eve' });
	isnt($eve->join_session('mine', resume => $joined->{resume})->{client_id}, $joined->{client_id}, 'of nobody else');
	my $anon = $hub->unix;
	isnt($anon->join_session('mine', resume => $joined->{resume})->{client_id}, $joined->{client_id}, 'not even of who is trusted');
	my $again = bearer({ sub => 'ann' });
	is($again->join_session('mine', resume => $joined->{resume})->{client_id}, $joined->{client_id}, 'the same user comes back');
};

$hub->stop;
done_testing;

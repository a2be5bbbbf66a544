# Tokens at the door: the ways to show one, what is said where it is bad or missing, its end and its renewal,
# and where a hub listens that has no keys.
use strict;
use warnings;
use Hub;
use Hub::Token;

my $key = key_file();
my $hub = Hub->start(args => [ '--auth-key', $key, '--allow-query-token', '--log-level', 'debug' ]);
my @shown;    # all tokens, to look for in the log

sub shown {
	push @shown, token(@_);
	return $shown[-1];
}

# The answer to a first message with its code, where it is an error.
sub try_join {
	my ($c) = @_;
	$c->send({ type => 'session_associate', session_id => 'room' });
	my $answer = $c->next;
	return $answer->{type} eq 'error' ? $answer->{data}{code} : $answer->{type};
}

my %ways = (
	'Authorization' => sub { return (headers => ["Authorization: Bearer $_[0]"]) },
	'in lower case' => sub { return (headers => ["authorization: bearer   $_[0]"]) },
	'a subprotocol' => sub { return (protocol => "hub, hub.token.$_[0]") },
	'the only subprotocol' => sub { return (protocol => "hub.token.$_[0]") },
	'the query' => sub { return (path => "/ws?a=b&token=$_[0]") },
);

subtest 'ways to show a token' => sub {
	for my $way (sort keys %ways) {
		my $c = $hub->ws($ways{$way}->(shown({ sub => 'ann' })));
		is(try_join($c), 'session_associated', $way);
		my $protocol = $c->{headers}{'sec-websocket-protocol'};
		is($protocol, $way eq 'a subprotocol' ? 'hub' : undef, 'the answer names the subprotocol hub, or none');
	}
	my $c = $hub->ws;
	$c->send({ type => 'authenticate', token => shown({ sub => 'ann', exp => 2000000000 }), msg_id => 'm1' });
	is_deeply($c->next, { type => 'authenticated', user => 'ann', exp => 2000000000, msg_id => 'm1' }, 'a message');
	is(try_join($c), 'session_associated', 'and then');
	is(try_join($hub->unix), 'session_associated', 'the Unix socket needs none');
	my $long = $hub->ws($ways{Authorization}->(shown({ sub => 'ann', x => 'x' x 5000 })));
	is(try_join($long), 'session_associated', 'a long one');
};

subtest 'bad tokens at the handshake' => sub {
	my %bad = (
		'of another key' => shown({ sub => 'ann' }, secret => 'x' x 32), expired => shown({ exp => time - 61 }),
		'for others' => shown({ aud => 'x' }), 'alg none' => shown({}, header => { alg => 'none' }), 'no token' => 'x',
		'too long' => shown({ x => 'x' x 6500 }), 'a wrong right' => shown({ hub => { join => 'all' } }),
		'a wrong rate' => shown({ hub => { rate => 0 } }), 'a wrong flag' => shown({ hub => { admin => 1 } }),
	);
	my $before = $hub->health->{tokens_refused};
	for my $name (sort keys %bad) {
		for my $way (grep { !($name eq 'too long' && $_ eq 'the query') } sort keys %ways) {
			my $c = $hub->ws($ways{$way}->($bad{$name}), refused => 1);
			is($c->{status}, 401, "$name, $way: 401");
			is($c->{headers}{'www-authenticate'},
				'Bearer realm="hub", error="invalid_token", error_description="the token is not valid"', 'and no more is told');
			unlike($c->{body}, qr/eyJ/, 'it is not sent back');
		}
	}
	cmp_ok($hub->health->{tokens_refused} - $before, '>=', 40, 'they are counted');
	my $c = $hub->ws(headers => [ 'Authorization: Bearer ' . shown({}) ], protocol => 'hub, hub.token.' . shown({}), refused => 1);
	is($c->{status}, 400, 'two tokens: 400');
	like($c->{headers}{'www-authenticate'}, qr/error="invalid_request"/, 'that is what is wrong');
	is($hub->ws(headers => ['Authorization: Basic YTpi'], refused => 1)->{status}, 101, 'another scheme is none of ours');
};

subtest 'without a token' => sub {
	my $c = $hub->ws;
	for my $message ({ type => 'session_associate', session_id => 'room' }, { type => 'ping' }, { type => 'x' },
		{ type => 'session_list' }, { type => 'presence' }, { type => 'client_info' }) {
		$c->send({ %$message, msg_id => 'a' });
		my $answer = $c->next;
		is_deeply([ $answer->{data}{code}, $answer->{msg_id} ], [ 'unauthenticated', 'a' ], "$message->{type}: unauthenticated");
	}
	my $silent = $hub->ws;
	for my $one ($c, $silent) {
		is($one->closed, 4401, 'closed after a while, 4401');
	}
	for my $bad ({ token => shown({}, secret => 'y' x 40) }, { token => 1 }, {}, { token => "a\\u002eb" }) {
		my $one = $hub->ws;
		$one->send({ type => 'authenticate', %$bad });
		my $answer = $one->next;
		like($answer->{data}{code}, qr/^(?:unauthorized|bad_field)$/, 'a bad one is refused');
		unlike(json($answer), qr/eyJ/, 'and not sent back');
		is($one->closed, 4401, 'that was the only try: 4401');
	}
};

subtest 'the end of a token' => sub {
	my $c = $hub->ws($ways{Authorization}->(shown({ sub => 'ann', exp => time - 57 })));
	my $exp = $c->wait_type('token_expiring')->{exp};
	cmp_ok($exp, '<', time, 'token_expiring says when');
	is($c->closed, 4401, 'at its end: 4401');

	$c = $hub->ws($ways{Authorization}->(shown({ sub => 'ann', exp => time - 55 })));
	is(try_join($c), 'session_associated', 'within the leeway it is good');
	$c->send({ type => 'authenticate', token => shown({ sub => 'bob' }) });
	is($c->wait_type('error')->{data}{code}, 'forbidden', 'renewed by another user: forbidden');
	$c->send({ type => 'authenticate', token => 'x' });
	is($c->wait_type('error')->{data}{code}, 'unauthorized', 'by a bad one: unauthorized, and it stays');
	$c->send({ type => 'authenticate', token => shown({ sub => 'ann', exp => time + 600 }) });
	is($c->wait_type('authenticated')->{user}, 'ann', 'by its own: renewed');
	my $other = $hub->ws($ways{Authorization}->(shown({ sub => 'eve', exp => time - 55 })));
	is($other->closed, 4401, 'one that was not is closed meanwhile');
	is_deeply([ grep { $_->{type} ne 'token_expiring' } $c->sync ], [], 'the renewed one lives');
	$c->send({ type => 'hello' });
	is($c->wait_type('hello')->{user}, 'ann', 'as the same user in the same session');
};

subtest 'the Unix socket' => sub {
	my $c = $hub->unix;
	$c->send({ type => 'authenticate', token => shown({ sub => 'ann', hub => { join => ['mine'] } }) });
	is($c->next->{user}, 'ann', 'may be somebody');
	is(try_join($c), 'forbidden', 'and is held to it');
	my $late = $hub->member('unix', 'room');
	$late->send({ type => 'authenticate', token => shown({ sub => 'ann' }) });
	is($late->wait_type('error')->{data}{code}, 'forbidden', 'but not once it is in a session');
};

# Its end has written all that waited.
$hub->stop;
my $log = slurp($hub->{log}) . slurp("$hub->{log}.err");
like($log, qr/token refused: bad_signature/, 'the log says why one is refused');
like($log, qr/token refused: bad_claim: hub\.$_$/m, "and which claim it is: hub.$_") for qw(join rate admin);
is((grep { index($log, $_) >= 0 } grep { length > 20 } @shown), 0, 'no token is in the log');
unlike($log, qr/eyJ/, 'nor a part of one');

subtest 'options' => sub {
	my $strict = Hub->start(args => [ '--auth-key', $key, '--auth-audience', 'hub', '--auth-audience', 'hub2', '--auth-issuer', 'me' ]);
	my %case = (101 => { aud => 'hub2', iss => 'me' }, 401 => { aud => 'hub', iss => 'you' });
	is($strict->ws($ways{Authorization}->(token($case{$_})), refused => 1)->{status}, $_, "aud and iss: $_") for sort keys %case;
	is($strict->ws($ways{Authorization}->(token({ iss => 'me' })), refused => 1)->{status}, 401, 'no aud: 401');
	is($strict->ws($ways{'the query'}->(token({ aud => 'hub', iss => 'me' })), refused => 1)->{status}, 101, 'a query is passed over');
	my $c = $strict->ws($ways{'the query'}->(token({ aud => 'hub', iss => 'me' })));
	is(try_join($c), 'unauthenticated', 'and counts for nothing');
	$strict->stop;

	my $open = Hub->start;
	is(try_join($open->ws($ways{$_}->('rubbish'))), 'session_associated', "without keys, $_: nobody looks") for sort keys %ways;
	my $c2 = $open->ws;
	$c2->send({ type => 'authenticate', token => token({}) });
	is($c2->next->{data}{code}, 'unauthorized', 'authenticate: unauthorized');
	$open->stop;

	spew(scratch() . '/open.key', 'x' x 40);
	chmod 0644, scratch() . '/open.key';
	for my $bad (scratch() . '/open.key', scratch() . '/none', '/') {
		my $r = Hub->refuses('--socket', 'none', '--listen', '127.0.0.1:0', '--auth-key', $bad);
		is($r->{status}, 78, 'a bad key file: 78');
		like($r->{err}, qr/^hubd: auth-key \Q$bad\E: [^\n]+$/, 'named, with the reason');
	}
};

subtest 'where a hub without keys listens' => sub {
	for my $address ('0.0.0.0:0', ':0', '[::]:0') {
		my $r = Hub->refuses('--socket', 'none', '--listen', $address);
		is($r->{status}, 78, "$address: 78");
		like($r->{err}, qr/\Q$address\E.*auth-key.*insecure/, 'says why, and what to do');
	}
	for my $args ([ '127.0.0.1:0' ], [ '127.9.8.7:0' ], [ '0.0.0.0:0', '--insecure' ], [ '0.0.0.0:0', '--auth-key', $key ]) {
		my ($address, @more) = @$args;
		my $one = Hub->start(listen => $address, args => \@more);
		pass("$address @more: listens");
		$one->stop;
	}
};

done_testing;

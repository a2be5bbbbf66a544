# Tokens and rights at the HTTP doors: each path with no token, a bad one, each right missing, and all of them.
use strict;
use warnings;
use Hub;
use Hub::Token;

my $hub = Hub->start(args => [ '--auth-key', key_file() ]);
my $peer = $hub->member('unix', 'room');
$peer->send({ type => 'state', key => 'k' });
$peer->sync;

# The answer to METHOD PATH with a token, or none.
sub ask {
	my ($method, $path, $token, $body) = @_;
	$body //= '';
	if ($path =~ /events$/) {
		# An answer without an end.
		my $c = $hub->tcp;
		$c->send_bytes(join "\r\n", "$method $path HTTP/1.1", 'Host: localhost', 'Connection: close',
			(defined $token ? "Authorization: Bearer $token" : ()), '', '');
		wait_for { $c->{status} && ($c->{status} == 200 || $c->{complete} || $c->{gone}) } 'an answer', undef, $c;
		return $c;
	}
	return $hub->get($path, raw => join "\r\n", "$method $path HTTP/1.1", 'Host: localhost', 'Connection: close',
		(defined $token ? "Authorization: Bearer $token" : ()),
		(length $body ? ('Content-Type: application/x-ndjson', 'Content-Length: ' . length $body) : ()), '', $body);
}

my %full = (join => ['room'], publish => ['room'], types => ['talk'], read => ['room'], presence => \1, admin => \1);
my %path = (
	'GET /sessions' => ['admin'], 'GET /sessions/room/state' => [ 'join', 'read' ],
	'GET /sessions/room/state/k' => [ 'join', 'read' ], 'GET /sessions/room/records' => [ 'join', 'read' ],
	'GET /sessions/room/events' => [ 'join', 'read' ], 'HEAD /sessions/room/records' => [ 'join', 'read' ],
	'GET /sessions/room/presence' => [ 'join', 'presence' ], 'POST /sessions/room/records' => [ 'join', 'publish' ],
);
for my $what (sort keys %path) {
	my ($method, $path) = split / /, $what;
	my $body = $method eq 'POST' ? qq({"type":"talk","user":"root"}\n) : '';
	my $none = ask($method, $path, undef, $body);
	is($none->{status}, 401, "$what, no token: 401");
	like($none->{headers}{'www-authenticate'}, qr/^Bearer /, 'a challenge');
	like($none->{body}, qr/"code":"unauthenticated"/, 'as at other doors') unless $method eq 'HEAD';
	my $bad = ask($method, $path, token({}, secret => 'x' x 40), $body);
	is($bad->{status}, 401, "$what, a bad one: 401");
	like($bad->{body}, qr/"code":"unauthorized"/, 'as at other doors') unless $method eq 'HEAD';
	for my $right (sort keys %full) {
		my %less = (%full, $right => ref $full{$right} eq 'ARRAY' ? ['other'] : \0);
		my $answer = ask($method, $path, token({ sub => 'ann', hub => \%less }), $body);
		my $needs = grep { $_ eq $right } @{ $path{$what} };
		is($answer->{status}, $needs ? 403 : 200, "$what, without $right: $answer->{status}");
		like($answer->{body}, qr/right $right/, 'and names it') if $needs && $method ne 'HEAD';
	}
	is(ask($method, $path, token({ sub => 'ann', hub => \%full }), $body)->{status}, 200, "$what, all rights: 200");
}
is(ask('GET', $_)->{status}, 200, "$_: 200 for everybody") for '/healthz', '/metrics';
my $typed = ask('POST', '/sessions/room/records', token({ sub => 'ann', hub => \%full }), qq({"type":"other","msg_id":"t"}\n));
like($typed->{body}, qr/forbidden.*right types for other in session room/, 'a type that may not be');
my @talks = grep { $_->{type} eq 'talk' } $peer->sync;
cmp_ok(scalar @talks, '>', 3, 'what was posted is there');
is_deeply([ grep { ($_->{user} // '') ne 'ann' } @talks ], [], 'as of its user');
is(ask('GET', '/sessions/other/state', token({ sub => 'ann', hub => \%full }))->{status}, 403, 'another session: 403');
# What one user has called a message is no repeat of another's.
my %said;
for my $user (qw(ann bob ann)) {
	my $answer = ask('POST', '/sessions/twice/records', token({ sub => $user }), qq({"type":"talk","msg_id":"first"}\n));
	my ($seq) = $answer->{body} =~ /"seq":(\d+)/;
	push @{ $said{$user} }, $seq // $answer->{body};
}
is_deeply(\%said, { ann => [ 1, 1 ], bob => [2] }, 'each has message ids of his own');
my ($ann, $bob) = map { unjson($_)->{from} } split /\n/, ask('GET', '/sessions/twice/records', token({ sub => 'ann' }))->{body};
isnt($ann, $bob, 'since each is a client of his own');
my $events = $hub->tcp;
$events->send_bytes("GET /sessions/room/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
wait_for { $events->{status} } 'an answer', undef, $events;
is($events->{status}, 401, 'events, no token: 401');
$events = $hub->tcp;
$events->send_bytes("GET /sessions/room/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " . token({ exp => time - 55 }) . "\r\n\r\n");
wait_for { $events->{status} } 'an answer', undef, $events;
is($events->{status}, 200, 'events with a token: 200');
wait_for { $events->{gone} } 'the end of the token', undef, $events;
pass('they end with it');
$hub->stop;
done_testing;

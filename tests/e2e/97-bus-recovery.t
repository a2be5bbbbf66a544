# Long. A client of Socket.IO whose network is cut, each of whose connections is to another one of two hubds: it comes
# back each time, and gets all events, once and in order. So it does in rooms, as long as the hubd that it comes from runs;
# of one that was killed nobody knows its rooms, which it is told.
use strict;
use warnings;
use Hub;
use Hub::Npm;
use Hub::Redis;
use Hub::Sio;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $modules = Hub::Npm::socketio();
plan skip_all => 'npm brings no socket.io-client here' unless $modules;

chance();
my $redis = Hub::Redis->start;
my $rules = scratch() . '/rules';
mkdir $rules or die "$rules: $!\n";
spew("$rules/connect.jq", 'if .args[0].writes then empty else {do: "join", session: ("den" + .session, "hut" + .session)} end');
spew("$rules/say.jq", '{do: "publish", session: .args[0].session, type: "n", data: .args[0]}');
my @options = qw(--ping 0.5 --pong 1.5 --slow-after 600 --history 100000 --history-bytes 64M);

# A client that is cut, in rooms or not: what it says of it.
sub cuts {
	my ($session, $hubs, @rooms) = @_;
	my $r = run([ Hub::Npm::program('node'), root() . '/tests/clients/socketio_cuts.js', 'sio4', join(',', map { $_->{port} } @$hubs), $session, 'websocket', 40,
		int rand 1 << 30, @rooms ], env => { NODE_PATH => $modules });
	is($r->{status}, 0, 'it ends well') or diag($r->{err});
	my $got = unjson($r->{out});
	is($got->{wrong}, undef, "$got->{sent} events, once and in order") or diag(json($got));
	return $got;
}

subtest 'in a namespace' => sub {
	my @hub = map { $redis->hub(args => \@options) } 1 .. 2;
	my $got = cuts('cuts', \@hub);
	is("$got->{cut} $got->{fresh}", '40 0', "all cuts, after which it came back, $got->{recovered} times");
	$_->stop for @hub;
};

subtest 'in rooms' => sub {
	# However slow, none is to count as killed.
	my @hub = map { $redis->hub(args => [ @options, '--rules', $rules, '--bus-node-timeout', 300 ]) } 1 .. 2;
	my $got = cuts('rooms', \@hub, 'denrooms', 'hutrooms');
	is("$got->{cut} $got->{fresh} $got->{joined}", '40 0 2', "all cuts, after which it came back, $got->{recovered} times");
	$_->stop for @hub;
};

subtest 'from one that is gone' => sub {
	my @hub = map { $redis->hub(args => [ @options, '--rules', $rules ]) } 1 .. 2;
	my $sio = Hub::Sio->ws($hub[0]);
	my $hello = $sio->connect('/gone');
	my ($place) = map { m{"([^"]+/[^"]+)"\]$} } $sio->packet, $sio->packet;
	ok($place, 'it is in rooms');
	my $other = $hub[1]->member('unix', 'gone');
	$other->send({ type => 'before', args => [] });
	like($sio->packet, qr/"before"/, 'and in a namespace that the other one has as well');
	$hub[0]{proc}->kill('KILL');
	$hub[0]{proc}->wait;
	$hub[0]->forget;
	$other->send({ type => 'missed', args => [] });
	my $again = Hub::Sio->ws($hub[1])->connect('/gone', { pid => $hello->{pid}, offset => $place });
	is($again->{sid}, $hello->{sid}, 'it is who it was');
	isnt($again->{pid}, $hello->{pid}, 'but not where it was');
	is_deeply([ map { /"(before|missed)"/ } @{ $again->{before} } ], [qw(before missed)], 'and has what it has missed in the namespace');
	$hub[1]->stop;
};

done_testing;

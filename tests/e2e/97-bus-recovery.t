# Long. A client of Socket.IO whose network is cut, each of whose connections is to another one of two hubds: it comes
# back each time, and gets all events, once and in order.
use strict;
use warnings;
use Hub;
use Hub::Npm;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $modules = Hub::Npm::socketio();
plan skip_all => 'npm brings no socket.io-client here' unless $modules;

chance();
my $redis = Hub::Redis->start;
my @options = qw(--ping 0.5 --pong 1.5 --slow-after 600 --history 100000 --history-bytes 64M);

# A client that is cut, in rooms or not: what it says of it.
sub cuts {
	my ($session, $hubs, @rooms) = @_;
	my $r = run([ Hub::Npm::program('node'), root() . '/tests/clients/socketio_cuts.js', 'sio4', join(',', map { $_->{port} } @$hubs), $session, 'websocket', 40,
		int rand 1 << 30, @rooms ], env => { NODE_PATH => $modules });
	is($r->{status}, 0, 'it ends well') or diag($r->{err});
	my $got = unjson($r->{out});
	is($got->{wrong}, undef, "$got->{sent} events, once and in order");
	return $got;
}

subtest 'in a namespace' => sub {
	my @hub = map { $redis->hub(args => \@options) } 1 .. 2;
	my $got = cuts('cuts', \@hub);
	is("$got->{cut} $got->{fresh}", '40 0', "all cuts, after which it came back, $got->{recovered} times");
	$_->stop for @hub;
};

done_testing;

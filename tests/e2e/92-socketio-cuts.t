# Not under sanitizers.
# Long. The network of a client of Socket.IO is cut at 200 moments, while it connects, polls, goes on
# over a WebSocket, or is there over one: it comes back each time, and gets all events, once and in order. So it does
# where it is in rooms, which it is in again.
use strict;
use warnings;
use Hub;
use Hub::Npm;

my $modules = Hub::Npm::socketio();
plan skip_all => 'npm brings no socket.io-client here' unless $modules;
my $node = Hub::Npm::program('node');

chance();
my $hub = Hub->start(only => [ qw(--socket none --listen 127.0.0.1:0 --workers 2 --ping 0.5 --pong 1.5 --slow-after 600
	--history 100000 --history-bytes 64M) ]);
my $rules = scratch() . '/rules';
mkdir $rules or die "$rules: $!\n";
spew("$rules/connect.jq", 'if .args[0].writes then empty else {do: "join", session: ("den" + .session, "hut" + .session)} end');
spew("$rules/say.jq", '{do: "publish", session: .args[0].session, type: "n", data: .args[0]}');
my $ruled = Hub->start(only => [ qw(--socket none --listen 127.0.0.1:0 --workers 2 --ping 0.5 --pong 1.5 --slow-after 600
	--history 100000 --history-bytes 64M --rules), $rules ]);
my $n = 0;
for my $transports ('polling', 'polling,websocket', 'websocket') {
	my $cuts = $transports eq 'websocket' ? 60 : 70;
	my $seed = int rand 1 << 30;
	my $r = run([ $node, root() . '/tests/clients/socketio_cuts.js', 'sio4', $hub->{port}, 'cuts' . ++$n, $transports, $cuts, $seed ],
		env => { NODE_PATH => $modules });
	is($r->{status}, 0, "$transports: it ends well") or diag($r->{err});
	my $got = unjson($r->{out});
	is($got->{wrong}, undef, "$got->{sent} events, once and in order");
	is("$got->{cut} $got->{fresh}", "$cuts 0", "all cuts, after which it came back, $got->{recovered} times");
}
for my $transports ('polling', 'polling,websocket', 'websocket') {
	my $seed = int rand 1 << 30;
	my $session = 'cuts' . ++$n;
	my $r = run([ $node, root() . '/tests/clients/socketio_cuts.js', 'sio4', $ruled->{port}, $session, $transports, 40, $seed, "den$session", "hut$session" ],
		env => { NODE_PATH => $modules });
	is($r->{status}, 0, "rooms, $transports: it ends well") or diag($r->{err});
	my $got = unjson($r->{out});
	is($got->{wrong}, undef, "$got->{sent} events, in each once and in order");
	is("$got->{cut} $got->{fresh} $got->{joined}", '40 0 2', "all cuts, after which it came back, $got->{recovered} times");
}
$_->stop for $hub, $ruled;
done_testing;

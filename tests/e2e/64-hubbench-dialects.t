# hubbench at a server that speaks otherwise: it says within 2 seconds which option helps.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use IO::Socket::INET;

my $hub = Hub->start;
my $at = "ws://127.0.0.1:$hub->{port}";

sub ended {
	my ($url, @args) = @_;
	my $started = now();
	my $run = run([ 'hubbench', '-u', $url, '-c', 5, @args ]);
	$run->{took} = now() - $started;
	return $run;
}

sub says {
	my ($name, $run, $option) = @_;
	is($run->{status}, 69, "$name: exit 69");
	like($run->{err}, qr/\Ahubbench: [^\n]*the server speaks [^\n]*$option\n\z/, "with the option: $option");
	unlike($run->{out}, qr/verdict/, 'and reports no figures');
}

says('Socket.IO, asked as a hub', ended(wrong_server(socketio => 1)->{url}), '--dialect socketio');
says('Socket.IO, asked as raw', ended(wrong_server(socketio => 1)->{url}, '--dialect', 'raw'), '--dialect socketio');
says('one that repeats what it gets, asked as a hub', ended(wrong_server()->{url}), '--dialect raw');
my $spoken = ended($at, '--dialect', 'socketio', '--no-echo', '-d', 0.5, '--warmup', 0);
is($spoken->{status}, 0, 'hubd speaks Socket.IO, too') or diag($spoken->{out}, $spoken->{err});
my $spaces = ended($at, qw(--dialect socketio --namespace n -s 2 -c 6 --publishers 2 --closed 3 -d 0.5 --warmup 0));
is($spaces->{status}, 0, 'in namespaces, with an echo') or diag($spaces->{out}, $spaces->{err});
like($spaces->{out}, qr/lost 0, duplicated 0/, 'all comes');
is(ended($at, qw(--dialect socketio --namespace n --room r))->{status}, 64, 'not in rooms as well');
says('a hub asked as Socket.IO, at another path', ended("$at/ws", '--dialect', 'socketio'), '--dialect hub');
says('a hub, asked as raw', ended($at, '--dialect', 'raw'), '--dialect hub');
says('the same, at its path', ended("$at/ws", '--dialect', 'raw'), '--dialect hub');
says('a hub at another path', ended("$at/other"), 'path /ws');

# The real one, where it is there (make bench-peers).
my ($modules) = grep { -d "$_/socket.io" } map { "$_/bench/peers/node_modules" } $ENV{HUB_BUILD}, root() . '/build';
SKIP: {
	skip 'no socket.io here', 3 if !$modules;
	my $js = spew(scratch() . '/server.js',
		"const http = require('http').createServer();\n",
		"new (require('$modules/socket.io').Server)(http);\n",
		"http.listen(0, '127.0.0.1', () => console.log(http.address().port));\n");
	my $server = spawn([ 'node', $js ]);
	wait_for { slurp($server->{out}) =~ /\n/ } 'a server';
	chomp(my $port = slurp($server->{out}));
	says('socket.io, at the path of a hub', ended("ws://127.0.0.1:$port"), '--dialect socketio');
	$server->kill('KILL');
}

subtest 'one that says nothing' => sub {
	# It takes the upgrade, and is silent.
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50) or die "listen: $!";
	my $url = 'ws://127.0.0.1:' . $listener->sockport;
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', $url, '-c', 1 ]);
	my $c = $listener->accept;
	my $head = '';
	sysread $c, $head, 1000, length $head until $head =~ /\r\n\r\n/;
	syswrite $c, join "\r\n", 'HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
	    'Sec-WebSocket-Accept: plKcVnvSdngjwvk27XQyf5CVmAU=', '', '';
	wait_for { slurp($proc->{err}) =~ /\n/ } 'it to say so';
	like(slurp($proc->{err}), qr/does not answer in the dialect hub: try --dialect raw, --dialect socketio\n/, 'what may be tried');
	ok($proc->running, 'but it goes on: the server may be slow');
	$proc->kill('INT');
	$proc->wait;
};

$hub->stop;
done_testing();

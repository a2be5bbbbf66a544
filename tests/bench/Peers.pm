# The servers that hubd is compared with, each set up as its own documentation has it, with rooms: who
# joins a room gets what its members send, its own included. Whichever is installed takes part. Those of a
# crowd (tests/bench/crowd): one world, in which all hear where all are. And those that are several nodes at one
# Redis (tests/bench/bus).
#
# A server is { name, pids => function, proc, args => hubbench's arguments }, and where it has them
# join => what a new client says to be in a room, sse => [ path of events, path to publish ]; where it speaks
# Socket.IO sio => { url, args }, and poll => [ path, and what a client says to connect, to join a room, as a message ].
# One of several nodes has these in nodes => [servers].
package Peers;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Hub;
use IO::Socket::INET;
use POSIX ();

my $bench = dirname(abs_path(__FILE__));
my $message = '["message","' . 'x' x 80 . '"]';

# Names in the order of the tables, hubd first. start(NAME, %o) returns nothing where there is no such
# server here. workers => N; cpu => the only CPU it may use; deflate => 1: with permessage-deflate; redis => the URL
# of the Redis of one that is a node.
sub names { return qw(hubd hubd-tls hubd-keys nchan nats bun ws socket.io) }

sub crowd_names { return qw(hubd-crowd socket.io-each socket.io-ticks colyseus) }

sub bus_names { return qw(hubd-bus socket.io-redis socket.io-streams) }

my %starters = ('hubd-crowd' => \&_hubd_crowd, 'socket.io-each' => \&_socketio_each, 'socket.io-ticks' => \&_socketio_ticks,
	colyseus => \&_colyseus, 'hubd-bus' => \&_hubd_bus, 'socket.io-redis' => \&_socketio_redis,
	'socket.io-streams' => \&_socketio_streams, hubd => \&_hubd, 'hubd-tls' => \&_hubd_tls, 'hubd-keys' => \&_hubd_keys,
	nchan => \&_nchan, nats => \&_nats, bun => \&_bun, ws => \&_ws, 'socket.io' => \&_socketio);

sub start {
	my ($name, %o) = @_;
	$o{workers} ||= 2;
	my @pin = defined $o{cpu} ? (_program('taskset'), '-c', $o{cpu}) : ();
	my $server = $starters{$name}->(\%o, @pin) or return;
	$server->{name} = $name;
	return $server;
}

# Several of them, which are one server.
sub start_nodes {
	my ($n, $name, %o) = @_;
	my @nodes = map { start($name, %o) || return } 1 .. $n;
	return { name => $name, nodes => \@nodes, args => $nodes[0]{args}, pids => sub { map { $_->{pids}->() } @nodes } };
}

sub stop {
	my ($server) = @_;
	return map { stop($_) } @{ $server->{nodes} } if $server->{nodes};
	$server->{proc}->kill('TERM');
	eval { $server->{proc}->wait; 1 } or $server->{proc}->kill('KILL');
	$server->{hub}->forget if $server->{hub};
}

# hubbench's arguments for a server; its members join the room of their session.
sub target {
	my ($server, $sio) = @_;
	my $to = $sio ? $server->{sio} : $server;
	my @urls = map { ('-u', $_->{url}) } $to->{nodes} ? @{ $to->{nodes} } : $to;
	return (@urls, @{ $to->{args} }, '--pid', join ',', $server->{pids}->());
}

# The result of hubbench with these arguments, of which that file has all; or nothing, with the reason printed.
sub hubbench {
	my ($what, $file, $seconds, @args) = @_;
	unlink $file;
	my $r = run([ 'hubbench', '-b', 100, @args, '-d', $seconds, '--warmup', 1, '--json', $file ],
		seconds => 120 + 2 * $seconds);
	my ($json) = slurp($file) =~ /([^\n]*)\n\z/;
	return unjson($json) if $r->{status} <= 1 && ($json // '') =~ /^\{/;
	print "$what: $r->{err}\n";
	return;
}

sub _program {
	my ($name) = @_;
	return (grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), qw(/usr/sbin /usr/local/sbin))[0];
}

sub _port {
	return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
}

# Waits until somebody listens there, or the program has ended.
sub _listens {
	my ($proc, $port, $name) = @_;
	wait_for {
		die "$name ended: " . slurp($proc->{err}) . "\n" unless $proc->running;
		return IO::Socket::INET->new("127.0.0.1:$port");
	} $name;
}

sub _children {
	my ($pid) = @_;
	return split ' ', slurp("/proc/$pid/task/$pid/children");
}

# The processes that a server has started.
sub children {
	my ($server) = @_;
	return map { _children($_) } $server->{pids}->();
}

# The seconds of CPU that a server has used.
sub cpu_seconds {
	my ($server) = @_;
	my $ticks = 0;
	for my $pid ($server->{pids}->(), children($server)) {
		my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\) //sr;
		$ticks += $stat[11] + $stat[12];
	}
	return $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

sub _hubd {
	my ($o, @pin) = @_;
	my @deflate = $o->{deflate} ? '--deflate' : ();
	# The others tell nobody who comes and goes, either.
	my $hub = Hub->start(workers => $o->{workers}, args => [ '--slow', 'disconnect', '--presence-limit', 0, @deflate, @{ $o->{args} || [] } ]);
	# After the start, since the test library starts it: all of its threads.
	run([ $pin[0], '-a', '-c', '-p', $o->{cpu}, $hub->pid ]) if @pin;
	return { url => "ws://127.0.0.1:$hub->{port}/ws", port => $hub->{port}, path => '/ws', hub => $hub,
		proc => $hub->{proc}, args => [ '--dialect', 'hub' ], pids => sub { $hub->pid },
		join => '{"type":"session_associate","session_id":"r0"}',
		sse => [ '/sessions/r0/events', '/sessions/r0/records' ],
		sio => { url => "ws://127.0.0.1:$hub->{port}", args => [qw(--dialect socketio --namespace r)] },
		poll => [ '/socket.io/', '40/r,{"echo":true}', '', '42/r,' . $message ] };
}

# The same over TLS, to see what that costs.
sub _hubd_tls {
	my ($o, @pin) = @_;
	my $openssl = _program('openssl') or return;
	my ($cert, $key) = map { scratch() . "/bench.$_" } qw(crt key);
	my $made = run([
			$openssl, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost),
			'-keyout', $key, '-out', $cert
		]);
	die "openssl: $made->{err}\n" if $made->{status};
	my $server = _hubd({ %$o, args => [ '--tls-cert', $cert, '--tls-key', $key ] }, @pin);
	delete @$server{qw(join sse)};
	return { %$server, url => "wss://127.0.0.1:$server->{port}/ws", args => [ '--dialect', 'hub', '--insecure' ] };
}

# The same for who has a token, with every limit on clients, to see what these cost: none is reached.
sub _hubd_keys {
	my ($o, @pin) = @_;
	my ($key, $token) = map { scratch() . "/bench.$_" } qw(jwk token);
	unlink $key, "$key.pub";
	my $made = run([ 'hubtoken', 'keygen', '-o', $key ]);
	die "hubtoken: $made->{err}\n" if $made->{status};
	my $claims = '{"sub":"bench","hub":{"join":["*"],"publish":["*"],"presence":true,"rate":1000000}}';
	spew($token, run([ 'hubtoken', 'sign', '-k', $key, '--ttl', '1d', '-c', $claims ])->{out});
	chmod 0600, $token;
	my @limits = map { ("--$_", 1_000_000) } qw(rate-messages rate-requests rate-joins max-per-address max-per-user);
	my $server = _hubd({ %$o, args => [ '--auth-key', "$key.pub", '--rate-bytes', '100G', '--rate-user-bytes', '100G',
			'--rate-user-messages', 100_000_000, @limits ] }, @pin);
	delete @$server{qw(join sse)};
	return { %$server, args => [ '--dialect', 'hub', '--token-file', $token ] };
}

# At a bus.
sub _hubd_bus {
	my ($o, @pin) = @_;
	return _hubd({ %$o, args => [ '--bus', $o->{redis} ] }, @pin);
}

sub _nchan {
	my ($o, @pin) = @_;
	my $nginx = _program('nginx') or return;
	my ($module) = grep { -e } map { "$_/nginx/modules/ngx_nchan_module.so" } qw(/usr/lib /usr/share)
	    or return;
	my $dir = scratch() . '/nginx' . int rand 1e9;
	mkdir $dir or die "$dir: $!\n";
	my $port = _port();
	my $user = $> == 0 ? 'user root;' : '';
	my $deflate = $o->{deflate} ? 'nchan_deflate_message_for_websocket on;' : '';
	my $temp = join ' ', map { "${_}_temp_path $dir;" } qw(client_body proxy fastcgi uwsgi scgi);
	my $config = spew("$dir/nginx.conf", <<"END");
load_module $module;
$user worker_processes $o->{workers}; worker_rlimit_nofile 20000;
daemon off; pid $dir/pid; error_log $dir/error.log;
events { worker_connections 19000; }
http {
	access_log off; $temp
	nchan_shared_memory_size 256M;
	server {
		listen 127.0.0.1:$port reuseport;
		location = /ws {
			nchan_pubsub websocket; $deflate
			nchan_channel_id \$arg_room;
			nchan_subscriber_first_message newest;
			nchan_message_buffer_length 2000;
			nchan_message_timeout 1m;
		}
		location = /events {
			nchan_subscriber eventsource;
			nchan_channel_id \$arg_room;
			nchan_subscriber_first_message newest;
			nchan_message_buffer_length 2000;
			nchan_message_timeout 1m;
		}
		location = /publish {
			nchan_publisher http;
			nchan_channel_id \$arg_room;
			nchan_message_buffer_length 2000;
			nchan_message_timeout 1m;
		}
	}
}
END
	my $proc = spawn([ @pin, $nginx, '-p', $dir, '-c', $config, '-e', "$dir/error.log" ], err => "$dir/stderr");
	_listens($proc, $port, 'nginx');
	wait_for { _children($proc->{pid}) == $o->{workers} } 'the workers of nginx';
	return { url => "ws://127.0.0.1:$port/ws?room=r{session}", port => $port, path => '/ws?room=r0', proc => $proc,
		args => [ '--dialect', 'raw', '--message', '{mark}{pad}' ],
		sse => [ '/events?room=e', '/publish?room=e' ],
		pids => sub { $proc->{pid} } };
}

# Over its WebSocket listener, in its own protocol.
sub _nats {
	my ($o, @pin) = @_;
	my $nats = _program('nats-server') or return;
	my $dir = scratch() . '/nats' . int rand 1e9;
	mkdir $dir or die "$dir: $!\n";
	my ($port, $plain) = (_port(), _port());
	my $config = spew("$dir/nats.conf", <<"END");
listen: "127.0.0.1:$plain"
max_connections: 64K
ping_interval: "1h"
websocket { listen: "127.0.0.1:$port", no_tls: true, compression: false }
END
	my $proc = spawn([ @pin, $nats, '-c', $config, '-l', "$dir/log" ],
		env => { GOMAXPROCS => $o->{workers} });
	_listens($proc, $port, 'nats-server');
	return { url => "ws://127.0.0.1:$port/", port => $port, path => '/', proc => $proc,
		args => [ '--dialect', 'raw',
			'--join', 'CONNECT {"verbose":false,"pedantic":false}\r\nSUB r{session} 1\r\nPING\r\n',
			'--message', 'PUB r{session} {size}\r\n{mark}{pad}\r\n', '--answer', 'PING\r\n=PONG\r\n' ],
		pids => sub { $proc->{pid} } };
}

# What `make bench-peers` installed.
sub _node {
	my ($o, $script, $package, @pin) = @_;
	my $peers = "$ENV{HUB_BUILD}/bench/peers";
	return unless -e "$peers/node_modules/$package/package.json";
	my $runtime = $package eq 'bun' ? "$peers/node_modules/.bin/bun" : _program('node');
	return unless $runtime && -x $runtime;
	my $port = _port();
	my $proc = spawn([ @pin, $runtime, "$bench/peers/$script", $port, @{ $o->{args} || [] } ],
		env => { HUB_BENCH_PEERS => $peers });
	_listens($proc, $port, $package);
	return { port => $port, proc => $proc, pids => sub { $proc->{pid} } };
}

# Those that take the name of a room first, and then what goes to all in it.
sub _rooms {
	my ($server) = @_;
	return unless $server;
	return { %$server, url => "ws://127.0.0.1:$server->{port}/", path => '/', join => 'r0',
		args => [ '--dialect', 'raw', '--join', 'r{session}', '--message', '{mark}{pad}' ] };
}

sub _ws {
	my ($o, @pin) = @_;
	$o->{args} = ['deflate'] if $o->{deflate};
	return _rooms(_node($o, 'ws.js', 'ws', @pin));
}

sub _bun {
	my ($o, @pin) = @_;
	return _rooms(_node($o, 'bun.js', 'bun', @pin));
}

sub _socketio {
	my ($o, @pin) = @_;
	my $server = _node($o, 'socketio.js', $o->{adapter} || 'socket.io', @pin) or return;
	my %sio = (url => "ws://127.0.0.1:$server->{port}", args => [ '--dialect', 'socketio', '--event', 'message', '--room', 'r' ]);
	return { %$server, %sio, path => '/socket.io/', sio => \%sio, poll => [ '/socket.io/', '40', '42["join","r"]', "42$message" ] };
}

sub _socketio_at {
	my ($o, $adapter, @pin) = @_;
	return _socketio({ %$o, adapter => $adapter, args => [ $adapter, $o->{redis} ] }, @pin);
}

sub _socketio_redis {
	my ($o, @pin) = @_;
	return _socketio_at($o, '@socket.io/redis-adapter', @pin);
}

sub _socketio_streams {
	my ($o, @pin) = @_;
	return _socketio_at($o, '@socket.io/redis-streams-adapter', @pin);
}

# With all that hubd has for a crowd.
sub _hubd_crowd {
	my ($o, @pin) = @_;
	my $server = _hubd({ %$o, deflate => 1 }, @pin);
	push @{ $server->{args} }, qw(--tick 50ms --batch --conflate --compact --delta --deflate);
	return $server;
}

sub _socketio_world {
	my ($o, $args, @pin) = @_;
	my $server = _node({ %$o, args => $args }, 'socketio-crowd.js', 'socket.io', @pin) or return;
	return { %$server, url => "ws://127.0.0.1:$server->{port}",
		args => [ '--dialect', 'socketio', '--event', 'message', '--room', 'r' ] };
}

sub _socketio_each {
	my ($o, @pin) = @_;
	return _socketio_world($o, [], @pin);
}

sub _socketio_ticks {
	my ($o, @pin) = @_;
	return _socketio_world($o, [50], @pin);
}

# Its clients are its own: peers/colyseus-crowd.js.
sub _colyseus {
	my ($o, @pin) = @_;
	return _node($o, 'colyseus.js', '@colyseus/core', @pin);
}

1;

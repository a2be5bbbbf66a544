# Not under sanitizers.
# Long. Clients of Socket.IO that others have made connect to hubd as to a server of theirs: by polling, by WebSocket,
# going on from one to the other, directly, over TLS and through nginx. tests/clients says what each does.
# socket.io-client of npm 4.8.4 in Node, polling by XMLHttpRequest and by fetch(), and in Chromium, 4.5.4, 3.1.3, and
# 2.5.0, which is refused; both clients of python-socketio.
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Http;
use Hub::Npm;
use Hub::Proxy;
use Hub::Web;

my $text = "gr\x{fc}\x{df}e \x{1f600}";
my $dir = root() . '/tests/clients';
my $pem = Hub::Proxy::certificate();
my $hub = Hub->start(args => [ '--trust-proxy', '127.0.0.1', '--cors', '*' ]);
my $secure = Hub->start(args => [ '--cors', '*', '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]);
my $nginx = Hub::Proxy->nginx($hub, $pem);

# Where each goes: [ name, hub, base ].
my @ways = ([ 'plain', $hub, "http://127.0.0.1:$hub->{port}" ], [ 'TLS', $secure, "https://127.0.0.1:$secure->{port}" ]);
push @ways, [ 'nginx', $hub, "https://$nginx->{tls}" ] if $nginx;

# --- what there is

my $node = Hub::Npm::program('node');
my $modules = Hub::Npm::socketio();
my $python = '/usr/bin/python3';
my ($has_python, $has_aiohttp) = map { -x $python && run([ $python, '-c', "import socketio, $_" ])->{status} == 0 } 'requests, websocket', 'aiohttp';

my %env = (NODE_PATH => $modules // '', HUB_TEST_CA => $pem->{ca}, NODE_EXTRA_CA_CERTS => $pem->{ca},
	PYTHONDONTWRITEBYTECODE => 1, REQUESTS_CA_BUNDLE => $pem->{ca}, WEBSOCKET_CLIENT_CA_BUNDLE => $pem->{ca});

# --- running one

# Each is started with a base, a session and transports; returns what gives its report once it is there.
sub by_command {
	my (@command) = @_;
	return sub {
		my $proc = spawn([ @command, @_ ], env => \%env);
		return sub {
			return undef if $proc->running;
			die "it ended: " . slurp($proc->{err}) . "\n" if $proc->wait;
			return unjson(slurp($proc->{out}));
		};
	};
}

sub in_chromium {
	my (@args) = @_;
	my $web = Hub::Web->start(page => slurp("$dir/socketio_page.html"), talk => slurp("$dir/socketio_talk.js"),
		library => slurp("$modules/sio4/dist/socket.io.min.js"));
	my $browser = $web->open('page', '?' . join('%20', @args), '--ignore-certificate-errors-spki-list=' . Hub::Proxy::public_key($pem));
	return sub {
		my $report = $web->{report};
		$web->serve unless $report->{done};
		my ($done) = @{ $report->{done} || [] };
		die "the page says: $report->{failed}[0]\n" if $report->{failed};
		$web->close($browser) if $done && $browser->running;
		return $done;
	};
}

my $sessions = 0;

sub try_client {
	my ($start, $way, $transports, %o) = @_;
	my ($name, $at, $base) = @$way;
	my $session = 'sio' . ++$sessions;
	my $peer = $at->member('unix', $session);
	my $report = $start->($base, $session, $transports);
	my $got;
	wait_for {
		$got ||= $report->();
		return grep { /"type":"ready"/ } @{ $peer->{in} };
	} 'it to be ready';
	my ($move, $say, $file) = map { $peer->wait_type($_) } qw(move say file);
	is($move->{data}{text}, $text, 'others get an object');
	is_deeply($say->{args}, [ 1, 'two', [3] ], 'and arguments');
	is($file->{data}{more}[0]{'$base64'}, 'AQI=', 'and binary as base64');
	$peer->send({ type => 'note', text => $text });
	$got ||= wait_for { $report->() } 'its report';
	is($got->{transport}, $transports =~ /websocket/ ? 'websocket' : 'polling', 'its transport');
	is($move->{from}, $got->{ids}[0], 'its id');
	is($got->{move}{text}, $text, 'an object');
	is_deeply($got->{say}, [ 'say', 1, 'two', [3] ], 'arguments');
	is($got->{file}, JSON::PP::true, 'binary');
	is($got->{own}, 0, 'not its own');
	is_deeply([ map { $got->{$_}{seq} } 'ack', 'fileAck' ], [ $say->{seq}, $file->{seq} ], 'acks');
	is_deeply($got->{note}, [ $text, $text ], 'a record of others');
	is_deeply([ @$got{ 'acks', 'counts' } ], [ JSON::PP::true, JSON::PP::true ], 'many, in order');
	is_deeply($got->{echo}, [ 'mine', { a => 1 } ], 'its own, where it asks for them');
	return unless $o{js};
	is($got->{refused}, 'Invalid namespace', 'a namespace that is none');
	if ($o{recovers}) {
		is($got->{recovered}, JSON::PP::true, 'it comes back');
		is_deeply($got->{after}, [ 200 .. 220 ], 'and misses nothing, nor gets anything twice');
		is($got->{sameId}, JSON::PP::true, 'as the same client');
	} else {
		is($got->{after}[-1], 220, 'it comes back');
	}
}

# name => how it is started, undef where it is not here; polling => what it calls that; what it cannot do.
my @plain = [ 'nginx without TLS', $hub, 'http://' . ($nginx ? $nginx->{plain} : '') ];
my @clients = (
	(map { { name => "socket.io-client $_->[1]", start => $modules && by_command($node, "$dir/socketio.js", "sio$_->[0]"), @$_[ 2 .. $#$_ ] } }
		[ 4, '4.8.4', js => 1, recovers => 1 ], [ 45, '4.5.4', js => 1 ], [ 3, '3.1.3', js => 1 ],
		[ 4, '4.8.4 with fetch', js => 1, recovers => 1, polling => 'fetch', only => qr/fetch/ ]),
	{ name => 'socket.io-client 4.8.4 in Chromium', start => $modules && Hub::Web::browser() && \&in_chromium, js => 1, recovers => 1 },
	# Over a WebSocket with TLS this one loses messages, to any server: it reads and writes from two threads.
	{ name => 'python-socketio', start => $has_python && by_command($python, "$dir/socketio_client.py"), no_wss => 1 },
	{ name => 'python-socketio, asynchronous', start => $has_aiohttp && by_command($python, "$dir/socketio_async.py") },
);

for my $client (@clients) {
	for my $row ('polling', 'websocket', 'polling,websocket') {
		my $transports = $client->{polling} ? $row =~ s/polling/$client->{polling}/r : $row;
		next if $client->{only} && $transports !~ $client->{only};
		subtest "$client->{name}, $transports" => sub {
			plan skip_all => 'not here' unless $client->{start};
			my @may = $client->{no_wss} && $transports =~ /websocket/ ? ($ways[0], $nginx ? @plain : ()) : @ways;
			for my $way (@may) {
				subtest $way->[0] => sub { try_client($client->{start}, $way, $transports, %$client) };
			}
		};
	}
}

# What has no recovery comes back all the same, as another client.
for my $transports ('polling', 'websocket', 'polling,websocket') {
	subtest "python-socketio comes back, $transports" => sub {
		plan skip_all => 'not here' unless $has_aiohttp;
		my $cut = Hub::Cut->start($hub->{port});
		my $session = 'back_' . $transports =~ tr/,/_/r;
		my $peer = $hub->member('unix', $session);
		my $proc = spawn([ $python, "$dir/socketio_back.py", "http://127.0.0.1:$cut->{port}", $session, $transports ], env => \%env);
		my $says = sub {
			my ($text) = @_;
			return wait_for {
				die "it ended: " . slurp($proc->{err}) . "\n" unless $proc->running;
				return slurp($proc->{out}) eq $text;
			} "it to say '$text'";
		};
		my $said = '';
		for my $time (1, 2, 3) {
			ok($says->($said .= "connected\n"), "it is there: $time");
			$peer->send({ type => 'note', data => { text => "note $time" } });
			ok($says->($said .= "note $time\n"), 'and gets what is said');
			$cut->close;
			$cut->open;
		}
		$proc->kill('KILL');
		$cut->stop;
	};
}

subtest 'socket.io-client 2' => sub {
	plan skip_all => 'not here' unless $modules;
	for my $way (@ways) {
		for my $transport ('polling', 'websocket') {
			my $r = run([ $node, "$dir/socketio2.js", 'sio2', $way->[2], $transport ], env => \%env);
			is($r->{status}, 0, "$way->[0], $transport: refused") or diag($r->{err});
			my $got = unjson($r->{out});
			like($got->{why}, qr/\b400\b/, "$got->{message}: $got->{why}");
		}
	}
};

# Three of them, of which nginx chooses by the client's address, as contrib has it.
subtest 'several hubs' => sub {
	plan skip_all => 'not here' unless $modules && $nginx;
	my @hubs = map { Hub->start(args => [ '--trust-proxy', '127.0.0.1', '--cors', '*' ]) } 1 .. 3;
	my $many = Hub::Proxy->nginx($hubs[0], $pem, name => 'many', change => [
		'^\t#hash .remote_addr', "\thash \$remote_addr", map { '^\t#server 127\.0\.0\.1:48' . (2 + $_) . 0, "\tserver 127.0.0.1:$hubs[$_]{port}" } 1, 2 ]);
	# All come from one address, and so to one hub.
	my ($host, $port) = split /:/, $many->{plain};
	for (1 .. 3) {
		my $open = Hub::Http->fetch({ host => $host, port => $port }, 'GET', '/socket.io/?EIO=4&transport=polling');
		is($open->{status}, 200, 'a handshake');
	}
	my %accepted = map { $_ => $hubs[$_]->health->{accepted} } 0 .. 2;
	my ($at) = sort { $accepted{$b} <=> $accepted{$a} } 0 .. 2;
	for my $client (grep { $_->{start} } @clients) {
		my $base = $client->{no_wss} ? "http://$many->{plain}" : "https://$many->{tls}";
		for my $row ($client == $clients[0] ? ('polling', 'websocket') : (), 'polling,websocket') {
			my $transports = $client->{polling} ? $row =~ s/polling/$client->{polling}/r : $row;
			subtest "$client->{name}, $transports" => sub {
				try_client($client->{start}, [ 'nginx', $hubs[$at], $base ], $transports, %$client);
			};
		}
	}
	$_->stop for $many, @hubs;
};

$_->stop for grep { $_ } $nginx, $hub, $secure;
done_testing;

# Not under sanitizers.
# Clients that others have made do with hubd what they are for, over plain TCP and over TLS, directly and through
# proxies: tests/clients says what each does. Chromium, ws and undici of Node, websockets and aiohttp of Python, curl.
use strict;
use warnings;
use Hub;
use Hub::Metrics;
use Hub::Npm;
use Hub::Proxy;
use Hub::Web;

my $text = "gr\x{fc}\x{df}e \x{1f600}";
my $dir = root() . '/tests/clients';
my $pem = Hub::Proxy::certificate();
my @args = ('--max-message', '2M', '--cors', '*');
my %hub = (
	plain => Hub->start(args => [ @args, '--trust-proxy', '127.0.0.1' ]),
	deflate => Hub->start(args => [ @args, '--deflate' ]),
	TLS => Hub->start(args => [ @args, '--deflate', '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]));
my $haproxy = Hub::Proxy->haproxy($hub{plain}, $pem);
my $nginx = Hub::Proxy->nginx($hub{plain}, $pem);

# Where each goes: [ name, hub, base ].
my @ways = ([ 'plain', $hub{plain}, "http://127.0.0.1:$hub{plain}{port}" ], [ 'TLS', $hub{TLS}, "https://127.0.0.1:$hub{TLS}{port}" ]);
push @ways, [ 'deflate', $hub{deflate}, "http://127.0.0.1:$hub{deflate}{port}" ];
push @ways, [ 'nginx', $hub{plain}, "https://$nginx->{tls}" ] if $nginx;
push @ways, [ 'haproxy', $hub{plain}, "https://$haproxy->{tls}" ] if $haproxy;

# --- what there is

my $node = Hub::Npm::program('node');
my $modules = Hub::Npm::modules('ws@8.18.0', 'undici@7.3.0');
my $python = '/usr/bin/python3';
my %python = map { my $name = $_; $name => -x $python && run([ $python, '-c', "import $name" ])->{status} == 0 } qw(websockets aiohttp);

# name => command, undef where it is not there; what it cannot do
my @clients = (
	{ name => 'ws', command => $modules && [ $node, "$dir/ws.js" ], http => 0, ping => 1 },
	{ name => 'undici', command => $modules && [ $node, "$dir/undici.js" ], http => 1, ping => 0 },
	{ name => 'websockets', command => $python{websockets} && [ $python, "$dir/websockets_client.py" ], http => 0, ping => 1 },
	{ name => 'aiohttp', command => $python{aiohttp} && [ $python, "$dir/aiohttp_client.py" ], http => 1, ping => 1 },
	{ name => 'Chromium', page => scalar Hub::Web::browser(), http => 1, ping => 0 },
);

# --- running one

# Starts it; returns what gives its report once it is there.
sub start_client {
	my ($client, $base, $session) = @_;
	if ($client->{page}) {
		my $web = Hub::Web->start(page => slurp("$dir/page.html"), common => slurp("$dir/common.js"));
		my $browser = $web->open('page', "?$base%20$session", '--ignore-certificate-errors-spki-list=' . Hub::Proxy::public_key($pem));
		return sub {
			my $report = $web->{report};
			$web->serve unless $report->{done};
			my ($done) = @{ $report->{done} || [] };
			die "the page says: $report->{failed}[0]\n" if $report->{failed};
			$web->close($browser) if $done && $browser->running;
			return $done;
		};
	}
	my $proc = spawn([ @{ $client->{command} }, $base, $session ],
		env => { PYTHONDONTWRITEBYTECODE => 1, HUB_TEST_CA => $pem->{ca}, NODE_EXTRA_CA_CERTS => $pem->{ca}, NODE_PATH => $modules // '' });
	return sub {
		return undef if $proc->running;
		die "$client->{name} ended: " . slurp($proc->{err}) . "\n" if $proc->{status};
		return unjson(slurp($proc->{out}));
	};
}

# Waits for a record of the peer's session, and for what the client says where it fails.
sub peer_gets {
	my ($peer, $report, $type) = @_;
	my $found;
	wait_for {
		while (!$found && @{ $peer->{in} }) {
			my $m = $peer->next;
			$found = $m if $m->{type} eq $type;
		}
		$report->();
		return $found;
	} "$type of the client";
	return $found;
}

my $sessions = 0;

sub try_client {
	my ($client, $way) = @_;
	my ($name, $hub, $base) = @$way;
	my $session = 'client' . ++$sessions;
	my $peer = $hub->member('unix', $session);
	my $before = $name eq 'deflate' && scrape($hub);
	my $report = start_client($client, $base, $session);
	my $hello = peer_gets($peer, $report, 'hello');
	is($hello->{text}, $text, 'others get its text');
	$peer->send({ type => 'hello', text => $text }, { type => 'big', x => 'x' x 1_000_000 });
	is(length peer_gets($peer, $report, 'mine')->{x}, 350_000, 'and a large one');
	my $got = wait_for { $report->() } 'its report';
	if ($before) {
		my $now = scrape($hub);
		my $offers = $client->{name} ne 'aiohttp';
		is($now->{hubd_deflated_total} > $before->{hubd_deflated_total} ? 1 : 0, $offers ? 1 : 0, $offers ? 'a megabyte came deflated' : 'it offers no deflate');
		note $now->{hubd_inflated_total} - $before->{hubd_inflated_total}, ' of its own messages were deflated';
	}
	my $ws = $got->{ws};
	is($ws->{protocol}, 'hub', 'the subprotocol is agreed');
	is($ws->{joined}, 2, 'it has joined');
	is($ws->{own}, $text, 'it gets its own text');
	is($ws->{theirs}, $text, 'and that of others');
	is($ws->{big}, 1_000_000, 'a megabyte');
	is($ws->{mine}, 350_000, 'and its own');
	is_deeply($ws->{records}, [qw(hello hello big mine)], 'all records in order');
	is($ws->{pong}, 'are you there', 'its ping is answered') if $client->{ping};
	is($ws->{closed}, 1003, 'it sees the code of a close');
	is($ws->{said}, 4321, 'and its own confirmed');
	return unless $client->{http};
	my $http = $got->{http};
	is("$http->{posted} $http->{ack}", '200 ack', 'it posts');
	is($http->{event}, $text, 'it gets that as an event');
	like($http->{id}, qr/^[\w-]{11}-\d+$/, 'with an id');
	is_deeply($http->{types}, [qw(hello hello big mine posted)], 'it reads all records');
	is($http->{cursor}, $http->{id}, 'up to that one');
	is($http->{later}, 'later', 'it waits for the next');
}

for my $client (@clients) {
	subtest $client->{name} => sub {
		plan skip_all => 'not here' unless $client->{command} || $client->{page};
		for my $way (@ways) {
			subtest $way->[0] => sub { try_client($client, $way) };
		}
	};
}

subtest 'curl' => sub {
	for my $way (@ways) {
		my ($name, $hub, $base) = @$way;
		my $session = 'client' . ++$sessions;
		my $peer = $hub->member('unix', $session);
		my @curl = ('curl', '-sS', '--max-time', 100, '--cacert', $pem->{ca});
		my $url = "$base/sessions/$session";
		# It would take the answer compressed, for which proxies hold it back.
		my $stream = spawn([ @curl, qw(-N --compressed), "$url/events?since=0" ]);
		my $posted = run([ @curl, '--json', json({ type => 'posted', text => $text, msg_id => 'm1' }), "$url/records" ]);
		is(unjson($posted->{out})->{type}, 'ack', "$name: it posts") or diag($posted->{err});
		is($peer->wait_type('posted')->{text}, $text, "$name: others get it");
		becomes { slurp($stream->{out}) =~ /^event: posted$/m } "$name: it gets that as an event, while the stream goes on";
		ok($stream->running, "$name: which it does");
		$stream->kill('TERM');
		$stream->wait;
		my $wait = spawn([ @curl, "$url/records?since=1&wait=60" ]);
		$peer->send({ type => 'later' });
		is($wait->wait, 0, "$name: it waits for the next") or diag(slurp($wait->{err}));
		is(unjson(slurp($wait->{out}))->{type}, 'later', "$name: and gets it");
		my @many = map { qq({"type":"many","n":$_,"msg_id":"n$_"}\n) } 1 .. 1000;
		my $body = spew(scratch() . "/many$sessions", @many);
		my $acks = run([ @curl, '-H', 'Content-Type: application/x-ndjson', '-T', $body, '-X', 'POST', "$url/records" ]);
		is(scalar(() = $acks->{out} =~ /"ack"/g), 1000, "$name: it posts many");
	}
};

$_->stop for grep { $_ } $nginx, $haproxy, values %hub;
done_testing;

# Not under sanitizers.
# hubd behind nginx and haproxy, as the examples in contrib have them: WebSockets, however long they are silent,
# requests, closes, large messages, and the address of who stands before the proxy, whatever he says of himself.
use strict;
use warnings;
use Hub;
use Hub::Proxy;

plan skip_all => 'neither nginx nor haproxy here' unless Hub::Proxy::program('nginx') || Hub::Proxy::program('haproxy');

my $pem = Hub::Proxy::certificate();
my @proxied = ('--listen-proxy', '127.0.0.1:0', '--trust-proxy', '127.0.0.1', '--log-level', 'debug');
my $hub = Hub->start(args => [ @proxied, '--ping', 54, '--max-message', '2M' ]);
my $own = own_address();
my $lie = [ 'X-Forwarded-For: 203.0.113.66', 'Forwarded: for=203.0.113.66' ];

# Ways to the hub: [ name, address, over TLS ].
my (@ways, @proxies);
if (my $nginx = Hub::Proxy->nginx($hub, $pem)) {
	push @proxies, $nginx;
	push @ways, [ 'nginx', $nginx->{plain} ], [ 'nginx, TLS', $nginx->{tls}, 1 ];
}
my $haproxy = Hub::Proxy->haproxy($hub, $pem);
if ($haproxy) {
	push @proxies, $haproxy;
	push @ways, [ 'haproxy', $haproxy->{plain} ], [ 'haproxy, TLS', $haproxy->{tls}, 1 ],
	    [ 'haproxy, bytes', $haproxy->{tcp} ];
}

sub connect_by {
	my ($way, %o) = @_;
	my ($name, $address, $tls) = @$way;
	my ($host, $port) = $address =~ /^(.*):(\d+)$/;
	my @through = $tls ? (command => [ 'openssl', 's_client', '-quiet', '-CAfile', $pem->{ca}, '-verify_return_error',
			'-bind', "$own:0", '-connect', $address ]) : (host => $host, from => $own);
	return Hub::Client->ws($port, @through, %o);
}

# How many WebSockets have come from where the test speaks to proxies.
sub came {
	return scalar(() = $hub->log_text =~ /^\S+Z debug come door=ws conn=\d+ peer=\Q$own\E(?::\d+)?: connected$/mg);
}

# These say nothing until the end of the test, or until hubd asks.
my %idle = map { $_->[0] => connect_by($_) } @ways;
$_->join_session('idle') for values %idle;
my $since = now();

my $n = 0;
for my $way (@ways) {
	subtest $way->[0] => sub {
		my $session = 'way' . ++$n;
		my $direct = $hub->member('ws', $session);
		my $came = came();
		my $c = connect_by($way, headers => $lie, protocol => 'hub');
		is($c->{headers}{'sec-websocket-protocol'}, 'hub', 'the subprotocol is agreed');
		is($c->join_session($session)->{user_count}, 2, 'joined');
		becomes { came() > $came } 'as who he is';
		is(came(), $came + 1, 'and once');
		unlike($hub->log_text, qr/203\.0\.113\.66/, 'and not as who he says');
		$c->send({ type => 'there', text => "gr\x{fc}\x{df}e \x{1f600}" });
		is($_->next->{text}, "gr\x{fc}\x{df}e \x{1f600}", 'a record') for $c, $direct;
		$direct->send({ type => 'big', x => 'x' x 1_000_000 });
		is(length $_->next->{x}, 1_000_000, 'a large one') for $c, $direct;
		$c->send({ type => 'big', x => 'y' x 1_000_000 });
		is(length $_->next->{x}, 1_000_000, 'the other way') for $c, $direct;
		$c->frame(9, 'ping');
		wait_for { @{ $c->{pongs} } } 'a pong';
		is($c->{pongs}[0], 'ping', 'a pong');
		$c->frame(8, pack 'n a*', 4001, 'bye');
		$c->{closing} = 1;
		is($c->closed, 4001, 'the answer to a close');
		$c = connect_by($way);
		$c->frame(2, 'binary');
		is($c->closed, 1003, 'a close of the hub');
		$c = connect_by($way, path => '/nowhere', refused => 1);
		is($c->{status}, 404, 'an answer that is none');
	};
	my @url = ($way->[2] ? 'https://' : 'http://') . $way->[1];
	my $health = run([ 'curl', '-sS', '--max-time', 60, '--cacert', $pem->{ca}, '--interface', $own, "@url/healthz" ]);
	like($health->{out}, qr/"status":"ok"/, "$way->[0]: healthz") or diag($health->{err});
	my $head = run([ 'curl', '-sSI', '--max-time', 60, '--cacert', $pem->{ca}, "@url/healthz" ]);
	like($head->{out}, qr{^HTTP/[12.]+ 200}, "$way->[0]: its head");
}
(becomes { $hub->log_text =~ /^\S+Z debug come door=http peer=\Q$own\E(?::\d+)?: GET \/healthz$/m } 'requests have their address too') if @ways;

subtest 'TLS behind bytes' => sub {
	plan skip_all => 'no haproxy here' unless $haproxy;
	my $secure = Hub->start(listen => 'none', args => [ @proxied, '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]);
	my $proxy = Hub::Proxy->haproxy($secure, $pem);
	my $c = connect_by([ 'haproxy', $proxy->{tcp}, 1 ]);
	is($c->join_session('s')->{user_count}, 1, 'joined');
	becomes { $secure->log_text =~ /^\S+Z debug come door=wss conn=\d+ peer=\Q$own\E:\d+: connected$/m } 'as who he is';
	$_->stop for $proxy, $secure;
};

subtest 'silence' => sub {
	wait_for { !grep { !$_->{pings} && !$_->{gone} } values %idle } 'a ping of each', 100;
	cmp_ok(now() - $since, '>', 50, 'after more than the proxies have by default');
	for my $name (sort keys %idle) {
		ok(!$idle{$name}{gone}, "$name: it is there") or next;
		$idle{$name}->send({ type => 'ping' });
		is($idle{$name}->wait_type('pong')->{type}, 'pong', "$name: and is heard");
	}
};

kill 'TERM', $hub->pid;
for my $name (sort keys %idle) {
	is($idle{$name}->closed, 1012, "$name: is told of the end");
}
$hub->ended;
$_->stop for @proxies;
done_testing;

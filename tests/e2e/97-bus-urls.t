# Ways to Redis: a socket, a password, another database, TLS, several of them; and what is said of those that lead
# nowhere.
use strict;
use warnings;
use Hub;
use Hub::Proxy;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();

# Whether two hubds with that --bus have one session.
sub shares {
	my ($name, @args) = @_;
	my @two = map { Hub->start(args => [@args]) } 1 .. 2;
	for my $session ('a', 'b', 'c', 'd') {
		my ($x, $y) = map { $_->member('ws', $session) } @two;
		$x->send({ type => 'hi', msg_id => '1' });
		is($y->wait_type('hi')->{seq}, 1, "$name: $session");
	}
	$_->stop for @two;
}

my $redis = Hub::Redis->start;
shares('a socket', '--bus', "unix:$redis->{dir}/s");
shares('another database', '--bus', $redis->url(undef, '/3'));
is($redis->cli(qw(-n 3 EXISTS hub:{a})), 1, 'it is there');

my $other = Hub::Redis->start;
$redis->cli('FLUSHALL');
shares('two of them', '--bus', $redis->url, '--bus', $other->url);
my @keys = map { scalar(() = $_->cli('KEYS', 'hub:{?}') =~ /hub:/g) } $redis, $other;
is($keys[0] + $keys[1], 4, 'each session is in one of them') or diag("@keys");
ok($keys[0] && $keys[1], 'and both have some');

my $locked = Hub::Redis->start(config => [ [ requirepass => 'a@b:c' ] ], cli => [ '-a', 'a@b:c', '--no-auth-warning' ]);
shares('a password', '--bus', $locked->url('default:a%40b%3ac'));
$locked->cli('FLUSHALL');
shares('a password alone', '--bus', $locked->url(':a%40b%3ac'));
for my $user (undef, ':wrong') {
	my $result = Hub->refuses('--socket', scratch() . '/x.sock', '-l', 'none', '--bus', $locked->url($user));
	is($result->{status}, 69, 'without the password: no');
	like($result->{err}, qr/NOAUTH|WRONGPASS/, 'and why');
	unlike($result->{err}, qr/wrong\b/, 'but not what was tried');
}

my $pem = Hub::Proxy::certificate();
my $tls = Hub::Redis->start(scheme => 'rediss', config => [
	[ 'tls-cert-file' => $pem->{cert} ], [ 'tls-key-file' => $pem->{key} ], [ 'tls-ca-cert-file' => $pem->{ca} ], [ 'tls-auth-clients' => 'no' ] ]);
shares('TLS', '--bus', $tls->url, '--bus-ca', $pem->{ca});
my $untrusted = Hub->refuses('--socket', scratch() . '/x.sock', '-l', 'none', '--bus', $tls->url);
is($untrusted->{status}, 69, 'a certificate that nobody has signed is not trusted');
like($untrusted->{err}, qr/certificate/, 'and that is said');

for ([ 'redis://' => 'needs HOST' ], [ 'http://x' => 'must begin with' ], [ 'redis://:secret@h:x' => 'needs HOST' ]) {
	my ($url, $why) = @$_;
	my $result = Hub->refuses('--bus', $url);
	is($result->{status}, 64, "$url: bad usage");
	like($result->{err}, qr/bus.*$why/, 'and why');
	unlike($result->{err}, qr/secret/, 'without the password');
}
my $both = Hub->refuses('--bus', $redis->url, '--store', scratch() . '/x.db');
is($both->{status}, 64, 'not beside a store');
like($both->{err}, qr/store and bus do not go together/, 'which is said');

done_testing;

# One thread.
# Connections that should live: names with several addresses, a proxy whose hub is away, records that take long.
use strict;
use warnings;
use Hub;
use IO::Socket::INET;

my $build = $ENV{HUB_BUILD};

# A listener that lets a request be seen: ($socket, $port).
sub listener {
	my $l = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1') or die "listen: $!\n";
	return ($l, $l->sockport);
}

sub request {
	my ($l) = @_;
	my $c = $l->accept or die "accept: $!\n";
	my $head = '';
	while ($head !~ /\r\n\r\n/) {
		sysread $c, $head, 4096, length $head or last;
	}
	return ($c, $head);
}

subtest 'what it asks for' => sub {
	my ($l, $port) = listener();
	my $proc = spawn([ "$build/hubcat", '-u', "ws://user:p%40ss\@127.0.0.1:$port/x", '--header', 'X-One: 1', '--header',
			'X-Two: 2', '-l', '-v', '--no-reconnect', 's' ]);
	my ($c, $head) = request($l);
	like($head, qr/^Host: 127\.0\.0\.1:$port\r$/mi, 'Host has the port');
	like($head, qr/^Authorization: Basic dXNlcjpwQHNz\r$/mi, 'the user and the password');
	like($head, qr/^X-One: 1\r$/m, '--header');
	like($head, qr/^X-Two: 2\r$/m, 'each of them');
	print {$c} "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	close $c;
	is($proc->wait >> 8, 69, 'a 404 at the first connect ends it');
	like(slurp($proc->{err}), qr/HTTP 404/, 'with the status');
	unlike(slurp($proc->{err}), qr/p\@ss|p%40ss/, 'and without the password');
};

subtest 'a 404 later' => sub {
	my $hub = Hub->start(listen => own_address() . ':0');
	my $proc = spawn([ "$build/hubcat", '-u', "ws://$hub->{host}:$hub->{port}/ws", '-l', '-n', 1, 's' ]);
	my $member = $hub->member('unix', 's');
	wait_for { $member->{joined}{user_count} > 1 || @{ $member->{presence} } } 'it to join';
	$hub->stop;
	my $l;
	wait_for { $l = IO::Socket::INET->new(Listen => 8, LocalAddr => $hub->{host}, LocalPort => $hub->{port}, ReuseAddr => 1) }
	'the address';
	for my $status ('404 Not Found', '307 Temporary Redirect', '403 Forbidden') {
		my ($c) = request($l);
		print {$c} "HTTP/1.1 $status\r\nContent-Length: 0\r\n\r\n";
		close $c;
	}
	close $l;
	my $again = Hub->start(listen => "$hub->{host}:$hub->{port}");
	my $sender = $again->member('unix', 's');
	wait_for { $sender->{joined}{user_count} > 1 || @{ $sender->{presence} } } 'it to come back';
	$sender->send({ type => 'a' });
	is($proc->wait >> 8, 0, 'passes');
	$again->stop;
};

subtest 'no hub' => sub {
	my $r = run([ 'hubcat', '-u', 'unix:' . scratch() . '/none', '-p', '--give-up', '0.3', 's' ], in => qq({"type":"a"}\n));
	is($r->{status}, 69, 'exit 69');
	like($r->{err}, qr/is hubd running\?/, 'with what to look at');
};

subtest 'a name with several addresses' => sub {
	plan skip_all => 'no namespaces here' if system 'unshare -rmn true 2>/dev/null';
	my $dir = scratch() . '/hosts';
	mkdir $dir;
	spew("$dir/hosts", "127.0.0.1 localhost\n::1 localhost\n");
	spew("$dir/run", <<"SH");
mount --make-rprivate / 2>/dev/null
mount --bind $dir/hosts /etc/hosts && ip link set lo up || exit 77
$build/hubd -w 1 -l 127.0.0.1:4820 -s none --ready-fd 3 3>$dir/ready 2>$dir/err &
hub=\$!
until [ -s $dir/ready ]; do sleep 0.1; done
printf '{"type":"a"}\\n' | $build/hubcat -u ws://localhost:4820/ws -p --give-up 20 s
status=\$?
kill \$hub
wait \$hub
exit \$status
SH
	my $r = run([ 'unshare', '-rmn', 'sh', "$dir/run" ]);
	SKIP: {
		skip 'no addresses of our own here', 2 if $r->{status} == 77;
		is($r->{status}, 0, 'all are tried');
		unlike($r->{err}, qr/attempt/, 'in one attempt') or diag($r->{err});
	}
};

done_testing;

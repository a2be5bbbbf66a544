# What an operator does with hubd: tries a configuration, changes it under way, lets systemd start it and
# watch it, and has it be somebody else.
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp qw(tempdir);
BEGIN { unshift @INC, dirname(__FILE__) }
use Hub;
use Hub::Token;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Test::More;
use Time::HiRes qw(sleep);

my $conf = scratch() . '/hub.conf';
my $build = $ENV{HUB_BUILD} || root() . "/build";

sub hubd {
	my (@args) = @_;
	return run([ 'hubd', @args ]);
}

subtest 'a configuration is tried before it is used' => sub {
	spew($conf, "# fine\nping = 20s\nmax-message = 1M\n");
	my $ok = hubd('-c', $conf, '--check');
	is($ok->{status}, 0, 'what is fine') or diag($ok->{err});
	is($ok->{out}, '', 'nothing on standard output');
	like($ok->{err}, qr/the configuration is fine/, 'is said to be');

	my $keys = spew(scratch() . '/keys', "world_* id\nchat\n");
	my @bad = (
		[ "ping = 20s\npingg = 3\n", qr/hub\.conf:2: unknown option 'pingg'/ ],
		[ "\n\nping = soon\n", qr/hub\.conf:3: ping: 'soon' is not a time/ ],
		[ "max-message = 1\n", qr/hub\.conf:1: max-message: '1' is out of range/ ],
		[ "slow = fast\n", qr/hub\.conf:1: slow: 'fast' is none of disconnect, resync/ ],
		[ "check = yes\n", qr/hub\.conf:1: 'check' takes no value/ ],
		[ "history\n", qr/hub\.conf:1: 'history' needs a value/ ],
		[ "keys = $keys\n", qr/\Q$keys\E:2: / ],
		[ "keys = /nowhere\n", qr{/nowhere: No such file} ],
		[ "tls-cert = $conf\ntls-key = $conf\n", qr/\Q$conf\E: / ],
	);
	# As texts, what they are is known at once, too.
	my $long = '/' . 'x' x 120;
	push @bad, map { [ "\n$_->[0]\n", qr/hub\.conf:2: $_->[1]/ ] }
	    [ 'listen = localhost:99999', qr/listen: 'localhost:99999' is not HOST:PORT/ ], [ 'listen = 127.0.0.1', qr/listen: '127\.0\.0\.1' is not/ ],
	    [ 'listen = ::1:80', qr/listen: '::1:80' is not/ ], [ 'listen-proxy = none', qr/listen-proxy: 'none' is not/ ],
	    [ 'host = a b', qr/host: 'a b' is no host/ ], [ 'host = a.example:80', qr/host: 'a\.example:80' goes without a port/ ],
	    [ 'origin = a.example', qr/origin: 'a\.example' matches no origin/ ], [ 'cors = a.example', qr/cors: 'a\.example' is no origin/ ],
	    [ 'trust-proxy = 10.0.0.0/40', qr{trust-proxy: '10\.0\.0\.0/40': the bits} ],
	    [ 'socketio-path = io', qr/socketio-path: 'io' does not begin with a slash/ ],
	    [ "socket = $long", qr/socket: '$long' is longer than/ ], [ 'user = nobody-of-that-name', qr/user: nobody-of-that-name: no such user/ ],
	    [ 'store =', qr/store: '' is no file/ ],
	    map { [ "socketio-path = $_", qr/socketio-path: '$_' is the path of another door/ ] } '/ws', '/ws/', '/healthz', '/sessions', '/sessions/a/events';
	# And what does not go together.
	push @bad, [ "ping = 70s\n", qr/hub\.conf:1: pong \(60 s\) must be longer/ ], [ "ping = 30s\n\npong = 20s\n", qr/hub\.conf:3: pong \(20 s\) must/ ],
	    [ "listen-proxy = 127.0.0.1:0\n", qr/hub\.conf:1: listen-proxy needs trust-proxy/ ], [ "\ntls-key = $conf\n", qr/hub\.conf:2: tls-cert and tls-key need/ ],
	    [ "listen = none\nsocket = none\n", qr/hub\.conf:2: listen and socket are both none/ ],
	    [ "origin = https://a.example\ncors = https://b.example\n", qr/hub\.conf:2: cors: requests of 'https:\/\/b\.example' are refused/ ],
	    [ "listen = 0.0.0.0:0\n", qr/listen: others can reach 0\.0\.0\.0:0/ ], [ "store = $conf\n", qr/store \Q$conf\E: not a store of hubd/ ];
	for my $case (@bad) {
		my ($text, $why) = @$case;
		spew($conf, $text);
		for my $check ('--check', '--drain=0') {
			my $r = Hub->refuses('-c', $conf, $check, $text =~ /^socket =/m ? () : ('-s', scratch() . '/tried.sock'));
			is($r->{status}, 78, "refused, $check: " . $text =~ s/\n/; /gr);
			like($r->{err}, $why, 'with its place');
		}
	}
	for my $case ([ 64, '--listen', '127.0.0.1', qr/--listen: '127\.0\.0\.1' is not HOST:PORT/ ], [ 64, '--pong', '5', qr/^hubd: pong \(5 s\) must/ ],
		[ 64, '--socketio-path', '/ws', qr/--socketio-path: '\/ws' is the path of another door/ ], [ 64, '--host', '', qr/--host: '' is no host/ ],
		[ 78, '--user', 'nobody-of-that-name', qr/^hubd: user: nobody-of-that-name: no such user/ ], [ 78, '-l', '[::]:0', qr/others can reach \[::\]:0/ ],
		[ 73, '-l', 'no-such-name.invalid:80', qr/^hubd: listen: no-such-name\.invalid:80: / ],
		[ 73, '--store', scratch() . '/nowhere/s.db', qr/nowhere\/s\.db: No such file/ ])
	{
		my ($status, $option, $value, $why) = @$case;
		for my $check ('--check', '--drain=0') {
			my $r = Hub->refuses($option, $value, $check, '-s', scratch() . '/tried.sock', $option eq '-l' ? () : ('-l', 'none'));
			is($r->{status}, $status, "$option '$value' $check: $status");
			like($r->{err}, $why, 'in words');
		}
	}
	my $store = scratch() . '/tried.db';
	my $keeps = Hub->start(args => [ '--store', $store ]);
	is(hubd('-l', 'none', '--store', $store, '--check')->{status}, 0, 'a store that is in use is fine');
	is($keeps->health->{status}, 'ok', 'and stays so');
	$keeps->stop;
	is(hubd('-l', '127.0.0.1:1', '-l', 'localhost:0', '--store', scratch() . '/new.db', '--check')->{status}, 0, 'one that is not there yet, too');
	ok(!-e scratch() . '/new.db', 'and is not made');
	is(hubd('-c', '/nowhere', '--check')->{status}, 78, 'a configuration that is not there');
	my $none = hubd('-l', 'none', '-s', 'none');
	is($none->{status}, 78, 'no way in at all');
	like($none->{err}, qr/both none/, 'in words');
};

# Until hubd has said it that often.
sub said {
	my ($hub, $what, $n) = @_;
	wait_for { (() = slurp("$hub->{log}.err") =~ /$what/g) >= $n } "'$what' in the log";
}

subtest 'SIGHUP: changed under way' => sub {
	my $keys = spew(scratch() . '/state.keys', "thing id\n");
	my $write = sub { spew($conf, map { "$_\n" } "keys = $keys", @_) };
	$write->('max-message = 4k', 'history = 300');
	my $hub = Hub->start(args => [ '-c', $conf ]);
	my @members = map { $hub->member('ws', 'live') } 1 .. 5;
	my $big = 'x' x 6000;
	my $try = sub {
		$members[0]->send({ type => 'big', x => $big, msg_id => 'm' . shift });
		return $members[0]->wait_type('ack')->{type};
	};
	my $first = $hub->member('ws', 'live');
	$first->send({ type => 'big', x => $big });
	is($first->closed, 1009, 'too large before');

	$write->('max-message = 64k', 'history = 400');
	kill 'HUP', $hub->pid;
	said($hub, qr/read again/, 1);
	my $log = slurp("$hub->{log}.err");
	like($log, qr/max-message has changed\n/, 'what has changed');
	like($log, qr/history has changed: that takes a restart/, 'what cannot');
	is($try->(2), 'ack', 'fine after, on a connection of before');

	# Which messages are state.
	spew($keys, "thing id\nother name\n");
	kill 'HUP', $hub->pid;
	said($hub, qr/read again/, 2);
	$members[1]->send({ type => 'other', name => 'n', x => 1 });
	$members[2]->wait_type('other');
	my $late = $hub->member('ws', 'live');
	is($late->{joined}{snapshot}, 1, 'the keys were read again');

	# What is wrong changes nothing.
	$write->('max-message = 64k', 'pong = never');
	kill 'HUP', $hub->pid;
	said($hub, qr/everything stays as it was/, 1);
	like(slurp("$hub->{log}.err"), qr/hub\.conf:3: pong: 'never' is not a time.*; everything stays/, 'the place is said');
	$write->('max-message = 64k', 'tls-cert = cert.pem');
	kill 'HUP', $hub->pid;
	said($hub, qr/everything stays as it was/, 2);
	is($try->(3), 'ack', 'all goes on');

	# While messages fly.
	$write->('max-message = 32k');
	for my $n (1 .. 50) {
		kill 'HUP', $hub->pid if $n % 5 == 0;
		$members[ $n % 5 ]->send({ type => 'flying', n => $n });
	}
	for my $m (@members) {
		my %seen;
		$seen{ $m->wait_type('flying')->{n} }++ for 1 .. 50;
		is(scalar(keys %seen), 50, 'all of them, to one of the members');
	}
	ok($_->alive, 'nobody was sent away') for @members, $late;
};

subtest 'SIGHUP: what cannot be read again' => sub {
	my ($keys, $dir) = (scratch() . '/fifo.keys', scratch());
	spew($keys, "pos key\n");
	my $config = spew("$dir/piped.conf", "origin = https://a.example.org\nkeys = $keys\n");
	my $hub = Hub->start(args => [ '-c', '-' ], in => $config);
	my $strange = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: https://b.example.org\r\nConnection: close\r\n\r\n";
	is($hub->get('/healthz', raw => $strange)->{status}, 403, 'as the configuration says');
	kill 'HUP', $hub->pid;
	becomes { $hub->log_text =~ /-: cannot be read again, for it is no regular file; everything stays/ } 'standard input';
	is($hub->get('/healthz', raw => $strange)->{status}, 403, 'it stays as it was');
	$hub->stop;
	$hub = Hub->start(args => [ '-c', $config ]);
	unlink $keys;
	POSIX::mkfifo($keys, 0600) or die "mkfifo: $!\n";
	kill 'HUP', $hub->pid;
	becomes { $hub->log_text =~ /fifo\.keys: cannot be read again, for it is no regular file/ } 'a fifo in the place of a file';
	is($hub->health->{status}, 'ok', 'does not hold the hub up');
	$hub->stop;
};

subtest 'SIGHUP: another certificate' => sub {
	my ($openssl) = grep { -x } map { "$_/openssl" } split /:/, $ENV{PATH};
	plan skip_all => 'no openssl here' unless $openssl;
	my ($cert, $key) = map { scratch() . "/hup.$_" } qw(crt key);
	my $make = sub {
		my $r = run([
				$openssl, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj), "/CN=$_[0]",
				'-keyout', $key, '-out', $cert
			]);
		is($r->{status}, 0, "a certificate of $_[0]") or diag($r->{err});
	};
	$make->('one');
	spew($conf, "tls-cert = $cert\ntls-key = $key\n");
	my $hub = Hub->start(args => [ '-c', $conf ]);
	my $shown = sub {
		my $r = run([ $openssl, 's_client', '-connect', "127.0.0.1:$hub->{port}" ], in => '');
		return $r->{out} =~ /subject=CN ?= ?(\w+)/ ? $1 : $r->{err};
	};
	# Somebody who was there before: a handshake, then a request after the change.
	my $before = spawn([ $openssl, 's_client', '-quiet', '-connect', "127.0.0.1:$hub->{port}" ],
		in => 'pipe', out => scratch() . '/before.out', err => scratch() . '/before.err');
	wait_for { slurp(scratch() . '/before.err') =~ /depth=0/ } 'the handshake';
	is($shown->(), 'one', 'the first');
	$make->('two');
	kill 'HUP', $hub->pid;
	said($hub, qr/read again: 0 options have changed; the certificate was read/, 1);
	is($shown->(), 'two', 'the second, without a start');
	spew($key, "no key\n");
	kill 'HUP', $hub->pid;
	said($hub, qr/everything stays as it was/, 1);
	like(slurp("$hub->{log}.err"), qr/\Q$key\E: .*; everything stays/, 'a key that is none');
	is($shown->(), 'two', 'keeps what was there');
	$before->{stdin}->autoflush(1);
	print { $before->{stdin} } "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	wait_for { slurp(scratch() . '/before.out') =~ m{^HTTP/1.1 200} } 'an answer to who was there before';
	pass('who was there goes on with the first');
	$before->kill('KILL');
	$before->wait;
};

# Keys and the certificate change while members get records as fast as they come: nobody is dropped or misses one.
subtest 'SIGHUP under load: other keys, another certificate' => sub {
	my ($openssl) = grep { -x } map { "$_/openssl" } split /:/, $ENV{PATH};
	plan skip_all => 'no openssl here' unless $openssl;
	my ($cert, $pem, $key) = map { scratch() . "/load.$_" } qw(crt key secret);
	my @secret = map { "secret number $_ of this test, of more than 32 bytes" } 0 .. 4;
	my $make = sub {
		my ($n) = @_;
		my $r = run([ $openssl, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1), '-subj',
				"/CN=load$n", '-keyout', "$pem.new", '-out', "$cert.new" ]);
		is($r->{status}, 0, "certificate $n") or diag($r->{err});
		spew("$key.new", "$secret[$n]\n");
		chmod 0600, "$key.new";
		rename "$_.new", $_ or die "$_: $!\n" for $cert, $pem, $key;
	};
	$make->(0);
	spew($conf, "tls-cert = $cert\ntls-key = $pem\nauth-key = $key\n");
	my $hub = Hub->start(args => [ '-c', $conf, '--history', 100_000, '--history-bytes', '64M' ]);
	my $in = sub {
		my ($n, %o) = @_;
		return Hub::Client->ws($hub->{port}, %o,
			headers => [ 'Authorization: Bearer ' . token({ sub => "user$n" }, secret => $secret[$n]) ],
			command => [ $openssl, 's_client', '-quiet', '-connect', "127.0.0.1:$hub->{port}" ]);
	};
	my @members = map { my $c = $in->(0); $c->join_session('load'); $c } 1 .. 4;
	push @members, $hub->member('unix', 'load');
	my $source = $hub->member('unix', 'load', echo => JSON::PP::false());
	my ($sent, %seen) = (0);
	my $load = sub {
		$source->send_text(map { sprintf '{"type":"n","n":%d,"pad":"%s"}', ++$sent, 'x' x 200 } 1 .. 200);
	};
	# All of them get all, in order.
	my $check = sub {
		for my $c (@members) {
			wait_for { ($seen{$c} // 0) >= $sent || !$c->alive || do {
					for my $m (splice @{ $c->{in} }) {
						next unless $m =~ /"type":"n","n":(\d+)/;
						die "$1 after " . ($seen{$c} // 0) . "\n" if $1 != ($seen{$c} // 0) + 1;
						$seen{$c} = $1;
					}
					0;
				}
			} 'all records', undef, @members, $source;
			return 0 if ($seen{$c} // 0) < $sent;
		}
		return 1;
	};
	for my $n (1 .. 4) {
		$load->();
		$make->($n);
		$load->();
		kill 'HUP', $hub->pid;
		$load->() for 1 .. 3;
		said($hub, qr/read again: \d+ options have changed; the certificate was read/, $n);
		is($in->($n - 1, refused => 1)->{status}, 401, "change $n: a token of the key that is gone is refused");
		my $new = $in->($n);
		$load->();
		$source->sync; # or the log might end before what is asked for
		$new->join_session('load', since => $sent - 10);
		$seen{$new} = $sent - 10;
		push @members, $new;
		my $shown = run([ $openssl, 's_client', '-connect', "127.0.0.1:$hub->{port}" ], in => '');
		like($shown->{out}, qr/subject=CN ?= ?load$n\b/, 'the new certificate is shown, a token of the new key is good');
		ok($check->(), 'nobody is dropped or misses anything');
	}
	ok($_->alive, 'who showed a token of the first key is there') for @members[ 0 .. 3 ];
	$hub->stop;
};

# A datagram socket in place of systemd.
sub manager {
	my $path = scratch() . '/notify' . int rand 1e9;
	my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$path: $!";
	$socket->blocking(0);
	my $said = '';
	return ($path, sub {
		my ($what) = @_;
		wait_for {
			while (defined $socket->recv(my $text, 4096)) { $said .= "$text\n" }
			return $said =~ $what;
		} "the manager to be told: $what";
		return $said;
	});
}

subtest 'systemd is told' => sub {
	my ($path, $told) = manager();
	spew($conf, "ping = 20\n");
	my $hub = Hub->start(args => [ '-c', $conf, '--ping', '540' ],
		env => { NOTIFY_SOCKET => $path, WATCHDOG_USEC => 20_000_000 });
	$told->(qr/^READY=1$/m);
	my $member = $hub->member('unix', 's');
	$told->(qr/^STATUS=1 connections, 1 sessions$/m);
	$told->(qr/^WATCHDOG=1$/m);
	kill 'HUP', $hub->pid;
	my $said = $told->(qr/^RELOADING=1\nMONOTONIC_USEC=\d+\nREADY=1$/m);
	unlike($said, qr/STOPPING/, 'not stopping yet');
	$hub->{proc}->kill('TERM');
	$told->(qr/^STOPPING=1$/m);
	is($hub->{proc}->wait, 0, 'the end');
	$hub->forget;
	pass('ready, alive, reloading, stopping');
};

subtest 'sockets from systemd' => sub {
	my $tcp = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die $!;
	my $unix_path = scratch() . '/handed.sock';
	my $unix = IO::Socket::UNIX->new(Listen => 64, Local => $unix_path) or die $!;
	my $port = $tcp->sockport;
	my $begin = sub {
		my ($err) = @_;
		return spawn(
			[ 'sh', '-c', "exec 3<&$_[1] 4<&$_[2]; LISTEN_PID=\$\$ LISTEN_FDS=2 exec \"\$0\" \"\$@\"",
				"$build/hubd", '--drain', '0', '-w', '2' ],
			err => $err, pass => [ $tcp, $unix ]);
	};
	for my $round (1, 2) {
		# Somebody who comes before there is a hub waits, and is served.
		my $early = IO::Socket::INET->new("127.0.0.1:$port") or die $!;
		print $early "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
		my $proc = $begin->(scratch() . "/handed$round.err", fileno $tcp, fileno $unix);
		my $answer = do { local $/; <$early> };
		like($answer, qr{^HTTP/1.1 200 }, "over TCP, round $round");
		my $send = run([ 'hubcat', '-u', "unix:$unix_path", '-p', 's' ], in => qq({"type":"x"}\n));
		is($send->{status}, 0, 'over the Unix socket') or diag($send->{err});
		$proc->kill('TERM');
		is($proc->wait, 0, 'it ends');
		ok(-S $unix_path, 'and leaves the socket where it is');
	}
	my $file = spew(scratch() . '/file', '');
	open my $fh, '<', $file or die $!;
	my $r = run([ 'sh', '-c', "exec 3<$file; LISTEN_PID=\$\$ LISTEN_FDS=1 exec $build/hubd" ]);
	is($r->{status}, 78, 'what is no socket');
	like($r->{err}, qr/descriptor 3, handed over, is no stream socket/, 'is named');
};

subtest 'somebody else' => sub {
	is(hubd(qw(--user no-such-user --socket none --listen 127.0.0.1:0))->{status}, 78, 'a user that is none');
	plan(skip_all => 'only root may become somebody else') if $> != 0;
	# Where nobody may go: a test's own directory is nobody else's.
	my $dir = tempdir(DIR => '/tmp', CLEANUP => 1);
	chown((getpwnam 'nobody')[ 2, 3 ], $dir);
	my $hub = Hub->start(dir => $dir, args => [ '--user', 'nobody', '--store', "$dir/store" ]);
	my ($uid) = slurp('/proc/' . $hub->pid . '/status') =~ /^Uid:\s+(\d+)/m;
	is($uid, (getpwnam 'nobody')[2], 'is nobody');
	like(slurp('/proc/' . $hub->pid . '/status'), qr/^NoNewPrivs:\s+1$/m, 'for good');
	like(slurp('/proc/' . $hub->pid . '/status'), qr/^CapEff:\s+0+$/m, 'without capabilities');
	is((stat $hub->{socket})[4], $uid, 'the socket is its own');
	is((stat "$dir/store")[4], $uid, 'and the store');
};

subtest 'the unit' => sub {
	my $root = dirname(__FILE__) . '/../..';
	my $r = run([ 'systemd-analyze', 'security', '--no-pager', '--offline=true', '--threshold=20',
			"$root/contrib/hubd.service" ]);
	plan(skip_all => 'no systemd-analyze here') if $r->{status} == 127 || $r->{err} =~ /No such file/;
	is($r->{status}, 0, 'exposed to 2.0 at most') or diag($r->{out}, $r->{err});
};

done_testing;

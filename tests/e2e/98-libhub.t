# libhub: a program that is a member, in a loop of its own and in the library's; what it is told, what it
# publishes, and that neither is lost or doubled when connections are cut, hubs go, or it is slow itself.
# HUB_TEST_ROUNDS: how many cuts (200).
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Token;

my $program = "$ENV{HUB_BUILD}/tests/tools/libhub";
my $cuts = $ENV{HUB_TEST_ROUNDS} || 200;

sub program { return spawn([ $program, @_ ], in => 'pipe') }

sub order {
	my ($proc, @lines) = @_;
	local $SIG{PIPE} = 'IGNORE';
	syswrite $proc->{stdin}, join '', map { "$_\n" } @lines;
}

sub said {
	my ($proc, $what, $patience) = @_;
	wait_for { slurp($proc->{out}) =~ $what } "the program to say $what", $patience;
	return slurp($proc->{out}) =~ $what ? $1 : die;
}

# What it said, but for the ids that differ each time.
sub story {
	my ($proc) = @_;
	return slurp($proc->{out}) =~ s/^(joined \S+) \S+/$1 EPOCH/mgr =~ s/ \w{11} (?=\{)/ FROM /gr
	    =~ s/,"(?:msg_id|session_id|timestamp)":.*\}$/}/mgr;
}

sub stop {
	my ($proc) = @_;
	order($proc, 'stop');
	is($proc->wait, 0, 'it ends');
}

my %loop = ('its own loop' => [], 'hub_run() and a thread' => ['-r']);
for my $loop (sort keys %loop) {
	subtest $loop => sub {
		my $hub = Hub->start;
		my $friend = $hub->member('unix', 'room');
		for my $url ("unix:$hub->{socket}", "ws://127.0.0.1:$hub->{port}/ws") {
			my $proc = program(@{ $loop{$loop} }, $url, 'room');
			said($proc, qr/^state joined/m);
			order($proc, '{"type":"one","n":1}');
			said($proc, qr/^acked 1 (\d+)$/m);
			my $one = $friend->wait_type('one');
			is($one->{n}, 1, 'what it publishes comes');
			$friend->send_text(qq({"type":"two","text":"\xc3\xa9"}), qq({"type":"three","to":"$one->{from}"}));
			said($proc, qr/^direct \S+ \{"type":"three"/m);
			order($proc, '{"type":"bad\ntype"}', '{"type":"four"', 'nonsense', '{"type":"session_made_up"}', 'drain');
			said($proc, qr/^drained 0$/m);
			stop($proc);
			like(story($proc), qr/\A
				state\ connecting\ none.*\nstate\ open\ none.*\njoined\ room\ EPOCH\ seq=\d+\ snapshot=0.*\n
				state\ joined\ none.*\nhub\ session_associated\ \n
				(?:record\ room\ \d+\ FROM\ \{"type":"one","n":1\}\n | acked\ 1\ \d+\n){2}
				(?:.*\n)*state\ leaving\ none\ left\n(?:.*\n)*state\ closed\ left\ left\n(?:end\ left\n)?\z/x, 'all that it is told');
			like(story($proc), qr/^record room \d+ FROM \{"type":"two","text":"\xc3\xa9"\}$/m, 'a record');
			like(story($proc), qr/^refused \d+ bad_type$/m, 'one that is refused is named by its tag');
			like(story($proc), qr/^error 4 Invalid argument$/m, 'what is no JSON is none');
		}
		$hub->stop;
	};
}

# Records and messages of its own, through a connection that is cut again and again.
for my $over ('unix', 'ws') {
	subtest "cuts over $over" => sub {
		my $hub = Hub->start(args => [ '--history', 400_000, '--history-memory', '500M' ]);
		my $cut = Hub::Cut->start($over eq 'ws' ? $hub->{port} : $hub->{socket}, seed => 11, cuts => $cuts, bytes => 8000);
		my @args = (qw(-o first_ms=20 -o longest_ms=100 -o attempts=100000), $over eq 'ws' ? '-r' : ());
		my $proc = program(@args, $cut->url, 'cuts');
		my $friend = $hub->member('unix', 'cuts', echo => JSON::PP::false);
		my ($n, $m) = (0, 0);
		said($proc, qr/^joined cuts/m);
		wait_for {
			# Not more than it can send, so that this does not wait for it.
			my $acked = () = slurp($proc->{out}) =~ /^acked/mg;
			order($proc, map { $n++; qq({"type":"mine","n":$n}) } 1 .. 20) if $n - $acked < 200;
			$friend->send_text(map { $m++; qq({"type":"theirs","n":$m}) } 1 .. 10) if $m < $n;
			$cut->cuts >= $cuts;
		} 'the cuts', 400;
		order($proc, 'drain');
		said($proc, qr/^drained 0$/m, 200);
		my $all = $n + $m;
		is($hub->member('unix', 'cuts')->{joined}{seq}, $all, "$all messages are in the log once");
		said($proc, qr/^record cuts $all /m, 200);
		my @got = map { /^record cuts (\d+) / ? $1 : () } split /\n/, slurp($proc->{out});
		is_deeply(\@got, [ 1 .. $all ], 'and came once each, in order');
		my @acked = sort { $a <=> $b } map { /^acked (\d+) / ? $1 : () } split /\n/, slurp($proc->{out});
		is_deeply(\@acked, [ 1 .. $n ], 'each of its own is acknowledged once');
		my ($mine, %seq) = (0);
		for (split /\n/, slurp($proc->{out})) {
			$seq{$1} = $2 if /^acked (\d+) (\d+)/;
			$mine++ if /^record cuts (\d+) .*"type":"mine","n":(\d+)/ && ($seq{$2} // $1) == $1;
		}
		is($mine, $n, 'by its number in the log');
		unlike(slurp($proc->{out}), qr/^refused/m, 'none is refused');
		stop($proc);
		$cut->stop;
		$hub->stop;
	};
}

subtest 'a callback that takes its time' => sub {
	my $hub = Hub->start(args => [ '--history', 400_000, '--history-memory', '500M' ]);
	my $proc = program("unix:$hub->{socket}", 'slow');
	said($proc, qr/^state joined/m);
	my $friend = $hub->member('unix', 'slow', echo => JSON::PP::false);
	order($proc, 'slow 1500', 'drain');
	said($proc, qr/^drained/m);
	my $n = 20_000;
	# It sleeps at the first; more than the kernel holds comes behind it.
	$friend->send_text(map { sprintf '{"type":"t","n":%d,"text":"%s"}', $_, 'x' x 200 } ($_ - 1) * 1000 + 1 .. $_ * 1000) for 1 .. $n / 1000;
	$friend->sync;
	order($proc, '{"type":"last"}');
	said($proc, qr/^acked/m, 200);
	said($proc, qr/^record slow @{[ $n + 1 ]} /m, 200);
	my @got = map { /^record slow (\d+) / ? $1 : () } split /\n/, slurp($proc->{out});
	is_deeply(\@got, [ 1 .. $n + 1 ], 'misses nothing');
	order($proc, 'pause');
	$friend->send({ type => 'while', n => $_ }) for 1 .. 3;
	$friend->sync;
	order($proc, 'resume');
	said($proc, qr/^record slow @{[ $n + 4 ]} /m);
	pass('nor does one that pauses');
	stop($proc);
	$hub->stop;
};

# The answer to a ping is in the socket, but nobody looked in its time.
subtest 'a loop that is held up' => sub {
	my $hub = Hub->start;
	my $proc = program(qw(-o ping_ms=200 -o pong_ms=4000), "unix:$hub->{socket}", 'nap');
	said($proc, qr/^state joined/m);
	order($proc, 'nap');
	said($proc, qr/^napped$/m);
	order($proc, '{"type":"awake"}');
	said($proc, qr/^acked/m);
	unlike(slurp($proc->{out}), qr/^state waiting/m, 'does not count as lost by the hub\'s silence');
	stop($proc);
	$hub->stop;
};

subtest 'a hub that goes and comes' => sub {
	my $store = scratch() . '/store.db';
	my @hub = (args => [ '--store', $store ]);
	my $hub = Hub->start(@hub);
	my @args = qw(-o first_ms=20 -o longest_ms=200 -o attempts=100000);
	my $proc = program(@args, "unix:$hub->{socket}", 'stored');
	said($proc, qr/^state joined/m);
	order($proc, map { qq({"type":"t","n":$_}) } 1 .. 100);
	said($proc, qr/^acked 100 100$/m);
	$hub->{proc}->kill('KILL');
	$hub->{proc}->wait;
	$hub->forget;
	said($proc, qr/^state waiting none/m);
	order($proc, map { qq({"type":"t","n":$_}) } 101 .. 200);
	my $next = Hub->start(dir => $hub->{dir}, @hub);
	said($proc, qr/^acked 200 200$/m);
	said($proc, qr/^record stored 200 /m);
	my @got = map { /^record stored (\d+) .*"n":(\d+)/ ? "$1 $2" : () } split /\n/, slurp($proc->{out});
	is_deeply(\@got, [ map { "$_ $_" } 1 .. 200 ], 'nothing is missed, nothing twice');
	like(slurp($proc->{out}), qr/^joined stored \S+ seq=100 snapshot=0 again recovered $/m, 'it goes on where it was');

	# As another process, from a place that it has kept: in a log that had a crash, the hub's run is part of it.
	my ($epoch) = slurp($proc->{out}) =~ /^joined stored (\S+)/m;
	my $from = sub {
		my @place = map { ('-o', $_) } @_;
		return program(@args, '-o', 'rest=1', '-o', "epoch=$epoch", @place, "unix:$hub->{socket}", 'stored');
	};
	my $second = $from->('since=0');
	said($second, qr/^record stored 200 /m);
	my $run = said($second, qr/^joined stored \S+ seq=200 .*run=(\S+)/m);
	my $third = $from->('since=150', "run=$run");
	said($third, qr/^record stored 200 /m);
	like(slurp($third->{out}), qr/^joined stored \Q$epoch\E seq=200 snapshot=0 recovered  run=\S+$/m, 'so does another process');
	is(scalar(() = slurp($third->{out}) =~ /^record/mg), 50, 'with what came since');
	# Without it, only what the crash has left is known to be the same.
	my $fourth = $from->('since=150');
	said($fourth, qr/^record stored 200 /m);
	like(slurp($fourth->{out}), qr/^joined stored \S+ seq=200 snapshot=0 epoch_changed run=\S+ left=100$/m, 'or it is told what is left');
	is(scalar(() = slurp($fourth->{out}) =~ /^record/mg), 100, 'and given that');
	stop($_) for $proc, $second, $third, $fourth;
	$next->stop;
};

subtest 'the state, several sessions, no echo' => sub {
	my $hub = Hub->start;
	my $friend = $hub->member('unix', 'a');
	$friend->send_text('{"type":"lamp","key":"door","on":true}', '{"type":"chat","text":"hi"}');
	$friend->sync;
	my $proc = program(qw(-o state=1 -o no_echo=1), "unix:$hub->{socket}", 'a', 'b', 'a', '', 'c' x 200);
	said($proc, qr/^state joined/m);
	like(slurp($proc->{out}), qr/^join a: File exists\njoin : Invalid argument\njoin c{200}: Invalid argument$/m, 'names that are none');
	like(slurp($proc->{out}), qr/^state-record a 1 \S+ \{"type":"lamp"/m, 'the state');
	unlike(slurp($proc->{out}), qr/"chat"/, 'and that alone');
	order($proc, '{"type":"to_b"}', '{"type":"to_a","session_id":"a"}');
	said($proc, qr/^acked 2 3$/m);
	order($proc, 'join d');
	said($proc, qr/^joined d /m);
	order($proc, '{"type":"to_d"}', 'drain');
	said($proc, qr/^drained 0$/m);
	$friend->join_session($_) for 'b', 'd';
	$friend->send_text(qq({"type":"from","session_id":"$_"})) for qw(a b d);
	said($proc, qr/^record $_ \d+ \S+ \{"type":"from"/m) for qw(a b d);
	unlike(slurp($proc->{out}), qr/"to_/, 'without an echo');
	like(slurp($proc->{out}), qr/^record a 4 /m, 'in the log of each');
	like(slurp($proc->{out}), qr/^record $_ 2 /m, 'in the log of each') for 'b', 'd';
	stop($proc);
	$hub->stop;
};

subtest 'what is wrong' => sub {
	my $new = sub { my $r = run([ $program, @_ ]); return $r->{out} };
	like($new->('http://x'), qr/^new Invalid argument: ./, 'a URL');
	like($new->(qw(-o cert=x wss://x)), qr/^new Invalid argument: cert and key need each other$/m, 'half a certificate');
	like($new->(qw(-o proxy=x ws://x)), qr/^new Invalid argument: the proxy is not/m, 'a proxy');
	my $nobody = 'unix:' . scratch() . '/nobody.sock';
	like($new->('-r', qw(-o no_reconnect=1), $nobody), qr/^state closed unreachable .*is hubd running\?\nend unreachable$/m, 'no hub');
	for my $fields ('x', ',"a"', ',"a":1}', ",\"a\":1,\n\"b\":2", '"a":1') {
		like($new->('-o', "fields=$fields", qw(-o no_reconnect=1), $nobody, 's'), qr/^join s: Invalid argument$/m, 'fields that are none');
	}
	my $hub = Hub->start(args => [ '--max-members', 1, '--max-message', '1k' ]);
	my $friend = $hub->member('unix', 'full');
	like($new->('-r', "unix:$hub->{socket}", 'full'), qr/^state closed refused session_full.*\nend refused$/m, 'a session that is full');
	my $proc = program("unix:$hub->{socket}", 'large');
	said($proc, qr/^state joined/m);
	order($proc, '{"type":"t","text":"' . 'x' x 2000 . '"}', '{"type":"t"}');
	said($proc, qr/^acked 2 1$/m);
	like(slurp($proc->{out}), qr/^error 1 Message too long$/m, 'a message that is too large');
	order($proc, 'free', '{"type":"t"}');
	is($proc->wait, 0, 'freed from inside a callback');
	unlike(slurp($proc->{out}), qr/"type":"t".*\n.*record large 2.*\n./s, 'nothing comes behind that');
	$hub->stop;
};

subtest 'back-pressure of the queue' => sub {
	my $hub = Hub->start;
	my $proc = program(qw(-o queue=4096), "unix:$hub->{socket}", 'queue');
	said($proc, qr/^state joined/m);
	order($proc, map { qq({"type":"t","n":$_}) } 1 .. 3000);
	order($proc, 'drain');
	said($proc, qr/^drained 0$/m);
	like(slurp($proc->{out}), qr/^error \d+ Resource temporarily unavailable$/m, 'it is full at times');
	is($hub->member('unix', 'queue')->{joined}{seq}, 3000, 'and all is in the log');
	stop($proc);
	$hub->stop;
};

subtest 'TLS, and a token' => sub {
	my $dir = scratch();
	run([ '/usr/bin/env', qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout), "$dir/key.pem", '-out',
			"$dir/cert.pem", qw(-days 2 -subj /CN=elsewhere) ]);
	plan skip_all => 'no openssl here' unless -s "$dir/cert.pem";
	my $hub = Hub->start(args => [ '--auth-key', key_file(), '--tls-cert', "$dir/cert.pem", '--tls-key', "$dir/key.pem" ]);
	my $url = "wss://127.0.0.1:$hub->{port}/ws";
	my $file = spew("$dir/token", token({ sub => 'ann', hub => { join => ['mine'], publish => ['mine'], read => ['*'] } }) . "\n");
	chmod 0600, $file;
	my $r = run([ $program, '-r', '-o', "token_file=$file", $url, 'mine' ]);
	like($r->{out}, qr/^state closed rejected the hub's certificate: .*\nend rejected$/m, 'a certificate that nobody vouches for');
	my $proc = program('-o', 'insecure=1', '-o', "token_file=$file", $url, 'mine');
	order($proc, '{"type":"t"}');
	said($proc, qr/^acked 1 1$/m);
	said($proc, qr/^record mine 1 \S+ \{"type":"t"/m);
	pass('taken where that does not matter, with the token');
	stop($proc);
	$r = run([ $program, '-r', '-o', 'insecure=1', '-o', "token_file=$file", $url, 'other' ]);
	like($r->{out}, qr/^state closed refused forbidden: .*\nend refused$/m, 'which is for some sessions');
	$hub->stop;
};

done_testing;

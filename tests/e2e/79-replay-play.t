# hubreplay play: what was recorded comes back as the same messages in the same order, from however it is
# stored; at the speed that is asked for; and what is damaged is said.
use strict;
use warnings;
use Hub;
use Hub::Replay;
use IO::Handle;
use POSIX ();

my $hub = Hub->start;
my @u = ('-u', "unix:$hub->{socket}");
my $dir = scratch();

sub play { return run([ 'hubreplay', 'play', @u, @_ ]) }

# A message as its sender had it: without what is the hub's, and without msg_id.
sub bare {
	my ($text) = @_;
	$text =~ s/,"t":[0-9.]+\}$/}/;
	$text =~ s/,"from":"[^"]*","seq":\d+\}$/}/;
	$text =~ s/,"(?:msg_id|session_id)":"[^"]*"//g;
	return $text;
}

sub recorded {
	my ($file, @key) = @_;
	my $out = run([ 'hubreplay', 'export', '--state', @key, $file ]);
	return map { bare($_) } split /\n/, $out->{out};
}

# The lines of a file of messages, sent by several programs at once.
sub publish_data {
	my ($session, $name, $n) = @_;
	my @lines = slurp(data_file($name)) =~ /^.*\n/mg;
	my @publishers = map {
		my $i = $_;
		my $part = spew("$dir/$session.$i", @lines[ grep { $_ % $n == $i } 0 .. $#lines ]);
		spawn($hub->hubcat([ '-p', $session ], over => $i % 2 ? 'ws' : 'unix'), in => $part);
	} 0 .. $n - 1;
	is($_->wait, 0, 'a publisher ends well') for @publishers;
	return scalar @lines;
}

my $key = "$dir/seal.key";
my $sign = "$dir/sign.key";
is(run([ 'hubreplay', 'keygen', '--seal', $key, '--sign', $sign ])->{status}, 0, 'keys');
my @ways = (
	[ 'plain', '.ndjson', [], [] ],
	[ 'compressed', '.ndjson.zst', [], [] ],
	[ 'sealed and signed', '.sealed', [ '--seal', $key, '--sign', $sign ], [ '--seal', $key, '--verify-key', "$sign.pub" ] ],
	[ 'compressed and sealed', '.sealed.zst', [ '--seal', $key ], [ '--seal', $key ] ]);

for my $data ('match', 'positions') {
	my $n;
	for my $way (@ways) {
		my ($name, $suffix, $to, $from) = @$way;
		subtest "$data, $name" => sub {
			my ($one, $two) = map { "$data$suffix-$_" } 1, 2;
			my $rec = record($hub, [ '-o', "$dir/$one$suffix", @$to ], $one);
			recording("$dir/$one$suffix");
			my $count = publish_data($one, $data, 3);
			finish($rec);
			my @first = recorded("$dir/$one$suffix", @$from);
			is(scalar @first, $count, "all $count are recorded");
			$rec = record($hub, [ '-o', "$dir/$two$suffix", @$to ], $two);
			recording("$dir/$two$suffix");
			my $played = play('--fast', '--as', $two, @$from, "$dir/$one$suffix");
			is("$played->{status} $played->{err}", '0 ', 'played');
			finish($rec);
			is_deeply([ recorded("$dir/$two$suffix", @$from) ], \@first, 'and recorded again, the same in the same order');
			is(run([ 'hubreplay', 'verify', @$from, "$dir/$two$suffix" ])->{status}, 0, 'which is whole');
		};
	}
}

# A recording made by hand: [t, message...]
sub make {
	my ($name, @lines) = @_;
	my $seq = 0;
	return spew("$dir/$name", qq({"type":"recording","version":1,"session_id":"made","start":1700000000000}\n),
		map { my ($t, $m) = @$_; $seq++; substr($m, 0, -1) . qq(,"from":"aaaaaaaaaaa","seq":$seq,"t":$t}\n) } @lines);
}

# What a session has got: as a list of texts.
sub session {
	my ($s) = @_;
	my $c = $hub->unix;
	my $j = $c->join_session($s, since => 0);
	wait_for { @{ $c->{in} } >= $j->{seq} } 'what was played', undef, $c;
	return @{ $c->{in} };
}

subtest 'what is sent' => sub {
	my $file = make(
		'odd.ndjson',
		[ 0, '{"session_id":"made","type":"a","msg_id":"m1" , "x":1.50e2}' ],
		[ 1, '{ "type":"b","from2":"\\u00eb","data":{"from":"x","seq":2}}' ],
		[ 2, '{"type":"c","timestamp":17,"key":"k","s":"}\\","}' ],
		[ 2, '{"type":"d","timestamp":1700000000001}' ]);
	my $played = play('--fast', $file);
	is($played->{status}, 0, 'played into the session that it is of') or diag($played->{err});
	my @got = map { s/,"(?:msg_id|from)":"[^"]*"//gr } session('made');
	s/("timestamp":)\d{13},"seq"/$1N,"seq"/ for @got[ 0, 1 ];
	is($got[0], '{"session_id":"made","type":"a", "x":1.50e2,"timestamp":N,"seq":1}', 'its bytes, without msg_id');
	is($got[1], '{ "type":"b","from2":"\\u00eb","data":{"from":"x","seq":2},"session_id":"made","timestamp":N,"seq":2}',
		'only the top level is looked at');
	is($got[2], '{"type":"c","timestamp":17,"key":"k","s":"}\\","}'
		=~ s/\}$//r . ',"session_id":"made","seq":3}', 'timestamp and key stay');
	is($got[3], '{"type":"d","timestamp":1700000000001,"session_id":"made","seq":4}', 'whoever set it');
	is(play('--fast', '--loop', 3, '--as', 'looped', $file)->{status}, 0, 'three times');
	is_deeply([ map { unjson($_)->{type} } session('looped') ], [ ('a' .. 'd') x 3 ], 'are three times as many');
	is(play('--lockstep', '--as', 'steps', $file)->{status}, 0, 'each after the ack of the one before');
	is_deeply([ map { unjson($_)->{type} } session('steps') ], [ 'a' .. 'd' ], 'is all of it, too');
	is(play('--fast', '--as', 'jq', '-f', 'select(.type != "b") | (., .type = "copy")', $file)->{status}, 0, '-f');
	is_deeply([ map { unjson($_)->{type} } session('jq') ], [ 'a', 'copy', 'c', 'copy', 'd', 'copy' ],
		'sends what comes out of it');
	is(unjson((session('jq'))[0])->{t}, undef, 'without t');
	my $number = play('--fast', '--as', 'jq', '-f', 'if .type == "b" then 7 else null end', $file);
	is($number->{status}, 1, 'what is no object is not dropped in silence');
	is($number->{err}, "hubreplay play: -f: not an object: 7\n", 'and null is nothing');
	is(play('--fast', '--as', 'piped', '-')->{status}, 65, 'an empty input is no recording');
	my $piped = run([ 'hubreplay', 'play', @u, '--fast', '--as', 'piped', '-' ], in => slurp($file));
	is("$piped->{status} $piped->{err}", '0 ', 'from a pipe');
	is(scalar session('piped'), 4, 'all of it');
};

subtest 'several sessions' => sub {
	my $n = 70;
	my $file = spew("$dir/many.ndjson", qq({"type":"recording","version":1,"start":1700000000000}\n),
		map { my $r = $_; map { qq({"type":"r","n":$r,"session_id":"many.$_","from":"aaaaaaaaaaa","seq":$r,"t":$r}\n) } 1 .. $n } 1 .. 3);
	is(play('--fast', $file)->{status}, 0, 'more than one connection can have');
	my @wrong = grep { join(' ', map { unjson($_)->{n} } session("many.$_")) ne '1 2 3' } 1 .. $n;
	is("@wrong", '', 'each has its records in their order');
};

subtest 'time' => sub {
	my $file = make('timed.ndjson', map { [ $_ * 40, qq({"type":"n","n":$_}) ] } 0 .. 20);
	my $c = $hub->member('unix', 'timed');
	my $start = now();
	my $play = spawn([ "$ENV{HUB_BUILD}/hubreplay", 'play', @u, '--as', 'timed', '-v', $file ]);
	wait_for { @{ $c->{in} } == 21 } 'all of it', undef, $c;
	# A busy machine makes it slower, never faster.
	cmp_ok(now() - $start, '>=', 0.8, 'not faster than it was');
	is($play->wait, 0, 'played');
	like(slurp($play->{err}), qr/21 messages sent.*\n.*late by: p50 [\d.]+ ms, p99 [\d.]+ ms/, '-v tells how late');
	is(play('--speed', 1000, '--as', 'quick', $file)->{status}, 0, 'a thousand times as fast');
	is(play('--speed', 100, '--as', 'part', '--from', '0.2', '--to', '0.4', $file)->{status}, 0, 'a part');
	is_deeply([ map { unjson($_)->{n} } session('part') ], [ 5 .. 9 ], 'from and to');
	# A file that began 2 s after the first keeps its distance; at this speed it is no wait.
	my $second = spew("$dir/second.ndjson", slurp($file) =~ s/1700000000000/1700000002000/r);
	is(play('--speed', 1000, '--as', 'two', '--from', '0.4', '--to', '2.2', $file, $second)->{status}, 0, 'two files');
	is_deeply([ map { unjson($_)->{n} } session('two') ], [ 10 .. 20, 0 .. 4 ], 'one line of time');
};

subtest 'a hub that goes and comes' => sub {
	my $home = File::Temp::tempdir('XXXXXX', DIR => scratch());
	my @args = ('--store', "$home/store.db");
	my $own = Hub->start(dir => $home, args => \@args);
	my @lines = split /^/, slurp(make('long.ndjson', map { [ $_ * 0.2, qq({"type":"n","n":$_}) ] } 1 .. 5000));
	my $play = spawn([ "$ENV{HUB_BUILD}/hubreplay", 'play', '-u', "unix:$own->{socket}", '--as', 's', '-' ], in => 'pipe');
	my $to = $play->{stdin};
	$to->autoflush(1);
	# The second half is there when the hub is not.
	print $to splice @lines, 0, 2500;
	wait_for { $own->health->{records} > 300 } 'some of it';
	$own->forget;
	$own->{proc}->kill('KILL');
	$own->{proc}->wait;
	$own = Hub->start(dir => $home, args => \@args);
	print $to @lines;
	close $to;
	is($play->wait >> 8, 0, 'played to the end');
	like(slurp($play->{err}), qr/trying again/, 'and says that it was lost');
	my $c = $own->unix;
	my $j = $c->join_session('s', since => 0);
	wait_for { @{ $c->{in} } >= $j->{seq} } 'all', undef, $c;
	is_deeply([ map { unjson($_)->{n} } @{ $c->{in} } ], [ 1 .. 5000 ], 'each message once, in order');
	$own->stop;
};

subtest 'over a WebSocket' => sub {
	my $got = run([ 'hubreplay', 'play', '-u', "ws://127.0.0.1:$hub->{port}/ws", '--fast', '--as', 'overws', "$dir/odd.ndjson" ]);
	is("$got->{status} $got->{err}", '0 ', 'played');
	is(scalar session('overws'), 4, 'all of it');
};

subtest 'a signal' => sub {
	my $file = make('endless.ndjson', map { [ $_ * 1000, qq({"type":"n","n":$_}) ] } 0 .. 100);
	my $play = spawn([ "$ENV{HUB_BUILD}/hubreplay", 'play', @u, '--as', 'ended', $file ]);
	wait_for { session('ended') } 'the first message';
	$play->kill('TERM');
	is($play->wait >> 8, 1, 'ends it with 1: not all was played');
};

# Whether it hands over keys at once, without showing them.
sub raw {
	my ($slave) = @_;
	my $mode = POSIX::Termios->new;
	$mode->getattr(fileno $slave);
	return !($mode->getlflag & (POSIX::ICANON() | POSIX::ECHO()));
}

subtest 'on a terminal' => sub {
	my ($setsid) = grep { -x } map { "$_/setsid" } split /:/, $ENV{PATH};
	my ($master, $slave) = terminal();
	plan skip_all => 'no terminal here' if !$setsid || !$slave;
	# 30 s at once, then one message every 10 s.
	my $file = make('keys.ndjson', map { [ $_ * 500, qq({"type":"n","n":$_}) ] } 0 .. 240);
	my $shown = '';
	my $shows = sub { sysread $master, $shown, 4096, length $shown; return $shown =~ $_[0] };
	my $play = spawn(
		[ $setsid, '-c', "$ENV{HUB_BUILD}/hubreplay", 'play', @u, '--as', 'keys', $file ],
		in => $slave, err => $slave);
	wait_for { raw($slave) } 'the keys to be taken';
	wait_for { $shows->(qr{\r\e\[K\d:\d\d\.\d/(?:1:59\.9|2:00\.0)  \d+ messages}) } 'the position';
	# How far it goes from one message to the next, where that is not one.
	my $steps = sub {
		my @n = map { unjson($_)->{n} } session('keys');
		return grep { $_ != 1 } map { $n[ $_ + 1 ] - $n[$_] } 0 .. $#n - 1;
	};
	syswrite $master, "\e[C" x 2;
	becomes { (($steps->())[-1] // 0) > 15 } 'right, right: on by 10 s';
	syswrite $master, "\e[D";
	becomes { ($steps->())[-1] < 0 } 'left: back';
	$shown = '';
	syswrite $master, ' ';
	becomes { $shows->(qr/paused/) } 'space: a pause';
	my $sent = session('keys');
	$shown = '';
	wait_for { $shows->(qr/paused.*paused.*paused/s) } 'some time to pass';
	is(scalar session('keys'), $sent, 'nothing is sent');
	syswrite $master, ' ';
	becomes { session('keys') > $sent } 'space: it goes on';
	kill 'TSTP', $play->{pid};
	becomes { !raw($slave) } 'who stops it gets the terminal back';
	becomes { slurp("/proc/$play->{pid}/stat") =~ /\) T/ } 'it stops';
	kill 'CONT', $play->{pid};
	becomes { raw($slave) } 'and goes on';
	syswrite $master, 'q';
	is($play->wait >> 8, 1, 'q ends it');
	ok(!raw($slave), 'and the terminal is as it was');
};

subtest 'what is not whole' => sub {
	my $whole = slurp("$dir/match.ndjson-1.ndjson");
	my $cut = spew("$dir/cut.ndjson", substr $whole, 0, int(length($whole) / 2));
	my $got = play('--fast', '--as', 'cut', $cut);
	is($got->{status}, 1, 'an unfinished file: exit 1');
	like($got->{err}, qr/^hubreplay play: \Q$cut\E: /, 'is named');
	my $lines = () = substr($whole, 0, length($whole) / 2) =~ /"from":.*\n/g;
	is(scalar session('cut'), $lines, 'what is whole is played');
	my $sealed = slurp("$dir/match.sealed-1.sealed");
	substr($sealed, length($sealed) - 100, 1) ^= "\1";
	$got = play('--fast', '--as', 'bad', '--seal', $key, spew("$dir/bad.sealed", $sealed));
	is($got->{status}, 65, 'a byte that is another: exit 65') or diag($got->{err});
	$got = play('--fast', '--as', 'bad', '--seal', $key, spew("$dir/bad.sealed", substr $sealed, 0, 100000));
	is($got->{status}, 1, 'a sealed file without its end: exit 1') or diag($got->{err});
	is(play('--fast', "$dir/match.sealed-1.sealed")->{status}, 77, 'no key: exit 77');
};

subtest 'refusals' => sub {
	my $file = "$dir/odd.ndjson";
	my %want = (
		64 => [
			[], [ '--speed', 0, $file ], [ '--speed', 'x', $file ], [ '--fast', '--lockstep', $file ],
			[ '--as', 'no such', $file ], [ '-f', '(', $file ], [ '--from', 5, '--to', 4, $file ], [ '--loop', 2, '-' ],
		],
		65 => [ [ data_file('match') ] ],
		66 => [ ["$dir/none"] ]);
	for my $status (sort keys %want) {
		for my $args (@{ $want{$status} }) {
			my $got = play(@$args);
			is($got->{status}, $status, "exit $status: @$args") or diag($got->{err});
			like($got->{err}, qr/^hubreplay play: [^\n]+\n\z/, 'with one line');
		}
	}
	my $long = make('long-message.ndjson', [ 0, '{"type":"a"}' ], [ 1, '{"type":"b","pad":"' . 'x' x 70000 . '"}' ], [ 2, '{"type":"c"}' ]);
	my $got = play('--fast', '--as', 'long', $long);
	is($got->{status}, 1, 'a message that the hub does not take: exit 1');
	like($got->{err}, qr/too_large|too long/, 'which is said');
	is_deeply([ map { unjson($_)->{type} } session('long') ], [ 'a', 'c' ], 'the others are played');
};

$hub->stop;
done_testing;

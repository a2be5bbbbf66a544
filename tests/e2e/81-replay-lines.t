# hubreplay with what hands are used to: lines without a header, times in every form, idle stretches made short,
# and an answer of verify for every file.
use strict;
use warnings;
use Hub;
use Hub::Replay;

my $hub = Hub->start;
my @u = ('-u', "unix:$hub->{socket}");
my $dir = scratch();
my $build = $ENV{HUB_BUILD} || root() . '/build';
my $names = 0;

sub session { return 's' . ++$names }

sub replay { my ($args, %o) = @_; return run([ 'hubreplay', @$args ], %o) }

sub play { my ($args, %o) = @_; return replay([ 'play', @u, @$args ], %o) }

# What is in a session, each record made short by a jq program.
sub in_session {
	my ($session, $jq) = @_;
	my $c = $hub->member('unix', $session, since => 0);
	my @records = map { $c->next } 1 .. $c->{joined}{seq};
	return map { $jq->($_) } @records;
}

my $start = 1_700_000_000_000;
my @t = (0, 1000, 2500, 62_500, 3_600_000);
my $file = spew("$dir/a.ndjson",
	qq({"type":"recording","version":1,"session_id":"s","start":$start}\n),
	qq({"type":"snapshot","session_id":"s","seq":0,"records":0,"t":0}\n),
	map { qq({"type":"p","n":$_,"session_id":"s","timestamp":1,"from":"me","seq":$_,"t":$t[$_ - 1]}\n) } 1 .. @t);

subtest 'lines without a header' => sub {
	my $refused = play([ '--fast', '-' ], in => qq({"type":"x","session_id":"s"}\n));
	is($refused->{status}, 65, 'none of them is a recording');
	like($refused->{err}, qr/--plain/, 'and the way is named');
	my $s = session();
	my $grep = run([ 'sh', '-c', "grep '\"n\":[24]' $file | $build/hubreplay play @u --plain --fast --as $s -" ]);
	is($grep->{status}, 0, 'what grep leaves of a recording') or diag($grep->{err});
	is_deeply([ in_session($s, sub { $_[0]{n} }) ], [ 2, 4 ], 'is played');
	$s = session();
	my $r = play(
		[ '--plain', '--fast', '--as', $s, '-' ],
		in => qq(\xef\xbb\xbf{"type":"a","t":5}\r\n\n  {"t":"mine","type":"b"}\n{"type":"c","t":1,"u":2}\n{"type":"gap"}\n)
		    . qq({"type":"gap","from":"me","seq":4,"x":1}\n{"type":"e"}));
	is($r->{status}, 0, 'any lines') or diag($r->{err});
	my @got = in_session($s, sub { my %m = %{ $_[0] }; delete @m{qw(session_id timestamp msg_id from seq)}; \%m });
	is_deeply(
		\@got,
		[ { type => 'a' }, { type => 'b', t => 'mine' }, { type => 'c', t => 1, u => 2 }, { type => 'gap', x => 1 }, { type => 'e' } ],
		'a t at the end is the time, any other the sender\'s own; marks are none; the last needs no line feed');
	$s = session();
	is(play([ '--plain', '--fast', '--as', $s, $file, $file ])->{status}, 0, 'a whole recording, twice');
	is(scalar(my @n = in_session($s, sub { 1 })), 2 * @t, 'is whole, twice');
	$s = session();
	my $clash = play([ '--plain', '--fast', '--as', $s, '-' ], in => qq({"type":"x","from":"e2"}\n{"type":"x","seq":"b"}\n{"type":"y"}\n));
	is($clash->{status}, 1, 'what the hub would take for its own');
	is(scalar(() = $clash->{err} =~ /not sent, since its own from or seq would be lost: /g), 2, 'is named');
	is_deeply([ in_session($s, sub { $_[0]{type} }) ], ['y'], 'and not sent without it');
	my $empty = play([ '--plain', '--as', 's', '-' ], in => '');
	is($empty->{status}, 0, 'nothing is nothing');
	my $nowhere = play([ '--plain', '-' ], in => qq({"type":"x"}\n));
	is($nowhere->{status}, 65, 'no session is named');
	like($nowhere->{err}, qr/line 1 names no session: --as/, 'said');
	my $bad = play([ '--plain', '--fast', '--as', session(), '-' ], in => qq({"type":"x"}\n{"type":}\n{"type":"y"}\n));
	is($bad->{status}, 65, 'a line that is none');
	like($bad->{err}, qr/behind line 1, .*the next line: unexpected/, 'is named by its number');
	is(play([ '--plain', '--seal', $file, $file ])->{status}, 64, 'not with keys');
};

subtest 'times' => sub {
	my %want = (
		'--from 1' => '2 3 4 5', '--from 1.0001s' => '3 4 5', '--from 1000ms --to 1:02.5' => '2 3',
		'--from 1s --to +2s' => '2 3', '--to +62501ms' => '1 2 3 4', '--from +1m' => '4 5', '--to 1h' => '1 2 3 4',
		'--from @2023-11-14T22:13:21Z --to +1.6s' => '2 3', '--from @1700000001 --to @1700000002.6' => '2 3',
		'--from @2023-11-14T23:13:21+01:00' => '2 3 4 5', '--from @2020-01-01' => '1 2 3 4 5',
		'--to @2023-11-14T22:13:21Z' => '1', '--from .5' => '2 3 4 5',
	);
	for my $options (sort keys %want) {
		my @options = split ' ', $options;
		my $cut = replay([ 'cut', @options, $file ]);
		is(join(' ', $cut->{out} =~ /"n":(\d)/g), $want{$options}, "cut $options")
		    if $options !~ /--from/;
		my $export = replay([ 'export', @options, '-f', '.n', $file ]);
		is(join(' ', split /\n/, $export->{out}), $want{$options}, "export $options") or diag($export->{err});
		my $s = session();
		is(play([ '--fast', '--as', $s, @options, $file ])->{status}, 0, "play $options");
		is(join(' ', in_session($s, sub { $_[0]{n} })), $want{$options}, 'the same part');
	}
	for my $bad ('0x10', '1e3', '-1', 'inf', '1:60', '+', '@', '@2023', '@2023-02-30', '1,5', ' 1', '10 s') {
		for my $command ('export', 'cut', 'play') {
			for my $option ('--from', '--to') {
				my $r = replay([ $command, $command eq 'play' ? @u : (), $option, $bad, $file ]);
				is($r->{status}, 64, "$command $option '$bad'");
				like($r->{err}, qr/'\Q$bad\E' is not a time such as/, 'named');
			}
		}
	}
	for my $bad ([ 'record', '--split', '0x10' ], [ 'record', '--sync', '0x1' ], [ 'play', '--speed', '0x10' ], [ 'play', '--max-gap', '0x1' ]) {
		is(replay([ @$bad, @u, '-o', "$dir/never", 's' ])->{status}, 64, "@$bad");
	}
	is(replay([ 'cut', '--from', '2', '--to', '1', $file ])->{status}, 64, 'an end before the beginning');
	is(replay([ 'cut', '--from', '@2023-11-14T22:13:21Z', '--to', '@2023-11-14T22:13:20Z', $file ])->{status}, 64, 'by the calendar, too');
	my $r = play([ '--plain', '--as', 's', '--from', '@2023-11-14', '-' ], in => qq({"type":"x"}\n));
	is($r->{status}, 64, 'the calendar without a header');
	like($r->{err}, qr/needs a header/, 'said');
	is(run([ 'hubbench', '--ramp', '0x10', 'ws://127.0.0.1:1/ws' ])->{status}, 64, 'hubbench --ramp');
};

subtest 'idle stretches' => sub {
	my $short = replay([ 'cut', '--max-gap', '1.5s', $file ]);
	is($short->{status}, 0, 'cut --max-gap');
	is(join(' ', $short->{out} =~ /"n".*"t":([\d.]+)\}/g), '0 1000 2500 4000 5500', 'no stretch is longer');
	my $from = replay([ 'cut', '--from', '1.5s', '--max-gap', '0.2', $file ]);
	is(join(' ', $from->{out} =~ /"n":[345].*"t":([\d.]+)\}/g), '200 400 600', 'the first one neither');
	is(join(' ', replay([ 'cut', '--max-gap', '1h', $file ])->{out} =~ /"n".*"t":([\d.]+)\}/g), "@t", 'longer ones stay where they may');
	# An hour is played in seconds: it would hang otherwise.
	for my $way ([], ['--plain'], [ '--speed', '2' ]) {
		my $s = session();
		is(play([ '--max-gap', '200ms', @$way, '--as', $s, $file ])->{status}, 0, "play --max-gap @$way");
		is_deeply([ in_session($s, sub { $_[0]{n} }) ], [ 1 .. @t ], 'all of it');
	}
	my $s = session();
	is(play([ '--max-gap', '100ms', '--loop', '3', '--as', $s, $file ])->{status}, 0, 'in rounds');
	is(scalar(my @n = in_session($s, sub { 1 })), 3 * @t, 'all of them');
};

subtest 'verify' => sub {
	my $key = "$dir/key";
	replay([ 'keygen', '--seal', $key ]);
	replay([ 'cut', '--seal-to', $key, '-o', "$dir/one.sealed", $file ]);
	# Several chunks: one for each sync of a recorder.
	my $sealed = "$dir/sealed";
	my $s = session();
	my $rec = record($hub, [ '-o', $sealed, '--seal', $key, '--sync', '0.02' ], $s);
	recording($sealed);
	for my $n (1 .. 4) {
		my $size = -s $sealed;
		my $c = $hub->member('unix', $s, echo => JSON::PP::false());
		$c->send({ type => 'p', n => $n });
		$c->sync;
		wait_for { -s $sealed > $size } 'a chunk';
	}
	finish($rec);
	my $bytes = slurp($sealed);
	# The chunks: a word of their length, and they.
	my ($at, @chunks) = (24);
	while ($at < length $bytes) {
		my $n = unpack 'V', substr $bytes, $at, 4;
		push @chunks, $at if $n != 0xffffffff;
		$at += $n == 0xffffffff ? 28 : 4 + $n;
	}
	cmp_ok(scalar @chunks, '>=', 5, 'several chunks');
	my $third = $chunks[2];
	my $damaged = "$dir/damaged";
	substr $bytes, $third + 20, 1, chr(1 ^ ord substr $bytes, $third + 20, 1);
	spew($damaged, $bytes);
	my @files = ($sealed, $damaged, "$dir/none", $dir, $file, spew("$dir/text", "text\n"), spew("$dir/empty", ''), '/dev/null');
	my $r = replay([ 'verify', '--seal', $key, @files ]);
	my @said = map { unjson($_) } split /\n/, $r->{out};
	is_deeply([ map { $_->{file} } @said ], \@files, 'an object for each file');
	is_deeply([ map { $_->{ok} ? 1 : 0 } @said ], [ 1, (0) x 7 ], 'and whether it is good');
	ok(!(grep { !$_->{ok} && !length $_->{problem} } @said), 'why, where it is not');
	like($said[1]{problem}, qr/the sealed chunk at byte $third of the file is not as it was written/, 'where a seal is damaged');
	is($said[1]{good_bytes}, $third, 'also as a number');
	my $lines = () = replay([ 'export', '--seal', $key, '-f', '.n', $damaged ])->{out} =~ /\n/g;
	cmp_ok($said[1]{good_lines}, '>', $lines, 'with the line before');
	is($r->{status}, 1, 'the first status that is not 0');
	my $keyless = replay([ 'verify', '--seal', "$dir/none", $sealed, $file ]);
	is($keyless->{status}, 66, 'no key: exit 66');
	is(scalar(my @o = split /\n/, $keyless->{out}), 2, 'with an object for each');
	my $part = replay([ 'verify', spew("$dir/part", substr slurp($file), 0, -3) ]);
	my $answer = unjson($part->{out});
	is($answer->{good_lines}, 1 + @t, 'an unfinished one says how far it is good');
	is($answer->{good_bytes}, length(slurp($file) =~ s/[^\n]*\n\z//r), 'to the byte');
};

$hub->stop;
done_testing();

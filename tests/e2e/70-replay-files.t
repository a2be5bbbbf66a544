# One thread.
# hubreplay's work on files: what info, verify, cut, merge and export make of recordings.
use strict;
use warnings;
use Hub;

my $dir = scratch();
my $start = 1_700_000_000_000;

sub header {
	my ($session, %o) = @_;
	return sprintf qq({"type":"recording","version":1,%s"epoch":"%s","start":%d}\n),
	    defined $session ? qq("session_id":"$session",) : '', $o{epoch} // 'E1', $o{start} // $start;
}

sub record {
	my ($seq, $t, $fields, %o) = @_;
	return sprintf qq({%s,"session_id":"%s","timestamp":1,"from":"%s","seq":%d,"t":%s}\n), $fields,
	    $o{session} // 's', $o{from} // 'ann', $seq, $t;
}

sub snapshot {
	my ($seq, $records, $t, %o) = @_;
	return sprintf qq({"type":"snapshot","session_id":"%s","epoch":"%s","seq":%d,"records":%d,"t":%s}\n),
	    $o{session} // 's', $o{epoch} // 'E1', $seq, $records, $t;
}

sub gap {
	my ($from, $to, $t, $more) = @_;
	return sprintf qq({"type":"gap","session_id":"s","from_seq":%d,"to_seq":%d%s,"t":%s}\n), $from, $to,
	    $more // '', $t;
}

sub file {
	my ($name, @lines) = @_;
	return spew("$dir/$name", @lines);
}

sub replay {
	my ($args, %o) = @_;
	return run([ 'hubreplay', @$args ], %o);
}

# The messages of a recording's text: seq of what members sent, "S5" for a snapshot, "g2-3" for a gap.
sub outline {
	my ($text) = @_;
	my @seen;
	for (split /\n/, $text) {
		my $m = unjson($_);
		push @seen, $m->{from} ? $m->{seq} : $m->{type} eq 'snapshot' ? "S$m->{seq}" :
		    $m->{type} eq 'gap' ? "g$m->{from_seq}-$m->{to_seq}" . ($m->{epoch} && $m->{reason} ? "!$m->{epoch}" : '') : ();
	}
	return "@seen";
}

# Forty seconds; a state of two keys, one of which goes at 22 s.
my @lines = (header('s'), snapshot(0, 0, 0));
for my $n (1 .. 40) {
	my $t = $n * 1000;
	push @lines, record($n, $t, $n == 22 ? '"type":"entity_deleted","entity":{"id":"b"}'
		: $n == 10 ? '"type":"entity_created","entity":{"id":"b"}'
		: $n % 5 == 0 ? qq("type":"score_update","n":$n) : qq("type":"chat","n":$n), from => $n % 2 ? 'ann' : 'bob');
}
my $whole = file('whole.ndjson', @lines);

subtest 'usage' => sub {
	my $help = replay([ '--help' ]);
	is($help->{status}, 0, '--help');
	my @commands = $help->{out} =~ /^  (\w+)  /mg;
	is_deeply(\@commands, [qw(record play info verify cut merge export import keygen)], 'names the commands');
	for my $command (@commands) {
		my $r = replay([ $command, '--help' ]);
		is($r->{status}, 0, "$command --help");
		like($r->{out}, qr/^usage: hubreplay $command /, 'its usage');
		is(replay([ $command, '--no-such' ])->{status}, 64, "$command: an unknown option");
	}
	for my $args ([], ['no'], ['info'], ['verify'], ['cut'], [ 'cut', 'a', 'b' ], ['merge'], ['export'], ['keygen'],
		[ 'cut', '--from', '1:2:3:4', $whole ], [ 'cut', '--from', '1:60', $whole ], [ 'cut', '--from', '-1', $whole ],
		[ 'cut', '--from', '2', '--to', '1', $whole ], [ 'export', '--format', 'xml', $whole ],
		[ 'export', '-f', '.[', $whole ], [ 'export', '-f', '.) | (.', '--format', 'csv', $whole ]) {
		my $r = replay($args);
		is($r->{status}, 64, "hubreplay @$args: exit 64");
		like($r->{err}, qr/^hubreplay[^\n]*: [^\n]+\n\z/, 'one line says why');
		is($r->{out}, '', 'and nothing else');
	}
	for my $command (qw(info verify cut merge export import)) {
		is(replay([ $command, "$dir/none" ])->{status}, 66, "$command: no such file");
	}
};

subtest 'info' => sub {
	my $r = replay([ 'info', $whole ]);
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'exit 0');
	my $i = unjson($r->{out});
	is_deeply([ @$i{qw(file bytes start seconds lines records state gaps missing members peak)} ],
		[ $whole, -s $whole, $start, 40, 42, 40, 0, 0, 0, 2, 1 ], 'numbers');
	is_deeply({ map { $_->{type} => $_->{records} } @{ $i->{types} } },
		{ chat => 31, score_update => 7, entity_created => 1, entity_deleted => 1 }, 'types');
	is($i->{types}[0]{type}, 'chat', 'the most frequent first');
	is_deeply([ map { [ @$_{qw(session_id records first_seq last_seq epoch)} ] } @{ $i->{sessions} } ],
		[ [ 's', 40, 1, 40, 'E1' ] ], 'sessions');
	my ($page) = slurp(root() . '/man/hubreplay.1') =~ /^\.Ss info\n(.*?)^\.Bl/ms;
	is_deeply([ sort map { /^\.Cm (.*)/ ? grep { /\w/ } split / , | ,/, $1 : () } split /\n/, $page ], [ sort keys(%$i), 'records', 'rate' ],
		'the page has all fields');
	my $burst = unjson(replay([ 'info', file('burst.ndjson', header('s'), snapshot(0, 0, 0),
		map { record($_, 100 + $_ / 1000, '"type":"x"') } 1 .. 3) ])->{out});
	is($burst->{rate}, 3, 'three within a moment are no thousands a second');
	ok($i->{finished} && !$i->{sealed} && !$i->{compressed} && !$i->{signed}, 'how it is stored');

	my $gaps = file('gaps.ndjson', header('s'), snapshot(4, 1, 0), record(2, 0, '"type":"x"'),
		record(5, 1, '"type":"x"'), gap(6, 9, 2), record(10, 2.5, '"type":"x"'), '{"type":');
	$r = replay([ 'info', $gaps, $whole ]);
	is($r->{status}, 0, 'of one that is unfinished, too');
	like($r->{err}, qr/^hubreplay info: \Q$gaps\E: behind line 6, t 2\.500 ms: unfinished/, 'said so');
	my @both = map { unjson($_) } split /\n/, $r->{out};
	is_deeply([ @{ $both[0] }{qw(records state gaps missing)} ], [ 2, 1, 1, 4 ], 'state and gaps');
	ok(!$both[0]{finished}, 'unfinished');
	is($both[1]{records}, 40, 'and the next file');

	$r = replay([ 'info', '-' ], in => join '', @lines);
	is(unjson($r->{out})->{records}, 40, 'from standard input');
	my ($script) = grep { -x } map { "$_/script" } split /:/, $ENV{PATH};
	SKIP: {
		skip 'no script here', 1 unless $script;
		$r = run([ $script, '-qec', "$ENV{HUB_BUILD}/hubreplay info $whole", '/dev/null' ]);
		like($r->{out}, qr/ 0:00:40\.000\r?\n.*40 records of 2 members.*\bchat\b/s, 'for people on a terminal');
	}
};

subtest 'verify' => sub {
	my $r = replay([ 'verify', $whole ]);
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'a good one');
	is_deeply({ %{ unjson($r->{out}) }{qw(ok records gaps)} }, { ok => JSON::PP::true, records => 40, gaps => 0 },
		'what it says');
	my @front = (header('s'), snapshot(4, 0, 0));
	my $x = '"type":"x"';
	my %good = (
		'a gap' => [ record(5, 1, $x), gap(6, 7, 2), record(8, 2, $x) ],
		'another log' => [ record(5, 1, $x), gap(1, 0, 2, ',"reason":"epoch_changed","epoch":"E2"'), record(1, 2, $x) ],
		'a log cut back' => [ record(5, 1, $x), gap(5, 4, 2, ',"reason":"epoch_changed","epoch":"E1"'), record(5, 2, $x) ],
		'a resync' => [ record(5, 1, $x), gap(6, 9, 2), snapshot(9, 2, 2), record(3, 2, $x), record(8, 2, $x), record(10, 3, $x) ],
		'two sessions' => [ record(5, 1, $x), record(1, 1, $x, session => 'b'), record(6, 2, $x), record(2, 2, $x, session => 'b') ],
		'a direct message' => [ record(5, 1, $x), qq({"type":"y","to":"me","session_id":"s","from":"bob","t":1}\n), record(6, 2, $x) ],
	);
	for my $name (sort keys %good) {
		$r = replay([ 'verify', file('v.ndjson', @front, @{ $good{$name} }) ]);
		is_deeply([ @$r{qw(status err)} ], [ 0, '' ], "$name: good");
	}
	my %bad = (
		'a record missing' => [ qr/line 4: seq 7 behind seq 5/, record(5, 1, $x), record(7, 2, $x) ],
		'a record twice' => [ qr/line 4: seq 5 behind seq 5/, record(5, 1, $x), record(5, 2, $x) ],
		'an old record' => [ qr/line 4: seq 3 behind seq 5/, record(5, 1, $x), record(3, 2, $x) ],
		'time goes back' => [ qr/line 4: t goes back/, record(5, 2, $x), record(6, 1.999, $x) ],
		'a gap that overlaps' => [ qr/line 4: a gap from seq 5 on behind seq 5/, record(5, 1, $x), gap(5, 7, 1), record(8, 2, $x) ],
		'a snapshot that skips' => [ qr/line 4: a snapshot of seq 9 behind seq 5/, record(5, 1, $x), snapshot(9, 0, 2) ],
		'another log unsaid' => [ qr/line 4: the epoch changes without a gap/, record(5, 1, $x), snapshot(5, 0, 2, epoch => 'E2') ],
		'state missing' => [ qr/line 5: 1 state records before, and not 2/, snapshot(4, 2, 0), record(2, 0, $x), record(5, 1, $x) ],
		'state missing at the end' => [ qr/1 state records at the end, and not 2/, snapshot(4, 2, 0), record(2, 0, $x) ],
		'no message' => [ qr/behind line 3, t 1\.000 ms: the next line: unexpected byte/, record(5, 1, $x), "{x}\n" ],
		'no time' => [ qr/behind line 2, .*: t is missing/, qq({"type":"x","session_id":"s","from":"a","seq":5}\n) ],
		'half a line' => [ qr/behind line 3, .*: unfinished/, record(5, 1, $x), '{"type":"x"' ],
	);
	for my $name (sort keys %bad) {
		my ($want, @lines) = @{ $bad{$name} };
		$r = replay([ 'verify', file('v.ndjson', @front, @lines) ]);
		is($r->{status}, 1, "$name: exit 1");
		like($r->{err}, qr/^hubreplay verify: \S+: $want/, 'says where') or diag($r->{err});
		my $said = unjson($r->{out});
		ok(!$said->{ok}, 'and in the data');
		like($said->{problem}, $want, 'where');
	}
	is(replay([ 'verify', file('v.ndjson', "notes\n") ])->{status}, 1, 'no recording');
	$r = replay([ 'verify', file('v.ndjson', @front, record(6, 1, $x)), $whole ]);
	is($r->{status}, 1, 'one of two');
	is(scalar(() = $r->{out} =~ /"ok":true/g), 1, 'the other one is good');
};

subtest 'cut' => sub {
	my $r = replay([ 'cut', '--from', '12', '--to', '20.5', $whole ]);
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'exit 0');
	my @got = split /\n/, $r->{out};
	is_deeply([ @{ unjson($got[0]) }{qw(session_id epoch start)} ], [ 's', 'E1', $start + 12000 ], 'the header');
	is(outline($r->{out}), 'S11 5 10 ' . join(' ', 12 .. 20), 'the state before it, then its records')
	    or diag($r->{out});
	is_deeply([ map { unjson($_)->{t} } @got[ 1 .. 5 ] ], [ 0, 0, 0, 0, 1000 ], 'time begins anew');
	is($got[4], $lines[13] =~ s/"t":12000\}\n/"t":0}/r, 'bytes stay as they were');
	is(outline(replay([ 'cut', '--from', '30', '--to', '32', $whole ])->{out}), 'S29 25 30 31', 'without what was deleted');
	my $keys = file('keys', "chat -\n");
	is(outline(replay([ 'cut', '--from', '30', '--to', '31', '--keys', $keys, $whole ])->{out}), 'S29 29 30', 'with --keys');
	is(outline(replay([ 'cut', $whole ])->{out}), outline(join '', @lines), 'all of it');
	is(outline(replay([ 'cut', '--from', '0:00:38.5', $whole ])->{out}), 'S38 35 39 40', 'h:mm:ss');
	is(outline(replay([ 'cut', '--from', '38500ms', '--to', '1m', $whole ])->{out}), 'S38 35 39 40', 'units');
	is(outline(replay([ 'cut', '--from', '50', $whole ])->{out}), 'S40 40', 'behind the end: the state alone');

	my $gaps = file('gaps.ndjson', @lines, gap(41, 44, 41000), snapshot(44, 1, 41000),
		record(43, 41000, '"type":"score_update"'), record(45, 42000, '"type":"x"'),
		gap(1, 0, 43000, ',"reason":"epoch_changed","epoch":"E2"'), record(1, 44000, '"type":"score_update"'));
	is(outline(replay([ 'cut', '--from', '41.5', '--to', '42.5', $gaps ])->{out}), 'S44 43 45', 'a snapshot begins the state anew');
	$r = replay([ 'cut', '--from', '43.5', $gaps ]);
	is(outline($r->{out}), 'S0 1', 'so does another log');
	is(unjson($r->{out} =~ s/\n.*//sr)->{epoch}, 'E2', 'whose epoch it is');
	$r = replay([ 'cut', '--from', '3', '--to', '4', '-' ], in => join('', @lines, '{'));
	is(outline($r->{out}), 'S2 3', 'standard input');

	my $out = "$dir/part.ndjson.zst";
	is(replay([ 'cut', '--from', '12', '-o', $out, $whole ])->{status}, 0, 'compressed');
	my ($zstdcat) = grep { -x } map { "$_/zstdcat" } split /:/, $ENV{PATH};
	is(outline(run([ $zstdcat, $out ])->{out}), 'S11 5 10 ' . join(' ', 12 .. 40), 'zstdcat reads it');
	is(replay([ 'verify', $out ])->{status}, 0, 'so does verify');
	my $again = replay([ 'cut', '-o', $out, $whole ]);
	is($again->{status}, 73, 'a file that is there stays');
	is(outline(run([ $zstdcat, $out ])->{out}), 'S11 5 10 ' . join(' ', 12 .. 40), 'as it is');
	is(replay([ 'cut', '-o', '/dev/full', $whole ])->{status}, 74, 'no room: exit 74');
	my $bad = file('bad.ndjson', @lines[ 0 .. 9 ], "{}\n");
	$r = replay([ 'cut', $bad ]);
	is($r->{status}, 65, 'a damaged file: exit 65');
	is(outline($r->{out}), outline(join '', @lines[ 0 .. 9 ]), 'with what comes before');
};

subtest 'merge' => sub {
	my @part = map { "$dir/p$_.ndjson" } 1 .. 3;
	replay([ 'cut', '--to', '15', '-o', $part[0], $whole ]);
	replay([ 'cut', '--from', '10', '--to', '25', '-o', $part[1], $whole ]);
	replay([ 'cut', '--from', '25', '-o', $part[2], $whole ]);
	for my $order ([ 0, 1, 2 ], [ 2, 0, 1 ]) {
		my $r = replay([ 'merge', @part[@$order] ]);
		is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'exit 0');
		my @got = split /\n/, $r->{out};
		is($got[0] =~ s/"program":"[^"]*"//r, $lines[0] =~ s/\}\n/,}/r, 'the header');
		is(join("\n", @got[ 1 .. $#got ]), join('', @lines[ 1 .. $#lines ]) =~ s/\n\z//r, 'parts make the whole again');
	}
	my $r = replay([ 'merge', @part[ 0, 2 ] ]);
	is(outline($r->{out}), 'S0 ' . join(' ', 1 .. 14) . ' g15-24 S24 20 ' . join(' ', 25 .. 40),
		'where a part is missing, a gap says so') or diag($r->{out});
	is(replay([ 'verify', '-' ], in => $r->{out})->{status}, 0, 'and it is good');
	my $old = file('old.ndjson', header('s', start => 1000), snapshot(0, 0, 0));
	is(replay([ 'merge', $whole, $old ])->{status}, 65, 'decades are more than a recording can have');

	# As --split makes them.
	my $second = file('second.ndjson', header('s', start => $start + 20000), gap(21, 20, 0, ',"reason":"split","epoch":"E1"'),
		map { s/"t":(\d+)/'"t":' . ($1 - 20000)/er } @lines[ 22 .. 41 ]);
	is(replay([ 'verify', $second ])->{status}, 0, 'a second part is good by itself');
	my $first = file('first.ndjson', @lines[ 0 .. 21 ]);
	$r = replay([ 'merge', $first, $second ]);
	is($r->{out} =~ s/[^\n]*\n//r, join('', @lines[ 1 .. $#lines ]), 'two parts are one again');

	# More files than a process may open, of which few are at one time.
	my @many = map {
		my $n = $_;
		file("m$n.ndjson", header('s', start => $start + 1000 * $n), $n == 1 ? snapshot(0, 0, 0) : (), $lines[ $n + 1 ] =~ s/"t":\d+/"t":0/r)
	} 1 .. 40;
	$r = run([ '/bin/sh', '-c', 'ulimit -n 16; exec "$@"', 'sh', "$ENV{HUB_BUILD}/hubreplay", 'merge', @many ]);
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], 'many files');
	is(outline($r->{out}), 'S0 ' . join(' ', 1 .. 40), 'all of them');

	my $other = file('other.ndjson', header('b', start => $start + 500, epoch => 'B1'), snapshot(0, 0, 0, session => 'b', epoch => 'B1'),
		map { record($_, $_ * 1000, '"type":"y"', session => 'b') } 1 .. 3);
	$r = replay([ 'merge', $whole, $other ]);
	is(unjson($r->{out} =~ s/\n.*//sr)->{session_id}, undef, 'of two sessions: no name in the header');
	is_deeply([ map { my $m = unjson($_); "$m->{session_id}$m->{seq}\@$m->{t}" } (split /\n/, $r->{out})[ 3 .. 7 ] ],
		[ 's1@1000', 'b1@1500', 's2@2000', 'b2@2500', 's3@3000' ], 'in the order of time');
	is(replay([ 'verify', '-' ], in => $r->{out})->{status}, 0, 'good');

	my $later = file('later.ndjson', header('s', start => $start + 60000, epoch => 'E2'),
		snapshot(2, 1, 0, epoch => 'E2'), record(1, 0, '"type":"score_update"'), record(3, 5, '"type":"x"'));
	$r = replay([ 'merge', $whole, $later ]);
	is(outline($r->{out}), 'S0 ' . join(' ', 1 .. 40) . ' g1-2!E2 S2 1 3', 'another log of the same name');
	is(replay([ 'verify', '-' ], in => $r->{out})->{status}, 0, 'good');
	$r = replay([ 'merge', '-o', "$dir/merged.zst", $whole, $later ]);
	is($r->{status}, 0, 'to a file');
	is(unjson(replay([ 'info', "$dir/merged.zst" ])->{out})->{records}, 41, 'with all of it');
};

subtest 'export' => sub {
	my $r = replay([ 'export', $whole ]);
	is($r->{out}, join('', @lines[ 2 .. $#lines ]), 'the records as they are');
	local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') . ':detect_leaks=0'; # libjq loses what it held then
	$r = replay([ 'export', '-f', '1e18 | todate', $whole ]);
	is_deeply([ @$r{qw(status signal)} ], [ 1, 0 ], 'what libjq gives up at: status 1');
	like($r->{err}, qr/seq 1: libjq: /, 'and told of each record');
	$r = replay([ 'export', '-f', 'reduce range(1000000) as $i (0; [.])', $whole ]);
	is_deeply([ @$r{qw(status signal)} ], [ 1, 0 ], 'what the stack does not hold: status 1');
	is($r->{err}, "hubreplay export: -f: the program makes what is nested too deep for libjq\n", 'in words');
	is(replay([ 'export', '-f', 'select(.type == "score_update") | .n', $whole ])->{out},
		join('', map { "$_\n" } 5, 15, 20, 25, 30, 35, 40), 'through -f');
	$r = replay([ 'export', '--format', 'csv', '--from', '9', '--to', '10.5', $whole ]);
	is($r->{out}, "t,session_id,seq,from,type,message\n" . join('', map {
		my $line = $lines[ $_ + 1 ] =~ s/\n//r;
		my $m = unjson($line);
		sprintf qq(%d,"s",%d,"%s","%s","%s"\n), $m->{t}, $m->{seq}, @$m{qw(from type)}, $line =~ s/"/""/gr
	} 9, 10), 'csv');
	$r = replay([ 'export', '--format', 'csv', '-f', '[.seq, {a: 1}, null, "x,\"y\""], .type # a comment', '--to', '1.5', $whole ]);
	is($r->{out}, qq(1,"{""a"":1}",,"x,""y"""\n"chat"\n), 'csv of what -f makes');
	$r = replay([ 'export', '-f', 'if .seq == 3 then error("no") else .seq end', '--to', '4.5', $whole ]);
	is_deeply([ @$r{qw(status out)} ], [ 1, "1\n2\n4\n" ], 'a record that -f fails on: exit 1, with all others');
	like($r->{err}, qr/seq 3: no/, 'named');
	my $state = file('state.ndjson', header('s'), snapshot(4, 1, 0), record(2, 0, '"type":"x"'), record(5, 1, '"type":"x"'));
	is(replay([ 'export', '-f', '.seq', $state ])->{out}, "5\n", 'state is left out');
	is(replay([ 'export', '--state', '-f', '.seq', $state ])->{out}, "2\n5\n", 'but with --state');
};

done_testing;

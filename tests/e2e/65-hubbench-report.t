# What hubbench says of a run: the table, JSON, the line on a terminal, reports, conditions, comparisons.
use strict;
use warnings;
use Hub;

my $hub = Hub->start;
my $url = "ws://127.0.0.1:$hub->{port}/ws";
my $dir = scratch();

# A short run: 20 members, 40 messages, without a warm-up, of which one could be late and go out in the time
# that counts.
sub bench {
	my (@args) = @_;
	return run([ 'hubbench', '-u', $url, '-c', 20, '--publishers', 4, '-r', 100, '-b', 200, '-d', 0.4, '--warmup', 0,
			'--drain', 120, @args ]);
}

sub result_of {
	my ($path) = @_;
	return unjson((split /\n/, slurp($path))[-1]);
}

subtest 'a run' => sub {
	my $run = bench('--json', "$dir/a.json", '--report', "$dir/a.svg", '--label', 'first <one>', '--pid', $hub->pid);
	is($run->{status}, 0, 'ends with 0');
	is($run->{err}, '', 'nothing on standard error, which is no terminal');
	my $r = result_of("$dir/a.json");
	is_deeply([ @$r{qw(type version)} ], [ 'hubbench_result', 1 ], 'the JSON has type and version');
	is_deeply([ @{ $r->{asked} }{qw(url scenario dialect clients sessions publishers bytes rate closed label)} ],
		[ $url, 'fanout', 'hub', 20, 1, 4, 200, 100, 0, 'first <one>' ], 'what was asked');
	my ($h, $a, $l) = @$r{qw(happened audit latency_ns)};
	is($h->{clients_joined}, 20, 'all have joined');
	is($h->{due}, 40, 'what was due in the time');
	is($h->{sent}, $h->{due}, 'was sent');
	is($a->{delivered}, $a->{expected}, 'and delivered');
	cmp_ok($a->{delivered}, '>=', 40 * 20, 'at all members');
	is_deeply([ @$a{qw(lost duplicated reordered withheld)} ], [ 0, 0, 0, 0 ], 'none lost, twice, out of order');
	is($l->{every}{n}, 40 * 20, 'each delivery has its time');
	is_deeply([ map { $l->{$_}{n} } qw(first last every_sent) ], [ 40, 40, 800 ], 'and each message its first and last');
	is($l->{join}{n}, 20, 'each member its join');
	ok($l->{every}{min} <= $l->{every}{p50} && $l->{every}{p50} <= $l->{every}{p99}
		    && $l->{every}{p99} <= $l->{every}{max}, 'percentiles rise');
	ok($l->{first}{p50} <= $l->{last}{p50}, 'the first comes before the last');
	my $n = 0;
	$n += $_->[1] for @{ $l->{every}{buckets} };
	is($n, 800, 'all are in its buckets');
	ok(($r->{server}{rss_before} > 1e6 && $r->{server}{rss_joined} >= 1e6), 'the memory of the server');
	cmp_ok(scalar @{ $r->{series} }, '>=', 1, 'at least one second');

	my $table = $run->{out};
	like($table, qr/^fanout, hub, \Q$url\E: first <one>$/m, 'the table: which run');
	like($table, qr/^asked +20 clients, 1 session, 4 publishers, 200-byte messages$/m, 'what was asked');
	like($table, qr/open model: 100 messages\/s due at fixed instants/, 'in which model');
	like($table, qr/offered 100\/s, achieved 100\/s \(100\.0 %\)/, 'what was achieved');
	like($table, qr/^publish to every receiver +800( +\S+ [mun]?s){5}$/m, 'latencies');
	like($table, qr/^  uncorrected, from send +800( +\S+ [mun]?s){5}$/m, 'beside the uncorrected ones');
	like($table, qr/lost 0, duplicated 0/, 'the audit');
	like($table, qr/^server +\S+ \w+ a client; /m, 'the server');
	like($table, qr/^verdict +(?:ok|saturated|generator-bound)\b[^\n]*\n\z/m, 'and the verdict last');

	my $svg = slurp("$dir/a.svg");
	like($svg, qr/\A<svg xmlns=[^>]*>.*<\/svg>\n\z/s, 'a picture');
	like($svg, qr/>first &lt;one&gt;</, 'with the label');
	unlike($svg, qr/<script|https?:(?!\/\/www\.w3\.org\/2000\/svg)/, 'that needs nothing else');
};

subtest 'JSON on standard output' => sub {
	my $run = bench('--json', '-', '-d', 1.2, '--warmup', 0.1);
	is($run->{status}, 0, 'ends with 0');
	my @lines = map { unjson($_) } split /\n/, $run->{out};
	my $last = pop @lines;
	is($last->{type}, 'hubbench_result', 'the last line is the result');
	is_deeply([ grep { $_->{type} ne 'hubbench_second' } @lines ], [], 'those before are seconds');
	my $measured = 0;
	$measured += $_->{delivered} for grep { $_->{at} > 0 } @lines;
	cmp_ok($measured, '>', 0, 'with what was delivered in each');
	is_deeply([ map { $_->{at} } @{ $last->{series} } ], [ map { $_->{at} } @lines ], 'the same as in the result');
	like($run->{err}, qr/^verdict /m, 'and the table is on standard error');
};

subtest 'a page' => sub {
	is(bench('--report', "$dir/a.html")->{status}, 0, 'ends with 0');
	my $html = slurp("$dir/a.html");
	like($html, qr/\A<!doctype html>.*<svg .*<\/svg>.*<table>.*<\/html>\n\z/s, 'has the picture and a table');
	my $bad = bench('--report', "$dir/a.pdf");
	is($bad->{status}, 64, 'a name without svg or html is bad usage');
	like($bad->{err}, qr/^hubbench: .*\.svg.*\.html/, 'and is told');
	is(bench('--report', "$dir/none/a.svg")->{status}, 73, 'a file that cannot be made is told before the run');
	is(bench('--json', "$dir/none/a.json")->{status}, 73, 'so it is for the JSON');
};

subtest 'conditions' => sub {
	my $good = bench('--expect', 'p99<60s', '--expect', 'lost==0', '--expect', 'ack.n>=0', '--json', "$dir/c.json");
	is($good->{status}, 0, 'all met: 0');
	like($good->{out}, qr/^expect +met +p99<60s: every\.p99 is \S+ \ws$/m, 'and said in the table');
	is_deeply([ map { $_->{expect} } @{ result_of("$dir/c.json")->{checks} } ], [ 'p99<60s', 'lost==0', 'ack.n>=0' ],
		'and in the JSON');
	my $bad = bench('--expect', 'p99<60s', '--expect', 'joined>20', '--json', "$dir/c.json");
	is($bad->{status}, 1, 'one not met: 1');
	like($bad->{out}, qr/not met +joined>20: joined is 20$/m, 'with what was seen');
	is_deeply([ map { $_->{met} ? 1 : 0 } @{ result_of("$dir/c.json")->{checks} } ], [ 1, 0 ], 'each has its answer');
	my $nonsense = bench('--expect', 'p99<fast');
	is($nonsense->{status}, 64, 'nonsense is bad usage, before the run');
	like($nonsense->{err}, qr/^hubbench: .*"fast" is no number/, 'and named');
};

# A result as hubbench writes it, with figures that are ours: seconds of so many messages.
sub result_with {
	my ($name, $p99_ms, @sent) = @_;
	my $r = result_of("$dir/a.json");
	$r->{latency_ns}{every} = { n => 1, buckets => [ [ $p99_ms * 1_000_000, 1 ] ], map { $_ => $p99_ms * 1_000_000 } qw(min max sum) };
	my $at = 0;
	$r->{series} = [ map { { at => ++$at, sent => $_, delivered => 0, p50 => 1_000_000, p99 => 1_000_000 } } @sent ];
	return spew("$dir/$name.json", json($r), "\n");
}

subtest 'a gate' => sub {
	my $base = result_with('base', 10, 100, 100, 100, 100, 100);
	my $near = result_with('near', 11, 80, 90, 100, 110, 120, 100);
	my $far = result_with('far', 13, 100);
	my $gate = sub { return run([ 'hubbench', '--compare', "$base,$_[0]", map { ('--expect', $_) } @_[ 1 .. $#_ ] ]) };
	is($gate->($near, 'p99<=1.2*base')->{status}, 0, 'within');
	my $no = $gate->($far, 'p99<=1.2*base', 'p99 <= base * 1.5');
	is($no->{status}, 1, 'beyond');
	like($no->{out}, qr/^expect +not met +p99<=1\.2\*base: every\.p99 is 1[23]\S* ms, 1\.2\*base is 1[12]\S* ms\nexpect +met /m, 'both figures are told');
	is($gate->($near, 'p99>base')->{status}, 0, 'base alone');
	is($gate->($near, 'resume.p99<=base')->{status}, 1, 'what neither has');
	like($gate->($near)->{out}, qr{^achieved messages/s .*  \+-10\.0 %$}m, 'noise: half of the seconds are that near');
	unlike($gate->($far)->{out}, qr/\+-/, 'of too few seconds it is not known');
	my $run = bench('--compare', "$dir/a.json", '--expect', 'lost<=base', '--expect', 'p99<=1000000*base');
	is($run->{status}, 0, 'in a run') or diag($run->{out}, $run->{err});
	like($run->{out}, qr/^ +met +p99<=1000000\*base: every\.p99 is \S+ \w+, 1e\+06\*base is /m, 'told in the table');
};

subtest 'cores' => sub {
	my $run = bench('--json', "$dir/f.json", '--pid', $hub->pid);
	my $shared = result_of("$dir/f.json")->{generator}{cores_shared};
	cmp_ok($shared, '>', 0, 'a hub on the same cores');
	like($run->{out}, qr/^ +shares $shared cores? with the server/m, 'is told');
	plan skip_all => 'no taskset, or one core' if run([ 'sh', '-c', 'taskset -c 0 true && taskset -c 1 true' ])->{status};
	my $own = spawn([ 'taskset', '-c', 1, "$ENV{HUB_BUILD}/hubd", '-l', 'none', '-s', "$dir/own.sock" ], err => "$dir/own.log");
	wait_for { slurp("$dir/own.log") =~ /listening/ } 'a hub';
	my $apart = run([ 'taskset', '-c', 0, "$ENV{HUB_BUILD}/hubbench", '-u', "unix:$dir/own.sock", '-c', 2, '-d', 0.2, '--warmup', 0, '--pid', $own->{pid}, '--json', "$dir/g.json" ]);
	is(result_of("$dir/g.json")->{generator}{cores_shared}, 0, 'one on others') or diag($apart->{err});
	unlike($apart->{out}, qr/shares/, 'is not');
	$own->kill('TERM');
	$own->wait;
};

subtest 'comparisons' => sub {
	my $same = bench('--json', "$dir/b.json", '--compare', "$dir/a.json", '--label', 'second');
	is($same->{status}, 0, 'ends with 0');
	like($same->{out}, qr/first <one> +second +difference +change +noise$/m, 'both have their names');
	like($same->{out}, qr/^conditions are the same$/m, 'at the same conditions');
	like($same->{out}, qr/^every\.p99 +\S+ \wm?s? +\S+ \wm?s? /m, 'figure by figure');
	my $other = bench('-c', 10, '--compare', "$dir/a.json");
	like($other->{out}, qr/^conditions differ.*\n +clients +20 +10$/m, 'what differs in the conditions is told');
	my $files = run([ 'hubbench', '--compare', "$dir/a.json,$dir/b.json" ]);
	is($files->{status}, 0, 'two files, without a run');
	like($files->{out}, qr/first <one> +second .*^every\.p99 /ms, 'the same');
	my $plain = run([ 'hubbench', '-u', $url, '--drain', 120, '--json', "$dir/d.json", '--compare', "$dir/a.json" ]);
	is($plain->{status}, 0, 'without conditions of its own') or diag($plain->{err});
	like($plain->{out}, qr/^conditions are the same$/m, 'it has those of the other run');
	is_deeply(
		[ @{ result_of("$dir/d.json")->{asked} }{qw(clients publishers bytes rate duration_s warmup_s)} ],
		[ 20, 4, 200, 100, 0.4, 0 ], 'all of them');
	my $closed = run([ 'hubbench', '-u', $url, '--drain', 120, '--closed', 2, '--json', "$dir/e.json", '--compare', "$dir/a.json" ]);
	is($closed->{status}, 0, 'an option that excludes one of them counts') or diag($closed->{err});
	my $back = run([ 'hubbench', '-u', $url, '--drain', 120, '--scenario', 'idle', '--json', "$dir/e.json", '--compare', "$dir/e.json" ]);
	is($back->{status}, 0, 'another scenario') or diag($back->{err});
	is_deeply([ @{ result_of("$dir/e.json")->{asked} }{qw(scenario clients publishers)} ], [ 'idle', 20, 0 ], 'takes the clients only');
	spew("$dir/no.json", "{}\n");
	my $onto = bench('--json', "$dir/b.json", '--compare', "$dir/b.json", '--label', 'third');
	like($onto->{out}, qr/^ +second +third /m, 'the file that it replaces') or diag($onto->{out});
	my $no = bench('--compare', "$dir/no.json");
	is($no->{status}, 65, 'a file without a result');
	like($no->{err}, qr/^hubbench: .*no\.json: no result of hubbench in it$/m, 'is named');
};

subtest 'a terminal' => sub {
	my ($script) = grep { -x } map { "$_/script" } split /:/, $ENV{PATH};
	plan skip_all => 'no script(1)' unless $script;
	my $build = $ENV{HUB_BUILD};
	my $line = "$build/hubbench -u $url -c 20 -r 40 -d 1.1 --warmup 0";
	my $tty = run([ $script, '-qec', "$line >$dir/tty.out", '/dev/null' ]);
	is($tty->{status}, 0, 'ends with 0');
	like($tty->{out}, qr/\r\e\[K\S+ 1 s  20 clients  sent \S+\/s  delivered \S+\/s  P99 \S+ \wm?s?/, 'a line each second');
	like($tty->{out}, qr/\r\e\[K\s*\z/, 'which is gone at the end');
	like(slurp("$dir/tty.out"), qr/^verdict +\w/m, 'no colour where the table is no terminal');
	$line =~ s/-d 1\.1/-d 0.1/;
	my $color = run([ $script, '-qec', $line, '/dev/null' ], env => { NO_COLOR => '' });
	like($color->{out}, qr/verdict +\e\[1;3[12]m/, 'colour where it is');
	my $plain = run([ $script, '-qec', $line, '/dev/null' ], env => { NO_COLOR => 1 });
	like($plain->{out}, qr/verdict +[a-z]/, 'but not with NO_COLOR');
};

$hub->stop;
done_testing;

# One thread.
# Text and jq on the way in and out, and bad usage.
use strict;
use warnings;
use Hub;

my $hub = Hub->start;
my $session = 0;

# Sends through hubcat with these options; the messages that reached the session, as text.
sub sent {
	my ($options, $in) = @_;
	my $member = $hub->member('unix', 's' . ++$session);
	my $cat = run($hub->hubcat([ '-p', @$options, "s$session" ]), in => $in);
	# Records may be behind the pong: one of ours marks the end.
	$member->send({ type => 'end' });
	$member->wait_type('end');
	# Without what hubcat and the hub add.
	my @got = map { s/(?:,"msg_id":"\w+")?,"session_id":.*$/}/r } grep { !/"type":"client_/ } splice @{ $member->{in} };
	return ($cat, @got);
}

my ($cat, @got) = sent([ '-t', 'chat' ], "hello\nsay \"hi\"\t\xe2\x82\xac\n\nlast");
is($cat->{status}, 0, '-t');
is_deeply(\@got, [ map { qq({"type":"chat","data":{"text":"$_"}}) } 'hello', 'say \"hi\"\u0009' . "\xe2\x82\xac", '', 'last' ],
	'wraps every line');

($cat, @got) = sent([ '-m', '.items[] | {type: "item", n: .}' ], qq({"items":[1,2]}\n{"items":[]}\n{"items":[3]}\n));
is_deeply([ $cat->{status}, @got ], [ 0, map { qq({"type":"item","n":$_}) } 1 .. 3 ], '-m: none, one or more messages');

($cat, @got) = sent([ '-R', '-m', 'split(",") | {type: .[0], v: .[1]}' ], "a,1\nb,\"2\n");
is_deeply([ $cat->{status}, @got ], [ 0, '{"type":"a","v":"1"}', '{"type":"b","v":"\"2"}' ], '-R -m: lines as text');

($cat, @got) = sent([ '-m', '{type: "x", v: .a.b}' ], qq({"a":{"b":1}}\n{"a":1}\nnot json\n{"a":{"b":01}}\n{"a":{"b":2}}\n));
is($cat->{status}, 65, 'lines that -m fails on make it 65');
like($cat->{err}, qr/^hubcat: line 2: Cannot index number/m, 'named with the words of jq');
like($cat->{err}, qr/^hubcat: line $_: bad_json: /m, "line $_ is no JSON") for 3, 4;
is_deeply(\@got, [ map { qq({"type":"x","v":$_}) } 1, 2 ], 'the others go');

($cat, @got) = sent([ '-m', '{type: "ok"}, {n: 1}' ], "{}\n");
is_deeply([ $cat->{status}, @got ], [65], 'of a line that makes something else than messages nothing is sent');
like($cat->{err}, qr/^hubcat: line 1: bad_type: /m, 'and it says so');

my $many = join '', map { "$_\n" } 1 .. 5000;
($cat, @got) = sent([ '-m', '{type: "n", n: .}, {type: "m", n: .}' ], $many);
is_deeply(\@got, [ map { (qq({"type":"n","n":$_}), qq({"type":"m","n":$_})) } 1 .. 5000 ], 'many, in order');

my $goals = run($hub->hubcat([ '-n', 2, '-f', 'select(.type == "goal") | .by, [.n]', 'goals' ]),
	in => qq({"type":"pass"}\n{"type":"goal","by":"A","n":1}\n{"type":"goal","by":"B","n":2}\n));
is_deeply([ @$goals{qw(status out)} ], [ 0, qq("A"\n[1]\n"B"\n[2]\n) ], '-f prints what passes; -n counts that');

my $fails = run($hub->hubcat([ '-n', 1, '-f', 'if .n == 1 then error("one") else .n end', 'fails' ]),
	in => qq({"type":"t","n":1}\n{"type":"t","n":2}\n));
is_deeply([ @$fails{qw(status out)} ], [ 1, "2\n" ], 'a record that -f fails on is skipped and makes it 1');
like($fails->{err}, qr/^hubcat: -f: one$/m, 'in its words');

subtest 'raw output' => sub {
	run($hub->hubcat([ '-p', 'raw' ]), in => qq({"type":"a","s":"x\\ny"}\n{"type":"b","s":[1]}\n));
	my %out = ('-r' => "x\ny\n[1]\n", '-j' => "x\ny[1]", '-0' => "x\ny\0[1]\0", '--seq' => qq(\x1e"x\\ny"\n\x1e[1]\n));
	for my $option (sort keys %out) {
		is(run($hub->hubcat([ qw(-l -s all -e), $option, qw(-f .s raw) ]))->{out}, $out{$option}, $option);
	}
};

subtest 'programs that use modules' => sub {
	my $home = scratch() . '/home';
	mkdir $home;
	mkdir "$home/.jq";
	spew("$home/.jq/m.jq", 'def f: 7;');
	is(run($hub->hubcat([ qw(-l -s all -e -n 1 -f), 'import "m" as m; m::f', 'raw' ]), env => { HOME => $home })->{out}, "7\n",
		'~/.jq is looked in');
	for my $program ('import "no" as x; .', 'include "no"; .', 'import "./no" as $x; .') {
		my $r = run($hub->hubcat([ '-l', '-f', $program, 'raw' ]));
		is_deeply([ @$r{qw(status signal)} ], [ 64, 0 ], "$program: 64");
		like($r->{err}, qr/^hubcat: -f: module not found/, 'in the words of jq');
	}
	# None of these may take hubcat with it: each runs, or is refused.
	mkdir "$home/.jq/deep";
	spew("$home/.jq/circle.jq", 'import "circle" as c; def f: 1;');
	spew("$home/.jq/bad.jq", 'def f: ');
	spew("$home/.jq/data.json", '{"a":1}');
	spew("$home/.jq/junk.json", '{"a":');
	spew("$home/.jq/meta.jq", 'module {"name": "meta", "x": 1}; import "m" as m; def g: m::f;');
	my %runs = ('import "meta" as x; x::g' => "7\n", 'import "data" as $d; $d::d[0].a' => "1\n",
		'import "m" as m {search: "./"}; m::f' => undef, 'include "m" {search: "~/.jq"}; f' => "7\n",
		'"meta" | modulemeta | .x' => "1\n", 'get_search_list | type' => qq("array"\n));
	for my $program ('import "circle" as c; .', 'import "bad" as b; .', 'import "junk" as $j; .', 'import "m" as m {search: 1}; .',
		'import "m" as m {search: [1]}; .', 'import "m" as m {search: null}; .', 'import "m" as m [1]; .', 'import "" as x; .',
		'import "/" as x; .', 'import "a/../b" as x; .', 'import "../m" as m; m::f', 'import "deep" as d; .', 'include "m"; import "m" as m; f',
		'import "m" as m; import "m" as m; m::f', 'import "m" as m; import "data" as $m; $m::m', 'module {}; .', 'module 1; .', 'module {a: .b}; .',
		'module {}; import "m" as m; m::f', 'import "m" as $m; $m', 'import m as m; .', 'include "m" {as: 1}; f', 'import "\\(1)" as m; .', 'import "m" as m', 'include "m"',
		'"no" | modulemeta', '1 | modulemeta', '"" | modulemeta', '"circle" | modulemeta', '"bad" | modulemeta', 'm::f', '$m::m',
		'input_filename', 'input_line_number', '$__loc__', '$__prog_args', '$ARGS', 'get_search_list', sort keys %runs)
	{
		# libjq gives back less than it takes for some of these.
		my $r = run($hub->hubcat([ qw(-l -s all -n 1 -w 5 -f), $program, 'raw' ]),
			env => { HOME => $home, ASAN_OPTIONS => ($ENV{ASAN_OPTIONS} // '') . ':detect_leaks=0' });
		is($r->{signal}, 0, "$program: no signal");
		like($r->{status}, qr/^(?:0|1|64)$/, 'but an end');
		is($r->{out}, $runs{$program}, 'and what it makes') if defined $runs{$program};
		like($r->{err}, qr/\Ahubcat: -f: [^\n]+\n\z/, 'with one line') if $r->{status} == 64;
	}
	mkdir "$home.file";
	spew("$home.file/.jq", 'def mine: 8;');
	is(run($hub->hubcat([ qw(-l -s all -n 1 -f mine raw) ]), env => { HOME => "$home.file" })->{out}, "8\n", '~/.jq as a file');
};

# What jq does beyond the making of texts: as its page has it, or refused.
subtest 'jq and what is around it' => sub {
	for my $option ('-f', '-m') {
		for my $program ('input', '[inputs]', '. as $x | input', 'def f: input; f') {
			my $r = run([ 'hubcat', $option, $program, 's' ]);
			is($r->{status}, 64, "$option '$program' is refused");
			like($r->{err}, qr/\Ahubcat: $option: input and inputs have nothing to read[^\n]*\n\z/, 'in words');
		}
	}
	run($hub->hubcat([qw(-p around)]), in => join '', map { qq({"type":"t","n":$_,"input":"i$_"}\n) } 1 .. 3);
	my @all = qw(-l -s all -e -f);
	my %out = ('.input' => qq("i1"\n"i2"\n"i3"\n), '"input"' => qq("input"\n) x 3, '{input: 1}' => qq({"input":1}\n) x 3,
		'{input}' => qq({"input":"i1"}\n{"input":"i2"}\n{"input":"i3"}\n), 'def input: .n; input' => "1\n2\n3\n",
		'.n # input' => "1\n2\n3\n", '$ENV.HUB_WORD' => qq("said"\n) x 3, 'env.HUB_WORD' => qq("said"\n) x 3);
	for my $program (sort keys %out) {
		my $r = run($hub->hubcat([ @all, $program, 'around' ]), env => { HUB_WORD => 'said' });
		is_deeply([ @$r{qw(status out)} ], [ 0, $out{$program} ], $program) or diag($r->{err});
	}
	for my $case ([ 'if .n == 2 then halt else .n end', 0, "1\n", '' ], [ '.n, (select(.n == 2) | halt)', 0, "1\n2\n", '' ],
		[ 'if .n == 2 then "bye\n" | halt_error else .n end', 5, "1\n", "bye\n" ],
		[ 'if .n == 2 then {a: 1} | halt_error(3) else .n end', 3, "1\n", qq({"a":1}\n) ],
		[ '.n | stderr', 0, "1\n2\n3\n", '123' ], [ '.n | debug', 0, "1\n2\n3\n", join '', map { qq(["DEBUG:",$_]\n) } 1 .. 3 ])
	{
		my ($program, @want) = @$case;
		my $r = run($hub->hubcat([ @all, $program, 'around' ]));
		is_deeply([ @$r{qw(status out err)} ], \@want, $program);
	}
	is(run($hub->hubcat([ '--state', '-f', 'halt', 'around' ]))->{status}, 0, 'halt of a state that is empty');
	for my $case ([ 'halt', 0, '' ], [ '"bye\n" | halt_error', 5, "bye\n" ]) {
		my ($end, @want) = @$case;
		my ($cat, @got) = sent([ '-m', qq(if .n == 2 then {type: "last"}, ($end) else . end) ],
			qq({"type":"a","n":1}\n{"type":"b","n":2}\n{"type":"c","n":3}\n));
		is_deeply([ @$cat{qw(status err)} ], \@want, "-m: $end");
		is_deeply(\@got, [ '{"type":"a","n":1}', '{"type":"last"}' ], 'what was before it is sent');
	}
	my $much = run($hub->hubcat([ @all, 'if .n == 2 then repeat("x" * 1000000) else .n end', 'around' ]), out => '/dev/null');
	is($much->{status}, 1, 'what makes more than is good');
	like($much->{err}, qr/^hubcat: -f: more than \d+ bytes come out of a record$/m, 'is told');
};

# Where libjq would end the process, one text fails: the others go on.
subtest 'what libjq is not made for' => sub {
	# What it held then is lost.
	local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') . ':detect_leaks=0';
	run($hub->hubcat([qw(-p fall)]), in => join '', map { qq({"type":"t","n":$_}\n) } 1 .. 3);
	my %falls = ('1e18 | todate' => qr/libjq: jv_array_get: Assertion/, '"abc" | .[nan:]' => qr/libjq: parse_slice: Assertion/,
		'infinite % -1' => qr/libjq: a division that has no result/);
	for my $program (sort keys %falls) {
		my $r = run($hub->hubcat([ qw(-l -s all -e -f), "if .n == 2 then $program else .n end", 'fall' ]));
		is_deeply([ @$r{qw(status signal out)} ], [ 1, 0, "1\n3\n" ], "-f: $program: that record fails");
		like($r->{err}, qr/\Ahubcat: -f: $falls{$program}.*\n\z/, 'in one line');
		my ($cat, @got) = sent([ '-m', "if .n == 2 then $program else . end" ], join '', map { qq({"type":"t","n":$_}\n) } 1 .. 3);
		is_deeply([ @$cat{qw(status signal)}, @got ], [ 65, 0, map { qq({"type":"t","n":$_}) } 1, 3 ], '-m: that line');
		like($cat->{err}, qr/\Ahubcat: line 2: $falls{$program}.*\n\z/, 'by its number');
	}
	my $deep = 'reduce range(1000000) as $i (0; [.])';
	for my $case ([ [ qw(-l -s all -e -f), $deep, 'fall' ], '' ], [ [ qw(-p -m), "{type: \"t\", v: ($deep)}", 'fall' ], "{}\n" ]) {
		my ($args, $in) = @$case;
		my $r = run($hub->hubcat($args), in => $in);
		is_deeply([ @$r{qw(status signal)} ], [ 1, 0 ], 'what the stack does not hold: status 1');
		like($r->{err}, qr/^hubcat: -[fm]: the program makes what is nested too deep for libjq\n\z/m, 'in words');
	}
};

subtest 'ready' => sub {
	my $file = scratch() . '/ready';
	my $proc = spawn($hub->hubcat([ '-l', '--ready-file', $file, 'ready' ]));
	wait_for { -e $file } 'the file';
	like(slurp($file), qr/\A\{"type":"ready","session_id":"ready","client_id":"\w{11}","seq":0\}\n\z/, '--ready-file');
	$proc->kill('TERM');
	is($proc->wait, 0, 'ended');
	my $r = run([ 'sh', '-c', 'exec "$@" 3>&1', 'sh', @{ $hub->hubcat([ qw(-l -s all -e --ready-fd 3 ready) ]) } ]);
	like($r->{out}, qr/^\{"type":"ready"/, '--ready-fd');
};

my %bad = (
	'no session' => [], 'two sessions' => [qw(a b)], 'a bad name' => ['a b'],
	'-l and -p' => [qw(-l -p s)], '-l and -t' => [qw(-l -t x s)], '-p and -n' => [qw(-p -n 1 s)],
	'-l and -a' => [qw(-l -a s)], '-p and -s' => [qw(-p -s all s)], '--state and -n' => [qw(--state -n 1 s)],
	'a bad seq' => [qw(-s 1x s)], 'a negative seq' => [qw(-s -1 s)], 'a seq too large' => [qw(-s 9007199254740993 s)],
	'-t and -m' => [qw(-t x -m . s)], '-R alone' => [qw(-R s)], 'an empty type' => [ '-t', '', 's' ],
	'a long type' => [ '-t', 'x' x 65, 's' ], 'a bad URL' => [qw(-u http://x s)], 'an unknown option' => [qw(-x s)],
	'a zero count' => [qw(-n 0 s)],
);
for my $what (sort keys %bad) {
	my $r = run([ 'hubcat', @{ $bad{$what} } ]);
	is($r->{status}, 64, "$what: exit 64");
	like($r->{err}, qr/\Ahubcat: [^\n]+\n\z/, 'one line');
}
for my $option ('-f', '-m') {
	my $r = run([ 'hubcat', $option, '.a ^', 's' ]);
	is($r->{status}, 64, "$option with a bad program: exit 64");
	like($r->{err}, qr/\Ahubcat: $option: syntax error[^\n]*\n\z/, 'the words of jq, on one line');
}

$hub->stop;
done_testing;

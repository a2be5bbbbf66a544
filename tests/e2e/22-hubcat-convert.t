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

# Not under sanitizers.
# The JavaScript of the pages works in a real browser as it is printed, and the example page shows the
# match that is played.
use strict;
use warnings;
use Hub;
use Hub::Pages;
use Hub::Web;

plan skip_all => 'no chromium here' unless Hub::Web::browser();

my $root = root();
my $hub = Hub->start;
my $web = Hub::Web->start;
my ($pages, $report) = @$web{qw(pages report)};

my $reporter = <<'END';
const report = (name, what) => fetch("/" + name, {method: "POST", body: JSON.stringify(what)});
window.onerror = (why) => report("failed", String(why));
END

# The scripts that readers copy.
my ($readme) = markdown_code("$root/README.md", 'js');
my ($manual) = map { unescape($_) } slurp("$root/man/hub.7") =~ /^\.Bd -literal[^\n]*\n(const hub = .*?)^\.Ed/ms;
is($readme =~ tr/\n//, 10, 'ten lines of JavaScript');
for my $case ([ 'readme', $readme, 'match' ], [ 'manual', $manual, 'lobby' ]) {
	my ($name, $script, $session) = @$case;
	subtest "the script of the $name" => sub {
		$script =~ s/127\.0\.0\.1:4820/127.0.0.1:$hub->{port}/;
		$pages->{$name} = "<!doctype html>\n<script>\n$reporter"
		    . "console.log = (...what) => report(\"$name\", what);\n</script>\n<script>\n$script</script>\n";
		my $member = $hub->member('unix', $session);
		my $chromium = $web->open($name);
		wait_for { $web->serve; @{ $member->{in} } } 'the page to say something', 300;
		my $hello = $member->wait_type('hello');
		is($hello->{name}, 'Ann', 'the page says hello');
		$member->send({ type => 'answer' });
		wait_for { $web->serve; $report->{failed} || grep { json($_) =~ /"answer"/ } @{ $report->{$name} || [] } }
		'the page to report', 300;
		is($report->{failed}, undef, 'and makes no mistake');
		is(scalar @{ $report->{$name} }, 2, 'it logs what members say, and only that');
		$web->close($chromium);
	};
}

subtest 'the match' => sub {
	$pages->{match} = slurp("$root/examples/match/index.html") . <<"END";
<script>
$reporter
let last = "";
setInterval(() => {
	const now = {score: at("score").textContent, state: at("state").textContent,
	    events: at("events").children.length, lines: at("ball").children.length};
	if (JSON.stringify(now) !== last)
		report("match", now);
	last = JSON.stringify(now);
}, 50);
</script>
END
	my $shows = sub {
		my ($what, $condition) = @_;
		becomes { $web->serve; $report->{failed} || grep { $condition->($_) } @{ $report->{match} || [] } } $what, 300
		    or diag(json($report->{match}[-1]));
	};
	my $chromium = $web->open('match', "?hub=ws://127.0.0.1:$hub->{port}/ws");
	$shows->('waits for the match', sub { $_[0]{state} eq 'waiting for the match' });
	my $play = run([ 'sh', '-c', '"$1" 3 | "$2" -u "unix:$3" -p match', 'sh', "$root/examples/match/play",
			"$ENV{HUB_BUILD}/hubcat", $hub->{socket} ]);
	is($play->{status}, 0, 'the match is played') or diag($play->{err});
	$shows->('shows the end: the last minute, the score, the last events',
		sub { $_[0]{state} eq 'minute 96' && $_[0]{score} eq score() && $_[0]{events} == 30 });
	cmp_ok(scalar(grep { $_->{lines} > 0 } @{ $report->{match} }), '>', 0, 'and drew passes');
	is($report->{failed}, undef, 'no mistake in the script');
	$web->close($chromium);
};

subtest 'any session' => sub {
	my $page = slurp("$root/examples/watch/index.html");
	$pages->{watch} = $page . <<"END";
<script>
$reporter
let seen = "";
setInterval(() => {
	const now = {state: at("state").textContent, rows: [...at("records").rows].map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))};
	if (JSON.stringify(now) !== seen)
		report("watch", now);
	seen = JSON.stringify(now);
}, 50);
</script>
END
	my $sent = run($hub->hubcat([ '-p', 'any' ]), in => qq({"type":"a","x":"<b>"}\n{"type":"b","record":{"n":1}}\n));
	is($sent->{status}, 0, 'something is there');
	my $chromium = $web->open('watch', "?hub=ws://127.0.0.1:$hub->{port}/ws&session=any");
	my $shows = sub {
		my ($what, @rows) = @_;
		becomes { $web->serve; $report->{failed} || grep { json($_->{rows}) eq json(\@rows) } @{ $report->{watch} || [] } } $what, 300
		    or diag(json($report->{watch}[-1]));
	};
	my @first = ([ 'b', '{"n":1}' ], [ 'a', '{"x":"<b>"}' ]);
	$shows->('is shown, the last one first', @first);
	run($hub->hubcat([ '-p', 'any' ]), in => qq({"type":"c"}\n));
	$shows->('and what comes', [ 'c', '{}' ], @first);
	is($report->{failed}, undef, 'no mistake in the script');
	$web->close($chromium);
};

# What the data says.
sub score {
	my %goals = (Home => 0, Away => 0);
	$goals{$_}++ for slurp(data_file('match')) =~ /"team":"(\w+)","event":"[^"]*","subtype":"[^"]*-GOAL"/g;
	return "$goals{Home} : $goals{Away}";
}

$hub->stop;
done_testing;

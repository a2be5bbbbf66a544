# Not under sanitizers.
# The JavaScript of the pages works in a real browser as it is printed, and the example page shows the
# match that is played.
use strict;
use warnings;
use Hub;
use Hub::Pages;
use IO::Select;
use IO::Socket::INET;

my ($browser) = grep { -x } map { my $dir = $_; map { "$dir/$_" } qw(chromium chromium-browser) }
    split /:/, $ENV{PATH};
plan skip_all => 'no chromium here' unless $browser;

my $root = root();
my $hub = Hub->start;
my $http = IO::Socket::INET->new(Listen => 10, LocalAddr => '127.0.0.1') or die "listen: $!\n";
my (%page, %report);

# Serves one request, where there is one: a page, or its report.
sub serve {
	return unless IO::Select->new($http)->can_read(0);
	my $c = $http->accept or return;
	my ($request, $body, $length) = ('', '', 0);
	while (my $line = <$c>) {
		$request .= $line;
		$length = $1 if $line =~ /^content-length: (\d+)/i;
		last if $line eq "\r\n";
	}
	read $c, $body, $length if $length;
	push @{ $report{$1} }, unjson($body) if $request =~ m{^POST /(\w+)};
	my $answer = $request =~ m{^GET /(\w+)} && $page{$1} ? $page{$1} : '';
	print $c "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n",
	    'Content-Length: ', length $answer, "\r\n\r\n$answer";
	close $c;
}

# Opens a page; ends with the object.
sub open_page {
	my ($name, $query) = @_;
	return spawn(
		[ $browser, qw(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run),
			qw(--disable-background-networking --disable-component-update --disable-sync),
			qw(--disable-dev-shm-usage --remote-debugging-port=0),
			'--user-data-dir=' . scratch() . "/$name.chromium",
			'http://127.0.0.1:' . $http->sockport . "/$name" . ($query // '') ],
		env => { HOME => scratch() });
}

sub close_page {
	my ($chromium) = @_;
	$chromium->kill('TERM');
	eval { $chromium->wait; 1 } or $chromium->kill('KILL');
}

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
		$page{$name} = "<!doctype html>\n<script>\n$reporter"
		    . "console.log = (...what) => report(\"$name\", what);\n</script>\n<script>\n$script</script>\n";
		my $member = $hub->member('unix', $session);
		my $chromium = open_page($name);
		wait_for { serve(); @{ $member->{in} } } 'the page to say something';
		my $hello = $member->wait_type('hello');
		is($hello->{name}, 'Ann', 'the page says hello');
		$member->send({ type => 'answer' });
		wait_for { serve(); $report{failed} || grep { json($_) =~ /"answer"/ } @{ $report{$name} || [] } }
		'the page to report', 60;
		is($report{failed}, undef, 'and makes no mistake');
		is(scalar @{ $report{$name} }, 2, 'it logs what members say, and only that');
		close_page($chromium);
	};
}

subtest 'the match' => sub {
	$page{match} = slurp("$root/examples/match/index.html") . <<"END";
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
		becomes { serve(); $report{failed} || grep { $condition->($_) } @{ $report{match} || [] } } $what, 60
		    or diag(json($report{match}[-1]));
	};
	my $chromium = open_page('match', "?hub=ws://127.0.0.1:$hub->{port}/ws");
	$shows->('waits for the match', sub { $_[0]{state} eq 'waiting for the match' });
	my $play = run([ 'sh', '-c', '"$1" 3 | "$2" -u "unix:$3" -p match', 'sh', "$root/examples/match/play",
			"$ENV{HUB_BUILD}/hubcat", $hub->{socket} ]);
	is($play->{status}, 0, 'the match is played') or diag($play->{err});
	$shows->('shows the end: the last minute, the score, the last events',
		sub { $_[0]{state} eq 'minute 96' && $_[0]{score} eq score() && $_[0]{events} == 30 });
	cmp_ok(scalar(grep { $_->{lines} > 0 } @{ $report{match} }), '>', 0, 'and drew passes');
	is($report{failed}, undef, 'no mistake in the script');
	close_page($chromium);
};

# What the data says.
sub score {
	my %goals = (Home => 0, Away => 0);
	$goals{$_}++ for slurp(data_file('match')) =~ /"team":"(\w+)","event":"[^"]*","subtype":"[^"]*-GOAL"/g;
	return "$goals{Home} : $goals{Away}";
}

$hub->stop;
done_testing;

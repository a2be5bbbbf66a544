# Not under sanitizers.
# The leaderboards: the score service by itself, and the whole, as one command starts it, in a real browser: two
# windows, one with a network that is cut, who may not, too fast, too much; the hub, the score service and a tab are
# killed; WebSockets are blocked. In the end the log says that each request counts once.
# A picture is in BUILD/screenshots.
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Cut;
use Hub::Example;
use Hub::Http;
use Hub::Npm;

my $example = root() . '/examples/scoreboard';

sub service {
	my ($in, @args) = @_;
	my $r = run([ "$example/scores", @args ], in => join '', map { json($_) . "\n" } @$in);
	return ($r, map { unjson($_) } split /\n/, $r->{out});
}

subtest 'the score service' => sub {
	plan skip_all => 'that is the same in all of them' if Hub::Browser::kind() ne 'chromium';
	my @in = map { { type => 'add_score', user => 'u' . ($_ % 12), points => $_ % 100 || 1, seq => 2 * $_, msg_id => "m$_" } } 1 .. 60;
	my ($r, @out) = service(\@in);
	is($r->{status}, 0, 'ends with its input');
	my %score;
	my @wrong = grep {
		my ($in, $out) = ($in[$_], $out[$_]);
		$score{ $in->{user} } += $in->{points};
		my @best = sort { $score{$b} <=> $score{$a} } keys %score;
		my $rank = 1 + grep { $_ > $score{ $in->{user} } } values %score;
		splice @best, 10 if @best > 10;
		json([ map { $_->{score} } @{ $out->{top_10} } ]) ne json([ @score{@best} ])
		    || json($out->{changed}) ne json({ user => $in->{user}, points => $in->{points}, score => $score{ $in->{user} }, rank => $rank })
		    || $out->{timestamp} != $in->{seq} || $out->{players} != keys %score
	} 0 .. $#in;
	is_deeply(\@wrong, [], 'the ten best, and who has changed, each time');
	is(scalar @{ $out[-1]{top_10} }, 10, 'of twelve');
	my ($again, @rest) = service(\@in, 100);
	is_deeply(\@rest, [ @out[ 50 .. 59 ] ], 'from a place on: the same, and nothing of what was before');
	my @bad = service([ map { { type => 'add_score', seq => 1, user => 'ann', points => $_ } } 0, 101, -1, 1.5, '5', undef, [] ]);
	is(scalar(grep { ref && $_->{refused} && !$_->{changed} } @bad[ 1 .. $#bad ]), 7, 'what are no points is refused');
	my (undef, $nobody) = service([ { type => 'add_score', seq => 1, points => 1 } ]);
	is($nobody->{refused}{message}, 'a token has to say who you are', 'and who is nobody');
	my ($lost) = service([ { type => 'gap', from_seq => 1, to_seq => 5 } ]);
	isnt($lost->{status}, 0, 'a log without its beginning is an error');
	like($lost->{err}, qr/the log has lost its beginning/, 'that says so');
};

if (Hub::Browser::missing()) {
	note Hub::Browser::missing();
	done_testing;
	exit;
}

my $run = Hub::Example->start('scoreboard');
my $port = $run->{port};
my $browser = Hub::Browser->start;
my $by = sub { $run->page(@_) };
my $press = sub { my ($page, $what) = @_; $page->eval(qq{document.querySelector('$what').click()}) };
my $text = sub { return "document.getElementById('$_[0]').textContent" };
# What a page shows of somebody.
my $score = sub { return qq{(document.querySelector("#top")?.innerText ?? "").includes("$_[0]\\n$_[1]")} };
my $points = sub { my ($who, $n) = @_; return qq{[...document.querySelectorAll("#top li")].some((row) => row.querySelector(".name")?.textContent === "$who" && row.querySelector(".points").textContent === "$n")} };

my $cut = Hub::Cut->start($port);
my $ann = $browser->open($by->('ann'), size => [ 760, 900 ]);
my $bob = $browser->open($by->('bob', $cut->{port}));

subtest 'two windows' => sub {
	$_->shows($text->('state') . ' === "live, by websocket"', 'it is there') for $ann, $bob;
	$_->shows($text->('people') . ' === "2 are here"', 'who is here') for $ann, $bob;
	is($ann->eval($text->('top')), 'nobody has scored yet', 'nobody yet');
	$bob->eval('window.types = new Set(), hub.on("record", (m) => types.add(m.type))');
	$press->($ann, '[data-points="5"]');
	$_->shows($points->('ann', 5), 'who scores is seen') for $ann, $bob;
	$ann->shows($text->('mine') . ' === "you have 5, rank 1"', 'by herself, too');
	$press->($bob, '[data-points="10"]') for 1 .. 2;
	$_->shows($points->('bob', 20), 'and who comes before her') for $ann, $bob;
	$bob->shows($text->('news') . '.includes("bob +10: 20, rank 1")', 'the changed user');
	is_deeply($bob->eval('[...types]'), ['scores'], 'and nothing else is sent');
};

subtest 'too fast, too much, not allowed' => sub {
	$press->($ann, '#burst');
	$ann->shows($text->('news') . '.includes("not so fast")', 'who is too fast is told so');
	$_->shows($points->('ann', 25), 'and has all of it in the end') for $ann, $bob;
	$press->($ann, '[data-points="1000"]');
	$ann->shows($text->('news') . '.includes("refused: points are a whole number from 1 to 100")', 'too much is refused');
	ok(!$bob->eval($text->('news') . '.includes("refused")'), 'which is told to who asked');
	my $cy = $browser->open($by->('cy'));
	$cy->shows($points->('ann', 25), 'who only looks sees all');
	$press->($cy, '[data-points="1"]');
	$cy->shows($text->('news') . '.includes("refused: ")', 'and cannot play');
	$ann->shows($text->('people') . ' === "3 are here"', 'he counts');
	$cy->close;
	$ann->shows($text->('people') . ' === "2 are here"', 'until he goes');
	my $eve = $browser->open($by->('eve'));
	$eve->shows($text->('state') . '.startsWith("refused: ")', 'who may not see it is told so');
	$eve->close;
	my $chess = $browser->open($by->('eve') =~ s/board=arcade/board=chess/r);
	$chess->shows($text->('top') . ' === "nobody has scored yet"', 'the other leaderboard is another room');
	$chess->close;
	my $forged = Hub::Http->fetch({ host => '127.0.0.1', port => $port }, 'POST', '/sessions/board.arcade/records',
		headers => [ 'Content-Type: application/json', 'Authorization: Bearer ' . ($by->('ann') =~ /token=(\S+)/)[0] ],
		body => '{"type":"scores","key":"scores","top_10":[]}');
	is("$forged->{status} $forged->{lines}[0]{data}{code}", '403 forbidden', 'no player can say who has won');
};

subtest 'a network that is cut' => sub {
	$cut->close;
	$bob->shows($text->('state') . '.startsWith("no connection") || ' . $text->('state') . ' === "connecting"', 'is told');
	$press->($bob, '[data-points="10"]') for 1 .. 3;
	$bob->shows($text->('waiting') . ' === "3 on the way"', 'and how much waits');
	$press->($ann, '[data-points="1"]');
	$ann->shows($points->('ann', 26), 'the other one goes on');
	$cut->open;
	$_->shows($points->('bob', 50) . ' && ' . $points->('ann', 26), 'then all is there') for $ann, $bob;
	$bob->shows($text->('waiting') . ' === ""', 'and nothing waits');
};

subtest 'the hub is killed' => sub {
	for my $round (1 .. 3) {
		$press->($_, '[data-points="5"]') for $ann, $bob;
		$run->kill_hub;
		$press->($_, '[data-points="5"]') for $ann, $bob;
		$_->shows($points->('bob', 50 + 10 * $round) . ' && ' . $points->('ann', 26 + 10 * $round), "round $round: nothing lost, nothing twice")
		    for $ann, $bob;
	}
};

subtest 'the score service is killed' => sub {
	my $kill = sub {
		my ($pattern) = @_;
		# One for each leaderboard, once they have begun again.
		my @pids;
		wait_for { (@pids = $run->children($pattern)) == 2 } 'two of them';
		return kill 'KILL', @pids;
	};
	is($kill->(qr/^jq\0.*foreach inputs/s), 2, 'both of them');
	$press->($ann, '[data-points="1"]') for 1 .. 3;
	$_->shows($points->('ann', 59), 'what was scored meanwhile counts, once') for $ann, $bob;
	wait_for { kill 'KILL', $run->children(qr/^jq\0.*foreach inputs/s); $bob->eval($text->('service')) =~ /is away/ } 'the page to say that it is away';
	$bob->shows($text->('service') . ' === ""', 'that it is away, and that it is back, is told');
	my $parts = 0;
	for my $part (qr/hubcat\0.*\0-l\0/s, qr/hubcat\0.*\0-p\0/s, qr/^jq\0.*foreach inputs/s) {
		$press->($ann, '[data-points="1"]');
		is($kill->($part), 2, 'a part of the pipeline is killed');
		wait_for { my @again = $run->children($part); @again == 2 } "it to be there again, where nobody plays, too";
		$press->($bob, '[data-points="1"]');
		$parts++;
		$_->shows($points->("ann", 59 + $parts) . " && " . $points->("bob", 80 + $parts), "and all counts, once") for $ann, $bob;
	}
};

subtest 'a tab is killed' => sub {
	$press->($bob, '[data-points="10"]');
	$bob->shows($points->('bob', 93), 'what was acknowledged');
	$bob->crash;
	$bob = $browser->open($by->('bob', $cut->{port}));
	$bob->shows($points->('bob', 93) . ' && ' . $points->('ann', 62), 'is there for the next one');
};

subtest 'WebSockets are blocked' => sub {
	plan skip_all => 'no node here' unless Hub::Npm::program('node');
	my $proxy = spawn([ 'node', '-e', <<'END', $port ]);
const net = require("net");
const server = net.createServer((client) => {
	client.on("error", () => {});
	client.once("data", (head) => {
		if (/^upgrade: websocket/mi.test(head)) return client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		const hub = net.connect(+process.argv[1], "127.0.0.1", () => { hub.write(head); client.pipe(hub).pipe(client); });
		hub.on("error", () => client.destroy()).on("close", () => client.destroy());
		client.on("close", () => hub.destroy());
	});
}).listen(0, "127.0.0.1", () => console.log("port", server.address().port));
END
	wait_for { slurp($proxy->{out}) =~ /^port \d+\n/ } 'the proxy';
	my ($wall) = slurp($proxy->{out}) =~ /(\d+)/;
	my $dan = $browser->open($by->('bob', $wall));
	$dan->shows($text->('state') . ' === "live, by sse"', 'it goes by HTTP');
	$dan->shows($points->('bob', 93), 'and all is seen');
	$press->($dan, '[data-points="5"]') for 1 .. 2;
	$_->shows($points->('bob', 103), 'what is scored there counts') for $ann, $bob, $dan;
	$press->($ann, '[data-points="1"]');
	$dan->shows($points->('ann', 63), 'what others score is seen there');
	$dan->shows($text->('people') . ' === "2 are here"', 'who is here is asked for');
	$press->($dan, '#burst');
	$_->shows($points->('bob', 123), 'too fast is slowed there, too') for $ann, $dan;
	$press->($dan, '[data-points="1000"]');
	$dan->shows($text->('news') . '.includes("refused: points are")', 'and too much refused');
	$dan->close;
	$proxy->kill('KILL');
};

subtest 'a picture' => sub {
	my $at = { host => '127.0.0.1', port => $port };
	my $want = 104;
	for my $who (qw(mia noah ola pia quinn rosa sam tara uwe vera)) {
		my $token = run([ 'hubtoken', 'sign', '-k', "$run->{keep}/key", '-c', json({ sub => $who, hub => { join => ['board.*'], publish => ['board.*'] } }) ])->{out};
		my $a = Hub::Http->fetch($at, 'POST', '/sessions/board.arcade/records', body => json({ type => 'add_score', points => $want -= 1 + length($who) }) . "\n",
			headers => [ 'Content-Type: application/x-ndjson', 'Authorization: Bearer ' . $token =~ s/\n//r ]);
		is($a->{status}, 200, "$who plays");
	}
	$press->($ann, '[data-points="10"]');
	$ann->shows($points->('ann', 73), 'all are there');
	$ann->shows($text->('players') . ' === "12 have points"', 'and counted');
	cmp_ok(-s $ann->picture("$ENV{HUB_BUILD}/screenshots/scoreboard.png"), '>', 5000, 'it is a picture');
};

subtest 'each request counts once' => sub {
	my @log = map { unjson($_) } split /\n/, run([ 'hubcat', '-u', "unix:$run->{dir}/hub.sock", '-l', '-s', 'all', '-e', 'board.arcade' ])->{out};
	my @asked = grep { $_->{type} eq 'add_score' } @log;
	my @said = grep { $_->{type} eq 'scores' } @log;
	is(scalar @said, scalar @asked, scalar(@asked) . ' requests, as many answers');
	is_deeply([ map { $_->{timestamp} } @said ], [ map { $_->{seq} } @asked ], 'one each, in order');
	my (%score, %seen);
	$score{ $_->{user} } += $_->{points} <= 100 ? $_->{points} : 0 for @asked;
	is_deeply([ grep { $_ > 1 } map { ++$seen{"$_->{from} $_->{msg_id}"} } grep { defined $_->{msg_id} } @asked ], [], 'none was sent twice');
	is_deeply([ map { $_->{score} } @{ $said[-1]{top_10} } ], [ (sort { $b <=> $a } values %score)[ 0 .. 9 ] ], 'and the ten best are the ten best');
};

is_deeply([ $ann->errors, $bob->errors ], [], 'no page has made a mistake');
$browser->close;
$run->stop;
$cut->stop;
done_testing;

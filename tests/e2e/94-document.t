# Not under sanitizers.
# The document that many edit: its rules by themselves, its text under every order of edits, and the whole, as one
# command starts it, in real browsers: edits at once, one window without a network, who may not, the store, and a hub and a window that are killed.
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Npm;
use Hub::Web;
use JSON::PP ();

my $example = root() . '/examples/document';
my ($node, $npm) = map { Hub::Npm::program($_) } 'node', 'npm';

subtest 'its rules' => sub {
	my $r = run([ 'hubd', '--rules-test', "$example/rules" ]);
	is($r->{status}, 0, 'do what is expected') or diag($r->{out});
};

subtest 'its text' => sub {
	plan skip_all => 'no node here' unless $node;
	for my $seed (1 .. 3) {
		my $r = run([ $node, root() . '/tests/clients/document.js', $seed ]);
		is($r->{out}, "converged\n", "seed $seed") or diag($r->{err});
	}
};

my $keep = scratch() . '/kept';
my $tmp = scratch() . '/document';
mkdir $tmp or die "$tmp: $!\n";

# Starts it: the process, its hub's address, and by name each one's token.
sub start {
	# HOME may be the tests' own; what npm was told of its registry is in the user's.
	local $ENV{NPM_CONFIG_USERCONFIG} = (getpwuid $<)[7] . '/.npmrc' unless $ENV{NPM_CONFIG_USERCONFIG};
	my $proc = spawn([ "$example/run", $ENV{HUB_BUILD}, $keep ], env => { TMPDIR => $tmp });
	wait_for { !$proc->running || slurp($proc->{out}) =~ /^  eve: .*\n/m } 'the example to start', 300;
	return if !$proc->running && slurp($proc->{err}) =~ /npm does not bring/;
	die 'it ended: ' . slurp($proc->{err}) . "\n" unless $proc->running;
	my $said = slurp($proc->{out});
	my ($port) = $said =~ m{hub=http://127\.0\.0\.1:(\d+)};
	return ($proc, $port, { $said =~ /^  (\w+): .*token=(\S+)$/mg }, $said =~ m{file://(\S+)/index\.html});
}

SKIP: {
	skip 'no chromium, node and npm here', 1 unless Hub::Web::browser() && $node && $npm;
	my ($run, $port, $token, $folder) = start();
	skip 'npm brings no socket.io-client', 1 unless $run;
	subtest 'in browsers' => sub {
		my $web = Hub::Web->start;
		my ($pages, $report) = @$web{qw(pages report)};
		# The page as it is, with one who types and tells; and its scripts, which are asked for by their names.
		$pages->{socket} = slurp("$folder/socket.io.min.js");
		$pages->{document} = slurp("$folder/document.js");
		my $page = slurp("$folder/index.html") . do { local $/; <DATA> };
		my (%steps, %browser);
		my $type = sub {
			my ($who, @steps) = @_;
			push @{ $steps{$who} }, map { { what => $_->[0], where => $_->[1] } } @steps;
			$pages->{"todo_$who"} = json($steps{$who});
		};
		my $open = sub {
			my ($who, $at) = @_;
			$pages->{"todo_$who"} = '[]';
			$pages->{"editor_$who"} = $page;
			$browser{$who} = $web->open("editor_$who", "?who=$who&hub=http://127.0.0.1:$at&doc=plan&token=$token->{$who}");
		};
		my $now = sub { my ($who) = @_; return $report->{$who} ? $report->{$who}[-1] : {} };
		my $until = sub {
			my ($what, $condition) = @_;
			becomes { $web->serve; $report->{failed} || $condition->() } $what, 300
			    or diag(map { "$_: " . json($now->($_)) . "\n" } sort keys %browser);
			die json($report->{failed}) . "\n" if $report->{failed};
		};
		my $same = sub {
			my ($what, @who) = @_;
			$until->($what, sub {
				my @all = map { $now->($_) } @who;
				return !grep {
					!$_->{who} || $_->{done} != @{ $steps{ $_->{who} } || [] } || $_->{state} ne 'saved' || $_->{view} ne $all[0]{view}
					    || $_->{text} ne $_->{view} || json($_->{log}) ne json($all[0]{log})
				} @all;
			});
		};

		my $cut = Hub::Cut->start($port);
		$open->('ann', $port);
		$open->('bob', $cut->{port});
		$until->('both see who is there', sub { 2 == grep { ($now->($_)->{people} // '') eq 'ann, bob' } qw(ann bob) });

		# Both type at once, at the beginning, in the middle and at the end.
		$type->('ann', map { [ "a$_ ", ($_ % 3) / 2 ] } 1 .. 40);
		$type->('bob', map { [ "b$_ ", (1 + $_ % 3) / 3 ] } 1 .. 40);
		$same->('the same text in both, after the same edits in the same order', qw(ann bob));
		my $text = $now->('ann')->{text};
		is(length $text, 2 * (9 * 3 + 31 * 4), 'nothing lost and nothing twice');
		is(scalar(() = $text =~ /[ab]/g), 80, 'all of it');
		cmp_ok(scalar @{ $now->('ann')->{log} }, '>=', 2, 'in several edits');
		my $log = $now->('ann')->{log};
		my %by;
		$by{ (split /-/)[0] }++ for @$log;
		is(scalar keys %by, 2, 'of both');

		# One has no network.
		$cut->close;
		$until->('who is cut off is told', sub { $now->('bob')->{state} =~ /^offline|^no connection/ });
		$type->('ann', [ 'ANN IS HERE ', 0 ], [ ' ANN STAYS', 1 ]);
		$type->('bob', [ 'BOB IS AWAY ', 0 ], [ ' BOB WRITES', 1 ]);
		$until->('the one goes on', sub { $now->('ann')->{state} eq 'saved' && $now->('ann')->{text} =~ /ANN STAYS/ });
		$until->('and so does the other, for himself', sub { $now->('bob')->{view} =~ /BOB WRITES/ });
		unlike($now->('bob')->{view}, qr/ANN/, 'who has not heard of the one');
		unlike($now->('ann')->{view}, qr/BOB/, 'nor the one of him');
		$cut->open;
		$same->('then all is there', qw(ann bob));
		$text = $now->('ann')->{text};
		is(scalar(() = $text =~ /$_/g), 1, "$_: once") for 'ANN IS HERE', 'ANN STAYS', 'BOB IS AWAY', 'BOB WRITES';
		my @all = @{ $now->('ann')->{log} };
		is_deeply([ @all[ 0 .. $#$log ] ], $log, 'the new edits follow the old ones');
		$until->('and both are there again', sub { 2 == grep { ($now->($_)->{people} // '') eq 'ann, bob' } qw(ann bob) });

		# The cut comes while edits are on their way.
		for my $i (1 .. 5) {
			$type->('bob', map { [ "x$i-$_ ", 0.5 ] } 1 .. 5);
			$until->("round $i", sub { $now->('bob')->{done} >= @{ $steps{bob} } - 2 });
			$cut->close;
			$type->('ann', [ "y$i ", 0.5 ]);
			$cut->open;
			$same->("round $i: the same again", qw(ann bob));
		}
		$text = $now->('bob')->{text};
		is(length $text, 302 + length('ANN IS HERE  ANN STAYSBOB IS AWAY  BOB WRITES') + 25 * 5 + 5 * 3, 'nothing lost and nothing twice');

		# The hub is killed while edits are on their way.
		for my $i (1 .. 2) {
			my ($pid) = slurp($run->{out}) =~ /.*^The hub is process (\d+)\.$/ms;
			my $before = @{ $report->{ann} };
			$type->('bob', map { [ "k$i-$_ ", 0.5 ] } 1 .. 5);
			$type->('ann', [ "l$i ", 0.5 ]);
			$until->("kill $i", sub { $now->('bob')->{done} >= @{ $steps{bob} } - 2 });
			kill 'KILL', $pid;
			$until->('who writes is told', sub { grep { $_->{state} =~ /^offline|^no connection/ } @{ $report->{ann} }[ $before .. $#{ $report->{ann} } ] });
			$same->("kill $i: the same again", qw(ann bob));
		}
		is(length $now->('bob')->{text}, length($text) + 2 * (25 + 3), 'nothing lost and nothing twice');
		$text = $now->('bob')->{text};
		$until->('both are there again', sub { 2 == grep { ($now->($_)->{people} // '') eq 'ann, bob' } qw(ann bob) });

		# Who may less, and who may nothing.
		$open->('cy', $port);
		$same->('who comes late has all of it', qw(ann bob cy));
		is($now->('cy')->{may}, 'read', 'and may not write');
		$type->('cy', [ 'CY', 0 ]);
		$until->('an edit by who may only read is refused, and he is told why', sub { $now->('cy')->{state} eq 'refused: cy may only read this document' });
		is($now->('cy')->{view}, $text, 'and what he wrote is taken back');
		$open->('eve', $port);
		$until->('who may not open it is told so', sub { ($now->('eve')->{state} // '') eq 'refused: eve may not open this document' });
		is($now->('eve')->{view}, '', 'and sees nothing');
		$until->('who is there', sub { $now->('ann')->{people} eq 'ann, bob, cy' });
		$web->close(delete $browser{cy});
		$until->('and who has gone', sub { $now->('ann')->{people} eq 'ann, bob' });
		unlike($now->('ann')->{text}, qr/CY/, 'the text is as it was');
		(delete $browser{bob})->kill('KILL');
		$until->('whose window is killed is gone', sub { $now->('ann')->{people} eq 'ann' });
		is($now->('ann')->{text}, $text, 'and what he wrote is there');
		$web->close($_) for values %browser;
		$log = $now->('ann')->{log};
		is_deeply([ @$log[ 0 .. $#all ] ], \@all, 'the log has only grown');

		$run->kill('INT');
		is($run->wait, 0, 'Ctrl-C ends it');
		is_deeply([ glob "$tmp/*" ], [], 'and nothing is left');
		my $stored = Hub->start(args => [ '--store', "$keep/documents.db" ]);
		my $reader = $stored->unix;
		$reader->join_session('doc.plan', since => 0);
		my @ids = map { $_->{id} } map { $reader->wait_type('remote-edit') } 1 .. @$log;
		my %seen;
		is_deeply([ grep { !$seen{$_}++ } @ids ], $log, 'the edits are in the store, in their order');
		is((unjson($reader->{in}[0] // '{}'))->{type}, undef, 'and no others');
		$stored->stop;

		($run, $port, $token, $folder) = start();
		$report->{ann} = undef;
		delete $steps{ann};
		$open->('ann', $port);
		$until->('after a restart the document is as it was', sub { ($now->('ann')->{state} // '') eq 'saved' && $now->('ann')->{text} eq $text });
		$web->close($browser{ann});
		$run->kill('TERM');
		$run->wait;
	};
}

done_testing;

__DATA__
<script>
const tell = (name, what) => fetch("/" + name, {method: "POST", body: JSON.stringify(what)});
window.onerror = (why) => tell("failed", String(why));
const who = query.get("who");
let done = 0, last = "";
setInterval(async () => {
	const now = {who, done, view: shared.view, text: shared.text, log: [...shared.ids], state: at("state").textContent,
	    people: at("people").textContent, may: at("text").readOnly ? "read" : "write"};
	if (at("text").value !== shared.view)
		tell("failed", `shown: ${at("text").value}, but it is ${shared.view}`);
	if (JSON.stringify(now) !== last)
		tell(who, now);
	last = JSON.stringify(now);
	const steps = JSON.parse(await (await fetch("/todo_" + who)).text());
	if (done < steps.length) {
		const {what, where} = steps[done++], area = at("text"), from = Math.round(where * area.value.length);
		area.value = area.value.slice(0, from) + what + area.value.slice(from);
		area.dispatchEvent(new Event("input"));
	}
}, 50);
</script>

# Not under sanitizers.
# Long.
# The document that many edit: its rules by themselves, its text under every order of edits, and the whole, as one
# command starts it, in a real browser: edits at once, one window without a network, who may not, the store, and a hub
# and a window that are killed. Pictures are in BUILD/screenshots.
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Cut;
use Hub::Example;
use Hub::Npm;

my $example = root() . '/examples/document';
my ($node, $npm) = map { Hub::Npm::program($_) } 'node', 'npm';

my $once = Hub::Browser::kind() ne 'chromium' && 'that is the same in all of them';
subtest 'its rules' => sub {
	plan skip_all => $once if $once;
	my $r = run([ 'hubd', '--rules-test', "$example/rules" ]);
	is($r->{status}, 0, 'do what is expected') or diag($r->{out});
};

subtest 'its text' => sub {
	plan skip_all => $once if $once;
	plan skip_all => 'no node here' unless $node;
	for my $seed (1 .. 3) {
		my $r = run([ $node, root() . '/tests/clients/document.js', $seed ]);
		is($r->{out}, "converged\n", "seed $seed") or diag($r->{err});
	}
};

# What a page is, for all that is asked below; and one who types, a step each 50 ms, as the page's own text area says it.
my $typist = <<'END';
(() => {
	const at = (id) => document.getElementById(id);
	Object.assign(window, {todo: [], done: 0, states: new Set(), wrong: undefined, now: () => ({
		done, wrong, view: shared.view, text: shared.text, log: [...shared.ids], state: at("state").textContent,
		people: [...document.querySelectorAll("#people li")].map((li) => li.textContent).join(", "),
		may: at("text").readOnly ? "read" : "write",
	})});
	new MutationObserver(() => states.add(at("state").textContent)).observe(at("state"), {childList: true, characterData: true, subtree: true});
	setInterval(() => {
		const area = at("text");
		if (area.value !== shared.view) wrong = `shown: ${area.value}, but it is ${shared.view}`;
		if (done === todo.length) return;
		const [what, where] = todo[done++], from = Math.round(where * area.value.length);
		area.value = area.value.slice(0, from) + what + area.value.slice(from);
		area.dispatchEvent(new Event("input"));
	}, 50);
	return true;
})()
END

SKIP: {
	skip Hub::Browser::missing(), 1 if Hub::Browser::missing();
	skip 'no node and npm here', 1 unless $node && $npm;
	my $example = Hub::Example->start('document');
	skip 'npm brings no socket.io-client', 1 unless $example;
	my $browser = Hub::Browser->start;
	my $pictures = "$ENV{HUB_BUILD}/screenshots";
	my %page;
	my $open = sub {
		my ($who, $port) = @_;
		$page{$who} = $browser->open($example->page($who, $port), size => [ 760, 560 ]);
		$page{$who}->eval($typist);
	};
	my $type = sub {
		my ($who, @steps) = @_;
		$page{$who}->eval('todo.push(...' . json(\@steps) . ')');
	};
	my $typed = sub { my ($who, $but) = @_; $page{$who}->until("done >= todo.length - $but", "$who to type") };
	my $now = sub { my ($who) = @_; return $page{$who}->eval('now()') };
	my $until = sub {
		my ($what, $condition) = @_;
		becomes { $condition->() } $what, 300 or diag(map { "$_: " . json($now->($_)) . "\n" } sort keys %page);
	};
	my $people = sub {
		my ($what, $who, @names) = @_;
		$until->($what, sub { $now->($who)->{people} eq join ', ', @names });
	};
	my $same = sub {
		my ($what, @who) = @_;
		$until->($what, sub {
			return 0 if grep { !$page{$_}->eval('done === todo.length && document.querySelector("#state").textContent === "saved"') } @who;
			my @all = map { $now->($_) } @who;
			return !grep { $_->{view} ne $all[0]{view} || $_->{text} ne $_->{view} || json($_->{log}) ne json($all[0]{log}) } @all;
		});
		is_deeply([ grep { defined } map { $now->($_)->{wrong} } @who ], [], 'and that is what is shown');
	};
	my $told = sub { $page{ $_[0] }->shows('[...states].some((state) => /^offline|^no connection/.test(state))', $_[1]) };

	my $cut = Hub::Cut->start($example->{port});
	my (@all, $text);
	subtest 'two windows' => sub {
		$open->('ann');
		$open->('bob', $cut->{port});
		$people->('both see who is there', $_, 'ann', 'bob') for qw(ann bob);

		# Both type at once, at the beginning, in the middle and at the end.
		$type->('ann', map { [ "a$_ ", ($_ % 3) / 2 ] } 1 .. 40);
		$type->('bob', map { [ "b$_ ", (1 + $_ % 3) / 3 ] } 1 .. 40);
		$same->('the same text in both, after the same edits in the same order', qw(ann bob));
		$text = $now->('ann')->{text};
		is(length $text, 2 * (9 * 3 + 31 * 4), 'nothing lost and nothing twice');
		is(scalar(() = $text =~ /[ab]/g), 80, 'all of it');
		@all = @{ $now->('ann')->{log} };
		cmp_ok(scalar @all, '>=', 2, 'in several edits');
		my %by;
		$by{ (split /-/)[0] }++ for @all;
		is(scalar keys %by, 2, 'of both');
	};

	subtest 'a window without a network' => sub {
		$cut->close;
		$told->('bob', 'who is cut off is told');
		$type->('ann', [ 'ANN IS HERE ', 0 ], [ ' ANN STAYS', 1 ]);
		$type->('bob', [ 'BOB IS AWAY ', 0 ], [ ' BOB WRITES', 1 ]);
		$until->('the one goes on', sub { $now->('ann')->{state} eq 'saved' && $now->('ann')->{text} =~ /ANN STAYS/ });
		$until->('and so does the other, for himself', sub { $now->('bob')->{view} =~ /BOB WRITES/ });
		unlike($now->('bob')->{view}, qr/ANN/, 'who has not heard of the one');
		unlike($now->('ann')->{view}, qr/BOB/, 'nor the one of him');
		$page{bob}->picture("$pictures/document-cut.png");
		$cut->open;
		$same->('then all is there', qw(ann bob));
		my $before = length $text;
		$text = $now->('ann')->{text};
		is(scalar(() = $text =~ /$_/g), 1, "$_: once") for 'ANN IS HERE', 'ANN STAYS', 'BOB IS AWAY', 'BOB WRITES';
		is(length $text, $before + length 'ANN IS HERE  ANN STAYSBOB IS AWAY  BOB WRITES', 'and nothing else');
		my @log = @{ $now->('ann')->{log} };
		is_deeply([ @log[ 0 .. $#all ] ], \@all, 'the new edits follow the old ones');
		@all = @log;
		$people->('both are there again', $_, 'ann', 'bob') for qw(ann bob);
	};

	subtest 'cuts while edits are on their way' => sub {
		for my $i (1 .. 5) {
			$type->('bob', map { [ "x$i-$_ ", 0.5 ] } 1 .. 5);
			$typed->('bob', 2);
			$cut->close;
			$type->('ann', [ "y$i ", 0.5 ]);
			$cut->open;
			$same->("round $i: the same again", qw(ann bob));
		}
		my $before = length $text;
		$text = $now->('bob')->{text};
		is(length $text, $before + 25 * 5 + 5 * 3, 'nothing lost and nothing twice');
	};

	subtest 'the hub is killed while edits are on their way' => sub {
		for my $i (1 .. 2) {
			$page{ann}->eval('states.clear()');
			$type->('bob', map { [ "k$i-$_ ", 0.5 ] } 1 .. 5);
			$type->('ann', [ "l$i ", 0.5 ]);
			$typed->('bob', 2);
			$example->kill_hub;
			$told->('ann', 'who writes is told');
			$same->("kill $i: the same again", qw(ann bob));
		}
		my $before = length $text;
		$text = $now->('bob')->{text};
		is(length $text, $before + 2 * (25 + 3), 'nothing lost and nothing twice');
		$people->('both are there again', $_, 'ann', 'bob') for qw(ann bob);
	};

	subtest 'who may less, who may nothing, and who goes' => sub {
		$open->('cy');
		$same->('who comes late has all of it', qw(ann bob cy));
		is($now->('cy')->{may}, 'read', 'and may not write');
		$page{cy}->shows('document.querySelector("#may").textContent === "cy may only read"', 'which the page says');
		$people->('who is there', 'ann', qw(ann bob cy));
		$page{ann}->picture("$pictures/document.png");
		$type->('cy', [ 'CY', 0 ]);
		$page{cy}->shows('now().state === "refused: cy may only read this document"', 'an edit by who may only read is refused, and he is told why');
		is($now->('cy')->{view}, $text, 'and what he wrote is taken back');
		$open->('eve');
		$page{eve}->shows('now().state === "refused: eve may not open this document"', 'who may not open it is told so');
		is($now->('eve')->{view}, '', 'and sees nothing');
		(delete $page{cy})->close;
		$people->('who has gone', 'ann', qw(ann bob));
		unlike($now->('ann')->{text}, qr/CY/, 'the text is as it was');
		(delete $page{bob})->crash;
		$people->('whose window is killed is gone', 'ann', 'ann');
		is($now->('ann')->{text}, $text, 'and what he wrote is there');
		my @log = @{ $now->('ann')->{log} };
		is_deeply([ @log[ 0 .. $#all ] ], \@all, 'the log has only grown');
		@all = @log;
	};
	is_deeply([ map { $_->errors } values %page ], [], 'no page has made a mistake');
	$example->stop;

	subtest 'the store' => sub {
		my $stored = Hub->start(args => [ '--store', "$example->{keep}/documents.db" ]);
		my $reader = $stored->unix;
		$reader->join_session('doc.plan', since => 0);
		my @ids = map { $_->{id} } map { $reader->wait_type('remote-edit') } 1 .. @all;
		my %seen;
		is_deeply([ grep { !$seen{$_}++ } @ids ], \@all, 'has the edits, in their order');
		is((unjson($reader->{in}[0] // '{}'))->{type}, undef, 'and no others');
		$stored->stop;
		my $keep = $example->{keep};
		$example = Hub::Example->start('document', { keep => $keep });
		$open->('ann');
		$page{ann}->shows('now().state === "saved" && now().text === ' . json($text), 'after a restart the document is as it was');
	};
	$browser->close;
	$example->stop;
	$cut->stop;
}

done_testing;

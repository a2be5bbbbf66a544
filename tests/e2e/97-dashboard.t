# Not under sanitizers.
# contrib/dashboard in a real browser: its numbers are those of /metrics, it lists sessions and who is in them, finds
# who is looked for, kicks who is to go, and says what it may not see; it comes back when the hub does.
# A picture is in BUILD/screenshots.
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Metrics;

plan skip_all => Hub::Browser::missing() if Hub::Browser::missing();
my $root = root();
my $key = scratch() . '/hub.key';
run([ 'hubtoken', 'keygen', '-o', $key ]);
my $sign = sub {
	my ($sub, $claim) = @_;
	my $made = run([ 'hubtoken', 'sign', '-k', $key, '-c', json({ sub => $sub, hub => $claim }) ]);
	die $made->{err} if $made->{status};
	chomp $made->{out};
	return $made->{out};
};
my $all = { join => ['*'], publish => ['*'], presence => \1 };
my $operator = $sign->('op', { %$all, admin => \1 });
my @args = (args => [ '--auth-key', "$key.pub", '--www', "$root/contrib" ]);
my $hub = Hub->start(listen => own_address() . ':0', @args);
my $address = "$hub->{host}:$hub->{port}";
my $base = "http://$address/dashboard/";

# People, of whom each says who he is.
my %client;
my $come = sub {
	my ($who, $session, %info) = @_;
	my $c = $client{$who} = $hub->ws(headers => [ 'Authorization: Bearer ' . $sign->($who, $all) ]);
	$c->join_session($session);
	$c->send({ type => 'client_info', name => ucfirst $who, %info });
	$c->sync;
	return $c;
};
$come->($_, 'match', team => 'red') for qw(ann bob cy);
$come->($_, 'lobby') for qw(dan eve);
$hub->member('unix', "room_$_") for 1 .. 3;
my @quiet = map { $hub->member('unix', "room_$_") } 1 .. 30;

my $browser = Hub::Browser->start;
my $tile = sub { qq{document.querySelector('[data-what="$_[0]"] .value').textContent} };
my $row = sub { qq{document.querySelector('#people [data-client="$_[0]"]')} };

subtest 'who is nobody' => sub {
	my $page = $browser->open("$base?every=200");
	$page->shows('document.getElementById("state").textContent === "ok"', 'sees how the hub is');
	$page->shows($tile->('live sessions') . ' === "32"', 'in numbers');
	$page->shows('document.getElementById("note").className.includes("there")', 'and is told that the rest is for operators');
	is($page->eval('document.querySelectorAll("#sessions tr").length'), 0, 'no session is named');
	my $type = sub { $page->eval("(document.getElementById('token').value = '$_[0]', document.getElementById('login').requestSubmit())") };
	$type->('nonsense');
	$page->shows('document.getElementById("why").textContent === "The hub does not take this token."', 'a bad token is refused');
	$type->($sign->('ann', $all));
	$page->shows('document.getElementById("why").textContent.startsWith("Sessions and who")', 'as is one without the right');
	$type->($operator);
	$page->shows('document.querySelectorAll("#sessions tr").length === 32', 'with a good one sessions are there');
	$page->shows('!document.getElementById("note").className.includes("there")', 'and nothing is asked for any more');
	$page->close;
};

my $page = $browser->open("$base?every=200#token=$operator", size => [ 1280, 1000 ]);
subtest 'numbers' => sub {
	is($page->eval('location.hash'), '', 'the token is gone from the address');
	$page->shows($tile->('members') . ' === "35"', 'members');
	$client{ann}->send({ type => 'note', n => $_ }) for 1 .. 50;
	$client{ann}->sync;
	my $records = scrape($hub)->{hubd_records_total};
	$page->shows(qq{document.querySelector('[data-what="messages in"] .more').textContent === "$records records so far"}, 'records');
	$client{bob}->send_text('oops') for 1 .. 3;
	$page->shows('document.getElementById("errors").innerText.includes("bad_json")', 'errors by their code');
	$page->shows($tile->('connections') . ' > 35', 'connections');
	$page->shows($tile->('delivery, p99') . ' !== undefined && document.querySelectorAll(\'[data-what="deliveries"] path\')[1].getAttribute("d").length > 20', 'lines');
	my @values = @{ $page->eval('[...document.querySelectorAll(".tile")].map((tile) => tile.querySelector(".value").textContent)') };
	is(scalar @values, 12, 'twelve of them');
	is_deeply([ grep { /NaN|undefined|Infinity/ } @values, @{ $page->eval('[...document.querySelectorAll(".tile .more")].map((e) => e.textContent)') } ], [], 'all are numbers');
};

subtest 'who is there' => sub {
	$page->shows('[...document.querySelectorAll("#sessions tr")].find((row) => row.dataset.session === "match")?.cells[1].textContent === "3"', 'how many are in a session');
	$page->eval('document.querySelector("[data-session=match]").click()');
	$page->shows($row->($client{ann}{id}), 'who is in it');
	is_deeply($page->eval('[...' . $row->($client{ann}{id}) . '.cells].slice(1, 4).map((e) => e.textContent)'), [ 'ann', 'name Ann, team red', 'ws' ],
		'and what she says of herself');
	my $new = $come->('fay', 'match');
	$page->shows($row->($new->{id}), 'who comes is seen');
	$new->vanish;
	$page->shows('!' . $row->($new->{id}), 'and who goes is not any more');
};

subtest 'search' => sub {
	my $search = sub { $page->eval("(document.getElementById('search').value = '$_[0]', document.getElementById('search').dispatchEvent(new Event('input')))") };
	$search->('ROOM_1');
	$page->shows('[...document.querySelectorAll("#sessions [data-session]")].every((row) => row.dataset.session.startsWith("room_1"))', 'sessions by a part of their name');
	is($page->eval('document.getElementById("count").textContent'), '11 of 32', 'how many that are');
	for (['dan', 'user'], [ $client{eve}{id}, 'client_id' ], ['127.0.0.0/8', 'address']) {
		my ($text, $as) = @$_;
		$search->($text);
		$page->shows("document.querySelector('#sessions [data-kind=$as]')", "$as: $text");
		$page->eval("document.querySelector('#sessions [data-kind=$as]').click()");
		my $found = $text eq 'dan' ? 'dan' : 'eve';
		$page->shows($row->($client{$found}{id}), 'is found');
	}
	$search->('');
};

subtest 'a picture' => sub {
	$page->eval('document.querySelector("[data-session=match]").click()');
	$page->shows($row->($client{bob}{id}), 'a session with its members');
	my $chat = $client{dan};
	for my $i (1 .. 40) {
		$client{ann}->send(map { { type => 'note', n => $_ } } 1 .. 5 + 3 * ($i % 10));
		$client{ann}->sync;
	}
	my $n = $page->eval('document.querySelectorAll(".tile path")[1].getAttribute("d").split("L").length');
	$page->shows("document.querySelectorAll('.tile path')[1].getAttribute('d').split('L').length > $n + 5", 'lines go on');
	my $picture = $page->picture("$ENV{HUB_BUILD}/screenshots/dashboard.png");
	cmp_ok(-s $picture, '>', 10000, 'it is a picture');
};

subtest 'kick' => sub {
	my $kick = $row->($client{bob}{id}) . '.querySelector("button")';
	$page->eval("$kick.click()");
	is($page->eval("$kick.textContent"), 'really?', 'it asks first');
	ok($client{bob}->alive, 'and does nothing yet');
	$page->eval("$kick.click()");
	is($client{bob}->closed, 4403, 'then he is gone');
	is($client{bob}{close_reason}, 'kicked by an operator', 'and told why');
	$page->shows('!' . $row->($client{bob}{id}), 'which is seen');
	$page->shows('document.getElementById("done").textContent === "bob: 1 connections closed"', 'and said');
	like($hub->log_text, qr/ steer door=http .* user=op: sends away client $client{bob}{id}: 1 connections, 4403 kicked by an operator/, 'and is in the log');
};

subtest 'the hub goes, and comes back' => sub {
	$_->vanish for values %client;
	$hub->stop;
	$page->shows('document.getElementById("state").textContent === "the hub does not answer"', 'that it is gone is said');
	my $next = Hub->start(listen => $address, @args);
	$page->shows('document.getElementById("state").textContent === "ok" && ' . $tile->('live sessions') . ' === "0"', 'and the next one is seen');
	$page->shows('document.getElementById("count").textContent === "none"', 'which has no sessions');
	$next->stop;
};

is_deeply([ $page->errors ], [], 'the page has made no mistake');
$browser->close;
done_testing;

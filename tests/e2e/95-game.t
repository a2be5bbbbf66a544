# Not under sanitizers.
# Long.
# Monkeytown: its server as the filter that it is; then the town, as one command starts it, in real browser windows:
# who plays, what is said, a window without a network, and the server, the hub and a tab that are killed. Results are in
# PostgreSQL, where there is one. Pictures are in BUILD/screenshots.
# HUB_TEST_BUS=1: the town has two hubs with a Redis between them, of which Bob is at the second.
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Cut;
use Hub::Example;
use Hub::Postgres;
use Hub::Redis;

my $bus = $ENV{HUB_TEST_BUS};
plan skip_all => Hub::Redis::missing() if $bus && Hub::Redis::missing();
my ($cc) = grep { -x } map { my $dir = $_; map { "$dir/$_" } 'cc', 'gcc' } split /:/, $ENV{PATH};
plan skip_all => 'no compiler here' unless $cc;
my $source = root() . '/examples/game';

subtest 'the server by itself' => sub {
	plan skip_all => 'that is the same in all of them' if $bus || Hub::Browser::kind() ne 'chromium';
	my $game = scratch() . '/game';
	my $made = run([ $cc, qw(-std=c11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Werror), '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
			'-o', $game, map { "$source/$_.c" } qw(game line town) ]);
	is($made->{status}, 0, 'it compiles without a warning') or diag($made->{err});
	my $proc = spawn([ 'sh', '-c', 'exec "$0" 3>"$1"', $game, scratch() . '/results' ], in => 'pipe');
	my $say = sub { syswrite $proc->{stdin}, join '', map { "$_\n" } @_ };
	my $lines = sub { map { unjson($_) } grep { length } split /(?<=\n)/, slurp($proc->{out}) =~ s/[^\n]*\z//r };
	my $said = sub {
		my ($what, $test) = @_;
		my $found;
		becomes { ($found) = grep { $test->($_) } reverse $lines->(); $found } $what or diag(substr slurp($proc->{out}), -1000);
		return $found;
	};
	my $state = sub {
		my ($what, $test) = @_;
		return $said->($what, sub { $_[0]{type} eq 'game_state' && $test->(@{ $_[0]{players} }) });
	};

	my ($ann, $bob) = ('AAAAAAAAAAA', 'BBBBBBBBBBB');
	is((map { scalar @{ $_->{houses} } } $said->('it tells of the map', sub { $_[0]{type} eq 'game_map' }))[0], 11, 'with its houses');
	$say->(qq({"type":"player_input","n":1,"dx":1,"dy":0,"from":"$ann","seq":1}));
	my $error = $said->('who is not in it is told so', sub { $_[0]{type} eq 'error' });
	is_deeply([ $error->{to}, $error->{data}{code} ], [ $ann, 'not_joined' ], 'and nobody else');
	$say->(qq({"type":"join_game","key":"$bob","own":true,"name":"Mallory","from":"$ann","seq":2}),
		qq({"type":"join_game","key":"$bob","own":true,"name":"","from":"$bob","seq":2}),
		qq({"type":"join_game","key":"$bob","own":true,"name":{"a":"b"},"from":"$bob","seq":2}),
		qq({"type":"join_game","key":"$bob","own":true,"name":") . 'x' x 65 . qq(","from":"$bob","seq":2}));
	becomes { 5 == grep { $_->{type} eq 'error' } $lines->() } 'who is another, or no name, is refused';
	is_deeply([ map { $_->{data}{code} } (grep { $_->{type} eq 'error' } $lines->())[ 1 .. 4 ] ], [ 'bad_key', ('bad_name') x 3 ], 'by their names');
	$say->(qq({"x":{"type":"join_game","from":"$bob"},"type":"join_game","name":"A\\"\\u00e4{","key":"$ann","own":true,"from":"$ann","seq":3}));
	my $joined = $said->('Ann is in it', sub { $_[0]{type} eq 'player_joined' });
	is_deeply([ @$joined{qw(key player name)} ], [ $ann, 1, "A\"\xe4{" ], 'with her own name');
	my (undef, $x, $y) = @{ $state->('and somewhere', sub { $_[0] == 1 })->{players} };

	# Away from the nearer side.
	my $dx = $x < 800 ? 1 : -1;
	$say->(qq({"type":"player_input","n":7,"dx":$dx,"dy":0,"from":"$ann","seq":4}));
	# As far as there is no wall.
	$state->('she runs, and her input is known', sub { @_ && $_[4] == 7 && $_[3] == $dx && ($_[1] - $x) * $dx >= 0 });
	$say->(qq({"type":"player_input","n":8,"dx":1e9,"dy":-1e9,"from":"$ann","seq":5}));
	$state->('no faster than all', sub { $_[4] == 8 && $_[3] == 1 });
	$say->(qq({"type":"player_input","n":9,"dx":"no","dy":null,"from":"$ann","seq":5}), qq({"type":"player_input","n":10,"from":"$ann","seq":5}), '{"type":"odd"}');
	$state->('what is no number is 0', sub { $_[4] == 10 && $_[3] == 0 });
	my $last = $state->('she stands', sub { $_[4] == 10 });
	$say->(qq({"type":"state_deleted","key":"${ann}x","from":"00000000000","seq":6}), qq({"type":"state_deleted","key":"$ann","from":"00000000000","seq":6}));
	is($said->('she goes', sub { $_[0]{type} eq 'player_left' })->{reason}, 'left', 'as the hub says');
	$state->('and nobody is there', sub { !@_ });
	$say->(qq({"type":"join_game","key":"$ann","own":true,"name":"Ann","from":"$ann","seq":7}));
	my $back = $state->('she comes back', sub { $_[0] && $_[0] == 1 });
	is_deeply([ @{ $back->{players} }[ 1, 2 ] ], [ @{ $last->{players} }[ 1, 2 ] ], 'to where she was');
	CORE::close delete $proc->{stdin};
	is($proc->wait, 0, 'it ends with its input') or diag(slurp($proc->{err}));

	# Another one goes on.
	my $state_of = join '', map { "$_\n" } qq({"type":"player_joined","key":"$bob","player":5,"name":"Bob","from":"$ann","seq":1}),
	    qq({"type":"join_game","key":"$bob","own":true,"name":"Bob","from":"$bob","seq":2}),
	    '{"type":"game_state","tick":100000,"round":3,"left":50,"players":[5,700,400,0,77,9],"bananas":[1,2],"from":"AAAAAAAAAAA","seq":3}';
	$proc = spawn([ 'sh', '-c', 'exec "$0" 3>"$1"', $game, scratch() . '/results' ], in => 'pipe');
	$say->($state_of);
	my $on = $state->('one that is started anew goes on', sub { $_[0] && $_[0] == 5 });
	is_deeply($on->{players}, [ 5, 700, 400, 0, 77, 9 ], 'with who was there, where he was, and what he had');
	is($on->{round}, 3, 'in the same round');
	cmp_ok($on->{tick}, '>', 100_000, 'of the same time');
	is(scalar(grep { $_->{type} eq 'player_joined' } $lines->()), 0, 'nobody comes anew');
	kill 'KILL', $proc->{pid};
	$proc->wait;
};

SKIP: {
	skip Hub::Browser::missing(webgl => 1), 1 if Hub::Browser::missing(webgl => 1);
	my $database = Hub::Postgres::missing() ? undef : Hub::Postgres->start;
	my $redis = $bus && Hub::Redis->start(keeps => 1);
	my $example = Hub::Example->start('game', '-g', 5, $database ? ('-d', $database->url) : (), $redis ? ('-r', $redis->url) : ());
	my $second = $bus ? $example->port('second') : $example->{port}; # of Bob
	my $cut = Hub::Cut->start($second);
	my $browser = Hub::Browser->start(webgl => 1);
	my %window;
	my $open = sub {
		my ($who, %o) = @_;
		my $port = $o{port} // $example->{port};
		return $window{$who} = $browser->open("http://127.0.0.1:$port/?name=$who", size => [ 960, 600 ], %o);
	};
	my $says = sub {
		my ($who, $text, $name) = @_;
		return $window{$who}->shows("/$text/.test(document.querySelector('#what').textContent)", $name // "$who: $text");
	};
	my $board = sub {
		my ($who, $names, $name) = @_;
		return $window{$who}->shows("[...document.querySelectorAll('#board li')].map((li) => li.firstChild.textContent).sort().join() === '$names'", $name);
	};
	my $chat = sub {
		my ($who, $text, $name) = @_;
		return $window{$who}->shows("[...document.querySelectorAll('#chat li:not(.waits)')].filter((li) => li.textContent === '$text').length === 1", $name);
	};
	my $write = sub {
		my ($who, $text) = @_;
		$window{$who}->type('#chat input', $text);
		$window{$who}->eval('document.querySelector("#chat form").requestSubmit()');
	};
	my $records = sub { map { unjson($_) } split /\n/, $example->get('/sessions/town.chat/records?limit=10000', @_) };
	my @said; # what was acknowledged of it

	subtest 'two windows' => sub {
		$open->('Ann');
		$open->('Bob', port => $cut->{port});
		$says->($_, '^playing$') for qw(Ann Bob);
		$board->($_, 'Ann,Bob', "$_ sees both") for qw(Ann Bob);
		my $before = $window{Bob}->eval('town.place("Ann")');
		# Whichever way is free.
		my $moved = 0;
		for my $key (map { qw(ArrowRight ArrowDown ArrowLeft ArrowUp) } 1 .. 5) {
			my $tick = $window{Ann}->eval('town.tick()');
			$window{Ann}->key($key, 1);
			$window{Bob}->until("town.tick() > $tick + 40", 'the town to go on');
			$window{Ann}->key($key, 0);
			$moved = $window{Bob}->eval("((at) => !!at && Math.hypot(at[0] - $before->[0], at[1] - $before->[1]) > 8)(town.place('Ann'))");
			last if $moved;
		}
		ok($moved, 'Ann runs, and Bob sees it');
		$window{Ann}->shows('/P95 \d+ ms from key to state/.test(document.querySelector("#numbers").textContent)', 'how long that takes is shown');
		$write->('Ann', 'Hello, Bob');
		$chat->($_, 'Ann: Hello, Bob', "$_ has what she says, once") for qw(Ann Bob);
		$open->('Cy');
		$says->('Cy', '^playing$');
		$chat->('Cy', 'Ann: Hello, Bob', 'and so has who comes late');
		(delete $window{Cy})->close;
		$board->($_, 'Ann,Bob', 'who closes his window is gone') for qw(Ann Bob);
	};

	subtest 'a window without a network' => sub {
		my $mine = $window{Bob}->eval('town.mine()');
		$cut->close;
		$says->('Bob', '^no connection');
		$board->('Ann', 'Ann', 'he is gone for the others');
		$write->('Bob', 'I am away');
		$says->('Bob', '1 to be said later', 'what he says waits');
		$window{Bob}->picture("$ENV{HUB_BUILD}/screenshots/game-cut.png");
		$cut->open;
		$says->('Bob', '^playing$');
		$board->('Ann', 'Ann,Bob', 'then he is back');
		is($window{Bob}->eval('town.mine()'), $mine, 'as the player he was');
		$chat->($_, 'Bob: I am away', "and $_ has what he said, once") for qw(Ann Bob);
	};

	# One who plays by himself: to the nearest banana, and somewhere else where a wall is in the way.
	my $autopilot = <<'END';
(() => {
	const held = new Set();
	const press = (code, down) => down !== held.has(code) && (held[down ? "add" : "delete"](code), dispatchEvent(new KeyboardEvent(down ? "keydown" : "keyup", {code})));
	let last = [], lost = 0, way;
	window.pilot = setInterval(() => {
		const [x, y] = town.place(town.name()) ?? [], bananas = town.bananas();
		if (x === undefined || !bananas.length) return;
		const to = bananas.sort((a, b) => Math.hypot(a[0] - x, a[1] - y) - Math.hypot(b[0] - x, b[1] - y))[0];
		if (lost-- <= 0 && Math.hypot(x - last[0], y - last[1]) < 1) lost = 20, way = [Math.sign(Math.random() - 0.5), Math.sign(Math.random() - 0.5)];
		last = [x, y];
		const [dx, dy] = lost > 0 ? way : [to[0] - x, to[1] - y].map((n) => Math.abs(n) > 8 ? Math.sign(n) : 0);
		press("ArrowLeft", dx < 0), press("ArrowRight", dx > 0), press("ArrowUp", dy < 0), press("ArrowDown", dy > 0);
	}, 50);
	return true;
})()
END
	subtest 'the server is killed' => sub {
		my $server = qr{/game\0\d+\0$};
		$window{$_}->eval($autopilot) for qw(Ann Bob);
		$window{Ann}->shows('town.score("Ann") + town.score("Bob") >= 2', 'bananas are eaten');
		$window{$_}->eval('(clearInterval(pilot), dispatchEvent(new Event("blur")), 0)') for qw(Ann Bob);
		my $now = '[town.round(), ...["Ann", "Bob"].map((name) => [...town.place(name), town.score(name)])].join()';
		# Whoever knows a later state than those in which their last inputs are sees both stand.
		my $last = 0;
		for my $who (qw(Ann Bob)) {
			$window{$who}->until('!town.under_way()', "$who to stand");
			my $tick = $window{$who}->eval('town.tick()');
			$last = $tick if $tick > $last;
		}
		$window{Ann}->until("town.tick() > $last + 1", 'a later state');
		my $two = $window{Ann}->eval($now);
		kill 'STOP', $example->children($server);
		$says->('Ann', 'its server is away', 'a page says that it is away');
		$example->kill_child($server);
		$says->('Ann', '^playing$');
		my $tick = $window{Ann}->eval('town.tick()');
		$window{Ann}->shows("town.tick() > $tick + 30", 'another one goes on');
		is($window{Ann}->eval($now), $two, 'where it was: the same round, places, and bananas');
		$board->($_, 'Ann,Bob', "$_ sees both") for qw(Ann Bob);
	};

	@said = ('Hello, Bob', 'I am away');
	subtest 'the hub is killed' => sub {
		plan skip_all => 'there are two, see below' if $bus;
		$window{Ann}->eval('town.said("kept")');
		$example->kill_hub;
		$says->($_, '^no connection|^connecting', "$_ is told") for qw(Ann Bob);
		$write->('Bob', 'while it is down');
		$says->($_, '^playing$', "$_ is back") for qw(Ann Bob);
		$board->($_, 'Ann,Bob', "$_ sees both, and no ghosts") for qw(Ann Bob);
		$chat->($_, 'Bob: while it is down', "$_ has what was said meanwhile") for qw(Ann Bob);
		@said = map { $_->{text} // () } $records->();
		is_deeply(\@said, [ 'Hello, Bob', 'I am away', 'kept', 'while it is down' ], 'all that was said is kept, once, in order');
	};

	subtest 'a round' => sub {
		$window{$_}->eval("typeof pilot && $autopilot") for qw(Ann Bob);
		$window{Ann}->shows('[...document.querySelectorAll("#chat li.result")].length > 0', 'somebody wins, or time is over', 280);
		$open->($_) for qw(Dee Eve Kim);
		$window{$_}->shows('town.mine() !== undefined') for qw(Dee Eve Kim);
		$window{$_}->eval($autopilot) for qw(Dee Eve Kim);
		$write->('Dee', 'Who has all the bananas?');
		$window{Ann}->shows('["Ann", "Bob", "Dee", "Eve", "Kim"].reduce((sum, name) => sum + town.score(name), 0) > 5', 'they play on');
		$window{Ann}->picture("$ENV{HUB_BUILD}/screenshots/game.png");
		my ($result) = grep { $_->{type} eq 'game_event' } $records->();
		is($result->{event}, 'round_over', 'the result is kept');
		like($result->{winner}, qr/^(?:Ann|Bob)$/, 'with who has won') if $result->{score};
	};

	subtest 'a tab is killed' => sub {
		(delete $window{Kim})->crash;
		$board->('Ann', 'Ann,Bob,Dee,Eve', 'nobody is left of it');
	};

	subtest 'a crowd' => sub {
		my $crowd = scratch() . '/crowd';
		my $made = run([ $cc, qw(-std=c11 -O2 -D_GNU_SOURCE -Wall -Wextra -Werror -o), $crowd, map { "$source/$_.c" } qw(crowd line) ]);
		is($made->{status}, 0, 'compiles') or diag($made->{err});
		my $r = run([ $crowd, $second, 40, 5, 2 ]);
		is($r->{status}, 0, 'plays') or diag($r->{err});
		my $result = unjson($r->{out});
		is($result->{players}, 40, 'all of it');
		cmp_ok($result->{inputs}, '>', 0, 'with inputs');
		is($result->{unanswered}, 0, 'each of which a state knows of');
		$board->('Ann', 'Ann,Bob,Dee,Eve', 'and is gone then: no ghosts');
	};

	subtest 'a stranger' => sub {
		my $c = Hub::Client->ws($example->{port});
		my $id = $c->join_session('town', types => [ 'error' ])->{client_id};
		$c->send({ type => 'player_input', n => 1, dx => 1, dy => 0 });
		is($c->wait_type('error')->{data}{code}, 'not_joined', 'is told that he is not in it');
		$c->vanish;
	};

	subtest 'one of two hubs is killed' => sub {
		plan skip_all => 'there is one' unless $bus;
		$window{Bob}->eval('town.said("before")');
		my $tick = $window{Ann}->eval('town.tick()');
		$example->kill_hub('second');
		$says->('Bob', '^no connection|^connecting', 'who is there is told');
		$window{Ann}->shows("town.tick() > $tick + 30", 'the town goes on at the other');
		$window{Ann}->eval('town.said("at the other")');
		$chat->('Ann', "$_", "$_: once") for 'Bob: before', 'Ann: at the other';
		push @said, 'before', 'at the other';
		becomes { eval { $records->($second) } } 'it is started again';
	};

	is_deeply([ map { $_->errors } values %window ], [], 'no page has made a mistake');
	$browser->close;
	my @kept = $records->();
	is_deeply([ sort map { $_->{type} eq 'chat_message' && $_->{name} ne 'Dee' ? $_->{text} : () } @kept ], [ sort @said ], 'all that was acknowledged is kept, once');
	is_deeply([ $records->($second) ], \@kept, 'and the same at either hub');
	if ($database) {
		subtest 'the database' => sub {
			my $want = join ',', map { $_->{seq} } @kept;
			becomes { ($database->sql(q(select coalesce(string_agg(seq::text, ',' order by seq), '') from hub_records where session = 'town.chat' and kind = 'record')) // '') eq $want }
			'has all that was said and won, once';
		};
	}
	$example->stop;
	$cut->stop;
}

done_testing;

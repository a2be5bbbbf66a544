# Rules: what messages mean is said by jq files. Every action over every door, failures and bounds, rights, acks
# and stores, comings and goings, files that change under load, and their own tests.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Metrics;
use Hub::Sio;
use Hub::Token;

my $dirs = 0;

# A folder of rules: name => program, or name.json => cases.
sub rules {
	my (%file) = @_;
	my $dir = scratch() . '/rules' . ++$dirs;
	mkdir $dir or die "$dir: $!\n";
	rule($dir, $_, $file{$_}) for keys %file;
	return $dir;
}

# Writes one whole, so that nobody reads half of it.
sub rule {
	my ($dir, $name, $text) = @_;
	my $file = "$dir/" . ($name =~ /\./ ? $name : "$name.jq");
	spew("$file.new", "$text\n");
	rename "$file.new", $file or die "$file: $!\n";
}

sub start {
	my ($dir, @args) = @_;
	return Hub->start(args => [ '--rules', $dir, @args ]);
}

# What was answered to one message, in order.
sub ask {
	my ($c, $message) = @_;
	$c->send($message);
	return $c->sync;
}

# Messages without what differs each time.
sub plain {
	my ($m) = @_;
	my %m = %$m;
	delete @m{qw(timestamp from seq client_id epoch resume max_message snapshot recovered)};
	return \%m;
}

# What is received behind an event: once all that was caused has come.
sub records {
	my (@messages) = @_;
	return [ map { plain($_) } grep { defined $_->{seq} && $_->{type} ne 'ack' && $_->{type} !~ /^session_/ } @messages ];
}

my %program = (
	join => '{do: "join", session: .args[0].session} + if .args[0].quiet then {echo: false} else {} end',
	leave => '{do: "leave"} + (.args[0] // {})',
	publish => '{do: "publish"} + .args[0]',
	emit => '{do: "emit", type: "told", data: ., fields: {top: 1}}',
	reply => '{do: "reply", value: .}',
	error => '{do: "error", code: "no_luck", message: "not today"}',
	close => '{do: "close", code: 4321, reason: ("bye, " + .args[0].name)}',
	nothing => 'empty',
	several => '{do: "join", session: "all"}, {do: "publish", session: "all", type: "one"}, '
	    . '{do: "publish", session: "all", type: "two"}, {do: "emit", type: "three"}, {do: "reply"}',
);
my $dir = rules(%program);
my $hub = start($dir);

for my $door ('unix', 'ws') {
	subtest "actions, $door" => sub {
		my $c = $hub->client($door);
		my ($joined) = ask($c, { type => 'join', session => "room-$door", msg_id => 'j' });
		is_deeply([ @$joined{qw(type session_id user_count)} ], [ 'session_associated', "room-$door", 1 ], 'join');
		my $room = "room-$door";
		my ($told) = ask($c, { type => 'emit', data => { a => 1.5, b => ['x', undef] } });
		is_deeply($told, {
			type => 'told', top => 1, session_id => $room,
			data => {
				event => 'emit', args => [ { a => 1.5, b => [ 'x', undef ] } ], user => undef, claims => undef,
				client => $joined->{client_id}, session => $room, sessions => [$room], door => $door
			} }, 'emit, and all that a program gets');

		my @got = ask($c, { type => 'publish', data => { type => 'said', data => { text => "\"\x{263a}\n" } }, msg_id => 'p' });
		is_deeply([ grep { $_->{type} eq 'ack' } @got ], [ { type => 'ack', msg_id => 'p', session_id => $room, seq => 1 } ],
			'publish: its ack');
		wait_for { grep { /"said"/ } @{ $c->{in} }, map { json($_) } @got } 'the record', undef, $c;
		push @got, $c->sync;
		my ($said) = grep { $_->{type} eq 'said' } @got;
		is_deeply(plain($said), { type => 'said', session_id => $room, data => { text => "\"\x{263a}\n" } }, 'and its record');
		is($said->{from}, $joined->{client_id}, 'from who caused it');

		my ($ack) = ask($c, { type => 'reply', args => [ 1, 'two' ], msg_id => "r\"\\" });
		is($ack->{type}, 'ack', 'reply: an ack');
		is_deeply([ @$ack{qw(msg_id session_id)} ], [ "r\"\\", $room ], 'of the message');
		is_deeply($ack->{value}{args}, [ 1, 'two' ], 'with a value');
		is_deeply([ ask($c, { type => 'reply' }) ], [], 'that nobody gets who asked for no ack');
		is_deeply([ ask($c, { type => 'nothing', msg_id => 'n' }) ],
			[ { type => 'ack', msg_id => 'n', session_id => $room } ], 'without any action there is an ack all the same');
		is_deeply([ ask($c, { type => 'error', msg_id => 'e' }) ],
			[ { type => 'error', data => { code => 'no_luck', message => 'not today' }, msg_id => 'e' } ], 'error');
		is_deeply([ map { $_->{type} } ask($c, { type => 'leave', msg_id => 'l' }) ], [ 'session_left', 'ack' ], 'leave');
		is_deeply([ ask($c, { type => 'leave', data => { session => 'elsewhere' } }) ], [], 'where it is not: nothing');

		@got = ask($c, { type => 'several', msg_id => 's' });
		wait_for { grep { /"two"/ } @{ $c->{in} }, map { json($_) } @got } 'both records', undef, $c;
		push @got, $c->sync;
		is_deeply([ map { $_->{type} } grep { $_->{type} !~ /^(?:one|two)$/ } @got ],
			[ 'session_associated', 'three', 'ack' ], 'several actions, in their order');
		is_deeply([ map { $_->{type} } grep { $_->{type} =~ /^(?:one|two)$/ } @got ], [ 'one', 'two' ], 'and records in theirs');

		$c->send({ type => 'close', data => { name => 'Ann' } });
		is($c->closed, 4321, 'close: the code');
		is($c->{close_reason}, 'bye, Ann', 'and the reason');
	};

	subtest "arguments, $door" => sub {
		my $c = $hub->client($door);
		my $args = sub {
			my ($ack) = ask($c, { type => 'reply', msg_id => 'a', @_ });
			return $ack->{value}{args};
		};
		is_deeply($args->(), [ {} ], 'none');
		is_deeply($args->(x => 1, y => [2]), [ { x => 1, y => [2] } ], 'own fields are one object');
		is_deeply($args->(data => { x => 1 }), [ { x => 1 } ], 'data alone stands for all');
		is_deeply($args->(data => 5), [ { data => 5 } ], 'but not what is no object');
		is_deeply($args->(data => { x => 1 }, y => 2), [ { data => { x => 1 }, y => 2 } ], 'nor beside others');
		is_deeply($args->(args => [ { x => 1 }, 'b' ]), [ { x => 1 }, 'b' ], 'args alone, too');
		is_deeply($args->(args => []), [], 'even without any');
		is_deeply($args->(from => 'me', seq => 3, timestamp => 1, key => 'k'), [ {} ], "the hub's own fields are left out");
		$c->send_text('{"type":"reply","msg_id":"t","data":{"s":"a\\u00e9\\ud83d\\ude00\\ud800\\u0000","n":[0,-1,1e3,0.5,12345678901234567,1E400,-0.25e-2],"o":{"":{}},"a":[],"t":true,"f":false,"z":null}}');
		my ($ack) = $c->sync;
		my $v = $ack->{value}{args}[0];
		is($v->{s}, "a\x{e9}\x{1f600}\x{fffd}\0", 'strings with escapes');
		is_deeply([ @{ $v->{n} }[ 0 .. 3, 6 ] ], [ 0, -1, 1000, 0.5, -0.0025 ], 'numbers');
		cmp_ok(abs($v->{n}[4] / 12345678901234567 - 1), '<', 1e-15, 'of as many digits as a double has');
		is_deeply([ @$v{qw(o a)} ], [ { '' => {} }, [] ], 'what is empty');
		is_deeply([ map { json($v->{$_}) } qw(t f z) ], [ 'true', 'false', 'null' ], 'and words');
	};
}

for my $how ('ws', 'poll') {
	subtest "events of Socket.IO, $how" => sub {
		my $sio = Hub::Sio->new($how, $hub);
		$sio->connect("/sio-$how");
		my $other = $hub->member('unix', "sio-$how");
		my $next = sub { $sio->send($_[0]); return $sio->packet };
		my ($value) = $next->(qq(42/sio-$how,7["reply",{"a":1}])) =~ m{^43/sio-$how,7\[(.*)\]\z};
		$value = unjson($value // 'null');
		is_deeply([ @$value{qw(event args session)} ], [ 'reply', [ { a => 1 } ], "sio-$how" ], 'reply is the ack; one object');
		($value) = $next->(qq(42/sio-$how,8["reply",1,"x"])) =~ m{^43/sio-$how,8\[(.*)\]\z};
		is_deeply(unjson($value // 'null')->{args}, [ 1, 'x' ], 'several arguments');
		is($next->(qq(42/sio-$how,9["error"])), qq(43/sio-$how,9[{"error":{"code":"no_luck","message":"not today"}}]), 'error to who waits');
		is($next->(qq(42/sio-$how,["error"])), qq(42/sio-$how,["hub:error",{"code":"no_luck","message":"not today"}]), 'and to who does not');
		is($next->(qq(42/sio-$how,["emit",{}])) =~ m{^42/sio-$how,\["told",}, 1, 'emit is an event');
		is($next->(qq(42/sio-$how,10["publish",{"type":"said","data":{"n":1}}])), qq(43/sio-$how,10[{"seq":1}]), 'publish: acked');
		is_deeply($other->wait_type('said')->{data}, { n => 1 }, 'and a record for all');
		is($next->(qq(42/sio-$how,11["nothing"])), qq(43/sio-$how,11[{}]), 'an ack in any case');
		$sio->send(qq(42/sio-$how,["plain",{"x":1}]));
		is_deeply($other->wait_type('plain')->{data}, { x => 1 }, 'what has no file passes');
	};
}

subtest 'what has no file passes' => sub {
	my ($a, $b) = map { $hub->member($_, 'plain') } 'unix', 'ws';
	$a->send({ type => 'chat', text => 'hi', msg_id => 'c' }, { type => 'connect' }, { type => 'disconnect' });
	is($b->wait_type($_)->{type}, $_, $_) for qw(chat connect disconnect);
	my ($ack) = grep { $_->{type} eq 'ack' } $a->sync;
	is($ack->{seq}, 1, 'with its ack');
	my @got = ask($a, { type => 'reply', session_id => 'nowhere', msg_id => 'w' });
	is((grep { $_->{type} eq 'error' } @got)[0]{data}{code}, 'not_member', 'an event may not name a session that it is not in');
};

subtest 'others and all' => sub {
	for my $echo (0, 1) {
		my %c = map { $_ => $hub->member($_, "to$echo", echo => $echo ? \1 : \0) } 'unix', 'ws';
		my $listener = $hub->member('ws', "to$echo");
		for my $author (sort keys %c) {
			my $c = $c{$author};
			# Raw ones beside them go by `echo`.
			$c->send(map { ({ type => 'raw', n => $_ }, {
					type => 'publish', data => { type => 'r', data => { n => $_ }, (qw(- others all))[$_] ne '-'
						    ? (to => (qw(- others all))[$_]) : () } }) } 0 .. 2);
			my @own = $c->sync;
			$c->send({ type => 'publish', data => { type => 'end', to => 'all' } });
			push @own, $c->next until @own && $own[-1]{type} eq 'end' && $own[-1]{from} eq $c->{id};
			@own = grep { $_->{from} eq $c->{id} } @own;
			is(join(' ', map { $_->{type} . ($_->{n} // $_->{data}{n} // '') } @own),
				$echo ? 'raw0 r0 raw1 raw2 r2 end' : 'r2 end', "echo $echo, $author: what its author gets");
			my @all;
			push @all, $listener->next until @all && $all[-1]{type} eq 'end';
			is(join(' ', map { $_->{type} . ($_->{n} // $_->{data}{n} // '') } @all), 'raw0 r0 raw1 r1 raw2 r2 end',
				'what somebody else gets');
		}
	}
};

subtest 'a session that the client is not in' => sub {
	my $audit = $hub->member('unix', 'audit');
	my $c = $hub->ws;
	is_deeply([ ask($c, { type => 'publish', data => { type => 'seen', session => 'audit' }, msg_id => 'x' }) ],
		[ { type => 'ack', msg_id => 'x' } ], 'is published to');
	is($audit->wait_type('seen')->{session_id}, 'audit', 'all the same');
	is_deeply([ ask($c, { type => 'publish', data => { type => 'seen', session => 'new' }, msg_id => 'y' }) ],
		[ { type => 'ack', msg_id => 'y' } ], 'even where there was none');
	is($hub->unix->join_session('new', since => 0)->{seq}, 1, 'that begins with it');
	my ($e) = ask($c, { type => 'publish', data => { type => 'seen' }, msg_id => 'z' });
	is($e->{data}{code}, 'rule_failed', 'but it must be named');
	becomes { $hub->log_text =~ /publish\.jq: action 1: publish names no session/ } 'as the log says';
};

subtest 'state' => sub {
	my $c = $hub->member('ws', 'lamp');
	$c->send({ type => 'publish', data => { type => 'light', key => 'lamp', data => { on => $_ } } }) for 1, 0;
	$c->sync;
	my $late = $hub->unix;
	is($late->join_session('lamp')->{snapshot}, 1, 'a key makes it state');
	is($late->next->{data}{on}, 0, 'the last one');
};

subtest 'what close means to clients' => sub {
	my $close = '{do: "close", code: .args[0].code, reason: "go"}';
	my $dir = rules(out => $close);
	my $hub = start($dir);
	for my $code (1008, 4001, 4403, 4999) {
		my $r = run($hub->hubcat([ '-p', '--raw-protocol', "c$code" ]), in => qq({"type":"out","code":$code}\n));
		is($r->{status}, 77, "$code: hubcat does not come back");
		like($r->{err}, qr/: go\b/, 'and says why');
	}
	my @back = map { spawn($hub->hubcat([ '-p', '--raw-protocol', "c$_" ]), in => spew(scratch() . "/out$_", qq({"type":"out","code":$_}\n))) }
	    1000, 4401, 4410;
	for my $proc (@back) {
		wait_for { slurp($proc->{err}) =~ /attempt/ } 'it comes back';
	}
	rule($dir, 'out', '{do: "reply"}');
	$hub->{proc}->kill('HUP');
	is($_->wait, 0, 'and is done when it is taken') for @back;
	$hub->stop;
};

subtest 'failures are errors, and no more' => sub {
	# Where libjq gives up, what it held is lost.
	local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') . ':detect_leaks=0';
	my %bad = (
		throws => [ 'error("what \(.args[0].x)")', qr/throws\.jq: what 5$/ ],
		type => [ '.args[0] + 1', qr/object \(\{"x":5\}\) and number \(1\) cannot be added/ ],
		no_object => [ '1', qr/action 1: an output must be an object/ ],
		second => [ '{do: "emit", type: "a"}, {do: "emit"}, {do: "dance"}', qr/action 3: do must be join, leave/ ],
		no_do => [ '{}', qr/do must be/ ],
		unknown => [ '{do: "emit", typ: "a"}', qr/no action has a member typ/ ],
		not_its => [ '{do: "leave", echo: true}', qr/leave has no echo/ ],
		bad_session => [ '{do: "join", session: "a b"}', qr/session must be 1 to 128/ ],
		no_session => [ '{do: "join"}', qr/session must be 1 to 128/ ],
		bad_to => [ '{do: "publish", session: "s", to: "me"}', qr/to must be/ ],
		bad_type => [ '{do: "emit", type: ("x" * 65)}', qr/type must be a string of 1 to 64 bytes/ ],
		control => [ '{do: "publish", session: "s", type: "ping"}', qr/the hub's own/ ],
		bad_key => [ '{do: "publish", session: "s", key: 7}', qr/key must be a string/ ],
		own_in_emit => [ '{do: "emit", type: "ping"}', qr/the hub's own/ ],
		hubs_field => [ '{do: "emit", type: "a", fields: {seq: 1}}', qr/fields may not have/ ],
		bad_code => [ '{do: "close", code: 1006}', qr/code must be 1000, 1008, or 4000 to 4999/ ],
		bad_reason => [ '{do: "close", reason: "a\nb"}', qr/no control characters/ ],
		bad_name => [ '{do: "error", code: "A B"}', qr/code must be 1 to 32/ ],
		many => [ '{do: "emit", type: "a"} | range(65) as $i | .', qr/action 65: more actions/ ],
		large => [ '[range(30)] | map("x" * 10000) | {do: "emit", type: "a", data: .}', qr/more JSON than/ ],
		deep => [ '{do: "emit", type: "a", data: (reduce range(100) as $i (0; [.]))}', qr/nested too deep/ ],
		endless => [ 'last(range(1e15) | [.])', qr/it ran for more than 25 ms/ ],
		forever => [ '[limit(1e15; repeat("a"))] | length', qr/it ran for more than/ ],
		recursive => [ 'def f: [., 1] | f; f', qr/it ran for more than/ ],
		environment => [ '{do: "reply", value: env}', qr/env is closed/ ],
		input => [ '{do: "reply", value: input}', qr/input is closed/ ],
		inputs => [ '{do: "reply", value: [inputs]}', qr/inputs is closed/ ],
		halt => [ 'halt', qr/halt is closed/ ],
		halt_error => [ '"x" | halt_error', qr/halt_error is closed/ ],
		halt_error1 => [ '"x" | halt_error(1)', qr/halt_error is closed/ ],
		file_name => [ 'input_filename', qr/input_filename is closed/ ],
		line_number => [ 'input_line_number', qr/input_line_number is closed/ ],
		search => [ 'get_search_list', qr/get_search_list is closed/ ],
		origin => [ 'get_jq_origin, get_prog_origin', qr/get_jq_origin is closed/ ],
		meta => [ '"a" | modulemeta', qr/modulemeta is closed/ ],
		# Numbers of clients that libjq is not made for.
		assertion => [ '.args[0].x * 1e18 | todate', qr/libjq: jv_array_get: Assertion/ ],
		trap => [ '{do: "reply", value: ((.args[0].x * -1e300) % -1)}', qr/libjq: a division that has no result/ ],
		twice => [ '{do: "reply"}, {do: "reply"}', qr/action 2: a second answer/ ],
		both => [ '{do: "error"}, {do: "emit", type: "a"}, {do: "reply"}', qr/action 3: a second answer/ ],
		implode => [ '{do: "reply", value: ([-1, 1e9] | implode)}', qr/implode needs/ ],
	);
	my $many = rules(map({ $_ => $bad{$_}[0] } keys %bad),
		fine => '{do: "reply", value: [$ENV, ([104, 105] | implode), (now | type), ("a1" | test("[0-9]")), (.args[0] | debug | stderr | .x)]}',
		first => '{do: "emit", type: "done"}, {do: "publish"}, {do: "emit", type: "never"}');
	my $hub = start($many);
	my %c = map { $_ => $hub->client($_) } 'unix', 'ws';
	for my $name (sort keys %bad) {
		for my $door (sort keys %c) {
			my @got = ask($c{$door}, { type => $name, data => { x => 5 }, msg_id => $name });
			is_deeply([ map { [ @$_{qw(type msg_id)}, $_->{data}{code} ] } @got ], [ [ 'error', $name, 'rule_failed' ] ],
				"$name, $door: one error");
		}
		becomes { scalar grep { $_ =~ $bad{$name}[1] } grep { /^\S+ warn  rule .*\b\Q$name\E\.jq:/ } split /\n/, $hub->log_text }
		    "$name: the log says what and where";
	}
	is_deeply([ ask($c{ws}, { type => 'fine', data => { x => 5 }, msg_id => 'f' }) ],
		[ { type => 'ack', msg_id => 'f', value => [ {}, 'hi', 'number', JSON::PP::true, 5 ] } ], 'what is open');
	is_deeply([ map { $_->{type} } ask($c{ws}, { type => 'first', msg_id => 'g' }) ], [ 'done', 'error' ],
		'what is done when one fails: all before it');
	unlike(slurp("$hub->{log}.err"), qr/^\{"x":5\}/m, 'debug and stderr write nothing');
	my $m = scrape($hub);
	is($m->{hubd_rules_failed_total}, 2 * keys(%bad) + 1, 'failures are counted');
	is($m->{hubd_rules_run_total}, 2 * keys(%bad) + 2, 'and so are runs');
	is($m->{'hubd_errors_total{code="rule_failed"}'}, 2 * keys(%bad) + 1, 'and errors');
	$hub->stop;
};

subtest 'who takes too long is slowed, and nobody else' => sub {
	my $hub = Hub->start(workers => 1, args => [ '--rules', rules(spin => 'last(range(1e15) | [.])', hello => '{do: "reply"}') ]);
	my ($bad, $good) = ($hub->ws, $hub->ws);
	$bad->send({ type => 'spin' }) for 1 .. 200;
	for (1 .. 3) {
		is(($good->sync, ask($good, { type => 'hello', msg_id => 'h' }))[0]{type}, 'ack', 'another one is served');
	}
	becomes { $hub->log_text =~ /limit .*slowed: its rules take more time than they may/ } 'the other is slowed';
	$bad->vanish;
	$hub->stop;
};

subtest 'rights' => sub {
	my $dir = rules(
		enter => '.args[0].room as $room | if (.claims.rooms // [] | index($room)) then {do: "join", session: .args[0].room}, {do: "reply", value: .user} '
		    . 'else {do: "error", code: "closed", message: "not your room"} end',
		say => '{do: "publish", type: "said", data: {text: .args[0].text}}',
		connect => 'if .claims.banned then {do: "close", code: 4003, reason: "go away"} else {do: "emit", type: "hello", data: {user, claims: .claims.rooms}} end');
	my $hub = start($dir, '--auth-key', key_file());
	my %claims = (sub => 'ann', rooms => ['den'], hub => { types => [ 'enter', 'say' ] });
	my $token = token(\%claims);
	my $c = $hub->ws(headers => ["Authorization: Bearer $token"]);
	is_deeply($c->next, { type => 'hello', data => { user => 'ann', claims => ['den'] } }, 'connect.jq has the claims');
	my $refused = sub { return (ask($c, @_))[-1]{data}{code} };
	is($refused->({ type => 'session_associate', session_id => 'den' }), 'forbidden', 'the token lets it join nothing');
	is($refused->({ type => 'enter', data => { room => 'attic' } }), 'closed', 'nor does the rule, there');
	my @got = ask($c, { type => 'enter', data => { room => 'den' }, msg_id => 'e' });
	is_deeply([ map { $_->{type} } @got ], [ 'session_associated', 'ack' ], 'but here');
	is($got[1]{value}, 'ann', 'by who it is');
	is($refused->({ type => 'said', data => { text => 'x' } }), 'forbidden', 'what the rule publishes it may not publish itself');
	is($refused->({ type => 'other' }), 'forbidden', 'nor anything else');
	$c->send({ type => 'say', data => { text => 'hi' } });
	my $said = $c->wait_type('said');
	is_deeply([ $said->{data}, $said->{user} ], [ { text => 'hi' }, 'ann' ], 'the rule does, in its name');
	$c->send({ type => 'authenticate', token => token(\%claims) });
	is_deeply([ map { $_->{type} } $c->sync ], ['authenticated'], 'a new token takes away nothing that a rule gave');
	$c->send({ type => 'authenticate', token => token({ %claims, hub => { types => ['enter'] } }) });
	$c->sync;
	is($refused->({ type => 'say', data => { text => 'x' } }), 'forbidden', 'an event needs the right for its type');
	my $late = $hub->ws;
	$late->send({ type => 'authenticate', token => $token });
	is_deeply([ map { $_->{type} } $late->sync ], [ 'authenticated', 'hello' ], 'connect.jq waits for who it is');
	my $banned = $hub->ws(headers => [ 'Authorization: Bearer ' . token({ sub => 'bob', banned => \1 }) ]);
	is($banned->closed, 4003, 'connect.jq closes');
	is($banned->{close_reason}, 'go away', 'with its reason');
	my $few = $hub->ws(headers => [ 'Authorization: Bearer ' . token({ sub => 'cy', hub => { types => ['say'], rate => 1 } }) ]);
	$few->wait_type('hello');
	my @codes = map { (ask($few, { type => 'say', msg_id => "$_" }))[-1]{data}{code} } 1 .. 3;
	is($codes[-1], 'rate_limited', 'events count in the rate');
	$hub->stop;
};

subtest 'comings and goings' => sub {
	my $dir = rules(
		connect => '{do: "join", session: "hall"}, {do: "publish", session: "hall", type: "came", to: "others", data: {client, door}}',
		disconnect => '{do: "publish", type: "went", data: {client, of: .args[0], sessions}}, {do: "emit", type: "lost"}, '
		    . '(select(.args[0].code == 4001) | {do: "publish", session: "log", type: "gone"}), {do: "close"}',
		out => '{do: "close", code: 4001, reason: "out"}');
	my $hub = start($dir);
	my $watch = $hub->unix;
	$watch->send({ type => 'ping' });
	is($watch->next->{session_id}, 'hall', 'it is joined before anything that it says is heard');
	$watch->sync;
	my $log = $hub->unix;
	$log->join_session('log');
	$watch->wait_type('came');
	for my $door ('ws', 'unix') {
		my $c = $hub->client($door);
		$c->sync;
		is($watch->wait_type('came')->{data}{door}, $door, "$door: came");
		$c->send({ type => 'out' });
		is($c->closed, 4001, 'closed');
		is($log->wait_type('gone')->{session_id}, 'log', 'disconnect.jq publishes anywhere');
		is_deeply($watch->wait_type('went')->{data}{of}, { code => 4001, reason => 'out' }, 'with the end');
	}
	my $c = $hub->ws;
	$c->sync;
	my $mine = $c->join_session('hall')->{client_id};
	$c->vanish;
	my $went = $watch->wait_type('went');
	is_deeply($went->{data}{sessions}, ['hall'], 'with the sessions that it was in');
	is($went->{from}, $mine, 'from it');
	$hub->stop;
};

subtest 'acks, stores, and what has to wait' => sub {
	my $store = scratch() . '/store.db';
	my $dir = rules(
		enter => '{do: "join", session: .args[0].room}, {do: "publish", session: .args[0].room, type: "came"}, {do: "reply", value: "in"}',
		two => '{do: "publish", session: "den", type: "one"}, {do: "publish", session: "den", type: "two"}',
		far => '{do: "publish", session: "far", type: "note"}, {do: "emit", type: "then"}',
		both => '{do: "publish", session: "far", type: "note"}, {do: "join", session: "den"}, {do: "publish", session: "far2", type: "note"}, {do: "emit", type: "then"}, {do: "close", code: 4002, reason: "late"}');
	my $hub = start($dir, '--store', $store);
	my $c = $hub->ws;
	is_deeply([ map { $_->{type} } grep { $_->{type} ne 'came' } ask($c, { type => 'enter', data => { room => 'den' }, msg_id => 'e' }) ],
		[ 'session_associated', 'ack' ], 'in order, though the store is asked');
	for my $try (1, 2) {
		$c->send({ type => 'two', msg_id => 'twice' });
		is($c->wait_type('ack')->{seq}, 3, "try $try: acked when stored, with the seq of the last record");
	}
	is_deeply([ grep { $_->{type} eq 'then' } ask($c, { type => 'far' }) ], [ { type => 'then', session_id => 'den' } ], 'elsewhere');
	$hub->stop;

	$hub = start($dir, '--store', $store);
	$c = $hub->ws;
	my @got = ask($c, { type => 'enter', data => { room => 'den' }, msg_id => 'e' });
	is_deeply([ map { $_->{type} } grep { $_->{type} ne 'came' } @got ], [ 'session_associated', 'ack' ], 'after a restart, too');
	is($c->join_session('den', since => 0)->{seq}, 4, 'one record of each, and each once');
	$c = $hub->ws;
	$c->send({ type => 'both', msg_id => 'b' }, { type => 'far' });
	is($c->closed, 4002, 'several that wait, one behind the other');
	is($c->{close_reason}, 'late', 'to the end');
	is_deeply([ map { unjson($_)->{type} } @{ $c->{in} } ], [ 'session_associated', 'then' ], 'in their order');
	is($hub->unix->join_session('far2')->{seq}, 1, 'all of them');
	# Who goes while it waits leaves nothing behind.
	for (1 .. 50) {
		my $gone = $hub->ws;
		$gone->send({ type => 'both' });
		$gone->abort;
	}
	is($hub->unix->join_session("den")->{seq}, 4, 'who goes meanwhile does no harm');
	becomes { $hub->health->{connections} <= 4 } 'and is gone';
	$hub->stop;
};

subtest 'over HTTP they are not taken' => sub {
	my $answer = Hub::Http->fetch($hub, 'POST', '/sessions/plain/records', headers => ['Content-Type: application/json'],
		body => json({ type => 'publish', data => { type => 'x' } }));
	is($answer->{status}, 400, 'refused');
	like($answer->{body}, qr/"code":"bad_type".*for rules/, 'and it says why');
	$answer = Hub::Http->fetch($hub, 'POST', '/sessions/plain/records', headers => ['Content-Type: application/json'],
		body => json({ type => 'x' }));
	is($answer->{status}, 200, 'others are');
};
$hub->stop;

subtest 'files that cannot be' => sub {
	my %case = (
		'a.jq:2: syntax error' => { a => "# one\n{do: \"reply\"" },
		'b.jq:1: env2/0 is not defined' => { b => 'env2' },
		'b.jq:3: ' => { b => "1,\n2,\nnope" },
		'import.jq:1: ' => { import => 'import "a" as a; .' },
		'include.jq:1: ' => { include => 'include "a"; .' },
		'module.jq:1: ' => { module => 'module {}; .' },
		'args.jq:1: $__prog_args is not defined' => { args => '$__prog_args' },
		'empty.jq:1: there is no program in it' => { empty => '' },
		'comment.jq:3: there is no program in it' => { comment => "# nothing\n# yet\n" },
		'definitions.jq:1: there is no program in it' => { definitions => 'def f: 1; # no more' },
		'nul.jq: it has a NUL in it' => { nul => "\0" },
		'long.jq: it has more than 64k' => { long => '.' . ' ' x 65536 },
		'ping.jq: messages of this type' => { ping => '.' },
		'a b.jq: the name of a file' => { 'a b.jq' => '.' },
	);
	for my $say (sort keys %case) {
		my $dir = rules(%{ $case{$say} });
		for my $check (0, 1) {
			my $r = Hub->refuses('--rules', $dir, '-l', 'none', '-s', scratch() . '/refused.sock', $check ? '--check' : ());
			is($r->{status}, 78, "$say: status 78") or next;
			like($r->{err}, qr{^hubd: \Q$dir/$say\E}, 'and where it is');
		}
	}
	my $r = Hub->refuses('--rules', scratch() . '/nowhere', '--check');
	is_deeply([ $r->{status}, $r->{err} ], [ 78, 'hubd: rules ' . scratch() . '/nowhere: No such file or directory' ], 'no folder');
	my $fine = rules(a => '.', '.hidden.jq' => '(', 'a.jq~' => '(', 'README.md' => '(');
	is(Hub->refuses('--rules', $fine, '--check')->{status}, 0, 'what is no rule is left alone');
};

subtest 'files that change, under load' => sub {
	my $dir = rules(n => '{do: "reply", value: 0}', stays => '{do: "reply", value: "stays"}');
	my $hub = start($dir);
	my @c = map { $hub->client($_) } 'unix', 'ws', 'ws', 'unix';
	my (@sent, @seen) = (0) x @c;
	my @last = (0) x @c;
	my $pump = sub {
		for my $i (0 .. $#c) {
			while (@{ $c[$i]{in} }) {
				my $m = unjson(shift @{ $c[$i]{in} });
				$m->{type} eq 'ack' && $m->{msg_id} eq ++$seen[$i] && $m->{value} >= $last[$i]
				    or die 'not what should come: ' . json($m) . "\n";
				$last[$i] = $m->{value};
			}
			$c[$i]->send(map { { type => 'n', msg_id => '' . ++$sent[$i] } } 1 .. 20)
			    if $sent[$i] - ($seen[$i] // 0) < 100;
		}
		pump(0.01);
	};
	for my $version (1 .. 12) {
		if ($version % 4 == 3) {
			rule($dir, 'n', "# $version\n((");
			my $before = () = $hub->log_text =~ /n\.jq:\d: syntax error.*that rule stays as it was/g;
			$hub->{proc}->kill('HUP');
			wait_for { $pump->(); $before < (() = $hub->log_text =~ /n\.jq:\d: syntax error.*that rule stays as it was/g) }
			'what is wrong, and where';
			next;
		}
		rule($dir, 'n', "{do: \"reply\", value: $version}");
		$hub->{proc}->kill('HUP');
		wait_for { $pump->(); !grep { $_ != $version } @last } "version $version";
	}
	ok(!(grep { !$_ } @seen), 'each event was answered once, in order, by one version or the next');
	my $c = $hub->ws;
	my $value = sub { my ($m) = grep { $_->{type} eq 'ack' } ask($c, { type => $_[0], msg_id => 'v' }); return $m->{value} };
	is($value->('stays'), 'stays', 'another file is as it was');
	rule($dir, 'new', '{do: "reply", value: "new"}');
	rule($dir, 'broken', '(');
	unlink "$dir/stays.jq";
	$hub->{proc}->kill('HUP');
	becomes { my ($m) = ask($c, { type => 'new', msg_id => 'v' }); $m->{type} eq 'ack' && ($m->{value} // '') eq 'new' } 'a new file';
	becomes { $hub->log_text =~ m{/new\.jq is new\n.*/stays\.jq is gone\n.*read again: 0 options have changed; so have rules\n}s }
	    'what is new and what is gone is said';
	like($hub->log_text, qr{/n\.jq has changed\n}, 'and was, what has changed');
	unlike($hub->log_text, qr{/broken\.jq is new\n}, 'but not what did not come in');
	is((ask($c, { type => 'stays', msg_id => 'v' }))[0]{data}{code}, 'no_session', 'one that went: a message like others');
	is((ask($c, { type => 'broken', msg_id => 'v' }))[0]{data}{code}, 'no_session', 'a new one that does not compile is not there');
	rename $dir, "$dir.away" or die;
	$hub->{proc}->kill('HUP');
	becomes { $hub->log_text =~ /rules \Q$dir\E: No such file or directory; everything stays/ } 'no folder any more';
	is($value->('new'), 'new', 'everything stays');
	$hub->stop;
};

subtest '--rules-test' => sub {
	my $dir = rules(
		say => 'if .args[0].text then {do: "publish", type: "said", data: {text: .args[0].text, by: .user}} else error("no text") end',
		'say.json' => json({ event => 'say', args => [ { text => 'a' } ], user => 'ann',
				expect => [ { do => 'publish', type => 'said', data => { text => 'a', by => 'ann' } } ] })
		    . json({ event => 'say', name => 'fails', error => 'no text' }),
		'z.json' => json([ { event => 'say', name => 'wrong', args => [ { text => 'a' } ], expect => [] },
				{ event => 'nothing', expect => [] } ]));
	my $r = run([ 'hubd', '--rules-test', $dir ]);
	is($r->{status}, 1, 'some are not as expected');
	is($r->{err}, '', 'nothing else is said');
	is($r->{out}, <<'END', 'TAP');
ok 1 - say.json: say
ok 2 - say.json: say: fails
not ok 3 - z.json: say: wrong
#   expected: []
#   got: [{"do":"publish","type":"said","data":{"text":"a","by":null}}]
not ok 4 - z.json: nothing
#   expected: []
#   failed: there is no nothing.jq
1..4
END
	unlink "$dir/z.json";
	is(run([ 'hubd', '--rules-test', $dir ])->{status}, 0, 'all are');
	rule($dir, 'say', '.args[0].text | debug | {do: "emit", type: .}');
	$r = run([ 'hubd', '--rules-test', $dir ]);
	like($r->{err}, qr/^\["DEBUG:","a"\]$/m, 'debug is heard');
	for my $bad ([ '{', '\S' ], [ '{"event":1,"expect":[]}', 'case 1: event must be a string' ],
		[ '{"event":"say"}', 'case 1: it needs either expect or error' ], [ '[1]', 'case 1: it must be an object' ],
		[ '{"event":"say","expect":[],"error":"x","name":"two"}', 'case 1, two: it needs either' ],
		[ '{"event":"say","expect":[{"do":"emit","type":null}]}[{"event":"say","arg":[1],"expect":[],"name":"slip"}]',
			'case 2, slip: no case has a member arg' ],
		[ '{"event":"say","session":1,"expect":[]}', 'case 1: session must be a string' ],
		[ '{"event":"say","sessions":null,"expect":[]}', 'case 1: sessions must be an array' ],
		[ '{"event":"say","expect":{}}', 'case 1: expect must be an array' ], [ '{"expect":[]}', 'case 1: it needs an event' ])
	{
		rule($dir, 'bad.json', $bad->[0]);
		$r = run([ 'hubd', '--rules-test', $dir ]);
		is($r->{status}, 65, "$bad->[0]: status 65");
		like($r->{err}, qr{^hubd: \Q$dir\E/bad\.json: $bad->[1]}m, 'and what it is');
	}
	rule($dir, 'say', '(');
	is(run([ 'hubd', '--rules-test', $dir ])->{status}, 78, 'a rule that does not compile: status 78');
};

# What is taken from jq to be made safe does what it did.
subtest 'the same as jq' => sub {
	my ($jq) = grep { -x } map { "$_/jq" } split /:/, $ENV{PATH};
	plan skip_all => 'no jq here' unless $jq;
	my $program = '[.[] as [$v, $i] | [($v | indices($i)), ($v | index($i)), ($v | rindex($i))]]';
	my $trims = '[.[] as [$v, $i] | [($v | ltrimstr($i)), ($v | rtrimstr($i))]]';
	my $input = json([ [ [ 1, 2, 1 ], 1 ], [ [ 1, 2, 1, 2 ], [ 1, 2 ] ], [ [ 1, 2 ], 3 ], [ 'banana', 'an' ], [ 'abc', 'x' ],
			[ [ 'a', 'b' ], 'b' ] ]);
	my $trimmed = json([ [ 'banana', 'ba' ], [ 'banana', 'na' ], [ 1, 'a' ], [ 'a', 1 ], [ [], {} ] ]);
	my $dir = rules(i => "{do: \"reply\", value: (.args | $program)}", t => "{do: \"reply\", value: (.args | $trims)}",
		points => '{do: "reply", value: (.args[0] | explode | implode)}');
	my $hub = start($dir);
	my $c = $hub->ws;
	for ([ 'i', $program, $input ], [ 't', $trims, $trimmed ]) {
		my ($type, $text, $in) = @$_;
		my ($ack) = ask($c, { type => $type, args => unjson($in), msg_id => $type });
		is_deeply($ack->{value}, unjson(run([ $jq, '-c', $text ], in => $in)->{out}), $type);
	}
	my ($ack) = ask($c, { type => 'points', args => ["a\x{1f600}\x{e9}"], msg_id => 'p' });
	is($ack->{value}, "a\x{1f600}\x{e9}", 'implode');
	# Where jq never ends.
	($ack) = ask($c, { type => 'i', args => [ [ 'abc', '' ] ], msg_id => 'e' });
	is_deeply($ack->{value}, [ [ undef, undef, undef ] ], 'an empty string is nowhere');
	$hub->stop;
};

done_testing;

# Rules for clients of Socket.IO: connect.jq lets them in or not, what a rule joins them to is a room of their
# namespace, disconnect.jq is told of each that ends.
use strict;
use warnings;
use Hub;
use Hub::Sio;
use Hub::Token;

my $dirs = 0;

# A folder of rules: name => program.
sub rules {
	my (%file) = @_;
	my $dir = scratch() . '/rules' . ++$dirs;
	mkdir $dir or die "$dir: $!\n";
	spew("$dir/$_.jq", "$file{$_}\n") for keys %file;
	return $dir;
}

# The next events up to one of that name, which is the last.
sub up_to {
	my ($sio, $name) = @_;
	my @events;
	push @events, $sio->event until @events && $events[-1][0] eq $name;
	return @events;
}

# All packets that were on their way when the hub has acked.
sub settle {
	my ($sio, $nsp) = @_;
	my @packets;
	my $place = $nsp ? "$nsp," : "";
	$sio->send("42${place}99[\"nothing\"]");
	while ((my $packet = $sio->packet) ne "43${place}99[{}]") {
		push @packets, $packet;
	}
	return @packets;
}

my %basic = (
	enter => '{do: "join", session: .args[0].room} + (.args[0] | with_entries(select(.key == "since" or .key == "echo"))), '
	    . '{do: "reply", value: .sessions}',
	out => '{do: "leave", session: .args[0].room}',
	say => '{do: "publish", session: .args[0].room, type: "said", to: "others", data: {text: .args[0].text}}',
	tell => '{do: "emit", session: .args[0].room, type: "told", args: ["x", {"$base64": "AQID"}, {a: 1}]}',
	nothing => 'empty');

for my $how ('ws', 'poll') {
	subtest "rooms, $how" => sub {
		my $hub = Hub->start(args => [ '--rules', rules(%basic) ]);
		my ($ann, $bob) = map { Hub::Sio->new($how, $hub) } 1, 2;
		my $other = $hub->member('unix', 'den');
		$ann->connect('/app');
		$bob->connect('', { recovery => \0 });
		$ann->send('42/app,1["enter",{"room":"den"}]');
		is_deeply($ann->event, [ 'hub:joined', { session_id => 'den', seq => 0, recovered => JSON::PP::false, snapshot => 0, user_count => 2 } ],
			'who comes into a room is told');
		is($ann->{nsp}, '/app', 'in the namespace');
		is($ann->packet, '43/app,1[["app"]]', 'then the rest');
		$bob->send('42["enter",{"room":"den"}]');
		is($bob->event->[1]{user_count}, 3, 'another comes from another namespace');
		$other->send({ type => 'note', data => { n => 1 } });
		is_deeply([ $ann->event, $ann->{nsp} ], [ [ 'note', { n => 1 } ], '/app' ], 'what comes in the room arrives in the one');
		is_deeply([ $bob->event, $bob->{nsp} ], [ [ 'note', { n => 1 } ], '/' ], 'and the other');
		like($ann->{offset}, qr{^\w{11}-1/\w{11}-0$}, 'with its place in the room, and that in the namespace');
		$ann->send('42/app,2["say",{"room":"den","text":"hi"}]');
		is($ann->packet, '43/app,2[{"seq":2}]', 'who is in a room gets the ack of what is published there');
		is_deeply($bob->event, [ 'said', { text => 'hi' } ], 'others get it');
		is($other->wait_type('said')->{data}{text}, 'hi', 'by any door');
		is_deeply([ settle($ann, '/app') ], [], 'but not its author');
		$ann->send('42/app,["tell",{"room":"den"}]');
		is($ann->packet, '451-/app,["told","x",{"_placeholder":true,"num":0},{"a":1}]', 'what is emitted of a room comes there, too');
		is($ann->packet, $how eq 'ws' ? "binary:\1\2\3" : 'bAQID', 'and what is binary in it');

		# A room is no namespace.
		$ann->send('42/app,["out",{"room":"den"}]');
		is_deeply($ann->event, [ 'hub:left', { session_id => 'den', user_count => 2 } ], 'who goes is told');
		$ann->send('42/app,["enter",{"room":"den"}]');
		is($ann->event->[0], 'hub:joined', 'and comes back');
		is($ann->connect('/den')->{type}, 0, 'a client may connect to what was its room');
		$other->send({ type => 'note', data => { n => 2 } });
		is_deeply([ (up_to($ann, 'note'))[-1], $ann->{nsp} ], [ [ 'note', { n => 2 } ], '/den' ], 'then its events come there');
		$ann->send('41/den,');
		becomes { $other->send({ type => 'presence' }); $other->wait_type('presence')->{user_count} == 2 } 'and it is in there no more';

		# With the namespace the rooms go.
		$ann->send('42/app,["enter",{"room":"den"}]');
		up_to($ann, 'hub:joined');
		$ann->send('41/app,');
		becomes { $other->send({ type => 'presence' }); $other->wait_type('presence')->{user_count} == 2 } 'who leaves the namespace leaves its rooms';
		$ann->send('42/den,["nothing"]') if $how eq 'ws';
		is($ann->connect('/app')->{type}, 0, 'what comes late for what was no namespace does no harm') if $how eq 'ws';
		$other->send({ type => 'session_delete', session_id => 'den' });
		is_deeply((up_to($bob, 'hub:left'))[-1][1]{session_id}, 'den', 'who is in a room that is deleted is told');
		is_deeply([ settle($bob, '') ], [], 'and stays in its namespace');
		$bob->send('42["enter",{"room":"den"}]');
		is($bob->event->[1]{seq}, 0, 'from where the next one of that name is open');
		$bob->send('42/den,["nothing"]');
		my $how_it_ended = eval { $bob->packet while 1; 1 } ? '' : $@;
		ok($how_it_ended, 'an event for a room as if it were a namespace ends the connection');
		$hub->stop;
	};
}

subtest 'a room from where one was' => sub {
	my $hub = Hub->start(args => [ '--rules', rules(%basic) ]);
	my $other = $hub->member('unix', 'den');
	my $say = sub { $other->send(map { { type => 'n', data => { n => $_ } } } @_); $other->sync };
	$say->(1 .. 3);
	my $ann = Hub::Sio->ws($hub);
	$ann->connect('/app');
	$ann->send('42/app,["enter",{"room":"den","since":0}]');
	is_deeply([ $ann->event->[1]{recovered}, map { $ann->event->[1]{n} } 1 .. 3 ], [ JSON::PP::true, 1 .. 3 ], 'since 0: all');
	my $place = $ann->{offset};
	$say->(4 .. 6);
	$ann->event for 4 .. 6;
	my $bob = Hub::Sio->ws($hub);
	$bob->connect('/app');
	$bob->send(qq(42/app,["enter",{"room":"den","since":"$place"}]));
	is_deeply([ $bob->event->[1]{recovered}, map { $bob->event->[1]{n} } 4 .. 6 ], [ JSON::PP::true, 4 .. 6 ], 'since a place: what is behind it');
	for my $bad ('', 'x', '/', '00000000001-2', '00000000001-2/00000000001-2') {
		$bob->send(qq(42/app,["enter",{"room":"den","since":"$bad"}]));
		my $joined = $bob->event;
		is_deeply([ @{ $joined->[1] }{qw(recovered seq)} ], [ JSON::PP::false, 6 ], "'$bad': what is no place of it recovers nothing");
	}
	$bob->send('42/app,["enter",{"room":"den","since":5}]');
	is_deeply([ $bob->event->[1]{recovered}, $bob->event->[1]{n} ], [ JSON::PP::true, 6 ], 'who is in there may go back');
	$bob->send('42/app,7["enter",{"room":"den","since":-1}]');
	like($bob->packet, qr/rule_failed/, 'a number that is no seq is a mistake');
	my $ws = $hub->ws;
	$ws->send({ type => 'enter', data => { room => 'den', since => $place } });
	is($ws->wait_type('session_associated')->{recovered}, JSON::PP::true, 'by other doors, too');
	is($ws->next->{seq}, 4, 'the same');
	$hub->stop;
};

# What a client was told before the answer: [ name, n ] of each event.
sub missed {
	my ($answer) = @_;
	return [ map { /^42[^\[]*\["(\w+)",\{"n":(\d+)/ ? "$1$2" : $_ } @{ $answer->{before} } ];
}

# In a namespace and two rooms, where it has had some: the client, its answer, and members of the three.
sub in_rooms {
	my ($how, $hub) = @_;
	my $ann = Hub::Sio->new($how, $hub);
	my $hello = $ann->connect('/app');
	my %at = map { $_ => $hub->member('unix', $_) } 'app', 'den', 'hut';
	for my $room ('den', 'hut') {
		$ann->send(qq(42/app,["enter",{"room":"$room"}]));
		is($ann->event->[1]{session_id}, $room, "it is in $room");
	}
	for my $where (qw(den app hut den hut app)) {
		say_in($at{$where}, $where, 0);
		is($ann->event->[0], $where, "and hears of $where");
	}
	return ($ann, $hello, \%at);
}

sub say_in {
	my ($member, $name, @n) = @_;
	$member->send({ type => $name, data => { n => $_ } }) for @n;
	$member->sync;
}

for my $how ('ws', 'poll') {
	for my $alive (0, 1) {
		subtest 'who comes back is in its rooms, ' . ($alive ? 'before it was found lost, ' : '') . $how => sub {
			my $hub = Hub->start(args => [ '--rules', rules(%basic) ]);
			my ($ann, $hello, $at) = in_rooms($how, $hub);
			my $lost = sub {
				return if $alive;
				$ann->{ws} ? $ann->{ws}->abort : $ann->send('1');
				becomes { $at->{app}->send({ type => 'presence' }); $at->{app}->wait_type('presence')->{user_count} == 1 } 'it is lost';
			};
			$lost->();
			# Of what it gets now that it is not lost it hears nothing.
			say_in($at->{den}, 'den', 1, 2);
			say_in($at->{app}, 'app', 3);
			say_in($at->{hut}, 'hut', 4);
			for my $time (1, 2) {
				my $again = Hub::Sio->new($how, $hub);
				my $answer = $again->connect('/app', { pid => $hello->{pid}, offset => $ann->{offset} });
				is_deeply([ sort @{ missed($answer) } ], [qw(app3 den1 den2 hut4)], "time $time: it has had what it missed");
				is_deeply([ grep { /^den/ } @{ missed($answer) } ], [ 'den1', 'den2' ], 'in order');
				is_deeply([ @$answer{qw(sid pid)} ], [ @$hello{qw(sid pid)} ], 'and is told that all is as it was');
				if ($alive) {
					my $said = '';
					$said = eval { $ann->packet } // '41/app,' until $said eq '41/app,';
					pass('the one before was sent away');
				}
				# Before it has heard more it is lost again.
				$ann->{ws} = $again->{ws};
				$ann->{sid} = $again->{sid};
				$ann->{in} = [];
				$lost->() if $time == 1;
			}
			say_in($at->{den}, 'den', 5);
			is_deeply([ $ann->event, $ann->{nsp} ], [ [ 'den', { n => 5 } ], '/app' ], 'it hears of one room');
			say_in($at->{hut}, 'hut', 6);
			is($ann->event->[1]{n}, 6, 'and of the other');
			$ann->send('42/app,3["say",{"room":"den","text":"hi"}]');
			like($ann->packet, qr{^43/app,3\[\{"seq":\d+\}\]$}, 'and is heard there');
			$ann->send('41/app,');
			becomes { $at->{den}->send({ type => 'presence' }); $at->{den}->wait_type('presence')->{user_count} == 1 } 'and leaves them with it';
			$hub->stop;
		};
	}
}

subtest 'who comes back and is not as it was' => sub {
	my $hub = Hub->start(args => [ '--rules', rules(%basic), '--history', 20, '--history-bytes', 0 ]);
	my $fresh = sub {
		my ($name, $hello, $offset, $before) = @_;
		my $again = Hub::Sio->ws($hub);
		my $answer = $again->connect('/app', { pid => $hello->{pid}, offset => $offset });
		is($answer->{sid}, $hello->{sid}, "$name: the same client");
		isnt($answer->{pid}, $hello->{pid}, 'is told that not all is as it was');
		is_deeply(missed($answer), $before, 'but has had what it has missed in the namespace');
		$again->send('42/app,1["enter",{"room":"den"}]');
		is($again->event->[0], 'hub:joined', 'it is in no room');
		$_->vanish for $again->{ws};
	};
	my $told = sub {
		my ($at, $ann) = @_;
		$ann->{ws}->abort;
		becomes { $at->{app}->send({ type => 'presence' }); $at->{app}->wait_type('presence')->{user_count} == 1 } 'lost';
	};

	# A room is more than it has heard of.
	my $ann = Hub::Sio->ws($hub);
	my $hello = $ann->connect('/app');
	my $at = { app => $hub->member('unix', 'app'), den => $hub->member('unix', 'den') };
	say_in($at->{app}, 'app', 1);
	$ann->event;
	my $offset = $ann->{offset};
	unlike($offset, qr{/}, 'a place in no room');
	$ann->send('42/app,["enter",{"room":"den"}]');
	is($ann->event->[0], 'hub:joined', 'a room');
	$told->($at, $ann);
	$fresh->('what has joined it had not come', $hello, $offset, []);
	$_->vanish for values %$at;

	# What it has missed in one is not kept any more.
	($ann, $hello, $at) = in_rooms('ws', $hub);
	$told->($at, $ann);
	say_in($at->{den}, 'den', 1 .. 3000);
	say_in($at->{app}, 'app', 9);
	$fresh->('some is gone', $hello, $ann->{offset}, ['app9']);
	$_->vanish for values %$at;

	# More has changed from one to another since than the hub knows of.
	($ann, $hello, $at) = in_rooms('ws', $hub);
	$offset = $ann->{offset};
	for my $n (1 .. 300) {
		say_in($at->{$_}, $_, $n) for 'den', 'hut';
		$ann->event for 1, 2;
	}
	$told->($at, $ann);
	$fresh->('too far back', $hello, $offset, []);
	$_->vanish for values %$at;

	# It has left them all.
	($ann, $hello, $at) = in_rooms('ws', $hub);
	$ann->send(qq(42/app,["out",{"room":"$_"}])) for 'den', 'hut';
	is($ann->event->[0], 'hub:left', 'out') for 1, 2;
	say_in($at->{app}, 'app', 1);
	$ann->event;
	$told->($at, $ann);
	my $again = Hub::Sio->ws($hub);
	is($again->connect('/app', { pid => $hello->{pid}, offset => $ann->{offset} })->{pid}, $hello->{pid}, 'who was in none is as it was');
	is_deeply([ settle($again, '/app') ], [], 'in none');

	# Who goes by itself.
	$again->send('42/app,["enter",{"room":"den"}]');
	$again->event;
	$offset = $again->{offset};
	$again->send('41/app,');
	$again->connect('/other');
	$fresh->('who has left', $hello, $offset, []);
	$hub->stop;
};

subtest 'coming back to rooms, with a store' => sub {
	my $hub = Hub->start(args => [ '--rules', rules(%basic), '--store', scratch() . '/back.db', '--history', 20, '--history-bytes', 0 ]);
	for my $how ('ws', 'poll') {
		my ($ann, $hello, $at) = in_rooms($how, $hub);
		$ann->{ws} ? $ann->{ws}->abort : $ann->send('1');
		becomes { $at->{app}->send({ type => 'presence' }); $at->{app}->wait_type('presence')->{user_count} == 1 } 'it is lost';
		say_in($at->{den}, 'den', 1 .. 1500);
		say_in($at->{app}, 'app', 1501 .. 3000);
		my $again = Hub::Sio->new($how, $hub);
		my $answer = $again->connect('/app', { pid => $hello->{pid}, offset => $ann->{offset} });
		my @missed = grep { !/hub:place/ } @{ missed($answer) };
		is_deeply([ grep { /^den/ } @missed ], [ map { "den$_" } 1 .. 1500 ], "$how: all of a room");
		is_deeply([ grep { /^app/ } @missed ], [ map { "app$_" } 1501 .. 3000 ], 'and of the namespace');
		is($answer->{pid}, $hello->{pid}, 'as it was');
		$again->send('41/app,');
		$_->vanish for values %$at;
	}
	$hub->stop;
};

subtest 'connect.jq' => sub {
	my $dir = rules(
		%basic,
		connect => 'if .session == "closed" then {do: "error", message: "not here"} '
		    . 'elif .session == "named" then {do: "error", code: "no_way", message: "not you"} '
		    . 'elif .session == "gone" then {do: "close", code: 4003, reason: "go away"} '
		    . 'elif .session == "broken" then error("broken") '
		    . 'else {do: "emit", type: "hello", args: [.args[0], .user, .sessions, .door]}, {do: "join", session: "hall"}, '
		    . '{do: "publish", session: "hall", type: "came", to: "others", data: {client}} end',
		disconnect => '{do: "publish", session: "log", type: "went", data: {session, sessions, of: .args[0]}}, {do: "emit", type: "no"}');
	my $hub = Hub->start(args => [ '--rules', $dir ]);
	my $log = $hub->member('unix', 'log');
	my $hall = $hub->member('ws', 'hall');
	for my $how ('ws', 'poll') {
		my $ann = Hub::Sio->new($how, $hub);
		my $hello = $ann->connect('/app', { a => 1 });
		is_deeply($hello->{before}, [], "$how: nothing comes before the answer");
		is_deeply($ann->event, [ 'hello', { a => 1 }, undef, [], 'socketio' ], 'then what it says: it has auth');
		is($ann->event->[1]{session_id}, 'hall', 'and joins to a room');
		my $came = $hall->wait_type('came')->{data}{client};
		$came = $hall->wait_type('came')->{data}{client} while $came ne $hello->{sid};
		is($came, $hello->{sid}, 'of which others hear');
		for (
			[ '/closed' => { message => 'not here' } ],
			[ '/named' => { message => 'not you', data => { code => 'no_way' } } ],
			[ '/broken' => { message => 'the rule for this event failed', data => { code => 'rule_failed' } } ])
		{
			my ($nsp, $want) = @$_;
			my $answer = $ann->connect($nsp);
			is($answer->{type}, 4, "$nsp: CONNECT_ERROR");
			delete @$answer{qw(type before)};
			is_deeply($answer, $want, 'and why');
		}
		is_deeply([ settle($ann, '/app') ], [], 'elsewhere nothing has changed');
		is($ann->connect('')->{type}, 0, 'it connects to another namespace');
		is_deeply($ann->event, [ 'hello', {}, undef, [], 'socketio' ], 'where it is asked again; without auth there is an empty object');
		$ann->send('41');
		my $went = $log->wait_type('went')->{data};
		is_deeply([ @$went{qw(session sessions)} ], [ 'main', ['main'] ], 'disconnect.jq is told of the namespace that ends');
		is($went->{of}{code}, 1000, 'and why');
		$ann->send('41/app,');
		$went = $log->wait_type('went')->{data};
		is_deeply([ $went->{session}, sort @{ $went->{sessions} } ], [ 'app', 'app', 'hall' ], 'with its rooms');
		is($ann->connect('/app')->{type}, 0, 'again');
		up_to($ann, 'hub:joined');
		is($ann->connect('/two')->{type}, 0, 'and one more');
		$ann->event;
		is($ann->connect('/gone')->{message}, 'go away', 'close refuses');
		becomes { eval { $ann->packet while 1 }; 1 } 'and ends';
		my @all = sort { $a->{session} cmp $b->{session} } map { $log->wait_type('went')->{data} } 1, 2;
		is_deeply([ map { $_->{session} } @all ], [ 'app', 'two' ], 'then each namespace ends');
		is_deeply([ map { $_->{of} } @all ], [ ({ code => 4003, reason => 'go away' }) x 2 ], 'with the end of the connection');
	}
	my $lost = Hub::Sio->ws($hub);
	my $hello = $lost->connect('/app');
	up_to($lost, 'hub:joined');
	my $came = sub { my $c; do { $c = $hall->wait_type('came') } while $c->{from} ne $hello->{sid}; return $c->{data}{client} };
	is($came->(), $hello->{sid}, 'a client that comes');
	$lost->{ws}->abort;
	is($log->wait_type('went')->{data}{of}{code}, 0, 'a lost connection');
	my $again = Hub::Sio->ws($hub)->connect('/app', { pid => $hello->{pid}, offset => $lost->{offset} });
	is($again->{sid}, $hello->{sid}, 'it comes back');
	is($came->(), $hello->{sid}, 'as who it was, to rules, too');
	$hub->stop;
};

# A client takes the last string that an event ends with for its place.
subtest 'what is emitted keeps the place' => sub {
	my $hub = Hub->start(args => [ '--rules', rules(%basic, echo => '{do: "emit", type: "told", args: .args}, {do: "reply"}') ]);
	my $app = $hub->member('unix', 'app');
	for my $room (0, 1) {
		my $ann = Hub::Sio->ws($hub);
		my $hello = $ann->connect('/app');
		if ($room) {
			$ann->send('42/app,["enter",{"room":"den"}]');
			$ann->event;
		}
		say_in($app, 'app', 1);
		$ann->event;
		my $offset = $ann->{offset};
		for my $args ('', ',"x"', ',1,"x"') {
			$ann->send(qq(42/app,5["echo"$args]));
			is($ann->packet, qq(42/app,["told"$args,"$offset"]), "where it would be lost: $args");
			is($ann->packet, '43/app,5[null]', 'a reply has none');
		}
		$ann->send('42/app,["echo","x",{"y":"z"}]');
		is($ann->packet, '42/app,["told","x",{"y":"z"}]', 'and nowhere else');
		$app->send({ type => 'psst', to => $hello->{sid}, args => ['x'] }, { type => 'psst', to => $hello->{sid}, text => 'x' });
		is($ann->packet, qq(42/app,["psst","x","$offset"]), 'messages to it alone, too');
		my ($whole) = $ann->packet =~ /^42\/app,\["psst",(\{.*\})\]$/;
		ok(!exists unjson($whole)->{seq}, 'of which none has it otherwise');
		$ann->{ws}->abort;
		say_in($app, 'app', 2);
		my $answer = Hub::Sio->ws($hub)->connect('/app', { pid => $hello->{pid}, offset => $offset });
		is_deeply([ $answer->{pid}, missed($answer) ], [ $hello->{pid}, ['app2'] ], 'it comes back');
	}
	$hub->stop;
};

subtest 'who is not to come back' => sub {
	my $dir = rules(%basic,
		connect => '{do: "join", session, recovery: (.session != "app")}, {do: "emit", type: "in", args: ["x"]}',
		wrong => '{do: "join", session: "den", recovery: false}');
	my $hub = Hub->start(args => [ '--rules', $dir ]);
	my $app = $hub->member('unix', 'app');
	for my $how ('ws', 'poll') {
		my $ann = Hub::Sio->new($how, $hub);
		is_deeply([ sort keys %{ $ann->connect('/app') } ], [qw(before sid type)], "$how: where the rule says so there is no pid");
		is($ann->packet, '42/app,["in","x"]', 'nor an offset with what is emitted');
		$app->send({ type => 'n', args => ['y'] });
		is($ann->packet, '42/app,["n","y"]', 'nor with events');
		$ann->send('42/app,1["wrong"]');
		like($ann->packet, qr/rule_failed/, 'which only connect.jq may say');
		my $bob = Hub::Sio->new($how, $hub);
		ok($bob->connect('/other')->{pid}, 'elsewhere there is one');
		my $place = 'x' x 11 . '-1';
		my $again = Hub::Sio->new($how, $hub);
		my $answer = $again->connect('/app', { pid => $bob->connect('')->{pid}, offset => $place });
		is_deeply([ $answer->{before}, exists $answer->{pid} ], [ [], '' ], 'and one from there is for nothing');
	}
	$hub->stop;
};

subtest 'connect.jq, rights and a store' => sub {
	my $dir = rules(%basic,
		connect => 'if .claims.docs then {do: "join", session: .session} else empty end, {do: "join", session: "hall", since: 0}, {do: "emit", type: "in"}');
	my $hub = Hub->start(args => [ '--rules', $dir, '--auth-key', key_file(), '--store', scratch() . '/store.db' ]);
	for my $how ('ws', 'poll') {
		my $ann = Hub::Sio->new($how, $hub);
		is($ann->connect("/$how", { token => token({ sub => 'ann', docs => ['a'], hub => { types => ['say'] } }) })->{type}, 0, "$how: a rule grants it");
		is_deeply([ map { $_->[0] } up_to($ann, 'in') ], [ 'hub:joined', 'in' ], 'and goes on when the store has answered');
		$ann->send(qq(42/$how,1["say",{"room":"hall","text":"hi"}]));
		my $answer = $ann->packet;
		$answer = $ann->packet while $answer =~ /^42/;
		like($answer, qr{^43/$how,1\[\{"seq":\d\}\]$}, 'and it may do what it says there');
		my $bob = Hub::Sio->new($how, $hub);
		$answer = $bob->connect("/$how", { token => token({ sub => 'bob', hub => { types => ['say'] } }) });
		is_deeply([ $answer->{type}, $answer->{data}{code} ], [ 4, 'forbidden' ], 'else the token decides');
	}
	$hub->stop;
};

subtest 'the rules of the protocol suite' => sub {
	is(run([ 'hubd', '--rules-test', root() . '/tests/conformance/socketio-rules' ])->{status}, 0, 'do what is expected');
};

done_testing;

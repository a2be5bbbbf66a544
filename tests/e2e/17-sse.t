# GET /sessions/NAME/events: a session as server-sent events, hub(7).
use strict;
use warnings;
use Hub;
use Hub::Http;

need_files(512);
chance();
my $hub = Hub->start(args => [qw(--history 100000 --history-bytes 64M)]);

# The n of each event, all of which are records in order of their ids.
sub numbers {
	my (@events) = @_;
	my $last = 0;
	for my $event (@events) {
		my $record = unjson($event->{data});
		my ($seq) = $event->{id} =~ /^\w{11}-(\d+)$/ or return 'an id of no form';
		return "seq $seq is not that of the record" if $seq != $record->{seq};
		return "seq $seq behind $last" if $seq <= $last;
		$last = $seq;
	}
	return join ' ', map { unjson($_->{data})->{n} } @events;
}

subtest 'what comes' => sub {
	my $m = $hub->member('unix', 'plain');
	my $r = Hub::Http->follow($hub, 'plain');
	is($r->{status}, 200, 'there is a session');
	is($r->{headers}{'content-type'}, 'text/event-stream', 'the type of an event stream');
	is($r->{headers}{'x-accel-buffering'}, 'no', 'no proxy is to hold it back');
	like($r->{headers}{'cache-control'}, qr/no-store/, 'nor to keep it');
	is($r->{headers}{'connection'}, 'close', 'its end is that of the connection');
	ok(!exists $r->{headers}{$_}, "no $_") for qw(content-length transfer-encoding access-control-allow-origin vary);
	wait_for { $r->parse_events; $r->{last_id} } 'a place to come back to';
	is($r->{last_id}, "$m->{joined}{epoch}-0", 'that is the head of the log');
	ok($r->{retry}, 'and a time to come back after');
	$m->send({ type => 'a b', n => 1 });
	$hub->member('ws', 'plain')->send_text(qq({ "type" :\n "\\u0061",\r\n "n": 2}));
	my @events = $r->take_events(2);
	is($events[0]{event}, 'a b', 'the type is the event');
	is($events[1]{event}, 'a', 'unescaped');
	is(numbers(@events), '1 2', 'the record is the data');
	unlike($events[1]{data}, qr/[\r\n]/, 'on one line, whatever it was written on');
};

subtest 'who reads is not there' => sub {
	my $m = $hub->member('unix', 'quiet');
	my $r = Hub::Http->follow($hub, 'quiet');
	my $w = Hub::Http->follow($hub, 'quiet', query => '?since=0');
	$m->send({ type => 'presence' });
	my $answer = $m->wait_type('presence');
	is($answer->{user_count}, 1, 'presence counts members');
	is(@{ $answer->{members} }, 1, 'and lists them');
	$r->vanish;
	$m->send({ type => 'x', n => 1 });
	is(numbers($w->take_events(1)), '1', 'the reader reads');
	my $n = $hub->member('unix', 'quiet');
	is($n->{joined}{user_count}, 2, 'who joins hears of members');
	wait_for { @{ $m->{presence} } } 'news';
	is(scalar @{ $m->{presence} }, 1, 'and they of nobody but it');
};

subtest 'a session that is not there' => sub {
	for my $path (qw(events records state state/k presence)) {
		my $a = Hub::Http->fetch($hub, 'GET', "/sessions/nowhere/$path");
		is($a->{status}, 404, "$path: not found");
		is($a->{lines}[0]{data}{code}, 'not_found', "$path: in so many words");
	}
	is(Hub::Http->fetch($hub, 'GET', "/sessions/$_/events")->{lines}[0]{data}{code}, 'bad_session_id', "no name: $_")
	    for '%20', 'a%2fb', '', 'x' x 129, '%ff', 'x' x 600;
	my $a = Hub::Http->fetch($hub, 'GET', '/sessions', unix => 1);
	ok(!(grep { $_ eq 'nowhere' } @{ $a->{lines}[0]{sessions} }), 'none was made');
};

subtest 'HEAD, names in escapes, queries' => sub {
	my $m = $hub->member('unix', 'A:b~@.-_');
	my $c = Hub::Http->open($hub);
	$c->ask('HEAD', '/%73essions/%41%3ab~%40.-_/%65vents?state=1');
	my $a = $c->answer;
	is($a->{status}, 200, 'HEAD');
	is($a->{headers}{'content-type'}, 'text/event-stream', 'has the head');
	wait_for { $c->{gone} } 'the end';
	is($c->{rbuf}, '', 'and nothing else');
	my %wrong = ('since=x' => 'since', 'since=-1' => 'since', 'since=9007199254740993' => 'since',
		'state=2' => 'state', 'since=1&since=2' => 'once', 'since=%zz' => 'escapes', 'limit=0' => 'limit',
		'since=' . 'x' x 100 => 'since', 'since=%00' => 'escapes', 'wait=1.5' => 'wait', 'since=' => 'since');
	for my $query (sort keys %wrong) {
		my $answer = Hub::Http->fetch($hub, 'GET', "/sessions/A:b~@.-_/events?$query");
		is($answer->{status}, 400, "?$query");
		like($answer->{lines}[0]{data}{message}, qr/$wrong{$query}/, 'and what is wrong with it');
	}
	my $r = Hub::Http->follow($hub, 'A:b~@.-_', query => '?_=1&&=&x=%zz&unknown=' . 'y' x 10_000 . '&%73ince=0');
	is($r->{status}, 200, 'what is not known is passed over');
	is(Hub::Http->fetch($hub, 'GET', '/sessions/A:b~@.-_/events?x=' . 'y' x 20_000)->{status}, 414, 'a huge query');
};

# It goes away in the middle of anything, and comes back with the last id that a browser would have.
subtest 'coming back' => sub {
	my $m = $hub->member('unix', 'back', echo => \0);
	my ($n, $sent, $rounds, @got) = (3000, 0, 0);
	my $r = Hub::Http->follow($hub, 'back', query => '?since=0');
	while (@got < $n) {
		my $burst = int rand 200;
		for (1 .. $burst) {
			$m->send({ type => 'n', n => $sent, x => 'x' x int rand 300 }) if $sent < $n;
			$sent++;
		}
		$sent = $n if $sent > $n;
		my $enough = $r->{bytes_in} + int rand 20_000;
		pump(0.01) for 1 .. 5;
		wait_for { $r->parse_events; $r->{bytes_in} >= $enough || @got + @{ $r->{events} } >= $sent } 'bytes';
		push @got, splice @{ $r->{events} };
		next if rand 2 < 1 || @got >= $n;
		my $id = $r->{last_id};
		$r->vanish;
		$r = Hub::Http->follow($hub, 'back', id => $id);
		$rounds++;
	}
	is(numbers(@got), join(' ', 0 .. $n - 1), "every record once, in order, over $rounds reconnects");
	is(scalar(grep { $_->{event} ne 'n' } @got), 0, 'and nothing else');
	ok($rounds > 3, 'it did come back');
};

subtest 'a place that is lost' => sub {
	my $small = Hub->start(args => [qw(--history 20 --history-bytes 1), '--slow-after', 0]);
	my $m = $small->member('unix', 's', echo => \0);
	$m->send({ type => 'light', key => 'door', n => 1 });
	for my $n (2 .. 300) {
		$m->send({ type => 'n', n => $n, x => 'x' x 1000 });
		$m->sync unless $n % 5;
	}
	my $epoch = $m->{joined}{epoch};
	for my $from ([ id => "$epoch-5" ], [ query => '?since=5' ], [ query => "?since=5&epoch=$epoch" ]) {
		my $r = Hub::Http->follow($small, 's', @$from);
		my ($gap, $next) = $r->take_events(2);
		is($gap->{event}, 'gap', 'trimmed: a gap');
		my $data = unjson($gap->{data});
		is_deeply([ @$data{qw(reason from_seq epoch)} ], [ 'trimmed', 6, $epoch ], 'says why, from where, and of what');
		ok(!defined $data->{from}, 'it is the hub that says so');
		is(unjson($next->{data})->{seq}, $data->{to_seq} + 1, 'then all that is left');
		is(numbers($next, $r->take_events(300 - $data->{to_seq} - 1)), join(' ', $data->{to_seq} + 1 .. 300), 'whole');
	}
	my $r = Hub::Http->follow($small, 's', id => "$epoch-5", query => '?state=1');
	my ($gap, $state) = $r->take_events(2);
	is_deeply([ @{ unjson($gap->{data}) }{qw(from_seq to_seq)} ], [ 6, 300 ], 'with the state: a gap to the head');
	is(unjson($state->{data})->{key}, 'door', 'and the state instead');
	wait_for { $r->parse_events; $r->{last_id} eq "$epoch-300" } 'the place behind it';
	$m->send({ type => 'n', n => 301 });
	is(numbers($r->take_events(1)), '301', 'then it goes on');
	for my $id ('00000000000-5', "$epoch-5000", 'nonsense', "$epoch-x", "$epoch-1-2", 'x' x 500) {
		my $other = Hub::Http->follow($small, 's', id => $id);
		my ($first) = $other->take_events(1);
		is(unjson($first->{data})->{reason}, 'epoch_changed', 'another log: ' . substr $id, 0, 30);
	}
	$small->stop;
};

subtest 'the state first' => sub {
	my $m = $hub->member('unix', 'state', echo => \0);
	$m->send({ type => 'light', key => "k$_", n => $_ }) for 1 .. 500;
	$m->send({ type => 'n', n => 0 }) for 1 .. 10;
	$m->send({ type => 'light', key => 'k7', n => 700 });
	$m->sync;
	my $r = Hub::Http->follow($hub, 'state', query => '?state=1');
	is(numbers($r->take_events(500)), join(' ', (grep { $_ != 7 } 1 .. 500), 700), 'as it is, oldest first');
	wait_for { $r->parse_events; $r->{last_id} =~ /-511$/ } 'the place behind it';
	$m->send({ type => 'n', n => 1 });
	is(numbers($r->take_events(1)), '1', 'then what is new');
	my $q = Hub::Http->follow($hub, 'state');
	$m->send({ type => 'n', n => 2 });
	is(numbers($q->take_events(1)), '2', 'not asked for, there is none');
};

subtest 'who does not read' => sub {
	for my $policy (qw(disconnect resync)) {
		my $small = Hub->start(args => [ qw(--history 40 --history-bytes 64k --slow-after 0 --slow), $policy ]);
		my $m = $small->member('unix', 's', echo => \0);
		my $good = Hub::Http->follow($small, 's');
		my $slow = Hub::Http->follow($small, 's', rcvbuf => 4096);
		$slow->{reading} = 0;
		my $stop = $policy eq 'resync' ? 'slow_resyncs' : 'slow_disconnects';
		$m->send({ type => 'light', key => 'door', n => 0 });
		my $sent = 1;
		while ($sent < 8000 && !($sent % 500 == 0 && $policy eq 'disconnect' && $small->health->{$stop})) {
			$m->send({ type => 'n', n => $sent++, x => 'x' x 1000 });
			if ($sent % 20 == 0) {
				$m->sync;
				wait_for { @{ $good->parse_events } >= $sent } 'the good reader';
			}
		}
		is(numbers(splice @{ $good->{events} }), join(' ', 0 .. $sent - 1), "$policy: who reads has all");
		$slow->{reading} = 1;
		if ($policy eq 'disconnect') {
			wait_for { $slow->parse_events; $slow->{gone} } 'the end';
			is($small->health->{slow_disconnects}, 1, 'who does not is sent away');
		} else {
			my @all;
			wait_for { push @all, splice @{ $slow->parse_events }; grep { $_->{event} eq 'gap' } @all } 'a gap';
			wait_for { $slow->parse_events; $slow->{last_id} =~ /-$sent$/ } 'the place behind the state';
			push @all, splice @{ $slow->{events} };
			my ($gap) = map { unjson($_->{data}) } grep { $_->{event} eq 'gap' } @all;
			is($gap->{to_seq}, $sent, 'who does not is told of what it misses');
			is(unjson($all[-1]{data})->{key}, 'door', 'and of the state');
			$m->send({ type => 'n', n => $sent });
			is(unjson(($slow->take_events(1))[0]{data})->{n}, $sent, 'and goes on');
		}
		$small->stop;
	}
};

subtest 'silence, limits, the end' => sub {
	my $small = Hub->start(args => [qw(--ping 1 --pong 5 --max-members 2)], drain => 1);
	my $m = $small->member('unix', 's');
	my $r = Hub::Http->follow($small, 's');
	wait_for { $r->parse_events; $r->{comments} >= 2 } 'comments';
	pass('comments keep the connection in use');
	is(scalar @{ $r->{events} }, 0, 'and are no events');
	my $a = Hub::Http->fetch($small, 'GET', '/sessions/s/events');
	is($a->{status}, 503, 'readers count against --max-members');
	is($a->{lines}[0]{data}{code}, 'session_full', 'in so many words');
	$m->send({ type => 'n', n => 1 });
	$small->{proc}->kill('TERM');
	my @events = $r->take_events(2);
	is($events[0]{event}, 'n', 'at the end there is what there was');
	is($events[1]{event}, 'close', 'and a last event');
	is(unjson($events[1]{data})->{code}, 1012, 'that says why');
	wait_for { $r->{gone} } 'the end';
	is($r->{gone}, 'end of file', 'no reset');
	$small->ended;
};

subtest 'a peer that ends' => sub {
	my $m = $hub->member('unix', 'gone', echo => \0);
	my @readers = map { Hub::Http->follow($hub, 'gone') } 1 .. 50;
	my $before = $hub->health->{connections};
	$_->vanish for @readers[ 0 .. 24 ];
	$_->abort for @readers[ 25 .. 49 ];
	wait_for { $hub->health->{connections} <= $before - 50 } 'their connections to end';
	pass('nobody is left');
};

subtest 'another origin' => sub {
	$hub->member('unix', 'cors');
	my $open = Hub->start(args => [ qw(--cors http://a.example --cors https://b.example:8443) ]);
	my $all = Hub->start(args => [qw(--cors *)]);
	$_->member('unix', 'cors') for $open, $all;
	my $fetch = sub {
		my ($on, $origin, $method, @more) = @_;
		return Hub::Http->fetch($on, $method || 'GET', '/sessions/cors/records', headers => [ "Origin: $origin", @more ])
		    ->{headers};
	};
	my @preflight = ('OPTIONS', 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: content-type');
	my $h = $fetch->($hub, 'http://a.example', @preflight);
	ok(!(grep { /^access-control|^vary/ } keys %$h), 'without --cors nothing is said of it');
	$h = $fetch->($open, 'http://a.example');
	is($h->{'access-control-allow-origin'}, 'http://a.example', 'an origin that may');
	is($h->{vary}, 'Origin', 'of which the answer depends');
	is($h->{'access-control-expose-headers'}, 'Hub-Cursor, Hub-Epoch, Hub-Resume, Hub-Seq', 'sees the cursor');
	for my $other ('http://a.example:80', 'http://A.example', 'https://a.example', 'null', 'http://a.example.org') {
		$h = $fetch->($open, $other, @preflight);
		ok(!exists $h->{'access-control-allow-origin'}, "$other may not");
		is($h->{vary}, 'Origin', 'which depends on it as well');
	}
	$h = $fetch->($open, 'https://b.example:8443', @preflight);
	is($h->{'access-control-allow-methods'}, 'GET, HEAD, POST, OPTIONS', 'a preflight tells the methods');
	is($h->{'access-control-allow-headers'}, 'Authorization, Content-Type, Hub-Client, Last-Event-ID', 'the headers');
	like($h->{'access-control-max-age'}, qr/^\d+$/, 'and for how long');
	$h = $fetch->($all, 'http://anybody.example');
	is($h->{'access-control-allow-origin'}, '*', '* is everybody');
	is(Hub::Http->fetch($open, 'GET', '/nothing', headers => ['Origin: http://a.example'])
		->{headers}{'access-control-allow-origin'}, 'http://a.example', 'errors can be read as well');
	$_->stop for $open, $all;
	like(Hub->refuses('--cors', 'a.example')->{err}, qr/cors/, 'what is no origin is refused');
};

$hub->stop;
done_testing;

# Among servers of Socket.IO that share a Redis: socket.io 4.8.4 with @socket.io/redis-adapter 8.3.0, by ioredis and by
# redis, and @socket.io/redis-emitter 5.1.0. What hub's members send reaches stock clients of these, what they
# broadcast hub's members; and they do not notice that hub is there.
use strict;
use warnings;
use Hub;
use Hub::Npm;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $modules = Hub::Npm::modules('socket.io@4.8.4', 'socket.io-client@4.8.4', '@socket.io/redis-adapter@8.3.0', '@socket.io/redis-emitter@5.1.0',
	'ioredis@6.0.0', 'redis@6.3.1');
plan skip_all => 'npm brings no socket.io here' unless $modules;

# As it matches itself: servers take it for a pattern.
my $prefix = 'app?*';
my $redis = Hub::Redis->start;
my $hub = Hub->start(args => [ '--bus-socketio', $prefix, '--bus-socketio-redis', $redis->url ]);
my @node = map { node($_) } 'ioredis', 'redis', 'ioredis';

# --- servers of others

sub node {
	my ($kind) = @_;
	my $proc = spawn([ Hub::Npm::program('node'), root() . '/tests/clients/socketio_node.js', $kind, $redis->{host}, $redis->{port}, $prefix ],
		in => 'pipe', env => { NODE_PATH => $modules });
	my $self = { proc => $proc, kind => $kind, seen => {} };
	lines($self, sub { $_[0]{ready} });
	return $self;
}

# Waits for the line that is wanted, the n-th from 0 on of these, and gives it.
sub lines {
	my ($node, $want, $n) = @_;
	my $found;
	wait_for {
		die "$node->{kind} has ended: " . slurp($node->{proc}{err}) . "\n" unless $node->{proc}->running;
		$found = (grep { $want->($_) } map { unjson($_) } slurp($node->{proc}{out}) =~ /^(.*)\n/mg)[ $n // 0 ];
		return $found;
	} 'a line';
	return $found;
}

my $commands = 0;

sub command {
	my ($node, $do, %o) = @_;
	my $id = ++$commands;
	syswrite $node->{proc}{stdin}, json({ id => $id, do => $do, %o }) . "\n";
	my $answer = lines($node, sub { ($_[0]{id} // 0) == $id });
	die "$do: $answer->{failed}\n" if $answer->{failed};
	return $answer;
}

# The next event that a client gets: [ name, arguments... ].
sub event {
	my ($node, $client) = @_;
	return lines($node, sub { ($_[0]{to} // '') eq $client }, $node->{seen}{$client}++)->{event};
}

# The next record of a member, without what hub adds.
sub record {
	my ($c) = @_;
	my $got = $c->next;
	delete @$got{qw(timestamp seq session_id)};
	delete $got->{from};
	return $got;
}

# Any bytes into channels: pairs of these.
sub publish {
	my (@pairs) = @_;
	my $script = 'for i = 1, #ARGV, 2 do redis.call("publish", ARGV[i], (ARGV[i + 1]:gsub("..", function(h)'
	    . ' return string.char(tonumber(h, 16)) end))) end return 1';
	my $i = 0;
	return is($redis->cli('EVAL', $script, 0, map { $i++ % 2 ? unpack 'H*', $_ : $_ } @pairs), 1, 'into Redis');
}

# Nothing is under way to a client any more.
sub flush {
	my ($node, $client, $nsp) = @_;
	my $mark = 'mark' . ++$commands;
	command($node, 'emit', nsp => $nsp, event => [$mark]);
	my $got = event($node, $client);
	return is($got->[0], $mark, "and nothing else to $client");
}

becomes { $redis->cli('PUBSUB', 'NUMPAT') >= 2 && $hub->log_text =~ /bus-socketio redis:[^\n]*: connected/ } 'hub listens';

for my $i (0 .. 2) {
	command($node[$i], 'client', name => "main$i", nsp => '/');
	command($node[$i], 'client', name => "match$i", nsp => '/match', rooms => $i ? [ 'blue', 7 ] : []);
	command($node[$i], 'client', name => "other$i", nsp => '/other');
}
my $hidden = '{"$base64":"AQID"}';
my $text = "gr\x{fc}\x{df}e \x{1f600} \"\\\n";

subtest 'to clients of all servers' => sub {
	my $c = $hub->unix;
	$c->join_session('match');
	my $big = 'x' x 40_000;
	my @say = (
		[ { type => 'move', data => { x => 7, y => -2.5, text => $text, deep => [ [], {}, [ undef, JSON::PP::true, JSON::PP::false ] ] } } ],
		[ { type => 'say', args => [ 'a', 1, 2**53, -1, 0.1, 1e300, -40, 200, 70_000 ] }, 'say', 'a', 1, 2**53, -1, 0.1, 1e300, -40, 200, 70_000 ],
		[ { type => 'none', args => [] }, 'none' ],
		[ { type => 'big', data => { text => $big, list => [ 1 .. 1000 ] } } ],
		[ { type => 'file', args => [ { '$base64' => 'AQID' }, { in => { '$base64' => '' } } ] }, 'file', { '$hex' => '010203' }, { in => { '$hex' => '' } } ]);
	for my $row (@say) {
		my ($message, @event) = @$row;
		$c->send($message);
		@event = ($message->{type}, $message->{data}) unless @event;
		is_deeply(event($node[$_], "match$_"), \@event, "$message->{type} to a client of server $_") for 0 .. 2;
	}
	$c->send({ type => 'odd', more => 1 });
	my $got = event($node[0], 'match0');
	is_deeply([ @{ $got->[1] }{qw(type more session_id)} ], [ 'odd', 1, 'match' ], 'any other record is the argument');
	like($got->[1]{seq}, qr/^\d+$/, 'with its number');
	event($node[$_], "match$_") for 1, 2;
	$c->send({ type => 'connect', data => {} });
	is(event($node[$_], "match$_")->[0], 'hub:record', 'a name that clients keep for themselves') for 0 .. 2;
	flush($node[0], 'other0', '/other');
	event($node[$_], "other$_") for 1, 2;
	is_deeply([ map { $_->{type} } $c->sync ], [qw(move say none big file odd connect)], 'its sender gets none of it twice');

	my $cat = run($hub->hubcat([ '-p', 'main' ]), in => qq({"type":"hello","data":{"n":1}}\n{"type":"hello","data":{"n":2}}\n));
	is($cat->{status}, 0, 'hubcat');
	for my $i (0 .. 2) {
		is_deeply(event($node[$i], "main$i"), [ 'hello', { n => $_ } ], 'the main namespace, in order') for 1, 2;
	}
};

subtest 'to a room' => sub {
	my $c = $hub->unix;
	$c->join_session('match~blue');
	$c->send({ type => 'kick', data => { n => 1 } });
	is_deeply(event($node[$_], "match$_"), [ 'kick', { n => 1 } ], 'who is in it gets it') for 1, 2;
	my $seven = $hub->unix;
	$seven->join_session('match~7');
	$seven->send({ type => 'seven', args => [] });
	is_deeply(event($node[$_], "match$_"), ['seven'], 'also by a number') for 1, 2;
	flush($node[0], 'match0', '/match');
	event($node[$_], "match$_") for 1, 2;
};

subtest 'from all servers' => sub {
	my %c = map { my $c = $hub->unix; $c->join_session($_); $_ => $c } 'match', 'main', 'match~blue', 'match~7', 'other';
	for my $i (0 .. 2) {
		my $n = $node[$i];
		command($n, 'emit', nsp => '/match', event => [ 'move', { n => $i, text => $text } ]);
		is_deeply(record($c{match}), { type => 'move', data => { n => $i, text => $text } }, "$n->{kind}: an object");
		command($n, 'emit', nsp => '/match', event => [ 'say', $i, 'a', undef, [ 1.5, -7, 300, 70_000, -40_000, 2**40 ], {} ]);
		is_deeply(record($c{match}), { type => 'say', args => [ $i, 'a', undef, [ 1.5, -7, 300, 70_000, -40_000, 2**40 ], {} ] }, 'several arguments');
		command($n, 'emit', nsp => '/match', event => [ 'file', { '$hex' => '010203' }, { '$date' => '2026-11-30T01:02:03.004Z' } ]);
		is_deeply(record($c{match}), { type => 'file', args => [ { '$base64' => 'AQID' }, '2026-11-30T01:02:03.004Z' ] }, 'binary, and a date');
		command($n, 'emit', nsp => '/match', event => [ 'vol', 1 ], flags => [ 'volatile' ], except => ['red']);
		is_deeply(record($c{match}), { type => 'vol', args => [1] }, 'volatile, but for a room');
		command($n, 'emit', nsp => '/match', event => [ 'blue', $i ], rooms => ['blue']);
		is_deeply(record($c{'match~blue'}), { type => 'blue', args => [$i] }, 'to a room');
		command($n, 'emit', nsp => '/match', event => [ 'both', $i ], rooms => [ 'blue', 7, 'no*room?' ], except => ['red']);
		is_deeply(record($c{$_}), { type => 'both', args => [$i] }, "to several: $_") for 'match~blue', 'match~7';
		command($n, 'emit', nsp => '/', event => [ 'presence', $i ]);
		is_deeply(record($c{main}), { type => 'presence', args => [$i], record => {} }, 'a type that hub takes for itself is a record');
		command($n, 'emit', nsp => '/match', event => [ 'here', $i ], flags => ['local']);
	}
	command($node[0], 'say', name => 'match0', event => [ 'hello', { from => 'a client' } ]);
	is_deeply(record($c{match}), { type => 'hello', data => { from => 'a client' } }, 'what a client has its server broadcast');
	command($node[0], 'emitter', nsp => '/match', event => [ 'news', { n => 1 } ]);
	is_deeply(record($c{match}), { type => 'news', data => { n => 1 } }, 'the emitter');
	command($node[1], 'emitter', nsp => '/match', event => [ 'news', { '$hex' => 'ff' } ], rooms => ['blue']);
	is_deeply(record($c{'match~blue'}), { type => 'news', args => [ { '$base64' => '/w==' } ] }, 'to a room, by the other client of Redis');
	command($node[0], 'emit', nsp => '/other', event => ['end']);
	is_deeply(record($c{other}), { type => 'end', args => [] }, 'and nothing else');
	command($node[0], 'emit', nsp => '/match', event => ['end']);
	is_deeply(record($c{match}), { type => 'end', args => [] }, 'anywhere');
	my ($stats) = $hub->get('/metrics')->{body} =~ /^hubd_socketio_dropped_total (\d+)/m;
	is($stats, 0, 'none was dropped');
};

subtest 'they do not notice' => sub {
	for my $n (@node) {
		is(command($n, 'count', nsp => '/match')->{servers}, 3, "$n->{kind}: there are as many servers as there are");
		is(scalar @{ command($n, 'fetch', nsp => '/match')->{sids} }, 3, 'fetchSockets() has all sockets, in time');
		ok(scalar(grep { $_ eq 'blue' } @{ command($n, 'rooms', nsp => '/match')->{rooms} }), 'allRooms() answers');
		command($n, 'serve', nsp => '/match');
	}
	is_deeply(command($node[0], 'server', nsp => '/match')->{answers}, [ 2, 2 ], 'serverSideEmitWithAck() has all answers');
	my $c = $hub->unix;
	$c->join_session('match');
	my $acks = command($node[0], 'ask', nsp => '/match', event => [ 'ask', 1 ])->{acks};
	is_deeply([ sort @$acks ], [ map { "from match$_" } 0 .. 2 ], 'emitWithAck() has the answers of all clients');
	is_deeply(record($c), { type => 'ask', args => [1] }, 'and is heard');
	command($node[1], 'join', nsp => '/match', from => 'blue', room => 'green');
	my $green = $hub->unix;
	$green->join_session('match~green');
	my $n = 0;
	becomes {
		$green->send({ type => 'green', args => [ ++$n ] });
		return slurp($node[2]{proc}{out}) =~ /"event":\["green"/;
	} 'who was put into a room from afar gets what goes there';
};

subtest 'what is no message' => sub {
	my $c = $hub->unix;
	$c->join_session('safe');
	my @bad = ('', 'x', '{', '{"type":7}', "\x93", "\x93\xa1a\xc0\xc0", "\xdd\xff\xff\xff\xff", "\xdf\x7f\xff\xff\xff\xa1a", "\xc1", ("\x91" x 5000) . "\xc0",
		"\x93\xa1a\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa5/safe\x80\xc0", "\x93\xa1a\x83\xa4type\x02\xa4data\xc0\xa3nsp\xa5/safe\x80",
		"\x93\xa1a\x83\xa4type\x02\xa4data\x92\xa1e" . ("\x91" x 70) . "\xc0\xa3nsp\xa5/safe\x80", "\x93\xa1a\x83\xa4type\x02\xa4data\x92\xa1e\xdb\xff\xff\xff\xff");
	publish(map { my $bad = $_; map { ("$prefix$_" => $bad) } '#/safe#', '#/safe#blue#', '-request#/safe#' } @bad);
	my $good = "\x93\xa1a\x83\xa4type\x02\xa4data\x92\xa4good\x07\xa3nsp\xa5/safe\x81\xa5rooms\x90";
	my $evil = $good =~ s/good/evil/r;
	publish('appXX#/safe#' => $evil, "$prefix#/other#" => $evil, "$prefix#/safe#" => $good);
	is_deeply(record($c), { type => 'good', args => [7] }, 'harms nothing');
	becomes { ($hub->get('/metrics')->{body} =~ /^hubd_socketio_dropped_total (\d+)/m)[0] >= @bad } 'and is counted';
	becomes { $hub->log_text =~ /bus-socketio: \d+ dropped, the last: / } 'and said';
};

subtest 'Redis goes and comes' => sub {
	my $c = $hub->unix;
	$c->join_session('match');
	$redis->cli('CLIENT', 'KILL', 'TYPE', $_) for 'pubsub', 'normal';
	$c->send({ type => 'after', args => [] });
	my $n = 0;
	becomes {
		$c->send({ type => 'again', args => [ ++$n ] });
		return slurp($node[0]{proc}{out}) =~ /"event":\["again",/;
	} 'hub is back and tells';
	becomes {
		command($node[1], 'emit', nsp => '/match', event => [ 'back', ++$n ]);
		return grep { /"type":"back"/ } @{ $c->{in} };
	} 'and hears';
};

$hub->stop;

subtest 'several hubs that share sessions' => sub {
	my @hub = map { $redis->hub(args => [ '--bus-node-timeout', 5, '--bus-socketio', $prefix, '--bus-socketio-redis', $redis->url ]) } 1 .. 3;
	my $key = "hub:socketio:$prefix";
	becomes { $redis->cli('GET', $key) } 'one has the lease';
	my @c = map { my $c = $_->unix; $c->join_session('match'); $c } @hub;
	my $far = $hub[2]->unix;
	$far->join_session('main~blue');
	my $n = 0;
	my $round = sub {
		my (@members) = @_;
		becomes {
			command($node[0], 'emit', nsp => '/match', event => [ 'begin', ++$n ]);
			return grep { /"type":"begin"/ } @{ $members[0]{in} };
		} 'it hears';
		# Whoever hears may have been too slow to renew the lease: then some are not heard, but none twice.
		my $whole;
		for (1 .. 20) {
			my ($first, $last) = ($n + 1, $n + 30);
			command($node[1], 'emit', nsp => '/match', event => [ 'count', ++$n ]) for $first .. $last;
			my $end = ++$n;
			wait_for {
				command($node[1], 'emit', nsp => '/match', event => [ 'end', $end ]);
				return grep { /"type":"end","args":\[$end\]/ } @{ $members[0]{in} };
			} 'the end';
			my @heard;
			for my $c (@members) {
				wait_for { grep { /"type":"end","args":\[$end\]/ } @{ $c->{in} } } 'the end';
				push @heard, join ',', map { /"type":"count","args":\[(\d+)\]/ } @{ $c->{in} };
				@{ $c->{in} } = ();
			}
			my %heard = map { $_ => 1 } @heard;
			is(scalar keys %heard, 1, 'all get the same');
			my @numbers = split /,/, $heard[0];
			is_deeply(\@numbers, [ grep { my $i = $_; grep { $_ == $i } @numbers } $first .. $last ], 'each once, in order');
			$whole = @numbers == 30;
			last if $whole;
		}
		ok($whole, 'and all that there is');
		for my $i (0 .. $#members) {
			$members[$i]->send({ type => 'told', args => [ ++$n ] });
			my $mine = $n;
			for my $node (@node) {
				lines($node, sub { json($_[0]{event} // []) eq qq(["told",$mine]) });
			}
		}
	};
	$round->(@c);
	command($node[1], 'emit', nsp => '/', rooms => ['blue'], event => [ 'far', 1 ]);
	is_deeply(record($far), { type => 'far', args => [1] }, 'also where the one that hears has not that session');
	for my $left (1, 0) {
		my $gone = pop @hub;
		pop @c;
		$left ? do { $gone->{proc}->kill('KILL'); $gone->forget } : $gone->stop;
		becomes { $redis->cli('GET', $key) } 'one has the lease still, or another';
		$round->(@c);
	}
	my @seen = map { json($_->{event}) } grep { ($_->{to} // '') eq 'match0' && $_->{event}[0] eq 'told' } map { unjson($_) } slurp($node[0]{proc}{out}) =~ /^(.*)\n/mg;
	my %seen;
	$seen{$_}++ for @seen;
	is_deeply([ grep { $seen{$_} != 1 } keys %seen ], [], 'servers were told each once');
	$_->stop for @hub;
	is($redis->cli('GET', $key), '', 'who ends gives it back');
};

close $_->{proc}{stdin} for @node;
$_->{proc}->wait for @node;

is(Hub->refuses('--bus-socketio', 'x', '--bus-socketio-redis', 'http://x')->{status}, 78, 'so is what is no Redis');
done_testing;

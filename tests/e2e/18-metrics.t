# The numbers of /metrics are right: what clients of every door have said and got, each error and refusal by
# its name, members that were too slow, resumes, commits. What only grows never shrinks, and a look at it costs
# the same however many sessions there are.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Metrics;

my $false = JSON::PP::false();
my ($key, $cert) = map { scratch() . "/$_.pem" } 'key', 'cert';
run([ 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', $key,
		'-out', $cert, '-days', '2', '-subj', '/CN=localhost' ]);

sub secure { return ('openssl', 's_client', '-quiet', '-connect', "127.0.0.1:$_[0]{port}") }

sub https {
	my ($hub) = @_;
	my $got = run([ secure($hub), '-ign_eof' ], in => "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	return $got->{out} =~ s/.*?\r\n\r\n//sr;
}

# What has changed, but for what is not told to be.
sub changes {
	my ($before, $after, @names) = @_;
	my $names = join '|', map { quotemeta } @names;
	return { map { ($after->{$_} != $before->{$_}) ? ($_ => $after->{$_} - $before->{$_}) : () }
		    grep { /^(?:$names)(?:\{|$)/ } keys %$after };
}

sub by { my ($label, $name, %n) = @_; return map { (qq($name\{$label="$_"\}) => $n{$_}) } keys %n }

# All that a client got, but for the answer to its join, which was taken out.
sub messages { my $n = 0; $n += @{ $_->{in} } + @{ $_->{presence} } + 1 for @_; return $n }

# Both TCP doors are either plain or not.
for my $tls (0, 1) {
	my ($http, $ws) = $tls ? ('https', 'wss') : ('http', 'ws');
	subtest "traffic over unix and $ws" => sub {
		my $hub = Hub->start(workers => 3, args => $tls ? [ '--tls-cert', $cert, '--tls-key', $key ] : []);
		my $look = sub { return scrape($hub, $tls ? (get => sub { https($hub) }) : ()) };
		my $before = $look->();
		my %m = (unix => [ map { $hub->unix } 1 .. 2 ],
			$ws => [ map { $tls ? Hub::Client->ws($hub->{port}, command => [ secure($hub) ]) : $hub->ws } 1 .. 3 ]);
		my @all = map { @$_ } values %m;
		$_->join_session('secret-name') for @all;
		# A member that does not want its own.
		$m{unix}[1]->join_session('secret-name', echo => $false);
		my $said = 0;
		my $text = sub { my $t = qq({"type":"n","timestamp":1,"x":"$_[0]"}); $said += 1 + length $t; return $t };
		my $joined = $look->();
		is_deeply(changes($before, $joined, qw(hubd_members hubd_joins_total hubd_sessions)),
			{ by(door => hubd_members => unix => 2, $ws => 3), by(door => hubd_joins_total => unix => 2, $ws => 3),
				hubd_sessions => 1 }, 'members');
		is($joined->{qq(hubd_connections{door="$_"})}, scalar @{ $m{$_} }, "$_: connections") for keys %m;
		cmp_ok($joined->{qq(hubd_connections{door="$http"})}, '>=', 1, 'and who asks');

		$m{unix}[0]->send_text(map { $text->($_) } 1 .. 30);
		$m{unix}[1]->send_text(map { $text->($_) } 1 .. 20);
		$m{$ws}[0]->send_text(map { qq({"type":"n","timestamp":1,"msg_id":"m$_"}) } 1 .. 10);
		$m{$ws}[1]->send_text(qq({"type":"n","to":"$m{unix}[0]{id}"})) for 1 .. 4;
		my %due = (unix => 60 + 40 + 4, $ws => 3 * 60 + 10);
		wait_for {
			!grep { my $n = 0; $n += @{ $_->{in} } for @{ $m{$_} }; $n < $due{$_} } keys %m
		} 'all that is due';
		$_->sync for @all;    # nothing else comes
		my $after = $look->();
		my %got = map { $_ => messages(@{ $m{$_} }) } keys %m;
		is_deeply(changes($joined, $after, qw(hubd_records_total hubd_deliveries_total hubd_acks_total
				hubd_direct_messages_total hubd_messages_received_total hubd_errors_total)),
			{
				hubd_records_total => 60, hubd_acks_total => 10, hubd_direct_messages_total => 4,
				by(door => hubd_deliveries_total => unix => 100, $ws => 180),
				by(door => hubd_messages_received_total => unix => 52, $ws => 17)
			}, 'what was said, and delivered');
		is(scalar @{ $_->{in} }, 0, 'nothing is left') for @all;
		my $bodies = changes($joined, $after, 'hubd_record_bytes_total')->{hubd_record_bytes_total};
		cmp_ok($bodies, '>', 60 * 40, 'bytes of records');
		my $in = changes($joined, $after, 'hubd_received_bytes_total');
		my $pings = 2 * length '{"type":"ping","ping_id":"syncN"}' . "\n";
		my $more = $in->{'hubd_received_bytes_total{door="unix"}'} - $said - $pings;
		ok($more >= 0 && $more <= 8, "unix: bytes in ($more)");
		cmp_ok($in->{qq(hubd_received_bytes_total{door="$ws"})}, '>', 14 * 20, "$ws: bytes in");

		my $sent = changes($before, $after, qw(hubd_messages_sent_total hubd_sent_bytes_total));
		my ($bytes, $messages) = (0, $sent->{'hubd_messages_sent_total{door="unix"}'});
		$bytes += $_->{bytes_in} for @{ $m{unix} };
		is($sent->{'hubd_sent_bytes_total{door="unix"}'}, $bytes + $messages, 'unix: bytes out, line feeds among them');
		# Joins, one more, records, direct messages, pongs, presence.
		my $presence = 0;
		$presence += @{ $_->{presence} } for @{ $m{unix} };
		is($messages, 2 + 1 + 100 + 4 + 2 + $presence, 'unix: messages out');
		for ($bytes = 0; my $c = shift @{ $m{$ws} };) {
			$bytes += $c->{bytes_in};
			$c->vanish;
			$c->{proc}->kill('KILL') if $c->{proc};
		}
		cmp_ok($sent->{qq(hubd_sent_bytes_total{door="$ws"})}, '>=', $bytes, "$ws: bytes out");
		cmp_ok($after->{hubd_delivery_seconds_count}, '>=', 2, 'deliveries took their time');
		cmp_ok($after->{hubd_loop_lag_seconds_count}, '>=', 2, 'and so did events');
		becomes { my $now = $look->(); !$now->{qq(hubd_members{door="$ws"})} && !$now->{qq(hubd_connections{door="$ws"})} }
		'who goes is no member';
		$hub->stop;
	};
}

subtest 'errors' => sub {
	my $hub = Hub->start(args => [ '--max-members', 2, '--max-sessions', 2, '--state-keys', 1, '--max-message', 1000 ]);
	my $before = scrape($hub);
	my $c = $hub->member('unix', 'full');
	my $ws = $hub->member('ws', 'full');
	my $third = $hub->unix;
	my %want;
	for my $case (
		[ bad_json => $c, '{' ], [ bad_json => $c, "{\"type\":\"\xff\"}" ], [ bad_type => $c, '{"type":7}' ],
		[ bad_field => $c, '{"type":"session_associate","session_id":"full","echo":1}' ],
		[ bad_session_id => $c, '{"type":"t","session_id":"?"}' ], [ too_large => $c, '{"type":"' . 'x' x 1000 . '"}' ],
		[ no_session => $third, '{"type":"t"}' ], [ not_member => $c, '{"type":"t","session_id":"other"}' ],
		[ not_member => $c, '{"type":"t","to":"00000000000"}' ], [ unauthorized => $c, '{"type":"authenticate"}' ],
		[ forbidden => $ws, '{"type":"session_list"}' ],
		[ session_full => $third, '{"type":"session_associate","session_id":"full"}' ],
		[ undef, $c, '{"type":"t","key":"a"}' ], [ session_full => $c, '{"type":"t","key":"b"}' ],
		[ undef, $c, '{"type":"session_associate","session_id":"two"}' ],
		[ hub_full => $c, '{"type":"session_associate","session_id":"three"}' ])
	{
		my ($code, $from, $text) = @$case;
		$from->send_text($text);
		next if !$code;
		is($from->wait_type('error')->{data}{code}, $code, $code);
		$want{$code}++;
	}
	# Lines of a request, each by its code; and what cannot be read on.
	my $post = Hub::Http->open($hub);
	my $lines = join "\n", '{"type":"t"', '{"type":7}', '{"type":"ping"}', '{"type":"t","text":"' . 'x' x 1000 . '"}', '{"type":"ok"}', '';
	$post->send_bytes("POST /sessions/full/records HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
		    . "Transfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n%s\r\nnonsense\r\n", length $lines, $lines));
	my @codes = map { $_->{type} eq 'error' ? $_->{data}{code} : $_->{type} } @{ $post->answer->{lines} };
	is_deeply(\@codes, [qw(bad_json bad_type bad_type too_large ack bad_request)], 'lines of a request');
	$want{$_}++ for grep { $_ ne 'ack' } @codes;
	my $after = scrape($hub);
	is_deeply(changes($before, $after, 'hubd_errors_total'), { by(code => hubd_errors_total => %want) }, 'each by its code');
	my $sum = 0;
	$sum += $_ for values %want;
	is($hub->health->{errors}, $sum, 'and as many in /healthz');
	$hub->stop;
};

subtest 'refusals' => sub {
	my $hub = Hub->start(args => [ '--header-timeout', 1, '--max-header', 1024, '--max-connections', 5 ]);
	my $before = scrape($hub);
	my $host = "HTTP/1.1\r\nHost: localhost\r\n";
	my %want;
	for my $case (
		[ bad_request => 400, "GET / HTTP/1.1\r\n\r\n" ], [ not_found => 404, "GET /nothing $host\r\n" ],
		[ method_not_allowed => 405, "DELETE /metrics $host\r\n" ],
		[ length_required => 411, "POST /sessions/s/records ${host}\r\n" ],
		[ body_too_large => 413, "POST / ${host}Content-Length: 1000000\r\n\r\n" ],
		[ target_too_long => 414, 'GET /' . 'x' x 2000 . " $host\r\n" ],
		[ expectation_failed => 417, "GET / ${host}Expect: more\r\n\r\n" ],
		[ misdirected => 421, "GET https://localhost/ $host\r\n" ], [ upgrade_required => 426, "GET /ws $host\r\n" ],
		[ header_too_large => 431, "GET / ${host}X: " . 'x' x 2000 . "\r\n\r\n" ],
		[ not_implemented => 501, "BREW / $host\r\n" ], [ http_version => 505, "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n" ],
		[ header_timeout => 408, "GET / $host" ])
	{
		my ($reason, $status, $request) = @$case;
		is($hub->get('/', raw => $request)->{status}, $status, $reason);
		$want{$reason}++;
	}
	my $after = scrape($hub);
	is_deeply(changes($before, $after, 'hubd_refusals_total'), { by(reason => hubd_refusals_total => %want) },
		'each by its reason');

	# At the limit the silent one goes, and where none is, the new one.
	wait_for { $hub->health->{connections} == 1 } 'the others to end';
	my $silent = $hub->tcp;
	wait_for { $hub->health->{connections} == 2 } 'the silent one to be there';
	my @in;
	while (@in < 5) {
		wait_for { push @in, eval { $hub->member('unix', 's') } // () } 'a place';
	}
	my $new = $hub->unix;
	becomes { $new->{gone} } 'one more is turned away';
	pop(@in)->vanish;
	my $now;
	wait_for { $now = eval { scrape($hub) } } 'room to ask';
	my $refused = changes($after, $now, 'hubd_refusals_total');
	cmp_ok($refused->{'hubd_refusals_total{reason="connection_limit"}'}, '>=', 1, 'connection_limit');
	cmp_ok($refused->{'hubd_refusals_total{reason="idle_evicted"}'}, '>=', 1, 'idle_evicted');
	is($now->{'hubd_refusals_total{reason="connection_limit"}'}, $hub->health->{refused}, 'as in /healthz');
	$hub->stop;

	$hub = Hub->start(args => [ '--tls-cert', $cert, '--tls-key', $key ]);
	my $c = $hub->tcp;
	$c->send_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	$c->closed;
	is(scrape($hub, get => sub { https($hub) })->{'hubd_refusals_total{reason="tls_handshake"}'}, 1, 'tls_handshake');
	$hub->stop;
};

subtest 'a member that does not read' => sub {
	my $hub = Hub->start(args => [ qw(--history 16 --history-bytes 64k --slow-after 0) ]);
	my $before = scrape($hub);
	my $stalled = $hub->ws(rcvbuf => 4096);
	$stalled->join_session('s');
	my $sender = $hub->member('unix', 's', echo => $false);
	$stalled->{reading} = 0;
	my ($n, $kernel, $unsent) = (0, 0, 0);
	my $body = 'x' x 8000;
	wait_for {
		$sender->send_text(map { qq({"type":"load","d":"$body"}) } 1 .. 5);
		$sender->sync;
		my $now = scrape($hub);
		$unsent = $now->{'hubd_memory_bytes{kind="unsent"}'} || $unsent;
		# It is looked at once a second, and not yet given up: more comes only then.
		if ($unsent && !$kernel) {
			wait_for { $kernel = scrape($hub)->{'hubd_socket_buffer_bytes{direction="send"}'} } 'a look at sockets';
		}
		$now->{hubd_slow_disconnects_total};
	} 'it to be found out';
	cmp_ok($unsent, '>', 1000, "unsent bytes: $unsent");
	cmp_ok($kernel, '>', 4000, "and the kernel's: $kernel");
	my $now = scrape($hub);
	is($now->{hubd_slow_disconnects_total}, $hub->health->{slow_disconnects}, 'as in /healthz');
	$stalled->vanish;
	becomes { !scrape($hub)->{'hubd_memory_bytes{kind="unsent"}'} } 'nothing is unsent when it is gone';
	is(scrape($hub)->{"hubd_memory_bytes{kind=\"$_\"}"}, 0, "nor is there more ($_)") for 'answers', 'half_received';
	$hub->stop;

	$hub = Hub->start(args => [ qw(--history 16 --history-bytes 64k --slow-after 0 --slow resync) ]);
	$stalled = $hub->ws(rcvbuf => 4096);
	$stalled->join_session('s');
	$sender = $hub->member('unix', 's', echo => $false);
	$stalled->{reading} = 0;
	for (1 .. 60) {
		$sender->send_text(map { qq({"type":"load","d":"$body"}) } 1 .. 10);
		$sender->sync;
	}
	$stalled->{reading} = 1;
	$stalled->wait_type('gap');
	my $resyncs = scrape($hub)->{hubd_slow_resyncs_total};
	cmp_ok($resyncs, '>=', 1, 'one that may go on');
	is($hub->health->{slow_resyncs}, $resyncs, 'as in /healthz');
	$hub->stop;
};

subtest 'half a message' => sub {
	my $hub = Hub->start;
	my $half = sub { return scrape($hub)->{'hubd_memory_bytes{kind="half_received"}'} };
	my ($unix, $ws, $http) = ($hub->unix, $hub->ws, $hub->tcp);
	is($half->(), 0, 'nothing yet');
	$unix->send_bytes('{"type":"' . 'x' x 1000);
	$ws->frame(1, '{"type":"' . 'x' x 1000, fin => 0);
	$http->send_bytes("GET / HTTP/1.1\r\nX: " . 'x' x 1000);
	becomes { $half->() >= 3000 } 'three halves are counted';
	cmp_ok($half->(), '<', 6000, 'about as they are');
	$_->abort for $unix, $ws, $http;
	becomes { $half->() == 0 } 'and gone with their connections';
	$hub->stop;
};

subtest 'resumes' => sub {
	my $hub = Hub->start(args => [ qw(--history 4 --history-bytes 0) ]);
	my $m = $hub->member('unix', 's');
	$m->send_text(map { '{"type":"t","x":"' . 'x' x 2000 . '"}' } 1 .. 100);
	$m->next for 1 .. 100;
	my $before = scrape($hub);
	my $late = $hub->unix;
	ok($late->join_session('s', since => 100)->{recovered}, 'all is there');
	ok($late->join_session('s', since => 99)->{recovered}, 'the last one is');
	is($hub->unix->join_session('s', since => 1)->{reason}, 'trimmed', 'what is not');
	is($hub->unix->join_session('s', since => 200)->{reason}, 'epoch_changed', 'what never was');
	is($hub->unix->join_session('s', since => 1, epoch => 'x')->{reason}, 'epoch_changed', 'what was elsewhere');
	$hub->unix->join_session('s');
	is_deeply(changes($before, scrape($hub), 'hubd_resumes_total'),
		{ by(result => hubd_resumes_total => ok => 2, trimmed => 1, epoch_changed => 2) }, 'each by its result');
	$hub->stop;
};

subtest 'the store' => sub {
	my $store = scratch() . '/store.db';
	my $hub = Hub->start(args => [ '--store', $store ]);
	my $m = $hub->member('ws', 's');
	$m->send_text(map { qq({"type":"t","msg_id":"$_","key":"$_"}) } 1 .. 10);
	$m->wait_type('ack') for 1 .. 10;
	my $now = scrape($hub);
	is($now->{hubd_acks_total}, 10, 'acks');
	ok($now->{hubd_commit_seconds_count} >= 1 && $now->{hubd_commit_seconds_count} <= 10, 'commits');
	cmp_ok($now->{hubd_commit_seconds_sum}, '>', 0, 'that took their time');
	cmp_ok($now->{"hubd_memory_bytes{kind=\"$_\"}"}, '>', 0, "memory for $_") for qw(log state dedup sessions members connections);
	my $all = 0;
	$all += $now->{"hubd_memory_bytes{kind=\"$_\"}"} for qw(log state dedup retained);
	is($all, $now->{hubd_history_bytes}, 'which is all that counts as history');
	is($now->{hubd_history_bytes}, $hub->health->{history_bytes}, 'as in /healthz');
	is("$now->{hubd_store_failing} $now->{hubd_commit_failures_total}", '0 0', 'nothing fails');

	# Somebody else's lock.
	my $lock = spawn([ 'sqlite3', $store ], in => 'pipe');
	$lock->{stdin}->autoflush(1);
	print { $lock->{stdin} } "BEGIN IMMEDIATE; SELECT 'held';\n";
	wait_for { slurp($lock->{out}) =~ /held/ } 'the lock';
	$m->send_text('{"type":"t"}');
	becomes { my $n = scrape($hub); $n->{hubd_store_failing} == 1 && $n->{hubd_commit_failures_total} >= 1 } 'a failure is seen';
	close $lock->{stdin};
	$lock->wait;
	becomes { !scrape($hub)->{hubd_store_failing} } 'and that it is over';
	$hub->stop;
};

subtest 'a look costs the same' => sub {
	my $hub = Hub->start(workers => 4);
	my $small = $hub->get('/metrics')->{body};
	my @members = map { $hub->client($_ % 2 ? 'ws' : 'unix') } 1 .. 16;
	for my $i (0 .. 999) {
		$members[ $i % 16 ]->send({ type => 'session_associate', session_id => "a-secret-$i" });
	}
	$_->sync for @members;
	my $large = $hub->get('/metrics')->{body};
	is(parse_metrics($large)->{value}{hubd_sessions}, 1000, '1,000 sessions');
	my $lines = sub { scalar split /\n/, $_[0] };
	is($lines->($large), $lines->($small), 'as many lines as for none');
	cmp_ok(length $large, '<', 24_000, 'and ' . length($large) . ' bytes');
	unlike($large, qr/secret/, "a session's name is no label");

	# Many at once, each one behind the other on its connection, while there is traffic.
	my $agree = 1;
	my @askers = map { $hub->tcp } 1 .. 10;
	my $request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	$_->send_bytes($request x 9 . $request =~ s/\r\n\z/Connection: close\r\n\r\n/r) for @askers;
	$members[0]->send(map { { type => 't', session_id => 'a-secret-0' } } 1 .. 100);
	wait_for { !grep { !$_->{gone} } @askers } 'all answers', undef, @askers;
	for my $c (@askers) {
		my @pages = split /HTTP\/1\.1 200 OK\r\n.*?\r\n\r\n/s, $c->{body};
		is(scalar @pages, 10, 'ten answers');
		my $before = -1;
		for my $value (map { parse_metrics($_)->{value} } @pages) {
			$agree &&= $value->{hubd_loop_lag_seconds_count} >= $before && $value->{hubd_sessions} == 1000;
			$before = $value->{hubd_loop_lag_seconds_count};
		}
	}
	ok($agree, 'each is whole, and nothing goes back');
	$hub->stop;
};

subtest 'HTTP' => sub {
	my $hub = Hub->start(workers => 2);
	my $c = $hub->get('/metrics');
	is($c->{status}, 200, 'GET');
	is($c->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'Content-Type');
	$c = $hub->get('/metrics', method => 'HEAD');
	is($c->{status}, 200, 'HEAD');
	cmp_ok($c->{headers}{'content-length'}, '>', 5000, 'as long');
	is($c->{body}, '', 'but empty');
	is($hub->get('/metrics', method => 'POST')->{status}, 405, 'POST');
	is($hub->get('/metrics?name[]=x')->{status}, 200, 'a query does no harm');
	my ($health, $now) = ($hub->health, scrape($hub));
	is($now->{$_->[1]}, $health->{ $_->[0] }, "$_->[0]: as in /healthz")
	    for [ records => 'hubd_records_total' ], [ record_bytes => 'hubd_record_bytes_total' ],
	    [ direct => 'hubd_direct_messages_total' ], [ dead => 'hubd_dead_connections_total' ], [ sessions => 'hubd_sessions' ];
	is($now->{hubd_connections_accepted_total}, $health->{accepted} + 1, 'accepted: one more');
	my $pid = $hub->pid;
	# The one more is who asks.
	becomes { scrape($hub)->{process_open_fds} == 1 + (() = glob "/proc/$pid/fd/*") } 'descriptors';
	cmp_ok(abs($now->{process_resident_memory_bytes} / 1024 - $hub->rss), '<', 2048, 'resident memory') if no_sanitizer();
	cmp_ok(abs($now->{process_start_time_seconds} - time), '<', 900, 'when it started');
	cmp_ok($now->{process_cpu_seconds_total}, '>', 0, 'CPU time');
	is($now->{'hubd_build_info{version="' . $health->{version} . '"}'}, 1, 'version');
	is($now->{hubd_workers}, 2, 'workers');
	$hub->stop;
};

done_testing;

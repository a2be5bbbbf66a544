# With a store a session outlives hubd and its memory: epoch, head, state, what was acknowledged, and every
# record that --keep-records and --keep-days leave.
use strict;
use warnings;
use Hub;
use Hub::Store;

my $no = JSON::PP::false();
my @small = ('--history', 1, '--history-bytes', 0, '--slow-after', 0);

sub publish {
	my ($client, $n, %more) = @_;
	my $start = $client->{published} || 0;
	$client->send(map { { type => 't', n => $_, %more } } $start + 1 .. $start + $n);
	$client->{published} = $start + $n;
}

subtest 'a restart' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir);
	my $a = $hub->member('ws', 's');
	my $b = $hub->member('unix', 's');
	my $epoch = $a->{joined}{epoch};
	my $seq = send_acked($a, 'one', "two \x{e9}");
	is_deeply($seq, { one => 1, "two \x{e9}" => 2 }, 'two acks');
	$a->send(
		{ type => 'place', key => 'k', v => 1 },
		{ type => 'place', key => 'k', v => 2 },
		{ type => 'entity_created', entity => { id => "nul\0\x{1f600}" } },
		{ type => 'entity_created', entity => { id => 'e' }, msg_id => 'e' },
		{ type => 'entity_created', entity => { id => 'f' } },
		{ type => 'entity_deleted', entity => { id => 'e' } });
	$a->wait_type('ack');
	$b->sync;
	wait_for { $b->sync; seqs($a) == 8 } 'all records';
	my @before = grep { /"seq":\d+\}$/ && !/"type":"ack"/ } @{ $a->{in} };
	my $me = $a->{id};
	$hub->stop;

	$hub = store_hub($dir);
	my $c = $hub->member('ws', 's');
	is($c->{joined}{epoch}, $epoch, 'the epoch is the same');
	is($c->{joined}{seq}, 8, 'so is the head');
	is($c->{joined}{snapshot}, 3, 'and the state');
	my @state = map { $c->next } 1 .. 3;
	is_deeply([ map { $_->{seq} } @state ], [ 4, 5, 7 ], 'oldest first, under their own seq');
	is($state[1]{entity}{id}, "nul\0\x{1f600}", 'a key may be any text');
	my $d = $hub->member('unix', 's', since => 0, epoch => $epoch);
	ok($d->{joined}{recovered}, 'everything can be had from the store');
	wait_for { @{ $d->{in} } >= 8 } 'the records';
	is_deeply($d->{in}, \@before, 'byte for byte as they were');
	is($d->{in}[0] =~ /"from":"(.{11})"/ && $1, $me, 'with who sent them');
	my $e = $hub->client('unix');
	my $joined = $e->join_session('s', resume => $a->{joined}{resume}, since => 8, epoch => $epoch);
	is($joined->{client_id}, $me, 'who comes back is who it was');
	ok($joined->{recovered}, 'and is where it was');
	is_deeply(send_acked($e, "two \x{e9}", 'one', 'e'), { 'one' => 1, "two \x{e9}" => 2, e => 6 },
		'a repeat is acked with the first seq');
	is($hub->member('unix', 's')->{joined}{seq}, 8, 'and not logged again');
	is_deeply(send_acked($d, 'one'), { one => 9 }, 'the same id of somebody else is another message');
	my $never = $hub->member('unix', 'never', since => 5, epoch => $epoch);
	is($never->{joined}{reason}, 'epoch_changed', 'an unknown session is new');
	$hub->stop;
};

subtest 'acks come when the disk has it' => sub {
	my $dir = store_dir();
	my $hub = still_hub($dir) or plan skip_all => 'no library can be made here';
	my $a = $hub->member('unix', 's');
	send_acked($a, 'first');
	my $release = still($dir);
	$a->send({ type => 't', msg_id => 'second' });
	wait_for { grep { $_ == 2 } seqs($a) } 'the record to be sent to the members';
	$a->sync for 1 .. 5;
	ok(!(grep { /"type":"ack"/ } @{ $a->{in} }), 'no ack while it is not written');
	$release->();
	is($a->wait_type('ack')->{seq}, 2, 'it comes when it is');
	becomes { sql("$dir/store.db", 'SELECT max(seq) FROM record') == 2 } 'and the database gets it';
	# Somebody else who writes there holds up no ack.
	$release = hold("$dir/store.db");
	is_deeply(send_acked($a, 'third'), { third => 3 }, 'nobody waits for the database');
	$release->();
	becomes { sql("$dir/store.db", 'SELECT max(seq) FROM record') == 3 } 'which gets it when it can';
	$hub->stop;
};

subtest 'further back than the memory' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir, args => \@small);
	my $a = $hub->member('unix', 's');
	publish($a, 3000, pad => 'x' x 200);
	wait_for { seqs($a) == 3000 } 'the sender to have all';
	send_acked($a, 'last');
	for my $t ('ws', 'unix') {
		my $b = $hub->member($t, 's', since => 7, epoch => $a->{joined}{epoch});
		ok($b->{joined}{recovered}, "$t: since is in the store");
		my $head = $b->{joined}{seq};
		wait_for { @{ $b->{in} } >= $head - 7 } "$t: the records";
		is_deeply([ seqs($b) ], [ 8 .. $head ], "$t: each once, in order");
		$b->{in} = [];
		$a->{in} = [];
		publish($a, 1);
		wait_for { @{ $b->{in} } } "$t: a live one";
		is($b->next->{n}, $a->{published}, "$t: then live");
	}
	my $first = ($hub->member('unix', 's'))->{joined}{seq};
	my $mute = $hub->member('ws', 's', since => 0, echo => $no);
	ok($mute->{joined}{recovered}, 'since 0 is all');
	wait_for { @{ $mute->{in} } >= $first } 'all of it';
	is_deeply([ seqs($mute) ], [ 1 .. $first ], 'echo:false keeps the records of others');
	$mute->{in} = [];
	publish($mute, 500, pad => 'y' x 100);
	$mute->send({ type => 'ping' });
	$mute->wait_type('pong');
	publish($a, 1);
	wait_for { @{ $mute->{in} } } "another's record";
	is_deeply([ seqs($mute) ], [ $first + 501 ], 'and its own stay away');
	my $again = $hub->client('ws');
	$again->join_session('s', since => $first, echo => $no, resume => $mute->{joined}{resume});
	is($again->{id}, $mute->{id}, 'it comes back');
	wait_for { @{ $again->{in} } } "another's record";
	is_deeply([ seqs($again) ], [ $first + 501 ], 'its own stay away when they are read from the store');
	$hub->stop;
};

subtest 'a lagging member reads on from the store' => sub {
	for my $policy ('disconnect', 'resync') {
		my $dir = store_dir();
		my $hub = store_hub($dir, args => [ @small, '--slow', $policy, '--sync', 'off' ]);
		my $a = $hub->member('unix', 's', echo => $no);
		my @slow = ($hub->member('unix', 's'), $hub->member('ws', 's'));
		$_->{reading} = 0 for @slow;
		my $pad = 'z' x 4000;
		for (1 .. 10) {
			publish($a, 200, pad => $pad);
			send_acked($a, "m$_");
		}
		# More than the sockets hold is not in memory any more.
		$_->{reading} = 1 for @slow;
		for my $c (@slow) {
			wait_for { seqs($c) >= 2010 || $c->{gone} } 'the records';
			is_deeply([ seqs($c) ], [ 1 .. 2010 ], "$policy, $c->{kind}: all, in order");
			ok(!(grep { /"type":"gap"/ } @{ $c->{in} }), "$policy, $c->{kind}: no gap");
			ok($c->alive, "$policy, $c->{kind}: not thrown out");
		}
		my $health = $hub->health;
		is($health->{slow_disconnects} + $health->{slow_resyncs}, 0, "$policy: nobody is slow");
		$hub->stop;
	}
};

subtest 'pruning' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir, args => [ @small, '--keep-records', 100 ]);
	my $a = $hub->member('unix', 's', echo => $no);
	my $other = $hub->member('unix', 'other', echo => $no);
	publish($other, 50);
	send_acked($other, 'o');
	$a->send({ type => 'place', key => 'k', v => 1 });
	# In steps, for memory keeps what is not stored yet. Each is a batch.
	for (1 .. 100) {
		publish($a, 49, pad => 'p' x 100);
		send_stored("$dir/store.db", 's', $a, "last$_");
	}
	my $head = 5001;
	my $of = sub { "session = (SELECT id FROM session WHERE name = '$_[0]')" };
	my $tail = sub { sql("$dir/store.db", 'SELECT min(seq) FROM record WHERE ' . $of->('s')) };
	becomes { $tail->() > $head - 150 } 'old records go';
	$hub->stop;    # more of them may be on their way out; and what memory holds is not what is looked at
	my $first = $tail->();
	cmp_ok($first, '<=', $head - 99, 'as many are kept as was said, and what the same commit stored');
	is(sql("$dir/store.db", 'SELECT count(*), max(seq) FROM record WHERE ' . $of->('s')),
		$head + 1 - $first . "|$head", 'without a hole');
	is(sql("$dir/store.db", 'SELECT count(*) FROM record WHERE ' . $of->('other')), 51,
		'a session with fewer keeps them all');
	$hub = store_hub($dir, args => \@small);
	my $old = $hub->member('unix', 's', since => 10);
	is($old->{joined}{reason}, 'trimmed', 'since before what is kept is trimmed');
	is($old->{joined}{snapshot}, 1, 'the state is not pruned');
	my $edge = $hub->member('ws', 's', since => $first - 1);
	ok($edge->{joined}{recovered}, 'since at the edge is not');
	wait_for { @{ $edge->{in} } > $head - $first } 'what is kept';
	is_deeply([ seqs($edge) ], [ $first .. $head ], 'and gives what is kept');
	my $middle = $hub->member('ws', 's', since => $head - 30);
	wait_for { @{ $middle->{in} } >= 30 } 'the end of it';
	is_deeply([ seqs($middle) ], [ $head - 29 .. $head ], 'also from the middle of a batch');
	my $all = $hub->member('unix', 's', since => 0);
	is($all->{joined}{reason}, 'trimmed', 'since 0 says that it begins later');
	is_deeply([ @{ $all->wait_type('gap') }{qw(from_seq to_seq)} ], [ 1, $first - 1 ], 'in a gap');
	wait_for { @{ $all->{in} } > $head - $first } 'what is kept';
	is_deeply([ seqs($all) ], [ $first .. $head ], 'then what is kept');
	# A batch each, to tell apart by their age.
	my $b = $hub->member('unix', 's', echo => $no);
	send_stored("$dir/store.db", 's', $b, "late$_") for 1 .. 20;
	send_acked($hub->member('unix', $_), 'x') for 'first', 'second';
	$head += 20;
	$hub->stop;

	# What is older than the days said goes, but never from the middle, whatever the clock did.
	my $day = 86_400_000;
	my $now = int(time * 1000);
	my $stays = $head - 15;
	sql("$dir/store.db", "UPDATE batch SET time = $now - 3 * $day WHERE seq <= $head - 10"
		    . " AND seq != $stays AND " . $of->('s'));
	$hub = store_hub($dir, args => [ @small, '--keep-days', 2 ]);
	becomes { $tail->() == $stays } 'days pass';
	# A second look, when all sessions have had another turn: nothing behind the first that stays has gone.
	my $later = $hub->member('unix', 's', since => $stays - 1, echo => $no);
	ok($later->{joined}{recovered}, 'what is left can be had');
	wait_for { @{ $later->{in} } >= 16 } 'what is left';
	for my $turn ('first', 'second') {
		sql("$dir/store.db", "UPDATE batch SET time = $now - 3 * $day WHERE " . $of->($turn));
		wait_for { sql("$dir/store.db", 'SELECT count(*) FROM record WHERE ' . $of->($turn)) == 0 } "a $turn turn";
	}
	is_deeply([ seqs($later) ], [ $stays .. $head ], 'without a hole');
	is(sql("$dir/store.db", 'SELECT count(*) FROM record WHERE ' . $of->('s')), 16, 'it is still there');
	sql("$dir/store.db", "UPDATE batch SET time = $now - 3 * $day");
	becomes { sql("$dir/store.db", 'SELECT count(*) FROM record') == 0 } 'more days pass';
	$hub->stop;
};

subtest 'the schema' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir);
	my $a = $hub->member('unix', 'match-1');
	my $start = Time::HiRes::time();
	$a->send({ type => 'place', key => 'k', v => 1 }, { type => 'note', msg_id => 'm', text => "it's" });
	$a->wait_type('ack');
	my $db = "$dir/store.db";
	is(sql($db, 'SELECT name, head FROM session'), 'match-1|2', 'sessions, while hubd runs');
	is(sql($db, 'SELECT seq, type, sender FROM record ORDER BY seq'),
		"1|place|$a->{id}\n2|note|$a->{id}", 'records');
	is(sql($db, "SELECT json_extract(body, '\$.text') FROM record JOIN session s ON s.id = session"
			    . " WHERE s.name = 'match-1' AND type = 'note'"), "it's", 'whose body is JSON');
	my $time = sql($db, 'SELECT time FROM record WHERE seq = 1') / 1000;
	ok($time > $start - 1 && $time < Time::HiRes::time() + 1, 'with the time');
	is(sql($db, 'SELECT key, type, seq FROM state'), 'k|place|1', 'the state');
	is(sql($db, 'SELECT seq FROM ack'), 2, 'what was acknowledged');
	is(sql($db, 'PRAGMA user_version'), 5, 'the version of the schema');
	is(sql($db, 'PRAGMA journal_mode'), 'wal', 'in WAL mode');
	$hub->stop;
	is_deeply([ grep { -e "$db-$_" } qw(wal shm redo1 redo2) ], [], 'an orderly end leaves one file');
	is(sql($db, 'PRAGMA integrity_check'), 'ok', 'which is sound');
	sql($db, 'PRAGMA user_version = 6');
	my $newer = Hub->refuses('--listen', 'none', '--socket', "$dir/hub.sock", '--store', $db);
	is($newer->{status}, 78, 'one made by a newer hubd is refused');
	like($newer->{err}, qr/newer/, 'and says so');
};

# What version 1 had: a row a record, and where those of a session lie.
my $version_1 = <<'END';
DROP VIEW record;
DROP INDEX batch_seq;
CREATE TABLE record (id INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL,
	time INTEGER NOT NULL, type TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE extent (session INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,
	id INTEGER NOT NULL, PRIMARY KEY (session, seq)) WITHOUT ROWID;
INSERT INTO record SELECT row_number() OVER (ORDER BY b.id, j.key), session, seq + j.key, time,
	json_extract(j.value, '$.type'), json_extract(j.value, '$.from'), j.value
	FROM batch b, json_each('[' || replace(bodies, char(10), ',') || ']') j;
INSERT INTO extent SELECT session, min(seq), count(*), min(id) FROM
	(SELECT session, seq, id, id - seq AS run FROM record) GROUP BY session, run;
DROP TABLE batch;
DROP TABLE kept;
ALTER TABLE session DROP COLUMN bytes;
ALTER TABLE state DROP COLUMN own;
ALTER TABLE state DROP COLUMN expires;
PRAGMA user_version = 1;
END

subtest 'a store of an earlier version' => sub {
	my $dir = store_dir();
	my $db = "$dir/store.db";
	my $hub = store_hub($dir);
	my ($a, $b) = map { $hub->member('unix', $_, echo => $no) } 'a', 'b';
	for (1 .. 4) {
		publish($a, 200);
		send_acked($a, "a$_");
		publish($b, 30);
		send_acked($b, "b$_");
	}
	my $before = $hub->member('ws', 'a', since => 0);
	wait_for { @{ $before->{in} } >= 804 } 'all of it';
	my $epoch = $a->{joined}{epoch};
	$hub->stop;
	my $rows = sql($db, 'SELECT session, seq, type, sender, body FROM record ORDER BY session, seq');
	sql($db, $version_1);
	cmp_ok(sql($db, 'SELECT max(n) FROM extent'), '>', 64, 'more in a place than a batch has');

	$hub = store_hub($dir);
	like($hub->log_text, qr/of version 1, is made one of version 5/, 'it says so');
	my $after = $hub->member('ws', 'a', since => 0);
	is($after->{joined}{epoch}, $epoch, 'it is the same log');
	wait_for { @{ $after->{in} } >= 804 } 'all of it again';
	is_deeply($after->{in}, $before->{in}, 'to the byte');
	is(send_acked($after, 'new')->{new}, 805, 'it goes on');
	$hub->stop;
	ok(sql($db, 'SELECT session, seq, type, sender, body FROM record WHERE seq != 805 ORDER BY session, seq')
		    eq $rows, 'and people see the same');
	is(sql($db, 'PRAGMA user_version'), 5, 'it is of this version now');
	is(sql($db, 'SELECT group_concat(bytes) FROM session'),
		sql($db, 'SELECT group_concat(n) FROM (SELECT sum(length(bodies)) AS n FROM batch GROUP BY session)'),
		'and counts what it has');

	# All or nothing.
	sql($db, $version_1 . "DROP TABLE extent;");
	$hub = Hub->refuses('--listen', 'none', '--socket', "$dir/hub.sock", '--store', $db);
	isnt($hub->{status}, 0, 'one that cannot be changed is refused');
	is(sql($db, 'PRAGMA user_version'), 1, 'and stays what it was');
	is(sql($db, "SELECT count(*) FROM sqlite_master WHERE name = 'batch'"), 0, 'with nothing of the new in it');
};

done_testing;

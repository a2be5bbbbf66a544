# hubreplay with a database: what it records there is what it records in a file, and is read as one; and what is
# wrong with a database, a URL or the tables is said.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Pages;
use Hub::Postgres;
use Hub::Replay;
use Hub::Store;

plan skip_all => Hub::Postgres::missing() if Hub::Postgres::missing();
my $pg = Hub::Postgres->start;
my $hub = Hub->start(args => [ '--history', 100_000, '--history-bytes', 1 << 28, '--history-memory', '512M' ]);
my @u = ('-u', "unix:$hub->{socket}");
my $dir = scratch();

# Waits until a session is begun in the database.
sub begun {
	my ($session) = @_;
	wait_for { eval { $pg->sql("select lines from hub_sessions where session = '$session'") } } "$session to begin";
}

sub replay { return run([ 'hubreplay', @_ ]) }

sub kinds {
	my ($session) = @_;
	return join ' ', $pg->sql("select kind || ':' || count(*) from hub_records where session = '$session' group by kind order by kind");
}

# A message as its sender had it.
sub bare {
	my ($text) = @_;
	$text =~ s/,"t":[0-9.]+\}$/}/;
	$text =~ s/,"from":"[^"]*","seq":\d+\}$/}/;
	return $text =~ s/,"(?:msg_id|session_id)":"[^"]*"//gr;
}

my $played = 0;

# What one session got by playing, from a member that was there.
sub played {
	my ($from, @args) = @_;
	my $session = 'played' . ++$played;
	my $member = $hub->member('unix', $session);
	my $play = replay('play', @u, '--fast', '--as', $session, @args, $from);
	is($play->{status}, 0, "$session: it is played") or diag($play->{err});
	my $n = $hub->unix->join_session($session)->{seq};
	my @got;
	wait_for {
		push @got, grep { /"seq":\d+\}$/ && /"from"/ } splice @{ $member->{in} };
		return @got >= $n;
	} 'all that was played', undef, $member;
	return map { bare($_) } @got;
}

subtest 'as a file' => sub {
	for my $data ('match', 'positions') {
		my $first = join '', (slurp(data_file($data)) =~ /^.*\n/mg)[ 0 .. 99 ];
		is(run($hub->hubcat([ '-p', $data ]), in => $first)->{status}, 0, 'there is a state');
		my $file = "$dir/$data.ndjson";
		my $table = record($hub, [ '-o', $pg->url ], $data);
		begun($data);
		my $rec = record($hub, [ '-o', $file ], $data);
		recording($file);
		run($hub->hubcat([ '-p', $data ]), in => slurp(data_file($data)));
		finish($_) for $rec, $table;
		is($rec->{status} . $table->{status}, '00', "$data: both end well") or diag(slurp($table->{err}));
		my ($one, $two) = map { [ map { s/,"t":[0-9.]+\}$//r } split /\n/, replay('export', '--state', $_)->{out} ] } $file, $pg->url($data);
		cmp_ok(scalar @$one, '>', 500, 'some records');
		is_deeply($two, $one, 'the same records, byte for byte');
		is_deeply([ played($pg->url($data)) ], [ played($file) ], 'and the same messages when they are played');
		my ($info, $of) = map { unjson(replay('info', '-j', $_)->{out}) } $pg->url($data), $file;
		is($info->{$_}, $of->{$_}, "info: $_") for qw(records state gaps members lines finished);
		is(replay('verify', $pg->url($data))->{status}, 0, 'verify finds nothing');
	}
};

subtest 'a place in it' => sub {
	my $copy = "$dir/copy.ndjson";
	is(replay('cut', '-o', $copy, $pg->url('match'))->{status}, 0, 'a file that is cut from it');
	my $seconds = unjson(replay('info', $copy)->{out})->{seconds};
	for my $part (0, 0.1, 0.25, 0.5, 0.9, 1, 1.1) {
		my @range = ('--from', sprintf('%.6f', $seconds * $part), $part < 0.9 ? ('--to', sprintf('%.6f', $seconds * ($part + 0.1))) : ());
		my ($one, $two) = map { replay('export', @range, $_)->{out} } $copy, $pg->url('match');
		is($two, $one, "@range");
		is_deeply([ played($pg->url('match'), @range) ], [ played($copy, @range) ], 'played') if $part == 0.25;
	}
	my $merged = replay('merge', $pg->url('match'), $copy);
	is(() = $merged->{out} =~ /"from"/g, () = slurp($copy) =~ /"from"/g, 'merge knows that they are one');
	is(scalar(played($pg->url('match'), '--loop', 2, '--to', $seconds / 2)), 2 * scalar(played($copy, '--to', $seconds / 2)), 'twice');
};

subtest 'what jsonb does not take' => sub {
	my @bodies = (
		'"a":"\u0000"', '"a":"x\u0000y"', '"a":"\ud83d\ude00"', '"a":"\ud83d"', '"a":"\ude00"', '"a":"\ud83dx"', '"a":"\ud83d\u0041"',
		'"a":"\\\\u0000"', '"a":"\\\\\\\\ud800"', '"\u0000":1', '"a":["\u0000"]', '"a":1e5', '"a":1e400', '"a":-1.5E-300', '"a":1e999',
		'"a":1,"a":2', '"a":"' . "\x{e2}\x{82}\x{ac}" . '\u20ac\"\\/\b\f\n\r\t"', '"a":' . '[' x 60 . ']' x 60, '"a":' . '9' x 900,
		'"a":-0,"b":1.0,"c":1E+2', '"a": "x" , "b" :null', '"key":"a\u0062\"\\\\"', '"key":"' . 'k' x 256 . '"',
		'"user":"ann"', '"user":"b\u0000\u0001"', '"user":"\ud800"', '"user":{"a":1}', '"a":"' . 'x' x 60_000 . '"', '"a":"back\\\\slash\\ttab"');
	my @sure = ('"a":1e99999', '"a":' . '1' x 20_000, '"a":1e-1000');    # jsonb may take them
	my $rec = record($hub, [ '-o', $pg->url ], 'odd');
	my $file = "$dir/odd.ndjson";
	my $too = record($hub, [ '-o', $file ], 'odd');
	begun('odd');
	recording($file);
	my $c = $hub->unix;
	$c->join_session('odd', echo => JSON::PP::false());
	for ((map { "{\"type\":\"t\",$_}" } @bodies), map { "{\"type\":\"big\",$_}" } @sure) {
		$c->send_text($_);
		$c->sync;
	}
	finish($_) for $rec, $too;
	is($rec->{status}, 0, 'recorded') or diag(slurp($rec->{err}));
	my ($one, $two) = map { [ map { s/,"t":[0-9.]+\}$//r } split /\n/, replay('export', $_)->{out} ] } $file, $pg->url('odd');
	cmp_ok(scalar @$one, '>=', @bodies, 'the hub has taken them');
	is_deeply($two, $one, 'the same records, byte for byte');
	$pg->sql(q{create function takes(t text) returns boolean language plpgsql as $$
		begin perform t::jsonb; return true; exception when others then return false; end $$});
	is($pg->sql("select count(*) from hub_records where session = 'odd' and body is not null and not takes(text)"), 0, 'a body is of jsonb');
	is($pg->sql("select string_agg(left(text, 60), ' ') from hub_records where session = 'odd' and type = 't' and body is null and takes(text)"), '',
		'and null only where that takes it not');
	cmp_ok($pg->sql("select count(*) from hub_records where session = 'odd' and body is null"), '>=', 8, 'where it is null');
	is($pg->sql(q{select count(*) from hub_records where session = 'odd' and body is not null and body <> text::jsonb}), 0, 'it is the message');
	is($pg->sql(q{select string_agg(coalesce(key, '-'), ' ' order by line) from hub_records where session = 'odd' and text like '%"key":%'}),
		'ab"\ ' . 'k' x 256, 'keys');
	is($pg->sql(q{select string_agg(coalesce("user", '-'), ' ' order by line) from hub_records where session = 'odd' and text like '%"user":%'}),
		"ann b\\u0000\x01 - -", 'users');
};

subtest 'several sessions, and again' => sub {
	my @c = map { $hub->unix } 1 .. 3;
	$c[$_]->join_session("several$_") for 0, 1;
	my $rec = record($hub, [ '-o', $pg->url ], 'all');
	begun("several$_") for 0, 1;
	$c[2]->join_session('several2');
	$_->send(map { { type => 'n', n => $_ } } 1 .. 300) for @c;
	$_->sync for @c;
	begun('several2');
	finish($rec);
	is($rec->{status}, 0, 'all of them') or diag(slurp($rec->{err}));
	is(kinds("several$_"), 'record:300 snapshot:1', "several$_") for 0 .. 2;
	$_->send(map { { type => 'n', n => $_ } } 301 .. 400) for @c;
	$_->sync for @c;
	$rec = record($hub, [ '-o', $pg->url ], map { "several$_" } 0 .. 2);
	wait_for { $pg->sql("select count(*) from hub_sessions where session like 'several%' and seq = 400") == 3 } 'what came meanwhile';
	$_->send({ type => 'n', n => 401 }) for @c;
	$_->sync for @c;
	finish($rec);
	is($rec->{status}, 0, 'three by name, which go on') or diag(slurp($rec->{err}));
	is(kinds("several$_"), 'record:401 snapshot:1', "several$_") for 0 .. 2;
	is($pg->sql("select count(distinct seq) from hub_records where session like 'several%' and kind = 'record'"), 401, 'each of them');
	is(replay('verify', map { $pg->url("several$_") } 0 .. 2)->{status}, 0, 'verify finds nothing');
	$pg->sql("delete from hub_records where session = 'several0' and line <= 101");
	my @left = replay('export', $pg->url('several0'))->{out} =~ /"seq":(\d+),"t"/g;
	is("@left[0, -1]", '101 401', 'old rows may be deleted');
	is(replay('export', '--from', '0', $pg->url('several0'))->{out} =~ tr/\n//, 301, 'and what is left has its times');
};

subtest 'nobody has heard what came of it' => sub {
	my $rec = record($hub, [ '-o', $pg->url ], 'unheard');
	begun('unheard');
	my $c = $hub->unix;
	$c->join_session('unheard');
	# A commit that is done, but waits for another server, so that its answer does not come.
	$pg->sql("alter system set synchronous_standby_names = 'nobody'");
	$pg->sql('select pg_reload_conf()');
	wait_for { $pg->sql('show synchronous_standby_names') eq 'nobody' } 'the setting';
	$c->send({ type => 'n', n => 1 });
	$c->sync;
	my $waits = "from pg_stat_activity where application_name = 'hubreplay' and wait_event = 'SyncRep'";
	wait_for { $pg->sql("select count(*) $waits") } 'a commit to wait';
	$pg->sql("select pg_terminate_backend(pid) $waits");
	$pg->sql('alter system reset synchronous_standby_names');
	$pg->sql('select pg_reload_conf()');
	$c->send({ type => 'n', n => 2 });
	$c->sync;
	wait_for { $pg->sql("select count(*) from hub_records where session = 'unheard' and seq = 2") } 'it to go on';
	wait_for { slurp($rec->{err}) =~ /connected again/ } 'it to say so';
	finish($rec);
	is($rec->{status}, 0, 'it ends well') or diag(slurp($rec->{err}));
	is(kinds('unheard'), 'record:2 snapshot:1', 'each record once');
	like(slurp($rec->{err}), qr/: .+; trying again\n.*: connected again\n\z/, 'it was said');
};

subtest 'two of them' => sub {
	my @rec = map { record($hub, [ '-o', $pg->url ], 'two') } 1, 2;
	begun('two');
	my $c = $hub->unix;
	$c->join_session('two');
	my $n = 0;
	wait_for {
		$c->send({ type => 'n', n => ++$n });
		$c->sync;
		grep { !$_->running } @rec;
	} 'one of them to end';
	my ($gone, $stays) = sort { $a->running <=> $b->running } @rec;
	is($gone->wait >> 8, 69, 'one ends');
	like(slurp($gone->{err}), qr/two: another hubreplay writes it\n\z/, 'and says why');
	finish($stays);
	is($stays->{status}, 0, 'the other one goes on');
	is(kinds('two'), "record:$n snapshot:1", 'each record once');
};

subtest 'the tables' => sub {
	$pg->sql('update hub_archive set version = 99');
	my $r = replay('record', @u, '-o', $pg->url, 's');
	is($r->{status}, 65, 'a later version: record');
	like($r->{err}, qr/version 99, of a later hubreplay: this one knows up to 1\n\z/, 'which is said');
	is(replay('info', $pg->url('match'))->{status}, 65, 'info');
	is($pg->sql('select version from hub_archive'), 99, 'and is left alone');
	$pg->sql('update hub_archive set version = 1');

	$pg->sql('create schema half; create table half.hub_records (mine text)');
	my $half = $pg->url(undef, '&options=-csearch_path%3Dhalf');
	$r = replay('record', @u, '-o', $half, 's');
	is($r->{status}, 74, 'tables that are in the way') or diag($r->{err});
	like($r->{err}, qr/"hub_records" already exists/, 'are named');
	is($pg->sql("select string_agg(tablename, ' ') from pg_tables where schemaname = 'half'"), 'hub_records', 'and nothing was made beside them');
	is(replay('info', $half . '&session=s')->{status}, 66, 'there are no recordings');
	$pg->sql('drop table half.hub_records');
	my @both = map { record($hub, [ '-o', $half ], "made$_") } 1, 2;
	wait_for { (eval { $pg->sql('select count(*) from half.hub_sessions where lines > 0') } // 0) == 2 } 'two at once to make them';
	finish($_) for @both;
	is($both[0]{status} . $both[1]{status}, '00', 'both end well') or diag(map { slurp($_->{err}) } @both);
	is($pg->sql('select version from half.hub_archive'), 1, 'once');

	$pg->sql("create database latin template template0 encoding 'LATIN1'");
	$r = replay('record', @u, '-o', $pg->url =~ s{/hub\?}{/latin?}r, 's');
	is($r->{status}, 65, 'another encoding');
	like($r->{err}, qr/encoding is LATIN1, not UTF8\n\z/, 'is said');

	$pg->sql('create role reader login; grant select on all tables in schema public to reader');
	my $reader = $pg->url('match') =~ s/user=hub/user=reader/r;
	is(replay('info', $reader)->{status}, 0, 'who may read reads');
	is(replay('record', @u, '-o', $reader =~ s/&session=match//r, 's')->{status}, 77, 'but records not');
};

subtest 'URLs' => sub {
	my $secret = 'geheim7';
	for my $url ("postgresql://hub:$secret\@/hub", "postgres:///hub?password=$secret", "postgresql:///hub?sslpassword=$secret",
		"postgresql://hub:$secret\@host:notaport/hub", "postgresql:///hub?$secret=1", "postgresql:///hub?session=%00$secret", "postgresql:///hub?session=$secret+")
	{
		for my $command ([ 'record', @u, '-o', $url, 's' ], [ 'info', $url ], [ 'play', @u, $url ], [ 'verify', $url ], [ 'export', $url ], [ 'cut', '-o', '-', $url ]) {
			my $r = replay(@$command);
			is($r->{status}, 64, "$command->[0]: refused");
			unlike($r->{err} . $r->{out}, qr/$secret/, 'without a word of it');
		}
	}
	like(replay('info', "postgresql://hub:$secret\@/hub")->{err}, qr/PGPASSFILE/, 'which names the way');
	for ([ 'record', @u, '-o', $pg->url('s'), 's' ], (map { [ 'record', @u, '-o', $pg->url, @$_, 's' ] } ['-z'], [ '--split', '1M' ], [ '--seal', 'x' ]),
		[ 'cut', '-o', $pg->url, $pg->url('match') ], [ 'info', $pg->url ])
	{
		my $r = replay(@$_);
		is($r->{status}, 64, 'usage: ' . $r->{err} =~ s/\n//r);
	}
	is(replay('info', $pg->url('nobody'))->{status}, 66, 'no such session');
	is(replay('info', $pg->url('s', "&port=1"))->{status}, 69, 'no database there');
	is(replay('record', @u, '-o', $pg->url(undef, "&port=1"), 's')->{status}, 69, 'to record into');
	is(replay('info', '--seal', replay('keygen', '--seal', "$dir/key") && "$dir/key", $pg->url('match'))->{status}, 65, 'it is not sealed');
};

subtest 'passwords' => sub {
	$pg->sql("set password_encryption = 'scram-sha-256'; create role ann login password 'geheim7'; grant select on all tables in schema public to ann");
	my $hba = "$pg->{dir}/data/pg_hba.conf";
	spew($hba, "local hub ann scram-sha-256\nlocal all all trust\n");
	$pg->sql('select pg_reload_conf()');
	my $url = $pg->url('match') =~ s/user=hub/user=ann/r;
	wait_for { replay('info', $url)->{status} == 77 } 'it to be asked for';
	my $file = spew("$dir/pgpass", "*:*:hub:ann:geheim7\n");
	chmod 0600, $file;
	is(run([ 'hubreplay', 'info', $url ], env => { PGPASSFILE => $file })->{status}, 0, 'PGPASSFILE');
	spew($file, "*:*:hub:ann:wrong\n");
	my $r = run([ 'hubreplay', 'info', $url ], env => { PGPASSFILE => $file });
	is($r->{status}, 77, 'a wrong one');
	unlike($r->{err}, qr/wrong/, 'is not told');
	my $service = spew("$dir/service", "[archive]\nhost=$pg->{dir}\ndbname=hub\nuser=ann\npassword=geheim7\n");
	chmod 0600, $service;
	is(run([ 'hubreplay', 'info', 'postgresql:///?service=archive&session=match' ], env => { PGSERVICEFILE => $service })->{status}, 0, 'PGSERVICEFILE');
};

subtest 'a database that takes nothing' => sub {
	my $rec = record($hub, [ '-o', $pg->url ], 'held');
	begun('held');
	my $c = $hub->unix;
	$c->join_session('held', echo => JSON::PP::false());
	my @servers = map { split } slurp("/proc/$pg->{proc}{pid}/task/$pg->{proc}{pid}/children");
	kill 'STOP', @servers;
	my $pad = 'x' x 50_000;
	my $n = no_sanitizer() ? 2400 : 300;
	for (1 .. $n / 20) {
		$c->send(map { { type => 'n', pad => $pad } } 1 .. 20);
		$c->sync;
	}
	if (no_sanitizer()) {
		# It stops reading: all the hub's memory would not have it read on.
		my ($before, $rss) = (0);
		wait_for {
			$before = $rss // 0;
			select undef, undef, undef, 0.3;
			($rss) = slurp("/proc/$rec->{pid}/status") =~ /VmRSS:\s+(\d+)/;
			return $rss == $before;
		} 'it to read no more';
		cmp_ok($rss, '>', 64 << 10, 'much waits');
		cmp_ok($rss, '<', 112 << 10, 'but not all of it');
	}
	kill 'CONT', @servers;
	wait_for { $pg->sql("select seq from hub_sessions where session = 'held'") == $n } 'all to be there';
	is(kinds('held'), "record:$n snapshot:1", 'each record once');
	is(slurp($rec->{err}), '', 'without a word');
	is(unjson(replay('verify', $pg->url('held'))->{out})->{records}, $n, 'and can be read');

	kill 'STOP', @servers;
	$c->send({ type => 'n' });
	$c->sync;
	finish($rec);
	is($rec->{status}, 74, 'one that is told to end meanwhile');
	like(slurp($rec->{err}), qr/what came last may be missing\n\z/, 'says so');
	kill 'CONT', @servers;
	$rec = record($hub, [ '-o', $pg->url ], 'held');
	wait_for { $pg->sql("select seq from hub_sessions where session = 'held'") == $n + 1 } 'the rest to be there';
	finish($rec);
	is($rec->{status}, 0, 'started again it has it');
	is(kinds('held'), 'record:' . ($n + 1) . ' snapshot:1', 'once');
};

if (no_sanitizer()) {
	local %ENV = (%ENV, PGHOST => $pg->{dir}, PGUSER => 'hub', PATH => "$pg->{bin}:$ENV{PATH}");
	$pg->sql('drop table hub_archive, hub_sessions, hub_records');
	run_page('DATABASE of hubreplay(1)', [ man_examples(root() . '/man/hubreplay.1', 'DATABASE') ], hub => 1);
}
$hub->stop;
$pg->down;
done_testing;

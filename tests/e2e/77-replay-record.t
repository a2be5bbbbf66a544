# hubreplay record: what a session does is in its file, the state first, in order, once; over a restart of
# the recorder and over slow times; several sessions, all of them, and files that are split.
use strict;
use warnings;
use Hub;
use Hub::Replay;
use Hub::Store;
use IO::Select;
use IO::Socket::UNIX;

my $false = JSON::PP::false();
my $hub = Hub->start(args => [ '--history', 100, '--history-bytes', 0 ]);

sub publish {
	my ($session, @messages) = @_;
	my $c = $hub->member('unix', $session, echo => $false);
	$c->send(map { { type => 'p', %$_ } } @messages);
	$c->sync;
	return $c;
}

subtest 'a session' => sub {
	my $keep = publish('one', { key => 'a', n => 1 }, { n => 2 }, { key => 'b', n => 3 });
	my $file = scratch() . '/one.ndjson';
	my $start = now();
	my $rec = record($hub, [ '-o', $file ], 'one');
	recording($file);
	publish('one', { n => 4, s => "\x{e9} \" }" }, { n => 5 });
	publish('other', { n => 6 });
	finish($rec);
	my $took = 1000 * (now() - $start);
	is($rec->{status}, 0, 'SIGTERM ends it well');
	is(slurp($rec->{err}), '', 'and it says nothing');
	my ($head, $snapshot, @lines) = lines($file);
	is("@$head{qw(type session_id epoch)}", "recording one $keep->{joined}{epoch}", 'the header');
	is("@$snapshot{qw(type seq records)}", 'snapshot 3 2', 'then the state');
	is_deeply([ map { $_->{n} } @lines ], [ 1, 3, 4, 5 ], 'and what came');
	is_deeply([ map { $_->{seq} } @lines ], [ 1, 3, 4, 5 ], 'under their numbers');
	ok(!(grep { $_->{t} < 0 || $_->{t} > $took } @lines), 'with their times');
	my $c = $hub->member('unix', 'one', since => 3);
	my $raw = slurp($file);
	for (4, 5) {
		my $text = $c->next && 1;
		like($raw, qr/"n":$_,.*"seq":$_,"t":[0-9.]+\}\n/, "record $_ as it came, and its time");
	}
	publish('one', { n => 6 });
	$rec = record($hub, [ '-o', $file ], 'one');
	publish('one', { n => 7 });
	wait_for { ((raw_seqs($file))[-1] // 0) == 7 } 'it to go on';
	finish($rec);
	is_deeply([ raw_seqs($file) ], [ 1, 3 .. 7 ], 'started again it goes on where it was');
	my @t = map { $_->{t} } grep { defined $_->{t} } lines($file);
	is_deeply(\@t, [ sort { $a <=> $b } @t ], 'time goes one way');
};

subtest 'over a WebSocket' => sub {
	my $file = scratch() . '/ws.ndjson';
	publish('ws', { key => 'a' });
	my $rec = record($hub, [ '-u', "ws://127.0.0.1:$hub->{port}/ws", '-o', $file ], 'ws');
	recording($file);
	publish('ws', { n => $_ }) for 2 .. 30;
	finish($rec);
	is($rec->{status}, 0, 'ends well');
	is_deeply([ raw_seqs($file) ], [ 1 .. 30 ], 'has all');
};

subtest 'on a terminal' => sub {
	my ($master, $slave) = terminal();
	plan skip_all => 'no terminal here' if !$slave;
	my $file = scratch() . '/terminal.ndjson';
	my $rec = spawn(
		[ "$ENV{HUB_BUILD}/hubreplay", 'record', '-u', "unix:$hub->{socket}", '-o', $file, 'terminal' ],
		err => $slave);
	recording($file);
	publish('terminal', { n => 1 }, { n => 2 });
	my $shown = '';
	becomes {
		sysread $master, $shown, 4096, length $shown;
		$shown =~ m{\r\e\[K1 session, 2 records, \d+/s, 0\.0 MiB };
	} 'one line tells how it goes';
	finish($rec);
	sysread $master, $shown, 4096, length $shown;
	like($shown, qr/\r\e\[K\z/, 'and is gone at the end');
};

subtest 'to standard output' => sub {
	my $rec = record($hub, [ '-o', '-', '--sync', '0.02' ], 'out');
	wait_for { -s $rec->{out} } 'the beginning';
	publish('out', { n => 1 });
	finish($rec);
	is_deeply([ raw_seqs($rec->{out}) ], [1], 'what came');
	my $args = "-u unix:$hub->{socket} -o - --sync 0.02 out";
	my $proc = spawn([ 'sh', '-c', "{ $ENV{HUB_BUILD}/hubreplay record $args; echo \$? >&2; } | head -1" ]);
	wait_for { -s $proc->{out} } 'the first line';
	wait_for { publish('out', { n => 2 }); !$proc->running } 'its end';
	is(slurp($proc->{err}), "0\n", 'which is quiet, and exit 0, where nobody reads on');
};

subtest 'killed, and the log trimmed meanwhile' => sub {
	my $file = scratch() . '/trimmed.ndjson';
	my $keep = publish('trimmed', { key => 'k' });
	my $rec = record($hub, [ '-o', $file, '--sync', '0.05' ], 'trimmed');
	recording($file);
	publish('trimmed', map { { n => $_ } } 2 .. 10);
	wait_for { ((raw_seqs($file))[-1] // 0) == 10 } 'the file to have 10';
	finish($rec, 'KILL');
	my $before = slurp($file);
	my $tail = 1;
	wait_for {
		publish('trimmed', map { { pad => 'x' x 100 } } 1 .. 400);
		my $all = $hub->unix;
		$all->join_session('trimmed', since => 0);
		my $first = $all->next;
		$tail = $first->{type} eq 'gap' ? $first->{to_seq} + 1 : 1;
		return $tail > 20;
	} 'the log to lose its beginning';
	my $head = $hub->member('unix', 'trimmed')->{joined}{seq};
	$rec = record($hub, [ '-o', $file, '--sync', '0.05' ], 'trimmed');
	wait_for { ((raw_seqs($file))[-1] // 0) == $head } 'the rest';
	finish($rec);
	is(substr(slurp($file), 0, length $before), $before, 'what was there stays');
	my @new = map { unjson($_) } split /\n/, substr slurp($file), length $before;
	my ($gap, $snapshot, $state, @rest) = @new;
	is("@$gap{qw(type from_seq to_seq reason)}", 'gap 11 ' . ($tail - 1) . ' trimmed', 'a gap for what is lost');
	is("@$snapshot{qw(type seq records)}", 'snapshot ' . ($tail - 1) . ' 1', 'the state behind it');
	is($state->{seq}, 1, 'which is older');
	is_deeply([ map { $_->{seq} } @rest ], [ $tail .. $head ], 'then all that was kept');
};

subtest 'what a crash of the hub has taken' => sub {
	my $home = store_dir();
	my $own = still_hub($home) or plan skip_all => 'no library can be made here';
	my $c = $own->member('unix', 's');
	send_acked($c, 1 .. 10);
	my %file = map { $_ => "$home/$_.ndjson" } 'one', 'several';
	my @rec;
	my $start = sub { @rec = (record($own, [ '-o', $file{one} ], 's'), record($own, [ '-o', $file{several} ], 's', 'other')) };
	my $have = sub {
		my ($n) = @_;
		wait_for { !grep { ((raw_seqs($_))[-1] // 0) != $n } values %file } "both to have $n";
	};
	$start->();
	wait_for { slurp($file{$_}) =~ /"session_id":"s".*"joined"/s } "$_ to begin" for keys %file;
	send_acked($c, 11);
	$have->(11);
	# What the hub cannot store is recorded all the same.
	my $release = still($home);
	$c->send(map { { type => 'lost', n => $_ } } 1 .. 5);
	$have->(16);
	killed($own);
	$release->();
	$own = store_hub($home);
	send_acked($own->member('unix', 's'), 20 .. 22);
	$have->(14);
	# From now on they go by what is in the file.
	for my $signal ('KILL', 'TERM') {
		finish($_, $signal) for @rec;
		$start->();
		send_acked($own->member('unix', 's'), "after$signal");
		$have->($signal eq 'KILL' ? 15 : 16);
	}
	finish($_) for @rec;
	for my $name (sort keys %file) {
		my @marks = map { "$_->{from_seq}-$_->{to_seq} $_->{reason}" }
		    grep { $_->{type} eq 'gap' && $_->{session_id} eq 's' } lines($file{$name});
		is_deeply(\@marks, ['12-11 epoch_changed'], "$name: a mark says from where on it is otherwise");
		is_deeply([ grep { $_ > 10 } raw_seqs($file{$name}) ], [ 11 .. 16, 12 .. 16 ], 'once');
		is(run([ 'hubreplay', 'verify', $file{$name} ])->{status}, 0, 'hubreplay verify agrees');
	}
	$own->stop;
};

# The file's account of a session: how often each record from 1 to the last one is there, in the order of the
# log, or is named by a gap.
sub account {
	my ($file) = @_;
	my ($state, %times) = 0;
	for my $m (lines($file)) {
		if ($m->{type} eq 'gap') {
			$times{$_} .= 'gap' for $m->{from_seq} .. $m->{to_seq};
		} elsif ($m->{type} eq 'snapshot') {
			$state = $m->{seq};
		} elsif ($m->{from} && $m->{seq} > $state) {
			$times{ $m->{seq} } .= 'once';
		}
	}
	return \%times;
}

for my $slow ('disconnect', 'resync') {
	subtest "too slow for a hub with --slow $slow" => sub {
		my $own = Hub->start(
			args => [ '--history', 20, '--history-bytes', 0, '--slow-after', '0.05', '--slow', $slow ]);
		my $file = scratch() . "/$slow.ndjson";
		my $rec = record($own, [ '-o', $file, '--sync', '0.05' ], 's');
		recording($file);
		my $c = $own->member('unix', 's', echo => $false);
		my $n = 0;
		my $send = sub {
			for (1 .. $_[0]) {
				$n++;
				$c->send({ type => 'p', pad => 'x' x 800, $n % 50 ? () : (key => 'k' . $n % 200), $n % 70 ? () : (msg_id => "m$n") });
			}
			$c->sync;
		};
		# Where it falls behind by itself there is a gap, and behind that must come another one.
		my $up_to_date = sub {
			my ($last, $next) = ($n, now() + 2);
			wait_for {
				if (now() > $next) {
					$send->(1);
					($last, $next) = ($n, now() + 2);
				}
				((raw_seqs($file))[-1] // 0) == $last;
			} $_[0], 300;
		};
		$send->(30);
		$up_to_date->('the first');
		$rec->kill('STOP');
		wait_for {
			$send->(200);
			my $health = $own->health;
			return $health->{slow_disconnects} + $health->{slow_resyncs} > 0 || $n > 20_000;
		} 'the hub to lose patience';
		$rec->kill('CONT');
		wait_for { (-s $file) > 0 && slurp($file) =~ /"type":"gap"/ } 'a gap';
		$send->(10);
		$up_to_date->('all that comes then');
		finish($rec);
		is($rec->{status}, 0, 'the recorder ends well');
		my $times = account($file);
		my @wrong = grep { ($times->{$_} // 'never') !~ /^(?:once|gap)$/ } 1 .. $n;
		is("@wrong[0 .. ($#wrong < 3 ? $#wrong : 3)]", '', "each of $n records is there once, or named by a gap");
		ok((grep { $_ eq 'gap' } values %$times), 'some are');
		my $verify = run([ 'hubreplay', 'verify', $file ]);
		is($verify->{status}, 0, 'hubreplay verify agrees') or diag($verify->{err});
		$own->stop;
	};
}

subtest 'several' => sub {
	my $dir = scratch() . '/several';
	mkdir $dir;
	my @odd = ('.', '..', '-o', 'a:b~c@d', 'x' x 128);
	publish($_, { key => 'k' }) for @odd;
	my $rec = record($hub, [ '-d', $dir ], '--', @odd);
	recording("$dir/$_.ndjson") for @odd;
	publish($_, { n => 2 }) for @odd;
	finish($rec);
	is_deeply([ raw_seqs("$dir/$_.ndjson") ], [ 1, 2 ], "a file for " . substr $_, 0, 20) for @odd;
	my $file = scratch() . '/both.ndjson';
	$rec = record($hub, [ '-o', $file ], 'both1', 'both2');
	wait_for { slurp($file) =~ /both1.*both2|both2.*both1/s } 'both';
	publish($_, { n => 1 }) for 'both1', 'both2';
	finish($rec);
	publish($_, { n => 2 }) for 'both1', 'both2';
	$rec = record($hub, [ '-o', $file ], 'both1', 'both2');
	publish($_, { n => 3 }) for 'both1', 'both2';
	wait_for { () = slurp($file) =~ /"n":3/g; slurp($file) =~ /"n":3.*"n":3/s } 'the last of both';
	finish($rec);
	for my $s ('both1', 'both2') {
		is_deeply(
			[ map { $_->{n} } grep { $_->{from} && $_->{session_id} eq $s } lines($file) ], [ 1 .. 3 ],
			"$s, together with another, and gone on with");
	}
};

subtest 'all' => sub {
	my $home = store_dir();
	my $own = store_hub($home, workers => 4);
	my $n = no_sanitizer() ? 150 : 70;
	my $publish = sub {
		my $c = $own->unix;
		for (@_) {
			$c->join_session($_, echo => $false);
			$c->send({ type => 'p', key => 'k' }, { type => 'session_leave' });
		}
		$c->sync;
	};
	my @old = map { "old.$_" } 1 .. $n;
	my @new = map { "new.$_" } 1 .. $n;
	$publish->(@old);
	my $dir = scratch() . '/all';
	mkdir $dir;
	my $has = sub { return join ' ', raw_seqs("$dir/$_[0].ndjson") };
	my $rec = record($own, [ '-d', $dir, '--sync', '0.1' ], 'all');
	wait_for { (grep { -s } glob "$dir/*") == $n } 'a file for each';
	$publish->(@new);
	$publish->(@old);
	wait_for { !grep { $has->($_) ne '1 2' } @old } 'what came';
	wait_for { !grep { $has->($_) ne '1' } @new } 'those that came into being';
	killed($own);
	$own = store_hub($home, workers => 4);
	$publish->('later', @new);
	wait_for { -s "$dir/later.ndjson" && !grep { $has->($_) ne '1 2' } @new } 'what comes after a restart';
	my $said = sub { return scalar(() = slurp($rec->{err}) =~ /$_[0]/g) };
	wait_for { $said->('connected again') == $said->('trying again') } 'every connection';
	finish($rec);
	is($rec->{status}, 0, 'all ends well');
	is_deeply([ grep { $has->($_) ne '1 2' } @old ], [], 'the sessions that there were');
	is_deeply([ grep { $has->($_) ne '1 2' } @new ], [], 'those that came into being, from their first record on');
	is($has->('later'), '1', 'also in the next life of the hub');
	my $ws = run([ 'hubreplay', 'record', '-u', "ws://127.0.0.1:$own->{port}/ws", '-d', $dir, 'all' ]);
	is($ws->{status}, 64, 'not over a WebSocket');
	$own->stop;
};

subtest 'split' => sub {
	my $base = scratch() . '/split.ndjson.zst';
	my $rec = record($hub, [ '-o', $base, '--split', '2k', '--sync', '0.02' ], 'split');
	my $part = sub { scratch() . sprintf '/split.%04d.ndjson.zst', $_[0] };
	recording($part->(1));
	my $n = 0;
	while (!-e $part->(4)) {
		publish('split', map { { n => ++$n, pad => join ' ', map { rand } 1 .. 30 } } 1 .. 5);
		select undef, undef, undef, 0.01;
	}
	finish($rec);
	my @seqs;
	for my $i (1 .. 4) {
		my @lines = lines($part->($i));
		is($lines[0]{type}, 'recording', "part $i is one by itself");
		push @seqs, map { $_->{seq} } grep { $_->{from} } @lines;
	}
	my @parts = glob scratch() . '/split.0*';
	my $size = -s $parts[-1];
	$rec = record($hub, [ '-o', $base, '--split', '1h', '--sync', '0.02' ], 'split');
	publish('split', { n => ++$n });
	wait_for { -s $parts[-1] > $size } 'it to go on';
	finish($rec);
	@seqs = map { my $p = $_; map { $_->{seq} } grep { $_->{from} } lines($p) }
	    glob scratch() . '/split.0*';
	is_deeply(\@seqs, [ 1 .. $n ], 'together they are all, also where it goes on');
};

subtest 'several, split' => sub {
	my $base = scratch() . '/among.ndjson';
	my $part = sub { scratch() . sprintf '/among.%04d.ndjson', $_[0] };
	my $all = sub { join '', map { slurp($_) } glob scratch() . '/among.0*' };
	my @args = ('-o', $base, '--sync', '0.02', '--split');
	my $rec = record($hub, [ @args, '1h' ], 'among1', 'among2', 'among3');
	wait_for { -e $part->(1) && !grep { $all->() !~ /"$_"/ } 'among1', 'among2', 'among3' } 'all three';
	publish("among$_", { n => 1 }) for 1 .. 3;
	finish($rec);
	$rec = record($hub, [ @args, '1k' ], 'among1', 'among2');
	my $n = 1;
	wait_for { publish('among1', { n => ++$n, pad => 'x' x 100 }); -e $part->(3) } 'more parts, without the third';
	finish($rec);
	publish('among3', { n => 2 });
	$rec = record($hub, [ @args, '1h' ], 'among1', 'among2', 'among3');
	wait_for { $all->() =~ /"among3"[^\n]*"seq":2,/ } 'the third again';
	finish($rec);
	my @seqs = grep { defined } map { $_->{from} && $_->{session_id} eq 'among3' ? $_->{seq} : undef }
	    map { lines($_) } glob scratch() . '/among.0*';
	is("@seqs", '1 2', 'a session that was left out goes on where it was');
};

subtest 'refusals' => sub {
	my @u = ('-u', "unix:$hub->{socket}");
	my $file = spew(scratch() . '/text', "no recording\n");
	my $try = sub { return run([ 'hubreplay', 'record', @_ ]) };
	my %status = (
		64 => [
			[@u], [ @u, 'x' ], [ @u, '-o', 'a', '-d', 'b', 'x' ], [ @u, '-o', 'a', 'no such' ],
			[ @u, '-o', 'a', '--split', '5x', 'x' ], [ @u, '-d', 'a', 'all', 'x' ], [ @u, '-o', '-', 'x', 'y' ],
		],
		65 => [ [ @u, '-o', $file, 'x' ], [ @u, '-o', scratch() . '/one.ndjson', 'x' ] ],
		66 => [ [ @u, '-o', 'a', '--seal', scratch() . '/none', 'x' ] ],
		73 => [ [ @u, '-o', scratch() . '/no/dir/x', 'x' ], [ @u, '-d', scratch() . '/no', 'x' ] ]);
	for my $want (sort keys %status) {
		for my $args (@{ $status{$want} }) {
			my $got = $try->(@$args);
			is($got->{status}, $want, "exit $want: @{$args}[2 .. $#$args]") or diag($got->{err});
			like($got->{err}, qr/^hubreplay record: [^\n]+\n\z/, 'with one line');
		}
	}
	is(slurp($file), "no recording\n", 'what is no recording stays as it is');
};

subtest 'a full disk' => sub {
	plan skip_all => 'no /dev/full' if !-c '/dev/full';
	my $file = scratch() . '/full.ndjson';
	# A limit on a file's size is like a full disk for that file.
	my $rec = spawn(
		[ 'sh', '-c', 'trap "" XFSZ; ulimit -f 40; exec "$@"', 'sh', "$ENV{HUB_BUILD}/hubreplay", 'record',
			'-u', "unix:$hub->{socket}", '-o', $file, '--sync', '0.05', 'full' ]);
	recording($file);
	my $n = 10;
	publish('full', map { { n => $_ } } 1 .. $n);
	wait_for { ((raw_seqs($file))[-1] // 0) == $n } 'the first ones to be there';
	wait_for {
		publish('full', map { { n => ++$n, pad => 'x' x 500 } } 1 .. 10);
		return !$rec->running;
	} 'it to end';
	is($rec->{status} >> 8, 74, 'exit 74');
	like(slurp($rec->{err}), qr/\Ahubreplay record: \Q$file\E: File too large\n\z/, 'said once');
	my @seqs = raw_seqs($file);
	cmp_ok(scalar @seqs, '>=', 10, 'what was synced is there');
	is_deeply(\@seqs, [ 1 .. @seqs ], 'from the beginning');
	$rec = record($hub, [ '-o', $file ], 'full');
	wait_for { ((raw_seqs($file))[-1] // 0) == $n } 'it to go on';
	finish($rec);
	my @gap = grep { $_->{type} eq 'gap' } lines($file);
	my $head = $gap[0] ? $gap[0]{to_seq} : 0;
	is_deeply([ raw_seqs($file) ], [ 1 .. @seqs, ($head ? $head : scalar @seqs) + 1 .. $n ],
		'with more room it goes on');
};

subtest 'a file that was begun before this machine' => sub {
	my $start = int(time - 10 * 365 * 86_400) * 1000;
	my $before = time;
	my $file = spew(scratch() . '/old.ndjson',
		qq({"type":"recording","version":1,"session_id":"old","start":$start}\n));
	my $rec = record($hub, [ '-o', $file ], 'old');
	wait_for { slurp($file) =~ /"snapshot"/ } 'it to go on';
	publish('old', { n => 1 });
	finish($rec);
	my ($last) = reverse lines($file);
	my $at = ($start + $last->{t}) / 1000;
	ok($at > $before - 1 && $at < time + 2, 'its times are those since then') or diag("$at, not from $before on");
};

# A hub that says what the test wants: each script answers the first line of one connection, which is then
# closed, but for the last one.
sub scripted {
	my ($name, $record, @scripts) = @_;
	my $path = scratch() . "/$name.sock";
	my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 5) or die "$path: $!";
	my $rec = $record->("unix:$path");
	my @open;
	for my $script (@scripts) {
		@open = ();
		wait_for { IO::Select->new($listen)->can_read(0) } 'a connection';
		push @open, $listen->accept;
		wait_for { IO::Select->new($open[0])->can_read(0) } 'what it asks';
		my $asked = readline $open[0];
		print {$open[0]} map { "$_\n" } $script->($asked);
		$open[0]->flush;
	}
	return ($rec, @open);
}

subtest 'names that are none' => sub {
	my $dir = scratch() . '/names';
	mkdir $dir;
	my ($rec, $open) = scripted(
		'names',
		sub { return record($hub, [ '-u', $_[0], '-d', $dir ], 'all') },
		sub {
			return '{"type":"session_list","sessions":["good","../escaped","a\\""],"more":false}';
		});
	wait_for { -e "$dir/good.ndjson" || !$rec->running } 'the good one';
	ok($rec->running, 'the recorder lives on');
	ok(!-e scratch() . '/escaped.ndjson', 'nothing is written beside the directory');
	finish($rec, 'KILL');
};

subtest 'cut off between a gap and what follows it' => sub {
	my $file = spew(scratch() . '/twice.ndjson', join '', map { "$_\n" }
		'{"type":"recording","version":1,"session_id":"s","epoch":"e","start":1700000000000}',
		'{"type":"snapshot","session_id":"s","seq":5,"records":0,"t":0}');
	my $joined = sub {
		my ($seq, $gap, $state) = @_;
		return (
			qq({"type":"session_associated","session_id":"s","client_id":"c","epoch":"e","seq":$seq,)
			    . qq("recovered":false,"reason":"trimmed","since":5,"snapshot":$state,"user_count":1,"resume":"r"}),
			qq({"type":"gap","session_id":"s","from_seq":6,"to_seq":$gap}));
	};
	my $message = sub { return qq({"type":"p","key":"k$_[0]","session_id":"s","from":"c2","seq":$_[0]}) };
	my @asked;
	my ($rec, $open) = scripted(
		'twice',
		sub { return record($hub, [ '-u', $_[0], '-o', $file ], 's') },
		sub { push @asked, @_; return ($joined->(60, 50, 2), $message->(3)) },
		sub { push @asked, @_; return ($joined->(61, 60, 1), map { $message->($_) } 4, 61) });
	like($_, qr/"since":5\b/, 'it asks for what is behind its last record') for @asked;
	wait_for { ((raw_seqs($file))[-1] // 0) == 61 } 'the first record';
	finish($rec, 'KILL');
	my @gaps = map { "$_->{from_seq}-$_->{to_seq}" } grep { $_->{type} eq 'gap' } lines($file);
	is("@gaps", '6-50 51-60', 'what is missing is told once');
	my $verify = run([ 'hubreplay', 'verify', $file ]);
	is($verify->{status}, 0, 'hubreplay verify finds nothing wrong') or diag($verify->{err});
};

subtest 'cut off within the first state' => sub {
	my $file = scratch() . '/state.ndjson';
	my $joined = sub {
		my ($seq, $state) = @_;
		return qq({"type":"session_associated","session_id":"s","client_id":"c","epoch":"e","seq":$seq,)
		    . qq("recovered":false,"snapshot":$state,"user_count":1,"resume":"r"});
	};
	my $message = sub { return qq({"type":"p","key":"k$_[0]","session_id":"s","from":"c2","seq":$_[0]}) };
	my ($rec, $open) = scripted(
		'state',
		sub { return record($hub, [ '-u', $_[0], '-o', $file ], 's') },
		sub { return ($joined->(62, 2), $message->(3)) },
		sub { return ($joined->(60, 2), $message->(3)) },
		sub { return ($joined->(65, 1), $message->(4)) });
	wait_for { ((raw_seqs($file))[-1] // 0) == 4 } 'the second state, without a record behind it';
	print {$open} $message->(66) . "\n";
	$open->flush;
	wait_for { ((raw_seqs($file))[-1] // 0) == 66 } 'the first record';
	finish($rec, 'KILL');
	my @marks = map { $_->{type} eq 'gap' ? "gap $_->{from_seq}-$_->{to_seq}" : "$_->{type} $_->{seq}" }
	    grep { !$_->{from} && $_->{type} ne 'recording' } lines($file);
	is(
		"@marks", 'snapshot 62 gap 1-60 snapshot 60 gap 61-65 snapshot 65',
		'a log cut back begins anew, and what came between two states is a gap');
	my $verify = run([ 'hubreplay', 'verify', $file ]);
	is($verify->{status}, 0, 'hubreplay verify finds nothing wrong') or diag($verify->{err});
};

$hub->stop;
done_testing;

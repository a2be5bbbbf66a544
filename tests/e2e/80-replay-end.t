# hubreplay record, told to end: it takes what the sessions have at that moment and exits with 0, or says that it
# may not have taken all and exits with 1: the way to the hub stalls, the hub is away, has not answered yet.
# And a program that never ends, told to. One thread: under ThreadSanitizer, signals wait for the next call of it.
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Replay;

my $hub = Hub->start(args => [ '--history', 100_000, '--history-bytes', '64M' ]);
my $names = 0;

sub taken {
	my ($file) = @_;
	return scalar(my @seqs = raw_seqs($file));
}

sub session { return 's' . ++$names }

sub publish {
	my ($session, $n) = @_;
	my $c = $hub->member('unix', $session, echo => JSON::PP::false());
	$c->send({ type => 'p', n => $_ }) for 1 .. $n;
	$c->sync;
	return $c;
}

sub says_so {
	my ($rec, $why) = @_;
	is($rec->{status}, 1, "$why: exit 1");
	like(slurp($rec->{err}), qr/^hubreplay record: [^\n]*may not be all in the file\n\z/m, 'and it says so');
}

for my $way ('ws', 'unix') {
	subtest "the way stalls, $way" => sub {
		my $cut = Hub::Cut->start($way eq 'ws' ? $hub->{port} : $hub->{socket});
		my ($s, $file) = (session(), scratch() . "/stall-$way.ndjson");
		my $rec = record($hub, [ '-u', $cut->url, '-o', $file ], $s);
		recording($file);
		$cut->{proc}->kill('STOP');
		publish($s, 5);
		finish($rec);
		is_deeply([ raw_seqs($file) ], [], 'nothing came');
		says_so($rec, 'the way stalls');
		$cut->{proc}->kill('CONT');
		$rec = record($hub, [ '-u', $cut->url, '-o', $file ], $s);
		wait_for { taken($file) == 5 } 'the rest';
		finish($rec);
		is($rec->{status}, 0, 'gone on with it has all, and ends with 0');
		$cut->stop;
	};
}

subtest 'the hub is away' => sub {
	my $own = Hub->start;
	my $file = scratch() . '/away.ndjson';
	my $rec = record($own, [ '-o', $file ], 's');
	recording($file);
	$own->{proc}->kill('KILL');
	$own->{proc}->wait;
	$own->forget;
	wait_for { slurp($rec->{err}) =~ /trying again/ } 'the loss to be noticed';
	finish($rec);
	says_so($rec, 'away');
};

subtest 'the hub has not answered yet' => sub {
	my $dir = scratch() . '/none';
	mkdir $dir;
	for my $args ([ '-o', "$dir/a", 's' ], [ '-d', $dir, 'all' ]) {
		my $rec = record({ socket => scratch() . '/nobody' }, $args);
		wait_for { slurp($rec->{err}) =~ /trying again/ } 'a first attempt';
		finish($rec);
		says_so($rec, "not there: $args->[-1]");
	}
};

subtest 'a backlog' => sub {
	my $n = 20_000;
	for my $way ('unix', 'ws') {
		my ($s, $file) = (session(), scratch() . "/backlog-$way.ndjson");
		my @u = $way eq 'ws' ? ('-u', "ws://127.0.0.1:$hub->{port}/ws") : ();
		my $rec = record($hub, [ @u, '-o', $file, '--sync', '10' ], $s);
		recording($file);
		$rec->kill('STOP');
		my $keep = publish($s, $n);
		$rec->kill('TERM');
		finish($rec, 'CONT');
		is($rec->{status}, 0, "$way: exit 0");
		is(taken($file), $n, 'with all of it');
	}
};

subtest 'a session that never rests' => sub {
	my ($s, $file) = (session(), scratch() . '/busy.ndjson');
	my $rec = record($hub, [ '-o', $file ], $s);
	recording($file);
	my $busy = spawn(
		[ 'sh', '-c', q(while kill -0 $$ && echo '{"type":"p"}'; do :; done | "$@"), 'sh', @{ $hub->hubcat([ '-p', $s ]) } ]);
	wait_for { taken($file) > 100 } 'some of it';
	my $before = $hub->member('unix', $s)->{joined}{seq};
	finish($rec);
	$busy->kill('KILL');
	$busy->wait;
	is($rec->{status}, 0, 'exit 0');
	my @seqs = raw_seqs($file);
	cmp_ok($seqs[-1], '>=', $before, 'it has what there was when it was told');
	is(scalar @seqs, $seqs[-1], 'and no hole');
};

# A jq program may never end, or end all.
subtest 'programs of jq' => sub {
	my $lines = spew(scratch() . '/lines', map { qq({"type":"t","n":$_}\n) } 1 .. 3);
	my $program = '("go" | stderr | empty), (def f: f; f)';
	for my $signals (1, 2) {
		my $play = spawn([ "$ENV{HUB_BUILD}/hubreplay", 'play', '-u', "unix:$hub->{socket}", qw(--fast --plain --as jq -f), $program, $lines ]);
		wait_for { slurp($play->{err}) =~ /go/ } 'it to run';
		for (1 .. $signals) {
			$play->kill('TERM');
			wait_for { !$play->running || slurp("/proc/$play->{pid}/status") !~ /^(?:Shd|Sig)Pnd:\s*0*[1-9a-f]/m } 'the signal to be taken';
		}
		is($play->wait, 1 << 8, "$signals signals end it");
		like(slurp($play->{err}), qr/hubreplay play: -f: the program does not end$/m, 'and it says why') if $signals == 1;
	}
	my ($s, $file) = (session(), scratch() . '/halt.ndjson');
	my $rec = record($hub, [ '-o', $file ], $s);
	recording($file);
	publish($s, 3);
	finish($rec);
	for my $case ([ 'if .seq == 2 then halt else .seq end', 0, '' ], [ 'if .seq == 2 then "bye" | halt_error else .seq end', 5, 'bye' ]) {
		my ($filter, @want) = @$case;
		my $r = run([ qw(hubreplay export -f), $filter, $file ]);
		is_deeply([ @$r{qw(out status err)} ], [ "1\n", @want ], "export: $filter");
	}
};

$hub->stop;
done_testing();

# Not under sanitizers.
# The examples end well by themselves, leave nothing behind, and fail where a record is lost.
use strict;
use warnings;
use Hub;

my $played = 0;

sub example { return root() . "/examples/$_[0]/run" }

# The programs, with a hubcat that does to its output what sed is told, where its arguments match.
sub lossy {
	my ($name, $pattern, $sed) = @_;
	my $dir = scratch() . "/$name";
	mkdir $dir or die "$dir: $!\n";
	symlink "$ENV{HUB_BUILD}/$_", "$dir/$_" or die "$_: $!\n" for 'hubd', 'hubreplay', 'libhub.so', 'libhub.so.0';
	spew("$dir/hubcat", <<"END");
#!/bin/sh
case " \$* " in
$pattern) $ENV{HUB_BUILD}/hubcat "\$@" | sed '$sed' ;;
*) exec $ENV{HUB_BUILD}/hubcat "\$@" ;;
esac
END
	chmod 0755, "$dir/hubcat";
	return $dir;
}

# Runs it in a directory for temporary files that must be empty again.
sub play {
	my ($name, $build, @more) = @_;
	my $tmp = scratch() . '/tmp' . ++$played;
	mkdir $tmp or die "$tmp: $!\n";
	my $r = run([ example($name), $build // $ENV{HUB_BUILD}, @more ], env => { TMPDIR => $tmp });
	is_deeply([ glob "$tmp/*" ], [], "$name: leaves no files");
	is_deeply([ grep { slurp($_) =~ /\Q$tmp\E/ } glob '/proc/[0-9]*/cmdline' ], [], "$name: and no processes");
	return $r;
}

subtest 'late-joiner' => sub {
	my $r = play('late-joiner');
	is($r->{status}, 0, 'status 0') or diag($r->{out});
	is($r->{err}, '', 'nothing to complain of');
	like($r->{out}, qr/^Played: 2200 positions /m, 'what was played');
	like($r->{out}, qr/^Somebody joins, and gets 22 records:$/m, 'what the late one gets');
	my $pitch = join '', $r->{out} =~ /^  \|(.{65})\|$/mg;
	is(length $pitch, 17 * 65, 'a pitch');
	is($pitch =~ tr/*//, 1, 'with one ball');
	cmp_ok($pitch =~ tr/o//, '>=', 15, 'and players, who may stand close');

	$r = play('late-joiner', lossy('stale', '*" --state "*', q(7s/"timestamp":[0-9]*/"timestamp":0/)));
	is($r->{status}, 1, 'a stale position: status 1');
	like($r->{err}, qr/^late-joiner: this is not the latest position of each$/m, 'it says so');
};

subtest 'offline-consumer' => sub {
	my $events = () = slurp(data_file('match')) =~ /\n/g;
	my $r = play('offline-consumer');
	is($r->{status}, 0, 'status 0') or diag($r->{out});
	is($r->{err}, '', 'nothing to complain of');
	like($r->{out}, qr/^The hub is killed/m, 'the hub is killed on the way');
	like($r->{out}, qr/^The consumer has all $events events, each once, in order\.$/m, 'the consumer has all');

	$r = play('offline-consumer', lossy('lost', '*" -s 250 "*', '700d'));
	is($r->{status}, 1, 'a record that is lost: status 1');
	like($r->{err}, qr/^offline-consumer: the consumer has something else/m, 'it says so');
	$r = play('offline-consumer', lossy('twice', '*" -s all "*', '100p'));
	is($r->{status}, 1, 'one that comes twice: status 1');
};

subtest 'chat' => sub {
	my $r = play('chat');
	is($r->{status}, 0, 'status 0') or diag($r->{err});
	is($r->{err}, '', 'nothing to complain of');
	is($r->{out}, <<'END', 'what the room heard');
The room heard:
  came: Ann
  said: Ann: Anybody here?
  went
  came: Bob
  said: Bob: Too late.
  went
Eve was told: not_there: enter the room first
END
	$r = play('chat', lossy('mute', '*" -n 6 "*', '4s/came/left/'));
	is($r->{status}, 1, 'something else: status 1');
	like($r->{err}, qr/^chat: the room has heard something else$/m, 'it says so');
};

subtest 'c-client' => sub {
	my $r = play('c-client');
	is($r->{status}, 0, 'status 0') or diag($r->{out});
	is($r->{err}, '', 'nothing to complain of');
	like($r->{out}, qr/^The hub is killed/m, 'the hub is killed on the way');
	like($r->{out}, qr/^2 players have made 800 steps\. The hub has all that was said\.$/m, 'each step counted once');

	$r = play('c-client', lossy('moved', '*" --state arena "*', 's/"x":0/"x":1/'));
	is($r->{status}, 1, 'a player elsewhere: status 1');
	like($r->{err}, qr/^c-client: somebody is not where the steps lead$/m, 'it says so');
};

subtest 'highlight' => sub {
	my $r = play('highlight', undef, 1);
	is($r->{status}, 0, 'status 0') or diag($r->{out});
	is($r->{err}, '', 'nothing to complain of');
	like($r->{out}, qr/^Recorded: 1745 events\.$/m, 'the whole match is recorded');
	my ($events) = $r->{out} =~ /^The minute around the first goal has (\d+) events\./m;
	my @seen = $r->{out} =~ /^  (?:Home|Away): .*$/mg;
	is(scalar @seen, $events, 'what is around the goal is seen');
	like("@seen", qr/-GOAL\)/, 'and so is the goal');

	$r = play('highlight', lossy('unseen', '*" highlight "*', '1d'), 1);
	is($r->{status}, 1, 'an event that is not seen: status 1');
	like($r->{err}, qr/^highlight: what was seen is not what was cut out$/m, 'it says so');
};

done_testing;

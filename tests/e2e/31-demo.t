# Not under sanitizers.
# The demo shows the main job, counts right, ends by itself, and says so when a record is lost.
use strict;
use warnings;
use Hub;

my $run = root() . '/examples/demo/run';
my $records = () = slurp(data_file('match')) =~ /\n/g;
my $goals = () = slurp(data_file('match')) =~ /-GOAL"/g;
is($goals, 4, 'goals to see');

# What it prints, and the processes it leaves behind: none.
sub left {
	my ($dir) = @_;
	return grep { slurp($_) =~ /\Q$dir\E/ } glob '/proc/[0-9]*/cmdline';
}

subtest 'the demo' => sub {
	my $demo = run([ $run, $ENV{HUB_BUILD} ]);
	is($demo->{status}, 0, 'status 0') or diag($demo->{out});
	is($demo->{err}, '', 'nothing to complain of');
	for my $side ('ws', 'unix') {
		my @seen = $demo->{out} =~ /^  $side +(minute \d+: goal for \w+, \w+)$/mg;
		is_deeply(\@seen, [ map { "minute $_" } '2: goal for Home, Player9', '59: goal for Home, Player5',
				'61: goal for Home, Player10', '67: goal for Home, Player9' ], "$side: the goals");
		like($demo->{out}, qr/^  $side +$records of $records records, in order; 4 of 4 goals$/m,
			"$side: all records");
	}
	my ($dir) = $demo->{out} =~ m{unix:(/\S+)/hub\.sock};
	ok($dir && !-e $dir, 'its directory is gone');
	is_deeply([ left($dir) ], [], 'and its processes');
	my @next = $demo->{out} =~ /^  (\S*(?:hubd|hubcat|examples)\b.*)$/mg;
	is(scalar @next, 3, 'it says what to type next');
	for my $word (map { grep { m{/} } split / / } @next) {
		ok(-x ($word =~ m{^/} ? $word : root() . "/$word"), "which is there: $word");
	}
};

# The match stands still until the hub is killed, behind the first goal.
subtest 'a hub that is killed midway' => sub {
	my $dir = scratch() . '/midway';
	mkdir $_ or die "$_: $!\n" for $dir, map { "$dir/$_" } 'demo', 'match';
	symlink root() . '/examples/data', "$dir/data" or die;
	spew("$dir/demo/run", slurp($run));
	spew("$dir/match/play", <<"END");
#!/bin/sh
sed -n '1,700p' $dir/data/match.ndjson
until [ -e $dir/killed ]; do sleep 0.05; done
sed -n '701,\$p' $dir/data/match.ndjson
END
	chmod 0755, "$dir/demo/run", "$dir/match/play";
	my $demo = spawn([ "$dir/demo/run", $ENV{HUB_BUILD} ]);
	wait_for { slurp($demo->{out}) =~ /ws +minute.*goal for/ && slurp($demo->{out}) =~ /unix +minute.*goal for/ }
	'a first goal';
	my ($pid) = slurp($demo->{out}) =~ /hub is process (\d+):/;
	kill 'KILL', $pid;
	wait_for { !-e "/proc/$pid" || slurp("/proc/$pid/stat") =~ /\) Z/ } 'the hub to be dead';
	spew("$dir/killed", '');
	is($demo->wait >> 8, 1, 'status 1');
	my $out = slurp($demo->{out});
	for my $side ('ws', 'unix') {
		my ($got) = $out =~ /^  $side +(\d+) of $records records, in order; [0-3] of 4 goals$/m;
		cmp_ok($got // $records, '<=', 700, "$side: those behind it are missing");
	}
	like(slurp($demo->{err}), qr/^demo: records are missing$/m, 'it says so');
	my ($its) = $out =~ m{unix:(/\S+)/hub\.sock};
	ok($its && !-e $its, 'its directory is gone');
};

# One side loses a record on the way.
subtest 'a record that is lost' => sub {
	my $dir = scratch() . '/lossy';
	mkdir $dir or die "$dir: $!\n";
	symlink "$ENV{HUB_BUILD}/hubd", "$dir/hubd" or die;
	spew("$dir/hubcat", <<"END");
#!/bin/sh
case " \$* " in
*" ws:"*" -f "*) exec $ENV{HUB_BUILD}/hubcat "\$@" ;;
*" ws:"*) $ENV{HUB_BUILD}/hubcat "\$@" | sed 700d ;;
*) exec $ENV{HUB_BUILD}/hubcat "\$@" ;;
esac
END
	chmod 0755, "$dir/hubcat";
	my $demo = run([ $run, $dir ]);
	is($demo->{status}, 1, 'status 1');
	like($demo->{out}, qr/^  ws +@{[ $records - 1 ]} of $records records, NOT in order; 4 of 4 goals$/m, 'it is missed');
	like($demo->{out}, qr/^  unix +$records of $records records, in order; 4 of 4 goals$/m, 'on that side only');
};

my $no = run([ $run, scratch() ]);
isnt($no->{status}, 0, 'without programs it fails');
done_testing;

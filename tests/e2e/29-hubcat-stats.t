# One thread.
# hubcat --stats: a line each time of what the hub counts, as a table and as JSON, from wherever /metrics can be read.
use strict;
use warnings;
use Hub;
use IO::Socket::INET;

my $hub = Hub->start;
my @members = map { $hub->member('ws', 's') } 1 .. 2;
my $unix = "unix:$hub->{socket}";
my $ws = "ws://$hub->{host}:$hub->{port}/ws";

for my $url ($unix, $ws, $ws . '?x=/y', $ws =~ s/ws$//r, $ws =~ s{/ws$}{}r) {
	my $r = run([ 'hubcat', '--stats', '-u', $url, qw(-j 0.1 3) ]);
	is($r->{status}, 0, $url) or diag($r->{err});
	my @lines = map { unjson($_) } split /\n/, $r->{out};
	is(scalar @lines, 3, 'three lines');
	is_deeply([ @{ $lines[2] }{qw(type members sessions connections)} ], [ 'stats', 2, 1, 3 ], 'what there is now');
	cmp_ok($lines[0]{received}, '>=', 2, 'the first is of all before');
	is($lines[2]{received}, 0, 'the others of what came in between');
	cmp_ok($lines[2]{memory}, '>', 1 << 20, 'memory');
}

subtest 'what goes on' => sub {
	my $stats = spawn([ "$ENV{HUB_BUILD}/hubcat", '--stats', '-u', $unix, qw(-j 0.1) ]);
	wait_for { slurp($stats->{out}) =~ /\n/ } 'a first line';
	run($hub->hubcat([qw(-p s)]), in => qq({"type":"t"}\n) x 100);
	my %sum;
	becomes {
		%sum = ();
		my (undef, @lines) = slurp($stats->{out}) =~ /^(.*)\n/mg;
		for my $line (map { unjson($_) } @lines) {
			$sum{$_} += $line->{$_} for qw(received delivered received_bytes sent_bytes);
		}
		($sum{delivered} // 0) >= 200
	} 'all is seen';
	is($sum{delivered}, 200, 'each to each member');
	cmp_ok($sum{received}, '>=', 101, 'and the join');
	cmp_ok($sum{sent_bytes}, '>', 200 * 14, 'in bytes');
	$stats->kill('TERM');
	is($stats->wait, 0, 'a signal ends it well');
};

subtest 'a table' => sub {
	my $r = run([ 'hubcat', '--stats', '-u', $unix, 0.1, 41 ]);
	is($r->{status}, 0, 'done');
	my @lines = split /\n/, $r->{out};
	my @heads = grep { $lines[$_] =~ /^ +conn +sess +memb +msg\/s +dlv\/s +in\/s +out\/s +slow +refu lag\/ms +mem$/ } 0 .. $#lines;
	is_deeply(\@heads, [ 0, 21, 42 ], 'names of columns, every 20 lines');
	is_deeply([ grep { !/^(?: *[\d.]+[kMGTP]?| +inf){11}$/ } grep { !/conn/ } @lines ], [], 'and figures');
	is(scalar @lines, 44, 'as many as were asked for');
	is(scalar(() = run([ 'hubcat', '--stats', '-u', $unix, qw(-n 2 0.1) ])->{out} =~ /\n/g), 3, '-n is a count, too');
	$r = run([ 'sh', '-c', "'$ENV{HUB_BUILD}/hubcat' --stats -u '$unix' 0.1 | head -n 2 | wc -l" ]);
	is($r->{out} + 0, 2, 'who reads no more ends it');
	is($r->{err}, '', 'in silence');
};

subtest 'no hub' => sub {
	my $r = run([ 'hubcat', '--stats', '-u', 'unix:' . scratch() . '/none' ]);
	is($r->{status}, 69, 'none there');
	like($r->{err}, qr{^hubcat: unix:\S+/none: No such file or directory$}m, 'why');
	my $l = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1') or die "listen: $!\n";
	for my $case ([ "HTTP/1.1 404 Not Found\r\n\r\n", qr{/p/metrics is answered with HTTP 404} ],
		[ "HTTP/1.1 200 OK\r\n\r\nhubd_connections 1\n", qr{/p/metrics is not a hub's} ], [ '', qr/no answer/ ])
	{
		my ($answer, $says) = @$case;
		my $proc = spawn([ "$ENV{HUB_BUILD}/hubcat", '--stats', '-u', 'ws://127.0.0.1:' . $l->sockport . '/p/ws' ]);
		my $c = $l->accept;
		my $head = '';
		sysread $c, $head, 4096, length $head until $head =~ /\r\n\r\n/;
		like($head, qr{^GET /p/metrics HTTP/1\.0\r$}m, 'beside the WebSocket');
		print {$c} $answer;
		close $c;
		is($proc->wait >> 8, 69, 'exit 69');
		like(slurp($proc->{err}), $says, 'why');
	}
	my $forbidden = run([ 'hubcat', '--stats', '-u', $unix, '-l' ]);
	is($forbidden->{status}, 64, '-l is not for it');
	is(run([ 'hubcat', '--stats', '-u', $unix, @$_ ])->{status}, 64, "'@$_' is nothing") for ['x'], [0], [ 1, 0 ], [ 1, 'x' ], [ 1, 2, 3 ], [ 1, 1.5 ];
};

# A hub that goes: -w bounds how long that may be; one that comes back is seen.
subtest 'a hub that goes' => sub {
	my $other = Hub->start(listen => own_address() . ':0');
	my $at = "$other->{host}:$other->{port}";
	my $stays = spawn([ "$ENV{HUB_BUILD}/hubcat", '--stats', '-u', "ws://$at/ws", qw(-j 0.1) ]);
	my $gives_up = spawn([ "$ENV{HUB_BUILD}/hubcat", '--stats', '-u', "ws://$at/ws", qw(-j -w 0.3 0.1) ]);
	my $ends = spawn([ "$ENV{HUB_BUILD}/hubcat", '--stats', '-u', "ws://$at/ws", qw(-j --no-reconnect 0.1) ]);
	wait_for { slurp($_->{out}) =~ /\n/ } 'a line' for $stays, $gives_up, $ends;
	$other->stop;
	is($gives_up->wait >> 8, 1, '-w gives up');
	like(slurp($gives_up->{err}), qr/^hubcat: gave up: nothing for 0\.3 s$/m, 'and says so');
	is($ends->wait >> 8, 69, '--no-reconnect ends');
	ok($stays->running, 'else it waits');
	my $before = () = slurp($stays->{out}) =~ /\n/g;
	my $again = Hub->start(listen => $at);
	becomes { (() = slurp($stays->{out}) =~ /\n/g) > $before } 'and goes on';
	$stays->kill('INT');
	is($stays->wait, 0, 'ended');
	$again->stop;
};

$hub->stop;
done_testing;

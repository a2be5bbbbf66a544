# The recorded game, piped into one session at three hubds at once and as fast as it goes: members on all of them, by
# WebSocket, Unix socket and events, get all of it, once, in one order.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $redis = Hub::Redis->start;
my @hub = map { $redis->hub(args => [ '--history', 100_000 ]) } 1 .. 3;

for my $data ('match', 'positions') {
	subtest $data => sub {
		my @lines = slurp(data_file($data)) =~ /^.*\n/mg;
		@lines = @lines[ 0 .. 1999 ] if @lines > 2000;
		my $n = 3 * @lines;
		my @members = map {
			my $hub = $_;
			map { [ $_, $hub->member($_, $data) ] } ('unix', 'ws') x 5
		} @hub;
		my @events = map {
			my $hub = $_;
			map { spawn([ 'curl', '-sSN', '--max-time', 280, "http://$hub->{host}:$hub->{port}/sessions/$data/events" ]) } 1 .. 3
		} @hub;
		wait_for { 9 == grep { length slurp($_->{out}) } @events } 'events to begin';
		my $file = spew(scratch() . "/$data.part", @lines);
		my @pipes = map { spawn($_->hubcat([ '-p', $data ]), in => $file) } @hub;
		is($_->wait, 0, 'it is piped') for @pipes;
		my @first;
		for my $m (@members) {
			my ($kind, $c) = @$m;
			my $texts = $c->{in};
			wait_for { @$texts >= $n || $c->{gone} } "$n records";
			my @seq = map { /"seq":(\d+)\}$/ ? $1 : () } @$texts;
			is("@seq", join(' ', 1 .. $n), "$kind: all, in order");
			@first = @$texts unless @first;
			is(scalar(grep { $texts->[$_] ne $first[$_] } 0 .. $n - 1), 0, 'and the same to the byte');
			@$texts = ();
		}
		for my $e (@events) {
			wait_for { slurp($e->{out}) =~ /"seq":$n\}/ } 'all events';
			my @seq = slurp($e->{out}) =~ /^data: ?\{.*"seq":(\d+)\}$/mg;
			is("@seq", join(' ', 1 .. $n), 'events: all, in order');
			$e->kill('KILL');
		}
		my %from;
		$from{ /"from":"([^"]+)"/ ? $1 : '' }++ for @first;
		is_deeply([ values %from ], [ (scalar @lines) x 3 ], 'of each hubd as much');
		$_->[1]->vanish for @members;
	};
}

$_->stop for @hub;
done_testing;

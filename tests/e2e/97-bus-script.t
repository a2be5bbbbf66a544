# What publish.lua does in Redis, asked by itself: what a hubd does not know, because others were faster, and where it is
# that the log begins.
use strict;
use warnings;
use Hub;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();

my $redis = Hub::Redis->start;
my @keys = map { "hub:{s}$_" } '', qw(:log :state :acked :acked0 :here);

sub script {
	my ($name, @args) = @_;
	return split /\n/, $redis->cli('--eval', "bin/hubd/bus/$name.lua", @keys, ',', @args);
}

# A message as the script sees it: the first 8 bytes are what it is known by, the last two its place, which is to be
# printable here.
my $far = unpack 'v', '  ';

sub message { return sprintf '%-8s%s  ', $_[0], 'a sender' }

# A batch of n records of a hubd that has what there is up to `head` and `last`; returns the answer, and what the log
# has of it.
sub publish {
	my ($id, $head, $last, $n, $records, @acked) = @_;
	my $batch = 'r 00000000000000ff ' . ($head + 1) . " $n $last $id\n$records";
	my @answer = script('publish', '00000000000000ff', $id, $n, $batch, 60_000, 4, 400, 'channel', '', '', '', '', join('', map { message($_) } @acked), $head);
	my @log = split /\n/, $redis->cli(qw(XREVRANGE hub:{s}:log + - COUNT 1)), -1;
	return ("@answer", join "\n", @log[ 2 .. $#log ]);
}

script('open', '00000000000000ff', 60_000);
is_deeply([ publish('a.1', 0, '-', 2, 'one') ], [ 'ok 1', "r 00000000000000ff 1 2 - a.1\none" ], 'the first batch is as it was');
is_deeply([ publish('b.1', 0, '-', 1, 'two', 'x', 'y') ], [ 'ok 3', "r 00000000000000ff 3 1 a.1 b.1\ntwo" ],
	'the head of one that came behind another is mended');
is((publish('a.2', 3, 'b.1', 1, 'three', 'z'))[0], 'ok 4', 'one that is as it was said');
is((publish('b.2', 3, 'b.1', 2, 'four', 'w', 'z'))[0], 'repeated ' . (4 + $far), 'what has come since, and is there, is told');
is((publish('b.2', 0, '-', 2, 'four', 'z', 'v', 'x'))[0], 'repeated ' . (4 + $far), 'of several batches the last');
is((publish('b.2', 0, '-', 2, 'four', 'v', 'x'))[0], 'repeated ' . (3 + $far), 'or one before it');
is((publish('b.2', 4, 'a.2', 1, 'four', 'z', 'x'))[0], 'ok 5', 'what came before is known by who says so');
is($redis->cli(qw(HGET hub:{s} head)), 5, 'where nothing was done nothing was counted');

# The window goes over to the second key, and is looked for in both.
my @open = script('open', 'x', 60_000);
is_deeply([ @open[ 0 .. 3 ] ], [ '00000000000000ff', 5, 'b.2', 1 ], 'what who opens it is told');
my $old = $redis->cli(qw(STRLEN hub:{s}:acked));
$redis->cli(qw(RENAME hub:{s}:acked hub:{s}:acked0));
is((publish('a.3', 5, 'b.2', 1, 'five', 'u'))[0], 'ok 6', 'a new one begins');
is((publish('b.3', 3, 'b.1', 1, 'six', 'z', 'u'))[0], 'repeated ' . (6 + $far), 'one is looked into');
is((publish('b.3', 3, 'b.1', 1, 'six', 'z'))[0], 'repeated ' . (4 + $far), 'and the other one');
is($redis->cli(qw(STRLEN hub:{s}:acked0)), $old, 'and neither is changed');

# 400 bytes are kept, and four records at least.
is((publish("c.$_", $_ + 5, $_ > 1 ? 'c.' . ($_ - 1) : 'a.3', 1, 'y' x 60))[0], 'ok ' . ($_ + 6), "record $_") for 1 .. 8;
my @log = grep { /^0-/ } split /\n/, $redis->cli(qw(XRANGE hub:{s}:log - +));
is_deeply(\@log, [ map { "0-$_" } 11 .. 14 ], 'the oldest have gone');
is((script('look', 15, 10, 60_000))[3], 11, 'and it is known where it begins');
is($redis->cli(qw(HGET hub:{s} bytes)), 4 * length("r 00000000000000ff 11 1 c.4 c.5\n" . 'y' x 60), 'and how much there is');
is_deeply([ grep { $redis->cli('HEXISTS', 'hub:{s}', $_) } 1 .. 14 ], [ 11 .. 14 ],
	'nothing else is kept of those that went');

script('renew', '00000000000000ff', '00000000000000fe', 'channel');
is_deeply([ (script('look', 15, 10, 60_000))[ 0 .. 3 ] ], [ '00000000000000fe', 14, '-', 15 ], 'another past begins with nothing');
is($redis->cli(qw(HGET hub:{s} 11)), '', 'and nothing is known of the one before');
cmp_ok($redis->cli(qw(PTTL hub:{s})), '>', 0, 'it goes like any');
done_testing;

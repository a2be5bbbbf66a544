# A connection that has said all it will ends also where the last thing it waits for is an answer of the
# store to a seat that it has left meanwhile.
use strict;
use warnings;
use Fcntl qw(F_SETLK F_WRLCK F_UNLCK);
use Hub;
use Hub::Store;

# Nobody can begin to read the store: all read marks of its wal-index (see SQLite's walformat).
sub lock_reads {
	my ($shm, $type) = @_;
	wait_for { fcntl $shm, F_SETLK, pack 's s x4 q q i x4', $type, 0, 123, 5, 0 } 'the lock';
}

# All that is there to be read.
sub read_all {
	my ($c) = @_;
	my $before = -1;
	$c->{reading} = 1;
	while ($before != ($c->{bytes_in} || 0)) {
		$before = $c->{bytes_in} || 0;
		pump(0.3, $c) for 1 .. 3;
	}
}

my $dir = store_dir();
my $hub = store_hub($dir, workers => 1,
	args => [ '--history-bytes', 65536, '--history', 10, '--slow-after', 1 ]);
my $to_s = $hub->member('unix', 's', echo => JSON::PP::false());
my $to_t = $hub->member('unix', 't', echo => JSON::PP::false());
my $c = $hub->member('unix', 's');
$c->join_session('t');

$c->{reading} = 0;
for my $n (3000, 200) {    # the first part leaves the log with the second
	$to_s->send(map { { type => 'r', pad => 'x' x 1000 } } 1 .. $n);
	$to_s->sync;
	sleep 2;
}
open my $shm, '+<', "$dir/store.db-shm" or die "store.db-shm: $!\n";
lock_reads($shm, F_WRLCK);
read_all($c);              # then the hub asks the store
cmp_ok(scalar(grep { /"type":"r"/ } @{ $c->{in} }), '<', 3200, 'it is behind');

$c->{reading} = 0;
$to_t->send(map { { type => 'r', pad => 'x' x 1000 } } 1 .. 400);
$to_t->sync;               # more than the kernel holds
$c->send({ type => 'session_leave', session_id => 's' })->drain;
pump(0.3, $to_t);
shutdown $c->{fh}, 1;
pump(0.3, $to_t);
read_all($c);
ok((grep { /"type":"session_left"/ } @{ $c->{in} }), 'it has left');
lock_reads($shm, F_UNLCK);
becomes { $c->{gone} } 'the connection ends', 10;
$hub->stop;

done_testing;

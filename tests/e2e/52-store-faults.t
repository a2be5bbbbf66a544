# A store that cannot be written: publishers are told why, nobody is thrown
# out, and it goes on when it can. A store that cannot be used is refused at the start, and left as it is.
use strict;
use warnings;
use Fcntl qw(SEEK_SET);
use Hub;
use Hub::Store;

# File systems of our own, where we may make them, in a name space that goes with this process.
if (!$ENV{HUB_TEST_MOUNTS}) {
	$ENV{HUB_TEST_MOUNTS} = system('unshare -m true 2>/dev/null') == 0 ? 'yes' : 'no';
	exec 'unshare', '-m', $^X, (map { "-I$_" } @INC), $0, @ARGV if $ENV{HUB_TEST_MOUNTS} eq 'yes';
}
my $mounts = $ENV{HUB_TEST_MOUNTS} eq 'yes';
delete $ENV{HUB_TEST_MOUNTS};

my @mounted;
my $mount_owner = $$;
END { system 'umount', '-l', @mounted if @mounted && $$ == $mount_owner }

sub small_disk {
	my $dir = store_dir();
	system('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', $dir) == 0 or return;
	push @mounted, $dir;
	return $dir;
}

# Takes all the space there is.
sub fill {
	my ($file) = @_;
	open my $fh, '>:raw', $file or die "$file: $!\n";
	while (syswrite $fh, 'x' x 4096) { }
}

sub acks {
	my ($c) = @_;
	return map { /^\{"type":"ack","msg_id":"([^"]*)"/ ? $1 : () } @{ $c->{in} };
}

# A hub whose store fails after break() and works again after mend(). It could make room by itself, in the
# write-ahead log, did not somebody look at that.
sub fails_and_recovers {
	my ($hub, $reason, $break, $mend, $at_once) = @_;
	# One whom no meter slows: it is the store that is tried here.
	my $a = $hub->member('unix', 's', echo => JSON::PP::false());
	my $b = $hub->member('ws', 's');
	my $slow_reader = $hub->member('ws', 'elsewhere');
	send_acked($a, map { "before$_" } 1 .. 10);

	my $seen = look("$hub->{dir}/store.db");
	$break->();
	my $n = 0;
	my @errors;
	wait_for {
		# Enough to fill the disk, and then so that somebody notices.
		$a->send(map { { type => 't', msg_id => 'm' . ++$n, pad => 'x' x 1000 } } 1 .. ($n < 3000 ? $at_once // 8 : 1));
		pump(0.01);
		select undef, undef, undef, 0.01 if $at_once;    # acks may come meanwhile
		@errors = grep { /^\{"type":"error"/ } @{ $a->{in} };
		return @errors || $a->{gone};
	} 'an error';
	if (!@errors) {
		fail('hubd lives');
		$hub->forget;
		$seen->();
		return 0;
	}
	my $error = unjson($errors[0]);
	is($error->{data}{code}, 'internal', 'publishers are refused');
	like($error->{data}{message}, $reason, 'with the reason');
	like($error->{msg_id}, qr/^m\d+$/, 'and the message that it is about');
	$b->send({ type => 't' });
	like($b->wait_type('error')->{data}{message}, $reason, 'another one too');
	$a->sync;
	my $head = $hub->member('unix', 's')->{joined}{seq};

	# A repeat of what waits to be stored may come as often as it likes.
	my ($rss, $repeats) = (0, 0);
	while ($repeats < 100_000) {
		$a->send_text(map { qq({"type":"t","msg_id":"m) . (1 + $_ % $n) . '"}' } 1 .. 2000);
		$repeats += 2000;
		$a->send({ type => 'ping' });
		$a->wait_type('pong');
		$a->{in} = [];
		$rss ||= $hub->rss;
	}
	my $grown = $hub->rss - $rss;
	cmp_ok($grown, '<', 4096, "memory is bounded: $grown KiB more after $repeats repeats") if no_sanitizer();
	is($hub->member('unix', 's')->{joined}{seq}, $head, 'nothing is logged meanwhile');
	$slow_reader->send({ type => 'ping' });
	is($slow_reader->next->{type}, 'pong', 'others are served');
	ok(!(grep { !$_->alive } $a, $b, $slow_reader), 'nobody is thrown out');
	becomes { $hub->log_text =~ /store .*publishers are refused/ } 'the log says so';

	$mend->();
	$seen->();
	$a->{in} = [];
	my $tries = 0;
	becomes {
		$a->send({ type => 't', msg_id => 'after' . ++$tries });
		pump(0.05) for 1 .. 4;
		return grep { /^after/ } acks($a);
	} 'the service resumes';
	$a->send_text(map { qq({"type":"t","msg_id":"m$_"}) } 1 .. $n);
	wait_for { my %now = map { $_ => 1 } acks($a); !grep { !$now{"m$_"} } 1 .. $n } 'all acks';
	becomes { $hub->log_text =~ /writing again/ } 'the log says so';
	ok(!(grep { !$_->alive } $a, $b, $slow_reader), 'still nobody is thrown out');
	my $reader = $hub->member('unix', 's', since => 0);
	wait_for { seqs($reader) >= $reader->{joined}{seq} } 'all records';
	is_deeply([ seqs($reader) ], [ 1 .. $reader->{joined}{seq} ], 'no number is missing');
	my %times;
	$times{$_}++ for map { /"msg_id":"(\w+)"/ ? $1 : () } @{ $reader->{in} };
	is_deeply([ grep { ($times{"m$_"} || 0) != 1 } 1 .. $n ], [], 'every message is there once');
	return $reader->{joined}{seq};
}

subtest 'the disk is full' => sub {
	plan skip_all => 'no file systems of our own here' unless $mounts;
	my $dir = small_disk() or return ok(1, 'no tmpfs here');
	my $hub = store_hub($dir);
	my $head = fails_and_recovers(
		$hub, qr/full/,
		sub { fill("$dir/filler") },
		sub { unlink "$dir/filler" or die "filler: $!\n" });
	$hub->stop;
	$hub = store_hub($dir);
	is($hub->member('unix', 's')->{joined}{seq}, $head, 'a restart finds all of it');
	$hub->stop;
	my $other = small_disk();
	fill("$other/filler");
	my $refused = Hub->refuses('--listen', 'none', '--socket', "$dir/hub.sock", '--store', "$other/store.db");
	is($refused->{status}, 73, 'a start on a full disk fails');
	like($refused->{err}, qr/store \S+: .*(?:full|space)/, 'and says why');
};

subtest 'a limit on file sizes' => sub {
	plan skip_all => 'no prlimit here' if system 'prlimit --version >/dev/null 2>&1';
	my $dir = store_dir();
	my $hub = store_hub($dir);
	my $limit = sub { system('prlimit', '--pid', $hub->pid, "--fsize=$_[0]") == 0 or die "prlimit\n" };
	my $head = fails_and_recovers($hub, qr/disk|file|store/i, sub { $limit->('200000:unlimited') },
		sub { $limit->('unlimited:unlimited') });
	ok($hub->{proc}->running, 'hubd lives');
	$hub->stop;
	$hub = store_hub($dir);
	is($hub->member('unix', 's')->{joined}{seq}, $head, 'a restart finds all of it');
	$hub->stop;
};

subtest 'somebody else locks it' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir);
	my $release;
	# Meanwhile its redo log has all, for some seconds: not more than the hub knows to be repeats.
	fails_and_recovers($hub, qr/locked/, sub { $release = hold("$dir/store.db") }, sub { $release->() }, 1);
	$hub->stop;
};

# Everything beside a store, by name.
sub files {
	my ($dir) = @_;
	return { map { m{([^/]+)$}; $1 => slurp($_) } grep { -f && !/hubd?\.|sanitizer|-shm$/ } glob "$dir/*" };
}

sub refused {
	my ($dir, $status, $why, $name, $store) = @_;
	my $before = files($dir);
	my $result = Hub->refuses('--listen', 'none', '--socket', "$dir/hub.sock", '--store',
		$store // "$dir/store.db");
	is($result->{status}, $status, "$name: exit status $status");
	like($result->{err}, qr/\Ahubd: store \S+: $why\z/, "$name: says why, in one line");
	my $after = files($dir);
	is_deeply([ sort keys %$after ], [ sort keys %$before ], "$name: no files come or go");
	is(join(' ', grep { $after->{$_} ne ($before->{$_} // '') } sort keys %$after), '', "$name: left as it was");
}

subtest 'where no store can be' => sub {
	my $dir = store_dir();
	refused($dir, 73, 'No such file or directory', 'no directory', "$dir/none/store.db");
	refused($dir, 73, 'Is a directory', 'a directory', $dir);
	spew("$dir/file", 'x');
	refused($dir, 73, 'Not a directory', 'below a file', "$dir/file/store.db");
	SKIP: {
		my $disk = $mounts && small_disk();
		skip 'no file systems of our own here', 4 unless $disk;
		my $hub = store_hub($disk);
		send_acked($hub->member('unix', 's'), 'x');
		$hub->stop;
		system('mount', '-o', 'remount,ro', $disk) == 0 or skip 'no read-only file system', 4;
		my $there = "$disk/store.db";
		my $before = slurp($there);
		my $result = Hub->refuses('--listen', 'none', '--socket', "$dir/hub.sock", '--store', $there);
		is($result->{status}, 73, 'a read-only file system');
		like($result->{err}, qr/\Ahubd: store \Q$there\E: Read-only file system\z/, 'it says so');
		is(slurp($there), $before, 'nothing has changed');
	}
};

# A sound store with some content; killed: with its WAL.
sub make_store {
	my ($dir, $killed) = @_;
	my $hub = store_hub($dir);
	my $a = $hub->member('unix', 's');
	$a->send(map { { type => 't', key => "k$_", pad => 'x' x 500 } } 1 .. 200);
	send_acked($a, 'last');
	$a->vanish;
	$killed ? killed($hub) : $hub->stop;
	return "$dir/store.db";
}

sub damage {
	my ($file, $offset, $bytes) = @_;
	open my $fh, '+<:raw', $file or die "$file: $!\n";
	seek $fh, $offset, SEEK_SET;
	print $fh $bytes;
	close $fh;
}

subtest 'what is no store, or is damaged' => sub {
	my $foreign = 'not a store of hubd';
	my $damaged = 'the store is damaged';
	my $dir = store_dir();
	spew("$dir/store.db", 'garbage ' x 2000);
	refused($dir, 78, $foreign, 'garbage');
	spew("$dir/store.db", "short\n");
	refused($dir, 78, $foreign, 'a short text');
	spew("$dir/store.db", "\0" x 8192);
	refused($dir, 78, $foreign, 'zeros');

	$dir = store_dir();
	sql("$dir/store.db", 'CREATE TABLE record (a); INSERT INTO record VALUES (1)');
	refused($dir, 78, $foreign, 'a foreign database');
	$dir = store_dir();
	sql("$dir/store.db", 'PRAGMA user_version = 7; CREATE TABLE t (a); DROP TABLE t');
	refused($dir, 78, $foreign, 'a foreign database without tables');
	# Another program's database, in use a moment ago.
	$dir = store_dir();
	my $release = hold("$dir/store.db", 'PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1);');
	my $copy = store_dir();
	spew("$copy/store.db$_", slurp("$dir/store.db$_")) for '', '-wal';
	$release->();
	refused($copy, 78, $foreign, 'a foreign database with a WAL');

	for my $killed (0, 1) {
		my $with = $killed ? ' (with a WAL)' : '';
		my $file = make_store($dir = store_dir(), $killed);
		damage($file, 0, "\xff" x 16);
		refused($dir, 78, $foreign, "a header overwritten$with");
	}
	my $sound = make_store(store_dir());
	my $bytes = slurp($sound);
	my $size = unpack 'x16 n', $bytes;
	my $pages = length($bytes) / $size;
	cmp_ok($pages, '>', 10, "a store of $pages pages");
	for my $page (2, int $pages / 2, $pages - 1) {
		$dir = store_dir();
		spew("$dir/store.db", $bytes);
		damage("$dir/store.db", ($page - 1) * $size, "\x5a" x 64);
		refused($dir, 78, $damaged, "page $page of $pages overwritten");
	}
	for my $length (100, $size, $size * int($pages / 2), length($bytes) - 1000) {
		$dir = store_dir();
		spew("$dir/store.db", substr $bytes, 0, $length);
		refused($dir, 78, $damaged, "cut after $length bytes");
	}
	# The WAL of a store that was killed is part of it, and stays with it. It has no part of the state.
	my $file = make_store($dir = store_dir());
	my $state = sql($file, "SELECT rootpage FROM sqlite_master WHERE name = 'state'");
	my $hub = store_hub($dir);
	send_acked($hub->member('unix', 'other'), 'x');
	killed($hub);
	cmp_ok(-s "$file-wal", '>', 4096, 'a store with a WAL');
	damage($file, $size * ($state - 1), "\x5a" x 64);
	refused($dir, 78, $damaged, 'damaged, with a WAL');
	sql($sound, 'DROP TABLE ack');
	$dir = $sound =~ s{/[^/]+$}{}r;
	refused($dir, 78, $damaged, 'a table gone');
};

subtest 'an end at which the database cannot be written' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir);
	my $a = $hub->member('unix', 's');
	my $release = hold("$dir/store.db");
	is_deeply(send_acked($a, 'x'), { x => 1 }, 'a record that the redo log has');
	$hub->forget;
	$hub->{proc}->kill('TERM');
	is($hub->{proc}->wait >> 8, 74, 'is no success');
	like($hub->log_text, qr/store .*: the store is locked by somebody else; the next start writes what is in the redo log/,
		'and says so');
	$release->();
	$hub = store_hub($dir);
	like($hub->log_text, qr/store .*: 1 records were still in the redo log/, 'the next one does that');
	is($hub->member('unix', 's')->{joined}{seq}, 1, 'and nothing is lost');
	$hub->stop;
};

subtest 'an end at which the last records are lost' => sub {
	plan skip_all => 'no prlimit here' if system 'prlimit --version >/dev/null 2>&1';
	my $dir = store_dir();
	my $hub = store_hub($dir);
	my $a = $hub->member('unix', 's');
	send_stored("$dir/store.db", 's', $a, 'first');
	system('prlimit', '--pid', $hub->pid, '--fsize=40000:unlimited') == 0 or die "prlimit\n";
	$a->send({ type => 't', msg_id => 'x', pad => 'x' x 60000 }, { type => 't', pad => 'x' x 60000 });
	becomes { $hub->log_text =~ /publishers are refused/ } 'the redo log cannot be written';
	$hub->forget;
	$hub->{proc}->kill('TERM');
	is($hub->{proc}->wait >> 8, 74, 'is no success');
	like($hub->log_text, qr/its redo log is larger than the limit on file sizes allows; the last records are lost/, 'and says so');
};

done_testing;

# A member that was away asks for what is left: behind its last record a gap where the log was trimmed, the
# state that is older than what is kept, and all that is kept. After a crash it is told up to where its
# numbers still hold.
use strict;
use warnings;
use Hub;
use Hub::Store;

my $false = JSON::PP::false();
my $true = JSON::PP::true();

sub publish {
	my ($hub, $session, @messages) = @_;
	my $c = $hub->member('unix', $session, echo => $false);
	$c->send(map { { type => 'p', %$_ } } @messages);
	$c->sync;
	return $c;
}

# What follows a join: the answer, then words: 7 for a record, gap:1-6 for a gap.
sub rest {
	my ($c, $session, %join) = @_;
	my $j = $c->join_session($session, rest => $true, %join);
	my @got;
	while ($j->{seq} && (!@got || $got[-1] ne $j->{seq})) {
		my $m = $c->next;
		push @got, $m->{type} eq 'gap' ? "gap:$m->{from_seq}-$m->{to_seq}" : $m->{seq} // $m->{type};
		die "not up to $j->{seq}: @got\n" if @got > 5000;
	}
	return ($j, "@got");
}

sub range { return join ' ', $_[0] .. $_[1] }

for my $t ('unix', 'ws') {
	subtest "a log without its beginning, over $t" => sub {
		my $hub = Hub->start(args => [ '--history', 20, '--history-bytes', 0 ]);
		my $keep = publish($hub, 's', { key => 'old' }, { key => 'new' }, {});
		my ($j, $got) = rest($hub->client($t), 's', since => 1, epoch => $keep->{joined}{epoch});
		is_deeply([ @$j{qw(recovered since)}, $got ], [ $true, undef, '2 3' ], 'where all is there nothing changes');
		publish($hub, 's', { key => 'new' });
		my ($head, $tail);
		wait_for {
			publish($hub, 's', map { {} } 1 .. 1000);
			my $all = $hub->unix;
			$head = $all->join_session('s', since => 0)->{seq};
			my $first = $all->next;
			$tail = $first->{type} eq 'gap' ? $first->{to_seq} + 1 : 1;
			return $tail > 4;
		} 'the beginning to go';
		($j, $got) = rest($hub->client($t), 's', since => 2, epoch => $keep->{joined}{epoch});
		is_deeply(
			[ @$j{qw(recovered reason since snapshot seq)} ], [ $false, 'trimmed', 2, 2, $head ],
			'trimmed: what it has holds');
		my $before = $tail - 1;
		is($got, "gap:3-$before 1 4 " . range($tail, $head), 'a gap, the older state, all that is kept');
		($j, $got) = rest($hub->client($t), 's', since => 2, epoch => '00000000000');
		is_deeply([ @$j{qw(recovered reason since)} ], [ $false, 'epoch_changed', 0 ], 'another log: nothing holds');
		is($got, "gap:1-$before 1 4 " . range($tail, $head), 'from its beginning');
		($j, $got) = rest($hub->client($t), 's', since => 0);
		is($got, "gap:1-$before 1 4 " . range($tail, $head), 'the same from 0');
		$j = $hub->client($t)->join_session('s', rest => $true);
		ok(!exists $j->{since}, 'without since it means nothing');
		$hub->stop;
	};
}

subtest 'not of this form' => sub {
	my $hub = Hub->start;
	my $c = $hub->unix;
	$c->send({ type => 'session_associate', session_id => 's', rest => 1 });
	is($c->wait_type('error')->{data}{code}, 'bad_field', 'rest is true or false');
	$hub->stop;
};

subtest 'a hub that crashed' => sub {
	my $dir = store_dir();
	my $hub = still_hub($dir) or plan skip_all => 'no library can be made here';
	my $c = $hub->member('unix', 's');
	my $epoch = $c->{joined}{epoch};
	send_acked($c, 1 .. 10);
	# What was not stored is lost.
	my $release = still($dir);
	$c->{in} = [];
	$c->send(map { { type => 'lost', n => $_ } } 1 .. 5);
	wait_for { (seqs($c))[-1] && (seqs($c))[-1] == 15 } 'records that will be lost';
	killed($hub);
	$release->();
	$hub = store_hub($dir);
	publish($hub, 's', map { {} } 1 .. 3);
	my ($j, $got) = rest($hub->unix, 's', since => 15, epoch => $epoch);
	is_deeply(
		[ @$j{qw(epoch recovered reason since snapshot)} ], [ $epoch, $false, 'epoch_changed', 10, 0 ],
		'its numbers hold up to what was stored');
	is($got, '11 12 13', 'then comes what has these numbers now');
	($j, $got) = rest($hub->unix, 's', since => 12, epoch => $epoch, resume => $c->{joined}{resume});
	is_deeply([ $j->{since}, $got ], [ 10, '11 12 13' ], 'the same where the hub knows when it was here');
	my $run = $j->{run};
	like($run, qr/^[0-9a-f]{8}$/, 'it is told in which life of the hub it is');
	($j, $got) = rest($hub->unix, 's', since => 12, epoch => $epoch, run => $run);
	is_deeply([ @$j{qw(recovered since)}, $got ], [ $true, undef, '13' ], 'and what it has of that life holds');
	my $token = $j->{resume};
	($j, $got) = rest($hub->unix, 's', since => 12, epoch => $epoch, run => '00000000', resume => $token);
	is($j->{since}, 10, 'a run counts for more than a token, which may be younger');
	$hub->stop;
	$hub = store_hub($dir);
	($j, $got) = rest($hub->unix, 's', since => 12, epoch => $epoch, run => $run);
	is_deeply([ @$j{qw(recovered since)}, $got ], [ $true, undef, '13' ], 'an end without a crash takes nothing');
	isnt($j->{run}, $run, 'though it is another life');
	killed($hub);
	$hub = store_hub($dir);
	$j = $hub->unix->join_session('s', rest => $true, since => 13, epoch => $epoch, run => $run);
	is_deeply([ @$j{qw(recovered since)} ], [ $true, undef ], 'nor does a crash, of what was stored');
	$hub->stop;
};

done_testing;

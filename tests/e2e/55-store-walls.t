# What one client may do to a store, and to what it keeps for others: it fills no more than its share, pushes
# nobody out of the memory of acknowledged messages, and leaves nothing behind that waits for an ack.
use strict;
use warnings;
use Hub;
use Hub::Store;

my $no = JSON::PP::false();

# The code of the refusal of one message, or '' where it was acknowledged.
sub outcome {
	my ($c, $id, %message) = @_;
	$c->send({ type => 't', msg_id => $id, %message });
	my $answer;
	wait_for {
		while (@{ $c->{in} }) {
			my $m = $c->next;
			return $answer = $m if ($m->{msg_id} // '') eq $id && $m->{type} =~ /^(ack|error)$/;
		}
	} "an answer to $id";
	return $answer->{type} eq 'ack' ? '' : $answer->{data}{code};
}

subtest 'each sender has a window of its own' => sub {
	for my $store (0, 1) {
		my $dir = store_dir();
		my $hub = $store ? store_hub($dir) : Hub->start;
		my ($a, $b) = map { $hub->member('ws', 's', echo => $no) } 1, 2;
		my $first = send_acked($a, 'a1')->{a1};
		$b->send_text(map { qq({"type":"hint","to":"$b->{id}","msg_id":"d$_"}) } 1 .. 5000);
		wait_for { grep { /"msg_id":"d5000"/ } @{ $b->{in} } } 'many direct messages';
		$b->send_text(map { qq({"type":"t","msg_id":"m$_"}) } 1 .. 5000);
		wait_for { grep { /"ack","msg_id":"m5000"/ } @{ $b->{in} } } 'many records';
		is(send_acked($a, 'a1')->{a1}, $first, ($store ? 'with a store: ' : '') . 'a repeat is known');
		if ($store) {
			my $resume = $a->{joined}{resume};
			$hub->stop;
			$hub = store_hub($dir);
			$a = $hub->member('ws', 's', resume => $resume, echo => $no);
			is(send_acked($a, 'a1')->{a1}, $first, 'and by the next hub');
		}
		$hub->stop;
	}
};

subtest 'acks that are due' => sub {
	my $dir = store_dir();
	my $hub = still_hub($dir) or plan skip_all => 'no library can be made here';
	my $c = $hub->member('unix', 's', echo => $no);
	send_acked($c, 'one');
	my $let_go = still($dir);
	# Repeats of what is due, more of them than 16 bits count.
	$c->send_text(('{"type":"t","msg_id":"two"}') x 3, map { qq({"type":"t","msg_id":"n$_"}) } 1 .. 3);
	for (1 .. 70) {
		$c->send_text(('{"type":"t","msg_id":"two"}') x 1000);
		$c->sync;
	}
	$c->send({ type => 'session_leave', session_id => 's' });
	my $d = $hub->member('unix', 's');
	is($d->{joined}{user_count}, 2, 'it stays until its acks have come');
	$let_go->();
	wait_for { grep { /"type":"session_left"/ } @{ $c->{in} } } 'it to have left';
	is(scalar(grep { /"ack","msg_id":"two"/ } @{ $c->{in} }), 1, 'one ack for all repeats');
	is($hub->member('unix', 's')->{joined}{user_count}, 2, 'and no ghost of it is there');
	$_->abort for $c, $d;
	becomes { $hub->health->{connections} <= 2 } 'nor its connection';
	$hub->stop;
};

subtest 'the store has an end' => sub {
	my $dir = store_dir();
	my $hub = store_hub($dir, args => [ '--store-max', '4M' ]);
	my ($greedy, $good) = ($hub->member('ws', 'greedy', echo => $no), $hub->member('ws', 'good', echo => $no));
	is(outcome($good, 'g0'), '', 'somebody else stores a message');
	my ($n, $code) = (0, '');
	$code = outcome($greedy, 'f' . ++$n, pad => 'x' x 60000) while !$code && $n < 200;
	is($code, 'store_full', 'who fills the store is refused');
	cmp_ok($n * 60000, '>', 1 << 20, 'not before it has its share');
	cmp_ok(-s "$dir/store.db", '<', 4 << 20, 'and it is no larger than it may be');
	is(outcome($good, 'g1'), '', 'others go on');
	is(outcome($greedy, 'f1'), '', 'repeats of what is stored are acknowledged');
	becomes { $hub->log_text =~ /session greedy has its share/ } 'the operator is told';
	my $reader = $hub->member('ws', 'greedy', since => 0);
	is($reader->next->{seq}, 1, 'all can be read');
	$hub->stop;

	$hub = store_hub($dir, args => [ '--store-max', '1M' ]);
	$good = $hub->member('ws', 'good', echo => $no, resume => $good->{joined}{resume});
	is(outcome($good, 'g2'), 'store_full', 'a store that is too large takes nothing');
	is(outcome($good, 'g1'), '', 'and has what it had');
	$hub->stop;

	$hub = store_hub($dir, args => [ '--store-max', '4M', '--keep-records', 1 ]);
	$greedy = $hub->member('ws', 'greedy', echo => $no);
	becomes { outcome($greedy, 'f' . ++$n) eq '' } 'what is pruned makes room';
	$hub->stop;

	$hub = store_hub($dir, args => [ '--store-max', 0 ]);
	$greedy = $hub->member('ws', 'greedy', echo => $no);
	is(outcome($greedy, 'f' . ++$n), '', '0: no end');
	$hub->stop;
};

done_testing;

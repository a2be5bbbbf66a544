# Runs alone: it watches memory. A member that stops reading delays nobody: the others get everything, the
# hub's memory stays bounded, and the stalled one is told why it is closed, or gets an exact gap.
use strict;
use warnings;
use Hub;

my @history = ('--history', 256, '--history-bytes', '64k', '--slow-after', 0);
my $size = 8192;
my $body = 'd' x ($size - 60);

# Sends in batches, each once the readers have the one before, until the condition holds or LIMIT records
# were sent. Returns how many.
sub publish_until {
	my ($sender, $readers, $limit, $done) = @_;
	my $sent = 0;
	my $start = @{ $readers->[0]{in} };
	while ($sent < $limit && !$done->()) {
		$sender->send_text(map { qq({"type":"load","timestamp":1,"n":) . ++$sent . qq(,"d":"$body"}) }
			    1 .. 50);
		wait_for { !grep { @{ $_->{in} } < $start + $sent && !$_->{gone} } @$readers }
		'the readers to follow';
	}
	return $sent;
}

sub numbers {
	return map { /"seq":(\d+)\}$/ ? $1 : () } @{ $_[0]{in} };
}

subtest 'disconnect' => sub {
	my $hub = Hub->start(args => [ @history, '--write-timeout', 5 ]);
	my @readers = map { $hub->member($_, 's') } qw(ws unix ws unix);
	my $sender = $hub->member('unix', 's', echo => JSON::PP::false());
	my %stalled = (
		ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix,
		# These two never read again, so they must be thrown out.
		dead_ws => $hub->ws(rcvbuf => 4096), dead_unix => $hub->unix);
	$_->join_session('s') for values %stalled;
	$_->{reading} = 0 for values %stalled;
	my $connections = $hub->health->{connections};
	publish_until($sender, \@readers, 256, sub { 0 });
	my $before = $hub->rss;

	my $sent = 256 + 44;
	my $target = 10_000;
	$sent += publish_until($sender, \@readers, $target, sub { $hub->health->{slow_disconnects} == 4 });
	is($hub->health->{slow_disconnects}, 4, "all four were found out within $sent records");
	for my $t ('ws', 'unix') {
		my $c = $stalled{$t};
		$c->{reading} = 1;
		is(eval { $c->closed } // $@, 1013, "$t: is told that it was too slow");
		like($c->{close_reason}, qr/slow/, "$t: in words too");
		my @seq = numbers($c);
		is_deeply(\@seq, [ 1 .. @seq ], "$t: what it got before that is complete");
	}
	$sent += publish_until($sender, \@readers, 3000, sub { 0 });
	my $after = $hub->rss;
	if (no_sanitizer()) {
		cmp_ok($after - $before, '<', 24 * 1024,
			"memory grew from $before to $after KiB over " . int($sent * $size / 1024) . ' KiB sent');
	}
	for my $c (@readers) {
		my @seq = numbers($c);
		is(scalar(grep { $seq[$_] != $_ + 1 } 0 .. $#seq), 0, "$c->{kind}: complete");
		is(scalar @seq, $sent, "$c->{kind}: all of them");
		ok($c->alive, "$c->{kind}: still there");
	}
	becomes { $hub->health->{connections} == $connections - 4 } 'those who never read again are gone', 30;
	is($hub->health->{slow_resyncs}, 0, 'nobody was resynchronised');
	$readers[0]->send({ type => 'presence' });
	is($readers[0]->wait_type('presence')->{user_count}, 5, 'and no members any more');
	$hub->stop;
};

subtest 'resync' => sub {
	my $hub = Hub->start(args => [ @history, '--slow', 'resync', '--write-timeout', 60 ]);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('ws', 's', echo => JSON::PP::false());
	my %stalled = (ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix);
	$_->join_session('s') for values %stalled;
	$_->{reading} = 0 for values %stalled;
	# Over the loopback's buffers and the history by far.
	my $sent = publish_until($sender, \@readers, 4000, sub { 0 });
	$_->{reading} = 1 for values %stalled;
	my $last = 0;
	# They follow again, so what is sent now must reach them.
	wait_for {
		$sent += publish_until($sender, \@readers, 1, sub { 0 });
		$last = $sent;
		return !grep { ((numbers($_))[-1] // 0) < $last - 100 } values %stalled;
	} 'the stalled to follow again', 30;
	$sender->send({ type => 'end' });
	wait_for { !grep { ($_->{in}[-1] // '') !~ /"type":"end"/ } values %stalled } 'the end';
	for my $t (sort keys %stalled) {
		my $c = $stalled{$t};
		my ($next, $gaps, $wrong) = (1, 0, 0);
		for (@{ $c->{in} }) {
			if (/^\{"type":"gap"/) {
				my $gap = unjson($_);
				$gaps++;
				$wrong++ if $gap->{session_id} ne 's' || $gap->{from_seq} != $next;
				$next = $gap->{to_seq} + 1;
			} else {
				$wrong++ unless /"seq":(\d+)\}$/ && $1 == $next;
				$next++;
			}
		}
		cmp_ok($gaps, '>=', 1, "$t: was told of a gap");
		is($wrong, 0, "$t: the gap is exactly what is missing");
		is($next, $sent + 2, "$t: up to the end");
		ok($c->alive, "$t: still there");
	}
	cmp_ok($hub->health->{slow_resyncs}, '>=', 2, 'resynchronisations are counted');
	is($hub->health->{slow_disconnects}, 0, 'nobody was closed');
	$hub->stop;
};

subtest 'a peer that asks and never listens' => sub {
	my $hub = Hub->start(args => [ '--write-timeout', 2 ]);
	my $witness = $hub->member('unix', 's');
	my @deaf = map { $hub->member($_, 's') } qw(ws unix);
	$_->{reading} = 0 for @deaf;
	my $before = $hub->rss;
	my $ping = json({ type => 'ping', ping_id => 'p' x 200 });
	for my $c (@deaf) {
		# Far more questions than the buffers hold answers; the hub stops reading at some point.
		$c->send_text(($ping) x 1000);
		for (1 .. 200) {
			last if length $c->{wbuf} > 1 << 20 || $c->{unwritable};
			pump(0.01, $c);
			$c->send_text(($ping) x 1000) if length $c->{wbuf} < 1 << 18;
		}
	}
	cmp_ok($hub->rss - $before, '<', 24 * 1024, 'unread answers take bounded memory') if no_sanitizer();
	$witness->send({ type => 'hello' });
	is($witness->next->{type}, 'hello', 'the others are served');
	becomes { $hub->health->{connections} <= 2 } 'thrown out in the end', 30;
	$hub->stop;
};

done_testing;

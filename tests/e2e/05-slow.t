# A member that stops reading delays nobody: the others get everything, the
# hub's memory stays bounded, and the stalled one is told why it is closed, or gets an exact gap.
use strict;
use warnings;
use Hub;
use Socket qw(unpack_sockaddr_in);

my @history = ('--history', 256, '--history-bytes', '64k', '--slow-after', 0);
my $size = 8192;
my $body = 'd' x ($size - 60);

# Sends in batches, each once the readers have the one before, until the condition holds or LIMIT records
# were sent. Returns how many. A batch is less than the history, so that who reads is in step however slow
# the machine is.
sub publish_until {
	my ($sender, $readers, $limit, $done, $batch) = @_;
	my $sent = 0;
	my $start = @{ $readers->[0]{in} };
	while ($sent < $limit && !$done->()) {
		$sender->send_text(map { qq({"type":"load","timestamp":1,"n":) . ++$sent . qq(,"d":"$body"}) }
			    1 .. $batch // 50);
		wait_for { !grep { @{ $_->{in} } < $start + $sent && !$_->{gone} } @$readers }
		'the readers to follow';
	}
	return $sent;
}

sub numbers {
	return map { /"seq":(\d+)\}$/ ? $1 : () } @{ $_[0]{in} };
}

subtest 'disconnect' => sub {
	my $hub = Hub->start(args => \@history);
	my @readers = map { $hub->member($_, 's') } qw(ws unix ws unix);
	my $sender = $hub->member('unix', 's', echo => JSON::PP::false());
	my %stalled = (ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix);
	$_->join_session('s') for values %stalled;
	$_->{reading} = 0 for values %stalled;
	my $connections = $hub->health->{connections};
	publish_until($sender, \@readers, 256, sub { 0 });
	my $before = $hub->rss;

	my $sent = 256 + 44;
	my $target = 10_000;
	$sent += publish_until($sender, \@readers, $target, sub { $hub->health->{slow_disconnects} == 2 });
	is($hub->health->{slow_disconnects}, 2, "both were found out within $sent records");
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
	becomes { $hub->health->{connections} == $connections - 2 } 'those who were closed are gone';
	is($hub->health->{slow_resyncs}, 0, 'nobody was resynchronised');
	$readers[0]->send({ type => 'presence' });
	is($readers[0]->wait_type('presence')->{user_count}, 5, 'and no members any more');
	$hub->stop;
};

subtest 'one that never reads again' => sub {
	my $hub = Hub->start(args => [ @history, '--write-timeout', 3 ]);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('unix', 's', echo => JSON::PP::false());
	my @dead = ($hub->ws(rcvbuf => 4096), $hub->unix);
	$_->join_session('s') for @dead;
	$_->{reading} = 0 for @dead;
	my $connections = $hub->health->{connections};
	# On a machine that is slow enough the time for writing is over before.
	my $sent = publish_until($sender, \@readers, 10_000,
		sub { my $h = $hub->health; $h->{slow_disconnects} == 2 || $h->{connections} == $connections - 2 });
	becomes { $hub->health->{connections} == $connections - 2 } 'is thrown out';
	$readers[0]->send({ type => 'presence' });
	is($readers[0]->wait_type('presence')->{user_count}, 3, 'and no member any more');
	for my $c (@readers) {
		my @seq = numbers($c);
		is_deeply(\@seq, [ 1 .. $sent ], "$c->{kind}: complete");
		ok($c->alive, "$c->{kind}: still there");
	}
	$hub->stop;
};

subtest 'resync' => sub {
	my $hub = Hub->start(args => [ @history, '--slow', 'resync' ]);
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
	} 'the stalled to follow again', 300;
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

# What the hub's side of a connection holds: what was written to it and has not come to the other's. From
# /proc/net/tcp, as ss(8) has it in Send-Q.
sub held {
	my ($hub, $c) = @_;
	my ($port) = unpack_sockaddr_in(getsockname $c->{fh});
	my $ends = sprintf '[0-9A-F]{8}:%04X [0-9A-F]{8}:%04X', $hub->{port}, $port;
	my ($queue) = slurp('/proc/net/tcp') =~ /^ *\d+: $ends [0-9A-F]{2} ([0-9A-F]{8}):/m;
	return hex($queue // die "no connection from $port to $hub->{port}\n");
}

# What lies in a socket is what its reader must take before anything new, however long ago it was written, so
# it must not be what the kernel would take (tcp_wmem), but little.
subtest 'what lies before the news' => sub {
	plan skip_all => 'no /proc/net/tcp' if !-r '/proc/net/tcp';
	my $hub = Hub->start(args => [ '--slow', 'resync', '--slow-after', 0, '--history', 64, '--history-bytes', '64k' ]);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('unix', 's', echo => JSON::PP::false());
	my $c = $hub->ws(rcvbuf => 16_384);
	$c->join_session('s');
	$c->{reading} = 0;
	my ($most, $batch, $batches) = (0, 4, 0);
	my $sent = publish_until($sender, \@readers, 2000, sub {
		return 0 if $batches++ % 25; # the kernel takes its time for that file
		my $held = held($hub, $c);
		$most = $held if $held > $most;
		return 0;
	}, $batch);
	cmp_ok($most, '>', 0, 'it has come to a stand');
	cmp_ok($most, '<=', 256 * 1024, "its socket holds little of $sent records: $most bytes");

	my $before = $c->{bytes_in};
	$c->{reading} = 1;
	# The first that is newer than this moment, and what came before that.
	my ($bytes, $seen) = (0, 0);
	wait_for {
		publish_until($sender, \@readers, 1, sub { 0 }, 1);
		for (; $seen < @{ $c->{in} }; $seen++) {
			my $text = $c->{in}[$seen];
			return 1 if $text !~ /^\{"type":"gap"/ && $text =~ /"seq":(\d+)\}$/ && $1 > $sent;
			$bytes += length $text;
		}
		return 0;
	} 'it to be up to date';
	cmp_ok($bytes, '<=', 512 * 1024, "it is up to date after $bytes bytes");
	cmp_ok($hub->health->{slow_resyncs}, '>=', 1, 'by leaving out what is old');
	$hub->stop;
};

subtest 'a peer that asks and never listens' => sub {
	my $hub = Hub->start(args => [ '--write-timeout', 2 ]);
	my $witness = $hub->member('unix', 's');
	my @deaf = map { $hub->member($_, 's') } qw(ws unix);
	$_->{reading} = 0 for @deaf;
	my $before = $hub->rss;
	my $most = $before;
	my %asked;
	# Questions without end: the hub stops reading at some point, and throws them out in the end.
	my $ping = json({ type => 'ping', ping_id => 'p' x 200 });
	becomes {
		for my $c (@deaf) {
			next if length $c->{wbuf} > 1 << 18 || $c->{unwritable};
			$c->send_text(($ping) x 1000);
			$asked{ $c->{kind} } += 1000;
		}
		my $rss = $hub->rss;
		$most = $rss if $rss > $most;
		return $hub->health->{connections} <= 2;
	} 'thrown out in the end';
	cmp_ok($asked{$_}, '>=', 2000, "$_: after many questions") for 'ws', 'unix';
	cmp_ok($most - $before, '<', 24 * 1024, 'unread answers take bounded memory') if no_sanitizer();
	$witness->send({ type => 'hello' });
	is($witness->next->{type}, 'hello', 'the others are served');
	$hub->stop;
};

done_testing;

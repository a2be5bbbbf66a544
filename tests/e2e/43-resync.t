# Members that stop reading fill buffers. One that fell behind goes on with an exact gap, the
# state, and every record with a msg_id that it has not had, in order; no such record is ever withheld from a
# member that is still connected.
use strict;
use warnings;
use Hub;

my $false = JSON::PP::false();
my @options = ('--slow', 'resync', '--history', 64, '--history-bytes', '64k', '--slow-after', 0,
	'--write-timeout', 600);
my $pad = 'd' x 8000;

# What a member in step has, by seq, is what the others are judged by.
sub reference {
	my ($reader) = @_;
	my @all = (undef);
	for my $text (@{ $reader->{in} }) {
		$text =~ /"seq":(\d+)\}$/ or next;
		# Decoding all of so many takes too long.
		my %r = (text => $text, seq => $1);
		for my $name (qw(type key msg_id from)) {
			$r{$name} = $1 if $text =~ /"$name":"([^"]*)"/;
		}
		push @all, \%r;
	}
	return \@all;
}

# The state after record TO: seqs in order.
sub state_at {
	my ($all, $to) = @_;
	my %state;
	for my $r (@$all[ 1 .. $to ]) {
		next unless defined $r->{key};
		if ($r->{type} =~ /deleted$/) {
			delete $state{ $r->{key} };
		} else {
			$state{ $r->{key} }{ $r->{type} } = $r->{seq};
		}
	}
	return sort { $a <=> $b } map { values %$_ } values %state;
}

# Judges everything a member was sent from record NEXT on, up to the last. own: its client id, where it
# wanted no echo. Returns how many gaps there were, and what is wrong (nothing: '').
sub judge {
	my ($c, $all, $start, $own) = @_;
	my ($next, $gaps, @due) = ($start, 0);    # due: what must follow a gap, by seq
	my %had;
	for (@{ $c->{in} }) {
		if (/^\{"type":"gap"/) {
			my $gap = unjson($_);
			my $to = $gap->{to_seq};
			$gaps++;
			# Its own may lie before it, or in it.
			$next++ while $own && !@due && $next < $gap->{from_seq} && $all->[$next]{from} eq $own;
			return $gaps, "gap from $gap->{from_seq}, not $next" if $gap->{from_seq} != $next;
			return $gaps, "gap to $to" if $to < $next || $to > $#$all;
			# In the middle of the records after another gap: what was not had yet is due again.
			my %due = map { $_ => 1 } state_at($all, $to);
			$due{ $_->{seq} } = 1
			    for grep {
				       defined $_->{msg_id}
				    && !$had{ $_->{seq} }
				    && !($own && $_->{from} eq $own)
			    } @$all[ $start .. $to ];
			@due = sort { $a <=> $b } keys %due;
			$next = $to + 1;
		} elsif (/"seq":(\d+)\}$/ && !/^\{"type":"ack"/) {
			my $seq = $1;
			if (!@due) {
				$next++ while $own && $next < $seq && $all->[$next]{from} eq $own;
			}
			my $want = @due ? shift @due : $next++;
			return $gaps, "record $seq, not $want" if $seq != $want;
			return $gaps, "record $seq is not the same" if $_ ne $all->[$seq]{text};
			$had{$seq} = 1;
		}
	}
	return $gaps, @due + 0 . " records are due: @due[0 .. ($#due > 5 ? 5 : $#due)]" if @due;
	return $gaps, "$next is the next, of $#$all" if $next != @$all;
	return $gaps, '';
}

# Sends messages a batch at a time, each once the readers have the one before.
sub publish {
	my ($sender, $readers, @messages) = @_;
	while (my @batch = splice @messages, 0, 20) {
		my $want = @{ $readers->[0]{in} } + @batch;
		$sender->send_text(@batch);
		wait_for { !grep { @{ $_->{in} } < $want && !$_->{gone} } @$readers } 'the readers to follow';
	}
}

my $ids = 0;

# One message, large unless it is to have no pad; written by hand, since there are many.
sub message {
	my ($type, $key, $msg_id, $small) = @_;
	return join '', qq({"type":"$type"), defined $key ? qq(,"key":"$key") : (),
	    defined $msg_id ? qq(,"msg_id":"$msg_id") : (), $small ? () : qq(,"pad":"$pad"), '}';
}

# A mixture of events, state that changes and goes, and messages with a msg_id.
sub mixture {
	my ($n) = @_;
	return map {
		my $msg_id = $_ % 10 == 0 || $_ % 91 == 0 ? 'm' . ++$ids : undef;
		$_ % 7 == 0      ? message('pos',            'k' . int($_ / 7) % 11, $msg_id)
		    : $_ % 31 == 0 ? message('entity_deleted', 'k' . $_ % 11,          $msg_id)
		    : $_ % 13 == 0 ? message('hat',            'k' . $_ % 5,           $msg_id, 'small')
		    :                message('event',          undef,                  $msg_id);
	} 1 .. $n;
}

# The stalled read again until they are up to date. A gap may go up to the last record, so there must be
# another one.
sub recover {
	my ($sender, $readers, @stalled) = @_;
	$_->{reading} = 1 for @stalled;
	my ($last, $next) = ('', 0);
	wait_for {
		if (now() >= $next) {
			publish($sender, $readers, message('end', undef, undef, 'small'));
			$last = $readers->[0]{in}[-1];
			$next = now() + 0.3;
		}
		return !grep { !$_->{gone} && ($_->{in}[-1] // '') ne $last } @stalled;
	} 'all to be up to date', 300;
}

subtest 'what was missed' => sub {
	my $hub = Hub->start(args => \@options);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('unix', 's', echo => $false);
	publish($sender, \@readers, mixture(50));
	my %stalled = (ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix);
	$_->join_session('s', since => 0) for values %stalled;
	# Answers go ahead of records, so a ping would not tell.
	wait_for { !grep { @{ $_->{in} } < 50 } values %stalled } 'the past';
	$_->{in} = [] for values %stalled;
	$_->{reading} = 0 for values %stalled;
	for my $round (1 .. 3) {
		$_->{reading} = 0 for values %stalled;
		publish($sender, \@readers, mixture(1200));
		recover($sender, \@readers, values %stalled);
	}
	my $all = reference($readers[0]);
	cmp_ok($#$all, '>=', 50 + 3 * 1201, 'one in step has all');
	my ($g, $why) = judge($readers[1], $all, 1);
	is_deeply([ $g, $why ], [ 0, '' ], 'the other one too');
	for my $t (sort keys %stalled) {
		my ($gaps, $wrong) = judge($stalled{$t}, $all, 51);
		cmp_ok($gaps, '>=', 1, "$t: was told of gaps");
		is($wrong, '', "$t: the gap is exact, and what follows it is all that is due");
		ok($stalled{$t}->alive, "$t: still there");
	}
	my $health = $hub->health;
	cmp_ok($health->{slow_resyncs}, '>=', 2, 'counted');
	is($health->{slow_disconnects}, 0, 'nobody was closed');
	$hub->stop;
};

subtest 'behind again before it has caught up' => sub {
	my $hub = Hub->start(args => \@options);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('unix', 's', echo => $false);
	my %stalled = (ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix);
	$_->join_session('s') for values %stalled;
	$_->{reading} = 0 for values %stalled;
	# So much state that no buffer takes it at once.
	my @large = map { message('pos', "large$_") } 1 .. 800;
	publish($sender, \@readers, @large, mixture(600));
	for my $c (values %stalled) {
		$c->{reading} = 1;
		# Some of what follows the gap, and no more.
		my $gap = wait_for {
			(grep { $c->{in}[$_] =~ /^\{"type":"gap"/ } 0 .. $#{ $c->{in} })[0]
		} 'a gap', undef, $c;
		wait_for { @{ $c->{in} } > $gap + 5 } 'some of the state', undef, $c;
		$c->{reading} = 0;
	}
	publish($sender, \@readers, mixture(600));
	recover($sender, \@readers, values %stalled);
	my $all = reference($readers[0]);
	for my $t (sort keys %stalled) {
		my ($gaps, $wrong) = judge($stalled{$t}, $all, 1);
		cmp_ok($gaps, '>=', 2, "$t: was told of both gaps");
		is($wrong, '', "$t: nothing with a msg_id is missing");
		ok($stalled{$t}->alive, "$t: still there");
	}
	$hub->stop;
};

subtest 'a snapshot that is overtaken' => sub {
	my $hub = Hub->start(args => \@options);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('unix', 's', echo => $false);
	publish($sender, \@readers, map { message('pos', "large$_") } 1 .. 800);
	my %late = (ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix);
	my %joined = map { $_ => $late{$_}->join_session('s') } keys %late;
	$_->{reading} = 0 for values %late;
	publish($sender, \@readers, mixture(600));
	recover($sender, \@readers, values %late);
	my $all = reference($readers[0]);
	for my $t (sort keys %late) {
		my $c = $late{$t};
		is($joined{$t}{snapshot}, 800, "$t: a large snapshot");
		my @first = splice @{ $c->{in} }, 0, 800;
		my @other = grep { $first[$_] !~ /"seq":(\d+)\}$/ || $1 != $_ + 1 } 0 .. $#first;
		is($other[0], undef, "$t: comes as it was promised");
		my ($gaps, $wrong) = judge($c, $all, 801);
		is($wrong, '', "$t: and then what is due");
	}
	$hub->stop;
};

subtest 'without echo' => sub {
	my $hub = Hub->start(args => \@options);
	for my $t ('ws', 'unix') {
		my $s = "s.$t";
		my @readers = map { $hub->member($_, $s) } qw(ws unix);
		my $sender = $hub->member('unix', $s, echo => $false);
		my $c = $hub->client($t, rcvbuf => 4096);
		$c->join_session($s, echo => $false);
		$c->{reading} = 0;
		publish($c, \@readers, map { message('mine', undef, "own$_", 'small') } 1 .. 20);
		publish($sender, \@readers, mixture(1200));
		recover($sender, \@readers, $c);
		is(scalar(grep { /^\{"type":"ack"/ } @{ $c->{in} }), 20, "$t: acks of its own");
		my ($gaps, $wrong) = judge($c, reference($readers[0]), 1, $c->{id});
		cmp_ok($gaps, '>=', 1, "$t: was told of a gap");
		is($wrong, '', "$t: all that is due, and nothing of its own");
	}
	$hub->stop;
};

subtest 'no room to keep them' => sub {
	# A batch is less than --history-bytes, so that who reads is in step however slow the machine is.
	my $hub = Hub->start(
		args => [ @options, '--history-memory', '2M', '--history-bytes', '256k', '--slow-after', 2 ]);
	my @readers = map { $hub->member($_, 's') } qw(ws unix);
	my $sender = $hub->member('unix', 's', echo => $false);
	my %stalled = (ws => $hub->ws(rcvbuf => 4096), unix => $hub->unix);
	$_->join_session('s') for values %stalled;
	$_->{reading} = 0 for values %stalled;
	publish($sender, \@readers, map { message('event', undef, "room$_") } 1 .. 1500);
	# What can help nobody any more takes no room either.
	publish($sender, \@readers, map { message('pos', "new$_", "new$_") } 1 .. 100);
	wait_for { @{ $sender->{in} } == 1600 } 'an answer to each';
	is(scalar(grep { !/^\{"type":"ack"/ } @{ $sender->{in} }), 0, 'there is room for state');
	$_->{reading} = 1 for values %stalled;
	for my $t (sort keys %stalled) {
		my $c = $stalled{$t};
		is(eval { $c->closed } // $@, 1013, "$t: rather closed than deprived of one");
		my @seq = map { /"seq":(\d+)\}$/ ? $1 : 'gap' } @{ $c->{in} };
		is_deeply(\@seq, [ 1 .. @seq ], "$t: what it had is complete");
	}
	$sender->send({ type => 'end' });
	for my $c (@readers) {
		wait_for { $c->{gone} || ($c->{in}[-1] // '') =~ /"end"/ } 'the end';
		my @seq = map { /"seq":(\d+)\}$/ } @{ $c->{in} };
		is(scalar(grep { $seq[$_] != $_ + 1 } 0 .. $#seq), 0, "$c->{kind}: who is in step has all");
		ok($c->alive, "$c->{kind}: and goes on") or diag(substr $c->{in}[-1] // "", 0, 300);
	}
	$hub->stop;
};

done_testing;

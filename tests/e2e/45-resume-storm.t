# A thousand connections. All of them are cut at once, in the middle of a stream, and come back
# with what they had last: about as soon as they came first, and without missing or repeating a record. So
# does one that is cut again and again, as a receiver and as a sender.
#
# HUB_TEST_SEED repeats a run of these.
use strict;
use warnings;
use Hub;

need_files(4096);
my $false = JSON::PP::false();
my $clients = 1000;

# The numbers of the records a client has, from its messages.
sub seqs {
	return map { !/^\{"type":"(?:ack|session_associated)"/ && /"seq":(\d+)\}$/ ? $1 : () } @{ $_[0]{in} };
}

# The first number that is not the one before plus one; nothing where there is none.
sub break_in {
	my ($from, @seqs) = @_;
	for my $i (0 .. $#seqs) {
		return "$seqs[$i] in the place of " . ($from + $i) if $seqs[$i] != $from + $i;
	}
	return;
}

# Opens connections of both kinds without waiting for each; the handshakes are made when they are sent.
sub open_all {
	my ($hub, $n) = @_;
	my @clients = map { $_ % 2 ? $hub->unix : $hub->tcp } 1 .. $n;
	for my $c (grep { $_->{kind} eq 'http' } @clients) {
		$c->send_bytes("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			    . "Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
	}
	return @clients;
}

subtest 'a thousand at once' => sub {
	# It keeps what they miss, however long they are away.
	my $hub = Hub->start(args => [ '--presence-limit', 10, '--history', 1_000_000, '--history-bytes', '256M' ]);
	my $sender = $hub->member('unix', 's', echo => $false);
	my ($sent, $next) = (0, now());
	# Fifty records a second, whatever else happens.
	my $stream = sub {
		while (now() >= $next) {
			$sender->send_text(qq({"type":"tick","n":) . ++$sent . '}');
			$next += 0.02;
		}
		$sender->{in} = [];
		pump($_[0]);
	};
	# Joins all as soon as each is ready; returns when each had its answer, in seconds from START.
	my $join_all = sub {
		my ($start, $clients, @past) = @_;
		my (@answered, @asked);
		my $deadline = now() + 200 + 50 * slow();
		while (grep { !defined } @answered[ 0 .. $#$clients ]) {
			die "they do not come back\n" if now() > $deadline;
			$stream->(0.01);
			for my $i (grep { !defined $answered[$_] } 0 .. $#$clients) {
				my $c = $clients->[$i];
				die "client $i is gone: $c->{gone}\n" if $c->{gone};
				next if $c->{kind} eq 'http';
				$c->send({ type => 'session_associate', session_id => 's', %{ $past[$i] || {} } })
				    unless $asked[$i]++;
				$answered[$i] = now() - $start if @{ $c->{in} };
			}
		}
		return sort { $a <=> $b } @answered;
	};

	my $start = now();
	my @first = open_all($hub, $clients);
	my @came = $join_all->($start, \@first);
	# Until all are in the middle of it.
	wait_for { $stream->(0.01); !grep { !seqs($_) } @first } 'each to have a record';
	my @joined = map { unjson($_->{in}[0]) } @first;
	my @had = map { [ seqs($_) ] } @first;

	# Half of them go without a word.
	my $cut = now();
	$_ % 4 < 2 ? $first[$_]->vanish : $first[$_]->abort for 0 .. $#first;
	my @second = open_all($hub, $clients);
	my @past = map {
		{ since => $had[$_][-1] + 0, epoch => $joined[$_]{epoch}, resume => $joined[$_]{resume}, echo => $false }
	} 0 .. $#first;
	my @took = $join_all->($cut, \@second, @past);
	my $until = $sent + 25;
	$stream->(0.01) while $sent < $until;
	$sender->send({ type => 'end' });
	my $end = $sent + 1;
	wait_for { !grep { ($_->{in}[-1] // '') !~ /"seq":$end\}$/ && !$_->{gone} } @second } 'the end';

	my (@wrong, @other, @again);
	for my $i (0 .. $#second) {
		my $answer = unjson($second[$i]{in}[0]);
		push @other, $i if $answer->{client_id} ne $joined[$i]{client_id};
		push @again, $i unless $answer->{recovered};
		my $wrong = break_in($had[$i][0], @{ $had[$i] }, seqs($second[$i]));
		push @wrong, "client $i: $wrong" if defined $wrong;
		push @wrong, "client $i is gone" if $second[$i]{gone};
	}
	is(scalar @again, 0, 'all could go on where they were');
	is(scalar @other, 0, 'as who they were');
	is(scalar @wrong, 0, 'with every record once') or diag(join "\n", @wrong[ 0 .. ($#wrong > 5 ? 5 : $#wrong) ]);
	my ($p99, $first_p99) = map { $_->[ int 0.99 * $#$_ ] } \@took, \@came;
	note sprintf 'resumed: median %.2f s, p99 %.2f s, last %.2f s; joined: p99 %.2f s', $took[ @took / 2 ], $p99,
	    $took[-1], $first_p99;
	# What they have to wait for, beside the machine, is nothing: as much as it needed for them before.
	cmp_ok($p99, '<', 2 * slow() + 10 * $first_p99, 'soon, for what the machine can do');
	becomes { $hub->health->{connections} == $clients + 2 } 'nothing is left of the old connections';
	my ($c) = @second;
	$c->send({ type => 'presence' });
	is($c->wait_type('presence')->{user_count}, $clients + 1, 'nor of the old members');
	$hub->stop;
};

# Some of the time the client is cut before anything was sent to it, or in the middle of it.
sub pause { pump(rand 0.004) for 1 .. rand 4 }

# Cuts a connection in one of two ways, if the hub has not: it must not take the older one of a client,
# that is gone, for the newer.
my $replaced = 0;

sub cut {
	my ($c) = @_;
	$replaced++ if $c->{gone};
	return if $c->{gone};
	rand 2 < 1 ? $c->vanish : $c->abort;
}

subtest 'cut fifty times, receiving' => sub {
	chance(50);
	my $hub = Hub->start(workers => 4, args => [ '--history', 10_000 ]);
	my $sender = $hub->member('unix', 's', echo => $false);
	my ($last, $cuts, @got, @answers) = (0, 0);
	my $c = $hub->client('ws');
	my $joined = $c->join_session('s');
	my %past = (epoch => $joined->{epoch}, resume => $joined->{resume});
	my $again = sub {
		cut($c);
		push @answers, grep { /^\{"type":"session_associated"/ } @{ $c->{in} };
		push @got, seqs($c);
		$last = $got[-1] if @got;
		$c = $hub->client(rand 2 < 1 ? 'ws' : 'unix');
		$c->send({ type => 'session_associate', session_id => 's', since => $last + 0, %past });
		$cuts++;
	};
	for my $round (1 .. 100) {
		$sender->send_text(map { qq({"type":"tick","n":$_}) } ($round - 1) * 50 + 1 .. $round * 50);
		pause();
		$again->() unless $round % 2;
	}
	my $done = sub {
		return ($c->{in}[-1] // '') =~ /"n":5000,/ || $last == 5000 && @{ $c->{in} };
	};
	# The hub may not have heard yet of so many ends in a row that it takes them for a fight of two.
	my $refused = sub { return grep { /"code":"in_use"/ } @{ $c->{in} } };
	while (!$done->()) {
		wait_for { $done->() || $c->{gone} || $refused->() } 'the end';
		pump(1) if $refused->();
		$again->() if $c->{gone} || $refused->();
	}
	push @got, seqs($c);
	cmp_ok($cuts, '>=', 50, 'fifty times');
	is(scalar @got, 5000, 'five thousand records');
	is(break_in(1, @got), undef, 'each exactly once');
	is(scalar(grep { !/"recovered":true/ } @answers), 0, 'and never from the beginning');
	is(unjson($c->{in}[0])->{client_id}, $joined->{client_id}, 'the same client in the end');
	is($replaced, 0, 'the latest connection was never closed in favour of an earlier one');
	$hub->stop;
};

subtest 'cut fifty times, sending' => sub {
	chance(51);
	my $hub = Hub->start(workers => 4);
	my $witness = $hub->member('ws', 's');
	my $c = $hub->client('unix');
	my $token = $c->join_session('s', echo => $false)->{resume};
	my ($next, $cuts, %open, %seq) = (1, 0);
	my $refused;
	my $take = sub {
		for (splice @{ $c->{in} }) {
			$refused = 1 if /"code":"in_use"/;
			next unless /^\{"type":"ack","msg_id":"m(\d+)".*"seq":(\d+)\}$/;
			die "another seq for $1\n" if ($seq{$1} //= $2) != $2;
			delete $open{$1};
		}
	};
	my $say = sub { $c->send_text(map { qq({"type":"tick","msg_id":"m$_"}) } @_) };
	while ($next <= 5000 || %open || $cuts < 50) {
		my @new = $next .. ($next + 49 > 5000 ? 5000 : $next + 49);
		$next += @new;
		@open{@new} = ();
		$say->(@new);
		pause();
		$take->();
		if ($c->{gone} || $cuts < 50 && (rand 2 < 1.1 || $next > 5000)) {
			cut($c);
			$c = $hub->client(rand 2 < 1 ? 'ws' : 'unix');
			$c->send({ type => 'session_associate', session_id => 's', echo => $false, resume => $token });
			$cuts++;
			$refused = 0;
			# What was not acknowledged goes out again, in order.
			$say->(sort { $a <=> $b } keys %open);
		}
		# The hub had not heard yet of so many ends in a row that it took them for a fight of two.
		if ($refused) {
			wait_for {
				$c->send({ type => 'session_associate', session_id => 's', echo => $false, resume => $token });
				pump(1);
				$c->{gone} || grep { /"session_associated"/ } @{ $c->{in} };
			} 'the hub to hear of it';
			$refused = 0;
			$say->(sort { $a <=> $b } keys %open);
		}
	}
	cmp_ok($cuts, '>=', 50, 'fifty times');
	is(scalar keys %seq, 5000, 'all were acknowledged');
	$c->send({ type => 'end' });
	wait_for { ($witness->{in}[-1] // '') =~ /"type":"end"/ || $witness->{gone} } 'the end';
	my %times;
	my @at = map { /"msg_id":"m(\d+)".*"seq":(\d+)\}$/ ? [ $1, $2 ] : () } @{ $witness->{in} };
	$times{ $_->[0] }++ for @at;
	is(scalar(grep { ($times{$_} // 0) != 1 } 1 .. 5000), 0, 'each is there exactly once');
	is(scalar(grep { $seq{ $_->[0] } != $_->[1] } @at), 0, 'where its ack said');
	is(scalar @{ $witness->{in} }, 5001, 'and nothing else');
	$hub->stop;
};

done_testing;

# Sessions at three hubds under load, and faults of chance: what was acknowledged is there, once, in one order at all
# members, and who is there is known in the end.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Cable;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $rounds = $ENV{HUB_TEST_ROUNDS} || 3;
my $cable = Hub::Cable->start;
my @bind = ([ bind => own_address(), $cable ? $cable->{host} : () ]);
my ($redis, $replica) = map { Hub::Redis->start(keeps => 1, config => \@bind) } 1, 2;
$replica->cli('REPLICAOF', $redis->{host}, $redis->{port});
my $seed = chance();
my $waits = int rand 2;
my @hub = map { hub($_) } 0 .. 2;

# The last one is behind the cable, where there is one.
sub hub {
	my ($i) = @_;
	my $behind = $cable && $i == 2;
	my $bus = 'redis://' . join ',', map { ($behind ? $cable->{host} : $_->{host}) . ":$_->{port}" } $redis, $replica;
	my $hub = $redis->hub(bus => $bus, args => [ '--history', 100_000, '--bus-node-timeout', 3, '--bus-wait', $waits ], $behind ? (under => $cable->behind) : ());
	$hub->{behind} = $behind;
	return $hub;
}

my $still;    # one that stands still: nobody waits for it to answer

sub any_hub {
	my @others = grep { !$still || $_ != $still } @hub;
	return $others[ rand @others ];
}

sub any_client {
	my $hub = any_hub();
	return eval { $hub->client($hub->{behind} || rand 2 < 1 ? 'unix' : 'ws') };
}

# Whether the replica has all of it.
sub is_same {
	return $redis->cli(qw(INFO replication)) =~ /state=online,offset=(\d+),.*master_repl_offset:\1\b/s;
}

# A publisher that sends ids in order, each until it is acknowledged, and comes back wherever it can.
sub publisher {
	my ($name, $session) = @_;
	my $self = { name => $name, session => $session, next => 1, open => {}, seq => {}, joined => undef, since => 0 };
	come($self);
	return $self;
}

sub come {
	my ($p) = @_;
	$p->{joining} = 1;
	$p->{c} = any_client() or return;
	$p->{c}->send({ type => 'session_associate', session_id => $p->{session}, echo => JSON::PP::false,
			$p->{resume} ? (resume => $p->{resume}) : () });
}

# One look at what came, and something more to say.
sub turn {
	my ($p, $more) = @_;
	if (!$p->{c} || $p->{c}{gone} || defined $p->{c}{close_code}) {
		come($p);
		return;
	}
	for my $m (map { unjson($_) } splice @{ $p->{c}{in} }) {
		if ($m->{type} eq 'session_associated') {
			$p->{resume} = $m->{resume};
			$p->{joining} = 0;
			say_it($p, $_) for sort { $a <=> $b } keys %{ $p->{open} };
		} elsif ($m->{type} eq 'ack' && $m->{msg_id} =~ /^$p->{name}-(\d+)$/) {
			$p->{seq}{$1} //= $m->{seq};
			delete $p->{open}{$1};
		} elsif ($m->{type} eq 'error') {
			if ($p->{joining}) {
				Time::HiRes::sleep(0.05);
				$p->{c}->vanish;
				$p->{c} = undef;
				return;
			}
			if (($m->{msg_id} // '') =~ /^$p->{name}-(\d+)$/) {
				push @{ $p->{again} }, $1;
			}
		}
	}
	say_it($p, $_) for splice @{ $p->{again} || [] };
	for (1 .. $more) {
		last if $p->{joining} || keys %{ $p->{open} } > 200;
		$p->{open}{ $p->{next} } = 1;
		say_it($p, $p->{next}++);
	}
}

sub say_it {
	my ($p, $n) = @_;
	$p->{c}->send({ type => 'said', session_id => $p->{session}, msg_id => "$p->{name}-$n", by => $p->{name}, n => $n });
}

# A reader that comes back behind what it has had.
sub reader {
	my ($session) = @_;
	return { session => $session, got => [] };
}

sub read_on {
	my ($r) = @_;
	if (!$r->{c} || $r->{c}{gone} || defined $r->{c}{close_code}) {
		take($r) if $r->{c};
		$r->{c} = any_client() or return;
		$r->{c}->send({ type => 'session_associate', session_id => $r->{session}, since => scalar @{ $r->{got} },
				$r->{epoch} ? (epoch => $r->{epoch}) : () });
		return;
	}
	take($r);
}

sub take {
	my ($r) = @_;
	for my $m (map { unjson($_) } splice @{ $r->{c}{in} }) {
		if ($m->{type} eq 'session_associated') {
			push @{ $r->{wrong} }, "not recovered: $m->{reason}" if !$m->{recovered};
			push @{ $r->{wrong} }, 'another epoch' if $r->{epoch} && $r->{epoch} ne $m->{epoch};
			$r->{epoch} = $m->{epoch};
		} elsif ($m->{type} eq 'said') {
			push @{ $r->{wrong} }, "seq $m->{seq} behind " . @{ $r->{got} } if $m->{seq} != @{ $r->{got} } + 1;
			push @{ $r->{got} }, "$m->{by} $m->{n}";
		} elsif ($m->{type} eq 'error') {
			$r->{c}->vanish;
			$r->{c} = undef;
			Time::HiRes::sleep(0.05);
			return;
		}
	}
}

# Who is in a session, as a hubd has it.
sub who {
	my ($hub, $session) = @_;
	my $c = $hub->unix;
	$c->join_session($session);
	$c->send({ type => 'presence' });
	my $who = json($c->wait_type('presence'));
	$c->vanish;
	return $who;
}

my %fault = (
	'scripts are flushed' => sub { $redis->cli('SCRIPT', 'FLUSH') },
	'subscribers are cut' => sub { $redis->cli(qw(CLIENT KILL TYPE pubsub)) },
	'all are cut' => sub { $redis->cli(qw(CLIENT KILL TYPE), $_) for 'pubsub', 'normal' },
	'Redis stands still' => sub { $redis->freeze; return sub { $redis->thaw } },
	'Redis is killed' => sub { $redis->down; return sub { $redis->up } },
	'Redis is full' => sub { $redis->cli(qw(CONFIG SET maxmemory 1)); return sub { $redis->cli(qw(CONFIG SET maxmemory 0)) } },
	'a hubd is killed' => sub {
		my $i = int rand @hub;
		$hub[$i]{proc}->kill('KILL');
		$hub[$i]{proc}->wait;
		$hub[$i]->forget;
		$hub[$i] = hub($i);
		return;
	},
	'a hubd stands still' => sub {
		$still = any_hub();
		kill 'STOP', $still->pid;
		return sub { kill 'CONT', $still->pid; $still = undef };
	},
	'failover to a replica' => sub {
		wait_for { is_same() } 'the replica to follow';
		$redis->cli(qw(CLIENT PAUSE 60000 WRITE));    # nobody could help what is lost else
		wait_for { is_same() } 'the replica to have it';
		$redis->down;
		($redis, $replica) = ($replica, $redis);
		$redis->cli(qw(REPLICAOF NO ONE));
		$redis->{config} = [@bind];
		return sub {
			$replica->{config} = [ @bind, [ replicaof => $redis->{host}, $redis->{port} ] ];
			$replica->up;
		};
	},
	$cable ? ('the cable of a hubd is cut' => sub {
		$still = $hub[2];
		$cable->cut;
		return sub { $cable->mend; $still = undef };
	}) : (),
);
my @kinds = $ENV{HUB_TEST_FAULTS} ? grep { /$ENV{HUB_TEST_FAULTS}/ } keys %fault : keys %fault;

for my $round (1 .. $rounds) {
	my @names = sort @kinds;
	my @faults = map { $names[ rand @names ] } 1 .. 2;
	subtest "round $round: @faults" => sub {
		my $session = "random$round";
		my @p = map { publisher("p$_", $session) } 1 .. 4;
		my @r = map { reader($session) } 1 .. 4;
		my $turn = sub {
			turn($_, 1 + int rand 20) for @p;
			read_on($_) for @r;
			pump(0.01);
		};
		for my $name (@faults) {
			my $many = 50 + int rand 200;
			my $before = 0;
			$before += $_->{next} for @p;
			my $end = $fault{$name}->();
			# Something is said while it lasts, or it has lasted long.
			for (1 .. 50 + int rand 200) {
				$turn->();
			}
			$end->() if ref $end;
			my $from = 0;
			$from += keys %{ $_->{seq} } for @p;
			wait_for {
				$turn->();
				my $now = 0;
				$now += keys %{ $_->{seq} } for @p;
				return $now > $from + $many;
			} "publishing to go on after: $name";
		}
		wait_for {
			turn($_, 0) for @p;
			read_on($_) for @r;
			pump(0.01);
			return !grep { keys %{ $_->{open} } } @p;
		} 'all acks';
		my ($last) = sort { $b <=> $a } map { values %{ $_->{seq} } } @p;
		wait_for {
			read_on($_) for @r;
			pump(0.01);
			return !grep { @{ $_->{got} } < $last } @r;
		} 'all records';
		is_deeply([ map { @{ $_->{wrong} || [] } } @r ], [], 'no reader has missed or doubled anything');
		my $got = $r[0]{got};
		is_deeply($r[$_]{got}, $got, "reader $_ has the same") for 1 .. $#r;
		my %count;
		$count{$_}++ for @$got;
		is(scalar(grep { $_ != 1 } values %count), 0, 'nothing is there twice');
		my @lost = map {
			my $p = $_;
			grep { ($got->[ $p->{seq}{$_} - 1 ] // '') ne "$p->{name} $_" } keys %{ $p->{seq} }
		} @p;
		is(scalar @lost, 0, 'what was acknowledged is where the ack said');
		$_->{c}->vanish for grep { $_->{c} } @r[ 1 .. $#r ], @p;
		my $watcher = $hub[0]->unix;
		$watcher->join_session($session);
		my $there = sub {
			$watcher->send({ type => 'presence' });
			return $watcher->wait_type('presence')->{user_count};
		};
		becomes { $there->() == 2 } 'who is there is known'
			or diag($there->() . ': ' . $redis->cli('HGETALL', "hub:{$session}:here") . "\n" . join "\n", map { $_->pid . ": " . who($_, $session) } @hub);
		$watcher->vanish;
		$r[0]{c}->vanish;
	};
	last unless Test::More->builder->is_passing;
}

$_->stop for @hub;
done_testing;

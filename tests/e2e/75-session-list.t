# Who may ask is told of every session of the hub, once: of those there are, some at a time, and of those
# that come into being while the connection lives, whichever worker makes them.
use strict;
use warnings;
use Hub;

my $false = JSON::PP::false();
my $hub = Hub->start(workers => 4);

# Takes what a client was told of sessions into %$seen; true once the list has ended.
sub told {
	my ($c, $seen) = @_;
	my $ended = 0;
	for (splice @{ $c->{in} }) {
		my $m = unjson($_);
		next if $m->{type} ne 'session_list';
		$seen->{$_}++ for @{ $m->{sessions} };
		$ended = 1 if !$m->{more};
	}
	return $ended;
}

subtest 'whom it is for' => sub {
	my $c = $hub->ws;
	$c->send({ type => 'session_list', msg_id => 'l' });
	my $error = $c->wait_type('error');
	is($error->{data}{code}, 'forbidden', 'a WebSocket is told nothing');
	is($error->{msg_id}, 'l', 'and why');
	my $m = $hub->unix;
	$m->send({ type => 'session_list' });
	is_deeply($m->next, { type => 'session_list', sessions => [], more => $false },
		'over the Unix socket: there are none');
};

subtest 'those that come into being' => sub {
	my $c = $hub->unix;
	my %seen;
	$c->send({ type => 'session_list' });
	wait_for { told($c, \%seen) } 'the end of the list';
	my @members = map { my $s = $_; map { $hub->member($_, "$s.$_", echo => $false) } 'ws', 'unix' } 1 .. 20;
	wait_for { told($c, \%seen); keys %seen == 40 } 'all sessions';
	is_deeply([ grep { $seen{$_} != 1 } keys %seen ], [], 'each is told once');
	$hub->member('ws', $_) for '1.ws', 'another';
	wait_for { told($c, \%seen); $seen{another} } 'one more';
	is($seen{'1.ws'}, 1, 'a member more is no news');
	$c->send({ type => 'session_list' });
	wait_for { told($c, \%seen) } 'the list again';
	is_deeply([ grep { $seen{$_} != 2 } keys %seen ], [], 'asked again, all are told again');
};

subtest 'many, while others come' => sub {
	my $n = no_sanitizer() ? 6_000 : 1_000;
	my @makers = map { $hub->unix } 1 .. 4;
	my $pad = 'x' x 100;
	my $i = 0;
	my $make = sub {
		my ($count) = @_;
		for (1 .. $count) {
			my $maker = $makers[ $i % @makers ];
			$maker->send({ type => 'session_associate', session_id => "$pad.$i" });
			$maker->send({ type => 'session_leave', session_id => "$pad.$i" });
			$i++;
		}
	};
	$make->($n);
	$_->sync for @makers;
	my @watchers = map { $hub->unix } 1 .. 3;
	my @seen = map { {} } @watchers;
	$_->send({ type => 'session_list' }) for @watchers;
	$make->($n / 4);
	$_->sync for @makers;
	for my $w (0 .. $#watchers) {
		wait_for { told($watchers[$w], $seen[$w]); keys %{ $seen[$w] } >= $i + 41 } "all $i sessions", 300;
		is_deeply([ grep { $seen[$w]{$_} != 1 } keys %{ $seen[$w] } ], [], "watcher $w: all of them, once each");
	}
};

subtest 'who has said all' => sub {
	my $c = $hub->unix;
	my %seen;
	$c->send({ type => 'session_list' });
	$c->drain;
	shutdown $c->{fh}, 1;
	is($c->closed, 0, 'the connection ends');
	told($c, \%seen);
	cmp_ok(scalar keys %seen, '>', 1000, 'behind the whole list');
};

subtest 'not without end' => sub {
	# A list that nobody reads must not fit into a socket.
	my $socket = slurp('/proc/sys/net/core/wmem_default');
	plan skip_all => "a socket takes $socket bytes here" if $socket > 500_000;
	my @watchers = map { $hub->unix } 1 .. 80;
	$_->send({ type => 'session_list' }) for @watchers;
	my %said;
	for my $c (@watchers) {
		my $m = wait_for { $c->{in}[0] } 'an answer';
		$m = unjson($m);
		$said{ $m->{type} eq 'error' ? $m->{data}{code} : $m->{type} }++;
	}
	ok($said{hub_full} && $said{session_list} && !$said{internal}, 'so many are told, the others are told so');
	$_->vanish for @watchers;
	my $c = $hub->unix;
	becomes {
		$c->send({ type => 'session_list' });
		$c->next->{type} eq 'session_list';
	} 'who goes makes room';
};

$hub->stop;
done_testing;

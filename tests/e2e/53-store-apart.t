# Who reads a large session from the store keeps nobody of another session waiting: not its worker, which has
# both, and not its connection's own messages out of their order.
use strict;
use warnings;
use Hub;
use Hub::Store;

my @large = ('--max-message', '256k', '--history-memory', '512M', '--history-bytes', 0, '--history', 1);
my $keys = 300;

sub large_store {
	my ($dir) = @_;
	my $hub = store_hub($dir, args => \@large);
	my $c = $hub->member('unix', 'large', echo => JSON::PP::false());
	for my $round (1 .. $keys) {
		$c->send_text(qq({"type":"thing","key":"k$round","pad":") . 'x' x 200_000 . '"}');
		$c->sync if $round % 20 == 0;
	}
	send_acked($c, 'last');
	$hub->stop;
}

# Pings as fast as they come back, until the condition holds: how many came back.
sub pings_until(&$) {
	my ($condition, $c) = @_;
	my $n = 0;
	$c->send({ type => 'ping' });
	wait_for {
		if (grep { /"type":"pong"/ } splice @{ $c->{in} }) {
			$n++;
			$c->send({ type => 'ping' });
		}
		$condition->();
	} 'the join', 300;
	return $n;
}

my $dir = store_dir();
large_store($dir);

for my $transport ('unix', 'ws') {
	subtest $transport => sub {
		my $hub = store_hub($dir, workers => 1, args => \@large);
		my $other = $hub->member($transport, 'other');
		my $joining = $hub->client($transport);
		$joining->send(
			{ type => 'session_associate', session_id => 'large' },
			{ type => 'hello', session_id => 'large', n => 1 },
			{ type => 'ping', ping_id => 'behind' });
		my $joined;
		my $n = pings_until {
			($joined) = grep { /session_associated/ } @{ $joining->{in} } unless $joined;
			$joined;
		} $other;
		# Where the worker has to do both, it is one, or two.
		cmp_ok($n, '>=', 3, "its worker is there for others meanwhile ($n pings)");
		is(unjson($joined)->{snapshot}, $keys, 'the session is the large one');
		wait_for { grep { /"type":"hello"/ } @{ $joining->{in} } } 'what it said behind the join';
		my @kinds = map { /"type":"(session_associated|pong|hello)"/ ? $1 : () } @{ $joining->{in} };
		is_deeply(\@kinds, [ 'session_associated', 'pong', 'hello' ], 'in order');
		$hub->stop;
	};
}

# The peer has said it all and is gone before the session is there.
subtest 'gone meanwhile' => sub {
	my $hub = store_hub($dir, workers => 1, args => \@large);
	my $c = $hub->client('unix');
	$c->send({ type => 'session_associate', session_id => 'large', echo => JSON::PP::false() },
		map { { type => 'note', n => $_ } } 1 .. 50);
	wait_for { !length $c->{wbuf} } 'all to be sent', undef, $c;
	$c->vanish;
	my $watcher = $hub->client('unix');
	wait_for {
		$hub->health->{records} >= 50;
	} 'what it said';
	is($hub->health->{records}, 50, 'what it said is kept');
	$hub->stop;
};

done_testing;

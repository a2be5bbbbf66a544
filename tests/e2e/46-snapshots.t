# Members that join and do not read. They pin few copies of the state, whatever changes between them,
# and nobody who reads is worse off: what he gets is the state of a moment ago, and all that came after it.
use strict;
use warnings;
use Hub;

my $no = JSON::PP::false();
my $pad = 'x' x 60000;

# One state record.
sub light {
	my ($key, $n) = @_;
	return qq({"type":"light","key":"k$key","n":$n,"pad":"$pad"});
}

# The state as a member knows it, and the records it has had, which must be without a hole.
sub knows {
	my ($c, $last) = @_;
	my $joined = $c->{joined};
	my (%n, $next);
	wait_for { $c->{gone} || grep { /"seq":$last\}$/ } @{ $c->{in} } } 'the last record', undef, $c;
	my @in = map { /^\{"type":"light","key":"k(\d+)","n":(\d+).*"seq":(\d+)\}$/ ? [ $1, $2, $3 ] : () } @{ $c->{in} };
	$n{ $_->[0] } = $_->[1] for splice @in, 0, $joined->{snapshot};
	$next = $joined->{seq} + 1;
	for (@in) {
		return "record $_->[2], not $next" if $_->[2] != $next++;
		$n{ $_->[0] } = $_->[1];
	}
	return join ' ', map { "$_=$n{$_}" } sort { $a <=> $b } keys %n;
}

subtest 'who does not read' => sub {
	my $hub = Hub->start(args => [ '--history-memory', '32M' ]);
	my $source = $hub->member('unix', 's', echo => $no);
	my ($keys, $n) = (100, 0);
	for my $key (1 .. $keys) {
		$source->send_text(light($key, ++$n));
		$source->sync;
	}
	my $before = $hub->rss;
	my @pins;
	for (1 .. 100) {
		my $c = $hub->ws(rcvbuf => 4096);
		$c->send({ type => 'session_associate', session_id => 's' })->drain;
		$c->{reading} = 0;
		$source->send_text(light(1 + $n % $keys, ++$n));
		$source->sync;
		push @pins, $c;
	}
	my $more = ($hub->rss - $before) / 1024;
	note sprintf '100 members that do not read take %.0f MiB, the state %.0f', $more, $keys * length($pad) / 2**20;
	cmp_ok($more, '<', 200, 'they pin few copies') if no_sanitizer;
	is($hub->health->{errors}, 0, 'and nobody is refused anything for them');
	my $reader = $hub->member('ws', 's');
	$source->send_text(light(1, ++$n));
	is(knows($reader, $n), join(' ', '1=' . $n, map { "$_=" . ($n - 1 - ($n - 1 - $_) % $keys) } 2 .. $keys),
		'who reads knows the state');
	$hub->stop;
};

subtest 'any time, any change' => sub {
	my $hub = Hub->start;
	my $source = $hub->member('unix', 's', echo => $no);
	my %n;
	my $n = 0;
	chance();
	my @readers;
	for my $round (1 .. 300) {
		my $key = 1 + int rand 30;
		$source->send_text(light($n{$key} ? $key : $key, ++$n));
		$n{$key} = $n;
		$source->sync if rand() < 0.3;
		if (rand() < 0.1) {
			$source->sync;
			push @readers, $hub->member($round % 2 ? 'ws' : 'unix', 's');
		}
		pump(0.001);
	}
	$source->sync;
	my $want = join ' ', map { "$_=$n{$_}" } sort { $a <=> $b } keys %n;
	my @wrong = grep { knows($_, $n) ne $want } @readers;
	is(@wrong + 0, 0, @readers . ' members know the state') || diag knows($wrong[0], $n), "\n$want";
	$hub->stop;
};

done_testing;

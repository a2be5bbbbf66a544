# One thread.
# Lines into hubcat come out of the session: every one, in order, untouched; what is no message is named by
# its line and skipped.
use strict;
use warnings;
use Hub;

my $hub = Hub->start(args => [ '--history', 5000 ]);

my @lines = split /\n/, slurp(data_file('match'));
my $n = @lines;

# Starts a program with a pipe to its standard input: ($process, $pipe).
sub feed {
	my ($command, %o) = @_;
	pipe my $in, my $to or die "pipe: $!\n";
	my $proc = spawn($command, %o, in => $in);
	close $in;
	$to->autoflush(1);
	return ($proc, $to);
}

for my $over ('unix', 'ws') {
	for my $way ('file', 'pipe') {
		my $session = "match-$over-$way";
		my $member = $hub->member('unix', $session);
		my $cat;
		if ($way eq 'file') {
			$cat = run($hub->hubcat([ '-p', $session ], over => $over), in => join '', map { "$_\n" } @lines);
		} else {
			my ($proc, $to) = feed($hub->hubcat([ '-p', $session ], over => $over));
			# In pieces that do not care for lines.
			my $text = join "\n", @lines;
			print $to substr $text, 0, 777, '' while length $text;
			close $to;
			$cat = { status => $proc->wait >> 8, err => slurp($proc->{err}) };
		}
		is($cat->{status}, 0, "$over, $way: exit 0");
		is($cat->{err}, '', 'and not a word');
		wait_for { @{ $member->{in} } >= $n } 'all lines';
		my @seq = map { /"seq":(\d+)\}$/ } @{ $member->{in} };
		is_deeply(\@seq, [ 1 .. $n ], "all $n lines, in order");
		# But for the closing brace, behind which the hub's fields stand.
		my @cut = map { substr $_, 0, -1 } @lines;
		is(scalar(grep { index($member->{in}[$_], $cut[$_]) != 0 } 0 .. $#cut), 0, 'byte for byte');
	}
}

subtest 'bad lines' => sub {
	my $member = $hub->member('unix', 'bad');
	my $long = 'x' x 1_100_000;
	my $in = join "\n", '{"type":"a"}', 'nonsense', '', " \t\r", '{"type":"b"}' . "\r", '{"x":1}', '[1]',
	    '{"type":"c","n":01}', $long, '{"type":"d","x":"' . "\xff" . '"}', '{"type":"e"}';
	for my $over ('unix', 'ws') {
		my $cat = run($hub->hubcat([ '-p', 'bad' ], over => $over), in => $in);
		is($cat->{status}, 65, "$over: exit 65");
		my %why = $cat->{err} =~ /^hubcat: line (\d+): (\w+): /mg;
		is_deeply(\%why, { 2 => 'bad_json', 6 => 'bad_type', 7 => 'bad_json', 8 => 'bad_json', 9 => 'bad_json',
				10 => 'bad_json' }, 'each bad line named, with the reason') or diag($cat->{err});
		is_deeply([ map { $_->{type} } map { $member->next } 1 .. 3 ], [ 'a', 'b', 'e' ], 'the good ones sent');
	}
	is_deeply([ $member->sync ], [], 'and nothing else');
};

subtest 'what the hub refuses' => sub {
	my $cat = run($hub->hubcat([ '-p', '--raw-protocol', 'refused' ]), in => qq({"type":"x","to":"nobody00000"}\n{"type":"y"}\n));
	is($cat->{status}, 1, 'exit 1');
	like($cat->{err}, qr/^hubcat: line 1: not_member: .*nobody00000 \(msg_id \w+\)$/m, 'the error in words');
};

subtest 'too large for the hub' => sub {
	my $big = '{"type":"big","x":"' . 'x' x 100_000 . '"}';
	for my $over ('unix', 'ws') {
		my $r = run($hub->hubcat([ '-p', 'big' ], over => $over), in => "$big\n{\"type\":\"after\"}\n");
		is($r->{status}, 65, "$over: exit 65");
		like($r->{err}, qr/\Ahubcat: line 1: too_large: [^\n]+\n\z/, 'with the line');
	}
	is($hub->member('unix', 'big')->{joined}{seq}, 2, 'what is behind it goes');
};

subtest 'nothing to send' => sub {
	is(run($hub->hubcat([ '-p', 'none' ]))->{status}, 0, 'empty input is done at once');
};

$hub->stop;
done_testing;

# One thread.
# Signals and terminals.
use strict;
use warnings;
use Hub;

# Waits until the member hears of one who came or went; what it heard.
sub news {
	my ($member, $type) = @_;
	my $found;
	wait_for {
		($found) = grep { /"type":"$type"/ } @{ $member->{presence} };
		return $found;
	} $type;
	@{ $member->{presence} } = grep { $_ ne $found } @{ $member->{presence} };
	return unjson($found);
}

# Starts a program with a pipe to its standard input: ($process, $pipe).
sub feed {
	my ($command, %o) = @_;
	pipe my $in, my $to or die "pipe: $!\n";
	my $proc = spawn($command, %o, in => $in);
	close $in;
	$to->autoflush(1);
	return ($proc, $to);
}

my $hub = Hub->start;

for my $signal ('INT', 'TERM') {
	my $member = $hub->member('unix', "sig-$signal");
	my ($cat, $to) = feed($hub->hubcat([ "sig-$signal" ]));
	news($member, 'client_connected');
	print $to qq({"type":"said"}\n);
	is($member->wait_type('said')->{seq}, 1, 'a line');
	$cat->kill($signal);
	is($cat->wait >> 8, 0, "SIG$signal: leaves with 0");
	is(news($member, 'client_disconnected')->{user_count}, 1, 'and in order');
	is(slurp($cat->{err}), '', 'in silence');
}

subtest 'a signal while there is no hub' => sub {
	my $cat = spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', 'unix:' . scratch() . '/none', '-p', 's' ],
		in => spew(scratch() . '/three', qq({"type":"a"}\n) x 3));
	wait_for { slurp($cat->{err}) =~ /attempt/ } 'a first attempt';
	$cat->kill('INT');
	is($cat->wait >> 8, 1, 'exit 1');
	like(slurp($cat->{err}), qr/^hubcat: messages not known to have reached the hub: 3$/m, 'with what is left');
};

SKIP: {
	my $script = (grep { -x } map { "$_/script" } split /:/, $ENV{PATH})[0];
	skip 'no script(1) for a terminal', 1 unless $script;
	subtest 'a terminal' => sub {
		my $line = join ' ', map { "'$_'" } @{ $hub->hubcat([ '-n', 1, 'tty' ]) };
		my $in = qq({"type":"t","n":1,"b":true,"s":"x"}\n);
		my $tty = run([ $script, '-qec', "printf '%s' '$in' | $line", '/dev/null' ]);
		is($tty->{status}, 0, 'ends');
		like($tty->{out}, qr/\e\[34;1m"type"\e\[0m:\e\[32m"t"\e\[0m/, 'gets colour');
		my $plain = $tty->{out} =~ s/\e\[[0-9;]*m//gr =~ s/\r\n?//gr;
		is(unjson($plain =~ s/^[^{]*//r)->{s}, 'x', 'on the same bytes');
		my $dull = run([ $script, '-qec', "printf '%s' '$in' | NO_COLOR=1 $line", '/dev/null' ]);
		unlike($dull->{out}, qr/\e\[3/, 'none with NO_COLOR');
		my $piped = run([ $script, '-qec', "printf '%s' '$in' | $line | cat", '/dev/null' ]);
		unlike($piped->{out}, qr/\e\[3/, 'none into a pipe');
		$line = join ' ', map { "'$_'" } @{ $hub->hubcat([ '-l', 'tty' ]) };
		my $status = spawn([ $script, '-qec', "$line >/dev/null", '/dev/null' ]);
		becomes { slurp($status->{out}) =~ /\r\e\[Ktty: joined, 0 received/ }
		'a status line where the output goes elsewhere';
		$status->kill('TERM');
		$status->wait;
	};
}

$hub->stop;
done_testing;

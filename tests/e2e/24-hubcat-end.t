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

# A program that never ends keeps the loop from turning: signals and -w end it all the same. It says on standard
# error that it runs.
subtest 'a jq program without an end' => sub {
	run($hub->hubcat([qw(-p endless)]), in => qq({"type":"t"}\n));
	my $empty = spew(scratch() . '/one', qq({"type":"t"}\n));
	for my $forever ('def f: f; f', 'range(1e15) | empty') {
		my $program = qq(("go" | stderr | empty), ($forever));
		my @ways = ([ '-f', 'pipe', qw(-l -s all -f), $program, 'endless' ], [ '-m', $empty, '-p', '-m', $program, 'endless' ]);
		for my $way (@ways) {
			my ($option, $in, @args) = @$way;
			for my $signals (1, 2, 0) {
				my $cat = spawn($hub->hubcat([ ($signals ? () : qw(-w 0.3)), @args ]), in => $in);
				wait_for { slurp($cat->{err}) =~ /"go"/ } 'it to run';
				for (1 .. $signals) {
					$cat->kill('INT');
					wait_for { !$cat->running || slurp('/proc/' . $cat->{pid} . '/status') !~ /^(?:Shd|Sig)Pnd:\s*0*[1-9a-f]/m } 'the signal to be taken';
				}
				is($cat->wait, 1 << 8, "$option '$forever', " . ($signals ? "$signals signals" : '-w') . ': exit 1');
				my $says = $signals == 2 ? qr/"go"/
				    : qr/hubcat: $option: the program does not end\nhubcat: @{[ $signals ? 'ended by a signal' : 'gave up: -w' ]}\n\z/;
				like(slurp($cat->{err}), $says, 'and says so');
			}
		}
	}
};

SKIP: {
	my $script = (grep { -x } map { "$_/script" } split /:/, $ENV{PATH})[0];
	skip 'no script(1) for a terminal', 1 unless $script;
	subtest 'a terminal' => sub {
		my $line = join ' ', map { "'$_'" } @{ $hub->hubcat([ '-n', 1, 'tty' ]) };
		my $in = qq({"type":"t","n":1,"b":true,"s":"x"}\n);
		my $tty = run([ $script, '-qec', "printf '%s' '$in' | $line", '/dev/null' ]);
		is($tty->{status}, 0, 'ends');
		like($tty->{out}, qr/^  \e\[34;1m"type"\e\[0m: \e\[32m"t"\e\[0m,\r$/m, 'gets colour, and a line for each member');
		my $plain = $tty->{out} =~ s/\e\[[0-9;]*m//gr =~ s/\r\n?//gr;
		is(unjson($plain =~ s/^[^{]*//r)->{s}, 'x', 'on the same bytes');
		my $one = run([ $script, '-qec', "printf '%s' '$in' | NO_COLOR=1 $line -c", '/dev/null' ]);
		like($one->{out}, qr/^\{"type":"t","n":1,"b":true,"s":"x",.*\}\r$/m, '-c: one line');
		my $dull = run([ $script, '-qec', "printf '%s' '$in' | NO_COLOR=1 $line", '/dev/null' ]);
		unlike($dull->{out}, qr/\e\[3/, 'none with NO_COLOR');
		my $piped = run([ $script, '-qec', "printf '%s' '$in' | $line | cat", '/dev/null' ]);
		unlike($piped->{out}, qr/\e\[3/, 'none into a pipe');
		like($piped->{out}, qr/^\{"type":"t","n":1,"b":true,"s":"x",.*\}\r$/m, 'and no line more');
		$line = join ' ', map { "'$_'" } @{ $hub->hubcat([ '-l', 'tty' ]) };
		my $status = spawn([ $script, '-qec', "$line >/dev/null", '/dev/null' ]);
		becomes { slurp($status->{out}) =~ /\r\e\[Ktty: joined, 0 received/ }
		'a status line where the output goes elsewhere';
		$status->kill('TERM');
		$status->wait;
		# What is read of a file, while the hub is not there to take it.
		my $file = spew(scratch() . '/backlog', qq({"type":"t"}\n) x 3);
		my $none = join ' ', map { "'$_'" } "$ENV{HUB_BUILD}/hubcat", '-u', 'unix:' . scratch() . '/none', '-p', 'tty';
		my $sends = spawn([ $script, '-qec', "$none <$file", '/dev/null' ]);
		becomes { slurp($sends->{out}) =~ /\r\e\[Ktty: \w+, 3 lines read/ } 'a status line of what is sent';
		$sends->kill('TERM');
		$sends->wait;
		my $mute = run([ $script, '-qec', "$none <$file --give-up 1 2>" . scratch() . '/mute', '/dev/null' ]);
		unlike(slurp(scratch() . '/mute') . $mute->{out}, qr/\e|\r[^\n]/, 'none where standard error is no terminal');
	};
}

subtest 'standard descriptors that are closed' => sub {
	run($hub->hubcat([ '-p', 'closed' ]), in => qq({"type":"x"}\n));
	my $cat = $hub->hubcat([]);
	is(run([ 'sh', '-c', '"$@" -l -s all -e closed >&-', 'sh', @$cat ])->{status}, 74, 'standard output: exit 74');
	is(run([ 'sh', '-c', '"$@" -p closed <&-', 'sh', @$cat ])->{status}, 74, 'standard input, which it is to read: exit 74');
	is(run([ 'sh', '-c', '"$@" -l -s all -e closed 2>&- | grep -c x', 'sh', @$cat ])->{out}, "1\n", 'standard error: all the same');
};

$hub->stop;
done_testing;

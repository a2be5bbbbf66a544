# Runs of hubbench, and the server that does wrong on purpose.
package Hub::Bench;

use strict;
use warnings;

use Exporter 'import';
use Hub;

our @EXPORT = qw(bench begin_bench end_bench audit_of all_came wrong_server);

# Runs hubbench: {status, out, err, result (undef where there is none), seconds}. Where nothing is lost it need
# not wait, so it may wait for long for what is under way.
sub bench { return end_bench(begin_bench(@_)) }

# The same for several at once: to be given to end_bench().
sub begin_bench {
	my ($url, @args) = @_;
	my $file = scratch() . '/' . ++$Hub::Bench::runs . '.json';
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', $url, '--json', $file, '--drain', 120, @args ]);
	return { proc => $proc, file => $file };
}

sub end_bench {
	my ($begun) = @_;
	my $proc = $begun->{proc};
	my $run = { status => $proc->wait >> 8, out => slurp($proc->{out}), err => slurp($proc->{err}) };
	my @lines = map { unjson($_) } split /\n/, slurp($begun->{file});
	$run->{result} = pop @lines if @lines && $lines[-1]{type} eq 'hubbench_result';
	$run->{seconds} = \@lines;
	return $run;
}

# The audit in a line, for is(): what was not as it should be, and whether all came.
sub audit_of {
	my ($run) = @_;
	my $r = $run->{result} or return "no result: $run->{err}";
	my $a = $r->{audit};
	my @wrong = map { $a->{$_} ? "$_ $a->{$_}" : () } qw(lost duplicated reordered withheld unknown);
	push @wrong, 'not all' if $a->{delivered} + $a->{lost} + $a->{withheld} != $a->{expected};
	return join ', ', @wrong;
}

# The messages that were sent, all told, each to so many.
sub all_came {
	my ($name, $run, $receivers) = @_;
	my $r = $run->{result};
	is($run->{status}, 0, "$name: exit 0") or diag($run->{err}, $r ? $r->{verdict_why} : '');
	is(audit_of($run), '', "$name: nothing lost, twice or out of order");
	return unless $r && defined $receivers;
	cmp_ok($r->{happened}{sent}, '>', 0, "$name: messages went out");
	is($r->{audit}{expected} % $receivers, 0, "$name: all receivers count");
	cmp_ok($r->{audit}{delivered}, '>=', $r->{happened}{sent} * $receivers, "$name: each has each message");
}

# Starts tests/tools/broadcast: {url}, and ->did ends it and gives its own account.
sub wrong_server {
	my (@wrong) = @_;
	my $file = scratch() . '/' . ++$Hub::Bench::servers . '.did';
	my $proc = spawn([ $^X, root() . '/tests/tools/broadcast', $file, @wrong ]);
	wait_for { slurp($proc->{out}) =~ /^\d+\n/ || !$proc->running } 'a server';
	chomp(my $port = slurp($proc->{out}));
	return bless { proc => $proc, file => $file, url => "ws://127.0.0.1:$port" }, 'Hub::Bench::Server';
}

package Hub::Bench::Server;

sub did {
	my ($self) = @_;
	$self->{proc}->kill('TERM');
	$self->{proc}->wait;
	return Hub::unjson(Hub::slurp($self->{file}));
}

1;

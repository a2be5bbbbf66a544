# What the tests of hubreplay share: a recorder beside the test, and a look into its files.
package Hub::Replay;

use strict;
use warnings;

use Exporter 'import';
use Hub;
use IO::Handle;

our @EXPORT = qw(record recording finish lines raw_seqs terminal);

# Starts hubreplay record, which syncs often where it is not told how.
sub record {
	my ($hub, $args, @sessions) = @_;
	my $build = $ENV{HUB_BUILD} || root() . '/build';
	return spawn(
		[ "$build/hubreplay", 'record', '-u', "unix:$hub->{socket}", '--sync', '0.05', @$args, @sessions ]);
}

# Waits until the file is begun: then the session is joined.
sub recording {
	my ($file) = @_;
	wait_for { -s $file } "$file to begin";
	return $file;
}

# Ends it by a signal; its exit status is then in {status}.
sub finish {
	my ($rec, $signal) = @_;
	$rec->kill($signal || 'TERM');
	my $status = $rec->wait;
	$rec->{status} = $status >> 8 if !$signal;
	return $rec;
}

sub text {
	my ($file) = @_;
	return slurp($file) if $file !~ /\.zst$/;
	my $result = run([ 'zstd', '-dcq', $file ]);
	return $result->{out};
}

# The lines of a file that can be read as it is, decoded.
sub lines {
	my ($file) = @_;
	return map { unjson($_) } text($file) =~ /^(.*)\n/mg;
}

# The seqs of its records, state or not, in their order.
sub raw_seqs {
	my ($file) = @_;
	return text($file) =~ /"from":"[^"]*","seq":(\d+),"t":[0-9.]+\}\n/g;
}

# A terminal: (the side of the person, that of the program).
sub terminal {
	open my $master, '+<', '/dev/ptmx' or return;
	my $number = my $unlock = pack 'i', 0;
	ioctl $master, 0x40045431, $unlock or return;    # TIOCSPTLCK
	ioctl $master, 0x80045430, $number or return;    # TIOCGPTN
	open my $slave, '+<', '/dev/pts/' . unpack 'i', $number or return;
	$master->blocking(0);
	return ($master, $slave);
}

1;

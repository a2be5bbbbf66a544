# What the tests of hubreplay share: a recorder beside the test, and a look into its files.
package Hub::Replay;

use strict;
use warnings;

use Exporter 'import';
use Hub;
use IO::Handle;

our @EXPORT = qw(record recording finish lines raw_seqs terminal publish_on);

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

# Publishers, each {name}, that come back to whatever hub there is: a message or a few of each, some of the state.
sub publish_on {
	my ($hub, $session, @publishers) = @_;
	for my $p ($hub ? @publishers : ()) {
		if (!$p->{client} || $p->{client}{gone}) {
			$p->{client} = eval { my $c = $hub->unix; $c->join_session($session, echo => JSON::PP::false()); $c } or next;
		}
		$p->{client}->send(
			map {
				my $n = ++$p->{n};
				{ type => 'p', who => $p->{name}, n => $n, $n % 7 ? () : (key => 'k' . $n % 5) }
			} 1 .. 1 + int rand 3);
	}
	pump(0);
	select undef, undef, undef, 0.001;    # not so fast that reading it all takes long
}

1;

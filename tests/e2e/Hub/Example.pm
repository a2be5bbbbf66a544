# An application of examples/, as its run starts it, in a folder for temporary files that must be empty again.
package Hub::Example;

use strict;
use warnings;

use Hub;

# Undef where npm does not bring what it needs. Arguments of the run go before BUILD; its data are kept in {keep},
# which may be given, and {pages} has those that it says, by name where there are several. Its hub is as patient with
# slow clients as those of other tests.
sub start {
	my ($class, $name, @args) = @_;
	my %o = @args && ref $args[0] ? %{ shift @args } : ();
	my $tmp = scratch() . "/$name." . ++$Hub::spawned;
	my $self = bless { name => $name, tmp => $tmp, keep => $o{keep} // "$tmp.kept" }, $class;
	mkdir $tmp or die "$tmp: $!\n";
	# HOME may be the tests' own; what npm was told of its registry is in the user's.
	local $ENV{NPM_CONFIG_USERCONFIG} = (getpwuid $<)[7] . '/.npmrc' unless $ENV{NPM_CONFIG_USERCONFIG};
	$self->{run} = spawn([ root() . "/examples/$name/run", @args, $ENV{HUB_BUILD}, $self->{keep}, qw(--slow-after 600 --write-timeout 600 --ping 540 --pong 86400) ], env => { TMPDIR => $tmp });
	# The last page is behind the others.
	wait_for { !$self->{run}->running || slurp($self->{run}{out}) =~ m{^  (?:eve: )?http://.*\n\z}m } "$name to start", 300;
	return undef if !$self->{run}->running && slurp($self->{run}{err}) =~ /npm does not bring/;
	die "$name ended: " . slurp($self->{run}{err}) . "\n" unless $self->{run}->running;
	my $said = slurp($self->{run}{out});
	($self->{port}) = $said =~ m{http://127\.0\.0\.1:(\d+)/};
	$self->{pages} = { $said =~ m{^  (\w+): (http://.*)$}mg };
	($self->{dir}) = glob "$tmp/hub-$name.*";
	return $self;
}

# Processes that it has started whose command line fits: zero bytes stand between the words.
sub children {
	my ($self, $pattern) = @_;
	my (%parent, %line);
	for my $dir (glob '/proc/[0-9]*') {
		my ($pid) = $dir =~ /(\d+)$/;
		my ($parent) = slurp("$dir/stat") =~ /\) \S (\d+)/ or next;
		$parent{$pid} = $parent;
		$line{$pid} = slurp("$dir/cmdline");
	}
	my $ours = sub {
		my ($pid) = @_;
		while ($pid && $pid != $self->{run}{pid}) {
			$pid = $parent{$pid};
		}
		return $pid;
	};
	return grep { $line{$_} =~ $pattern && $ours->($_) } keys %line;
}

# Ends those at once, as a crash does; dies where there are none.
sub kill_child {
	my ($self, $pattern) = @_;
	my @pids;
	wait_for { @pids = $self->children($pattern) } "a process to kill: $pattern";
	kill 'KILL', @pids;
}

# Its hub, or the one that has that folder.
sub kill_hub {
	my ($self, $folder) = @_;
	my $pid;
	# One that is being started again answers a little before it says so.
	wait_for { ($pid) = slurp(join '/', $self->{dir}, $folder // (), 'ready') =~ /"pid":(\d+)/; $pid && !$self->{killed}{$pid} } 'a hub to kill';
	kill 'KILL', $pid;
	$self->{killed}{$pid} = 1;
}

# A page of it, by name, at that port, or its own.
sub page {
	my ($self, $who, $port) = @_;
	$port //= $self->{port};
	return $self->{pages}{$who} =~ s/:\d+/:$port/r;
}

# The port of the hub that has that folder.
sub port {
	my ($self, $folder) = @_;
	return slurp("$self->{dir}/$folder/port") =~ s/\n//r;
}

# The body of a GET, of that port or of its hub.
sub get {
	my ($self, $path, $port) = @_;
	my $hub = bless { host => '127.0.0.1', port => $port // $self->{port} }, 'Hub';
	return $hub->get($path)->{body};
}

# As Ctrl-C does; tests that it goes, and nothing of it stays.
sub stop {
	my ($self) = @_;
	my $run = $self->{run};
	$run->kill('INT');
	is($run->wait, 0, 'Ctrl-C ends it') or diag(slurp($run->{err}));
	is_deeply([ glob "$self->{tmp}/*" ], [], 'and nothing is left');
	is_deeply([ grep { slurp($_) =~ /\Q$self->{tmp}\E/ } glob '/proc/[0-9]*/cmdline' ], [], 'nor a process');
}

1;

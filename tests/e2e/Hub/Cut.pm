# A process between a client and a hub that cuts connections: at byte counts drawn from a seed, or when told
# to. What it cuts off was sent by one side and never comes to the other, as on a bad network.
package Hub::Cut;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use Hub ();
use IO::Handle;
use IO::Poll qw(POLLIN POLLOUT);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my $started = 0;

# Forwards to `to` (a socket's path, or a port). seed => for its dice, where HUB_TEST_SEED is not given;
# cuts => so many, then it leaves the connections alone; bytes => cuts after that many at most, either way;
# hears => a word: whoever has sent it hears more than others after deafen().
sub start {
	my ($class, $to, %o) = @_;
	my $self = bless { %o, seed => Hub::chance($o{seed} // 1), to => $to }, $class;
	my $n = ++$started;
	$self->{count} = Hub::spew(Hub::scratch() . "/cut$n.count", '');
	$self->{tcp} = $to =~ /^\d+$/;
	if ($self->{tcp}) {
		socket $self->{listener}, AF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
		bind $self->{listener}, pack_sockaddr_in(0, INADDR_LOOPBACK) or die "bind: $!\n";
		$self->{port} = (unpack_sockaddr_in(getsockname $self->{listener}))[0];
	} else {
		$self->{path} = Hub::scratch() . "/cut$n.sock";
		socket $self->{listener}, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!\n";
		bind $self->{listener}, pack_sockaddr_un($self->{path}) or die "bind: $!\n";
	}
	listen $self->{listener}, 16 or die "listen: $!\n";
	# A program of its own, so that it holds nothing open that the test closes.
	$self->{proc} = Hub::spawn(
		[ $^X, (map { "-I$_" } @INC), '-MHub::Cut', '-e', 'Hub::Cut::run(@ARGV)', fileno $self->{listener},
			map { $self->{$_} // 0 } qw(to count seed cuts bytes hears) ],
		pass => [ $self->{listener} ], err => '/dev/stderr');
	CORE::close delete $self->{listener};
	return $self;
}

sub url {
	my ($self) = @_;
	return $self->{tcp} ? "ws://127.0.0.1:$self->{port}/ws" : "unix:$self->{path}";
}

# How many connections were cut.
sub cuts {
	my ($self) = @_;
	return -s $self->{count} || 0;
}

# Cuts all, and lets new ones wait until open().
sub close {
	my ($self) = @_;
	my $before = $self->cuts;
	$self->{proc}->kill('USR1');
	Hub::wait_for(sub { $self->cuts > $before }, 'the cut');
}

sub open {
	my ($self) = @_;
	$self->{proc}->kill('USR2');
}

# From now on nothing comes to those that have not said the word, until all are cut.
sub deafen {
	my ($self) = @_;
	$self->{proc}->kill('HUP');
}

sub stop {
	my ($self) = @_;
	$self->{proc}->kill('KILL');
	$self->{proc}->wait;
}

# --- in the process

sub run {
	my ($fd, $to, $count, $seed, $cuts, $bytes, $hears) = @_;
	my $self = bless { to => $to, count => $count, left => $cuts, bytes => $bytes, hears => $hears };
	$self->{tcp} = $to =~ /^\d+$/;
	CORE::open $self->{listener}, '+<&=', $fd or die "descriptor $fd: $!\n";
	srand $seed;
	$self->_run;
}

sub _run {
	my ($self) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
	alarm 0;
	$SIG{USR1} = sub { $self->{shut} = 1; $self->{cut_now} = 1; $self->{deaf} = 0 };
	$SIG{HUP} = sub { $self->{deaf} = 1 };
	$SIG{USR2} = sub { $self->{shut} = 0 };
	CORE::open $self->{tell}, '>>', $self->{count} or die "$self->{count}: $!\n";
	$self->{tell}->autoflush(1);
	my %side;    # descriptor => one end
	while (1) {
		if (delete $self->{cut_now}) {
			my %pair = map { $_->{pair} => $_->{pair} } values %side;
			$self->_cut($_, \%side) for values %pair;
		}
		my %late = map { $_->{pair} => $_->{pair} }
		    grep { $_->{pair}{cut_at} && $_->{pair}{cut_at} < time } values %side;
		$self->_cut($_, \%side) for values %late;
		# Each end waits to write what it has, or to read more; the other way goes on meanwhile, or both sides
		# could wait for each other here.
		my @ends = values %side;
		my @poll = map { length $_->{unsent} ? (fileno $_->{to}, POLLOUT) : (fileno $_->{fh}, POLLIN) } @ends;
		push @poll, fileno $self->{listener}, POLLIN unless $self->{shut};
		next if IO::Poll::_poll(20, @poll) <= 0;
		for my $i (0 .. $#poll / 2) {
			next unless $poll[ 2 * $i + 1 ];
			my $end = $ends[$i];
			if (!$end) {
				$self->_accept(\%side);
			} elsif (!$end->{pair}{over}) {
				length $end->{unsent} ? $self->_write($end, \%side) : $self->_forward($end, \%side);
			}
		}
	}
}

sub _accept {
	my ($self, $side) = @_;
	accept my $client, $self->{listener} or return;
	socket my $hub, $self->{tcp} ? AF_INET : AF_UNIX, SOCK_STREAM, 0 or die "socket: $!\n";
	my $to = $self->{tcp} ? pack_sockaddr_in($self->{to}, INADDR_LOOPBACK) : pack_sockaddr_un($self->{to});
	connect $hub, $to or return;
	if ($self->{tcp}) {
		setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for $client, $hub;
	}
	$_->blocking(0) for $client, $hub;
	my $pair = { fds => [ fileno $client, fileno $hub ] };
	if ($self->{left} > 0) {
		$self->{left}--;
		# Where it is cut; and, mostly before, from where on the client hears nothing more, which
		# cannot last, since it may wait for an answer.
		$pair->{deaf} = int rand 2 * $self->{bytes};
		$pair->{cut} = { map { $_ => 1 + int rand 2 * $self->{bytes} } qw(up down) };
	}
	$side->{ fileno $client } = { fh => $client, to => $hub, way => 'up', unsent => '', pair => $pair };
	$side->{ fileno $hub } = { fh => $hub, to => $client, way => 'down', unsent => '', pair => $pair };
}

sub _forward {
	my ($self, $end, $side) = @_;
	my $pair = $end->{pair};
	my $n = sysread $end->{fh}, my $data, 16384;
	return if !defined $n && ($! == EAGAIN || $! == EINTR);
	return $self->_gone($pair, $side) unless $n;
	my $way = $end->{way};
	my $limit = $pair->{cut} && $pair->{cut}{$way};
	$pair->{$way} //= 0;
	my $take = defined $limit && $pair->{$way} + $n > $limit ? $limit - $pair->{$way} : $n;
	$pair->{hears} ||= $way eq 'up' && index($data, $self->{hears}) >= 0;
	my $pass = $way eq 'down' && $self->{deaf} && !$pair->{hears} ? 0 : $take;
	if ($way eq 'down' && defined $pair->{deaf} && $pair->{down} + $take > $pair->{deaf}) {
		$pair->{cut_at} ||= time + 0.05;
		$pass = $pair->{deaf} > $pair->{down} ? $pair->{deaf} - $pair->{down} : 0;
	}
	$pair->{$way} += $take;
	$end->{unsent} = substr $data, 0, $pass;
	$self->_write($end, $side);
	$self->_cut($pair, $side) if !$pair->{over} && defined $limit && $pair->{$way} >= $limit;
}

# What the other side does not take now is kept, and no more is read until it does.
sub _write {
	my ($self, $end, $side) = @_;
	my $n = syswrite $end->{to}, $end->{unsent};
	return substr $end->{unsent}, 0, $n, '' if defined $n;
	$self->_gone($end->{pair}, $side) unless $! == EAGAIN || $! == EINTR;
}

# One of the two has ended it: another one is cut in its place.
sub _gone {
	my ($self, $pair, $side) = @_;
	$self->{left}++ if $pair->{cut};
	$self->_drop($pair, $side);
}

sub _drop {
	my ($self, $pair, $side) = @_;
	$pair->{over} = 1;
	for my $fd (@{ $pair->{fds} }) {
		my $end = delete $side->{$fd} or next;
		CORE::close $end->{fh};
	}
}

sub _cut {
	my ($self, $pair, $side) = @_;
	delete $pair->{cut_at};
	$self->_drop($pair, $side);
	syswrite $self->{tell}, 'x';
}

1;

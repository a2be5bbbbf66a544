# A network namespace of the test's own, and the one cable to it, which can be cut: then nothing comes through, and
# neither side is told. Only root may make one.
package Hub::Cable;

use strict;
use warnings;

use Hub;

my %there;

sub ip {
	my $r = run([ 'ip', @_ ]);
	die "ip @_: $r->{err}" if $r->{status};
}

# undef where it cannot be had here.
sub start {
	my ($class) = @_;
	my $base = $$ * 4 & 0x1ffff;    # of 198.18.0.0/15, which is for such things: four addresses
	my @address = map { join '.', 198, 18 | $base >> 16, $base >> 8 & 255, ($base & 255) + $_ } 1, 2;
	my $self = bless { name => "hub$$", here => "hub$$", host => $address[0] }, $class;
	return if $> || run([ qw(ip netns add), $self->{name} ])->{status};
	$there{ $self->{name} } = $self;
	eval {
		ip(qw(link add), $self->{here}, qw(type veth peer name out netns), $self->{name});
		ip('address', 'add', "$address[0]/30", 'dev', $self->{here});
		ip(qw(link set), $self->{here}, 'up');
		ip('-n', $self->{name}, 'address', 'add', "$address[1]/30", qw(dev out));
		ip('-n', $self->{name}, qw(link set), $_, 'up') for qw(lo out);
		1;
	} or do { diag($@); $self->stop; return };
	return $self;
}

# What a command that is to run behind it begins with.
sub behind {
	my ($self) = @_;
	return [ qw(ip netns exec), $self->{name} ];
}

# What is sent is lost, and no connection ends of it.
sub cut { my ($self) = @_; ip('-n', $self->{name}, qw(link set out down)) }
sub mend { my ($self) = @_; ip('-n', $self->{name}, qw(link set out up)) }

sub stop {
	my ($self) = @_;
	run([ qw(ip netns del), $self->{name} ]) if delete $there{ $self->{name} };
}

END { my $status = $?; $_->stop for values %there; $? = $status }

1;

# A Redis of the test's own, in a folder of its own, on an address that no other test has.
package Hub::Redis;

use strict;
use warnings;

use File::Temp qw(tempdir);
use Hub;

my $port = 6379;

# Why there is none; undef where there is.
sub missing {
	return (grep { -x "$_/redis-server" } split /:/, $ENV{PATH}) && (grep { -x "$_/redis-cli" } split /:/, $ENV{PATH})
	    ? undef
	    : 'no redis-server here (contrib/install-deps bench)';
}

# config => [settings, of two words each]; keeps => 1: what was written outlives it.
sub start {
	my ($class, %o) = @_;
	my $self = bless {
		dir => tempdir('redis.XXXXXX', DIR => scratch()), host => own_address(), port => $port++,
		config => $o{config} || [], keeps => $o{keeps}, scheme => $o{scheme} || 'redis', args => $o{cli} || [],
	}, $class;
	return $self->up;
}

# Starts the server, and waits until it answers.
sub up {
	my ($self) = @_;
	my @config = (
		[ bind => $self->{host} ], $self->{scheme} eq 'rediss' ? ([ port => 0 ], [ 'tls-port' => $self->{port} ]) : [ port => $self->{port} ],
		[ dir => $self->{dir} ], [ unixsocket => "$self->{dir}/s" ], [ save => '' ], [ 'protected-mode' => 'no' ],
		[ appendonly => $self->{keeps} ? 'yes' : 'no' ], [ appendfsync => $self->{keeps} ? 'always' : 'no' ],
		[ 'repl-diskless-sync-delay' => 0 ], @{ $self->{config} });
	$self->{proc} = spawn([ 'redis-server', map { my ($name, @value) = @$_; ("--$name", @value) } @config ]);
	wait_for { $self->cli('PING') eq 'PONG' } 'Redis to start';
	return $self;
}

# What a command gives, as redis-cli prints it.
sub cli {
	my ($self, @words) = @_;
	my $out = run([ 'redis-cli', '-s', "$self->{dir}/s", @{ $self->{args} }, @words ])->{out};
	chomp $out;
	return $out;
}

sub url {
	my ($self, $user, $more) = @_;
	return "$self->{scheme}://" . (defined $user ? "$user\@" : '') . "$self->{host}:$self->{port}" . ($more // '');
}

# Ends it as a fault does; what it has not kept is gone.
sub down {
	my ($self) = @_;
	$self->{proc}->kill('KILL');
	$self->{proc}->wait;
}

sub freeze { kill 'STOP', $_[0]{proc}{pid} }
sub thaw { kill 'CONT', $_[0]{proc}{pid} }

# A hubd at it.
sub hub {
	my ($self, %o) = @_;
	return Hub->start(%o, args => [ '--bus', $o{bus} // $self->url, @{ $o{args} || [] } ]);
}

1;

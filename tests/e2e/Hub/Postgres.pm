# A PostgreSQL of the test's own, in a folder of its own, with a Unix socket there and no port. It does not run as
# root, so its folder is beside the test's.
package Hub::Postgres;

use strict;
use warnings;

use File::Temp qw(tempdir);
use Hub;

# As one who is not root.
my @as = $> ? () : qw(setpriv --reuid=postgres --regid=postgres --clear-groups);

# Where its programs are; undef where it is not installed.
sub _bin {
	my ($postgres) = reverse sort grep { -x } glob '/usr/lib/postgresql/*/bin/postgres /usr/local/pgsql/bin/postgres';
	return $postgres && (!@as || getpwnam 'postgres') ? $postgres =~ s{/postgres$}{}r : undef;
}

# Whether there is one; what else a test says that is left out.
sub missing {
	return _bin() ? undef : 'no PostgreSQL here (contrib/install-deps database)';
}

# config => [settings].
sub start {
	my ($class, %o) = @_;
	my $dir = tempdir('hub-pg.XXXXXX', DIR => '/tmp');
	Hub::_leash("dir $dir");
	chown scalar getpwnam('postgres'), -1, $dir if @as;
	my $self = bless {
		dir => $dir, bin => _bin(), hba => "local all all trust\n",
		# A process that is killed takes nothing with it that it has given to the system.
		config => [ 'fsync=off', 'listen_addresses=', @{ $o{config} || [] } ],
	}, $class;
	my $made = $self->as([ "$self->{bin}/initdb", '-D', "$dir/data", '-U', 'hub', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N' ]);
	die "initdb: $made->{err}\n" if $made->{status};
	$self->up;
	$self->sql('create database hub', 'postgres');
	return $self;
}

sub as {
	my ($self, $command) = @_;
	return run([ @as, @$command ]);
}

# Starts the server, and waits until it takes part.
sub up {
	my ($self) = @_;
	my @config = map { ('-c', $_) } @{ $self->{config} };
	wait_for {
		# What is left of one that was killed goes first.
		$self->{proc} = undef if $self->{proc} && !$self->{proc}->running;
		$self->{proc} //= spawn([ @as, "$self->{bin}/postgres", '-D', "$self->{dir}/data", '-k', $self->{dir}, @config ]);
		run([ "$self->{bin}/psql", '-XAtqc', 'select 1', $self->admin ])->{status} == 0;
	} 'PostgreSQL to start';
	return $self;
}

sub admin { "host=$_[0]{dir} user=hub dbname=" . ($_[1] // 'postgres') }

# For hubreplay.
sub url {
	my ($self, $session, $more) = @_;
	return "postgresql:///hub?host=$self->{dir}&user=hub" . (defined $session ? "&session=$session" : '') . ($more // '');
}

# What a query gives: rows of a line each, columns joined by |.
sub sql {
	my ($self, $query, $database) = @_;
	my $result = run([ "$self->{bin}/psql", '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $self->admin($database // 'hub') ], in => $query);
	die "psql: $result->{err}\n" if $result->{status};
	return wantarray ? split /\n/, $result->{out} : $result->{out} =~ s/\n\z//r;
}

# Ends it: kill -9 with a true $at_once.
sub down {
	my ($self, $at_once) = @_;
	my $proc = delete $self->{proc} or return;
	$proc->kill($at_once ? 'KILL' : 'INT');
	$proc->wait;
}

sub DESTROY {
	my ($self) = @_;
	local ($?, $@);
	$self->down if $self->{proc};
}

1;

# What the tests of the store share: a hub on a database, looked at from outside with sqlite3(1).
package Hub::Store;

use strict;
use warnings;

use Exporter 'import';
use File::Temp qw(tempdir);
use Hub;

our @EXPORT = qw(store_dir store_hub still_hub still sql seqs send_acked stored send_stored killed hold look);

# A directory for a hub and its store.
sub store_dir {
	return tempdir('XXXXXX', DIR => scratch());
}

# A hub on the store of that directory; %o as for Hub->start.
sub store_hub {
	my ($dir, %o) = @_;
	my @args = ('--store', "$dir/store.db", @{ delete $o{args} || [] });
	return Hub->start(dir => $dir, args => \@args, %o);
}

# A library that holds up who writes the redo log, while there is a file of that name.
my $still_disk = <<'END';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) =
	    (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
	char name[64], path[512] = "";
	struct stat st;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (readlink(name, path, sizeof(path) - 1) > 0 && strstr(path, "-redo"))
		while (stat(getenv("DISK_STILL"), &st) == 0)
			usleep(2000);
	return real(fd, data, n, at);
}
END

# The same, on a disk that stands still from still($dir) to the call of the code which that gives: nothing
# becomes durable. undef where that cannot be.
sub still_hub {
	my ($dir, %o) = @_;
	my $library = "$dir/still.so";
	my $made = run([ 'cc', '-shared', '-fPIC', '-O1', '-o', $library, spew("$dir/still.c", $still_disk), '-ldl' ]);
	return if $made->{status};
	# A sanitizer wants to be the first library.
	local $ENV{ASAN_OPTIONS} = join ':', grep { defined } $ENV{ASAN_OPTIONS}, 'verify_asan_link_order=0';
	return store_hub($dir, %o, env => { LD_PRELOAD => $library, DISK_STILL => "$dir/still" });
}

sub still {
	my ($dir) = @_;
	spew("$dir/still", '');
	return sub { unlink "$dir/still" or die "still: $!\n" };
}

# The rows that a query gives, columns joined by |.
sub sql {
	my ($file, $query) = @_;
	my $result = run([ 'sqlite3', '-batch', '-cmd', '.timeout 5000', $file, $query ]);
	die "sqlite3: $result->{err}\n" if $result->{status};
	return wantarray ? split /\n/, $result->{out} : $result->{out} =~ s/\n\z//r;
}

# The seqs of what a client got and has not taken, in order.
sub seqs {
	return map { /"seq":(\d+)\}$/ && !/"type":"(?:ack|session_associated)"/ ? $1 : () } @{ $_[0]{in} };
}

# Sends messages with the ids, and waits for their acks: {id => seq}.
sub send_acked {
	my ($client, @ids) = @_;
	my %seq;
	$client->send(map { { type => 't', msg_id => "$_" } } @ids);
	for (@ids) {
		my $ack = $client->wait_type('ack');
		$seq{ $ack->{msg_id} } = $ack->{seq};
	}
	return \%seq;
}

# Waits until the database has all of a session up to there, and memory need not.
sub stored {
	my ($file, $session, $seq) = @_;
	wait_for { (sql($file, "SELECT head FROM session WHERE name = '$session'") || 0) >= $seq } 'the database to have it';
}

# As send_acked(), and waits for that: a batch.
sub send_stored {
	my ($file, $session, $client, @ids) = @_;
	my $seq = send_acked($client, @ids);
	stored($file, $session, (sort { $b <=> $a } values %$seq)[0]);
	return $seq;
}

# Somebody else who holds the store's lock for writing, after these statements; the code that lets it go.
sub hold {
	my ($file, $first) = @_;
	return _transaction($file, ($first // '') . "\nBEGIN IMMEDIATE;\nSELECT 'locked';\n");
}

# Somebody else who looks at the store for long: as long as that lasts, its write-ahead log cannot begin anew,
# so that no space becomes free.
sub look {
	my ($file) = @_;
	return _transaction($file, "BEGIN;\nSELECT count(*), 'locked' FROM batch;\n");
}

sub _transaction {
	my ($file, $statements) = @_;
	pipe my $read, my $write or die "pipe: $!\n";
	my $proc = spawn([ 'sqlite3', '-batch', '-cmd', '.timeout 5000', $file ], in => $read);
	syswrite $write, $statements;
	wait_for { slurp($proc->{out}) =~ /locked/ } 'somebody else to be in the store';
	return sub {
		close $write;    # an open transaction is rolled back
		$proc->wait;
	};
}

# kill -9.
sub killed {
	my ($hub) = @_;
	$hub->forget;
	$hub->{proc}->kill('KILL');
	$hub->{proc}->wait;
}

1;

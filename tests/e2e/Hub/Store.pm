# What the tests of the store share: a hub on a database, looked at from outside with sqlite3(1).
package Hub::Store;

use strict;
use warnings;

use Exporter 'import';
use File::Temp qw(tempdir);
use Hub;

our @EXPORT = qw(store_dir store_hub sql seqs send_acked killed hold look);

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

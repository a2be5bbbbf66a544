# One HTTP connection to hubd, spoken by hand: requests as bytes, answers as they come, one behind the other.
package Hub::Http;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use Hub qw(wait_for unjson);
use Hub::Client;

our @ISA = ('Hub::Client');

# Over TCP, or over the Unix socket where there is unix => 1.
sub open {
	my ($class, $hub, %o) = @_;
	my $self =
	    delete $o{unix}
	    ? $class->unix($hub->{socket}, %o)
	    : $class->tcp($hub->{port}, host => $hub->{host}, %o);
	$self->{events} = [];
	$self->{comments} = 0;
	return $self;
}

# A connection, a request on it and its answer.
sub fetch {
	my ($class, $hub, $method, $path, %o) = @_;
	my $self = $class->open($hub, unix => $o{unix});
	$self->ask($method, $path, %o);
	my $answer = $self->answer;
	$self->vanish;
	return $answer;
}

# Sends a request. headers => [lines]; body => bytes, with their length.
sub ask {
	my ($self, $method, $path, %o) = @_;
	my @lines = ("$method $path HTTP/1.1", 'Host: localhost', @{ $o{headers} || [] });
	push @lines, 'Content-Length: ' . length $o{body} if defined $o{body};
	push @{ $self->{asked} }, $method;
	return $self->send_bytes(join("\r\n", @lines, '', '') . ($o{body} // ''));
}

sub _read {
	my ($self) = @_;
	my $n = sysread $self->{fh}, $self->{rbuf}, 1 << 18, length $self->{rbuf};
	return $self->_gone("$!") if !defined $n && $! != EAGAIN && $! != EINTR;
	$self->{bytes_in} += $n || 0;
	$self->_gone('end of file') if defined $n && $n == 0;
}

# The head of the next answer: {status, headers}; 100s are counted in {continues}.
sub head {
	my ($self) = @_;
	while (1) {
		wait_for { $self->{rbuf} =~ /\r\n\r\n/ || $self->{gone} } 'the head of an answer';
		$self->{rbuf} =~ s/\A(.*?)\r\n\r\n//s or die "no answer, but: $self->{gone}\n";
		my ($first, @lines) = split /\r\n/, $1;
		$first =~ m{^HTTP/1\.1 (\d{3}) } or die "not HTTP: $first\n";
		if ($1 == 100) {
			$self->{continues}++;
			next;
		}
		return { status => $1, headers => { map { /^([^:]+):\s*(.*)/ ? (lc $1, $2) : () } @lines } };
	}
}

# The next answer, whole: {status, headers, body, lines: what the lines say}.
sub answer {
	my ($self) = @_;
	my $a = $self->head;
	my $method = shift @{ $self->{asked} } // '';
	my $length = $a->{headers}{'content-length'};
	$a->{body} = '';
	if ($method eq 'HEAD' || $a->{status} =~ /^[23]04$/) {
		;
	} elsif (($a->{headers}{'transfer-encoding'} // '') eq 'chunked') {
		my $chunk;
		$a->{body} .= $chunk while length($chunk = $self->chunk // '');
		$a->{cut} = 1 if $self->{cut};
	} else {
		wait_for { $self->{gone} || defined $length && length $self->{rbuf} >= $length } 'a body';
		$a->{body} = substr $self->{rbuf}, 0, $length // length $self->{rbuf}, '';
	}
	$a->{lines} = [ map { unjson($_) } split /\n/, $a->{body} ]
	    if $a->{body} =~ /^\{/ && length $a->{body} < 3_000_000;
	return $a;
}

# The next chunk; '' for the last one; undef with {cut} where the end comes before it.
sub chunk {
	my ($self) = @_;
	my $got;
	wait_for {
		$got = $1 if substr($self->{rbuf}, 0, 20) =~ /\A([0-9a-f]+)\r\n/ && length $self->{rbuf} >= length($1) + 4 + hex $1;
		defined $got || $self->{gone}
	} 'a chunk';
	if (!defined $got) {
		$self->{cut} = 1;
		return;
	}
	my $chunk = substr $self->{rbuf}, length($got) + 2, hex $got;
	substr $self->{rbuf}, 0, length($got) + 4 + hex $got, '';
	return $chunk;
}

# Takes apart what has come of an event stream (WHATWG HTML 9.2.6): {events} of {id, event, data}, the id
# that a reader would come back with in {last_id}.
sub parse_events {
	my ($self) = @_;
	my $end = rindex $self->{rbuf}, "\n\n";
	return $self->{events} if $end < 0;
	for my $text (split /\n\n/, substr $self->{rbuf}, 0, $end + 2, '') {
		my %event;
		for my $line (split /\n/, $text) {
			$line =~ /^(\w*): ?(.*)$/ or die "no field of an event: $line\n";
			my ($name, $value) = ($1, $2);
			if ($name eq '') {
				$self->{comments}++;
			} elsif ($name eq 'id') {
				$self->{last_id} = $value;
				$event{id} = $value;
			} elsif ($name eq 'retry') {
				$self->{retry} = $value;
			} else {
				$event{$name} = defined $event{$name} ? "$event{$name}\n$value" : $value;
			}
		}
		push @{ $self->{events} }, \%event if defined $event{data};
	}
	return $self->{events};
}

# Begins to follow a session. id => a Last-Event-ID; query => text.
sub follow {
	my ($class, $hub, $session, %o) = @_;
	my $self = $class->open($hub, map { $_ => $o{$_} } grep { exists $o{$_} } qw(unix rcvbuf));
	$self->ask('GET', "/sessions/$session/events" . ($o{query} // ''),
		headers => [ (defined $o{id} ? "Last-Event-ID: $o{id}" : ()), @{ $o{headers} || [] } ]);
	my $head = $self->head;
	@$self{qw(status headers)} = @$head{qw(status headers)};
	return $self;
}

# Waits for N events (1) and gives them.
sub take_events {
	my ($self, $n) = @_;
	wait_for { @{ $self->parse_events } >= $n || $self->{gone} } "$n events";
	return splice @{ $self->{events} }, 0, $n;
}

1;

# Pages for a browser, and what they report by POST. A browser opens connections long before it says anything
# on them, and says it in parts, so nothing here waits for one.
package Hub::Web;

use strict;
use warnings;

use Hub;
use IO::Select;
use IO::Socket::INET;

# pages => {name => text}, to which more may be added; {report} has what came for each name, in order.
sub start {
	my ($class, %pages) = @_;
	my $listen = IO::Socket::INET->new(Listen => 10, LocalAddr => '127.0.0.1') or die "listen: $!\n";
	return bless {
		listen => $listen, port => $listen->sockport, select => IO::Select->new($listen), pages => \%pages,
		said => {}, report => {}
	}, $class;
}

# The browser, where there is one.
sub browser {
	my ($path) = grep { -x } map { my $dir = $_; map { "$dir/$_" } qw(chromium chromium-browser) } split /:/, $ENV{PATH};
	return $path;
}

# Opens a page of ours, with more arguments for the browser; ends with close().
sub open {
	my ($self, $name, $query, @more) = @_;
	return spawn(
		[ browser(), qw(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run),
			qw(--disable-background-networking --disable-component-update --disable-sync),
			qw(--disable-dev-shm-usage --remote-debugging-port=0), @more,
			'--user-data-dir=' . scratch() . "/$name.chromium",
			"http://127.0.0.1:$self->{port}/$name" . ($query // '') ],
		env => { HOME => scratch() });
}

sub close {
	my ($self, $chromium) = @_;
	$chromium->kill('TERM');
	eval { $chromium->wait(60); 1 } or $chromium->kill('KILL');
}

# Whatever has come.
sub serve {
	my ($self) = @_;
	for my $fh ($self->{select}->can_read(0)) {
		if ($fh == $self->{listen}) {
			my $new = $fh->accept or next;
			$self->{select}->add($new);
			next;
		}
		my $said = \$self->{said}{ fileno $fh };
		my $n = sysread $fh, $$said, 65536, length($$said //= '');
		next if $n && !$self->_answer($fh, $$said);
		delete $self->{said}{ fileno $fh };
		$self->{select}->remove($fh);
		CORE::close $fh;
	}
}

# True when the request is whole, and answered.
sub _answer {
	my ($self, $fh, $said) = @_;
	my ($head, $body) = $said =~ /\A(.*?\r\n)\r\n(.*)\z/s or return 0;
	my ($length) = $head =~ /^content-length: (\d+)/mi;
	return 0 if length $body < ($length // 0);
	push @{ $self->{report}{$1} }, unjson($body) if $head =~ m{^POST /(\w+)};
	my $page = $head =~ m{^GET /(\w+)} ? $self->{pages}{$1} // '' : '';
	print $fh "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n",
	    'Content-Length: ', length $page, "\r\n\r\n$page";
	return 1;
}

1;

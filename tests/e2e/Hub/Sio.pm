# A client of Socket.IO, spoken by hand: packets as text, whatever carries them. A polling one makes a new
# connection for each request, so that they come to all workers.
package Hub::Sio;

use strict;
use warnings;

use Hub;
use Hub::Http;

our $path = '/socket.io/';

sub url {
	my ($self, $transport) = @_;
	return "$path?EIO=4&transport=$transport" . (defined $self->{sid} ? "&sid=$self->{sid}" : '');
}

# Polling. headers => [lines].
sub poll {
	my ($class, $hub, %o) = @_;
	my $self = bless { hub => $hub, in => [], %o }, $class;
	my $open = $self->request('GET');
	die "handshake answered with $open->{status}: $open->{body}\n" unless $open->{status} == 200;
	$self->_opened($open->{body});
	return $self;
}

# Over a WebSocket. query => more of it; headers => [lines].
sub ws {
	my ($class, $hub, %o) = @_;
	my $self = bless { hub => $hub, in => [] }, $class;
	$self->{ws} = $hub->ws(path => $self->url('websocket') . ($o{query} // ''), headers => $o{headers} || [], binary => 1);
	$self->_opened($self->packet);
	return $self;
}

sub new {
	my ($class, $how, @rest) = @_;
	return $how eq 'ws' ? $class->ws(@rest) : $class->poll(@rest);
}

sub _opened {
	my ($self, $text) = @_;
	$text =~ s/^0// or die "no open packet, but $text\n";
	$self->{open} = unjson($text);
	$self->{sid} = $self->{open}{sid};
}

# A request on a connection of its own: its answer, or with wait => 0 the connection. On a hub of one worker such a
# request is there when another one is answered that was made later: see waiting().
sub request {
	my ($self, $method, %o) = @_;
	my $http = Hub::Http->open($self->{hub});
	$http->ask($method, $self->url('polling'), headers => $self->{headers} || [], %o);
	return $http if exists $o{wait};
	my $answer = $http->answer;
	$http->vanish;
	return $answer;
}

# A poll that waits at a hub of one worker: the connection.
sub waiting {
	my ($self) = @_;
	my $get = $self->request('GET', wait => 0);
	$self->{hub}->health;
	return $get;
}

# Sends packets.
sub send {
	my ($self, @packets) = @_;
	if ($self->{ws}) {
		$self->{ws}->send_text(@packets);
	} else {
		my $answer = $self->request('POST', body => join "\x1e", @packets);
		die "POST answered with $answer->{status}: $answer->{body}\n" unless $answer->{body} eq 'ok';
	}
	return $self;
}

# The next packet; pings are answered.
sub packet {
	my ($self) = @_;
	while (1) {
		if ($self->{ws}) {
			my $in = $self->{ws}{in};
			wait_for { @$in || $self->{ws}{gone} } 'a packet';
			die "the hub is gone ($self->{ws}{gone})\n" unless @$in;
			push @{ $self->{in} }, shift @$in;
		} elsif (!@{ $self->{in} }) {
			my $answer = $self->request('GET');
			die "poll answered with $answer->{status}: $answer->{body}\n" unless $answer->{status} == 200;
			push @{ $self->{in} }, split /\x1e/, $answer->{body};
		}
		my $packet = shift @{ $self->{in} };
		return $packet unless $packet eq '2' && !$self->{pings};
		$self->send('3');
	}
}

# Connects to a namespace ('' the main one): the answer, with {type} 0 or 4. auth: {}.
sub connect {
	my ($self, $nsp, $auth) = @_;
	my $place = $nsp ? "$nsp," : '';
	$self->send("40$place" . ($auth ? json($auth) : ''));
	my @before;
	while (1) {
		my $packet = $self->packet;
		if ($packet =~ /^4([04])\Q$place\E(\{.*)$/s) {
			my $answer = unjson($2);
			@$answer{qw(type before)} = ($1, \@before);
			$self->{id} = $answer->{sid} if !$answer->{type};
			return $answer;
		}
		push @before, $packet;
	}
}

# The next event: [ name, arguments... ], with {nsp}, and of a record its place in place of it.
sub event {
	my ($self) = @_;
	my $packet = $self->packet;
	my ($nsp, $args) = $packet =~ m{^42(?:(/[^,]*),)?(\[.*)$}s or die "no event, but $packet\n";
	my $event = unjson($args);
	$self->{nsp} = $nsp // '/';
	$self->{offset} = pop @$event if !ref $event->[-1] && @$event > 1 && $event->[-1] =~ m{^/|^[\w]{11}-\d+};
	return $event;
}

1;

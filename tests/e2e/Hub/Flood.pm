# Somebody who runs against a wall as fast as he can, in a process of his own, and beside him others who
# behave: they stay, miss nothing and are refused nothing. How long their messages took is said, and judged by
# nobody.
package Hub::Flood;

use strict;
use warnings;

use Exporter 'import';
use Hub;
use Hub::Metrics;

our @EXPORT = qw(flooder knocker ended good_members beside met $upgrade);

my $no = JSON::PP::false();

# The handshake of a WebSocket, for knocker().
our $upgrade = join "\r\n", 'GET /ws HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==', '', '';

# Connects, joins SESSION unless it is -, and says TEXTs again and again; reads where READS is 1. In a process
# of its own. $N counts up in a text.
my $flood = <<'END';
my ($port, $session, $reads, @texts) = @ARGV;
my $c = Hub::Client->ws($port);
$c->join_session($session) if $session ne '-';
my $n = 0;
until ($c->{gone}) {
	$c->{reading} = $reads || length $c->{wbuf} > 1_000_000 && !$c->{full}++;
	$c->{reading} = $reads;
	if (length $c->{wbuf} < 300_000) {
		my $bytes = 0;
		while ($bytes < 300_000) {
			$n++;
			for (@texts) {
				my $text = s/\$N/$n/gr;
				my $frame = Hub::Client::ws_frame(1, $text);
				$bytes += length $frame;
				$c->{wbuf} .= $frame;
			}
			last if $n % 3000 == 0;
		}
	}
	$c->_write;
	@{ $c->{in} } = @{ $c->{presence} } = ();
	Hub::Client::pump(0.02, $c);
}
print $c->{close_code} || 0, "\n";
END

sub flooder {
	my ($hub, $session, $reads, @texts) = @_;
	return spawn([ $^X, (map { "-I$_" } @INC), '-MHub::Client', '-e', $flood, $hub->{port}, $session, $reads,
		@texts ]);
}

sub ended {
	for my $p (@_) {
		$p->kill('KILL');
		$p->wait;
	}
}

# What those who behave show where the hub wants one, and how many messages they send where nothing else is said.
our ($token, $rounds) = (undef, 100);

sub _member {
	my ($hub, $transport, $session, %join) = @_;
	my $c = $hub->client($transport, defined $token && $transport eq 'ws' ? (headers => ["Authorization: Bearer $token"]) : ());
	$c->{joined} = $c->join_session($session, %join);
	return $c;
}

# A hundred who behave, in a session of their own: one says something now and then, and all get it. Returns what is
# wrong, or ''.
sub good_members {
	my ($hub, $session, $name, $n_rounds) = @_;
	$n_rounds ||= $rounds;
	my $sender = _member($hub, 'ws', $session, echo => $no);
	my @readers = map { _member($hub, $_ % 2 ? 'ws' : 'unix', $session) } 1 .. 99;
	my @took;
	for my $n (1 .. $n_rounds) {
		my $start = now();
		$sender->send({ type => 'say', n => $n, msg_id => "m$n" });
		wait_for {
			!grep { !$_->{gone} && !(@{ $_->{in} } && $_->{in}[-1] =~ /"n":$n,|"ack".*"m$n"|"error"/) } $sender, @readers
		} "message $n";
		push @took, now() - $start;
	}
	my @sorted = sort { $a <=> $b } @took;
	note sprintf '%s: half within %.1f ms, 99 of 100 within %.1f ms', $name, map { 1000 * $sorted[ $_ * $#sorted ] } 0.5, 0.99;
	for my $c ($sender, @readers) {
		return 'one is gone' if $c->{gone};
		my @in = map { unjson($_) } @{ $c->{in} };
		return "one was refused: $_->{data}{code}: $_->{data}{message}" for grep { $_->{type} eq 'error' } @in;
		my @n = map { $_->{type} eq 'say' ? $_->{n} : () } @in;
		return 'one missed something' if $c != $sender && "@n" ne join ' ', 1 .. $n_rounds;
	}
	return '';
}

# What a hub with its usual options may have taken at most by then, whoever ran against it, and the kernel for its
# sockets.
my ($hub_cap, $kernel_cap) = (512 << 20, 256 << 20);

sub beside {
	my ($hub, $name, @flooders) = @_;
	is(good_members($hub, "good-$name", $name), '', "$name: the others go on");
	my ($most) = slurp('/proc/' . $hub->pid . '/status') =~ /^VmHWM:\s+(\d+) kB$/m;
	cmp_ok($most << 10, '<', $hub_cap, "$name: the hub's memory has a bound") if no_sanitizer();
	my $metrics = run([ 'curl', '-s', '--unix-socket', $hub->{socket}, 'http://any/metrics' ])->{out};
	my $kernel = 0;
	$kernel += $1 while $metrics =~ /^hubd_socket_buffer_bytes\{.*\} (\d+)$/mg;
	cmp_ok($kernel, '<', $kernel_cap, "$name: and so has the kernel's");
	ended(@flooders);
}

# Connects again and again, says BYTES on each connection, and keeps as many as KEEP; then the first one goes, once it
# has been answered, with a reset.
my $knock = <<'END';
my ($port, $keep) = @ARGV;
my $bytes = do { local $/; <STDIN> };
my @kept;
while (1) {
	my $c = eval { Hub::Client->tcp($port) } or next;
	push @kept, $c->send_bytes($bytes);
	next if @kept <= $keep;
	my $old = shift @kept;
	Hub::Client::pump(0.02) until $old->{status} || $old->{gone};
	$old->abort if $old->{fh};
}
END

my $n = 0;

sub knocker {
	my ($hub, $keep, $bytes) = @_;
	return spawn([ $^X, (map { "-I$_" } @INC), '-MHub::Client', '-e', $knock, $hub->{port}, $keep ],
		in => spew(scratch() . '/bytes' . ++$n, $bytes));
}

# Waits for that counter of a hub to go up.
sub met {
	my ($hub, $counter, $name) = @_;
	# By the other socket, so that nobody stands before it.
	my $of = sub {
		my $text = run([ 'curl', '-s', '--unix-socket', $hub->{socket}, 'http://any/metrics' ])->{out};
		return $text ? parse_metrics($text)->{value}{$counter} // 0 : 0;
	};
	my $before = $of->();
	becomes { $of->() > $before } "$name: the wall is met";
}

1;

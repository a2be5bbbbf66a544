# A restart loses nobody: hubd ends and another one takes its place, with the same store and the sockets that a
# service manager keeps. Thousands of members come back with what they had last, nobody is refused a connection,
# and everything acknowledged before, between and after is there, once and in order.
# Long.
use strict;
use warnings;
use Hub;
use IO::Socket::INET;
use IO::Socket::UNIX;

my $members = no_sanitizer() ? 5000 : 500;
my ($sessions, $lines) = (10, 400);
need_files(2 * $members + 1000);

my $dir = scratch();
my $tcp = IO::Socket::INET->new(Listen => 4096, LocalAddr => '127.0.0.1') or die $!;
my $unix = IO::Socket::UNIX->new(Listen => 4096, Local => "$dir/hub.sock") or die $!;
my $begin = sub {
	return spawn(
		[ 'sh', '-c', "exec 3<&$_[0] 4<&$_[1]; LISTEN_PID=\$\$ LISTEN_FDS=2 exec \"\$0\" \"\$@\"",
			"$ENV{HUB_BUILD}/hubd", '--workers', 2, '--store', "$dir/store", '--drain', 1, '--presence-limit', 10,
			'--max-connections', 2 * $members, '--history', 100_000, '--history-bytes', '64M',
			qw(--slow-after 600 --write-timeout 600 --ping 540 --pong 86400) ],
		err => "$dir/hubd.err", pass => [ $tcp, $unix ]);
};

# Opens them all, and joins each as soon as it is ready.
sub open_all {
	my (@joins) = @_;
	my @clients;
	for my $join (@joins) {
		my $c = Hub::Client->tcp($tcp->sockport);
		$c->send_bytes("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			    . "Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
		push @clients, $c;
	}
	my @waiting = 0 .. $#joins;
	my $deadline = now() + 200 + 50 * slow();
	while (@waiting) {
		die "they do not come\n" if now() > $deadline;
		pump(0.02);
		@waiting = grep {
			my $c = $clients[$_];
			die "client $_ is gone: $c->{gone}\n" if $c->{gone};
			$c->send({ type => 'session_associate', %{ $joins[$_] } }) if $c->{kind} ne 'http' && !$c->{asked}++;
			!@{ $c->{in} };
		} @waiting;
	}
	return @clients;
}

sub seqs {
	return map { /"type":"line".*"seq":(\d+)\}$/ ? $1 : () } @{ $_[0]{in} };
}

my $hub = $begin->(fileno $tcp, fileno $unix);
my $start = now();
my @first = open_all(map { { session_id => "s" . $_ % $sessions } } 0 .. $members - 1);
my $took = now() - $start;
my @senders = map {
	pipe my $read, my $write or die "pipe: $!\n";
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', "unix:$dir/hub.sock", '-p', "s$_" ], in => $read, err => "$dir/cat$_.err");
	close $read;
	$write->autoflush(1);
	{ proc => $proc, pipe => $write };
} 0 .. $sessions - 1;

my $sent = 0;
my $say = sub {
	my ($n) = @_;
	for (1 .. $n) {
		$sent++;
		print { $_->{pipe} } qq({"type":"line","n":$sent}\n) for @senders;
	}
};
$say->($lines / 4);
wait_for { !grep { !seqs($_) } @first } 'all to be in the middle of it';
$say->($lines / 4);

# Its clients are told, and may go elsewhere: they come back to the same place.
$hub->kill('TERM');
$say->($lines / 4);
wait_for { !grep { !$_->{gone} } @first } 'all of them to be sent away';
is($hub->wait, 0, 'the first hubd ends well');
$start = now();
$hub = $begin->(fileno $tcp, fileno $unix);
my @joined = map { unjson($_->{in}[0]) } @first;
my @had = map { [ seqs($_) ] } @first;
my @second = open_all(map {
	{ session_id => "s" . $_ % $sessions, since => $had[$_][-1] + 0, epoch => $joined[$_]{epoch}, resume => $joined[$_]{resume} }
} 0 .. $#first);
note sprintf '%d members came in %.2f s, and came back in %.2f s', $members, $took, now() - $start;
is(scalar(grep { !unjson($_->{in}[0])->{recovered} } @second), 0, 'all are recovered');
$say->($lines - $sent);
close $_->{pipe} for @senders;
is(join(' ', map { $_->{proc}->wait } @senders), join(' ', (0) x $sessions), 'all that was sent was acknowledged');
wait_for { !grep { ((seqs($_))[-1] // 0) < $lines } @second } 'the last record to be everywhere';
my @wrong = grep { join(' ', @{ $had[$_] }, seqs($second[$_])) ne join ' ', 1 .. $lines } 0 .. $#second;
is("@wrong", '', 'each has every record once, in order');
$hub->kill('TERM');
is($hub->wait, 0, 'the second one ends well');
done_testing;

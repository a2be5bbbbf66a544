# Not under sanitizers.
# Three hubds with one Redis behind nginx and behind haproxy, as the examples in contrib have them, which send each
# connection and each request to the next: WebSockets, lines that are posted, events and long polls need no hubd of
# their own.
use strict;
use warnings;
use Hub;
use Hub::Proxy;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
plan skip_all => 'neither nginx nor haproxy here' unless Hub::Proxy::program('nginx') || Hub::Proxy::program('haproxy');

my $pem = Hub::Proxy::certificate();
my $redis = Hub::Redis->start;
my @hub = map { $redis->hub(args => [ '--trust-proxy', '127.0.0.1', '--log-level', 'debug', '--bus-node-timeout', 2 ]) } 1 .. 3;
my @more = map { $_->{port} } @hub[ 1, 2 ];

my @proxies = grep { $_ } (
	Hub::Proxy->nginx($hub[0], $pem, change => [ '^\t#server 127\.0\.0\.1:4830;', "\tserver 127.0.0.1:$more[0];",
		'^\t#server 127\.0\.0\.1:4840;', "\tserver 127.0.0.1:$more[1];" ]),
	Hub::Proxy->haproxy($hub[0], $pem, others => \@more));

sub curl {
	my ($proxy, $path, @more) = @_;
	my $result = run([ 'curl', '-sS', '--max-time', 100, @more, "http://$proxy->{plain}$path" ]);
	return $result->{out};
}

# How many WebSockets have come to a hubd, and gone.
sub log_counts {
	my ($hub, $what) = @_;
	return scalar(() = $hub->log_text =~ /^\S+ \w+ +$what door=ws /mg);
}

for my $proxy (@proxies) {
	subtest $proxy->{name} => sub {
		my ($host, $port) = $proxy->{plain} =~ /^(.*):(\d+)$/;
		my $session = $proxy->{name} =~ s/\W//gr;
		my @before = map { log_counts($_, 'come') } @hub;
		my @c = map { Hub::Client->ws($port, host => $host) } 1 .. 9;
		$_->{joined} = $_->join_session($session) for @c;
		my @count = map { log_counts($hub[$_], 'come') - $before[$_] } 0 .. 2;
		is(scalar(grep { $_ > 0 } @count), 3, 'WebSockets are spread over all three') or diag("@count");
		becomes {
			$c[-1]->send({ type => 'presence' });
			$c[-1]->wait_type('presence')->{user_count} == 9;
		} 'and are in one session';
		# Lines that are posted, by six requests.
		for my $i (1 .. 6) {
			my $answer = curl($proxy, "/sessions/$session/records", '-H', 'Content-Type: application/json', '-d', json({ type => 'posted', n => $i, msg_id => "p$i" }));
			like($answer, qr/"seq":$i\b/, "message $i is posted");
		}
		for my $c (@c) {
			my @n = map { $c->wait_type('posted')->{n} } 1 .. 6;
			is_deeply(\@n, [ 1 .. 6 ], 'a member gets them in their order');
		}
		# Reads in parts, each behind what the one before gave.
		my ($since, @read) = (0);
		for (1 .. 6) {
			my $lines = curl($proxy, "/sessions/$session/records?since=$since&limit=1");
			push @read, $lines =~ /"n":(\d+)/g;
			($since) = $lines =~ /"seq":(\d+)/ or last;
		}
		is_deeply(\@read, [ 1 .. 6 ], 'long polls go on wherever they are answered');
		# Events: each connection ends and goes on elsewhere.
		my @events;
		my $last;
		for my $i (7 .. 12) {
			my $events = spawn([ 'curl', '-sSN', '--max-time', 100, defined $last ? ('-H', "Last-Event-ID: $last") : (),
				"http://$proxy->{plain}/sessions/$session/events" . (defined $last ? '' : '?since=6') ]);
			$c[ $i % 9 ]->send({ type => 'live', n => $i });
			wait_for { slurp($events->{out}) =~ /"n":$i\b/ } "event $i";
			$events->kill('KILL');
			$events->wait;
			my $text = slurp($events->{out});
			push @events, $text =~ /"type":"live"[^}]*"n":(\d+)|"n":(\d+)[^}]*"type":"live"/g;
			($last) = $text =~ /.*^id: ?(\S+)/ms;
		}
		is_deeply([ grep { defined } @events ], [ 7 .. 12 ], 'events go on behind the last one');
		$_->vanish for @c;
	};
}

$_->stop for @proxies, @hub;
done_testing;

# What comes together over one connection of HTTP: it is handled together, as far as that takes no more than a
# connection's part of a turn, and is answered one by one.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Metrics;

my $post = "POST /sessions/s/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

# How often the hub's loop came round.
sub turns { return scrape($_[0])->{hubd_loop_lag_seconds_count} }

# Requests of one method, in one write.
sub together {
	my ($c, $method, @requests) = @_;
	push @{ $c->{asked} }, ($method) x @requests;
	$c->send_bytes(join '', @requests);
}

sub messages {
	my ($from, $to) = @_;
	return map {
		my $body = json({ type => 'n', n => $_, msg_id => "m$_" });
		"${post}Content-Length: " . length($body) . "\r\n\r\n$body"
	} $from .. $to;
}

subtest 'messages' => sub {
	my $hub = Hub->start(args => [ '-w', 1 ]);
	my $m = $hub->member('ws', 's');
	my $c = Hub::Http->open($hub);
	my $before = turns($hub);
	together($c, 'POST', messages(1, 250));
	my @answers = map { $c->answer } 1 .. 250;
	is(join(' ', map { "$_->{status} $_->{lines}[0]{seq}" } @answers), join(' ', map { "200 $_" } 1 .. 250), 'all are answered, in order');
	cmp_ok(turns($hub) - $before, '<', 125, 'in few turns');
	wait_for { @{ $m->{in} } >= 250 } 'the records';
	is(join(' ', map { unjson($_)->{n} } @{ $m->{in} }), join(' ', 1 .. 250), 'all of them have come, in order');
	# Other requests and bodies that are none stand in between.
	my $bad = "${post}Content-Length: 3\r\n\r\n{\"}";
	my $get = "GET /sessions/s/records?since=0&limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
	together($c, 'POST', messages(251, 252), $bad, $get, messages(253, 254));
	@answers = map { $c->answer } 1 .. 6;
	is(join(' ', map { $_->{status} } @answers), '200 200 400 200 200 200', 'each has its answer');
	is($answers[3]{lines}[0]{n}, 1, 'that is its own');
	is($answers[5]{lines}[0]{seq}, 254, 'and goes on');
	together($c, 'POST', messages(255, 256), $post . "Connection: close\r\nContent-Length: 0\r\n\r\n", messages(257, 258));
	@answers = map { $c->answer } 1 .. 3;
	is(join(' ', map { $_->{status} } @answers), '200 200 400', 'up to the one that ends it');
	wait_for { $c->{gone} } 'the end';
	is($hub->health->{records}, 256, 'and nothing behind that');
	$hub->stop;
};

subtest 'with a store' => sub {
	my $hub = Hub->start(args => [ '-w', 1, '--store', scratch() . '/store' ]);
	my $c = Hub::Http->open($hub);
	together($c, 'POST', messages(1, 100));
	is(join(' ', map { $_->{lines}[0]{seq} } map { $c->answer } 1 .. 100), join(' ', 1 .. 100), 'each is acked');
	$hub->stop;
};

subtest 'heads of long answers' => sub {
	my $hub = Hub->start(args => [ '-w', 1 ]);
	my $c = Hub::Http->open($hub);
	my $before = turns($hub);
	together($c, 'HEAD', ("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") x 1500);
	is(scalar(grep { $_->{status} != 200 } map { $c->answer } 1 .. 1500), 0, 'all are answered');
	cmp_ok(turns($hub) - $before, '>', 15, 'while others have their turns');
	$hub->stop;
};

done_testing;

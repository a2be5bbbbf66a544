# What comes together over one connection of HTTP: it is handled together, as far as that takes no more than a
# connection's part of a turn, and is answered one by one.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Metrics;
use Hub::Token;

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
	my $hub = Hub->start(workers => 1);
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
	my $hub = Hub->start(workers => 1, args => [ '--store', scratch() . '/store' ]);
	my $c = Hub::Http->open($hub);
	together($c, 'POST', messages(1, 100));
	is(join(' ', map { $_->{lines}[0]{seq} } map { $c->answer } 1 .. 100), join(' ', 1 .. 100), 'each is acked');
	$hub->stop;
};

subtest 'heads of long answers' => sub {
	my $hub = Hub->start(workers => 1);
	my $c = Hub::Http->open($hub);
	my $before = turns($hub);
	together($c, 'HEAD', ("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") x 1500);
	is(scalar(grep { $_->{status} != 200 } map { $c->answer } 1 .. 1500), 0, 'all are answered');
	cmp_ok(turns($hub) - $before, '>', 15, 'while others have their turns');
	$hub->stop;
};

subtest 'of who has gone' => sub {
	my $hub = Hub->start(workers => 1);
	my $c = Hub::Http->open($hub, unix => 1);
	together($c, 'POST', ("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") x 300, messages(1, 3));
	$c->vanish;
	becomes { $hub->health->{records} == 3 } 'what he said is kept';
	$hub->stop;
};

# --- what a connection may do in a time, it may over all of its requests

subtest 'rates' => sub {
	my $hub = Hub->start(args => [ '--rate-messages', 20 ]);
	my $c = Hub::Http->open($hub);
	together($c, 'POST', messages(1, 80));
	is(join(' ', map { $_->{lines}[0]{seq} } map { $c->answer } 1 .. 80), join(' ', 1 .. 80), 'nothing is lost');
	cmp_ok($hub->health->{slowed}, '>', 0, 'who sends too many messages is slowed');
	$hub->stop;
};

subtest 'states' => sub {
	my $hub = Hub->start;
	my $m = $hub->member('unix', 's');
	my $c = Hub::Http->open($hub);
	together($c, 'GET', ("GET /sessions/s/state HTTP/1.1\r\nHost: localhost\r\n\r\n") x 150);
	is(scalar(grep { $_->{status} != 200 } map { $c->answer } 1 .. 150), 0, 'all are answered');
	cmp_ok($hub->health->{slowed}, '>', 0, 'and who wants too many is slowed');
	$hub->stop;
};

subtest 'the rate of a token' => sub {
	my $hub = Hub->start(args => [ '--auth-key', key_file() ]);
	my $token = token({ sub => 'ann', hub => { join => ['*'], publish => ['*'], rate => 5 } });
	my $c = Hub::Http->open($hub);
	together($c, 'POST', map { s/\r\n/\r\nAuthorization: Bearer $token\r\n/r } messages(1, 60));
	my %seen;
	$seen{ $_->{status} }++ for map { $c->answer } 1 .. 60;
	cmp_ok($seen{200}, '>=', 5, 'some pass');
	cmp_ok($seen{429} // 0, '>', 0, 'more than it allows are refused');
	is(($seen{200} // 0) + ($seen{429} // 0), 60, 'and nothing else');
	$hub->stop;
};

done_testing;

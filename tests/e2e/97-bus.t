# One session at several hubds, with Redis between them: every member gets the same records with the same numbers,
# whichever hubd it is at and whichever published them.
use strict;
use warnings;
use Hub;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
my $redis = Hub::Redis->start;
my @hub = map { $redis->hub } 1 .. 3;

# The records among what came to a client, until there are so many.
sub records {
	my ($c, $n) = @_;
	my @got;
	wait_for {
		push @got, grep { $_->{seq} && $_->{from} } map { unjson($_) } splice @{ $c->{in} };
		return @got >= $n || $c->{gone};
	} "$n records", undef;
	return @got;
}

subtest 'one order' => sub {
	my @members = map { my $hub = $_; map { $hub->member($_, 'one', echo => JSON::PP::false) } 'unix', 'ws' } @hub;
	is(scalar(grep { $_->{joined}{epoch} eq $members[0]{joined}{epoch} } @members), 6, 'all are told one epoch');
	my $n = 0;
	for my $round (1 .. 200) {
		$members[ $_ ]->send({ type => 'said', by => $_, n => $round }) for 0 .. $#members;
		pump(0) if $round % 20 == 0;
	}
	my @all = map { [ records($_, 1000) ] } @members;
	for my $i (0 .. $#members) {
		my @others = grep { $_->{by} == $i } @{ $all[$i] };
		is(scalar @others, 0, "member $i does not get its own");
		is(scalar @{ $all[$i] }, 1000, 'but all of the others');
	}
	my %at;
	for my $r (map { @$_ } @all) {
		$at{ $r->{seq} }{"$r->{by} $r->{n}"} = 1;
	}
	is(scalar(keys %at), 1200, 'each has a number of its own');
	is(scalar(grep { keys %$_ != 1 } values %at), 0, 'which is the same for all');
	is_deeply([ (sort { $a <=> $b } keys %at)[ 0, -1 ] ], [ 1, 1200 ], 'from 1 on without a hole');
	for my $by (0 .. $#members) {
		my @n = map { $_->{n} } grep { $_->{by} == $by } @{ $all[ $by ? 0 : 1 ] };
		is_deeply(\@n, [ 1 .. 200 ], "what $by said comes in its order");
	}
};

subtest 'acks and repeats' => sub {
	my ($x, $y) = map { $_->member('ws', 'acks') } @hub[ 0, 1 ];
	$x->send({ type => 'said', msg_id => "m$_" }) for 1 .. 20;
	my @seq = map { $x->wait_type('ack')->{seq} } 1 .. 20;
	is_deeply(\@seq, [ 1 .. 20 ], 'an ack has the number that Redis gave');
	is_deeply([ map { $_->{seq} } records($y, 20) ], [ 1 .. 20 ], 'the record is there');
	$x->send({ type => 'said', msg_id => 'm7' });
	is($x->wait_type('ack')->{seq}, 7, 'a repeat gets the first ack');
	# The same client at another hubd, which has no member of the session.
	my $z = $hub[2]->client('ws');
	is($z->join_session('acks', resume => $x->{joined}{resume})->{client_id}, $x->{id}, 'a resume token is good at every hubd');
	$z->send({ type => 'said', msg_id => 'm9' }, { type => 'said', msg_id => 'new' });
	is_deeply([ map { $z->wait_type('ack')->{seq} } 1 .. 2 ], [ 9, 21 ], 'a repeat there too, and what is new is not');
	is_deeply([ map { $_->{seq} } records($y, 1) ], [21], 'nobody got it twice');
};

subtest 'joining later, and resuming' => sub {
	my $x = $hub[0]->member('unix', 'later');
	$x->send((map { { type => 'said', n => $_ } } 1 .. 50), { type => 'set', key => 'a', n => 1 }, { type => 'set', key => 'b', n => 2 },
		{ type => 'set', key => 'a', n => 3 }, { type => 'last', msg_id => 'x' });
	is($x->wait_type('ack')->{seq}, 54, 'there is a past');
	my $y = $hub[1]->member('ws', 'later', since => 0);
	is($y->{joined}{recovered}, JSON::PP::true, 'it is all there at another hubd');
	is_deeply([ map { $_->{seq} } records($y, 54) ], [ 1 .. 54 ], 'from its beginning');
	my $z = $hub[2]->member('ws', 'later');
	is($z->{joined}{seq}, 54, 'who joins now is told where it is');
	is($z->{joined}{snapshot}, 2, 'and gets the state');
	is_deeply([ map { [ $_->{key}, $_->{n}, $_->{seq} ] } records($z, 2) ], [ [ 'b', 2, 52 ], [ 'a', 3, 53 ] ], 'as it is');
	my $joined = $y->{joined};
	$y->vanish;
	$x->send(map { { type => 'said', n => $_ } } 1 .. 30);
	records($z, 30);
	my $back = $hub[0]->client('ws');
	my $again = $back->join_session('later', since => 54, epoch => $joined->{epoch}, resume => $joined->{resume});
	is($again->{recovered}, JSON::PP::true, 'who was at one hubd goes on at another');
	is_deeply([ map { $_->{seq} } records($back, 30) ], [ 55 .. 84 ], 'behind what it had');
};

subtest 'state with conditions' => sub {
	my ($x, $y) = map { $_->member('ws', 'terms') } @hub[ 0, 1 ];
	$x->send({ type => 'set', key => 'k', msg_id => 'a', if_seq => 0 });
	is($x->wait_type('ack')->{seq}, 1, 'a condition that is met');
	$y->send({ type => 'set', key => 'k', msg_id => 'b', if_seq => 0 });
	my $error = $y->wait_type('error');
	is($error->{data}{code}, 'conflict', 'one that is not, at another hubd');
	is($error->{data}{seq}, 1, 'tells what stands in the way');
	$y->send({ type => 'set', key => 'k', msg_id => 'c', if_seq => 1 });
	is($y->wait_type('ack')->{seq}, 2, 'then it is met');
	$x->send({ type => 'set', key => 't', msg_id => 'd', newer => JSON::PP::true, timestamp => 100 },
		{ type => 'set', key => 't', msg_id => 'e', newer => JSON::PP::true, timestamp => 100 },
		{ type => 'set', key => 't', msg_id => 'f', newer => JSON::PP::true, timestamp => 100.5 });
	is($x->wait_type('ack')->{seq}, 3, 'the first is newer');
	is($x->wait_type('error')->{data}{code}, 'conflict', 'the same time is not');
	is($x->wait_type('ack')->{seq}, 4, 'a later one is');
	my $own = $hub[1]->member('ws', 'terms');
	$own->send({ type => 'set', key => 'mine', own => JSON::PP::true, msg_id => 'g' });
	is($own->wait_type('ack')->{seq}, 5, 'state of its own');
	$own->vanish;
	my $gone = $x->wait_type('state_deleted');
	is_deeply([ @$gone{qw(key reason seq)} ], [ 'mine', 'left', 6 ], 'goes with its owner, for members elsewhere too, once');
	$x->send({ type => 'set', key => 'short', ttl => 0.05 });
	is_deeply([ @{ $y->wait_type('state_deleted') }{qw(key reason seq)} ], [ 'mine', 'left', 6 ], 'once');
	is_deeply([ @{ $_->wait_type('state_deleted') }{qw(key reason seq)} ], [ 'short', 'expired', 8 ], 'and in time, once') for $x, $y;
	my $late = $hub[2]->member('ws', 'terms');
	is_deeply([ map { $_->{key} } records($late, 2) ], [ 'k', 't' ], 'who joins gets what is left');
	$own = $hub[1]->member('ws', 'terms');
	$own->send({ type => 'set', key => 'seat', own => JSON::PP::true, msg_id => 'h' });
	$own->wait_type('ack');
	$x->send({ type => 'noted', key => 'seat', msg_id => 'i' });
	$x->wait_type('ack');
	$own->vanish;
	is_deeply([ @{ $_->wait_type('state_deleted') }{qw(key reason)} ], [ 'seat', 'left' ], 'what is bound goes, whatever else came of the key')
	    for $x, $y;
};

subtest 'HTTP' => sub {
	my $m = $hub[1]->member('unix', 'http');
	my $body = join '', map { json({ type => 'posted', n => $_, msg_id => "p$_" }) . "\n" } 1 .. 30;
	my $post = $hub[0]->get('/sessions/http/records',
		raw => "POST /sessions/http/records HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n"
		    . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
	is($post->{status}, 200, 'lines are posted');
	is_deeply([ map { $_->{n} } records($m, 30) ], [ 1 .. 30 ], 'and come at another hubd');
	is_deeply([ $post->{body} =~ /"seq":(\d+)/g ], [ 1 .. 30 ], 'each was answered with its number');
	my $read = $hub[2]->get('/sessions/http/records?since=0');
	is(scalar(() = $read->{body} =~ /"type":"posted"/g), 30, 'and are read at a third');
	is($hub[2]->get('/sessions/none/records')->{status}, 404, 'a session that nobody has is not there');
};

$_->stop for @hub;
done_testing;

# What becomes of sessions at several hubds when Redis, the way to it, or one of them fails: members stay, who
# publishes is told or waits, nothing that was acknowledged is lost where Redis has kept it, and nothing comes twice
# or in another order.
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();

my $sent = 0;

# Publishes N messages with an ack, each until it is acknowledged; whoever is told that it is not possible now tries
# again. In the middle of it something begins, and ends when more was sent. Returns seqs by id, and how often each
# code was told.
sub publish {
	my ($c, $session, $n, $begin, $end) = @_;
	my @ids = map { "m$_" } $sent + 1 .. $sent + $n;
	my %open = map { ($_ => 1) } @ids;
	my (%seq, %refused);
	my $say = sub { $c->send(map { { type => 'said', session_id => $session, msg_id => $_, id => $_ } } @_) };
	$sent += $n;
	$say->(splice @ids, 0, $n / 2);
	$begin->() if $begin;
	$say->(@ids);
	pump(0.05);
	$end->() if $end;
	wait_for {
		for my $m (map { unjson($_) } splice @{ $c->{in} }) {
			my $id = $m->{msg_id} // next;
			if ($m->{type} eq 'ack') {
				$seq{$id} = $m->{seq};
				delete $open{$id};
			} elsif ($m->{type} eq 'error') {
				$refused{ $m->{data}{code} }++;
				Time::HiRes::sleep(0.02);
				$say->($id);
			}
		}
		die "the publisher was sent away: $c->{close_code}\n" if $c->{gone};
		return !%open;
	} 'all acks', undef;
	return (\%seq, \%refused);
}

# The records of our kind that a client got, as [seq, id], when it has the one of that seq.
sub got {
	my ($c, $last) = @_;
	wait_for {
		push @{ $c->{got} }, map { [ $_->{seq}, $_->{id} ] } grep { $_->{type} eq 'said' && $_->{from} } map { unjson($_) }
		    splice @{ $c->{in} };
		return $c->{gone} || @{ $c->{got} || [] } && $c->{got}[-1][0] >= $last;
	} "record $last";
	die "a member was sent away: $c->{close_code}\n" if $c->{gone};
	return $c->{got};
}

# What holds for all members of a session to which was published with these seqs.
sub judge {
	my ($seq, $last, @members) = @_;
	my @all = map { got($_, $last) } @members;
	my %count;
	$count{ $_->[1] }++ for @{ $all[0] };
	is(scalar(grep { $_ != 1 } values %count), 0, 'nothing comes twice');
	my %at = map { ($_->[1] => $_->[0]) } @{ $all[0] };
	is(scalar(grep { ($at{$_} // 0) != $seq->{$_} } keys %$seq), 0, 'all that was acknowledged is there, where the ack said');
	my @first = map { "@$_" } @{ $all[0] };
	is_deeply([ map { $_->[0] } @{ $all[0] } ], [ 1 .. $all[0][-1][0] ], 'without a hole');
	is_deeply([ map { "@$_" } @{ $all[$_] } ], \@first, "member $_ has the same") for 1 .. $#all;
}

sub settled {
	my ($hub) = @_;
	wait_for { my $m = $hub->unix; $m->join_session('probe'); $m->send({ type => 'x', msg_id => 'x' }); $m->next->{type} eq 'ack' || do { Time::HiRes::sleep(0.1); 0 } }
	    'publishing to go on';
}

my $redis = Hub::Redis->start(keeps => 1);
my @hub = map { $redis->hub } 1 .. 2;

for my $fault (
	[ 'scripts flushed' => sub { $redis->cli('SCRIPT', 'FLUSH') } ],
	[ 'subscribers cut' => sub { $redis->cli(qw(CLIENT KILL TYPE pubsub)) } ],
	[ 'publishers cut' => sub { $redis->cli(qw(CLIENT KILL TYPE normal)) } ],
	[ 'all cut' => sub { $redis->cli(qw(CLIENT KILL TYPE), $_) for 'pubsub', 'normal' } ],
	[ 'Redis frozen' => sub { $redis->freeze }, sub { Time::HiRes::sleep(5); $redis->thaw } ],
	[ 'Redis killed, and back with its data' => sub { $redis->down }, sub { $redis->up } ],
    )
{
	my ($name, @do) = @$fault;
	subtest $name => sub {
		my $session = $name =~ s/\W+/-/gr;
		my @members = map { my $hub = $_; map { $hub->member($_, $session) } 'unix', 'ws' } @hub;
		my @by = map { $_->unix } @hub;
		$by[$_]->join_session($session, echo => JSON::PP::false) for 0, 1;
		my (%seq, @codes);
		for my $by (@by) {
			my ($seq, $refused) = publish($by, $session, 300, $by == $by[0] ? @do : ());
			%seq = (%seq, %$seq);
			push @codes, keys %$refused;
		}
		is(scalar(grep { $_ ne 'unavailable' } @codes), 0, 'who was refused was told `unavailable`') or diag("@codes");
		my ($last) = sort { $b <=> $a } values %seq;
		judge(\%seq, $last, @members);
	};
}

subtest 'an answer lost, of what was heard' => sub {
	my $cut = Hub::Cut->start("$redis->{dir}/s", hears => 'SUBSCRIBE');
	my $behind = $redis->hub(bus => "unix:$cut->{path}");
	my ($member, $by) = ($hub[0]->member('unix', 'answer'), $behind->member('unix', 'answer'));
	$by->send({ type => 'said', n => 1, msg_id => 'a' });
	$by->wait_type('ack');
	$cut->deafen;
	$by->send({ type => 'said', n => 2 });
	wait_for { my $m = $by->next; $m->{type} eq 'said' && $m->{n} == 2 } 'the record';
	$cut->close;
	$cut->open;
	$by->send({ type => 'said', n => 3 });
	wait_for { my $m = $by->next; $m->{type} eq 'said' && $m->{n} == 3 } 'the next one';
	my @got;
	wait_for { my $m = $member->next; push @got, "$m->{seq} $m->{n}" if $m->{type} eq 'said'; @got && $got[-1] =~ / 3$/ } 'all';
	is_deeply(\@got, [ '1 1', '2 2', '3 3' ], 'each is there once, and in order');
	$_->stop for $behind, $cut;
};

subtest 'Redis full' => sub {
	my @members = map { $_->member('unix', 'full') } @hub;
	$members[0]->send({ type => 'said', id => 'a', msg_id => 'a' });
	is($members[0]->wait_type('ack')->{seq}, 1, 'before');
	$redis->cli(qw(CONFIG SET maxmemory 1));
	$members[0]->send({ type => 'said', id => 'b', msg_id => 'b' }, { type => 'said', id => 'c' });
	my @errors = map { $members[0]->wait_type('error') } 1 .. 2;
	is_deeply([ map { $_->{data}{code} } @errors ], [ ('unavailable') x 2 ], 'both who want an ack and who do not are told');
	is($errors[0]{msg_id}, 'b', 'of which message');
	ok($_->alive, 'a member stays') for @members;
	$redis->cli(qw(CONFIG SET maxmemory 0));
	my $seq;
	wait_for {
		$members[0]->send({ type => 'said', id => 'b', msg_id => 'b' });
		my $m = $members[0]->next;
		$m = $members[0]->next while $m->{type} eq 'said';
		$seq = $m->{seq};
	} 'room';
	is($seq, 2, 'with room again it goes on');
	judge({ a => 1, b => 2 }, 2, $members[1]);
};

subtest 'a hubd killed' => sub {
	my $third = $redis->hub;
	my @members = map { $_->member('unix', 'killed') } @hub;
	my $by = $third->unix;
	my $joined = $by->join_session('killed', echo => JSON::PP::false);
	my ($seq) = publish($by, 'killed', 100);
	$by->send(map { { type => 'said', id => "x$_" } } 1 .. 200);
	$third->{proc}->kill('KILL');
	$third->forget;
	my $again = $hub[0]->unix;
	is($again->join_session('killed', since => 100, epoch => $joined->{epoch}, resume => $joined->{resume})->{recovered},
		JSON::PP::true, 'its client goes on at another one');
	my ($more) = publish($again, 'killed', 100);
	my ($last) = sort { $b <=> $a } values %$more;
	judge({ %$seq, %$more }, $last, @members);
};

subtest 'Redis killed, and back without its data' => sub {
	my @members = map { $_->member('ws', 'lost') } @hub;
	$members[0]->send({ type => 'said', id => 'a', msg_id => 'a' }, { type => 'set', key => 'k' });
	got($_, 1) for @members;
	$redis->cli('FLUSHALL');
	$redis->down;
	$redis->up;
	is($_->closed, 1012, 'its members are told to come anew, as when a hub has been started again') for @members;
	my @again = map { $_->client('ws') } @hub;
	my @joined = map { $_->join_session('lost', since => 2, epoch => $members[0]{joined}{epoch}, resume => $members[0]{joined}{resume}) } $again[0];
	is($joined[0]{recovered}, JSON::PP::false, 'their past is gone');
	is($joined[0]{reason}, 'epoch_changed', 'and they hear why');
	is($joined[0]{client_id}, $members[0]{id}, 'a resume token is good still');
	my $other = $again[1]->join_session('lost');
	is($other->{epoch}, $joined[0]{epoch}, 'the new epoch is the same at all');
	isnt($other->{epoch}, $members[0]{joined}{epoch}, 'and another one');
	$again[0]->send({ type => 'said', id => 'n', msg_id => 'n' });
	is_deeply(got($again[1], 1), [ [ 1, 'n' ] ], 'it begins with 1');
};

subtest 'Redis away' => sub {
	my $m = $hub[0]->member('unix', 'away');
	$redis->down;
	my $code;
	wait_for {
		$m->send({ type => 'said', id => 'a', msg_id => 'a' });
		my $got = eval { $m->next(15) } or return 0;
		$code = $got->{data}{code};
	} 'an error';
	is($code, 'unavailable', 'who publishes is told');
	my $c = $hub[0]->unix;
	is($c->join_session('away')->{seq}, 0, 'who joins a session that is there gets what it has');
	my $other = $hub[0]->unix;
	$other->send({ type => 'session_associate', session_id => 'nowhere' });
	is($other->wait_type('error')->{data}{code}, 'unavailable', 'who joins another is told, too');
	like($hub[0]->log_text, qr/bus redis:/, 'and the log says it');
	my $late = Hub->refuses('--socket', scratch() . '/late.sock', '-l', 'none', '--bus', $redis->url);
	is($late->{status}, 69, 'a hubd does not start without it');
	like($late->{err}, qr/no Redis that could be used/, 'and says so');
	$redis->up;
	settled($_) for @hub;
};

$_->stop for @hub;

subtest 'failover to a replica' => sub {
	my ($one, $two) = map { Hub::Redis->start } 1 .. 2;
	$two->cli('REPLICAOF', $one->{host}, $one->{port});
	wait_for { $two->cli(qw(INFO replication)) =~ /master_link_status:up/ } 'the replica to follow';
	my $url = $one->url(undef, ",$two->{host}:$two->{port}");
	my @two = map { $one->hub(bus => $url) } 1 .. 2;
	my @members = map { $_->member('ws', 'over') } @two;
	my $by = $two[0]->unix;
	$by->join_session('over', echo => JSON::PP::false);
	my ($seq) = publish($by, 'over', 50);
	wait_for { $one->cli(qw(INFO replication)) =~ /state=online,offset=(\d+),.*master_repl_offset:\1\b/s } 'the replica to have it';
	$one->down;
	$two->cli(qw(REPLICAOF NO ONE));
	my ($more) = publish($by, 'over', 50);
	judge({ %$seq, %$more }, 100, @members);
	# And once more, with a loss that nobody could help.
	$one->up;
	$one->cli('REPLICAOF', $two->{host}, $two->{port});
	wait_for { $one->cli(qw(INFO replication)) =~ /master_link_status:up/ } 'the replica to follow';
	$two->cli(qw(CONFIG SET masterauth x));
	$one->cli('REPLICAOF', '127.0.0.1', 1);    # it follows no more
	publish($by, 'over', 10);
	got($_, 110) for @members;
	$two->down;
	$one->cli(qw(REPLICAOF NO ONE));
	is($_->closed, 1012, 'who has seen what is gone comes anew') for @members;
	my $again = $two[1]->client('ws');
	is($again->join_session('over', since => 105, epoch => $members[0]{joined}{epoch})->{reason}, 'epoch_changed', 'and is told');
	$_->stop for @two;
};

subtest 'acks that wait for a replica' => sub {
	my ($one, $two) = map { Hub::Redis->start } 1 .. 2;
	$two->cli('REPLICAOF', $one->{host}, $one->{port});
	wait_for { $one->cli(qw(INFO replication)) =~ /state=online/ } 'the replica to follow';
	my $waits = $one->hub(args => [ '--bus-wait', 1 ]);
	my $by = $waits->unix;
	$by->join_session('waits', echo => JSON::PP::false);
	my ($seq, $refused) = publish($by, 'waits', 100);
	is(scalar keys %$seq, 100, 'with one they come');
	is($two->cli(qw(HGET hub:{waits} head)), 100, 'when it has them');
	$one->cli('SCRIPT', 'FLUSH');
	$by->send({ type => 'moved' });
	$by->send({ type => 'said', msg_id => 'flushed' });
	is($by->wait_type('ack')->{seq}, 102, 'also where scripts are flushed');
	$two->freeze;
	$by->send({ type => 'said', msg_id => 'z' });
	is($by->wait_type('error')->{data}{code}, 'unavailable', 'without one who publishes is told');
	my $other = $waits->unix;
	is($other->join_session('waits', since => 102)->{seq}, 103, 'the record is there');
	$by->send({ type => 'said', msg_id => 'z' });
	is($by->wait_type('error')->{data}{code}, 'unavailable', 'and a repeat is told the same');
	$by->send({ type => 'said', msg_id => 'y' });
	is($other->wait_type('said')->{seq}, $_, "$_ comes once") for 103, 104;
	$one->cli(qw(CLIENT KILL TYPE normal));    # it waits there
	is($by->wait_type('error')->{data}{code}, 'unavailable', 'so is who published before the connection went');
	$two->thaw;
	wait_for {
		$by->send({ type => 'said', msg_id => 'z' });
		my $m = $by->next;
		return $m->{type} eq 'ack' && $m->{seq} == 103;
	} 'the same message to be acknowledged';
	$by->send({ type => 'said', msg_id => 'x', n => 105 });
	is($by->wait_type('ack')->{seq}, 105, 'the next one is a record');
	is($other->wait_type('said')->{n}, 105, 'and nothing came in between');
	$waits->stop;
};

done_testing;

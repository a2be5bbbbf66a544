# A session lives as long as somebody is there or it is remembered: idle ones are dropped after their time,
# and what comes under the same name later is another session.
use strict;
use warnings;
use Hub;

subtest 'a session that is remembered' => sub {
	my $hub = Hub->start;
	my $a = $hub->member('ws', 's');
	$a->send({ type => 't' }) for 1 .. 3;
	$a->next for 1 .. 3;
	my $epoch = $a->{joined}{epoch};
	$a->abort;
	wait_for { $hub->health->{connections} <= 1 } 'the member to be gone';
	my $b = $hub->member('unix', 's');
	is($b->{joined}{epoch}, $epoch, 'the same session');
	is($b->{joined}{seq}, 3, 'that goes on counting');
	$b->send({ type => 't' });
	is($b->next->{seq}, 4, 'from where it was');
	$hub->stop;
	my $after = Hub->start;
	isnt($after->member('ws', 's')->{joined}{epoch}, $epoch, 'another hub, another session');
	$after->stop;
};

subtest 'a session that is forgotten' => sub {
	my $hub = Hub->start(args => [ '--session-ttl', 1 ]);
	my $stays = $hub->member('unix', 'stays');
	my $a = $hub->member('ws', 's');
	$a->send({ type => 't' }) for 1 .. 3;
	$a->next for 1 .. 3;
	my $epoch = $a->{joined}{epoch};
	is($hub->health->{sessions}, 2, 'two sessions');
	$a->send({ type => 'session_leave' });
	$a->wait_type('session_left');
	wait_for { $hub->health->{sessions} == 1 } 'the idle session to be dropped';
	my $b = $hub->member('unix', 's');
	isnt($b->{joined}{epoch}, $epoch, 'a new epoch');
	is($b->{joined}{seq}, 0, 'with nothing in it');
	$b->send({ type => 't' });
	is($b->next->{seq}, 1, 'and numbers from one');
	$stays->send({ type => 't' });
	is($stays->next->{seq}, 1, 'a session with a member stays, however idle');
	is($stays->join_session('stays')->{epoch}, $stays->{joined}{epoch}, 'the same one');
	$hub->stop;
};

done_testing;

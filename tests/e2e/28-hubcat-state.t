# One thread.
# hubcat --state: the last record of each key, and the end.
use strict;
use warnings;
use Hub;
use Hub::Cut;

my $hub = Hub->start(args => [ '--history', 1000 ]);

sub state_of {
	my ($session, @args) = @_;
	return run($hub->hubcat([ '--state', @args, $session ]));
}

my $empty = state_of('nothing');
is_deeply([ @$empty{qw(status out err)} ], [ 0, '', '' ], 'no state: nothing, at once');

my $member = $hub->member('unix', 'game');
$member->send(
	{ type => 'score_update', n => 1 }, { type => 'chat', text => 'not state' },
	{ type => 'entity_created', entity => { id => 'a' } }, { type => 'entity_created', entity => { id => 'b' } },
	{ type => 'score_update', n => 2 }, { type => 'entity_deleted', entity => { id => 'a' } },
	{ type => 'mine', key => 'k', v => 7 });
$member->sync;
for my $over ('unix', 'ws') {
	my $r = run($hub->hubcat([ '--state', 'game' ], over => $over));
	is_deeply([ @$r{qw(status err)} ], [ 0, '' ], "$over: exit 0");
	is_deeply([ map { my $m = unjson($_); "$m->{seq} $m->{type}" } split /\n/, $r->{out} ],
		[ '4 entity_created', '5 score_update', '7 mine' ], 'the last of each key, oldest first');
}
is(state_of('game', '-f', 'select(.type == "mine") | .v')->{out}, "7\n", 'through -f');

subtest 'while others send' => sub {
	my $n = 2000;
	my $busy = $hub->member('unix', 'busy', echo => JSON::PP::false);
	$busy->send_text(map { qq({"type":"p","key":"k$_"}) } 1 .. $n);
	$busy->sync;
	my $proc = spawn($hub->hubcat([ '--state', 'busy' ]));
	my $more = 0;
	wait_for {
		$busy->send_text(map { qq({"type":"live","n":$_}) } 1 .. 50);
		$more += 50;
		return !$proc->running;
	} 'hubcat to end';
	is($proc->wait, 0, 'ends');
	my @got = split /\n/, slurp($proc->{out});
	is_deeply([ map { /"seq":(\d+)\}$/ } @got ], [ 1 .. $n ], 'the state and nothing else');
};

subtest 'a cut in the middle' => sub {
	my $big = $hub->member('unix', 'big', echo => JSON::PP::false);
	$big->send_text(map { qq({"type":"p","key":"k$_","x":") . 'x' x 200 . '"}' } 1 .. 1000);
	$big->sync;
	my $cut = Hub::Cut->start($hub->{socket}, seed => 3, cuts => 2, bytes => 100_000);
	my $r = run([ 'hubcat', '-u', $cut->url, '--state', 'big' ]);
	is($r->{status}, 0, 'exit 0');
	is_deeply([ map { /"seq":(\d+)\}$/ } split /\n/, $r->{out} ], [ 1 .. 1000 ], 'all of it, once');
	is($cut->cuts, 2, 'in spite of the cuts');
	$cut->stop;
};

my $none = run([ 'hubcat', '--no-reconnect', '-u', 'unix:' . scratch() . '/none', '--state', 's' ]);
is($none->{status}, 69, 'no hub: exit 69');

$hub->stop;
done_testing;

# A thousand members on all workers are sent out of one session at once, while another session goes on and its
# members miss nothing.
use strict;
use warnings;
use Hub;

need_files(2600);

my $n = no_sanitizer() ? 1000 : 300;
my $hub = Hub->start(workers => 4);
my $false = JSON::PP::false();
my @own = map { $hub->member($_, 'own', echo => $false) } ('unix', 'ws') x 4;
my $sender = $hub->member('unix', 'own', echo => $false);
my @crowd = map { $hub->client($_ % 2 ? 'ws' : 'unix') } 1 .. $n;
$_->send({ type => 'session_associate', session_id => 'crowd' }) for @crowd;
$_->wait_type('session_associated') for @crowd;
# One is in both: who is in the session goes, wherever else he is.
$crowd[0]->join_session('own');

my $operator = $hub->unix;
$sender->send(map { { type => 'n', n => $_ } } 1 .. 500);
$operator->send({ type => 'connection_close', session_id => 'crowd', reason => 'closing time' });
$sender->send(map { { type => 'n', n => $_ } } 501 .. 1000);
is($operator->wait_type('connection_closed')->{closed}, $n, 'all are sent away');
is_deeply([ grep { $_->closed != 4403 || $_->{close_reason} ne 'closing time' } @crowd ], [], 'each with 4403, and the reason');
$sender->sync;
for my $own (@own) {
	wait_for { @{ $own->{in} } >= 1000 } 'all records of the other session', undef, $own;
	is_deeply([ map { unjson($_)->{n} } @{ $own->{in} } ], [ 1 .. 1000 ], 'a member of the other session missed nothing');
}
$operator->send({ type => 'connection_list', session_id => 'crowd' });
is_deeply($operator->wait_type('connection_list')->{connections}, [], 'nobody is left');
$operator->send({ type => 'connection_list', session_id => 'own' });
is(scalar @{ $operator->wait_type('connection_list')->{connections} }, 9, 'but in the other one');
$hub->stop;
done_testing;

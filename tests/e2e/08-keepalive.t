# The hub finds out who has silently gone: a WebSocket that answers its pings stays, one that does not is
# dropped. A Unix socket needs no pings: the kernel tells.
use strict;
use warnings;
use Hub;

my $hub = Hub->start(args => [ '--ping', 1, '--pong', 2 ]);
my $answers = $hub->member('ws', 's');
my $talks = $hub->member('unix', 's');
my $silent = $hub->member('ws', 's');
$silent->{auto_pong} = 0;

becomes { $silent->{gone} } 'who does not answer is dropped';
cmp_ok($silent->{pings}, '>=', 1, 'who is dropped was asked before');
wait_for { die $answers->{gone} if $answers->{gone}; $answers->{pings} >= 4 } 'four pings';
ok($answers->alive, 'who answers stays');
ok($talks->alive, 'the Unix socket stays');
wait_for { @{ $answers->{presence} } >= 2 } 'the news';
is_deeply([ @{ unjson($answers->{presence}[-1]) }{qw(type client_id user_count)} ],
	[ 'client_disconnected', $silent->{id}, 2 ], 'the others hear who went');
$talks->send({ type => 'hello' });
is($_->next->{type}, 'hello', 'and go on') for $talks, $answers;

# A peer whose machine has gone: the socket stays open, but nothing reads.
my $stalled = $hub->member('ws', 's');
$stalled->{reading} = 0;
becomes { $hub->health->{connections} <= 3 } 'who does not even read is dropped too';
$talks->send({ type => 'presence' });
is($talks->wait_type('presence')->{user_count}, 2, 'and counts no more');

$hub->stop;
done_testing;

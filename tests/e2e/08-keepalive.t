# The hub finds out who has silently gone: a WebSocket that answers its pings stays, one that does not is
# dropped. A Unix socket needs no pings: the kernel tells.
# Long.
use strict;
use warnings;
use Hub;

# Long enough that who answers does so on a machine that is busy, too.
my $hub = Hub->start(args => [ '--ping', 1, '--pong', no_sanitizer() ? 12 : 30 ]);
my $answers = $hub->member('ws', 's');
my $talks = $hub->member('unix', 's');
my $silent = $hub->member('ws', 's');
$silent->{auto_pong} = 0;
# A peer whose machine has gone: the socket stays open, but nothing reads.
my $stalled = $hub->member('ws', 's');
$stalled->{reading} = 0;

becomes { $silent->{gone} } 'who does not answer is dropped';
cmp_ok($silent->{pings}, '>=', 1, 'who is dropped was asked before');
ok(!$answers->{gone}, 'who answers, and has been there for longer, is not');
wait_for { die $answers->{gone} if $answers->{gone}; $answers->{pings} >= 4 } 'four pings';
becomes { $hub->health->{connections} <= 3 } 'who does not even read is dropped too';
ok($answers->alive, 'who answers stays');
ok($talks->alive, 'the Unix socket stays');
my @went;
wait_for {
	@went = grep { $_->{type} eq 'client_disconnected' } map { unjson($_) } @{ $answers->{presence} };
	return @went >= 2;
} 'the news';
is_deeply([ sort map { $_->{client_id} } @went ], [ sort map { $_->{id} } $silent, $stalled ],
	'the others hear who went');
is_deeply([ map { $_->{user_count} } @went ], [ 3, 2 ], 'and how many are left');
$talks->send({ type => 'hello' });
is($_->next->{type}, 'hello', 'and go on') for $talks, $answers;
$talks->send({ type => 'presence' });
is($talks->wait_type('presence')->{user_count}, 2, 'who went counts no more');

$hub->stop;
done_testing;

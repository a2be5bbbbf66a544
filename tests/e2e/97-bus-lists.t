# Connections at three hubds, listed by any of them: each once, in pieces, and who does not answer is left out and named.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();

my $redis = Hub::Redis->start;
my @hub = map { $redis->hub } 1 .. 3;

# All pages, as [client id, hub] each, and the pages.
sub all {
	my ($hub, %ask) = @_;
	my $c = $hub->unix;
	my (@got, @pages, $after);
	do {
		$c->send({ type => 'connection_list', %ask, defined $after ? (after => $after) : () });
		my $page = $c->wait_type('connection_list');
		push @pages, $page;
		push @got, map { [ $_->{client_id}, $page->{hub} ] } @{ $page->{connections} };
		$after = $page->{next};
	} while defined $after;
	$c->vanish;
	return (\@got, \@pages);
}

# The same, where so many do not answer: on a slow machine there may be more.
sub all_but {
	my ($n, @ask) = @_;
	my ($got, $pages);
	wait_for { ($got, $pages) = all(@ask); $n == grep { $_->{silent} } @$pages } "all but $n to answer";
	return ($got, $pages);
}

my @members = map { my $hub = $_; map { $hub->member($_, 'all') } qw(unix ws ws) } @hub;
my @ids = sort map { $_->{joined}{client_id} } @members;
my $other = $hub[1]->member('ws', 'other');

for my $i (0 .. 2) {
	my ($got, $pages) = all_but(0, $hub[$i], session_id => 'all');
	is_deeply([ sort map { $_->[0] } @$got ], \@ids, "hub $i tells of all, each once");
	is(scalar(grep { !defined $_->[1] } @$got), 3, 'first of its own');
	my %hubs = map { ($_->[1] => 1) } grep { defined $_->[1] } @$got;
	is(scalar keys %hubs, 2, 'then of the two others, by their ids');
}
my ($got, $pages) = all_but(0, $hub[0], session_id => 'all', limit => 2);
is_deeply([ sort map { $_->[0] } @$got ], \@ids, 'in small pieces they are the same');
is(scalar(grep { @{ $_->{connections} } > 2 } @$pages), 0, 'none of which is larger');
($got) = all_but(0, $hub[0], client_id => $other->{joined}{client_id});
is_deeply([ map { $_->[0] } @$got ], [ $other->{joined}{client_id} ], 'what is asked for is asked for elsewhere, too');

wait_for {
	my ($after, @got) = '';
	do {
		my $page = Hub::Http->fetch($hub[2], GET => "/connections?session_id=all&limit=4$after", unix => 1)->{lines}[0];
		push @got, map { $_->{client_id} } @{ $page->{connections} };
		$after = $page->{next} ? "&after=$page->{next}" : '';
	} while $after;
	return "@{[ sort @got ]}" eq "@ids";
} 'the same by HTTP';

$hub[2]{proc}->kill('STOP');
($got, $pages) = all_but(1, $hub[0], session_id => 'all');
is(scalar @$got, 6, 'where one stands still the others are listed');
my @silent = grep { $_->{silent} } @$pages;
like($silent[0]{hub}, qr/^[0-9a-f]{16}$/, 'and it is said which one it is');
is_deeply($silent[0]{connections}, [], 'with none of its own');
$hub[2]{proc}->kill('CONT');
becomes { (all($hub[0], session_id => 'all'))[0]->@* == 9 } 'it answers again';

$hub[2]{proc}->kill('KILL');
$hub[2]{proc}->wait;
$hub[2]->forget;
becomes { my ($g, $p) = all($hub[0], session_id => 'all'); @$g == 6 && !grep { $_->{silent} } @$p } 'one that has ended is not asked';

subtest 'sessions' => sub {
	my ($one, $two) = map { Hub::Redis->start } 1, 2;
	my @three = map { $one->hub(args => [ '--bus', $two->url ]) } 1 .. 3;
	my @name = map { "s$_" } 1 .. 1100;    # more than Redis tells in one go
	my @by = map { $three[1]->unix } 1 .. 22;
	$by[ $_ % 22 ]->join_session($name[$_]) for 0 .. $#name;
	my $own = $three[0]->member('unix', 'own');
	push @name, 'own';
	my @new;
	for my $i (0 .. 2) {
		my $c = $three[$i]->unix;
		my %told;
		wait_for {
			my $m;
			%told = ();
			$c->send({ type => 'session_list' });
			do {
				$m = $c->wait_type('session_list');
				$told{$_}++ for @{ $m->{sessions} };
			} while $m->{more};
			return !$m->{partial};
		} 'all to be told';
		is_deeply([ sort keys %told ], [ sort @name ], "hub $i tells of all");
		push @new, $three[ ($i + 1) % 3 ]->member('unix', "new$i");
		push @name, "new$i";
		is_deeply($c->wait_type('session_list')->{sessions}, ["new$i"], 'and then of one that comes into being at another');
		$c->vanish;
	}
	my $answer;
	wait_for { $answer = Hub::Http->fetch($three[2], GET => '/sessions', unix => 1)->{lines}; !$answer->[-1]{partial} } 'all by HTTP';
	my %told = map { map { ($_ => 1) } @{ $_->{sessions} } } @$answer;
	is_deeply([ sort keys %told ], [ sort @name ], 'by HTTP, too');
	is($answer->[-1]{more}, JSON::PP::false, 'which ends');
	$two->freeze;
	wait_for {
		$answer = Hub::Http->fetch($three[0], GET => '/sessions', unix => 1)->{lines};
		return $answer->[-1]{partial};
	} 'it to be said that some cannot be had';
	my %left = map { map { ($_ => 1) } @{ $_->{sessions} } } @$answer;
	ok($left{own}, 'those that are here are told');
	$two->thaw;
	wait_for { !Hub::Http->fetch($three[0], GET => '/sessions', unix => 1)->{lines}[-1]{partial} } 'all of them again';
	$_->stop for @three;
};

my $c = $hub[0]->unix;
$c->send({ type => 'connection_list', after => 'ffffffffffffffff-0-0' });
is_deeply([ @{ $c->wait_type('connection_list') }{qw(connections next)} ], [ [], undef ], 'behind the last one there is nothing');
$c->send({ type => 'connection_list', after => 'ffffffffffffffzz-0-0' });
is($c->wait_type('error')->{data}{code}, 'bad_field', 'no place of a list');
$redis->freeze;
wait_for { $c->send({ type => 'connection_list', after => '0000000000000000-0-0' }); $c->wait_type('error')->{data}{code} eq 'unavailable' }
    'without Redis nobody else can be asked';
$redis->thaw;
$_->stop for @hub[ 0, 1 ];
done_testing;

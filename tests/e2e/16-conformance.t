# What clients may send, and most of what they may not: tables of bytes (Hub::Battery::*), each with the section
# that says what must come of it, sent whole, a byte at a time, and cut at random places, while members of
# another session, who did nothing, get all that is due to them. HUB_TEST_SEED repeats a run, HUB_TEST_GROUP
# runs the groups whose names match it.
use strict;
use warnings;
use Hub;

my $seed;

# Before the tables are made: masks are random too.
BEGIN {
	$seed = $ENV{HUB_TEST_SEED} || time ^ $$;
	srand $seed;
}

use Hub::Battery;
use Hub::Battery::Frames;
use Hub::Battery::Messages;
use Hub::Battery::Requests;

note "HUB_TEST_SEED=$seed";
need_files(1024);
alarm 220 * slow();

# Hosts of any name are sent here.
my $hub = Hub->start(args => [ '--host', '*' ]);
my @good = map { $hub->member('ws', 'good') } 1 .. 40;
my $battery = Hub::Battery->new(hub => $hub);
my $sent = 0;
my $rows = 0;

# Each good member is there, and has every record once, in order.
sub good_members {
	my ($name) = @_;
	wait_for { !grep { $_->{gone} || @{ $_->{in} } < $sent } @good } 'all records', 60;
	my @lost = grep {
		my @seqs = map { /"seq":(\d+)\}$/ } splice @{ $_->{in} }, 0;
		"@seqs" ne "@{[ $battery->{good} + 1 .. $battery->{good} + $sent ]}"
	} @good;
	is(scalar @lost, 0, "$name: the good members got their $sent records");
	$battery->{good} += $sent;
	$sent = 0;
}

for my $group (
	(map { [ @$_, frames => 1 ] } Hub::Battery::Frames::groups(), Hub::Battery::Messages::groups()),
	Hub::Battery::Requests::groups()) {
	my ($name, $table, @how) = @$group;
	next if $name !~ ($ENV{HUB_TEST_GROUP} // '');
	subtest $name => sub {
		note scalar(@$table) . ' rows';
		$battery->run($name, $table, @how,
			each => sub { $good[ ++$sent % @good ]->send({ type => 'good', n => $sent }) });
		good_members($name);
		is($hub->health->{records}, $battery->{good} + $battery->{records},
			'no message was lost or made up');
	};
	$rows += @$table;
}

note "$rows rows, $battery->{runs} runs, " . ($battery->{resets} // 0) . ' ended by a reset';
ok($rows >= 400 || $ENV{HUB_TEST_GROUP}, 'the tables are whole');
is_deeply($battery->{blind}, [], 'each row tells what it wants from what it does not');
ok(!(grep { $_->{gone} } @good), 'no good member was disconnected');
$hub->stop;
done_testing;

# A hundred members. A whole recorded match and all its positions, sent at full speed by two
# senders at once, reach every member complete, in one order for all, numbered without a hole, and byte
# for byte as they were sent. With one worker and with four.
use strict;
use warnings;
use Hub;

my %sent = map { $_ => [ split /\n/, slurp(data_file($_)) ] } 'positions', 'match';
is(scalar @{ $sent{positions} }, 6358, 'positions to send');
is(scalar @{ $sent{match} }, 1745, 'match events to send');
my $total = 6358 + 1745;

for my $workers (1, 4) {
	subtest "$workers workers" => sub {
		my $hub = Hub->start(workers => $workers);
		my @members = map { $hub->member($_ % 2 ? 'ws' : 'unix', 'match') } 1 .. 100;

		# The positions through a pipe, the events from a browser's side.
		my $player = $hub->member('ws', 'match', echo => JSON::PP::false());
		my $pipe = spawn($hub->hubcat([ '-p', 'match' ]), in => data_file('positions'));
		$player->send_text(@{ $sent{match} });
		wait_for { !grep { @{ $_->{in} } < $total && !$_->{gone} } @members } 'all to have all', 300;
		wait_for { @{ $player->{in} } == 6358 } 'the other sender\'s records';
		is($pipe->wait, 0, 'hubcat is content');

		my @records = @{ $members[0]{in} };
		is(scalar @records, $total, 'the first member has all');
		my $seq = 0;
		my %got = (positions => [], match => []);
		my ($wrong, %from) = (0);
		for (@records) {
			$seq++;
			# hubcat asks for acks.
			if (/^(.*?)(?:,"msg_id":"[^"]*")?,"session_id":"match","from":"(\w{11})","seq":(\d+)\}$/ && $3 == $seq) {
				my $what = $2 eq $player->{id} ? 'match' : 'positions';
				$from{$2} = $what;
				push @{ $got{$what} }, "$1}";
			} else {
				diag("seq $seq: $_") if $wrong++ < 3;
			}
		}
		is($wrong, 0, 'the hub\'s fields are right in all');
		is(scalar keys %from, 2, 'two senders');
		for my $what (sort keys %sent) {
			ok(join("\n", @{ $got{$what} }) eq join("\n", @{ $sent{$what} }),
				"$what: byte for byte, in the order they were sent");
		}
		my $same = join "\n", @records;
		my @differ = grep { join("\n", @{ $_->{in} }) ne $same } @members;
		is(scalar @differ, 0, 'every other member has the same bytes');
		my @others = grep { !/"from":"\Q$player->{id}\E"/ } @records;
		ok(join("\n", @{ $player->{in} }) eq join("\n", @others),
			'who wants no echo has the other sender\'s records only');

		my $health = $hub->health;
		is($health->{records}, $total, 'the hub counts as many');
		is($health->{slow_disconnects}, 0, 'nobody was too slow');
		$hub->stop;
	};
}
done_testing;

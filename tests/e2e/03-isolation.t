# Nobody gets what is not for them: two sessions under the same load, messages for single clients, and
# senders who claim to be somebody else.
use strict;
use warnings;
use Hub;

my $hub = Hub->start(args => [ '--history', 20_000 ]);

subtest 'two sessions with the same load' => sub {
	my @lines = (split /\n/, slurp(data_file('match')))[ 0 .. 999 ];
	my %members = map {
		my $s = $_;
		$s => [ map { $hub->member($_, $s) } qw(ws unix ws unix) ]
	} 'red', 'blue';
	my $both = $hub->client('unix');
	$both->join_session($_) for 'red', 'blue';
	my %sender = map { $_ => $hub->member($_ eq 'red' ? 'ws' : 'unix', $_) } 'red', 'blue';

	$sender{$_}->send_text(@lines) for 'red', 'blue';
	for my $s ('red', 'blue') {
		my $end = qr/,"session_id":"$s","from":"$sender{$s}{id}","seq":(\d+)\}$/;
		for my $c (@{ $members{$s} }) {
			wait_for { @{ $c->{in} } >= @lines } "all of $s";
			my $wrong = grep { $c->{in}[$_] !~ $end || $1 != $_ + 1 } 0 .. $#lines;
			is($wrong, 0, "$c->{kind}: only records of $s, in order");
		}
	}
	wait_for { @{ $both->{in} } >= 2 * @lines } 'all of both';
	for my $s ('red', 'blue') {
		my @of = grep { /"session_id":"$s"/ } @{ $both->{in} };
		my @seq = map { /"from":"$sender{$s}{id}","seq":(\d+)\}$/ ? $1 : 0 } @of;
		is_deeply(\@seq, [ 1 .. @lines ], "who is in both gets all of $s, in order");
	}
	# A last record each: whatever leaked would stand before it.
	$sender{$_}->send({ type => 'end' }) for 'red', 'blue';
	for my $c (map { @$_ } values %members) {
		wait_for { @{ $c->{in} } > @lines } 'the end';
		is(scalar @{ $c->{in} }, @lines + 1, "$c->{kind}: nothing more");
	}
};

subtest 'messages for single clients' => sub {
	my ($a, @to) = map { $hub->member($_, 'direct') } qw(unix ws unix ws);
	my $far = $hub->member('unix', 'elsewhere');
	my ($b, $c, $d) = @to;
	$a->send({ type => 'x', n => 1, to => $b->{id} });
	$a->send({ type => 'x', n => 2, to => [ $b->{id}, $c->{id} ] });
	$a->send({ type => 'x', n => 3, to => [ $c->{id}, 'nobody00000', $far->{id} ] });
	my $error = $a->wait_type('error');
	is($error->{data}{code}, 'not_member', 'unknown receivers are an error');
	like($error->{data}{message}, qr/nobody00000/, 'that names them');
	like($error->{data}{message}, qr/\Q$far->{id}\E/, 'and who is in another session');
	unlike($error->{data}{message}, qr/\Q$c->{id}\E/, 'but not who got it');
	$a->send_text(qq({"type":"x","n":4,"\\u0074o":"$d->{id}","timestamp":5}));
	$a->send({ type => 'x', n => 5, to => [ map { $_->{id} } @to ] });

	my %want = ($b => [ 1, 2, 5 ], $c => [ 2, 3, 5 ], $d => [ 4, 5 ]);
	for my $m (@to) {
		wait_for { @{ $m->{in} } >= @{ $want{$m} } } 'direct messages';
		my @got = map { unjson($_) } splice @{ $m->{in} };
		is_deeply([ map { $_->{n} } @got ], $want{$m}, "$m->{kind}: what is for me");
		is(scalar(grep { exists $_->{seq} } @got), 0, 'without a number');
		is(scalar(grep { $_->{from} ne $a->{id} || $_->{session_id} ne 'direct' || !$_->{to} } @got),
			0, 'with its sender, session and receivers');
	}
	$d->send({ type => 'y' });
	is_deeply([ @{ $_->wait_type('y') }{qw(seq from)} ], [ 1, $d->{id} ], 'the log has none of them')
	    for $a, @to;
	is_deeply([ $a->sync ], [], 'the sender got no copy');
	$far->send({ type => 'z' });
	is($far->next->{type}, 'z', 'the other session got nothing');
};

subtest 'forged fields' => sub {
	my ($a, $b) = ($hub->member('ws', 'forge'), $hub->member('unix', 'forge'));
	my $end = sub { qq(,"session_id":"forge","from":"$a->{id}","seq":$_[0]}) };
	my $n = 0;
	for my $case (
		[ '{"from":"x","type":"t","timestamp":1}', '{"type":"t","timestamp":1' ],
		[ '{"type":"t","from":"x","timestamp":1}', '{"type":"t","timestamp":1' ],
		[ '{"type":"t","timestamp":1,"seq":77}', '{"type":"t","timestamp":1' ],
		[ '{"type":"t","seq":{"a":[1,"}"]},"timestamp":1,"from":null}', '{"type":"t","timestamp":1' ],
		[ '{"\u0066rom":"x","type":"t","timestamp":1}', '{"type":"t","timestamp":1' ],
		[ '{"type":"t","\u0073\u0065\u0071":5,"timestamp":1}', '{"type":"t","timestamp":1' ],
		[ '{"s\u0065q":5,"fro\u006D":9,"type":"t","timestamp":1}', '{"type":"t","timestamp":1' ],
		[ '{"type":"t","timestamp":1,"data":{"from":"me","seq":3}}',
			'{"type":"t","timestamp":1,"data":{"from":"me","seq":3}' ],
		[ '{"type":"t","timestamp":1,"From":1,"seq ":2,"fromm":3}',
			'{"type":"t","timestamp":1,"From":1,"seq ":2,"fromm":3' ],
		[ '{"type":"t","timestamp":1,"s":"\"from\":\"x\",\"seq\":1"}',
			'{"type":"t","timestamp":1,"s":"\"from\":\"x\",\"seq\":1"' ],
	    ) {
		my ($sent, $kept) = @$case;
		$n++;
		for my $c ($b, $a) {
			$a->send_text($sent) if $c == $b;
			wait_for { @{ $c->{in} } } "a record of $sent";
			my $got = shift @{ $c->{in} };
			# White space around what was cut out does not matter.
			is($got =~ s/^\{\s+/{/r, $kept . $end->($n), "$c->{kind}: $sent");
		}
	}
	$a->send_text('{"type":"t","sessio\u006e_id":"elsewhere"}');
	is($a->next->{data}{code}, 'not_member', 'an escaped session_id is one');
	$a->send_text('{"type":"t","session_id":"elsewhere"}');
	is($a->next->{data}{code}, 'not_member', 'no way into a session one has not joined');
	$a->send_text('{"type":"t","from":1,"fr\u006fm":2}');
	is($a->next->{data}{code}, 'bad_field', 'a field given twice');
};

$hub->stop;
done_testing;

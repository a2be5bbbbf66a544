# --token-file of hubcat, hubreplay and hubbench: the token goes with each connection, is read again for the
# next one, and again when the hub says that it ends.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Token;

my $hub = Hub->start(args => [ '--auth-key', key_file(), '--auth-info', 'profile' ]);
my $url = "ws://127.0.0.1:$hub->{port}/ws";
my $file = scratch() . '/token';

sub put {
	my ($token) = @_;
	spew("$file.new", "$token\n");
	chmod 0600, "$file.new";
	rename "$file.new", $file or die "$file: $!\n";
}

put(token({ sub => 'ann' }));
my $reader = $hub->member('unix', 'cat');
my $r = run([ 'hubcat', '-u', $url, '--token-file', $file, '-p', 'cat' ], in => qq({"type":"x"}\n));
is($r->{status}, 0, 'hubcat sends');
is($reader->wait_type('x')->{user}, 'ann', 'as the user of the token');
$r = run([ 'hubcat', '-u', $url, '--token-file', $file, '-l', '-s', 'all', '-e', '-f', '[.type, .user]', 'cat' ]);
is($r->{out}, qq(["x","ann"]\n), 'and reads what users have said');
$r = run([ 'hubcat', '-u', $url, '-p', '--no-reconnect', 'cat' ], in => qq({"type":"x"}\n));
isnt($r->{status}, 0, 'without it it does not');
put(token({ sub => 'ann' }, secret => 'z' x 40));
$r = run([ 'hubcat', '-u', $url, '--token-file', $file, '-p', 'cat' ], in => qq({"type":"x"}\n));
is($r->{status}, 77, 'a bad one: exit 77');
unlike($r->{err}, qr/eyJ/, 'which it does not show');

subtest 'files that are none' => sub {
	for my $program ([ 'hubcat', 'cat' ], [ 'hubreplay', 'record', '-o', '/dev/null', 'cat' ], [ 'hubbench', '-d', 0.1 ]) {
		my ($name, @args) = @$program;
		my @command = ($name, ($name eq 'hubreplay' ? shift @args : ()), '-u', $url, '--token-file', "$file.bad", @args);
		unlink "$file.bad";
		is(run(\@command, in => '')->{status}, 66, "$name, no file: exit 66");
		spew("$file.bad", "a b\n");
		chmod 0600, "$file.bad";
		is(run(\@command, in => '')->{status}, 65, "$name, no token: exit 65");
		chmod 0644, "$file.bad";
		my $bad = run(\@command, in => '');
		is($bad->{status}, 77, "$name, open to others: exit 77");
		like($bad->{err}, qr/lets others at the key/, 'says why');
	}
};

subtest 'read again' => sub {
	put(token({ sub => 'ann', exp => time - 54 }));
	my $cat = spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', $url, '--token-file', $file, '-l', '-v', 'renew' ]);
	my $watch = $hub->member('unix', 'renew');
	wait_for {
		$watch->send({ type => 'presence' });
		return $watch->wait_type('presence')->{user_count} == 2;
	} 'hubcat to join';
	put(token({ sub => 'ann' }));
	# Both tokens end within seconds.
	my $short = $hub->ws(headers => [ 'Authorization: Bearer ' . token({ sub => 'bob', exp => time - 54 }) ]);
	is($short->closed, 4401, 'the hub ends a connection with such a token');
	$watch->send({ type => 'after' });
	wait_for { slurp($cat->{out}) =~ /"after"/ } 'hubcat to be there again';
	pass('it comes back with the new one');
	$cat->kill('TERM');
	$cat->wait;
	unlike(slurp($cat->{out}) . slurp($cat->{err}), qr/eyJ|"authenticated"|token_expiring/, 'and says nothing of tokens');

	# Now the next one is there in time.
	put(token({ sub => 'ann', exp => int(time + 30 + 8 * slow()), profile => 'old' }));
	$cat = spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', $url, '--token-file', $file, '-l', 'renew' ]);
	my $shown = sub {
		$watch->send({ type => 'presence' });
		return (grep { $_->{user} } @{ $watch->wait_type('presence')->{members} })[0] || {};
	};
	my $first;
	wait_for { ($first = $shown->())->{user_info} } 'hubcat to join';
	put(token({ sub => 'ann', profile => 'new' }));
	wait_for { $shown->()->{user_info} eq 'new' } 'another token in the same connection';
	is($shown->()->{client_id}, $first->{client_id}, 'shown in the connection that there is');
	$cat->kill('TERM');
	$cat->wait;
	unlike(slurp($cat->{out}) . slurp($cat->{err}), qr/eyJ|"authenticated"|token_expiring/, 'without a word');
};

put(token({ sub => 'ann' }));
my $recording = scratch() . '/r.ndjson';
my $record = spawn([ "$ENV{HUB_BUILD}/hubreplay", 'record', '-u', $url, '--token-file', $file, '-o', $recording, 'rec' ]);
my $watch = $hub->member('unix', 'rec');
wait_for { -s $recording } 'the recording';
$watch->send({ type => 'goal' });
wait_for { slurp($recording) =~ /"goal"/ } 'a record in it';
run([ 'hubcat', '-u', $url, '--token-file', $file, '-p', 'rec' ], in => qq({"type":"hers"}\n));
becomes { slurp($recording) =~ /"type":"hers".*"user":"ann","seq":2,/ } 'and what a user has said, with who it is';
$record->kill('TERM');
is($record->wait >> 8, 0, 'hubreplay records');
is(run([ 'hubreplay', 'play', '-u', $url, '--token-file', $file, '--fast', '--as', 'again', $recording ])->{status}, 0, 'and plays');
is(run([ 'hubbench', '-u', $url, '--token-file', $file, '-c', 3, '-d', 0.2, '--warmup', 0, '--expect', 'lost==0' ])->{status}, 0,
	'hubbench loads');
$hub->stop;
done_testing;

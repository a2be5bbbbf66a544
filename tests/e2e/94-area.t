# Members with an area: they get what is in its cells, hear what leaves them, and when the area moves get what stands
# there; at every door.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Sio;
use Hub::Store;

my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $keys = scratch() . '/keys';
spew($keys, "pos key\nhat key\nbox key\nbox_gone key delete\narea box at.x at.z 100\n");
my @args = ('--keys', $keys, '--area', 'pos|po?=x,y,10');
my $hub = Hub->start(args => \@args);

sub flat { return map { ref $_ eq 'ARRAY' ? @$_ : $_ } map { ref $_ ? $_ : unjson($_) } @_ }

# What it got, taken, once the hub has said all up to now: keys of records, and what left.
sub words {
	return join ' ', map {
		$_->{type} eq 'area_left' ? map { my $l = $_; map { "-$l->{type}.$_" } sort @{ $l->{keys} } } @{ $_->{left} }
			: $_->{type} eq 'area_entered' ? "entered:$_->{snapshot}"
			: defined $_->{key} ? "$_->{type}.$_->{key}" : $_->{type}
	} grep { $_->{type} !~ /^(?:pong|mark|client_|session_)/ } flat(@_);
}

sub pos_ { my ($key, $x, $y, %more) = @_; return { type => 'pos', key => $key, x => $x, y => $y, %more } }

sub got {
	my ($p, $c) = @_;
	my @in = $c->sync;
	$p->send({ type => 'mark' });
	$p->sync;
	wait_for { grep { /"type":"mark"/ } @{ $c->{in} } } 'the mark', undef, $c;
	return words(@in, splice @{ $c->{in} });
}

for my $t ('ws', 'unix') {
	subtest "an area, over $t" => sub {
		my $s = "area.$t";
		my $p = $hub->member('unix', $s, echo => $false);
		$p->send(pos_('a', 5, 5), pos_('b', 500, 5), { type => 'hat', key => 'b' }, pos_('c', -15, 5), pos_('d', -25, 5),
			{ type => 'box', key => 'big', at => { x => 150, z => 0 } }, { type => 'pos', key => 'n', x => 'far', y => 1 });
		$p->sync;
		my $c = $hub->client($t);
		my $j = $c->join_session($s, area => { x => 3, y => 3, r => 11 });
		is($j->{snapshot}, 5, 'the state of it, and what is nowhere');
		is(got($p, $c), 'pos.a hat.b pos.c box.big pos.n', 'which comes');
		$p->send(pos_('a', 6, 6), pos_('b', 510, 5), pos_('b', 8, 29), pos_('b', 8, 30), pos_('b', 8, 31), pos_('d', -20, 0), { type => 'say' });
		is(got($p, $c), 'pos.a pos.b -pos.b pos.d say', 'what comes in, and what goes');
		$p->send({ type => 'box_gone', key => 'a' }, { type => 'box_gone', key => 'b' }, { type => 'box_gone', key => 'c' });
		is(got($p, $c), 'box_gone.a box_gone.b box_gone.c', 'deletions, as far as it may know of them');
		$p->send(pos_('far', 900, 900), { type => 'box_gone', key => 'far' });
		is(got($p, $c), '', 'not of what it never saw');
		$p->send({ type => 'pos', key => 'd' }, pos_('d', 800, 0), pos_('d', 800, 1));
		is(got($p, $c), 'pos.d -pos.d', 'from anywhere to somewhere');

		$p->send(pos_('m', 200, 0), pos_('m2', 200, 5), pos_('e', 0, 0));
		is(got($p, $c), 'pos.e', 'more');
		$c->send({ type => 'interest', area => { x => 204, z => 3, r => 10 }, msg_id => '7' });
		is(got($p, $c), '-pos.e entered:2 pos.m pos.m2', 'it moves');
		$c->send({ type => 'interest', area => { x => 205, z => 4, r => 9 } }, { type => 'interest', area => { x => 205, z => 4, r => 10 }, msg_id => '8' });
		is(got($p, $c), 'entered:0', 'in the same cell nothing happens');
		$c->join_session($s, area => { x => 0, y => 0, r => 10 });
		is(got($p, $c), '-pos.m -pos.m2 entered:1 pos.e', 'by joining again');
		$c->join_session($s);
		like(got($p, $c), qr/^entered:3 (?=.*pos.d)(?=.*pos.m )(?=.*pos.m2)/, 'and to all of it');
		$c->join_session($s, area => { x => 0, y => 0, r => 10 });
		like(got($p, $c), qr/^-pos.\w+ -pos.\w+ -pos.\w+ entered:0$/, 'and back');
	};

	subtest "at ticks, in arrays, over $t" => sub {
		my $s = "tick.$t";
		my $p = $hub->member('unix', $s, echo => $false);
		$p->send(map { pos_("k$_", 10 * $_, 0) } 0 .. 9);
		$p->sync;
		my @c = map { my $c = $hub->client($t); $c->join_session($s, area => { x => 45, y => 0, r => 20 }, tick => 20, batch => $true, conflate => $true); $c } 1 .. 3;
		my %know;
		my $take = sub {
			my ($c) = @_;
			my $know = $know{$c} //= {};
			for my $m (flat(splice @{ $c->{in} })) {
				if ($m->{type} eq 'pos') { $know->{ $m->{key} } = $m->{x} }
				delete @$know{ @{ $_->{keys} } } for $m->{type} eq 'area_left' ? @{ $m->{left} } : ();
				$c->{done} = 1 if $m->{type} eq 'end';
			}
		};
		$c[2]->send({ type => 'interest', area => { x => 95, y => 0, r => 10 } });
		for my $n (1 .. 300) {
			$p->send(pos_('k' . int rand 10, int rand 100, 0));
			$c[1]->send({ type => 'interest', area => { x => rand 100, y => 0, r => 20 } }) if $n % 7 == 0;
			$p->sync if $n % 20 == 0;
		}
		$c[1]->send({ type => 'interest', area => { x => 15, y => 0, r => 10 }, msg_id => 'last' });
		wait_for { grep { /"msg_id":"last"/ } @{ $c[1]{in} } } 'its area', undef, @c;
		$p->send({ type => 'end' });
		$p->sync;
		for my $c (@c) {
			wait_for { $take->($c); $c->{done} } 'the end', undef, $c;
		}
		my %at = map { ($_->{key} => $_->{x}) } grep { $_->{type} eq 'pos' } map { unjson($_) }
			split /\n/, Hub::Http->fetch($hub, 'GET', "/sessions/$s/state")->{body};
		my $i = 0;
		for my $range ([ 20, 70 ], [ 0, 30 ], [ 80, 110 ]) {
			my %due = map { ($_ => $at{$_}) } grep { $at{$_} >= $range->[0] && $at{$_} < $range->[1] } keys %at;
			is_deeply($know{ $c[$i] }, \%due, "member $i knows what is there, and no more");
			$i++;
		}
	};
}

subtest 'coming back' => sub {
	my $p = $hub->member('unix', 'back', echo => $false);
	$p->send(pos_('a', 1, 1), pos_('b', 1, 1));
	$p->sync;
	my $c = $hub->client('ws');
	my $j = $c->join_session('back', area => { x => 0, y => 0, r => 0 });
	is(got($p, $c), 'pos.a pos.b', 'the state');
	$c->abort;
	$p->send(pos_('a', 100, 1), pos_('b', 2, 1), pos_('c', 3, 1), pos_('d', 100, 1));
	$p->sync;
	my $d = $hub->client('ws');
	my $k = $d->join_session('back', area => { x => 0, y => 0, r => 0 }, since => 2, epoch => $j->{epoch}, resume => $j->{resume});
	ok($k->{recovered}, 'is possible');
	is(got($p, $d), '-pos.a pos.b pos.c', 'and what has left is told');
};

subtest 'over HTTP' => sub {
	my $p = $hub->member('unix', 'http', echo => $false);
	$p->send(pos_('a', 1, 1), pos_('b', 100, 1), pos_('a', 100, 1));
	$p->sync;
	my $get = sub { return Hub::Http->fetch($hub, 'GET', "/sessions/http/records?$_[0]") };
	is(words(map { unjson($_) } split /\n/, $get->('area=0,0,0')->{body}), 'pos.a -pos.a', 'records');
	is($get->("area=$_")->{status}, 400, "area=$_") for '', '1,2', '1,2,-1', '1,2,3,4', 'a,b,c', '1,2,inf';
	my $sse = Hub::Http->follow($hub, 'http', query => '?state=1&area=105,0,0');
	my @e;
	push @e, $sse->take_events(1) until @e && ($e[-1]{data} // '') =~ /"key":"a"/;
	is(words(map { $_->{data} } grep { ($_->{data} // '') =~ /^\{/ } @e), 'pos.b pos.a', 'events');
	$p->send(pos_('b', 300, 1), pos_('a', 101, 1));
	$p->sync;
	@e = ();
	push @e, $sse->take_events(1) until @e && ($e[-1]{data} // '') =~ /"key":"a"/;
	is(words(map { $_->{data} } grep { ($_->{data} // '') =~ /^\{/ } @e), '-pos.b pos.a', 'and more');
};

subtest 'Socket.IO' => sub {
	my $p = $hub->member('unix', 'sio', echo => $false);
	my $sio = Hub::Sio->ws($hub);
	is($sio->connect('/sio', { area => { x => 0, y => 0, r => 5 } })->{type}, 0, 'connected');
	$p->send(pos_('a', 1, 1), pos_('b', 100, 1), pos_('a', 100, 1), { type => 'end' });
	$p->sync;
	my @e;
	push @e, $sio->event until @e && $e[-1][0] eq 'end';
	is_deeply([ map { $_->[0] } @e ], [ 'pos', 'hub:area_left', 'end' ], 'what comes');
	is_deeply($e[1][1], [ { type => 'pos', keys => ['a'] } ], 'and goes');
};

subtest 'what is wrong' => sub {
	my $c = $hub->member('ws', 'bad');
	for my $bad ('1', '{}', '{"x":1,"y":2}', '{"x":1,"y":2,"r":-1}', '{"x":1,"y":2,"z":3,"r":1}', '{"x":"1","y":2,"r":1}', '{"x":1e999,"y":2,"r":1}') {
		for my $type ('session_associate', 'interest') {
			$c->send_text(qq({"type":"$type","session_id":"bad","area":$bad}));
			is($c->next->{data}{code}, 'bad_field', "$type $bad");
		}
	}
	$c->send_text('{"type":"interest"}');
	is($c->next->{data}{code}, 'bad_field', 'interest in nothing');
	$c->send_text('{"type":"interest","record":{},"area":1}');
	is($c->next->{area}, 1, 'or a record');
	for my $bad ([ '--area', 'pos' ], [ '--area', 'pos=x,y' ], [ '--area', 'pos=x,y,0' ], [ '--area', 'pos=x,y,z' ], [ '--area', 'pos=x,-,1' ],
		[ map { ('--area', "p$_=x,y,$_") } 1 .. 5 ]) {
		my $r = run([ 'hubd', '-l', 'none', '-s', scratch() . '/s', @$bad ]);
		is($r->{status}, 78, "@$bad") or diag($r->{err});
		like($r->{err}, qr/area/, 'is said');
	}
	spew($keys . '2', "area pos x y\n");
	is(run([ 'hubd', '-l', 'none', '-s', scratch() . '/s', '--keys', $keys . '2' ])->{status}, 78, 'in the table');
};

subtest 'a hub without places' => sub {
	my $h = Hub->start;
	my $p = $h->member('unix', 's', echo => $false);
	my $c = $h->client('ws');
	$c->join_session('s', area => { x => 0, y => 0, r => 1 });
	$c->send({ type => 'interest', area => { x => 900, y => 0, r => 1 }, msg_id => '1' });
	my @in = $c->sync;
	$p->send(pos_('a', 500, 500));
	is(words(@in) . ' ' . got($p, $c), 'entered:0 pos.a', 'has everything everywhere');
	$h->stop;
};

subtest 'a state out of the store' => sub {
	my $dir = store_dir();
	my $h = store_hub($dir, args => [@args]);
	my $p = $h->member('unix', 's', echo => $false);
	$p->send(pos_('a', 5, 5), pos_('b', 500, 5));
	$p->sync;
	$h->stop;
	$h = store_hub($dir, args => [@args]);
	my $c = $h->client('ws');
	is($c->join_session('s', area => { x => 500, y => 0, r => 1 })->{snapshot}, 1, 'has its places again');
	is(got($h->member('unix', 's', echo => $false), $c), 'pos.b', 'all of them');
	$h->stop;
};

subtest 'a past out of the store' => sub {
	my $dir = store_dir();
	my $h = store_hub($dir, args => [ @args, '--history', 4, '--history-bytes', 0, '--slow-after', 0 ]);
	my $p = $h->member('unix', 's', echo => $false);
	my $c = $h->client('ws');
	my $area = { x => 5, y => 5, r => 5 };
	my $j = $c->join_session('s', area => $area);
	$p->send(pos_('a', 1, 1), pos_('b', 2, 2), { type => 'box', key => 'c', at => { x => 1, z => 1 } });
	$p->sync;
	wait_for { @{ $c->{in} } >= 3 } 'what is near', undef, $c;
	my $seq = unjson($c->{in}[-1])->{seq};
	$c->vanish;
	# What moves in, out, about, away, and is no state; then so much that no memory has it.
	$p->send(pos_('a', 500, 1), pos_('d', 500, 1), pos_('d', 3, 3), pos_('b', 4, 4), { type => 'pos', key => 'e' }, { type => 'say' },
		{ type => 'box', key => 'c', at => { x => 900, z => 1 } }, { type => 'box_gone', key => 'b' });
	$p->send(pos_("far$_", 900, 900, long => '.' x 1000)) for 1 .. 200;
	$p->send({ type => 'kept', msg_id => 'kept' });
	stored("$dir/store.db", 's', $p->wait_type('ack')->{seq});
	# What is stored makes room.
	$p->send(pos_("far$_", 900, 900, long => '.' x 1000)) for 201 .. 300;
	$p->sync;
	$c = $h->client('ws');
	my $back = $c->join_session('s', area => $area, since => $seq, epoch => $j->{epoch}, resume => $j->{resume});
	is($back->{recovered}, $true, 'is there');
	my @got = split / /, got($p, $c);
	is(join(' ', grep { !/far|kept/ } @got), '-pos.a -pos.d pos.d pos.b pos.e say -box.c box_gone.b', 'as far as it is of the area');
	is(scalar(grep { /^pos\.far/ } @got), 0, 'and the rest is not');
	# It goes on from there.
	$p->send(pos_('a', 2, 2), pos_('d', 900, 900));
	is(got($p, $c), 'pos.a -pos.d', 'as if it had been there');
	# Another area while it reads.
	$c->vanish;
	$c = $h->client('ws');
	$c->send({ type => 'session_associate', session_id => 's', area => $area, since => $seq, epoch => $j->{epoch} },
		{ type => 'interest', area => { x => 900, y => 900, r => 1 }, msg_id => 'i' });
	wait_for { grep { /"type":"area_entered"/ } @{ $c->{in} } } 'the other area', undef, $c;
	@got = split / /, got($p, $c);
	my ($entered) = grep { $got[$_] =~ /^entered/ } 0 .. $#got;
	is($got[$entered], 'entered:301', 'it has that behind the past');
	like($got[ $entered - 1 ], qr/^-pos\.(?:a|d)$/, 'which is all told before');
	is(scalar(grep { /^pos\.(?:far\d+|d)$/ } @got[ $entered + 1 .. $#got ]), 301, 'and all that stands there');
	$h->stop;
};

$hub->stop;
done_testing();

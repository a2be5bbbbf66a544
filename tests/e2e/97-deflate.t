# permessage-deflate (RFC 7692): what is agreed on, what clients may send then and what not, and what they get: the
# same bytes for all who want the same, made once. HUB_TEST_SEED repeats a run.
use strict;
use warnings;
use Hub;

my $seed;

BEGIN {
	$seed = $ENV{HUB_TEST_SEED} || time ^ $$;
	srand $seed;
}

use Hub::Battery qw(frame message);
use Hub::Client qw(deflated inflated);
use Hub::Metrics;
use Hub::Proxy;

note "HUB_TEST_SEED=$seed";
need_files(512);

my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $pem = Hub::Proxy::certificate();
my $hub = Hub->start(args => [ '--deflate', '--workers', 1, '--host', '*' ]);

sub counted {
	my ($of, $name) = @_;
	my $get = sub { run([ 'curl', '-sS', '--cacert', $pem->{ca}, "https://127.0.0.1:$of->{port}/metrics" ])->{out} };
	return scrape($of, $of->{tls} ? (get => $get) : ())->{"hubd_${name}_total"};
}

sub agreed { return $_[0]{headers}{'sec-websocket-extensions'} }

subtest 'what is agreed on' => sub {
	my $plain = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
	my %answers = (
		'permessage-deflate' => $plain,
		'permessage-deflate; client_max_window_bits' => $plain,
		'permessage-deflate; server_max_window_bits=10' => "$plain; server_max_window_bits=10",
		'permessage-deflate; server_max_window_bits=8' => undef,
		'permessage-deflate; server_max_window_bits=8, permessage-deflate' => $plain,
		'permessage-deflate; unknown' => undef,
		'x-webkit-deflate-frame' => undef,
	);
	for my $offer (sort keys %answers) {
		my $c = $hub->ws(deflate => $offer);
		is(agreed($c), $answers{$offer}, $offer);
		is($c->join_session('offers')->{session_id}, 'offers', '... and it works');
	}
	is(agreed($hub->ws), undef, 'who offers nothing');
	my $off = Hub->start;
	is(agreed($off->ws(deflate => 1)), undef, 'a hub without --deflate');
	$off->stop;
};

# --- what comes in

my $t = message('t');
my $d = deflated($t);

sub one { return { texts => [ ('record t') x ($_[0] // 1) ] } }
sub before { return { texts => [ ('record t') x ($_[0] // 1) ], lossy => 1, records => $_[0] // 1 } }

my $random = join '', map { chr 32 + int rand 95 } 1 .. 65_400;
$random =~ s/["\\]/x/g;

my @rows = (
	[ '6.1', 'a deflated message', frame(1, $d, rsv => 4), 'stay', one() ],
	[ '6.1', 'and one that is not', frame(1, $d, rsv => 4) . frame(1, $t), 'stay', one(2) ],
	[ '6.1', 'in fragments', frame(1, substr($d, 0, 3), rsv => 4, fin => 0) . frame(0, substr $d, 3), 'stay', one() ],
	[ '6.1', 'in empty fragments', frame(1, '', rsv => 4, fin => 0) . frame(0, $d, fin => 0) . frame(0, ''), 'stay', one() ],
	[ '6.1', 'with a ping between', frame(1, substr($d, 0, 3), rsv => 4, fin => 0) . frame(9, 'p') . frame(0, substr $d, 3),
		'stay', { %{ one() }, pongs => ['p'] } ],
	[ '6.1', 'a thousand of them', frame(1, $d, rsv => 4) x 1000, 'stay', one(1000) ],
	[ '6.2', 'with the bit on a later fragment', frame(1, substr($d, 0, 3), rsv => 4, fin => 0) . frame(0, substr($d, 3), rsv => 4), '1002' ],
	[ '6.2', 'only on a later fragment', frame(1, substr($t, 0, 3), fin => 0) . frame(0, substr($t, 3), rsv => 4), '1002' ],
	(map { [ '6.2', "the bit on a control frame: $_", frame($_, '', rsv => 4), '1002' ] } 8, 9, 10),
	(map { [ '6.2', "reserved bits $_", frame(1, $d, rsv => $_), '1002' ] } 1, 2, 3, 5, 6, 7),
	[ '7.2.3.4', 'final blocks', frame(1, deflated($t, final => 1), rsv => 4), 'stay', one() ],
	[ '7.2.3.4', 'final blocks without the octet behind', frame(1, substr(deflated($t, final => 1), 0, -1), rsv => 4), 'stay', one() ],
	[ '7.2.3.3', 'a stored block', frame(1, "\0" . pack('vv', length $t, 65535 ^ length $t) . $t . "\0", rsv => 4), 'stay', one() ],
	[ '7.2.3.6', 'an empty message', frame(1, "\0", rsv => 4), 'stay', { texts => ['error bad_json'] } ],
	[ '7.2.3.6', 'nothing at all', frame(1, '', rsv => 4), 'stay', { texts => ['error bad_json'] } ],
	[ '7.2.2', 'what is no deflate stream', frame(1, "\xff\xff\xff\xff", rsv => 4), '1007' ],
	[ '7.2.2', 'one that ends inside a block', frame(1, substr($d, 0, -3), rsv => 4), '1007' ],
	[ '7.2.2', 'a text as it is', frame(1, $t, rsv => 4), '1007' ],
	[ '7.2.2', 'bad behind a good one', frame(1, $d, rsv => 4) . frame(1, "\7", rsv => 4), '1007', before() ],
	[ '7.2.2', 'as it was before: nothing is taken over', frame(1, deflated(message('t', 5000)), rsv => 4) x 2, 'stay', one(2) ],
	[ '8.1', 'no UTF-8', frame(1, deflated("{\"type\":\"t\",\"x\":\"\xff\"}"), rsv => 4), '1007' ],
	[ '8.1', 'half a character', frame(1, deflated("\xe2\x82"), rsv => 4), '1007' ],
	[ '5.6', 'binary', frame(2, $d, rsv => 4), '1003' ],
	[ '10.4', 'as large as may be', frame(1, deflated(message('t', 65_536)), rsv => 4), 'stay', one() ],
	[ '10.4', 'one byte more', frame(1, deflated(message('t', 65_537)), rsv => 4), '1009' ],
	[ '10.4', 'random, so that it hardly shrinks', frame(1, deflated(qq({"type":"t","x":"$random"})), rsv => 4), 'stay', one() ],
	[ '10.4', 'a bomb', frame(1, deflated('x' x (16 << 20)), rsv => 4), '1009' ],
	[ '10.4', 'a bomb in fragments', do { my $b = deflated(' ' x (32 << 20)); frame(1, substr($b, 0, 99), rsv => 4, fin => 0) . frame(0, substr $b, 99) }, '1009' ],
	[ '10.4', 'a bomb of final blocks', frame(1, "\3\0" x 20_000, rsv => 4), '1007' ],
	[ '10.4', 'only the header of more than there may be', frame(1, '', rsv => 4, length => 1 << 20), '1009' ],
);

my $battery = Hub::Battery->new(hub => $hub);
subtest 'what clients may send' => sub { $battery->run('deflate', \@rows, frames => 1, deflates => 1) };
subtest 'what they may not without that' => sub {
	$battery->run('plain', [ map { [ @$_[ 0 .. 2 ], '1002' ] } grep { ord($_->[2]) & 0x40 } @rows[ 0 .. 5 ] ], frames => 1);
};
is_deeply($battery->{blind}, [], 'each row tells what it wants from what it does not');
cmp_ok(counted($hub, 'inflated'), '>', 1000, 'it is counted');

# --- what goes out

sub say_long { return { type => 'pos', key => "k$_[0]", x => "\x{e4}long" x 100, n => $_[0] } }

# Waits until the client has had the record with that seq; all that it got, taken, arrays taken apart.
sub up_to {
	my ($c, $seq) = @_;
	my @in;
	until (@in && $in[-1]{seq} == $seq) {
		my $m = $c->next;
		push @in, grep { $_->{seq} } ref $m eq 'ARRAY' ? @$m : $m;
	}
	return @in;
}

my $tls = Hub->start(args => [ '--deflate', '--workers', 1, '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]);

for my $over ('plain', 'TLS') {
	my $to = $over eq 'TLS' ? $tls : $hub;
	$tls->{tls} = 1;
	my $count = sub { counted($to, 'deflated') };
	my $connect = sub {
		return $hub->ws(deflate => $_[0]) if $over eq 'plain';
		return Hub::Client->ws($tls->{port}, deflate => $_[0],
			command => [ qw(openssl s_client -quiet -verify_quiet -CAfile), $pem->{ca}, '-connect', "127.0.0.1:$tls->{port}" ]);
	};

	subtest "records and arrays of them, $over" => sub {
		my $p = $to->member('unix', 'out', echo => $false);
		$p->send(say_long(0));
		$p->sync;
		my @c = map { $connect->('permessage-deflate; client_max_window_bits') } 1 .. 3;
		push @c, $connect->('permessage-deflate; server_max_window_bits=9');
		my $plain = $over eq 'plain' ? $hub->ws : $to->unix;
		$_->join_session('out') for @c, $plain;
		up_to($_, 1) for @c, $plain;
		is($_->{deflated}, 0, 'the past is for one alone') for @c;
		my $before = $count->();
		$p->send(say_long(1), { type => 'short' }, say_long(2));
		my @want = up_to($plain, 4);
		is_deeply([ up_to($_, 4) ], \@want, 'all get the same') for @c;
		is_deeply([ map { $_->{deflated} } @c ], [ (2) x 4 ], 'what is long deflated');
		is($count->() - $before, 4, 'once for each window');
		$c[0]->send_bytes(Hub::Client::ws_frame(1, deflated(json(say_long(3))), rsv => 4));
		is(scalar(my @one = up_to($_, 5)), 1, 'and what comes deflated comes to all') for @c, $plain;

		$_->join_session('out', batch => $true, tick => 10, conflate => $true) for @c;
		$before = $count->();
		$_->{deflated} = 0 for @c;
		$p->send(map { say_long($_ % 7) } 1 .. 50);
		$p->sync;
		up_to($plain, 55);
		my %last = map { $_ % 7 => $_ } 1 .. 50;
		for my $c (@c) {
			my %n = map { $_->{n} => $_->{seq} } up_to($c, 55);
			is_deeply(\%n, { map { $_ => 5 + $last{$_} } keys %last }, 'arrays, too');
			cmp_ok($c->{deflated}, '>', 0, 'deflated');
		}
		is($count->() - $before, $c[0]{deflated} + $c[3]{deflated}, 'once for all who want the same');
		is($c[0]{deflated}, $c[1]{deflated}, 'which is the same for these');
	};

	subtest "answers and direct messages are for one alone, $over" => sub {
		my $c = $connect->(1);
		my $id = $c->join_session('alone')->{client_id};
		my $p = $to->member('unix', 'alone');
		$p->send({ %{ say_long(1) }, to => $id });
		is($c->wait_type('pos')->{n}, 1, 'it comes');
		$c->send({ type => 'presence' });
		$c->wait_type('presence');
		is($c->{deflated}, 0, 'as it is');
	};

	subtest "who leaves out its own gets the others', $over" => sub {
		my ($c, $other) = map { $connect->(1) } 1, 2;
		$_->join_session('own', echo => $false) for $c, $other;
		$c->send(say_long(1));
		$c->sync;
		$other->send(say_long(2));
		is_deeply([ map { $_->{n} } up_to($c, 2) ], [2], 'one');
		is_deeply([ map { $_->{n} } up_to($other, 1) ], [1], 'and the other');
	};
}

subtest 'windows' => sub {
	my $p = $hub->member('unix', 'windows', echo => $false);
	my @c = map { $hub->ws(deflate => "permessage-deflate; server_max_window_bits=$_") } 9 .. 15;
	$_->join_session('windows') for @c;
	# What comes again only far behind, so that a window that is too large would show.
	my $n = 0;
	for my $size (300, 600, 1200, 5000, 20_000, 60_000) {
		my $part = join '', map { chr 97 + int rand 26 } 1 .. $size / 2;
		$p->send({ type => 'far', x => $part . $part });
		$n++;
		for my $c (@c) {
			is(length((up_to($c, $n))[-1]{x}), 2 * length $part, "$size bytes, each within its window");
		}
	}
	cmp_ok($_->{deflated}, '>=', 1, 'deflated') for @c;
};

subtest 'what changes while it runs' => sub {
	my $conf = spew(scratch() . '/deflate.conf', "deflate-min = 2000\ndeflate\n");
	my $own = Hub->start(args => [ '-c', $conf, '--workers', 1 ]);
	my $p = $own->member('unix', 's', echo => $false);
	my $c = $own->ws(deflate => 1);
	$c->join_session('s');
	$p->send(say_long(1));
	up_to($c, 1);
	is($c->{deflated}, 0, 'it is less than --deflate-min');
	spew($conf, "deflate-min = 100\ndeflate\n");
	kill 'HUP', $own->pid;
	my $n = 1;
	wait_for { $p->send(say_long(2)); up_to($c, ++$n); $c->{deflated} } 'the new bound';
	spew($conf, "deflate-min = 100\n");
	kill 'HUP', $own->pid;
	wait_for { !agreed($own->ws(deflate => 1)) } 'that it is agreed to no more';
	my $before = $c->{deflated};
	$p->send(say_long(3));
	is((up_to($c, ++$n))[-1]{n}, 3, 'who is there goes on');
	is($c->{deflated}, $before, 'with what is not deflated');
	$own->stop;
};

$_->stop for $hub, $tls;
done_testing;

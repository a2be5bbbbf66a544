# One thread.
# The reference client of examples/client, cut again and again: each record once, in order, and so is what it sends.
# And each thing that hub(7), "Coming back", warns of. HUB_TEST_ROUNDS: how many cuts (1000).
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Http;

plan skip_all => 'no node here' if system 'node --version >/dev/null 2>&1';
my $cuts = $ENV{HUB_TEST_ROUNDS} || 1000;
my @node = (qw(node), (system 'node -e "process.exit(+(typeof WebSocket !== \"function\"))"') ? '--experimental-websocket' : ());

# Says on stdout what it is told; publishes so many numbered messages, or each line of a file that grows.
spew(scratch() . '/run.js', <<'JS' =~ s/ROOT/root()/er);
const { HubClient } = require("ROOT/examples/client/client.js");
const [url, session, count, resume] = process.argv.slice(2);
// Waits as the client does, but not as long: the test has many cuts.
const wait = setTimeout;
global.setTimeout = (f, ms, ...more) => wait(f, ms / 50, ...more);
const say = (...words) => console.log(words.join(" "));
const client = new HubClient(url, session, {
	record: (m) => say("record", m.seq, m.n), state: (m) => say("state", m.seq, m.n), reset: (why) => say("reset", why),
	refused: (error, m) => say("refused", error.code, m ? m.type : "join"), end: (code) => { say("end", code); process.exit(0); },
});
if (resume) client.resume = resume;
let n = 0;
const timer = setInterval(() => {
	for (let i = 0; i < 20 && n < +count && client.pending.size < 200; i++) client.publish({ type: "t", n: ++n });
	if (n === +count && !client.pending.size) { clearInterval(timer); say("sent", n); }
}, 5);
process.on("SIGTERM", () => client.end());
process.on("SIGUSR2", () => (say("resume", client.resume), client.publish({ type: "bad type\n" })));
JS

sub client {
	my ($url, $session, $count, @resume) = @_;
	return spawn([ @node, scratch() . '/run.js', $url, $session, $count // 0, @resume ]);
}

# Until it has said that.
sub said {
	my ($proc, $what, $patience) = @_;
	wait_for { slurp($proc->{out}) =~ $what } "the client to say $what", $patience;
	return slurp($proc->{out}) =~ $what ? $1 : die;
}

sub all {
	my ($proc, $what) = @_;
	return map { /^$what (\d+)/ ? $1 : () } split /\n/, slurp($proc->{out});
}

sub ws { return "ws://127.0.0.1:$_[0]{port}/ws" }

subtest 'cuts' => sub {
	my $hub = Hub->start(args => [ '--history', 400_000, '--history-memory', '500M' ]);
	my $cut = Hub::Cut->start($hub->{port}, seed => 5, cuts => $cuts, bytes => 5000);
	my $n = 35 * $cuts;
	my $proc = client($cut->url, 'cuts', $n);
	said($proc, qr/^sent/m, 60 + $cuts);
	is($hub->member('unix', 'cuts')->{joined}{seq}, $n, "$n messages are in the log once");
	said($proc, qr/^record $n /m);
	my @got = map { /^record (\d+ \d+)$/ ? $1 : () } split /\n/, slurp($proc->{out});
	is_deeply(\@got, [ map { "$_ $_" } 1 .. $n ], 'and came back once each, in order');
	unlike(slurp($proc->{out}), qr/^reset/m, 'without a new start');
	is($cut->cuts, $cuts, "with $cuts cuts");
	$proc->kill('TERM');
	is($proc->wait, 0, 'it ends');
	$cut->stop;
	$hub->stop;
};

subtest 'where a cursor begins' => sub {
	my $hub = Hub->start(args => [ '--history', 5, '--history-bytes', 0 ]);
	my $cut = Hub::Cut->start($hub->{port}, cuts => 0, bytes => 1);
	my $c = $hub->member('unix', 'state');
	$c->send({ type => 's', key => 'k', n => 1 }, { type => 'e', n => 2 }, { type => 'e', n => 3 });
	$c->sync;
	my $proc = client($cut->url, 'state');
	said($proc, qr/^state 1 1$/m);
	# Nothing came behind the snapshot: it begins at the join's seq, not at 1, and not with another snapshot.
	$cut->close;
	$c->send({ type => 'e', n => 4 });
	$c->sync;
	$cut->open;
	said($proc, qr/^record 4 4$/m);
	is(slurp($proc->{out}) =~ s/^sent 0\n//mr, "state 1 1\nrecord 4 4\n", 'it begins at the seq of the join');
	$cut->close;
	$c->send(map { { type => 'e', n => $_, text => 'x' x 5000 } } 5 .. 2000);
	$c->sync;
	$cut->open;
	said($proc, qr/^reset trimmed$/m);
	$c->send({ type => 'e', n => 2001 });
	said($proc, qr/^record 2001 2001$/m);
	is(slurp($proc->{out}) =~ s/^.*record 4 4\n//sr, "reset trimmed\nstate 1 1\nrecord 2001 2001\n", 'what is trimmed: anew');
	$proc->kill('USR2');
	said($proc, qr/^refused bad_type bad type$/m);
	$hub->stop;
	$proc->kill('TERM');
	is($proc->wait, 0, 'it ends without a hub, too');
	$cut->stop;
};

subtest 'a gap' => sub {
	my $hub = Hub->start(args => [ qw(--slow resync --history 10 --history-bytes 0 --slow-after 0 --write-timeout 3600) ]);
	my $c = $hub->member('unix', 'gap');
	$c->send({ type => 's', key => 'k', n => 1 });
	$c->sync;
	my $proc = client(ws($hub), 'gap');
	said($proc, qr/^state 1 1$/m);
	my ($n, $text) = (1, 'x' x 30_000);
	my $flood = sub {
		$c->send(map { { type => 's', key => $n % 2 ? 'a' : 'b', n => ++$n, text => $text } } 1 .. 100);
		$c->sync;
	};
	$proc->kill('STOP');
	# More than the kernel takes for it.
	$flood->() until $n > 500;
	$proc->kill('CONT');
	said($proc, qr/^reset gap$/m);
	$flood->();
	$c->send({ type => 'e', n => $n + 1 });
	said($proc, qr/^record @{[ $n + 1 ]} /m);
	my ($last, $gap, $wrong) = (1);
	for (split /\n/, slurp($proc->{out})) {
		$gap = 1 if /^reset gap$/;
		next unless /^record (\d+) (\d+)$/;
		$wrong //= "$_ behind $last" unless $1 == $2 && ($gap ? $1 > $last : $1 == $last + 1);
		($last, $gap) = ($1, 0);
	}
	is($wrong, undef, 'the log without a hole, but for what gaps name');
	like((split /^reset gap$/m, slurp($proc->{out}))[-1], qr/\A\n(?:state \d+ \d+\n)+(?:record \d+ \d+\n)+\z/, 'behind a gap the state, then the log');
	$proc->kill('TERM');
	$proc->wait;
	$hub->stop;
};

subtest 'codes' => sub {
	my $hub = Hub->start;
	my $steer = sub { Hub::Http->fetch($hub, @_, unix => 1)->{lines}[0] };
	for my $code (4403, 4001) {
		my $proc = client(ws($hub), 'codes', 1);
		said($proc, qr/^sent/m);
		is($steer->(DELETE => "/connections?session_id=codes&code=$code")->{closed}, 1, 'sent away');
		said($proc, qr/^end $code$/m);
		is($proc->wait, 0, "$code: it does not come back");
	}
	my $proc = client(ws($hub), 'codes', 1);
	said($proc, qr/^sent/m);
	is($steer->(DELETE => '/sessions/codes')->{closed}, 1, 'its session is deleted');
	said($proc, qr/^reset epoch_changed$/m);
	pass('4410: it is in the new one');
	$proc->kill('USR2');
	my $resume = said($proc, qr/^resume (\S+)$/m);
	my $twin = client(ws($hub), 'codes', 1, $resume);
	said($proc, qr/^end 4000$/m);
	is($proc->wait, 0, '4000: it leaves the place to its twin');
	said($twin, qr/^sent 1$/m);
	$twin->kill('TERM');
	$twin->wait;
	$hub->stop;
};

subtest 'a place that is not free yet' => sub {
	my $hub = Hub->start(args => [ '--max-members', 1 ]);
	my $c = $hub->member('unix', 'one');
	my $proc = client(ws($hub), 'one', 3);
	said($proc, qr/^refused session_full join$/m);
	$c->send({ type => 'session_leave' });
	said($proc, qr/^sent 3$/m);
	pass('it is tried again, over the same connection');
	$proc->kill('TERM');
	is($proc->wait, 0, 'it ends');
	$hub->stop;
};

done_testing;

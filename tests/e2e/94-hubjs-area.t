# contrib/hub.js with an area that moves, patches and types that go before others, cut again and again: its mirror is
# what stands in the area.
use strict;
use warnings;
use Hub;
use Hub::Http;

plan skip_all => 'no node here' if system 'node --version >/dev/null 2>&1';
my ($major) = run([ 'node', '--version' ])->{out} =~ /^v(\d+)/;
plan skip_all => "node $major is too old" if $major < 20;
my @node = ('node', $major < 22 ? '--experimental-websocket' : (), '--no-warnings');
plan skip_all => 'no WebSocket in node' if run([ @node, '-p', 'typeof WebSocket' ])->{out} !~ /function/;
my $false = JSON::PP::false();
chance();
my $hub = Hub->start(args => [ '--area', 'pos=x,y,10' ]);
my $root = root();
my $script = spew(scratch() . '/area.mjs', <<"END");
import {Hub} from "$root/contrib/hub.js";
const [url, how] = process.argv.slice(2);
const sockets = [];
let third; // where it goes when it is cut off between what it is to forget for a move and the rest of that
class Cut extends WebSocket {
	constructor(...what) {
		super(...what);
		sockets.push(this);
		this.addEventListener("message", (event) => {
			if (this.dead) return event.stopImmediatePropagation();
			if (!third || !event.data.includes('"area_left"')) return;
			const area = third;
			this.dead = true;
			third = undefined;
			setTimeout(() => { hub.interest(area); this.close(4999); });
		});
	}
}
const hub = new Hub("s", {url, WebSocket: Cut, transports: ["websocket"], firstWait: 5, longestWait: 20, select: {area: {x: 5, y: 5, r: 10}, tick: 10, batch: true, ...JSON.parse(how)}});
const say = (...words) => console.log(words.join(" "));
const keys = () => [...hub.state("pos")].map(([key, m]) => key + ":" + m.n).sort().join(",");
hub.on("status", (status) => say(status));
hub.on("record", (m) => m.type === "end" && say("end", keys()));
hub.on("left", (type, key) => say("left", type, key));
hub.on("error", (error) => say("error", error.message));
let rest = "";
process.stdin.on("data", (text) => {
	const all = (rest + text).split("\\n"); rest = all.pop();
	for (const line of all) {
		if (line === "cut") sockets.at(-1)?.close(4999);
		else if (line === "keys") say("keys", keys());
		else if (line.startsWith("third ")) third = JSON.parse(line.slice(6));
		else hub.interest(JSON.parse(line));
	}
});
END

sub said {
	my ($proc, $pattern) = @_;
	wait_for { slurp($proc->{out}) =~ $pattern || !$proc->running } "$pattern";
	my $out = slurp($proc->{out});
	return $1 // 1 if $out =~ $pattern;
	die "it ended: $out\n" . slurp($proc->{err});
}

for my $how ('{}', '{"delta":true}', '{"delta":true,"conflate":true,"fields":"compact"}', '{"priority":"say"}') {
	my $p = $hub->member('unix', 's', echo => $false);
	my $proc = spawn([ @node, $script, "http://$hub->{host}:$hub->{port}", $how ], in => 'pipe');
	my $ask = sub { syswrite $proc->{stdin}, "$_[0]\n" };
	my %at;
	said($proc, qr/^joined$/m);
	for my $n (1 .. 200) {
		my $key = 'k' . int rand 20;
		$at{$key} = { type => 'pos', key => $key, n => $n, x => rand 60, y => rand 60, long => 'long ' x 40 };
		$p->send($at{$key});
		$p->send({ type => 'say', n => $n }) if $n % 5 == 0;
		$ask->(json({ x => rand 60, y => rand 60, r => 10 })) if $n % 3 == 0;
		$ask->('cut') if $n % 7 == 0;
		$p->sync if $n % 10 == 0;
	}
	$ask->('{"x":25,"y":25,"r":10}');
	my %due = map { ($_ => $at{$_}) } grep { my $r = $at{$_}; !grep { int($r->{$_} / 10) < 1 || int($r->{$_} / 10) > 3 } 'x', 'y' } keys %at;
	my $due = join ',', sort map { "$_:$due{$_}{n}" } keys %due;
	my $tries = 0;
	wait_for {
		$ask->('keys') if $tries++ % 20 == 0;
		my ($keys) = slurp($proc->{out}) =~ /.*^keys (\S*)$/ms;
		($keys // '?') eq $due;
	} "the mirror to be $due";
	pass("$how: the mirror is what stands there");
	is(slurp($proc->{err}), '', 'and nothing went wrong');
	$proc->kill('TERM') if $proc->can('kill');
}
# What was forgotten for a move that did not come to its end is known again, also where the next one would have kept it.
{
	my $p = $hub->member('unix', 's', echo => $false);
	$p->send({ type => 'pos', key => 'stays', n => 1, x => 8, y => 5 });
	$p->send({ type => 'pos', key => "k$_", n => 0, x => 900, y => 900 }) for 0 .. 19;
	$p->sync;
	my $proc = spawn([ @node, $script, "http://$hub->{host}:$hub->{port}", '{"tick":0,"batch":false}' ], in => 'pipe');
	my $ask = sub { syswrite $proc->{stdin}, "$_[0]\n" };
	my $knows = sub {
		my ($since) = @_;
		my $tries = 0;
		wait_for {
			$ask->('keys') if $tries++ % 20 == 0;
			slurp($proc->{out}) =~ /$since.*^keys stays:1$/ms;
		} 'the mirror to have it';
	};
	$knows->('');
	$ask->('third {"x":15,"y":5,"r":10}');
	$ask->('{"x":105,"y":5,"r":10}');
	said($proc, qr/^left pos stays$/m);
	$knows->('^left pos stays$');
	pass('a third area, after a cut');
	is(slurp($proc->{err}), '', 'and nothing went wrong');
}
$hub->stop;
done_testing();

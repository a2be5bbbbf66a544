# Not under sanitizers.
# Long. One thread.
# contrib/hub.js in Node, and in Bun and Deno where they are or npm brings them, against a real hub, cut again and again
# over each transport: each record once, in order, and so is what it publishes; its mirror is the hub's state. Then what
# it does where WebSocket is blocked, where a hub is another one, where tokens end, and where nobody is there.
# HUB_TEST_ROUNDS: how many cuts of each transport (30).
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Http;
use Hub::Npm;

plan skip_all => 'no node here' if system 'node --version >/dev/null 2>&1';
my ($major) = run([ 'node', '--version' ])->{out} =~ /^v(\d+)/;
plan skip_all => "node $major is too old" if $major < 20;
my $cuts = $ENV{HUB_TEST_ROUNDS} || 30;
my @history = ('--history', 2_000_000, '--history-memory', '2G', '--history-bytes', '1G');
my $hub = Hub->start(args => [@history]);

# Node from version 22 on has a WebSocket of its own; before, it has to be asked for it.
my @node = ('node', $major < 22 ? '--experimental-websocket' : (), '--no-warnings');
my @transports = run([ @node, '-p', 'typeof WebSocket' ])->{out} =~ /function/ ? qw(websocket sse poll) : qw(sse poll);

# A script that has hub.js, the words of its command line as args, and say(words). Waits are short: the tests have many.
# Gives the process.
sub node {
	return script(\@node, @_);
}

sub script {
	my ($runtime, $script, @args) = @_;
	my $root = root();
	my $path = spew(scratch() . '/' . ++$Hub::spawned . '.mjs', <<"END" . $script);
import {Hub, HubError} from "$root/contrib/hub.js";
import process from "node:process";
const args = process.argv.slice(2);
const say = (...words) => console.log(words.join(" "));
const until = async (f) => { while (!f()) await new Promise((done) => setTimeout(done, 5)); };
const lines = (f) => { let rest = ""; process.stdin.on("data", (text) => {
	const all = (rest + text).split("\\n"); rest = all.pop(); all.forEach(f); }); };
const brief = {firstWait: 20, longestWait: 100};
process.on("SIGTERM", () => process.exit(0));
END
	return spawn([ @$runtime, $path, @args ], in => 'pipe');
}

sub said {
	my ($proc, $pattern, $seconds) = @_;
	wait_for { slurp($proc->{out}) =~ $pattern || !$proc->running } "$pattern", $seconds;
	my $out = slurp($proc->{out});
	return $1 // 1 if $out =~ $pattern;
	die "it ended: $out\n" . slurp($proc->{err});
}

sub ask {
	my ($proc, $line) = @_;
	syswrite $proc->{stdin}, "$line\n";
}

# Publishes numbered messages, some of them state, as fast as the queue goes on, until it is told that these are
# enough; says each record.
my $numbers = <<'END';
const [url, session, transport] = args;
const hub = new Hub(session, {url, transports: transport.split(","), ...brief, better: 300, attempts: 1e9});
for (const name of ["reset", "gap", "error"]) hub.on(name, (what) => say(name, JSON.stringify(what)));
hub.on("record", (m) => say("record", m.seq, m.n));
hub.on("status", (status) => say("status", status, hub.transport));
let n = 0, acked = 0, enough = false;
lines(() => (enough = true));
const publish = async (n) => {
	const ack = await hub.publish({type: n % 3 ? "t" : "s", n, ...(n % 3 ? {} : {key: "k" + n % 50})});
	acked++;
	if (ack.seq !== n) say("wrong", ack.seq, n);
};
const timer = setInterval(() => {
	for (let i = 0; i < 20 && !enough && hub.waiting < 100; i++) publish(++n).catch((e) => say("refused", e.code));
}, 5);
await until(() => enough && acked === n && hub.seq === n);
clearInterval(timer);
say("state", JSON.stringify([...hub.state("s").entries()].map(([key, m]) => [key, m.n]).sort()));
say("sent", acked);
hub.close();
process.exit(0); // else its input keeps it
END

sub judge {
	my ($proc, $session) = @_;
	ask($proc, 'enough');
	my $n = said($proc, qr/^sent (\d+)$/m, 200);
	is($proc->wait, 0, 'it ends');
	my $out = slurp($proc->{out});
	my @got = $out =~ /^record (\d+ \d+)$/mg;
	is(scalar @got, $n, "$n records came");
	my ($first) = grep { ($got[$_] // '') ne $_ + 1 . ' ' . ($_ + 1) } 0 .. $n - 1;
	is($first, undef, 'once each, in order, with the numbers that were acknowledged');
	unlike($out, qr/^(?:reset|gap|error|wrong|refused)/m, 'nothing was lost, nor refused');
	my $state = Hub::Http->fetch($hub, 'GET', "/sessions/$session/state");
	my ($mirror) = $out =~ /^state (.*)$/m;
	is($mirror, json([ sort { $a->[0] cmp $b->[0] } map { [ $_->{key}, $_->{n} ] } @{ $state->{lines} } ]), 'the mirror is the state');
}

sub cuts {
	my ($name, $runtime, $transport, $script) = @_;
	subtest "$name, cuts over $transport" => sub {
		my $cut = Hub::Cut->start($hub->{port}, seed => 5, cuts => 1e9, bytes => 20_000);
		my $proc = script($runtime, $script // $numbers, "http://127.0.0.1:$cut->{port}", "$name-$transport", $transport);
		wait_for { $cut->cuts >= $cuts || !$proc->running } "$cuts cuts", 120 + 2 * $cuts;
		cmp_ok($cut->cuts, '>=', $cuts, "$cuts cuts");
		judge($proc, "$name-$transport");
		$cut->stop;
	};
}

cuts('node', \@node, $_) for @transports;

# What a Node without a WebSocket is given.
if (my $modules = Hub::Npm::modules('ws@8.18.0')) {
	cuts('ws', [ 'node', '--no-warnings' ], 'websocket',
		qq(import WebSocket from "$modules/ws/wrapper.mjs";\n) . $numbers =~ s/\.\.\.brief/WebSocket, ...brief/r);
}
for ([ 'bun' ], [ 'deno', qw(run -A) ]) {
	my ($name, @args) = @$_;
	my $program = Hub::Npm::runtime($name) or next;
	note run([ $program, '--version' ])->{out};
	cuts($name, [ $program, @args ], $_) for qw(websocket sse poll);
}

# Between client and hub: no WebSocket gets through (n), nothing else does (w), nothing but 502 comes (x), or all goes on
# (y), by lines.
my $wall = <<'END';
import net from "node:net";
let mode = args[1];
const open = new Set();
lines((line) => { mode = line; say("mode", mode); if (mode === "x") for (const socket of open) socket.destroy(); });
const server = net.createServer((client) => {
	open.add(client);
	client.on("close", () => open.delete(client)).on("error", () => {});
	client.once("data", (head) => {
		if (mode === "x" || mode === (/^upgrade: websocket/mi.test(head) ? "n" : "w"))
			return client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		const hub = net.connect(+args[0], "127.0.0.1", () => { hub.write(head); client.pipe(hub).pipe(client); });
		hub.on("error", () => client.destroy()).on("close", () => client.destroy());
		client.on("close", () => hub.destroy());
	});
}).listen(0, "127.0.0.1", () => say("port", server.address().port));
END

subtest 'WebSocket is blocked, and then is not' => sub {
	plan skip_all => 'this node has no WebSocket' unless grep { $_ eq 'websocket' } @transports;
	my $proxy = node($wall, $hub->{port}, 'n');
	my $port = said($proxy, qr/^port (\d+)$/m);
	my $proc = node($numbers, "ws://127.0.0.1:$port/ws", 'wall', 'websocket,sse,poll');
	said($proc, qr/^record 100 /m);
	my ($way) = slurp($proc->{out}) =~ /^status joined (\w+)$/m;
	is($way, 'sse', 'it gets through by events');
	ask($proxy, 'y');
	said($proc, qr/^(status joined websocket)$/m);
	pass('WebSocket is tried again, and used');
	ask($proxy, 'x');
	said($proc, qr/^status joined websocket\b.*^status waiting/ms);
	ask($proxy, 'y');
	said($proc, qr/^status waiting .*^status joined .*^record /ms);
	judge($proc, 'wall');
	$proxy->kill('KILL');
};

# It publishes by one way, that is cut then, what it sees in the log without an ack; by WebSocket also what is in the log
# and it knows nothing of; and what never comes to the hub. It comes back by another way, to a log that has what it missed,
# or (trimmed) to one that has lost even what it has seen; or (unwanted) it never sees what it publishes.
sub comes_back {
	my ($first, $second, $how) = @_;
	my $session = "back-$first-$second-$how";
	my ($trimmed, $unwanted) = map { $how eq $_ ? 1 : 0 } qw(trimmed unwanted);
	my ($seen, $logged, $all) = $first eq 'websocket' ? (5, 10, 15) : (1, 1, 10); # by HTTP the others wait for the first
	my $others = 0;
	my ($before, $after) = map { $_ eq 'websocket' ? 'w' : 'n' } $first, $second;
	Hub::Http->fetch($hub, 'PUT', "/sessions/$session/limits?history=1&history_bytes=0", unix => 1) if $trimmed;
	my $proxy = node($wall, $hub->{port}, $before);
	my $proc = node(<<'END', 'http://127.0.0.1:' . said($proxy, qr/^port (\d+)$/m), $session, $unwanted, sort { $b cmp $a } $first, $second);
let loses = ""; // what does not get through
class Bad extends WebSocket {
	constructor(...what) {
		super(...what);
		this.addEventListener("message", (event) => {
			if (loses === "all" || loses === "records" || (loses === "acks" && event.data.includes('"type":"ack"'))) event.stopImmediatePropagation();
		});
	}
	send(text) { if (loses !== "all") super.send(text); }
}
const badFetch = async (url, init) => {
	const answer = await fetch(url, init);
	if (init.method === "POST" && loses) await new Promise((done, fail) => init.signal.addEventListener("abort", fail));
	return answer;
};
const [url, session, unwanted, ...transports] = args;
const hub = new Hub(session, {url, WebSocket: Bad, fetch: badFetch, transports, ...brief, ...(+unwanted && {select: {types: ["other"]}})});
const acks = [];
let n = 0;
hub.on("status", (status) => say(status, hub.transport ?? ""));
hub.on("reset", (why) => say("reset", why));
hub.on("record", (m) => m.n && say("record", m.n));
lines(async (line) => {
	loses = line;
	for (const last = n + 5; n < last;) hub.publish({type: "t", n: ++n}).then((ack) => say("ack", acks.push(ack.seq), acks.join()));
	say("loses", loses + ".");
});
END
	my $logs = sub { my ($n) = @_; wait_for { grep { ($_->{seq} // 0) == $n } @{ Hub::Http->fetch($hub, 'GET', "/sessions/$session/records")->{lines} } } "record $n" };
	said($proc, qr/^joined $first$/m);
	ask($proc, 'acks');
	$unwanted ? $logs->($seen) : said($proc, qr/^record $seen$/m);
	if ($first eq 'websocket') {
		ask($proc, 'records');
		$logs->($logged);
	}
	ask($proc, 'all');
	said($proc, qr/^loses all\.$/m);
	unlike(slurp($proc->{out}), qr/^ack|^record @{[ $seen + 1 ]}$/m, 'nothing of it was answered');
	ask($proxy, 'x');
	said($proxy, qr/^mode x$/m);
	wait_for {
		$others += @{ Hub::Http->fetch($hub, 'POST', "/sessions/$session/records", headers => ['Content-Type: application/x-ndjson'],
				body => join('', map { json({ type => 'other', pad => 'x' x 500 }) . "\n" } 1 .. 100))->{lines} };
		Hub::Http->fetch($hub, 'GET', "/sessions/$session/records?since=$logged")->{status} == 410;
	} 'the log to lose it' if $trimmed;
	ask($proc, ''); # five more
	said($proc, qr/^loses \.$/m);
	ask($proxy, $after);
	is(said($proc, qr/^ack @{[ $all + 5 ]} (\S+)$/m), join(',', 1 .. $logged, map { $_ + $others } $logged + 1 .. $all + 5),
		'everything is answered, with its place');
	my $log = Hub::Http->fetch($hub, 'GET', "/sessions/$session/records")->{lines};
	is_deeply([ map { $_->{n} // () } @$log ], [ ($trimmed ? $logged + 1 : 1) .. $all + 5 ], 'and is in the log once');
	said($proc, qr/^record @{[ $all + 5 ]}$/m) unless $unwanted;
	my @got = slurp($proc->{out}) =~ /^record (\d+)$/mg;
	is_deeply(\@got, $unwanted ? [] : [ 1 .. ($trimmed ? $seen : $logged), $logged + 1 .. $all + 5 ], 'and has come once');
	is(scalar(() = slurp($proc->{out}) =~ /^reset trimmed$/mg), $trimmed, 'where it had not to begin anew');
	like(slurp($proc->{out}), qr/^joined $second$/m, "$how: by $second");
	$_->kill('KILL') for $proxy, $proc;
}

subtest 'what had no ack when it comes back another way' => sub {
	plan skip_all => 'this node has no WebSocket' unless grep { $_ eq 'websocket' } @transports;
	for my $how (qw(kept trimmed unwanted)) {
		comes_back('websocket', $_, $how), comes_back($_, 'websocket', $how) for qw(sse poll);
	}
};

subtest 'a proxy without a hub' => sub {
	for my $transport (@transports) {
		my $proxy = node($wall, $hub->{port}, 'x');
		my $port = said($proxy, qr/^port (\d+)$/m);
		my $proc = node(<<'END', "http://127.0.0.1:$port", $transport);
const hub = new Hub("502", {url: args[0], transports: [args[1]], ...brief});
hub.on("status", (status) => say(status));
END
		said($proc, qr/^(?:connecting\nwaiting\n){2}/m);
		ask($proxy, 'y');
		said($proc, qr/^joined$/m);
		pass("$transport: 502 is not for ever");
		$_->kill('KILL') for $proxy, $proc;
	}
};

subtest 'what is wanted, and state that goes with its owner' => sub {
	for my $transport (@transports) {
		my $session = "wanted.$transport";
		my $owner = $hub->member('unix', $session);
		$owner->send({ type => 'lamp', key => 'a', own => \1 }, { type => 'noise', key => 'n' }, { type => 'lamp', key => 'b' });
		$owner->sync;
		my $proc = node(<<'END', "http://127.0.0.1:$hub->{port}", $session, $transport);
const hub = new Hub(args[1], {url: args[0], transports: [args[2]], select: {types: ["!noise", "!more"], tick: 20, batch: true, conflate: true}, ...brief});
const lamps = () => [...hub.state("lamp").keys()].sort().join("");
hub.on("status", (status) => status === "joined" && say("joined", lamps()));
hub.on("record", (m) => say("record", m.seq, m.type, lamps()));
lines(() => hub.restart());
END
		said($proc, qr/^joined ab$/m);
		$owner->send((map { { type => 'noise' } } 1 .. 3), (map { { type => 'lamp', key => 'c', n => $_ } } 1 .. 50), { type => 'more' });
		said($proc, qr/^record 56 lamp abc$/m);
		unlike(slurp($proc->{out}), qr/noise|more/, "$transport: nothing comes that is not wanted");
		$owner->vanish;
		said($proc, qr/^record 58 state_deleted bc$/m);
		pass('what was its owner\'s goes with him');
		ask($proc, 'restart');
		said($proc, qr/^joined bc$/m);
		pass('and who begins anew sees the same');
		$proc->kill('KILL');
	}
};

subtest 'another hub' => sub {
	for my $transport (@transports) {
		my $first = Hub->start(listen => own_address() . ':0');
		$first->member('unix', 'other')->send({ type => 'lamp', key => $_, on => \1 }) for 'a', 'b';
		wait_for { @{ Hub::Http->fetch($first, 'GET', '/sessions/other/state')->{lines} || [] } == 2 } 'its state';
		my $proc = node(<<'END', "http://$first->{host}:$first->{port}", $transport);
const hub = new Hub("other", {url: args[0], transports: [args[1]], ...brief});
hub.on("reset", (why) => say("reset", why));
hub.on("status", (s) => s === "joined" && say("lamps", [...hub.state("lamp")].map(([k, m]) => k + m.seq).join()));
END
		is(said($proc, qr/^lamps (.*)$/m), 'a1,b2', "$transport: a late joiner has the state");
		my $address = "$first->{host}:$first->{port}";
		$first->stop;
		my $next = Hub->start(listen => $address);
		$next->member('unix', 'other')->send({ type => 'lamp', key => 'c', on => \1 });
		said($proc, qr/^reset epoch_changed\b.*^lamps/ms);
		my ($lamps) = slurp($proc->{out}) =~ /.*^lamps ?([^\n]*)$/ms;
		unlike($lamps, qr/[ab]/, 'what it knew of another hub is void');
		$proc->kill('KILL');
		$next->stop;
	}
};

subtest 'nobody is there' => sub {
	my $gone = Hub->start(listen => own_address() . ':0');
	my $address = "$gone->{host}:$gone->{port}";
	$gone->stop;
	my $proc = node(<<'END', "http://$address");
const hub = new Hub("s", {url: args[0], ...brief, longestWait: 20, attempts: 9, queue: 3});
const tries = [];
hub.on("status", (status, why) => status === "connecting" ? tries.push(status) : status === "failed" && say(status, why.code));
hub.on("full", () => say("full", hub.waiting));
hub.on("rebootstrap", () => say("rebootstrap", tries.length));
const all = [1, 2, 3, 4].map((n) => hub.publish({type: "t", n}).catch((error) => error.code));
say((await Promise.all(all)).join());
say(await hub.publish({type: "t"}).catch((error) => error.code), hub.send({type: "t"}), await hub.presence().catch((error) => error.code));
hub.on("status", (status) => say("then", status));
hub.restart();
await until(() => tries.length > 11);
hub.close();
const brusque = new Hub("s", {url: args[0], ...brief});
brusque.on("status", (status) => status === "connecting" && brusque.close());
END
	is($proc->wait, 0, 'it ends, whoever closes it when');
	my $out = slurp($proc->{out});
	like($out, qr/^full 3\n/, 'it says when the queue is full');
	like($out, qr/^failed gave_up$/m, 'it gives up');
	like($out, qr/^rebootstrap 9$/m, 'after so many attempts');
	like($out, qr/^gave_up,gave_up,gave_up,queue_full$/m, 'what was published is told');
	like($out, qr/^failed false not_joined$/m, 'nothing goes on');
	like($out, qr/^then connecting$/m, 'until it is begun anew');
	like($out, qr/^then closed$/m, 'and closed');
};

subtest 'tokens' => sub {
	my $key = scratch() . '/hub.key';
	run([ 'hubtoken', 'keygen', '-o', $key ]);
	my $keys = Hub->start(args => [ '--auth-key', "$key.pub" ]);
	my $sign = sub {
		my ($claims) = @_;
		my $made = run([ 'hubtoken', 'sign', '-k', $key ], in => json($claims));
		die $made->{err} if $made->{status};
		chomp $made->{out};
		return $made->{out};
	};
	my $all = { join => ['*'], publish => ['*'], presence => \1 };
	my $good = $sign->({ sub => 'ann', hub => $all });
	my $reader = $sign->({ sub => 'bob', hub => { join => ['*'] } });
	my $other = $sign->({ sub => 'ann', hub => { join => ['x'] } });
	for my $transport (@transports) {
		my $proc = node(<<'END', "http://127.0.0.1:$keys->{port}", $transport, $good, $reader, $other);
const [url, transport, good, reader, other] = args;
const make = (session, token) => {
	const hub = new Hub(session + transport, {url, transports: [transport, "poll"], token, ...brief});
	hub.on("status", (status, why) => ["joined", "failed"].includes(status) && say(session, status, why?.code ?? ""));
	return hub;
};
const a = make("string", good);
say("ack", (await a.publish({type: "t"})).seq);
let asked = 0;
const b = make("callback", async () => ++asked < 4 ? "bad" : good);
say("ack", (await b.publish({type: "t"})).seq, asked);
const c = make("reads", reader);
await a.publish({type: "t"});
say("reader", await c.publish({type: "t"}).catch((error) => error.code));
const wrong = make("bad", "bad"), not = make("elsewhere", other);
await until(() => [wrong, not].every((hub) => hub.status === "failed"));
[a, b, c].forEach((hub) => hub.close());
END
		$keys->member('unix', "reads$transport");
		is($proc->wait, 0, "$transport: it ends");
		my $out = slurp($proc->{out});
		like($out, qr/^string joined $/m, 'a token lets in');
		like($out, qr/^ack 1 4$/m, 'a callback is asked again until it has a good one');
		like($out, qr/^reader forbidden$/m, 'what it does not give is refused');
		like($out, qr/^bad failed unauthorized$/m, 'one that is none ends it');
		like($out, qr/^elsewhere failed forbidden$/m, 'as does one for other sessions');
		diag($out . slurp($proc->{err})) unless Test::More->builder->is_passing;
	}
	if (grep { $_ eq 'websocket' } @transports) {
		# Half a minute before it ends the hub says so.
		my $ends = $sign->({ sub => 'ann', exp => time + 33, hub => $all });
		my $proc = node(<<'END', "http://127.0.0.1:$keys->{port}", $ends, $good);
let asked = 0;
const token = () => (say("asked", ++asked), args[Math.min(asked, 2)]);
const hub = new Hub("renewed", {url: args[0], transports: ["websocket"], token});
hub.on("status", (status) => say(status));
lines(async () => say("ack", (await hub.publish({type: "t"})).seq));
END
		said($proc, qr/^asked 2$/m);
		ask($proc, 'publish');
		said($proc, qr/^ack 1$/m);
		is(slurp($proc->{out}), "asked 1\nbehind\njoined\nasked 2\nack 1\n", 'a token that ends is replaced in the same connection');
		$proc->kill('KILL');
	}
	$keys->stop;
};

subtest 'refused for now' => sub {
	for my $transport (@transports) {
		is(Hub::Http->fetch($hub, 'PUT', "/sessions/held-$transport/limits?rate_messages=20", unix => 1)->{status}, 200,
			"$transport: a session takes 20 messages a second");
		my $before = $hub->health->{errors};
		my $proc = node(<<'END', "http://127.0.0.1:$hub->{port}", "held-$transport", $transport);
const hub = new Hub(args[1], {url: args[0], transports: [args[2]], ...brief, firstWait: 200});
const got = [];
hub.on("record", (m) => got.push(m.n));
hub.on("error", (error) => say("error", error.code));
const all = Array.from({length: 90}, (_, i) => i + 1);
const acks = await Promise.all(all.map((n) => hub.publish({type: "t", n})));
await until(() => got.length >= 90);
if (args[2] !== "websocket") got.sort((a, b) => a - b);
say("got", got.join() === all.join() && new Set(acks.map((ack) => ack.seq)).size === 90 ? "all" : got.join());
hub.close();
END
		is(said($proc, qr/^got (.*)$/m), 'all', 'all of them in the end, once' . ($transport eq 'websocket' ? ', in order' : ''));
		unlike(slurp($proc->{out}), qr/^error/m, 'and nothing is refused for good');
		cmp_ok($hub->health->{errors}, '>', $before, 'though some were for a while');
	}
};

subtest 'a version' => sub {
	plan skip_all => 'this node has no WebSocket' unless grep { $_ eq 'websocket' } @transports;
	my $new = Hub->start(args => [ '--client-version', '2' ]);
	for my $version (1, 2) {
		my $proc = node(<<'END', "http://127.0.0.1:$new->{port}", $version);
const hub = new Hub("s", {url: args[0], transports: ["websocket"], version: args[1]});
hub.on("version", (wanted) => say("wanted", wanted));
await until(() => hub.latency >= 0); // it was asked after the version
say("end");
hub.close();
END
		$proc->wait;
		is(slurp($proc->{out}), $version == 1 ? "wanted 2\nend\n" : "end\n", "version $version");
	}
	$new->stop;
};

subtest 'others' => sub {
	for my $transport (@transports) {
		my $peer = $hub->member('unix', "others-$transport", echo => \0);
		my $proc = node(<<'END', "http://127.0.0.1:$hub->{port}", "others-$transport", $transport);
const hub = new Hub(args[1], {url: args[0], transports: [args[2]], clientInfo: {name: "Ann"}});
for (const name of ["record", "presence", "direct"]) hub.on(name, (m) => say(name, m.type, m.user_count ?? ""));
hub.on("state", (m) => say("state", m.type, m.key));
hub.on("latency", (ms) => say("latency", ms >= 0 && ms === hub.latency));
hub.on("record", () => { throw new Error("of a handler"); });
process.on("uncaughtException", (error) => say("uncaught", error.message));
lines(async (line) => {
	if (line === "presence") say("members", JSON.stringify((await hub.presence()).members.map((m) => m.info ?? {})));
	else say("sent", hub.send({type: line}));
});
END
		said($proc, qr/^latency true$/m);
		my $more = $hub->member('unix', "others-$transport");
		$peer->send({ type => 'note' });
		said($proc, qr/^record note/m);
		said($proc, qr/^uncaught of a handler$/m);
		$peer->send({ type => 'entity_created', entity => { id => 'e1' } }, { type => 'note2' });
		said($proc, qr/^record note2/m);
		pass("$transport: a handler that throws stops nothing");
		ask($proc, 'quick');
		said($proc, qr/^sent true$/m);
		is($peer->wait_type('quick')->{type}, 'quick', 'what needs no ack arrives');
		if ($transport eq 'websocket') {
			said($proc, qr/^presence client_connected 3$/m);
			ask($proc, 'presence');
			like(said($proc, qr/^members (.*)$/m), qr/\{"name":"Ann"\}/, 'who is there, with what it says of itself');
			$peer->send({ type => 'presence' });
			my ($from) = map { $_->{client_id} } grep { $_->{info} } @{ $peer->wait_type('presence')->{members} };
			$peer->send({ type => 'hint', to => $from });
			said($proc, qr/^direct hint/m);
			pass('a message for it alone');
		}
		$proc->kill('KILL');
	}
};

# Both what it asked before and what it asks because of a new connection reach the tab that has it.
subtest 'a tab that asks twice to join' => sub {
	my $proc = node(<<'END', "http://127.0.0.1:$hub->{port}", $transports[-1]);
const [url, transport] = args, options = {url, transports: [transport], shared: true, ...brief};
let given = false;
const request = (name, how, f) => given ? f() : new Promise(() => {});
Object.defineProperty(globalThis, "navigator", {value: {onLine: true, locks: {request}}, configurable: true});
const Channel = BroadcastChannel, held = [];
// The first is under way until there is somebody, the second until the first is answered.
globalThis.BroadcastChannel = class extends Channel {
	constructor(name) {
		super(name);
		this.addEventListener("message", ({data: {hello, name, to}}) => (hello || (to && name === "begin")) && held.length && super.postMessage(held.shift()));
	}
	postMessage(what) { what.join ? held.push(what) : super.postMessage(what); }
};
const late = new Hub("twice", options);
late.on("reset", (why) => say("reset", why));
late.on("record", ({n}) => say("record", n));
globalThis.BroadcastChannel = Channel;
given = true;
const first = new Hub("twice", options);
await until(() => late.status === "joined" && first.status === "joined");
for (let n = 1; n <= 3; n++) await first.publish({type: "t", n});
await until(() => late.seq === 3);
say("left", held.length);
process.exit(0);
END
	is($proc->wait, 0, 'it ends');
	is(slurp($proc->{out}), "record 1\nrecord 2\nrecord 3\nleft 0\n", 'and begins once');
};

subtest 'the example of the page' => sub {
	my ($script) = slurp(root() . '/man/hub.js.3') =~ m{^(import \{Hub\} from "/usr/local.*?)^\.Ed}ms;
	$script =~ s{/usr/local/share/hub/hub\.js}{root() . '/contrib/hub.js'}e or die "no module\n";
	$script =~ s/127\.0\.0\.1:4820/127.0.0.1:$hub->{port}/ or die "no address\n";
	my $peer = $hub->member('unix', 'room', echo => \0);
	my $proc = spawn([ 'node', spew(scratch() . '/page.mjs', $script) ]);
	$peer->send({ type => 'hello' });
	# Who comes later than that sees the state, which it is not.
	wait_for { $peer->send({ type => 'hello' }); Hub::Http->fetch($hub, 'GET', '/sessions/room/state/hellos')->{status} == 200 } 'it to count';
	is($peer->wait_type('count')->{n}, 1, 'it counts');
	$proc->kill('KILL');
};

$hub->stop;
done_testing;

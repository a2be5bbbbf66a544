# Not under sanitizers.
# contrib/hub.js in a real browser, served by the hub itself: cut over each transport, offline and back, and the
# example of its page as it is printed. A page says what it has seen in the session "report".
# HUB_TEST_ROUNDS: how many cuts of each transport (20).
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Cut;
use Hub::Pages;

plan skip_all => Hub::Browser::missing() if Hub::Browser::missing();
my $kind = Hub::Browser::kind();

my $cuts = $ENV{HUB_TEST_ROUNDS} || 20;
my $root = root();
my $site = scratch() . '/site';
mkdir $site or die "$site: $!\n";
my $hub = Hub->start(args => [ '--history', 1_000_000, '--history-bytes', '1G', '--history-memory', '2G',
	'--www', $site, '--www', "$root/contrib", '--cors', '*' ]);
my $browser = Hub::Browser->start;

# What a page says.
my $heard = $hub->member('unix', 'report');
sub page {
	my ($name, $script) = @_;
	spew("$site/$name.html", <<"END");
<!doctype html>
<title>$name</title>
<script>
const early = [];
window.onerror = (why) => early.push(String(why));
window.onunhandledrejection = (event) => early.push(String(event.reason));
</script>
<script type="module">
import {Hub} from "/hub.js";
window.report = new Hub("report", {queue: 100000, storage: {getItem: () => null, setItem() {}}});
window.say = (type, what) => report.publish({type, what});
for (const why of early) say("failed", why);
window.onerror = (why) => say("failed", String(why));
window.onunhandledrejection = (event) => say("failed", String(event.reason?.stack ?? event.reason));
window.until = async (f) => { while (!f()) await new Promise((done) => setTimeout(done, 5)); };
</script>
<script type="module">
$script
</script>
END
	return $browser->open("http://127.0.0.1:$hub->{port}/$name.html");
}

# What pages have said so far; dies where one has failed.
my @said;
sub said {
	push @said, map { unjson($_) } splice @{ $heard->{in} };
	my ($failed) = grep { $_->{type} eq 'failed' } @said;
	die 'the page says: ' . json($failed->{what}) . "\n" if $failed;
	return @said;
}

sub report {
	my ($type) = @_;
	my $got;
	wait_for { ($got) = grep { $_->{type} eq $type } said() } "the page's report: $type", 200;
	@said = grep { $_ != $got } @said;
	return $got->{what};
}

for my $transport (qw(websocket sse poll)) {
	subtest "cuts over $transport" => sub {
		my $cut = Hub::Cut->start($hub->{port}, seed => 7, cuts => 1e9, bytes => 20_000);
		my $session = "$kind.$transport";
		my $told = $hub->member('unix', "$session.told");
		my $page = page($transport, <<"END");
import {Hub} from "/hub.js";
const brief = {firstWait: 20, longestWait: 100, storage: {getItem: () => null, setItem() {}}};
const told = new Hub("$session.told", brief);
let enough = false, n = 0, acked = 0;
told.on("record", () => enough = true);
const got = [], wrong = [];
const hub = new Hub("$session", {url: "http://127.0.0.1:$cut->{port}", transports: ["$transport"], ...brief, attempts: 1e9});
hub.on("record", (m) => got.push([m.seq, m.n]));
for (const name of ["reset", "gap", "error"]) hub.on(name, (what) => wrong.push([name, String(what)]));
const publish = async (n) => {
	const ack = await hub.publish({type: "s", key: "k" + n % 7, n});
	acked++;
	if (ack.seq !== n) wrong.push(["ack", n]);
};
const timer = setInterval(() => {
	for (let i = 0; i < 20 && !enough && hub.waiting < 100; i++) publish(++n).catch((e) => wrong.push(["refused", String(e)]));
}, 5);
say("begun", n);
await until(() => enough && acked === n && hub.seq === n);
const at = got.findIndex(([seq, i], place) => seq !== place + 1 || i !== seq);
say("$transport", {n, got: got.length, at, wrong, keys: [...hub.state("s").values()].map((m) => m.n).sort((a, b) => a - b)});
END
		report('begun');
		wait_for { said(); $cut->cuts >= $cuts } "$cuts cuts", 200 + 2 * $cuts;
		$told->send({ type => 'enough' });
		my $got = report($transport);
		is($got->{got}, $got->{n}, "$got->{n} records came");
		is($got->{at}, -1, 'once each, in order, with the numbers that were acknowledged');
		is_deeply($got->{wrong}, [], 'nothing was lost');
		is_deeply($got->{keys}, [ $got->{n} - 6 .. $got->{n} ], 'the mirror is the state');
		$page->close;
		$cut->stop;
	};
}

subtest 'the browser has no network' => sub {
	my $page = page('offline', <<"END");
import {Hub} from "/hub.js";
const seen = [];
const hub = new Hub("$kind.offline", {firstWait: 20});
hub.on("status", (status) => seen.push(status));
await until(() => hub.status === "joined");
// What the browser says; nothing else can be made to say it here.
let online = false;
Object.defineProperty(navigator, "onLine", {get: () => online});
hub.restart();
await until(() => hub.status === "offline");
const waits = hub.publish({type: "t"});
online = true;
dispatchEvent(new Event("online"));
say("offline", {seq: (await waits).seq, seen});
END
	my $got = report('offline');
	is($got->{seq}, 1, 'what was published meanwhile is sent when there is one');
	is_deeply($got->{seen}, [qw(behind joined connecting offline connecting behind joined)], 'and each step is seen');
	$page->close;

	# Nothing comes through any more, and nobody says so.
	my $cut = Hub::Cut->start($hub->{port});
	$page = page('silent', <<"END");
import {Hub} from "/hub.js";
const make = (url) => new Hub("$kind.silent", {url, answer: 1000, silence: 1e9, transports: ["websocket"]});
const cut = make("http://127.0.0.1:$cut->{port}"), whole = make();
const seen = [];
whole.on("status", (status) => seen.push(status));
await until(() => cut.status === "joined" && whole.status === "joined" && cut.latency >= 0 && whole.latency >= 0); // a browser may count in ms
const told = new Hub("$kind.silent.told");
told.on("record", () => {
	Object.defineProperty(navigator, "onLine", {get: () => false});
	dispatchEvent(new Event("offline"));
});
await until(() => told.status === "joined");
say("ready");
await until(() => cut.status === "offline");
say("silent", {seen, works: await whole.ping() >= 0});
END
	report('ready');
	$cut->{proc}->kill('STOP');
	$hub->member('unix', "$kind.silent.told")->send({ type => 'now' });
	$got = report('silent');
	is_deeply($got->{seen}, [qw(behind joined)], 'what answers goes on');
	ok($got->{works}, 'and works');
	$page->close;
	$cut->stop;
};

subtest 'the example of the page' => sub {
	my ($script) = map { unescape($_) } slurp("$root/man/hub.js.3") =~ m{^(import \{Hub\} from "/hub\.js";\n\nconst hub = new Hub\("room".*?)^\.Ed}ms;
	$script =~ s/console\.log\(/say("said", [document.title].concat(/g;
	$script =~ s/^(.*say.*)\)(\)?;)$/$1))$2/mg;
	$script =~ s/"room"/"$kind.room"/;
	my $page = page('example', $script);
	my %said = map { json($_) => 1 } report('said'), report('said');
	is_deeply(\%said, { '["joined","lamp","Ann"]' => 1, '["joined",1]' => 1 }, 'it runs as it is printed');
	$page->close;
};

$browser->close;
$hub->stop;
done_testing;
